/* The product against the reference: shapes, sources, epilogues, pitches, offsets,
 * for every tile width and both kernel families. `test_gemm EVERY` takes only every
 * so manieth shape, for devices on which a launch takes long. */
#include "families.h"
#include "device/memory.h"
#include "ops/gemm.h"
#include "reference/check.h"
#include "reference/gemm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { DEVICES = 5, GUARD = 40 };
#define COUNT(array) (sizeof(array) / sizeof *(array))
static const float SENTINEL = -12345.678f;

static fal_device *devices[DEVICES];
static const char *names[DEVICES];
static size_t device_count;

static void keep(fal_device *device, const char *name)
{
    names[device_count] = name;
    devices[device_count++] = device;
}

/* CPU-like kernels only where they are the device's own: they crawl elsewhere. */
static int open_devices(void **state)
{
    (void)state;
    fal_device *device = open_family(NULL, 0);
    int is_cpu = device->facts.type & CL_DEVICE_TYPE_CPU &&
                 device->facts.units < 64 && device->facts.float_width >= 4;
    fal_device_destroy(device);
    keep(open_family("gpu", 0), "gpu kernels");
    keep(open_family("gpu", 0), "gpu kernels, half blocks");
    devices[0]->facts.units = 1; /* so that one block is enough for all of them */
    devices[1]->facts.units = 1 << 20;
    if (!is_cpu)
        return 0;
    keep(open_family("cpu", 4), "cpu kernels, vectors of 4");
    keep(open_family("cpu", 8), "cpu kernels, vectors of 8");
    keep(open_family("cpu", 16), "cpu kernels, vectors of 16");
    return 0;
}

static int close_devices(void **state)
{
    (void)state;
    for (size_t i = 0; i < device_count; i++)
        fal_device_destroy(devices[i]);
    return 0;
}

/* ---- one product --------------------------------------------------------- */

/* Pitches are that much wider than they need be; offsets in floats. */
typedef struct shape {
    size_t m, n, k;
    fal_source a, b;
    size_t wider, offset;
    int accumulate, bias, output;
    fal_phi activation, derivative;
    fal_values_kind values; /* of b */
    fal_distribution distribution;
} shape;

/* A matrix in the middle of a guarded array. */
typedef struct array {
    float *all, *at;
    size_t rows, columns, pitch, offset, length;
} array;

static uint32_t seed = 1;

static float random_value(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(int32_t)seed * 0x1p-31f;
}

static array make_array(size_t rows, size_t columns, const shape *s)
{
    array made = {.rows = rows,
                  .columns = columns,
                  .pitch = columns + s->wider,
                  .offset = GUARD + s->offset};
    made.length = made.offset + rows * made.pitch + GUARD;
    made.all = fal_allocate(made.length, sizeof(float));
    assert_non_null(made.all);
    made.at = made.all + made.offset;
    for (size_t i = 0; i < made.length; i++)
        made.all[i] = SENTINEL;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            made.at[i * made.pitch + j] = random_value();
    return made;
}

typedef struct problem {
    shape s;
    array a, b, magnitude, c, bias, output;
    float *elements; /* of b */
    double *expected, *bound;
    float *result; /* all of C's array */
} problem;

static fal_activation phi(fal_phi kind)
{
    return (fal_activation){kind, 0.1f};
}

static fal_values values_of(const shape *s)
{
    return (fal_values){.kind = s->values,
                        .scale = .75f,
                        .random = {.distribution = s->distribution,
                                   .scale = .75f,
                                   .seed = 0xfedcba9876543210,
                                   .purpose = 2,
                                   .layer = 3,
                                   .draw = 4}};
}

static void fill_problem(problem *p, shape s)
{
    int ta = s.a != FAL_SOURCE_ROWS, tb = s.b != FAL_SOURCE_ROWS;
    size_t stored = s.m - (s.a == FAL_SOURCE_COLUMNS_ONES);
    p->s = s;
    p->a = make_array(ta ? s.k : s.m, ta ? stored : s.k, &s);
    p->b = make_array(tb ? s.n : s.k, tb ? s.k : s.n, &s);
    p->magnitude = make_array(s.n, s.k, &s);
    p->elements = fal_allocate(s.k * s.n, sizeof(float));
    p->c = make_array(s.m, s.n, &s);
    p->output = make_array(s.m, s.n, &s);
    p->bias = make_array(1, s.n, &s);
    p->expected = fal_allocate(s.m * s.n, sizeof(double));
    p->bound = fal_allocate(s.m * s.n, sizeof(double));
    p->result = fal_allocate(p->c.length, sizeof(float));
    assert_true(p->expected && p->bound && p->result && p->elements);
    for (size_t i = 0; i < s.n && s.values; i += 3)
        p->b.at[i % p->b.rows * p->b.pitch + i % p->b.columns] = i % 2 ? 0.f : -0.f;
}

