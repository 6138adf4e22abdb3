/* Tensors by name, between our layout on the device and PyTorch's order outside. */
#ifndef FAL_TENSOR_H
#define FAL_TENSOR_H

#include "net/network.h"
#include "ops/random.h"

/* One tensor of an arena. `turned`: stored [in][out], outside [out][in …]; else stored
 * and outside [lines][…]. Of maps, and of the kernels of a convolution, what is behind
 * the first dimension is stored [height][width][channels], outside
 * [channels][height][width]. */
typedef struct fal_tensor {
    char name[96];
    const fal_arena *arena;
    fal_slot slot;
    size_t shape[4], dimensions; /* outside */
    int turned;
    size_t channels; /* of maps and kernels; 0: 1 */
    const fal_random
        *random; /* it lies nowhere, and is drawn to be read; or NULL */
} fal_tensor;

size_t fal_tensor_floats(const fal_tensor *tensor);

/* Makes it a matrix in the shape of a layer's weights; or values for all units of a
 * layer, of so many samples or classes. Arena and slot stay. */
void fal_tensor_like_weight(fal_tensor *tensor, const fal_layer *layer);
void fal_tensor_like_output(fal_tensor *tensor, const fal_layer *layer,
                            size_t lines);

/* `count` must be the tensor's. Both wait for the device. */
fal_status fal_tensor_read(const fal_tensor *tensor, float *values, size_t count);
fal_status fal_tensor_write(const fal_tensor *tensor, const float *values,
                            size_t count);

/* The tensors of a model or trainer. */
typedef struct fal_tensor_list {
    fal_tensor *items;
    size_t count;
} fal_tensor_list;

/* Adds `tensor` under the name "layer.what". */
fal_status fal_tensor_add(fal_tensor_list *list, fal_tensor tensor,
                          const char *layer, const char *what);

/* Adds weight and bias of a layer, "layer.weight" and "layer.bias" with `ending`
 * behind them, as far as it has them; they lie in `arena`, placed as parameters
 * are. */
fal_status fal_tensor_add_layer(fal_tensor_list *list, const fal_arena *arena,
                                const fal_layer *layer, const char *ending);
fal_status fal_tensor_find(const fal_tensor_list *list, const char *name,
                           const fal_tensor **tensor);
void fal_tensor_shape(const fal_tensor *tensor, size_t shape[4],
                      size_t *dimensions);
void fal_tensor_list_release(fal_tensor_list *list);

#endif
