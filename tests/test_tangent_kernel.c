/* The tangent kernel of random backpropagation: against finite differences of one step of
 * the rule, written out here; a network whose eigenvalues are known; closed forms of its
 * mean for linear units and ReLU (the arc-cosine kernel of Cho & Saul 2009), which many
 * random units approach; and the stability limits of science section 5D, found there
 * without it. Without LAPACK in the build the tests of eigenvalues are skipped. */
#include "analysis/tangent_kernel.h"
#include "data/random.h"
#include "learning.h"
#include "reference/activation.h"

enum { INPUTS = 5, UNITS = 7, SAMPLES = 4 };

static const double PI = 3.14159265358979323846;

/* ---- finite differences of a step ---------------------------------------- */

typedef struct network {
    double w[UNITS][INPUTS], beta[UNITS];
} network;

static double field(const network *net, size_t unit, const float *x)
{
    double sum = 0;
    for (size_t k = 0; k < INPUTS; k++)
        sum += net->w[unit][k] * (double)x[k];
    return sum;
}

static double output(const network *net, fal_activation psi, double scale,
                     const float *x)
{
    double sum = 0;
    for (size_t r = 0; r < UNITS; r++)
        sum += net->beta[r] * fal_reference_activate(psi, field(net, r, x));
    return scale * sum;
}

static network network_of(const fal_two_layers *from)
{
    network net;
    for (size_t r = 0; r < UNITS; r++) {
        net.beta[r] = (double)from->beta[r];
        for (size_t k = 0; k < INPUTS; k++)
            net.w[r][k] = (double)from->w[r * INPUTS + k];
    }
    return net;
}

/* A step of the rule, as science section 5D has it, without decay. */
static network step(const fal_two_layers *from, const float *x, const double *e,
                    double eta)
{
    const network net = network_of(from);
    network next = net;
    for (size_t r = 0; r < UNITS; r++)
        for (size_t i = 0; i < SAMPLES; i++) {
            const float *row = x + i * INPUTS;
            double h = fal_reference_activate(from->activation,
                                              field(&net, r, row));
            double slope = fal_reference_derivative(from->activation, h);
            double size = eta * from->scale * e[i];
            next.beta[r] -= size * h;
            for (size_t k = 0; k < INPUTS; k++)
                next.w[r][k] -= size * (double)from->b[r] * slope * (double)row[k];
        }
    return next;
}

static double moved(const fal_two_layers *net, const float *x, const double *e,
                    size_t sample)
{
    const double eta = 1e-5;
    network there = step(net, x, e, eta), back = step(net, x, e, -eta);
    const float *row = x + sample * INPUTS;
    return (output(&there, net->activation, net->scale, row) -
            output(&back, net->activation, net->scale, row)) /
           (2 * eta);
}

static void is_what_a_step_does(void **state)
{
    static const fal_activation kinds[] = {{FAL_LINEAR, 0},   {FAL_RELU, 0},
                                           {FAL_LEAKY, .25f}, {FAL_TANH, 0},
                                           {FAL_SIGMOID, 0},  {FAL_SCALE, -2}};
    float *w = random_floats(UNITS * INPUTS, 1), *beta = random_floats(UNITS, 1);
    float *b = random_floats(UNITS, 1), *x = random_floats(SAMPLES * INPUTS, 2);
    (void)state;
    for (size_t a = 0; a < 6; a++) {
        fal_two_layers net = {INPUTS, UNITS, kinds[a], .7, w, beta, b};
        double by_beta[SAMPLES][SAMPLES], by_w[SAMPLES][SAMPLES];
        double e[SAMPLES] = {.9, -.4, .3, -1.1};
        must(fal_tangent_kernel(&net, x, SAMPLES, by_beta[0], by_w[0]));
        for (size_t i = 0; i < SAMPLES; i++) {
            double expected = 0;
            for (size_t j = 0; j < SAMPLES; j++) {
                expected -= (by_beta[i][j] + by_w[i][j]) * e[j];
                assert_true(by_beta[i][j] == by_beta[j][i]);
                assert_true(by_w[i][j] == by_w[j][i]);
            }
            double found = moved(&net, x, e, i);
            if (!(fabs(found - expected) < 1e-7))
                fail_msg("activation %zu, sample %zu: %.12g, not %.12g", a, i,
                         found, expected);
        }
    }
    fal_release(w), fal_release(beta), fal_release(b), fal_release(x);
}

/* ---- known eigenvalues --------------------------------------------------- */

static void need_lapack(void)
{
#if !FAL_LAPACK
    print_message("             no eigenvalues: this build is without LAPACK\n");
    skip();
#endif
}

/* Linear units whose w_r are the unit vectors, samples along the axes: both parts are
 * diagonal, scale² · length² · 1 and · b beta. */
