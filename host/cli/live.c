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

enum { BAR_LEAST = 4, BAR_MOST = 20, LINE = 512 };

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
    return isatty(STDOUT_FILENO) && !(type && strcmp(type, "dumb") == 0);
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
                       .test_accuracy = NAN};
}

/* ---- parts of a line ----------------------------------------------------- */

struct line {
    char text[LINE];
    size_t used;
};

static void add(struct line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof line->text - line->used;
    int length = vsnprintf(line->text + line->used, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        line->used += (size_t)length < room ? (size_t)length : room - 1;
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

static void add_figures(struct line *line, const cli_live *live,
                        const fal_progress *p)
{
    if (!isnan(live->loss))
        add(line, "  loss %.4f  accuracy %.2f %%", live->loss,
            100 * live->accuracy);
    if (!isnan(live->test_accuracy))
        add(line, "  test %.2f %%", 100 * live->test_accuracy);
    if (p->samples_per_second > 0)
        add(line, "  %.0f samples/s", p->samples_per_second);
}

/* The same, so short that it fits 80 columns with the bar. */
static void add_short_figures(struct line *line, const cli_live *live)
{
    if (!isnan(live->loss))
        add(line, "  loss %.4f  acc %.1f%%", live->loss, 100 * live->accuracy);
    if (!isnan(live->test_accuracy))
        add(line, "  test %.1f%%", 100 * live->test_accuracy);
    if (live->speed > 0)
        add(line, "  %.0f/s", live->speed);
}

static void add_time_left(struct line *line, const cli_live *live,
                          const fal_progress *p)
{
    if (p->step == 0 || p->steps <= p->step)
        return;
    double each = (cli_clock() - live->began) / (double)p->step;
    unsigned long left = (unsigned long)(each * (double)(p->steps - p->step) + .5);
    if (left >= 3600)
        add(line, "  %lu:%02lu:%02lu left", left / 3600, left / 60 % 60, left % 60);
    else
        add(line, "  %lu:%02lu left", left / 60, left % 60);
}

/* ---- the live line ------------------------------------------------------- */

static size_t terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* The bar takes what the text leaves. One column stays free: some terminals wrap
 * when the last one is filled. */
static void print_live(const cli_live *live, const char *text, double done)
{
    char bar[BAR_MOST + 1] = "";
    int width = (int)terminal_width() - 1;
    int size = width - 3 - (int)strlen(text);
    size = size < BAR_LEAST ? BAR_LEAST : size > BAR_MOST ? BAR_MOST : size;
    for (int i = 0; i < size; i++)
        bar[i] = i < (int)(done * size + .5) ? '#' : '.';
    if (width < size + 3)
        cli_print("\r%.*s\033[K", width, text);
    else
        cli_print("\r%s[%s]%s %.*s\033[K", live->color ? "\033[36m" : "", bar,
                  live->color ? "\033[0m" : "", width - size - 3, text);
}

static void show_live(cli_live *live, const fal_progress *p)
{
    struct line line = {.used = 0};
    if (live->label)
        add(&line, "%s  ", live->label);
    add_place(&line, p, 1);
    add_short_figures(&line, live);
    add_time_left(&line, live, p);
    print_live(live, line.text, p->steps ? (double)p->step / (double)p->steps : 0);
    live->shown = 1;
}

static void show_plain(const cli_live *live, const fal_progress *p)
{
    struct line line = {.used = 0};
    if (live->label)
        add(&line, "%s  ", live->label);
    add_place(&line, p, 0);
    add_figures(&line, live, p);
    cli_print("%s\n", line.text);
}

void cli_live_show(cli_live *live, const fal_progress *progress)
{
    if (live->silent)
        return;
    if (progress->event == FAL_START)
        live->began = cli_clock();
    if (progress->event == FAL_LOG || progress->event == FAL_EPOCH) {
        live->loss = progress->train_loss;
        live->accuracy = progress->train_accuracy;
    }
    if (progress->samples_per_second > 0)
        live->speed = progress->samples_per_second;
    if (progress->event == FAL_EPOCH)
        live->test_accuracy = progress->test_accuracy;
    double now = cli_clock();
    if (live->terminal && now - live->updated >= update_pause) {
        live->updated = now;
        show_live(live, progress);
    } else if (!live->terminal && progress->event == FAL_EPOCH) {
        show_plain(live, progress);
    }
}

void cli_live_end(cli_live *live)
{
    if (live->shown)
        cli_print("\r\033[K");
    live->shown = 0;
}
