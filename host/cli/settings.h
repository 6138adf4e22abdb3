/* From the options of a command line to those of one run and of the library. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "cli/ground.h"
#include "train/run.h"

/* What can be said about the options of train and compare before anything is
 * opened: what is missing, what does not go together. */
fal_status cli_runs_check(const cli_options *options);

/* Options of some rules are for one at least of those of the runs, or of a layer. */
fal_status cli_rules_check(const cli_options *options, const char *const *rules,
                           size_t count);

/* Options that fill presets need one. Errors: ARGUMENT. */
fal_status cli_preset_check(const cli_options *options);

/* Drops what a file says and what flags of the command line have made senseless:
 * momentum of another optimizer, the schedule of a weight decay of 0, milestones of
 * another schedule, the feedback law of another rule, the other limit of a length,
 * standardizing anew what --init brings, what fills presets where there is none. */
void cli_runs_give_way(cli_options *options);

/* Fills in the defaults that depend on other options and on the device, as far as
 * they are the same for all runs of a command. */
void cli_runs_resolve(cli_options *all, const cli_options *options,
                      const cli_ground *ground);

/* Takes back the seeds to which --seeds adds, but for that of the weights: their default
 * is what they were. */
void cli_seeds_unset(cli_options *options);

/* The complete options of one of these runs, as of `train`. `offset` is added to
 * the seeds that are not held. */
void cli_run_resolve(cli_options *run, const cli_options *all, const char *rule,
                     uint64_t offset);

/* The library's options for a run that cli_run_resolve completed. */
void cli_model_options(fal_model_options *model, const cli_options *run,
                       const fal_dataset *data);
void cli_trainer_options(fal_trainer_options *trainer, const cli_options *run,
                         const cli_ground *ground);

/* The decays that --weight-decay gives to layers. */
fal_status cli_weight_decays(fal_trainer *trainer, const cli_options *run);

/* runs/DATA-NET-RULE or runs/compare-DATA-NET, of characters that any file system
 * takes; for fal_release. */
char *cli_folder_prefix(const cli_options *options, const char *rule);

/* The folder of a run by --out and --force, or the next of the prefix. */
fal_status cli_folder_open(fal_run **run, const cli_options *options,
                           const char *rule);

#endif
