/* Every kernel against its reference: the table behind `falign devices --check`,
 * and the comparisons it is made of, which the tests sweep over more shapes. An
 * error is measured in units of what float32 arithmetic explains: up to 1 passes.
 * Kernels work between guards at odd offsets; a guard that is overwritten is a
 * failure. */
#ifndef FAL_CHECK_H
#define FAL_CHECK_H

#include "ops/conv.h"
#include "ops/dropout.h"
#include "ops/gather.h"
#include "ops/gemm.h"
#include "ops/join.h"
#include "ops/loss.h"
#include "ops/normalize.h"
#include "ops/optimize.h"
#include "ops/pool.h"
#include "ops/random.h"
#include "ops/teacher_student.h"

typedef struct fal_check {
    const char *kernel;
    /* *worst is the largest error. */
    fal_status (*run)(fal_device *device, double *worst);
} fal_check;

extern const fal_check fal_checks[];
extern const size_t fal_check_count;

/* One small product: whether the device computes at all. */
fal_status fal_check_probe(fal_device *device, double *worst);

/* The comparisons raise *worst and never lower it. `wild`: NaN and infinities are
 * among the numbers. */
fal_status fal_check_activation(fal_device *device, fal_activation activation,
                                size_t count, int wild, double *worst);
fal_status fal_check_derivative(fal_device *device, fal_activation activation,
                                size_t count, int wild, double *worst);

/* Labels, targets or both go into the loss, summed or not; delta, signal, partial sums
 * and `halted` are looked at. */
enum { FAL_CHECK_LABELS = 1, FAL_CHECK_TARGETS = 2, FAL_CHECK_SUMMED = 4 };
fal_status fal_check_loss(fal_device *device, fal_loss loss, int parts, size_t rows,
                          size_t outputs, int wild, double *worst);

/* The factor that clips `count` gradients to the norm `limit`. */
fal_status fal_check_clip(fal_device *device, size_t count, float limit, int wild,
                          double *worst);

/* Update t of `settings` (rule, count, momentum, weight_decay, nesterov; decoupled: with
 * feedback that learns too), with the gradient halved if `scaled`. */
fal_status fal_check_update(fal_device *device, const fal_update *settings,
                            uint64_t t, int wild, int halted, int scaled,
                            double *worst);
/* Norms: batch norm, or layer norm if by_sample; `updates`: the backward pass makes
 * a step of sgd in place of gradients. */
typedef struct fal_check_norm_shape {
    size_t rows, positions, channels;
    int by_sample, plain, updates;
    int beside; /* something is added before the activation; backward goes out of
                 * place */
    fal_activation activation; /* of the forward pass */
} fal_check_norm_shape;

/* Forward; batch norm with given statistics; backward, which changes no weights if
 * `halted` (with updates); running statistics. */
fal_status fal_check_norm(fal_device *device, const fal_check_norm_shape *shape,
                          int wild, double *worst);
fal_status fal_check_norm_fixed(fal_device *device,
                                const fal_check_norm_shape *shape, double *worst);
fal_status fal_check_norm_backward(fal_device *device,
                                   const fal_check_norm_shape *shape, int halted,
                                   double *worst);
fal_status fal_check_center(fal_device *device, size_t rows, size_t columns,
                            int wild, double *worst);
fal_status fal_check_running(fal_device *device, size_t count, int halted,
                             double *worst);
/* The momentum of `count` gradients, halved if `scaled`. */
fal_status fal_check_momentum(fal_device *device, size_t count, int halted,
                              int scaled, double *worst);

/* A matrix (random if `given` is NULL) against the double iteration: the difference's
 * norm in units of `bound` times the result's. */
fal_status fal_check_newton_schulz(fal_device *device, const float *given,
                                   size_t rows, size_t columns, double bound,
                                   double *worst);
fal_status fal_check_random(fal_device *device, const fal_random *random,
                            size_t rows, size_t columns, int turned, double *worst);

