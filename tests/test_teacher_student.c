/* Theory of online learning: integrals against the digits of science §7, against
 * Monte Carlo and against one another; the equations against §7's tables, against
 * finite differences of the error, and, for linear units, against a second
 * derivation. What was broken to see the tests fail: a sign of Λ0, I3 halved, the mean
 * square of I4's last field taken for that of the one before, the noise not squared, F
 * and v exchanged, one term of dQ/dt left out. */
#include "analysis/teacher_student.h"
#include "data/random.h"
#include "learning.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void near(double got, double expected, double within, const char *what)
{
    if (!(fabs(got - expected) <= within))
        fail_msg("%s: %.12g, not %.12g", what, got, expected);
}

/* ---- integrals ------------------------------------------------------------ */

static const double COVARIANCE[16] = {.5, .1, .2, -.1, .1,  .4,  .3,  .05,
                                      .2, .3, 1,  .15, -.1, .05, .15, .8};

static void integrals_have_known_digits(void **state)
{
    (void)state;
    const fal_fields f = {FAL_RESPONSE_ERF, 4, COVARIANCE};
    near(fal_i2(&f, 0, 1), .0439658787, 5e-11, "I2");
    near(fal_i3(&f, 0, 1, 2), .1060746150, 5e-11, "I3");
    near(fal_i4(&f, 0, 1, 2, 3), .0229892358, 5e-11, "I4");
    near(fal_j2(&f, 0, 1), .4403591045, 5e-11, "J2");
}

/* Lower triangle l of a matrix m = l l^T, both [4][4] */
static void factor(const double *m, double *l)
{
    memset(l, 0, 16 * sizeof *l);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = m[i * 4 + j];
            for (size_t k = 0; k < j; k++)
                sum -= l[i * 4 + k] * l[j * 4 + k];
            l[i * 4 + j] = i == j ? sqrt(sum) : sum / l[j * 4 + j];
        }
}

static double respond(fal_response response, double x)
{
    return response == FAL_RESPONSE_ERF    ? erf(x / sqrt(2))
           : response == FAL_RESPONSE_RELU ? (x > 0 ? x : 0)
                                           : x;
}

static double slope(fal_response response, double x)
{
    return response == FAL_RESPONSE_ERF    ? sqrt(2 / acos(-1)) * exp(-x * x / 2)
           : response == FAL_RESPONSE_RELU ? x > 0
                                           : 1;
}

/* Which integral, of which fields */
typedef struct integral {
    enum { I2, I3, I4, J2 } of;
    size_t fields[4];
} integral;

static const integral INTEGRALS[] = {
    {I2, {0, 1, 0, 0}}, {I2, {2, 2, 0, 0}}, {I3, {0, 1, 2, 0}}, {I3, {0, 0, 1, 0}},
    {I3, {0, 1, 0, 0}}, {I3, {0, 1, 1, 0}}, {I3, {3, 3, 3, 0}}, {I4, {0, 1, 2, 3}},
    {I4, {0, 0, 1, 2}}, {I4, {0, 1, 2, 2}}, {I4, {0, 1, 1, 0}}, {I4, {2, 2, 2, 2}},
    {J2, {0, 1, 0, 0}}, {J2, {1, 3, 0, 0}}, {J2, {2, 2, 0, 0}}};

static double in_closed_form(const fal_fields *f, const integral *of)
{
    const size_t *i = of->fields;
    switch (of->of) {
    case I2:
        return fal_i2(f, i[0], i[1]);
    case I3:
        return fal_i3(f, i[0], i[1], i[2]);
    case I4:
        return fal_i4(f, i[0], i[1], i[2], i[3]);
    case J2:
        break;
    }
    return fal_j2(f, i[0], i[1]);
}

static double of_sample(const integral *of, const double *x, const double *g,
                        const double *slopes)
{
    const size_t *i = of->fields;
    switch (of->of) {
    case I2:
        return g[i[0]] * g[i[1]];
    case I3:
        return slopes[i[0]] * x[i[1]] * g[i[2]];
    case I4:
        return slopes[i[0]] * slopes[i[1]] * g[i[2]] * g[i[3]];
    case J2:
        break;
    }
    return slopes[i[0]] * slopes[i[1]];
}

