/* Convolutions as products over patches and by strips against plain loops in double: shapes,
 * epilogues, carriers, updates, for every tile width and both kernel families; the
 * same bits for any number of compute units; and what is refused. `test_conv EVERY`
 * takes only every so manieth shape, and one for the compute units, `test_conv EVERY short`
 * none for these, for devices on which programs take long to compile. */
#include "families.h"
#include "device/memory.h"
#include "ops/conv.h"
#include "reference/check.h"
#include "reference/checker.h"

enum { DEVICES = 8 };
#define COUNT(array) (sizeof(array) / sizeof *(array))

static fal_device *devices[DEVICES];
static const char *names[DEVICES];
static size_t device_count;
static unsigned every = 1;
static unsigned seen_strides, seen_kernels,
    seen_rules; /* that were checked, a bit each */

static fal_device *open(const char *kernels, int vector, fal_conv_wish wish)
{
    fal_device *device = open_family(kernels, vector);
    device->facts.conv = wish;
    return device;
}

static void keep(fal_device *device, const char *name)
{
    names[device_count] = name;
    devices[device_count++] = device;
}

/* CPU-like kernels only where they are the device's own: they crawl elsewhere. */
static int is_cpu(void)
{
    fal_device *device = open(NULL, 0, FAL_WISH_AUTO);
    int result = device->facts.type & CL_DEVICE_TYPE_CPU &&
                 device->facts.units < 64 && device->facts.float_width >= 4;
    fal_device_destroy(device);
    return result;
}

static int open_devices(void **state)
{
    (void)state;
    keep(open("gpu", 0, FAL_WISH_PATCHES), "gpu kernels");
    devices[0]->facts.units = 1; /* so that one block is enough for all of them */
    if (every > 1) /* where each form takes half a minute to compile */
        return 0;
    keep(open("gpu", 0, FAL_WISH_PATCHES), "gpu kernels, half blocks");
    devices[1]->facts.units = 1 << 20;
    if (!is_cpu())
        return 0;
    keep(open("cpu", 4, FAL_WISH_PATCHES), "patches, vectors of 4");
    keep(open("cpu", 4, FAL_WISH_STRIPS), "strips, vectors of 4");
    keep(open("cpu", 8, FAL_WISH_PATCHES), "patches, vectors of 8");
    keep(open("cpu", 8, FAL_WISH_STRIPS), "strips, vectors of 8");
    keep(open("cpu", 16, FAL_WISH_PATCHES), "patches, vectors of 16");
    keep(open("cpu", 16, FAL_WISH_STRIPS), "strips, vectors of 16");
    return 0;
}

static int close_devices(void **state)
{
    (void)state;
    for (size_t i = 0; i < device_count; i++)
        fal_device_destroy(devices[i]);
    return 0;
}

/* ---- shapes -------------------------------------------------------------- */

static fal_conv conv_of(size_t images, size_t height, size_t width, size_t channels,
                        size_t kernel, size_t stride, size_t pad, size_t outs)
{
    return (fal_conv){images,
                      height,
                      width,
                      channels,
                      kernel,
                      stride,
                      pad,
                      (height + 2 * pad - kernel) / stride + 1,
                      (width + 2 * pad - kernel) / stride + 1,
                      outs};
}

static const fal_update RULES[] = {
    {.rule = FAL_SGD, .momentum = .9f, .weight_decay = .01f},
    {.rule = FAL_ADAM, .weight_decay = .01f, .decoupled = 1},
    {.rule = FAL_SGD},
    {.rule = FAL_MUON, .weight_decay = .01f},
};

/* Everything but sizes goes round, so that neighbours differ. */
static fal_check_conv_shape varied(fal_conv conv, unsigned turn)
{
    return (fal_check_conv_shape){
        .conv = conv,
        .has_bias = turn % 2,
        .adds = turn % 5 % 2,
        .derives = turn % 3 != 0,
        .activation = {(fal_phi)(turn % FAL_PHIS), .1f},
        .values = (fal_values_kind)(turn / 2 % 3),
    };
}

