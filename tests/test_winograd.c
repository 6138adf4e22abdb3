/* Convolutions by Winograd's minimal filtering against plain loops in double: sizes of
 * maps, tiles, channels and panels, epilogues, carriers and updates, at every vector
 * width; the same bits for any number of compute units; errors beside those of the
 * direct form, and those of larger tiles; and which shapes are made so. GPU-like
 * devices have no such kernels. */
#include "device/memory.h"
#include "ops/conv.h"
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/conv.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { DEVICES = 3 };
#define COUNT(array) (sizeof(array) / sizeof *(array))

static fal_device *devices[DEVICES];
static size_t device_count;

static void must(fal_status status)
{
    if (status)
        fail_msg("%s", fal_error_message());
}

static fal_device *open(const char *kernels, int vector, fal_conv_wish wish)
{
    fal_device *device = NULL;
    fal_device_options options = FAL_DEVICE_OPTIONS;
    options.kernels = kernels;
    options.vector = vector;
    options.gemm = "own";
    must(fal_device_open(&device, &options));
    device->facts.conv = wish;
    return device;
}

/* CPU-like kernels only where they are the device's own: they crawl elsewhere. */
static int open_devices(void **state)
{
    (void)state;
    fal_device *device = open(NULL, 0, FAL_WISH_AUTO);
    int is_cpu = device->facts.type & CL_DEVICE_TYPE_CPU &&
                 device->facts.float_width >= 4;
    fal_device_destroy(device);
    for (int vector = 4; vector <= 16 && is_cpu; vector *= 2)
        devices[device_count++] = open("cpu", vector, FAL_WISH_WINOGRAD2);
    return 0;
}

static int close_devices(void **state)
{
    (void)state;
    for (size_t i = 0; i < device_count; i++)
        fal_device_destroy(devices[i]);
    return 0;
}

/* Images, height, width, channels, padding, output channels */
static fal_conv conv_of(const size_t s[6])
{
    return (fal_conv){s[0],
                      s[1],
                      s[2],
                      s[3],
                      3,
                      1,
                      s[4],
                      s[1] + 2 * s[4] - 2,
                      s[2] + 2 * s[4] - 2,
                      s[5]};
}

/* ---- all passes against references --------------------------------------- */

static const fal_update RULES[] = {
    {.rule = FAL_SGD, .momentum = .9f, .weight_decay = .01f},
    {.rule = FAL_ADAM, .weight_decay = .01f, .decoupled = 1},
    {.rule = FAL_SGD},
    {.rule = FAL_MUON, .weight_decay = .01f},
};

static void expect(const fal_device *device, const fal_conv *c, const char *pass,
                   fal_status status, double worst)
{
    must(status);
    if (!(worst <= 1))
        fail_msg(
            "vectors of %d, %s: %zu maps %zux%zux%zu, padding %zu, to %zu: off "
            "by %g bounds",
            device->facts.vector, pass, c->images, c->height, c->width, c->channels,
            c->pad, c->out_channels, worst);
}

/* Everything but sizes goes round, so that neighbours differ. */
static void check_shape(fal_device *device, fal_conv conv, unsigned turn)
{
    const fal_check_conv_shape s = {
        .conv = conv,
        .has_bias = turn % 2,
        .adds = turn % 5 % 2,
        .derives = turn % 3 != 0,
        .activation = {(fal_phi)(turn % FAL_PHIS), .1f},
        .values = (fal_values_kind)(turn / 2 % 3),
    };
    double worst = 0;
    fal_status status = fal_check_conv(device, &s, &worst);
    expect(device, &conv, "forward", status, worst);
    status = fal_check_conv_data(device, &s, &worst);
    expect(device, &conv, "data", status, worst);
    status = fal_check_conv_weight(device, &s, turn % 7 == 6, &worst);
    expect(device, &conv, "weight", status, worst);
    status = fal_check_conv_update(device, &s, &RULES[turn % COUNT(RULES)],
                                   turn + 1, turn % 11 == 10, &worst);
    expect(device, &conv, "update", status, worst);
}

