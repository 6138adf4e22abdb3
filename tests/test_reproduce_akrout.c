/* falign reproduce akrout, its tiny form: the angles of kp's and wm's runs against the
 * same training in double (host/reference/network.c), from the same start and in the same
 * order; figures against recorded bounds. What breaks them was tried: see below. */
#include "tool.h"

#include "data/random.h"
#include "learning.h"
#include "results.h"
#include "reference/network.h"

/* ---- the same in double -------------------------------------------------- */

/* As experiment.yaml has it for the tiny form; seeds of part 0 are 1. */
enum { EPOCHS = 3, UNITS = 50, CLASSES = 10, BATCH = 128, PIXELS = 784 };
static const double RATE = .2, MIRROR = .005, DECAY_SUM = 3;

typedef struct world {
    fal_dataset *data;
    fal_arrays arrays;
    size_t count, batches;
    double *inputs; /* [count][PIXELS], standardized */
    uint32_t *order;
    fal_reference_network net;
    fal_reference_settings settings;
    uint64_t mirror_steps;
} world;

static void standardize(world *w)
{
    const unsigned char *bytes = w->arrays.inputs;
    size_t n = w->count * PIXELS;
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        mean += bytes[i] / 255. / (double)n;
    for (size_t i = 0; i < n; i++)
        square += pow(bytes[i] / 255. - mean, 2) / (double)n;
    w->inputs = room(n, sizeof *w->inputs);
    for (size_t i = 0; i < n; i++)
        w->inputs[i] = (bytes[i] / 255. - mean) / sqrt(square);
}

/* [out][in] of the model or trainer, [in][out] in the reference. */
static void turn(const float *from, size_t in, size_t out, double *to)
{
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            to[i * out + o] = (double)from[o * in + i];
}

