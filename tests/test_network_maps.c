/* Networks of convolutions, pools, dropout and residual blocks: texts and back, names,
 * shapes by PyTorch's formulas, what is computed together, where matrices end, and every
 * refusal. No device. */
#include "data/random.h"
#include "device/memory.h"
#include "net/layer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const fal_network_defaults nothing;
static const fal_network_defaults images = {.input = {32, 32, 3}, .outputs = 10};

/* Texts without an input have 32x32x3. */
static const fal_network_defaults *defaults_of(const char *text)
{
    return strncmp(text, "input", 5) == 0 ? &nothing : &images;
}

static void must_parse(fal_network *network, const char *text)
{
    if (fal_network_parse(network, text, defaults_of(text)))
        fail_msg("'%s': %s", text, fal_error_message());
}

/* All that later stages read of a layer */
static void expect_same(const fal_layer *a, const fal_layer *b)
{
    assert_ptr_equal(a->kind, b->kind);
    assert_string_equal(a->name, b->name);
    assert_memory_equal(&a->in, &b->in, sizeof a->in);
    assert_memory_equal(&a->out, &b->out, sizeof a->out);
    assert_memory_equal(&a->aside, &b->aside, sizeof a->aside);
    assert_memory_equal(&a->rate, &b->rate, sizeof a->rate);
    assert_ptr_equal(a->rule, b->rule);
    const size_t ours[] = {a->from,   a->beside, a->end,     a->kernel,
                           a->stride, a->pad,    a->dropout, a->number,
                           a->block,  a->inputs, a->outputs};
    const size_t theirs[] = {b->from,   b->beside, b->end,     b->kernel,
                             b->stride, b->pad,    b->dropout, b->number,
                             b->block,  b->inputs, b->outputs};
    assert_memory_equal(ours, theirs, sizeof ours);
    const int flags[] = {a->is_row, a->is_join,  a->pads,       a->averages,
                         a->fused,  a->has_bias, a->has_weight, a->has_state};
    const int others[] = {b->is_row, b->is_join,  b->pads,       b->averages,
                          b->fused,  b->has_bias, b->has_weight, b->has_state};
    assert_memory_equal(flags, others, sizeof flags);
}

static void expect_text(const char *text, const char *complete)
{
    fal_network network, again;
    must_parse(&network, text);
    assert_string_equal(network.text, complete);
    /* the complete text needs nothing and means the same */
    if (fal_network_parse(&again, network.text, &nothing))
        fail_msg("'%s': %s", network.text, fal_error_message());
    assert_string_equal(again.text, complete);
    assert_int_equal(again.count, network.count);
    for (size_t i = 0; i < network.count; i++)
        expect_same(&network.layers[i], &again.layers[i]);
    fal_network_release(&network);
    fal_network_release(&again);
}

static void refuse(const char *text, const char *part, const char *other)
{
    fal_network network;
    if (fal_network_parse(&network, text, defaults_of(text)) != FAL_ERROR_ARGUMENT)
        fail_msg("'%s' was taken", text);
    if (!strstr(fal_error_message(), part) || !strstr(fal_error_message(), other))
        fail_msg("'%s' or '%s' is not in: %s", part, other, fal_error_message());
    assert_null(network.layers);
    assert_null(network.text);
}

static const fal_layer *find(const fal_network *network, const char *name)
{
    for (size_t i = 0; i < network->count; i++)
        if (strcmp(network->layers[i].name, name) == 0)
            return &network->layers[i];
    fail_msg("no layer is called '%s' in %s", name, network->text);
    return NULL;
}

/* ---- texts --------------------------------------------------------------- */

