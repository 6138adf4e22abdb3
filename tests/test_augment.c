/* Augmented training against the same training on images that plain C augmented: the
 * same bits, of bytes and floats, kept on the device and sent, by steps and by fits.
 * `test_augment EVERY` takes only every so manieth of these, for devices on which
 * launches take long. */
#include "learning.h"

#include "data/random.h"

enum {
    HEIGHT = 9,
    WIDTH = 7,
    COLORS = 3,
    PIXELS = HEIGHT * WIDTH,
    VALUES = PIXELS * COLORS,
    SAMPLES = 22,
    BATCH = 8,
    BATCHES = 3,
    CLASSES = 4,
    SEED = 77
};

static size_t every = 1;
static unsigned seen; /* kinds, types and places that fits had, a bit each */

static const char network[] = "input 9x7x3, dense 12, tanh, dense 4";

static fal_arrays images(fal_type type)
{
    fal_arrays arrays = random_arrays(SAMPLES, VALUES, CLASSES, 0);
    arrays.height = HEIGHT;
    arrays.width = WIDTH;
    arrays.channels = COLORS;
    arrays.type = type;
    if (type == FAL_BYTES) {
        float *floats = (float *)arrays.inputs;
        uint8_t *bytes = room(SAMPLES * VALUES, 1);
        for (size_t i = 0; i < SAMPLES * VALUES; i++)
            bytes[i] = (uint8_t)(127 * (floats[i] + 1));
        fal_release(floats);
        arrays.inputs = bytes;
    }
    return arrays;
}

static size_t value_size(const fal_arrays *arrays)
{
    return arrays->type == FAL_BYTES ? 1 : sizeof(float);
}

static fal_arrays some_rows(const fal_arrays *arrays, size_t first, size_t count)
{
    fal_arrays part = rows_of(arrays, first, count);
    part.inputs = (const char *)arrays->inputs +
                  first * VALUES * value_size(arrays);
    return part;
}

/* ---- in plain C ---------------------------------------------------------- */

struct kind {
    const char *text;
    int crop, turns;
};

static const struct kind kinds[] = {
    {"crop:2", 2, 0}, {"flip", 0, 1}, {"crop:6,flip", 6, 1}, {"flip,crop:1", 1, 1}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int shift(uint64_t step, size_t row, int which, int crop)
{
    uint64_t word = fal_random_word(SEED, 5, 0, (uint32_t)step, 4 * row + which);
    return (int)(word * (2 * (unsigned)crop + 1) >> 32) - crop;
}

/* Image `from` moved into a black one of the same size, then turned. */
static void augment_image(char *to, const char *from, size_t bytes, int dy, int dx,
                          int turned)
{
    memset(to, 0, PIXELS * bytes);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            int line = y + dy, column = x + dx;
            if (line < 0 || line >= HEIGHT || column < 0 || column >= WIDTH)
                continue;
            memcpy(to + (size_t)(y * WIDTH + (turned ? WIDTH - 1 - x : x)) * bytes,
                   from + (size_t)(line * WIDTH + column) * bytes, bytes);
        }
}

/* The rows as step `step` sees them; the inputs are for fal_release. */
static fal_arrays augmented(const fal_arrays *rows, const struct kind *kind,
                            uint64_t step)
{
    fal_arrays made = *rows;
    size_t bytes = COLORS * value_size(rows);
    char *inputs = room(rows->count, PIXELS * bytes);
    for (size_t r = 0; r < rows->count; r++)
        augment_image(inputs + r * PIXELS * bytes,
                      (const char *)rows->inputs + r * PIXELS * bytes, bytes,
                      shift(step, r, 0, kind->crop), shift(step, r, 1, kind->crop),
                      kind->turns &&
                          fal_random_word(SEED, 5, 0, (uint32_t)step, 4 * r + 2) >>
                              31);
    made.inputs = inputs;
    return made;
}

/* ---- training ------------------------------------------------------------ */

static fal_trainer_options options_of(const char *augment)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = "fa";
    options.optimizer = "sgd";
    options.schedule = "constant";
    options.batch = BATCH;
    options.no_shuffle = 1;
    options.noise_seed = SEED;
    options.augment = augment;
    return options;
}

struct pair {
    fal_model *model;
    fal_trainer *trainer;
};

/* Both standardized by the images as they are. */
static struct pair make(const char *augment, const fal_arrays *arrays)
{
    struct pair made = {.model = model_of(network, 1)};
    fal_dataset *data = dataset_of(arrays);
    fal_trainer_options options = options_of(augment);
    must(fal_model_standardize(made.model, data, "channel"));
    made.trainer = trainer_of(made.model, &options);
    fal_dataset_destroy(data);
    return made;
}

static void destroy(struct pair pair)
{
    fal_trainer_destroy(pair.trainer);
    fal_model_destroy(pair.model);
}

static fal_arrays batch_of(const fal_arrays *arrays, uint64_t step)
{
    size_t first = step % BATCHES * BATCH, left = SAMPLES - first;
    return some_rows(arrays, first, left < BATCH ? left : BATCH);
}

