/* Golden runs: 72 configurations of rule, optimizer and norm against what PyTorch
 * computed in double (tests/interop/golden.py, which shares nothing with the library;
 * tests/golden has its files). From recorded states one step: gradients and changes.
 * And a free run of 20 steps, no further from double than PyTorch's own in float32.
 */
#include "learning.h"
#include "files/safetensors.h"
#include "train/trainer.h"

enum { STEPS = 20, BATCH = 23, INPUTS = 33, CLASSES = 5 };
enum { RULES = 9, OPTIMIZERS = 4, NORMS = 2 };
enum { CONFIGURATIONS = RULES * OPTIMIZERS * NORMS };

static const char *const rules[RULES] = {"bp",   "fa", "dfa", "usf", "brsf",
                                         "frsf", "kp", "wm",  "drtp"};
static const char *const optimizers[] = {"sgd", "adam", "adamw", "muon"};
static const char *const norms[] = {"none", "batch"};

typedef struct configuration {
    const char *rule, *optimizer, *norm;
    char name[32];
} configuration;

/* Model and trainer of a configuration, and its recorded run. */
typedef struct golden {
    const configuration *what;
    fal_safetensors *record, *batches;
    char start[512]; /* path */
    fal_model *model;
    fal_trainer *trainer;
} golden;

/* ---- recorded tensors ---------------------------------------------------- */

static void write_path(char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s.safetensors", getenv("FALIGN_GOLDEN"), name);
}

static fal_safetensors *open_record(const char *name)
{
    char path[512];
    fal_safetensors *file = NULL;
    write_path(path, name);
    must(fal_safetensors_open(&file, path));
    return file;
}

/* "3/dense1.weight" with `what` behind it; NULL: it has none. */
static const fal_tensor_view *find_recorded(const golden *g, unsigned step,
                                            const char *name, const char *what)
{
    char full[128];
    snprintf(full, sizeof full, "%u/%s%s", step, name, what);
    return fal_safetensors_find(g->record, full);
}

static float *recorded(const golden *g, unsigned step, const char *name,
                       const char *what, size_t count)
{
    const fal_tensor_view *view = find_recorded(g, step, name, what);
    if (!view || view->count != count)
        fail_msg("%s: step %u has no %s%s of %zu numbers", g->what->name, step,
                 name, what, count);
    float *values = room(count, sizeof *values);
    memcpy(values, view->data, count * sizeof *values);
    return values;
}

/* A batch of the caller's. */
typedef struct rows {
    float inputs[BATCH * INPUTS];
    int32_t labels[BATCH];
    fal_arrays arrays;
} rows;

static void read_batch(const golden *g, size_t step, rows *batch)
{
    const fal_tensor_view *inputs = fal_safetensors_find(g->batches, "inputs");
    const fal_tensor_view *labels = fal_safetensors_find(g->batches, "labels");
    assert_true(inputs && inputs->count == STEPS * BATCH * INPUTS);
    assert_true(labels && labels->type == FAL_TENSOR_U8);
    assert_int_equal(labels->count, STEPS * BATCH);
    memcpy(batch->inputs, inputs->data + step * sizeof batch->inputs,
           sizeof batch->inputs);
    for (size_t i = 0; i < BATCH; i++)
        batch->labels[i] = labels->data[step * BATCH + i];
    batch->arrays = (fal_arrays)FAL_ARRAYS;
    batch->arrays.count = BATCH;
    batch->arrays.channels = INPUTS;
    batch->arrays.inputs = batch->inputs;
    batch->arrays.labels = batch->labels;
    batch->arrays.classes = CLASSES;
}

static void one_step(golden *g, size_t step)
{
    rows batch;
    double loss;
    read_batch(g, step, &batch);
    must(fal_trainer_step(g->trainer, &batch.arrays, &loss));
}

/* ---- states -------------------------------------------------------------- */

/* Model and trainer as they were at the start. */
static void begin(golden *g, int keep_gradients)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = g->what->rule;
    options.optimizer = g->what->optimizer;
    options.weight_decay = .01;
    options.batch = BATCH;
    options.steps = STEPS;
    options.keep_gradients = keep_gradients;
    must(fal_model_load(&g->model, device, g->start));
    g->trainer = trainer_of(g->model, &options);
    must(fal_trainer_load_feedback(g->trainer, g->start));
}