/* Signs of `count` numbers, with magnitudes or with one for all. */
fal_status fal_check_signs(fal_device *device, size_t count, int with_magnitudes,
                           int wild, double *worst);

/* Rows of `width` values; labels if outputs is 0, else targets. `augmentation` NULL:
 * none; else of images of so many lines. */
fal_status fal_check_gather(fal_device *device, fal_type type, size_t rows,
                            size_t width, size_t channels, size_t outputs,
                            size_t lines, const fal_augmentation *augmentation,
                            double *worst);

/* A Gram matrix of one [rows][columns] matrix if symmetric, else of two. */
fal_status fal_check_gram(fal_device *device, size_t rows, size_t columns,
                          int by_column, int symmetric, double *worst);

/* Two steps, each a launch, of `runs` students that learn online. */
fal_status fal_check_teacher_student(fal_device *device,
                                     const fal_teacher_student *is, size_t runs,
                                     double *worst);

/* Of images, height, width, channels, height and width of windows, stride */
fal_pool fal_check_pool_of(const size_t s[7]);

/* `shape` says sizes, average, accumulate and derivative. */
fal_status fal_check_pool(fal_device *device, const fal_pool *shape, int wild,
                          double *worst);
fal_status fal_check_pool_backward(fal_device *device, const fal_pool *shape,
                                   int wild, double *worst);

/* In place. */
fal_status fal_check_join(fal_device *device, const fal_shortcut *shortcut,
                          fal_activation activation, int wild, double *worst);
fal_status fal_check_join_backward(fal_device *device, const fal_shortcut *shortcut,
                                   int accumulate, double *worst);

/* Without a stored output where `derivative` is linear. */
fal_status fal_check_sum(fal_device *device, size_t count,
                         fal_activation derivative, double *worst);
fal_status fal_check_spread(fal_device *device, size_t rows, size_t positions,
                            size_t channels, fal_activation derivative,
                            double *worst);

/* At the step whose draw is numbers->draw. */
fal_status fal_check_dropout(fal_device *device, const fal_random *numbers,
                             double rate, size_t rows, size_t positions,
                             size_t channels, double *worst);

/* `shape` says sizes, sources, what B's values are (but no magnitudes), accumulate,
 * alpha (with a scale then), beta (with
 * another matrix), identity, activation and derivative; with a stored output where
 * `with_output`, and with a bias unless symmetric: then B is A transposed. */
fal_status fal_check_gemm(fal_device *device, const fal_product *shape,
                          int with_output, double *worst);

/* C <- alpha A B + beta C, which stays as it is if `halted`. */
fal_status fal_check_gemm_blend(fal_device *device, const fal_product *shape,
                                int halted, double *worst);

/* The same sizes and sources, and update t of `settings` as epilogue. */
fal_status fal_check_gemm_update(fal_device *device, const fal_product *shape,
                                 const fal_update *settings, uint64_t t, int halted,
                                 double *worst);

/* A convolution, and what goes with its passes. `adds`: forward another map, data the
 * old signal, weight the old gradient. */
typedef struct fal_check_conv_shape {
    fal_conv conv;
    int has_bias, adds;
    int derives; /* data: by `activation`, which forward applies */
    fal_activation activation;
    fal_values_kind values; /* of the data pass's carrier */
} fal_check_conv_shape;

/* The passes; update t of `settings` as in fal_check_gemm_update. */
fal_status fal_check_conv(fal_device *device, const fal_check_conv_shape *shape,
                          double *worst);
fal_status fal_check_conv_data(fal_device *device,
                               const fal_check_conv_shape *shape, double *worst);
fal_status fal_check_conv_weight(fal_device *device,
                                 const fal_check_conv_shape *shape, int halted,
                                 double *worst);
fal_status fal_check_conv_update(fal_device *device,
                                 const fal_check_conv_shape *shape,
                                 const fal_update *settings, uint64_t t, int halted,
                                 double *worst);

#endif
