/* Schedules: closed forms, the rates that steps and fits really use, what is
 * refused. The formulas are written here once more, from the contract. */
#include "learning.h"
#include "learn/schedule.h"

static const char *const network = "input 20, dense 40, relu, dense 5";
static const double pi = 3.14159265358979323846;

/* Plain sgd with a rate that shows in the weights. */
static fal_trainer_options plain(const char *schedule)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.optimizer = "sgd";
    options.schedule = schedule;
    options.momentum = 0;
    options.learning_rate = .25;
    options.batch = 64;
    options.keep_gradients = 1;
    return options;
}

/* ---- closed forms -------------------------------------------------------- */

static fal_schedule schedule_of(const char *name, uint64_t warmup,
                                const char *milestones, double decay)
{
    fal_schedule schedule;
    must(fal_schedule_make(&schedule, name, warmup, milestones, decay));
    return schedule;
}

static void expect_form(const fal_schedule *s, uint64_t t, uint64_t epochs,
                        double expected)
{
    double rate = fal_schedule_rate(s, .3, t, 100, epochs);
    if (!(fabs(rate - expected) < 1e-15))
        fail_msg("step %d, %d epochs: rate %.17g, expected %.17g", (int)t,
                 (int)epochs, rate, expected);
}

static void closed_forms(void **state)
{
    (void)state;
    for (uint64_t w = 0; w < 100; w += 33) {
        fal_schedule cosine = schedule_of("cosine", w, NULL, .1);
        fal_schedule constant = schedule_of("constant", w, NULL, .1);
        fal_schedule step = schedule_of("step", w, "2,3,7", .5);
        double length = (double)(100 - w);
        for (uint64_t t = 0; t < 100; t++) {
            static const int passed[] = {0, 0, 1, 2, 2, 2, 2, 3, 3, 3};
            double warm = .3 * (double)(t + 1) / (double)w;
            double wave = .15 * (1 + cos(pi * ((double)t - (double)w) / length));
            expect_form(&cosine, t, t / 10, t < w ? warm : wave);
            expect_form(&constant, t, t / 10, t < w ? warm : .3);
            expect_form(&step, t, t / 10,
                        t < w ? warm : .3 * pow(.5, passed[t / 10]));
        }
        expect_form(&cosine, 200, 0, 0); /* past the end it stays at the end's */
        fal_schedule_release(&cosine);
        fal_schedule_release(&constant);
        fal_schedule_release(&step);
    }
}

static void refuse(const char *name, const char *milestones, double decay,
                   const char *part)
{
    fal_schedule schedule;
    expect_error(fal_schedule_make(&schedule, name, 0, milestones, decay),
                 FAL_ERROR_ARGUMENT, part);
    fal_schedule_release(&schedule);
}

static void wrong_schedules_are_refused(void **state)
{
    static const char *const lists[] = {
        "",   "0",   "3,2", "2,2", "1,",    ",1", "1,,2", "-1",
        "+1", "1.5", "x",   "1 2", "1,0x2", " 1", "1, 2", "99999999999999999999"};
    (void)state;
    refuse("cosin", NULL, .1, "did you mean 'cosine'?");
    refuse("step", NULL, .1, "needs milestones");
    refuse("cosine", "1,2", .1, "use the schedule step");
    refuse("constant", "1", .1, "no milestones");
    refuse("step", "1", 0, "decay 0 must be above 0");
    refuse("step", "1", NAN, "decay");
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        refuse("step", lists[i], .1, "ascending");
        expect_message(lists[i]);
    }
}

/* ---- the rates of steps -------------------------------------------------- */

/* ‖ΔW‖/‖g‖ since `before`, which becomes the weights as they are. */
static double observed_rate(fal_model *model, fal_trainer *trainer, float *before)
{
    size_t n, m;
    float *after = model_floats(model, "dense1.weight", &n);
    float *g = trainer_floats(trainer, "dense1.weight.gradient", &m);
    double moved = 0, slope = 0;
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) {
        double change = (double)after[i] - (double)before[i];
        moved += change * change;
        slope += (double)g[i] * (double)g[i];
        before[i] = after[i];
    }
    fal_release(after);
    fal_release(g);
    return sqrt(moved / slope);
}

