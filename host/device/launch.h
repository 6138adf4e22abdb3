/* Kernel launches with their arguments set: the flat lists that plans are made of.
 */
#ifndef FAL_LAUNCH_H
#define FAL_LAUNCH_H

#include "device/device.h"

/* A place in a buffer; the offset counts 4-byte elements. buffer NULL: none. */
typedef struct fal_view {
    cl_mem buffer;
    uint64_t offset;
} fal_view;

/* Work that a launch does, for profiles. */
typedef struct fal_share {
    char layer[48], work[16]; /* for what, and what: "forward"; may be empty */
    double flops, bytes;      /* arithmetic; numbers read and written; 0: unknown */
    size_t entry;             /* of the profile, + 1 */
} fal_share;

/* Enqueues something that is no kernel of ours on the device's queue; its event goes
 * to *event if that is not NULL. */
typedef fal_status (*fal_call)(fal_device *device, const void *data,
                               cl_event *event);

typedef struct fal_launch {
    cl_kernel kernel; /* or a call and what it is told: */
    fal_call call;
    void *data;
    char name[32];
    fal_share *shares;
    size_t share_count;
    size_t global[3], local[3];
    cl_mem table;  /* its own constants or room; or none */
    unsigned step; /* index of the argument of fal_launch_step; 0: none */
} fal_launch;

/* Zero-initialise, set `device`. A failure between begin and end is kept and
 * returned by fal_launch_end; the list then lacks the launch. */
typedef struct fal_launches {
    fal_device *device;
    fal_launch *items;
    size_t count, capacity;
    const char *layer; /* of the shares noted from now on */
    int evaluation;    /* not part of training */
    fal_status status; /* of the launch being made */
    unsigned argument; /* index of its next argument */
} fal_launches;

void fal_launch_begin(fal_launches *list, const char *kernel);

/* A call in place of a kernel, with a copy of `data`; `name` stands in profiles. It
 * has no arguments, and ends by fal_launch_end_call. */
void fal_launch_begin_call(fal_launches *list, const char *name, fal_call call,
                           size_t bytes, const void *data);
void fal_launch_int(fal_launches *list, int32_t value);
void fal_launch_uint(fal_launches *list, uint32_t value);
void fal_launch_ulong(fal_launches *list, uint64_t value);
void fal_launch_float(fal_launches *list, float value);
void fal_launch_bytes(fal_launches *list, size_t bytes, const void *value);
void fal_launch_buffer(fal_launches *list, cl_mem buffer);

/* Two arguments: the buffer and its offset (ulong). An absent view passes NULL: no
 * kernel touches it then. */
void fal_launch_view(fal_launches *list, fal_view view);
void fal_launch_local(fal_launches *list, size_t bytes);

/* Notes what the launch does for list->layer; it may do several things. */
void fal_launch_work(fal_launches *list, const char *work, double flops,
                     double bytes);

/* Room that the launch keeps, for itself and those behind it; NULL after a failure. */
cl_mem fal_launch_room(fal_launches *list, size_t bytes);

/* Constants that the launch keeps in a buffer of its own. */
void fal_launch_table(fal_launches *list, size_t bytes, const void *values);

/* An argument (never the first) that fal_launches_step sets; zeros until then. */
void fal_launch_step(fal_launches *list, size_t bytes);

/* Global and local sizes in items; every global a multiple of its local size. */
fal_status fal_launch_end(fal_launches *list, const size_t global[3],
                          const size_t local[3]);

fal_status fal_launch_end_call(fal_launches *list);

/* Enqueues all of them; does not wait. */
fal_status fal_launches_run(const fal_launches *list);

/* Sets the argument of fal_launch_step in all launches that have one. */
fal_status fal_launches_step(const fal_launches *list, size_t bytes,
                             const void *value);

/* Changes an argument of a launch that was made before. */
fal_status fal_launch_set(const fal_launches *list, size_t launch,
                          unsigned argument, size_t bytes, const void *value);
void fal_launches_release(fal_launches *list);

#endif
