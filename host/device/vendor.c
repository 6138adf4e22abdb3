#include "device/vendor.h"
#include "device/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

fal_status fal_vendor_family(fal_facts *facts, const char *kernels, int vector)
{
    static const char *const known[] = {"cpu", "gpu"};
    int is_cpu = (facts->type & CL_DEVICE_TYPE_CPU) && facts->float_width >= 4;
    facts->family = is_cpu ? FAL_FAMILY_CPU : FAL_FAMILY_GPU;
    if (kernels && strcmp(kernels, "cpu") == 0)
        facts->family = FAL_FAMILY_CPU;
    else if (kernels && strcmp(kernels, "gpu") == 0)
        facts->family = FAL_FAMILY_GPU;
    else if (kernels)
        return fal_fail_unknown("kernel family", kernels, known, 2);
    if (vector != 0 && vector != 4 && vector != 8 && vector != 16)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "vector width %d: it can be 4, 8 or 16 (0: the device's own)", vector);
    unsigned width = vector ? (unsigned)vector : facts->float_width;
    facts->vector = width >= 16 ? 16 : width >= 8 ? 8 : 4;
    if (facts->family == FAL_FAMILY_GPU)
        facts->vector = 1;
    facts->block = facts->group_limit >= 256 ? 64 : 32;
    return FAL_OK;
}

/* Who sums products of a GPU-like device, where it was measured (tests/bench/
 * README.md): the first row whose texts begin the names of platform and device. On
 * PoCL CLBlast is 1.3 times faster, but its first call compiles for 15 s or more. */
static const struct {
    const char *platform, *device;
    fal_gemm gemm;
} MEASURED[] = {
    {"Portable Computing Language", "", FAL_GEMM_OWN},
    {"rusticl", "llvmpipe", FAL_GEMM_CLBLAST},
};

static int begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static fal_gemm measured(const fal_facts *facts)
{
    for (size_t i = 0; i < sizeof MEASURED / sizeof *MEASURED; i++)
        if (begins(facts->platform_name, MEASURED[i].platform) &&
            begins(facts->name, MEASURED[i].device))
            return MEASURED[i].gemm;
    return FAL_GEMM_OWN;
}

fal_status fal_vendor_gemm(fal_facts *facts, const char *asked)
{
    static const char *const known[] = {"own", "clblast", "auto"};
    fal_gemm gemm = FAL_GEMM_OWN;
    if (!asked || strcmp(asked, "auto") == 0) {
        if (FAL_CLBLAST && facts->family == FAL_FAMILY_GPU)
            gemm = measured(facts);
    } else if (strcmp(asked, "clblast") == 0) {
        gemm = FAL_GEMM_CLBLAST;
    } else if (strcmp(asked, "own") != 0) {
        return fal_fail_unknown("gemm", asked, known, 3);
    }
    if (gemm == FAL_GEMM_CLBLAST && !FAL_CLBLAST)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "gemm clblast: this falign was built without CLBlast; take "
                        "own, or install CLBlast (libclblast-dev) and build again");
    facts->gemm = gemm;
    return FAL_OK;
}

static const char *const WISHES[] = {[FAL_WISH_AUTO] = "auto",
                                     [FAL_WISH_DIRECT] = "direct",
                                     [FAL_WISH_WINOGRAD4] = "winograd4"};

fal_status fal_vendor_conv(fal_facts *facts, const char *asked)
{
    size_t wish = FAL_WISH_AUTO;
    while (asked && wish <= FAL_WISH_WINOGRAD4 && strcmp(asked, WISHES[wish]) != 0)
        wish++;
    if (wish > FAL_WISH_WINOGRAD4)
        return fal_fail_unknown("conv", asked, WISHES, FAL_WISH_WINOGRAD4 + 1);
    facts->conv = (fal_conv_wish)wish;
    return FAL_OK;
}

const char *fal_vendor_conv_name(const fal_facts *facts)
{
    return facts->conv > FAL_WISH_WINOGRAD4 ? "auto" : WISHES[facts->conv];
}

fal_status fal_vendor_missing(void)
{
    const char *vendors = fal_environment("OCL_ICD_VENDORS");
    if (vendors)
        return fal_fail(FAL_ERROR_DEVICE,
                        "device: no OpenCL platform: OCL_ICD_VENDORS is '%.200s', "
                        "and no driver that this names can be loaded; unset it, or "
                        "name an .icd file of an installed driver or a folder of "
                        "them",
                        vendors);
    return fal_fail(FAL_ERROR_DEVICE,
                    "device: no OpenCL platform: no driver of those that "
                    "/etc/OpenCL/vendors names can be loaded; on Debian install "
                    "pocl-opencl-icd for the CPU, or your GPU's OpenCL driver");
}

