#include "report/plot.h"
#include "report/html.h"

#include <math.h>
#include <string.h>

enum {
    WIDTH = 360,
    HEIGHT = 214,
    LEFT = 44,
    NAMES = 70, /* kept for names at the lines' ends */
    MARGIN = 14,
    TOP = 10,
    BOTTOM = HEIGHT - 34,
    MARKS = 6, /* of a line of many samples */
    LABEL_APART = 12,
    LINES = 24 /* of which the names are kept apart */
};

static int right_of(const report_plot *plot)
{
    return WIDTH - (plot->unnamed ? MARGIN : NAMES);
}

/* ---- styles -------------------------------------------------------------- */

static const char *const dashes[] = {"",    "7 3",  "2 3",    "9 3 2 3",
                                     "4 2", "12 4", "2 2 6 2"};
enum { COLORS = 7, DASHES = sizeof dashes / sizeof *dashes };

/* Around 0, 0. */
static const char *const marks[] = {
    "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z", "M-2.7-2.7h5.4v5.4h-5.4z",
    "M0-3.6L3.4 2.6h-6.8z", "M0-3.8L3.8 0L0 3.8L-3.8 0z", "M0 3.6L3.4-2.6h-6.8z"};
enum { MARK_KINDS = sizeof marks / sizeof *marks };

static void print_stroke(FILE *out, size_t style)
{
    const char *dash = dashes[style % DASHES];
    if (*dash)
        fprintf(out, " stroke-dasharray=\"%s\"", dash);
}

/* After a round of the kinds they are hollow. */
static void print_mark(FILE *out, size_t style, double x, double y)
{
    fprintf(out, "<path class=\"%s\" transform=\"translate(%.1f %.1f)\" d=\"%s\"/>",
            style / MARK_KINDS % 2 ? "mark hollow" : "mark", x, y,
            marks[style % MARK_KINDS]);
}

void report_key_print(FILE *out, size_t style)
{
    fprintf(out,
            "<svg class=\"key c%zu\" viewBox=\"0 0 36 12\" aria-hidden=\"true\">"
            "<path class=\"line\"",
            style % COLORS);
    print_stroke(out, style);
    fputs(" d=\"M1 6H35\"/>", out);
    print_mark(out, style, 18, 6);
    fputs("</svg>", out);
}

/* ---- axes ---------------------------------------------------------------- */

/* As "%.6g", with "1e-5" for "1e-05". */
static void print_tick(FILE *out, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", value);
    char *power = strpbrk(text, "e");
    char *zero = power ? power + 1 + (power[1] == '-' || power[1] == '+') : NULL;
    fprintf(out, "%.*s", power ? (int)(power - text) : (int)strlen(text), text);
    if (power)
        fprintf(out, "e%s%s", power[1] == '-' ? "-" : "", zero + strspn(zero, "0"));
}

static void print_value_axis(FILE *out, const report_plot *plot)
{
    const report_scale *y = &plot->values;
    int percent = plot->unit == REPORT_SHARE || plot->unit == REPORT_PART;
    for (size_t i = 0; i < y->tick_count; i++) {
        double at = report_scale_at(y, y->ticks[i]);
        fprintf(out,
                "<path class=\"grid\" d=\"M%d %.1fH%d\"/>"
                "<text class=\"tick\" x=\"%d\" y=\"%.1f\">",
                LEFT, at, right_of(plot), LEFT - 6, at + 3.5);
        print_tick(out, percent ? 100 * y->ticks[i] : y->ticks[i]);
        fputs(percent ? "%</text>" : "</text>", out);
    }
}

static void print_time_axis(FILE *out, const report_plot *plot,
                            const report_scale *x)
{
    fprintf(out, "<path class=\"axis\" d=\"M%d %dH%d", LEFT, BOTTOM,
            right_of(plot));
    for (size_t i = 0; i < x->tick_count; i++)
        fprintf(out, "M%.1f %dv4", report_scale_at(x, x->ticks[i]), BOTTOM);
    fputs("\"/>", out);
    for (size_t i = 0; i < x->tick_count; i++) {
        fprintf(out, "<text class=\"time\" x=\"%.1f\" y=\"%d\">",
                report_scale_at(x, x->ticks[i]), BOTTOM + 16);
        print_tick(out, x->ticks[i]);
        fputs("</text>", out);
    }
    if (plot->groups) {
        fprintf(out, "<text class=\"name\" x=\"%d\" y=\"%d\">%s</text>",
                right_of(plot) + 8, BOTTOM + 16,
                plot->groups->in_epochs ? "epoch" : "step");
        return;
    }
    fprintf(out, "<text class=\"time\" x=\"%d\" y=\"%d\">",
            (LEFT + right_of(plot)) / 2, HEIGHT - 4);
    report_text(out, plot->places_name);
    fputs("</text>", out);
}

/* ---- a line -------------------------------------------------------------- */

static int has_value(const report_curve *curve, size_t i)
{
    return i < curve->count && !isnan(curve->samples[i].mean);
}

