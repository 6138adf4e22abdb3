/* Models as safetensors files. */
#ifndef FAL_MODEL_FILE_H
#define FAL_MODEL_FILE_H

#include "files/notes.h"
#include "train/model.h"

/* The metadata of a model's file. */
void fal_model_note(const fal_model *model, fal_notes *notes);

/* A metadata text "[…]" of `count` finite numbers, above 0 if `positive`. Errors: FORMAT
 * (names file and key). */
void fal_numbers_note(fal_notes *notes, const char *key, const double *values,
                      size_t count);
fal_status fal_numbers_read(const fal_safetensors *file, const char *key,
                            int positive, double *values, size_t count);

/* What that says beside network and input. */
typedef struct fal_model_facts {
    double *mean, *deviation; /* one block */
    int standardized, real_targets;
    fal_shape raw, resized;         /* as the model has them */
    const char *const *class_names; /* NULL: none */
} fal_model_facts;

/* For fal_model_facts_release, also after a failure. Errors: FORMAT, MEMORY. */
fal_status fal_model_facts_read(fal_model_facts *facts, const fal_model *model,
                                const fal_safetensors *file);

/* Makes them the model's; all or nothing. */
fal_status fal_model_facts_take(fal_model *model, fal_model_facts *facts);
void fal_model_facts_release(fal_model_facts *facts);

/* *sources, for fal_release, of all tensors of some lists, and room for `more` behind
 * the *filled of them. */
fal_status fal_tensor_sources(const fal_tensor_list *const *lists, size_t count,
                              size_t more, fal_tensor_source **sources,
                              size_t *filled);

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
