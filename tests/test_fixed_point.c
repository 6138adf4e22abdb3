/* Update fields, their derivatives and fixed points. Oracles: the
 * trainer's own losses and gradients; finite differences of both the loss and the field; the closed forms u = -D grad L and J = -D H; networks whose
 * spectra are known by hand; at zero loss the eigenvalues of -G^T K, with G and K from
 * other targets. Each of these, tried alone, failed one of the tests: the sign of u, phi''
 * left out, W's own movement left out under bp, dW^T delta left out, feedback ignored, 1/n
 * left out, the softmax term, the bias left out of the count, H for J along the least
 * stable direction or in Q, either threshold for zero, half of a complex vector, inputs
 * that are not centered, biases in the wrong place.
 */
#include "analysis/field_trainer.h"
#include "analysis/fixed_point.h"
#include "learning.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { MOST = 400 };

/* ---- fields by hand ------------------------------------------------------ */

/* A field on random samples, with random weights and carriers. */
struct random_field {
    fal_network network;
    fal_field field;
    double *inputs, *targets, *theta;
};

static double *random_doubles(size_t count, double bound)
{
    double *values = room(count, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = bound * uniform();
    return values;
}

/* `carriers`: "fa", "dfa" or "bp". */
static void set_carriers(fal_field *field, size_t weights, const char *carriers)
{
    const int direct = strcmp(carriers, "dfa") == 0;
    if (strcmp(carriers, "bp") == 0)
        return;
    for (size_t l = 1 + (size_t)!direct; l <= weights - (size_t)direct; l++) {
        const fal_field_layer *layer = fal_field_weights(field, l);
        double *values;
        must(fal_field_carrier(field, l, direct, &values));
        const size_t rows = direct ? field->outputs : layer->inputs;
        for (size_t i = 0; i < rows * layer->outputs; i++)
            values[i] = uniform();
    }
}

static struct random_field make_field(const char *text, const char *carriers,
                                      size_t rows, fal_loss loss, int summed)
{
    struct random_field r = {.theta = NULL};
    const fal_network_defaults none = {.outputs = 0};
    must(fal_network_parse(&r.network, text, &none));
    const size_t outputs = r.network.outputs;
    r.inputs = random_doubles(rows * fal_shape_size(r.network.input), 1);
    r.targets = loss == FAL_SQUARED_ERROR ? random_doubles(rows * outputs, 1)
                                          : room(rows * outputs, sizeof(double));
    for (size_t i = 0; i < rows && loss == FAL_CROSS_ENTROPY; i++)
        r.targets[i * outputs + i % outputs] = 1;
    const fal_field_data data = {rows, r.inputs, r.targets, loss, summed};
    must(fal_field_make(&r.field, &r.network, &data));
    assert_true(r.field.parameters <= MOST);
    r.theta = random_doubles(r.field.parameters, 1);
    set_carriers(&r.field, r.network.weights, carriers);
    return r;
}

static void free_field(struct random_field *r)
{
    fal_field_release(&r->field);
    fal_network_release(&r->network);
    fal_release(r->inputs);
    fal_release(r->targets);
    fal_release(r->theta);
}

static double norm_of(const double *a, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * a[i];
    return sqrt(sum);
}

static double distance(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum);
}

static void expect_near(const double *found, const double *expected, size_t n,
                        double tolerance, const char *what)
{
    const double apart = distance(found, expected, n);
    if (!(apart <= tolerance * norm_of(expected, n)))
        fail_msg("%s: %g apart, of %g", what, apart, norm_of(expected, n));
}

/* ---- derivatives --------------------------------------------------------- */

static const char *const networks[] = {
    "input 4, dense 3",
    "input 3, dense 5, tanh, dense 1 nobias",
    "input 3, dense 5, scale .7, tanh, dense 2, scale -.3",
    "input 3, dense 4 nobias, sigmoid, dense 5, tanh, dense 3",
    "input 3, dense 4, relu, dense 4, leaky .3, dense 2 nobias",
    "input 3, dense 4, dense 3, tanh, linear, dense 3, linear",
    "input 2, tanh, dense 3, sigmoid, tanh, dense 3, relu, dense 4, tanh, dense 2",
};