/* Between gaps of the curve: the line of means. */
static void print_path(FILE *out, const report_plot *plot, const report_scale *x,
                       const report_line *line)
{
    const report_curve *curve = &line->curve;
    fputs("<path class=\"line\"", out);
    print_stroke(out, line->style);
    fputs(" d=\"", out);
    for (size_t i = 0; i < curve->count; i++)
        if (has_value(curve, i))
            fprintf(out, "%s%.1f %.1f", i && has_value(curve, i - 1) ? "L" : "M",
                    report_scale_at(x, curve->samples[i].time),
                    report_scale_at(&plot->values, curve->samples[i].mean));
    fputs("\"/>", out);
}

static int has_spread(const report_curve *curve, size_t i)
{
    return i < curve->count && !isnan(curve->samples[i].deviation);
}

/* One piece of the band: forth along its upper side, back along the lower. A sample
 * alone is as wide as a stroke. */
static void print_piece(FILE *out, const report_plot *plot, const report_scale *x,
                        const report_sample *samples, size_t count)
{
    double wide = count == 1 ? 1.5 : 0;
    for (size_t k = 0; k < 2 * count; k++) {
        int upper = k < count;
        const report_sample *s = &samples[upper ? k : 2 * count - 1 - k];
        double edge = upper ? s->mean + s->deviation
                            : report_lower_edge(s, plot->values.log);
        double at = report_scale_at(x, s->time);
        fprintf(out, "%s%.1f %.1f", k ? "L" : "M", upper ? at - wide : at + wide,
                report_scale_at(&plot->values, edge));
        if (wide > 0)
            fprintf(out, "h%.1f", upper ? 2 * wide : -2 * wide);
    }
    fputs("z", out);
}

static void print_band(FILE *out, const report_plot *plot, const report_scale *x,
                       const report_curve *curve)
{
    int begun = 0;
    for (size_t i = 0, to; i<curve->count; i = to> i ? to : i + 1) {
        for (to = i; has_spread(curve, to);)
            to++;
        if (to == i)
            continue;
        fputs(begun++ ? "" : "<path class=\"band\" d=\"", out);
        print_piece(out, plot, x, curve->samples + i, to - i);
    }
    fputs(begun ? "\"/>" : "", out);
}

/* Points are marked all; of lines few samples each; of many some, beginning elsewhere for each line, and
 * those that stand alone. */
static int is_marked(const report_curve *curve, size_t i, size_t style)
{
    size_t every = (curve->count + 2 * MARKS - 1) / (2 * MARKS);
    int alone = !(i > 0 && has_value(curve, i - 1)) && !has_value(curve, i + 1);
    every = every > 1 ? 2 * every : 1;
    return has_value(curve, i) && (alone || (i + style) % every == 0);
}

static void print_marks(FILE *out, const report_plot *plot, const report_scale *x,
                        const report_line *line)
{
    const report_curve *curve = &line->curve;
    for (size_t i = 0; i < curve->count; i++)
        if (line->points ? has_value(curve, i) : is_marked(curve, i, line->style))
            print_mark(out, line->style, report_scale_at(x, curve->samples[i].time),
                       report_scale_at(&plot->values, curve->samples[i].mean));
}

/* ---- what the script reads ----------------------------------------------- */

static void print_number(FILE *out, size_t i, const char *format, double value)
{
    fputs(i ? "," : "", out);
    if (!isnan(value))
        fprintf(out, format, value);
}

/* Times of an axis of time follow from the steps. */
static void print_steps(FILE *out, const report_plot *plot, const report_line *line)
{
    const report_curve *curve = &line->curve;
    fprintf(out, " data-end=\"%.6g\" data-step=\"",
            plot->groups->in_epochs
                ? plot->groups->end * (double)line->group->epoch_steps
                : plot->groups->end);
    for (size_t i = 0; i < curve->count; i++)
        print_number(out, i, "%.0f", (double)curve->samples[i].step);
    if (plot->groups->in_epochs)
        fprintf(out, "\" data-epoch=\"%llu",
                (unsigned long long)line->group->epoch_steps);
    fputs("\"", out);
}

static void print_places(FILE *out, const report_scale *x,
                         const report_curve *curve)
{
    fputs(" data-place=\"", out);
    for (size_t i = 0; i < curve->count; i++)
        print_number(out, i, "%.6g", curve->samples[i].time);
    fputs("\" data-at=\"", out);
    for (size_t i = 0; i < curve->count; i++)
        print_number(out, i, "%.1f", report_scale_at(x, curve->samples[i].time));
    fputs("\"", out);
}

static void print_values(FILE *out, const report_line *line)
{
    const report_curve *curve = &line->curve;
    int spread = line->group ? line->group->count > 1 : !line->points;
    fputs(" data-value=\"", out);
    for (size_t i = 0; i < curve->count; i++)
        print_number(out, i, "%.6g", curve->samples[i].mean);
    fputs("\" data-spread=\"", out);
    for (size_t i = 0; i < curve->count && spread; i++)
        print_number(out, i, "%.3g", curve->samples[i].deviation);
    fputs("\"", out);
}

