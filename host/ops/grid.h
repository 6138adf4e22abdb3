/* How elementwise work is split: spans of contiguous items for CPU-like devices,
 * an item each for GPU-like ones. No sum is split here. */
#ifndef FAL_GRID_H
#define FAL_GRID_H

#include "device/launch.h"

enum { FAL_GROUP = 64 };

int fal_is_cpu_like(const fal_launches *list);

/* CPU-like: items a group, a multiple of `unit`, where an item is `floats` floats
 * of work: one group if all is little, else a few a compute unit. */
size_t fal_span(const fal_device *device, size_t items, size_t floats, size_t unit);

/* Ends a launch on CPU-like devices: groups of one work-item, `span` items each. */
fal_status fal_end_spans(fal_launches *list, size_t items, size_t span);

/* Ends the launch of a kernel that needs one group. */
fal_status fal_end_group(fal_launches *list);

/* Adds the arguments (ulong n, ulong span) and ends the launch of a kernel that goes
 * through `lines`, `floats` floats of work each, on CPU-like devices, and through
 * `elements` on others. */
fal_status fal_end_lines(fal_launches *list, size_t lines, size_t floats,
                         size_t elements);

/* Adds the arguments (ulong n, ulong span) and ends the launch of an elementwise
 * kernel, in either family. */
fal_status fal_end_elements(fal_launches *list, size_t n);

#endif
