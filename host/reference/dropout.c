#include "reference/dropout.h"
#include "data/random.h"

double fal_reference_dropout(const fal_random *numbers, double rate,
                             size_t positions, size_t channels, size_t i, double x)
{
    size_t channel = i % channels, position = i / channels % positions;
    size_t row = i / channels / positions;
    uint64_t element = ((uint64_t)row * channels + channel) * positions + position;
    uint32_t word = fal_random_word(numbers->seed, numbers->purpose, numbers->layer,
                                    numbers->draw, element);
    return word < (uint64_t)(rate * 0x1p32) ? 0 : x / (1 - rate);
}