static void complete_texts_say_everything(void **state)
{
    (void)state;
    expect_text("conv 8 3, relu, pool max 2, dense 3",
                "input 32x32x3, conv1=conv 8 3, relu1=relu, pool1=pool max 2, "
                "dense1=dense 3");
    expect_text(
        "a.b = conv  8 5 stride 2 pad 0 nobias rule=fa, conv 4 2 pad 1, "
        "conv 4 1 stride 1 pad 0, pool average 3 stride 2,pool max 2 stride 2"
        ", dropout .1, pool global, flatten, dense 3",
        "input 32x32x3, a.b=conv 8 5 stride 2 pad 0 nobias rule=fa, "
        "conv2=conv 4 2 pad 1, conv3=conv 4 1, pool1=pool average 3 stride "
        "2, pool2=pool max 2, dropout1=dropout 0.1, pool3=pool global, "
        "flatten1=flatten, dense1=dense 3");
    expect_text(
        "block(conv 3 3, relu, conv 3 3 ;shortcut=identity), relu, dense 3",
        "input 32x32x3, block1=block(conv1=conv 3 3, relu1=relu, conv2=conv "
        "3 3; shortcut=identity), relu1=relu, dense1=dense 3");
    expect_text(
        "conv 6 3, x=block ( conv 9 3, c = conv 8 3 stride 2 ; "
        "shortcut=zeropad\t) , conv 8 3, block(conv 8 3; shortcut=projection "
        "rule=usf), dense 3",
        "input 32x32x3, conv1=conv 6 3, x=block(conv1=conv 9 3, c=conv 8 3 "
        "stride 2; shortcut=zeropad), conv2=conv 8 3, block2=block(conv1="
        "conv 8 3; shortcut=projection rule=usf), dense1=dense 3");
    expect_text("block(block(norm plain, conv 3 3; shortcut=identity), relu, "
                "b=block(conv 4 1, norm; shortcut=projection); shortcut=zeropad), "
                "dense 3",
                "input 32x32x3, block1=block(block1=block(norm1=norm plain, "
                "conv1=conv 3 3; shortcut=identity), relu1=relu, b=block("
                "conv1=conv 4 1, norm1=norm; shortcut=projection); "
                "shortcut=zeropad), dense1=dense 3");
}

static void layers_in_blocks_have_the_blocks_name(void **state)
{
    static const char *const names[] = {"conv1",
                                        "s.0.conv1",
                                        "s.0.a.norm1",
                                        "s.0.a.x",
                                        "s.0.a",
                                        "s.0.conv2",
                                        "s.0.norm1",
                                        "s.0.downsample.0",
                                        "s.0.downsample.1",
                                        "s.0",
                                        "conv2",
                                        "block2.conv1",
                                        "block2",
                                        "dense1"};
    fal_network n;
    (void)state;
    must_parse(&n, "conv 4 3, s.0=block(conv 4 3, a=block(norm, x=conv 4 3; "
                   "shortcut=identity), conv 8 3 stride 2, norm layer plain; "
                   "shortcut=projection), conv 8 3, block(conv 8 3; "
                   "shortcut=identity), dense 3");
    assert_int_equal(n.count, sizeof names / sizeof *names);
    for (size_t i = 0; i < n.count; i++)
        assert_string_equal(n.layers[i].name, names[i]);
    fal_network_release(&n);
}

/* ---- shapes -------------------------------------------------------------- */

static void expect_shape(const fal_layer *layer, size_t height, size_t width,
                         size_t channels)
{
    const fal_shape out = {height, width, channels};
    if (memcmp(&out, &layer->out, sizeof out) != 0)
        fail_msg("%s makes %zux%zux%zu", layer->name, layer->out.height,
                 layer->out.width, layer->out.channels);
}

static void windows_slide_by_pytorchs_formula(void **state)
{
    fal_network n;
    (void)state;
    /* floor((size + 2 pad - kernel)/stride) + 1 */
    must_parse(&n, "input 11x8x3, conv 5 3 stride 3, dense 1");
    expect_shape(&n.layers[0], 4, 3, 5);
    assert_int_equal(n.layers[0].inputs, 27);
    assert_int_equal(n.layers[1].inputs, 60);
    assert_int_equal(fal_network_parameters(&n), 27 * 5 + 5 + 60 + 1);
    fal_network_release(&n);
    must_parse(&n, "input 11x8x3, conv 5 4, pool max 3 stride 2, pool average 2, "
                   "dense 1");
    expect_shape(&n.layers[0], 10, 7, 5);
    expect_shape(&n.layers[1], 4, 3, 5);
    expect_shape(&n.layers[2], 2, 1, 5);
    fal_network_release(&n);
    must_parse(&n, "input 2x2x1, conv 1 3 pad 2, pool global, conv 7 3, dense 1");
    expect_shape(&n.layers[0], 4, 4, 1);
    expect_shape(&n.layers[1], 1, 1, 1);
    expect_shape(&n.layers[2], 1, 1, 7); /* maps of one pixel are maps */
    fal_network_release(&n);
    must_parse(&n, "input 1x9x2, conv 1 1 stride 4, flatten, dropout 0.5, dense 1");
    expect_shape(&n.layers[0], 1, 3, 1);
    expect_shape(&n.layers[2], 1, 3, 1); /* in place, for who reads its channels */
    assert_int_equal(n.layers[0].is_row, 0);
    assert_int_equal(n.layers[1].is_row, 1);
    assert_int_equal(n.layers[2].is_row, 1);
    assert_int_equal(n.layers[3].in.channels, 1);
    fal_network_release(&n);
}

