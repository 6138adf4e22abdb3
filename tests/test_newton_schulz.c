/* Newton-Schulz against exact arithmetic: the scalar map through diagonal matrices,
 * LAPACK's singular values with the map applied, and the iteration in double; in both
 * forms, both ways round, and both kernel families. */
#include "learning.h"
#include "ops/clip.h"
#include "ops/newton_schulz.h"
#include "reference/check.h"
#include "reference/newton_schulz.h"

/* LAPACK: A = U S Vᵀ, column-major. */
void dgesvd_(const char *job_u, const char *job_v, const int *m, const int *n,
             double *a, const int *lda, double *s, double *u, const int *ldu,
             double *v, const int *ldv, double *work, const int *lwork, int *info);

static fal_device *devices[2];
static const char *const families[] = {"cpu", "gpu"};

static int open_devices(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        fal_device_options options = FAL_DEVICE_OPTIONS;
        options.kernels = i ? "gpu" : NULL;
        must(fal_device_open(&devices[i], &options));
    }
    return 0;
}

static int close_devices(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        fal_device_destroy(devices[i]);
    return 0;
}

/* ---- running -------------------------------------------------------------- */

typedef struct matrix {
    size_t rows, columns;
    float *values, *result;
} matrix;

static matrix make(size_t rows, size_t columns)
{
    return (matrix){rows, columns, room(rows * columns, sizeof(float)),
                    room(rows * columns, sizeof(float))};
}

static matrix draw(size_t rows, size_t columns)
{
    matrix m = make(rows, columns);
    for (size_t i = 0; i < rows * columns; i++)
        m.values[i] = (float)uniform();
    return m;
}

static void drop(matrix *m)
{
    fal_release(m->values);
    fal_release(m->result);
}

static fal_view put(fal_device *on, size_t count, const float *values)
{
    fal_view view = {NULL, 0};
    must(fal_buffer_create(on, count * sizeof(float), "test", &view.buffer));
    if (values)
        must(fal_write(on, view.buffer, 0, count * sizeof(float), values));
    return view;
}

/* All matrices in one list; returns its launches. */
static size_t run(fal_device *on, matrix *matrices, size_t count)
{
    enum { MOST = 8 };
    fal_newton_schulz work[MOST];
    fal_launches list = {.device = on};
    assert_true(count <= MOST);
    for (size_t i = 0; i < count; i++) {
        const matrix *m = &matrices[i];
        size_t n = m->rows * m->columns;
        work[i] = (fal_newton_schulz){
            .rows = m->rows,
            .columns = m->columns,
            .x = put(on, n, m->values),
            .spare = put(on, n, NULL),
            .factor = 1,
            .sums = put(on, fal_square_sums_count(n), NULL),
            .room = put(on, fal_newton_schulz_room(m->rows, m->columns), NULL)};
        must(fal_square_sums_add(&list, work[i].x, n, work[i].sums));
    }
    must(fal_newton_schulz_add(&list, work, count));
    must(fal_launches_run(&list));
    for (size_t i = 0; i < count; i++) {
        size_t bytes = matrices[i].rows * matrices[i].columns * sizeof(float);
        must(fal_read(on, fal_newton_schulz_result(&work[i]).buffer, 0, bytes,
                      matrices[i].result));
        fal_buffer_destroy(on, work[i].x.buffer);
        fal_buffer_destroy(on, work[i].spare.buffer);
        fal_buffer_destroy(on, work[i].sums.buffer);
        fal_buffer_destroy(on, work[i].room.buffer);
    }
    size_t launches = list.count;
    fal_launches_release(&list);
    return launches;
}

/* ---- the scalar map ------------------------------------------------------- */

static const struct scalar {
    double from, to;
} scalars[] = {{.001, .470544}, {.01, .698917},  {.1, .712120}, {.25, .714526},
               {.5, .765439},   {.75, 1.046693}, {1, .696436}};
enum { SCALARS = sizeof scalars / sizeof *scalars };

