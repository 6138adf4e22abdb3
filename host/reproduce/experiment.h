/* What `falign reproduce` runs: a paper's experiment is a list of parts, each of one
 * setting and one seed, that stand alone and take seconds; when all are there it draws
 * its conclusions: figures, by which the claims of its experiment.yaml are judged, and
 * plots. Everything else is done here: progress, resuming, files, report, verdicts.
 *
 * To add one:
 *   experiments/NAME/experiment.yaml   settings and claims: docs/reproduce.md
 *   host/reproduce/NAME.c              const fal_experiment fal_experiment_NAME
 *   host/reproduce/experiments.c       a line in the table
 *   host/reproduce/meson.build         the C file, and NAME in the list of experiments
 *
 *     static fal_status list(fal_study *study, fal_parts *parts)
 *     {
 *         const double *widths;
 *         size_t count;
 *         fal_status status = fal_study_numbers(study, "widths", &widths, &count);
 *         for (size_t w = 0; w < count && !status; w++)
 *             for (uint64_t s = 0; s < fal_study_seeds(study) && !status; s++) {
 *                 fal_part part = {.setting = w, .seed = s, .seconds = .002 * widths[w]};
 *                 fal_part_name(&part, "width-%g-seed-%d", widths[w], (int)s);
 *                 status = fal_parts_add(parts, &part);
 *             }
 *         return status;
 *     }
 *
 *     static fal_status run(fal_study *study, const fal_part *part, cJSON *result)
 *     {
 *         …
 *         return fal_result_number(result, "gain", gain);
 *     }
 *
 *     static fal_status conclude(fal_study *study, fal_findings *findings)
 *     {
 *         return fal_findings_collect(findings, study, "gain-200", 0, 0, "gain");
 *     }
 */
#ifndef REPRODUCE_EXPERIMENT_H
#define REPRODUCE_EXPERIMENT_H

#include "falign.h"

#include <cjson/cJSON.h>

/* How much is run: what tests can afford; what a reader waits for; what the paper
 * did. */
typedef enum fal_scale {
    FAL_SCALE_TINY,
    FAL_SCALE_QUICK,
    FAL_SCALE_FULL
} fal_scale;

enum { FAL_SCALES = 3, FAL_PART_KEY = 96 };

/* One experiment being run, at one scale. */
typedef struct fal_study fal_study;
typedef struct fal_parts fal_parts;
typedef struct fal_findings fal_findings;

typedef struct fal_part {
    char key[FAL_PART_KEY]; /* its own: a to z, 0 to 9, '.', '-' and '_'; names the
                             * file of its result */
    double seconds;         /* expected on one quiet core of the README's machine */
    int kind;               /* these three are the experiment's own */
    size_t setting;
    uint64_t seed;
    int data; /* 1: needs the data set; where that is missing the part is not run */
} fal_part;

typedef struct fal_experiment {
    const char *name; /* as its folder */

    /* The parts of the study's scale, in the order to run them: the slowest first ends
     * soonest where several run at a time. It may ask for settings only. */
    fal_status (*list)(fal_study *study, fal_parts *parts);

    /* Runs one; `result` is an empty object to fill, and must follow from the part, the
     * settings and the device alone: no time, no earlier part. */
    fal_status (*run)(fal_study *study, const fal_part *part, cJSON *result);

    /* Figures and plots, from the results of the parts. */
    fal_status (*conclude)(fal_study *study, fal_findings *findings);

    int on_device;    /* 1: its parts use the device */
    const char *text; /* of its experiment.yaml; NULL: what the program has of it */
} fal_experiment;

/* ---- the study, as parts see it ------------------------------------------ */

fal_scale fal_study_scale(const fal_study *study);

/* --seeds, or the setting `seeds`. Parts use 0 to seeds - 1 as they like. */
uint64_t fal_study_seeds(const fal_study *study);

/* A setting by name: that of the scale, else of all scales. What is given out stays the
 * study's. Errors: FORMAT (not there, not of that kind; names file and line). */
fal_status fal_study_number(fal_study *study, const char *name, double *value);
fal_status fal_study_numbers(fal_study *study, const char *name,
                             const double **values, size_t *count);
