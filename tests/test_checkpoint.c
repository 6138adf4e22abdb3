/* Checkpoints through the library: whatever the rule, the optimizer and the moment, a
 * resumed trainer comes to the same bytes; what is damaged or belongs elsewhere is
 * refused, and nothing has changed then. */
#include "disk.h"
#include "folder.h"
#include "learning.h"

#include "train/trainer.h"

enum { SAMPLES = 50, BATCH = 8, BATCHES = 7, EPOCHS = 3, WIDTH = 6, CLASSES = 4 };

static const char network[] =
    "input 6, dense 9, norm, sigmoid, dense 7 nobias, norm layer, tanh, dense 4";

static fal_arrays arrays;
static fal_dataset *data;

static int open_all(void **state)
{
    open_device(state);
    arrays = random_arrays(SAMPLES, WIDTH, CLASSES, 0);
    data = dataset_of(&arrays);
    return 0;
}

static int close_all(void **state)
{
    fal_dataset_destroy(data);
    free_arrays(&arrays);
    return close_device(state);
}

/* ---- trainers ------------------------------------------------------------ */

static fal_trainer_options options_of(const char *rule, const char *optimizer)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.optimizer = optimizer;
    options.batch = BATCH;
    options.log_steps = 4;
    options.weight_decay = .01;
    return options;
}

/* A model and its trainer. */
struct pair {
    fal_model *model;
    fal_trainer *trainer;
};

static struct pair make(const fal_trainer_options *options, uint64_t seed)
{
    struct pair made = {.model = model_of(network, seed)};
    made.trainer = trainer_of(made.model, options);
    return made;
}

static void destroy(struct pair pair)
{
    fal_trainer_destroy(pair.trainer);
    fal_model_destroy(pair.model);
}

/* A checkpoint in memory. */
struct image {
    unsigned char *bytes;
    size_t size;
};

static struct image take(fal_trainer *trainer)
{
    struct image image;
    must(fal_trainer_checkpoint_bytes(trainer, NULL, 0, &image.size));
    image.bytes = room(image.size, 1);
    must(fal_trainer_checkpoint_bytes(trainer, image.bytes, image.size, NULL));
    return image;
}

/* Outside a fit a checkpoint has no times, so that all of it can be compared. */
static void expect_same(struct image one, fal_trainer *trainer, const char *what)
{
    struct image other = take(trainer);
    if (one.size != other.size || memcmp(one.bytes, other.bytes, one.size) != 0)
        fail_msg("%s: the trainer has changed", what);
    fal_release(other.bytes);
}

/* ---- a fit and what it reported ------------------------------------------ */

struct record {
    fal_trainer *trainer;
    fal_event event; /* at this event … */
    uint64_t step;   /* … of this step a checkpoint is taken */
    int stops;       /* … and the fit ends */
    struct image image;
    fal_progress events[128];
    size_t count;
};

static int on_progress(const fal_progress *progress, void *user)
{
    struct record *r = user;
    assert_true(r->count < sizeof r->events / sizeof *r->events);
    if (progress->event == FAL_LOG || progress->event == FAL_EPOCH)
        r->events[r->count++] = *progress;
    if (progress->event != r->event || progress->step != r->step || r->image.bytes)
        return 0;
    r->image = take(r->trainer);
    return r->stops;
}

static fal_status fit(struct record *r)
{
    return fal_trainer_fit(r->trainer, data, data, EPOCHS, on_progress, r);
}

static void expect_same_event(const fal_progress *a, const fal_progress *b)
{
    assert_int_equal(a->event, b->event);
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->steps, b->steps);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->epochs, b->epochs);
    assert_true(a->train_loss == b->train_loss);
    assert_true(a->train_accuracy == b->train_accuracy);
    assert_true(a->event == FAL_LOG || a->test_loss == b->test_loss);
    assert_true(b->seconds > 0 && b->samples_per_second > 0);
}

/* All that belongs to the checkpoint's step and to those behind it comes again. */
static void expect_rest(const struct record *whole, const struct record *rest)
{
    size_t first = 0;
    while (first < whole->count && whole->events[first].step < whole->step)
        first++;
    assert_int_equal(whole->count - first, rest->count);
    for (size_t i = 0; i < rest->count; i++)
        expect_same_event(&whole->events[first + i], &rest->events[i]);
}

