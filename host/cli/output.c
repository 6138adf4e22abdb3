#include "cli/output.h"
#include "cli/wrap.h"
#include "device/error.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80, INDENT = 2, SAID = 9000 };

/* ---- printing ------------------------------------------------------------ */

static int print_error; /* errno of the first failure */

void cli_print(const char *format, ...)
{
    if (print_error)
        return;
    va_list arguments;
    va_start(arguments, format);
    int failed = vprintf(format, arguments) < 0;
    va_end(arguments);
    if (fflush(stdout) != 0 || failed)
        print_error = errno ? errno : EIO;
}

int cli_broken(void)
{
    return print_error != 0;
}

/* What messages quote must not steer the terminal. */
static void hide_control(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' && *text != '\n')
            *text = *text == '\t' ? ' ' : '?';
}

void cli_say(const char *format, ...)
{
    char text[SAID] = "falign: ";
    const size_t head = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + head, sizeof text - head, format, arguments);
    va_end(arguments);
    hide_control(text);
    const char *rest = text;
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
    if (print_error)
        return end_broken();
    if (status == FAL_OK)
        return CLI_DONE;
    if (status == FAL_STOPPED && cli_interrupted())
        return CLI_INTERRUPTED;
    cli_complain();
    return status == FAL_ERROR_ARGUMENT ? CLI_WRONG_USE : CLI_FAILED;
}

/* ---- signals ------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void note_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void cli_signals_catch(void)
{
    struct sigaction once = {.sa_handler = note_interrupt,
                             .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &once, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

int cli_interrupted(void)
{
    return interrupted;
}
