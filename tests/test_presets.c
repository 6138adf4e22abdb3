/* Presets: what they stand for, their parameters as PyTorch counts them, torchvision's
 * names of tensors, what fills them, and names that are almost right. No device. */
#include "device/memory.h"
#include "net/presets.h"
#include "network_texts.h"

static const fal_network_defaults digits = {.input = {28, 28, 1}, .outputs = 10};
static const fal_network_defaults colours = {.input = {32, 32, 3}, .outputs = 10};

static void must_fill(fal_network *network, const char *text,
                      const fal_network_defaults *defaults)
{
    if (fal_network_parse(network, text, defaults))
        fail_msg("'%s': %s", text, fal_error_message());
}

/* `layers` is what the preset must mean. */
static void expect_like(const char *preset, const fal_network_defaults *defaults,
                        const char *layers)
{
    fal_network one, other;
    must_fill(&one, preset, defaults);
    must_fill(&other, layers, defaults);
    assert_string_equal(one.text, other.text);
    fal_network_release(&one);
    fal_network_release(&other);
}

static void presets_are_the_contracts(void **state)
{
    fal_network_defaults large = digits, filled = colours;
    (void)state;
    expect_like("lenet", &digits,
                "conv 6 5 pad 2, relu, pool max 2, conv 16 5 pad 0, relu, pool max "
                "2, conv 120 5 pad 0, relu, dense 84, relu, dense 10");
    large.input = (fal_shape){32, 32, 1};
    expect_like("lenet", &large,
                "conv 6 5 pad 0, relu, pool max 2, conv 16 5 pad 0, relu, pool max "
                "2, conv 120 5 pad 0, relu, dense 84, relu, dense 10");
    expect_like(
        "lenet", &colours,
        "conv 32 3 pad 0, relu, pool max 2, conv 64 3 pad 0, relu, pool max "
        "2, conv 128 3 pad 0, relu, pool global, dense 256, relu, dense 10");
    expect_like("vgg-small", &colours,
                "conv 64 3, relu, conv 64 3, relu, pool max 2, conv 128 3, relu, "
                "conv 128 3, relu, pool max 2, conv 256 3, relu, pool max 2, dense "
                "10");
    filled.norm = "batch";
    filled.activation = "tanh";
    filled.no_bias = 1;
    expect_like("cnn4", &filled,
                "conv 32 3 nobias, norm, tanh, pool max 2, conv 64 3 nobias, norm, "
                "tanh, pool max 2, conv 128 3 nobias, norm, tanh, pool max 2, conv "
                "128 3 nobias, norm, tanh, pool global, dense 10 nobias");
    filled.norm = "layer";
    expect_like(
        "lenet", &filled,
        "conv 32 3 pad 0 nobias, norm layer, tanh, pool max 2, conv 64 3 pad "
        "0 nobias, norm layer, tanh, pool max 2, conv 128 3 pad 0 nobias, "
        "norm layer, tanh, pool global, dense 256 nobias, norm layer, tanh, "
        "dense 10 nobias");
}

/* sum(p.numel() for p in model.parameters()) in PyTorch, of torchvision's resnet18 with
 * a 3x3 stem, of He et al.'s with shortcuts of zeros, and of the layers written out. */
static void parameters_are_pytorchs(void **state)
{
    static const struct {
        const char *name;
        size_t classes;
        uint64_t parameters, weights;
    } nets[] = {{"resnet18", 10, 11173962, 21}, {"resnet18", 100, 11220132, 21},
                {"resnet20", 10, 269722, 20},   {"resnet56", 10, 853018, 56},
                {"cnn4", 10, 242122, 5},        {"vgg-small", 10, 596298, 6},
                {"lenet", 10, 128842, 5}};
    (void)state;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        fal_network n;
        fal_network_defaults defaults = colours;
        defaults.outputs = nets[i].classes;
        must_fill(&n, nets[i].name, &defaults);
        if (fal_network_parameters(&n) != nets[i].parameters)
            fail_msg("%s has %llu parameters", nets[i].name,
                     (unsigned long long)fal_network_parameters(&n));
        assert_int_equal(n.weights, nets[i].weights);
        fal_network_release(&n);
    }
    fal_network n;
    must_fill(&n, "lenet", &digits);
    assert_int_equal(fal_network_parameters(&n), 61706); /* LeNet-5's */
    fal_network_release(&n);
}

static int has(const fal_network *network, const char *name)
{
    for (size_t i = 0; i < network->count; i++)
        if (strcmp(network->layers[i].name, name) == 0)
            return network->layers[i].has_weight;
    return 0;
}

static void names_are_torchvisions(void **state)
{
    static const char *const downs[] = {"layer2.0", "layer3.0", "layer4.0"};
    fal_network n;
    char name[64];
    size_t found = 3, all = 0;
    (void)state;
    must_fill(&n, "resnet18", &colours);
    assert_true(has(&n, "conv1") && has(&n, "bn1") && has(&n, "fc"));
    for (int stage = 1; stage <= 4; stage++)
        for (int block = 0; block < 2; block++)
            for (int l = 0; l < 4; l++, found++) {
                snprintf(name, sizeof name, "layer%d.%d.%s%d", stage, block,
                         l % 2 ? "bn" : "conv", l / 2 + 1);
                if (!has(&n, name))
                    fail_msg("no layer is called %s", name);
            }
    for (size_t d = 0; d < 3; d++)
        for (int l = 0; l < 2; l++, found++) {
            snprintf(name, sizeof name, "%s.downsample.%d", downs[d], l);
            if (!has(&n, name))
                fail_msg("no layer is called %s", name);
        }
    for (size_t i = 0; i < n.count; i++)
        all += n.layers[i].has_weight ? 1 : 0;
    assert_int_equal(found, all);
    fal_network_release(&n);
}

