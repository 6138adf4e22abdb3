/* What texts of convolutions, pools, dropout and residual blocks are refused for, and in
 * which words. No device. */
#include "network_texts.h"

static void refuse(const char *text, const char *part, const char *other)
{
    expect_refused(text, defaults_of(text), part, other);
}

static void wrong_convolutions_are_refused(void **state)
{
    (void)state;
    refuse("conv 4, dense 3", "item 1 'conv 4'", "'conv N K'");
    refuse("conv, dense 3", "item 1 'conv'", "'conv N K'");
    refuse("conv 0 3, dense 3", "item 1", "number of channels '0'");
    refuse("conv 4 0, dense 3", "item 1 'conv 4 0'", "kernel '0' must be");
    refuse("conv 4 3x3, dense 3", "item 1", "kernel '3x3'");
    refuse("conv 4 3 stride 0, dense 3", "item 1", "stride '0' must be");
    refuse("conv 4 3 stride, dense 3", "item 1", "behind 'stride' a number");
    refuse("conv 4 3 pad, dense 3", "item 1", "behind 'pad' a number");
    refuse("conv 4 3 pad -1, dense 3", "item 1",
           "pad '-1' must be a whole number from 0 to");
    refuse("conv 4 3 pad 3, dense 3", "pad 3 reaches beyond the kernel 3x3",
           "at most 2");
    refuse("conv 4 3 bias, dense 3", "'bias' cannot stand here",
           "'pad P' and 'nobias'");
    refuse("conv 4 3 pad 1 stride 2, dense 3", "'stride' cannot stand here",
           "in this order");
    refuse("conv 4 3 nobias rule=fa rule=fa, dense 3", "second rule", "keep one");
    refuse("conv 4 3, pool max 2 rule=fa, dense 3", "pool has no weight matrix",
           "a convolution");
    refuse("convv 4 3, dense 3", "unknown layer 'convv'", "did you mean 'conv'?");
}

static void maps_that_shrink_to_nothing_are_refused(void **state)
{
    (void)state;
    refuse("pool max 8, last=conv 4 7 pad 1, dense 3", "layer last",
           "4x4 (6x6 with padding), smaller than the window 7x7");
    refuse("input 3x9x1, conv 4 5 pad 0, dense 3", "layer conv1",
           "3x9, smaller than the window 5x5");
    refuse("pool average 33, dense 3", "layer pool1",
           "32x32, smaller than the window 33x33");
    refuse("pool max 8, pool max 8, pool max 8, dense 3", "layer pool2",
           "4x4, smaller than the window 8x8");
    refuse("input 2147483647x1x1, conv 2 1, dense 3", "layer conv1",
           "2147483647x1x2 has more than 2147483647");
    refuse("input 1x1x90000, block(conv 3 300 pad 299; shortcut=identity), dense 3",
           "layer block1.conv1", "row of 90000");
    refuse("input 2x1x90000, conv 3 300 pad 299, dense 3", "layer conv1",
           "300x300x90000 has more than");
}

static void rows_are_no_maps(void **state)
{
    (void)state;
    refuse("input 3072, conv 4 3, dense 3", "layer conv1", "a row of 3072 numbers");
    refuse("dense 9, conv 4 3, dense 3", "layer conv1", "a row of 9 numbers");
    refuse("flatten, tanh, conv 4 3, dense 3", "layer conv1",
           "a row of 3072 numbers");
    refuse("dense 9, pool max 1, dense 3", "layer pool1", "before 'flatten'");
    refuse("dense 9, pool global, dense 3", "layer pool1", "before 'flatten'");
    refuse("conv 4 3, flatten, norm, dense 3", "layer norm1", "put it before");
}

