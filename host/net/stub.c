#include "net/layer.h"
#include "ops/join.h"
#include "ops/pool.h"
const fal_layer_kind fal_conv_kind = {.name = "conv"};
const fal_layer_kind fal_flatten_kind = {.name = "flatten"};
uint64_t fal_conv_room(const fal_device *d, const fal_conv *c, fal_conv_pass p)
{
    (void)d;
    (void)c;
    (void)p;
    return 0;
}
fal_status fal_conv_forward_add(fal_launches *l, const fal_conv *c,
                                const fal_conv_forward *p)
{
    (void)l;
    (void)c;
    (void)p;
    return FAL_OK;
}
fal_status fal_conv_data_add(fal_launches *l, const fal_conv *c,
                             const fal_conv_data *p)
{
    (void)l;
    (void)c;
    (void)p;
    return FAL_OK;
}
fal_status fal_conv_weight_add(fal_launches *l, const fal_conv *c,
                               const fal_conv_weight *p)
{
    (void)l;
    (void)c;
    (void)p;
    return FAL_OK;
}
fal_status fal_join_backward_add(fal_launches *l, const fal_shortcut *s, fal_view a,
                                 int b, fal_view c)
{
    (void)l;
    (void)s;
    (void)a;
    (void)b;
    (void)c;
    return FAL_OK;
}
fal_status fal_sum_add(fal_launches *l, fal_view a, fal_view b, size_t n,
                       fal_activation d, fal_view h)
{
    (void)l;
    (void)a;
    (void)b;
    (void)n;
    (void)d;
    (void)h;
    return FAL_OK;
}
fal_status fal_spread_add(fal_launches *l, fal_view a, size_t r, size_t p, size_t c,
                          fal_activation d, fal_view h, fal_view i)
{
    (void)l;
    (void)a;
    (void)r;
    (void)p;
    (void)c;
    (void)d;
    (void)h;
    (void)i;
    return FAL_OK;
}
