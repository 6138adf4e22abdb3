#include "device/environment.h"

#include <stdlib.h>

const char *fal_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}
