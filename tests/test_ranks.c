/* Gram matrices in double and the ranks made of them: kernels of both families and
 * the host's sums against a plain reference; ranks against LAPACK's singular values,
 * known spectra and published figures; updates by each of their sides. Without LAPACK
 * in the build the tests of ranks are skipped. */
#include "analysis/gram.h"
#include "analysis/rank.h"
#include "learning.h"
#include "reference/check.h"
#include "reference/gram.h"

#if FAL_LAPACK
#include <lapacke.h>
#endif

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The first computes on the host. */
enum { HOST = 0, GPU = 1, DEVICES = 5 };
static fal_device *devices[DEVICES];
static int device_count;

static fal_device *open(const char *kernels, int vector)
{
    fal_device *opened = NULL;
    fal_device_options options = FAL_DEVICE_OPTIONS;
    options.kernels = kernels;
    options.vector = vector;
    options.gemm = "own";
    must(fal_device_open(&opened, &options));
    return opened;
}

/* CPU-like kernels only where they are the device's own: they crawl elsewhere. */
static int open_devices(void **state)
{
    (void)state;
    devices[HOST] = open(NULL, 0);
    devices[GPU] = open("gpu", 0);
    device_count = 2;
    int is_cpu = devices[HOST]->facts.family == FAL_FAMILY_CPU;
    for (int vector = 4; vector <= 16 && is_cpu; vector *= 2)
        devices[device_count++] = open("cpu", vector);
    devices[HOST]->facts.double_precision = 0;
    return 0;
}

static int close_devices(void **state)
{
    (void)state;
    for (int i = 0; i < device_count; i++)
        fal_device_destroy(devices[i]);
    return 0;
}

static const char *where(int i)
{
    static const char *const names[] = {"host", "gpu", "cpu 4", "cpu 8", "cpu 16"};
    return names[i];
}

static fal_view put(fal_device *on, size_t count, const float *values)
{
    fal_view view = {NULL, 0};
    must(fal_buffer_create(on, count * sizeof(float), "test", &view.buffer));
    must(fal_write(on, view.buffer, 0, count * sizeof(float), values));
    return view;
}

/* ---- Gram matrices ------------------------------------------------------- */

static void check_gram(size_t rows, size_t columns, int by_column)
{
    for (int d = 0; d < device_count; d++)
        for (int symmetric = 0; symmetric < 2; symmetric++) {
            double worst = 0;
            must(fal_check_gram(devices[d], rows, columns, by_column, symmetric,
                                &worst));
            if (!(worst <= 1))
                fail_msg("%s, %zu x %zu%s%s: %g of what is explained", where(d),
                         rows, columns, by_column ? " by column" : "",
                         symmetric ? ", symmetric" : "", worst);
        }
}

static void check_shape(size_t rows, size_t columns)
{
    check_gram(rows, columns, 0);
    check_gram(rows, columns, 1);
}

static void grams_of_every_shape(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64};
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t j = 0; j < COUNT(sizes); j++)
            check_shape(sizes[i], sizes[j]);
    check_shape(128, 1001);
    check_shape(1001, 10);
    check_shape(129, 127);
}

/* Longer than one launch adds up, and than llvmpipe would count. */
static void grams_of_long_sums(void **state)
{
    (void)state;
    check_gram(3, 70000, 0);
    check_gram(70000, 9, 1);
    check_gram(33, 16385, 0);
    check_gram(16385, 17, 1);
}

/* Of different shapes at once, each at its place, at any offset of a buffer. */
static void many_at_once(void **state)
{
    static const size_t shapes[][2] = {
        {5, 90}, {90, 5}, {33, 17}, {1, 1}, {20, 20}};
    enum { N = COUNT(shapes), ROOM = 40 * 40 + 1 };
    (void)state;
    for (int d = 0; d < device_count; d++) {
        float *values = random_floats(3000, 1);
        fal_view view = put(devices[d], 3000, values);
        double *expected = room(ROOM, sizeof *expected);
        fal_gram grams[N];
        for (size_t i = 0; i < N; i++) {
            grams[i] = (fal_gram){view,         view,         shapes[i][0],
                                  shapes[i][1], (int)(i % 2), NULL};
            grams[i].a.offset = 3 + 100 * i;
            grams[i].b.offset = grams[i].a.offset + (i > 2);
            grams[i].out = room(ROOM, sizeof(double));
        }
        must(fal_grams_compute(devices[d], grams, N));
        for (size_t i = 0; i < N; i++) {
            size_t side = shapes[i][i % 2];
            fal_reference_gram(values + grams[i].a.offset,
                               values + grams[i].b.offset, shapes[i][0],
                               shapes[i][1], (int)(i % 2), expected, NULL);
            for (size_t j = 0; j < ROOM; j++)
                assert_true(fabs(grams[i].out[j] -
                                 (j < side * side ? expected[j] : 0)) < 1e-13);
            fal_release(grams[i].out);
        }
        fal_release(values);
        fal_release(expected);
        fal_buffer_destroy(devices[d], view.buffer);
    }
}

