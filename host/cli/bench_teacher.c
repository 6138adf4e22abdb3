/* bench teacher: steps of students that learn online, with the drawing of samples. */
#include "analysis/simulation.h"
#include "cli/bench.h"

#include <string.h>

enum { STEPS = 2000 }; /* a repetition */

static fal_status advance(void *user)
{
    return fal_simulation_advance(user, STEPS);
}

/* Every run its own seeds */
static fal_status set_all(fal_simulation *simulation, const fal_teacher_student *is,
                          size_t runs)
{
    fal_status status = FAL_OK;
    for (size_t run = 0; run < runs && !status; run++) {
        fal_start start;
        status = fal_start_draw(&start, is, run + 1, run + 1, run + 1);
        if (status)
            break;
        status = fal_simulation_set(simulation, run, &start, run + 1);
        fal_start_release(&start);
    }
    return status;
}

/* Whether the error comes by feedback of its own. */
static fal_status read_rule(const char *rule, int *direct)
{
    *direct = strcmp(rule, "dfa") == 0;
    if (*direct || strcmp(rule, "bp") == 0)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "option --rule: bench teacher knows bp and dfa, not %.100s",
                    rule);
}

fal_status cli_bench_teacher(fal_device *device, const cli_options *options,
                             cli_teacher_figures *figures)
{
    const size_t runs = (size_t)cli_whole(options, CLI_LEARNERS);
    fal_teacher_student is = {.inputs = (size_t)cli_whole(options, CLI_INPUTS),
                              .students = (size_t)cli_whole(options, CLI_STUDENTS),
                              .teachers = (size_t)cli_whole(options, CLI_TEACHERS),
                              .rate = .2};
    fal_simulation *simulation = NULL;
    fal_status status = read_rule(cli_text(options, CLI_RULE_NAME), &is.direct);
    if (!status)
        status = fal_simulation_create(&simulation, device, &is, runs);
    if (!status)
        status = set_all(simulation, &is, runs);
    if (!status)
        status = fal_bench_time(device, advance, simulation, &figures->timing);
    fal_simulation_destroy(simulation);
    if (status)
        return status;
    double steps = (double)STEPS * (double)runs;
    figures->timing.ms /= steps;
    figures->timing.ms_p10 /= steps;
    figures->steps_per_second = 1e3 / figures->timing.ms;
    return FAL_OK;
}