static const char *const carriers[] = {"bp", "fa", "dfa"};

/* The fourth order of (u(theta + h x) - u(theta - h x))/2h, along axis j. */
static void differences(struct random_field *r, fal_field_way way, size_t j,
                        double *column)
{
    static const double steps[] = {1e-3, 2e-3}, parts[] = {4.0 / 3, -1.0 / 3};
    const size_t n = r->field.parameters;
    const double at = r->theta[j];
    double u[MOST];
    memset(column, 0, n * sizeof *column);
    for (size_t s = 0; s < 2; s++)
        for (int side = -1; side <= 1; side += 2) {
            r->theta[j] = at + side * steps[s];
            fal_field_update(&r->field, r->theta, way, u);
            for (size_t i = 0; i < n; i++)
                column[i] += side * parts[s] * u[i] / (2 * steps[s]);
        }
    r->theta[j] = at;
}

static void check_jacobian(struct random_field *r, fal_field_way way,
                           const char *what)
{
    const size_t n = r->field.parameters;
    double *matrix = room(n * n, sizeof *matrix);
    double *expected = room(n * n, sizeof *expected);
    must(fal_field_jacobian(&r->field, r->theta, way, matrix));
    for (size_t j = 0; j < n; j++)
        differences(r, way, j, expected + j * n);
    expect_near(matrix, expected, n * n, 1e-8, what);
    for (size_t i = 0; i < n && way == FAL_FIELD_TRUE; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(fabs(matrix[i * n + j] - matrix[j * n + i]) < 1e-12);
    fal_release(matrix);
    fal_release(expected);
}

/* By the true way u is minus the gradient of the loss. */
static void check_gradient(struct random_field *r, const char *what)
{
    const size_t n = r->field.parameters;
    double u[MOST], unread[MOST], expected[MOST];
    fal_field_update(&r->field, r->theta, FAL_FIELD_TRUE, u);
    for (size_t i = 0; i < n; i++) {
        const double at = r->theta[i], h = 1e-5;
        r->theta[i] = at - h;
        expected[i] = fal_field_update(&r->field, r->theta, FAL_FIELD_TRUE, unread);
        r->theta[i] = at + h;
        expected[i] -= fal_field_update(&r->field, r->theta, FAL_FIELD_TRUE,
                                        unread);
        expected[i] /= 2 * h;
        r->theta[i] = at;
    }
    expect_near(u, expected, n, 1e-7, what);
}

/* Samples far from the kinks of relu: differences must not step over one. */
static int is_smooth(struct random_field *r)
{
    double u[MOST];
    fal_field_update(&r->field, r->theta, FAL_FIELD_RULE, u);
    for (size_t l = 1; l < r->field.count; l++) {
        const fal_field_layer *layer = &r->field.layers[l];
        const int kinked = !layer->has_weight &&
                           (layer->activation.phi == FAL_RELU ||
                            layer->activation.phi == FAL_LEAKY);
        for (size_t i = 0; i < r->field.data.rows * layer->outputs && kinked; i++)
            if (fabs(layer[-1].value[i]) < .01)
                return 0;
    }
    return 1;
}

static void derivatives_are_those_of_differences(void **state)
{
    char what[256];
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++)
        for (size_t c = 0; c < COUNT(carriers); c++)
            for (int loss = 0; loss < 4; loss++) {
                const fal_loss name = loss & 1 ? FAL_SQUARED_ERROR
                                               : FAL_CROSS_ENTROPY;
                struct random_field r = make_field(networks[i], carriers[c], 4,
                                                   name, loss & 2);
                while (!is_smooth(&r)) {
                    free_field(&r);
                    r = make_field(networks[i], carriers[c], 4, name, loss & 2);
                }
                snprintf(what, sizeof what, "%s, %s, loss %d", networks[i],
                         carriers[c], loss);
                if (!(name == FAL_CROSS_ENTROPY && r.network.outputs == 1)) {
                    check_gradient(&r, what);
                    check_jacobian(&r, FAL_FIELD_TRUE, what);
                    check_jacobian(&r, FAL_FIELD_RULE, what);
                }
                free_field(&r);
            }
}

