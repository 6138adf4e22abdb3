#include "device/profile.h"
#include "device/memory.h"
#include "device/options.h"

#include <string.h>

enum { PENDING = 512, NAME = 64 };

typedef struct entry {
    char kernel[NAME], layer[NAME], work[NAME];
    int evaluation;
    double launches, seconds, flops, bytes;
} entry;

struct fal_profile {
    entry *entries;
    size_t count, capacity;
    struct {
        cl_event event;
        const fal_launch *launch;
    } pending[PENDING];
    size_t pending_count;
};

fal_status fal_profile_create(fal_profile **profile)
{
    *profile = fal_allocate(1, sizeof **profile);
    return *profile ? FAL_OK : FAL_ERROR_MEMORY;
}

void fal_profile_destroy(fal_profile *profile)
{
    if (!profile)
        return;
    for (size_t i = 0; i < profile->pending_count; i++)
        clReleaseEvent(profile->pending[i].event);
    fal_release(profile->entries);
    fal_release(profile);
}

/* ---- entries ------------------------------------------------------------- */

static int is_entry(const entry *e, const fal_launches *list,
                    const fal_launch *launch, const fal_share *share)
{
    return e->evaluation == list->evaluation &&
           strcmp(e->kernel, launch->name) == 0 &&
           strcmp(e->layer, share->layer) == 0 && strcmp(e->work, share->work) == 0;
}

static fal_status add_entry(fal_profile *p, const fal_launches *list,
                            const fal_launch *launch, const fal_share *share)
{
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 64;
        entry *grown = fal_resize(p->entries, capacity, sizeof *grown);
        if (!grown)
            return FAL_ERROR_MEMORY;
        p->entries = grown;
        p->capacity = capacity;
    }
    entry *e = &p->entries[p->count++];
    *e = (entry){.evaluation = list->evaluation};
    strncpy(e->kernel, launch->name, NAME - 1);
    strncpy(e->layer, share->layer, NAME - 1);
    strncpy(e->work, share->work, NAME - 1);
    return FAL_OK;
}

/* The entry of each share, found once. */
static fal_status find_entries(fal_profile *p, const fal_launches *list,
                               fal_launch *launch)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < launch->share_count && !status; i++) {
        fal_share *share = &launch->shares[i];
        size_t at = share->entry;
        if (at > 0)
            continue;
        while (at < p->count && !is_entry(&p->entries[at], list, launch, share))
            at++;
        if (at == p->count)
            status = add_entry(p, list, launch, share);
        share->entry = status ? 0 : at + 1;
    }
    return status;
}

fal_status fal_profile_note(fal_profile *p, const fal_launches *list,
                            fal_launch *launch, cl_event event)
{
    fal_status status = find_entries(p, list, launch);
    if (status) {
        clReleaseEvent(event);
        return status;
    }
    p->pending[p->pending_count].event = event;
    p->pending[p->pending_count++].launch = launch;
    return p->pending_count == PENDING ? fal_profile_collect(p, list->device)
                                       : FAL_OK;
}

/* ---- times --------------------------------------------------------------- */

/* By arithmetic where there is some, else by memory traffic, else evenly. */
static double weight_of(const fal_launch *launch, const fal_share *share)
{
    double flops = 0, bytes = 0;
    for (size_t i = 0; i < launch->share_count; i++) {
        flops += launch->shares[i].flops;
        bytes += launch->shares[i].bytes;
    }
    return flops > 0   ? share->flops / flops
           : bytes > 0 ? share->bytes / bytes
                       : 1 / (double)launch->share_count;
}

static void share_out(fal_profile *p, const fal_launch *launch, double seconds)
{
    for (size_t i = 0; i < launch->share_count; i++) {
        const fal_share *share = &launch->shares[i];
        entry *e = &p->entries[share->entry - 1];
        e->launches += 1 / (double)launch->share_count;
        e->seconds += seconds * weight_of(launch, share);
        e->flops += share->flops;
        e->bytes += share->bytes;
    }
}

fal_status fal_profile_collect(fal_profile *p, const fal_device *device)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < p->pending_count; i++) {
        cl_event event = p->pending[i].event;
        cl_ulong start = 0, end = 0;
        cl_int code = status ? CL_SUCCESS : clWaitForEvents(1, &event);
        if (code == CL_SUCCESS)
            code = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START,
                                           sizeof start, &start, NULL);
        if (code == CL_SUCCESS)
            code = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END,
                                           sizeof end, &end, NULL);
        if (!status)
            status = fal_cl(device, code, "clGetEventProfilingInfo",
                            p->pending[i].launch->name);
        if (!status)
            share_out(p, p->pending[i].launch, 1e-9 * (double)(end - start));
        clReleaseEvent(event);
    }
    p->pending_count = 0;
    return status;
}

/* ---- for users ----------------------------------------------------------- */

fal_status fal_device_profile(fal_device *device, fal_profile_visit visit,
                              void *user)
{
    if (!device || !visit || !device->profile)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_device_profile: needs a device that was opened with "
                        "options.profile = 1, and a function to visit");
    fal_profile *p = device->profile;
    fal_status status = fal_profile_collect(p, device);
    for (size_t i = 0; i < p->count && !status; i++) {
        const entry *e = &p->entries[i];
        fal_profile_row row = {sizeof row, e->kernel,     e->layer,
                               e->work,    e->evaluation, e->launches,
                               e->seconds, e->flops,      e->bytes};
        if (visit(&row, user))
            break;
    }
    return status;
}
