#include "train/pace.h"

enum { MOST_STEPS = 64 };

/* Seconds from mark to mark */
static const double SHORT = .1, LONG = .4;

static fal_status wait_for_mark(fal_pace *pace, fal_device *device)
{
    if (!pace->mark)
        return FAL_OK;
    cl_int code = clWaitForEvents(1, &pace->mark);
    fal_pace_end(pace);
    return fal_cl(device, code, "clWaitForEvents", "steps");
}

static void set_stride(fal_pace *pace, double taken)
{
    if (taken < SHORT && pace->stride < MOST_STEPS)
        pace->stride *= 2;
    else if (taken > LONG && pace->stride > 1)
        pace->stride /= 2;
}

fal_status fal_pace_step(fal_pace *pace, fal_device *device, double now)
{
    cl_event mark = NULL;
    if (++pace->steps < pace->stride)
        return FAL_OK;
    fal_status status = fal_cl(
        device, clEnqueueMarkerWithWaitList(device->queue, 0, NULL, &mark),
        "clEnqueueMarkerWithWaitList", "steps");
    if (status)
        return status;
    if (pace->stride == 0)
        pace->stride = 1;
    else
        set_stride(pace, now - pace->since);
    status = wait_for_mark(pace, device);
    *pace = (fal_pace){.mark = mark, .stride = pace->stride, .since = now};
    return status;
}

void fal_pace_end(fal_pace *pace)
{
    if (pace->mark)
        clReleaseEvent(pace->mark);
    pace->mark = NULL;
}