/* One pixel, one row, odd sides; channels below, at and past vectors and panels, which
 * may end in one, two, three or four vectors */
static void small_maps(void **state)
{
    static const size_t maps[][3] = {{1, 1, 1}, {1, 1, 2}, {1, 5, 1}, {3, 3, 0},
                                     {2, 4, 1}, {4, 4, 1}, {5, 6, 2}, {7, 3, 0}};
    static const size_t channels[][2] = {{1, 1},  {3, 17}, {16, 5}, {33, 64},
                                         {5, 48}, {17, 3}, {8, 96}, {2, 81}};
    unsigned turn = 0;
    (void)state;
    for (size_t d = 0; d < device_count; d++)
        for (size_t m = 0; m < COUNT(maps); m++)
            for (size_t c = 0; c < COUNT(channels); c++, turn++) {
                const size_t s[] = {1 + turn % 3,   maps[m][0], maps[m][1],
                                    channels[c][0], maps[m][2], channels[c][1]};
                if (s[1] + 2 * s[4] >= 3 && s[2] + 2 * s[4] >= 3)
                    check_shape(devices[d], conv_of(s), turn);
            }
}

/* BLOCK = 96, ROWS = 12, WIDE = 512 and the parts of the weight gradient's sums,
 * host/ops/winograd.c and winograd_gradient.c, are passed by. */
static void sizes_around_blocks(void **state)
{
    static const size_t sizes[][6] = {
        {13, 8, 8, 20, 1, 24}, {49, 4, 4, 12, 1, 40}, {3, 16, 16, 64, 1, 33},
        {2, 8, 8, 7, 1, 529},  {1, 10, 8, 270, 1, 9}, {9, 32, 31, 4, 1, 6},
        {25, 4, 4, 1, 2, 2},   {33, 32, 32, 1, 1, 2}};
    (void)state;
    for (size_t d = 0; d < device_count; d++)
        for (size_t i = 0; i < COUNT(sizes); i++)
            check_shape(devices[d], conv_of(sizes[i]), (unsigned)(7 * i + d));
}

/* ---- errors -------------------------------------------------------------- */

static size_t inputs(const fal_conv *c)
{
    return c->images * c->height * c->width * c->channels;
}

static size_t outputs(const fal_conv *c)
{
    return c->images * c->out_height * c->out_width * c->out_channels;
}

/* A pass but weight's, from one map to the other; what it should give */
static void add_pass(fal_checker *c, const fal_conv *conv, fal_conv_pass pass,
                     fal_view to, fal_reference_total *expected)
{
    size_t weights = 9 * conv->channels * conv->out_channels;
    size_t from = pass == FAL_CONV_DATA ? outputs(conv) : inputs(conv);
    const float *map = fal_checker_floats(c, from, -1, 1);
    const float *weight = fal_checker_floats(c, weights, -1, 1);
    size_t room = fal_conv_room(c->device, conv, pass) + 1;
    const fal_view map_at = fal_checker_put(c, from, map);
    const fal_view weight_at = fal_checker_put(c, weights, weight);
    const fal_view spare = fal_checker_put(c, room, NULL);
    const fal_conv_forward forward = {
        .input = map_at, .weight = weight_at, .output = to, .room = spare};
    const fal_conv_data data = {
        .delta = map_at, .carrier = weight_at, .signal = to, .room = spare};
    must(c->status);
    fal_checker_run(c, pass == FAL_CONV_DATA
                           ? fal_conv_data_add(&c->launches, conv, &data)
                           : fal_conv_forward_add(&c->launches, conv, &forward));
    (pass == FAL_CONV_DATA ? fal_reference_conv_data
                           : fal_reference_conv)(conv, map, weight, expected);
}

