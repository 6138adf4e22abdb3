/* Golden runs of convolutional and residual networks against what PyTorch computed in
 * double, see golden.h: small ones at odd sizes; and one step of each preset, of whose
 * gradients norms and products with vectors of signs are recorded. `test_golden_maps
 * EVERY` takes only every so manieth of the first, `test_golden_maps NAME` one, for
 * devices on which programs take long to compile. */
#include "golden.h"

#include <ctype.h>

enum { STEPS = 8, RULES = 6, NETWORKS = 3, MORE = 23 };
enum { RUNS = 2 * RULES * NETWORKS + MORE };

static const char *const rules[RULES] = {"bp", "fa", "usf", "dfa", "kp", "wm"};
static const char *const networks[] = {"lenet", "cnn4", "residual"};
static const char *const batches[] = {"batches-lenet", "batches-cnn4",
                                      "batches-residual"};

/* What the others leave out. */
static const golden_run more[MORE] = {
    {"dfa", "sgd", "residual-channel", "channel", "batches-residual", STEPS, ""},
    {"bp", "sgd", "zeropad", NULL, "batches-zeropad", STEPS, ""},
    {"fa", "muon", "zeropad", NULL, "batches-zeropad", STEPS, ""},
    {"wm", "sgd", "zeropad", NULL, "batches-zeropad", STEPS, ""},
    {"dfa", "sgd", "zeropad", NULL, "batches-zeropad", STEPS, ""},
    {"dfa", "sgd", "zeropad-channel", "channel", "batches-zeropad", STEPS, ""},
    {"bp", "sgd", "nested", NULL, "batches-nested", STEPS, ""},
    {"fa", "sgd", "nested", NULL, "batches-nested", STEPS, ""},
    {"dfa", "sgd", "nested", NULL, "batches-nested", STEPS, ""},
    {"drtp", "sgd", "bounded", NULL, "batches-bounded", STEPS, ""},
    {"drtp", "muon", "bounded", NULL, "batches-bounded", STEPS, ""},
    {"drtp", "sgd", "bounded-channel", "channel", "batches-bounded", STEPS, ""},
    {"bp", "sgd", "mixed", NULL, "batches-mixed", STEPS, ""},
    {"bp", "sgd", "mixed-channel", "channel", "batches-mixed", STEPS, ""},
    {"fa", "sgd", "mixed", NULL, "batches-mixed", STEPS, ""},
    {"fa", "sgd", "mixed-channel", "channel", "batches-mixed", STEPS, ""},
    {"dfa", "sgd", "mixed", NULL, "batches-mixed", STEPS, ""},
    {"dfa", "sgd", "mixed-channel", "channel", "batches-mixed", STEPS, ""},
    {"bp", "sgd", "handed", NULL, "batches-handed", STEPS, ""},
    {"fa", "sgd", "preact", NULL, "batches-preact", STEPS, ""},
    {"dfa", "sgd", "preact", NULL, "batches-preact", STEPS, ""},
    {"dfa", "muon", "preact", NULL, "batches-preact", STEPS, ""},
    {"kp", "muon", "handed-channel", "channel", "batches-handed", STEPS, ""},
};

static void list_runs(golden_run all[RUNS])
{
    for (size_t i = 0; i < RUNS - MORE; i++)
        all[i] = (golden_run){.rule = rules[i / NETWORKS / 2],
                              .optimizer = i / NETWORKS % 2 ? "muon" : "sgd",
                              .network = networks[i % NETWORKS],
                              .batches = batches[i % NETWORKS],
                              .steps = STEPS};
    memcpy(all + RUNS - MORE, more, sizeof more);
}

/* ---- presets ------------------------------------------------------------- */

enum { CLASSES = 10, ROWS = 2, NORM = 0, APART, PROBES, NUMBERS = 5 };

typedef struct preset {
    const char *name;
    size_t side, channels;
    const char *rule;
    char test[32];
} preset;

static const preset presets[] = {{"lenet", 28, 1, NULL, ""},
                                 {"lenet", 32, 3, NULL, ""},
                                 {"cnn4", 32, 3, NULL, ""},
                                 {"resnet20", 32, 3, NULL, ""}};
static const char *const preset_rules[] = {"bp", "fa", "dfa"};
enum { PRESETS = 3 * sizeof presets / sizeof *presets };

/* +1 or -1, by a number's place. */
static double sign_of(size_t place, unsigned probe)
{
    static const unsigned shifts[] = {15, 12, 15};
    static const uint32_t factors[] = {0x2C1B3C6D, 0x297A2D39, 1};
    uint32_t h = (uint32_t)place * 0x9E3779B1u + probe * 0x85EBCA77u;
    for (int i = 0; i < 3; i++)
        h = (h ^ h >> shifts[i]) * factors[i];
    return h & 1 ? -1 : 1;
}

