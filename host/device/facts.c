/* What platforms and devices there are, and which one a name means. */
#include "device/device.h"
#include "device/memory.h"
#include "device/vendor.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct fact_list {
    fal_facts *items;
    size_t count;
    unsigned cpus, gpus, others; /* seen so far, for the selectors */
} fact_list;

static fal_facts *append(fact_list *list)
{
    fal_facts *grown = fal_resize(list->items, list->count + 1, sizeof *grown);
    if (!grown)
        return NULL;
    list->items = grown;
    memset(&grown[list->count], 0, sizeof *grown);
    return &grown[list->count++];
}

/* OpenCL pads some names with blanks. */
static void trim(char *text)
{
    size_t start = strspn(text, " \t");
    memmove(text, text + start, strlen(text + start) + 1);
    for (size_t n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = 0;
}

static void device_text(cl_device_id id, cl_device_info what, char *text,
                        size_t size)
{
    char long_text[1024] = "";
    if (clGetDeviceInfo(id, what, sizeof long_text - 1, long_text, NULL))
        long_text[0] = 0;
    trim(long_text);
    snprintf(text, size, "%s", long_text);
}

static uint64_t device_number(cl_device_id id, cl_device_info what, size_t bytes)
{
    uint64_t number =
        0; /* little-endian hosts: a smaller field fills the low bytes */
    return clGetDeviceInfo(id, what, bytes, &number, NULL) ? 0 : number;
}

/* Why a device cannot be used, as far as its facts tell. */
static void judge(fal_facts *facts)
{
    cl_device_id id = facts->id;
    unsigned major = 0, minor = 0;
    sscanf(facts->version, "OpenCL %u.%u", &major, &minor);
    const char *why = NULL;
    if (!device_number(id, CL_DEVICE_AVAILABLE, sizeof(cl_bool)))
        why = "the driver says it is not available";
    else if (!device_number(id, CL_DEVICE_COMPILER_AVAILABLE, sizeof(cl_bool)))
        why = "its driver has no compiler";
    else if (major * 10 + minor < 12)
        why = "it is older than OpenCL 1.2";
    else if (facts->group_limit < 64)
        why = "its work-groups hold fewer than 64 items";
    if (why)
        snprintf(facts->skipped, sizeof facts->skipped, "%s", why);
}

static const char *kind_of(cl_device_type type)
{
    return type & CL_DEVICE_TYPE_GPU   ? "gpu"
           : type & CL_DEVICE_TYPE_CPU ? "cpu"
                                       : "other";
}

static void read_facts(fact_list *list, fal_facts *facts, cl_device_id id)
{
    facts->id = id;
    facts->type = device_number(id, CL_DEVICE_TYPE, sizeof(cl_device_type));
    device_text(id, CL_DEVICE_NAME, facts->name, sizeof facts->name);
    device_text(id, CL_DEVICE_VENDOR, facts->vendor, sizeof facts->vendor);
    device_text(id, CL_DEVICE_VERSION, facts->version, sizeof facts->version);
    device_text(id, CL_DRIVER_VERSION, facts->driver, sizeof facts->driver);
    facts->units = (unsigned)device_number(id, CL_DEVICE_MAX_COMPUTE_UNITS, 4);
    facts->float_width = (unsigned)device_number(
        id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 4);
    facts->group_limit = device_number(id, CL_DEVICE_MAX_WORK_GROUP_SIZE,
                                       sizeof(size_t));
    facts->memory = device_number(id, CL_DEVICE_GLOBAL_MEM_SIZE, 8);
    facts->allocation = device_number(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, 8);
    facts->local_memory = device_number(id, CL_DEVICE_LOCAL_MEM_SIZE, 8);
    facts->double_precision = device_number(id, CL_DEVICE_DOUBLE_FP_CONFIG, 8) != 0;
    if (facts->units == 0)
        facts->units = 1;
    unsigned *seen = facts->type & CL_DEVICE_TYPE_GPU   ? &list->gpus
                     : facts->type & CL_DEVICE_TYPE_CPU ? &list->cpus
                                                        : &list->others;
    snprintf(facts->selector, sizeof facts->selector, "%s:%u", kind_of(facts->type),
             (*seen)++);
    judge(facts);
}

static fal_status list_platform(fact_list *list, cl_platform_id platform)
{
    cl_device_id ids[64];
    cl_uint count = 0;
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 64, ids, &count);
    if (count > 64)
        count = 64;
    char name[sizeof list->items->platform_name] = "";
    clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name - 1, name, NULL);
    if (code || count == 0) {
        fal_facts *facts = append(list);
        if (!facts)
            return FAL_ERROR_MEMORY;
        facts->platform = platform;
        memcpy(facts->platform_name, name, sizeof name);
        fal_vendor_explain(facts, code);
        return FAL_OK;
    }
    for (cl_uint i = 0; i < count; i++) {
        fal_facts *facts = append(list);
        if (!facts)
            return FAL_ERROR_MEMORY;
        facts->platform = platform;
        memcpy(facts->platform_name, name, sizeof name);
        read_facts(list, facts, ids[i]);
    }
    return FAL_OK;
}

