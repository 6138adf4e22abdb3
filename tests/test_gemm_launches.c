/* Several products in a launch, operands in several buffers and far into one: the
 * bits are those of the same product alone, near the beginning of a buffer. */
#include "device/arena.h"
#include "device/memory.h"
#include "ops/gemm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { DEVICES = 4, POOL = 1 << 21 };

static fal_device *devices[DEVICES];
static size_t device_count;
static float
    *pool; /* what every buffer holds at first, its second half not negative */

static void must(fal_status status)
{
    if (status)
        fail_msg("%s", fal_error_message());
}

static void open(const char *kernels, int vector)
{
    fal_device_options options = FAL_DEVICE_OPTIONS;
    options.kernels = kernels;
    options.vector = vector;
    options.gemm = "own";
    must(fal_device_open(&devices[device_count++], &options));
}

static int begin(void **state)
{
    uint32_t seed = 1;
    (void)state;
    open("gpu", 0);
    for (int vector = 4; vector <= 16; vector *= 2)
        if (devices[0]->facts.type & CL_DEVICE_TYPE_CPU &&
            devices[0]->facts.float_width >= 4)
            open("cpu", vector);
    pool = fal_allocate(POOL, sizeof *pool);
    for (size_t i = 0; pool && i < POOL; i++) {
        seed = seed * 1664525u + 1013904223u;
        pool[i] = (float)(seed >> 9) * 0x1p-23f - (i < POOL / 2 ? .5f : 0);
    }
    return pool ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    for (size_t d = 0; d < device_count; d++)
        fal_device_destroy(devices[d]);
    fal_release(pool);
    return 0;
}

static fal_view make_buffer(fal_device *device)
{
    fal_view view = {NULL, 0};
    must(fal_buffer_create(device, POOL * sizeof *pool, "test", &view.buffer));
    return view;
}

static void fill_buffer(fal_device *device, fal_view view)
{
    must(fal_write(device, view.buffer, 0, POOL * sizeof *pool, pool));
}

static void run_list(fal_launches *list)
{
    fal_update_step step = fal_update_at(3, .01);
    must(fal_launches_step(list, sizeof step, &step));
    must(fal_launches_run(list));
    must(fal_finish(list->device));
    fal_launches_release(list);
}

/* ---- products of a step -------------------------------------------------- */

enum { PRODUCTS = 11 };

/* As one wave of a network: weight gradients, updates by all rules among them, and
 * deltas; big, tiny and thin. Operands lie in the pool's first half, overlapping;
 * what is written in the second, `used` floats so far. */
static fal_product wave_product(size_t i, fal_view in, fal_update *update)
{
    static const size_t sizes[PRODUCTS][3] = {
        {257, 130, 64}, {1, 1, 1},      {65, 10, 128}, {128, 257, 10},
        {33, 64, 256},  {13, 3, 128},   {300, 5, 7},   {64, 64, 64},
        {2, 200, 17},   {129, 33, 255}, {25, 16, 100}};
    const size_t *s = sizes[i];
    fal_view whole = in;
    fal_product p = {.m = s[0], .n = s[1], .k = s[2], .pitch = s[1] + i % 3};
    size_t at = POOL / 2;
    for (size_t before = 0; before < i; before++)
        at += 3 * (sizes[before][0] * (sizes[before][1] + before % 3) + 16);
    size_t plane = p.m * p.pitch + 16;
    p.a = (fal_operand){(fal_source)(i % 3), in, 400 + i};
    in.offset += 1000 * i;
    p.b = (fal_operand){i % 2 ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS, in, 300};
    p.c = (fal_view){whole.buffer, whole.offset + at};
    if (i % 4 == 3) {
        p.bias = in, p.output = whole, p.accumulate = i % 8 == 3;
        p.activation.phi = FAL_TANH, p.derivative.phi = FAL_SIGMOID;
        return p;
    }
    if (i % 2)
        return p;
    *update = (fal_update){.rule = (fal_update_rule)(i / 2 % 3), .momentum = .9f};
    update->moment = (fal_view){whole.buffer, p.c.offset + plane};
    update->squares = (fal_view){whole.buffer, p.c.offset + 2 * plane};
    p.update = update;
    return p;
}

