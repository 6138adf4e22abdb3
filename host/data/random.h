/* Random numbers: Philox4x32-10, a function of (seed, purpose, layer, draw,
 * element) without state, so that any device draws any element by itself. The key
 * is the low and high half of the seed; counter words 0, 1 are the low and high
 * half of element/4, word 2 the draw, word 3 is 256*layer + purpose; element i
 * takes output word i mod 4. */
#ifndef FAL_RANDOM_H
#define FAL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Streams that never overlap. The numbers are part of every saved result. */
enum {
    FAL_PURPOSE_WEIGHT = 0,
    FAL_PURPOSE_BIAS = 1,
    FAL_PURPOSE_FEEDBACK = 2,
    FAL_PURPOSE_ORDER = 3,
    FAL_PURPOSE_DROPOUT = 4,
    FAL_PURPOSE_AUGMENTATION = 5,
    FAL_PURPOSE_MIRROR = 6,
    FAL_PURPOSE_LABEL_NOISE = 7,
    FAL_PURPOSE_VALIDATION = 8,
    /* Of experiments. Samples drawn online, by the noise seed: draw t is step t,
     * element i input i; a teacher, by the data seed */
    FAL_PURPOSE_SAMPLE = 16,
    FAL_PURPOSE_TEACHER = 17
};

void fal_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

uint32_t fal_random_word(uint64_t seed, uint32_t purpose, uint32_t layer,
                         uint32_t draw, uint64_t element);

/* In [-bound, bound), bit-equal to what the kernels draw. */
float fal_random_uniform(uint64_t seed, uint32_t purpose, uint32_t layer,
                         uint32_t draw, uint64_t element, float bound);

/* Mean 0; computed in double, rounded once. */
float fal_random_gaussian(uint64_t seed, uint32_t purpose, uint32_t layer,
                          uint32_t draw, uint64_t element, double deviation);

/* order = a permutation of 0 ... n-1, n <= 2^32. */
void fal_shuffle(uint64_t seed, uint32_t purpose, uint32_t draw, uint32_t *order,
                 size_t n);

#endif
