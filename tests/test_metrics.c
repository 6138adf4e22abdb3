/* The metrics' values. Oracles: the same network in double (host/reference/network.c),
 * whose deltas go down once by the rule and once by backpropagation, with the
 * definitions of science §4 written out over them; and numbers known in closed form. */
#include "twin.h"
#include "analysis/rank.h"
#include "values.h"

/* ---- the same in double -------------------------------------------------- */

enum { LAYERS = 4 };

/* Of the layers of a twin: what the rule hands down, its deltas and gradients, and the
 * true ones. */
typedef struct both {
    double *carried[LAYERS], *own[LAYERS], *reference[LAYERS];
    double *gradient[LAYERS], *true_gradient[LAYERS];
} both;

static double *copy_of(const double *from, size_t count)
{
    double *to = room(count, sizeof *to);
    memcpy(to, from, count * sizeof *to);
    return to;
}

/* What hands the error down through a layer in place of its weights, [in][out]. */
static double *layered_carrier(const fal_reference_layer *of)
{
    size_t count = of->in * of->out;
    int by_feedback = of->rule == FAL_REFERENCE_FA ||
                      of->rule == FAL_REFERENCE_KP || of->rule == FAL_REFERENCE_WM;
    double *c = copy_of(by_feedback ? of->feedback : of->weight, count);
    if (of->rule < FAL_REFERENCE_USF || of->rule > FAL_REFERENCE_FRSF)
        return c;
    for (size_t i = 0; i < count; i++) {
        double size = of->rule == FAL_REFERENCE_USF ? of->magnitude
                                                    : fabs(of->feedback[i]);
        c[i] = of->weight[i] == 0 ? 0 : copysign(size, of->weight[i]);
    }
    return c;
}

/* What layer `own` gets of sample r from unit j of `from`: its delta, or under drtp
 * what the target makes of it. */
static double error_at(const twin *t, const fal_reference_layer *own,
                       const fal_reference_layer *from, size_t r, size_t j)
{
    const fal_reference_batch *b = &t->batch;
    if (own->rule != FAL_REFERENCE_DRTP)
        return from->delta[r * from->out + j];
    double target = b->targets ? b->targets[r * from->out + j]
                               : (size_t)b->labels[r] == j;
    return -target / (double)b->rows;
}

/* The signal at the output of layer l, from the deltas that the twin has now. */
static double *carried_of(const twin *t, size_t l)
{
    const fal_reference_network *net = &t->net;
    const fal_reference_layer *own = &net->layers[l];
    int direct = is_direct(own->rule);
    const fal_reference_layer *from = &net->layers[direct ? net->count - 1 : l + 1];
    double *matrix = direct ? copy_of(own->feedback, from->out * own->out)
                            : layered_carrier(from);
    double *signal = room(t->batch.rows * own->out, sizeof *signal);
    for (size_t r = 0; r < t->batch.rows; r++)
        for (size_t i = 0; i < own->out; i++)
            for (size_t j = 0; j < from->out; j++)
                signal[r * own->out + i] +=
                    error_at(t, own, from, r, j) *
                    matrix[direct ? j * own->out + i : i * from->out + j];
    fal_release(matrix);
    return signal;
}

static both find_both(twin *t)
{
    both b = {0};
    size_t count = t->net.count, rows = t->batch.rows;
    fal_reference_rule kept[LAYERS];
    fal_reference_network_forward(&t->net, &t->batch);
    fal_reference_network_backward(&t->net, &t->batch);
    for (size_t l = 0; l < count; l++) {
        const fal_reference_layer *own = &t->net.layers[l];
        b.own[l] = copy_of(own->delta, rows * own->out);
        b.gradient[l] = copy_of(own->weight_gradient, own->in * own->out);
        if (l + 1 < count)
            b.carried[l] = carried_of(t, l);
    }
    for (size_t l = 0; l < count; l++) {
        kept[l] = t->net.layers[l].rule;
        t->net.layers[l].rule = FAL_REFERENCE_BP;
    }
    fal_reference_network_backward(&t->net, &t->batch);
    for (size_t l = 0; l < count; l++) {
        const fal_reference_layer *own = &t->net.layers[l];
        b.reference[l] = copy_of(own->delta, rows * own->out);
        b.true_gradient[l] = copy_of(own->weight_gradient, own->in * own->out);
        t->net.layers[l].rule = kept[l];
    }
    return b;
}

