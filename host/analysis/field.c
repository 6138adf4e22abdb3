#include "analysis/field.h"
#include "device/memory.h"
#include "net/layer.h"

#include <math.h>
#include <string.h>

/* ---- making -------------------------------------------------------------- */

static fal_status refuse_layer(const fal_layer *layer)
{
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "network, layer %s: it is of the kind %s; only dense layers and "
        "nonlinearities are analyzed",
        layer->name, layer->kind->name);
}

static fal_status make_layer(fal_field *field, const fal_layer *from,
                             fal_field_layer *layer)
{
    const int is_dense = from->kind == &fal_dense_kind;
    if (!is_dense && !from->is_activation)
        return refuse_layer(from);
    layer->inputs = is_dense ? from->inputs : fal_shape_size(from->in);
    layer->outputs = is_dense ? from->outputs : layer->inputs;
    layer->has_weight = is_dense;
    layer->has_bias = is_dense && from->has_bias;
    layer->activation = from->activation;
    layer->place = field->parameters;
    if (is_dense)
        field->parameters += (layer->inputs + (size_t)layer->has_bias) *
                             layer->outputs;
    const size_t floats = field->data.rows * layer->outputs;
    double **blocks[] = {&layer->value, &layer->delta, &layer->value_tangent,
                         &layer->delta_tangent};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (!(*blocks[i] = fal_allocate(floats, sizeof(double))))
            return FAL_ERROR_MEMORY;
    return FAL_OK;
}

fal_status fal_field_make(fal_field *field, const fal_network *network,
                          const fal_field_data *data)
{
    *field = (fal_field){.data = *data, .outputs = network->outputs};
    field->layers = fal_allocate(network->count, sizeof *field->layers);
    fal_status status = field->layers ? FAL_OK : FAL_ERROR_MEMORY;
    for (size_t l = 0; l < network->count && !status; l++) {
        field->count = l + 1;
        status = make_layer(field, &network->layers[l], &field->layers[l]);
    }
    while (!status && !field->layers[field->first].has_weight)
        field->first++;
    if (status)
        fal_field_release(field);
    return status;
}

void fal_field_release(fal_field *field)
{
    for (size_t l = 0; l < field->count; l++) {
        fal_field_layer *layer = &field->layers[l];
        fal_release(layer->carrier);
        fal_release(layer->direct);
        fal_release(layer->value);
        fal_release(layer->delta);
        fal_release(layer->value_tangent);
        fal_release(layer->delta_tangent);
    }
    fal_release(field->layers);
    *field = (fal_field){0};
}

fal_field_layer *fal_field_weights(const fal_field *field, size_t number)
{
    size_t l = field->first;
    for (; number > 1; number--)
        do
            l++;
        while (!field->layers[l].has_weight);
    return &field->layers[l];
}

fal_status fal_field_carrier(fal_field *field, size_t number, int direct,
                             double **values)
{
    fal_field_layer *layer = fal_field_weights(field, number);
    double **place = direct ? &layer->direct : &layer->carrier;
    size_t rows = direct ? field->outputs : layer->inputs;
    if (!*place)
        *place = fal_allocate(rows * layer->outputs, sizeof **place);
    *values = *place;
    return *place ? FAL_OK : FAL_ERROR_MEMORY;
}

/* ---- products ------------------------------------------------------------ */

/* to [rows][n] += from [rows][m] matrix [m][n] */
static void multiply(const double *from, const double *matrix, size_t rows,
                     size_t m, size_t n, double *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                to[r * n + j] += from[r * m + i] * matrix[i * n + j];
}

/* to [rows][m] += from [rows][n] matrix^T, matrix [m][n] */
static void multiply_turned(const double *from, const double *matrix, size_t rows,
                            size_t m, size_t n, double *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < m; i++) {
            double sum = 0;
            for (size_t j = 0; j < n; j++)
                sum += from[r * n + j] * matrix[i * n + j];
            to[r * m + i] += sum;
        }
}