static void has_the_known_eigenvalues(void **state)
{
    enum { N = 3 };
    static const float w[N * N] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    static const float x[N * N] = {2, 0, 0, 0, 3, 0, 0, 0, 5};
    static const float beta[N] = {1, -1, .5f}, b[N] = {-.25f, .25f, -1};
    fal_two_layers net = {N, N, {FAL_LINEAR, 0}, .5, w, beta, b};
    fal_tangent_extremes found;
    (void)state;
    need_lapack();
    must(fal_tangent_extremes_of(&net, x, N, &found));
    /* b·beta = −1 for every sample: linear units share it */
    assert_float_equal(found.output_least, .25 * 4, 1e-12);
    assert_float_equal(found.least, 0, 1e-12);
    assert_float_equal(found.most, 0, 1e-12);
    net.b = beta; /* backpropagation: beta·beta = 2.25 */
    must(fal_tangent_extremes_of(&net, x, N, &found));
    assert_float_equal(found.output_least, .25 * 4, 1e-12);
    assert_float_equal(found.least, .25 * 4 * 3.25, 1e-12);
    assert_float_equal(found.most, .25 * 25 * 3.25, 1e-12);
}

/* ---- many random units --------------------------------------------------- */

static float *gaussians(uint64_t seed, size_t count)
{
    float *values = room(count, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = fal_random_gaussian(seed, FAL_PURPOSE_WEIGHT, 1, 0, i, 1);
    return values;
}

static double inner(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* The mean of psi(w·x) psi(w·y), w of independent N(0, 1). */
static double mean_of(fal_phi phi, const float *x, const float *y, size_t n)
{
    double xy = inner(x, y, n), xx = inner(x, x, n), yy = inner(y, y, n);
    if (phi == FAL_LINEAR)
        return xy;
    double cosine = xy / sqrt(xx * yy), angle = acos(cosine > 1 ? 1 : cosine);
    return sqrt(xx * yy) / (2 * PI) * (sin(angle) + (PI - angle) * cos(angle));
}

/* Four standard errors of the mean over the units; those of psi psi are below
 * sqrt(3) |x| |y| (linear, and less for ReLU). */
static void nears_the_mean(fal_phi phi)
{
    enum { D = 12, P = 40000, N = 4 };
    float *w = gaussians(1, P * D), *beta = gaussians(2, P), *b = gaussians(3, P);
    float *x = gaussians(4, N * D);
    double by_beta[N][N], by_w[N][N];
    fal_two_layers net = {D, P, {phi, 0}, 1 / sqrt(P), w, beta, b};
    must(fal_tangent_kernel(&net, x, N, by_beta[0], by_w[0]));
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            const float *xi = x + i * D, *xj = x + j * D;
            double size = sqrt(inner(xi, xi, D) * inner(xj, xj, D)) / sqrt(P);
            double mean = mean_of(phi, xi, xj, D);
            assert_true(fabs(by_beta[i][j] - mean) < 4 * sqrt(3) * size);
            assert_true(fabs(by_w[i][j]) <= 4 * size);
        }
    fal_release(w), fal_release(beta), fal_release(b), fal_release(x);
}

static void nears_its_mean(void **state)
{
    (void)state;
    nears_the_mean(FAL_LINEAR);
    nears_the_mean(FAL_RELU);
}

/* Steps above 2/most diverge. Section 5D has for 50 samples of 150 numbers: linear 5.8e-3,
 * ReLU 1.6e-3, tanh 1.1, of many units, where `hidden` is 0: b is 0 here; the spread from
 * draw to draw is some per cent. */
static void has_the_known_limits(void **state)
{
    static const fal_phi phis[] = {FAL_LINEAR, FAL_RELU, FAL_TANH};
    static const double limits[] = {5.8e-3, 1.6e-3, 1.1};
    enum { D = 150, P = 4000, N = 50 };
    float *w = gaussians(1, P * D), *beta = gaussians(2, P),
          *b = room(P, sizeof *b);
    float *x = gaussians(4, N * D);
    (void)state;
    need_lapack();
    for (size_t a = 0; a < 3; a++) {
        fal_two_layers net = {D, P, {phis[a], 0}, 1 / sqrt(P), w, beta, b};
        fal_tangent_extremes found;
        must(fal_tangent_extremes_of(&net, x, N, &found));
        double limit = 2 / found.most;
        if (!(fabs(limit / limits[a] - 1) < .15))
            fail_msg("activation %zu: %g, not %g", a, limit, limits[a]);
        assert_true(found.output_least > 0 && found.least == found.output_least);
    }
    fal_release(w), fal_release(beta), fal_release(b), fal_release(x);
}

/* ---- no memory ----------------------------------------------------------- */

static void failures_are_passed_on(void **state)
{
    static const float w[2] = {1, 2}, x[1] = {1}, beta[2] = {1, 1};
    fal_two_layers net = {1, 2, {FAL_LINEAR, 0}, 1, w, beta, beta};
    fal_tangent_extremes found = {7, 7, 7};
    (void)state;
    need_lapack();
    for (long n = 1; n <= 2; n++) {
        fal_memory_fail_at(n);
        assert_int_equal(fal_tangent_extremes_of(&net, x, 1, &found),
                         FAL_ERROR_MEMORY);
        fal_memory_fail_at(0);
        assert_true(found.least == 7);
    }
    must(fal_tangent_extremes_of(&net, x, 1, &found));
    assert_float_equal(found.output_least, 5, 1e-12);
    assert_float_equal(found.least, 7, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_a_step_does),
        cmocka_unit_test(has_the_known_eigenvalues),
        cmocka_unit_test(nears_its_mean),
        cmocka_unit_test(has_the_known_limits),
        cmocka_unit_test(failures_are_passed_on),
    };
    return cmocka_run_group_tests_name("tangent kernel", tests, NULL, NULL);
}
