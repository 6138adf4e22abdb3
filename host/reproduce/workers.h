/* Parts of a study in several processes at a time. Each opens the device for itself and
 * saves the results of its parts; the process that started them only hands out parts and
 * takes news. What is found does not depend on how many there are. */
#ifndef REPRODUCE_WORKERS_H
#define REPRODUCE_WORKERS_H

#include "reproduce/meter.h"
#include "reproduce/store.h"

enum { FAL_WORKERS = 64 };

/* Runs the parts that have no result yet, in `count` processes of 1 to FAL_WORKERS;
 * `threads`: of the device in each, 0: as it likes. No device may have been opened in
 * this process. On Ctrl-C, or where nobody reads the output, FAL_STOPPED: parts under way
 * are lost. Errors: that of a part, DEVICE (a worker ended by itself). */
fal_status fal_workers_run(fal_study *study, fal_run *folder, size_t count,
                           size_t threads, fal_meter *meter);

#endif