/* to [m][n] -= left^T right, left [rows][m], right [rows][n] */
static void subtract_outer(const double *left, const double *right, size_t rows,
                           size_t m, size_t n, double *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                to[i * n + j] -= left[r * m + i] * right[r * n + j];
}

static void subtract_sum(const double *right, size_t rows, size_t n, double *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n; j++)
            to[j] -= right[r * n + j];
}

static void clear(double *values, size_t count)
{
    memset(values, 0, count * sizeof *values);
}

/* ---- nonlinearities ------------------------------------------------------ */

static double phi(fal_activation activation, double a)
{
    switch (activation.phi) {
    case FAL_RELU:
        return a > 0 ? a : 0;
    case FAL_LEAKY:
        return a > 0 ? a : (double)activation.slope * a;
    case FAL_TANH:
        return tanh(a);
    case FAL_SIGMOID:
        return 1 / (1 + exp(-a));
    case FAL_SCALE:
        return (double)activation.slope * a;
    case FAL_LINEAR:
        break;
    }
    return a;
}

/* First and second derivative, from the output h. */
static double phi_first(fal_activation activation, double h)
{
    switch (activation.phi) {
    case FAL_RELU:
        return h > 0;
    case FAL_LEAKY:
        return h > 0 ? 1 : (double)activation.slope;
    case FAL_TANH:
        return 1 - h * h;
    case FAL_SIGMOID:
        return h * (1 - h);
    case FAL_SCALE:
        return (double)activation.slope;
    case FAL_LINEAR:
        break;
    }
    return 1;
}

static double phi_second(fal_activation activation, double h)
{
    switch (activation.phi) {
    case FAL_TANH:
        return -2 * h * (1 - h * h);
    case FAL_SIGMOID:
        return h * (1 - h) * (1 - 2 * h);
    case FAL_RELU:
    case FAL_LEAKY:
    case FAL_SCALE:
    case FAL_LINEAR:
        break;
    }
    return 0;
}

/* ---- the field ----------------------------------------------------------- */

static const double *input_of(const fal_field *field, size_t l)
{
    return l ? field->layers[l - 1].value : field->data.inputs;
}

static void forward(fal_field *field, const double *theta)
{
    const size_t rows = field->data.rows;
    for (size_t l = 0; l < field->count; l++) {
        fal_field_layer *layer = &field->layers[l];
        const double *in = input_of(field, l);
        const size_t m = layer->inputs, n = layer->outputs;
        if (!layer->has_weight) {
            for (size_t i = 0; i < rows * n; i++)
                layer->value[i] = phi(layer->activation, in[i]);
            continue;
        }
        const double *weight = theta + layer->place, *bias = weight + m * n;
        for (size_t i = 0; i < rows * n; i++)
            layer->value[i] = layer->has_bias ? bias[i % n] : 0;
        multiply(in, weight, rows, m, n, layer->value);
    }
}

/* The weight of a row in L. */
static double share(const fal_field *field)
{
    return field->data.summed ? 1 : 1 / (double)field->data.rows;
}

/* −Σ t ln softmax(a) of a row; e = softmax(a) Σt − t */
static double cross_entropy(const double *a, const double *t, size_t n, double *e)
{
    double top = a[0], sum = 0, total = 0, loss = 0;
    for (size_t j = 1; j < n; j++)
        top = fmax(top, a[j]);
    for (size_t j = 0; j < n; j++) {
        sum += exp(a[j] - top);
        total += t[j];
    }
    for (size_t j = 0; j < n; j++) {
        e[j] = total * exp(a[j] - top) / sum - t[j];
        loss += t[j] * (log(sum) + top - a[j]);
    }
    return loss;
}

static double squared_error(const double *a, const double *t, size_t n, double *e)
{
    double loss = 0;
    for (size_t j = 0; j < n; j++) {
        e[j] = a[j] - t[j];
        loss += e[j] * e[j] / 2;
    }
    return loss;
}