/* ---- as trained ---------------------------------------------------------- */

/* u of one weight layer is minus the trainer's gradient, [out][in] there. */
static void check_layer(fal_trainer *trainer, const fal_trained_field *trained,
                        const double *u, size_t number, const char *what)
{
    const fal_field_layer *layer = fal_field_weights(&trained->field, number);
    const size_t m = layer->inputs, n = layer->outputs;
    size_t count;
    double expected[MOST];
    float *weight = trainer_floats(trainer, tensor_name(number, "weight.gradient"),
                                   &count);
    assert_int_equal(count, m * n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            expected[i * n + j] = -(double)weight[j * m + i];
    fal_release(weight);
    if (layer->has_bias) {
        float *bias = trainer_floats(trainer, tensor_name(number, "bias.gradient"),
                                     &count);
        for (size_t j = 0; j < n; j++)
            expected[m * n + j] = -(double)bias[j];
        fal_release(bias);
    }
    expect_near(u + layer->place, expected, (m + (size_t)layer->has_bias) * n, 2e-5,
                what);
}

static void check_trained(const char *rule, const char *loss, int summed,
                          const char *network)
{
    fal_model *model = model_of(network, 3);
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.loss = loss;
    options.loss_reduction = summed ? "sum" : "mean";
    options.keep_gradients = 1;
    options.optimizer = "sgd";
    options.schedule = "constant";
    options.feedback_seed = 5;
    fal_trainer *trainer = trainer_of(model, &options);
    fal_arrays arrays = random_arrays(37, 6, 4, strcmp(loss, "mse") == 0);
    fal_dataset *data = dataset_of(&arrays);
    must(fal_model_standardize(model, data, "channel"));
    fal_trained_field trained;
    must(fal_trained_field_make(&trained, trainer, data, MOST));
    double u[MOST], found, *theta = room(trained.field.parameters, sizeof *theta);
    const double expected = fal_field_update(&trained.field, trained.theta,
                                             FAL_FIELD_RULE, u);
    must(fal_trained_field_weights(&trained, model, theta));
    assert_memory_equal(theta, trained.theta,
                        trained.field.parameters * sizeof *theta);
    must(fal_trainer_step(trainer, &arrays, &found));
    found *= summed ? (double)arrays.count : 1;
    if (!(fabs(found - expected) < 1e-5 * expected))
        fail_msg("%s: loss %g, not %g", rule, found, expected);
    for (size_t l = 1; l <= 3; l++)
        check_layer(trainer, &trained, u, l, rule);
    fal_release(theta);
    fal_trained_field_release(&trained);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

static void updates_are_those_of_the_trainer(void **state)
{
    static const char *const rules[] = {"bp", "fa", "dfa", "usf", "frsf"};
    (void)state;
    for (size_t r = 0; r < COUNT(rules); r++) {
        check_trained(rules[r], "cross-entropy", r % 2,
                      "input 6, dense 7, tanh, dense 5 nobias, relu, dense 4");
        check_trained(rules[r], "mse", r == 2,
                      "input 6, dense 5 nobias, leaky, dense 6, sigmoid, dense 4, "
                      "scale .4");
    }
}

/* ---- one hidden layer, one output ---------------------------------------- */

/* Targets become those of the network at twice theta, with noise, so that all units
 * have something to do; then full-batch descent to a minimum, and Newton. */
static void descend(struct random_field *r)
{
    double u[MOST];
    const size_t targets = r->field.data.rows * r->field.outputs;
    for (size_t i = 0; i < r->field.parameters; i++)
        r->theta[i] *= 2;
    for (size_t i = 0; i < r->field.data.rows * r->field.layers[0].inputs; i++)
        r->inputs[i] *= 3;
    fal_field_update(&r->field, r->theta, FAL_FIELD_RULE, u);
    for (size_t i = 0; i < targets; i++)
        r->targets[i] = r->field.layers[r->field.count - 1].value[i] +
                        .1 * uniform();
    for (int t = 0; t < 10000; t++) {
        fal_field_update(&r->field, r->theta, FAL_FIELD_TRUE, u);
        for (size_t i = 0; i < r->field.parameters; i++)
            r->theta[i] += .5 * u[i];
    }
    must(fal_fixed_point_polish(&r->field, FAL_FIELD_TRUE, r->theta, NULL));
}

/* D of parameter i: B_k/V_k on what leads into unit k, 1 on the output's. */
static double ratio(const struct random_field *r, size_t i)
{
    const fal_field_layer *hidden = fal_field_weights(&r->field, 1);
    const fal_field_layer *output = fal_field_weights(&r->field, 2);
    const size_t k = i % hidden->outputs;
    if (i >= output->place)
        return 1;
    return (hidden->direct ? hidden->direct[k] : output->carrier[k]) /
           r->theta[output->place + k];
}

static void check_closed_forms(struct random_field *r)
{
    const size_t n = r->field.parameters;
    double u[MOST], descent[MOST];
    double *jacobian = room(n * n, sizeof *jacobian);
    double *negative = room(n * n, sizeof *negative);
    fal_field_update(&r->field, r->theta, FAL_FIELD_RULE, u);
    fal_field_update(&r->field, r->theta, FAL_FIELD_TRUE, descent);
    for (size_t i = 0; i < n; i++)
        descent[i] *= ratio(r, i);
    assert_true(distance(u, descent, n) < 1e-14);
    must(fal_field_jacobian(&r->field, r->theta, FAL_FIELD_RULE, jacobian));
    must(fal_field_jacobian(&r->field, r->theta, FAL_FIELD_TRUE, negative));
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < n; i++)
            negative[j * n + i] *= ratio(r, i);
    expect_near(jacobian, negative, n * n, 1e-11, "J = -D H");
    fal_release(jacobian);
    fal_release(negative);
}

static size_t opposed_units(const struct random_field *r)
{
    const size_t hidden = fal_field_weights(&r->field, 1)->outputs;
    size_t count = 0;
    for (size_t k = 0; k < hidden; k++)
        count += ratio(r, k) < 0;
    return count;
}

/* What the closed form says of the spectrum, at a minimum. */
static void check_count(struct random_field *r, size_t inputs)
{
    fal_fixed_point point;
    must(fal_fixed_point_find(&point, &r->field, r->theta));
    const size_t opposed = opposed_units(r);
    assert_true(point.hessian.real[point.hessian.side - 1] > 0);
    assert_true(fal_fixed_point_is_counted(&point));
    assert_int_equal(point.opposed, opposed);
    assert_int_equal(point.unit_inputs, inputs);
    assert_int_equal(point.jacobian.positive, inputs * opposed);
    assert_int_equal(point.jacobian.zero, 0);
    for (size_t i = 0; i < point.jacobian.side; i++)
        assert_true(fabs(point.jacobian.imaginary[i]) <
                    1e-6 * point.jacobian.largest);
    /* Where a direction is unstable, u does not go downhill in every one. */
    assert_true((opposed > 0) <= (point.stability.negative > 0));
    assert_true(opposed ? point.along < 0 : point.along > 0);
    fal_fixed_point_release(&point);
}

static void unstable_directions_are_counted(void **state)
{
    static const struct {
        const char *network;
        size_t inputs;
    } cases[] = {{"input 2, dense 2, tanh, dense 1 nobias", 3},
                 {"input 3, dense 2 nobias, tanh, dense 1 nobias", 3},
                 {"input 2, dense 1, sigmoid, dense 1", 3}};
    size_t seen = 0;
    (void)state;
    for (size_t c = 0; c < COUNT(cases); c++)
        for (int b = 0; b < 6; b++) {
            struct random_field r = make_field(
                cases[c].network, b % 2 ? "fa" : "dfa", 60, FAL_SQUARED_ERROR, 0);
            fal_fixed_point point;
            descend(&r);
            must(fal_fixed_point_find(&point, &r.field, r.theta));
            /* Random targets leave some units with nothing to do. */
            const int is_minimum = fal_fixed_point_is_counted(&point) &&
                                   point.hessian.real[point.hessian.side - 1] >
                                       1e-4;
            fal_fixed_point_release(&point);
            if (is_minimum) {
                check_closed_forms(&r);
                check_count(&r, cases[c].inputs);
                seen++;
            }
            free_field(&r);
        }
    assert_true(seen >= 9);
}

/* ---- known spectra ------------------------------------------------------- */

/* y = v w x with targets t x: at v w = t all of J is -c (B, w)^T (v, w), c the mean of
 * x^2, so its eigenvalues are 0 and -c (B v + w^2). */
static void check_product(double b)
{
    struct random_field r = make_field("input 1, dense 1 nobias, dense 1 nobias",
                                       "fa", 5, FAL_SQUARED_ERROR, 0);
    const double v = .5, w = -1.5;
    double c = 0, *carrier;
    for (size_t i = 0; i < 5; i++) {
        r.targets[i] = v * w * r.inputs[i];
        c += r.inputs[i] * r.inputs[i] / 5;
    }
    r.theta[0] = w;
    r.theta[1] = v;
    must(fal_field_carrier(&r.field, 2, 0, &carrier));
    carrier[0] = b;
    fal_fixed_point point;
    must(fal_fixed_point_find(&point, &r.field, r.theta));
    const double expected = -c * (b * v + w * w);
    const size_t at = point.least_stable;
    assert_int_equal(point.jacobian.zero, 1);
    assert_int_equal(point.jacobian.positive, expected > 0);
    assert_true(fabs(point.jacobian.real[at] - expected) < 1e-12);
    /* The vector is (b, w): H of it is c (v, w)(v b + w w), J of it -c (b, w)(v b + w w). */
    const double cosine = (b * v + w * w) / (hypot(b, w) * hypot(v, w));
    assert_true(fabs(point.along - cosine) < 1e-12);
    /* -H J = c^2 (b v + w w) (v, w)^T (v, w) */
    const double downhill = c * c * (b * v + w * w) * (v * v + w * w);
    assert_int_equal(point.stability.zero, 1);
    assert_true(fabs(point.stability.real[downhill > 0 ? 0 : 1] - downhill) <
                1e-12);
    assert_true(point.loss < 1e-30 && point.update_norm < 1e-15);
    assert_true(fal_fixed_point_is_fixed(&point));
    /* H is singular along the hyperbola v w = t, so nothing is counted. */
    assert_false(fal_fixed_point_is_counted(&point));
    fal_fixed_point_release(&point);
    free_field(&r);
}

static void products_of_two_weights(void **state)
{
    (void)state;
    check_product(2);
    check_product(-2);
    check_product(-6);
}

/* Zero loss: J = -K G^T. The columns of K and G are the rule's and the true update that
 * a target moved by -1 makes. */
static void check_zero_loss(const char *text, const char *carrier, size_t rows)
{
    struct random_field r = make_field(text, carrier, rows, FAL_SQUARED_ERROR, 1);
    const size_t n = r.field.parameters, side = rows * r.field.outputs;
    assert_true(n > side);
    double u[MOST], *g = room(n * side, sizeof *g), *k = room(n * side, sizeof *k);
    double *small = room(side * side, sizeof *small), vector[2 * MOST];
    fal_field_update(&r.field, r.theta, FAL_FIELD_RULE, u);
    const double *value = r.field.layers[r.field.count - 1].value;
    memcpy(r.targets, value, side * sizeof *r.targets);
    for (size_t i = 0; i < side; i++) {
        r.targets[i] -= 1;
        fal_field_update(&r.field, r.theta, FAL_FIELD_RULE, k + i * n);
        fal_field_update(&r.field, r.theta, FAL_FIELD_TRUE, g + i * n);
        r.targets[i] += 1;
    }
    for (size_t j = 0; j < side; j++)
        for (size_t i = 0; i < side; i++)
            for (size_t p = 0; p < n; p++) /* u = -K e, grad = G e */
                small[j * side + i] -= g[i * n + p] * k[j * n + p];
    fal_fixed_point point;
    fal_spectrum expected;
    size_t chosen;
    must(fal_spectrum_find(&expected, small, side, vector, &chosen));
    must(fal_fixed_point_find(&point, &r.field, r.theta));
    assert_int_equal(point.jacobian.zero, n - side);
    assert_int_equal(point.jacobian.positive, expected.positive);
    assert_int_equal(point.jacobian.negative, expected.negative);
    for (size_t i = 0; i < side; i++) {
        const size_t at = i < expected.positive ? i : i + n - side;
        assert_true(fabs(point.jacobian.real[at] - expected.real[i]) <
                    1e-9 * expected.largest);
    }
    fal_fixed_point_release(&point);
    fal_spectrum_release(&expected);
    fal_release(g);
    fal_release(k);
    fal_release(small);
    free_field(&r);
}

static void zero_loss(void **state)
{
    (void)state;
    check_zero_loss("input 3, dense 9, tanh, dense 2", "fa", 6);
    check_zero_loss("input 3, dense 6, tanh, dense 5, sigmoid, dense 2", "dfa", 7);
    check_zero_loss("input 2, dense 8, tanh, dense 1 nobias", "bp", 5);
}

/* ---- several outputs ----------------------------------------------------- */

static void several_outputs_part_the_two(void **state)
{
    struct random_field r = make_field("input 2, dense 2, tanh, dense 3 nobias",
                                       "fa", 60, FAL_SQUARED_ERROR, 0);
    fal_fixed_point point;
    (void)state;
    descend(&r);
    must(fal_fixed_point_find(&point, &r.field, r.theta));
    assert_true(fal_fixed_point_is_critical(&point));
    assert_false(fal_fixed_point_is_fixed(&point));
    assert_true(point.gradient_norm < 1e-13 && point.update_norm > 1e-3);
    assert_false(point.has_count);
    fal_fixed_point_release(&point);
    free_field(&r);
}

/* ---- spectra ------------------------------------------------------------- */

static void spectra_of_known_matrices(void **state)
{
    /* blocks: a rotation by 90 degrees, 1 ± 2i; 1e-9, which counts as zero; -3 */
    double matrix[] = {1, 2, 0, 0, -2, 1, 0, 0, 0, 0, 1e-9, 0, 0, 0, 0, -3};
    double vector[8], symmetric[] = {2, 1, 1, 2}, rank_one[] = {1, 1, 1, 1};
    double b[] = {3, 1};
    fal_spectrum s;
    size_t chosen;
    (void)state;
    must(fal_spectrum_find(&s, matrix, 4, vector, &chosen));
    static const double real[] = {1, 1, 1e-9, -3}, imaginary[] = {2, -2, 0, 0};
    for (size_t i = 0; i < 4; i++) {
        assert_true(fabs(s.real[i] - real[i]) < 1e-14);
        assert_true(fabs(s.imaginary[i] - imaginary[i]) < 1e-14);
    }
    assert_int_equal(s.positive, 2);
    assert_int_equal(s.zero, 1);
    assert_int_equal(s.negative, 1);
    assert_int_equal(chosen, 0);
    /* (A - (1 + 2i)) x = 0: x = (1, -i) but for a phase */
    assert_true(fabs(hypot(vector[0], vector[4]) - sqrt(.5)) < 1e-14);
    assert_true(fabs(vector[1] - vector[4]) < 1e-14);
    assert_true(fabs(vector[5] + vector[0]) < 1e-14);
    fal_spectrum_release(&s);
    must(fal_spectrum_symmetric(&s, symmetric, 2));
    assert_true(fabs(s.real[0] - 3) < 1e-14 && fabs(s.real[1] - 1) < 1e-14);
    fal_spectrum_release(&s);
    must(fal_least_squares(rank_one, 2, b));
    assert_true(fabs(b[0] - 1) < 1e-14 && fabs(b[1] - 1) < 1e-14);
    matrix[3] = NAN;
    expect_error(fal_spectrum_find(&s, matrix, 4, vector, &chosen),
                 FAL_ERROR_ARGUMENT, "not finite");
    expect_error(fal_least_squares(matrix, 2, b), FAL_ERROR_ARGUMENT, "not finite");
}

/* ---- refusals ------------------------------------------------------------ */

static void refuse(const char *network, const char *rule, size_t limit, int real,
                   const char *why)
{
    fal_model *model = model_of(network, 1);
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.loss = real ? "mse" : NULL;
    fal_trainer *trainer = trainer_of(model, &options);
    fal_arrays arrays = random_arrays(9, 6, 4, real);
    fal_dataset *data = dataset_of(&arrays);
    fal_trained_field trained;
    expect_error(fal_trained_field_make(&trained, trainer, data, limit),
                 FAL_ERROR_ARGUMENT, why);
    fal_trained_field_release(&trained);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

static void what_has_no_field_is_refused(void **state)
{
    (void)state;
    refuse("input 6, dense 5, norm, relu, dense 4", "fa", MOST, 0, "layer norm1");
    refuse("input 6, dense 5, relu, dense 4", "brsf", MOST, 0,
           "draws its feedback");
    refuse("input 6, dense 5, relu, dense 4", "shallow", MOST, 0, "do not learn");
    refuse("input 6, dense 5, tanh, dense 4", "drtp", MOST, 0, "no fixed points");
    refuse("input 6, dense 5, relu, dense 4", "fa", 58, 1,
           "59 parameters; at most 58");
    refuse("input 6, dense 5, relu, dense 3", "fa", MOST, 1, "");
    refuse("input 5, dense 5, relu, dense 4", "fa", MOST, 0, "");
}

/* Memory that fails leaves nothing behind (the sanitizers look). */
static void memory_may_fail(void **state)
{
    struct random_field r = make_field("input 2, dense 2, tanh, dense 1 nobias",
                                       "fa", 9, FAL_SQUARED_ERROR, 0);
    fal_status status = FAL_ERROR_MEMORY;
    fal_fixed_point point;
    long calls = 1;
    (void)state;
    for (; status; calls++) {
        fal_memory_fail_at(calls);
        status = fal_fixed_point_find(&point, &r.field, r.theta);
        fal_memory_fail_at(0);
        assert_true(status == FAL_OK || status == FAL_ERROR_MEMORY);
    }
    assert_true(calls > 5);
    fal_fixed_point_release(&point);
    free_field(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derivatives_are_those_of_differences),
        cmocka_unit_test(updates_are_those_of_the_trainer),
        cmocka_unit_test(unstable_directions_are_counted),
        cmocka_unit_test(products_of_two_weights),
        cmocka_unit_test(zero_loss),
        cmocka_unit_test(several_outputs_part_the_two),
        cmocka_unit_test(spectra_of_known_matrices),
        cmocka_unit_test(what_has_no_field_is_refused),
        cmocka_unit_test(memory_may_fail),
    };
    if (fal_spectrum_check() != FAL_OK) {
        print_message("built without LAPACK: skipped\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, open_device, close_device);
}