static void free_both(both *b)
{
    for (size_t l = 0; l < LAYERS; l++) {
        fal_release(b->carried[l]);
        fal_release(b->own[l]);
        fal_release(b->reference[l]);
        fal_release(b->gradient[l]);
        fal_release(b->true_gradient[l]);
    }
}

/* Parts of a cosine. */
typedef struct angle {
    double ab, aa, bb;
} angle;

static void add_parts(angle *to, const double *a, const double *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to->ab += a[i] * b[i];
        to->aa += a[i] * a[i];
        to->bb += b[i] * b[i];
    }
}

static double cosine(const angle *parts)
{
    return parts->ab / sqrt(parts->aa * parts->bb);
}

static int is_frozen(const twin *t, size_t l)
{
    return t->net.layers[l].rule == FAL_REFERENCE_SHALLOW && l + 1 < t->net.count;
}

/* The mean cosine of the rows of layers first … last. */
static double mean_cosine(const twin *t, const both *b, size_t first, size_t last,
                          size_t *left_out)
{
    double sum = 0;
    *left_out = 0;
    for (size_t r = 0; r < t->batch.rows; r++) {
        angle parts = {0, 0, 0};
        for (size_t l = first; l <= last; l++) {
            size_t out = t->net.layers[l].out;
            add_parts(&parts, b->own[l] + r * out, b->reference[l] + r * out, out);
        }
        if (parts.aa > 0 && parts.bb > 0)
            sum += cosine(&parts);
        else
            ++*left_out;
    }
    return sum / (double)(t->batch.rows - *left_out);
}

static void expect_gradient_alignment(const twin *t, const both *b, const values *v)
{
    size_t hidden = t->net.count - 1, left_out;
    for (size_t l = 0; l <= hidden; l++) {
        size_t first = l ? l - 1 : 0, last = l ? l - 1 : hidden - 1;
        double expected = mean_cosine(t, b, first, last, &left_out);
        if (is_frozen(t, 0)) {
            expect_metric(v, "gradient_alignment", l, NAN, 0);
            expect_metric(v, "left_out", l, NAN, 0);
            continue;
        }
        expect_metric(v, "gradient_alignment", l, expected, 2e-6);
        expect_metric(v, "left_out", l, (double)left_out, 0);
    }
}

static void expect_reference_norm(const twin *t, const both *b, const values *v)
{
    double squares = 0;
    for (size_t l = 0; l + 1 < t->net.count; l++) {
        double own = norm(b->reference[l], t->batch.rows * t->net.layers[l].out);
        expect_metric(v, "reference_norm", l + 1, own, 2e-6 * own);
        squares += own * own;
    }
    expect_metric(v, "reference_norm", 0, sqrt(squares), 2e-6 * sqrt(squares));
}

static void expect_dead_units(const twin *t, const values *v)
{
    double dead = 0, units = 0;
    for (size_t l = 0; l + 1 < t->net.count; l++) {
        const fal_reference_layer *own = &t->net.layers[l];
        double of_layer = 0;
        for (size_t i = 0; i < own->out; i++) {
            int alive = 0;
            for (size_t r = 0; r < t->batch.rows; r++)
                alive |= own->values[FAL_REFERENCE_STAGES][r * own->out + i] != 0;
            of_layer += !alive;
        }
        expect_metric(v, "dead_units", l + 1, of_layer / (double)own->out, 1e-15);
        dead += of_layer;
        units += (double)own->out;
    }
    expect_metric(v, "dead_units", 0, dead / units, 1e-15);
}

/* C_l of science §4 in W_l's shape, [in][out]; NULL: none. */
static double *carrier_of(const twin *t, size_t l)
{
    const fal_reference_layer *own = &t->net.layers[l];
    size_t classes = t->net.layers[t->net.count - 1].out;
    fal_reference_rule rule_below = t->net.layers[l - 1].rule;
    int is_output = l + 1 == t->net.count;
    if (rule_below == FAL_REFERENCE_SHALLOW)
        return NULL;
    if (!is_direct(rule_below))
        return layered_carrier(own);
    if (!is_direct(own->rule) && !is_output)
        return NULL;
    const double *below = t->net.layers[l - 1].feedback;
    double *c = room(own->in * own->out, sizeof *c);
    for (size_t i = 0; i < own->in; i++)
        for (size_t j = 0; j < own->out; j++)
            for (size_t k = 0; k < classes; k++) {
                double above = is_output ? j == k : own->feedback[k * own->out + j];
                c[i * own->out + j] += below[k * own->in + i] * above;
            }
    return c;
}