/* Its largest error over the largest result */
static double error_of(fal_device *device, const fal_conv *conv, fal_conv_pass pass,
                       fal_conv_wish wish)
{
    double worst = 0, largest = 0;
    fal_checker c;
    device->facts.conv = wish;
    fal_checker_begin(&c, device, &worst);
    size_t count = pass == FAL_CONV_DATA ? inputs(conv) : outputs(conv);
    fal_reference_total *expected = fal_checker_room(&c, count, sizeof *expected);
    const fal_view to = fal_checker_put(&c, count, NULL);
    add_pass(&c, conv, pass, to, expected);
    const float *got = fal_checker_get(&c, to);
    for (size_t i = 0; got && i < count; i++) {
        largest = fmax(largest, fabs(expected[i].value));
        fal_checker_note(&c, got[i], expected[i].value, 1);
    }
    device->facts.conv = FAL_WISH_WINOGRAD2;
    must(fal_checker_end(&c));
    return worst / largest;
}

/* Within the noise of one draw: the sums that are rounded are shorter by nine. */
static void errors_are_no_larger_than_the_direct_forms(void **state)
{
    static const size_t sizes[][6] = {
        {2, 16, 16, 64, 1, 64}, {2, 8, 8, 256, 1, 32}, {2, 8, 8, 16, 1, 64}};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(sizes) && device_count; i++) {
        const fal_conv conv = conv_of(sizes[i / 2]);
        const fal_conv_pass pass = i % 2 ? FAL_CONV_DATA : FAL_CONV_FORWARD;
        fal_device *device = devices[device_count - 1];
        double filtered = error_of(device, &conv, pass, FAL_WISH_WINOGRAD2);
        double direct = error_of(device, &conv, pass, FAL_WISH_DIRECT);
        if (!(filtered <= 1.1 * direct) || !(filtered > 0))
            fail_msg("%zu channels: error %g, of the direct form %g", conv.channels,
                     filtered, direct);
    }
}

/* Tiles of 4 x 4: forward and data, within 2e-5 of the largest result */
static void larger_tiles_err_little(void **state)
{
    static const size_t sizes[][6] = {{2, 16, 16, 64, 1, 33}, {33, 4, 4, 17, 2, 8},
                                      {9, 9, 7, 8, 0, 80},    {13, 8, 8, 300, 1, 8},
                                      {5, 31, 13, 16, 1, 16}, {2, 8, 8, 8, 1, 512}};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(sizes) * device_count; i++) {
        const fal_conv conv = conv_of(sizes[i / 2 % COUNT(sizes)]);
        fal_device *device = devices[i / 2 / COUNT(sizes)];
        const fal_conv_pass pass = i % 2 ? FAL_CONV_DATA : FAL_CONV_FORWARD;
        double error = error_of(device, &conv, pass, FAL_WISH_WINOGRAD4);
        if (!(error <= 2e-5) || !(error > 1e-6))
            fail_msg("%zu channels, pass %d: error %g", conv.channels, (int)pass,
                     error);
    }
}

/* ---- compute units ------------------------------------------------------- */

/* The bits that all passes leave: output, signal, gradient; the caller's */
static float *run(fal_device *device, const fal_conv *conv, size_t *count)
{
    fal_checker c;
    double worst = 0;
    fal_checker_begin(&c, device, &worst);
    size_t in = inputs(conv), out = outputs(conv);
    size_t rows = 9 * conv->channels + 1, weights = rows * conv->out_channels;
    size_t room = 1;
    for (int pass = FAL_CONV_FORWARD; pass <= FAL_CONV_WEIGHT; pass++)
        room += fal_conv_room(device, conv, (fal_conv_pass)pass);
    const fal_view spare = fal_checker_put(&c, room, NULL);
    const fal_conv_forward forward = {
        .input = fal_checker_put(&c, in, fal_checker_floats(&c, in, -1, 1)),
        .weight = fal_checker_put(&c, weights,
                                  fal_checker_floats(&c, weights, -1, 1)),
        .output = fal_checker_put(&c, out, NULL),
        .room = spare};
    const fal_conv_data data = {.delta = forward.output,
                                .carrier = forward.weight,
                                .signal = fal_checker_put(&c, in, NULL),
                                .room = spare};
    const fal_conv_weight weight = {.input = data.signal,
                                    .delta = forward.output,
                                    .gradient = fal_checker_put(&c, weights, NULL),
                                    .has_bias = 1,
                                    .room = spare};
    must(c.status);
    must(fal_conv_forward_add(&c.launches, conv, &forward));
    must(fal_conv_data_add(&c.launches, conv, &data));
    fal_checker_run(&c, fal_conv_weight_add(&c.launches, conv, &weight));
    *count = in + out + weights;
    float *bits = fal_allocate(*count, sizeof *bits);
    assert_non_null(bits);
    memcpy(bits, fal_checker_get(&c, forward.output), out * sizeof *bits);
    memcpy(bits + out, fal_checker_get(&c, data.signal), in * sizeof *bits);
    memcpy(bits + out + in, fal_checker_get(&c, weight.gradient),
           weights * sizeof *bits);
    must(fal_checker_end(&c));
    return bits;
}

