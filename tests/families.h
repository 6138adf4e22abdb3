/* For tests of kernels: the device in every family and vector width that it can take,
 * and how a comparison of host/reference/check.h is judged. */
#ifndef FAMILIES_H
#define FAMILIES_H

#include "device/device.h"
#include "falign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST_FAMILIES = 4 };
static fal_device *families[MOST_FAMILIES];
static size_t family_count;

static inline void must(fal_status status)
{
    if (status)
        fail_msg("%s", fal_error_message());
}

static inline fal_device *open_family(const char *kernels, int vector)
{
    fal_device *device = NULL;
    fal_device_options options = FAL_DEVICE_OPTIONS;
    options.kernels = kernels;
    options.vector = vector;
    options.gemm = "own";
    must(fal_device_open(&device, &options));
    return device;
}

/* CPU-like kernels only where they are the device's own: they crawl elsewhere. */
static inline int open_families(void **state)
{
    (void)state;
    fal_device *device = open_family(NULL, 0);
    int is_cpu = device->facts.type & CL_DEVICE_TYPE_CPU &&
                 device->facts.float_width >= 4;
    fal_device_destroy(device);
    families[family_count++] = open_family("gpu", 0);
    for (int vector = 4; vector <= 16 && is_cpu; vector *= 2)
        families[family_count++] = open_family("cpu", vector);
    return 0;
}

static inline int close_families(void **state)
{
    (void)state;
    for (size_t i = 0; i < family_count; i++)
        fal_device_destroy(families[i]);
    return 0;
}

/* Passes if the comparison ran, was close enough and freed what it made. */
static inline void judge(const fal_device *on, uint64_t allocated,
                         fal_status status, double worst, const char *what,
                         size_t shape)
{
    must(status);
    if (!(worst <= 1))
        fail_msg("%s, shape %zu, %s kernels, vectors of %d: error %g of its bound",
                 what, shape, on->facts.family ? "gpu" : "cpu", on->facts.vector,
                 worst);
    assert_int_equal(on->allocated, allocated);
}

static inline void expect_refusal(fal_status status, const char *part)
{
    assert_int_equal(status, FAL_ERROR_ARGUMENT);
    if (!strstr(fal_error_message(), part))
        fail_msg("'%s' lacks '%s'", fal_error_message(), part);
}

#endif