static void expect(const fal_check_conv_shape *s, const char *name,
                   const char *pass, fal_status status, double worst)
{
    const fal_conv *c = &s->conv;
    must(status);
    if (!(worst <= 1))
        fail_msg(
            "%s, %s: %zu maps %zux%zux%zu, kernel %zu, stride %zu, padding %zu, to "
            "%zu; parts %d %d %d, values %d: off by %g bounds",
            name, pass, c->images, c->height, c->width, c->channels, c->kernel,
            c->stride, c->pad, c->out_channels, s->has_bias, s->adds, s->derives,
            (int)s->values, worst);
}

static void check_shape(fal_conv conv)
{
    static unsigned turn;
    const fal_check_conv_shape s = varied(conv, turn++);
    const fal_update *rule = &RULES[turn % COUNT(RULES)];
    if (turn % every)
        return;
    seen_strides |= 1u << conv.stride;
    seen_kernels |= 1u << conv.kernel;
    seen_rules |= 1u << turn % COUNT(RULES);
    for (size_t i = 0; i < device_count; i++) {
        double worst = 0;
        if (i == turn % 2 && conv.images * conv.height * conv.width > 400)
            continue; /* long on GPU-like kernels: one form of them is enough */
        fal_status status = fal_check_conv(devices[i], &s, &worst);
        expect(&s, names[i], "forward", status, worst);
        status = fal_check_conv_data(devices[i], &s, &worst);
        expect(&s, names[i], "data", status, worst);
        status = fal_check_conv_weight(devices[i], &s, turn % 9 == 8, &worst);
        expect(&s, names[i], "weight", status, worst);
        status = fal_check_conv_update(devices[i], &s, rule, turn, turn % 11 == 10,
                                       &worst);
        expect(&s, names[i], "update", status, worst);
    }
}

/* Kernels beyond the image, strides beyond the kernel, padding beyond both */
static void small_maps(void **state)
{
    static const size_t maps[][2] = {{1, 1}, {1, 4}, {3, 2}, {5, 6}};
    static const size_t kernels[] = {1, 2, 3, 5}, strides[] = {1, 2, 3, 7};
    static const size_t pads[] = {0, 1, 2, 6};
    static const size_t channels[][2] = {
        {1, 1}, {3, 17}, {32, 5}, {17, 16}, {2, 3}};
    unsigned turn = 0;
    (void)state;
    for (size_t m = 0; m < COUNT(maps); m++)
        for (size_t k = 0; k < COUNT(kernels); k++)
            for (size_t s = 0; s < COUNT(strides); s++, turn++) {
                const size_t *c = channels[turn % COUNT(channels)];
                size_t pad = pads[turn / 3 % COUNT(pads)];
                if (maps[m][0] + 2 * pad < kernels[k] ||
                    maps[m][1] + 2 * pad < kernels[k])
                    pad = kernels[k] / 2 + 1;
                check_shape(conv_of(1 + turn % 3, maps[m][0], maps[m][1], c[0],
                                    kernels[k], strides[s], pad, c[1]));
            }
}

/* A_ROWS = 1056, B_COLUMNS = 128, DEPTH = 256 and PIECE_PIXELS = 512 of host/ops, and
 * the STRIP of cl/gemm.cl, are passed by. */
