/* Rules by layer. Oracles: host/reference/network.c in double, where every layer has a
 * rule of its own; and the same run by the trainer's rule alone, bit for bit. What
 * layers with rules measure is test_metrics.c's. */
#include "twin.h"
#include "train/trainer.h"

#include <unistd.h>

static fal_trainer_options plain(const char *rule)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.optimizer = "sgd";
    options.keep_gradients = 1;
    return options;
}

/* ---- mixtures in double -------------------------------------------------- */

/* Bounded, for drtp. */
static const fal_reference_layer odd[] = {
    {.in = 13, .out = 37, .has_bias = 1, .activations = {{FAL_TANH, 0}}},
    {.in = 37,
     .out = 19,
     .norm = FAL_REFERENCE_BATCH,
     .activations = {{FAL_SIGMOID, 0}}},
    {.in = 19,
     .out = 21,
     .has_bias = 1,
     .activations = {{FAL_LEAKY, .25f}, {FAL_TANH, 0}}},
    {.in = 21, .out = 5, .has_bias = 1}};
enum { LAYERS = 4, ROWS = 23 };

static const char *const names[] = {"bp",   "fa",   "dfa", "drtp", "usf",
                                    "brsf", "frsf", "kp",  "wm",   "shallow"};
enum { RULES = sizeof names / sizeof *names };

static size_t below(size_t n)
{
    return (size_t)((uniform() + 1) / 2 * (double)n);
}

/* Of what a layer learns by, if it has no rule of its own. */
static const char *rule_of(const char *const *rules, size_t l, const char *usual)
{
    return rules[l] ? rules[l] : usual;
}

static int is_layered(const char *rule)
{
    return strcmp(rule, "shallow") != 0 && strcmp(rule, "dfa") != 0 &&
           strcmp(rule, "drtp") != 0;
}

/* Whether every layer that has its error from above is handed one. */
static int can_be(const char *const *rules, const char *usual)
{
    for (size_t l = 0; l + 1 < LAYERS; l++)
        if (is_layered(rule_of(rules, l, usual)) &&
            strcmp(rule_of(rules, l + 1, usual), "shallow") == 0)
            return 0;
    return 1;
}

static void check_mixture(const char *const *rules, const char *usual)
{
    twin t = twin_open_mixed(odd, rules, LAYERS, plain(usual),
                             random_arrays(ROWS, 13, 5, 0));
    for (size_t i = 0; i < 2; i++) {
        take_weights(&t);
        take_feedback(&t);
        step(&t);
        expect_same_step(&t, 2e-5);
    }
    twin_close(&t);
}

/* Each row above and below each other, and many at random. */
static void mixtures_are_those_in_double(void **state)
{
    size_t checked = 0;
    (void)state;
    for (size_t a = 0; a < RULES; a++)
        for (size_t b = 0; b < RULES; b++) {
            const char *rules[LAYERS] = {"bp", names[a], names[b], "fa"};
            if (can_be(rules, "bp"))
                check_mixture(rules, "bp");
        }
    for (int i = 0; i < 60; i++) {
        const char *rules[LAYERS], *usual = names[below(RULES)];
        for (size_t l = 0; l < LAYERS; l++)
            rules[l] = below(3) ? names[below(RULES)] : NULL;
        if (!can_be(rules, usual))
            continue;
        check_mixture(rules, usual);
        checked++;
    }
    assert_true(checked > 20);
}

/* ---- the same run -------------------------------------------------------- */

static const char with_rules[] =
    "input 20, dense 33 rule=%s, tanh, dense 24 nobias rule=%s, norm, sigmoid, "
    "dense 5 rule=%s";
static const char without[] =
    "input 20, dense 33, tanh, dense 24 nobias, norm, sigmoid, dense 5";

/* Weights and feedback after a fit. */
static float *fitted(const char *text, fal_trainer_options options,
                     const fal_arrays *arrays, size_t *count)
{
    fal_dataset *data = dataset_of(arrays);
    fal_model *model = model_of(text, 5);
    options.batch = 32;
    fal_trainer *t = trainer_of(model, &options);
    must(fal_trainer_fit(t, data, NULL, 3, NULL, NULL));
    float *all = all_weights(model, count);
    for (size_t i = 0; i < t->feedback_tensors.count; i++) {
        size_t n;
        float *b = trainer_floats(t, t->feedback_tensors.items[i].name, &n);
        all = fal_resize(all, *count + n, sizeof *all);
        assert_non_null(all);
        memcpy(all + *count, b, n * sizeof *b);
        *count += n;
        fal_release(b);
    }
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    return all;
}

static void expect_same_runs(const char *one, fal_trainer_options options,
                             const char *other, fal_trainer_options others)
{
    fal_arrays arrays = random_arrays(150, 20, 5, 0);
    size_t n, m;
    float *a = fitted(one, options, &arrays, &n);
    float *b = fitted(other, others, &arrays, &m);
    assert_int_equal(n, m);
    if (memcmp(a, b, n * sizeof *a) != 0)
        fail_msg("%s by %s and %s by %s differ", one, options.rule, other,
                 others.rule);
    fal_release(a);
    fal_release(b);
    free_arrays(&arrays);
}

