#include "cli/live.h"
#include "cli/output.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR_LEAST = 4, BAR_MOST = 20, BAR_FRAME = 3, BAR_FROM = 39, LINE = 256 };

static const double update_pause = 0.1; /* between two updates of the live line */

double cli_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int is_terminal(void)
{
    const char *type = getenv("TERM");
    return isatty(STDOUT_FILENO) && type && *type && strcmp(type, "dumb") != 0;
}

/* There a live line would go through what is typed. */
static int in_background(void)
{
    pid_t group = tcgetpgrp(STDOUT_FILENO);
    return group > 0 && group != getpgrp();
}

static int wants_color(void)
{
    const char *no = getenv("NO_COLOR");
    return !(no && *no);
}

void cli_live_begin(cli_live *live, const char *label, int silent)
{
    *live = (cli_live){.silent = silent,
                       .terminal = is_terminal(),
                       .color = wants_color(),
                       .label = label,
                       .began = cli_clock(),
                       .loss = NAN,
                       .accuracy = NAN,
                       .validation_loss = NAN,
                       .validation_accuracy = NAN,
                       .test_loss = NAN,
                       .test_accuracy = NAN};
}

/* ---- parts of a line ----------------------------------------------------- */

struct line {
    char text[LINE];
    size_t used, most; /* characters, all of one column */
    int whole;         /* nothing was left out */
};

static void add(struct line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What does not fit is left out as a whole, the first part excepted. */
static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = line->most - line->used;
    char *end = line->text + line->used;
    size_t length = (size_t)vsnprintf(end, room + 1, format, arguments);
    va_end(arguments);
    line->whole &= length <= room;
    if (length <= room)
        line->used += length;
    else if (line->used == 0)
        line->used = room;
    line->text[line->used] = 0;
}

/* `current`: the epoch that is being trained, else the one just done. */
static void add_place(struct line *line, const fal_progress *p, int current)
{
    uint64_t epoch = p->epoch + (current && p->epoch < p->epochs ? 1 : 0);
    if (p->epochs > 0)
        add(line, "epoch %llu/%llu", (unsigned long long)epoch,
            (unsigned long long)p->epochs);
    else
        add(line, "step %llu/%llu", (unsigned long long)p->step,
            (unsigned long long)p->steps);
}

/* The accuracy on data that are not trained on; with real targets the loss. */
static void add_held(struct line *line, const char *name, double loss,
                     double accuracy, int digits)
{
    if (!isnan(accuracy))
        add(line, "  %s %.*f%s%%", name, digits, 100 * accuracy,
            digits > 1 ? " " : "");
    else if (!isnan(loss))
        add(line, "  %s %.4f", name, loss);
}

static void add_figures(struct line *line, const cli_live *live,
                        const fal_progress *p)
{
    if (!isnan(live->loss))
        add(line, "  loss %.4f", live->loss);
    if (!isnan(live->accuracy))
        add(line, "  accuracy %.2f %%", 100 * live->accuracy);
    add_held(line, "validation", live->validation_loss, live->validation_accuracy,
             2);
    add_held(line, "test", live->test_loss, live->test_accuracy, 2);
    if (p->samples_per_second > 0)
        add(line, "  %.0f samples/s", p->samples_per_second);
}

/* The same, so short that it fits 80 columns with the bar; `held`: of how many of
 * the two sets. */
static void add_short_figures(struct line *line, const cli_live *live, int held)
{
    int validates = !isnan(live->validation_loss);
    if (!isnan(live->loss))
        add(line, "  loss %.4f", live->loss);
    if (!isnan(live->accuracy))
        add(line, "  acc %.1f%%", 100 * live->accuracy);
    if (held && validates)
        add_held(line, "val", live->validation_loss, live->validation_accuracy, 1);
    if (held > validates)
        add_held(line, "test", live->test_loss, live->test_accuracy, 1);
    if (live->speed > 0)
        add(line, "  %.0f/s", live->speed);
}

static void add_time_left(struct line *line, const cli_live *live,
                          const fal_progress *p)
{
    if (p->step <= live->first || p->steps <= p->step)
        return;
    double each = (cli_clock() - live->began) / (double)(p->step - live->first);
    unsigned long left = (unsigned long)(each * (double)(p->steps - p->step) + .5);
    if (left >= 3600)
        add(line, "  %lu:%02lu:%02lu left", left / 3600, left / 60 % 60, left % 60);
    else
        add(line, "  %lu:%02lu left", left / 60, left % 60);
}

/* ---- the live line ------------------------------------------------------- */

/* One column stays free: some terminals wrap when the last one is filled. */
static size_t line_width(void)
{
    struct winsize size;
    size_t width = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    return width < LINE ? width - 1 : LINE - 1;
}

/* The bar takes what the text leaves. */
static void print_live(const cli_live *live, const struct line *line, size_t room,
                       double done)
{
    char bar[BAR_MOST + 1] = "";
    size_t size = room < BAR_MOST ? room : BAR_MOST;
    for (size_t i = 0; i < size; i++)
        bar[i] = (double)i + .5 < done * (double)size ? '#' : '.';
    cli_live_print("%s[%s]%s %s", live->color ? "\033[36m" : "", bar,
                   live->color ? "\033[0m" : "", line->text);
}

static void compose(struct line *line, const cli_live *live, const fal_progress *p,
                    int held)
{
    line->used = 0;
    line->whole = 1;
    if (live->label)
        add(line, "%s  ", live->label);
    add_place(line, p, 1);
    add_short_figures(line, live, held);
    add_time_left(line, live, p);
}

/* What is known of the test set is the first that gives way, then of the other. */
static void show_live(const cli_live *live, const fal_progress *p)
{
    size_t width = line_width();
    size_t kept = width < BAR_FROM ? 0 : BAR_LEAST + BAR_FRAME;
    struct line line = {.most = width - kept};
    for (int held = 2; held >= 0 && !line.whole; held--)
        compose(&line, live, p, held);
    if (kept)
        print_live(live, &line, width - line.used - BAR_FRAME,
                   p->steps ? (double)p->step / (double)p->steps : 0);
    else
        cli_live_print("%s", line.text);
}

static void show_plain(const cli_live *live, const fal_progress *p)
{
    struct line line = {.most = LINE - 1};
    if (live->label)
        add(&line, "%-9s  ", live->label);
    add_place(&line, p, 0);
    add_figures(&line, live, p);
    cli_print("%s\n", line.text);
}

void cli_live_show(cli_live *live, const fal_progress *progress)
{
    if (live->silent)
        return;
    if (progress->event == FAL_START) {
        live->began = cli_clock();
        live->first = progress->step;
    }
    int has_means = progress->event == FAL_LOG || progress->event == FAL_EPOCH;
    if (has_means && !isnan(progress->train_loss)) {
        live->loss = progress->train_loss;
        live->accuracy = progress->train_accuracy;
    }
    if (progress->samples_per_second > 0)
        live->speed = progress->samples_per_second;
    if (progress->event == FAL_EPOCH) {
        live->validation_loss = progress->validation_loss;
        live->validation_accuracy = progress->validation_accuracy;
        live->test_loss = progress->test_loss;
        live->test_accuracy = progress->test_accuracy;
    }
    double now = cli_clock();
    if (!live->terminal) {
        if (progress->event == FAL_EPOCH)
            show_plain(live, progress);
    } else if (now - live->updated >= update_pause && !in_background()) {
        live->updated = now;
        show_live(live, progress);
    }
}
