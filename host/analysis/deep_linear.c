#include "analysis/deep_linear.h"
#include "analysis/singular.h"
#include "device/memory.h"

#include <string.h>

/* ---- products, out [rows][columns] --------------------------------------- */

/* out <- a b, a [rows][depth] */
static void multiply(const double *a, const double *b, size_t rows, size_t depth,
                     size_t columns, double *out)
{
    memset(out, 0, rows * columns * sizeof *out);
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < depth; k++)
            for (size_t c = 0; c < columns; c++)
                out[r * columns + c] += a[r * depth + k] * b[k * columns + c];
}

/* out <- out + scale a^T b, a [depth][rows] */
static void add_product(const double *a, const double *b, size_t rows, size_t depth,
                        size_t columns, double scale, double *out)
{
    for (size_t k = 0; k < depth; k++)
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++)
                out[r * columns + c] += scale * a[k * rows + r] *
                                        b[k * columns + c];
}

/* out <- a a^T, a [rows][depth] */
static void square(const double *a, size_t rows, size_t depth, double *out)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < rows; j++) {
            double sum = 0;
            for (size_t k = 0; k < depth; k++)
                sum += a[i * depth + k] * a[j * depth + k];
            out[i * rows + j] = sum;
        }
}

/* ---- the network --------------------------------------------------------- */

static fal_status make_layer(fal_deep_linear *net, size_t l, const double *feedback)
{
    size_t outputs = net->outputs, in = l == 0 ? net->inputs : outputs;
    net->alignment[l] = fal_allocate(in * outputs, sizeof(double));
    if (!net->alignment[l])
        return FAL_ERROR_MEMORY;
    if (l + 1 == net->layers)
        return FAL_OK;
    size_t count = outputs * net->units[l];
    net->feedback[l] = fal_allocate(count, sizeof(double));
    net->gram[l] = fal_allocate(outputs * outputs, sizeof(double));
    if (!net->feedback[l] || !net->gram[l])
        return FAL_ERROR_MEMORY;
    memcpy(net->feedback[l], feedback, count * sizeof(double));
    square(feedback, outputs, net->units[l], net->gram[l]);
    return FAL_OK;
}

fal_status fal_deep_linear_make(fal_deep_linear *net, size_t inputs, size_t layers,
                                const size_t *units, const double *const *feedback)
{
    *net = (fal_deep_linear){.layers = layers, .inputs = inputs};
    if (layers < 2 || layers > FAL_DEEP_LINEAR_LAYERS)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "deep linear network: %zu layers; it has 2 to %d", layers,
                        FAL_DEEP_LINEAR_LAYERS);
    net->outputs = units[layers - 1];
    memcpy(net->units, units, layers * sizeof *units);
    fal_status status = FAL_OK;
    for (size_t l = 0; l < layers && !status; l++)
        status = make_layer(net, l, l + 1 < layers ? feedback[l] : NULL);
    if (status)
        fal_deep_linear_release(net);
    return status;
}

void fal_deep_linear_release(fal_deep_linear *net)
{
    for (size_t l = 0; l < FAL_DEEP_LINEAR_LAYERS; l++) {
        fal_release(net->feedback[l]);
        fal_release(net->gram[l]);
        fal_release(net->alignment[l]);
    }
    *net = (fal_deep_linear){0};
}

/* ---- going through it ---------------------------------------------------- */

/* What a batch of n makes on its way: u and u B B^T, [n][outputs], and the u of the
 * layer before. */
typedef struct way {
    double *u, *through, *before;
    size_t n;
} way;

static fal_status begin(const fal_deep_linear *net, size_t n, way *w)
{
    size_t count = n * net->outputs;
    double *room = fal_allocate(3 * count, sizeof *room);
    *w = (way){.u = room, .n = n};
    if (!room)
        return FAL_ERROR_MEMORY;
    w->through = room + count;
    w->before = room + 2 * count;
    return FAL_OK;
}

/* u becomes that of layer l, `before` that of l - 1; l from 0 on. */
static void pass(const fal_deep_linear *net, size_t l, const double *x, way *w)
{
    size_t outputs = net->outputs;
    if (l == 0) {
        multiply(x, net->alignment[0], w->n, net->inputs, outputs, w->u);
        return;
    }
    memcpy(w->before, w->u, w->n * outputs * sizeof *w->u);
    multiply(w->before, net->gram[l - 1], w->n, outputs, outputs, w->through);
    multiply(w->through, net->alignment[l], w->n, outputs, outputs, w->u);
}

fal_status fal_deep_linear_predict(const fal_deep_linear *net, const double *x,
                                   size_t n, double *outputs)
{
    way w;
    fal_status status = begin(net, n, &w);
    if (status)
        return status;
    for (size_t l = 0; l < net->layers; l++)
        pass(net, l, x, &w);
    memcpy(outputs, w.u, n * net->outputs * sizeof *outputs);
    fal_release(w.u);
    return FAL_OK;
}

fal_status fal_deep_linear_step(fal_deep_linear *net, const double *x,
                                const double *e, size_t n, double rate)
{
    way w;
    fal_status status = begin(net, n, &w);
    if (status)
        return status;
    for (size_t l = 0; l < net->layers; l++) {
        pass(net, l, x, &w); /* by A_l as it was */
        add_product(l ? w.before : x, e, l ? net->outputs : net->inputs, n,
                    net->outputs, -rate, net->alignment[l]);
    }
    fal_release(w.u);
    return FAL_OK;
}

/* ---- what it amounts to -------------------------------------------------- */

/* W_1 and, by `carried` = A_l B_l, the others; the output layer has no B. */
fal_status fal_deep_linear_weight(const fal_deep_linear *net, size_t number,
                                  double *weight)
{
    size_t l = number - 1, outputs = net->outputs, units = net->units[l];
    if (l == 0) {
        multiply(net->alignment[0], net->feedback[0], net->inputs, outputs, units,
                 weight);
        return FAL_OK;
    }
    double *carried = fal_allocate(outputs * units, sizeof *carried);
    if (!carried)
        return FAL_ERROR_MEMORY;
    if (number == net->layers)
        memcpy(carried, net->alignment[l], outputs * outputs * sizeof *carried);
    else
        multiply(net->alignment[l], net->feedback[l], outputs, outputs, units,
                 carried);
    memset(weight, 0, net->units[l - 1] * units * sizeof *weight);
    add_product(net->feedback[l - 1], carried, net->units[l - 1], outputs, units, 1,
                weight);
    fal_release(carried);
    return FAL_OK;
}

fal_status fal_deep_linear_conditioning(const fal_deep_linear *net, size_t number,
                                        double *conditioning)
{
    return fal_condition_number(net->alignment[number - 1], net->outputs,
                                conditioning);
}