/* A million samples, within 5 standard errors */
static void check_by_monte_carlo(fal_response response)
{
    enum { SAMPLES = 1000000 };
    const fal_fields f = {response, 4, COVARIANCE};
    double l[16], sums[COUNT(INTEGRALS)] = {0}, squares[COUNT(INTEGRALS)] = {0};
    factor(COVARIANCE, l);
    for (uint64_t s = 0; s < SAMPLES; s++) {
        double x[4], g[4], slopes[4], normal[4];
        for (size_t i = 0; i < 4; i++) {
            normal[i] = (double)fal_random_gaussian(5, 0, 0, 0, 4 * s + i, 1);
            x[i] = 0;
            for (size_t k = 0; k <= i; k++)
                x[i] += l[i * 4 + k] * normal[k];
            g[i] = respond(response, x[i]);
            slopes[i] = slope(response, x[i]);
        }
        for (size_t i = 0; i < COUNT(INTEGRALS); i++) {
            double value = of_sample(&INTEGRALS[i], x, g, slopes);
            sums[i] += value;
            squares[i] += value * value;
        }
    }
    for (size_t i = 0; i < COUNT(INTEGRALS); i++) {
        double mean = sums[i] / SAMPLES, exact = in_closed_form(&f, &INTEGRALS[i]);
        double error = sqrt((squares[i] / SAMPLES - mean * mean) / SAMPLES);
        int is_known = response != FAL_RESPONSE_RELU || INTEGRALS[i].of == I2 ||
                       INTEGRALS[i].of == J2;
        if (is_known && !(fabs(exact - mean) <= 5 * error + 1e-12))
            fail_msg("response %d, integral %zu: %g, by samples %g ± %g", response,
                     i, exact, mean, error);
        assert_true(is_known || isnan(exact));
    }
}

static void integrals_agree_with_samples(void **state)
{
    (void)state;
    check_by_monte_carlo(FAL_RESPONSE_ERF);
    check_by_monte_carlo(FAL_RESPONSE_RELU);
    check_by_monte_carlo(FAL_RESPONSE_LINEAR);
}

/* ---- the equations -------------------------------------------------------- */

/* Science §7's start: two of each, A = 1 */
static fal_order start(fal_response response, int direct, double sigma)
{
    static const double covariance[16] = {.5, .1,  .2, .1, .1, .4, -.1, .3,
                                          .2, -.1, 1,  0,  .1, .3, 0,   1};
    static const double outputs[4] = {-.5, .3, 1, 1}, feedback[2] = {.8, -.6};
    const fal_teacher_student is = {.response = response,
                                    .direct = direct,
                                    .students = 2,
                                    .teachers = 2,
                                    .rate = .2,
                                    .noise = sigma};
    fal_order order;
    must(fal_order_create(&order, &is));
    memcpy(order.covariance, covariance, sizeof covariance);
    memcpy(order.outputs, outputs, sizeof outputs);
    memcpy(order.feedback, feedback, sizeof feedback);
    return order;
}

static void errors_follow_the_tables(void **state)
{
    static const double times[] = {0, 1, 10, 100};
    static const double errors[2][4] = {
        {.65972764, .62081630, .33108947, .02808224},
        {.65972764, .59818413, .22448927, .02556466}};
    (void)state;
    for (int direct = 0; direct < 2; direct++) {
        fal_order order = start(FAL_RESPONSE_ERF, direct, 0);
        for (size_t i = 0; i < 4; i++) {
            must(fal_order_advance(&order, times[i]));
            near(fal_order_error(&order), errors[direct][i], 6e-9,
                 direct ? "dfa" : "bp");
        }
        fal_order_release(&order);
    }
}

/* By the chain rule: ∂⟨g(a)g(b)⟩/∂C_ab = ⟨g'(a)g'(b)⟩ (Price), ∂/∂C_aa = ½⟨g''(a)g(b)⟩
 * and erf's g'' = −x g'. */
