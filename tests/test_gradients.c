/* The products of weight gradients: a row of ones that is not stored, and updates as
 * epilogue, for every tile width and both kernel families, beside the same product
 * of stored ones and the update's own kernel. Nothing past the last row, column or
 * parameter is touched. */
#include "learning.h"
#include "ops/gemm.h"

enum { DEVICES = 4, GUARD = 40, ARRAYS = 6 };

static fal_device *devices[DEVICES];
static size_t device_count;

static void open_one(const char *kernels, int vector)
{
    fal_device_options options = FAL_DEVICE_OPTIONS;
    options.kernels = kernels;
    options.vector = vector;
    must(fal_device_open(&devices[device_count++], &options));
}

/* CPU-like kernels only where they are the device's own: they crawl elsewhere. */
static int open_devices(void **state)
{
    open_device(state);
    int is_cpu = device->facts.type & CL_DEVICE_TYPE_CPU &&
                 device->facts.units < 64 && device->facts.float_width >= 4;
    open_one("gpu", 0);
    for (int vector = 4; is_cpu && vector <= 16; vector *= 2)
        open_one("cpu", vector);
    return 0;
}

static int close_devices(void **state)
{
    for (size_t i = 0; i < device_count; i++)
        fal_device_destroy(devices[i]);
    return close_device(state);
}

/* ---- one gradient -------------------------------------------------------- */

typedef struct shape {
    size_t m, n, k, wider, offset; /* m with the row of ones */
} shape;

/* Guarded numbers, the same for every device and form. */
typedef struct array {
    float *values;
    size_t count; /* guards included */
    fal_view view;
} array;

/* weights, moment, squares and gradient as C, A with ones, B */
typedef struct problem {
    shape s;
    size_t pitch;
    array arrays[ARRAYS];
} problem;

enum { WEIGHTS, MOMENT, SQUARES, GRADIENT, A, B };

static array make_array(size_t count, const shape *s)
{
    array made = {.count = 2 * GUARD + s->offset + count};
    made.values = random_floats(made.count, 1);
    made.view.offset = GUARD + s->offset;
    return made;
}

static problem make_problem(shape s)
{
    problem p = {.s = s, .pitch = s.n + s.wider};
    for (int i = WEIGHTS; i <= GRADIENT; i++)
        p.arrays[i] = make_array(s.m * p.pitch, &s);
    for (size_t i = 0; i < p.arrays[SQUARES].count; i++)
        p.arrays[SQUARES].values[i] = fabsf(p.arrays[SQUARES].values[i]);
    p.arrays[A] = make_array(s.k * s.m, &s);
    p.arrays[B] = make_array(s.k * p.pitch, &s);
    return p;
}

/* What stands in memory behind each column of A. */
static void set_last(problem *p, float value)
{
    const shape *s = &p->s;
    for (size_t k = 1; k <= s->k; k++)
        p->arrays[A].values[GUARD + s->offset + k * s->m - 1] = value;
}

static void put(problem *p, fal_device *on)
{
    for (int i = 0; i < ARRAYS; i++) {
        array *a = &p->arrays[i];
        must(fal_buffer_create(on, a->count * 4, "test", &a->view.buffer));
        must(fal_write(on, a->view.buffer, 0, a->count * 4, a->values));
    }
}

static float *take(problem *p, fal_device *on, int which)
{
    const array *a = &p->arrays[which];
    float *values = room(a->count, sizeof *values);
    must(fal_read(on, a->view.buffer, 0, a->count * 4, values));
    return values;
}

static void drop(problem *p, fal_device *on)
{
    for (int i = 0; i < ARRAYS; i++)
        fal_buffer_destroy(on, p->arrays[i].view.buffer);
}

static void free_problem(problem *p)
{
    for (int i = 0; i < ARRAYS; i++)
        fal_release(p->arrays[i].values);
}

static fal_update update_of(const problem *p, int rule)
{
    fal_update update = {.rule = (fal_update_rule)(rule % 3), .weight_decay = .1f};
    if (update.rule != FAL_SGD || rule >= 3)
        update.moment = p->arrays[MOMENT].view;
    if (update.rule != FAL_SGD)
        update.squares = p->arrays[SQUARES].view;
    else if (rule >= 3)
        update.momentum = .9f, update.nesterov = rule % 2;
    return update;
}

/* Into `into`; the ones stored or not. A's pitch is m, ones included. */
static void add_product(fal_launches *list, const problem *p, int ones, int into,
                        const fal_update *update)
{
    const shape *s = &p->s;
    fal_source source = ones ? FAL_SOURCE_COLUMNS_ONES : FAL_SOURCE_COLUMNS;
    must(fal_gemm_add(
        list,
        &(fal_product){.m = s->m,
                       .n = s->n,
                       .k = s->k,
                       .a = {source, p->arrays[A].view, s->m},
                       .b = {FAL_SOURCE_ROWS, p->arrays[B].view, p->pitch},
                       .c = p->arrays[into].view,
                       .pitch = p->pitch,
                       .update = update},
        1));
}

/* The update's kernel goes over spans: row by row, so that gaps stay as they are. */
static void add_updates(fal_launches *list, const problem *p, int rule)
{
    for (size_t row = 0; row < p->s.m; row++) {
        fal_update update = update_of(p, rule);
        update.count = p->s.n;
        update.weights = p->arrays[WEIGHTS].view;
        update.gradient = p->arrays[GRADIENT].view;
        update.weights.offset += row * p->pitch;
        update.gradient.offset += row * p->pitch;
        update.moment.offset += row * p->pitch;
        update.squares.offset += row * p->pitch;
        must(fal_update_add(list, &update));
    }
}

