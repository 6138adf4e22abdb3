/* Opening, closing and describing devices. */
#include "device/device.h"
#include "device/environment.h"
#include "device/memory.h"
#include "device/options.h"
#include "device/profile.h"
#include "device/vendor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const fal_device_options defaults = FAL_DEVICE_OPTIONS;

void fal_device_options_init(fal_device_options *options, size_t size)
{
    fal_options_init(options, size, &defaults, sizeof defaults);
}

/* What the options leave open the environment may say. */
static fal_status from_environment(fal_device_options *options)
{
    if (!options->name)
        options->name = fal_environment("FALIGN_DEVICE");
    if (!options->kernels)
        options->kernels = fal_environment("FALIGN_KERNELS");
    const char *vector = fal_environment("FALIGN_VECTOR");
    if (options->vector || !vector)
        return FAL_OK;
    char *end;
    options->vector = (int)strtol(vector, &end, 10);
    if (options->vector == 0 || *end)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "FALIGN_VECTOR is '%.40s': it can be 4, 8 or 16", vector);
    return FAL_OK;
}

static void fill_info(const fal_facts *facts, fal_device_info *info)
{
    fal_device_info full = {
        .size = info->size,
        .platform = facts->platform_name,
        .name = facts->name,
        .vendor = facts->vendor,
        .version = facts->version,
        .driver = facts->driver,
        .selector = facts->selector,
        .kernels = facts->family == FAL_FAMILY_CPU ? "cpu" : "gpu",
        .skipped = *facts->skipped ? facts->skipped : NULL,
        .vector = facts->vector,
        .compute_units = facts->units,
        .group_limit = facts->group_limit,
        .memory = facts->memory,
        .allocation = facts->allocation,
        .local_memory = facts->local_memory,
        .double_precision = facts->double_precision,
        .gemm = facts->gemm == FAL_GEMM_CLBLAST ? "clblast" : "own",
        .conv = fal_vendor_conv_name(facts),
    };
    memcpy(info, &full, info->size < sizeof full ? info->size : sizeof full);
}

fal_status fal_device_list(fal_device_visit visit, void *user)
{
    fal_device_options options = FAL_DEVICE_OPTIONS;
    fal_facts *list = NULL;
    size_t count = 0;
    fal_status status = from_environment(&options);
    if (!status)
        status = fal_facts_list(&list, &count, options.kernels, options.vector);
    for (int with_device = 1; with_device >= 0 && !status; with_device--)
        for (size_t i = 0; i < count; i++) {
            fal_device_info info = {.size = sizeof info};
            fal_vendor_gemm(&list[i], NULL);
            fill_info(&list[i], &info);
            if ((list[i].id != NULL) == with_device && visit(&info, user)) {
                fal_release(list);
                return FAL_OK;
            }
        }
    fal_release(list);
    return status;
}

static fal_status open_queue(fal_device *device, int profile)
{
    cl_int code;
    cl_command_queue_properties properties = profile ? CL_QUEUE_PROFILING_ENABLE
                                                     : 0;
    device->context = clCreateContext(NULL, 1, &device->facts.id, NULL, NULL,
                                      &code);
    fal_status status = fal_cl(device, code, "clCreateContext", NULL);
    if (status)
        return status;
    device->queue = clCreateCommandQueue(device->context, device->facts.id,
                                         properties, &code);
    status = fal_cl(device, code, "clCreateCommandQueue", NULL);
    return status || !profile ? status : fal_profile_create(&device->profile);
}

fal_status fal_device_open(fal_device **opened, const fal_device_options *given)
{
    fal_device_options options;
    fal_status status = fal_options_read(&options, sizeof options, &defaults, given,
                                         "fal_device_options");
    if (!status && !opened)
        status = fal_fail(FAL_ERROR_ARGUMENT, "fal_device_open: needs a place for "
                                              "the device");
    if (!status)
        status = from_environment(&options);
    if (status)
        return status;
    fal_facts *list = NULL;
    size_t count = 0, chosen = 0;
    status = fal_facts_list(&list, &count, options.kernels, options.vector);
    if (!status)
        status = fal_facts_choose(list, count, options.name, &chosen);
    if (!status)
        status = fal_vendor_gemm(&list[chosen], options.gemm);
    if (!status)
        status = fal_vendor_conv(&list[chosen], options.conv);
    if (!status)
        status = fal_vendor_ready(&list[chosen]);
    fal_device *device = status ? NULL : fal_allocate(1, sizeof *device);
    if (!status && !device)
        status = FAL_ERROR_MEMORY;
    if (!status) {
        device->facts = list[chosen];
        device->resident_limit = UINT64_MAX;
        device->log = options.log;
        device->log_user = options.log_user;
        status = open_queue(device, options.profile);
    }
    fal_release(list);
    if (status) {
        fal_device_destroy(device);
        return status;
    }
    *opened = device;
    return FAL_OK;
}

void fal_device_destroy(fal_device *device)
{
    if (!device)
        return;
    /* PoCL compiles in threads of its own, which crash when the process ends. */
    if (device->queue)
        clFinish(device->queue);
    fal_profile_destroy(device->profile);
    fal_buffer_destroy(device, device->scratch);
    fal_buffer_destroy(device, device->temporary);
    for (size_t i = 0; i < FAL_PROGRAM_LIMIT; i++)
        if (device->programs[i])
            clReleaseProgram(device->programs[i]);
    if (device->queue)
        clReleaseCommandQueue(device->queue);
    if (device->context)
        clReleaseContext(device->context);
    fal_release(device);
}

fal_status fal_device_describe(const fal_device *device, fal_device_info *info)
{
    if (!device || !info || info->size == 0)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "fal_device_describe: needs a device and an info whose size "
            "is set");
    fill_info(&device->facts, info);
    return FAL_OK;
}

void fal_device_say(const fal_device *device, const char *format, ...)
{
    if (!device->log)
        return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    device->log(line, device->log_user);
}

int fal_device_says(fal_device *device, unsigned what)
{
    int first = !(device->said & what);
    device->said |= what;
    return first;
}