/* ---- PoCL ---------------------------------------------------------------- */

enum { CACHE_PATH = 4096 };

static const uint64_t CACHE_SPACE = 64u << 20; /* bytes */

static int is_pocl(const fal_facts *facts)
{
    return strncmp(facts->platform_name, "Portable Computing Language", 27) == 0;
}

/* Where it keeps compiled kernels. */
static void cache_folder(char path[CACHE_PATH])
{
    const char *own = fal_environment("POCL_CACHE_DIR");
    const char *cache = fal_environment("XDG_CACHE_HOME");
    const char *home = fal_environment("HOME");
    if (own)
        snprintf(path, CACHE_PATH, "%s", own);
    else if (cache)
        snprintf(path, CACHE_PATH, "%s/pocl/kcache", cache);
    else if (home)
        snprintf(path, CACHE_PATH, "%s/.cache/pocl/kcache", home);
    else
        snprintf(path, CACHE_PATH, "/tmp/pocl/kcache");
}

/* Of a folder that PoCL is to make the nearest parent tells as well. */
static void cut_to_existing(char *path)
{
    struct stat facts;
    while (stat(path, &facts) != 0) {
        char *slash = strrchr(path, '/');
        if (!slash)
            strcpy(path, ".");
        else
            slash[slash == path] = 0;
    }
}

/* Permissions alone do not tell: file systems are read-only too, and root may all. */
static int can_write(const char *folder)
{
    char path[CACHE_PATH + 64];
    snprintf(path, sizeof path, "%s/.falign-%ld", folder, (long)getpid());
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return errno == EEXIST; /* by another thread */
    close(file);
    unlink(path);
    return 1;
}

/* Says in `why` what is wrong with the cache; 0: something is. */
static int cache_ready(char *why, size_t size)
{
    char path[CACHE_PATH], existing[CACHE_PATH];
    struct statvfs disk;
    cache_folder(path);
    strcpy(existing, path);
    cut_to_existing(existing);
    if (!can_write(existing)) {
        snprintf(why, size,
                 "PoCL's kernel cache '%.300s' cannot be written: %s; set "
                 "POCL_CACHE_DIR to a folder that can",
                 path, strerror(errno));
        return 0;
    }
    uint64_t bytes = statvfs(existing, &disk)
                         ? UINT64_MAX
                         : (uint64_t)disk.f_bavail * disk.f_frsize;
    if (bytes < CACHE_SPACE)
        snprintf(why, size,
                 "PoCL's kernel cache '%.300s' has %llu MB left, it needs 64; free "
                 "some, or set POCL_CACHE_DIR to another disk",
                 path, (unsigned long long)(bytes >> 20));
    return bytes >= CACHE_SPACE;
}

static int linker_found(void)
{
    const char *path = fal_environment("PATH");
    while (path && *path) {
        size_t length = strcspn(path, ":");
        char file[4096];
        snprintf(file, sizeof file, "%.*s/ld", (int)length, path);
        if (access(file, X_OK) == 0)
            return 1;
        path += length + (path[length] == ':');
    }
    return 0;
}

void fal_vendor_explain(fal_facts *facts, cl_int code)
{
    const size_t size = sizeof facts->skipped;
    if (is_pocl(facts) && !cache_ready(facts->skipped, size))
        return;
    if (code && code != CL_DEVICE_NOT_FOUND)
        snprintf(facts->skipped, size, "the platform lists no devices (%s)",
                 fal_cl_name(code));
    else
        snprintf(facts->skipped, size, "the platform has no devices");
}

fal_status fal_vendor_ready(const fal_facts *facts)
{
    char why[1024];
    if (!is_pocl(facts))
        return FAL_OK;
    if (!linker_found())
        return fal_fail(FAL_ERROR_DEVICE,
                        "device %s: PoCL needs the linker 'ld' on PATH to compile "
                        "kernels; install binutils or mend PATH",
                        facts->name);
    if (!cache_ready(why, sizeof why))
        return fal_fail(FAL_ERROR_DEVICE, "device %s: %s", facts->name, why);
    return FAL_OK;
}