static void expect_weight_alignment(const twin *t, const values *v)
{
    angle all = {0, 0, 0};
    assert_false(has_value(v, "weight_alignment", "dense1"));
    for (size_t l = 1; l < t->net.count; l++) {
        const fal_reference_layer *own = &t->net.layers[l];
        angle parts = {0, 0, 0};
        double *c = carrier_of(t, l);
        if (c)
            add_parts(&parts, own->weight, c, own->in * own->out);
        add_parts(&all, own->weight, c ? c : own->weight,
                  c ? own->in * own->out : 0);
        expect_metric(v, "weight_alignment", l + 1, c ? cosine(&parts) : NAN, 1e-6);
        fal_release(c);
    }
    expect_metric(v, "weight_alignment", 0, all.bb > 0 ? cosine(&all) : NAN, 1e-6);
}

static void expect_update_alignment(const twin *t, const both *b, const values *v)
{
    angle all = {0, 0, 0};
    for (size_t l = 0; l + 1 < t->net.count; l++) {
        const fal_reference_layer *own = &t->net.layers[l];
        angle parts = {0, 0, 0};
        add_parts(&parts, b->gradient[l], b->true_gradient[l], own->in * own->out);
        if (!is_frozen(t, l))
            add_parts(&all, b->gradient[l], b->true_gradient[l],
                      own->in * own->out);
        expect_metric(v, "update_alignment", l + 1,
                      is_frozen(t, l) ? NAN : cosine(&parts), 2e-6);
    }
    expect_metric(v, "update_alignment", 0, is_frozen(t, 0) ? NAN : cosine(&all),
                  2e-6);
}

/* ---- ranks in double ----------------------------------------------------- */

/* m [rows][columns], rows at least columns: turns pairs of columns until all are
 * orthogonal (one-sided Jacobi); their lengths are the singular values. */
static void turn_columns(double *m, size_t rows, size_t columns)
{
    for (int sweep = 0; sweep < 60; sweep++)
        for (size_t p = 0; p < columns; p++)
            for (size_t q = p + 1; q < columns; q++) {
                angle of = {0, 0, 0};
                for (size_t r = 0; r < rows; r++)
                    add_parts(&of, m + r * columns + p, m + r * columns + q, 1);
                if (fabs(of.ab) <= 1e-300)
                    continue;
                double z = (of.bb - of.aa) / (2 * of.ab);
                double tangent = (z < 0 ? -1 : 1) / (fabs(z) + sqrt(1 + z * z));
                double c = 1 / sqrt(1 + tangent * tangent), s = c * tangent;
                for (size_t r = 0; r < rows; r++) {
                    double *x = m + r * columns + p, *y = m + r * columns + q;
                    double old = *x;
                    *x = c * old - s * *y;
                    *y = s * old + c * *y;
                }
            }
}

/* Effective rank, participation ratio, stable rank; NAN for a zero matrix. */
static void ranks_in_double(const double *matrix, size_t rows, size_t columns,
                            double ranks[3])
{
    size_t across = columns < rows ? columns : rows, down = rows + columns - across;
    double *m = room(rows * columns, sizeof *m), *s = room(across, sizeof *s);
    double sum = 0, squares = 0, fourths = 0, largest = 0, entropy = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            m[columns <= rows ? r * columns + c : c * rows + r] =
                matrix[r * columns + c];
    turn_columns(m, down, across);
    for (size_t i = 0; i < across; i++) {
        for (size_t r = 0; r < down; r++)
            s[i] += m[r * across + i] * m[r * across + i];
        squares += s[i];
        fourths += s[i] * s[i];
        largest = fmax(largest, s[i]);
        sum += sqrt(s[i]);
    }
    for (size_t i = 0; i < across; i++)
        if (s[i] > 0)
            entropy -= sqrt(s[i]) / sum * log(sqrt(s[i]) / sum);
    ranks[0] = squares > 0 ? exp(entropy) : NAN;
    ranks[1] = squares * squares / fourths;
    ranks[2] = squares / largest;
    fal_release(m);
    fal_release(s);
}

static const char *const rank_names[3] = {"effective_rank", "participation_ratio",
                                          "stable_rank"};

