/* What kernels take: times of launches by the device's clock, shared out among the
 * work that each launch does. */
#ifndef FAL_PROFILE_H
#define FAL_PROFILE_H

#include "device/launch.h"

typedef struct fal_profile fal_profile;

fal_status fal_profile_create(fal_profile **profile);
void fal_profile_destroy(fal_profile *profile);

/* Takes over the event of a launch that was just enqueued; the launch must live
 * until the next fal_profile_collect. */
fal_status fal_profile_note(fal_profile *profile, const fal_launches *list,
                            fal_launch *launch, cl_event event);

/* Waits for the launches noted so far and adds up their times. */
fal_status fal_profile_collect(fal_profile *profile, const fal_device *device);

#endif
