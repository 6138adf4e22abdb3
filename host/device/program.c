/* Programs and kernels. CPU-like devices build most kernels as one program (on PoCL
 * each further program costs 0.35 s), GPU-like ones a program per file; when needed. */
#include "device/device.h"
#include "device/memory.h"
#include "device/sources.h"

#include <stdio.h>
#include <string.h>

enum { GPU_GROUP = 64 };

static const char *base_options =
    "-cl-std=CL1.2 -cl-mad-enable -cl-no-signed-zeros "
    "-cl-denorms-are-zero";

/* With the compiler's words, as far as they fit. */
static fal_status build_failed(fal_device *device, cl_program program, cl_int code,
                               const char *file)
{
    size_t size = 0;
    clGetProgramBuildInfo(program, device->facts.id, CL_PROGRAM_BUILD_LOG, 0, NULL,
                          &size);
    char *log = fal_allocate(size + 1, 1);
    if (!log)
        return FAL_ERROR_MEMORY;
    clGetProgramBuildInfo(program, device->facts.id, CL_PROGRAM_BUILD_LOG, size,
                          log, NULL);
    fal_status status = fal_fail(
        FAL_ERROR_DEVICE, "building %s on device %s: %s (%d); build log: ", file,
        device->facts.name, fal_cl_name(code), code);
    fal_fail_with_lines(status, log);
    fal_release(log);
    return status;
}

static fal_status build(fal_device *device, cl_uint count, const char **texts,
                        const size_t *sizes, const char *file, cl_program *slot)
{
    char options[256];
    int is_cpu = device->facts.family == FAL_FAMILY_CPU;
    snprintf(options, sizeof options,
             "%s -DCPU_LIKE=%d -DVW=%d -DGROUP=%d -DTILE=%u", base_options, is_cpu,
             device->facts.vector, GPU_GROUP, device->facts.block);
    cl_int code;
    cl_program program = clCreateProgramWithSource(device->context, count, texts,
                                                   sizes, &code);
    fal_status status = fal_cl(device, code, "clCreateProgramWithSource", file);
    if (!status) {
        code = clBuildProgram(program, 1, &device->facts.id, options, NULL, NULL);
        status = fal_cl(device, code, "clBuildProgram", file);
        if (code == CL_BUILD_PROGRAM_FAILURE)
            status = build_failed(device, program, code, file);
    }
    if (status) {
        if (program)
            clReleaseProgram(program);
        return status;
    }
    *slot = program;
    return FAL_OK;
}

static size_t find_file(const char *name)
{
    for (size_t i = 0; i < fal_source_file_count; i++)
        if (!strcmp(fal_source_files[i].name, name))
            return i;
    return 0;
}

/* What only networks on maps want, in one program, and what few runs want or is in
 * double precision: without them a dense network makes its first step a fifth sooner. */
static const char *const of_maps[] = {
    "conv.cl",   "winograd.cl", "winograd_gradient.cl",
    "strips.cl", "pool.cl",     "normalize_maps.cl"};
static const char *const apart[] = {"gram.cl", "teacher_student.cl"};

/* The program that a file's kernels are in, by the number of its first file; 0: the one
 * that most runs want. */
static size_t program_of(const fal_device *device, size_t file)
{
    const char *name = fal_source_files[file].name;
    if (device->facts.family != FAL_FAMILY_CPU)
        return file;
    for (size_t i = 0; i < sizeof of_maps / sizeof *of_maps; i++)
        if (!strcmp(name, of_maps[i]))
            return find_file(of_maps[0]);
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
        if (!strcmp(name, apart[i]))
            return file;
    return 0;
}

/* What every program begins with. */
static int is_common(size_t file)
{
    return !strncmp(fal_source_files[file].name, "common", strlen("common"));
}

static fal_status build_program(fal_device *device, size_t number)
{
    const char *texts[FAL_PROGRAM_LIMIT];
    size_t sizes[FAL_PROGRAM_LIMIT];
    cl_uint count = 0;
    for (size_t i = 0; i < fal_source_file_count; i++)
        if (is_common(i) || program_of(device, i) == number) {
            texts[count] = (const char *)fal_source_files[i].text;
            sizes[count++] = fal_source_files[i].size;
        }
    return build(device, count, texts, sizes,
                 number ? fal_source_files[number].name : "all kernels",
                 &device->programs[number]);
}

/* A kernel of one name may stand in two files, one for each family: `gemm`. */
static int of_family(const fal_device *device, size_t file)
{
    const char *name = fal_source_files[file].name;
    int is_tile = strstr(name, "_tile.cl") != NULL,
        is_gemm = !strcmp(name, "gemm.cl");
    return device->facts.family == FAL_FAMILY_CPU ? !is_tile : !is_gemm;
}

fal_status fal_kernel_create(fal_device *device, const char *name,
                             cl_kernel *kernel)
{
    size_t file = SIZE_MAX;
    for (size_t i = 0; i < fal_source_kernel_count; i++)
        if (!strcmp(fal_source_kernels[i].name, name) &&
            of_family(device, fal_source_kernels[i].file))
            file = fal_source_kernels[i].file;
    if (file == SIZE_MAX)
        return fal_fail(FAL_ERROR_DEVICE, "kernel '%s': no kernel file has it",
                        name);
    size_t own = program_of(device, file);
    fal_status status = device->programs[own] ? FAL_OK : build_program(device, own);
    if (status)
        return status;
    cl_int code;
    cl_kernel made = clCreateKernel(device->programs[own], name, &code);
    status = fal_cl(device, code, "clCreateKernel", name);
    if (status) {
        if (made)
            clReleaseKernel(made);
        return status;
    }
    *kernel = made;
    return FAL_OK;
}
