#include "cli/output.h"
#include "cli/wrap.h"
#include "device/error.h"
#include "device/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS = 80, INDENT = 2, SAID = 9000, LIVE = 512 };

/* ---- printing ------------------------------------------------------------ */

static int print_error;                      /* errno of the first failure */
static atomic_int live_line;                 /* 1: one stands on the terminal */
static const char erase_live[] = "\r\033[J"; /* down to the end of the screen */

void cli_print(const char *format, ...)
{
    va_list arguments;
    cli_live_erase();
    if (print_error)
        return;
    va_start(arguments, format);
    int failed = vprintf(format, arguments) < 0;
    va_end(arguments);
    if (fflush(stdout) != 0 || failed)
        print_error = errno ? errno : EIO;
}

void cli_print_words(const char *text, size_t column)
{
    for (int indent = 0; *text; indent = (int)column) {
        size_t length = cli_line_length(text, COLUMNS - column);
        cli_print("%*s%.*s\n", indent, "", (int)length, text);
        text += length;
        text += *text ? 1 : 0;
    }
}

/* The cursor goes back to the line's start: a terminal that is made narrower and
 * breaks the line keeps the cursor there, so that the next one replaces all of it. */
void cli_live_print(const char *format, ...)
{
    char line[LIVE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    live_line = 0;
    cli_print("\r%s\033[J\r", line);
    live_line = !print_error;
}

void cli_live_erase(void)
{
    if (!live_line)
        return;
    live_line = 0;
    cli_print("%s", erase_live);
}

void cli_print_name(const char *name)
{
    char shown[SAID];
    fal_printable(shown, sizeof shown, name, "");
    cli_print("%s", shown);
}

int cli_broken(void)
{
    return print_error;
}

void cli_say(const char *format, ...)
{
    char text[SAID], shown[SAID] = "falign: ";
    const size_t head = strlen(shown);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fal_printable(shown + head, sizeof shown - head, text, "\n\t");
    cli_live_erase();
    const char *rest = shown;
    for (int indent = 0; *rest; indent = INDENT) {
        size_t length = cli_line_length(rest, (size_t)(COLUMNS - indent));
        fprintf(stderr, "%*s%.*s\n", indent, "", (int)length, rest);
        rest += length;
        rest += *rest ? 1 : 0;
    }
}

void cli_complain(void)
{
    cli_say("%s", fal_error_message());
}

fal_status cli_print_json(fal_json *json)
{
    fal_status status = json->status;
    if (!status)
        cli_print(json->comma ? "%s\n" : "%s", json->text);
    fal_json_release(json);
    return status;
}

void cli_json_text(fal_json *json, const char *key, const char *text)
{
    fal_json_key(json, key);
    fal_json_string(json, text);
}

void cli_json_count(fal_json *json, const char *key, uint64_t value)
{
    fal_json_key(json, key);
    fal_json_unsigned(json, value);
}

void cli_json_number(fal_json *json, const char *key, double value)
{
    fal_json_key(json, key);
    fal_json_number(json, value);
}

/* ---- ending -------------------------------------------------------------- */

/* Whoever closed the pipe has what they want: no message. */
static int end_broken(void)
{
    if (print_error != EPIPE)
        cli_say("writing standard output: %s; make room or print elsewhere",
                strerror(print_error));
    return CLI_FAILED;
}

int cli_end(fal_status status)
{
    if (status == FAL_STOPPED && cli_interrupted())
        return CLI_INTERRUPTED;
    if (print_error)
        return end_broken();
    if (status == FAL_OK)
        return CLI_DONE;
    cli_complain();
    return status == FAL_ERROR_ARGUMENT ? CLI_WRONG_USE : CLI_FAILED;
}

/* ---- beginning ----------------------------------------------------------- */

/* A file that the run writes must not become its standard error. Standard output is
 * opened for reading only, so that printing still fails. */
static void open_missing_streams(void)
{
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
        if (fcntl(stream, F_GETFD) < 0)
            open("/dev/null", stream == STDOUT_FILENO ? O_RDONLY : O_RDWR);
}

#if FAL_OPENBLAS
void openblas_set_num_threads(int threads);
#endif

void cli_begin(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    open_missing_streams();
#if FAL_OPENBLAS
    /* More would spin beside the device's, and round by their number: host/analysis/
     * rank.h. */
    openblas_set_num_threads(1);
#endif
    /* The calls that write then fail, and say why. */
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
}

/* ---- interruption -------------------------------------------------------- */

static const int interrupts[] = {SIGINT, SIGTERM, SIGHUP};

enum { INTERRUPTS = sizeof interrupts / sizeof *interrupts };

static atomic_int interrupted;

static void quit(void)
{
    sigset_t all;
    if (live_line && write(STDOUT_FILENO, erase_live, sizeof erase_live - 1) < 0)
        live_line = 0;
    signal(SIGINT, SIG_DFL);
    sigfillset(&all);
    pthread_sigmask(SIG_UNBLOCK, &all, NULL);
    raise(SIGINT);
}

/* A second Ctrl-C ends the process at once, as if nobody had caught it. Of the others
 * one event sends several: timeout(1) to the process and its group, a closing
 * terminal through the shell. */
static void *wait_for_interrupts(void *set)
{
    for (int number; sigwait(set, &number) == 0; interrupted = 1)
        if (interrupted && number == SIGINT)
            quit();
    return NULL;
}

/* A thread waits for them, and all else has them blocked: the compiler within an
 * OpenCL driver has a handler of its own, and the linker that it starts gets the
 * terminal's Ctrl-C as well. Both would spoil a build that is under way. */
void cli_catch_interrupts(void)
{
    static sigset_t set;
    pthread_t thread;
    sigemptyset(&set);
    for (int i = 0; i < INTERRUPTS; i++) {
        struct sigaction old;
        /* by nohup, or by a script that started it in the background */
        int ignored = sigaction(interrupts[i], NULL, &old) == 0 &&
                      old.sa_handler == SIG_IGN;
        if (!ignored)
            sigaddset(&set, interrupts[i]);
    }
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&thread, NULL, wait_for_interrupts, &set) == 0)
        pthread_detach(thread);
    else
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int cli_interrupted(void)
{
    return interrupted;
}
