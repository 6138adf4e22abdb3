/* What the rules learn on real digits, and how well they align, against an
 * implementation of its own in double precision: 784-200-200-10 tanh, the first 20,000
 * samples, 3 epochs in batches of 64, SGD 0.1 without momentum, weights and fa's
 * feedback by Xavier's law; alignment at the end on the first 1,000 test samples.
 *
 * The four files of MNIST are not ours to give: without them these are skipped. */
#include "learning.h"

#include <string.h>

enum { SEEDS = 3, LAYERS = 2, TRAINED = 20000, MEASURED = 1000 };

static const struct expected {
    const char *rule;
    double accuracy;          /* in percent, within 1.5 */
    double alignment[LAYERS]; /* within 0.08; NAN: not known */
} expected[] = {{"bp", 95.2, {1, 1}},
                {"fa", 94.1, {.58, .55}},
                {"dfa", 93.1, {.59, .34}},
                {"drtp", 90.8, {NAN, NAN}},
                {"shallow", 87.4, {NAN, NAN}}};

static fal_dataset *train, *test, *measured;

/* Beside the sources, else where falign looks anyway. */
static fal_status open_split(fal_dataset **dataset, fal_split split, size_t samples)
{
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    const char *shared = getenv("FALIGN_TEST_SHARED");
    options.samples = samples;
    if (shared) {
        options.folders = &shared;
        options.folder_count = 1;
        if (fal_dataset_open_with(dataset, "mnist", split, &options) == FAL_OK)
            return FAL_OK;
    }
    options.folders = NULL;
    options.folder_count = 0;
    return fal_dataset_open_with(dataset, "mnist", split, &options);
}

static int open_all(void **state)
{
    fal_status status = open_split(&train, FAL_SPLIT_TRAIN, TRAINED);
    if (!status)
        status = open_split(&test, FAL_SPLIT_TEST, 0);
    if (!status)
        status = open_split(&measured, FAL_SPLIT_TEST, MEASURED);
    if (status)
        print_message("skipped: %s\n", fal_error_message());
    return open_device(state);
}

static int close_all(void **state)
{
    fal_dataset_destroy(train);
    fal_dataset_destroy(test);
    fal_dataset_destroy(measured);
    return close_device(state);
}

/* ---- one run ------------------------------------------------------------- */

struct result {
    double accuracy, alignment[LAYERS];
};

static int note_alignment(const fal_metric *metric, void *user)
{
    struct result *sum = user;
    for (size_t l = 0; l < LAYERS; l++)
        if (strcmp(metric->name, "gradient_alignment") == 0 &&
            strcmp(metric->layer, l ? "dense2" : "dense1") == 0)
            sum->alignment[l] += metric->value / SEEDS;
    return 0;
}

static fal_trainer *new_trainer(fal_model **model, const char *rule, uint64_t seed)
{
    fal_model_options shape = FAL_MODEL_OPTIONS;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    fal_trainer *trainer = NULL;
    shape.seed = seed;
    shape.data = train;
    shape.weight_law = "xavier";
    shape.activation = "tanh";
    must(fal_model_create(model, device, "mlp-2x200", &shape));
    options.rule = rule;
    options.optimizer = "sgd";
    options.learning_rate = .1;
    options.momentum = 0;
    options.schedule = "constant";
    options.batch = 64;
    options.feedback_seed = options.data_seed = seed;
    must(fal_trainer_create(&trainer, *model, &options));
    return trainer;
}

static void add_run(struct result *sum, const char *rule, uint64_t seed)
{
    fal_evaluation found = {.size = sizeof found};
    fal_model *model = NULL;
    fal_trainer *trainer = new_trainer(&model, rule, seed);
    must(fal_trainer_fit(trainer, train, NULL, 3, NULL, NULL));
    must(fal_model_evaluate(model, test, NULL, &found));
    must(fal_trainer_measure_dataset(trainer, measured, note_alignment, sum));
    sum->accuracy += 100 * found.accuracy / SEEDS;
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

static void rules_do_as_in_double_precision(void **state)
{
    (void)state;
    if (!measured)
        skip();
    for (size_t r = 0; r < sizeof expected / sizeof *expected; r++) {
        const struct expected *e = &expected[r];
        struct result mean = {0, {0, 0}};
        for (uint64_t seed = 1; seed <= SEEDS; seed++)
            add_run(&mean, e->rule, seed);
        print_message("%-8s %.2f %%, alignment %.3f %.3f\n", e->rule, mean.accuracy,
                      mean.alignment[0], mean.alignment[1]);
        if (!(fabs(mean.accuracy - e->accuracy) <= 1.5))
            fail_msg("%s: accuracy %.2f %%, not %.1f", e->rule, mean.accuracy,
                     e->accuracy);
        for (size_t l = 0; l < LAYERS && !isnan(e->alignment[l]); l++)
            if (!(fabs(mean.alignment[l] - e->alignment[l]) <= .08))
                fail_msg("%s: alignment of layer %zu is %.3f, not %.2f", e->rule,
                         l + 1, mean.alignment[l], e->alignment[l]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_do_as_in_double_precision),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