/* `steps` steps on images augmented here. */
static struct pair train_plainly(const fal_arrays *arrays, const struct kind *kind,
                                 uint64_t steps)
{
    struct pair made = make(NULL, arrays);
    for (uint64_t t = 0; t < steps; t++) {
        fal_arrays rows = batch_of(arrays, t);
        fal_arrays moved = augmented(&rows, kind, t);
        must(fal_trainer_step(made.trainer, &moved, NULL));
        fal_release((void *)moved.inputs);
    }
    return made;
}

static void check_steps(const fal_arrays *arrays, const struct kind *kind)
{
    struct pair plain = train_plainly(arrays, kind, 2 * BATCHES);
    struct pair made = make(kind->text, arrays);
    for (uint64_t t = 0; t < 2 * BATCHES; t++) {
        fal_arrays rows = batch_of(arrays, t);
        must(fal_trainer_step(made.trainer, &rows, NULL));
    }
    expect_equal_models(plain.model, made.model);
    destroy(plain);
    destroy(made);
}

static void steps_are_augmented(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * KINDS; i += every) {
        fal_arrays arrays = images(i % 2 ? FAL_BYTES : FAL_FLOATS);
        check_steps(&arrays, &kinds[i / 2]);
        free_arrays(&arrays);
    }
}

static void check_fit(const fal_arrays *arrays, const struct kind *kind)
{
    struct pair plain = train_plainly(arrays, kind, 2 * BATCHES);
    struct pair made = make(kind->text, arrays);
    fal_dataset *data = dataset_of(arrays);
    must(fal_trainer_fit(made.trainer, data, data, 2, NULL, NULL));
    expect_equal_models(plain.model, made.model);
    fal_dataset_destroy(data);
    destroy(plain);
    destroy(made);
}

static void fits_are_augmented(void **state)
{
    uint64_t limit = device->resident_limit;
    (void)state;
    for (size_t i = 0; i < 4 * KINDS; i += every) {
        fal_arrays arrays = images(i % 2 ? FAL_BYTES : FAL_FLOATS);
        device->resident_limit = i / 2 % 2 ? 0 : limit;
        check_fit(&arrays, &kinds[i / 4]);
        free_arrays(&arrays);
        seen |= 1u << i / 4 | 1u << (KINDS + i % 2) | 1u << (KINDS + 2 + i / 2 % 2);
    }
    device->resident_limit = limit;
}

static void no_kind_was_left_out(void **state)
{
    (void)state;
    assert_int_equal(seen, (1u << (KINDS + 4)) - 1);
}

/* ---- what is measured, and what is not augmented ------------------------- */

struct values {
    double value[256];
    size_t count;
};

static int note(const fal_metric *metric, void *user)
{
    struct values *values = user;
    assert_true(values->count < 256);
    values->value[values->count++] = metric->value;
    return 0;
}

static void expect_equal_values(const struct values *a, const struct values *b)
{
    assert_true(a->count > 0);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        if (a->value[i] != b->value[i] &&
            !(isnan(a->value[i]) && isnan(b->value[i])))
            fail_msg("value %zu is %g, not %g", i, b->value[i], a->value[i]);
}

/* In a fit, and on rows that the next step would take. */
static void measurements_are_those_of_the_next_step(void **state)
{
    const struct kind *kind = &kinds[2];
    fal_arrays arrays = images(FAL_BYTES);
    struct pair plain = make(NULL, &arrays), made = make(kind->text, &arrays);
    struct values plainly = {.count = 0}, now = {.count = 0};
    (void)state;
    for (uint64_t t = 0; t < 2; t++) {
        fal_arrays rows = batch_of(&arrays, t);
        fal_arrays moved = augmented(&rows, kind, t);
        must(fal_trainer_measure(plain.trainer, &moved, note, &plainly));
        must(fal_trainer_step(plain.trainer, &moved, NULL));
        must(fal_trainer_measure(made.trainer, &rows, note, &now));
        must(fal_trainer_step(made.trainer, &rows, NULL));
        fal_release((void *)moved.inputs);
    }
    expect_equal_values(&plainly, &now);
    destroy(plain);
    destroy(made);
    free_arrays(&arrays);
}

static void fits_measure_what_they_train_on(void **state)
{
    const struct kind *kind = &kinds[2];
    fal_arrays arrays = images(FAL_BYTES);
    struct pair plain = train_plainly(&arrays, kind, 2), made = make(NULL, &arrays);
    struct values plainly = {.count = 0}, now = {.count = 0};
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = options_of(kind->text);
    fal_arrays rows = batch_of(&arrays, 2), moved = augmented(&rows, kind, 2);
    (void)state;
    must(fal_trainer_measure(plain.trainer, &moved, note, &plainly));
    fal_trainer_destroy(made.trainer);
    options.steps = 2;
    options.measure_steps = 2;
    made.trainer = trainer_of(made.model, &options);
    must(fal_trainer_on_metric(made.trainer, note, &now));
    must(fal_trainer_fit(made.trainer, data, NULL, 1, NULL, NULL));
    now.count -= plainly.count; /* before step 0, and then after the last */
    memmove(now.value, now.value + now.count, plainly.count * sizeof *now.value);
    now.count = plainly.count;
    expect_equal_values(&plainly, &now);
    fal_release((void *)moved.inputs);
    fal_dataset_destroy(data);
    destroy(plain);
    destroy(made);
    free_arrays(&arrays);
}

