/* Training over a data set: epochs, order, schedule, evaluation, progress. */
#include "data/dataset.h"
#include "data/random.h"
#include "device/memory.h"
#include "device/options.h"
#include "train/pace.h"
#include "train/trainer.h"

#include <math.h>
#include <time.h>

/* One call of fal_trainer_fit. */
typedef struct fit {
    fal_trainer *trainer;
    fal_feed feed;
    fal_evaluator validation, test; /* without a model: none */
    uint32_t *order;
    uint64_t drawn;             /* draw of the order that the feed has, + 1 */
    size_t samples, batches;    /* of an epoch */
    uint64_t first_step, steps; /* of this fit */
    uint64_t last_epoch;        /* at the end; 0: no limit */
    fal_on_progress on_progress;
    void *user;
    double training; /* seconds, evaluation not counted */
    double resumed;  /* when the clock was last started */
    int stopped;
    fal_pace pace; /* of one that can be stopped */
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
    progress->seconds = t->place.seconds = seconds(f);
    progress->measuring_seconds = t->place.measuring;
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

/* `ends`: log_steps more are done; else there is only a measurement to report. */
static void report_log(fit *f, int ends)
{
    fal_ring *ring = &f->trainer->ring;
    fal_progress progress = event_only(FAL_LOG);
    set_means(f, &progress, ring->log, seconds(f) - f->trainer->place.log_seconds);
    if (!ends)
        progress.train_loss = progress.train_accuracy = NAN;
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
    set_means(f, &progress, ring->epoch,
              seconds(f) - f->trainer->place.epoch_seconds);
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
    return FAL_OK;
}

static size_t rows_of(const fit *f, size_t batch)
{
    size_t most = f->trainer->options.batch, left = f->samples - batch * most;
    return left < most ? left : most;
}

/* Epochs of one batch whose losses nobody asks for are not waited for: that would cost
 * small networks as much as their steps. */
static int waits_for_epochs(const fit *f)
{
    return f->on_progress || f->batches > 1 || f->validation.model || f->test.model;
}

/* The batch of the step that the ring found. Where an epoch has several, none ends
 * before its steps have been summed up, so it is one of this epoch's. */
static fal_status diverged(fit *f, size_t batch)
{
    fal_trainer *t = f->trainer;
    size_t back = (size_t)(t->ring.begun - 1 - t->ring.diverged_at);
    if (f->batches > 1) {
        batch -= back;
    } else { /* the epochs since then were none */
        t->epoch -= back;
        t->epochs_begun -= back;
    }
    return fal_trainer_diverged(t, &f->feed, batch * t->options.batch,
                                rows_of(f, batch));
}

/* The order of the epoch that draws so. */
static fal_status set_order(fit *f, uint64_t draw)
{
    const fal_trainer *t = f->trainer;
    if (t->options.no_shuffle || f->drawn == draw + 1)
        return FAL_OK;
    fal_shuffle(t->options.data_seed, FAL_PURPOSE_ORDER, (uint32_t)draw, f->order,
                f->samples);
    fal_status status = fal_feed_order(&f->feed, f->order);
    f->drawn = status ? 0 : draw + 1;
    return status;
}

static uint64_t steps_left(const fit *f)
{
    return f->first_step + f->steps - f->trainer->step;
}

static int measures(const fal_trainer *t)
{
    return t->on_metric && (t->options.measure_steps || t->options.measure_epochs);
}

/* Whether to measure now, `batch` being the next of its epoch. */
static int is_due(const fit *f, size_t batch)
{
    const fal_trainer *t = f->trainer;
    const fal_trainer_options *o = &t->options;
    if (!measures(t) || t->measured == t->step + 1)
        return 0;
    return steps_left(f) == 0 || (o->measure_epochs && batch % f->batches == 0) ||
           (o->measure_steps && t->step % o->measure_steps == 0);
}

static int is_logged(const fit *f)
{
    const fal_trainer *t = f->trainer;
    return t->step > f->first_step && t->step % t->options.log_steps == 0;
}

/* On the batch that the next step would take; the one behind an epoch's last is the
 * next epoch's first, and the first of another fit. */
static fal_status measure(fit *f, size_t batch)
{
    fal_trainer *t = f->trainer;
    double began = now();
    fal_status status = FAL_OK;
    f->training = seconds(f);
    if (batch % f->batches == 0)
        status = set_order(f, t->epochs_begun);
    batch %= f->batches;
    if (!status)
        status = fal_trainer_measure_feed(t, &f->feed, batch * t->options.batch,
                                          rows_of(f, batch));
    f->resumed = now();
    t->place.measuring += f->resumed - began;
    f->stopped |= status == FAL_STOPPED;
    t->measured = !status && batch == 0 ? t->step + 1 : 0;
    return status == FAL_STOPPED ? FAL_OK : status;
}

/* What is measured and logged where the fit stands now. */
static fal_status report_place(fit *f)
{
    size_t batch = (size_t)f->trainer->place.batch;
    int logs = is_logged(f), due = is_due(f, batch);
    fal_status status = due ? measure(f, batch) : FAL_OK;
    if (!status && (logs || due))
        report_log(f, logs);
    return status;
}

/* Sums begin when the next step does: until then a checkpoint has those of the last
 * one, for its events to come again. */
static void begin_log(fit *f)
{
    fal_trainer *t = f->trainer;
    t->ring.log = (fal_tally){0};
    t->place.log_seconds = seconds(f);
}

static fal_status begin_epoch(fit *f)
{
    fal_trainer *t = f->trainer;
    t->ring.epoch = (fal_tally){0};
    t->place.epoch_seconds = seconds(f);
    t->place.batch = t->place.counted = 0;
    return set_order(f, t->epochs_begun++);
}

static fal_status run_batch(fit *f)
{
    fal_trainer *t = f->trainer;
    size_t batch = (size_t)t->place.batch;
    if (is_logged(f))
        begin_log(f);
    fal_status status = fal_trainer_run(t, &f->feed, batch * t->options.batch,
                                        rows_of(f, batch));
    if (status)
        return status;
    t->place.batch++;
    if (f->on_progress)
        status = fal_pace_step(&f->pace, t->model->device, now());
    int ends_epoch = batch + 1 == f->batches && waits_for_epochs(f);
    if (!status &&
        (is_logged(f) || is_due(f, batch + 1) || ends_epoch || steps_left(f) == 0))
        status = fal_ring_flush(&t->ring);
    if (!status && t->ring.diverged)
        return diverged(f, batch);
    if (!status)
        status = report_place(f);
    fal_progress progress = event_only(FAL_STEP);
    if (!status)
        report(f, &progress);
    return status;
}

/* What a rule that changes its feedback needs before the first step. */
static fal_status begin_feedback(fit *f)
{
    fal_trainer *t = f->trainer;
    if (f->stopped || steps_left(f) == 0 || t->step > f->first_step)
        return FAL_OK;
    fal_trainer_warn_of_decay(t, f->steps, f->batches);
    fal_status status = fal_trainer_begin_mirror(t, f->samples);
    if (t->mirrors)
        t->place.log_seconds = seconds(f);
    return status;
}

/* A whole one, or what a checkpoint left of it. */
static fal_status run_epoch(fit *f, int goes_on)
{
    fal_trainer *t = f->trainer;
    fal_status status = goes_on ? FAL_OK : begin_epoch(f);
    while (t->place.batch < f->batches && steps_left(f) && !f->stopped && !status)
        status = run_batch(f);
    if (!status && (waits_for_epochs(f) || f->stopped))
        status = fal_ring_flush(&t->ring);
    /* found only now where a callback stopped the run */
    return !status && t->ring.diverged ? diverged(f, (size_t)t->place.batch - 1)
                                       : status;
}

static fal_status run_epochs(fit *f, int goes_on)
{
    fal_trainer *t = f->trainer;
    fal_status status = FAL_OK;
    while ((steps_left(f) || goes_on) && !f->stopped && !status) {
        status = run_epoch(f, goes_on);
        goes_on = 0;
        int whole = t->place.batch == f->batches;
        if (whole && !t->place.counted && !status) {
            t->place.counted = 1;
            t->epoch++;
        }
        /* A run that a callback stops within an epoch has no epoch to report. */
        if (!status && (whole || !f->stopped) && waits_for_epochs(f))
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

static fal_status check(fal_trainer *t, const fal_dataset *train,
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
    return status ? status : fal_trainer_check_data(t, &train->arrays);
}

static fal_status open_fit(fit *f, const fal_dataset *train,
                           const fal_dataset *test)
{
    fal_trainer *t = f->trainer;
    fal_status status = check(t, train, test);
    if (!status)
        status = fal_feed_open(&f->feed, t->model, &t->workspace, &train->arrays,
                               1);
    f->feed.augmentation = &t->augmentation;
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

/* Every batch that the fit comes to must be large enough for its layers; the one
 * measured last comes after its steps. */
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
    uint64_t batches = steps + (measures(t) != 0);
    fal_status status = batches ? check_batches(f, batches) : FAL_OK;
    if (status)
        return status;
    f->first_step = t->schedule_start = t->step;
    f->steps = t->schedule_length = steps;
    f->last_epoch = epochs ? t->epoch + epochs : 0;
    t->schedule_epoch = t->epoch;
    return FAL_OK;
}

/* Where the fit in which a checkpoint was taken goes on, all is as it was there. */
static fal_status continue_schedule(fit *f, uint64_t epochs)
{
    fal_trainer *t = f->trainer;
    uint64_t last = epochs ? t->schedule_epoch + epochs : 0;
    if (last != t->place.last_epoch)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "going on from '%s': it ends after epoch %llu, not %llu "
                        "(0: no limit); go on with the same number of epochs, for "
                        "the schedule's sake, or begin a new run",
                        t->resumed_from, (unsigned long long)t->place.last_epoch,
                        (unsigned long long)last);
    f->first_step = t->schedule_start;
    f->steps = t->schedule_length;
    f->last_epoch = last;
    f->training = t->place.seconds;
    return FAL_OK;
}

/* As a new fit, or as the one in which a checkpoint was taken. */
static fal_status begin(fit *f, const fal_arrays *data)
{
    fal_trainer *t = f->trainer;
    int goes_on = t->goes_on;
    if (!goes_on) {
        fal_trainer_leave_fit(t);
        t->ring.log = t->ring.epoch = (fal_tally){0};
        t->place.last_epoch = f->last_epoch;
    }
    t->place.data = data;
    t->goes_on = 0;
    f->resumed = now();
    if (!goes_on)
        return FAL_OK;
    t->measured = 0;
    return t->place.batch > 0 ? set_order(f, t->epochs_begun - 1) : FAL_OK;
}

static fal_status run(fit *f, const fal_arrays *data)
{
    fal_trainer *t = f->trainer;
    fal_progress start = event_only(FAL_START);
    fal_status status = begin(f, data);
    if (!status)
        report(f, &start);
    /* Its end comes once more, and so it is counted once more. */
    if (!status && !f->stopped && t->place.counted) {
        t->epoch--;
        t->place.counted = 0;
    }
    if (!status)
        status = begin_feedback(f);
    if (!status && !f->stopped)
        status = report_place(f);
    if (!status)
        status = run_epochs(f, t->place.batch > 0);
    fal_trainer_leave_fit(t);
    return status;
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
        status = trainer->goes_on ? continue_schedule(&f, epochs)
                                  : begin_schedule(&f, epochs);
    if (!status)
        status = run(&f, &train->arrays);
    close_fit(&f);
    fal_pace_end(&f.pace);
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