static void projections_follow_from_both_ways(void **state)
{
    fal_network n;
    (void)state;
    must_parse(&n, "input 9x7x3, block(conv 8 3 stride 2 nobias, norm layer; "
                   "shortcut=projection), dense 3");
    const fal_layer *p = find(&n, "block1.downsample.0");
    assert_ptr_equal(p->kind, &fal_conv_kind);
    expect_shape(p, 5, 4, 8);
    assert_int_equal(p->kernel, 1);
    assert_int_equal(p->stride, 2);
    assert_int_equal(p->pad, 0);
    assert_int_equal(p->has_bias, 0);
    assert_int_equal(p->inputs, 3);
    assert_int_equal(p->from, 0);
    assert_int_equal(p->number, 2);
    assert_int_equal(p[1].by_sample, 1);
    assert_int_equal(p[1].block, 2);
    assert_int_equal(p[2].from, 4);
    assert_int_equal(p[2].beside, 2);
    assert_int_equal(fal_network_parameters(&n),
                     27 * 8 + 16 + 3 * 8 + 16 + 160 * 3 + 3);
    fal_network_release(&n);
    /* a bias as the body has one; without a norm as the body; rows have dense ones */
    must_parse(&n,
               "dense 4, block(dense 7, norm, tanh, dense 5 nobias; "
               "shortcut=projection), block(tanh; shortcut=projection), dense 3");
    p = find(&n, "block1.downsample.0");
    assert_ptr_equal(p->kind, &fal_dense_kind);
    assert_int_equal(p->has_bias, 1);
    assert_int_equal(p->inputs, 4);
    assert_int_equal(p->outputs, 5);
    assert_int_equal(p[1].is_join, 1);
    assert_int_equal(find(&n, "block2.downsample.0")->has_bias, 1);
    fal_network_release(&n);
    /* a flattened map goes into a dense one */
    must_parse(&n,
               "conv 2 3, flatten, block(dense 5; shortcut=projection), dense 3");
    p = find(&n, "block1.downsample.0");
    assert_ptr_equal(p->kind, &fal_dense_kind);
    assert_int_equal(p->inputs, 2048);
    fal_network_release(&n);
}

static void joins_know_their_shortcut(void **state)
{
    fal_network n;
    (void)state;
    must_parse(&n, "input 9x7x3, block(conv 8 3 stride 3; shortcut=zeropad), "
                   "block(conv 8 3; shortcut=zeropad), dense 3");
    const fal_layer *join = find(&n, "block1"), *other = find(&n, "block2");
    expect_shape(join, 3, 3, 8);
    assert_int_equal(join->stride, 3);
    assert_int_equal(join->beside, 0);
    assert_int_equal(join->aside.height, 9);
    assert_int_equal(join->aside.channels, 3);
    assert_int_equal(join->fused, 0);
    assert_int_equal(other->stride, 1);
    assert_int_equal(other->fused, 1);
    fal_network_release(&n);
}

/* ---- what hangs together ------------------------------------------------- */

static void expect_ends(const fal_network *n, const char *name, size_t end)
{
    if (find(n, name)->end != end)
        fail_msg("%s ends in tensor %zu, not %zu, of %s", name, find(n, name)->end,
                 end, n->text);
}

