/* One comparison of a kernel with its reference: the memory it takes, on the host
 * and on the device, and the largest error found. The first failure stays in
 * `status`, and what follows it does nothing. */
#ifndef FAL_CHECKER_H
#define FAL_CHECKER_H

#include "device/launch.h"

enum { FAL_CHECKER_BLOCKS = 64 };

/* Elements of 4 bytes between guards, at an odd offset so that nothing is aligned.
 */
typedef struct fal_guarded {
    cl_mem buffer;
    size_t count;
} fal_guarded;

typedef struct fal_checker {
    fal_device *device;
    fal_status status;
    double *worst;
    uint64_t drawn; /* numbers so far */
    size_t block_count, guarded_count;
    void *blocks[FAL_CHECKER_BLOCKS];
    fal_guarded guarded[FAL_CHECKER_BLOCKS];
    fal_launches launches;
} fal_checker;

/* *worst is only ever raised. */
void fal_checker_begin(fal_checker *checker, fal_device *device, double *worst);

/* Room on the host, freed at the end; NULL after a failure. */
void *fal_checker_room(fal_checker *checker, size_t count, size_t size);

/* The same, `count` numbers in [low, high). */
float *fal_checker_floats(fal_checker *checker, size_t count, double low,
                          double high);

/* Numbers below `limit`. */
int32_t *fal_checker_ints(fal_checker *checker, size_t count, size_t limit);

/* Puts NaN, infinities and zeros of both signs among them, every `every`-th. */
void fal_checker_spoil(fal_checker *checker, float *values, size_t count,
                       size_t every);

/* A guarded copy of `count` elements of 4 bytes on the device; NaN everywhere if
 * values is NULL. */
fal_view fal_checker_put(fal_checker *checker, size_t count, const void *values);

/* Enqueues what was added to checker->launches; `added` is what adding gave. */
void fal_checker_run(fal_checker *checker, fal_status added);

/* What stands there now, in new room; NULL after a failure. An overwritten guard is
 * a failure. */
void *fal_checker_get(fal_checker *checker, fal_view view);

/* Raises *worst to |got − expected|/bound. NaN and infinities must be met. */
void fal_checker_note(fal_checker *checker, double got, double expected,
                      double bound);

/* Frees everything; the first failure. */
fal_status fal_checker_end(fal_checker *checker);

#endif