fal_status fal_study_text(fal_study *study, const char *name, const char **text);
fal_status fal_study_texts(fal_study *study, const char *name,
                           const char *const **texts, size_t *count);

/* Opened when it is first asked for, and the study's. Parts leave nothing on it. */
fal_status fal_study_device(fal_study *study, fal_device **device);

/* A split of the data set: --data, else the experiment's own. The study's. */
fal_status fal_study_dataset(fal_study *study, fal_split split,
                             const fal_dataset **dataset);

/* 1: Ctrl-C came. The part then returns early, with FAL_OK or FAL_STOPPED, and is not
 * kept. Ask it often: several times a second. */
int fal_study_stopped(const fal_study *study);

/* How much of the part is done, 0 to 1; costs little. */
void fal_study_progress(fal_study *study, double share);

/* For fal_trainer_fit: both of these, with the study as `user`. */
int fal_study_on_progress(const fal_progress *progress, void *study);

/* ---- parts and their results --------------------------------------------- */

void fal_part_name(fal_part *part, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Errors: ARGUMENT (a key that is there already, or is no key), MEMORY. */
fal_status fal_parts_add(fal_parts *parts, const fal_part *part);

/* Members of a result; NAN becomes null. Errors: MEMORY. */
fal_status fal_result_number(cJSON *result, const char *name, double value);
fal_status fal_result_numbers(cJSON *result, const char *name, const double *values,
                              size_t count);

/* The result of a part; NULL: it was not run, its data set is missing. */
const cJSON *fal_study_part(const fal_study *study, const char *key);

/* All parts in their order. */
size_t fal_study_part_count(const fal_study *study);
const fal_part *fal_study_part_at(const fal_study *study, size_t index,
                                  const cJSON **result);

/* Number `member` of the results of all parts of a kind and setting, in the order of
 * the parts: one a seed. NAN where it is null. *values is for fal_release; *count may
 * be 0. Errors: FORMAT (a result has no such number), MEMORY. */
fal_status fal_study_values(const fal_study *study, int kind, size_t setting,
                            const char *member, double **values, size_t *count);

/* The same of an array of numbers: *values is [*seeds][*count], by parts; all have one
 * length. */
fal_status fal_study_lists(const fal_study *study, int kind, size_t setting,
                           const char *member, double **values, size_t *seeds,
                           size_t *count);

/* ---- findings ------------------------------------------------------------ */

/* A figure is a value a seed; mean, deviation, standard error and n come from them. It
 * stands in results.json under its name, and claims judge it by that. NAN: no value for
 * that seed. count 0: nobody ran it, and so are its claims "not run". Errors: ARGUMENT
 * (the name is taken), MEMORY. */
fal_status fal_findings_figure(fal_findings *findings, const char *name,
                               const double *values, size_t count);

/* The same, of the number `member` of all parts of a kind and setting. */
fal_status fal_findings_collect(fal_findings *findings, const fal_study *study,
                                const char *name, int kind, size_t setting,
                                const char *member);

/* Lines of the report's plots; all arrays are copied. */
typedef struct fal_series {
    const char *name;
    const double *x; /* [count] */
    size_t count;
    const double
        *y; /* [seeds][count]; NAN: no value. Drawn as the line of the mean,
                      * within a band of one deviation to either side */
    size_t seeds;
    int points; /* 1: each value by itself, no line and no band */
} fal_series;

typedef struct fal_plot {
    const char
        *section;      /* heading that it stands under; plots of one section follow
                          * each other. NULL: that of the plot before */
    const char *title; /* what is seen, a few words */
    const char *caption; /* a sentence or two below it; may be NULL */
    const char *x_label, *y_label;
    int log_x, log_y; /* what is not positive is then left out */
    const fal_series *series;
    size_t series_count;
    double low, high; /* of the y axis; both 0: from the values */
} fal_plot;

/* Series without a value are left out, and a plot without series. Errors: MEMORY. */
fal_status fal_findings_plot(fal_findings *findings, const fal_plot *plot);

/* A remark above the report's plots: what did not show, what was left out. */
fal_status fal_findings_note(fal_findings *findings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