static void outputs_are_dense(void **state)
{
    (void)state;
    refuse("conv 10 3", "layer conv1", "end the network with 'dense N'");
    refuse("dense 3, conv 10 3", "layer conv1", "a row of 3");
    refuse("conv 8 3, last=conv 10 3, pool global", "layer last",
           "end the network with 'dense N'");
    refuse("conv 8 3, dense 5, dropout 0.5", "layer dropout1",
           "follows the output layer dense1");
    refuse("conv 8 3, flatten, dense 5, flatten", "layer flatten2",
           "follows the output layer dense1");
    refuse("conv 8 3, flatten, dense 4, block(dense 4; shortcut=identity)",
           "layer block1", "follows the output layer block1.dense1");
    refuse("block(norm, conv 4 3; shortcut=projection), dense 3",
           "layer block1.norm1", "make it plain");
}

static void wrong_pools_and_dropouts_are_refused(void **state)
{
    static const char *const rates[] = {"1", "-0.1", "nan",  "x",
                                        "",  "1e9",  ".1 .2"};
    char text[64];
    (void)state;
    refuse("pool, dense 3", "item 1", "'pool global'");
    refuse("pool max, dense 3", "item 1", "'pool max K'");
    refuse("pool min 2, dense 3", "item 1", "'pool average K'");
    refuse("pool global 2, dense 3", "item 1", "'pool global'");
    refuse("pool max 0, dense 3", "item 1", "window '0'");
    refuse("pool max 2 stride 0, dense 3", "item 1", "stride '0'");
    refuse("pool max 2 pad 1, dense 3", "'pad' is not known", "'stride S'");
    refuse("flatten 2, dense 3", "item 1", "no arguments");
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        snprintf(text, sizeof text, "dropout %s, dense 3", rates[i]);
        refuse(text, "item 1 'dropout", "from 0 to below 1");
    }
}

static void ways_that_differ_are_refused(void **state)
{
    (void)state;
    refuse("a=block(conv 4 3; shortcut=identity), dense 3", "layer a: the ways",
           "makes 32x32x4 of its input 32x32x3; write shortcut=projection");
    refuse("block(pool max 2; shortcut=identity), dense 3",
           "layer block1:", "16x16x3 of its input 32x32x3");
    refuse("conv 4 3, block(conv 3 3; shortcut=zeropad), dense 3", "layer block1:",
           "32x32x3 of its input 32x32x4; zeropad cannot take channels away");
    refuse("block(conv 4 1 pad 0, conv 4 2; shortcut=projection), dense 3",
           "layer block1.downsample.0:",
           "31x31x4 of its input 32x32x3; no stride leads from one to the other");
    refuse("block(conv 4 3 pad 2; shortcut=zeropad), dense 3",
           "layer block1:", "34x34x4 of its input 32x32x3; no stride");
    refuse("input 9x8x3, block(conv 4 3 stride 2 pad 0; shortcut=zeropad), dense 3",
           "layer block1:", "4x3x4 of its input 9x8x3; no stride");
    refuse("conv 4 3, block(dense 4; shortcut=projection), dense 3",
           "layer block1.downsample.0:", "4 of its input 32x32x4; no convolution");
    refuse("dense 4, block(dense 5; shortcut=identity), dense 3",
           "layer block1:", "5 of its input 4");
    refuse("flatten, block(dense 3072; shortcut=identity), dense 3",
           "layer block1:", "3072 of its input 32x32x3");
}

static void wrong_blocks_are_refused(void **state)
{
    (void)state;
    refuse("block(conv 3 3; shortcut=identiy), dense 3", "unknown shortcut",
           "known: identity, zeropad, projection; did you mean 'identity'?");
    refuse("block(conv 3 3), dense 3", "item 1",
           "must end in '; shortcut=identity)'");
    refuse("block(conv 3 3;), dense 3", "item 1", "must end in");
    refuse("block(conv 3 3; identity), dense 3", "item 1", "must end in");
    refuse("block(conv 3 3; relu; shortcut=identity), dense 3", "item 1",
           "must end in");
    refuse("block(conv 3 3; shortcut=identity rule=fa), dense 3", "'rule=fa'",
           "rule=NAME of a projection");
    refuse("block(conv 3 3; shortcut=projection rule=faa), dense 3", "item 1",
           "unknown rule 'faa'");
    refuse("block(; shortcut=identity), dense 3", "item 1 ''", "it is empty");
    refuse("block(conv 3 3,; shortcut=identity), dense 3", "item 2 ''",
           "it is empty");
    refuse("relu, block(relu, conv 3 0; shortcut=identity), dense 3",
           "network, item 2 'block(relu", "': item 2 'conv 3 0': kernel '0'");
    refuse("block(input 3; shortcut=identity), dense 3", "item 1 'input 3'",
           "stands once, first");
    refuse("block(conv 3 3; shortcut=identity) relu, dense 3", "'relu' stands",
           "put a comma");
    refuse("a b=block(conv 3 3; shortcut=identity), dense 3", "item 1", "one word");
    refuse("a block(conv 3 3; shortcut=identity), dense 3", "before 'block('",
           "only a name");
    refuse("=block(conv 3 3; shortcut=identity), dense 3", "item 1", "one word");
    refuse("block, dense 3", "item 1", "must be 'block(ITEMS; shortcut=identity|");
    refuse("blok(conv 3 3; shortcut=identity), dense 3", "item 1",
           "one word must stand before '='");
}

