/* A disk that is full at each write in turn, of a whole run through the library and
 * of the tool on a small file system: what fails says which file, what was there
 * before stays whole, nothing half-written is left, and the process goes on. */
#include "disk.h"
#include "learning.h"
#include "tool.h"

#include "files/atomic.h"
#include "files/safetensors.h"
#include "files/tensorboard.h"
#include "train/run.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a run --------------------------------------------------------------- */

struct job {
    fal_run *run;
    fal_model *model;
    fal_trainer *trainer;
    fal_status status; /* of writing, and its message */
    char message[1024];
};

static fal_status begin(struct job *job)
{
    fal_status status = fal_run_begin(job->run, "# falign 0\n");
    if (!status)
        status = fal_run_begin_events(job->run);
    return status ? status : fal_run_save_start(job->run, job->trainer);
}

/* As the tool does it: see host/cli/job.c. */
static int on_progress(const fal_progress *progress, void *user)
{
    struct job *job = user;
    if (job->status) /* the end of the epoch comes all the same */
        return 1;
    if (progress->event == FAL_START)
        job->status = begin(job);
    if (progress->event == FAL_LOG || progress->event == FAL_EPOCH)
        job->status = fal_run_log(job->run, progress, NULL);
    if (progress->event == FAL_EPOCH && !job->status)
        job->status = fal_run_save_model(job->run, job->model);
    if (progress->event == FAL_EPOCH && !job->status)
        job->status = fal_run_save_checkpoint(job->run, job->trainer);
    snprintf(job->message, sizeof job->message, "%s", fal_error_message());
    return job->status != FAL_OK;
}

/* Two epochs of four steps into "runs/out", then a file of a comparison. */
static fal_status whole_run(fal_model *model, const fal_dataset *data)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    struct job job = {.model = model};
    options.rule = "fa";
    options.batch = 16;
    options.log_steps = 1;
    job.trainer = trainer_of(model, &options);
    fal_status status = fal_run_open(&job.run, "runs/out", 1);
    if (!status) {
        status = fal_trainer_fit(job.trainer, data, NULL, 2, on_progress, &job);
        if (job.status)
            status = fal_fail(job.status, "%s", job.message);
        if (!status)
            status = fal_run_write(job.run, "compare.json", "{\"config\":{}}\n");
        fal_run_close(job.run);
    }
    fal_trainer_destroy(job.trainer);
    return status;
}

/* ---- what is left -------------------------------------------------------- */

static int files_open(void)
{
    int count = 0;
    DIR *list = opendir("/proc/self/fd");
    while (list && readdir(list))
        count++;
    if (list)
        closedir(list);
    return count;
}

static void expect_whole_lines(const char *path)
{
    char *text = tool_read(path), *line = text;
    for (char *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        *end = 0;
        cJSON *json = cJSON_Parse(line);
        assert_non_null(json);
        cJSON_Delete(json);
    }
    free(text);
}

static void expect_whole_tensors(const char *path)
{
    struct stat facts;
    fal_safetensors *file = NULL;
    if (stat(path, &facts) == 0)
        must(fal_safetensors_open(&file, path));
    fal_safetensors_close(file);
}

static void expect_whole_records(const char *path)
{
    unsigned char *data = NULL;
    size_t size = 0, at = 0, record;
    if (access(path, F_OK) == 0)
        must(fal_file_read(path, SIZE_MAX, &data, &size));
    for (; at < size; at += record) {
        record = fal_event_length(data + at, size - at);
        assert_true(record > 0);
    }
    fal_release(data);
}

static void expect_clean(const char *folder)
{
    char path[64];
    assert_null(strstr(tool_list(folder), ".tmp-"));
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    expect_whole_lines(path);
    snprintf(path, sizeof path, "%s/events.out.tfevents.falign", folder);
    expect_whole_records(path);
    snprintf(path, sizeof path, "%s/start.safetensors", folder);
    expect_whole_tensors(path);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    expect_whole_tensors(path);
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", folder);
    expect_whole_tensors(path);
}

static const char all_files[] =
    "checkpoint.safetensors compare.json config.yaml events.out.tfevents.falign "
    "metrics.jsonl "
    "model.safetensors start.safetensors";

/* ---- the library --------------------------------------------------------- */

static void expect_failure(fal_status status)
{
    if (status != FAL_ERROR_FILE)
        fail_msg("status %d: %s", status, fal_error_message());
    expect_message("No space left on device");
    expect_message("runs");
}

/* The driver compiles and draws beside us; while it does, files of its own are open.
 */
static fal_model *settled_model(void)
{
    size_t count;
    fal_model *model = model_of("input 20, dense 40, relu, dense 5", 1);
    fal_release(model_floats(model, "dense1.weight", &count));
    return model;
}

/* A call fails, or it and all after it. All that may fail without a word is closing
 * what was only read or is on the disk already. */
