/* The text that says how training images are augmented: "crop:4,flip". */
#ifndef FAL_AUGMENT_H
#define FAL_AUGMENT_H

#include "net/network.h"
#include "ops/gather.h"

enum { FAL_AUGMENTATION_TEXT = 40 };

/* Leaves the seed alone. Errors: ARGUMENT (says what is known). */
fal_status fal_augmentation_parse(fal_augmentation *augmentation, const char *text);

/* The same text, or "none". */
void fal_augmentation_print(char text[FAL_AUGMENTATION_TEXT],
                            const fal_augmentation *augmentation);

/* Errors: ARGUMENT (no images, or too small ones). */
fal_status fal_augmentation_check(const fal_augmentation *augmentation,
                                  fal_shape input);

#endif
