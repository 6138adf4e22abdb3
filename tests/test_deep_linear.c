/* Deep linear networks under dfa, in double: the recursion of the alignment matrices
 * against a network that learns by dfa in the plain way (host/reference, which knows
 * only science §1) and against NumPy's values of science §7; the trainer's own weights
 * against those that the recursion makes of the trainer's errors; condition numbers
 * and degeneracy against what is known of them. */
#include "analysis/deep_linear.h"
#include "analysis/degeneracy.h"
#include "analysis/singular.h"
#include "learning.h"
#include "numpy_random.h"
#include "reference/network.h"

enum { LAYERS = 4, INPUTS = 7, OUTPUTS = 3, ROWS = 5, STEPS = 1001 };
static const size_t units[LAYERS] = {11, 9, 8, OUTPUTS};
static const double rate = .01;

static size_t below(size_t l)
{
    return l ? units[l - 1] : INPUTS;
}

static void expect_near(double got, double expected, double bound)
{
    if (!(fabs(got - expected) <= bound))
        fail_msg("%.17g, not %.17g", got, expected);
}

/* ---- the network of science §7 ------------------------------------------- */

typedef struct study {
    numpy_random random;
    double feedback[LAYERS][OUTPUTS * 11], teacher[INPUTS * OUTPUTS];
    double x[ROWS * INPUTS], targets[ROWS * OUTPUTS], e[ROWS * OUTPUTS];
    fal_deep_linear net;
    fal_reference_network direct;
} study;

static void make_direct(study *s)
{
    fal_reference_layer layers[LAYERS] = {{0}};
    for (size_t l = 0; l < LAYERS; l++)
        layers[l] = (fal_reference_layer){
            .in = below(l), .out = units[l], .rule = FAL_REFERENCE_DFA};
    must(fal_reference_network_make(&s->direct, layers, LAYERS, ROWS));
    for (size_t l = 0; l + 1 < LAYERS; l++)
        memcpy(s->direct.layers[l].feedback, s->feedback[l],
               OUTPUTS * units[l] * sizeof(double));
}

static void begin(study *s)
{
    const double *feedback[LAYERS];
    numpy_random_begin(&s->random);
    for (size_t l = 0; l < LAYERS; l++) {
        feedback[l] = s->feedback[l];
        for (size_t i = 0; i < OUTPUTS * units[l] && l + 1 < LAYERS; i++)
            s->feedback[l][i] = (2 * numpy_uniform(&s->random) - 1) /
                                sqrt((double)units[l]);
    }
    for (size_t i = 0; i < INPUTS * OUTPUTS; i++)
        s->teacher[i] = numpy_normal(&s->random);
    must(fal_deep_linear_make(&s->net, INPUTS, LAYERS, units, feedback));
    make_direct(s);
}

static void draw(study *s)
{
    for (size_t i = 0; i < ROWS * INPUTS; i++)
        s->x[i] = numpy_normal(&s->random);
    memset(s->targets, 0, sizeof s->targets);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < INPUTS; i++)
            for (size_t o = 0; o < OUTPUTS; o++)
                s->targets[r * OUTPUTS + o] += s->x[r * INPUTS + i] *
                                               s->teacher[i * OUTPUTS + o];
}

static void step(study *s)
{
    const fal_reference_settings sgd = {.optimizer = FAL_SGD, .rate = rate};
    const fal_reference_batch batch = {.rows = ROWS,
                                       .inputs = s->x,
                                       .targets = s->targets,
                                       .loss = FAL_SQUARED_ERROR};
    draw(s);
    must(fal_deep_linear_predict(&s->net, s->x, ROWS, s->e));
    for (size_t i = 0; i < ROWS * OUTPUTS; i++)
        s->e[i] = (s->e[i] - s->targets[i]) / ROWS;
    must(fal_deep_linear_step(&s->net, s->x, s->e, ROWS, rate));
    fal_reference_network_forward(&s->direct, &batch);
    fal_reference_network_backward(&s->direct, &batch);
    must(fal_reference_network_update(&s->direct, &sgd));
}

static void end(study *s)
{
    fal_deep_linear_release(&s->net);
    fal_reference_network_release(&s->direct);
}