/* Runs through, and once more from a checkpoint that is taken on the way. */
static void check_moment(const fal_trainer_options *options, fal_event event,
                         uint64_t step, const char *what)
{
    struct pair one = make(options, 1), other = make(options, 2);
    struct record whole = {.trainer = one.trainer, .event = event, .step = step};
    struct record rest = {.trainer = other.trainer, .event = FAL_STEP};
    must(fit(&whole));
    assert_non_null(whole.image.bytes);
    must(fal_trainer_resume_bytes(other.trainer, whole.image.bytes,
                                  whole.image.size));
    must(fit(&rest));
    expect_equal_models(one.model, other.model);
    struct image end = take(one.trainer);
    expect_same(end, other.trainer, what);
    expect_rest(&whole, &rest);
    fal_release(end.bytes);
    fal_release(whole.image.bytes);
    destroy(one);
    destroy(other);
}

static const struct moment {
    fal_event event;
    uint64_t step;
} moments[] = {
    {FAL_STEP, 3},        {FAL_LOG, 4},
    {FAL_STEP, 4},        {FAL_STEP, BATCHES},
    {FAL_EPOCH, 14},      {FAL_STEP, 17},
    {FAL_EPOCH, BATCHES}, {FAL_START, 0},
    {FAL_STEP, 1},        {FAL_STEP, 20},
    {FAL_EPOCH, 21},      {FAL_STEP, 21},
    {FAL_LOG, 20},        {FAL_STEP, 2 * BATCHES},
};
enum { MOMENTS = sizeof moments / sizeof *moments };

/* ---- the same bytes ------------------------------------------------------ */

static void every_rule_and_optimizer_goes_on(void **state)
{
    static const char *const optimizers[] = {"sgd", "adam", "adamw", "muon"};
    size_t next = 0;
    (void)state;
    for (size_t r = 0; r < fal_rule_count(); r++)
        for (size_t o = 0; o < 4; o++, next++) {
            fal_trainer_options options = options_of(fal_rule_name(r),
                                                     optimizers[o]);
            const struct moment *m = &moments[next % MOMENTS];
            check_moment(&options, m->event, m->step, fal_rule_name(r));
        }
    fal_trainer_options options = options_of("frsf", "adam");
    options.feedback = "regenerated";
    check_moment(&options, FAL_STEP, 3, "regenerated");
}

static void every_moment_will_do(void **state)
{
    fal_trainer_options options = options_of("fa", "adam");
    (void)state;
    for (size_t i = 0; i < MOMENTS; i++)
        check_moment(&options, moments[i].event, moments[i].step, "moment");
    options.log_steps = BATCHES; /* lines of steps and of epochs fall together */
    check_moment(&options, FAL_EPOCH, BATCHES, "end of an epoch");
    check_moment(&options, FAL_EPOCH, EPOCHS * BATCHES, "end");
}

static void every_schedule_goes_on(void **state)
{
    fal_trainer_options options = options_of("bp", "sgd");
    (void)state;
    options.nesterov = 1;
    options.clip = .5;
    options.warmup = 5;
    check_moment(&options, FAL_STEP, 3, "warm-up");
    check_moment(&options, FAL_STEP, 10, "cosine");
    options.schedule = "step";
    options.milestones = "1,2";
    check_moment(&options, FAL_STEP, BATCHES, "milestone");
    check_moment(&options, FAL_EPOCH, BATCHES, "milestone");
    check_moment(&options, FAL_STEP, 16, "step");
    options = options_of("dfa", "sgd");
    options.momentum = 0;
    options.no_shuffle = 1;
    options.steps = 17; /* ends within an epoch */
    options.schedule = "constant";
    check_moment(&options, FAL_STEP, 15, "steps");
    check_moment(&options, FAL_EPOCH, 17, "steps");
}

/* Sent in parts, where the data do not fit the device. */
static void data_that_travel_go_on(void **state)
{
    fal_trainer_options options = options_of("dfa", "adam");
    (void)state;
    device->resident_limit = 0;
    check_moment(&options, FAL_STEP, 10, "rows that are sent");
    device->resident_limit = UINT64_MAX;
}

