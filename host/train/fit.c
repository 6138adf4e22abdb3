/* Training over a data set: epochs, order, schedule, evaluation, progress. */
#include "data/dataset.h"
#include "data/random.h"
#include "device/memory.h"
#include "device/options.h"
#include "train/trainer.h"

#include <math.h>
#include <time.h>

/* One call of fal_trainer_fit. */
typedef struct fit {
    fal_trainer *trainer;
    fal_feed feed;
    fal_evaluator validation, test; /* without a model: none */
    uint32_t *order;
    size_t samples, batches;    /* of an epoch */
    uint64_t first_step, steps; /* of this fit */
    uint64_t last_epoch;        /* at the end; 0: no limit */
    fal_on_progress on_progress;
    void *user;
    double training;                   /* seconds, evaluation not counted */
    double resumed;                    /* when the clock was last started */
    double epoch_seconds, log_seconds; /* `training` at their start */
    int stopped;
} fit;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double seconds(const fit *f)
{
    return f->training + now() - f->resumed;
}

/* An event without figures. */
static fal_progress event_only(fal_event event)
{
    return (fal_progress){.event = event,
                          .train_loss = NAN,
                          .train_accuracy = NAN,
                          .test_loss = NAN,
                          .test_accuracy = NAN,
                          .validation_loss = NAN,
                          .validation_accuracy = NAN};
}

static void report(fit *f, fal_progress *progress)
{
    fal_trainer *t = f->trainer;
    progress->size = sizeof *progress;
    progress->step = t->step;
    progress->steps = f->first_step + f->steps;
    progress->epoch = t->epoch;
    progress->epochs = f->last_epoch;
    progress->seconds = seconds(f);
    if (f->on_progress && f->on_progress(progress, f->user))
        f->stopped = 1;
}

/* Real targets have no accuracy. */
static double accuracy(const fal_feed *feed, double correct, double samples)
{
    return feed->data.targets ? NAN : correct / samples;
}

static void set_means(const fit *f, fal_progress *progress, fal_tally tally,
                      double time)
{
    double samples = (double)tally.samples;
    progress->train_loss = tally.loss / samples;
    progress->train_accuracy = accuracy(&f->feed, tally.correct, samples);
    progress->samples_per_second = time > 0 ? samples / time : 0;
}

static void report_log(fit *f)
{
    fal_ring *ring = &f->trainer->ring;
    fal_progress progress = event_only(FAL_LOG);
    set_means(f, &progress, ring->log, seconds(f) - f->log_seconds);
    ring->log = (fal_tally){0};
    f->log_seconds = seconds(f);
    report(f, &progress);
}

/* On data that are not trained on, those of the "test" set for example. */
static fal_status evaluate(const fit *f, fal_evaluator *data, const char *name,
                           double *loss, double *share)
{
    size_t correct = 0;
    if (!data->model)
        return FAL_OK;
    fal_status status = fal_evaluator_run(data, loss, &correct);
    if (status)
        return status;
    *share = accuracy(&data->feed, (double)correct, (double)data->feed.data.count);
    if (isfinite(*loss))
        return FAL_OK;
    return fal_fail(
        FAL_ERROR_DIVERGED,
        "training, step %llu: the loss on the %s set is no longer "
        "finite, the last update was too large; lower the learning rate",
        (unsigned long long)f->trainer->step, name);
}

static fal_status report_epoch(fit *f)
{
    fal_ring *ring = &f->trainer->ring;
    fal_progress progress = event_only(FAL_EPOCH);
    set_means(f, &progress, ring->epoch, seconds(f) - f->epoch_seconds);
    ring->epoch = (fal_tally){0};
    f->training = seconds(f);
    fal_status status = evaluate(f, &f->validation, "validation",
                                 &progress.validation_loss,
                                 &progress.validation_accuracy);
    if (!status)
        status = evaluate(f, &f->test, "test", &progress.test_loss,
                          &progress.test_accuracy);
    if (status)
        return status;
    f->resumed = now();
    report(f, &progress);
    f->epoch_seconds = seconds(f);
    return FAL_OK;
}