static void data_sets_are_measured_as_they_are(void **state)
{
    fal_arrays arrays = images(FAL_FLOATS);
    struct pair plain = make(NULL, &arrays), made = make("crop:3,flip", &arrays);
    struct values plainly = {.count = 0}, now = {.count = 0};
    fal_dataset *data = dataset_of(&arrays);
    (void)state;
    must(fal_trainer_measure_dataset(plain.trainer, data, note, &plainly));
    must(fal_trainer_measure_dataset(made.trainer, data, note, &now));
    expect_equal_values(&plainly, &now);
    fal_dataset_destroy(data);
    destroy(plain);
    destroy(made);
    free_arrays(&arrays);
}

/* ---- going on ------------------------------------------------------------ */

struct image {
    fal_trainer *trainer;
    void *bytes;
    size_t size;
};

static int stop_at_4(const fal_progress *progress, void *user)
{
    struct image *image = user;
    if (progress->event != FAL_STEP || progress->step != 4)
        return 0;
    must(fal_trainer_checkpoint_bytes(image->trainer, NULL, 0, &image->size));
    image->bytes = room(image->size, 1);
    must(fal_trainer_checkpoint_bytes(image->trainer, image->bytes, image->size,
                                      NULL));
    return 1;
}

static void a_resumed_fit_comes_to_the_same_bits(void **state)
{
    fal_arrays arrays = images(FAL_BYTES);
    fal_dataset *data = dataset_of(&arrays);
    struct pair whole = make("crop:2,flip", &arrays),
                first = make("crop:2,flip", &arrays),
                rest = make("flip,crop:2", &arrays), other = make("flip", &arrays);
    struct image image = {.trainer = first.trainer};
    (void)state;
    must(fal_trainer_fit(whole.trainer, data, NULL, 3, NULL, NULL));
    expect_error(fal_trainer_fit(first.trainer, data, NULL, 3, stop_at_4, &image),
                 FAL_STOPPED, "stopped");
    must(fal_trainer_resume_bytes(rest.trainer, image.bytes, image.size));
    must(fal_trainer_fit(rest.trainer, data, NULL, 3, NULL, NULL));
    expect_equal_models(whole.model, rest.model);
    expect_error(fal_trainer_resume_bytes(other.trainer, image.bytes, image.size),
                 FAL_ERROR_ARGUMENT,
                 "augment: the checkpoint has crop:2, this run flip");
    fal_release(image.bytes);
    fal_dataset_destroy(data);
    destroy(whole);
    destroy(first);
    destroy(rest);
    destroy(other);
    free_arrays(&arrays);
}

/* ---- what is refused ----------------------------------------------------- */

static void expect_refusal(const char *net, const char *augment, const char *part)
{
    fal_trainer_options options = options_of(augment);
    fal_trainer *trainer = NULL;
    fal_model *model = model_of(net, 1);
    expect_error(fal_trainer_create(&trainer, model, &options), FAL_ERROR_ARGUMENT,
                 part);
    assert_null(trainer);
    fal_model_destroy(model);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    expect_refusal(network, "flop", "'flop'; known: crop:P, flip; did you mean");
    expect_refusal(network, "", "known: crop:P, flip");
    expect_refusal(network, "flip,", "known: crop:P, flip");
    expect_refusal(network, "crop", "known: crop:P, flip");
    expect_refusal(network, "crop:", "from 1 to 32767");
    expect_refusal(network, "crop:0", "from 1 to 32767");
    expect_refusal(network, "crop:-1", "from 1 to 32767");
    expect_refusal(network, "crop:1.5", "from 1 to 32767");
    expect_refusal(network, "crop:99999999999999999999", "from 1 to 32767");
    expect_refusal(network, "crop:1,crop:2", "crop stands there twice");
    expect_refusal(network, "flip,flip", "flip stands there twice");
    expect_refusal(network, "crop:7", "nothing would be left of an image of 9x7");
    expect_refusal("input 189, dense 4", "flip", "rows of 189 numbers, no images");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_augmented),
        cmocka_unit_test(fits_are_augmented),
        cmocka_unit_test(no_kind_was_left_out),
        cmocka_unit_test(measurements_are_those_of_the_next_step),
        cmocka_unit_test(fits_measure_what_they_train_on),
        cmocka_unit_test(data_sets_are_measured_as_they_are),
        cmocka_unit_test(a_resumed_fit_comes_to_the_same_bits),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    every = argc > 1 ? (size_t)atoi(argv[1]) : 1;
    return cmocka_run_group_tests(tests, open_device, close_device);
}
