/* The tool on a terminal: what it prints is interpreted as a terminal does, and what
 * then stands there is looked at. */
#include "screen.h"
#include "tool.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE = 60000 }; /* milliseconds */

#define ENDLESS "train --data $D --net mlp-1x8 --epochs 1000000 --out run"

static struct screen screen;
static int terminal;
static pid_t child; /* 0: none runs */

static const char run_files[] =
    "checkpoint.safetensors config.yaml metrics.jsonl model.safetensors "
    "start.safetensors";

static int enter(void **state)
{
    setenv("TERM", "xterm", 1);
    return tool_enter(state);
}

static int leave(void **state)
{
    if (child > 0) { /* a test that failed leaves it running */
        kill(child, SIGKILL);
        tool_wait(child);
        close(terminal);
    }
    child = 0;
    return tool_leave(state);
}

/* ---- a session ----------------------------------------------------------- */

static void begin(const char *line, int width, int reflow)
{
    screen_begin(&screen, width, reflow);
    child = tool_start_terminal(line, width, &terminal);
    assert_true(child > 0);
}

/* Shows what is printed next; 0: nothing came in time, -1: nothing will come. */
static int look(int milliseconds)
{
    char bytes[4096];
    struct pollfd wait = {.fd = terminal, .events = POLLIN};
    if (poll(&wait, 1, milliseconds) <= 0)
        return 0;
    ssize_t got = read(terminal, bytes, sizeof bytes);
    if (got <= 0)
        return -1;
    screen_print(&screen, bytes, (size_t)got);
    return 1;
}

static void watch_updates(int count)
{
    for (count += screen.updates; screen.updates < count;)
        if (look(PATIENCE) <= 0)
            fail_msg("it stopped after %d updates: %s", screen.updates,
                     screen.lines[screen.line]);
}

/* Until the live line has the text, where there is room for it. */
static void watch_for(const char *text, int room)
{
    for (int i = 0; room && !strstr(screen.lines[screen.line], text); i++) {
        assert_true(i < 200);
        watch_updates(1);
    }
}

static void type(const char *keys)
{
    assert_int_equal(write(terminal, keys, strlen(keys)), strlen(keys));
}

/* Watches it to its end and gives the exit code. */
static int end(void)
{
    while (look(PATIENCE) > 0)
        ;
    close(terminal);
    int code = tool_wait(child);
    child = 0;
    return code;
}

/* No live line, no colour, the cursor where the next prompt belongs. */
static void assert_clean(void)
{
    assert_int_equal(screen.broken, 0);
    assert_int_equal(screen.colored, 0);
    assert_int_equal(screen.column, 0);
    assert_string_equal(screen.lines[screen.line], "");
    assert_int_equal(screen_count(&screen, "[#"), 0);
    assert_int_equal(screen_count(&screen, "[."), 0);
    assert_int_equal(screen_count(&screen, "epoch "), 0);
    if (screen.width > 2) /* ^C itself takes two columns */
        assert_int_equal(screen_count(&screen, "^"), 0);
}

/* ---- the live line ------------------------------------------------------- */

static void assert_live_line(int width)
{
    const char *line = screen.lines[screen.line];
    assert_int_equal(screen.column, 0);
    if (strlen(line) >= (size_t)width)
        fail_msg("width %d: '%s'", width, line);
    if (width >= 10)
        assert_non_null(strstr(line, "epoch "));
    if (width >= 40) {
        assert_int_equal(line[0], '[');
        assert_non_null(strchr(line, ']'));
    }
    if (width >= 80) {
        assert_non_null(strstr(line, "acc "));
        assert_non_null(strstr(line, "/s "));
    }
}

static void the_live_line_fits_any_width(void **state)
{
    static const int widths[] = {300, 80, 40, 20, 10, 2, 1};
    (void)state;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        begin(ENDLESS " --force", widths[i], 1);
        watch_updates(4);
        watch_for(" left", widths[i] >= 80);
        watch_for("loss ", widths[i] >= 40);
        for (int looks = 0; screen.column != 0 && looks < 100; looks++)
            assert_int_equal(look(PATIENCE), 1);
        assert_live_line(widths[i]);
        type("\003");
        assert_int_equal(end(), 130);
        assert_clean();
    }
}

static void long_labels_fit_too(void **state)
{
    static const int widths[] = {80, 40, 20, 10};
    (void)state;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        begin("compare --data $D --net mlp-1x8 --rules shallow --epochs 1000000 "
              "--seed 18446744073709551615 --force --out all",
              widths[i], 1);
        watch_updates(3);
        assert_memory_equal(strstr(screen.lines[screen.line], "shallow"), "shallow",
                            7);
        type("\003");
        assert_int_equal(end(), 130);
        assert_clean();
    }
}

static void a_whole_run_leaves_its_results(void **state)
{
    static const char name[] = "\xC3\xA4\xE6\xBC\xA2\xF0\x9F\x90\x9F";
    (void)state;
    assert_int_equal(symlink(getenv("FALIGN_TEST_DATA"), name), 0);
    begin("train --data ./\xC3\xA4\xE6\xBC\xA2\xF0\x9F\x90\x9F --net mlp-6x8 "
          "--epochs 40 --out run",
          80, 1);
    assert_int_equal(end(), 0);
    assert_clean();
    assert_true(screen.updates >= 2);
    assert_int_equal(screen_count(&screen, "run      run"), 1);
    assert_int_equal(screen_count(&screen, "rule     bp"), 1);
    assert_int_equal(screen_count(&screen, "test accuracy "), 1);
    assert_string_equal(screen.lines[screen.line - 1], "saved in run");
    for (int i = 0; i < screen.count; i++)
        assert_true(strlen(screen.lines[i]) <= 80);
}