static void parentheses_are_counted(void **state)
{
    char text[512] = "";
    (void)state;
    refuse("conv 4 3, block(conv 4 3; shortcut=identity, dense 3",
           "the '(' before 'conv 4 3; shortcut=identity, dense 3'", "not closed");
    refuse("block(block(conv 4 3; shortcut=identity), dense 3", "the '(' before",
           "'block(conv");
    refuse("block(conv 4 3; shortcut=identity)), dense 3", "closes nothing",
           "', dense 3'");
    refuse(")", "closes nothing", "''");
    for (size_t i = 0; i < 20; i++)
        strcat(text, "block(");
    refuse(text, "not closed", "the '(' before");
    strcpy(text, "");
    for (size_t i = 0; i < 5; i++)
        strcat(text, "block(");
    strcat(text, "conv 3 3");
    for (size_t i = 0; i < 5; i++)
        strcat(text, "; shortcut=identity)");
    strcat(text, ", dense 3");
    refuse(text, "blocks lie more than 4 deep", "item 1");
    fal_network n; /* 4 are fine */
    text[strlen(text) - strlen("; shortcut=identity), dense 3")] = 0;
    strcat(text, ", dense 3");
    must_parse(&n, text + strlen("block("));
    assert_int_equal(n.count, 1 + 4 + 1);
    fal_network_release(&n);
}

static void wrong_names_in_blocks_are_refused(void **state)
{
    (void)state;
    refuse("a=block(x=conv 3 3, x=relu; shortcut=identity), dense 3",
           "item 2 'x=relu'", "two layers are called 'a.x'");
    refuse("a=block(conv 3 3; shortcut=identity), a=dense 3", "item 2",
           "two layers are called 'a'");
    refuse("a.x=relu, a=block(x=conv 3 3; shortcut=identity), dense 3", "item 2",
           "two layers are called 'a.x'");
    refuse("block(downsample.0=conv 4 3; shortcut=projection), dense 3", "item 1",
           "two layers are called 'block1.downsample.0'");
    refuse("a..b=block(conv 3 3; shortcut=identity), dense 3", "'a..b'",
           "single dots");
    refuse("total=block(conv 3 3; shortcut=identity), dense 3", "item 1",
           "no layer may be called 'total'");
    refuse("a234567890123456789012345678901234567890123=block(conv 3 3; "
           "shortcut=identity), dense 3",
           "item 1 'conv 3 3'", "1 to 47");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_convolutions_are_refused),
        cmocka_unit_test(maps_that_shrink_to_nothing_are_refused),
        cmocka_unit_test(rows_are_no_maps),
        cmocka_unit_test(outputs_are_dense),
        cmocka_unit_test(wrong_pools_and_dropouts_are_refused),
        cmocka_unit_test(ways_that_differ_are_refused),
        cmocka_unit_test(wrong_blocks_are_refused),
        cmocka_unit_test(parentheses_are_counted),
        cmocka_unit_test(wrong_names_in_blocks_are_refused),
    };
    return cmocka_run_group_tests_name("network_refusals", tests, NULL, NULL);
}