static void end(golden *g)
{
    fal_trainer_destroy(g->trainer);
    fal_model_destroy(g->model);
}

/* What the optimizer keeps of a parameter, as far as it was recorded. */
static void put_kept(const golden *g, unsigned step, const char *name,
                     const char *what, const fal_arena *arena)
{
    const fal_tensor *found;
    if (!find_recorded(g, step, name, what))
        return;
    must(fal_tensor_find(&g->model->tensors, name, &found));
    fal_tensor tensor = *found;
    tensor.arena = arena;
    float *values = recorded(g, step, name, what, fal_tensor_floats(found));
    must(fal_tensor_write(&tensor, values, fal_tensor_floats(found)));
    fal_release(values);
}

/* kp's and wm's feedback learns, and its state is recorded as that of weights. */
static int learns_feedback(const golden *g)
{
    return strcmp(g->what->rule, "kp") == 0 || strcmp(g->what->rule, "wm") == 0;
}

static void put_feedback(const golden *g, unsigned step)
{
    for (size_t l = 2; l <= 3 && learns_feedback(g); l++) {
        const char *name = tensor_name(l, "feedback");
        size_t n;
        fal_release(trainer_floats(g->trainer, name, &n));
        float *values = recorded(g, step, name, "", n);
        must(fal_trainer_tensor_set(g->trainer, name, values, n));
        fal_release(values);
    }
}

/* The state in which `step` updates are done, each with a mirror step behind it. */
static void put_state(golden *g, unsigned step)
{
    for (size_t i = 0; i < fal_model_tensor_count(g->model); i++) {
        const char *name = fal_model_tensor_name(g->model, i);
        size_t n;
        fal_release(model_floats(g->model, name, &n));
        float *values = recorded(g, step, name, "", n);
        must(fal_model_tensor_set(g->model, name, values, n));
        fal_release(values);
        put_kept(g, step, name, ".moment", &g->trainer->moments);
        put_kept(g, step, name, ".square", &g->trainer->squares);
    }
    put_feedback(g, step);
    g->trainer->step = g->trainer->mirror_steps = step;
}

/* brsf draws a feedback for each step; it must be the one the record was made with. */
static void expect_same_feedback(const golden *g, unsigned step)
{
    for (size_t l = 2; l <= 3 && strcmp(g->what->rule, "brsf") == 0; l++) {
        const char *name = tensor_name(l, "feedback");
        size_t n;
        float *drawn = trainer_floats(g->trainer, name, &n);
        float *expected = recorded(g, step, name, "", n);
        if (memcmp(drawn, expected, n * sizeof *drawn) != 0)
            fail_msg("%s: %s of step %u is not the recorded one", g->what->name,
                     name, step);
        fal_release(drawn);
        fal_release(expected);
    }
}

/* ---- bounds -------------------------------------------------------------- */

