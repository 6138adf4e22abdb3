#include "reproduce/machine.h"
#include "cli/ground.h"
#include "device/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child sends. */
struct answer {
    fal_status status;
    fal_machine machine;
    char message[2048];
};

void fal_machine_describe(fal_machine *machine, const fal_device_info *info)
{
    snprintf(machine->selector, sizeof machine->selector, "%s", info->selector);
    snprintf(machine->name, sizeof machine->name, "%s", info->name);
    snprintf(machine->platform, sizeof machine->platform, "%s", info->platform);
    machine->units = info->compute_units;
    machine->is_cpu = strncmp(info->selector, "cpu", 3) == 0;
}

/* ---- the child ----------------------------------------------------------- */

static void look(struct answer *answer, const cli_options *options)
{
    fal_device *device;
    fal_device_info info = {.size = sizeof info};
    answer->status = cli_device_open(&device, options);
    if (!answer->status)
        answer->status = fal_device_describe(device, &info);
    if (!answer->status)
        fal_machine_describe(&answer->machine, &info);
    else
        snprintf(answer->message, sizeof answer->message, "%s",
                 fal_error_message());
}

static _Noreturn void be_child(int to, const cli_options *options)
{
    struct answer answer = {.status = FAL_OK};
    look(&answer, options);
    const char *from = (const char *)&answer;
    for (size_t left = sizeof answer; left > 0;) {
        ssize_t written = write(to, from, left);
        if (written <= 0)
            _exit(1);
        from += written;
        left -= (size_t)written;
    }
    _exit(0);
}

/* ---- the parent ---------------------------------------------------------- */

/* 1: all of the answer came. */
static int read_answer(int from, struct answer *answer)
{
    size_t used = 0;
    while (used < sizeof *answer) {
        ssize_t got = read(from, (char *)answer + used, sizeof *answer - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        used += (size_t)got;
    }
    return 1;
}

static fal_status ask(int ends[2], const cli_options *options,
                      struct answer *answer)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        be_child(ends[1], options);
    close(ends[1]);
    int whole = child > 0 && read_answer(ends[0], answer);
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    if (whole)
        return FAL_OK;
    return fal_fail(FAL_ERROR_DEVICE,
                    "device: the process that opened it ended without an answer; "
                    "falign devices says more");
}

fal_status fal_machine_find(fal_machine *machine, const cli_options *options)
{
    int ends[2];
    struct answer answer;
    if (pipe(ends) != 0)
        return fal_fail(FAL_ERROR_DEVICE, "device: no pipe: %s", strerror(errno));
    fal_status status = ask(ends, options, &answer);
    if (!status && answer.status)
        status = fal_fail(answer.status, "%s", answer.message);
    if (!status)
        *machine = answer.machine;
    return status;
}

size_t fal_machine_cores(const fal_machine *machine)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (*machine->selector)
        return machine->is_cpu && machine->units > 0 ? machine->units : 1;
    return online > 1 ? (size_t)online : 1;
}
