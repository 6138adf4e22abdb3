/* Trying a device in a process of its own: a driver that crashes or hangs marks its
 * device and nothing else. */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

#include "falign.h"

/* `problem` says what went wrong, "" if nothing did. Errors: FILE (no process could
 * be started). */
fal_status cli_probe_device(const char *selector, char *problem, size_t size);

#endif
