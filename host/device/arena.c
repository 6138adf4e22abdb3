#include "device/arena.h"
#include "device/memory.h"

enum { ALIGNMENT = 16 }; /* floats */

void fal_arena_begin(fal_arena *arena, fal_device *device, const char *what)
{
    *arena = (fal_arena){.device = device, .what = what};
    arena->limit = (device->facts.allocation - 128) / sizeof(float);
}

/* The first buffer with room, so that nothing straddles two. */
fal_status fal_arena_place(fal_arena *arena, uint64_t count, fal_slot *slot)
{
    uint64_t size = (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > arena->limit || size < count)
        return fal_fail(FAL_ERROR_DEVICE_MEMORY,
                        "%s: a tensor of %llu bytes does not fit device %s, whose "
                        "largest buffer has %llu bytes",
                        arena->what, (unsigned long long)(count * sizeof(float)),
                        arena->device->facts.name,
                        (unsigned long long)(arena->limit * sizeof(float)));
    size_t last = arena->count;
    if (last == 0 || arena->sizes[last - 1] + size > arena->limit) {
        uint64_t *grown = fal_resize(arena->sizes, last + 1, sizeof *grown);
        if (!grown)
            return FAL_ERROR_MEMORY;
        arena->sizes = grown;
        arena->sizes[last] = 0;
        arena->count = ++last;
    }
    *slot = (fal_slot){last - 1, arena->sizes[last - 1], count};
    arena->sizes[last - 1] += size;
    return FAL_OK;
}

fal_status fal_arena_make(fal_arena *arena)
{
    uint64_t bytes = fal_arena_bytes(arena), have = arena->device->facts.memory;
    if (bytes >
        have - (arena->device->allocated < have ? arena->device->allocated : have))
        return fal_fail(
            FAL_ERROR_DEVICE_MEMORY,
            "%s: %llu bytes do not fit device %s, which has %llu bytes of "
            "memory and %llu in use; use a smaller network or batch",
            arena->what, (unsigned long long)bytes, arena->device->facts.name,
            (unsigned long long)have, (unsigned long long)arena->device->allocated);
    arena->buffers = fal_allocate(arena->count, sizeof *arena->buffers);
    if (!arena->buffers)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < arena->count; i++) {
        fal_status status = fal_buffer_create(arena->device,
                                              arena->sizes[i] * sizeof(float),
                                              arena->what, &arena->buffers[i]);
        if (status)
            return status;
    }
    return fal_arena_clear(arena);
}

fal_status fal_arena_fill_slot(const fal_arena *arena, fal_slot slot, float value)
{
    cl_int code = clEnqueueFillBuffer(
        arena->device->queue, arena->buffers[slot.buffer], &value, sizeof value,
        slot.offset * sizeof value, slot.count * sizeof value, 0, NULL, NULL);
    return fal_cl(arena->device, code, "clEnqueueFillBuffer", arena->what);
}

fal_status fal_arena_clear_slot(const fal_arena *arena, fal_slot slot)
{
    return fal_arena_fill_slot(arena, slot, 0);
}

fal_status fal_arena_clear(fal_arena *arena)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < arena->count && !status; i++)
        status = fal_arena_clear_slot(arena, (fal_slot){i, 0, arena->sizes[i]});
    return status;
}

void fal_arena_release(fal_arena *arena)
{
    for (size_t i = 0; arena->buffers && i < arena->count; i++)
        fal_buffer_destroy(arena->device, arena->buffers[i]);
    fal_release(arena->buffers);
    fal_release(arena->sizes);
    *arena = (fal_arena){0};
}

uint64_t fal_arena_bytes(const fal_arena *arena)
{
    uint64_t floats = 0;
    for (size_t i = 0; i < arena->count; i++)
        floats += arena->sizes[i];
    return floats * sizeof(float);
}

fal_view fal_arena_view(const fal_arena *arena, fal_slot slot)
{
    return (fal_view){arena->buffers[slot.buffer], slot.offset};
}

fal_status fal_arena_read(const fal_arena *arena, fal_slot slot, float *values)
{
    return fal_read(arena->device, arena->buffers[slot.buffer],
                    slot.offset * sizeof(float), slot.count * sizeof(float),
                    values);
}

fal_status fal_arena_write(const fal_arena *arena, fal_slot slot,
                           const float *values)
{
    return fal_write(arena->device, arena->buffers[slot.buffer],
                     slot.offset * sizeof(float), slot.count * sizeof(float),
                     values);
}
