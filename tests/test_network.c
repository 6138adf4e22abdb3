/* The network's text: names, presets, the complete text, every refusal; which
 * layers a rule freezes. No device. */
#include "learn/rule.h"
#include "network_texts.h"

static const fal_network_defaults digits = {.input = {28, 28, 1}, .outputs = 10};

static void expect_text(const char *text, const fal_network_defaults *defaults,
                        const char *complete)
{
    fal_network network, again;
    if (fal_network_parse(&network, text, defaults))
        fail_msg("'%s': %s", text, fal_error_message());
    assert_string_equal(network.text, complete);
    /* the complete text needs nothing and means the same */
    assert_int_equal(fal_network_parse(&again, network.text, &nothing), FAL_OK);
    assert_string_equal(again.text, complete);
    assert_int_equal(again.count, network.count);
    assert_int_equal(again.weights, network.weights);
    assert_int_equal(again.outputs, network.outputs);
    for (size_t i = 0; i < network.count; i++) {
        assert_ptr_equal(again.layers[i].kind, network.layers[i].kind);
        assert_int_equal(again.layers[i].outputs, network.layers[i].outputs);
        assert_int_equal(again.layers[i].has_bias, network.layers[i].has_bias);
        assert_ptr_equal(again.layers[i].rule, network.layers[i].rule);
        assert_memory_equal(&again.layers[i].activation,
                            &network.layers[i].activation, sizeof(fal_activation));
    }
    fal_network_release(&network);
    fal_network_release(&again);
}

static void complete_texts_say_everything(void **state)
{
    (void)state;
    expect_text("input 5, dense 3", &nothing, "input 5, dense1=dense 3");
    expect_text("input 5,dense 4,relu,dense 3 nobias", &nothing,
                "input 5, dense1=dense 4, relu1=relu, dense2=dense 3 nobias");
    expect_text(" input\t2x3x4 ,\n a-B_1 = dense  7 nobias , leaky, leaky .5 ,"
                "tanh, x=sigmoid, linear, dense 2, linear ",
                &nothing,
                "input 2x3x4, a-B_1=dense 7 nobias, leaky1=leaky 0.00999999978, "
                "leaky2=leaky 0.5, tanh1=tanh, x=sigmoid, linear1=linear, "
                "dense2=dense 2, linear2=linear");
    expect_text("dense 3", &digits, "input 28x28x1, dense1=dense 3");
    expect_text("input 784, dense 3", &digits, "input 784, dense1=dense 3");
    expect_text("input 28x28x1, relu, dense 3", &digits,
                "input 28x28x1, relu1=relu, dense1=dense 3");
    expect_text("input 1x1x9, dense 2147483647", &nothing,
                "input 9, dense1=dense 2147483647");
}

static void layers_have_rules(void **state)
{
    fal_network n, other;
    (void)state;
    expect_text(
        "input 5, dense 4  rule=fa, tanh, b = dense 3 rule=bp nobias,"
        "rule=dense 7, dense 2\trule=dfa",
        &nothing,
        "input 5, dense1=dense 4 rule=fa, tanh1=tanh, b=dense 3 nobias rule=bp, "
        "rule=dense 7, dense4=dense 2 rule=dfa");
    must_parse(&n, "input 5, dense 4 rule=drtp, tanh, dense 3");
    assert_string_equal(n.layers[0].rule->name, "drtp");
    assert_null(n.layers[2].rule);
    must_parse(&other, "input 5, dense 4, tanh, dense 3 rule=usf");
    assert_int_equal(fal_network_take_rules(&n, &other), FAL_OK);
    assert_string_equal(n.text, other.text);
    fal_network_release(&n);
    fal_network_release(&other);
}

