/* The metrics of science §4: their names, and their values from what a measurer left
 * on the device. */
#ifndef FAL_METRICS_H
#define FAL_METRICS_H

#include "analysis/alignment.h"
#include "analysis/rank.h"
#include "train/measurer.h"

/* The matrices whose ranks are found. */
typedef enum fal_ranked {
    FAL_RANKED_DELTA,
    FAL_RANKED_CARRIED,
    FAL_RANKED_UPDATE,
    FAL_RANKED_ACTIVATION,
    FAL_RANKED_POSITION, /* delta of a map, a row for each of its positions */
    FAL_RANKED           /* how many */
} fal_ranked;

/* In the order they are given out; a rank of a matrix is the id of that rank, + its
 * fal_ranked. */
typedef enum fal_metric_id {
    FAL_GRADIENT_ALIGNMENT,
    FAL_UPDATE_ALIGNMENT,
    FAL_WEIGHT_ALIGNMENT,
    FAL_EFFECTIVE_RANK,
    FAL_PARTICIPATION_RATIO = FAL_EFFECTIVE_RANK + FAL_RANKED,
    FAL_STABLE_RANK = FAL_PARTICIPATION_RATIO + FAL_RANKED,
    FAL_REFERENCE_NORM = FAL_STABLE_RANK + FAL_RANKED,
    FAL_DEAD_UNITS,
    FAL_LEFT_OUT,
    FAL_METRICS /* how many */
} fal_metric_id;

/* Which layers with weights, of 1 … L, may have a metric. */
typedef struct fal_metric_kind {
    const char *name;
    unsigned first;     /* the lowest */
    int without_output; /* 1: up to L − 1 */
    int of_maps;        /* 1: convolutions alone */
} fal_metric_kind;

extern const fal_metric_kind fal_metric_kinds[FAL_METRICS];

/* Whether this falign can find it: ranks need LAPACK. */
int fal_metric_exists(fal_metric_id id);

/* Whether a layer with weights may have it; number 0: any of the network's. */
int fal_metric_is_of(fal_metric_id id, const fal_network *network, size_t number);

/* Sums of values and of what they weigh, [FAL_METRICS][layers + 1]; number 0 is the
 * total of all layers. */
typedef struct fal_metric_table {
    size_t layers;
    double *sums, *weights;
} fal_metric_table;

fal_status fal_metric_table_make(fal_metric_table *table, size_t layers);
void fal_metric_table_release(fal_metric_table *table);

/* Adds a value with weight 1. */
void fal_metric_table_add(fal_metric_table *table, fal_metric_id id, size_t number,
                          double value);

/* The mean, NAN where nothing was added. */
double fal_metric_table_value(const fal_metric_table *table, fal_metric_id id,
                              size_t number);

/* Adds what follows from the measurer's last batch; `whole` 0: only what is a mean
 * over samples. Waits for the device. */
fal_status fal_metrics_of_batch(fal_measurer *measurer, int whole,
                                fal_metric_table *table);

/* host/train/metrics_gram.c: the part of it that follows from Gram matrices. */
fal_status fal_metrics_of_grams(fal_measurer *measurer, fal_metric_table *table);

/* host/train/metrics_update.c: of a convolution's two updates, which are made for it:
 * their inner products, and the ranks of the rule's. Waits for the device. */
fal_status fal_metrics_of_update(fal_measurer *measurer, const fal_layer *layer,
                                 fal_inner *inner, fal_ranks *ranks);

/* Adds what follows from the weights and their carriers alone. */
fal_status fal_metrics_of_weights(fal_measurer *measurer, fal_metric_table *table);

#endif