static void print_data(FILE *out, const report_plot *plot, const report_scale *x,
                       const report_line *line)
{
    fputs(" data-name=\"", out);
    report_text(out, line->label);
    fputs("\"", out);
    if (plot->groups)
        print_steps(out, plot, line);
    else
        print_places(out, x, &line->curve);
    print_values(out, line);
}

static void print_line(FILE *out, const report_plot *plot, const report_scale *x,
                       const report_line *line)
{
    fprintf(out, "<g class=\"curve c%zu\"", line->style % COLORS);
    print_data(out, plot, x, line);
    fputs(">", out);
    if (!line->points) {
        print_band(out, plot, x, &line->curve);
        print_path(out, plot, x, line);
    }
    print_marks(out, plot, x, line);
    fputs("</g>\n", out);
}

/* ---- names at the lines' ends -------------------------------------------- */

struct label {
    const report_line *line;
    double x, y, at; /* the line's end; where the name stands */
};

static int find_label(const report_plot *plot, const report_scale *x, size_t line,
                      struct label *label)
{
    const report_curve *curve = &plot->lines[line].curve;
    for (size_t i = curve->count; i-- > 0;)
        if (has_value(curve, i)) {
            double y = report_scale_at(&plot->values, curve->samples[i].mean);
            *label = (struct label){&plot->lines[line],
                                    report_scale_at(x, curve->samples[i].time), y,
                                    y};
            return 1;
        }
    return 0;
}

/* Ascending by place; lines of one place keep their order. */
static void insert(struct label *labels, size_t count, struct label label)
{
    size_t at = count;
    for (; at > 0 && labels[at - 1].y > label.y; at--)
        labels[at] = labels[at - 1];
    labels[at] = label;
}

static void move_apart(struct label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double least = i ? labels[i - 1].at + LABEL_APART : TOP + 2;
        labels[i].at = fmax(labels[i].at, least);
    }
    for (size_t i = count; i-- > 0;) {
        double most = i + 1 < count ? labels[i + 1].at - LABEL_APART : BOTTOM;
        labels[i].at = fmin(labels[i].at, most);
    }
}

static void print_label(FILE *out, const report_plot *plot,
                        const struct label *label)
{
    size_t color = label->line->style % COLORS;
    if (fabs(label->at - label->y) > 2 || label->x < right_of(plot) - 2)
        fprintf(out, "<path class=\"lead c%zu\" d=\"M%.1f %.1fL%d %.1f\"/>", color,
                fmax(label->x + 4, right_of(plot) + 1), label->y,
                right_of(plot) + 9, label->at);
    fprintf(out, "<text class=\"label c%zu\" x=\"%d\" y=\"%.1f\">", color,
            right_of(plot) + 11, label->at + 3.5);
    report_short_text(out, label->line->label, REPORT_LABEL_SHOWN);
    fputs("</text>", out);
}

static void print_labels(FILE *out, const report_plot *plot, const report_scale *x)
{
    struct label labels[LINES], label;
    size_t count = 0;
    for (size_t i = 0; i < plot->line_count && count < LINES; i++)
        if (find_label(plot, x, i, &label))
            insert(labels, count++, label);
    move_apart(labels, count);
    for (size_t i = 0; i < count; i++)
        print_label(out, plot, &labels[i]);
}

/* ---- all ----------------------------------------------------------------- */

static const char *unit_name(report_unit unit)
{
    return unit == REPORT_SHARE || unit == REPORT_PART ? "percent" : "number";
}

static void print_svg(FILE *out, const report_plot *plot, const report_scale *x)
{
    fprintf(out,
            "<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" "
            "data-unit=\"%s\" data-box=\"%d,%d,%d,%d\" data-name=\"",
            WIDTH, HEIGHT, unit_name(plot->unit), LEFT, right_of(plot), TOP,
            BOTTOM);
    report_text(out, plot->groups ? "" : plot->places_name);
    fputs("\" aria-label=\"", out);
    report_text(out, plot->about);
    fputs(": ", out);
    report_text(out, plot->title);
    fputs("\">", out);
    print_value_axis(out, plot);
    print_time_axis(out, plot, x);
    fputs("\n", out);
    for (size_t i = 0; i < plot->line_count; i++)
        print_line(out, plot, x, &plot->lines[i]);
    if (!plot->unnamed)
        print_labels(out, plot, x);
    fputs("</svg>", out);
}

void report_plot_print(FILE *out, const report_plot *plot)
{
    report_plot shown = *plot;
    report_scale x = plot->groups ? report_scale_make(0, plot->groups->end, 5, 0)
                                  : plot->places;
    x.from = LEFT;
    x.to = right_of(plot);
    shown.values.from = BOTTOM;
    shown.values.to = TOP;
    fputs("<figure><figcaption>", out);
    report_text(out, plot->title);
    if (plot->subtitle) {
        fputs("<span>", out);
        report_text(out, plot->subtitle);
        fputs("</span>", out);
    }
    fputs("</figcaption>", out);
    print_svg(out, &shown, &x);
    fputs("</figure>\n", out);
}
