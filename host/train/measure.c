/* Measuring on a batch or a data set, and handing the values out. */
#include "data/dataset.h"
#include "device/options.h"
#include "train/metrics.h"

#include <math.h>

/* ---- handing out --------------------------------------------------------- */

/* *stopped = 1 where the callback wants no more. */
static void tell(const fal_trainer *t, const fal_metric_table *table,
                 fal_metric_id id, size_t number, fal_on_metric on_metric,
                 void *user, int *stopped)
{
    const fal_network *network = &t->model->network;
    const fal_metric metric = {
        .size = sizeof metric,
        .step = t->step,
        .name = fal_metric_kinds[id].name,
        .layer = number ? fal_network_weight_layer(network, (unsigned)number)->name
                        : "total",
        .value = fal_metric_table_value(table, id, number)};
    if (!*stopped && on_metric)
        *stopped = on_metric(&metric, user) != 0;
}

static fal_status tell_all(const fal_trainer *t, const fal_metric_table *table,
                           fal_on_metric on_metric, void *user)
{
    int stopped = 0;
    for (int i = 0; i < FAL_METRICS; i++) {
        fal_metric_id id = (fal_metric_id)i;
        const fal_network *network = &t->model->network;
        if (!fal_metric_exists(id) || !fal_metric_is_of(id, network, 0))
            continue;
        for (size_t l = 1; l <= table->layers; l++)
            if (fal_metric_is_of(id, network, l))
                tell(t, table, id, l, on_metric, user, &stopped);
        tell(t, table, id, 0, on_metric, user, &stopped);
    }
    return stopped ? fal_fail(FAL_STOPPED,
                              "measuring, step %llu: stopped by the callback",
                              (unsigned long long)t->step)
                   : FAL_OK;
}

/* ---- what has no value --------------------------------------------------- */

static int learns_hidden(const fal_trainer *t)
{
    for (size_t i = 0; i + 1 < t->model->network.weights; i++)
        if (!t->routes[i].frozen)
            return 1;
    return t->model->network.weights == 1;
}

/* Once a device, however many trainers measure. */
static void say_what_lacks(const fal_trainer *t)
{
    fal_device *device = t->model->device;
    const fal_network *network = &t->model->network;
    if (!fal_metric_exists(FAL_EFFECTIVE_RANK) &&
        fal_device_says(device, FAL_SAYS_NO_RANKS))
        fal_device_say(device,
                       "measuring: ranks are left out; this falign was built "
                       "without LAPACK");
    if (!learns_hidden(t) && fal_device_says(device, FAL_SAYS_NO_DELTAS))
        fal_device_say(device,
                       "measuring: hidden layers that do not learn have no delta; "
                       "their alignments and ranks are null (rule %s)",
                       t->routes[network->weights - 2].rule->name);
    if (fal_device_says(device, FAL_SAYS_NO_CARRIER))
        fal_device_say(
            device,
            "measuring: weight_alignment leaves out %s, the first layer, "
            "through which no error is carried",
            fal_network_weight_layer(network, 1)->name);
}

/* ---- measuring ----------------------------------------------------------- */

/* `count` samples of a feed from its place `start` on, in the run's batches. */
static fal_status add_batches(fal_trainer *t, fal_feed *feed, size_t start,
                              size_t count, fal_metric_table *table)
{
    size_t batch = t->options.batch < count ? t->options.batch : count;
    fal_status status = FAL_OK;
    for (size_t done = 0; done < count && !status; done += batch) {
        size_t rows = count - done < batch ? count - done : batch;
        status = fal_measurer_run(t->measurer, feed, start + done, rows);
        if (!status)
            status = fal_metrics_of_batch(t->measurer, rows == batch, table);
    }
    return status;
}

static fal_status measure(fal_trainer *t, fal_feed *feed, size_t start,
                          size_t count, fal_on_metric on_metric, void *user)
{
    fal_metric_table table;
    say_what_lacks(t);
    fal_status status = fal_metric_table_make(&table, t->model->network.weights);
    if (!status)
        status = add_batches(t, feed, start, count, &table);
    if (!status)
        status = fal_metrics_of_weights(t->measurer, &table);
    if (!status)
        status = tell_all(t, &table, on_metric, user);
    fal_metric_table_release(&table);
    return status;
}

fal_status fal_trainer_measure_feed(fal_trainer *t, fal_feed *feed, size_t start,
                                    size_t rows)
{
    fal_status status = fal_measurer_make(t);
    return status ? status
                  : measure(t, feed, start, rows, t->on_metric, t->metric_user);
}

/* ---- the caller's samples ------------------------------------------------ */

static fal_status check(const fal_trainer *t, const fal_arrays *arrays)
{
    size_t batch = t->options.batch, last = arrays->count % batch;
    fal_status status = fal_model_fits(t->model, arrays, (int)t->loss);
    if (status)
        return status;
    status = fal_network_check_rows(&t->model->network, last ? last : batch);
    return status ? fal_fail(status,
                             "measuring on %zu samples in batches of %zu: %s; give "
                             "another number of samples",
                             arrays->count, batch, fal_error_message())
                  : FAL_OK;
}

static fal_status measure_arrays(fal_trainer *t, const fal_arrays *arrays,
                                 const fal_augmentation *augmentation,
                                 fal_on_metric on_metric, void *user)
{
    fal_feed feed = {0};
    fal_status status = check(t, arrays);
    if (!status)
        status = fal_measurer_make(t);
    if (!status)
        status = fal_feed_open(&feed, t->model, &t->measurer->workspace, arrays, 0);
    if (status)
        return status;
    feed.augmentation = augmentation;
    status = measure(t, &feed, 0, arrays->count, on_metric, user);
    fal_feed_close(&feed);
    return status;
}

fal_status fal_trainer_measure(fal_trainer *t, const fal_arrays *given,
                               fal_on_metric on_metric, void *user)
{
    fal_arrays arrays;
    if (!t || !given)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_measure: needs a trainer and arrays");
    fal_status status = fal_arrays_read(&arrays, given, "fal_trainer_measure");
    if (!status && arrays.count > t->options.batch)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "fal_trainer_measure: %zu rows are more than the "
                          "trainer's batch of %zu",
                          arrays.count, t->options.batch);
    return status ? status
                  : measure_arrays(t, &arrays, &t->augmentation, on_metric, user);
}

fal_status fal_trainer_measure_dataset(fal_trainer *t, const fal_dataset *data,
                                       fal_on_metric on_metric, void *user)
{
    if (!t || !data)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_measure_dataset: needs a trainer and a data "
                        "set");
    return measure_arrays(t, &data->arrays, NULL, on_metric, user);
}

fal_status fal_trainer_on_metric(fal_trainer *t, fal_on_metric on_metric,
                                 void *user)
{
    if (!t)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_on_metric: needs a trainer");
    t->on_metric = on_metric;
    t->metric_user = user;
    return FAL_OK;
}