static void matrices_end_before_anything_else(void **state)
{
    fal_network n;
    (void)state;
    /* before the pool, before the fork, behind the join with its activation */
    must_parse(&n,
               "conv 4 3, norm, relu, dropout .5, pool max 2, "
               "block(conv 4 3, relu, conv 8 3 stride 2, norm; "
               "shortcut=projection), relu, block(norm, relu, conv 8 3; "
               "shortcut=identity), pool global, dense 6, relu, dense 3, linear");
    expect_ends(&n, "conv1", 4);
    expect_ends(&n, "block1.conv1", 7);
    expect_ends(&n, "block1.conv2", 13);
    expect_ends(&n, "block1.downsample.0", 13);
    expect_ends(&n, "block2.conv1", 17);
    expect_ends(&n, "dense1", 20);
    expect_ends(&n, "dense2", 22);
    fal_network_release(&n);
    /* two blocks end in one sum */
    must_parse(&n, "conv 4 3, block(relu, block(conv 4 3; shortcut=identity); "
                   "shortcut=identity), tanh, flatten, dense 3");
    expect_ends(&n, "conv1", 1);
    expect_ends(&n, "block1.block1.conv1", 7);
    fal_network_release(&n);
}

static void expect_fused(const char *text, const char *fused)
{
    fal_network n;
    must_parse(&n, text);
    assert_int_equal(n.count, strlen(fused));
    for (size_t i = 0; i < n.count; i++)
        if (n.layers[i].fused != fused[i] - '0')
            fail_msg("%s, layer %s: fused is %d", n.text, n.layers[i].name,
                     n.layers[i].fused);
    fal_network_release(&n);
}

static void only_what_nobody_else_reads_is_fused(void **state)
{
    (void)state;
    expect_fused("conv 4 3, relu, norm, relu, pool max 2, relu, dense 3",
                 "0101000");
    expect_fused(
        "conv 4 3, block(conv 4 3, norm; shortcut=identity), relu, dense 3",
        "000110");
    expect_fused(
        "conv 4 3, block(conv 4 3, relu; shortcut=identity), relu, dense 3",
        "001010"); /* the activation behind a join is the join's */
    expect_fused(
        "conv 4 3, block(conv 4 3; shortcut=identity), norm, relu, dense 3",
        "001010");
    expect_fused("conv 4 3, block(relu, conv 4 3; shortcut=identity), dense 3",
                 "00010"); /* the block's input stays */
    expect_fused(
        "conv 4 3, block(conv 8 3, norm; shortcut=projection), relu, dense "
        "3",
        "00000110");
    expect_fused("conv 4 3, block(conv 8 3, norm; shortcut=zeropad), relu, dense 3",
                 "000010");
    expect_fused("dense 4, block(dense 4; shortcut=identity), tanh, dense 3",
                 "00110");
}

static void dropouts_have_numbers(void **state)
{
    fal_network n;
    (void)state;
    must_parse(&n, "dropout 0, conv 4 3, block(d=dropout .25, conv 4 3; "
                   "shortcut=identity), dropout 0.5, dense 3");
    assert_int_equal(n.layers[0].dropout, 1);
    assert_int_equal(n.layers[1].dropout, 0);
    assert_int_equal(find(&n, "block1.d")->dropout, 2);
    assert_true(find(&n, "block1.d")->rate == .25);
    assert_int_equal(find(&n, "dropout2")->dropout, 3);
    fal_network_release(&n);
}

/* ---- rules --------------------------------------------------------------- */

static void rules_are_taken_over(void **state)
{
    fal_network n, other;
    (void)state;
    must_parse(&n,
               "block(conv 4 3 rule=fa, conv 4 3; shortcut=projection), dense 3");
    must_parse(&other, "block(conv 4 3, conv 4 3 rule=dfa; shortcut=projection "
                       "rule=bp), dense 3");
    assert_int_equal(fal_network_take_rules(&n, &other), FAL_OK);
    assert_string_equal(n.text, other.text);
    fal_network_release(&n);
    fal_network_release(&other);
}