static double error_rate(const fal_order *order)
{
    const fal_fields f = {order->is.response, order->fields, order->covariance};
    size_t n = order->fields;
    double rates[20], sum = 0;
    double curved = order->is.response == FAL_RESPONSE_ERF;
    const double *z = order->outputs;
    fal_order_rates(order, rates);
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < n; b++) {
            double change = fal_j2(&f, a, b) * rates[a * n + b] -
                            curved * .5 * fal_i3(&f, a, a, b) * rates[a * n + a] -
                            curved * .5 * fal_i3(&f, b, b, a) * rates[b * n + b];
            sum += 2 * rates[n * n + a] * z[b] * fal_i2(&f, a, b) +
                   z[a] * z[b] * change;
        }
    return sum;
}

static void errors_change_as_rates_say(void **state)
{
    const double h = 1e-3;
    (void)state;
    for (int i = 0; i < 8; i++) {
        fal_order order = start(i & 1 ? FAL_RESPONSE_ERF : FAL_RESPONSE_LINEAR,
                                i >> 1 & 1, i & 4 ? .3 : 0);
        for (double time = 0; time < 30; time += 7) {
            must(fal_order_advance(&order, time));
            double before = fal_order_error(&order);
            must(fal_order_advance(&order, time + h));
            double rate = error_rate(&order);
            must(fal_order_advance(&order, time + 2 * h));
            double after = fal_order_error(&order);
            near((after - before) / (2 * h), rate, 2e-7, "rate of the error");
        }
        fal_order_release(&order);
    }
}

/* ---- linear units, a second time ------------------------------------------ */

/* Under dfa all students move along one vector h: w_i = w_i(0) + F_i h. Its overlaps
 * u = h·B/N, p = h·w(0)/N, q = h·h/N and v obey equations of their own. */
enum { K = 2, M = 2, U = 0, P = M, Q = M + K, V = M + K + 1, SIZE = M + 2 * K + 1 };

static void second_rates(const fal_order *at_start, const double *y, double *rates)
{
    const double *c = at_start->covariance, *a = at_start->outputs + K;
    const double *f = at_start->feedback, *v = y + V;
    double rate = at_start->is.rate, s = v[0] * f[0] + v[1] * f[1],
           along = -s * y[Q];
    double to_teacher[M], to_start[K], error = 0;
    for (int m = 0; m < M; m++) {
        to_teacher[m] = a[0] * c[8 + 2 + m] + a[1] * c[12 + 2 + m] -
                        v[0] * c[2 + m] - v[1] * c[4 + 2 + m] - s * y[U + m];
        along += a[m] * y[U + m];
    }
    for (int k = 0; k < K; k++) {
        to_start[k] = a[0] * c[4 * k + 2] + a[1] * c[4 * k + 3] - v[0] * c[k] -
                      v[1] * c[4 + k] - s * y[P + k];
        along -= v[k] * y[P + k];
    }
    for (int i = 0; i < 2; i++)
        error += a[i] * to_teacher[i] - v[i] * to_start[i];
    error -= s * along;
    for (int i = 0; i < 2; i++) {
        rates[U + i] = rate * to_teacher[i];
        rates[P + i] = rate * to_start[i];
        rates[V + i] = rate * (to_start[i] + f[i] * along);
    }
    rates[Q] = 2 * rate * along +
               rate * rate * (error + at_start->is.noise * at_start->is.noise);
}

/* Runge and Kutta's midpoint rule, in steps so small that it need not be better */
static void solve_second(const fal_order *at_start, double time, double *y)
{
    double rates[SIZE], half[SIZE], h = 1e-4;
    for (long n = lround(time / h); n > 0; n--) {
        second_rates(at_start, y, rates);
        for (int i = 0; i < SIZE; i++)
            half[i] = y[i] + .5 * h * rates[i];
        second_rates(at_start, half, rates);
        for (int i = 0; i < SIZE; i++)
            y[i] += h * rates[i];
    }
}