static double rate_of_step(fal_model *model, fal_trainer *trainer,
                           const fal_arrays *batch)
{
    size_t n;
    float *before = model_floats(model, "dense1.weight", &n);
    must(fal_trainer_step(trainer, batch, NULL));
    double rate = observed_rate(model, trainer, before);
    fal_release(before);
    return rate;
}

static void expect_rate(double rate, double expected)
{
    if (!(fabs(rate - expected) <= 1e-4 * .25))
        fail_msg("rate %g, expected %g", rate, expected);
}

static void steps_follow_the_schedule(void **state)
{
    enum { STEPS = 10, WARM = 3 };
    fal_arrays batch = random_arrays(64, 20, 5, 0);
    fal_trainer_options options = plain("cosine");
    (void)state;
    fal_model *model = model_of(network, 1);
    for (int warm = 0; warm <= WARM; warm += WARM) {
        options.steps = STEPS;
        options.warmup = (uint64_t)warm;
        fal_trainer *trainer = trainer_of(model, &options);
        for (int t = 0; t < STEPS; t++)
            expect_rate(rate_of_step(model, trainer, &batch),
                        t < warm
                            ? .25 * (t + 1) / warm
                            : .125 * (1 + cos(pi * (t - warm) / (STEPS - warm))));
        expect_error(fal_trainer_step(trainer, &batch, NULL), FAL_ERROR_ARGUMENT,
                     "the schedule's 10 steps are done");
        must(fal_trainer_learning_rate(trainer, .125));
        expect_rate(rate_of_step(model, trainer, &batch), .125);
        expect_rate(rate_of_step(model, trainer, &batch), .125);
        must(fal_trainer_learning_rate(trainer, 0));
        expect_rate(rate_of_step(model, trainer, &batch), 0);
        fal_trainer_destroy(trainer);
    }
    fal_model_destroy(model);
    free_arrays(&batch);
}

static void constant_steps_need_no_length(void **state)
{
    fal_arrays batch = random_arrays(64, 20, 5, 0);
    fal_trainer_options options = plain("constant");
    (void)state;
    options.warmup = 2;
    fal_model *model = model_of(network, 1);
    fal_trainer *trainer = trainer_of(model, &options);
    expect_rate(rate_of_step(model, trainer, &batch), .125);
    for (int t = 1; t < 4; t++)
        expect_rate(rate_of_step(model, trainer, &batch), .25);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    free_arrays(&batch);
}

static void single_steps_have_no_milestones(void **state)
{
    fal_arrays batch = random_arrays(64, 20, 5, 0);
    fal_trainer_options options = plain("step");
    (void)state;
    options.milestones = "1";
    options.steps = 9;
    fal_model *model = model_of(network, 1);
    fal_trainer *trainer = trainer_of(model, &options);
    expect_error(fal_trainer_step(trainer, &batch, NULL), FAL_ERROR_ARGUMENT,
                 "single steps have none");
    must(fal_trainer_learning_rate(trainer, .125));
    expect_rate(rate_of_step(model, trainer, &batch), .125);
    fal_trainer_destroy(trainer);
    options.schedule = "cosine";
    options.milestones = NULL;
    options.steps = 0;
    trainer = trainer_of(model, &options);
    expect_error(fal_trainer_step(trainer, &batch, NULL), FAL_ERROR_ARGUMENT,
                 "needs options.steps");
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    free_arrays(&batch);
}

/* ---- the rates of fits --------------------------------------------------- */

typedef struct watch {
    fal_model *model;
    fal_trainer *trainer;
    float *before;
    size_t count;
    double rates[64];
} watch;