/* A stopped run whose second half is stopped again. */
static void it_may_be_stopped_again(void **state)
{
    fal_trainer_options options = options_of("fa", "muon");
    struct pair one = make(&options, 1), two = make(&options, 1);
    struct record whole = {.trainer = one.trainer, .event = FAL_STEP, .step = 99};
    (void)state;
    must(fit(&whole));
    struct image from = {NULL, 0};
    for (uint64_t step = 3; step < 21; step += 5) {
        struct record part = {
            .trainer = two.trainer, .event = FAL_STEP, .step = step, .stops = 1};
        expect_error(fit(&part), FAL_STOPPED, "stopped");
        fal_release(from.bytes);
        from = part.image;
        destroy(two);
        two = make(&options, step);
        must(fal_trainer_resume_bytes(two.trainer, from.bytes, from.size));
    }
    struct record last = {.trainer = two.trainer, .event = FAL_STEP, .step = 99};
    must(fit(&last));
    struct image end = take(one.trainer);
    expect_same(end, two.trainer, "in parts");
    fal_release(end.bytes);
    fal_release(from.bytes);
    destroy(one);
    destroy(two);
}

/* After the fit that goes on, another one is a new one. */
static void a_later_fit_begins_anew(void **state)
{
    fal_trainer_options options = options_of("fa", "adam");
    struct pair one = make(&options, 1), two = make(&options, 2);
    struct record a = {.trainer = one.trainer, .event = FAL_STEP, .step = 5};
    struct record b = {.trainer = two.trainer, .event = FAL_STEP};
    (void)state;
    must(fit(&a));
    must(fal_trainer_resume_bytes(two.trainer, a.image.bytes, a.image.size));
    must(fit(&b));
    must(fit(&a));
    must(fit(&b));
    assert_int_equal(a.events[a.count - 1].step, 2 * EPOCHS * BATCHES);
    struct image end = take(one.trainer);
    expect_same(end, two.trainer, "second fit");
    /* A checkpoint between two fits is none within one. */
    struct pair three = make(&options, 3);
    must(fal_trainer_resume_bytes(three.trainer, end.bytes, end.size));
    struct record c = {.trainer = three.trainer, .event = FAL_STEP};
    must(fit(&a));
    must(fit(&c));
    expect_equal_models(one.model, three.model);
    fal_release(end.bytes);
    fal_release(a.image.bytes);
    destroy(one);
    destroy(two);
    destroy(three);
}

static void some_steps(fal_trainer *trainer, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        fal_arrays part = rows_of(&arrays, i * BATCH % 40, BATCH);
        double loss;
        must(fal_trainer_step(trainer, &part, i % 3 ? NULL : &loss));
    }
}

static void single_steps_go_on(void **state)
{
    fal_trainer_options options = options_of("dfa", "adamw");
    options.steps = 300;
    struct pair one = make(&options, 1), two = make(&options, 2);
    (void)state;
    some_steps(one.trainer, 0, 3);
    must(fal_trainer_learning_rate(one.trainer, .1 / 3));
    some_steps(one.trainer, 3, 140); /* more than the ring has slots */
    struct image image = take(one.trainer);
    some_steps(two.trainer, 0, 5);
    must(fal_trainer_resume_bytes(two.trainer, image.bytes, image.size));
    expect_same(image, two.trainer, "resumed");
    some_steps(one.trainer, 143, 5);
    some_steps(two.trainer, 143, 5);
    struct image end = take(one.trainer);
    expect_same(end, two.trainer, "steps");
    fal_release(end.bytes);
    fal_release(image.bytes);
    destroy(one);
    destroy(two);
}

/* Real targets, and feedback of the caller's own. */
static void what_the_caller_set_comes_back(void **state)
{
    fal_arrays real = random_arrays(20, WIDTH, CLASSES, 1);
    fal_dataset *numbers = dataset_of(&real);
    fal_trainer_options options = options_of("fa", "sgd");
    options.loss = "mse";
    struct pair one = make(&options, 1), two = make(&options, 2);
    size_t count;
    (void)state;
    float *feedback = trainer_floats(one.trainer, "dense2.feedback", &count);
    feedback[0] = 7;
    must(fal_trainer_tensor_set(one.trainer, "dense2.feedback", feedback, count));
    must(fal_trainer_fit(one.trainer, numbers, NULL, 2, NULL, NULL));
    struct image image = take(one.trainer);
    must(fal_trainer_resume_bytes(two.trainer, image.bytes, image.size));
    float *again = trainer_floats(two.trainer, "dense2.feedback", &count);
    assert_memory_equal(feedback, again, count * sizeof *again);
    fal_model_info info = {.size = sizeof info};
    must(fal_model_describe(two.model, &info));
    assert_int_equal(info.real_targets, 1);
    expect_same(image, two.trainer, "real targets");
    fal_release(feedback);
    fal_release(again);
    fal_release(image.bytes);
    fal_dataset_destroy(numbers);
    free_arrays(&real);
    destroy(one);
    destroy(two);
}