static void a_run_meets_a_full_disk(void **state)
{
    void (*const modes[])(long) = {disk_fail_at, disk_full_at};
    fal_arrays arrays = random_arrays(64, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    (void)state;
    for (size_t mode = 0; mode < 2; mode++) {
        long n = 0, failures, failed = 0;
        do {
            fal_model *model = settled_model();
            int before = files_open();
            modes[mode](++n);
            fal_status status = whole_run(model, data);
            failures = disk_failures();
            if (failures > 0 && !status)
                assert_string_equal(disk_failed(), "close");
            disk_fail_at(0);
            assert_int_equal(files_open(), before);
            failed += status != FAL_OK;
            if (status)
                expect_failure(status);
            else
                assert_string_equal(tool_list("runs/out"), all_files);
            expect_clean("runs/out");
            must(fal_model_save(model, "after.safetensors"));
            expect_whole_tensors("after.safetensors");
            fal_model_destroy(model);
        } while (failures > 0);
        assert_true(failed > 40);
        assert_string_equal(tool_list("."), "after.safetensors runs");
        assert_int_equal(system("rm -rf ./*"), 0);
    }
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* What fails to replace a file leaves its bytes. */
static void old_files_stay(void **state)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    (void)state;
    options.rule = "dfa";
    fal_model *old = model_of("input 20, dense 40, relu, dense 5", 1),
              *new = model_of("input 20, dense 30, relu, dense 5", 2);
    fal_trainer *trainer = trainer_of(new, &options);
    must(fal_model_save(old, "old"));
    for (int what = 0; what < 2; what++) {
        long n = 0, failures;
        must(fal_model_save(old, "file"));
        do {
            disk_full_at(++n);
            fal_status status = what ? fal_trainer_save(trainer, "file")
                                     : fal_model_save(new, "file");
            failures = disk_failures();
            disk_fail_at(0);
            assert_int_equal(status, failures ? FAL_ERROR_FILE : FAL_OK);
            assert_int_equal(tool_same("old", "file"), failures > 0);
            assert_string_equal(tool_list("."), "file old");
        } while (failures > 0);
        assert_true(n > 6);
    }
    fal_trainer_destroy(trainer);
    fal_model_destroy(old);
    fal_model_destroy(new);
}

/* ---- the tool ------------------------------------------------------------ */

static void expect_has(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text ? text : "nothing");
}

/* Disks of 4, 8, … KiB, in a name space of the test's own; what was written is
 * copied out of it. Returns the exit code, 77 where there are no such disks. */
static int run_on_disk(int kib)
{
    char command[1024];
    snprintf(command, sizeof command,
             "unshare -rm true 2>/dev/null || exit 77\n"
             "rm -rf copy disk && mkdir copy disk && unshare -rm sh -c '\n"
             "mount -t tmpfs -o size=%dk none disk || exit 77\n"
             "\"$FALIGN_BINARY\" train --data \"$FALIGN_TEST_DATA\" --net mlp-1x8 "
             "--epochs 2 --log 5 --measure 4 --checkpoint 7 --tensorboard --quiet "
             "--out disk/out 2>errors\n"
             "code=$?; cp -r disk/. copy/; exit $code'",
             kib);
    int state = system(command);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

static void a_small_disk_fills_up(void **state)
{
    int code = 1, failed = 0, resumable = 0;
    (void)state;
    for (int kib = 4; code == 1 && kib < 1024; kib += 4, failed += code == 1) {
        code = run_on_disk(kib);
        if (code == 77)
            skip();
        expect_clean("copy/out");
        char *error = tool_read("errors");
        if (code == 1) {
            expect_has(error, "falign: ");
            expect_has(error, "No space left on device");
            expect_has(error, "disk/out");
            int resumes = access("copy/out/checkpoint.safetensors", F_OK) == 0;
            assert_int_equal(strstr(error, "--resume disk/out") != NULL, resumes);
            resumable += resumes;
        }
        free(error);
    }
    assert_int_equal(code, 0);
    assert_true(failed > 5 && resumable > 0);
    assert_int_equal(tool_run("evaluate copy/out --data $D --quiet")->code, 0);
}

/* Files may not grow beyond a limit; PoCL's own are smaller than this one. */
static void a_limited_file_size_is_said(void **state)
{
    static const char line[] =
        "train --data $D --net mlp-1x2048 --epochs 0 --quiet "
        "--out out --force";
    (void)state;
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(tool_run("$T --steps 1 --out out")->code, 0);
    signal(SIGXFSZ, SIG_DFL); /* which some shells and interpreters ignore */
    limit = before;
    limit.rlim_cur = 5000000;
    setrlimit(RLIMIT_FSIZE, &limit);
    const struct tool *tool = tool_run(line);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(tool->code, 1);
    expect_has(tool->error,
               "falign: writing file 'out/start.safetensors': File too large; the "
               "old file, if any, is unchanged; make room or choose another place");
    assert_string_equal(tool_list("out"), "config.yaml metrics.jsonl");
    assert_int_equal(tool_run(line)->code, 0);
}

static void output_has_no_room(void **state)
{
    static const char *const lines[] = {
        "--help",
        "--version",
        "train --help",
        "devices",
        "devices --json",
        "evaluate run --data $D",
        "evaluate run --data $D --json",
        "bench gemm --m 16 --n 16 --k 16",
        "train --data $D --net mlp-1x8 --dry-run",
        "train --data $D --net mlp-1x8 --epochs 2 --out told",
        "train --data $D --net mlp-1x8 --epochs 2 --json --out json",
        "compare --data $D --net mlp-1x8 --epochs 2 --rules bp --out compared",
    };
    (void)state;
    assert_int_equal(tool_run("$T --steps 1 --out run")->code, 0);
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const struct tool *tool = tool_run_to(full, lines[i]);
        if (tool->code != 1)
            fail_msg("%s: %d: %s", lines[i], tool->code, tool->error);
        expect_has(tool->error, "falign: writing standard output: No space left on "
                                "device; make room or print elsewhere");
    }
    close(full);
    assert_int_equal(tool_run("evaluate json --data $D --quiet")->code, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_meets_a_full_disk),     TEST(old_files_stay),
        TEST(a_small_disk_fills_up),       TEST(output_has_no_room),
        TEST(a_limited_file_size_is_said),
    };
    return cmocka_run_group_tests_name("full_disk", tests, open_device,
                                       close_device);
}