static void a_rule_on_every_layer_is_the_trainers(void **state)
{
    (void)state;
    for (size_t r = 0; r < fal_rule_count(); r++)
        for (int keep = 0; keep < 2; keep++) {
            char text[256];
            const char *name = fal_rule_name(r);
            fal_trainer_options all = plain(name), own = plain("bp");
            snprintf(text, sizeof text, with_rules, name, name, name);
            all.optimizer = own.optimizer = "adamw";
            all.keep_gradients = own.keep_gradients = keep;
            expect_same_runs(without, all, text, own);
        }
}

static void regenerated_feedback_makes_the_same_run(void **state)
{
    char text[256];
    (void)state;
    snprintf(text, sizeof text, with_rules, "drtp", "fa", "brsf");
    fal_trainer_options stored = plain("bp"), drawn = plain("bp");
    drawn.feedback = "regenerated";
    expect_same_runs(text, stored, text, drawn);
    snprintf(text, sizeof text, with_rules, "bp", "dfa", "frsf");
    expect_same_runs(text, stored, text, drawn);
}

/* ---- feedback ------------------------------------------------------------ */

static fal_trainer *mixed(fal_model **model, const char *text,
                          const fal_trainer_options *options)
{
    *model = model_of(text, 5);
    return trainer_of(*model, options);
}

static int has_tensor(const fal_trainer *t, const char *name)
{
    size_t shape[4], dimensions;
    return fal_trainer_tensor_shape(t, name, shape, &dimensions) == FAL_OK;
}

/* fa's B of dense2 would hand the error to dense1, which has its own from the output. */
static void feedback_is_where_it_carries_something(void **state)
{
    fal_model *model;
    fal_trainer_options options = plain("fa");
    (void)state;
    fal_trainer *t = mixed(
        &model, "input 20, dense 33 rule=dfa, tanh, dense 24, tanh, dense 5",
        &options);
    assert_true(has_tensor(t, "dense1.feedback"));
    assert_false(has_tensor(t, "dense2.feedback"));
    assert_true(has_tensor(t, "dense3.feedback"));
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    t = mixed(&model,
              "input 20, dense 33 rule=shallow, tanh, dense 24, tanh, dense 5",
              &options);
    assert_false(has_tensor(t, "dense2.feedback"));
    assert_true(has_tensor(t, "dense3.feedback"));
    assert_false(has_tensor(t, "dense1.delta"));
    fal_trainer_destroy(t);
    fal_model_destroy(model);
}

static double largest(fal_trainer *t, const char *name)
{
    size_t n;
    float *b = trainer_floats(t, name, &n);
    double found = 0;
    for (size_t i = 0; i < n; i++)
        found = fmax(found, fabs((double)b[i]));
    fal_release(b);
    return found;
}

/* Each kind of rule has its own default, which the name of the other kind's leaves. */
static void laws_are_of_the_layers_kind(void **state)
{
    static const char *const laws[] = {NULL, "weights", "units", "uniform:0.5"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        fal_model *model;
        fal_trainer_options options = plain("fa");
        options.feedback_law = laws[i];
        fal_trainer *t = mixed(
            &model, "input 20, dense 33 rule=drtp, tanh, dense 24, tanh, dense 5",
            &options);
        double direct = i == 3 ? .5 : 1 / sqrt(33),
               layered = i == 3 ? .5 : 1 / sqrt(24);
        assert_true(largest(t, "dense1.feedback") <= direct);
        assert_true(largest(t, "dense1.feedback") > .9 * direct);
        assert_true(largest(t, "dense3.feedback") <= layered);
        assert_true(largest(t, "dense3.feedback") > .9 * layered);
        fal_trainer_destroy(t);
        fal_model_destroy(model);
    }
}

/* ---- files --------------------------------------------------------------- */

static void the_model_keeps_its_rules(void **state)
{
    char file[] = "/tmp/falign-layer-rules-XXXXXX", text[256];
    fal_model *model, *loaded;
    fal_trainer_options options = plain("bp");
    size_t n;
    (void)state;
    close(mkstemp(file));
    snprintf(text, sizeof text, with_rules, "dfa", "fa", "brsf");
    fal_trainer *t = mixed(&model, text, &options);
    float *b = trainer_floats(t, "dense3.feedback", &n);
    must(fal_trainer_save(t, file));
    must(fal_model_load(&loaded, device, file));
    assert_string_equal(fal_model_network(loaded), fal_model_network(model));
    assert_non_null(strstr(fal_model_network(loaded), "dense 24 nobias rule=fa,"));
    fal_trainer *u = trainer_of(loaded, &options);
    must(fal_trainer_load_feedback(u, file)); /* R of brsf is drawn all the same */
    float *c = trainer_floats(u, "dense3.feedback", &n);
    assert_memory_equal(b, c, n * sizeof *b);
    expect_error(fal_trainer_tensor_set(u, "dense3.feedback", c, n),
                 FAL_ERROR_ARGUMENT, "that is the rule");
    fal_release(b);
    b = trainer_floats(u, "dense1.feedback", &n);
    must(fal_trainer_tensor_set(u, "dense1.feedback", b, n));
    fal_release(b);
    fal_release(c);
    fal_trainer_destroy(t);
    fal_trainer_destroy(u);
    fal_model_destroy(model);
    fal_model_destroy(loaded);
    unlink(file);
}

