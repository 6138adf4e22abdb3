#include "reference/network.h"
#include "data/random.h"
#include "device/memory.h"
#include "reference/activation.h"
#include "reference/newton_schulz.h"
#include "reference/normalize.h"

#include <math.h>
#include <string.h>

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static fal_status make_layer(fal_reference_layer *layer, size_t outputs,
                             size_t rows)
{
    size_t out = layer->out, parameters = layer->in * out + 3 * out;
    size_t sizes[] = {parameters,
                      parameters,
                      parameters,
                      parameters,
                      larger(layer->in, outputs) * out,
                      rows * out,
                      rows * out,
                      larger(rows, out),
                      larger(rows, out),
                      out,
                      out};
    double **blocks[] = {&layer->weight,          &layer->weight_gradient,
                         &layer->moments,         &layer->squares,
                         &layer->feedback,        &layer->delta,
                         &layer->normed,          &layer->mean,
                         &layer->variance,        &layer->running_mean,
                         &layer->running_variance};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!(*blocks[i] = fal_allocate(sizes[i], sizeof(double))))
            return FAL_ERROR_MEMORY;
    for (size_t i = 0; i <= FAL_REFERENCE_STAGES; i++)
        if (!(layer->values[i] = fal_allocate(rows * layer->out, sizeof(double))))
            return FAL_ERROR_MEMORY;
    layer->bias = layer->weight + layer->in * out;
    layer->gain = layer->bias + out;
    layer->shift = layer->gain + out;
    layer->bias_gradient = layer->weight_gradient + layer->in * out;
    layer->gain_gradient = layer->bias_gradient + out;
    layer->shift_gradient = layer->gain_gradient + out;
    for (size_t i = 0; i < out; i++)
        layer->gain[i] = layer->running_variance[i] = 1;
    return FAL_OK;
}

fal_status fal_reference_network_make(fal_reference_network *network,
                                      const fal_reference_layer *layers,
                                      size_t count, size_t rows)
{
    *network = (fal_reference_network){.count = count};
    network->layers = fal_allocate(count, sizeof *layers);
    if (!network->layers)
        return FAL_ERROR_MEMORY;
    fal_status status = FAL_OK;
    for (size_t l = 0; l < count && !status; l++) {
        fal_reference_layer *layer = &network->layers[l];
        layer->in = layers[l].in;
        layer->out = layers[l].out;
        layer->has_bias = layers[l].has_bias;
        layer->rule = layers[l].rule;
        layer->norm = layers[l].norm;
        layer->plain = layers[l].plain;
        memcpy(layer->activations, layers[l].activations,
               sizeof layer->activations);
        status = make_layer(layer, layers[count - 1].out, rows);
    }
    if (status)
        fal_reference_network_release(network);
    return status;
}

void fal_reference_network_release(fal_reference_network *network)
{
    for (size_t l = 0; l < network->count && network->layers; l++) {
        fal_reference_layer *layer = &network->layers[l];
        fal_release(layer->weight);
        fal_release(layer->weight_gradient);
        fal_release(layer->moments);
        fal_release(layer->squares);
        fal_release(layer->feedback);
        fal_release(layer->delta);
        fal_release(layer->normed);
        fal_release(layer->mean);
        fal_release(layer->variance);
        fal_release(layer->running_mean);
        fal_release(layer->running_variance);
        for (size_t i = 0; i <= FAL_REFERENCE_STAGES; i++)
            fal_release(layer->values[i]);
    }
    fal_release(network->layers);
    *network = (fal_reference_network){0};
}

/* From the argument a, where the kernels use the output. */
static double phi_derivative(fal_activation activation, double a)
{
    switch (activation.phi) {
    case FAL_RELU:
        return a > 0;
    case FAL_LEAKY:
        return a > 0 ? 1 : (double)activation.slope;
    case FAL_TANH:
        return 1 / (cosh(a) * cosh(a));
    case FAL_SIGMOID:
        return 1 / ((1 + exp(-a)) * (1 + exp(a)));
    case FAL_SCALE:
        return (double)activation.slope;
    case FAL_LINEAR:
        break;
    }
    return 1;
}

static const double *layer_input(const fal_reference_network *network, size_t l,
                                 const fal_reference_batch *batch)
{
    return l ? network->layers[l - 1].values[FAL_REFERENCE_STAGES] : batch->inputs;
}

static fal_reference_norm norm_of(const fal_reference_layer *layer, size_t rows)
{
    return (fal_reference_norm){rows,
                                1,
                                layer->out,
                                layer->norm == FAL_REFERENCE_LAYER,
                                layer->values[0],
                                layer->gain,
                                layer->shift};
}

