#include "ops/pool.h"
#include "ops/grid.h"

/* cl/pool.cl: windows */
typedef struct kernel_windows {
    cl_uint height, width, channels, high, wide, stride, out_height, out_width;
    cl_int average, cells, accumulate, kind;
    cl_float slope;
} kernel_windows;

/* GPU-like devices: the turns that all loops of an item may make */
enum { MOST_TURNS = 32000 };

static fal_status refuse(const fal_pool *p, const char *why)
{
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "pooling %zu x %zu windows, stride %zu, of %zu x %zu x %zu "
                    "maps: %s",
                    p->high, p->wide, p->stride, p->height, p->width, p->channels,
                    why);
}

/* Windows of one map that a pixel may lie in, times what is read of each, at most. */
static double turns(const fal_pool *p, int backward)
{
    double across = (double)(p->wide - 1) / (double)p->stride + 1;
    double down = (double)(p->high - 1) / (double)p->stride + 1;
    double size = (double)p->high * (double)p->wide;
    return !backward ? size : down * across * (p->average ? 1 : size);
}

static fal_status check(const fal_launches *list, const fal_pool *p, int backward)
{
    if (p->high == 0 || p->wide == 0 || p->stride == 0 || p->channels == 0 ||
        p->high > p->height || p->wide > p->width)
        return refuse(p,
                      "windows must be at least 1 x 1 and fit into the maps, and "
                      "the stride be at least 1");
    if (p->out_height != (p->height - p->high) / p->stride + 1 ||
        p->out_width != (p->width - p->wide) / p->stride + 1)
        return refuse(p, "the output is of another size");
    if ((double)p->images * (double)p->height > INT32_MAX ||
        (double)p->width * (double)p->channels > INT32_MAX)
        return refuse(p, "images x height and width x channels must stay below "
                         "2^31");
    if (!fal_is_cpu_like(list) && turns(p, backward) > MOST_TURNS)
        return refuse(p, "more than this device's kernels go through; use smaller "
                         "windows");
    return FAL_OK;
}

static int overlap(const fal_pool *p)
{
    return (p->high > p->stride && p->out_height > 1) ||
           (p->wide > p->stride && p->out_width > 1);
}

static void add_windows(fal_launches *list, const fal_pool *p)
{
    const kernel_windows windows = {
        (cl_uint)p->height,     (cl_uint)p->width,
        (cl_uint)p->channels,   (cl_uint)p->high,
        (cl_uint)p->wide,       (cl_uint)p->stride,
        (cl_uint)p->out_height, (cl_uint)p->out_width,
        p->average != 0,        !overlap(p),
        p->accumulate != 0,     (cl_int)p->derivative.phi,
        p->derivative.slope};
    fal_launch_bytes(list, sizeof windows, &windows);
}

fal_status fal_pool_add(fal_launches *list, const fal_pool *pool)
{
    const fal_pool *p = pool;
    size_t elements = p->out_height * p->out_width * p->channels;
    size_t window = p->high * p->wide;
    fal_status status = check(list, p, 0);
    if (status)
        return status;
    fal_launch_begin(list, "pool");
    fal_launch_work(list, "", 0,
                    4. * (double)(p->images * elements * (window + 1)));
    add_windows(list, p);
    fal_launch_view(list, p->input);
    fal_launch_view(list, p->output);
    return fal_end_lines(list, p->images * p->out_height,
                         p->out_width * p->channels * window, p->images * elements);
}

fal_status fal_pool_backward_add(fal_launches *list, const fal_pool *pool)
{
    const fal_pool *p = pool;
    size_t elements = p->height * p->width * p->channels;
    size_t lines = overlap(p) ? p->height : p->out_height;
    fal_status status = check(list, p, 1);
    if (status)
        return status;
    fal_launch_begin(list, "pool_backward");
    fal_launch_work(list, "", 0, 8. * (double)(p->images * elements));
    add_windows(list, p);
    fal_launch_view(list, p->input);
    fal_launch_view(list, p->signal);
    fal_launch_view(list, p->into);
    return fal_end_lines(list, p->images * lines, elements / lines,
                         p->images * elements);
}