/* ---- refusals ------------------------------------------------------------ */

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
    refuse("conv 4 3 pad -1, dense 3", "item 1", "pad '-1'");
    refuse("conv 4 3 pad 3, dense 3", "pad 3 reaches beyond the kernel 3x3",
           "at most 2");
    refuse("conv 4 3 bias, dense 3", "'bias' is not known", "'pad P' and 'nobias'");
    refuse("conv 4 3 pad 1 stride 2, dense 3", "'stride' is not known",
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

/* ---- mutations ----------------------------------------------------------- */

static const char *const pieces[] = {"block(",
                                     ")",
                                     ";",
                                     "; shortcut=identity), ",
                                     ", ",
                                     "=",
                                     "dense 4, ",
                                     "; shortcut=projection), ",
                                     "conv 4 1, ",
                                     "relu, ",
                                     "a.b=",
                                     "; shortcut=zeropad), ",
                                     "flatten, ",
                                     "zeropad",
                                     "stride 2 ",
                                     "pool max 2, ",
                                     "input 4x4x2, ",
                                     "rule=fa ",
                                     "nobias ",
                                     "dropout .5, ",
                                     "norm, ",
                                     "x=relu, ",
                                     "tanh, ",
                                     "block(relu; shortcut=identity), "};

static size_t pick(uint32_t *random, size_t below)
{
    return fal_random_word(1, 0, 0, 0, (*random)++) % below;
}

/* Puts a piece behind a blank or a parenthesis, now and then elsewhere and in the place
 * of some letters. */
static void mutate(char *text, size_t size, uint32_t *random)
{
    char rest[1024];
    size_t length = strlen(text), at = pick(random, length + 1), gone = 0;
    const char *piece = pieces[pick(random, sizeof pieces / sizeof *pieces)];
    if (pick(random, 4) == 0)
        gone = pick(random, length - at + 1) % 12;
    else
        while (at > 0 && !strchr(" (", text[at - 1]))
            at--;
    strcpy(rest, text + at + gone);
    snprintf(text + at, size - at, "%s%s", piece, rest);
}

/* Whatever stands there: it is refused with a message, or means what its complete text
 * means. */
static void any_text_is_refused_or_complete(void **state)
{
    enum { TEXTS = 20000 };
    uint32_t random = 0;
    size_t taken = 0;
    char text[1024] = "";
    (void)state;
    for (size_t i = 0; i < TEXTS; i++) {
        fal_network network;
        if (i % 3 == 0)
            strcpy(text, "conv 4 3, relu, block(conv 4 3, norm, relu, b=block("
                         "conv 4 3; shortcut=identity), conv 8 3 stride 2, norm; "
                         "shortcut=projection), relu, flatten, dense 3");
        mutate(text, sizeof text, &random);
        if (fal_network_parse(&network, text, defaults_of(text))) {
            assert_true(fal_error_message()[0]);
            continue;
        }
        taken++;
        char *complete = fal_copy_text(network.text);
        fal_network_release(&network);
        expect_text(text, complete);
        fal_release(complete);
    }
    assert_true(taken > TEXTS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_texts_say_everything),
        cmocka_unit_test(layers_in_blocks_have_the_blocks_name),
        cmocka_unit_test(windows_slide_by_pytorchs_formula),
        cmocka_unit_test(projections_follow_from_both_ways),
        cmocka_unit_test(joins_know_their_shortcut),
        cmocka_unit_test(matrices_end_before_anything_else),
        cmocka_unit_test(only_what_nobody_else_reads_is_fused),
        cmocka_unit_test(dropouts_have_numbers),
        cmocka_unit_test(rules_are_taken_over),
        cmocka_unit_test(wrong_convolutions_are_refused),
        cmocka_unit_test(maps_that_shrink_to_nothing_are_refused),
        cmocka_unit_test(rows_are_no_maps),
        cmocka_unit_test(outputs_are_dense),
        cmocka_unit_test(wrong_pools_and_dropouts_are_refused),
        cmocka_unit_test(ways_that_differ_are_refused),
        cmocka_unit_test(wrong_blocks_are_refused),
        cmocka_unit_test(parentheses_are_counted),
        cmocka_unit_test(wrong_names_in_blocks_are_refused),
        cmocka_unit_test(any_text_is_refused_or_complete),
    };
    return cmocka_run_group_tests_name("network_maps", tests, NULL, NULL);
}
