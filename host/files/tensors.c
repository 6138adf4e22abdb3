#include "files/tensors.h"

#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors files are little-endian; swap bytes where data is copied"
#endif

const char *const fal_tensor_type_names[FAL_TENSOR_TYPES] = {"F32", "I64", "U8"};
const size_t fal_tensor_type_sizes[FAL_TENSOR_TYPES] = {4, 8, 1};

size_t fal_tensor_bytes(fal_tensor_type type, const size_t *shape,
                        size_t dimensions)
{
    size_t bytes = fal_tensor_type_sizes[type];
    for (size_t i = 0; i < dimensions; i++) {
        if (shape[i] > 0 && bytes > SIZE_MAX / 2 / shape[i])
            return SIZE_MAX;
        bytes *= shape[i];
    }
    return bytes;
}

/* Of texts, and of structs that begin with their name. */
static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *fal_names_sort(void *items, size_t count, size_t size)
{
    const char *item = items;
    if (count > 1)
        qsort(items, count, size, compare_names);
    for (size_t i = 1; i < count; i++)
        if (compare_names(item + (i - 1) * size, item + i * size) == 0)
            return *(const char *const *)(const void *)(item + i * size);
    return NULL;
}

const void *fal_names_find(const void *items, size_t count, size_t size,
                           const char *name)
{
    return count ? bsearch(&name, items, count, size, compare_names) : NULL;
}