/* ---- files --------------------------------------------------------------- */

static void a_file_has_the_same_bytes(void **state)
{
    fal_trainer_options options = options_of("fa", "adam");
    struct pair one = make(&options, 1), two = make(&options, 2);
    (void)state;
    must(fal_trainer_fit(one.trainer, data, NULL, 1, NULL, NULL));
    struct image image = take(one.trainer);
    must(fal_trainer_checkpoint(one.trainer, path));
    unsigned char *bytes;
    size_t size;
    must(fal_file_read(path, SIZE_MAX, &bytes, &size));
    assert_int_equal(size, image.size);
    assert_memory_equal(bytes, image.bytes, size);
    must(fal_trainer_resume(two.trainer, path));
    expect_same(image, two.trainer, "from a file");
    assert_int_equal(entries(), 1);
    /* It is a model's file too, and has the feedback. */
    fal_model *model = NULL;
    must(fal_model_load(&model, device, path));
    expect_equal_models(model, one.model);
    must(fal_trainer_load_feedback(two.trainer, path));
    fal_model_destroy(model);
    fal_release(bytes);
    fal_release(image.bytes);
    destroy(one);
    destroy(two);
}

/* However it fails, the old one stays whole. */
static void a_full_disk_keeps_the_old_one(void **state)
{
    fal_trainer_options options = options_of("fa", "adam");
    struct pair one = make(&options, 1);
    unsigned char *old, *now;
    size_t old_size, size;
    (void)state;
    must(fal_trainer_checkpoint(one.trainer, path));
    must(fal_file_read(path, SIZE_MAX, &old, &old_size));
    must(fal_trainer_fit(one.trainer, data, NULL, 1, NULL, NULL));
    fal_status status = FAL_ERROR_FILE;
    for (long n = 1; status; n++) {
        disk_fail_at(n);
        status = fal_trainer_checkpoint(one.trainer, path);
        long failures = disk_failures();
        disk_fail_at(0);
        assert_int_equal(status ? 1 : 0, failures);
        if (!status)
            break;
        assert_int_equal(status, FAL_ERROR_FILE);
        assert_int_equal(entries(), 1);
        must(fal_file_read(path, SIZE_MAX, &now, &size));
        assert_int_equal(size, old_size);
        assert_memory_equal(now, old, size);
        fal_release(now);
        assert_true(n < 60);
    }
    must(fal_trainer_resume(one.trainer, path));
    fal_release(old);
    destroy(one);
}

static void expect_refused(fal_trainer *trainer, const unsigned char *bytes,
                           size_t size, const char *what, size_t at)
{
    fal_status status = fal_trainer_resume_bytes(trainer, bytes, size);
    if (status != FAL_ERROR_FORMAT && status != FAL_ERROR_ARGUMENT)
        fail_msg("%s at %zu: status %d: %s", what, at, status, fal_error_message());
}

static void damage_is_refused(void **state)
{
    fal_trainer_options options = options_of("fa", "adam");
    struct pair one = make(&options, 1), two = make(&options, 2);
    (void)state;
    must(fal_trainer_fit(one.trainer, data, NULL, 1, NULL, NULL));
    struct image image = take(one.trainer), before = take(two.trainer);
    unsigned char *bytes = room(image.size + 1, 1);
    for (size_t size = 0; size < image.size; size += size < 9000 ? 13 : 131)
        expect_refused(two.trainer, image.bytes, size, "cut off", size);
    for (size_t at = 0; at < image.size; at += at < 9000 ? 1 : 29) {
        memcpy(bytes, image.bytes, image.size);
        bytes[at] ^= (unsigned char)(1 << at % 8);
        expect_refused(two.trainer, bytes, image.size, "bit flipped", at);
    }
    memcpy(bytes, image.bytes, image.size);
    expect_refused(two.trainer, bytes, image.size + 1, "one byte more", 0);
    expect_same(before, two.trainer, "damaged");
    must(fal_trainer_resume_bytes(two.trainer, image.bytes, image.size));
    expect_same(image, two.trainer, "whole");
    fal_release(bytes);
    fal_release(image.bytes);
    fal_release(before.bytes);
    destroy(one);
    destroy(two);
}

