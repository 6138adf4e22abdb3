/* train --dry-run: what a run would be and take. */
#ifndef CLI_DRY_RUN_H
#define CLI_DRY_RUN_H

#include "cli/job.h"

fal_status cli_dry_run_print(cli_job *job);

#endif
