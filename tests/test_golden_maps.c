/* Golden runs of convolutional and residual networks against what PyTorch computed in
 * double, see golden.h: small ones at odd sizes. */
#include "golden.h"

enum { STEPS = 8, RULES = 5, NETWORKS = 3, MORE = 5 };
enum { RUNS = 2 * RULES * NETWORKS + MORE };

static const char *const rules[RULES] = {"bp", "fa", "usf", "dfa", "kp"};
static const char *const networks[] = {"lenet", "cnn4", "residual"};
static const char *const batches[] = {"batches-lenet", "batches-cnn4",
                                      "batches-residual"};

/* What the others leave out. */
static const golden_run more[MORE] = {
    {"dfa", "sgd", "residual-channel", "channel", "batches-residual", STEPS, ""},
    {"bp", "sgd", "zeropad", NULL, "batches-zeropad", STEPS, ""},
    {"fa", "muon", "zeropad", NULL, "batches-zeropad", STEPS, ""},
    {"dfa", "sgd", "zeropad", NULL, "batches-zeropad", STEPS, ""},
    {"dfa", "sgd", "zeropad-channel", "channel", "batches-zeropad", STEPS, ""},
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

int main(void)
{
    static golden_run runs[RUNS];
    struct CMUnitTest tests[RUNS];
    list_runs(runs);
    for (size_t i = 0; i < RUNS; i++)
        tests[i] = golden_test(&runs[i]);
    return cmocka_run_group_tests_name("golden_maps", tests, open_device,
                                       close_device);
}
