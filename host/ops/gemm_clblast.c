/* Its first call on a device compiles for many seconds. It would make temporary
 * memory in every call; we hand it ours. */
#include "ops/gemm_clblast.h"

#if FAL_CLBLAST
#include <clblast_c.h>

static CLBlastTranspose turned(const fal_operand *operand)
{
    return operand->source == FAL_SOURCE_ROWS ? CLBlastTransposeNo
                                              : CLBlastTransposeYes;
}

fal_status fal_clblast_reserve(fal_device *device, const fal_product *p)
{
    size_t bytes = 0;
    cl_int code = CLBlastSGemmTempBufferSize(
        CLBlastLayoutRowMajor, turned(&p->a), turned(&p->b), p->m, p->n, p->k,
        p->a.data.offset, p->a.pitch, p->b.data.offset, p->b.pitch, p->c.offset,
        p->pitch, &device->queue, &bytes);
    fal_status status = fal_cl(device, code, "CLBlastSGemmTempBufferSize", NULL);
    return status ? status : fal_device_temporary(device, bytes);
}

fal_status fal_clblast_multiply(fal_device *device, const void *product,
                                cl_event *event)
{
    const fal_product *p = product;
    cl_int code = CLBlastSgemmWithTempBuffer(
        CLBlastLayoutRowMajor, turned(&p->a), turned(&p->b), p->m, p->n, p->k, 1,
        p->a.data.buffer, p->a.data.offset, p->a.pitch, p->b.data.buffer,
        p->b.data.offset, p->b.pitch, p->accumulate ? 1 : 0, p->c.buffer,
        p->c.offset, p->pitch, &device->queue, event, device->temporary);
    return fal_cl(device, code, "CLBlastSgemm", NULL);
}

#else

static fal_status missing(void)
{
    return fal_fail(FAL_ERROR_ARGUMENT, "product by CLBlast: not in this build");
}

fal_status fal_clblast_reserve(fal_device *device, const fal_product *product)
{
    (void)device, (void)product;
    return missing();
}

fal_status fal_clblast_multiply(fal_device *device, const void *product,
                                cl_event *event)
{
    (void)device, (void)product, (void)event;
    return missing();
}

#endif
