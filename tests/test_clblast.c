/* Products by CLBlast: which go there, that they agree with the reference, and what a
 * build without it says. Its kernels compile for many seconds, so few devices. */
#include "device/profile.h"
#include "learning.h"
#include "ops/gemm.h"
#include "reference/check.h"

static fal_status open_for(fal_device **opened, const char *gemm,
                           const char *kernels, int vector)
{
    fal_device_options options = FAL_DEVICE_OPTIONS;
    options.gemm = gemm;
    options.kernels = kernels;
    options.vector = vector;
    return fal_device_open(opened, &options);
}

static const char *gemm_of(const fal_device *opened)
{
    fal_device_info info = {.size = sizeof info};
    must(fal_device_describe(opened, &info));
    return info.gemm;
}

static int open_clblast(void **state)
{
    (void)state;
    must(open_for(&device, FAL_CLBLAST ? "clblast" : "own", "gpu", 0));
    return 0;
}

static void need_clblast(void)
{
    if (!FAL_CLBLAST)
        skip();
}

/* ---- who ----------------------------------------------------------------- */

/* CLBlast wins on llvmpipe, and on nothing else that was measured. */
static void the_choice_is_known(void **state)
{
    static const char *const asked[] = {NULL, "auto", "own"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        fal_device *other = NULL;
        must(open_for(&other, asked[i], "gpu", 0));
        int wins = FAL_CLBLAST && i < 2 &&
                   strncmp(other->facts.name, "llvmpipe", 8) == 0;
        assert_string_equal(gemm_of(other), wins ? "clblast" : "own");
        fal_device_destroy(other);
        if (!(device->facts.type & CL_DEVICE_TYPE_CPU))
            continue;
        must(open_for(&other, asked[i], "cpu", 0));
        assert_string_equal(gemm_of(other), "own");
        fal_device_destroy(other);
    }
    assert_string_equal(gemm_of(device), FAL_CLBLAST ? "clblast" : "own");
}

static void other_choices_are_refused(void **state)
{
    fal_device *other = NULL;
    (void)state;
    expect_error(open_for(&other, "blast", NULL, 0), FAL_ERROR_ARGUMENT,
                 "unknown gemm 'blast'; known: own, clblast, auto");
    if (!FAL_CLBLAST)
        expect_error(open_for(&other, "clblast", NULL, 0), FAL_ERROR_ARGUMENT,
                     "built without CLBlast; take own, or install");
    assert_null(other);
}

/* ---- products ------------------------------------------------------------ */

static void check_product(fal_device *on, size_t m, size_t n, size_t k,
                          unsigned turn)
{
    fal_product p = {.m = m, .n = n, .k = k, .accumulate = turn % 3 == 0};
    double worst = 0;
    uint64_t before = on->allocated - on->temporary_bytes;
    p.a.source = turn & 1 ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS;
    p.b.source = turn & 2 ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS;
    p.activation = (fal_activation){(fal_phi)(turn % 5), .01f};
    p.derivative = (fal_activation){(fal_phi)(turn / 5 % 5), .01f};
    must(fal_check_gemm(on, &p, turn % 2, &worst));
    if (!(worst <= 1))
        fail_msg("%zu x %zu x %zu, turn %u, vectors of %d: error %g of its bound",
                 m, n, k, turn, on->facts.vector, worst);
    assert_true(on->allocated - on->temporary_bytes - before < 128);
}

static void products_agree(void **state)
{
    static const size_t sizes[][3] = {
        {1, 1, 1}, {17, 33, 65}, {61, 10, 97}, {128, 131, 100}, {5, 257, 3}};
    (void)state;
    need_clblast();
    for (unsigned turn = 0; turn < 25; turn++)
        check_product(device, sizes[turn % 5][0], sizes[turn % 5][1],
                      sizes[turn % 5][2], turn);
}

/* A [LARGE][LARGE] · Aᵀ with bias, in new room */
static float *large_product(fal_gemm by, const float *values, uint64_t bias)
{
    enum { LARGE = 1025, COUNT = LARGE * LARGE };
    float *result = room(COUNT, sizeof *result);
    fal_launches list = {.device = device};
    fal_view a = {NULL, 0}, c = {NULL, 0};
    must(fal_buffer_create(device, COUNT * sizeof *values, "test", &a.buffer));
    must(fal_buffer_create(device, COUNT * sizeof *values, "test", &c.buffer));
    must(fal_write(device, a.buffer, 0, COUNT * sizeof *values, values));
    device->facts.gemm = by;
    must(fal_gemm_add(&list,
                      &(fal_product){.m = LARGE,
                                     .n = LARGE,
                                     .k = LARGE,
                                     .a = {FAL_SOURCE_ROWS, a, LARGE},
                                     .b = {FAL_SOURCE_COLUMNS, a, LARGE},
                                     .c = c,
                                     .pitch = LARGE,
                                     .bias = {a.buffer, bias}},
                      1));
    device->facts.gemm = FAL_GEMM_CLBLAST;
    must(fal_launches_run(&list));
    must(fal_read(device, c.buffer, 0, COUNT * sizeof *result, result));
    fal_launches_release(&list);
    fal_buffer_destroy(device, a.buffer);
    fal_buffer_destroy(device, c.buffer);
    return result;
}

