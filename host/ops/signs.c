#include "ops/signs.h"
#include "ops/grid.h"

fal_status fal_signs_add(fal_launches *list, fal_view w, fal_view magnitude,
                         float scale, fal_view c, size_t count)
{
    fal_launch_begin(list, "signs");
    fal_launch_work(list, "", 0, (magnitude.buffer ? 12. : 8.) * (double)count);
    fal_launch_float(list, scale);
    fal_launch_int(list, magnitude.buffer != NULL);
    fal_launch_view(list, w);
    fal_launch_view(list, magnitude);
    fal_launch_view(list, c);
    return fal_end_elements(list, count);
}
