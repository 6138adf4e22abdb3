#include "train/ring.h"
#include "device/memory.h"

#include <math.h>

enum { HALF = FAL_RING_SLOTS / 2 };

fal_status fal_ring_open(fal_ring *ring, const fal_workspace *workspace)
{
    *ring = (fal_ring){.workspace = workspace};
    ring->host = fal_allocate(workspace->partials.count, sizeof *ring->host);
    return ring->host ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_status wait_half(fal_ring *ring, size_t half)
{
    cl_event *event = &ring->reading[half];
    if (!*event)
        return FAL_OK;
    fal_status status = fal_cl(ring->workspace->arena.device,
                               clWaitForEvents(1, event), "clWaitForEvents",
                               "losses");
    clReleaseEvent(*event);
    *event = NULL;
    return status;
}

void fal_ring_close(fal_ring *ring)
{
    for (size_t half = 0; half < 2; half++)
        if (ring->reading[half])
            wait_half(ring, half);
    fal_release(ring->host);
    *ring = (fal_ring){0};
}

static void sum_step(fal_ring *ring)
{
    size_t slot = ring->summed % FAL_RING_SLOTS, stride = ring->workspace->stride;
    const float *partials = ring->host + slot * stride * 2;
    size_t used = (ring->rows[slot] + FAL_LOSS_ROWS - 1) / FAL_LOSS_ROWS;
    fal_tally step = {.samples = ring->rows[slot]};
    for (size_t i = 0; i < used; i++) {
        step.loss += (double)partials[2 * i];
        step.correct += (double)partials[2 * i + 1];
    }
    if (!isfinite(step.loss)) {
        ring->diverged = 1;
        ring->diverged_at = ring->summed;
    }
    ring->last = step;
    fal_tally *const tallies[2] = {&ring->log, &ring->epoch};
    for (size_t i = 0; i < 2; i++) {
        tallies[i]->loss += step.loss;
        tallies[i]->correct += step.correct;
        tallies[i]->samples += step.samples;
    }
    ring->summed++;
}

static void sum_until(fal_ring *ring, uint64_t step)
{
    while (ring->summed < step && !ring->diverged)
        sum_step(ring);
}

static fal_status read_slots(fal_ring *ring, size_t first, size_t count,
                             cl_event *event)
{
    const fal_workspace *w = ring->workspace;
    size_t step = w->stride * 2 * sizeof(float);
    fal_view view = fal_arena_view(&w->arena, w->partials);
    return fal_cl(w->arena.device,
                  clEnqueueReadBuffer(
                      w->arena.device->queue, view.buffer,
                      event ? CL_FALSE : CL_TRUE,
                      view.offset * sizeof(float) + first * step, count * step,
                      ring->host + first * w->stride * 2, 0, NULL, event),
                  "clEnqueueReadBuffer", "losses");
}

fal_status fal_ring_begin(fal_ring *ring, size_t rows, size_t *slot)
{
    fal_status status = FAL_OK;
    *slot = ring->begun % FAL_RING_SLOTS;
    if (*slot % HALF == 0 && ring->begun >= FAL_RING_SLOTS) {
        status = wait_half(ring, *slot / HALF);
        if (!status)
            sum_until(ring, ring->begun - HALF);
    }
    ring->rows[*slot] = (uint32_t)rows;
    return status;
}

fal_status fal_ring_end(fal_ring *ring)
{
    ring->begun++;
    if (ring->begun % HALF)
        return FAL_OK;
    size_t first = (ring->begun - HALF) % FAL_RING_SLOTS;
    fal_status status = read_slots(ring, first, HALF, &ring->reading[first / HALF]);
    ring->lost = ring->lost || status;
    return status;
}

fal_status fal_ring_flush(fal_ring *ring)
{
    size_t rest = ring->begun % HALF;
    fal_status status = FAL_OK;
    for (size_t half = 0; half < 2 && !status; half++)
        status = wait_half(ring, half);
    if (!status && rest)
        status = read_slots(ring, (ring->begun - rest) % FAL_RING_SLOTS, rest,
                            NULL);
    if (!status && ring->lost)
        status = read_slots(ring, 0, FAL_RING_SLOTS, NULL);
    if (!status) {
        ring->lost = 0;
        sum_until(ring, ring->begun);
    }
    return status;
}