/* Nobody who does not measure waits for them to compile. */
static void are_compiled_when_first_wanted(void **state)
{
    static const float one[4] = {1, 2, 3, 4};
    double out[4], worst = 0;
    (void)state;
    for (int is_gpu = 0; is_gpu < 2; is_gpu++) {
        fal_device *on = open(is_gpu ? "gpu" : NULL, 0);
        must(fal_check_probe(on, &worst));
        fal_view view = put(on, 4, one);
        fal_gram gram = {view, view, 2, 2, 0, out};
        for (int built = 1; built <= 2; built++) {
            int programs = 0;
            for (size_t i = 0; i < FAL_PROGRAM_LIMIT; i++)
                programs += on->programs[i] != NULL;
            assert_int_equal(programs, on->facts.double_precision ? built : 1);
            must(fal_grams_compute(on, &gram, 1));
        }
        assert_true(out[0] == 5 && out[1] == 11 && out[2] == 11 && out[3] == 25);
        fal_buffer_destroy(on, view.buffer);
        fal_device_destroy(on);
    }
}

static void failures_are_passed_on(void **state)
{
    float *values = random_floats(600, 1);
    double *out = room(400, sizeof *out);
    (void)state;
    for (int d = 0; d < device_count; d++) {
        fal_view view = put(devices[d], 600, values);
        fal_gram gram = {view, view, 20, 30, 0, out};
        must(fal_grams_compute(devices[d], &gram, 1));
        uint64_t before = devices[d]->allocated;
        for (int by_memory = 0; by_memory < 2; by_memory++) {
            long n = 0;
            fal_status status = FAL_ERROR_DEVICE;
            while (status && ++n < 100) {
                fal_memory_fail_at(by_memory ? n : 0);
                fal_cl_fail_at(by_memory ? 0 : n);
                status = fal_grams_compute(devices[d], &gram, 1);
                fal_memory_fail_at(0);
                fal_cl_fail_at(0);
                assert_int_equal(devices[d]->allocated, before);
            }
            assert_in_range(n, 2, 99);
        }
        fal_buffer_destroy(devices[d], view.buffer);
    }
    fal_release(values);
    fal_release(out);
}

/* ---- ranks --------------------------------------------------------------- */

static void need_lapack(void)
{
    if (!fal_has_ranks()) {
        print_message("             no ranks: this build is without LAPACK\n");
        skip();
    }
}

static void expect_near(double found, double expected, double relative)
{
    if (!(fabs(found - expected) <= relative * fabs(expected)))
        fail_msg("%.17g is not %.17g: off by %.1e of it", found, expected,
                 fabs(found - expected) / fabs(expected));
}

static void same_ranks(fal_ranks found, fal_ranks expected, double relative)
{
    expect_near(found.effective, expected.effective, relative);
    expect_near(found.participation, expected.participation, relative);
    expect_near(found.stable, expected.stable, relative);
}

static void no_ranks(fal_ranks found)
{
    assert_true(isnan(found.effective) && isnan(found.participation) &&
                isnan(found.stable));
}

