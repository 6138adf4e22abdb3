#include "cli/live.h"
#include "cli/bar.h"
#include "cli/output.h"

#include <math.h>
#include <time.h>

static const double update_pause = 0.1; /* between two updates of the live line */

double cli_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cli_live_begin(cli_live *live, const char *label, int silent)
{
    *live = (cli_live){.silent = silent,
                       .terminal = cli_is_terminal(),
                       .color = cli_wants_color(),
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

/* `current`: the epoch that is being trained, else the one just done. */
static void add_place(cli_line *line, const fal_progress *p, int current)
{
    uint64_t epoch = p->epoch + (current && p->epoch < p->epochs ? 1 : 0);
    if (p->epochs > 0)
        cli_line_add(line, "epoch %llu/%llu", (unsigned long long)epoch,
                     (unsigned long long)p->epochs);
    else
        cli_line_add(line, "step %llu/%llu", (unsigned long long)p->step,
                     (unsigned long long)p->steps);
}

/* The accuracy on data that are not trained on; with real targets the loss. */
static void add_held(cli_line *line, const char *name, double loss, double accuracy,
                     int digits)
{
    if (!isnan(accuracy))
        cli_line_add(line, "  %s %.*f%s%%", name, digits, 100 * accuracy,
                     digits > 1 ? " " : "");
    else if (!isnan(loss))
        cli_line_add(line, "  %s %.4f", name, loss);
}

static void add_figures(cli_line *line, const cli_live *live, const fal_progress *p)
{
    if (!isnan(live->loss))
        cli_line_add(line, "  loss %.4f", live->loss);
    if (!isnan(live->accuracy))
        cli_line_add(line, "  accuracy %.2f %%", 100 * live->accuracy);
    add_held(line, "validation", live->validation_loss, live->validation_accuracy,
             2);
    add_held(line, "test", live->test_loss, live->test_accuracy, 2);
    if (p->samples_per_second > 0)
        cli_line_add(line, "  %.0f samples/s", p->samples_per_second);
}

/* The same, so short that it fits 80 columns with the bar; `held`: of how many of
 * the two sets. */
static void add_short_figures(cli_line *line, const cli_live *live, int held)
{
    int validates = !isnan(live->validation_loss);
    if (!isnan(live->loss))
        cli_line_add(line, "  loss %.4f", live->loss);
    if (!isnan(live->accuracy))
        cli_line_add(line, "  acc %.1f%%", 100 * live->accuracy);
    if (held && validates)
        add_held(line, "val", live->validation_loss, live->validation_accuracy, 1);
    if (held > validates)
        add_held(line, "test", live->test_loss, live->test_accuracy, 1);
    if (live->speed > 0)
        cli_line_add(line, "  %.0f/s", live->speed);
}

static void add_time_left(cli_line *line, const cli_live *live,
                          const fal_progress *p)
{
    if (p->step <= live->first || p->steps <= p->step)
        return;
    double each = (cli_clock() - live->began) / (double)(p->step - live->first);
    cli_line_add_time(line, each * (double)(p->steps - p->step));
}

/* ---- the live line ------------------------------------------------------- */

static void compose(cli_line *line, const cli_live *live, const fal_progress *p,
                    int held)
{
    cli_line_clear(line);
    if (live->label)
        cli_line_add(line, "%s  ", live->label);
    add_place(line, p, 1);
    add_short_figures(line, live, held);
    add_time_left(line, live, p);
}

/* What is known of the test set is the first that gives way, then of the other. */
static void show_live(const cli_live *live, const fal_progress *p)
{
    cli_line line = cli_line_live();
    compose(&line, live, p, 2);
    for (int held = 1; held >= 0 && !line.whole; held--)
        compose(&line, live, p, held);
    cli_line_show(&line, live->color,
                  p->steps ? (double)p->step / (double)p->steps : 0);
}

static void show_plain(const cli_live *live, const fal_progress *p)
{
    cli_line line = cli_line_plain();
    if (live->label)
        cli_line_add(&line, "%-9s  ", live->label);
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
    } else if (now - live->updated >= update_pause && !cli_in_background()) {
        live->updated = now;
        show_live(live, progress);
    }
}
