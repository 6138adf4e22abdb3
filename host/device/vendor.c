#include "device/vendor.h"
#include "device/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Where PoCL keeps compiled kernels. */
static void pocl_cache(char *path, size_t size)
{
    const char *own = fal_environment("POCL_CACHE_DIR");
    const char *cache = fal_environment("XDG_CACHE_HOME");
    const char *home = fal_environment("HOME");
    if (own)
        snprintf(path, size, "%s", own);
    else if (cache)
        snprintf(path, size, "%s", cache);
    else
        snprintf(path, size, "%s", home ? home : "/tmp");
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

fal_status fal_vendor_ready(const fal_facts *facts)
{
    if (strncmp(facts->platform_name, "Portable Computing Language", 27) != 0)
        return FAL_OK;
    if (!linker_found())
        return fal_fail(FAL_ERROR_DEVICE,
                        "device %s: PoCL needs the linker 'ld' on PATH to compile "
                        "kernels; install binutils or mend PATH",
                        facts->name);
    char path[3072];
    struct statvfs disk;
    pocl_cache(path, sizeof path);
    /* The folder may not exist yet: its nearest parent tells as well. */
    while (statvfs(path, &disk) && strrchr(path, '/') > path)
        *strrchr(path, '/') = 0;
    uint64_t bytes = statvfs(path, &disk) ? UINT64_MAX
                                          : (uint64_t)disk.f_bavail * disk.f_frsize;
    if (bytes < (64u << 20))
        return fal_fail(
            FAL_ERROR_DEVICE,
            "device %s: PoCL's kernel cache under %s has %llu MB left, it "
            "needs 64; free some, or set POCL_CACHE_DIR to another disk",
            facts->name, path, (unsigned long long)(bytes >> 20));
    return FAL_OK;
}
