#include "reference/gather.h"

double fal_reference_gather(const void *sample, fal_type type, size_t i,
                            size_t channels, const float *scale, const float *shift)
{
    double value = type == FAL_BYTES ? ((const uint8_t *)sample)[i]
                                     : ((const float *)sample)[i];
    return value * scale[i % channels] + shift[i % channels];
}