fal_status fal_facts_list(fal_facts **facts, size_t *count, const char *kernels,
                          int vector)
{
    cl_platform_id platforms[32];
    cl_uint platform_count = 0;
    /* Without any driver the loader answers CL_PLATFORM_NOT_FOUND_KHR: no devices.
     */
    if (clGetPlatformIDs(32, platforms, &platform_count))
        platform_count = 0;
    fact_list list = {0};
    fal_status status = FAL_OK;
    for (cl_uint i = 0; i < platform_count && i < 32 && !status; i++)
        status = list_platform(&list, platforms[i]);
    for (size_t i = 0; i < list.count && !status; i++)
        status = fal_vendor_family(&list.items[i], kernels, vector);
    if (status) {
        fal_release(list.items);
        return status;
    }
    *facts = list.items;
    *count = list.count;
    return FAL_OK;
}

static int contains(const char *text, const char *part)
{
    size_t n = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < n &&
               tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == n)
            return 1;
    }
    return 0;
}

/* "cpu" and "gpu" mean the first of the kind, "gpu:1" exactly that one. */
static int meant(const fal_facts *facts, const char *name)
{
    size_t length = strlen(name);
    if (strcasecmp(name, "cpu") == 0 || strcasecmp(name, "gpu") == 0)
        return strncasecmp(facts->selector, name, length) == 0;
    const char *colon = strchr(name, ':');
    if (colon &&
        (strncasecmp(name, "cpu", 3) == 0 || strncasecmp(name, "gpu", 3) == 0))
        return strcasecmp(facts->selector, name) == 0;
    return contains(facts->name, name) || contains(facts->vendor, name) ||
           contains(facts->platform_name, name);
}

static void describe_all(const fal_facts *list, size_t count, char *text,
                         size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s%s%s%s%s%s",
                                 i ? "; " : "", list[i].id ? list[i].selector : "",
                                 list[i].id ? " " : "",
                                 list[i].id ? list[i].name : list[i].platform_name,
                                 *list[i].skipped ? " (skipped: " : "",
                                 list[i].skipped, *list[i].skipped ? ")" : "");
}

static int any_usable(const fal_facts *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].id && !*list[i].skipped)
            return 1;
    return 0;
}

static fal_status none_chosen(const fal_facts *list, size_t count, const char *name)
{
    char text[4096];
    if (count == 0)
        return fal_vendor_missing();
    describe_all(list, count, text, sizeof text);
    if (!any_usable(list, count))
        return fal_fail(FAL_ERROR_DEVICE, "device: none can be used: %s", text);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "unknown device '%.100s'; known: %s; name one by kind (cpu, "
                    "gpu), kind and index (gpu:0) or a part of its name",
                    name, text);
}

fal_status fal_facts_choose(const fal_facts *list, size_t count, const char *name,
                            size_t *chosen)
{
    /* GPUs before CPUs before anything else. */
    static const cl_device_type order[] = {CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_CPU,
                                           CL_DEVICE_TYPE_ALL};
    for (size_t o = 0; o < 3; o++)
        for (size_t i = 0; i < count; i++)
            if (list[i].id && !*list[i].skipped && list[i].type & order[o] &&
                (!name || meant(&list[i], name))) {
                *chosen = i;
                return FAL_OK;
            }
    return none_chosen(list, count, name);
}
