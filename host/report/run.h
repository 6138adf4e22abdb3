/* One run's folder, read by its file formats: the options of config.yaml and the lines
 * of metrics.jsonl as series over steps. */
#ifndef REPORT_RUN_H
#define REPORT_RUN_H

#include "report/list.h"

typedef struct report_point {
    uint64_t step;
    double value; /* NAN: null in the file */
} report_point;

/* A field of the lines of one type; steps ascend. */
typedef struct report_series {
    char *name;  /* "train_loss", "effective_rank.carried" */
    char *layer; /* of a metric: "dense1", "total"; NULL: a number of the line */
    int epoch;   /* 1: of lines of type epoch; metrics: 0 */
    report_point *points;
    size_t count;
} report_series;

typedef struct report_setting {
    char *key;
    char *text; /* NULL: null */
} report_setting;

typedef struct report_run {
    char *folder; /* as given */
    char *config; /* the text of config.yaml */
    report_setting *settings;
    size_t setting_count;
    report_series *series;
    size_t series_count;
    uint64_t lines, last_step;
    uint64_t epoch_step;  /* of the last line of type epoch */
    uint64_t epoch_steps; /* 0: not known, no epoch has ended */
} report_run;

/* 1: the folder has a config.yaml. */
int report_run_is_there(const char *folder);

/* A line that is not whole, or no line of metrics, is left out with a note. Errors:
 * FORMAT (config.yaml is not falign's), FILE, MEMORY. */
fal_status report_run_read(report_run *run, const char *folder,
                           report_notes *notes);
void report_run_release(report_run *run);

/* Of a key; NULL: null, or not there. */
const char *report_run_setting(const report_run *run, const char *key);

int report_series_is(const report_series *series, const char *name,
                     const char *layer, int epoch);

/* NULL: the run has none; `layer` NULL: a number of the lines of type step or epoch. */
const report_series *report_run_series(const report_run *run, const char *name,
                                       const char *layer, int epoch);

/* 1: it has the line of the last step that its options ask for. `epoch_steps`: of an
 * epoch, 0 where not even a run of the same options has ended one. */
int report_run_ended(const report_run *run, uint64_t epoch_steps);

/* Fills the series of a run from its metrics.jsonl. */
fal_status report_metrics_read(report_run *run, report_notes *notes);

#endif