/* What the activations start from. */
static double *stage_input(const fal_reference_layer *layer, size_t stage)
{
    return stage == 0 && layer->norm ? layer->normed : layer->values[stage];
}

static void normalize(fal_reference_layer *layer, size_t rows, int evaluates)
{
    fal_reference_norm norm = norm_of(layer, rows);
    int fixed = evaluates && layer->norm == FAL_REFERENCE_BATCH;
    fal_reference_norm_statistics(&norm, layer->mean, layer->variance);
    fal_reference_norm_forward(&norm, fixed ? layer->running_mean : layer->mean,
                               fixed ? layer->running_variance : layer->variance,
                               layer->normed);
}

static void run_layer(fal_reference_layer *layer, const double *x, size_t rows,
                      int evaluates)
{
    size_t in = layer->in, out = layer->out;
    for (size_t r = 0; r < rows; r++) {
        double *a = layer->values[0] + r * out;
        for (size_t j = 0; j < out; j++)
            a[j] = layer->has_bias ? layer->bias[j] : 0;
        for (size_t i = 0; i < in; i++)
            for (size_t j = 0; j < out; j++)
                a[j] += x[r * in + i] * layer->weight[i * out + j];
    }
    if (layer->norm)
        normalize(layer, rows, evaluates);
    for (size_t s = 0; s < FAL_REFERENCE_STAGES; s++)
        for (size_t i = 0; i < rows * out; i++)
            layer->values[s + 1][i] = fal_reference_activate(
                layer->activations[s], stage_input(layer, s)[i]);
}

/* Loss of one row; e[j] = dL/dy_j, L the sum over the rows by `rows`. */
static double cross_entropy(const double *a, size_t n, size_t label, double rows,
                            double *e)
{
    double top = a[0], sum = 0;
    for (size_t j = 1; j < n; j++)
        top = a[j] > top ? a[j] : top;
    for (size_t j = 0; j < n; j++)
        sum += exp(a[j] - top);
    for (size_t j = 0; j < n; j++)
        e[j] = (exp(a[j] - top) / sum - (j == label)) / rows;
    return log(sum) - (a[label] - top);
}

static double squared_error(const double *a, size_t n, const double *targets,
                            size_t label, double rows, double *e)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++) {
        double difference = a[j] - (targets ? targets[j] : (double)(j == label));
        sum += difference * difference / 2;
        e[j] = difference / rows;
    }
    return sum;
}

/* From the layer's output down to where its activations start. */
static void derive(fal_reference_layer *layer, size_t rows)
{
    for (size_t i = 0; i < rows * layer->out; i++)
        for (size_t s = FAL_REFERENCE_STAGES; s-- > 0;)
            layer->delta[i] *= phi_derivative(layer->activations[s],
                                              stage_input(layer, s)[i]);
}

static double run(fal_reference_network *network, const fal_reference_batch *batch,
                  int evaluates)
{
    network->rows = batch->rows;
    for (size_t l = 0; l < network->count; l++)
        run_layer(&network->layers[l], layer_input(network, l, batch), batch->rows,
                  evaluates);
    fal_reference_layer *last = &network->layers[network->count - 1];
    size_t n = last->out;
    double rows = batch->summed ? 1 : (double)batch->rows, sum = 0;
    for (size_t r = 0; r < batch->rows; r++) {
        const double *a = last->values[FAL_REFERENCE_STAGES] + r * n;
        const double *t = batch->targets ? batch->targets + r * n : NULL;
        size_t label = batch->labels ? (size_t)batch->labels[r] : 0;
        double *e = last->delta + r * n;
        sum += batch->loss == FAL_CROSS_ENTROPY
                   ? cross_entropy(a, n, label, rows, e)
                   : squared_error(a, n, t, label, rows, e);
    }
    derive(last, batch->rows);
    return sum / (double)batch->rows;
}

double fal_reference_network_forward(fal_reference_network *network,
                                     const fal_reference_batch *batch)
{
    return run(network, batch, 0);
}

double fal_reference_network_evaluate(fal_reference_network *network,
                                      const fal_reference_batch *batch)
{
    return run(network, batch, 1);
}

