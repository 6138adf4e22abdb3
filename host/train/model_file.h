/* Models as safetensors files. */
#ifndef FAL_MODEL_FILE_H
#define FAL_MODEL_FILE_H

#include "files/safetensors.h"
#include "train/model.h"

/* Writes lists of tensors with the model's metadata. */
fal_status fal_model_write(const fal_model *model, const char *path,
                           const fal_tensor_list *const *lists, size_t count);

/* Fills the tensors of a list that the file has; `required`: it must have all. */
fal_status fal_tensor_list_load(const fal_tensor_list *list,
                                const fal_safetensors *file, int required);

/* The file that `path` means: itself, or `name` in the folder `path`. *file is the
 * caller's (fal_release). */
fal_status fal_model_path(const char *path, const char *name, char **file);

#endif
