/* Surroundings that fail the tool: drivers that are not there, PoCL's kernel cache,
 * folders that went away. Each time it says what, and leaves nothing. */
#include "tool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What is tested here is PoCL's, whatever device the other tests have. */
static int enter(void **state)
{
    setenv("OCL_ICD_VENDORS", "pocl.icd", 1);
    setenv("FALIGN_DEVICE", "cpu", 1);
    return tool_enter(state);
}

/* Text in columns as `devices` prints it, with single blanks. */
static const char *in_one_line(const char *text)
{
    static char line[TOOL_OUTPUT];
    size_t used = 0;
    for (; *text; text++)
        if (*text != ' ' && *text != '\n')
            line[used++] = *text;
        else if (used > 0 && line[used - 1] != ' ')
            line[used++] = ' ';
    line[used] = 0;
    return line;
}

/* train ends with 1 and `what`, devices lists it; neither leaves a file. */
static void assert_refused(const char *name, const char *value, const char *what)
{
    char *before = strdup(tool_list("."));
    const struct tool *tool = tool_run_with(name, value, "$T");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, what);
    assert_true(tool_fits(tool->lines));
    assert_string_equal(tool->out, "");
    tool = tool_run_with(name, value, "devices");
    assert_int_equal(tool->code, 0);
    assert_has(in_one_line(tool->out), what);
    assert_string_equal(tool_list("."), before);
    free(before);
}

static void assert_trains(void)
{
    const struct tool *tool = tool_run("$T --steps 1 --force --out run");
    if (tool->code)
        fail_msg("%d: %s", tool->code, tool->error);
}

/* 0: the commands did not do. */
static int shell(const char *script)
{
    return system(script) == 0;
}

/* ---- drivers ------------------------------------------------------------- */

static void no_driver_is_said(void **state)
{
    (void)state;
    assert_refused("OCL_ICD_VENDORS", "/nonexistent",
                   "no OpenCL platform: OCL_ICD_VENDORS is '/nonexistent'");
    assert_true(shell("mkdir vendors && echo libnone.so.1 >vendors/none.icd"));
    char *here = getcwd(NULL, 0), folder[256];
    snprintf(folder, sizeof folder, "%s/vendors", here);
    free(here);
    assert_refused("OCL_ICD_VENDORS", folder,
                   "no OpenCL platform: OCL_ICD_VENDORS");
    assert_true(shell("rm -r vendors && mkdir vendors"));
    assert_refused("OCL_ICD_VENDORS", folder,
                   "no OpenCL platform: OCL_ICD_VENDORS");
}

static void no_linker_is_said(void **state)
{
    static const char what[] = "PoCL needs the linker 'ld' on PATH";
    char *path = strdup(getenv("PATH"));
    (void)state;
    assert_refused("PATH", "/nonexistent", what);
    assert_refused("PATH", "", what);
    unsetenv("PATH");
    const struct tool *tool = tool_run("$T");
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, what);
}

/* ---- PoCL's kernel cache ------------------------------------------------- */

static void a_cache_that_cannot_be_made_is_said(void **state)
{
    (void)state;
    tool_write("file", "", 0);
    assert_refused("POCL_CACHE_DIR", "file/cache",
                   "PoCL's kernel cache 'file/cache' cannot be written: Not a "
                   "directory; set POCL_CACHE_DIR");
    assert_refused("POCL_CACHE_DIR", "/proc/cache",
                   "PoCL's kernel cache '/proc/cache' cannot be written: ");
}