/* What stands in for W[i][j] of the layer above, at i·out + j. */
static double carrier(const fal_reference_layer *above, size_t at)
{
    double w = above->weight[at];
    double sign = w > 0 ? 1 : w < 0 ? -1 : 0;
    switch (above->rule) {
    case FAL_REFERENCE_FA:
    case FAL_REFERENCE_KP:
    case FAL_REFERENCE_WM:
        return above->feedback[at];
    case FAL_REFERENCE_USF:
        return above->magnitude * sign;
    case FAL_REFERENCE_BRSF:
    case FAL_REFERENCE_FRSF:
        return fabs(above->feedback[at]) * sign;
    case FAL_REFERENCE_BP:
    case FAL_REFERENCE_DFA:
    case FAL_REFERENCE_SHALLOW:
    case FAL_REFERENCE_DRTP:
        break;
    }
    return w;
}

/* signal[r][i] = Σ_j delta of above[r][j] C[i][j], C as W */
static void carry_down(const fal_reference_layer *above, double *signal,
                       size_t rows)
{
    size_t from = above->out, to = above->in;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < to; i++) {
            double sum = 0;
            for (size_t j = 0; j < from; j++)
                sum += above->delta[r * from + j] * carrier(above, i * from + j);
            signal[r * to + i] = sum;
        }
}

/* signal[r][i] = Σ_j e[r][j] B[j][i] */
static void carry_directly(const fal_reference_layer *output,
                           const fal_reference_layer *layer, double *signal,
                           size_t rows)
{
    size_t from = output->out, to = layer->out;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < to; i++) {
            double sum = 0;
            for (size_t j = 0; j < from; j++)
                sum += output->delta[r * from + j] * layer->feedback[j * to + i];
            signal[r * to + i] = sum;
        }
}

/* signal[r][i] = −1/n Σ_j t[r][j] B[j][i], the 1/n unless the loss is summed */
static void carry_target(const fal_reference_batch *batch, size_t outputs,
                         const fal_reference_layer *layer, double *signal)
{
    double rows = batch->summed ? 1 : (double)batch->rows;
    for (size_t r = 0; r < batch->rows; r++)
        for (size_t i = 0; i < layer->out; i++) {
            double sum = 0;
            for (size_t j = 0; j < outputs; j++) {
                double t = batch->targets ? batch->targets[r * outputs + j]
                                          : (size_t)batch->labels[r] == j;
                sum -= t * layer->feedback[j * layer->out + i];
            }
            signal[r * layer->out + i] = sum / rows;
        }
}

static int is_direct(const fal_reference_layer *layer)
{
    return layer->rule == FAL_REFERENCE_DFA || layer->rule == FAL_REFERENCE_DRTP;
}

/* delta of hidden layer l, from the output or the target by B_l or from the layer
 * above by what stands in for its W. */
static void find_delta(fal_reference_network *network,
                       const fal_reference_batch *batch, size_t l)
{
    fal_reference_layer *layer = &network->layers[l];
    const fal_reference_layer *output = &network->layers[network->count - 1];
    size_t rows = batch->rows;
    if (layer->rule == FAL_REFERENCE_DFA)
        carry_directly(output, layer, layer->delta, rows);
    else if (layer->rule == FAL_REFERENCE_DRTP)
        carry_target(batch, output->out, layer, layer->delta);
    else
        carry_down(layer + 1, layer->delta, rows);
    derive(layer, rows);
    fal_reference_norm norm = norm_of(layer, rows);
    if (layer->norm)
        fal_reference_norm_backward(&norm, layer->mean, layer->variance,
                                    layer->delta, layer->gain_gradient,
                                    layer->shift_gradient);
}

static void find_gradients(fal_reference_layer *layer, const double *x, size_t rows)
{
    size_t in = layer->in, out = layer->out;
    memset(layer->weight_gradient, 0, (in * out + out) * sizeof(double));
    for (size_t r = 0; r < rows && !layer->frozen; r++) {
        const double *delta = layer->delta + r * out;
        for (size_t i = 0; i < in; i++)
            for (size_t j = 0; j < out; j++)
                layer->weight_gradient[i * out + j] += x[r * in + i] * delta[j];
        for (size_t j = 0; j < out; j++)
            layer->bias_gradient[j] += layer->has_bias ? delta[j] : 0;
    }
}

void fal_reference_network_backward(fal_reference_network *network,
                                    const fal_reference_batch *batch)
{
    for (size_t l = network->count; l-- > 0;) {
        fal_reference_layer *layer = &network->layers[l];
        int is_output = l + 1 == network->count;
        int cut = !is_output && !is_direct(layer) && layer[1].frozen;
        layer->frozen = cut || (!is_output && layer->rule == FAL_REFERENCE_SHALLOW);
        if (layer->frozen)
            memset(layer->delta, 0, batch->rows * layer->out * sizeof(double));
        else if (!is_output)
            find_delta(network, batch, l);
        find_gradients(layer, layer_input(network, l, batch), batch->rows);
    }
}

