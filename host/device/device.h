/* A device: its facts, context, in-order queue and the programs built for it. Every
 * OpenCL call's code goes through fal_cl. */
#ifndef FAL_DEVICE_H
#define FAL_DEVICE_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "device/error.h"

/* CPU-like: work-groups of one item, explicit vectors, no local memory. GPU-like:
 * work-groups share local memory, one element an item. */
typedef enum fal_family { FAL_FAMILY_CPU = 0, FAL_FAMILY_GPU = 1 } fal_family;

/* Who sums products: our kernels, or CLBlast those it can. */
typedef enum fal_gemm { FAL_GEMM_OWN = 0, FAL_GEMM_CLBLAST = 1 } fal_gemm;

/* How 3 x 3 convolutions of stride 1 are made: as a table of measurements says, never
 * by filtering, forward and data by F(4x4, 3x3); the others are for tests: by F(2x2, 3x3),
 * by patches, by strips wherever that can be. */
typedef enum fal_conv_wish {
    FAL_WISH_AUTO = 0,
    FAL_WISH_DIRECT = 1,
    FAL_WISH_WINOGRAD4 = 2,
    FAL_WISH_WINOGRAD2 = 3,
    FAL_WISH_PATCHES = 4,
    FAL_WISH_STRIPS = 5
} fal_conv_wish;

/* Facts of a device as OpenCL tells them, and what falign makes of them. */
typedef struct fal_facts {
    cl_platform_id platform;
    cl_device_id id; /* NULL for a platform without devices */
    cl_device_type type;
    char platform_name[128], name[256], vendor[128], version[128], driver[128];
    char selector[24];
    char skipped[512]; /* empty: usable */
    unsigned units, float_width;
    size_t group_limit;
    uint64_t memory, allocation, local_memory;
    int double_precision;
    fal_family family;
    int vector;
    unsigned block; /* side of what a group makes of a product, if GPU-like */
    fal_gemm gemm;
    fal_conv_wish conv;
} fal_facts;

enum { FAL_PROGRAM_LIMIT = 32 };

struct fal_device {
    fal_facts facts;
    cl_context context;
    cl_command_queue queue;
    cl_program
        programs[FAL_PROGRAM_LIMIT]; /* host/device/program.c: of what files */
    cl_mem scratch;                  /* of products, made when first needed */
    size_t scratch_bytes;
    cl_mem temporary; /* of CLBlast's calls */
    size_t temporary_bytes;
    uint64_t allocated; /* bytes of buffers alive */
    uint64_t
        resident_limit; /* bytes of a data set kept on the device; tests lower it */
    struct fal_profile *profile; /* NULL: not wanted */
    fal_log log;
    void *log_user;
    unsigned said; /* bits of fal_device_says */
};

/* All devices of all platforms with `kernels` and `vector` forced or not (NULL, 0).
 * *list is the caller's (fal_release). */
fal_status fal_facts_list(fal_facts **list, size_t *count, const char *kernels,
                          int vector);

/* The one that `name` means (NULL: the best there is). */
fal_status fal_facts_choose(const fal_facts *list, size_t count, const char *name,
                            size_t *chosen);

/* Turns an OpenCL code into a status; the message names operation, subject (a
 * kernel, a buffer's use; may be NULL), code and device. */
fal_status fal_cl(const fal_device *device, cl_int code, const char *operation,
                  const char *subject);
const char *fal_cl_name(cl_int code);

/* For tests: the n-th fal_cl from now on this thread reports CL_OUT_OF_RESOURCES.
 */
void fal_cl_fail_at(long n);

/* A kernel of the device's family; builds its program when that is the first. */
fal_status fal_kernel_create(fal_device *device, const char *name,
                             cl_kernel *kernel);

/* A buffer of at least 64 bytes past `bytes` (vector loads may read over the end),
 * counted in device->allocated. `what` stands in the error. */
fal_status fal_buffer_create(fal_device *device, size_t bytes, const char *what,
                             cl_mem *buffer);
void fal_buffer_destroy(fal_device *device, cl_mem buffer);

/* Scratch memory shared by the device's products (they run one after the other).
 * The first call's size is final; asking for more later fails. */
fal_status fal_device_scratch(fal_device *device, size_t bytes, cl_mem *scratch);

/* Makes device->temporary hold at least `bytes`; it is another buffer afterwards. */
fal_status fal_device_temporary(fal_device *device, size_t bytes);

/* Blocking copies; offsets and counts in bytes. */
fal_status fal_read(fal_device *device, cl_mem buffer, size_t offset, size_t bytes,
                    void *into);
fal_status fal_write(fal_device *device, cl_mem buffer, size_t offset, size_t bytes,
                     const void *from);
fal_status fal_finish(fal_device *device);

void fal_device_say(const fal_device *device, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is said once a device. 1: not yet; it is from now on. */
enum { FAL_SAYS_NO_RANKS = 1, FAL_SAYS_NO_DELTAS = 2, FAL_SAYS_NO_CARRIER = 4 };
int fal_device_says(fal_device *device, unsigned what);

#endif