static size_t count_kind(const fal_network *network, const fal_layer_kind *kind)
{
    size_t count = 0;
    for (size_t i = 0; i < network->count; i++)
        count += network->layers[i].kind == kind;
    return count;
}

static void expect_map(const fal_network *network, const char *name, size_t size,
                       size_t channels)
{
    const fal_shape expected = {size, size, channels};
    for (size_t i = 0; i < network->count; i++)
        if (strcmp(network->layers[i].name, name) == 0) {
            assert_memory_equal(&network->layers[i].out, &expected,
                                sizeof expected);
            return;
        }
    fail_msg("no layer is called %s", name);
}

static void residual_networks_are_filled(void **state)
{
    fal_network_defaults defaults = colours;
    fal_network n;
    (void)state;
    must_fill(&n, "resnet20", &defaults);
    assert_int_equal(count_kind(&n, &fal_norm_kind), 19);
    assert_int_equal(count_kind(&n, &fal_relu_kind), 19);
    assert_int_equal(count_kind(&n, &fal_join_kind), 9);
    assert_int_equal(n.layers[n.count - 1].has_bias, 1);
    expect_map(&n, "layer1.2", 32, 16);
    expect_map(&n, "layer2.0", 16, 32);
    expect_map(&n, "layer3.2", 8, 64);
    fal_network_release(&n);
    defaults = (fal_network_defaults){.input = {32, 32, 3},
                                      .outputs = 10,
                                      .norm = "none",
                                      .activation = "leaky 0.1",
                                      .no_bias = 1};
    must_fill(&n, "resnet18", &defaults);
    assert_int_equal(count_kind(&n, &fal_norm_kind), 0);
    assert_int_equal(count_kind(&n, &fal_leaky_kind), 17);
    expect_map(&n, "layer2.1", 16, 128);
    expect_map(&n, "layer4.0", 4, 512);
    for (size_t i = 0; i < n.count; i++)
        assert_int_equal(n.layers[i].has_bias, 0);
    fal_network_release(&n);
    defaults.norm = "layer";
    must_fill(&n, "resnet18", &defaults);
    assert_int_equal(count_kind(&n, &fal_norm_kind), 20);
    assert_int_equal(n.layers[1].by_sample, 1);
    fal_network_release(&n);
}

static void names_that_are_almost_right(void **state)
{
    static const fal_network_defaults no_outputs = {.input = {32, 32, 3}};
    fal_network_defaults defaults = digits;
    (void)state;
    expect_refused("resnet-20", &colours,
                   "unknown preset 'resnet-20'; known: mlp-LxW, lenet",
                   "did you mean 'resnet20'?");
    expect_refused("ResNet18", &colours, "'ResNet18'", "did you mean 'resnet18'?");
    expect_refused("vgg_small", &colours, "'vgg_small'",
                   "did you mean 'vgg-small'?");
    expect_refused("lenet5", &colours, "'lenet5'", "did you mean 'lenet'?");
    expect_refused("mlp", &colours, "network 'mlp'", "the preset is mlp-LxW");
    expect_refused("mlp2x5", &colours, "network 'mlp2x5'", "the preset is mlp-LxW");
    expect_refused("resnet18", &no_outputs, "network 'resnet18'",
                   "number of outputs");
    defaults.norm = "bath";
    expect_refused("lenet", &defaults, "unknown norm 'bath'", "'batch'?");
    defaults = digits;
    defaults.activation = "rely";
    expect_refused("cnn4", &defaults, "unknown layer 'rely'", "'relu'?");
    /* presets that do not suit the data say at which layer */
    defaults = digits;
    defaults.input = (fal_shape){1, 1, 784};
    expect_refused("lenet", &defaults, "layer conv1", "a row of 784");
    defaults.input = (fal_shape){6, 6, 3};
    expect_refused("lenet", &defaults, "layer conv2",
                   "2x2, smaller than the window 3x3");
}

/* Each in turn; nothing is left. */
static void memory_may_fail(void **state)
{
    fal_network network;
    long failed = 0;
    (void)state;
    for (fal_status status = FAL_ERROR_MEMORY; status;) {
        fal_memory_fail_at(++failed);
        status = fal_network_parse(&network, "resnet20", &colours);
        fal_memory_fail_at(0);
        assert_true(status == FAL_OK || status == FAL_ERROR_MEMORY);
        assert_true(status == FAL_OK || (!network.layers && !network.text));
    }
    assert_true(failed > 60); /* there are more layers */
    assert_int_equal(fal_network_parameters(&network), 269722);
    fal_network_release(&network);
}

static void one_word_is_a_preset(void **state)
{
    (void)state;
    assert_true(fal_network_is_preset("lenet") &&
                fal_network_is_preset("mlp-2x5") &&
                fal_network_is_preset("lennet") && fal_network_is_preset("mlp"));
    assert_false(fal_network_is_preset("relu") || fal_network_is_preset("") ||
                 fal_network_is_preset("dense 3") ||
                 fal_network_is_preset("input") ||
                 fal_network_is_preset("block(relu;shortcut=identity)"));
    for (size_t i = 0; i < fal_preset_count; i++)
        assert_true(fal_network_is_preset(fal_preset_at(i)->name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_are_the_contracts),
        cmocka_unit_test(parameters_are_pytorchs),
        cmocka_unit_test(names_are_torchvisions),
        cmocka_unit_test(residual_networks_are_filled),
        cmocka_unit_test(names_that_are_almost_right),
        cmocka_unit_test(one_word_is_a_preset),
        cmocka_unit_test(memory_may_fail),
    };
    return cmocka_run_group_tests_name("presets", tests, NULL, NULL);
}
