/* Tensors and texts in one file, in the safetensors format: eight bytes, little end
 * first, give the length of a JSON header {"__metadata__": {key: text, …}, name:
 * {"dtype", "shape", "data_offsets": [begin, end]}, …}; then the data, without
 * gaps. What the reader accepts is whole and consistent: nothing needs checking
 * again. */
#ifndef FAL_SAFETENSORS_H
#define FAL_SAFETENSORS_H

#include "falign.h"

typedef enum fal_tensor_type {
    FAL_TENSOR_F32 = 0,
    FAL_TENSOR_I64 = 1,
    FAL_TENSOR_U8 = 2
} fal_tensor_type;

typedef struct fal_metadata {
    const char *key, *value;
} fal_metadata;

/* ---- writing ------------------------------------------------------------- */

/* Fills `values` with a tensor's bytes, for example from the device. */
typedef fal_status (*fal_tensor_fetch)(void *user, void *values, size_t bytes);

/* A tensor to be written: give `data`, `fetch` or `is_sum`. */
typedef struct fal_tensor_source {
    const char *name; /* any but "__metadata__" */
    fal_tensor_type type;
    size_t shape[4], dimensions; /* 0 dimensions: one number */
    const void *data;
    fal_tensor_fetch fetch;
    void *user; /* of fetch */
    int is_sum; /* 1: the CRC-32 of all that is written before it, little end first;
                 * of type U8, shape 4 */
} fal_tensor_source;

/* Writes beside and renames, data in the order given (put I64 first and U8 last,
 * and each lies aligned in the file). Errors: FILE, MEMORY, ARGUMENT (a name twice,
 * a shape too large), and what a fetch returns; the old file is then unchanged. */
fal_status fal_safetensors_write(const char *path, const fal_tensor_source *tensors,
                                 size_t count, const fal_metadata *metadata,
                                 size_t metadata_count);

/* The same into memory: *bytes is for fal_release. */
fal_status fal_safetensors_compose(unsigned char **bytes, size_t *size,
                                   const fal_tensor_source *tensors, size_t count,
                                   const fal_metadata *metadata,
                                   size_t metadata_count);

/* ---- reading ------------------------------------------------------------- */

typedef struct fal_safetensors fal_safetensors;

typedef struct fal_tensor_view {
    const char *name;
    fal_tensor_type type;
    size_t shape[4], dimensions;
    size_t count;              /* numbers */
    size_t bytes, begin;       /* of the data, and where in the file's data */
    const unsigned char *data; /* may be unaligned: copy with memcpy */
} fal_tensor_view;

/* Reads and checks all of a file. Errors: FILE, MEMORY, FORMAT (says the tensor).
 */
fal_status fal_safetensors_open(fal_safetensors **file, const char *path);
/* The same of `size` bytes in memory, copied; messages call them `path`. */
fal_status fal_safetensors_read(fal_safetensors **file, const char *path,
                                const void *bytes, size_t size);
void fal_safetensors_close(fal_safetensors *file);

/* Tensors in the order of their names; find gives NULL for an unknown name. All
 * that these return belongs to the file. */
size_t fal_safetensors_count(const fal_safetensors *file);
const fal_tensor_view *fal_safetensors_at(const fal_safetensors *file,
                                          size_t index);
const fal_tensor_view *fal_safetensors_find(const fal_safetensors *file,
                                            const char *name);

/* As it was opened. */
const char *fal_safetensors_path(const fal_safetensors *file);

/* The text of a metadata key, NULL where there is none. */
const char *fal_safetensors_metadata(const fal_safetensors *file, const char *key);

/* Whether an F32 tensor of exactly this shape is there. Errors: FORMAT (missing, other
 * type or shape; names file and tensor). */
fal_status fal_safetensors_check(const fal_safetensors *file, const char *name,
                                 const size_t *shape, size_t dimensions);

/* Copies it. Errors: the same, and FORMAT where a number is not finite. */
fal_status fal_safetensors_floats(const fal_safetensors *file, const char *name,
                                  const size_t *shape, size_t dimensions,
                                  float *values);

/* Copies it with numbers that are not finite too. */
fal_status fal_safetensors_bits(const fal_safetensors *file, const char *name,
                                const size_t *shape, size_t dimensions,
                                float *values);

#endif