/* Largest difference of the weights from those of the direct computation. */
static double distance(const study *s)
{
    double weight[11 * 11], worst = 0;
    for (size_t l = 0; l < LAYERS; l++) {
        must(fal_deep_linear_weight(&s->net, l + 1, weight));
        for (size_t i = 0; i < below(l) * units[l]; i++)
            worst = fmax(worst, fabs(weight[i] - s->direct.layers[l].weight[i]));
    }
    return worst;
}

/* cos(W_l, C_l), number = 2 … L: C_l = B_{l-1}^T B_l, of the output B_{l-1}^T. */
static double alignment(const study *s, size_t number)
{
    size_t l = number - 1, rows = below(l), columns = units[l];
    double weight[11 * 11], wc = 0, ww = 0, cc = 0;
    must(fal_deep_linear_weight(&s->net, number, weight));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            double c = 0, w = weight[i * columns + j];
            for (size_t o = 0; o < OUTPUTS; o++)
                c += s->feedback[l - 1][o * rows + i] *
                     (number == LAYERS ? o == j : s->feedback[l][o * columns + j]);
            wc += w * c, ww += w * w, cc += c * c;
        }
    return wc / sqrt(ww * cc);
}

/* ---- its tests ----------------------------------------------------------- */

static void numpy_numbers(void **state)
{
    static const double normals[] = {0.12573022, -0.13210486, 0.64042265,
                                     0.10490012, -0.53566937};
    numpy_random r;
    (void)state;
    numpy_random_begin(&r);
    expect_near(numpy_uniform(&r), 0.6369616873214543, 1e-16);
    expect_near(numpy_uniform(&r), 0.2697867137638703, 1e-16);
    numpy_random_begin(&r);
    for (size_t i = 0; i < 5; i++)
        expect_near(numpy_normal(&r), normals[i], 5e-9);
}

/* Fails by a wrong sign, without B B^T, and where the step takes u behind it. */
static void recursion_is_dfa(void **state)
{
    study s = {0};
    (void)state;
    begin(&s);
    for (int i = 0; i < STEPS; i++) {
        step(&s);
        double off = distance(&s);
        if (!(off <= 5e-15))
            fail_msg("step %d: weights are %g apart", i + 1, off);
    }
    end(&s);
}

static void values_of_science(void **state)
{
    static const double conditions[] = {1.56, 2.59, 2.51};
    static const double alignments[] = {.978, .917, .925};
    study s = {0};
    (void)state;
    begin(&s);
    for (int i = 0; i < STEPS; i++)
        step(&s);
    for (size_t l = 2; l <= LAYERS; l++) {
        double condition = NAN;
        if (FAL_LAPACK) {
            must(fal_deep_linear_conditioning(&s.net, l, &condition));
            expect_near(condition, conditions[l - 2], .005);
        }
        expect_near(alignment(&s, l), alignments[l - 2], .0005);
    }
    end(&s);
}

/* A_l is zero for l - 1 steps. */
static void no_condition_before_full_rank(void **state)
{
    study s = {0};
    (void)state;
    if (!FAL_LAPACK)
        skip();
    begin(&s);
    for (size_t i = 0; i < 2 * LAYERS; i++) {
        for (size_t l = 2; l <= LAYERS; l++) {
            double condition = 0;
            must(fal_deep_linear_conditioning(&s.net, l, &condition));
            assert_int_equal(i < l ? !isnan(condition) : isnan(condition), 0);
        }
        step(&s);
    }
    end(&s);
}

static void refuses(void **state)
{
    fal_deep_linear net;
    size_t many[FAL_DEEP_LINEAR_LAYERS + 1] = {3};
    (void)state;
    expect_error(fal_deep_linear_make(&net, 2, 1, many, NULL), FAL_ERROR_ARGUMENT,
                 "1 layers");
    expect_error(
        fal_deep_linear_make(&net, 2, FAL_DEEP_LINEAR_LAYERS + 1, many, NULL),
        FAL_ERROR_ARGUMENT, "33 layers");
}

