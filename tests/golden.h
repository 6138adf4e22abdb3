/* Golden runs: what PyTorch computed in double (tests/interop/golden.py and
 * golden_maps.py, which share nothing with the library; tests/golden has their files).
 * From recorded states one step: gradients and changes. And a free run, no further from
 * double than PyTorch's own in float32. */
#ifndef FAL_TEST_GOLDEN_H
#define FAL_TEST_GOLDEN_H

#include "learning.h"
#include "files/safetensors.h"
#include "train/trainer.h"

enum { GOLDEN_SCHEDULE = 20 }; /* steps; a free run may end before */

typedef struct golden_run {
    const char *rule, *optimizer;
    const char *network; /* as files are called */
    const char *form;    /* of direct feedback on maps; NULL: the default */
    const char *batches; /* a file */
    unsigned steps;      /* of the free run */
    char name[64];
} golden_run;

/* Model and trainer of a configuration, and its recorded run. */
typedef struct golden {
    const golden_run *what;
    fal_safetensors *record, *batches, *start;
    fal_model *model;
    fal_trainer *trainer;
} golden;

/* ---- recorded tensors ---------------------------------------------------- */

static inline fal_safetensors *open_record(const char *name)
{
    char path[512];
    fal_safetensors *file = NULL;
    snprintf(path, sizeof path, "%s/%s.safetensors", getenv("FALIGN_GOLDEN"), name);
    must(fal_safetensors_open(&file, path));
    return file;
}

/* "3/dense1.weight" with `what` behind it; NULL: it has none. */
static inline const fal_tensor_view *
find_recorded(const golden *g, unsigned step, const char *name, const char *what)
{
    char full[128];
    snprintf(full, sizeof full, "%u/%s%s", step, name, what);
    return fal_safetensors_find(g->record, full);
}