static void take_start(world *w, const char *rule)
{
    fal_model *model = NULL;
    fal_model_options shape = FAL_MODEL_OPTIONS;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    size_t n;
    shape.data = w->data;
    shape.seed = options.feedback_seed = 1;
    options.rule = rule;
    must(fal_model_create(&model, device, "dense 50, sigmoid, dense 10", &shape));
    fal_trainer *trainer = trainer_of(model, &options);
    for (size_t l = 0; l < 2; l++) {
        fal_reference_layer *own = &w->net.layers[l];
        float *weight = model_floats(model, tensor_name(l + 1, "weight"), &n);
        float *bias = model_floats(model, tensor_name(l + 1, "bias"), &n);
        turn(weight, own->in, own->out, own->weight);
        for (size_t i = 0; i < own->out; i++)
            own->bias[i] = (double)bias[i];
        fal_release(weight);
        fal_release(bias);
    }
    float *b = trainer_floats(trainer, "dense2.feedback", &n);
    turn(b, UNITS, CLASSES, w->net.layers[1].feedback);
    fal_release(b);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

static void open_world(world *w, const char *rule, fal_reference_rule number_of)
{
    fal_reference_layer layers[2] = {
        {.in = PIXELS,
         .out = UNITS,
         .has_bias = 1,
         .activations = {{FAL_SIGMOID, 0}},
         .rule = number_of},
        {.in = UNITS, .out = CLASSES, .has_bias = 1, .rule = number_of}};
    *w = (world){.arrays = FAL_ARRAYS};
    must(fal_dataset_open(&w->data, getenv("FALIGN_TEST_DATA"), FAL_SPLIT_TRAIN));
    must(fal_dataset_describe(w->data, &w->arrays));
    w->count = w->arrays.count;
    w->batches = (w->count + BATCH - 1) / BATCH;
    w->order = room(w->count, sizeof *w->order);
    must(fal_reference_network_make(&w->net, layers, 2, BATCH));
    standardize(w);
    take_start(w, rule);
    w->settings = (fal_reference_settings){.optimizer = FAL_SGD, .rate = RATE};
    if (number_of == FAL_REFERENCE_KP)
        w->settings.weight_decay = DECAY_SUM / (RATE * EPOCHS * (double)w->batches);
}

static void close_world(world *w)
{
    fal_reference_network_release(&w->net);
    fal_release(w->inputs);
    fal_release(w->order);
    fal_dataset_destroy(w->data);
}

static void mirror(world *w, uint64_t steps)
{
    for (uint64_t s = 0; s < steps && w->net.layers[0].rule == FAL_REFERENCE_WM;
         s++)
        must(fal_reference_network_mirror(&w->net, MIRROR, MIRROR, 1,
                                          w->mirror_steps++, BATCH));
}

/* Rows of the epoch's order, in room that the next call takes. */
static fal_reference_batch rows_at(const world *w, size_t start)
{
    static double inputs[BATCH * PIXELS];
    static int32_t labels[BATCH];
    size_t left = w->count - start, rows = left < BATCH ? left : BATCH;
    for (size_t r = 0; r < rows; r++) {
        size_t from = w->order[start + r];
        memcpy(inputs + r * PIXELS, w->inputs + from * PIXELS,
               PIXELS * sizeof *inputs);
        labels[r] = w->arrays.labels[from];
    }
    return (fal_reference_batch){.rows = rows,
                                 .inputs = inputs,
                                 .labels = labels,
                                 .loss = FAL_CROSS_ENTROPY};
}

static void set_rules(world *w, fal_reference_rule rule)
{
    w->net.layers[0].rule = w->net.layers[1].rule = rule;
}

/* The angle of the mean over samples of the cosine of delta and true delta. */
static double angle_of(world *w, const fal_reference_batch *batch)
{
    static double own[BATCH * UNITS];
    fal_reference_rule rule = w->net.layers[0].rule;
    const double *truth = w->net.layers[0].delta;
    double mean = 0;
    fal_reference_network_forward(&w->net, batch);
    fal_reference_network_backward(&w->net, batch);
    memcpy(own, truth, sizeof own);
    set_rules(w, FAL_REFERENCE_BP);
    fal_reference_network_forward(&w->net, batch);
    fal_reference_network_backward(&w->net, batch);
    set_rules(w, rule);
    for (size_t r = 0; r < batch->rows; r++) {
        double aa = 0, bb = 0, ab = 0;
        for (size_t i = r * UNITS; i < (r + 1) * UNITS; i++) {
            aa += own[i] * own[i];
            bb += truth[i] * truth[i];
            ab += own[i] * truth[i];
        }
        mean += ab / sqrt(aa * bb) / (double)batch->rows;
    }
    return acos(mean) * 57.29577951308232;
}

static void begin_epoch(world *w, uint32_t epoch)
{
    fal_shuffle(1, FAL_PURPOSE_ORDER, epoch, w->order, w->count);
}

static void train_epoch(world *w)
{
    for (size_t b = 0; b < w->batches; b++) {
        fal_reference_batch batch = rows_at(w, b * BATCH);
        fal_reference_network_forward(&w->net, &batch);
        fal_reference_network_backward(&w->net, &batch);
        must(fal_reference_network_update(&w->net, &w->settings));
        mirror(w, 1);
    }
}

static void check_run(const char *rule, fal_reference_rule number_of)
{
    world w;
    char name[64];
    snprintf(name, sizeof name, "out/parts/%s-s0.json", rule);
    cJSON *part = read_json(name);
    const cJSON *angles = cJSON_GetObjectItem(part, "angles");
    assert_int_equal(cJSON_GetArraySize(angles), EPOCHS + 1);
    open_world(&w, rule, number_of);
    mirror(&w, w.count / BATCH);
    for (uint32_t epoch = 0; epoch <= EPOCHS; epoch++) {
        begin_epoch(&w, epoch);
        fal_reference_batch batch = rows_at(&w, 0);
        double found = cJSON_GetArrayItem(angles, (int)epoch)->valuedouble;
        double expected = angle_of(&w, &batch);
        if (!(fabs(found - expected) <= .005))
            fail_msg("%s, epoch %u: %g degrees, not %g", rule, epoch, found,
                     expected);
        if (epoch < EPOCHS)
            train_epoch(&w);
    }
    close_world(&w);
    cJSON_Delete(part);
}

static void runs_are_those_in_double(void **state)
{
    (void)state;
    assert_good("reproduce akrout --tiny --data $D --out out --quiet");
    check_run("fa", FAL_REFERENCE_FA);
    check_run("kp", FAL_REFERENCE_KP);
    check_run("wm", FAL_REFERENCE_WM);
}

/* ---- figures ------------------------------------------------------------- */

/* Each is broken by one at least of: another seed; kp with coupled decay, with a step of
 * B of the other sign, or decay for a sum of 2; a mirror without its first steps, of
 * twice the decay, or with the output layer's phi; fa's B drawn by another law. */
static void recorded_figures(void **state)
{
    static const recorded_figure recorded[] = {
        {"bp-angle", 0, .001},      {"bp-accuracy", 64.5, 1},
        {"fa-soon", 77.786, .05},   {"fa-angle", 57.758, .05},
        {"fa-weight", 54.677, .05}, {"fa-accuracy", 53.533, 1},
        {"kp-soon", 60.015, .05},   {"kp-angle", 10.004, .05},
        {"kp-weight", 5.9446, .02}, {"kp-accuracy", 39.5, 1},
        {"wm-soon", 70.076, .05},   {"wm-angle", 43.604, .05},
        {"bp-lead", 10.967, 1},     {"wm-weight", 38.757, .05},
        {"wm-accuracy", 54.967, 1},
    };
    (void)state;
    assert_good("reproduce akrout --tiny --data $D --out out --quiet");
    assert_has(tool_run("report out")->error,
               "is the folder of an experiment; its page is there already");
    expect_figures(recorded, sizeof recorded / sizeof *recorded);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_are_those_in_double),
        TEST(recorded_figures),
    };
    return cmocka_run_group_tests_name("reproduce akrout", tests, open_device,
                                       close_device);
}