static fal_reference_operand right_of(const problem *p)
{
    const fal_values values = values_of(&p->s);
    fal_reference_operand stored = {p->b.at, p->b.pitch, p->s.b};
    if (p->s.values == FAL_VALUES_STORED)
        return stored;
    fal_reference_values(&values, stored, p->magnitude.at, p->s.k, p->s.n,
                         p->elements);
    return (fal_reference_operand){p->elements, p->s.n, FAL_SOURCE_ROWS};
}

static void expect_problem(problem *p)
{
    const shape *s = &p->s;
    const fal_values values = values_of(s);
    fal_reference_gemm(
        &(fal_reference_product){.m = s->m,
                                 .n = s->n,
                                 .k = s->k,
                                 .a = {p->a.at, p->a.pitch, s->a},
                                 .b = right_of(p),
                                 .b_units = fal_reference_values_units(&values),
                                 .pitch = p->c.pitch,
                                 .old = s->accumulate ? p->c.at : NULL,
                                 .bias = s->bias ? p->bias.at : NULL,
                                 .output = s->output ? p->output.at : NULL,
                                 .activation = phi(s->activation),
                                 .derivative = phi(s->derivative)},
        p->expected, p->bound);
}

static void release_problem(problem *p)
{
    float *arrays[] = {p->a.all,    p->b.all,      p->magnitude.all, p->c.all,
                       p->bias.all, p->output.all, p->result,        p->elements};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        fal_release(arrays[i]);
    fal_release(p->expected);
    fal_release(p->bound);
}

static fal_view put_array(fal_device *device, const array *from)
{
    fal_view view = {NULL, from->offset};
    must(fal_buffer_create(device, from->length * 4, "test", &view.buffer));
    must(fal_write(device, view.buffer, 0, from->length * 4, from->all));
    return view;
}

static void run_problem(fal_device *device, problem *p)
{
    const shape *s = &p->s;
    fal_view a = put_array(device, &p->a), b = put_array(device, &p->b);
    fal_view c = put_array(device, &p->c), bias = put_array(device, &p->bias);
    fal_view output = put_array(device, &p->output), none = {NULL, 0};
    fal_view magnitude = put_array(device, &p->magnitude);
    fal_launches list = {.device = device};
    fal_values values = values_of(s);
    if (s->values == FAL_VALUES_MAGNITUDE_SIGN)
        values.magnitude = magnitude;
    must(fal_gemm_add(
        &list,
        &(fal_product){
            .m = s->m,
            .n = s->n,
            .k = s->k,
            .a = {s->a, a, p->a.pitch},
            .b = {s->b, s->values == FAL_VALUES_RANDOM ? none : b, p->b.pitch},
            .values = values,
            .c = c,
            .pitch = p->c.pitch,
            .accumulate = s->accumulate,
            .bias = s->bias ? bias : none,
            .activation = phi(s->activation),
            .output = s->output ? output : none,
            .derivative = phi(s->derivative)},
        1));
    must(fal_launches_run(&list));
    must(fal_read(device, c.buffer, 0, p->c.length * 4, p->result));
    fal_launches_release(&list);
    cl_mem buffers[] = {a.buffer,    b.buffer,      c.buffer,
                        bias.buffer, output.buffer, magnitude.buffer};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        fal_buffer_destroy(device, buffers[i]);
}

static void complain(const problem *p, const char *name, size_t at)
{
    const shape *s = &p->s;
    size_t from = at - p->c.offset;
    fail_msg("%s, %zu x %zu x %zu, sources %d %d %d, +%zu pitch, offset %zu, parts "
             "%d %d "
             "%d %d %d: float %zu (row %zu, column %zu) is %.9g",
             name, s->m, s->n, s->k, s->a, s->b, s->values, s->wider, s->offset,
             s->accumulate, s->bias, s->output, s->activation, s->derivative, at,
             from / p->c.pitch, from % p->c.pitch, (double)p->result[at]);
}

static int agrees(double value, double expected, double bound)
{
    if (isnan(expected))
        return isnan(value);
    return value == expected || fabs(value - expected) <= bound;
}

