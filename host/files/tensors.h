/* What the reader and the writer of safetensors files share. */
#ifndef FAL_TENSORS_H
#define FAL_TENSORS_H

#include "files/safetensors.h"

#define FAL_METADATA_NAME "__metadata__"

enum { FAL_TENSOR_TYPES = 3 };
extern const char *const fal_tensor_type_names[FAL_TENSOR_TYPES];
extern const size_t fal_tensor_type_sizes[FAL_TENSOR_TYPES];

/* SIZE_MAX where the product overflows, even if a later 0 would save it. */
size_t fal_tensor_bytes(fal_tensor_type type, const size_t *shape,
                        size_t dimensions);

/* Sorts texts, or structs that begin with their name; returns a name that is there
 * twice, NULL for none. */
const char *fal_names_sort(void *items, size_t count, size_t size);

/* The item of this name among sorted ones, NULL for none. */
const void *fal_names_find(const void *items, size_t count, size_t size,
                           const char *name);

#endif