/* Of one layer's matrix; adds hidden layers' to the total. */
static void expect_ranks_of(const values *v, const char *ending, size_t number,
                            const double *matrix, size_t rows, size_t columns,
                            double total[4])
{
    double ranks[3];
    ranks_in_double(matrix, rows, columns, ranks);
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", rank_names[i], ending);
        expect_metric(v, name, number, ranks[i], 1e-4 * fabs(ranks[i]));
        double got = value_at(v, v->items[0].step, name, layer_name(number));
        size_t most = rows < columns ? rows : columns;
        assert_true(isnan(got) || (got >= 1 && got <= (double)most));
        if (total)
            total[i] += isnan(got) ? 0 : got;
    }
    if (total && !isnan(ranks[0]))
        total[3]++;
}

static void expect_totals(const values *v, const char *ending,
                          const double total[4])
{
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", rank_names[i], ending);
        expect_metric(v, name, 0, total[3] > 0 ? total[i] / total[3] : NAN, 1e-12);
    }
}

static void expect_ranks(const twin *t, const both *b, const values *v)
{
    double sums[4][4] = {{0}};
    size_t rows = t->batch.rows;
    for (size_t l = 0; l < t->net.count; l++) {
        const fal_reference_layer *own = &t->net.layers[l];
        int hidden = l + 1 < t->net.count;
        const double *h = own->values[hidden ? FAL_REFERENCE_STAGES : 0];
        expect_ranks_of(v, "", l + 1, b->own[l], rows, own->out,
                        hidden ? sums[0] : NULL);
        expect_ranks_of(v, ".update", l + 1, b->gradient[l], own->in, own->out,
                        hidden ? sums[1] : NULL);
        expect_ranks_of(v, ".activation", l + 1, h, rows, own->out,
                        hidden ? sums[2] : NULL);
        if (hidden && !is_frozen(t, l))
            expect_ranks_of(v, ".carried", l + 1, b->carried[l], rows, own->out,
                            sums[3]);
        else if (hidden)
            expect_metric(v, "effective_rank.carried", l + 1, NAN, 0);
        else
            assert_false(has_value(v, "effective_rank.carried", layer_name(l + 1)));
    }
    expect_totals(v, "", sums[0]);
    expect_totals(v, ".update", sums[1]);
    expect_totals(v, ".activation", sums[2]);
    expect_totals(v, ".carried", sums[3]);
}

/* ---- the same networks --------------------------------------------------- */

static void expect_tensors(twin *t, const both *b)
{
    size_t shape[4], dimensions, rows = t->batch.rows;
    for (size_t l = 0; l + 1 < t->net.count; l++) {
        size_t out = t->net.layers[l].out;
        expect_tensor(t, tensor_name(l + 1, "reference_delta"), 0, b->reference[l],
                      rows, out, 1e-5, 1e-9);
        if (!is_frozen(t, l))
            expect_tensor(t, tensor_name(l + 1, "carried"), 0, b->carried[l], rows,
                          out, 1e-5, 1e-9);
        else
            expect_error(fal_trainer_tensor_shape(t->trainer,
                                                  tensor_name(l + 1, "carried"),
                                                  shape, &dimensions),
                         FAL_ERROR_ARGUMENT, "unknown tensor 'dense");
    }
}

static void check_twin(twin *t)
{
    values v = {0};
    must(fal_trainer_measure(t->trainer, &t->arrays, collect, &v));
    both b = find_both(t);
    expect_tensors(t, &b);
    expect_gradient_alignment(t, &b, &v);
    expect_reference_norm(t, &b, &v);
    expect_dead_units(t, &v);
    expect_weight_alignment(t, &v);
    expect_update_alignment(t, &b, &v);
    if (fal_has_ranks())
        expect_ranks(t, &b, &v);
    else
        assert_false(has_value(&v, "effective_rank", "total"));
    free_both(&b);
}

/* Three hidden layers of odd widths, two activations in the middle one; the batch is
 * narrower than some and wider than others. At the start, and after three steps. */
static void check_network(const char *rule, const char *const *mixture,
                          fal_reference_norm_kind norm_kind, fal_phi phi,
                          const char *loss, size_t rows)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    fal_reference_layer layers[LAYERS] = {
        layer(13, 21, phi, FAL_LINEAR), layer(21, 17, phi, FAL_TANH),
        layer(17, 19, phi, FAL_LINEAR), layer(19, 5, FAL_LINEAR, FAL_LINEAR)};
    for (size_t l = 0; l + 1 < LAYERS; l++)
        layers[l].norm = norm_kind;
    options.rule = rule;
    options.loss = loss;
    twin t = twin_open_mixed(layers, mixture, LAYERS, options,
                             random_arrays(rows, 13, 5, loss != NULL));
    check_twin(&t);
    for (int i = 0; i < 3; i++)
        must(fal_trainer_step(t.trainer, &t.arrays, NULL));
    take_weights(&t);
    take_feedback(&t);
    check_twin(&t);
    twin_close(&t);
}

