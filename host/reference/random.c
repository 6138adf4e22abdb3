#include "reference/random.h"
#include "data/random.h"

float fal_reference_random(const fal_random *random, size_t rows, size_t columns,
                           int turned, size_t r, size_t c)
{
    size_t channels = random->channels ? random->channels : 1;
    size_t length = turned ? rows : columns, line = turned ? c : r;
    size_t at = turned ? r : c;
    size_t place = at % channels * (length / channels) + at / channels;
    uint64_t element = (uint64_t)line * length + place;
    if (random->distribution == FAL_ZERO)
        return 0;
    if (random->distribution == FAL_UNIFORM)
        return fal_random_uniform(random->seed, random->purpose, random->layer,
                                  random->draw, element, random->scale);
    return fal_random_gaussian(random->seed, random->purpose, random->layer,
                               random->draw, element, random->scale);
}