static void damage_is_named(void **state)
{
    fal_trainer_options options = options_of("fa", "adam");
    struct pair one = make(&options, 1);
    (void)state;
    struct image image = take(one.trainer);
    image.bytes[image.size - 40] ^= 4;
    expect_error(fal_trainer_resume_bytes(one.trainer, image.bytes, image.size),
                 FAL_ERROR_FORMAT,
                 "checkpoint in memory': its checksum is not that of");
    static const char mark[] = "\"checkpoint\":\"2\"";
    for (size_t i = 0; i < image.size - sizeof mark; i++)
        if (memcmp(image.bytes + i, mark, sizeof mark - 1) == 0)
            image.bytes[i + sizeof mark - 3] = '0';
    expect_error(fal_trainer_resume_bytes(one.trainer, image.bytes, image.size),
                 FAL_ERROR_FORMAT,
                 "a checkpoint of format '0', falign 0.1.0 reads");
    must(fal_model_save(one.model, path));
    expect_error(fal_trainer_resume(one.trainer, path), FAL_ERROR_FORMAT,
                 "it is no checkpoint");
    put_file("text", 4);
    expect_error(fal_trainer_resume(one.trainer, path), FAL_ERROR_FORMAT,
                 "cut off before the header");
    expect_error(fal_trainer_resume(one.trainer, "nowhere"), FAL_ERROR_FILE,
                 "nowhere");
    expect_error(fal_trainer_resume(one.trainer, folder), FAL_ERROR_FILE,
                 "/checkpoint.safetensors");
    fal_release(image.bytes);
    destroy(one);
}

/* ---- what belongs elsewhere ---------------------------------------------- */

static void expect_foreign(const fal_trainer_options *options, struct image image,
                           const char *part)
{
    struct pair other = make(options, 1);
    struct image before = take(other.trainer);
    expect_error(fal_trainer_resume_bytes(other.trainer, image.bytes, image.size),
                 FAL_ERROR_ARGUMENT, part);
    expect_same(before, other.trainer, part);
    fal_release(before.bytes);
    destroy(other);
}

static void other_options_are_named(void **state)
{
    fal_trainer_options o = options_of("fa", "adam");
    struct pair one = make(&o, 1);
    (void)state;
    must(fal_trainer_fit(one.trainer, data, NULL, 1, NULL, NULL));
    struct image image = take(one.trainer);
    o.rule = "dfa";
    expect_foreign(&o, image, "rule: the checkpoint has fa, this run dfa;");
    o.rule = "fa", o.optimizer = "sgd";
    expect_foreign(&o, image, "optimizer: the checkpoint has adam, this run sgd;");
    o.optimizer = "adam", o.learning_rate = .25;
    expect_foreign(&o, image,
                   "learning_rate: the checkpoint has 0.001, this run 0.25;");
    o.learning_rate = 0, o.batch = 9;
    expect_foreign(&o, image, "batch: the checkpoint has 8, this run 9;");
    o.batch = BATCH, o.data_seed = UINT64_MAX;
    expect_foreign(
        &o, image,
        "data_seed: the checkpoint has 1, this run 18446744073709551615;");
    o.data_seed = 1, o.feedback_seed = 2;
    expect_foreign(&o, image, "feedback_seed: the checkpoint has 1, this run 2;");
    o.feedback_seed = 1, o.schedule = "step", o.milestones = "3,5";
    expect_foreign(&o, image,
                   "schedule: the checkpoint has cosine, this run step;");
    o.schedule = NULL, o.milestones = NULL, o.feedback_law = "normal:0.5";
    expect_foreign(
        &o, image,
        "feedback_law: the checkpoint has default, this run normal:0.5;");
    o.feedback_law = NULL, o.loss = "mse";
    expect_foreign(&o, image,
                   "loss: the checkpoint has cross-entropy, this run mse;");
    o.loss = NULL, o.clip = 2;
    expect_foreign(&o, image, "clip: the checkpoint has 0, this run 2;");
    fal_release(image.bytes);
    destroy(one);
}

