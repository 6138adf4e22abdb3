#include "reference/gather.h"
#include "data/random.h"

double fal_reference_gather(const void *sample, fal_type type, size_t i,
                            size_t channels, const float *scale, const float *shift)
{
    double value = type == FAL_BYTES ? ((const uint8_t *)sample)[i]
                                     : ((const float *)sample)[i];
    return value * scale[i % channels] + shift[i % channels];
}

static uint32_t word(const fal_augmentation *a, uint32_t draw, size_t row,
                     size_t number)
{
    return fal_random_word(a->seed, FAL_PURPOSE_AUGMENTATION, 0, draw,
                           4 * (uint64_t)row + number);
}

static int64_t shift_by(const fal_augmentation *a, uint32_t word)
{
    return (int64_t)((uint64_t)word * (2 * a->crop + 1) >> 32) - (int64_t)a->crop;
}

size_t fal_reference_augment(const fal_augmentation *a, uint32_t draw, size_t row,
                             size_t lines, size_t width, size_t channels, size_t i)
{
    const int64_t height = (int64_t)lines;
    const int64_t across = (int64_t)(width / channels / lines);
    int64_t pixel = (int64_t)(i / channels), y = pixel / across, x = pixel % across;
    if (a->turns && word(a, draw, row, 2) >= 0x80000000)
        x = across - 1 - x;
    y += shift_by(a, word(a, draw, row, 0));
    x += shift_by(a, word(a, draw, row, 1));
    if (y < 0 || y >= height || x < 0 || x >= across)
        return SIZE_MAX;
    return (size_t)(y * across + x) * channels + i % channels;
}