static void presets_are_filled(void **state)
{
    fal_network_defaults d = digits;
    (void)state;
    expect_text("mlp-1x64", &d,
                "input 28x28x1, dense1=dense 64, relu1=relu, dense2=dense 10");
    d.activation = "leaky 0.25";
    d.no_bias = 1;
    expect_text("mlp-2x8", &d,
                "input 28x28x1, dense1=dense 8 nobias, leaky1=leaky 0.25, "
                "dense2=dense 8 nobias, leaky2=leaky 0.25, dense3=dense 10 nobias");
    d = digits;
    d.norm = "batch";
    expect_text("mlp-1x64", &d,
                "input 28x28x1, dense1=dense 64, norm1=norm, relu1=relu, "
                "dense2=dense 10");
    d.norm = "layer";
    expect_text("mlp-1x64", &d,
                "input 28x28x1, dense1=dense 64, norm1=norm layer, relu1=relu, "
                "dense2=dense 10");
    expect_text("dense 3", &d, "input 28x28x1, dense1=dense 3");
    d.norm = "none";
    expect_text("mlp-1x64", &d,
                "input 28x28x1, dense1=dense 64, relu1=relu, dense2=dense 10");
}

static void norms_belong_to_the_layer_below(void **state)
{
    fal_network n;
    (void)state;
    expect_text(
        "input 5, norm plain, dense 4, norm, tanh, norm layer, dense 3 "
        "nobias, norm  layer\tplain, relu, dense 2",
        &nothing,
        "input 5, norm1=norm plain, dense1=dense 4, norm2=norm, tanh1=tanh, "
        "norm3=norm layer, dense2=dense 3 nobias, norm4=norm layer plain, "
        "relu1=relu, dense3=dense 2");
    assert_int_equal(fal_network_parse(&n,
                                       "input 5, norm plain, dense 4, norm, tanh, "
                                       "norm layer, relu, relu, dense 2",
                                       &nothing),
                     FAL_OK);
    static const unsigned blocks[] = {0, 1, 1, 1, 1, 1, 1, 2};
    static const int fused[] = {0, 0, 0, 1, 0, 1, 0, 0};
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(n.layers[i].block, blocks[i]);
        assert_int_equal(n.layers[i].fused, fused[i]);
        assert_int_equal(n.layers[i].number, i == 1 ? 1 : i == 7 ? 2 : 0);
    }
    assert_int_equal(fal_network_parameters(&n), 5 * 4 + 4 + 8 + 8 + 4 * 2 + 2);
    assert_int_equal(fal_network_check_rows(&n, 2), FAL_OK);
    assert_int_equal(fal_network_check_rows(&n, 1), FAL_ERROR_ARGUMENT);
    fal_network_release(&n);
    /* images have more than one value a channel */
    assert_int_equal(
        fal_network_parse(&n, "input 2x2x3, norm plain, dense 4", &nothing),
        FAL_OK);
    assert_int_equal(n.layers[0].outputs, 3);
    assert_int_equal(fal_network_check_rows(&n, 1), FAL_OK);
    fal_network_release(&n);
}

static void shapes_and_numbers_are_found(void **state)
{
    fal_network n;
    (void)state;
    assert_int_equal(fal_network_parse(&n,
                                       "input 2x3x4, tanh, a=dense 7 nobias, relu, "
                                       "relu, b=dense 5, linear",
                                       &nothing),
                     FAL_OK);
    assert_int_equal(n.weights, 2);
    assert_int_equal(n.outputs, 5);
    assert_int_equal(fal_network_parameters(&n), 24 * 7 + 7 * 5 + 5);
    const fal_layer *a = fal_network_weight_layer(&n, 1);
    const fal_layer *b = fal_network_weight_layer(&n, 2);
    assert_string_equal(a->name, "a");
    assert_int_equal(a->inputs, 24);
    assert_int_equal(a->outputs, 7);
    assert_int_equal(a->has_bias, 0);
    assert_int_equal(fal_network_index(&n, b), 4);
    assert_int_equal(b->inputs, 7);
    assert_null(fal_network_weight_layer(&n, 0));
    assert_null(fal_network_weight_layer(&n, 3));
    /* only right behind weights is an activation part of the product */
    assert_int_equal(n.layers[0].fused, 0);
    assert_int_equal(n.layers[2].fused, 1);
    assert_int_equal(n.layers[3].fused, 0);
    fal_network_release(&n);
}