/* The batch of the step that the ring found; no epoch ends before its steps have
 * been summed up, so it is one of this epoch's. */
static fal_status diverged(fit *f, size_t batch)
{
    fal_trainer *t = f->trainer;
    size_t back = (size_t)(t->ring.begun - 1 - t->ring.diverged_at);
    size_t start = (batch - back) * t->options.batch;
    size_t left = f->samples - start;
    return fal_trainer_diverged(t, &f->feed, start,
                                left < t->options.batch ? left : t->options.batch);
}

static fal_status begin_epoch(fit *f)
{
    fal_trainer *t = f->trainer;
    uint64_t draw = t->epochs_begun++;
    if (t->options.no_shuffle)
        return FAL_OK;
    fal_shuffle(t->options.data_seed, FAL_PURPOSE_ORDER, (uint32_t)draw, f->order,
                f->samples);
    return fal_feed_order(&f->feed, f->order);
}

static fal_status run_batch(fit *f, size_t batch, int last)
{
    fal_trainer *t = f->trainer;
    size_t start = batch * t->options.batch, left = f->samples - start;
    fal_status status = fal_trainer_run(
        t, &f->feed, start, left < t->options.batch ? left : t->options.batch);
    if (status)
        return status;
    int logs = t->step % t->options.log_steps == 0;
    if (logs || last)
        status = fal_ring_flush(&t->ring);
    if (!status && t->ring.diverged)
        return diverged(f, batch);
    if (!status && logs)
        report_log(f);
    fal_progress progress = event_only(FAL_STEP);
    if (!status)
        report(f, &progress);
    return status;
}

static uint64_t steps_left(const fit *f)
{
    return f->first_step + f->steps - f->trainer->step;
}

static fal_status run_epoch(fit *f)
{
    fal_trainer *t = f->trainer;
    fal_status status = begin_epoch(f);
    size_t b = 0;
    for (; b < f->batches && steps_left(f) && !f->stopped && !status; b++)
        status = run_batch(f, b, b + 1 == f->batches || steps_left(f) == 1);
    if (!status)
        status = fal_ring_flush(&t->ring);
    /* found only now where a callback stopped the run */
    return !status && t->ring.diverged ? diverged(f, b - 1) : status;
}

static fal_status run_epochs(fit *f)
{
    fal_trainer *t = f->trainer;
    fal_status status = FAL_OK;
    while (steps_left(f) && !f->stopped && !status) {
        uint64_t before = t->step;
        status = run_epoch(f);
        int whole = t->step - before == f->batches;
        if (whole)
            t->epoch++;
        /* A run that a callback stops within an epoch has no epoch to report. */
        if (!status && (whole || !f->stopped))
            status = report_epoch(f);
    }
    return status;
}

static uint64_t count_steps(const fit *f, uint64_t epochs)
{
    uint64_t by_epochs = epochs * f->batches, limit = f->trainer->options.steps;
    if (epochs && f->batches > UINT64_MAX / epochs)
        by_epochs = UINT64_MAX;
    if (!epochs)
        return limit;
    return limit && limit < by_epochs ? limit : by_epochs;
}

static fal_status check(const fal_trainer *t, const fal_dataset *train,
                        const fal_dataset *test)
{
    fal_status status = fal_model_fits(t->model, &train->arrays, (int)t->loss);
    if (!status && test) {
        status = fal_model_fits(t->model, &test->arrays, (int)t->loss);
        if (status)
            status = fal_fail_within(status, "test");
    }
    if (!status && train->arrays.count > INT32_MAX)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "data set: more than 2147483647 samples");
    return status;
}