/* Kolen and Pollack: all that a layer learns loses its decay by itself, whatever the
 * optimizer, and feedback gets what the weight gets. */
static int is_kp(const fal_reference_layer *layer)
{
    return layer->rule == FAL_REFERENCE_KP;
}

static fal_reference_settings without_decay(const fal_reference_settings *s)
{
    fal_reference_settings plain = *s;
    plain.weight_decay = 0;
    return plain;
}

static void update_sgd(const fal_reference_settings *s, double g, double *w,
                       double *moment)
{
    g += s->weight_decay * *w;
    *moment = s->momentum * *moment + g;
    *w -= s->rate * (s->nesterov ? g + s->momentum * *moment : *moment);
}

static void update_adam(const fal_reference_settings *s, uint64_t t, double g,
                        double *w, double *moment, double *square)
{
    int is_muon = s->optimizer == FAL_MUON;
    double keep = is_muon ? .95 : .999, epsilon = is_muon ? 1e-10 : 1e-8;
    double rate = is_muon ? s->rate_adamw : s->rate;
    if (s->optimizer == FAL_ADAM)
        g += s->weight_decay * *w;
    else
        *w -= rate * s->weight_decay * *w;
    *moment = .9 * *moment + .1 * g;
    *square = keep * *square + (1 - keep) * g * g;
    double mean = *moment / (1 - pow(.9, (double)t));
    double variance = *square / (1 - pow(keep, (double)t));
    *w -= rate * mean / (sqrt(variance) + epsilon);
}

/* The weights as a matrix; it takes the place of squares. */
static fal_status update_muon(const fal_reference_settings *s, double scale,
                              fal_reference_layer *layer)
{
    double beta = s->momentum, *u = layer->squares;
    double in = (double)layer->in, out = (double)layer->out;
    for (size_t i = 0; i < layer->in * layer->out; i++) {
        double g = scale * layer->weight_gradient[i];
        layer->moments[i] = beta * layer->moments[i] + (1 - beta) * g;
        u[i] = (1 - beta) * g + beta * layer->moments[i];
    }
    fal_status status = fal_reference_newton_schulz(u, layer->in, layer->out);
    for (size_t i = 0; i < layer->in * layer->out && !status; i++)
        layer->weight[i] -= s->rate * (s->weight_decay * layer->weight[i] +
                                       sqrt(fmax(1, out / in)) * u[i]);
    return status;
}

size_t fal_reference_parameters(const fal_reference_layer *layer)
{
    size_t weights = layer->in * layer->out;
    if (layer->norm && !layer->plain)
        return weights + 3 * layer->out;
    return weights + (layer->has_bias ? layer->out : 0);
}

/* Momentum .1, the running variance unbiased; frozen layers too. */
static void update_running(fal_reference_layer *layer, size_t rows)
{
    double unbiased = (double)rows / (double)(rows - 1);
    for (size_t i = 0; i < layer->out && layer->norm == FAL_REFERENCE_BATCH; i++) {
        layer->running_mean[i] += .1 * (layer->mean[i] - layer->running_mean[i]);
        layer->running_variance[i] += .1 * (unbiased * layer->variance[i] -
                                            layer->running_variance[i]);
    }
}

/* PyTorch's clip_grad_norm_, over the layers that learn; the gradients stay. */
static double clip_scale(const fal_reference_network *network, double limit)
{
    double sum = 0;
    for (size_t l = 0; l < network->count; l++) {
        const fal_reference_layer *layer = &network->layers[l];
        for (size_t i = 0; i < fal_reference_parameters(layer) && !layer->frozen;
             i++)
            sum += layer->weight_gradient[i] * layer->weight_gradient[i];
    }
    double scale = limit / (sqrt(sum) + 1e-6);
    return limit > 0 && scale < 1 ? scale : 1;
}

static fal_status make_step(const fal_reference_settings *settings, uint64_t t,
                            double scale, int is_hidden, fal_reference_layer *layer)
{
    int with_matrix = settings->optimizer == FAL_MUON && is_hidden;
    size_t first = with_matrix ? layer->in * layer->out : 0;
    for (size_t i = first; i < fal_reference_parameters(layer); i++)
        if (settings->optimizer == FAL_SGD)
            update_sgd(settings, scale * layer->weight_gradient[i],
                       &layer->weight[i], &layer->moments[i]);
        else
            update_adam(settings, t, scale * layer->weight_gradient[i],
                        &layer->weight[i], &layer->moments[i], &layer->squares[i]);
    return with_matrix ? update_muon(settings, scale, layer) : FAL_OK;
}

