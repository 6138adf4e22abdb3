/* Runs that do not come to their end: Ctrl-C and its like, readers that go away,
 * standard streams that are closed or full. */
#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "tool.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ENDLESS "train --data $D --net mlp-1x8 --epochs 1000000 --out run"

static const char run_files[] =
    "checkpoint.safetensors config.yaml metrics.jsonl model.safetensors "
    "start.safetensors";

/* ---- a run and its output ------------------------------------------------ */

static pid_t child; /* 0: none runs */
static int output;  /* what it prints */

static void begin(const char *line)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFD, FD_CLOEXEC), 0);
    child = tool_start(line, ends[1]);
    close(ends[1]);
    output = ends[0];
}

static void read_until(const char *text)
{
    static char seen[1 << 16];
    size_t used = 0;
    ssize_t got = 1;
    for (seen[0] = 0; !strstr(seen, text); seen[used] = 0) {
        used = used > sizeof seen / 2 ? 0 : used;
        got = read(output, seen + used, sizeof seen / 2 - 1);
        if (got <= 0)
            fail_msg("it ended before '%s': %s", text, seen);
        used += (size_t)got;
    }
}

static void read_rest(void)
{
    char bytes[4096];
    while (read(output, bytes, sizeof bytes) > 0)
        ;
}

static int end(void)
{
    read_rest();
    close(output);
    int code = tool_wait(child);
    child = 0;
    return code;
}

static int leave(void **state)
{
    if (child > 0) { /* a test that failed leaves it running */
        kill(child, SIGKILL);
        tool_wait(child);
        close(output);
    }
    child = 0;
    return tool_leave(state);
}

static void pause_ms(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void assert_whole_run(const char *folder)
{
    char line[128];
    assert_string_equal(tool_list(folder), run_files);
    snprintf(line, sizeof line, "evaluate %s --data $D", folder);
    const struct tool *tool = tool_run(line);
    if (tool->code)
        fail_msg("%s: %s", line, tool->error);
}

/* ---- signals ------------------------------------------------------------- */

static void each_signal_saves_once(void **state)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin(ENDLESS " --force");
        read_until("epoch 1/");
        kill(child, numbers[i]);
        assert_int_equal(end(), 130);
        assert_whole_run("run");
    }
}

/* One event may send these twice; they never end the process at once. */
static void two_polite_signals_save_too(void **state)
{
    (void)state;
    begin(ENDLESS);
    read_until("epoch 1/");
    kill(child, SIGTERM);
    kill(child, SIGHUP);
    kill(child, SIGTERM);
    assert_int_equal(end(), 130);
    assert_whole_run("run");
}

static void nohup_is_respected(void **state)
{
    (void)state;
    signal(SIGHUP, SIG_IGN);
    begin("train --data $D --net mlp-1x8 --epochs 60 --out run");
    signal(SIGHUP, SIG_DFL);
    read_until("epoch 1/");
    kill(child, SIGHUP);
    assert_int_equal(end(), 0);
}

/* The pipe has no room for another line, and nothing has moved for a while. */
static void wait_until_stuck(void)
{
    for (int still = 0, unread = 0, before; still < 10;) {
        before = unread;
        pause_ms(50);
        assert_int_equal(ioctl(output, FIONREAD, &unread), 0);
        still = unread == before && unread > 4096 - 100 ? still + 1 : 0;
    }
}

/* Nobody reads, so that it waits in the middle of its run while both arrive. */
static void a_second_ctrl_c_ends_it_at_once(void **state)
{
    struct timespec before, after;
    (void)state;
    begin(ENDLESS);
    assert_true(fcntl(output, F_SETPIPE_SZ, 4096) > 0);
    read_until("epoch 20/");
    wait_until_stuck();
    kill(child, SIGINT);
    pause_ms(200);
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    clock_gettime(CLOCK_MONOTONIC, &before);
    kill(child, SIGINT);
    int code = tool_wait(child);
    clock_gettime(CLOCK_MONOTONIC, &after);
    child = 0;
    close(output);
    assert_int_equal(code, 1000 + SIGINT);
    assert_true(after.tv_sec - before.tv_sec <= 1);
    assert_string_equal(tool_list("run"),
                        ".falign-lock checkpoint.safetensors config.yaml "
                        "metrics.jsonl model.safetensors start.safetensors");
    assert_int_equal(tool_run("evaluate run --data $D")->code, 0);
    assert_int_equal(tool_run("$T --epochs 1 --out run --force")->code, 0);
    assert_whole_run("run");
}

/* It waits with its first lines, before anything is written. */
static void before_the_first_step_nothing_is_left(void **state)
{
    int ends[2];
    char block[4096] = "";
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFD, FD_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], block, sizeof block) > 0)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    child = tool_start(ENDLESS, ends[1]);
    close(ends[1]);
    output = ends[0];
    while (!*tool_list("."))
        pause_ms(10);
    pause_ms(200);
    kill(child, SIGINT);
    pause_ms(50);
    assert_int_equal(end(), 130);
    assert_string_equal(tool_list("."), "");
}

/* Wherever it comes, the folder holds a whole run or is not there. */
static void at_any_time_all_or_nothing_is_there(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        begin("train --data $D --net mlp-2x64 --epochs 1000000 --out run");
        while (!*tool_list("."))
            pause_ms(1);
        pause_ms(15 * i);
        kill(child, SIGINT);
        assert_int_equal(end(), 130);
        if (!*tool_list("."))
            continue;
        assert_whole_run("run");
        assert_int_equal(system("rm -r run"), 0);
    }
}

