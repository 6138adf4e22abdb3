/* The device of a study, looked at in a process of its own: the process that starts
 * workers must not have opened one, for a driver's threads are lost in a fork. */
#ifndef REPRODUCE_MACHINE_H
#define REPRODUCE_MACHINE_H

#include "cli/options.h"

typedef struct fal_machine {
    char selector[64]; /* "": no device is used */
    char name[256], platform[256];
    unsigned units; /* compute units */
    int is_cpu;
} fal_machine;

/* Errors: those of opening it. */
fal_status fal_machine_find(fal_machine *machine, const cli_options *options);

/* The same from what is known of a device. */
void fal_machine_describe(fal_machine *machine, const fal_device_info *info);

/* Processes that a CPU, or a study without a device, has room for. */
size_t fal_machine_cores(const fal_machine *machine);

#endif