/* So large that CLBlast turns and pads the operands, in our memory. */
static void large_products_agree(void **state)
{
    const size_t count = 1025 * 1025;
    (void)state;
    need_clblast();
    if (strncmp(device->facts.name, "llvmpipe", 8) == 0) {
        print_message("too slow on %s\n", device->facts.name);
        skip();
    }
    float *values = random_floats(count, 1);
    float *expected = large_product(FAL_GEMM_OWN, values, 3);
    assert_int_equal(device->temporary_bytes, 0);
    float *got = large_product(FAL_GEMM_CLBLAST, values, 3);
    assert_true(device->temporary_bytes > count * sizeof *got);
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - expected[i]) < 1e-3f))
            fail_msg("float %zu is %.9g, not %.9g", i, (double)got[i],
                     (double)expected[i]);
    fal_release(values);
    fal_release(expected);
    fal_release(got);
}

/* What follows the sum, in kernels of the CPU-like family. */
static void every_vector_agrees(void **state)
{
    (void)state;
    need_clblast();
    if (!(device->facts.type & CL_DEVICE_TYPE_CPU) || device->facts.float_width < 4)
        skip();
    for (int vector = 4; vector <= 16; vector *= 2) {
        fal_device *other = NULL;
        must(open_for(&other, "clblast", "cpu", vector));
        for (unsigned turn = 0; turn < 10; turn++)
            check_product(other, 3 + turn, 29 + turn, 10, turn);
        fal_device_destroy(other);
    }
}

/* ---- launches ------------------------------------------------------------ */

static fal_product square(fal_view view)
{
    return (fal_product){.m = 8,
                         .n = 8,
                         .k = 8,
                         .a = {FAL_SOURCE_ROWS, view, 8},
                         .b = {FAL_SOURCE_ROWS, view, 8},
                         .c = {view.buffer, 64},
                         .pitch = 8};
}

/* Products that CLBlast cannot make share one launch of ours. */
static void others_stay_with_us(void **state)
{
    static const char *const expected[] = {"clblast", "clblast",  "gemm_end",
                                           "clblast", "gemm_end", "gemm_small"};
    (void)state;
    need_clblast();
    fal_launches list = {.device = device};
    fal_view view = {NULL, 0};
    const fal_update update = {.rule = FAL_SGD};
    must(fal_buffer_create(device, 4096, "test", &view.buffer));
    fal_product p[7];
    for (size_t i = 0; i < 7; i++)
        p[i] = square(view);
    p[0].a.source = FAL_SOURCE_COLUMNS_ONES;
    p[2].update = &update;
    p[3].bias = view;
    p[4].output = view, p[4].derivative.phi = FAL_TANH;
    p[5].symmetric = 1;
    p[6].b.source = FAL_SOURCE_COLUMNS, p[6].values.kind = FAL_VALUES_SIGN;
    must(fal_gemm_add(&list, p, 7));
    assert_int_equal(list.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(list.items[i].name, expected[i]);
    fal_launches_release(&list);
    fal_buffer_destroy(device, view.buffer);
}

/* Whatever call or allocation fails says so, and the device still computes. */
static void failures_are_handed_on(void **state)
{
    (void)state;
    need_clblast();
    fal_view view = {NULL, 0};
    must(fal_buffer_create(device, 4096, "test", &view.buffer));
    fal_product p = square(view);
    p.activation.phi = FAL_RELU;
    for (int memory = 0; memory < 2; memory++) {
        fal_status status = FAL_ERROR_DEVICE;
        for (long n = 1; status; n++) {
            fal_launches list = {.device = device};
            assert_true(n < 60);
            memory ? fal_memory_fail_at(n) : fal_cl_fail_at(n);
            status = fal_gemm_add(&list, &p, 1);
            if (!status)
                status = fal_launches_run(&list);
            fal_cl_fail_at(0);
            fal_memory_fail_at(0);
            fal_launches_release(&list);
        }
    }
    fal_buffer_destroy(device, view.buffer);
    check_product(device, 17, 33, 65, 0);
}

static int count_clblast(const fal_profile_row *row, void *user)
{
    *(double *)user += strcmp(row->kernel, "clblast") == 0 ? row->launches : 0;
    return 0;
}

static void profiles_have_them(void **state)
{
    (void)state;
    need_clblast();
    fal_device *other = NULL;
    fal_device_options options = FAL_DEVICE_OPTIONS;
    double launches = 0;
    options.gemm = "clblast";
    options.profile = 1;
    must(fal_device_open(&other, &options));
    check_product(other, 17, 33, 65, 0);
    must(fal_device_profile(other, count_clblast, &launches));
    assert_true(launches == 1);
    fal_device_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_choice_is_known),
        cmocka_unit_test(other_choices_are_refused),
        cmocka_unit_test(products_agree),
        cmocka_unit_test(large_products_agree),
        cmocka_unit_test(every_vector_agrees),
        cmocka_unit_test(others_stay_with_us),
        cmocka_unit_test(failures_are_handed_on),
        cmocka_unit_test(profiles_have_them),
    };
    return cmocka_run_group_tests_name("clblast", tests, open_clblast,
                                       close_device);
}
