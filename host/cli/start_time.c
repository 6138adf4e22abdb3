#include "cli/start_time.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Clock ticks from the machine's start to the process's: field 22. The second, the
 * name, is in brackets and may hold blanks. */
static double start_ticks(void)
{
    char text[1024] = "";
    FILE *file = fopen("/proc/self/stat", "r");
    if (!file)
        return NAN;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    unsigned long long ticks;
    return at && sscanf(at, "%llu", &ticks) == 1 ? (double)ticks : NAN;
}

double cli_process_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    double began = start_ticks() / (double)sysconf(_SC_CLK_TCK);
    return 1e3 * ((double)now.tv_sec + 1e-9 * (double)now.tv_nsec - began);
}