/* Feedback holds the difference to the weights while they make their step. */
static fal_status update_layer(const fal_reference_settings *settings, uint64_t t,
                               double scale, int is_hidden,
                               fal_reference_layer *layer)
{
    int by_matrix = settings->optimizer == FAL_MUON && is_hidden;
    size_t weights = layer->in * layer->out;
    if (!is_kp(layer))
        return make_step(settings, t, scale, is_hidden, layer);
    for (size_t i = 0; i < weights; i++)
        layer->feedback[i] -= layer->weight[i];
    for (size_t i = 0; i < fal_reference_parameters(layer); i++) {
        int by_adamw = settings->optimizer == FAL_MUON &&
                       !(by_matrix && i < weights);
        double kept = 1 - settings->weight_decay *
                              (by_adamw ? settings->rate_adamw : settings->rate);
        layer->weight[i] *= kept;
        if (i < weights)
            layer->feedback[i] *= kept;
    }
    const fal_reference_settings plain = without_decay(settings);
    fal_status status = make_step(&plain, t, scale, is_hidden, layer);
    for (size_t i = 0; i < weights; i++)
        layer->feedback[i] += layer->weight[i];
    return status;
}

fal_status fal_reference_network_update(fal_reference_network *network,
                                        const fal_reference_settings *settings)
{
    uint64_t t = ++network->updates;
    double scale = clip_scale(network, settings->clip);
    fal_status status = FAL_OK;
    for (size_t l = 0; l < network->count; l++)
        update_running(&network->layers[l], network->rows);
    for (size_t l = 0; l < network->count && !status; l++) {
        fal_reference_settings own = *settings;
        if (settings->weight_decays)
            own.weight_decay = settings->weight_decays[l];
        if (!network->layers[l].frozen)
            status = update_layer(&own, t, scale, l + 1 < network->count,
                                  &network->layers[l]);
    }
    return status;
}

/* ---- mirror steps -------------------------------------------------------- */

/* y = phi(xi W) of one row, of the output layer without phi. */
static void mirror_row(const fal_reference_layer *layer, int is_output,
                       const double *noise, double *y)
{
    for (size_t j = 0; j < layer->out; j++) {
        y[j] = 0;
        for (size_t i = 0; i < layer->in; i++)
            y[j] += noise[i] * layer->weight[i * layer->out + j];
        for (size_t s = 0; s < FAL_REFERENCE_STAGES && !is_output; s++)
            y[j] = fal_reference_activate(layer->activations[s], y[j]);
    }
}

static void take_off_means(double *values, size_t rows, size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        double mean = 0;
        for (size_t r = 0; r < rows; r++)
            mean += values[r * columns + c] / (double)rows;
        for (size_t r = 0; r < rows; r++)
            values[r * columns + c] -= mean;
    }
}

static void mirror_layer(fal_reference_layer *layer, int is_output, double rate,
                         double decay, size_t rows, double *noise, double *y)
{
    size_t in = layer->in, out = layer->out;
    for (size_t r = 0; r < rows; r++)
        mirror_row(layer, is_output, noise + r * in, y + r * out);
    take_off_means(noise, rows, in);
    take_off_means(y, rows, out);
    for (size_t i = 0; i < in; i++)
        for (size_t j = 0; j < out; j++) {
            double sum = 0;
            for (size_t r = 0; r < rows; r++)
                sum += noise[r * in + i] * y[r * out + j];
            layer->feedback[i * out + j] *= 1 - decay;
            layer->feedback[i * out + j] += rate / (double)rows * sum;
        }
}

fal_status fal_reference_network_mirror(fal_reference_network *network, double rate,
                                        double decay, uint64_t noise_seed,
                                        uint64_t step, size_t rows)
{
    fal_status status = FAL_OK;
    for (size_t l = 1; l < network->count && !status; l++) {
        fal_reference_layer *layer = &network->layers[l];
        double *noise = fal_allocate(rows * layer->in, sizeof *noise);
        double *y = fal_allocate(rows * layer->out, sizeof *y);
        status = noise && y ? FAL_OK : FAL_ERROR_MEMORY;
        for (size_t i = 0; i < rows * layer->in && !status; i++)
            noise[i] = (double)fal_random_gaussian(noise_seed, FAL_PURPOSE_MIRROR,
                                                   (uint32_t)l + 1, (uint32_t)step,
                                                   i, 1);
        if (!status && layer->rule == FAL_REFERENCE_WM)
            mirror_layer(layer, l + 1 == network->count, rate, decay, rows, noise,
                         y);
        fal_release(noise);
        fal_release(y);
    }
    return status;
}
