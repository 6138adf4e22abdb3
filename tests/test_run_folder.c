/* Run folders: odd names, what is there already, several processes in one folder,
 * folders that vanish, and processes that are killed. */
#include "tool.h"

#include "device/error.h"
#include "files/atomic.h"
#include "train/run.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const char config[] = "# falign 0\n";
static const char run_files[] =
    "checkpoint.safetensors config.yaml metrics.jsonl model.safetensors "
    "start.safetensors";

static void empty_place(void)
{
    assert_int_equal(system("rm -rf ./* ./.[a-z]*"), 0);
}

static void write_text(const char *path, const char *text)
{
    tool_write(path, text, strlen(text));
}

static void assert_text(const char *path, const char *text)
{
    char *found = tool_read(path);
    assert_string_equal(found, text);
    free(found);
}

static void assert_refused(const char *line, int code, const char *why)
{
    const struct tool *tool = tool_run(line);
    if (tool->code != code)
        fail_msg("%s: %d, not %d: %s", line, tool->code, code, tool->error);
    assert_has(tool->error, why);
}

static void must(fal_status status)
{
    if (status)
        fail_msg("%s", fal_error_message());
}

static void expect_error(fal_status status, fal_status expected, const char *why)
{
    assert_int_equal(status, expected);
    assert_has(fal_error_message(), why);
}

static int is_there(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0;
}

/* ---- names --------------------------------------------------------------- */

