/* What several runs share: the data set and the device. */
#ifndef CLI_GROUND_H
#define CLI_GROUND_H

#include "cli/options.h"

typedef struct cli_ground {
    fal_device *device;
    fal_device_info info;
    fal_dataset *train, *test;
    fal_dataset *validation; /* of a run's ground: split off from train; or NULL */
    int own_train, own_test; /* of a run's ground: not those of all runs */
    fal_arrays train_facts, test_facts, validation_facts;
} cli_ground;

/* Where names of data sets are looked for: --data-path, $FALIGN_DATASETS, the user's
 * cache, /usr/share/datasets. */
typedef struct cli_places {
    const char *folders[4];
    size_t count;
    char *cache;
} cli_places;

fal_status cli_places_find(cli_places *places, const cli_options *options);
void cli_places_release(cli_places *places);

/* Opens a split of --data; `samples` as --samples limits it, 0: all. */
fal_status cli_data_open(fal_dataset **dataset, const cli_options *options,
                         fal_split split, uint64_t samples);

/* Replaces a data set by one with the labels that --label-noise leaves it by `seed`; the
 * former one is handed back, for after the end of the other. */
fal_status cli_data_spoil(fal_dataset **dataset, fal_dataset **former,
                          const cli_options *options, uint64_t seed,
                          fal_split split);

/* Opens --device; what it logs goes to standard error, unless --quiet. */
fal_status cli_device_open(fal_device **device, const cli_options *options);

/* Both splits and the device. */
fal_status cli_ground_open(cli_ground *ground, const cli_options *options);
void cli_ground_close(cli_ground *ground);

/* The ground of one run, by its --label-noise, its --validation and its data seed: what
 * it shares with `ground`, which stays as long, is still that one's. */
fal_status cli_ground_split(cli_ground *own, const cli_ground *ground,
                            const cli_options *run);
void cli_ground_unsplit(cli_ground *own);

#endif