static inline float *recorded(const golden *g, unsigned step, const char *name,
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

/* The start's tensor `i` if it is feedback, else NULL. */
static inline const char *feedback_name(const golden *g, size_t i)
{
    const char *name = fal_safetensors_at(g->start, i)->name;
    const char *dot = strrchr(name, '.');
    return strcmp(dot, ".feedback") == 0 ? name : NULL;
}

/* Recorded inputs [steps …][numbers], labels [steps][rows]; free_arrays. */
static inline fal_arrays batch_of(const golden *g, size_t step)
{
    const fal_tensor_view *inputs = fal_safetensors_find(g->batches, "inputs");
    const fal_tensor_view *labels = fal_safetensors_find(g->batches, "labels");
    fal_model_info info = {.size = sizeof info};
    fal_arrays arrays = FAL_ARRAYS;
    must(fal_model_describe(g->model, &info));
    assert_true(inputs && labels && labels->type == FAL_TENSOR_U8);
    arrays.count = labels->shape[1];
    arrays.height = info.height;
    arrays.width = info.width;
    arrays.channels = info.channels;
    arrays.classes = info.outputs;
    size_t floats = arrays.count * info.height * info.width * info.channels;
    assert_int_equal(inputs->count, labels->shape[0] * floats);
    float *values = room(floats, sizeof *values);
    int32_t *classes = room(arrays.count, sizeof *classes);
    memcpy(values, inputs->data + step * floats * sizeof *values,
           floats * sizeof *values);
    for (size_t i = 0; i < arrays.count; i++)
        classes[i] = labels->data[step * arrays.count + i];
    arrays.inputs = values;
    arrays.labels = classes;
    return arrays;
}

static inline void one_step(golden *g, size_t step)
{
    fal_arrays arrays = batch_of(g, step);
    double loss;
    must(fal_trainer_step(g->trainer, &arrays, &loss));
    free_arrays(&arrays);
}

/* ---- states -------------------------------------------------------------- */

/* Model and trainer as they were at the start. */
static inline void begin(golden *g, int keep_gradients)
{
    const char *path = fal_safetensors_path(g->start);
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = g->what->rule;
    options.optimizer = g->what->optimizer;
    options.dfa_conv = g->what->form;
    options.weight_decay = .01;
    options.batch = fal_safetensors_find(g->batches, "labels")->shape[1];
    options.steps = GOLDEN_SCHEDULE;
    options.keep_gradients = keep_gradients;
    must(fal_model_load(&g->model, device, path));
    g->trainer = trainer_of(g->model, &options);
    must(fal_trainer_load_feedback(g->trainer, path));
}

static inline void end(golden *g)
{
    fal_trainer_destroy(g->trainer);
    fal_model_destroy(g->model);
}

/* What the optimizer keeps of a parameter, as far as it was recorded. */
static inline void put_kept(const golden *g, unsigned step, const char *name,
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

/* kp's and wm's feedback learns; it is recorded as weights are, to the end. */
static inline int is_learnt(const golden *g, const char *feedback)
{
    return find_recorded(g, g->what->steps, feedback, "") != NULL;
}

static inline void put_feedback(const golden *g, unsigned step)
{
    for (size_t i = 0; i < fal_safetensors_count(g->start); i++) {
        const char *name = feedback_name(g, i);
        if (!name || !is_learnt(g, name))
            continue;
        size_t n = fal_safetensors_at(g->start, i)->count;
        float *values = recorded(g, step, name, "", n);
        must(fal_trainer_tensor_set(g->trainer, name, values, n));
        fal_release(values);
    }
}

/* The state in which `step` updates are done, each with a mirror step behind it. */
static inline void put_state(golden *g, unsigned step)
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
static inline void expect_same_feedback(const golden *g, unsigned step)
{
    for (size_t i = 0; i < fal_safetensors_count(g->start); i++) {
        const char *name = feedback_name(g, i);
        size_t n;
        if (!name || strcmp(g->what->rule, "brsf") != 0)
            continue;
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

static inline double norm_of(const float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

/* Of the change of weights, beside what float32 loses when it stores them. */
static inline double change_bound(const golden_run *c)
{
    if (strcmp(c->optimizer, "muon") == 0)
        return 1e-3;
    return strcmp(c->optimizer, "sgd") == 0 ? 1e-5 : 1e-4;
}

static inline void expect_gradient(const golden *g, unsigned step, const char *name)
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

/* What evaluation makes of the batch, where it is recorded. */
static inline void expect_outputs(const golden *g, unsigned step)
{
    if (!find_recorded(g, step, "outputs", ""))
        return;
    fal_arrays arrays = batch_of(g, step);
    size_t n = arrays.count * arrays.classes;
    float *expected = recorded(g, step, "outputs", "", n);
    float *found = room(n, sizeof *found);
    must(fal_model_predict(g->model, arrays.inputs, FAL_FLOATS, arrays.count,
                           found));
    double limit = 5e-6 * norm_of(expected, n);
    for (size_t i = 0; i < n; i++)
        found[i] -= expected[i];
    if (!(norm_of(found, n) <= limit))
        fail_msg("%s, step %u: outputs are %g off, %g allowed", g->what->name, step,
                 norm_of(found, n), limit);
    fal_release(found);
    fal_release(expected);
    free_arrays(&arrays);
}

/* `found`: `n` numbers after the step, which are released. */
static inline void expect_change(const golden *g, unsigned step, const char *name,
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

/* Calls `visit` with all that learns or is counted: the model's tensors, and feedback
 * that learns; it releases the numbers. */
static inline void visit_tensors(golden *g, void *user,
                                 void (*visit)(golden *g, const char *name,
                                               float *found, size_t n, void *user))
{
    size_t n;
    for (size_t i = 0; i < fal_model_tensor_count(g->model); i++) {
        const char *name = fal_model_tensor_name(g->model, i);
        float *found = model_floats(g->model, name, &n);
        visit(g, name, found, n, user);
    }
    for (size_t i = 0; i < fal_safetensors_count(g->start); i++) {
        const char *name = feedback_name(g, i);
        if (!name || !is_learnt(g, name))
            continue;
        float *found = trainer_floats(g->trainer, name, &n);
        visit(g, name, found, n, user);
    }
}

/* `user`: the step that was made, and whether gradients were kept. */
static inline void expect_tensor(golden *g, const char *name, float *found,
                                 size_t n, void *user)
{
    const unsigned *step = user;
    if (step[1] && find_recorded(g, step[0], name, ".gradient"))
        expect_gradient(g, step[0], name);
    expect_change(g, step[0], name, found, n);
}

/* From a recorded state one step. Where gradients are not kept, products make the
 * update of most optimizers themselves. */
static inline void step_agrees(golden *g, unsigned step, int keep_gradients)
{
    unsigned user[] = {step, (unsigned)keep_gradients};
    begin(g, keep_gradients);
    put_state(g, step);
    expect_same_feedback(g, step);
    expect_outputs(g, step);
    one_step(g, step);
    visit_tensors(g, user, expect_tensor);
    end(g);
}

/* Adds the squares of what a tensor is off its recorded last state, and of that. */
static inline void add_distance(golden *g, const char *name, float *found, size_t n,
                                void *user)
{
    double *sums = user;
    float *expected = recorded(g, g->what->steps, name, "", n);
    sums[1] += pow(norm_of(expected, n), 2);
    for (size_t i = 0; i < n; i++)
        found[i] -= expected[i];
    sums[0] += pow(norm_of(found, n), 2);
    fal_release(found);
    fal_release(expected);
}

static inline void free_run_agrees(golden *g)
{
    const char *own = fal_safetensors_metadata(g->record, "float32_distance");
    double sums[2] = {0, 0};
    assert_non_null(own);
    double limit = 4 * strtod(own, NULL) + 1e-6;
    begin(g, 0);
    for (size_t step = 0; step < g->what->steps; step++)
        one_step(g, step);
    visit_tensors(g, sums, add_distance);
    double found = sqrt(sums[0] / sums[1]);
    if (!(found <= limit))
        fail_msg("%s: free run is %g off, %g allowed", g->what->name, found, limit);
    end(g);
}

static inline int has_state(const golden *g, unsigned step)
{
    char prefix[16];
    int length = snprintf(prefix, sizeof prefix, "%u/", step);
    for (size_t i = 0; i < fal_safetensors_count(g->record); i++)
        if (strncmp(fal_safetensors_at(g->record, i)->name, prefix,
                    (size_t)length) == 0)
            return 1;
    return 0;
}

static inline void golden_run_agrees(void **state)
{
    golden g = {.what = *state};
    char name[96];
    unsigned states = 0;
    snprintf(name, sizeof name, "start-%s-%s", g.what->rule, g.what->network);
    g.start = open_record(name);
    g.record = open_record(g.what->name);
    g.batches = open_record(g.what->batches);
    for (unsigned step = 0; step < g.what->steps; step++)
        if (has_state(&g, step)) {
            step_agrees(&g, step, 0);
            step_agrees(&g, step, 1);
            states++;
        }
    assert_true(states > 0);
    free_run_agrees(&g);
    fal_safetensors_close(g.start);
    fal_safetensors_close(g.record);
    fal_safetensors_close(g.batches);
}

/* Gives a run its name, and describes its test. */
static inline struct CMUnitTest golden_test(golden_run *run)
{
    snprintf(run->name, sizeof run->name, "%s-%s-%s", run->rule, run->optimizer,
             run->network);
    return (struct CMUnitTest){run->name, golden_run_agrees, NULL, NULL, run};
}

#endif