static void units_do_not_show(void **state)
{
    static const size_t sizes[][6] = {
        {3, 12, 12, 40, 1, 70}, {33, 17, 16, 20, 1, 24}, {1, 6, 6, 70, 1, 130}};
    static const unsigned units[] = {1, 2, 3, 8, 64};
    (void)state;
    for (size_t i = 0; i < COUNT(sizes) && device_count; i++) {
        const fal_conv conv = conv_of(sizes[i]);
        float *first = NULL;
        for (size_t u = 0; u < COUNT(units); u++) {
            fal_device *device = open("cpu", 0, FAL_WISH_WINOGRAD2);
            size_t count = 0;
            device->facts.units = units[u];
            float *bits = run(device, &conv, &count);
            if (first)
                assert_memory_equal(first, bits, count * sizeof *bits);
            fal_release(first);
            first = bits;
            fal_device_destroy(device);
        }
        fal_release(first);
    }
}

/* ---- choice -------------------------------------------------------------- */

static void form_is(const fal_device *device, const size_t sizes[6], size_t stride,
                    const char *form)
{
    fal_conv conv = conv_of(sizes);
    conv.stride = stride;
    for (int pass = FAL_CONV_FORWARD; pass <= FAL_CONV_WEIGHT; pass++)
        assert_string_equal(fal_conv_form(device, &conv, (fal_conv_pass)pass),
                            form);
}

static void shapes_choose(void **state)
{
    static const size_t usual[] = {48, 32, 32, 64, 1, 64};
    static const size_t thin[] = {48, 32, 32, 3, 1, 64};
    static const size_t small[] = {48, 4, 4, 256, 1, 256};
    static const size_t single[] = {1, 4, 4, 512, 1, 512};
    (void)state;
    fal_device *device = open(NULL, 0, FAL_WISH_AUTO);
    int is_cpu = device->facts.family == FAL_FAMILY_CPU;
    form_is(device, usual, 1, is_cpu ? "winograd" : "patches");
    form_is(device, usual, 2, is_cpu ? "strips" : "patches");
    form_is(device, thin, 1, is_cpu ? "strips" : "patches");
    form_is(device, single, 1, "patches");
    device->facts.conv = FAL_WISH_DIRECT;
    form_is(device, usual, 1, is_cpu ? "strips" : "patches");
    form_is(device, small, 1, "patches");
    device->facts.conv = FAL_WISH_WINOGRAD4;
    form_is(device, single, 1, "patches");
    const fal_conv large = conv_of(usual);
    assert_string_equal(fal_conv_form(device, &large, FAL_CONV_DATA),
                        is_cpu ? "winograd4" : "patches");
    assert_string_equal(fal_conv_form(device, &large, FAL_CONV_WEIGHT),
                        is_cpu ? "winograd" : "patches");
    fal_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_maps),
        cmocka_unit_test(sizes_around_blocks),
        cmocka_unit_test(errors_are_no_larger_than_the_direct_forms),
        cmocka_unit_test(larger_tiles_err_little),
        cmocka_unit_test(units_do_not_show),
        cmocka_unit_test(shapes_choose),
    };
    return cmocka_run_group_tests_name("winograd", tests, open_devices,
                                       close_devices);
}