static void memory_that_fails(void **state)
{
    const double b[6] = {1, 2, 3, 4, 5, 6}, *const feedback[2] = {b, b};
    const size_t small[3] = {3, 3, 2};
    fal_deep_linear net;
    double x[2] = {1, 2}, e[2] = {.5, 1}, weight[9];
    (void)state;
    for (long n = 1; n <= 7; n++) {
        fal_memory_fail_at(n);
        assert_int_equal(fal_deep_linear_make(&net, 2, 3, small, feedback),
                         FAL_ERROR_MEMORY);
    }
    fal_memory_fail_at(0);
    must(fal_deep_linear_make(&net, 2, 3, small, feedback));
    fal_memory_fail_at(1);
    assert_int_equal(fal_deep_linear_step(&net, x, e, 1, 1), FAL_ERROR_MEMORY);
    fal_memory_fail_at(1);
    assert_int_equal(fal_deep_linear_weight(&net, 2, weight), FAL_ERROR_MEMORY);
    fal_deep_linear_release(&net);
}

/* ---- the trainer's ------------------------------------------------------- */

/* Its B_l in double. */
static void read_feedback(fal_trainer *trainer, double feedback[][OUTPUTS * 11])
{
    for (size_t l = 0; l + 1 < LAYERS; l++) {
        size_t count;
        float *b = trainer_floats(trainer, tensor_name(l + 1, "feedback"), &count);
        assert_int_equal(count, OUTPUTS * units[l]);
        for (size_t i = 0; i < count; i++)
            feedback[l][i] = (double)b[i];
        fal_release(b);
    }
}

static void expect_weights(fal_model *model, const fal_deep_linear *net)
{
    for (size_t l = 0; l < LAYERS; l++) {
        size_t count, in = below(l), out = units[l];
        double *expected = room(in * out, sizeof *expected), off = 0, size = 0;
        float *w = model_floats(model, tensor_name(l + 1, "weight"), &count);
        must(fal_deep_linear_weight(net, l + 1, expected));
        for (size_t i = 0; i < in; i++)
            for (size_t o = 0; o < out; o++) {
                double e = expected[i * out + o], d = (double)w[o * in + i] - e;
                off += d * d, size += e * e;
            }
        if (!(sqrt(off / size) <= 3e-6))
            fail_msg("dense%zu is %g of itself away", l + 1, sqrt(off / size));
        fal_release(expected);
        fal_release(w);
    }
}

/* The trainer learns; the recursion has its inputs and the errors that it found. */
static void trainer_follows_recursion(void **state)
{
    const double *feedback[LAYERS];
    study s = {0};
    fal_model *model = NULL;
    fal_model_options zero = FAL_MODEL_OPTIONS;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    (void)state;
    zero.weight_law = "zero";
    options.rule = "dfa";
    options.optimizer = "sgd";
    options.momentum = 0;
    options.learning_rate = rate;
    options.schedule = "constant";
    options.loss = "mse";
    options.batch = ROWS;
    must(fal_model_create(&model, device,
                          "input 7, dense 11 nobias, dense 9 nobias, dense 8 "
                          "nobias, dense 3 nobias",
                          &zero));
    fal_trainer *trainer = trainer_of(model, &options);
    read_feedback(trainer, s.feedback);
    for (size_t l = 0; l < LAYERS; l++)
        feedback[l] = s.feedback[l];
    must(fal_deep_linear_make(&s.net, INPUTS, LAYERS, units, feedback));
    for (int i = 0; i < 300; i++) {
        fal_arrays arrays = random_arrays(ROWS, INPUTS, OUTPUTS, 1);
        float e[ROWS * OUTPUTS];
        must(fal_trainer_step(trainer, &arrays, NULL));
        must(fal_trainer_tensor(trainer, "dense4.delta", e, ROWS * OUTPUTS));
        for (size_t j = 0; j < ROWS * OUTPUTS; j++)
            s.e[j] = (double)e[j];
        for (size_t j = 0; j < ROWS * INPUTS; j++)
            s.x[j] = (double)((const float *)arrays.inputs)[j];
        must(fal_deep_linear_step(&s.net, s.x, s.e, ROWS, rate));
        free_arrays(&arrays);
    }
    expect_weights(model, &s.net);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    end(&s);
}

/* ---- condition numbers --------------------------------------------------- */

