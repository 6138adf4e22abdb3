/* Keeps the host from running far ahead of the device: a fit that is told to stop waits
 * for all the steps that it has queued, and those of a large network take long. */
#ifndef FAL_PACE_H
#define FAL_PACE_H

#include "device/device.h"

typedef struct fal_pace {
    cl_event mark;   /* after the step up to which the host waits next */
    unsigned stride; /* steps between two marks; 0: none yet */
    unsigned steps;  /* since the mark */
    double since;    /* when it was made */
} fal_pace;

/* After each step was queued, `now` in seconds: at every mark waits for the one before.
 * Their distance follows from how long that takes; fast steps hardly ever wait. */
fal_status fal_pace_step(fal_pace *pace, fal_device *device, double now);
void fal_pace_end(fal_pace *pace);

#endif
