/* Everything falign knows of particular drivers and kinds of devices. */
#ifndef FAL_VENDOR_H
#define FAL_VENDOR_H

#include "device/device.h"

/* Sets facts->family, facts->vector and facts->block: CPU-like is a device of type CPU whose
 * native float vectors hold 4 or more (llvmpipe says CPU and 1, so it is GPU-like).
 * kernels "cpu", "gpu" and vector 4, 8, 16 force them. */
fal_status fal_vendor_family(fal_facts *facts, const char *kernels, int vector);

/* PoCL ends the process where its cache folder is full or `ld` is not to be found:
 * refuses the device with a message instead. */
fal_status fal_vendor_ready(const fal_facts *facts);

#endif