static int is_result(const problem *p, size_t at)
{
    if (at < p->c.offset)
        return 0;
    size_t from = at - p->c.offset;
    return from / p->c.pitch < p->s.m && from % p->c.pitch < p->s.n;
}

static void check_problem(const problem *p, const char *name)
{
    for (size_t at = 0; at < p->c.length; at++) {
        if (!is_result(p, at)) {
            if (p->result[at] != SENTINEL)
                complain(p, name, at);
            continue;
        }
        size_t from = at - p->c.offset;
        size_t e = from / p->c.pitch * p->s.n + from % p->c.pitch;
        if (!agrees((double)p->result[at], p->expected[e], p->bound[e]))
            complain(p, name, at);
    }
}

static unsigned every = 1;

static void check_shape(shape s)
{
    static unsigned turn;
    problem p;
    if (turn++ % every)
        return;
    fill_problem(&p, s);
    expect_problem(&p);
    for (size_t i = 0; i < device_count; i++) {
        run_problem(devices[i], &p);
        check_problem(&p, names[i]);
    }
    release_problem(&p);
}

/* Half of the products have a stored B; each way to make one suits one source. */
static fal_values_kind varied_values(unsigned turn, fal_source b)
{
    static const fal_values_kind of_columns[] = {
        FAL_VALUES_SIGN, FAL_VALUES_MAGNITUDE_SIGN, FAL_VALUES_RANDOM_SIGN};
    if (turn % 17 % 2)
        return FAL_VALUES_STORED;
    return b == FAL_SOURCE_ROWS ? FAL_VALUES_RANDOM : of_columns[turn % 19 % 3];
}

/* A shape with everything else going round, so that neighbours differ. */
static shape varied(size_t m, size_t n, size_t k, unsigned turn)
{
    static const size_t wider[] = {0, 1, 5}, offsets[] = {0, 3, 16, 29, 64};
    return (shape){m,
                   n,
                   k,
                   turn % 3,
                   turn / 3 % 2,
                   wider[turn % 3],
                   offsets[turn % 5],
                   turn % 7 % 2,
                   turn % 11 % 2,
                   turn % 13 % 2,
                   turn % 5,
                   turn / 5 % 5,
                   varied_values(turn, turn / 3 % 2),
                   turn % 23 == 0 ? FAL_NORMAL : FAL_UNIFORM};
}

/* ---- sizes --------------------------------------------------------------- */

static void sizes_odd_tiny_and_prime(void **state)
{
    static const size_t sizes[] = {1, 3, 17, 127, 521};
    unsigned turn = 0;
    (void)state;
    for (size_t m = 0; m < 5; m++)
        for (size_t n = 0; n < 5; n++)
            for (size_t k = 0; k < 5; k++, turn++) {
                int large = sizes[m] * sizes[n] * sizes[k] > 400000;
                for (unsigned i = 0; i < (large ? 1 : 6); i++)
                    check_shape(varied(sizes[m], sizes[n], sizes[k], turn + i));
            }
}

static void sizes_around_tiles(void **state)
{
    static const size_t rows[] = {5, 6, 7, 8, 9, 11, 12, 13, 23, 25};
    static const size_t columns[] = {4,  5,  8,  11, 12, 13, 15,
                                     16, 17, 31, 32, 33, 49};
    static const size_t depths[] = {15, 16, 17, 255, 256, 257, 513};
    unsigned turn = 0;
    (void)state;
    for (size_t m = 0; m < COUNT(rows); m++)
        for (size_t n = 0; n < COUNT(columns); n++)
            for (size_t k = 0; k < COUNT(depths); k++)
                check_shape(varied(rows[m], columns[n], depths[k], turn++));
}

/* Of GPU-like kernels: 32 and 64, chunks of 8 and 16 */
static void sizes_around_local_blocks(void **state)
{
    static const size_t sizes[] = {31, 32, 33, 63, 64, 65, 129};
    static const size_t depths[] = {7, 8, 9, 15, 16, 17, 33};
    unsigned turn = 0;
    (void)state;
    for (size_t m = 0; m < COUNT(sizes); m++)
        for (size_t n = 0; n < COUNT(sizes); n++)
            for (size_t k = 0; k < COUNT(depths); k++)
                check_shape(varied(sizes[m], sizes[n], depths[k], turn++));
}

/* One vector of columns: whole tiles of A are read where they lie, but not one that
 * has the row of ones, wherever in it that stands. */