/* Singular values 6, 3, 2 between two rotations. */
static void turned_diagonal(double matrix[9])
{
    double c = cos(.7), s = sin(.7), p = cos(2.1), q = sin(2.1);
    const double left[9] = {c, -s, 0, s, c, 0, 0, 0, 1};
    const double right[9] = {1, 0, 0, 0, p, -q, 0, q, p};
    static const double values[3] = {3, 6, 2};
    memset(matrix, 0, 9 * sizeof *matrix);
    for (size_t i = 0; i < 9; i++)
        for (size_t k = 0; k < 3; k++)
            matrix[i] += left[i / 3 * 3 + k] * values[k] * right[k * 3 + i % 3];
}

static void condition_numbers(void **state)
{
    double matrix[9], values[3], number = 0;
    (void)state;
    turned_diagonal(matrix);
    if (!FAL_LAPACK) {
        expect_error(fal_condition_number(matrix, 3, &number), FAL_ERROR_ARGUMENT,
                     "LAPACK");
        return;
    }
    must(fal_condition_number(matrix, 3, &number));
    expect_near(number, 3, 1e-14);
    for (size_t i = 0; i < 3; i++)
        matrix[6 + i] = matrix[i] - 2 * matrix[3 + i]; /* rank 2 */
    must(fal_condition_number(matrix, 3, &number));
    assert_true(isnan(number));
    matrix[4] = INFINITY;
    must(fal_condition_number(matrix, 3, &number));
    assert_true(isnan(number));
    memset(matrix, 0, sizeof matrix);
    must(fal_condition_number(matrix, 3, &number));
    assert_true(isnan(number));
    turned_diagonal(matrix);
    must(fal_singular_values(matrix, 3, values));
    for (size_t i = 0; i < 3; i++)
        expect_near(values[i], i ? 4 - (double)i : 6, 1e-14);
}

/* ---- degeneracy ---------------------------------------------------------- */

/* The sum over pairs that the definition names, and each run's part of it. */
static void degeneracy_of_pairs(void **state)
{
    enum { RUNS = 7, COUNT = 1003 };
    float *runs[RUNS];
    double own[RUNS] = {0}, sum = 0, each[RUNS], mean = 0;
    (void)state;
    for (size_t i = 0; i < RUNS; i++) {
        runs[i] = random_floats(COUNT, (double)(i + 1));
        runs[i][0] += 20; /* what they share */
        for (size_t j = 0; j < i; j++) {
            double ab = 0, aa = 0, bb = 0;
            for (size_t k = 0; k < COUNT; k++) {
                double a = (double)runs[i][k], b = (double)runs[j][k];
                ab += a * b, aa += a * a, bb += b * b;
            }
            own[i] += ab / sqrt(aa * bb);
            own[j] += ab / sqrt(aa * bb);
            sum += ab / sqrt(aa * bb);
        }
    }
    const float *const *all = (const float *const *)runs;
    must(fal_degeneracy(all, RUNS, COUNT, each, &mean));
    expect_near(mean, 2 * sum / (RUNS * (RUNS - 1)), 1e-14);
    for (size_t i = 0; i < RUNS; i++)
        expect_near(each[i], own[i] / (RUNS - 1), 1e-14);
    must(fal_degeneracy(all, 1, COUNT, NULL, &mean));
    assert_true(isnan(mean));
    memset(runs[0], 0, COUNT * sizeof *runs[0]);
    must(fal_degeneracy(all, 2, COUNT, NULL, &mean));
    assert_true(isnan(mean));
    fal_memory_fail_at(1);
    assert_int_equal(fal_degeneracy(all, 2, COUNT, NULL, &mean), FAL_ERROR_MEMORY);
    for (size_t i = 0; i < RUNS; i++)
        fal_release(runs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numpy_numbers),
        cmocka_unit_test(recursion_is_dfa),
        cmocka_unit_test(values_of_science),
        cmocka_unit_test(no_condition_before_full_rank),
        cmocka_unit_test(refuses),
        cmocka_unit_test(memory_that_fails),
        cmocka_unit_test(trainer_follows_recursion),
        cmocka_unit_test(condition_numbers),
        cmocka_unit_test(degeneracy_of_pairs),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
