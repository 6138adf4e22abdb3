#include "reproduce/meter.h"
#include "cli/bar.h"
#include "cli/live.h"
#include "cli/output.h"

#include <math.h>

static const double update_pause = 0.1; /* between two updates of the live line */

void fal_meter_begin(fal_meter *meter, const fal_study *study, size_t finished,
                     int silent)
{
    *meter = (fal_meter){.silent = silent,
                         .terminal = cli_is_terminal(),
                         .color = cli_wants_color(),
                         .name = study->spec.name,
                         .began = cli_clock(),
                         .expected = fal_study_expected(study),
                         .parts = study->parts.count,
                         .finished = finished};
}

static double done(const fal_meter *meter)
{
    double share = meter->expected > 0
                       ? (meter->done + meter->under_way) / meter->expected
                       : 1;
    return fmin(share, 1);
}

/* By what the parts so far took of what was expected of them: nothing is said before
 * there is something to go by, for kernels are compiled first. */
static void add_time_left(cli_line *line, const fal_meter *meter)
{
    double share = done(meter), passed = cli_clock() - meter->began;
    if (share > .01 && share < 1 && passed > 1)
        cli_line_add_time(line, passed / share * (1 - share));
}

static void show_live(const fal_meter *meter, const char *key)
{
    cli_line line = cli_line_live();
    size_t part = meter->finished + (meter->finished < meter->parts ? 1 : 0);
    cli_line_add(&line, "%s  part %zu/%zu", meter->name, part, meter->parts);
    add_time_left(&line, meter);
    cli_line_add(&line, "  %s", key);
    cli_line_show(&line, meter->color, done(meter));
}

static void update(fal_meter *meter, const char *key)
{
    double now = cli_clock();
    if (!meter->terminal || now - meter->updated < update_pause ||
        cli_in_background())
        return;
    meter->updated = now;
    show_live(meter, key);
}

void fal_meter_move(fal_meter *meter, const char *key, double seconds)
{
    meter->under_way = seconds;
    if (!meter->silent)
        update(meter, key);
}

static void show_plain(const fal_meter *meter, const fal_part *part, double seconds)
{
    cli_line line = cli_line_plain();
    cli_line_add(&line, "part %zu/%zu  %s  %.1f s", meter->finished, meter->parts,
                 part->key, seconds);
    add_time_left(&line, meter);
    cli_print("%s\n", line.text);
}

void fal_meter_part(fal_meter *meter, const fal_part *part, double seconds)
{
    meter->done += part->seconds;
    meter->finished++;
    if (meter->silent)
        return;
    if (meter->terminal)
        update(meter, part->key);
    else
        show_plain(meter, part, seconds);
}