static void wrong_rules_are_refused(void **state)
{
    (void)state;
    expect_refused("input 5, dense 4 rule=faa", &nothing,
                   "item 2 'dense 4 rule=faa'",
                   "unknown rule 'faa'; known: bp, fa, dfa");
    expect_refused("input 5, dense 4 rule=", &nothing, "unknown rule ''",
                   "known: bp");
    expect_refused("input 5, dense 4 rule=fa rule=bp", &nothing,
                   "second rule, 'rule=bp'", "keep one");
    expect_refused("input 5, dense 4, tanh rule=fa, dense 2", &nothing,
                   "'tanh rule=fa'", "tanh has no weight matrix");
    expect_refused("input 5, dense 4, norm rule=fa, dense 2", &nothing, "item 3",
                   "norm has no weight matrix");
    expect_refused("input 5, dense 4 rules=fa", &nothing, "'dense 4 rules=fa'",
                   "or '=' in rule=NAME behind the kind");
    expect_refused("input 5, dense 4 rule = fa", &nothing, "'dense 4 rule = fa'",
                   "rule=NAME behind the kind");
}

static void wrong_norms_are_refused(void **state)
{
    fal_network_defaults d = digits;
    (void)state;
    expect_refused("input 5, dense 4, norm batch, dense 3", &nothing,
                   "item 3 'norm batch'", "'batch' is not known here");
    expect_refused("input 5, dense 4, norm plain layer, dense 3", &nothing,
                   "item 3", "'layer' is not known here");
    expect_refused("input 5, norm, dense 3", &nothing, "layer norm1",
                   "make it plain");
    expect_refused("input 5, dense 3, norm", &nothing, "layer norm1",
                   "output layer");
    d.norm = "bach";
    expect_refused("mlp-1x8", &d, "unknown norm 'bach'", "did you mean 'batch'?");
}

static void unknown_layers_get_the_nearest(void **state)
{
    (void)state;
    expect_refused(
        "input 5, dens 3", &nothing, "item 2 'dens 3'",
        "unknown layer 'dens'; known: input, dense, conv, norm, relu, leaky, "
        "tanh, sigmoid, linear, scale, pool, flatten, dropout, block; did you "
        "mean 'dense'?");
    expect_refused("input 5, dense 4, rellu, dense 3", &nothing, "item 3",
                   "'relu'?");
    expect_refused("DENSE 3", &digits, "item 1", "unknown layer 'DENSE'");
    expect_refused("mlp", &digits, "network 'mlp'", "the preset is mlp-LxW");
    expect_refused("mlp2", &digits, "network 'mlp2'", "the preset is mlp-LxW");
    expect_refused("input 5, dense 3; relu", &nothing, "item 2", "'relu'");
}

static void bad_sizes_are_refused(void **state)
{
    static const char *const sizes[] = {
        "0",   "-1", "x",    "3.5",  "2147483648", "99999999999999999999",
        "1e3", "+3", "0x10", "12abc"};
    char text[128];
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(text, sizeof text, "input 5, dense %s", sizes[i]);
        expect_refused(text, &nothing, sizes[i],
                       "whole number from 1 to 2147483647");
        snprintf(text, sizeof text, "input %s, dense 5", sizes[i]);
        expect_refused(text, &nothing, "input", "must be");
        snprintf(text, sizeof text, "mlp-2x%s", sizes[i]);
        expect_refused(text, &digits, sizes[i], "network 'mlp-2x");
    }
    expect_refused("input 5x5, dense 3", &nothing, "input '5x5'",
                   "must be HxWxC or N");
    expect_refused("input 5x5x1x1, dense 3", &nothing, "'5x5x1x1'",
                   "must be HxWxC or N");
    expect_refused("input 5x, dense 3", &nothing, "''", "whole number");
    expect_refused("input 65536x65536x2, dense 3", &nothing, "more than",
                   "2147483647");
    expect_refused("input 2147483647x2147483647x2147483647, dense 3", &nothing,
                   "more than", "2147483647");
}