/* ---- kinds of terminals -------------------------------------------------- */

static void colors_can_be_refused(void **state)
{
    (void)state;
    begin(ENDLESS " --force", 80, 1);
    watch_updates(3);
    assert_true(screen.escapes > 0);
    type("\003");
    assert_int_equal(end(), 130);
    assert_clean();
    setenv("NO_COLOR", "1", 1);
    begin(ENDLESS " --force", 80, 1);
    unsetenv("NO_COLOR");
    watch_updates(3);
    assert_int_equal(screen.escapes, 0);
    type("\003");
    assert_int_equal(end(), 130);
}

static void a_dumb_terminal_gets_plain_lines(void **state)
{
    static const char *const types[] = {"dumb", "", NULL};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        if (types[i])
            setenv("TERM", types[i], 1);
        else
            unsetenv("TERM");
        begin("train --data $D --net mlp-1x8 --epochs 3 --force --out run", 80, 1);
        assert_int_equal(end(), 0);
        assert_int_equal(screen.updates + screen.escapes, 0);
        assert_int_equal(screen_count(&screen, "epoch 3/3  loss "), 1);
    }
}

/* Terminals break their lines anew or cut them. The new width is told between two
 * updates, as a user's hand would hit it. */
static void a_resized_window_stays_clean(void **state)
{
    (void)state;
    for (int reflow = 0; reflow < 2; reflow++) {
        static const unsigned short widths[] = {30, 9, 120};
        begin(ENDLESS " --force", 100, reflow);
        watch_updates(5);
        for (size_t i = 0; i < 3; i++) {
            struct winsize size = {.ws_row = 24, .ws_col = widths[i]};
            watch_updates(1);
            while (look(0) > 0)
                ;
            assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
            screen_resize(&screen, widths[i]);
            watch_updates(3);
            const char *line = screen.lines[screen.line];
            assert_true(strlen(line) < widths[i]);
            assert_int_equal(screen_count(&screen, "epoch "),
                             strncmp(line, "epoch ", 6) == 0 || *line == '[');
        }
        type("\003");
        assert_int_equal(end(), 130);
        assert_clean();
    }
}

/* ---- Ctrl-C -------------------------------------------------------------- */

static void ctrl_c_saves_and_says_so(void **state)
{
    (void)state;
    begin(ENDLESS, 80, 1);
    watch_updates(5);
    type("\003");
    assert_int_equal(end(), 130);
    assert_clean();
    assert_int_equal(screen_count(&screen, "falign: interrupted after step "), 1);
    assert_int_equal(screen_count(&screen, "  run/model.safetensors; go on"), 1);
    assert_int_equal(screen_count(&screen, "--resume run"), 1);
    assert_string_equal(tool_list("run"), run_files);
    assert_int_equal(tool_run("evaluate run --data $D")->code, 0);
    assert_int_equal(
        tool_run("train --data $D --init run --epochs 1 --quiet")->code, 0);
}

/* The compiler within the driver would take the signal for itself, and its linker
 * gets it as well. */
static void ctrl_c_while_kernels_compile_is_no_error(void **state)
{
    struct timespec while_it_compiles = {.tv_nsec = 600000000};
    const char *warm = getenv("POCL_CACHE_DIR");
    char *kept = warm ? strdup(warm) : NULL;
    (void)state;
    setenv("POCL_CACHE_DIR", "cold", 1);
    begin(ENDLESS, 80, 1);
    if (kept)
        setenv("POCL_CACHE_DIR", kept, 1);
    else
        unsetenv("POCL_CACHE_DIR");
    free(kept);
    while (strcmp(tool_list("."), "cold run") != 0)
        look(10);
    nanosleep(&while_it_compiles, NULL);
    type("\003");
    assert_int_equal(end(), 130);
    assert_int_equal(screen_count(&screen, "nothing is left behind"), 1);
    assert_string_equal(tool_list("."), "cold");
}

/* It saves though nobody is there to be told. */
static void a_closed_terminal_ends_the_run(void **state)
{
    (void)state;
    begin(ENDLESS, 80, 1);
    watch_updates(5);
    close(terminal);
    int code = tool_wait(child);
    child = 0;
    assert_int_equal(code, 130);
    assert_string_equal(tool_list("run"), run_files);
    assert_int_equal(tool_run("evaluate run --data $D")->code, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_live_line_fits_any_width),
        TEST(long_labels_fit_too),
        TEST(a_whole_run_leaves_its_results),
        TEST(colors_can_be_refused),
        TEST(a_dumb_terminal_gets_plain_lines),
        TEST(a_resized_window_stays_clean),
        TEST(ctrl_c_saves_and_says_so),
        TEST(ctrl_c_while_kernels_compile_is_no_error),
        TEST(a_closed_terminal_ends_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