/* An error of norm r changes a product with signs by r, as a deviation, not a bound. */
static void expect_probes(const preset *p, const fal_tensor_view *view,
                          const float *found, size_t n)
{
    float expected[NUMBERS];
    assert_int_equal(view->count, NUMBERS);
    memcpy(expected, view->data, sizeof expected);
    double apart = fmax(5e-6, 4 * (double)expected[APART]);
    double limit = 4 * apart * (double)expected[NORM];
    double off = fabs(norm_of(found, n) - (double)expected[NORM]);
    for (unsigned probe = 0; probe < NUMBERS - PROBES; probe++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += sign_of(i, probe) * (double)found[i];
        off = fmax(off, fabs(sum - (double)expected[PROBES + probe]));
    }
    if (!(off <= limit))
        fail_msg("%s %zu, %s: %s is %g off, %g allowed", p->name, p->side, p->rule,
                 view->name, off, limit);
}

static void expect_recorded(const preset *p, const fal_safetensors *record,
                            const char *name, const float *found, size_t n)
{
    char full[128];
    snprintf(full, sizeof full, "%s-%zux%zux%zu/%s/%s", p->name, p->side, p->side,
             p->channels, p->rule, name);
    const fal_tensor_view *view = fal_safetensors_find(record, full);
    if (!view)
        fail_msg("%s is not recorded", full);
    expect_probes(p, view, found, n);
}

static fal_arrays arrays_of(const preset *p)
{
    noise = 1;
    fal_arrays arrays = random_arrays(ROWS, p->side * p->side * p->channels,
                                      CLASSES, 0);
    arrays.height = arrays.width = p->side;
    arrays.channels = p->channels;
    return arrays;
}

static void expect_gradients(const preset *p, const fal_safetensors *record,
                             fal_model *model, fal_trainer *trainer)
{
    for (size_t i = 0; i < fal_model_tensor_count(model); i++) {
        const char *name = fal_model_tensor_name(model, i);
        char gradient[128];
        size_t n;
        if (strstr(name, ".running_"))
            continue;
        snprintf(gradient, sizeof gradient, "%s.gradient", name);
        float *found = trainer_floats(trainer, gradient, &n);
        expect_recorded(p, record, name, found, n);
        fal_release(found);
    }
}

static void preset_agrees(void **state)
{
    const preset *p = *state;
    fal_safetensors *record = open_record("presets");
    fal_arrays arrays = arrays_of(p);
    fal_dataset *data = dataset_of(&arrays);
    fal_model_options shape = FAL_MODEL_OPTIONS;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    fal_model *model = NULL;
    double loss;
    shape.data = data;
    must(fal_model_create(&model, device, p->name, &shape));
    options.rule = p->rule;
    options.optimizer = "sgd";
    options.schedule = "constant";
    options.batch = ROWS;
    options.keep_gradients = 1;
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_step(trainer, &arrays, &loss));
    const float found = (float)loss;
    expect_recorded(p, record, "loss", &found, 1);
    expect_gradients(p, record, model, trainer);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
    fal_safetensors_close(record);
}

static struct CMUnitTest preset_test(preset *p, size_t number)
{
    *p = presets[number / 3];
    p->rule = preset_rules[number % 3];
    snprintf(p->test, sizeof p->test, "%s-%zu-%s", p->name, p->side, p->rule);
    return (struct CMUnitTest){p->test, preset_agrees, NULL, NULL, p};
}

/* 1: every so manieth has each rule, optimizer and network; a choice may leave none
 * out. */
static int has_all(size_t every)
{
    unsigned seen = 0;
    for (size_t i = 0; i < RUNS - MORE; i += every)
        seen |= 1u << i / NETWORKS / 2 | 1u << (RULES + i / NETWORKS % 2) |
                1u << (RULES + 2 + i % NETWORKS);
    return seen == (1u << (RULES + 2 + NETWORKS)) - 1;
}

int main(int argc, char **argv)
{
    static golden_run runs[RUNS];
    static preset all[PRESETS];
    struct CMUnitTest tests[RUNS + PRESETS];
    const char *only = argc > 1 && !isdigit((unsigned char)*argv[1]) ? argv[1]
                                                                     : NULL;
    size_t every = argc > 1 && !only ? (size_t)atoi(argv[1]) : 1, count = 0;
    if (every < 1 || !has_all(every)) {
        fprintf(stderr, "golden_maps: %s leaves out a kind of run\n", argv[1]);
        return 1;
    }
    list_runs(runs);
    for (size_t i = 0; i < (every > 1 ? RUNS - MORE : RUNS); i += every) {
        tests[count] = golden_test(&runs[i]);
        count += !only || strcmp(only, runs[i].name) == 0;
    }
    for (size_t i = 0; i < PRESETS && every == 1 && !only; i++)
        tests[count++] = preset_test(&all[i], i);
    if (count == 0) {
        fprintf(stderr, "golden_maps: no run '%s'\n", only);
        return 1;
    }
    return _cmocka_run_group_tests("golden_maps", tests, count, open_device,
                                   close_device);
}
