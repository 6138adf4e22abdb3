/* For tests: a small network of maps in double, by loops over the definitions and all in
 * PyTorch's order, [sample][channel][row][column], beside a model and its trainer:
 *
 *     x - conv1 - tanh - pool max 2 - p - conv2 - tanh - conv3 - (+) - tanh - dense
 *                                      \-- projection ----------/
 */
#ifndef FAL_TEST_MAP_NET_H
#define FAL_TEST_MAP_NET_H

#include "learning.h"

enum { CONV1, CONV2, CONV3, PROJECTION, DENSE, LAYERS };
enum { HEIGHT = 9, WIDTH = 7, INPUTS = 2, CLASSES = 4, BATCH = 6 };

static const char map_network[] =
    "input 9x7x2, conv1=conv 5 3, tanh, pool max 2, block(conv 6 3 stride 2, tanh, "
    "conv 6 3; shortcut=projection), tanh, dense1=dense 4";

static const char *const map_names[LAYERS] = {
    "conv1", "block1.conv1", "block1.conv2", "block1.downsample.0", "dense1"};

typedef struct map_shape {
    size_t channels, height, width;
} map_shape;

/* Of the dense layer a kernel over all its input, which makes one pixel. */
typedef struct map_layer {
    map_shape in, out;
    size_t kernel, wide, stride, pad; /* rows and columns of a kernel */
} map_layer;

static const map_layer map_layers[LAYERS] = {{{2, 9, 7}, {5, 9, 7}, 3, 3, 1, 1},
                                             {{5, 4, 3}, {6, 2, 2}, 3, 3, 2, 1},
                                             {{6, 2, 2}, {6, 2, 2}, 3, 3, 1, 1},
                                             {{5, 4, 3}, {6, 2, 2}, 1, 1, 2, 0},
                                             {{6, 2, 2}, {4, 1, 1}, 2, 2, 1, 0}};

static inline size_t size_of_map(map_shape s)
{
    return s.channels * s.height * s.width;
}

static inline size_t weights_of(size_t l)
{
    const map_layer *y = &map_layers[l];
    return y->out.channels * y->in.channels * y->kernel * y->wide;
}

/* Calls for every product of a convolution: output o, input i, weight w, or without a
 * place in the input for none. */
typedef struct map_term {
    size_t o, i, w;
} map_term;

typedef void (*on_term)(const map_term *term, void *user);

static inline void visit_kernel(const map_layer *y, size_t n, size_t o, size_t row,
                                size_t column, on_term visit, void *user)
{
    for (size_t c = 0; c < y->in.channels; c++)
        for (size_t a = 0; a < y->kernel; a++)
            for (size_t b = 0; b < y->wide; b++) {
                size_t r = row * y->stride + a - y->pad;
                size_t s = column * y->stride + b - y->pad;
                if (r >= y->in.height || s >= y->in.width) /* or below 0 */
                    continue;
                const map_term term = {
                    ((n * y->out.channels + o) * y->out.height + row) *
                            y->out.width +
                        column,
                    ((n * y->in.channels + c) * y->in.height + r) * y->in.width + s,
                    ((o * y->in.channels + c) * y->kernel + a) * y->wide + b};
                visit(&term, user);
            }
}

static inline void visit_terms(size_t l, size_t rows, on_term visit, void *user)
{
    const map_layer *y = &map_layers[l];
    for (size_t n = 0; n < rows; n++)
        for (size_t o = 0; o < y->out.channels; o++)
            for (size_t row = 0; row < y->out.height; row++)
                for (size_t column = 0; column < y->out.width; column++)
                    visit_kernel(y, n, o, row, column, visit, user);
}

/* What a pass reads and adds to. */
typedef struct map_pass {
    const double *out, *in, *weight;
    double *to;
} map_pass;

static inline void add_forward(const map_term *t, void *user)
{
    map_pass *p = user;
    p->to[t->o] += p->in[t->i] * p->weight[t->w];
}

static inline void add_data(const map_term *t, void *user)
{
    map_pass *p = user;
    p->to[t->i] += p->out[t->o] * p->weight[t->w];
}

static inline void add_weight(const map_term *t, void *user)
{
    map_pass *p = user;
    p->to[t->w] += p->out[t->o] * p->in[t->i];
}

static inline double *doubles(size_t count)
{
    return room(count, sizeof(double));
}

static inline double *widened(float *values, size_t count)
{
    double *wide = doubles(count);
    for (size_t i = 0; i < count; i++)
        wide[i] = (double)values[i];
    fal_release(values);
    return wide;
}

static inline double *map_tensor(fal_model *model, fal_trainer *trainer, size_t l,
                                 const char *what, size_t *count)
{
    char name[64];
    size_t n;
    snprintf(name, sizeof name, "%s.%s", map_names[l], what);
    float *values = trainer ? trainer_floats(trainer, name, &n)
                            : model_floats(model, name, &n);
    if (count)
        *count = n;
    return widened(values, n);
}

/* a = conv(x, w) + bias; bias NULL: none */
static inline double *map_forward(size_t l, size_t rows, const double *x,
                                  const double *w, const double *bias)
{
    const map_layer *y = &map_layers[l];
    size_t pixels = y->out.height * y->out.width;
    size_t count = rows * size_of_map(y->out);
    double *a = doubles(count);
    for (size_t i = 0; i < count; i++)
        a[i] = bias ? bias[i / pixels % y->out.channels] : 0;
    map_pass pass = {.in = x, .weight = w, .to = a};
    visit_terms(l, rows, add_forward, &pass);
    return a;
}

static inline void bend_all(double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = tanh(x[i]);
}

#endif