static void linear_units_follow_a_second_derivation(void **state)
{
    (void)state;
    fal_order first = start(FAL_RESPONSE_LINEAR, 1, .3);
    fal_order order = start(FAL_RESPONSE_LINEAR, 1, .3);
    double y[SIZE] = {0}, *c = first.covariance;
    y[V] = .5, y[V + 1] = -.3;
    solve_second(&first, 10, y);
    must(fal_order_advance(&order, 10));
    for (int i = 0; i < K; i++) {
        double f = first.feedback[i];
        near(-order.outputs[i], y[V + i], 1e-7, "v");
        for (int m = 0; m < M; m++)
            near(order.covariance[4 * i + 2 + m], c[4 * i + 2 + m] + f * y[U + m],
                 1e-7, "R");
        for (int k = 0; k < K; k++)
            near(order.covariance[4 * i + k],
                 c[4 * i + k] + f * y[P + k] + first.feedback[k] * y[P + i] +
                     f * first.feedback[k] * y[Q],
                 1e-7, "Q");
    }
    fal_order_release(&first);
    fal_order_release(&order);
}

/* Under bp Q − v vᵀ is kept, but for what is of second order in the rate. */
static void backpropagation_keeps_a_balance(void **state)
{
    (void)state;
    fal_order order = start(FAL_RESPONSE_LINEAR, 0, .3);
    for (double time = 0; time < 20; time += 3) {
        double rates[20];
        must(fal_order_advance(&order, time));
        fal_order_rates(&order, rates);
        for (int i = 0; i < K; i++)
            for (int k = 0; k < K; k++) {
                double vi = -order.outputs[i], vk = -order.outputs[k];
                near(rates[4 * i + k] + rates[16 + i] * vk + rates[16 + k] * vi,
                     .04 * vi * vk * (fal_order_error(&order) + .09), 1e-14,
                     "balance");
            }
    }
    fal_order_release(&order);
}

/* A student that is its teacher makes no error and stays so, also of relu units. */
static void a_perfect_student_stays(void **state)
{
    (void)state;
    for (int response = FAL_RESPONSE_ERF; response <= FAL_RESPONSE_LINEAR;
         response++) {
        fal_order order = start((fal_response)response, 1, 0);
        for (size_t i = 0; i < 16; i++)
            order.covariance[i] = i / 4 % 2 == i % 2;
        for (size_t i = 0; i < 4; i++)
            order.outputs[i] = i < 2 ? -1 : 1;
        near(fal_order_error(&order), 0, 1e-14, "error");
        if (response != FAL_RESPONSE_RELU)
            must(fal_order_advance(&order, 5));
        near(fal_order_error(&order), 0, 1e-14, "error");
        fal_order_release(&order);
    }
}

static void what_has_no_theory_is_refused(void **state)
{
    (void)state;
    fal_order order = start(FAL_RESPONSE_RELU, 1, 0);
    expect_error(fal_order_advance(&order, 1), FAL_ERROR_ARGUMENT, "relu");
    fal_order_release(&order);
    fal_teacher_student is = {.students = 60, .teachers = 5, .rate = .2};
    expect_error(fal_order_create(&order, &is), FAL_ERROR_ARGUMENT, "at most 64");
    is.students = 0;
    expect_error(fal_order_create(&order, &is), FAL_ERROR_ARGUMENT,
                 "each needs one");
    is.students = 1, is.rate = 0;
    expect_error(fal_order_create(&order, &is), FAL_ERROR_ARGUMENT, "rate above 0");
    is.rate = .2, is.noise = NAN;
    expect_error(fal_order_create(&order, &is), FAL_ERROR_ARGUMENT, "noise");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integrals_have_known_digits),
        cmocka_unit_test(integrals_agree_with_samples),
        cmocka_unit_test(errors_follow_the_tables),
        cmocka_unit_test(errors_change_as_rates_say),
        cmocka_unit_test(linear_units_follow_a_second_derivation),
        cmocka_unit_test(backpropagation_keeps_a_balance),
        cmocka_unit_test(a_perfect_student_stays),
        cmocka_unit_test(what_has_no_theory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
