#include "train/augment.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const known[] = {"crop:P", "flip"};

static fal_status fail(const char *text, const char *why)
{
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "augmentation '%.100s': %s; give crop:P, flip or both, as "
                    "crop:4,flip",
                    text, why);
}

static fal_status take_crop(fal_augmentation *made, const char *digits,
                            const char *text)
{
    char *end = (char *)digits;
    unsigned long pixels = isdigit((unsigned char)*digits)
                               ? strtoul(digits, &end, 10)
                               : 0;
    if (*end || pixels < 1 || pixels > INT16_MAX)
        return fail(text, "crop takes the pixels that an image may move, from 1 "
                          "to 32767");
    if (made->crop)
        return fail(text, "crop stands there twice");
    made->crop = pixels;
    return FAL_OK;
}

static fal_status take(fal_augmentation *made, const char *word, const char *text)
{
    if (strncmp(word, "crop:", 5) == 0)
        return take_crop(made, word + 5, text);
    if (strcmp(word, "flip") != 0)
        return fal_fail_unknown("augmentation", word, known, 2);
    if (made->turns)
        return fail(text, "flip stands there twice");
    made->turns = 1;
    return FAL_OK;
}

fal_status fal_augmentation_parse(fal_augmentation *augmentation, const char *text)
{
    fal_augmentation made = {.seed = augmentation->seed};
    fal_status status = FAL_OK;
    for (const char *next = text; next && !status;) {
        char word[32];
        size_t length = strcspn(next, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, next);
        status = take(&made, word, text);
        next = next[length] ? next + length + 1 : NULL;
    }
    if (!status)
        *augmentation = made;
    return status;
}

void fal_augmentation_print(char text[FAL_AUGMENTATION_TEXT],
                            const fal_augmentation *a)
{
    char crop[FAL_AUGMENTATION_TEXT / 2] = "";
    if (a->crop)
        snprintf(crop, sizeof crop, "crop:%d", (int)a->crop);
    snprintf(text, FAL_AUGMENTATION_TEXT, "%s%s%s", crop,
             a->crop && a->turns ? "," : "",
             a->turns  ? "flip"
             : a->crop ? ""
                       : "none");
}

fal_status fal_augmentation_check(const fal_augmentation *a, fal_shape input)
{
    size_t side = input.height < input.width ? input.height : input.width;
    if (input.height == 1 && input.width == 1)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "augmentation: the samples are rows of %zu numbers, no "
                        "images; leave it out",
                        input.channels);
    if (a->crop >= side)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "augmentation crop:%zu: nothing would be left of an image "
                        "of %zux%zu; move it by less than %zu",
                        a->crop, input.height, input.width, side);
    return FAL_OK;
}