/* `views`: the pools of the products, in turn */
static void make_wave(const fal_view *views, size_t count, fal_product *products,
                      fal_update *updates)
{
    for (size_t i = 0; i < PRODUCTS; i++)
        products[i] = wave_product(i, views[i % count], &updates[i]);
}

/* What the pool holds after all products, each alone. */
static float *run_alone(fal_device *device)
{
    fal_product products[PRODUCTS];
    fal_update updates[PRODUCTS];
    fal_view view = make_buffer(device);
    float *after = fal_allocate(POOL, sizeof *after);
    assert_non_null(after);
    fill_buffer(device, view);
    make_wave(&view, 1, products, updates);
    for (size_t i = 0; i < PRODUCTS; i++) {
        fal_launches list = {.device = device};
        must(fal_gemm_add(&list, &products[i], 1));
        run_list(&list);
    }
    must(fal_read(device, view.buffer, 0, POOL * sizeof *after, after));
    fal_buffer_destroy(device, view.buffer);
    return after;
}

/* What product i wrote stands in its own buffer, and nothing else was written. */
static void assert_wave(fal_device *device, const fal_view *views, size_t buffers,
                        const float *alone)
{
    float *after = fal_allocate(POOL, sizeof *after);
    assert_non_null(after);
    for (size_t v = 0; v < buffers; v++) {
        must(fal_read(device, views[v].buffer, 0, POOL * sizeof *after, after));
        for (size_t i = 0; i < POOL; i++)
            if (memcmp(&after[i], &alone[i], 4) && memcmp(&after[i], &pool[i], 4))
                fail_msg("%zu buffers: float %zu of buffer %zu is %.9g, not %.9g",
                         buffers, i, v, (double)after[i], (double)alone[i]);
        for (size_t p = v; p < PRODUCTS; p += buffers) {
            fal_update update;
            fal_product product = wave_product(p, views[v], &update);
            size_t at = product.c.offset;
            assert_memory_equal(after + at, alone + at, product.n * sizeof *after);
            assert_memory_not_equal(after + at, pool + at,
                                    product.n * sizeof *after);
        }
    }
    fal_release(after);
}

static void check_wave(fal_device *device, size_t buffers, size_t launches,
                       const float *alone)
{
    fal_product products[PRODUCTS];
    fal_update updates[PRODUCTS];
    fal_view views[PRODUCTS];
    fal_launches list = {.device = device};
    for (size_t v = 0; v < buffers; v++)
        fill_buffer(device, views[v] = make_buffer(device));
    make_wave(views, buffers, products, updates);
    must(fal_gemm_add(&list, products, PRODUCTS));
    assert_int_equal(list.count, launches);
    run_list(&list);
    assert_wave(device, views, buffers, alone);
    for (size_t v = 0; v < buffers; v++)
        fal_buffer_destroy(device, views[v].buffer);
}

/* Up to 8 buffers there is one launch; each product of ten has its own, so that the
 * ninth begins a second. */
static void products_share_a_launch(void **state)
{
    (void)state;
    for (size_t d = 0; d < device_count; d++) {
        float *alone = run_alone(devices[d]);
        unsigned units = devices[d]->facts.units;
        check_wave(devices[d], 1, 1, alone);
        check_wave(devices[d], 3, 1, alone);
        check_wave(devices[d], 8, 1, alone);
        check_wave(devices[d], 10, 2, alone);
        devices[d]->facts.units = 1;
        check_wave(devices[d], 2, 1, alone);
        devices[d]->facts.units = units;
        fal_release(alone);
    }
}

/* ---- where operands lie -------------------------------------------------- */

/* What the product of a and b gives at c; 12 x 37, K = 300. */
static void run_product(fal_device *device, fal_operand a, fal_operand b,
                        fal_view c, float result[12 * 37])
{
    fal_launches list = {.device = device};
    fal_product p = {
        .m = 12, .n = 37, .k = 300, .a = a, .b = b, .c = c, .pitch = 37};
    must(fal_gemm_add(&list, &p, 1));
    run_list(&list);
    must(fal_read(device, c.buffer, c.offset * sizeof *result,
                  12 * 37 * sizeof *result, result));
}