static fal_status open_fit(fit *f, const fal_dataset *train,
                           const fal_dataset *test)
{
    fal_trainer *t = f->trainer;
    fal_status status = check(t, train, test);
    if (!status)
        status = fal_feed_open(&f->feed, t->model, &t->workspace, &train->arrays,
                               1);
    if (!status && t->validation)
        status = fal_evaluator_open(&f->validation, t->model,
                                    &t->validation->arrays, t->loss, 1);
    if (!status && test)
        status = fal_evaluator_open(&f->test, t->model, &test->arrays, t->loss, 1);
    f->samples = train->arrays.count;
    f->batches = (f->samples + t->options.batch - 1) / t->options.batch;
    if (!status && !t->options.no_shuffle) {
        f->order = fal_allocate(f->samples, sizeof *f->order);
        status = f->order ? FAL_OK : FAL_ERROR_MEMORY;
    }
    /* Last, so that a failure leaves the model as it was. */
    if (!status)
        status = fal_model_adapt(t->model, train, t->options.standardize);
    return status;
}

static void close_fit(fit *f)
{
    fal_feed_close(&f->feed);
    fal_evaluator_close(&f->validation);
    fal_evaluator_close(&f->test);
    fal_release(f->order);
}

/* Every batch that the fit comes to must be large enough for its layers. */
static fal_status check_batches(const fit *f, uint64_t steps)
{
    const fal_trainer *t = f->trainer;
    size_t last = f->samples - (f->batches - 1) * t->options.batch;
    size_t least = steps >= f->batches ? last : t->options.batch;
    fal_status status = fal_network_check_rows(&t->model->network, least);
    return status
               ? fal_fail(status,
                          "training on %zu samples in batches of %zu: %s; change "
                          "--samples or --batch",
                          f->samples, t->options.batch, fal_error_message())
               : FAL_OK;
}

/* The schedule begins anew, over the steps that this fit will make. */
static fal_status begin_schedule(fit *f, uint64_t epochs)
{
    fal_trainer *t = f->trainer;
    uint64_t steps = count_steps(f, epochs);
    if (steps > 0 && t->schedule.warmup >= steps)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "training: a warm-up of %llu steps does not end within "
                        "the run, which has %llu; shorten it, or train longer",
                        (unsigned long long)t->schedule.warmup,
                        (unsigned long long)steps);
    fal_status status = steps ? check_batches(f, steps) : FAL_OK;
    if (status)
        return status;
    f->first_step = t->schedule_start = t->step;
    f->steps = t->schedule_length = steps;
    f->last_epoch = epochs ? t->epoch + epochs : 0;
    t->schedule_epoch = t->epoch;
    return FAL_OK;
}

fal_status fal_trainer_fit(fal_trainer *trainer, const fal_dataset *train,
                           const fal_dataset *test, uint64_t epochs,
                           fal_on_progress on_progress, void *user)
{
    if (!trainer || !train)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_fit: needs a trainer and a data set");
    fit f = {.trainer = trainer, .on_progress = on_progress, .user = user};
    fal_status status = open_fit(&f, train, test);
    if (!status)
        status = fal_ring_flush(&trainer->ring);
    /* by steps before, whose loss nobody asked for */
    if (!status && trainer->ring.diverged)
        status = fal_trainer_diverged(trainer, NULL, 0, 0);
    if (!status)
        status = begin_schedule(&f, epochs);
    if (!status) {
        trainer->ring.log = trainer->ring.epoch = (fal_tally){0};
        fal_progress start = event_only(FAL_START);
        f.resumed = now();
        report(&f, &start);
        status = run_epochs(&f);
    }
    close_fit(&f);
    if (!status && f.stopped)
        return fal_fail(FAL_STOPPED, "training, step %llu: stopped by the callback",
                        (unsigned long long)trainer->step);
    return status;
}

fal_status fal_trainer_validation(fal_trainer *trainer,
                                  const fal_dataset *validation)
{
    fal_status status = FAL_OK;
    if (!trainer)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_validation: needs a trainer");
    if (validation)
        status = fal_model_fits(trainer->model, &validation->arrays,
                                (int)trainer->loss);
    if (status)
        return fal_fail_within(status, "validation");
    trainer->validation = validation;
    return FAL_OK;
}