static void reference_has_the_map(void **state)
{
    (void)state;
    for (size_t i = 0; i < SCALARS; i++) {
        double s = scalars[i].from, x[4] = {s, 0, 0, sqrt(1 - s * s)};
        assert_true(fabs(fal_reference_newton_schulz_map(s) - scalars[i].to) <
                    1e-6);
        must(fal_reference_newton_schulz(x, 2, 2));
        assert_true(fabs(x[0] - scalars[i].to) < 1e-6);
        assert_true(x[1] == 0 && x[2] == 0);
    }
    for (double s = .0016; s <= 1; s += 1e-4) {
        double to = fal_reference_newton_schulz_map(s);
        assert_true(to >= .6818 - 5e-5 && to <= 1.2024 + 5e-5);
    }
}

/* The diagonal (s, √(1 − s²)) of norm 1, in a matrix otherwise 0. */
static void check_diagonal(fal_device *on, size_t rows, size_t columns)
{
    for (size_t i = 0; i < SCALARS; i++) {
        matrix m = make(rows, columns);
        double s = scalars[i].from;
        memset(m.values, 0, rows * columns * sizeof(float));
        m.values[0] = (float)s;
        m.values[columns + 1] = (float)sqrt(1 - s * s);
        run(on, &m, 1);
        if (!(fabs((double)m.result[0] - scalars[i].to) <= 5e-6))
            fail_msg("%zu x %zu: %g goes to %.7g, not %.7g", rows, columns, s,
                     (double)m.result[0], scalars[i].to);
        double other = fal_reference_newton_schulz_map(sqrt(1 - s * s));
        assert_true(fabs((double)m.result[columns + 1] - other) <= 5e-6);
        for (size_t j = 0; j < rows * columns; j++)
            assert_true(j == 0 || j == columns + 1 || m.result[j] == 0);
        drop(&m);
    }
}

static void singular_values_go_where_they_should(void **state)
{
    (void)state;
    for (size_t d = 0; d < 2; d++) {
        check_diagonal(devices[d], 2, 2);
        check_diagonal(devices[d], 37, 33);
        check_diagonal(devices[d], 3, 17);
        check_diagonal(devices[d], 300, 33);
    }
}

/* ---- LAPACK --------------------------------------------------------------- */

/* U diag(map(s/‖s‖)) Vᵀ. Our row-major [rows][columns] is LAPACK's column-major
 * transpose, whose result is the transpose of ours: the same numbers. */
static double *by_lapack(const matrix *m)
{
    const int rows = (int)m->columns, columns = (int)m->rows;
    const int n = rows < columns ? rows : columns, size = 32 * (rows + columns);
    size_t count = m->rows * m->columns;
    double *a = room(count, sizeof *a), *s = room((size_t)n, sizeof *s);
    double *u = room((size_t)(rows * n), sizeof *u);
    double *v = room((size_t)(n * columns), sizeof *v);
    double *work = room((size_t)size, sizeof *work), norm = 0;
    int info = 0;
    for (size_t i = 0; i < count; i++)
        a[i] = (double)m->values[i];
    dgesvd_("S", "S", &rows, &columns, a, &rows, s, u, &rows, v, &n, work, &size,
            &info);
    assert_int_equal(info, 0);
    for (int i = 0; i < n; i++)
        norm += s[i] * s[i];
    memset(a, 0, count * sizeof *a);
    for (int k = 0; k < n; k++) {
        double to = fal_reference_newton_schulz_map(s[k] / (sqrt(norm) + 1e-7));
        for (int j = 0; j < columns; j++)
            for (int i = 0; i < rows; i++)
                a[j * rows + i] += u[k * rows + i] * to * v[j * n + k];
    }
    fal_release(s);
    fal_release(u);
    fal_release(v);
    fal_release(work);
    return a;
}

/* ‖x − y‖/‖y‖ */
static double distance(const double *x, const double *y, size_t count)
{
    double gap = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        gap += (x[i] - y[i]) * (x[i] - y[i]);
        norm += y[i] * y[i];
    }
    return sqrt(gap / norm);
}