static void values_are_those_in_double(void **state)
{
    (void)state;
    for (size_t r = 0; r < RULES; r++)
        for (int n = FAL_REFERENCE_NO_NORM; n <= FAL_REFERENCE_LAYER; n++)
            for (size_t rows = 11; rows <= 23; rows += 4)
                check_network(rules[r], NULL, (fal_reference_norm_kind)n,
                              n || strcmp(rules[r], "drtp") == 0 ? FAL_TANH
                                                                 : FAL_RELU,
                              r % 2 ? "mse" : NULL, rows);
}

/* Each layer's values follow its own rule; a layer stands for nothing in the one below
 * that has its error directly, unless both have. */
static void values_of_layers_with_rules(void **state)
{
    static const char *const mixtures[][LAYERS] = {
        {NULL, "dfa", NULL, NULL},      {"dfa", NULL, NULL, NULL},
        {NULL, NULL, "drtp", "usf"},    {"dfa", "drtp", "dfa", NULL},
        {"drtp", "frsf", "brsf", NULL}, {"bp", "bp", "fa", "usf"}};
    (void)state;
    for (size_t i = 0; i < sizeof mixtures / sizeof *mixtures; i++)
        for (int n = 0; n < 2; n++)
            check_network("fa", mixtures[i],
                          n ? FAL_REFERENCE_BATCH : FAL_REFERENCE_NO_NORM, FAL_TANH,
                          n ? "mse" : NULL, 15);
}

/* ---- closed forms -------------------------------------------------------- */

/* 6 inputs, 9 hidden units, as many classes as asked for, without biases. */
static twin small_twin(const char *rule, fal_phi phi, size_t classes, int real)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    fal_reference_layer layers[2] = {layer(6, 9, phi, FAL_LINEAR),
                                     layer(9, classes, FAL_LINEAR, FAL_LINEAR)};
    layers[0].has_bias = layers[1].has_bias = 0;
    options.rule = rule;
    options.loss = real ? "mse" : NULL;
    return twin_open(layers, 2, options, random_arrays(11, 6, classes, real));
}

static values measured(twin *t)
{
    values v = {0};
    must(fal_trainer_measure(t->trainer, &t->arrays, collect, &v));
    return v;
}

static void scale_floats(float *numbers, size_t count, float by)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] *= by;
}

/* With B = cW every delta is c times the true one: the cosines are sign(c). */
static void feedback_like_the_weights(void **state)
{
    static const float factors[] = {1, -1, .125f, -8};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        twin t = small_twin("fa", FAL_TANH, 5, 0);
        size_t n;
        float *w = model_floats(t.model, "dense2.weight", &n);
        scale_floats(w, n, factors[i]);
        must(fal_trainer_tensor_set(t.trainer, "dense2.feedback", w, n));
        values v = measured(&t);
        double sign = factors[i] > 0 ? 1 : -1;
        for (size_t l = 0; l < 2; l++) {
            expect_metric(&v, "gradient_alignment", l, sign, 1e-7);
            expect_metric(&v, "update_alignment", l, sign, 1e-7);
        }
        expect_metric(&v, "weight_alignment", 2, sign, 1e-15);
        expect_metric(&v, "weight_alignment", 0, sign, 1e-15);
        fal_release(w);
        twin_close(&t);
    }
}

/* One linear output: delta is e b^T beside e w^T, so each sample's cosine is that of b
 * and w, which is the weights' alignment too, under fa as under dfa; and its rank is
 * one. */
static void one_output_has_one_angle(void **state)
{
    static const char *const names[] = {"fa", "dfa"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        twin t = small_twin(names[i], FAL_LINEAR, 1, 1);
        const char *name = tensor_name(2 - i, "feedback");
        size_t n;
        float *b = trainer_floats(t.trainer, name, &n);
        double *wide = doubles_of(b, n);
        angle parts = {0, 0, 0};
        add_parts(&parts, t.net.layers[1].weight, wide, 9);
        values v = measured(&t);
        expect_metric(&v, "gradient_alignment", 1, cosine(&parts), 1e-6);
        expect_metric(&v, "gradient_alignment", 0, cosine(&parts), 1e-6);
        expect_metric(&v, "weight_alignment", 2, cosine(&parts), 1e-7);
        for (size_t r = 0; r < 3 && fal_has_ranks(); r++) {
            char carried[64];
            snprintf(carried, sizeof carried, "%s.carried", rank_names[r]);
            expect_metric(&v, rank_names[r], 1, 1, 1e-5);
            expect_metric(&v, carried, 1, 1, 1e-5);
        }
        fal_release(b);
        fal_release(wide);
        twin_close(&t);
    }
}