static double find_error(fal_field *field)
{
    const fal_field_layer *top = &field->layers[field->count - 1];
    const size_t n = field->outputs;
    double loss = 0;
    for (size_t r = 0; r < field->data.rows; r++) {
        const double *a = top->value + r * n, *t = field->data.targets + r * n;
        double *e = top->delta + r * n;
        loss += field->data.loss == FAL_CROSS_ENTROPY ? cross_entropy(a, t, n, e)
                                                      : squared_error(a, t, n, e);
        for (size_t j = 0; j < n; j++)
            e[j] *= share(field);
    }
    return loss * share(field);
}

/* The highest dense layer, whose delta direct carriers start from. */
static size_t output_layer(const fal_field *field)
{
    size_t l = field->count - 1;
    while (!field->layers[l].has_weight)
        l--;
    return l;
}

/* The dense layer next below layer l. */
static const fal_field_layer *dense_below(const fal_field *field, size_t l)
{
    do
        l--;
    while (!field->layers[l].has_weight);
    return &field->layers[l];
}

/* What the dense layer l hands down: from its own delta by the carrier, or from
 * the output's directly. The same linear map serves the deltas and their tangents. */
static void hand_down(const fal_field *field, size_t l, fal_field_way way,
                      const double *weight, double *own, double *output, double *to)
{
    const fal_field_layer *layer = &field->layers[l];
    const fal_field_layer *below = dense_below(field, l);
    const int by_rule = way == FAL_FIELD_RULE;
    const double *over = by_rule && layer->carrier ? layer->carrier : weight;
    clear(to, field->data.rows * layer->inputs);
    if (by_rule && below->direct)
        multiply(output, below->direct, field->data.rows, field->outputs,
                 layer->inputs, to);
    else
        multiply_turned(own, over, field->data.rows, layer->inputs, layer->outputs,
                        to);
}

static void find_deltas(fal_field *field, const double *theta, fal_field_way way)
{
    double *output = field->layers[output_layer(field)].delta;
    for (size_t l = field->count - 1; l > field->first; l--) {
        const fal_field_layer *layer = &field->layers[l];
        double *to = field->layers[l - 1].delta;
        if (layer->has_weight)
            hand_down(field, l, way, theta + layer->place, layer->delta, output,
                      to);
        for (size_t i = 0;
             i < field->data.rows * layer->outputs && !layer->has_weight; i++)
            to[i] = layer->delta[i] * phi_first(layer->activation, layer->value[i]);
    }
}

double fal_field_update(fal_field *field, const double *theta, fal_field_way way,
                        double *u)
{
    const size_t rows = field->data.rows;
    forward(field, theta);
    const double loss = find_error(field);
    find_deltas(field, theta, way);
    clear(u, field->parameters);
    for (size_t l = field->first; l < field->count; l++) {
        const fal_field_layer *layer = &field->layers[l];
        const size_t m = layer->inputs, n = layer->outputs;
        if (layer->has_weight)
            subtract_outer(input_of(field, l), layer->delta, rows, m, n,
                           u + layer->place);
        if (layer->has_bias)
            subtract_sum(layer->delta, rows, n, u + layer->place + m * n);
    }
    return loss;
}

/* ---- along a direction --------------------------------------------------- */

/* NULL: the samples stay as they are. */
static const double *input_tangent(const fal_field *field, size_t l)
{
    return l ? field->layers[l - 1].value_tangent : NULL;
}

static void forward_tangent(fal_field *field, const double *theta,
                            const double *direction)
{
    const size_t rows = field->data.rows;
    for (size_t l = 0; l < field->count; l++) {
        fal_field_layer *layer = &field->layers[l];
        const double *in = input_tangent(field, l);
        const size_t m = layer->inputs, n = layer->outputs;
        double *to = layer->value_tangent;
        if (!layer->has_weight) {
            for (size_t i = 0; i < rows * n; i++)
                to[i] = in ? in[i] * phi_first(layer->activation, layer->value[i])
                           : 0;
            continue;
        }
        const double *weight = direction + layer->place, *bias = weight + m * n;
        for (size_t i = 0; i < rows * n; i++)
            to[i] = layer->has_bias ? bias[i % n] : 0;
        multiply(input_of(field, l), weight, rows, m, n, to);
        if (in && l > field->first)
            multiply(in, theta + layer->place, rows, m, n, to);
    }
}