static void odd_names_are_names(void **state)
{
    static const char *const lines[][2] = {
        {"$T --steps 1 --out '  two  words /and more '", "  two  words /and more "},
        {"$T --steps 1 --out a/../b", "b"},
        {"$T --steps 1 --out ./c//d///", "c/d"},
        {"$T --steps 1 --out=--out", "--out"},
        {"$T --steps 1 --out \xC3\xA4\xE2\x89\xA4", "\xC3\xA4\xE2\x89\xA4"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_good(lines[i][0]);
        assert_string_equal(tool_list(lines[i][1]), run_files);
    }
    assert_refused("$T --out bad\xFF", 2, "--out: its value is not UTF-8");
    assert_false(is_there("bad\xFF"));
}

/* `parts` times /nnn… of `length` characters. */
static const char *long_line(size_t parts, size_t length)
{
    static char line[8192];
    size_t used = (size_t)sprintf(line, "$T --out deep");
    for (size_t i = 0; i < parts; i++) {
        line[used++] = '/';
        memset(line + used, 'n', length);
        used += length;
    }
    line[used] = 0;
    return line;
}

/* Also where the folder's own name is short enough, its files' names are not. */
static void long_names_are_refused(void **state)
{
    (void)state;
    assert_refused(long_line(1, 4096), 1, "cannot be made: File name too long");
    assert_refused(long_line(1, 256), 1, "cannot be made: File name too long");
    assert_refused(long_line(20, 250), 1, "cannot be made: File name too long");
    assert_refused(long_line(31, 131), 1, "deep/");
    assert_string_equal(tool_list("."), "");
    assert_good(long_line(1, 255));
}

static void what_is_no_folder_is_refused(void **state)
{
    (void)state;
    write_text("plain", "mine");
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_refused("$T --out plain", 1, "'plain': cannot be made: Not a directory");
    assert_refused("$T --out plain/", 1,
                   "'plain': cannot be made: Not a directory");
    assert_refused("$T --out plain/a/b", 1, "Not a directory");
    assert_refused("$T --out plain --force", 1, "Not a directory");
    assert_refused("$T --out dangling", 1, "Not a directory");
    assert_refused("$T --out pipe", 1, "Not a directory");
    assert_refused("$T --out=", 2, "empty");
    assert_text("plain", "mine");
    assert_string_equal(tool_list("."), "dangling pipe plain");
}

/* ---- what is not ours ---------------------------------------------------- */

static void foreign_files_stay(void **state)
{
    (void)state;
    assert_int_equal(mkdir("out", 0777), 0);
    write_text("out/notes.txt", "mine");
    write_text("out/model.safetensors.tmp-1", "mine");
    write_text("out/other.tmp-1-0", "mine");
    assert_good("$T --steps 1 --out out");
    assert_good("$T --steps 1 --out out --force");
    assert_text("out/notes.txt", "mine");
    assert_text("out/model.safetensors.tmp-1", "mine");
    assert_text("out/other.tmp-1-0", "mine");
}

/* A model of another program lies in a folder under the same name as ours. */
static void force_takes_only_runs(void **state)
{
    static const char *const names[] = {
        "model.safetensors",     "config.yaml",  "metrics.jsonl",
        "start.safetensors",     "compare.json", "bp-1/config.yaml",
        "fa-7/model.safetensors"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        assert_int_equal(mkdir("out", 0777), 0);
        assert_int_equal(mkdir("out/bp-1", 0777), 0);
        assert_int_equal(mkdir("out/fa-7", 0777), 0);
        snprintf(path, sizeof path, "out/%s", names[i]);
        write_text(path, "mine");
        assert_refused("$T --out out", 2, "holds a run");
        assert_refused("$T --out out --force", 2, path);
        assert_refused("$T --out out --force", 2, "it may be yours");
        assert_text(path, "mine");
        unlink(path);
        assert_good("$T --steps 1 --out out --force");
        empty_place();
    }
}

static void force_replaces_a_comparison(void **state)
{
    (void)state;
    assert_good("compare --data $D --net mlp-1x8 --rules bp,fa --steps 1 --quiet "
                "--out out");
    assert_string_equal(tool_list("out"), "bp-1 compare.json config.yaml fa-1");
    write_text("out/fa-1/model.safetensors.tmp-17-3", "half");
    assert_good("$T --steps 1 --out out --force");
    assert_string_equal(tool_list("out"), run_files);
    assert_good("compare --data $D --net mlp-1x8 --rules bp --steps 1 --quiet "
                "--out out --force");
    assert_string_equal(tool_list("out"), "bp-1 compare.json config.yaml");
}

/* ---- several processes in one folder ------------------------------------- */

enum { OPENED = 0, BUSY = 1, HELD = 2, ODD = 3, PROCESSES = 4 };

static int opening(fal_run **run, const char *folder)
{
    if (fal_run_open(run, folder, 0) == FAL_OK)
        return OPENED;
    if (strstr(fal_error_message(), "another process is writing there"))
        return BUSY;
    if (strstr(fal_error_message(), "it holds a run already"))
        return HELD;
    fprintf(stderr, "%s\n", fal_error_message());
    return ODD;
}

/* Waits until nobody has the other end of a pipe. */
static void await(const int ends[2])
{
    char byte;
    close(ends[1]);
    while (read(ends[0], &byte, 1) > 0)
        ;
}

static pid_t opener(const int start[2], const int end[2], int discards)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    fal_run *run;
    close(end[1]);
    await(start);
    int outcome = opening(&run, "deep/er/shared");
    if (outcome == OPENED && discards) {
        fal_run_discard(run);
    } else if (outcome == OPENED) {
        await((const int[]){end[0], -1});
        outcome = fal_run_begin(run, config) ? ODD : OPENED;
        fal_run_close(run);
    }
    _exit(outcome);
}

/* Starts all at once; the one that gets the folder keeps it until all others have
 * ended. `counts` by outcome. */
static void open_at_once(int discarding, int counts[4])
{
    int start[2], end[2], ended = 0, state;
    assert_int_equal(pipe(start), 0);
    assert_int_equal(pipe(end), 0);
    for (int i = 0; i < PROCESSES; i++)
        assert_true(opener(start, end, i < discarding) > 0);
    memset(counts, 0, 4 * sizeof *counts);
    close(start[0]), close(start[1]);
    while (ended < PROCESSES) {
        if (++ended == PROCESSES)
            close(end[1]);
        assert_true(wait(&state) > 0);
        assert_true(WIFEXITED(state));
        counts[WEXITSTATUS(state)]++;
    }
    close(end[0]);
}

static void one_process_gets_the_folder(void **state)
{
    int counts[4];
    (void)state;
    for (int round = 0; round < 100; round++) {
        open_at_once(0, counts);
        assert_int_equal(counts[OPENED], 1);
        assert_int_equal(counts[BUSY], PROCESSES - 1);
        assert_string_equal(tool_list("deep/er/shared"),
                            "config.yaml metrics.jsonl");
        empty_place();
    }
}