static void backpropagation_is_its_own_reference(void **state)
{
    (void)state;
    twin t = small_twin("bp", FAL_TANH, 5, 0);
    values v = measured(&t);
    for (size_t l = 0; l < 2; l++) {
        expect_metric(&v, "gradient_alignment", l, 1, 1e-7);
        expect_metric(&v, "update_alignment", l, 1, 1e-7);
    }
    expect_metric(&v, "weight_alignment", 2, 1, 0);
    expect_metric(&v, "weight_alignment", 0, 1, 0);
    twin_close(&t);
}

/* Inputs of zeros leave relu no slope, so their deltas are zero; a unit whose weights
 * are negative is dead for inputs that are not. */
static void zeros_are_left_out(void **state)
{
    (void)state;
    twin t = small_twin("fa", FAL_RELU, 5, 0);
    float *x = (float *)t.arrays.inputs;
    size_t n;
    for (size_t i = 0; i < 11 * 6; i++)
        x[i] = i / 6 % 4 == 0 ? 0 : fabsf(x[i]) + .1f;
    float *w = model_floats(t.model, "dense1.weight", &n);
    for (size_t i = 0; i < n; i++)
        w[i] = i / 6 < 3 ? -fabsf(w[i]) : fabsf(w[i]);
    must(fal_model_tensor_set(t.model, "dense1.weight", w, n));
    values v = measured(&t);
    expect_metric(&v, "left_out", 1, 3, 0);
    expect_metric(&v, "left_out", 0, 3, 0);
    expect_metric(&v, "dead_units", 1, 3. / 9, 1e-15);
    assert_true(fabs(value_at(&v, 0, "gradient_alignment", "dense1")) <= 1);
    memset(x, 0, 11 * 6 * sizeof *x);
    v = measured(&t);
    expect_metric(&v, "left_out", 1, 11, 0);
    expect_metric(&v, "gradient_alignment", 1, NAN, 0);
    expect_metric(&v, "gradient_alignment", 0, NAN, 0);
    expect_metric(&v, "update_alignment", 1, NAN, 0);
    if (fal_has_ranks())
        expect_metric(&v, "effective_rank", 1, NAN, 0);
    expect_metric(&v, "reference_norm", 1, 0, 0);
    expect_metric(&v, "dead_units", 0, 1, 0);
    fal_release(w);
    twin_close(&t);
}

/* ---- properties ---------------------------------------------------------- */

/* Rows in another order, and, all deltas being linear in it, feedback at another
 * scale. */
static void order_and_scale_do_not_matter(void **state)
{
    (void)state;
    twin t = small_twin("dfa", FAL_TANH, 5, 0);
    values before = measured(&t);
    float *x = (float *)t.arrays.inputs, first[6];
    int32_t *labels = (int32_t *)t.arrays.labels, label = labels[0];
    size_t n;
    memcpy(first, x, sizeof first);
    memmove(x, x + 6, 10 * sizeof first);
    memcpy(x + 60, first, sizeof first);
    memmove(labels, labels + 1, 10 * sizeof label);
    labels[10] = label;
    float *b = trainer_floats(t.trainer, "dense1.feedback", &n);
    scale_floats(b, n, 37.5f);
    must(fal_trainer_tensor_set(t.trainer, "dense1.feedback", b, n));
    values after = measured(&t);
    assert_int_equal(before.count, after.count);
    for (size_t i = 0; i < before.count; i++) {
        double one = before.items[i].value, other = after.items[i].value;
        if (!(fabs(one - other) <= 1e-6 * fabs(one)))
            fail_msg("%s of %s: %g, then %g", before.items[i].name,
                     before.items[i].layer, one, other);
    }
    fal_release(b);
    twin_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_in_double),
        cmocka_unit_test(values_of_layers_with_rules),
        cmocka_unit_test(feedback_like_the_weights),
        cmocka_unit_test(one_output_has_one_angle),
        cmocka_unit_test(backpropagation_is_its_own_reference),
        cmocka_unit_test(zeros_are_left_out),
        cmocka_unit_test(order_and_scale_do_not_matter),
    };
    return cmocka_run_group_tests_name("metrics", tests, open_device, close_device);
}
