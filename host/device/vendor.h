/* Everything falign knows of particular drivers and kinds of devices. */
#ifndef FAL_VENDOR_H
#define FAL_VENDOR_H

#include "device/device.h"

/* Sets facts->family, facts->vector and facts->block: CPU-like is a device of type
 * CPU whose native float vectors hold 4 or more (llvmpipe says CPU and 1, so it is
 * GPU-like). kernels "cpu", "gpu" and vector 4, 8, 16 force them. */
fal_status fal_vendor_family(fal_facts *facts, const char *kernels, int vector);

/* Sets facts->gemm: asked "own", "clblast", or "auto" (also NULL), which is our own
 * kernels on CPU-like devices and what a table of measurements says on GPU-like ones.
 * Errors: ARGUMENT (another name; CLBlast in a build without it). */
fal_status fal_vendor_gemm(fal_facts *facts, const char *asked);

/* Sets facts->conv: asked "auto" (also NULL), "direct" or "winograd4".
 * Errors: ARGUMENT (another name). */
fal_status fal_vendor_conv(fal_facts *facts, const char *asked);
const char *fal_vendor_conv_name(const fal_facts *facts);

/* No platform at all: DEVICE, with what may be the reason. */
fal_status fal_vendor_missing(void);

/* Fills in facts->skipped of a platform that lists no devices, with the code it
 * gave. */
void fal_vendor_explain(fal_facts *facts, cl_int code);

/* Where its kernel cache cannot be written PoCL does not build; where that disk is
 * full or `ld` is not to be found it ends the process: refuses the device with a
 * message instead. */
fal_status fal_vendor_ready(const fal_facts *facts);

#endif
