/* bench muon: Newton-Schulz of one random matrix, with its norm. */
#include "cli/bench.h"
#include "ops/clip.h"
#include "ops/newton_schulz.h"

/* What the definition multiplies: five times XXᵀ, A² and BX, whatever is really done */
static double flops(double rows, double columns)
{
    double n = rows < columns ? rows : columns;
    return 5 * (4 * n * rows * columns + 2 * n * n * n);
}

static fal_status add(fal_launches *list, const fal_newton_schulz *matrix)
{
    fal_status status = fal_square_sums_add(
        list, matrix->x, matrix->rows * matrix->columns, matrix->sums);
    return status ? status : fal_newton_schulz_add(list, matrix, 1);
}

fal_status cli_bench_muon(fal_device *device, const cli_options *options,
                          cli_gemm_figures *figures)
{
    fal_launches list = {.device = device};
    fal_newton_schulz m = {.rows = (size_t)cli_whole(options, CLI_ROWS),
                           .columns = (size_t)cli_whole(options, CLI_COLUMNS),
                           .factor = 1};
    size_t floats = m.rows * m.columns;
    size_t sizes[] = {floats, floats, fal_square_sums_count(floats),
                      fal_newton_schulz_room(m.rows, m.columns)};
    fal_view *views[] = {&m.x, &m.spare, &m.sums, &m.room};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < 4 && !status; i++)
        status = fal_bench_random(device, sizes[i], &views[i]->buffer);
    if (!status)
        status = add(&list, &m);
    if (!status)
        status = fal_bench_launches(&list, &figures->timing);
    figures->gflops = 1e-6 * flops((double)m.rows, (double)m.columns) /
                      figures->timing.ms;
    fal_launches_release(&list);
    for (size_t i = 0; i < 4; i++)
        fal_buffer_destroy(device, views[i]->buffer);
    return status;
}
