/* Data sets in memory. */
#ifndef FAL_DATASET_H
#define FAL_DATASET_H

#include "falign.h"

/* `arrays` is what everyone reads: complete (size is that of this library's struct)
 * and sound. The pointers below it are what the data set itself has to release;
 * NULL where the array is the caller's. The names of classes are always its own. */
struct fal_dataset {
    fal_arrays arrays;
    void *inputs;
    int32_t *labels;
    float *targets;
    size_t raw_height, raw_width; /* before it was resized; 0: it was not */
};

/* into = given, complete and checked: sizes, pointers, labels. Every public
 * function that takes arrays begins with this; `what` names the function's purpose.
 */
fal_status fal_arrays_read(fal_arrays *into, const fal_arrays *given,
                           const char *what);

/* Makes a data set of sound `arrays` whose pointers, made by fal_allocate, are
 * given away: they are the data set's on success, and stay the caller's on failure.
 * The names of classes are copied. */
fal_status fal_dataset_adopt(fal_dataset **dataset, const fal_arrays *arrays,
                             void *inputs, int32_t *labels, float *targets);

/* Makes a data set of `arrays`, which are those of `from` but for their inputs: labels,
 * targets and names are copied, `inputs`, made by fal_allocate, are given away on
 * success; NULL: they are those of `from`, which stays while the new one does. */
fal_status fal_dataset_derive(fal_dataset **derived, const fal_dataset *from,
                              const fal_arrays *arrays, void *inputs);

/* Numbers of one sample: height * width * channels. */
size_t fal_arrays_features(const fal_arrays *arrays);

/* Bytes of the inputs of one sample. */
size_t fal_arrays_stride(const fal_arrays *arrays);

#endif