static void commands_that_save_nothing_end_at_once(void **state)
{
    (void)state;
    begin("bench gemm --m 2048 --n 2048 --k 2048");
    pause_ms(100);
    kill(child, SIGINT);
    assert_int_equal(end(), 1000 + SIGINT);
}

/* ---- comparisons --------------------------------------------------------- */

static const cJSON *item_of(const cJSON *json, const char *list, int index,
                            const char *key)
{
    const cJSON *items = cJSON_GetObjectItem(json, list);
    return cJSON_GetObjectItem(cJSON_GetArrayItem(items, index), key);
}

static void a_comparison_keeps_what_is_done(void **state)
{
    (void)state;
    begin(
        "compare --data $D --net mlp-1x8 --rules bp,dfa,fa --epochs 40 --out all");
    read_until("dfa-1      epoch 1/");
    kill(child, SIGINT);
    assert_int_equal(end(), 130);
    assert_string_equal(tool_list("all"), "bp-1 compare.json config.yaml dfa-1");
    assert_whole_run("all/bp-1");
    assert_whole_run("all/dfa-1");
    char *text = tool_read("all/compare.json");
    cJSON *json = cJSON_Parse(text);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "runs")), 2);
    assert_true(cJSON_IsNumber(item_of(json, "runs", 0, "test_accuracy")));
    assert_true(cJSON_IsNull(item_of(json, "runs", 1, "test_accuracy")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "rules")), 3);
    assert_int_equal(item_of(json, "rules", 0, "runs")->valueint, 1);
    assert_int_equal(item_of(json, "rules", 2, "runs")->valueint, 0);
    cJSON_Delete(json);
    free(text);
}

/* ---- standard streams ---------------------------------------------------- */

/* A line of the shell; $F is the tool with a run of some epochs. */
static int shell(const char *line)
{
    char script[1024];
    snprintf(script, sizeof script,
             "set -f; F=\"$FALIGN_BINARY train --data "
             "$FALIGN_TEST_DATA --net mlp-1x8 --epochs 20 "
             "--out run\"; %s",
             line);
    int state = system(script);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 1000 + WTERMSIG(state);
}

static void assert_said(const char *text)
{
    char *error = tool_read("error");
    if (*text)
        assert_has(error, text);
    else
        assert_string_equal(error, "");
    free(error);
}

static void a_pipe_gets_plain_lines(void **state)
{
    (void)state;
    assert_int_equal(shell("$F >out 2>error"), 0);
    char *out = tool_read("out");
    assert_has(out, "\nepoch 1/20  loss ");
    assert_has(out, "\nepoch 20/20  loss ");
    assert_null(strchr(out, '\033'));
    assert_null(strchr(out, '\r'));
    free(out);
    assert_said("");
}

static void a_reader_that_goes_ends_the_run_quietly(void **state)
{
    (void)state;
    begin(ENDLESS);
    read_until("epoch 1/");
    close(output);
    int code = tool_wait(child);
    child = 0;
    assert_int_equal(code, 1);
    assert_whole_run("run");
    assert_int_equal(shell("{ $F --force 2>error; echo $? >code; } | head -1 >out"),
                     0);
    char *out = tool_read("out"), *ended = tool_read("code");
    assert_string_equal(out, "run      run\n");
    assert_string_equal(ended, "1\n");
    free(out);
    free(ended);
    assert_said("");
}

static void a_full_output_is_said(void **state)
{
    (void)state;
    assert_int_equal(shell("$F >/dev/full 2>error"), 1);
    assert_said("falign: writing standard output: No space left on device");
    assert_int_equal(shell("$F --json >/dev/full 2>error"), 1);
    assert_said("falign: writing standard output: No space left on device");
    assert_whole_run("run");
}

static void closed_streams_spoil_no_file(void **state)
{
    (void)state;
    assert_int_equal(shell("$F <&- >out 2>error"), 0);
    assert_whole_run("run");
    assert_int_equal(shell("$F --force >&- 2>error"), 1);
    assert_said("falign: writing standard output: Bad file descriptor");
    assert_int_equal(shell("$F --force --quiet <&- >&- 2>&-"), 0);
    assert_whole_run("run");
    /* What it says then goes nowhere, least of all into the metrics. */
    assert_int_equal(shell("$F --force --optimizer sgd --lr 1e25 2>&- >out"), 1);
    char *metrics = tool_read("run/metrics.jsonl");
    assert_null(strstr(metrics, "falign"));
    free(metrics);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_signal_saves_once),
        TEST(two_polite_signals_save_too),
        TEST(nohup_is_respected),
        TEST(a_second_ctrl_c_ends_it_at_once),
        TEST(before_the_first_step_nothing_is_left),
        TEST(at_any_time_all_or_nothing_is_there),
        TEST(commands_that_save_nothing_end_at_once),
        TEST(a_comparison_keeps_what_is_done),
        TEST(a_pipe_gets_plain_lines),
        TEST(a_reader_that_goes_ends_the_run_quietly),
        TEST(a_full_output_is_said),
        TEST(closed_streams_spoil_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
