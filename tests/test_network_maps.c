/* Networks of convolutions, pools, dropout and residual blocks: texts and back, names,
 * shapes by PyTorch's formulas, what is computed together, where matrices end. No
 * device. */
#include "data/random.h"
#include "device/memory.h"
#include "network_texts.h"

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
        cmocka_unit_test(any_text_is_refused_or_complete),
    };
    return cmocka_run_group_tests_name("network_maps", tests, NULL, NULL);
}