static void run(fal_launches *list)
{
    const fal_update_step step = fal_update_at(3, .05);
    must(fal_launches_step(list, sizeof step, &step));
    must(fal_launches_run(list));
    fal_launches_release(list);
}

/* ---- what must agree ----------------------------------------------------- */

static int is_inside(const problem *p, size_t at)
{
    size_t from = at - GUARD - p->s.offset;
    return at >= GUARD + p->s.offset && from / p->pitch < p->s.m &&
           from % p->pitch < p->s.n;
}

static void expect(const problem *p, size_t d, const char *what, const float *got,
                   const float *expected, size_t count, float bound)
{
    for (size_t i = 0; i < count; i++) {
        float off = is_inside(p, i) ? bound * (1 + fabsf(expected[i])) : 0;
        if (!(fabsf(got[i] - expected[i]) <= off))
            fail_msg(
                "device %zu, %zu x %zu x %zu, +%zu pitch, offset %zu: %s, float "
                "%zu is %.9g, not %.9g",
                d, p->s.m, p->s.n, p->s.k, p->s.wider, p->s.offset, what, i,
                (double)got[i], (double)expected[i]);
    }
}

/* The row of ones changes no bit. */
static void check_ones(problem *p, size_t d)
{
    fal_launches stored = {.device = devices[d]}, ones = {.device = devices[d]};
    size_t count = p->arrays[GRADIENT].count;
    set_last(p, 1);
    put(p, devices[d]);
    add_product(&stored, p, 0, GRADIENT, NULL);
    run(&stored);
    float *expected = take(p, devices[d], GRADIENT);
    drop(p, devices[d]);
    set_last(p, 1e30f);
    put(p, devices[d]);
    add_product(&ones, p, 1, GRADIENT, NULL);
    run(&ones);
    float *got = take(p, devices[d], GRADIENT);
    expect(p, d, "ones", got, expected, count, 0);
    for (size_t i = 0; i < count; i++)
        assert_true(is_inside(p, i) || got[i] == p->arrays[GRADIENT].values[i]);
    drop(p, devices[d]);
    fal_release(got);
    fal_release(expected);
}

static void check_update(problem *p, size_t d, int rule)
{
    static const char *const names[] = {"weights", "moment", "squares"};
    fal_launches apart = {.device = devices[d]}, fused = {.device = devices[d]};
    float *expected[3];
    put(p, devices[d]);
    add_product(&apart, p, 1, GRADIENT, NULL);
    add_updates(&apart, p, rule);
    run(&apart);
    for (int i = 0; i < 3; i++)
        expected[i] = take(p, devices[d], i);
    drop(p, devices[d]);
    put(p, devices[d]);
    const fal_update update = update_of(p, rule);
    add_product(&fused, p, 1, WEIGHTS, &update);
    run(&fused);
    for (int i = 0; i < 3; i++) {
        float *got = take(p, devices[d], i);
        expect(p, d, names[i], got, expected[i], p->arrays[i].count, 2e-6f);
        fal_release(got);
        fal_release(expected[i]);
    }
    drop(p, devices[d]);
}

static void check_shape(shape s, int rule)
{
    problem p = make_problem(s);
    for (size_t d = 0; d < device_count; d++) {
        check_ones(&p, d);
        check_update(&p, d, rule);
    }
    free_problem(&p);
}

/* ---- tests --------------------------------------------------------------- */

static void every_small_size(void **state)
{
    static const size_t rows[] = {2, 3, 7, 12, 13, 14, 25, 33};
    static const size_t columns[] = {1, 2, 5, 8, 10, 16, 17, 31, 33, 50};
    static const size_t depths[] = {1, 2, 15, 16, 33, 255, 256};
    static const size_t wider[] = {0, 0, 1, 5}, offsets[] = {0, 3, 16, 29};
    unsigned turn = 0;
    (void)state;
    for (size_t m = 0; m < 8; m++)
        for (size_t n = 0; n < 10; n++, turn++)
            check_shape((shape){rows[m], columns[n], depths[turn % 7],
                                wider[turn % 4], offsets[turn / 4 % 4]},
                        (int)(turn % 6));
}

/* Several blocks of rows; the row of ones alone in the last tile, or last group. */
static void larger_ones(void **state)
{
    static const shape shapes[] = {{785, 10, 128, 0, 7},  {1057, 16, 40, 0, 1},
                                   {1058, 3, 17, 0, 0},   {1081, 33, 20, 1, 5},
                                   {2113, 1, 128, 0, 16}, {97, 300, 256, 0, 3}};
    (void)state;
    for (int i = 0; i < 6; i++)
        check_shape(shapes[i], i);
}

static void sums_too_long_are_refused(void **state)
{
    (void)state;
    problem p = make_problem((shape){3, 4, FAL_GEMM_DEPTH + 1, 0, 0});
    fal_launches list = {.device = devices[0]};
    const fal_update update = {.rule = FAL_SGD};
    put(&p, devices[0]);
    fal_product product = {.m = 3,
                           .n = 4,
                           .k = p.s.k,
                           .a = {FAL_SOURCE_COLUMNS, p.arrays[A].view, 3},
                           .b = {FAL_SOURCE_ROWS, p.arrays[B].view, 4},
                           .c = p.arrays[WEIGHTS].view,
                           .pitch = 4,
                           .update = &update};
    expect_error(fal_gemm_add(&list, &product, 1), FAL_ERROR_ARGUMENT,
                 "an update needs k of at most 256");
    assert_int_equal(list.count, 0);
    fal_launches_release(&list);
    drop(&p, devices[0]);
    free_problem(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_size),
        cmocka_unit_test(larger_ones),
        cmocka_unit_test(sums_too_long_are_refused),
    };
    return cmocka_run_group_tests_name("gradients", tests, open_devices,
                                       close_devices);
}
