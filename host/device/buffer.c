/* Device memory and blocking copies. */
#include "device/device.h"

enum { SLACK = 64 };

static size_t padded(size_t bytes)
{
    return (bytes + SLACK + 63) / 64 * 64;
}

fal_status fal_buffer_create(fal_device *device, size_t bytes, const char *what,
                             cl_mem *buffer)
{
    size_t size = padded(bytes);
    const fal_facts *facts = &device->facts;
    uint64_t left = facts->memory > device->allocated
                        ? facts->memory - device->allocated
                        : 0;
    if (bytes > SIZE_MAX - 2 * SLACK || size > left || size > facts->allocation)
        return fal_fail(FAL_ERROR_DEVICE_MEMORY,
                        "%s: %zu bytes do not fit device %s, which has %llu bytes "
                        "left (%llu in one piece); use a smaller network, batch or "
                        "data set, or another device",
                        what, bytes, facts->name, (unsigned long long)left,
                        (unsigned long long)facts->allocation);
    cl_int code;
    cl_mem made = clCreateBuffer(device->context, CL_MEM_READ_WRITE, size, NULL,
                                 &code);
    fal_status status = fal_cl(device, code, "clCreateBuffer", what);
    if (status) {
        if (made)
            clReleaseMemObject(made);
        return status;
    }
    device->allocated += size;
    *buffer = made;
    return FAL_OK;
}

void fal_buffer_destroy(fal_device *device, cl_mem buffer)
{
    size_t size = 0;
    if (!buffer)
        return;
    clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof size, &size, NULL);
    device->allocated -= size;
    clReleaseMemObject(buffer);
}

fal_status fal_device_scratch(fal_device *device, size_t bytes, cl_mem *scratch)
{
    if (!device->scratch) {
        fal_status status = fal_buffer_create(device, bytes, "scratch of products",
                                              &device->scratch);
        if (status)
            return status;
        device->scratch_bytes = bytes;
    }
    if (bytes > device->scratch_bytes)
        return fal_fail(
            FAL_ERROR_DEVICE,
            "scratch of products: %zu bytes asked for, %zu were reserved", bytes,
            device->scratch_bytes);
    *scratch = device->scratch;
    return FAL_OK;
}

/* What was enqueued keeps the old buffer alive until it is done. */
fal_status fal_device_temporary(fal_device *device, size_t bytes)
{
    if (bytes <= device->temporary_bytes)
        return FAL_OK;
    fal_buffer_destroy(device, device->temporary);
    device->temporary = NULL;
    device->temporary_bytes = 0;
    fal_status status = fal_buffer_create(device, bytes, "temporary matrices",
                                          &device->temporary);
    if (!status)
        device->temporary_bytes = bytes;
    return status;
}

fal_status fal_read(fal_device *device, cl_mem buffer, size_t offset, size_t bytes,
                    void *into)
{
    if (bytes == 0)
        return FAL_OK;
    return fal_cl(device,
                  clEnqueueReadBuffer(device->queue, buffer, CL_TRUE, offset, bytes,
                                      into, 0, NULL, NULL),
                  "clEnqueueReadBuffer", NULL);
}

fal_status fal_write(fal_device *device, cl_mem buffer, size_t offset, size_t bytes,
                     const void *from)
{
    if (bytes == 0)
        return FAL_OK;
    return fal_cl(device,
                  clEnqueueWriteBuffer(device->queue, buffer, CL_TRUE, offset,
                                       bytes, from, 0, NULL, NULL),
                  "clEnqueueWriteBuffer", NULL);
}

fal_status fal_finish(fal_device *device)
{
    return fal_cl(device, clFinish(device->queue), "clFinish", NULL);
}
