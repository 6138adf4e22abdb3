#include "report/block.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

/* ---- rows ---------------------------------------------------------------- */

static fal_status add_row(report_block *block, report_row row)
{
    for (size_t i = 0; i < block->row_count; i++)
        if (strcmp(block->rows[i].title, row.title) == 0)
            return FAL_OK;
    report_row *rows = report_grown(block->rows, block->row_count, sizeof *rows);
    if (!rows)
        return FAL_ERROR_MEMORY;
    block->rows = rows;
    rows[block->row_count++] = row;
    return FAL_OK;
}

static int is_total(const char *layer)
{
    return strcmp(layer, "total") == 0;
}

/* Layers in the order in which the runs have them; `total`: only that one. */
static fal_status add_layers(report_block *block, const report_metric *metric,
                             int total)
{
    fal_status status = FAL_OK;
    for (size_t g = 0; g < block->groups->count; g++)
        for (size_t r = 0; r < block->groups->list[g].count; r++) {
            const report_run *run = block->groups->list[g].runs[r];
            for (size_t i = 0; i < run->series_count && !status; i++) {
                const report_series *s = &run->series[i];
                if (s->layer && strcmp(s->name, metric->name) == 0 &&
                    is_total(s->layer) == total)
                    status = add_row(block, (report_row){metric->name, s->layer,
                                                         s->layer, s->layer});
            }
        }
    return status;
}

/* ---- curves -------------------------------------------------------------- */

static fal_status make_row(report_block *block, size_t row, int *has_value)
{
    size_t groups = block->groups->count;
    *has_value = 0;
    for (size_t g = 0; g < groups; g++) {
        report_curve *curve = &block->curves[row * groups + g];
        fal_status status = report_curve_make(
            curve, block->groups, &block->groups->list[g], block->rows[row].name,
            block->rows[row].layer);
        if (status)
            return status;
        *has_value |= report_block_has(block, row, g);
    }
    return FAL_OK;
}

/* A row that nobody has a value of goes. */
static void drop_row(report_block *block, size_t row)
{
    size_t groups = block->groups->count;
    for (size_t g = 0; g < groups; g++)
        report_curve_release(&block->curves[row * groups + g]);
    memmove(block->rows + row, block->rows + row + 1,
            (block->row_count - row - 1) * sizeof *block->rows);
    block->row_count--;
}

static fal_status make_curves(report_block *block)
{
    fal_status status = FAL_OK;
    block->curves = fal_allocate(block->row_count * block->groups->count,
                                 sizeof *block->curves);
    if (!block->curves)
        return FAL_ERROR_MEMORY;
    for (size_t row = 0; row < block->row_count && !status;) {
        int has_value;
        status = make_row(block, row, &has_value);
        if (!status && has_value)
            row++;
        else if (!status)
            drop_row(block, row);
    }
    return status;
}

/* ---- blocks -------------------------------------------------------------- */

fal_status report_block_of_figure(report_block *block, const report_groups *groups,
                                  const report_figure *figure)
{
    fal_status status = FAL_OK;
    *block = (report_block){.groups = groups,
                            .name = figure->title,
                            .title = figure->title,
                            .meaning = "",
                            .unit = figure->unit};
    for (size_t i = 0; i < REPORT_PARTS && !status; i++)
        status = add_row(block, (report_row){figure->fields[i].name, NULL,
                                             figure->fields[i].part,
                                             figure->fields[i].title});
    if (!status)
        status = make_curves(block);
    if (status)
        report_block_release(block);
    return status;
}

/* With one layer the total is that layer's. */
fal_status report_block_of_metric(report_block *block, const report_groups *groups,
                                  const report_metric *metric)
{
    *block = (report_block){.groups = groups,
                            .name = metric->name,
                            .title = metric->title,
                            .meaning = metric->meaning,
                            .unit = metric->unit};
    fal_status status = add_layers(block, metric, 0);
    if (!status && block->row_count != 1)
        status = add_layers(block, metric, 1);
    if (!status)
        status = make_curves(block);
    if (status)
        report_block_release(block);
    return status;
}

void report_block_release(report_block *block)
{
    size_t curves = block->row_count * block->groups->count;
    for (size_t i = 0; i < curves && block->curves; i++)
        report_curve_release(&block->curves[i]);
    fal_release(block->curves);
    fal_release(block->rows);
    block->curves = NULL;
    block->rows = NULL;
    block->row_count = 0;
}

const report_curve *report_block_curve(const report_block *block, size_t row,
                                       size_t group)
{
    return &block->curves[row * block->groups->count + group];
}

int report_block_has(const report_block *block, size_t row, size_t group)
{
    const report_curve *curve = report_block_curve(block, row, group);
    for (size_t i = 0; i < curve->count; i++)
        if (!isnan(curve->samples[i].mean))
            return 1;
    return 0;
}

/* ---- the axis ------------------------------------------------------------ */

enum { TICKS = 5 };

static void widen(report_range *range, const report_sample *sample)
{
    double around = isnan(sample->deviation) ? 0 : sample->deviation;
    if (isnan(sample->mean))
        return;
    range->low = fmin(range->low, sample->mean);
    range->high = fmax(range->high, sample->mean);
    range->band_low = fmin(range->band_low, sample->mean - around);
    range->band_high = fmax(range->band_high, sample->mean + around);
}

report_range report_block_range(const report_block *block, size_t first,
                                size_t count)
{
    report_range range = {INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (size_t row = first; row < first + count; row++)
        for (size_t g = 0; g < block->groups->count; g++) {
            const report_curve *curve = report_block_curve(block, row, g);
            for (size_t i = 0; i < curve->count; i++)
                widen(&range, &curve->samples[i]);
        }
    return range;
}

report_scale report_range_scale(const report_range *range, report_unit unit)
{
    double low = range->band_low, high = range->band_high;
    switch (unit) {
    case REPORT_COSINE:
        return report_scale_make(low < 0 ? floor(10 * fmax(-1, low)) / 10 : 0, 1,
                                 TICKS + 1, 0);
    case REPORT_RANK:
    case REPORT_PART:
    case REPORT_NUMBER:
        return report_scale_make(fmin(0, range->low), high, TICKS, 1);
    case REPORT_SHARE:
        return report_scale_make(fmax(0, low), fmin(1, high), TICKS, 1);
    case REPORT_SIZE:
        break;
    }
    if (range->low > 1e-100 && range->high > 30 * range->low)
        return report_scale_log(range->low, range->high, 1);
    return report_scale_make(low < 0.4 * high ? 0 : low, high, TICKS, 1);
}
