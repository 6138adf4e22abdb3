#include "ops/reduce.h"
#include "ops/grid.h"

/* cl/reduce.cl: columns a group, and items that share one of them. A work-item's
 * loop stays below the 32,768 turns that every device makes. */
enum { COLUMNS = 16, SHARES = FAL_GROUP / COLUMNS, MOST_TURNS = 32768 };

/* Only work-items that share a group have a limit of turns. */
static fal_status check(const fal_launches *list, size_t rows, size_t columns)
{
    int few = fal_is_cpu_like(list) || rows < (size_t)MOST_TURNS * SHARES;
    if (few && rows <= INT32_MAX && columns <= INT32_MAX)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "sums over the rows of %zu x %zu: rows must stay below %d, "
                    "columns below 2^31; use a smaller batch",
                    rows, columns, MOST_TURNS * SHARES);
}

fal_status fal_column_sums_add(fal_launches *list, fal_view x, size_t rows,
                               size_t columns, fal_view sums)
{
    fal_status status = check(list, rows, columns);
    if (status)
        return status;
    size_t span = fal_span(list->device, columns, rows ? rows : 1, 64);
    fal_launch_begin(list, "column_sums");
    fal_launch_work(list, "", 0, 4. * (double)rows * (double)columns);
    fal_launch_view(list, x);
    fal_launch_uint(list, (uint32_t)rows);
    fal_launch_uint(list, (uint32_t)columns);
    fal_launch_view(list, sums);
    fal_launch_ulong(list, span);
    if (fal_is_cpu_like(list))
        return fal_end_spans(list, columns, span);
    size_t groups = columns ? (columns + COLUMNS - 1) / COLUMNS : 1;
    return fal_launch_end(list, (const size_t[3]){groups * FAL_GROUP, 1, 1},
                          (const size_t[3]){FAL_GROUP, 1, 1});
}