static int look(const fal_progress *progress, void *user)
{
    watch *w = user;
    size_t n;
    if (progress->event == FAL_START) {
        fal_release(w->before);
        w->before = model_floats(w->model, "dense1.weight", &n);
    }
    if (progress->event == FAL_STEP)
        w->rates[w->count++] = observed_rate(w->model, w->trainer, w->before);
    return 0;
}

/* Rates of a fit over 150 rows in batches of 64, expected `steps` of them. */
static void expect_fit(watch *w, const fal_dataset *data, uint64_t epochs,
                       const double *expected, size_t steps)
{
    w->count = 0;
    must(fal_trainer_fit(w->trainer, data, NULL, epochs, look, w));
    assert_int_equal(w->count, steps);
    for (size_t i = 0; i < steps; i++)
        expect_rate(w->rates[i], expected[i]);
}

static watch watch_open(const fal_trainer_options *options)
{
    watch w = {.model = model_of(network, 1)};
    w.trainer = trainer_of(w.model, options);
    return w;
}

static void watch_close(watch *w)
{
    fal_trainer_destroy(w->trainer);
    fal_model_destroy(w->model);
    fal_release(w->before);
}

/* 3 steps an epoch; the second fit starts anew: its first epoch is the fourth. */
static void milestones_count_epochs_of_the_fit(void **state)
{
    static const double rates[] = {.0625, .125, .1875, .25,   .25,   .25,
                                   .125,  .125, .125,  .0625, .0625, .0625};
    fal_arrays arrays = random_arrays(150, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = plain("step");
    char list[] = "2,3";
    (void)state;
    options.milestones = list;
    options.decay = .5;
    options.warmup = 4;
    watch w = watch_open(&options);
    strcpy(list, "9,9"); /* the trainer keeps no text of the caller's */
    expect_fit(&w, data, 4, rates, 12);
    expect_fit(&w, data, 3, rates, 9);
    watch_close(&w);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static void fits_warm_up(void **state)
{
    double rates[6];
    fal_arrays arrays = random_arrays(150, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = plain("cosine");
    (void)state;
    for (int t = 0; t < 6; t++)
        rates[t] = t < 2 ? .125 * (t + 1) : .125 * (1 + cos(pi * (t - 2) / 4));
    options.warmup = 2;
    watch w = watch_open(&options);
    expect_fit(&w, data, 2, rates, 6);
    expect_fit(&w, data, 2, rates, 6);
    watch_close(&w);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static void warm_ups_as_long_as_the_run_are_refused(void **state)
{
    fal_arrays arrays = random_arrays(150, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = plain("constant");
    (void)state;
    options.warmup = 6;
    watch w = watch_open(&options);
    expect_error(fal_trainer_fit(w.trainer, data, NULL, 2, look, &w),
                 FAL_ERROR_ARGUMENT, "a warm-up of 6 steps");
    assert_int_equal(w.count, 0);
    assert_null(w.before);
    must(fal_trainer_fit(w.trainer, data, NULL, 3, look, &w));
    assert_int_equal(w.count, 9);
    watch_close(&w);
    w = (watch){.model = model_of(network, 1)};
    options.steps = 6;
    expect_error(fal_trainer_create(&w.trainer, w.model, &options),
                 FAL_ERROR_ARGUMENT, "shorter than the run, which has 6");
    options.steps = 7;
    w.trainer = trainer_of(w.model, &options);
    watch_close(&w);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_forms),
        cmocka_unit_test(wrong_schedules_are_refused),
        cmocka_unit_test(steps_follow_the_schedule),
        cmocka_unit_test(constant_steps_need_no_length),
        cmocka_unit_test(single_steps_have_no_milestones),
        cmocka_unit_test(milestones_count_epochs_of_the_fit),
        cmocka_unit_test(fits_warm_up),
        cmocka_unit_test(warm_ups_as_long_as_the_run_are_refused),
    };
    return cmocka_run_group_tests_name("schedule", tests, open_device,
                                       close_device);
}