static void check_lapack(matrix *m)
{
    size_t count = m->rows * m->columns;
    double *expected = by_lapack(m), *x = room(count, sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (double)m->values[i];
    must(fal_reference_newton_schulz(x, m->rows, m->columns));
    assert_true(distance(x, expected, count) < 1e-12);
    for (size_t d = 0; d < 2; d++) {
        run(devices[d], m, 1);
        for (size_t i = 0; i < count; i++)
            x[i] = (double)m->result[i];
        if (!(distance(x, expected, count) < 1e-5))
            fail_msg("%s, %zu x %zu: %g from LAPACK's", families[d], m->rows,
                     m->columns, distance(x, expected, count));
    }
    fal_release(expected);
    fal_release(x);
}

static void random_matrices_against_lapack(void **state)
{
    static const size_t shapes[][2] = {{1, 1},    {1, 9},    {9, 1},   {16, 16},
                                       {33, 31},  {50, 90},  {90, 50}, {17, 34},
                                       {24, 300}, {300, 24}, {64, 128}};
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        matrix m = draw(shapes[i][0], shapes[i][1]);
        check_lapack(&m);
        drop(&m);
    }
}

/* ---- hard matrices -------------------------------------------------------- */

enum {
    LOW_RANK,
    NEARLY_ONE,
    ROWS_FAR_APART,
    COLUMNS_FAR_APART,
    TINY,
    LARGE,
    KINDS
};

/* `far`: how many powers of ten the kind goes to. */
static void spoil(matrix *m, int kind, double far)
{
    for (size_t i = 0; i < m->rows * m->columns; i++) {
        double r = (double)(i / m->columns) / (double)m->rows;
        double c = (double)(i % m->columns) / (double)m->columns;
        double one = cos(40 * r) * cos(70 * c), x = (double)m->values[i];
        if (kind == LOW_RANK)
            x = one + .1 * cos(90 * r) * cos(30 * c);
        else if (kind == NEARLY_ONE)
            x = 1 + pow(10, -far) * x;
        else if (kind == ROWS_FAR_APART)
            x *= pow(10, -far * r);
        else if (kind == COLUMNS_FAR_APART)
            x *= pow(10, -far * c);
        else
            x *= pow(10, kind == TINY ? -far : far);
        m->values[i] = (float)x;
    }
}

/* Within 1e-3 of the double iteration, whatever the matrix. */
static void hard_matrices_against_double(void **state)
{
    static const size_t shapes[][2] = {{64, 64},  {100, 40}, {64, 256},
                                       {10, 400}, {3, 17},   {512, 100}};
    double worst = 0;
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int kind = 0; kind < KINDS; kind++)
            for (double far = 1; far < 14; far += 3) {
                matrix m = draw(shapes[i][0], shapes[i][1]);
                spoil(&m, kind, far);
                for (size_t d = 0; d < (i % 2 ? 1 : 2); d++) {
                    double error = 0;
                    must(fal_check_newton_schulz(devices[d], m.values, m.rows,
                                                 m.columns, 1, &error));
                    if (!(error < 1e-3))
                        fail_msg("%s, %zu x %zu, kind %d by 10^%g: %g off",
                                 families[d], m.rows, m.columns, kind, far, error);
                    worst = error > worst ? error : worst;
                }
                drop(&m);
            }
    print_message("             the worst is %.1e off\n", worst);
}

static void zero_stays_zero(void **state)
{
    static const size_t shapes[][2] = {{1, 1}, {20, 20}, {7, 90}, {90, 7}};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        matrix m = make(shapes[i / 2][0], shapes[i / 2][1]);
        memset(m.values, 0, m.rows * m.columns * sizeof(float));
        run(devices[i % 2], &m, 1);
        for (size_t j = 0; j < m.rows * m.columns; j++)
            assert_true(m.result[j] == 0);
        drop(&m);
    }
}

/* ---- together ------------------------------------------------------------- */