/* It is drawn by the law of the weights, which a model from a file does not have. */
static void another_law_of_weights_is_named(void **state)
{
    static const char *const rules[] = {"usf", "brsf"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        fal_trainer_options options = options_of(rules[i], "adam");
        fal_model_options made = FAL_MODEL_OPTIONS;
        fal_model *model = NULL, *loaded = NULL;
        made.weight_law = "normal:0.5";
        must(fal_model_create(&model, device, network, &made));
        must(fal_model_save(model, path));
        must(fal_model_load(&loaded, device, path));
        struct pair one = {model, trainer_of(model, &options)};
        struct pair two = {loaded, trainer_of(loaded, &options)};
        struct image image = take(one.trainer);
        expect_error(
            fal_trainer_resume_bytes(two.trainer, image.bytes, image.size),
            FAL_ERROR_ARGUMENT,
            "feedback_law: the checkpoint has normal:0.5, this run fan-in;");
        fal_release(image.bytes);
        destroy(one);
        destroy(two);
    }
}

static void another_network_is_named(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"input 6, dense 9, norm, sigmoid, dense 8 nobias, norm layer, tanh, dense "
         "4",
         "network: the checkpoint has dense2=dense 7 nobias, this run dense2=dense "
         "8 "
         "nobias;"},
        {"input 6, dense 9, norm, sigmoid, dense 7 nobias, norm layer, tanh, dense "
         "4, "
         "dense 4",
         "network: the checkpoint has nothing, this run dense4"},
        {"input 6, dense 4", "network: the checkpoint has dense1=dense 9"},
    };
    fal_trainer_options options = options_of("fa", "adam");
    struct pair one = make(&options, 1);
    (void)state;
    struct image image = take(one.trainer);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fal_model *model = model_of(cases[i].text, 1);
        fal_trainer *trainer = trainer_of(model, &options);
        expect_error(fal_trainer_resume_bytes(trainer, image.bytes, image.size),
                     FAL_ERROR_ARGUMENT, cases[i].part);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
    }
    fal_release(image.bytes);
    destroy(one);
}

static void expect_other_data(struct record *r, const fal_arrays *given,
                              const char *part)
{
    struct image before = take(r->trainer);
    fal_dataset *other = dataset_of(given);
    expect_error(fal_trainer_fit(r->trainer, other, NULL, EPOCHS, on_progress, r),
                 FAL_ERROR_ARGUMENT, part);
    fal_dataset_destroy(other);
    expect_same(before, r->trainer, part);
    fal_release(before.bytes);
}

/* They are seen when the fit goes on, and the right ones do after all. */
static void other_data_are_named(void **state)
{
    fal_trainer_options options = options_of("fa", "adam");
    struct pair one = make(&options, 1), two = make(&options, 2);
    struct record a = {.trainer = one.trainer, .event = FAL_STEP, .step = 5};
    struct record b = {.trainer = two.trainer, .event = FAL_STEP};
    fal_arrays other = rows_of(&arrays, 0, 49);
    (void)state;
    must(fit(&a));
    must(fal_trainer_resume_bytes(two.trainer, a.image.bytes, a.image.size));
    expect_other_data(&b, &other,
                      "data_samples: the checkpoint has 50, this run 49;");
    int32_t *labels = (int32_t *)arrays.labels;
    labels[49] = (labels[49] + 1) % CLASSES;
    expect_other_data(&b, &arrays, "data_checksum: the checkpoint has ");
    labels[49] = (labels[49] + CLASSES - 1) % CLASSES;
    other = arrays;
    other.width = 2, other.channels = 3;
    expect_other_data(&b, &other,
                      "data_shape: the checkpoint has 6, this run 1x2x3;");
    expect_error(fal_trainer_fit(two.trainer, data, NULL, EPOCHS + 1, NULL, NULL),
                 FAL_ERROR_ARGUMENT, "it ends after epoch 3, not 4");
    must(fit(&b));
    expect_equal_models(one.model, two.model);
    fal_release(a.image.bytes);
    destroy(one);
    destroy(two);
}

/* ---- failures ------------------------------------------------------------ */

static int resume_within(const fal_progress *progress, void *user)
{
    struct record *r = user;
    if (progress->event == FAL_STEP)
        expect_error(
            fal_trainer_resume_bytes(r->trainer, r->image.bytes, r->image.size),
            FAL_ERROR_ARGUMENT, "a fit is running");
    return 0;
}