static int without_rights(const char *line)
{
    char script[512];
    int root = geteuid() == 0;
    snprintf(script, sizeof script,
             "%s env POCL_CACHE_DIR=cache \"$FALIGN_BINARY\" %s >out 2>error",
             root ? "setpriv --reuid=65534 --clear-groups" : "", line);
    int state = system(script);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

static void a_read_only_cache_is_said(void **state)
{
    (void)state;
    assert_int_equal(chmod(".", 0711), 0);
    assert_true(shell("mkdir cache && chmod 555 cache"));
    if (without_rights("--version") != 0)
        skip(); /* others may not read the build folder */
    assert_int_equal(without_rights("devices"), 0);
    char *out = tool_read("out");
    assert_has(in_one_line(out),
               "PoCL's kernel cache 'cache' cannot be written: Permission denied");
    free(out);
    assert_int_equal(without_rights("devices --check"), 1);
    char *error = tool_read("error");
    assert_has(in_one_line(error), "cannot be written: Permission denied; set");
    free(error);
}

static int unmount(void **state)
{
    shell("umount disk 2>/dev/null");
    return tool_leave(state);
}

static void a_small_disk_is_said(void **state)
{
    (void)state;
    assert_true(shell("mkdir disk"));
    if (!shell("mount -t tmpfs -o size=32m none disk 2>/dev/null"))
        skip(); /* needs rights */
    assert_refused("POCL_CACHE_DIR", "disk/cache",
                   "PoCL's kernel cache 'disk/cache' has 32 MB left, it needs 64; "
                   "free some");
    assert_true(shell("mount -o remount,ro disk"));
    assert_refused("POCL_CACHE_DIR", "disk/cache",
                   "PoCL's kernel cache 'disk/cache' cannot be written: Read-only "
                   "file system");
}

/* PoCL ends the process there: devices tries it in another one. */
static void a_damaged_cache_is_said(void **state)
{
    (void)state;
    assert_int_equal(tool_run_with("POCL_CACHE_DIR", "cache", "devices")->code, 0);
    assert_true(shell("find cache -name '*.so' -exec truncate -s 100 {} +"));
    const struct tool *tool = tool_run_with("POCL_CACHE_DIR", "cache", "devices");
    assert_int_equal(tool->code, 0);
    assert_has(in_one_line(tool->out),
               "its driver crashed: Aborted; a damaged kernel cache does that: "
               "delete it");
}

/* ---- folders ------------------------------------------------------------- */

static void home_and_tmpdir_are_not_needed(void **state)
{
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    (void)state;
    unsetenv("HOME");
    unsetenv("XDG_CACHE_HOME");
    setenv("TMPDIR", "/nonexistent", 1);
    assert_trains();
    const struct tool *tool = tool_run("$T --data mnist --data-path nowhere");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, "nowhere/mnist");
    unsetenv("TMPDIR");
    if (home)
        setenv("HOME", home, 1);
    free(home);
}

static void a_folder_that_went_away_is_said(void **state)
{
    (void)state;
    char *here = getcwd(NULL, 0);
    assert_true(shell("mkdir gone"));
    assert_int_equal(chdir("gone"), 0);
    assert_true(shell("rmdir ../gone"));
    const struct tool *tool = tool_run("$T");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, "run folder 'runs'");
    assert_has(tool->error, "cannot be made: No such file or directory");
    assert_int_equal(tool_run("devices")->code, 0);
    assert_int_equal(chdir(here), 0);
    free(here);
    assert_string_equal(tool_list("."), "");
    assert_trains();
}

struct wrong_path {
    const char *line, *what;
};

static void wrong_paths_are_named(void **state)
{
    static const struct wrong_path wrong[] = {
        {"train --data /nonexistent --net mlp-1x8", "'/nonexistent'"},
        {"train --data empty --net mlp-1x8 --data-path empty", "'empty'"},
        {"train --data ./empty --net mlp-1x8", "'./empty'"},
        {"train nonesuch.yaml", "'nonesuch.yaml'"},
        {"train --data $D --init nonesuch", "'nonesuch'"},
        {"train --data $D --init empty", "'empty/model.safetensors'"},
        {"evaluate nonesuch --data $D", "'nonesuch'"},
        {"evaluate empty --data $D", "'empty/model.safetensors'"},
        {"evaluate file --data $D", "'file'"},
        {"evaluate '' --data $D", "''"},
        {"predict nonesuch file", "'nonesuch'"},
        {"$T --out file/run", "'file': cannot be made: Not a directory"},
        {"$T --out /proc/run", "'/proc/run': cannot be made: "},
    };
    (void)state;
    assert_true(shell("mkdir empty && : >file"));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct tool *tool = tool_run(wrong[i].line);
        if (tool->code != 1 && tool->code != 2)
            fail_msg("%s: exit code %d", wrong[i].line, tool->code);
        assert_has(tool->error, wrong[i].what);
        assert_true(tool_fits(tool->lines));
        assert_string_equal(tool_list("."), "empty file");
        assert_string_equal(tool_list("empty"), "");
    }
}

/* The schedule is refused while PoCL compiles the weights' kernel in a thread of its
 * own, which would crash if the process ended under it. */
static void a_refusal_waits_for_the_compiler(void **state)
{
    (void)state;
    assert_int_equal(mkdir("cache", 0777), 0);
    const struct tool *tool = tool_run_with("POCL_CACHE_DIR", "cache",
                                            "$T --steps 4 --warmup 4");
    assert_int_equal(tool->code, 2);
    assert_int_equal(system("find cache -name '*.so' | grep -q ."), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refusal_waits_for_the_compiler),
        TEST(no_driver_is_said),
        TEST(no_linker_is_said),
        TEST(a_cache_that_cannot_be_made_is_said),
        TEST(a_read_only_cache_is_said),
        cmocka_unit_test_setup_teardown(a_small_disk_is_said, enter, unmount),
        TEST(a_damaged_cache_is_said),
        TEST(home_and_tmpdir_are_not_needed),
        TEST(a_folder_that_went_away_is_said),
        TEST(wrong_paths_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
