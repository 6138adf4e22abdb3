/* train --profile: what the device's time went into. */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include "cli/job.h"

/* Prints the table, unless the job is silent, and writes profile.json. */
fal_status cli_profile(const cli_job *job, fal_run *folder);

#endif