/* de = diag(p) da − p (p·da) under softmax, p from e and the target; else da. */
static void error_tangent(fal_field *field)
{
    const fal_field_layer *top = &field->layers[field->count - 1];
    const size_t n = field->outputs;
    const double part = share(field);
    for (size_t r = 0; r < field->data.rows; r++) {
        const double *da = top->value_tangent + r * n, *e = top->delta + r * n;
        const double *t = field->data.targets + r * n;
        double *de = top->delta_tangent + r * n, total = 0, mean = 0;
        for (size_t j = 0; j < n; j++)
            total += t[j];
        for (size_t j = 0; j < n; j++)
            mean += (e[j] / part + t[j]) * da[j] / total;
        for (size_t j = 0; j < n; j++)
            de[j] = field->data.loss == FAL_CROSS_ENTROPY
                        ? part * (e[j] / part + t[j]) * (da[j] - mean)
                        : part * da[j];
    }
}

/* Where W itself carries the error down, it moves too. */
static int weight_carries(const fal_field *field, size_t l, fal_field_way way)
{
    return way == FAL_FIELD_TRUE ||
           (!field->layers[l].carrier && !dense_below(field, l)->direct);
}

static void delta_tangents(fal_field *field, const double *theta,
                           const double *direction, fal_field_way way)
{
    const size_t rows = field->data.rows;
    double *output = field->layers[output_layer(field)].delta_tangent;
    for (size_t l = field->count - 1; l > field->first; l--) {
        const fal_field_layer *layer = &field->layers[l];
        double *to = field->layers[l - 1].delta_tangent;
        const double *in = input_tangent(field, l);
        if (layer->has_weight) {
            hand_down(field, l, way, theta + layer->place, layer->delta_tangent,
                      output, to);
            if (weight_carries(field, l, way))
                multiply_turned(layer->delta, direction + layer->place, rows,
                                layer->inputs, layer->outputs, to);
            continue;
        }
        for (size_t i = 0; i < rows * layer->outputs; i++)
            to[i] = layer->delta_tangent[i] *
                        phi_first(layer->activation, layer->value[i]) +
                    layer->delta[i] *
                        phi_second(layer->activation, layer->value[i]) * in[i];
    }
}

void fal_field_tangent(fal_field *field, const double *theta,
                       const double *direction, fal_field_way way, double *du)
{
    const size_t rows = field->data.rows;
    forward_tangent(field, theta, direction);
    error_tangent(field);
    delta_tangents(field, theta, direction, way);
    clear(du, field->parameters);
    for (size_t l = field->first; l < field->count; l++) {
        const fal_field_layer *layer = &field->layers[l];
        const size_t m = layer->inputs, n = layer->outputs;
        double *to = du + layer->place;
        if (!layer->has_weight)
            continue;
        subtract_outer(input_of(field, l), layer->delta_tangent, rows, m, n, to);
        if (l > field->first)
            subtract_outer(input_tangent(field, l), layer->delta, rows, m, n, to);
        if (layer->has_bias)
            subtract_sum(layer->delta_tangent, rows, n, to + m * n);
    }
}

fal_status fal_field_jacobian(fal_field *field, const double *theta,
                              fal_field_way way, double *matrix)
{
    const size_t n = field->parameters;
    double *direction = fal_allocate(n, sizeof *direction);
    if (!direction)
        return FAL_ERROR_MEMORY;
    fal_field_update(field, theta, way, matrix);
    for (size_t j = 0; j < n; j++) {
        direction[j] = 1;
        fal_field_tangent(field, theta, direction, way, matrix + j * n);
        direction[j] = 0;
    }
    fal_release(direction);
    return FAL_OK;
}