static double norm_of(const float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

/* Of the change of weights, beside what float32 loses when it stores them. */
static double change_bound(const configuration *c)
{
    if (strcmp(c->optimizer, "muon") == 0)
        return 1e-3;
    return strcmp(c->optimizer, "sgd") == 0 ? 1e-5 : 1e-4;
}

static void expect_gradient(const golden *g, unsigned step, const char *name)
{
    char full[96];
    size_t n;
    snprintf(full, sizeof full, "%s.gradient", name);
    float *found = trainer_floats(g->trainer, full, &n);
    float *expected = recorded(g, step, name, ".gradient", n);
    double limit = 5e-6 * norm_of(expected, n);
    for (size_t i = 0; i < n; i++)
        found[i] -= expected[i];
    if (!(norm_of(found, n) <= limit))
        fail_msg("%s, step %u: %s is %g off, %g allowed", g->what->name, step, full,
                 norm_of(found, n), limit);
    fal_release(found);
    fal_release(expected);
}

/* `found`: `n` numbers after the step, which are released. */
static void expect_change(const golden *g, unsigned step, const char *name,
                          float *found, size_t n)
{
    float *before = recorded(g, step, name, "", n);
    float *expected = recorded(g, step, name, ".change", n);
    double limit = change_bound(g->what) * norm_of(expected, n) +
                   0x1p-23 * norm_of(before, n);
    for (size_t i = 0; i < n; i++)
        found[i] = (float)((double)found[i] - (double)before[i] -
                           (double)expected[i]);
    if (!(norm_of(found, n) <= limit))
        fail_msg("%s, step %u: change of %s is %g off, %g allowed", g->what->name,
                 step, name, norm_of(found, n), limit);
    fal_release(found);
    fal_release(before);
    fal_release(expected);
}

/* ---- runs ---------------------------------------------------------------- */

/* From a recorded state one step. Where gradients are not kept, products make the
 * update of most optimizers themselves. */
static void step_agrees(golden *g, unsigned step, int keep_gradients)
{
    size_t n;
    begin(g, keep_gradients);
    put_state(g, step);
    expect_same_feedback(g, step);
    one_step(g, step);
    for (size_t i = 0; i < fal_model_tensor_count(g->model); i++) {
        const char *name = fal_model_tensor_name(g->model, i);
        if (keep_gradients && find_recorded(g, step, name, ".gradient"))
            expect_gradient(g, step, name);
        float *after = model_floats(g->model, name, &n);
        expect_change(g, step, name, after, n);
    }
    for (size_t l = 2; l <= 3 && learns_feedback(g); l++) {
        const char *name = tensor_name(l, "feedback");
        float *after = trainer_floats(g->trainer, name, &n);
        expect_change(g, step, name, after, n);
    }
    end(g);
}

/* Adds squares of what a tensor is off its recorded last state, and of that. */
static void add_distance(const golden *g, const char *name, float *found, size_t n,
                         double *apart, double *size)
{
    float *expected = recorded(g, STEPS, name, "", n);
    *size += pow(norm_of(expected, n), 2);
    for (size_t i = 0; i < n; i++)
        found[i] -= expected[i];
    *apart += pow(norm_of(found, n), 2);
    fal_release(found);
    fal_release(expected);
}

/* How far the model, and feedback that learns, is from the recorded last one, relative
 * to that. */
static double distance(const golden *g)
{
    double apart = 0, size = 0;
    size_t n;
    for (size_t i = 0; i < fal_model_tensor_count(g->model); i++) {
        const char *name = fal_model_tensor_name(g->model, i);
        float *found = model_floats(g->model, name, &n);
        add_distance(g, name, found, n, &apart, &size);
    }
    for (size_t l = 2; l <= 3 && learns_feedback(g); l++) {
        const char *name = tensor_name(l, "feedback");
        float *found = trainer_floats(g->trainer, name, &n);
        add_distance(g, name, found, n, &apart, &size);
    }
    return sqrt(apart / size);
}

static void free_run_agrees(golden *g)
{
    const char *own = fal_safetensors_metadata(g->record, "float32_distance");
    assert_non_null(own);
    double limit = 4 * strtod(own, NULL) + 1e-6;
    begin(g, 0);
    for (size_t step = 0; step < STEPS; step++)
        one_step(g, step);
    double found = distance(g);
    if (!(found <= limit))
        fail_msg("%s: free run is %g off, %g allowed", g->what->name, found, limit);
    end(g);
}

static void configuration_agrees(void **state)
{
    static const unsigned steps[] = {3, 17};
    golden g = {.what = *state};
    char name[32];
    snprintf(name, sizeof name, "start-%s-%s", g.what->rule, g.what->norm);
    write_path(g.start, name);
    g.record = open_record(g.what->name);
    g.batches = open_record("batches");
    for (unsigned i = 0; i < 2; i++)
        for (int keep = 0; keep < 2; keep++)
            if (find_recorded(&g, steps[i], "dense1.weight", ""))
                step_agrees(&g, steps[i], keep);
    assert_non_null(find_recorded(&g, 17, "dense1.weight", ""));
    free_run_agrees(&g);
    fal_safetensors_close(g.record);
    fal_safetensors_close(g.batches);
}

int main(void)
{
    static configuration all[CONFIGURATIONS];
    struct CMUnitTest tests[CONFIGURATIONS];
    for (size_t i = 0; i < CONFIGURATIONS; i++) {
        configuration *c = &all[i];
        c->rule = rules[i / NORMS / OPTIMIZERS];
        c->optimizer = optimizers[i / NORMS % OPTIMIZERS];
        c->norm = norms[i % NORMS];
        snprintf(c->name, sizeof c->name, "%s-%s-%s", c->rule, c->optimizer,
                 c->norm);
        tests[i] = (struct CMUnitTest){c->name, configuration_agrees, NULL, NULL,
                                       c};
    }
    return cmocka_run_group_tests_name("golden", tests, open_device, close_device);
}
