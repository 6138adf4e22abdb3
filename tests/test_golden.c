/* Golden runs of dense networks: 72 configurations of rule, optimizer and norm against
 * what PyTorch computed in double; see golden.h. */
#include "golden.h"

enum { RULES = 9, OPTIMIZERS = 4, NORMS = 2 };
enum { CONFIGURATIONS = RULES * OPTIMIZERS * NORMS };

static const char *const rules[RULES] = {"bp",   "fa", "dfa", "usf", "brsf",
                                         "frsf", "kp", "wm",  "drtp"};
static const char *const optimizers[] = {"sgd", "adam", "adamw", "muon"};
static const char *const norms[] = {"none", "batch"};

int main(void)
{
    static golden_run all[CONFIGURATIONS];
    struct CMUnitTest tests[CONFIGURATIONS];
    for (size_t i = 0; i < CONFIGURATIONS; i++) {
        all[i] = (golden_run){.rule = rules[i / NORMS / OPTIMIZERS],
                              .optimizer = optimizers[i / NORMS % OPTIMIZERS],
                              .network = norms[i % NORMS],
                              .batches = "batches",
                              .steps = GOLDEN_SCHEDULE};
        tests[i] = golden_test(&all[i]);
    }
    return cmocka_run_group_tests_name("golden", tests, open_device, close_device);
}
