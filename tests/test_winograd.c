/* Convolutions by Winograd's minimal filtering against plain loops in double: sizes of
 * maps, tiles, channels and panels, epilogues, carriers and updates, at every vector
 * width; the same bits for any number of compute units; errors beside those of the
 * direct form, and those of larger tiles; and which shapes are made so. GPU-like
 * devices have no such kernels: there all but the choice is skipped. */
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

/* On other devices there is nothing to compare, and no case may pass for that. */
static void need_devices(void)
{
    if (!device_count)
        skip();
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
    need_devices();
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
    need_devices();
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

/* A pass by itself: two sources, of which a map comes first, and a result; what it
 * should give, made when it is first asked for */
typedef struct lone_pass {
    fal_conv conv;
    fal_conv_pass pass;
    size_t counts[3];
    fal_reference_total *expected;
} lone_pass;

static lone_pass pass_of(const size_t sizes[6], fal_conv_pass pass)
{
    const fal_conv c = conv_of(sizes);
    size_t in = inputs(&c), out = outputs(&c),
           weights = 9 * c.channels * c.out_channels;
    return (lone_pass){c,
                       pass,
                       {pass == FAL_CONV_DATA ? out : in,
                        pass == FAL_CONV_WEIGHT ? out : weights,
                        pass == FAL_CONV_FORWARD ? out
                        : pass == FAL_CONV_DATA  ? in
                                                 : weights},
                       NULL};
}

static void add_pass(fal_checker *c, const lone_pass *p, const fal_view at[3],
                     fal_view room)
{
    const fal_conv_forward forward = {
        .input = at[0], .weight = at[1], .output = at[2], .room = room};
    const fal_conv_data data = {
        .delta = at[0], .carrier = at[1], .signal = at[2], .room = room};
    const fal_conv_weight weight = {
        .input = at[0], .delta = at[1], .gradient = at[2], .room = room};
    must(c->status);
    fal_checker_run(c, p->pass == FAL_CONV_FORWARD
                           ? fal_conv_forward_add(&c->launches, &p->conv, &forward)
                       : p->pass == FAL_CONV_DATA
                           ? fal_conv_data_add(&c->launches, &p->conv, &data)
                           : fal_conv_weight_add(&c->launches, &p->conv, &weight));
}

static void expect_of(lone_pass *p, const float *first, const float *second)
{
    size_t bias = p->conv.out_channels; /* the reference's last row */
    p->expected = fal_allocate(p->counts[2] + bias, sizeof *p->expected);
    assert_non_null(p->expected);
    (p->pass == FAL_CONV_FORWARD ? fal_reference_conv
     : p->pass == FAL_CONV_DATA
         ? fal_reference_conv_data
         : fal_reference_conv_weight)(&p->conv, first, second, p->expected);
}

/* Over the largest result */
typedef struct errors {
    double mean_square, largest; /* the root of the mean square */
} errors;

static errors measure(const lone_pass *p, const float *got)
{
    double sum = 0, worst = 0, largest = 0;
    for (size_t i = 0; i < p->counts[2]; i++) {
        double error = fabs((double)got[i] - p->expected[i].value);
        sum += error * error;
        worst = error <= worst ? worst : error; /* NaN too */
        largest = fmax(largest, fabs(p->expected[i].value));
    }
    return (errors){sqrt(sum / (double)p->counts[2]) / largest, worst / largest};
}

/* The same numbers whatever the device and the form */
static errors errors_of(fal_device *device, lone_pass *p, fal_conv_wish wish)
{
    double worst = 0;
    float *from[2];
    fal_view at[3];
    fal_checker c;
    device->facts.conv = wish;
    fal_checker_begin(&c, device, &worst);
    for (int i = 0; i < 2; i++) {
        from[i] = fal_checker_floats(&c, p->counts[i], -1, 1);
        at[i] = fal_checker_put(&c, p->counts[i], from[i]);
    }
    at[2] = fal_checker_put(&c, p->counts[2], NULL);
    add_pass(
        &c, p, at,
        fal_checker_put(&c, fal_conv_room(device, &p->conv, p->pass) + 1, NULL));
    if (!p->expected)
        expect_of(p, from[0], from[1]);
    const float *got = fal_checker_get(&c, at[2]);
    must(c.status);
    errors result = measure(p, got);
    device->facts.conv = FAL_WISH_WINOGRAD2;
    must(fal_checker_end(&c));
    return result;
}

/* Layers of networks, then shapes at the edges of what is filtered unasked and of how
 * many terms are summed at once. What is compared is the root of the mean square: from
 * draw to draw it stays within some percent, the largest of all errors only within half
 * of it. */
static const size_t layers[][6] = {
    {8, 16, 16, 64, 1, 64}, {8, 32, 32, 16, 1, 16},  {2, 8, 8, 256, 1, 256},
    {16, 8, 8, 256, 1, 32}, {48, 4, 4, 512, 1, 64},  {32, 4, 4, 128, 1, 64},
    {36, 4, 4, 128, 1, 32}, {32, 4, 4, 16, 1, 16},   {16, 3, 3, 16, 1, 128},
    {2, 8, 8, 8, 1, 8},     {256, 4, 4, 128, 1, 16}, {8, 10, 10, 128, 1, 32},
    {8, 6, 6, 320, 1, 32}};

/* Two forms: else nothing is compared */
static errors errors_as(fal_device *device, lone_pass *p, fal_conv_wish wish,
                        int filters)
{
    device->facts.conv = wish;
    const char *form = fal_conv_form(device, &p->conv, p->pass);
    assert_int_equal(strcmp(form, "winograd") == 0, filters);
    return errors_of(device, p, wish);
}

static void compare_errors(lone_pass *p)
{
    for (size_t d = 0; d < device_count; d++) {
        fal_device *device = devices[d];
        errors filtered = errors_as(device, p, FAL_WISH_AUTO, 1);
        errors direct = errors_as(device, p, FAL_WISH_DIRECT, 0);
        if (!(filtered.mean_square <= direct.mean_square) ||
            !(filtered.mean_square > 0))
            fail_msg("vectors of %d, %zu maps %zux%zux%zu to %zu, pass %d: error "
                     "%g, of the "
                     "direct form %g",
                     device->facts.vector, p->conv.images, p->conv.height,
                     p->conv.width, p->conv.channels, p->conv.out_channels,
                     (int)p->pass, filtered.mean_square, direct.mean_square);
    }
}

static void errors_are_no_larger_than_the_direct_forms(void **state)
{
    (void)state;
    need_devices();
    for (size_t i = 0; i < 3 * COUNT(layers); i++) {
        lone_pass p = pass_of(layers[i / 3], (fal_conv_pass)(i % 3));
        compare_errors(&p);
        fal_release(p.expected);
    }
}

/* Tiles of 4 x 4: forward and data, within 2e-5 of the largest result */
static void larger_tiles_err_little(void **state)
{
    static const size_t sizes[][6] = {{2, 16, 16, 64, 1, 33}, {33, 4, 4, 17, 2, 16},
                                      {9, 9, 7, 16, 0, 80},   {13, 8, 8, 300, 1, 8},
                                      {5, 31, 13, 16, 1, 16}, {2, 8, 8, 8, 1, 512}};
    (void)state;
    need_devices();
    for (size_t i = 0; i < 2 * COUNT(sizes) * device_count; i++) {
        fal_device *device = devices[i / 2 / COUNT(sizes)];
        lone_pass p = pass_of(sizes[i / 2 % COUNT(sizes)],
                              i % 2 ? FAL_CONV_DATA : FAL_CONV_FORWARD);
        double error = errors_of(device, &p, FAL_WISH_WINOGRAD4).largest;
        fal_release(p.expected);
        if (!(error <= 2e-5) || !(error > 1e-6))
            fail_msg("%zu channels, pass %d: error %g", p.conv.channels,
                     (int)p.pass, error);
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
    need_devices();
    for (size_t i = 0; i < COUNT(sizes); i++) {
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
    static const size_t tiny[] = {48, 2, 2, 512, 1, 512};
    static const size_t small_and_thin[] = {48, 4, 4, 8, 1, 64};
    (void)state;
    fal_device *device = open(NULL, 0, FAL_WISH_AUTO);
    int is_cpu = device->facts.family == FAL_FAMILY_CPU;
    form_is(device, usual, 1, is_cpu ? "winograd" : "patches");
    form_is(device, usual, 2, is_cpu ? "strips" : "patches");
    form_is(device, thin, 1, is_cpu ? "strips" : "patches");
    form_is(device, small, 1, is_cpu ? "winograd" : "patches");
    form_is(device, single, 1, "patches");
    form_is(device, tiny, 1, "patches");
    const fal_conv thin_small = conv_of(small_and_thin);
    assert_string_equal(fal_conv_form(device, &thin_small, FAL_CONV_FORWARD),
                        "patches");
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
