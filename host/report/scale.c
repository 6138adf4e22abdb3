#include "report/scale.h"

#include <math.h>

/* The smallest of 1, 2, 5, 10 times a power of ten that is not below `step`. */
static double round_step(double step)
{
    static const double factors[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(step)));
    for (size_t i = 0; i < 4; i++)
        if (factors[i] * power >= step * (1 - 1e-9))
            return factors[i] * power;
    return 10 * power;
}

static void add_tick(report_scale *scale, double value)
{
    double slack = 1e-9 * (scale->log ? value : scale->high - scale->low);
    if (scale->tick_count < REPORT_TICKS && value >= scale->low - slack &&
        value <= scale->high + slack)
        scale->ticks[scale->tick_count++] = value;
}

/* Ticks are whole multiples of the step, so that 0 is 0. */
static void add_ticks(report_scale *scale, double step)
{
    double first = ceil(scale->low / step - 1e-9);
    for (int i = 0; i < REPORT_TICKS; i++) {
        double value = (first + i) * step;
        add_tick(scale, value == 0 ? 0 : value);
    }
}

report_scale report_scale_make(double low, double high, size_t wanted, int round)
{
    if (!(high - low > 1e-12 * (fabs(low) + fabs(high)))) {
        double apart = low == 0 ? 1 : 0.1 * fabs(low);
        low -= round ? apart : 0;
        high = low + (round ? 2 : 1) * apart;
    }
    double step = round_step((high - low) / (double)wanted);
    report_scale scale = {.low = low, .high = high, .to = 1};
    if (round) {
        scale.low = floor(low / step + 1e-9) * step;
        scale.high = ceil(high / step - 1e-9) * step;
    }
    add_ticks(&scale, step);
    return scale;
}

/* Every decade, with 2 and 5 between where there are few. */
report_scale report_scale_log(double low, double high, int round)
{
    double first = floor(log10(low) + 1e-9), last = ceil(log10(high) - 1e-9);
    if (last <= first)
        last = first + 1;
    double decades = last - first, every = ceil(decades / 6);
    report_scale scale = {
        .low = pow(10, first), .high = pow(10, last), .to = 1, .log = 1};
    if (!round && low < high) {
        scale.low = low;
        scale.high = high;
    }
    for (double d = first; d <= last; d += every) {
        add_tick(&scale, pow(10, d));
        if (decades <= 2 && d < last) {
            add_tick(&scale, 2 * pow(10, d));
            add_tick(&scale, 5 * pow(10, d));
        }
    }
    return scale;
}

double report_scale_at(const report_scale *scale, double value)
{
    double inside = fmin(fmax(value, scale->low), scale->high);
    double part = scale->log
                      ? log(inside / scale->low) / log(scale->high / scale->low)
                      : (inside - scale->low) / (scale->high - scale->low);
    return scale->from + part * (scale->to - scale->from);
}
