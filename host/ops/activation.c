#include "ops/activation.h"
#include "ops/grid.h"

static fal_status add(fal_launches *list, const char *kernel,
                      fal_activation activation, fal_view first, fal_view second,
                      size_t count, int arrays)
{
    fal_launch_begin(list, kernel);
    fal_launch_work(list, "", 0, 4. * arrays * (double)count);
    fal_launch_int(list, (int32_t)activation.phi);
    fal_launch_float(list, activation.slope);
    fal_launch_view(list, first);
    fal_launch_view(list, second);
    return fal_end_elements(list, count);
}

fal_status fal_activate_add(fal_launches *list, fal_activation activation,
                            fal_view a, fal_view h, size_t count)
{
    return add(list, "activation", activation, a, h, count, 2);
}

fal_status fal_derive_add(fal_launches *list, fal_activation activation,
                          fal_view delta, fal_view h, size_t count)
{
    return add(list, "derivative", activation, delta, h, count, 3);
}