static void sizes_around_blocks(void **state)
{
    static const size_t sizes[][8] = {
        {3, 20, 19, 3, 3, 1, 1, 17},  {3, 20, 18, 33, 3, 1, 1, 20},
        {40, 8, 8, 5, 3, 1, 1, 7},    {2, 12, 12, 30, 3, 2, 1, 140},
        {70, 5, 5, 16, 3, 1, 1, 16},  {3, 17, 15, 64, 1, 2, 0, 33},
        {2, 31, 33, 3, 5, 1, 0, 6},   {1, 9, 9, 129, 3, 3, 2, 12},
        {300, 2, 2, 12, 3, 1, 1, 16}, {9, 16, 16, 1, 7, 1, 3, 1},
        {600, 1, 1, 1, 1, 1, 0, 1},   {1, 40, 41, 4, 4, 3, 2, 65},
        {64, 4, 4, 24, 2, 2, 0, 13},  {4, 1, 60, 18, 1, 1, 0, 31}};
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        const size_t *s = sizes[i];
        check_shape(conv_of(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]));
    }
}

/* FEWEST_CHANNELS and FEWEST_IMAGES of host/ops/conv_patches.c: tiles of one pixel of
 * several images, their taps outside left out, in blocks of k of 128 and 144 */
static void pixels_of_many_small_maps(void **state)
{
    static const size_t sizes[][8] = {
        {25, 3, 2, 128, 3, 1, 1, 7},  {24, 4, 4, 144, 3, 2, 1, 33},
        {31, 1, 1, 128, 3, 1, 1, 17}, {24, 5, 4, 9, 3, 2, 1, 128},
        {26, 3, 3, 5, 5, 1, 2, 272},  {24, 2, 3, 4, 3, 3, 0, 160}};
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        const size_t *s = sizes[i];
        const size_t pad = s[1] + 2 * s[6] < s[4] ? 1 : s[6];
        check_shape(conv_of(s[0], s[1], s[2], s[3], s[4], s[5], pad, s[7]));
    }
}

/* Every so manieth is a choice too: not one that leaves out a kind of shape. */
static void no_kind_was_left_out(void **state)
{
    (void)state;
    assert_true(seen_strides & 1u << 1 && seen_strides & 1u << 2 &&
                seen_strides >> 3);
    assert_true(seen_kernels & 1u << 1 && seen_kernels & 1u << 3);
    assert_int_equal(seen_rules, (1u << COUNT(RULES)) - 1);
}

/* ---- compute units ------------------------------------------------------- */

enum { UNITS = 4 };

typedef struct results {
    float *signal, *gradient, *output;
} results;

/* All passes, the bits they leave */
static results run(fal_device *device, const fal_conv *conv)
{
    fal_checker c;
    double worst = 0;
    fal_checker_begin(&c, device, &worst);
    size_t in = conv->images * conv->height * conv->width * conv->channels;
    size_t out = conv->images * conv->out_height * conv->out_width *
                 conv->out_channels;
    size_t weights = conv->kernel * conv->kernel * conv->channels *
                     conv->out_channels;
    size_t room = 1;
    for (int pass = FAL_CONV_FORWARD; pass <= FAL_CONV_WEIGHT; pass++)
        room += fal_conv_room(device, conv, (fal_conv_pass)pass);
    const fal_view input = fal_checker_put(&c, in,
                                           fal_checker_floats(&c, in, -1, 1));
    const fal_view weight = fal_checker_put(&c, weights,
                                            fal_checker_floats(&c, weights, -1, 1));
    const fal_view output = fal_checker_put(&c, out, NULL);
    const fal_view signal = fal_checker_put(&c, in, NULL);
    const fal_view gradient = fal_checker_put(&c, weights, NULL);
    const fal_view spare = fal_checker_put(&c, room, NULL);
    must(fal_conv_forward_add(
        &c.launches, conv,
        &(fal_conv_forward){
            .input = input, .weight = weight, .output = output, .room = spare}));
    must(fal_conv_data_add(
        &c.launches, conv,
        &(fal_conv_data){
            .delta = output, .carrier = weight, .signal = signal, .room = spare}));
    must(fal_conv_weight_add(&c.launches, conv,
                             &(fal_conv_weight){.input = signal,
                                                .delta = output,
                                                .gradient = gradient,
                                                .beta = 0,
                                                .room = spare}));
    fal_checker_run(&c, FAL_OK);
    const void *from[] = {fal_checker_get(&c, output), fal_checker_get(&c, signal),
                          fal_checker_get(&c, gradient)};
    const size_t counts[] = {out, in, weights};
    float *copies[3];
    for (int i = 0; i < 3; i++) {
        copies[i] = fal_allocate(counts[i], sizeof(float));
        assert_non_null(copies[i]);
        memcpy(copies[i], from[i], counts[i] * sizeof(float));
    }
    must(fal_checker_end(&c));
    return (results){copies[1], copies[2], copies[0]};
}