static void wrong_use_is_refused(void **state)
{
    fal_trainer_options options = options_of("fa", "adam");
    struct pair one = make(&options, 1);
    struct record r = {.trainer = one.trainer, .image = take(one.trainer)};
    size_t needed = 0;
    char small[8] = "";
    (void)state;
    must(fal_trainer_fit(one.trainer, data, NULL, 1, resume_within, &r));
    expect_error(fal_trainer_checkpoint_bytes(one.trainer, small, 8, &needed),
                 FAL_ERROR_ARGUMENT, "8 bytes are too few, it takes ");
    assert_int_equal(needed, 0);
    expect_error(fal_trainer_checkpoint_bytes(one.trainer, NULL, 0, NULL),
                 FAL_ERROR_ARGUMENT, "needs a trainer, and room");
    expect_error(fal_trainer_checkpoint(NULL, path), FAL_ERROR_ARGUMENT, "needs");
    expect_error(fal_trainer_checkpoint(one.trainer, NULL), FAL_ERROR_ARGUMENT,
                 "needs");
    expect_error(fal_trainer_resume(one.trainer, NULL), FAL_ERROR_ARGUMENT,
                 "needs");
    expect_error(fal_trainer_resume_bytes(one.trainer, NULL, 8), FAL_ERROR_ARGUMENT,
                 "needs");
    expect_error(fal_trainer_checkpoint(one.trainer, folder), FAL_ERROR_FILE,
                 "a folder");
    fal_release(r.image.bytes);
    destroy(one);
}

/* A loss that is no longer finite: nothing to go on from, but the old one does. */
static void a_diverged_trainer_has_none(void **state)
{
    fal_trainer_options options = options_of("bp", "sgd");
    options.schedule = "constant";
    struct pair one = make(&options, 1);
    (void)state;
    some_steps(one.trainer, 0, 2);
    struct image image = take(one.trainer);
    must(fal_trainer_learning_rate(one.trainer, 1e30));
    for (int i = 0; i < 3; i++) {
        fal_arrays part = rows_of(&arrays, 0, BATCH);
        must(fal_trainer_step(one.trainer, &part, NULL));
    }
    expect_error(fal_trainer_checkpoint(one.trainer, path), FAL_ERROR_DIVERGED,
                 "the loss is no longer finite");
    assert_int_equal(entries(), 0);
    must(fal_trainer_resume_bytes(one.trainer, image.bytes, image.size));
    expect_same(image, one.trainer, "resumed");
    struct pair two = make(&options, 2);
    must(fal_trainer_resume_bytes(two.trainer, image.bytes, image.size));
    some_steps(one.trainer, 2, 3);
    some_steps(two.trainer, 2, 3);
    expect_equal_models(one.model, two.model);
    fal_release(image.bytes);
    destroy(one);
    destroy(two);
}

/* Each allocation and each call of OpenCL fails in turn. */
static void failures_change_nothing(void **state)
{
    fal_trainer_options options = options_of("fa", "adam");
    struct pair one = make(&options, 1), two = make(&options, 2);
    (void)state;
    must(fal_trainer_fit(one.trainer, data, NULL, 1, NULL, NULL));
    struct image image = take(one.trainer), before = take(two.trainer);
    for (int device_fails = 0; device_fails < 2; device_fails++) {
        fal_status status = FAL_ERROR_MEMORY;
        for (long n = 1; status; n++) {
            device_fails ? fal_cl_fail_at(n) : fal_memory_fail_at(n);
            status = fal_trainer_resume_bytes(two.trainer, image.bytes, image.size);
            device_fails ? fal_cl_fail_at(0) : fal_memory_fail_at(0);
            if (status)
                expect_same(before, two.trainer, "failed");
            assert_true(n < 1000);
        }
        expect_same(image, two.trainer, "resumed");
        must(fal_trainer_resume_bytes(two.trainer, before.bytes, before.size));
    }
    fal_release(image.bytes);
    fal_release(before.bytes);
    destroy(one);
    destroy(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_rule_and_optimizer_goes_on),
        TEST(every_moment_will_do),
        TEST(every_schedule_goes_on),
        TEST(data_that_travel_go_on),
        TEST(it_may_be_stopped_again),
        TEST(a_later_fit_begins_anew),
        TEST(single_steps_go_on),
        TEST(what_the_caller_set_comes_back),
        TEST(a_file_has_the_same_bytes),
        TEST(a_full_disk_keeps_the_old_one),
        TEST(damage_is_refused),
        TEST(damage_is_named),
        TEST(other_options_are_named),
        TEST(another_law_of_weights_is_named),
        TEST(another_network_is_named),
        TEST(other_data_are_named),
        TEST(wrong_use_is_refused),
        TEST(a_diverged_trainer_has_none),
        TEST(failures_change_nothing),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