static void thin_products(void **state)
{
    static const size_t rows[] = {1, 6, 7, 8, 9, 12, 13, 24, 25, 37};
    static const size_t columns[] = {1, 3, 4, 5, 8, 9, 10, 16, 17};
    static const size_t depths[] = {1, 17, 257};
    unsigned turn = 0;
    (void)state;
    for (size_t m = 0; m < COUNT(rows); m++)
        for (size_t n = 0; n < COUNT(columns); n++)
            for (size_t k = 0; k < COUNT(depths); k++)
                for (int a = FAL_SOURCE_ROWS; a <= FAL_SOURCE_COLUMNS_ONES; a++) {
                    shape s = varied(rows[m], columns[n], depths[k], turn++);
                    s.a = (fal_source)a;
                    check_shape(s);
                }
}

/* SPLIT_ROWS and longest rows and columns of host/ops/gemm.c */
static void sizes_around_shares(void **state)
{
    static const size_t sizes[][3] = {
        {299, 70, 40}, {300, 70, 40},  {301, 70, 40},  {767, 33, 17},
        {769, 33, 17}, {1537, 5, 260}, {5, 1023, 193}, {5, 1025, 192},
        {3, 2113, 9},  {385, 545, 30}, {31, 33, 1025}, {33, 31, 4099},
        {800, 1, 300}, {1, 800, 300},  {12, 10, 512}};
    unsigned turn = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (unsigned j = 0; j < 3; j++)
            check_shape(varied(sizes[i][0], sizes[i][1], sizes[i][2], turn++));
}

/* A_ROWS = 1056, B_COLUMNS = 128 (132 where a panel has 12 columns) and DEPTH = 256
 * of host/ops/gemm.c, all three at once, done by one unit. */
static void sizes_around_both_levels_of_blocks(void **state)
{
    static const size_t sizes[][3] = {
        {1055, 127, 255}, {1056, 128, 256}, {1057, 129, 257}, {1055, 133, 257},
        {1056, 132, 257}, {1057, 131, 256}, {1057, 257, 513}, {2113, 17, 257},
        {1057, 10, 257},  {1056, 9, 512}};
    unsigned units[DEVICES];
    (void)state;
    for (size_t d = 2; d < device_count; d++) {
        units[d] = devices[d]->facts.units;
        devices[d]->facts.units = 1;
    }
    for (unsigned i = 0; i < COUNT(sizes); i++)
        check_shape(varied(sizes[i][0], sizes[i][1], sizes[i][2], 7 * i));
    for (size_t d = 2; d < device_count; d++)
        devices[d]->facts.units = units[d];
}

/* llvmpipe ends all loops of an item after 65,535 iterations. */
static void long_sums(void **state)
{
    unsigned before = every;
    (void)state;
    every = 1;
    check_shape(varied(2, 10, 70000, 0));
    check_shape(varied(33, 3, 70000, 4));
    every = before;
}

/* A device whose groups are small has smaller blocks. */
static void blocks_of_small_groups(void **state)
{
    fal_device *all[DEVICES];
    size_t count = device_count;
    (void)state;
    memcpy(all, devices, sizeof all);
    device_count = 0;
    for (unsigned i = 0; i < 2; i++) {
        keep(open_family("gpu", 0), "gpu kernels, blocks of small groups");
        devices[i]->facts.block = 32;
        devices[i]->facts.units = i ? 1 << 20 : 1;
    }
    for (unsigned i = 0; i < 30; i++)
        check_shape(varied(15 + 5 * i, 70 - 2 * i, 1 + 3 * i, i));
    for (unsigned i = 0; i < 2; i++)
        fal_device_destroy(devices[i]);
    memcpy(devices, all, sizeof all);
    device_count = count;
}

/* ---- epilogues ----------------------------------------------------------- */

static void every_epilogue(void **state)
{
    (void)state;
    for (unsigned parts = 0; parts < 8; parts++)
        for (unsigned activation = 0; activation < 5; activation++)
            for (unsigned derivative = 0; derivative < 5; derivative++)
                for (unsigned k = 0; k < 2; k++)
                    check_shape((shape){
                        13, 37, k ? 300 : 20, parts % 3, parts / 3 % 2, 3, 5,
                        parts & 1, parts >> 1 & 1, parts >> 2 & 1, activation,
                        derivative, FAL_VALUES_STORED, FAL_UNIFORM});
}

/* Weights move as optimize.c in the references has it, with the moments; halted,
 * not a bit changes. */
