/* OpenCL codes into statuses and texts. */
#include "device/device.h"

#include <stdio.h>

static _Thread_local long until_failure;

void fal_cl_fail_at(long n)
{
    until_failure = n;
}

#define CODES(X)                                                                   \
    X(CL_DEVICE_NOT_FOUND)                                                         \
    X(CL_DEVICE_NOT_AVAILABLE)                                                     \
    X(CL_COMPILER_NOT_AVAILABLE)                                                   \
    X(CL_MEM_OBJECT_ALLOCATION_FAILURE)                                            \
    X(CL_OUT_OF_RESOURCES)                                                         \
    X(CL_OUT_OF_HOST_MEMORY)                                                       \
    X(CL_PROFILING_INFO_NOT_AVAILABLE)                                             \
    X(CL_BUILD_PROGRAM_FAILURE)                                                    \
    X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST)                                \
    X(CL_INVALID_VALUE)                                                            \
    X(CL_INVALID_DEVICE)                                                           \
    X(CL_INVALID_CONTEXT)                                                          \
    X(CL_INVALID_COMMAND_QUEUE)                                                    \
    X(CL_INVALID_MEM_OBJECT)                                                       \
    X(CL_INVALID_BUILD_OPTIONS)                                                    \
    X(CL_INVALID_PROGRAM)                                                          \
    X(CL_INVALID_PROGRAM_EXECUTABLE)                                               \
    X(CL_INVALID_KERNEL_NAME)                                                      \
    X(CL_INVALID_KERNEL)                                                           \
    X(CL_INVALID_ARG_INDEX)                                                        \
    X(CL_INVALID_ARG_VALUE)                                                        \
    X(CL_INVALID_ARG_SIZE)                                                         \
    X(CL_INVALID_KERNEL_ARGS)                                                      \
    X(CL_INVALID_WORK_DIMENSION)                                                   \
    X(CL_INVALID_WORK_GROUP_SIZE)                                                  \
    X(CL_INVALID_WORK_ITEM_SIZE)                                                   \
    X(CL_INVALID_GLOBAL_OFFSET)                                                    \
    X(CL_INVALID_EVENT)                                                            \
    X(CL_INVALID_OPERATION)                                                        \
    X(CL_INVALID_BUFFER_SIZE)                                                      \
    X(CL_INVALID_GLOBAL_WORK_SIZE)

const char *fal_cl_name(cl_int code)
{
    switch (code) {
#define NAME(code)                                                                 \
    case code:                                                                     \
        return #code;
        CODES(NAME)
#undef NAME
    }
    return "an OpenCL code of the driver's own";
}

fal_status fal_cl(const fal_device *device, cl_int code, const char *operation,
                  const char *subject)
{
    if (until_failure > 0 && --until_failure == 0)
        code = CL_OUT_OF_RESOURCES;
    if (code == CL_SUCCESS)
        return FAL_OK;
    int memory = code == CL_MEM_OBJECT_ALLOCATION_FAILURE ||
                 code == CL_OUT_OF_HOST_MEMORY || code == CL_INVALID_BUFFER_SIZE;
    return fal_fail(memory ? FAL_ERROR_DEVICE_MEMORY : FAL_ERROR_DEVICE,
                    "%s%s%s on device %s: %s (%d)", operation,
                    subject ? " of " : "", subject ? subject : "",
                    device->facts.name, fal_cl_name(code), code);
}
