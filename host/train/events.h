/* A run's event file for TensorBoard: its version, then a record for each line of
 * metrics.jsonl, in which every number of the line is a scalar: TYPE/FIELD
 * ("epoch/test_loss"), and METRIC/LAYER of those by layer
 * ("gradient_alignment/dense1"). */
#ifndef FAL_EVENTS_H
#define FAL_EVENTS_H

#include "files/journal.h"

#define FAL_EVENTS_NAME "events.out.tfevents.falign"

/* Opens the file and makes it say what `lines` do, those that metrics.jsonl has
 * already: records beyond go, such as are missing come. Errors: FILE, MEMORY, FORMAT
 * (a line that is none). */
fal_status fal_events_open(fal_journal *events, const char *path,
                           const char *lines);

/* Adds the record of a line; it may end with its newline. */
fal_status fal_events_add(const fal_journal *events, const char *line);

#endif