/* Runs that are refused for another reason take the folder back that they made. */
static void folders_taken_back_are_in_nobodys_way(void **state)
{
    int counts[4];
    (void)state;
    for (int round = 0; round < 100; round++) {
        open_at_once(PROCESSES - 1, counts);
        assert_int_equal(counts[ODD] + counts[HELD], 0);
        assert_true(counts[OPENED] >= 1);
        empty_place();
    }
}

static pid_t run_aside(const char *line, const char *errors)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    const struct tool *tool = tool_run(line);
    write_text(errors, tool->error);
    _exit(tool->code);
}

static void two_runs_do_not_share_a_folder(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        pid_t one = run_aside("$T --steps 1 --out a/b", "one"),
              two = run_aside("$T --steps 1 --out a/b", "two");
        int first = tool_wait(one), second = tool_wait(two);
        assert_int_equal(first + second, 2); /* 0 and 2: wrong use */
        char *error = tool_read(first ? "one" : "two");
        if (!strstr(error, "another process is writing there"))
            assert_has(error, "it holds a run already");
        free(error);
        assert_string_equal(tool_list("a/b"), run_files);
        empty_place();
    }
}

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* Waits until a process that was started has made a file. */
static void await_file(const char *path)
{
    for (int i = 0; i < 6000 && !is_there(path); i++)
        pause_ms(10);
    assert_true(is_there(path));
}

static const char endless[] = "$T --epochs 1000000 --log 1 --out out";

static void a_running_run_is_left_alone(void **state)
{
    (void)state;
    pid_t child = tool_start(endless, -1);
    await_file("out/model.safetensors");
    assert_refused("$T --steps 1 --out out", 2,
                   "run folder 'out': another process is writing there");
    assert_refused("$T --steps 1 --out out --force", 2,
                   "another process is writing there; wait for it, or choose "
                   "another folder");
    assert_refused("compare --data $D --net mlp-1x8 --quiet --out out --force", 2,
                   "another process is writing there");
    kill(child, SIGKILL);
    tool_wait(child);
}

/* ---- killed -------------------------------------------------------------- */

static void a_killed_run_locks_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        pid_t child = tool_start(endless, -1);
        await_file("out/model.safetensors");
        pause_ms(7 * round);
        kill(child, SIGKILL);
        assert_int_equal(tool_wait(child), 1000 + SIGKILL);
        assert_good("evaluate out --data $D --quiet");
        assert_refused("$T --steps 1 --out out", 2, "holds a run already");
        assert_good("$T --steps 1 --out out --force");
        assert_string_equal(tool_list("out"), run_files);
        empty_place();
    }
}

/* Killed in the middle of a file: before the first one is whole, and while a later
 * one replaces it. */
static void half_files_are_cleared(void **state)
{
    static const char *const names[] = {"config.yaml", "model.safetensors"};
    fal_run *run;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof path, "out/%s", names[i]);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            fal_file_writer w;
            if (fal_run_open(&run, "out", 0) == FAL_OK &&
                (i == 0 || fal_run_begin(run, config) == FAL_OK) &&
                fal_file_begin(&w, path) == FAL_OK &&
                fal_file_write(&w, "half", 4) == FAL_OK)
                raise(SIGKILL);
            _exit(1);
        }
        assert_int_equal(tool_wait(child), 1000 + SIGKILL);
        snprintf(path, sizeof path, "out/%s.tmp-%ld-0", names[i], (long)child);
        assert_text(path, "half");
        must(fal_run_open(&run, "out", i > 0));
        assert_text(path, "half");
        must(fal_run_begin(run, config));
        fal_run_close(run);
        assert_string_equal(tool_list("out"), "config.yaml metrics.jsonl");
        empty_place();
    }
}

/* ---- vanished ------------------------------------------------------------ */

static const fal_progress line = {.size = sizeof line, .event = FAL_LOG, .step = 1};

static fal_run *begun(void)
{
    fal_run *run;
    must(fal_run_open(&run, "out", 0));
    must(fal_run_begin(run, config));
    must(fal_run_log(run, &line, NULL));
    return run;
}

