/* Arenas: device memory for many tensors as a list of buffers, since a device's
 * largest single buffer may be smaller than what a network needs. Place all slots,
 * then make the arena. */
#ifndef FAL_ARENA_H
#define FAL_ARENA_H

#include "device/launch.h"

/* `count` floats in one buffer; a placed slot starts at a multiple of 64 bytes. */
typedef struct fal_slot {
    size_t buffer;
    uint64_t offset, count;
} fal_slot;

typedef struct fal_arena {
    fal_device *device;
    const char *what; /* stands in errors */
    uint64_t limit;   /* floats a buffer; tests make it small */
    uint64_t *sizes;  /* floats, of each buffer */
    cl_mem *buffers;
    size_t count;
} fal_arena;

void fal_arena_begin(fal_arena *arena, fal_device *device, const char *what);
fal_status fal_arena_place(fal_arena *arena, uint64_t count, fal_slot *slot);

/* Makes the buffers, filled with zeros. */
fal_status fal_arena_make(fal_arena *arena);
fal_status fal_arena_clear(fal_arena *arena);
fal_status fal_arena_clear_slot(const fal_arena *arena, fal_slot slot);
fal_status fal_arena_fill_slot(const fal_arena *arena, fal_slot slot, float value);
void fal_arena_release(fal_arena *arena);

uint64_t fal_arena_bytes(const fal_arena *arena);
fal_view fal_arena_view(const fal_arena *arena, fal_slot slot);
fal_status fal_arena_read(const fal_arena *arena, fal_slot slot, float *values);
fal_status fal_arena_write(const fal_arena *arena, fal_slot slot,
                           const float *values);

#endif