/* Some steps, a checkpoint, and some more, there and from the checkpoint. */
static void a_resumed_run_comes_to_the_same(void **state)
{
    char text[256];
    fal_arrays arrays = random_arrays(32, 20, 5, 0);
    fal_trainer_options options = plain("usf");
    fal_model *one, *other;
    size_t size;
    (void)state;
    options.batch = 32;
    options.schedule = "constant";
    snprintf(text, sizeof text, with_rules, "fa", "drtp", "brsf");
    fal_trainer *t = mixed(&one, text, &options),
                *u = mixed(&other, text, &options);
    for (int i = 0; i < 3; i++)
        must(fal_trainer_step(t, &arrays, NULL));
    must(fal_trainer_checkpoint_bytes(t, NULL, 0, &size));
    unsigned char *bytes = room(size, 1);
    must(fal_trainer_checkpoint_bytes(t, bytes, size, NULL));
    must(fal_trainer_resume_bytes(u, bytes, size));
    for (int i = 0; i < 3; i++) {
        must(fal_trainer_step(t, &arrays, NULL));
        must(fal_trainer_step(u, &arrays, NULL));
    }
    expect_equal_models(one, other);
    fal_trainer_destroy(u);
    fal_model_destroy(other);
    snprintf(text, sizeof text, with_rules, "fa", "dfa", "brsf");
    u = mixed(&other, text, &options);
    expect_error(
        fal_trainer_resume_bytes(u, bytes, size), FAL_ERROR_ARGUMENT,
        "dense2=dense 24 nobias rule=drtp, this run dense2=dense 24 nobias "
        "rule=dfa");
    fal_trainer_destroy(u);
    fal_model_destroy(other);
    fal_trainer_destroy(t);
    fal_model_destroy(one);
    fal_release(bytes);
    free_arrays(&arrays);
}

/* ---- refusals ------------------------------------------------------------ */

static void refuse(const char *text, const char *rule, const char *law,
                   const char *part)
{
    fal_trainer_options options = plain(rule);
    fal_model *model = model_of(text, 1);
    fal_trainer *t = NULL;
    options.feedback_law = law;
    expect_error(fal_trainer_create(&t, model, &options), FAL_ERROR_ARGUMENT, part);
    assert_null(t);
    fal_model_destroy(model);
}

static void mixtures_without_a_meaning_are_refused(void **state)
{
    (void)state;
    refuse(
        "input 4, dense 3, tanh, dense 3 rule=shallow, tanh, dense 2", "bp", NULL,
        "rule bp, layer dense1: no error reaches it, for dense2 above has the rule "
        "shallow and hands none down; give dense1 the rule shallow or a direct "
        "one");
    refuse("input 4, dense 3 rule=fa, tanh, dense 2", "shallow", NULL,
           "rule fa, layer dense1: no error reaches it, for dense2");
    refuse("input 4, dense 3, relu, dense 3 rule=drtp, relu, dense 2", "fa", NULL,
           "rule drtp, layer dense2: relu2 (relu)");
    refuse("input 4, dense 3 rule=fa, relu, dense 2 rule=usf", "bp", "units",
           "feedback law 'units' is not for layer-to-layer rules");
    refuse("input 4, dense 3 rule=dfa, relu, dense 2 rule=bp", "bp", "weights",
           "feedback law 'weights' is not for direct rules");
    refuse("input 4, dense 3 rule=bp, relu, dense 2 rule=bp", "fa", "xavier",
           "feedback law 'xavier': no layer learns by the rule fa");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixtures_are_those_in_double),
        cmocka_unit_test(a_rule_on_every_layer_is_the_trainers),
        cmocka_unit_test(regenerated_feedback_makes_the_same_run),
        cmocka_unit_test(feedback_is_where_it_carries_something),
        cmocka_unit_test(laws_are_of_the_layers_kind),
        cmocka_unit_test(the_model_keeps_its_rules),
        cmocka_unit_test(a_resumed_run_comes_to_the_same),
        cmocka_unit_test(mixtures_without_a_meaning_are_refused),
    };
    return cmocka_run_group_tests_name("layer rules", tests, open_device,
                                       close_device);
}