static void every_update(void **state)
{
    static const fal_update rules[] = {
        {.rule = FAL_SGD},
        {.rule = FAL_SGD, .momentum = .9f, .weight_decay = .1f},
        {.rule = FAL_SGD, .momentum = .9f, .nesterov = 1},
        {.rule = FAL_ADAM, .weight_decay = .1f},
        {.rule = FAL_ADAMW, .weight_decay = .1f}};
    static const size_t sizes[][3] = {{13, 9, 256}, {12, 33, 31},  {66, 17, 8},
                                      {2, 1, 1},    {25, 16, 100}, {129, 65, 17}};
    (void)state;
    for (size_t d = 0; d < device_count; d++)
        for (size_t i = 0; i < COUNT(rules) * COUNT(sizes) * 2; i++) {
            const size_t *s = sizes[i / 2 % COUNT(sizes)];
            const fal_update *u = &rules[i / 2 / COUNT(sizes)];
            fal_product p = {.m = s[0], .n = s[1], .k = s[2]};
            double worst = 0;
            p.a.source = (fal_source)(2 - i % 3);
            must(fal_check_gemm_update(devices[d], &p, u, i + 1, i % 2, &worst));
            if (!(worst <= 1))
                fail_msg("%s, rule %d, %zu x %zu x %zu: error %g of its bound",
                         names[d], u->rule, s[0], s[1], s[2], worst);
        }
}

/* What is not finite stays in its row and column, and is not swallowed. */
static void nan_and_infinity_pass(void **state)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    (void)state;
    for (unsigned i = 0; i < 60; i += every) {
        problem p;
        shape s = varied(29, 37, 270, i);
        s.activation = i % 5;
        fill_problem(&p, s);
        array *into = i % 2 ? &p.a : &p.b;
        into->at[5 * into->pitch + 7] = odd[i % 3];
        expect_problem(&p);
        size_t finite = 0;
        for (size_t e = 0; e < s.m * s.n; e++)
            finite += isfinite(p.expected[e]) != 0;
        assert_true(finite >= s.m * s.n - 37);
        for (size_t d = 0; d < device_count; d++) {
            run_problem(devices[d], &p);
            check_problem(&p, names[d]);
        }
        release_problem(&p);
    }
}

/* The same bits whatever the number of compute units that share the work, and so
 * whatever the block. */
static void sums_do_not_depend_on_the_units(void **state)
{
    static const size_t sizes[][3] = {
        {128, 200, 700}, {700, 90, 300}, {40, 10, 513}};
    static const unsigned units[] = {16, 1, 3};
    fal_device *both[] = {open_family("gpu", 0), open_family(NULL, 0)};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(sizes); i++) {
        const size_t *s = sizes[i / 2];
        fal_device *device = both[i % 2];
        problem p;
        fill_problem(&p, varied(s[0], s[1], s[2], 3));
        size_t bytes = p.c.length * sizeof(float);
        float *first = fal_allocate(bytes, 1);
        assert_non_null(first);
        for (size_t u = 0; u < COUNT(units); u++) {
            device->facts.units = units[u];
            run_problem(device, &p);
            if (u == 0)
                memcpy(first, p.result, bytes);
            assert_memory_equal(first, p.result, bytes);
        }
        fal_release(first);
        release_problem(&p);
    }
    fal_device_destroy(both[0]);
    fal_device_destroy(both[1]);
}

/* Half computed, all stored, to the same bits on both sides of the diagonal. */
static void check_symmetric(fal_device *on, const char *name, size_t n, size_t k,
                            unsigned turn)
{
    double worst = 0;
    fal_product p = {.m = n, .n = n, .k = k, .symmetric = 1};
    p.a.source = turn % 2 ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS;
    p.accumulate = turn % 3 == 0;
    p.alpha = turn % 4 < 2 ? 0 : -.75f;
    p.beta = turn % 5 < 2 ? 0 : 1.5f;
    p.identity = turn % 7 < 3 ? 0 : 2.5f;
    p.activation = phi(turn % 11 < 5 ? FAL_LINEAR : FAL_TANH);
    must(fal_check_gemm(on, &p, 0, &worst));
    if (!(worst <= 1))
        fail_msg("%s, symmetric %zu x %zu, k %zu, turn %u: %g of what is explained",
                 name, n, n, k, turn, worst);
}

static void symmetric_products(void **state)
{
    static const size_t sizes[] = {1,  3,  7,  8,  12, 13, 15,  16,  17,
                                   24, 31, 33, 48, 63, 64, 100, 129, 257};
    static const size_t depths[] = {1, 16, 255, 257, 600};
    unsigned turn = 0;
    (void)state;
    for (size_t d = 0; d < device_count; d++)
        for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
            for (size_t k = 0; k < sizeof depths / sizeof *depths; k++)
                check_symmetric(devices[d], names[d], sizes[n], depths[k], turn++);
}

