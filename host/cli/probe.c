#include "cli/probe.h"
#include "cli/commands.h"
#include "cli/live.h"
#include "cli/output.h"
#include "device/error.h"
#include "reference/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { REPORT = 3 };                /* the child's file descriptor */
static const double PATIENCE = 120; /* seconds, for kernels that compile slowly */

/* ---- the child ----------------------------------------------------------- */

static fal_status probe(const char *selector, double *worst)
{
    fal_device *device;
    fal_device_options options = FAL_DEVICE_OPTIONS;
    options.name = selector;
    fal_status status = fal_device_open(&device, &options);
    if (status)
        return status;
    status = fal_check_probe(device, worst);
    fal_device_destroy(device);
    return status;
}

int cli_probe(const char *selector)
{
    double worst = 0;
    fal_status status = probe(selector, &worst);
    if (!status && !(worst <= 1))
        status = fal_fail(FAL_ERROR_DEVICE,
                          "a small matrix product is wrong, by %g times its bound",
                          worst);
    if (!status)
        return CLI_DONE;
    const char *message = fal_error_message();
    ssize_t written = write(REPORT, message, strlen(message));
    return written < 0 ? CLI_WRONG_USE : CLI_FAILED;
}

/* ---- the parent ---------------------------------------------------------- */

/* What the driver prints belongs to nobody. */
static int start_child(const char *selector, int report, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    char *words[] = {(char *)"falign", (char *)"--probe", (char *)selector, NULL};
    int code = posix_spawn_file_actions_init(&actions);
    if (code)
        return code;
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY,
                                     0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY,
                                     0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY,
                                     0);
    posix_spawn_file_actions_adddup2(&actions, report, REPORT);
    code = posix_spawn(child, "/proc/self/exe", &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

/* Reads until the child closes the pipe; 0 when it took too long. */
static int read_report(int from, char *text, size_t size)
{
    double until = cli_clock() + PATIENCE;
    size_t used = 0;
    for (;;) {
        struct pollfd wait = {.fd = from, .events = POLLIN};
        int left = (int)(1000 * (until - cli_clock()));
        int ready = left > 0 ? poll(&wait, 1, left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return 0;
        char spare[256];
        int full = used + 1 >= size;
        ssize_t got = full ? read(from, spare, sizeof spare)
                           : read(from, text + used, size - used - 1);
        if (got <= 0)
            return 1;
        used += full ? 0 : (size_t)got;
        text[used] = 0;
    }
}

static void judge(int state, int in_time, char *problem, size_t size)
{
    if (!in_time)
        snprintf(problem, size, "did not finish in %.0f seconds", PATIENCE);
    else if (WIFSIGNALED(state))
        snprintf(problem, size,
                 "its driver crashed: %s; a damaged kernel cache does that: delete "
                 "it (PoCL's: $POCL_CACHE_DIR, else ~/.cache/pocl)",
                 strsignal(WTERMSIG(state)));
    else if (WIFEXITED(state) && WEXITSTATUS(state) != 0 && !*problem)
        snprintf(problem, size, "its driver ended the process with code %d",
                 WEXITSTATUS(state));
}

static fal_status probe_failed(const char *selector, int code)
{
    return fal_fail(FAL_ERROR_FILE,
                    "devices, %s: no process for the probe: %s; free resources",
                    selector, strerror(code));
}

/* The reading end must lie above the child's descriptors; it closes itself there.
 */
static int make_pipe(int ends[2])
{
    int both[2];
    if (pipe(both) != 0)
        return errno;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(both[i], F_DUPFD_CLOEXEC, REPORT + 1);
        close(both[i]);
    }
    return ends[0] < 0 || ends[1] < 0 ? EMFILE : 0;
}

fal_status cli_probe_device(const char *selector, char *problem, size_t size)
{
    int ends[2] = {-1, -1}, state = 0;
    pid_t child;
    *problem = 0;
    int code = make_pipe(ends);
    if (code)
        return probe_failed(selector, code);
    code = start_child(selector, ends[1], &child);
    close(ends[1]);
    if (code == 0) {
        int in_time = read_report(ends[0], problem, size);
        if (!in_time)
            kill(child, SIGKILL);
        while (waitpid(child, &state, 0) < 0 && errno == EINTR)
            ;
        judge(state, in_time, problem, size);
    }
    close(ends[0]);
    return code ? probe_failed(selector, code) : FAL_OK;
}
