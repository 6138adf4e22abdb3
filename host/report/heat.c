#include "report/heat.h"
#include "report/html.h"

#include <math.h>

enum {
    WIDTH = 360,
    LEFT = 66,
    COLUMNS = 8, /* times that are shown */
    CELL = 22,   /* high */
    BASE = 14,   /* of the text in it */
    BELOW = 22,
    NAME_SHOWN = 11
};

/* ---- shades -------------------------------------------------------------- */

/* Each is darker than the one before, also where it is printed without color. */
static const unsigned char shades[][3] = {{247, 251, 255}, {208, 225, 242},
                                          {148, 196, 223}, {74, 152, 201},
                                          {23, 100, 171},  {8, 48, 107}};
enum { SHADES = sizeof shades / sizeof *shades };

/* `part`: 0 the lightest, 1 the darkest. */
static void print_shade(FILE *out, double part)
{
    double at = fmin(fmax(part, 0), 1) * (SHADES - 1);
    size_t below = at < SHADES - 1 ? (size_t)at : SHADES - 2;
    fputs("#", out);
    for (int c = 0; c < 3; c++) {
        double from = shades[below][c], to = shades[below + 1][c];
        fprintf(out, "%02x",
                (unsigned)lround(from + (at - (double)below) * (to - from)));
    }
}

static const char *ink(double part)
{
    return part > 0.68 ? "light" : "dark";
}

/* ---- times --------------------------------------------------------------- */

struct map {
    const report_block *block;
    size_t group;
    double low, high;
    const report_sample *times[COLUMNS];
    size_t count;
};

/* The row with most samples has all times, as a measurement is of all layers. */
static const report_curve *longest(const report_block *block, size_t group)
{
    const report_curve *best = report_block_curve(block, 0, group);
    for (size_t row = 1; row < block->row_count; row++)
        if (report_block_curve(block, row, group)->count > best->count)
            best = report_block_curve(block, row, group);
    return best;
}

static void choose_times(struct map *map)
{
    const report_curve *curve = longest(map->block, map->group);
    map->count = curve->count < COLUMNS ? curve->count : COLUMNS;
    for (size_t i = 0; i < map->count; i++) {
        size_t at = map->count > 1 ? (2 * i * (curve->count - 1) + map->count - 1) /
                                         (2 * (map->count - 1))
                                   : 0;
        map->times[i] = &curve->samples[at];
    }
}

/* ---- cells --------------------------------------------------------------- */

static void print_hint(FILE *out, const struct map *map, const report_row *row,
                       const report_sample *time, double value)
{
    fputs("<title>", out);
    report_text(out, row->title);
    if (map->block->groups->in_epochs)
        fprintf(out, ", epoch %.4g", time->time);
    fprintf(out, ", step %llu: ", (unsigned long long)time->step);
    report_value(out, map->block->unit, value);
    fputs("</title>", out);
}

static void print_box(FILE *out, const struct map *map, size_t column, double value)
{
    double wide = (double)(WIDTH - LEFT) / (double)map->count;
    double part = (value - map->low) / (map->high - map->low);
    double left = LEFT + wide * (double)column;
    char text[32];
    report_cell(text, map->block->unit, value);
    fprintf(out, "<path class=\"cell\" d=\"M%.1f 0h%.1fv%dh%.1fz\" fill=\"", left,
            wide - 1, CELL - 1, 1 - wide);
    if (isnan(value))
        fputs("none", out);
    else
        print_shade(out, part);
    fprintf(out, "\"/><text class=\"%s\" x=\"%.1f\" y=\"%d\">%s</text>",
            isnan(value) ? "none" : ink(part), left + (wide - 1) / 2, BASE, text);
}

static void print_row(FILE *out, const struct map *map, size_t row, size_t top)
{
    const report_curve *curve = report_block_curve(map->block, row, map->group);
    fprintf(out,
            "<g transform=\"translate(0 %zu)\"><text class=\"row\" x=\"%d\" "
            "y=\"%d\">",
            top, LEFT - 6, BASE);
    report_short_text(out, map->block->rows[row].title, NAME_SHOWN);
    fputs("</text>", out);
    for (size_t column = 0; column < map->count; column++) {
        const report_sample *time = map->times[column];
        const report_sample *sample = report_curve_at(curve, time->step);
        double value = sample ? sample->mean : NAN;
        fputs("<g>", out);
        print_box(out, map, column, value);
        print_hint(out, map, &map->block->rows[row], time, value);
        fputs("</g>", out);
    }
    fputs("</g>\n", out);
}

static void print_times(FILE *out, const struct map *map, size_t top)
{
    double wide = (double)(WIDTH - LEFT) / (double)map->count;
    int digits = map->block->groups->in_epochs ? 3 : 7;
    for (size_t i = 0; i < map->count; i++)
        fprintf(out, "<text class=\"time\" x=\"%.1f\" y=\"%zu\">%.*g</text>",
                LEFT + wide * ((double)i + 0.5), top + BASE, digits,
                map->times[i]->time);
    fprintf(out, "<text class=\"row\" x=\"%d\" y=\"%zu\">%s</text>", LEFT - 6,
            top + BASE, map->block->groups->in_epochs ? "epoch" : "step");
}

/* Layers that another network has are not shown. */
static void print_rows(FILE *out, const struct map *map)
{
    size_t top = 0;
    for (size_t row = 0; row < map->block->row_count; row++)
        if (report_block_has(map->block, row, map->group)) {
            print_row(out, map, row, top);
            top += CELL;
        }
    print_times(out, map, top);
}

void report_heat_print(FILE *out, const report_block *block, size_t group,
                       double low, double high)
{
    struct map map = {.block = block, .group = group, .low = low, .high = high};
    size_t rows = 0;
    for (size_t row = 0; row < block->row_count; row++)
        rows += report_block_has(block, row, group) ? 1 : 0;
    if (rows == 0)
        return;
    choose_times(&map);
    fputs("<figure><figcaption>", out);
    report_text(out, block->groups->list[group].label);
    fprintf(out,
            "</figcaption><svg class=\"heat\" viewBox=\"0 0 %d %zu\" role=\"img\" "
            "aria-label=\"",
            WIDTH, rows * CELL + BELOW);
    report_text(out, block->title);
    fputs(", layers by time: ", out);
    report_text(out, block->groups->list[group].label);
    fputs("\">\n", out);
    print_rows(out, &map);
    fputs("</svg></figure>\n", out);
}

/* ---- the key ------------------------------------------------------------- */

void report_shades_print(FILE *out, report_unit unit, double low, double high)
{
    enum { BOXES = 6, BOX = 34 };
    fprintf(out,
            "<svg class=\"shades\" viewBox=\"0 0 %d 20\" aria-hidden=\"true\">",
            BOXES * BOX);
    for (int i = 0; i < BOXES; i++) {
        double part = i / (BOXES - 1.0);
        char text[32];
        report_cell(text, unit, low + part * (high - low));
        fprintf(out, "<path class=\"cell\" d=\"M%d 0h%dv20h-%dz\" fill=\"", i * BOX,
                BOX - 1, BOX - 1);
        print_shade(out, part);
        fprintf(out, "\"/><text class=\"%s\" x=\"%.1f\" y=\"14\">%s</text>",
                ink(part), i * BOX + BOX / 2.0 - 0.5, text);
    }
    fputs("</svg>", out);
}