/* A strip for each of as many units as there may be. */
static void symmetric_strips(void **state)
{
    static const size_t sizes[] = {1, 11, 12, 13, 37, 100, 1100};
    static const unsigned units[] = {1, 3, 16};
    (void)state;
    for (size_t u = 0; u < 3; u++) {
        fal_device *device = open_family(NULL, 0);
        device->facts.units = units[u];
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check_symmetric(device, "units", sizes[i], 30, (unsigned)(u + 2 * i));
        fal_device_destroy(device);
    }
}
/* ---- failures ------------------------------------------------------------ */

static fal_product small_product(fal_view view)
{
    return (fal_product){.m = 4,
                         .n = 4,
                         .k = 4,
                         .a = {0, view, 4},
                         .b = {0, view, 4},
                         .c = view,
                         .pitch = 4};
}

static void impossible_sizes_are_refused(void **state)
{
    fal_launches list = {.device = devices[0]};
    fal_product p = small_product((fal_view){NULL, 0});
    (void)state;
    p.k = 0;
    assert_int_equal(fal_gemm_add(&list, &p, 1), FAL_ERROR_ARGUMENT);
    assert_non_null(strstr(fal_error_message(), "4 x 4 x 0"));
    p.k = 4;
    p.m = (size_t)1 << 31;
    assert_int_equal(fal_gemm_add(&list, &p, 1), FAL_ERROR_ARGUMENT);
    p.m = 5;
    p.symmetric = 1;
    assert_int_equal(fal_gemm_add(&list, &p, 1), FAL_ERROR_ARGUMENT);
    assert_non_null(strstr(fal_error_message(), "as many rows as columns"));
    p = small_product((fal_view){NULL, 0});
    p.values.kind = FAL_VALUES_SIGN;
    assert_int_equal(fal_gemm_add(&list, &p, 1), FAL_ERROR_ARGUMENT);
    p.b.source = FAL_SOURCE_COLUMNS;
    p.values.kind = FAL_VALUES_RANDOM;
    assert_int_equal(fal_gemm_add(&list, &p, 1), FAL_ERROR_ARGUMENT);
    assert_non_null(strstr(fal_error_message(), "signs are read from"));
    assert_int_equal(list.count, 0);
    fal_launches_release(&list);
}

/* Whatever call fails, the list is left without the launch and nothing leaks. */
static void failures_are_handed_on(void **state)
{
    (void)state;
    for (size_t d = 0; d < device_count; d++) {
        fal_launches list = {.device = devices[d]};
        fal_view view = {NULL, 0};
        must(fal_buffer_create(devices[d], 64, "test", &view.buffer));
        fal_product p = small_product(view);
        fal_status status = FAL_ERROR_DEVICE;
        for (long n = 1; status != FAL_OK; n++) {
            assert_true(n < 60);
            fal_cl_fail_at(n);
            status = fal_gemm_add(&list, &p, 1);
            fal_cl_fail_at(0);
            assert_int_equal(list.count, status == FAL_OK);
        }
        fal_launches_release(&list);
        fal_memory_fail_at(1);
        assert_int_equal(fal_gemm_add(&list, &p, 1), FAL_ERROR_MEMORY);
        fal_memory_fail_at(0);
        fal_launches_release(&list);
        fal_buffer_destroy(devices[d], view.buffer);
    }
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_odd_tiny_and_prime),
        cmocka_unit_test(sizes_around_tiles),
        cmocka_unit_test(sizes_around_local_blocks),
        cmocka_unit_test(thin_products),
        cmocka_unit_test(sizes_around_shares),
        cmocka_unit_test(sizes_around_both_levels_of_blocks),
        cmocka_unit_test(long_sums),
        cmocka_unit_test(blocks_of_small_groups),
        cmocka_unit_test(every_epilogue),
        cmocka_unit_test(every_update),
        cmocka_unit_test(nan_and_infinity_pass),
        cmocka_unit_test(sums_do_not_depend_on_the_units),
        cmocka_unit_test(symmetric_products),
        cmocka_unit_test(symmetric_strips),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(failures_are_handed_on),
    };
    if (count > 1)
        every = (unsigned)atoi(words[1]);
    return cmocka_run_group_tests_name("gemm", tests, open_devices, close_devices);
}