static void bad_items_are_refused(void **state)
{
    (void)state;
    expect_refused("", &digits, "item 1 ''", "it is empty");
    expect_refused("input 5, , dense 3", &nothing, "item 2 ''", "it is empty");
    expect_refused("input 5, dense 3,", &nothing, "item 3 ''", "it is empty");
    expect_refused("input 5, x=, dense 3", &nothing, "item 2", "it is empty");
    expect_refused("input 5, dense", &nothing, "item 2",
                   "'dense N' or 'dense N nobias'");
    expect_refused("input 5, dense 3 nobias 2", &nothing, "item 2", "'dense N'");
    expect_refused("input 5, dense 3 bias", &nothing, "'bias'", "only 'nobias'");
    expect_refused("input 5, relu 3, dense 3", &nothing, "item 2", "no arguments");
    expect_refused("input 5, leaky -1, dense 3", &nothing, "item 2",
                   "between 0 and 1");
    expect_refused("input 5, leaky nan, dense 3", &nothing, "item 2",
                   "between 0 and 1");
    expect_refused("input 5, leaky .1 .2, dense 3", &nothing, "item 2",
                   "'leaky S'");
    expect_refused("input 5, dense 1 2 3 4 5 6 7 8 9", &nothing, "item 2", "words");
    expect_refused("input, dense 3", &nothing, "item 1",
                   "'input N' stands once, first");
    expect_refused("dense 3, input 5", &digits, "item 2", "stands once, first");
    expect_refused("input 5, input 5, dense 3", &nothing, "item 2",
                   "stands once, first");
    expect_refused("a=input 5, dense 3", &nothing, "item 1", "unnamed");
}

static void bad_names_are_refused(void **state)
{
    (void)state;
    expect_refused("input 5, a=dense 3, a=relu, dense 3", &nothing, "item 3",
                   "two layers are called 'a'");
    expect_refused("input 5, dense2=dense 3, dense 3", &nothing, "item 3",
                   "two layers are called 'dense2'");
    expect_refused("input 5, total=dense 3", &nothing, "item 2",
                   "no layer may be called 'total'");
    expect_refused("input 5, input=dense 3", &nothing, "item 2", "'input'");
    expect_refused("input 5, a..b=dense 3", &nothing, "'a..b'",
                   "single dots between");
    expect_refused("input 5, .a=dense 3", &nothing, "'.a'", "single dots between");
    expect_refused("input 5, a.=dense 3", &nothing, "'a.'", "single dots between");
    expect_refused("input 5, \xc3\xa4=dense 3", &nothing, "item 2",
                   "letters, digits");
    expect_refused("input 5, a b=dense 3", &nothing, "item 2", "one word");
    expect_refused("input 5, =dense 3", &nothing, "item 2", "one word");
    expect_refused("input 5, "
                   "a2345678901234567890123456789012345678901234567890=dense 3",
                   &nothing, "item 2", "1 to 47");
}

static void networks_that_cannot_be_are_refused(void **state)
{
    const fal_network_defaults no_outputs = {.input = {1, 1, 5}};
    (void)state;
    expect_refused("input 5", &nothing, "no layer with weights", "dense N");
    expect_refused("input 5, relu", &nothing, "no layer with weights", "dense N");
    expect_refused("input 5, dense 3, relu", &nothing, "layer relu1",
                   "follows the output layer dense1 directly");
    expect_refused("input 5, dense 3, linear, tanh", &nothing, "layer tanh1",
                   "'linear'");
    expect_refused("dense 3", &nothing, "no 'input' item", "no data set");
    expect_refused("input 5, dense 3", &digits, "its input has the size 5",
                   "have 28x28x1");
    expect_refused("input 14x56x1, dense 3", &digits, "14x56x1", "28x28x1");
    expect_refused("mlp-2x512", &no_outputs, "mlp-2x512", "number of outputs");
    expect_refused("mlp-2", &digits, "'mlp-2'", "mlp-LxW");
    expect_refused("mlp-0x5", &digits, "mlp-0x5", "number of layers");
    expect_refused("mlp-1001x5", &digits, "mlp-1001x5", "more than 1000");
    expect_refused("mlp-2x5x5", &digits, "mlp-2x5x5", "width");
}