/* Matrices of any shape share the launches of products, and no bit depends on it nor
 * on the compute units. */
static void matrices_share_launches(void **state)
{
    static const size_t shapes[][2] = {{40, 50}, {40, 50}, {7, 90}, {90, 30}};
    static const unsigned units[] = {1, 3, 16};
    enum { COUNT = 4, PRODUCTS = 17 };
    matrix all[COUNT], alone;
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        all[i] = draw(shapes[i][0], shapes[i][1]);
    for (size_t u = 0; u < 3; u++) {
        fal_device *on = NULL;
        must(fal_device_open(&on, NULL));
        on->facts.units = units[u];
        /* each needs buffers of its own, so two share a launch here */
        assert_true(run(on, all, COUNT) <= 2 * COUNT + COUNT * PRODUCTS);
        for (size_t i = 0; i < COUNT; i++) {
            alone = all[i];
            alone.result = room(alone.rows * alone.columns, sizeof(float));
            run(devices[0], &alone, 1);
            assert_memory_equal(alone.result, all[i].result,
                                alone.rows * alone.columns * sizeof(float));
            fal_release(alone.result);
        }
        fal_device_destroy(on);
    }
    for (size_t i = 0; i < COUNT; i++)
        drop(&all[i]);
}

/* In one buffer, as the trainer has them. */
static void one_launch_a_step(void **state)
{
    enum { COUNT = 6, N = 24 * 24, PLAIN = 15, GRAM = 17 };
    fal_newton_schulz work[COUNT];
    (void)state;
    for (int gram = 0; gram < 2; gram++) {
        fal_launches list = {.device = devices[0]};
        size_t rows = gram ? 48 : 24, columns = gram ? 12 : 24;
        size_t size = fal_newton_schulz_room(rows, columns);
        fal_view x = put(devices[0], COUNT * N, NULL);
        fal_view spare = put(devices[0], COUNT * N, NULL);
        fal_view other = put(devices[0], COUNT * size, NULL);
        for (uint64_t i = 0; i < COUNT; i++)
            work[i] = (fal_newton_schulz){.rows = rows,
                                          .columns = columns,
                                          .x = {x.buffer, i * N},
                                          .spare = {spare.buffer, i * N},
                                          .factor = 1,
                                          .sums = {x.buffer, 0},
                                          .room = {other.buffer, i * size}};
        must(fal_newton_schulz_add(&list, work, COUNT));
        assert_int_equal(list.count, COUNT + (gram ? GRAM : PLAIN));
        fal_launches_release(&list);
        fal_memory_fail_at(1);
        assert_int_equal(fal_newton_schulz_add(&list, work, COUNT),
                         FAL_ERROR_MEMORY);
        fal_memory_fail_at(0);
        fal_launches_release(&list);
        fal_buffer_destroy(devices[0], x.buffer);
        fal_buffer_destroy(devices[0], spare.buffer);
        fal_buffer_destroy(devices[0], other.buffer);
    }
}

static void momentum_against_double(void **state)
{
    static const size_t counts[] = {1, 15, 17, 16383, 16384, 16385, 50000};
    (void)state;
    for (size_t d = 0; d < 2; d++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            for (int parts = 0; parts < 4; parts++) {
                double worst = 0;
                must(fal_check_momentum(devices[d], counts[i], parts & 1, parts & 2,
                                        &worst));
                if (!(worst <= 1))
                    fail_msg("%s, %zu floats, parts %d: %g of what is explained",
                             families[d], counts[i], parts, worst);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_has_the_map),
        cmocka_unit_test(singular_values_go_where_they_should),
        cmocka_unit_test(random_matrices_against_lapack),
        cmocka_unit_test(hard_matrices_against_double),
        cmocka_unit_test(zero_stays_zero),
        cmocka_unit_test(matrices_share_launches),
        cmocka_unit_test(one_launch_a_step),
        cmocka_unit_test(momentum_against_double),
    };
    return cmocka_run_group_tests_name("newton_schulz", tests, open_devices,
                                       close_devices);
}