/* Nothing is written any more, neither there nor into what is there instead. */
static void expect_gone(fal_run *run)
{
    expect_error(
        fal_run_log(run, &line, NULL), FAL_ERROR_FILE,
        "run folder 'out': it was removed, moved or replaced during the run");
    expect_error(fal_run_write(run, "compare.json", "{}"), FAL_ERROR_FILE,
                 "run folder 'out'");
    fal_run_close(run);
}

static void folders_that_vanish_are_said(void **state)
{
    (void)state;
    fal_run *run = begun();
    assert_int_equal(rename("out", "elsewhere"), 0);
    expect_gone(run);
    assert_string_equal(tool_list("."), "elsewhere");
    run = begun();
    empty_place();
    expect_gone(run);
    assert_string_equal(tool_list("."), "");
    run = begun();
    empty_place();
    write_text("out", "a file");
    expect_gone(run);
    assert_text("out", "a file");
    unlink("out");
    /* Another run has begun in a folder of the same name: its lock is its own. */
    run = begun();
    empty_place();
    fal_run *other = begun();
    expect_gone(run);
    assert_true(is_there("out/.falign-lock"));
    must(fal_run_log(other, &line, NULL));
    fal_run_close(other);
    assert_string_equal(tool_list("out"), "config.yaml metrics.jsonl");
}

static void a_run_ends_when_its_folder_vanishes(void **state)
{
    (void)state;
    pid_t child = run_aside(endless, "errors");
    await_file("out/model.safetensors");
    assert_int_equal(rename("out", "elsewhere"), 0);
    assert_int_equal(tool_wait(child), 1);
    char *error = tool_read("errors");
    assert_has(error, "run folder 'out': it was removed, moved or replaced");
    free(error);
    assert_good("evaluate elsewhere --data $D --quiet");
    unlink("errors");
    assert_string_equal(tool_list("."), "elsewhere");
}

/* As a user without rights: root may write everywhere. Exits with 0 when each step
 * went as it should. */
static void write_without_rights(void)
{
    fal_run *run;
    if (geteuid() == 0 && setuid(65534) != 0)
        _exit(77);
    if (fal_run_open(&run, "out", 0) || fal_run_begin(run, config) ||
        chmod("out", 0555) != 0)
        _exit(1);
    if (fal_run_write(run, "config.yaml", "new") != FAL_ERROR_FILE ||
        !strstr(fal_error_message(),
                "'out/config.yaml': cannot be made: Permission "
                "denied; see that its folder"))
        _exit(2);
    if (fal_run_log(run, &line, NULL)) /* it is open already */
        _exit(3);
    fal_run_close(run);
    if (fal_run_open(&run, "out", 1) ||
        fal_run_begin(run, "new") != FAL_ERROR_FILE ||
        !strstr(fal_error_message(),
                "'out/metrics.jsonl' of an older run cannot be "
                "removed: Permission denied"))
        _exit(4);
    fal_run_close(run);
    if (fal_run_open(&run, "out/in", 0) != FAL_ERROR_FILE ||
        !strstr(fal_error_message(), "'out/in': cannot be made: Permission denied"))
        _exit(5);
    _exit(chmod("out", 0777) == 0 ? 0 : 6);
}

static void folders_become_read_only(void **state)
{
    (void)state;
    assert_int_equal(chmod(".", 0777), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        write_without_rights();
    int code = tool_wait(child);
    if (code == 77)
        skip();
    assert_int_equal(code, 0);
    assert_text("out/config.yaml", config);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(odd_names_are_names),
        TEST(long_names_are_refused),
        TEST(what_is_no_folder_is_refused),
        TEST(foreign_files_stay),
        TEST(force_takes_only_runs),
        TEST(force_replaces_a_comparison),
        TEST(one_process_gets_the_folder),
        TEST(folders_taken_back_are_in_nobodys_way),
        TEST(two_runs_do_not_share_a_folder),
        TEST(a_running_run_is_left_alone),
        TEST(a_killed_run_locks_nothing),
        TEST(half_files_are_cleared),
        TEST(folders_that_vanish_are_said),
        TEST(a_run_ends_when_its_folder_vanishes),
        TEST(folders_become_read_only),
    };
    return cmocka_run_group_tests_name("run_folder", tests, NULL, NULL);
}