static void release(results r)
{
    fal_release(r.signal);
    fal_release(r.gradient);
    fal_release(r.output);
}

static void same_bits(fal_device *const *on, size_t count, const fal_conv *c)
{
    size_t in = c->images * c->height * c->width * c->channels;
    size_t out = c->images * c->out_height * c->out_width * c->out_channels;
    size_t weights = c->kernel * c->kernel * c->channels * c->out_channels;
    results first = run(on[0], c);
    for (size_t i = 1; i < count; i++) {
        results other = run(on[i], c);
        assert_memory_equal(first.output, other.output, out * sizeof(float));
        assert_memory_equal(first.signal, other.signal, in * sizeof(float));
        assert_memory_equal(first.gradient, other.gradient,
                            weights * sizeof(float));
        release(other);
    }
    release(first);
}

static void units_do_not_show(void **state)
{
    static const size_t sizes[][8] = {{5, 33, 20, 3, 3, 2, 1, 40},
                                      {20, 16, 16, 16, 3, 1, 1, 16},
                                      {3, 12, 12, 40, 3, 1, 1, 70}};
    static const unsigned units[UNITS] = {1, 8, 2, 3};
    const size_t shapes = every > 1 ? 1 : COUNT(sizes);
    const size_t count = every > 1 ? 2 : UNITS; /* each compiles its own */
    fal_device *on[UNITS];
    (void)state;
    for (int form = is_cpu() ? 0 : 2; form < 3; form++) {
        for (size_t i = 0; i < count; i++) {
            on[i] = open(form == 2 ? "gpu" : "cpu", 0,
                         form == 0 ? FAL_WISH_STRIPS : FAL_WISH_PATCHES);
            on[i]->facts.units = units[i];
        }
        for (size_t i = 0; i < shapes; i++) {
            const size_t *s = sizes[i];
            fal_conv conv = conv_of(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
            same_bits(on, count, &conv);
        }
        for (size_t i = 0; i < count; i++)
            fal_device_destroy(on[i]);
    }
}

/* ---- refusals ------------------------------------------------------------ */

static void bad_shapes_are_refused(void **state)
{
    fal_launches list = {.device = devices[0]};
    const fal_conv_forward pass = {.activation = {FAL_LINEAR, 0}};
    fal_conv none = conv_of(1, 4, 4, 2, 3, 1, 1, 5), wrong = none, large = none;
    none.stride = 0;
    wrong.out_width = 5;
    large.images = (size_t)1 << 28;
    (void)state;
    expect_refusal(fal_conv_forward_add(&list, &none, &pass), "stride 0");
    expect_refusal(fal_conv_forward_add(&list, &wrong, &pass), "to 4x5x5");
    expect_refusal(fal_conv_forward_add(&list, &large, &pass), "2^31");
    assert_int_equal(list.count, 0);
    fal_launches_release(&list);
}

static void missing_room_and_random_carriers_are_refused(void **state)
{
    fal_launches list = {.device = devices[0]};
    const fal_conv conv = conv_of(1, 4, 4, 2, 3, 1, 1, 5);
    fal_conv_data pass = {.values = {.kind = FAL_VALUES_SIGN, .scale = 1}};
    (void)state;
    expect_refusal(fal_conv_data_add(&list, &conv, &pass), "room");
    must(fal_buffer_create(devices[0], 4096, "test", &pass.room.buffer));
    pass.values.kind = FAL_VALUES_RANDOM;
    expect_refusal(fal_conv_data_add(&list, &conv, &pass), "drawn");
    assert_int_equal(list.count, 0);
    fal_buffer_destroy(devices[0], pass.room.buffer);
    fal_launches_release(&list);
}

/* The last batch of an epoch has fewer images, and the room of a full one. */
static void room_is_enough_for_fewer_images(void **state)
{
    const fal_conv shapes[] = {
        conv_of(130, 8, 8, 3, 3, 1, 1, 8), conv_of(130, 4, 4, 16, 3, 1, 1, 16),
        conv_of(130, 5, 5, 64, 3, 2, 1, 64), conv_of(130, 9, 9, 2, 5, 1, 0, 6)};
    (void)state;
    for (size_t d = 0; d < sizeof devices / sizeof *devices && devices[d]; d++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (int pass = FAL_CONV_FORWARD; pass <= FAL_CONV_WEIGHT; pass++) {
                fal_conv some = shapes[i];
                uint64_t fewer = 0;
                for (some.images = 1; some.images <= 130; some.images++) {
                    uint64_t room = fal_conv_room(devices[d], &some,
                                                  (fal_conv_pass)pass);
                    if (room < fewer)
                        fail_msg("shape %zu, pass %d: %zu images need less than "
                                 "fewer",
                                 i, pass, some.images);
                    fewer = room;
                }
            }
}

/* ---- profiles ------------------------------------------------------------ */

static double noted_flops(const fal_launches *list)
{
    double flops = 0;
    for (size_t i = 0; i < list->count; i++)
        for (size_t j = 0; j < list->items[i].share_count; j++)
            flops += list->items[i].shares[j].flops;
    return flops;
}

/* 2 · pixels · kernel² · in · out, whatever is multiplied by zeros beside it */
static void every_pass_notes_its_arithmetic(void **state)
{
    const fal_conv c = conv_of(64, 9, 9, 16, 3, 2, 1, 32);
    const double expected = 2. * 64 * 25 * 9 * 16 * 32;
    fal_device *device = devices[0];
    fal_launches list = {.device = device};
    fal_view all = {NULL, 0};
    (void)state;
    must(fal_buffer_create(device, 16 << 20, "test", &all.buffer));
    must(fal_conv_forward_add(
        &list, &c,
        &(fal_conv_forward){.input = all, .weight = all, .output = all}));
    assert_float_equal(noted_flops(&list), expected, 1);
    must(fal_conv_data_add(
        &list, &c,
        &(fal_conv_data){
            .delta = all, .carrier = all, .signal = all, .room = all}));
    assert_float_equal(noted_flops(&list), 2 * expected, 1);
    must(fal_conv_weight_add(
        &list, &c,
        &(fal_conv_weight){
            .input = all, .delta = all, .gradient = all, .room = all}));
    assert_float_equal(noted_flops(&list), 3 * expected, 1);
    fal_launches_release(&list);
    fal_buffer_destroy(device, all.buffer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_maps),
        cmocka_unit_test(sizes_around_blocks),
        cmocka_unit_test(pixels_of_many_small_maps),
        cmocka_unit_test(no_kind_was_left_out),
        cmocka_unit_test(bad_shapes_are_refused),
        cmocka_unit_test(missing_room_and_random_carriers_are_refused),
        cmocka_unit_test(room_is_enough_for_fewer_images),
        cmocka_unit_test(every_pass_notes_its_arithmetic),
        cmocka_unit_test(units_do_not_show), /* last: see below */
    };
    every = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
    size_t left_out = argc > 2 && strcmp(argv[2], "short") == 0;
    return _cmocka_run_group_tests("conv", tests, COUNT(tests) - left_out,
                                   open_devices, close_devices);
}