/* By their definitions. */
static fal_ranks of_singular_values(const double *s, size_t count)
{
    double sum = 0, squares = 0, fourth = 0, most = 0, entropy = 0;
    for (size_t i = 0; i < count; i++) {
        sum += s[i];
        squares += s[i] * s[i];
        fourth += pow(s[i], 4);
        most = fmax(most, s[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (s[i] > 0)
            entropy -= s[i] / sum * log(s[i] / sum);
    return (fal_ranks){exp(entropy), squares * squares / fourth,
                       squares / (most * most)};
}

static fal_ranks on(int d, const float *values, size_t rows, size_t columns)
{
    int by_column = columns < rows;
    size_t side = by_column ? columns : rows;
    double *gram = room(side * side, sizeof *gram);
    fal_view view = put(devices[d], rows * columns, values);
    fal_gram work = {view, view, rows, columns, by_column, gram};
    fal_ranks ranks;
    must(fal_grams_compute(devices[d], &work, 1));
    must(fal_ranks_of_gram(gram, side, &ranks));
    fal_buffer_destroy(devices[d], view.buffer);
    fal_release(gram);
    return ranks;
}

#if FAL_LAPACK

static fal_ranks by_lapack_svd(const double *values, size_t rows, size_t columns)
{
    size_t least = rows < columns ? rows : columns;
    double *a = room(rows * columns, sizeof *a), *s = room(least, sizeof *s);
    memcpy(a, values, rows * columns * sizeof *a);
    assert_int_equal(LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', (lapack_int)columns,
                                    (lapack_int)rows, a, (lapack_int)columns, s,
                                    NULL, 1, NULL, 1),
                     0);
    fal_ranks ranks = of_singular_values(s, least);
    fal_release(a);
    fal_release(s);
    return ranks;
}

static double *doubles(const float *values, size_t count)
{
    double *same = room(count, sizeof *same);
    for (size_t i = 0; i < count; i++)
        same[i] = (double)values[i];
    return same;
}

/* Rows whose sizes span `decades` powers of ten, plus what all have in common. */
static float *spread(size_t rows, size_t columns, double decades, double common)
{
    float *values = random_floats(rows * columns, 1);
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = (float)(((double)values[i] + common) *
                            pow(10,
                                -decades * (double)(i / columns) / (double)rows));
    return values;
}

static const size_t SHAPES[][2] = {{1, 1},   {1, 40},   {40, 1},   {2, 2},
                                   {16, 16}, {17, 100}, {100, 17}, {64, 63},
                                   {33, 65}, {128, 10}, {128, 300}};

static void agree_with_svd(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(SHAPES) * 4; i++) {
        const size_t *n = SHAPES[i / 4];
        float *values = spread(n[0], n[1], i & 1 ? 4 : 0, i & 2 ? 3 : 0);
        double *exact = doubles(values, n[0] * n[1]);
        fal_ranks expected = by_lapack_svd(exact, n[0], n[1]);
        for (int d = 0; d < device_count; d++)
            same_ranks(on(d, values, n[0], n[1]), expected, 1e-5);
        fal_release(values);
        fal_release(exact);
    }
}

/* ---- updates ------------------------------------------------------------- */

/* h^T delta in double */
static double *update_of(const float *h, const float *delta, size_t batch,
                         size_t in, size_t out)
{
    double *update = room(in * out, sizeof *update);
    for (size_t k = 0; k < batch; k++)
        for (size_t i = 0; i < in; i++)
            for (size_t j = 0; j < out; j++)
                update[i * out + j] += (double)h[k * in + i] *
                                       (double)delta[k * out + j];
    return update;
}

typedef struct layer {
    size_t batch, in, out;
    float *h, *delta;
} layer;

/* By each way there is: s and d, which serves every shape, and the shortest side. */
static void check_update(int on, const layer *l, double tolerance)
{
    fal_view h = put(devices[on], l->batch * l->in, l->h);
    fal_view delta = put(devices[on], l->batch * l->out, l->delta);
    double *s = room(l->batch * l->batch, sizeof *s);
    double *d = room(l->batch * l->batch, sizeof *d);
    const fal_gram grams[] = {{h, h, l->batch, l->in, 0, s},
                              {delta, delta, l->batch, l->out, 0, d}};
    fal_outer outer = {l->batch, l->in, l->out, s, d, h, delta};
    double *update = update_of(l->h, l->delta, l->batch, l->in, l->out);
    fal_ranks expected = by_lapack_svd(update, l->in, l->out), found;
    must(fal_grams_compute(devices[on], grams, 2));
    must(fal_ranks_of_product(s, d, l->batch, &found));
    same_ranks(found, expected, tolerance);
    if (l->out < l->batch && l->out <= l->in)
        outer.d = NULL;
    else if (l->in < l->batch)
        outer.s = NULL;
    must(fal_ranks_of_update(devices[on], &outer, &found));
    same_ranks(found, expected, tolerance);
    fal_buffer_destroy(devices[on], h.buffer);
    fal_buffer_destroy(devices[on], delta.buffer);
    fal_release(s);
    fal_release(d);
    fal_release(update);
}

static void updates_agree_with_svd(void **state)
{
    /* batch, in, out */
    static const size_t shapes[][3] = {{1, 5, 7},    {5, 1, 7},     {5, 7, 1},
                                       {16, 40, 50}, {40, 16, 50},  {40, 50, 16},
                                       {20, 20, 20}, {33, 31, 35},  {33, 35, 31},
                                       {64, 10, 10}, {128, 200, 10}};
    (void)state;
    for (size_t i = 0; i < COUNT(shapes) * 4; i++) {
        const size_t *n = shapes[i / 4];
        layer l = {n[0], n[1], n[2], spread(n[0], n[1], 0, i & 1 ? 2 : 0),
                   spread(n[0], n[2], i & 2 ? 2 : 0, 0)};
        for (int on = HOST; on <= GPU; on++)
            check_update(on, &l, 1e-5);
        fal_release(l.h);
        fal_release(l.delta);
    }
}

/* Activations that repeat and that are all 0 make s singular. */
static void updates_of_singular_activations(void **state)
{
    enum { BATCH = 24, WIDTH = 40 };
    (void)state;
    layer l = {BATCH, WIDTH, WIDTH, spread(BATCH, WIDTH, 0, 0),
               spread(BATCH, WIDTH, 0, 0)};
    for (size_t i = 0; i < BATCH; i++)
        for (size_t j = 0; j < WIDTH; j++)
            l.h[i * WIDTH + j] = i % 6 == 5 ? 0 : l.h[i % 6 * WIDTH + j];
    check_update(HOST, &l, 1e-5);
    memset(l.h, 0, BATCH * WIDTH * sizeof *l.h);
    l.h[0] = 1;
    check_update(HOST, &l, 1e-5);
    fal_release(l.h);
    fal_release(l.delta);
}

#endif

static void zero_updates_have_none(void **state)
{
    static const double zero[9], some[9] = {2, 1, 0, 1, 2, 0, 0, 0, 0};
    static const double parts[2][9] = {{1}, {0, 0, 0, 0, 1}};
    fal_ranks ranks;
    (void)state;
    need_lapack();
    must(fal_ranks_of_product(zero, some, 3, &ranks));
    no_ranks(ranks);
    must(fal_ranks_of_product(some, zero, 3, &ranks));
    no_ranks(ranks);
    must(fal_ranks_of_product(parts[0], parts[1], 3, &ranks));
    no_ranks(ranks);
    must(fal_ranks_of_product(some, parts[0], 3, &ranks));
    same_ranks(ranks, (fal_ranks){1, 1, 1}, 1e-14);
}

/* ---- known spectra ------------------------------------------------------- */

static void matrices_with_known_ranks(void **state)
{
    static const float two_one[] = {2, 0, 0, 1}, zero_row[] = {0, 0, 0, 2, 1, 2};
    static const float equal[] = {1, 1, 1,  1,  1, -1, 1,  -1,
                                  1, 1, -1, -1, 1, -1, -1, 1};
    static const float repeated[] = {2, 0, 0, 0, 2, 0, 0, 0, 1};
    static const float zero[12];
    (void)state;
    need_lapack();
    for (int d = 0; d < device_count; d++) {
        same_ranks(on(d, two_one, 2, 2), (fal_ranks){1.889882, 1.470588, 1.25},
                   1e-6);
        same_ranks(on(d, zero_row, 2, 3), (fal_ranks){1, 1, 1}, 0);
        same_ranks(on(d, equal, 4, 4), (fal_ranks){4, 4, 4}, 1e-14);
        same_ranks(on(d, repeated, 3, 3),
                   of_singular_values((const double[]){2, 2, 1}, 3), 1e-14);
        no_ranks(on(d, zero, 3, 4));
        no_ranks(on(d, zero, 4, 3));
        no_ranks(on(d, zero, 1, 1));
    }
}

/* Rank one of any size and shape: rounding alone makes the other eigenvalues. */
static void rank_one(void **state)
{
    float *values = room(100 * 100, sizeof *values);
    (void)state;
    need_lapack();
    for (size_t rows = 1; rows <= 100; rows += 33)
        for (size_t columns = 1; columns <= 100; columns += 33) {
            for (size_t i = 0; i < rows * columns; i++)
                values[i] = (float)((i / columns % 7 + 1) * (i % columns % 11 + 1));
            for (int d = 0; d < device_count; d++)
                same_ranks(on(d, values, rows, columns), (fal_ranks){1, 1, 1},
                           1e-12);
        }
    fal_release(values);
}

static void what_is_not_finite_has_none(void **state)
{
    double gram[4] = {1, 0, 0, NAN}, other[4] = {1, INFINITY, INFINITY, 1};
    fal_ranks ranks;
    (void)state;
    need_lapack();
    must(fal_ranks_of_product(gram, other, 2, &ranks));
    no_ranks(ranks);
    must(fal_ranks_of_gram(gram, 2, &ranks));
    no_ranks(ranks);
    must(fal_ranks_of_gram(other, 2, &ranks));
    no_ranks(ranks);
}

/* ---- random matrices ----------------------------------------------------- */

static double gaussian(void)
{
    double a = (uniform() + 1) / 2, b = uniform();
    return sqrt(-2 * log(1 - a)) * cos(acos(-1) * b);
}

static void gaussian_matrices_have_published_ranks(void **state)
{
    enum { SIDE = 128, MATRICES = 20 };
    float *values = room(SIDE * SIDE, sizeof *values);
    fal_ranks mean = {0, 0, 0};
    (void)state;
    need_lapack();
    for (int n = 0; n < MATRICES; n++) {
        for (size_t i = 0; i < SIDE * SIDE; i++)
            values[i] = (float)gaussian();
        fal_ranks ranks = on(device_count - 1, values, SIDE, SIDE);
        mean.effective += ranks.effective / MATRICES;
        mean.participation += ranks.participation / MATRICES;
        mean.stable += ranks.stable / MATRICES;
    }
    print_message("             means %.2f, %.2f, %.2f\n", mean.effective,
                  mean.participation, mean.stable);
    assert_true(fabs(mean.effective - 102.9) <= .3);
    assert_true(fabs(mean.participation - 63.8) <= .4);
    assert_true(fabs(mean.stable - 33.1) <= .8);
    fal_release(values);
}

/* The same numbers whoever sums, whatever the scale and the order of samples; never
 * outside of 1 and the shorter side. */
static void ranks_are_of_the_matrix_alone(void **state)
{
    enum { ROWS = 60, COLUMNS = 200 };
    (void)state;
    need_lapack();
    for (int n = 0; n < 4; n++) {
        float *values = random_floats(ROWS * COLUMNS, n & 1 ? 1e-20 : 1);
        float *moved = room(ROWS * COLUMNS, sizeof *moved);
        for (size_t i = 0; i < ROWS * COLUMNS; i++) {
            size_t row = i / COLUMNS * 7 % ROWS;
            moved[row * COLUMNS + i % COLUMNS] = 16 * values[i];
        }
        fal_ranks first = on(HOST, values, ROWS, COLUMNS);
        assert_true(first.effective >= 1 && first.effective <= ROWS);
        assert_true(first.participation >= 1 && first.participation <= ROWS);
        assert_true(first.stable >= 1 && first.stable <= ROWS);
        for (int d = 0; d < device_count; d++) {
            same_ranks(on(d, values, ROWS, COLUMNS), first, 1e-10);
            same_ranks(on(d, moved, ROWS, COLUMNS), first, 1e-10);
        }
        fal_release(values);
        fal_release(moved);
    }
}

/* ---- failures ------------------------------------------------------------ */

#if FAL_LAPACK

static int failing; /* which routine: 1, 2, 3 */
static lapack_int failure;

lapack_int __real_LAPACKE_dsyevd(int layout, char job, char triangle, lapack_int n,
                                 double *a, lapack_int pitch, double *values);
lapack_int __wrap_LAPACKE_dsyevd(int layout, char job, char triangle, lapack_int n,
                                 double *a, lapack_int pitch, double *values);
lapack_int __wrap_LAPACKE_dsyevd(int layout, char job, char triangle, lapack_int n,
                                 double *a, lapack_int pitch, double *values)
{
    if (failing == 1)
        return failure;
    return __real_LAPACKE_dsyevd(layout, job, triangle, n, a, pitch, values);
}

lapack_int __real_LAPACKE_dpstrf(int layout, char triangle, lapack_int n, double *a,
                                 lapack_int pitch, lapack_int *order,
                                 lapack_int *rank, double least);
lapack_int __wrap_LAPACKE_dpstrf(int layout, char triangle, lapack_int n, double *a,
                                 lapack_int pitch, lapack_int *order,
                                 lapack_int *rank, double least);
lapack_int __wrap_LAPACKE_dpstrf(int layout, char triangle, lapack_int n, double *a,
                                 lapack_int pitch, lapack_int *order,
                                 lapack_int *rank, double least)
{
    if (failing == 2)
        return failure;
    return __real_LAPACKE_dpstrf(layout, triangle, n, a, pitch, order, rank, least);
}

lapack_int __real_LAPACKE_dsygst(int layout, int type, char triangle, lapack_int n,
                                 double *a, lapack_int pitch, const double *b,
                                 lapack_int pitch_b);
lapack_int __wrap_LAPACKE_dsygst(int layout, int type, char triangle, lapack_int n,
                                 double *a, lapack_int pitch, const double *b,
                                 lapack_int pitch_b);
lapack_int __wrap_LAPACKE_dsygst(int layout, int type, char triangle, lapack_int n,
                                 double *a, lapack_int pitch, const double *b,
                                 lapack_int pitch_b)
{
    if (failing == 3)
        return failure;
    return __real_LAPACKE_dsygst(layout, type, triangle, n, a, pitch, b, pitch_b);
}

static fal_status try_product(void)
{
    static const double s[4] = {2, 1, 1, 2}, d[4] = {1, 0, 0, 1};
    fal_ranks ranks;
    return fal_ranks_of_product(s, d, 2, &ranks);
}

static void lapack_failures_are_named(void **state)
{
    static const char *const parts[] = {"LAPACK's dsyevd failed (info -7)",
                                        "LAPACK's dpstrf failed (info -7)",
                                        "LAPACK's dsygst failed (info -7)"};
    double gram[4] = {2, 1, 1, 2};
    fal_ranks ranks;
    (void)state;
    failure = -7;
    for (failing = 1; failing <= 3; failing++) {
        expect_error(try_product(), FAL_ERROR_ARGUMENT, parts[failing - 1]);
        expect_message("ranks from a Gram matrix of 2 x 2");
    }
    failing = 1;
    failure = LAPACK_WORK_MEMORY_ERROR;
    expect_error(fal_ranks_of_gram(gram, 2, &ranks), FAL_ERROR_MEMORY,
                 "use a smaller batch");
    failing = 0;
    for (long n = 1; n <= 4; n++) {
        fal_memory_fail_at(n);
        assert_int_equal(try_product(), n <= 3 ? FAL_ERROR_MEMORY : FAL_OK);
    }
    fal_memory_fail_at(1);
    assert_int_equal(fal_ranks_of_gram(gram, 2, &ranks), FAL_ERROR_MEMORY);
    fal_memory_fail_at(0);
}

#else

static void without_lapack_it_is_said(void **state)
{
    double gram[1] = {1};
    fal_ranks ranks;
    (void)state;
    assert_false(fal_has_ranks());
    expect_error(fal_ranks_of_gram(gram, 1, &ranks), FAL_ERROR_ARGUMENT,
                 "built without LAPACK; install LAPACKE");
    expect_error(fal_ranks_of_product(gram, gram, 1, &ranks), FAL_ERROR_ARGUMENT,
                 "built without LAPACK");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grams_of_every_shape),
        cmocka_unit_test(grams_of_long_sums),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(are_compiled_when_first_wanted),
        cmocka_unit_test(failures_are_passed_on),
        cmocka_unit_test(matrices_with_known_ranks),
        cmocka_unit_test(rank_one),
        cmocka_unit_test(zero_updates_have_none),
        cmocka_unit_test(what_is_not_finite_has_none),
        cmocka_unit_test(gaussian_matrices_have_published_ranks),
        cmocka_unit_test(ranks_are_of_the_matrix_alone),
#if FAL_LAPACK
        cmocka_unit_test(agree_with_svd),
        cmocka_unit_test(updates_agree_with_svd),
        cmocka_unit_test(updates_of_singular_activations),
        cmocka_unit_test(lapack_failures_are_named),
#else
        cmocka_unit_test(without_lapack_it_is_said),
#endif
    };
    return cmocka_run_group_tests_name("ranks", tests, open_devices, close_devices);
}