/* ---- freezing ------------------------------------------------------------ */

/* Rules of the layers from the first on, one letter each: b, f, d, s; which are
 * frozen: 1 or 0. */
static void expect_frozen(const char *rows, const char *frozen)
{
    fal_route routes[8] = {{0}};
    fal_network network;
    char text[128] = "input 4";
    size_t count = strlen(rows);
    for (size_t i = 0; i < count; i++)
        strcat(text, ", dense 3");
    const fal_network_defaults none = {.outputs = 0};
    assert_int_equal(fal_network_parse(&network, text, &none), FAL_OK);
    for (size_t i = 0; i < count; i++) {
        const char *name = rows[i] == 'b'   ? "bp"
                           : rows[i] == 'f' ? "fa"
                           : rows[i] == 'd' ? "dfa"
                                            : "shallow";
        assert_int_equal(fal_rule_find(name, &routes[i].rule), FAL_OK);
        routes[i].frozen = 7;
    }
    fal_routes_freeze(routes, &network);
    fal_network_release(&network);
    for (size_t i = 0; i < count; i++)
        if (routes[i].frozen != frozen[i] - '0')
            fail_msg("rows %s, layer %zu: frozen is %d", rows, i + 1,
                     routes[i].frozen);
}

static void frozen_layers_cut_off_what_hangs_on_them(void **state)
{
    (void)state;
    expect_frozen("b", "0");
    expect_frozen("s", "0");
    expect_frozen("bbbb", "0000");
    expect_frozen("ffff", "0000");
    expect_frozen("dddd", "0000");
    expect_frozen("ssss", "1110");
    expect_frozen("bsbb", "1100");
    expect_frozen("fbsb", "1110");
    expect_frozen("dsbb", "0100");
    expect_frozen("bdsb", "0010");
    expect_frozen("bfds", "0000"); /* an output layer learns whatever its row … */
    expect_frozen("bbbs", "1110"); /* … which still says what it hands down */
    expect_frozen("sdbs", "1010");
}

static void rules_have_names(void **state)
{
    const fal_rule *rule = NULL;
    (void)state;
    assert_int_equal(fal_rule_count(), 10);
    assert_string_equal(fal_rule_name(0), "bp");
    assert_string_equal(fal_rule_name(9), "shallow");
    assert_null(fal_rule_name(10));
    assert_int_equal(fal_rule_find("shalow", &rule), FAL_ERROR_ARGUMENT);
    assert_null(rule);
    assert_string_equal(fal_error_message(),
                        "unknown rule 'shalow'; known: bp, fa, dfa, drtp, usf, "
                        "brsf, frsf, kp, wm, shallow; did you mean 'shallow'?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_texts_say_everything),
        cmocka_unit_test(layers_have_rules),
        cmocka_unit_test(wrong_rules_are_refused),
        cmocka_unit_test(presets_are_filled),
        cmocka_unit_test(norms_belong_to_the_layer_below),
        cmocka_unit_test(wrong_norms_are_refused),
        cmocka_unit_test(shapes_and_numbers_are_found),
        cmocka_unit_test(unknown_layers_get_the_nearest),
        cmocka_unit_test(bad_sizes_are_refused),
        cmocka_unit_test(bad_items_are_refused),
        cmocka_unit_test(bad_names_are_refused),
        cmocka_unit_test(networks_that_cannot_be_are_refused),
        cmocka_unit_test(frozen_layers_cut_off_what_hangs_on_them),
        cmocka_unit_test(rules_have_names),
    };
    return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