static void put_rows(fal_device *device, const float *from, size_t pitch,
                     fal_operand to, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        must(fal_write(device, to.data.buffer,
                       (to.data.offset + i * to.pitch) * sizeof *from,
                       columns * sizeof *from, from + i * pitch));
}

/* An operand at the beginning and the end, and one with rows so far apart that it
 * goes all the way, both ways round. */
static void check_far(fal_device *device, fal_view far, const float *expected,
                      fal_source source)
{
    float result[12 * 37];
    const size_t last = ((size_t)1 << 29) + 5000, apart = (last - 100000) / 11 | 1;
    fal_operand a = {source, far, source == FAL_SOURCE_ROWS ? apart : 12};
    fal_operand b = {FAL_SOURCE_ROWS, {far.buffer, last - 50000}, 37};
    fal_view c = {far.buffer, last};
    if (source == FAL_SOURCE_ROWS)
        put_rows(device, pool, 300, a, 12, 300);
    else
        put_rows(device, pool, 12, a, 300, 12);
    put_rows(device, pool + 7, 37, b, 300, 37);
    run_product(device, a, b, c, result);
    assert_memory_equal(result, expected, sizeof result);
}

static void past_two_gigabytes_of_one_buffer(void **state)
{
    const size_t bytes = ((size_t)1 << 31) + (1 << 20);
    (void)state;
    for (size_t d = 0; d < device_count; d++) {
        fal_device *device = devices[d];
        if (device->facts.allocation < bytes || device->facts.memory < 2 * bytes) {
            print_message("the largest buffer of device %s has %llu bytes, this "
                          "test needs %zu and twice that of memory\n",
                          device->facts.name,
                          (unsigned long long)device->facts.allocation, bytes);
            skip();
        }
        float expected[12 * 37];
        fal_view near = make_buffer(device), far = {NULL, 0};
        must(fal_buffer_create(device, bytes, "test", &far.buffer));
        for (int s = FAL_SOURCE_ROWS; s <= FAL_SOURCE_COLUMNS; s++) {
            fill_buffer(device, near);
            run_product(device, (fal_operand){(fal_source)s, near, s ? 12 : 300},
                        (fal_operand){FAL_SOURCE_ROWS, {near.buffer, 7}, 37},
                        (fal_view){near.buffer, POOL / 2}, expected);
            check_far(device, far, expected, (fal_source)s);
        }
        fal_buffer_destroy(device, near.buffer);
        fal_buffer_destroy(device, far.buffer);
    }
}

/* What does not fit one buffer of an arena goes into the next. */
static void arenas_of_two_buffers(void **state)
{
    static const size_t counts[] = {12 * 300, 300 * 37, 12 * 37};
    (void)state;
    for (size_t d = 0; d < device_count; d++) {
        float result[2][12 * 37];
        for (int divided = 0; divided < 2; divided++) {
            fal_arena arena;
            fal_slot slots[3];
            fal_arena_begin(&arena, devices[d], "test");
            if (divided)
                arena.limit = 12000;
            for (size_t i = 0; i < 3; i++)
                must(fal_arena_place(&arena, counts[i], &slots[i]));
            must(fal_arena_make(&arena));
            assert_int_equal(arena.count, 1 + divided);
            for (size_t i = 0; i < 2; i++)
                must(fal_arena_write(&arena, slots[i], pool + 1000 * i));
            run_product(devices[d],
                        (fal_operand){0, fal_arena_view(&arena, slots[0]), 300},
                        (fal_operand){0, fal_arena_view(&arena, slots[1]), 37},
                        fal_arena_view(&arena, slots[2]), result[divided]);
            fal_arena_release(&arena);
        }
        assert_memory_equal(result[0], result[1], sizeof result[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_share_a_launch),
        cmocka_unit_test(past_two_gigabytes_of_one_buffer),
        cmocka_unit_test(arenas_of_two_buffers),
    };
    return cmocka_run_group_tests_name("gemm_launches", tests, begin, end);
}
