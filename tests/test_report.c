/* falign report: what stands in the page, of whole runs and of broken ones, and that
 * nothing else is touched. */
#include "tool.h"

#include "device/error.h"
#include "device/memory.h"
#include "report/page.h"
#include "report/scale.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char config[] = "# falign 0.1.0, a test\ndata: some\nnet: mlp-2x8\n"
                             "rule: %s\nlr: %s\nseed: %d\nfeedback-seed: %d\n"
                             "epochs: 2\nsteps: null\n";

/* ---- run folders --------------------------------------------------------- */

static void empty_place(void)
{
    assert_int_equal(system("rm -rf ./* ./.[a-z]*"), 0);
}

static void write_text(const char *path, const char *text)
{
    tool_write(path, text, strlen(text));
}

static void write_in(const char *folder, const char *name, const char *text)
{
    char path[512];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    write_text(path, text);
}

static void write_config(const char *folder, const char *rule, const char *rate,
                         int seed)
{
    char text[1024];
    snprintf(text, sizeof text, config, rule, rate, seed, seed);
    write_in(folder, "config.yaml", text);
}

/* Two epochs of 10 steps, measured at each epoch's start and at the end. */
static void write_lines(const char *folder, double accuracy, double alignment)
{
    char text[4096];
    int used = 0;
    for (int epoch = 0; epoch <= 2; epoch++) {
        used += snprintf(text + used, sizeof text - (size_t)used,
                         "{\"type\":\"step\",\"step\":%d,\"epoch\":%d,"
                         "\"gradient_alignment\":{\"dense1\":%g,\"dense2\":%g,"
                         "\"total\":%g}}\n",
                         10 * epoch, epoch, alignment * epoch / 2,
                         alignment * epoch / 4, alignment * epoch / 3);
        if (epoch > 0)
            used += snprintf(text + used, sizeof text - (size_t)used,
                             "{\"type\":\"epoch\",\"step\":%d,\"epoch\":%d,"
                             "\"train_loss\":0.5,\"train_accuracy\":0.75,"
                             "\"test_loss\":0.625,\"test_accuracy\":%g,"
                             "\"samples_per_second\":100,\"seconds\":%d}\n",
                             10 * epoch, epoch, accuracy, epoch);
    }
    write_in(folder, "metrics.jsonl", text);
}

static void write_run(const char *folder, const char *rule, int seed,
                      double accuracy)
{
    write_config(folder, rule, "0.001", seed);
    write_lines(folder, accuracy, 0.84);
}

/* ---- asking -------------------------------------------------------------- */

/* The page that "report LINE" writes; the caller frees it. */
static char *page_of(const char *line, const char *path)
{
    char words[512];
    snprintf(words, sizeof words, "report %s", line);
    assert_good(words);
    char *page = tool_read(path);
    assert_memory_equal(page, "<!doctype html>", 15);
    assert_has(page, "</html>\n");
    return page;
}

static void assert_page(const char *line, const char *path, const char *part)
{
    char *page = page_of(line, path);
    assert_has(page, part);
    free(page);
}

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        found++;
    return found;
}

static void assert_refused(const char *line, int code, const char *why)
{
    const struct tool *tool = tool_run(line);
    if (tool->code != code)
        fail_msg("%s: %d, not %d: %s", line, tool->code, code, tool->error);
    assert_has(tool->error, why);
    assert_string_equal(tool->out, "");
}

/* The text between the first `from` and what ends its block, entities undone. */
static char *block_of(const char *page, const char *from)
{
    const char *at = strstr(page, from), *end = at ? strstr(at, "</pre>") : NULL;
    assert_non_null(end);
    char *text = calloc((size_t)(end - at) + 1, 1), *to = text;
    assert_non_null(text);
    while (at < end)
        if (strncmp(at, "&#39;", 5) == 0) {
            *to++ = '\'';
            at += 5;
        } else if (strncmp(at, " \\\n    ", 7) == 0) {
            *to++ = ' ';
            at += 7;
        } else {
            *to++ = *at++;
        }
    return text;
}

/* ---- whole runs ---------------------------------------------------------- */

static void run_of_the_tool_is_drawn(void **state)
{
    (void)state;
    char before[512];
    assert_good("$T --epochs 2 --batch 64 --out run");
    snprintf(before, sizeof before, "%s", tool_list("run"));
    const struct tool *tool = tool_run("report run/");
    assert_int_equal(tool->code, 0);
    assert_string_equal(tool->out, "report of 1 run in run/report.html\n");
    assert_string_equal(tool->error, "");
    char *page = tool_read("run/report.html");
    assert_int_equal(unlink("run/report.html"), 0);
    assert_string_equal(tool_list("run"), before); /* and nothing else was left */
    assert_has(page, "<th>test accuracy %</th>");
    assert_int_equal(count(page, "<svg class=\"plot\""), 2);
    assert_has(page, "None of the runs measured them");
    assert_has(page, "falign train run/config.yaml --out NEW");
    free(page);
}

static void page_is_the_same_twice(void **state)
{
    (void)state;
    write_run("a", "fa", 1, 0.5);
    assert_good("report a");
    assert_int_equal(rename("a/report.html", "first"), 0);
    assert_good("report a --quiet");
    assert_true(tool_same("first", "a/report.html"));
}

static void json_says_where(void **state)
{
    (void)state;
    write_run("a", "fa", 1, 0.5);
    const struct tool *tool = tool_run("report a --json");
    assert_int_equal(tool->code, 0);
    assert_string_equal(tool->out, "{\"report\":\"a/report.html\",\"runs\":1,"
                                   "\"groups\":1,\"notes\":[]}\n");
    tool = tool_run("report a --quiet");
    assert_int_equal(tool->code, 0);
    assert_string_equal(tool->out, "");
}

/* Runs that differ in their seeds alone are one line; others are told apart. */
static void seeds_are_averaged(void **state)
{
    (void)state;
    write_run("a", "fa", 1, 0.80);
    write_run("b", "fa", 2, 0.82);
    write_run("c", "fa", 3, 0.84);
    write_run("d", "bp", 1, 0.90);
    char *page = page_of("a b c d", "a/report.html");
    assert_has(page, "82.00<span> \xC2\xB1 2.00</span>");
    assert_has(page, "90.00</td>");
    assert_has(page, "<b>fa</b> <span>3 runs</span>");
    assert_has(page, "class=\"band\"");
    assert_has(page, "data-value=\"0.82,0.82\" data-spread=\"0.02,0.02\"");
    assert_has(page, "data-end=\"20\" data-step=\"0,10,20\" data-epoch=\"10\"");
    free(page);
}

static void rules_of_one_name_are_numbered(void **state)
{
    (void)state;
    write_run("a", "fa", 1, 0.80);
    write_config("b", "fa", "0.01", 1);
    write_lines("b", 0.7, 0.5);
    char *page = page_of("a b", "a/report.html");
    assert_has(page, "<b>fa 1</b> <span>lr 0.001</span>");
    assert_has(page, "<b>fa 2</b> <span>lr 0.01</span>");
    free(page);
}

/* The cell is there with its value, and darker than one of a lower value. */
static void layers_have_a_map(void **state)
{
    (void)state;
    write_run("a", "fa", 1, 0.5);
    char *page = page_of("a", "a/report.html");
    assert_has(page, "<svg class=\"heat\"");
    assert_has(page, ">0.84</text><title>dense1, epoch 2, step 20: 0.8400</title>");
    assert_has(page, ">0.42</text><title>dense2, epoch 2, step 20: 0.4200</title>");
    assert_has(page, ">0.28</text><title>total, epoch 1, step 10: 0.2800</title>");
    assert_has(page, "fill=\"#f7fbff\"/><text class=\"dark\"");
    free(page);
}

static void nulls_are_gaps(void **state)
{
    (void)state;
    write_config("a", "fa", "0.001", 1);
    write_in("a", "metrics.jsonl",
             "{\"type\":\"step\",\"step\":0,\"epoch\":0,\"effective_rank\":"
             "{\"dense1\":2,\"dense2\":null}}\n"
             "{\"type\":\"step\",\"step\":5,\"epoch\":0,\"effective_rank\":"
             "{\"dense1\":null,\"dense2\":null}}\n"
             "{\"type\":\"step\",\"step\":9,\"epoch\":0,\"effective_rank\":"
             "{\"dense1\":4,\"dense2\":null}}\n");
    char *page = page_of("a", "a/report.html");
    assert_has(page, "data-value=\"2,,4\"");
    assert_has(page, "<text class=\"none\"");
    assert_null(strstr(page, "nan"));
    assert_null(strstr(page, "dense2"));
    free(page);
}

static void networks_may_differ(void **state)
{
    (void)state;
    write_run("a", "bp", 1, 0.5);
    write_in("b", "config.yaml",
             "# falign 0\ndata: some\nnet: dense 4\nrule: fa\n"
             "epochs: 1\n");
    write_in("b", "metrics.jsonl",
             "{\"type\":\"step\",\"step\":0,\"epoch\":0,\"gradient_alignment\":"
             "{\"first\":0.25}}\n"
             "{\"type\":\"epoch\",\"step\":7,\"epoch\":1,\"train_loss\":1}\n");
    char *page = page_of("a b", "a/report.html");
    assert_has(page, "the runs have different networks");
    assert_has(page, "several networks on some");
    assert_has(page, "<figcaption>dense1</figcaption>");
    assert_has(page, "<figcaption>first</figcaption>");
    assert_has(page, "<span>net dense 4</span>");
    free(page);
}

static void unknown_metrics_are_drawn(void **state)
{
    (void)state;
    write_config("a", "fa", "0.001", 1);
    write_in("a", "metrics.jsonl",
             "{\"type\":\"step\",\"step\":0,\"epoch\":0,\"kurtosis\":"
             "{\"dense1\":3.5}}\n");
    assert_page("a", "a/report.html", "<h3>kurtosis</h3>");
    assert_page("a", "a/report.html", ">3.50</text>");
}

static void many_lines_are_thinned(void **state)
{
    (void)state;
    char *text = malloc(1 << 20);
    int used = 0;
    assert_non_null(text);
    for (int step = 1; step <= 4000; step++)
        used += sprintf(text + used,
                        "{\"type\":\"step\",\"step\":%d,\"epoch\":0,"
                        "\"train_loss\":%d}\n",
                        step, step % 2);
    write_config("a", "fa", "0.001", 1);
    write_in("a", "metrics.jsonl", text);
    free(text);
    char *page = page_of("a", "a/report.html");
    assert_has(page, "Each point is the mean of up to 25 lines");
    assert_has(page, "data-step=\"25,50,75,");
    assert_true(strlen(page) < 60000);
    free(page);
}

/* ---- comparisons --------------------------------------------------------- */

static void comparison_is_drawn(void **state)
{
    (void)state;
    assert_good(
        "compare --data $D --net mlp-1x8 --rules bp,dfa --seeds 2 --epochs 2 "
        "--data-seed 1 --lr 0.01,dfa=0.001 --out c --quiet");
    const struct tool *tool = tool_run("report c");
    assert_string_equal(tool->out, "report of 4 runs in c/report.html\n");
    char *page = tool_read("c/report.html");
    char *command = block_of(page, "falign compare");
    assert_has(page, "<b>dfa</b> <span>2 runs</span>");
    assert_has(command,
               "--rules bp,dfa --lr 0.01,dfa=0.001 --epochs 2 --data-seed 1 "
               "--seeds 2");
    free(command);
    free(page);
    assert_good("compare --data $D --net mlp-1x8 --rules dfa --epochs 1 --out d "
                "--quiet");
    page = page_of("d", "d/report.html");
    command = block_of(page, "falign compare");
    assert_null(strstr(command, "--lr"));
    assert_has(command, "--net mlp-1x8 --rules dfa --epochs 1");
    free(command);
    free(page);
    /* a page does not stand in the way of what makes room for a new comparison */
    assert_good(
        "compare --data $D --net mlp-1x8 --rules bp --epochs 1 --out c --force "
        "--quiet");
    assert_null(strstr(tool_list("c"), "report.html"));
}

static void unfinished_comparison_is_drawn(void **state)
{
    (void)state;
    mkdir("c", 0777);
    write_run("c/bp-1", "bp", 1, 0.5);
    write_run("c/notes-1", "bp", 2, 0.5);
    assert_page("c", "c/report.html", "c: no compare.json: the comparison has not");
    assert_page("c", "c/report.html", "<span>1 run</span>");
    write_in("c", "config.yaml", "# falign 0\nrules: bp,fa\n"); /* of all runs */
    assert_page("c", "c/report.html", "c: no compare.json: the comparison has not");
    assert_page("c", "c/report.html", "<span>1 run</span>");
    write_in("c", "compare.json",
             "{\"config\":{},\"runs\":[{\"folder\":\"bp-1\"}]}");
    assert_page("c", "c/report.html", "<span>1 run</span>");
}

static void lost_runs_are_noted(void **state)
{
    (void)state;
    mkdir("c", 0777);
    write_run("c/bp-1", "bp", 1, 0.5);
    write_run("d", "bp", 1, 0.5);
    write_in("c", "compare.json",
             "{\"config\":{},\"runs\":[{\"folder\":\"bp-1\"},{\"folder\":\"bp-2\"},"
             "{\"folder\":\"../d\"}]}");
    char *page = page_of("c", "c/report.html");
    assert_has(page, "c/bp-2: compare.json names it, but no run is there");
    assert_has(page, "c/../d: compare.json names it, but no run is there");
    assert_has(page, "<span>1 run</span>");
    free(page);
}

static void foreign_compare_json_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "[",
                                        "[1]",
                                        "{\"runs\":3}",
                                        "nothing",
                                        "{\"runs\":[{\"folder\":3}]}",
                                        "{\"config\":{},\"runs\":[{\"fold"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_in("c", "compare.json", texts[i]);
        assert_refused("report c", 1, "comparison 'c': its compare.json");
        assert_string_equal(tool_list("c"), "compare.json");
    }
    write_in("c", "compare.json", "{\"config\":{},\"runs\":[]}");
    assert_refused("report c", 2, "the comparison has no runs");
}

/* ---- broken runs --------------------------------------------------------- */

static void what_is_no_run_is_refused(void **state)
{
    (void)state;
    mkdir("empty", 0777);
    write_in("foreign", "config.yaml", "colour: blue\n");
    write_in("foreign", "metrics.jsonl", "");
    write_text("file", "text");
    mkdir("runs", 0777);
    write_run("runs/mine", "bp", 1, 0.5);
    assert_refused("report", 2, "argument RUN: missing");
    assert_refused("report nothing", 2, "run 'nothing': there is no such folder");
    assert_refused("report file", 2, "run 'file': is not a folder");
    assert_refused("report empty", 2, "run 'empty': holds neither config.yaml");
    assert_refused("report foreign", 1, "run 'foreign': its config.yaml was not");
    assert_refused("report runs", 2, "name them, such as 'runs/mine'");
    assert_refused("report runs/mine empty", 2, "run 'empty'");
    assert_string_equal(tool_list("runs/mine"), "config.yaml metrics.jsonl");
}

static void run_without_lines_is_noted(void **state)
{
    (void)state;
    write_config("a", "bp", "0.001", 1);
    assert_refused("report a", 2, "a: there is no metrics.jsonl yet");
    write_in("a", "metrics.jsonl", "");
    assert_refused("report a", 2, "a: metrics.jsonl has no line of metrics yet");
    write_run("b", "bp", 2, 0.5);
    assert_page("a b", "a/report.html",
                "a: metrics.jsonl has no line of metrics yet");
    assert_page("a b", "a/report.html", "<span>1 run</span>");
}

static void cut_lines_are_left_out(void **state)
{
    (void)state;
    write_run("a", "fa", 1, 0.5);
    char *lines = tool_read("a/metrics.jsonl"), *page;
    lines[strlen(lines) - 9] = 0; /* in the last line, the fifth */
    write_in("a", "metrics.jsonl", lines);
    free(lines);
    page = page_of("a", "a/report.html");
    assert_has(page, "a: metrics.jsonl: line 5 is no whole line of metrics; 1 of 5 "
                     "lines left out");
    assert_has(page, "a: not whole, stops at step 20");
    free(page);
}

static void odd_lines_are_left_out(void **state)
{
    static const char lines[] =
        "{\"type\":\"epoch\",\"step\":5,\"epoch\":1,\"test_accuracy\":0.25}\n"
        "\0\0\0\0\0\0\n"
        "[1,2]\n"
        "{\"type\":\"other\",\"step\":6}\n"
        "{\"type\":\"step\",\"step\":-6}\n"
        "{\"type\":\"step\",\"step\":\"six\"}\n"
        "{\"type\":\"step\",\"step\":3,\"epoch\":0,\"train_loss\":7}\n"
        "{\"type\":\"step\",\"step\":6} {}\n"
        "\n"
        "{\"type\":\"step\",\"step\":7,\"epoch\":1,\"train_loss\":\"much\","
        "\"m\":{\"dense1\":\"x\",\"dense2\":[]},\"n\":[{}]}\n"
        "{\"type\":\"epoch\",\"step\":10,\"epoch\":2,\"test_accuracy\":0.75,"
        "\"test_loss\":1e999}";
    (void)state;
    write_config("a", "fa", "0.001", 1);
    tool_write("a/metrics.jsonl", lines, sizeof lines - 1);
    char *page = page_of("a", "a/report.html");
    assert_has(page, "line 2 is no whole line of metrics; 8 of 11 lines left out");
    assert_has(page, "data-value=\"0.25,0.75\"");
    assert_null(strstr(page, "training"));
    assert_null(strstr(page, "inf"));
    free(page);
}

/* Those that came to their end make the final figures. */
static void stopped_runs_do_not_count(void **state)
{
    (void)state;
    write_run("a", "fa", 1, 0.8);
    write_run("b", "fa", 2, 0.6);
    write_in(
        "b", "metrics.jsonl",
        "{\"type\":\"epoch\",\"step\":10,\"epoch\":1,\"test_accuracy\":0.1}\n");
    char *page = page_of("a b", "a/report.html");
    assert_has(page, "b: not whole, stops at step 10");
    assert_has(page, "<td>1 of 2</td><td>80.00</td>");
    free(page);
}

static void twice_is_once(void **state)
{
    (void)state;
    write_run("a", "fa", 1, 0.8);
    write_run("b", "fa", 1, 0.8);
    assert_page("a ./a", "a/report.html", "./a: given twice; it counts once");
    assert_page("a b", "a/report.html", "a and b: the same options and seeds");
}

/* ---- texts of others ----------------------------------------------------- */

static void texts_are_escaped(void **state)
{
    static const char folder[] = "<img>&\"'\xFF";
    char line[128];
    (void)state;
    write_config(folder, "'<b>\"&'", "0.001", 1);
    write_in(folder, "metrics.jsonl",
             "{\"type\":\"step\",\"step\":0,\"epoch\":0,\"</svg><script>\":"
             "{\"<i>\\\"&'\":1,\"\\u001b[2J\":2}}\n");
    snprintf(line, sizeof line, "%s --out page.html", folder);
    char *page = page_of(line, "page.html");
    assert_has(page, "&lt;img&gt;&amp;&quot;&#39;\\xff");
    assert_has(page, "&lt;b&gt;&quot;&amp;");
    assert_has(page, "<h3>&lt;/svg&gt;&lt;script&gt;</h3>");
    assert_has(page, "\\x1b[2J");
    assert_int_equal(count(page, "<script>"), 1);
    assert_null(strstr(page, "<b>\""));
    assert_null(strstr(page, "<img"));
    assert_null(strstr(page, "<i>\""));
    free(page);
}

/* ---- commands ------------------------------------------------------------ */

/* What differs from the defaults is in it, and makes the same run. */
static void command_makes_the_run_again(void **state)
{
    (void)state;
    assert_good(
        "train --data $D --net 'dense 8, relu, dense 10' --rule dfa --optimizer "
        "sgd --momentum 0.9 --lr 0.02 --batch 64 --epochs 1 --seed "
        "18446744073709551615 "
        "--schedule step --milestones 1 --no-shuffle --out a --quiet");
    char *page = page_of("a", "a/report.html");
    char *command = block_of(page, "falign train --data"), line[2048];
    assert_has(command, "--net 'dense 8, relu, dense 10'");
    assert_has(command, "--no-shuffle");
    assert_has(command, "--seed 18446744073709551615");
    assert_null(strstr(command, "--momentum"));
    assert_null(strstr(command, "--feedback-law"));
    assert_null(strstr(command, "--device"));
    assert_null(strstr(command, "--log"));
    snprintf(line, sizeof line, "%s --out b --quiet", command + strlen("falign "));
    assert_good(line);
    assert_true(tool_same("a/config.yaml", "b/config.yaml"));
    assert_true(tool_same("a/model.safetensors", "b/model.safetensors"));
    free(command);
    free(page);
}

static void options_of_another_falign_have_no_command(void **state)
{
    (void)state;
    write_run("a", "fa", 1, 0.5);
    char *text = tool_read("a/config.yaml"), more[2048];
    snprintf(more, sizeof more, "%swarp: 9\n", text);
    write_in("a", "config.yaml", more);
    free(text);
    char *page = page_of("a", "a/report.html");
    assert_null(strstr(page, "falign train --data"));
    assert_has(page, "falign train a/config.yaml --out NEW");
    assert_has(page, "warp: 9\n");
    free(page);
}

/* ---- where it goes ------------------------------------------------------- */

static void files_of_others_stay(void **state)
{
    (void)state;
    write_run("a", "fa", 1, 0.5);
    write_text("page.html", "<!doctype html>\nmine\n");
    assert_refused("report a --out page.html", 2, "'page.html' is there and is no");
    write_text("page.html", "");
    assert_refused("report a --out page.html", 2, "'page.html' is there and is no");
    write_in("a", "report.html", "mine");
    assert_refused("report a", 2, "'a/report.html' is there and is no report");
    char *text = tool_read("a/report.html");
    assert_string_equal(text, "mine");
    free(text);
    assert_refused("report a --out a", 1, "that is a folder");
    assert_refused("report a --out no/such/page.html", 1, "no/such/page.html");
    assert_string_equal(tool_list("."), "a page.html");
    assert_good("report a --out other.html");
    assert_good("report a --out other.html");
}

/* ---- memory -------------------------------------------------------------- */

static fal_status draw(char **folders, size_t count_of)
{
    report_input input;
    report_groups groups = {.list = NULL};
    FILE *out = tmpfile();
    assert_non_null(out);
    fal_status status = report_input_read(&input, folders, count_of);
    if (!status)
        status = report_groups_make(&groups, &input);
    if (!status)
        status = report_page_print(out, &input, &groups);
    report_groups_release(&groups);
    report_input_release(&input);
    fclose(out);
    return status;
}

/* Cuts a file somewhere and spoils some of its bytes. */
static void spoil(const char *path, const char *text, unsigned *state)
{
    static const char bytes[] = "{}[]\",:-.e9\n\0\xFF";
    char *copy = strdup(text);
    size_t length = strlen(text);
    assert_non_null(copy);
    for (int i = 0; i < 3; i++) {
        *state = *state * 1664525 + 1013904223;
        copy[(*state >> 8) % length] = bytes[(*state >> 4) % sizeof bytes];
    }
    tool_write(path, copy, *state % 3 ? length : (*state >> 9) % length);
    free(copy);
}

/* Whatever stands in the files, there is a page or a message. */
static void spoiled_files_do_no_harm(void **state)
{
    static const char *const files[] = {"c/compare.json", "c/bp-1/config.yaml",
                                        "c/bp-1/metrics.jsonl"};
    char folder[] = "c", *folders[] = {folder};
    unsigned random = 1, drawn = 0;
    (void)state;
    mkdir("c", 0777);
    write_run("c/bp-1", "bp", 1, 0.5);
    write_run("c/fa-1", "fa", 1, 1e99);
    write_in("c", "compare.json",
             "{\"config\":{\"rules\":\"bp,fa\",\"seed\":1},"
             "\"runs\":[{\"folder\":\"bp-1\"},"
             "{\"folder\":\"fa-1\"}]}\n");
    for (size_t f = 0; f < 3; f++) {
        char *text = tool_read(files[f]);
        for (int i = 0; i < 200; i++) {
            spoil(files[f], text, &random);
            drawn += draw(folders, 1) == FAL_OK;
        }
        write_text(files[f], text);
        free(text);
    }
    assert_true(drawn > 100 && drawn < 600);
    assert_int_equal(draw(folders, 1), FAL_OK);
}

static void lack_of_memory_is_an_error(void **state)
{
    char one[] = "a", other[] = "b", *folders[] = {one, other};
    long n = 1;
    fal_status status;
    (void)state;
    write_run("a", "fa", 1, 0.5);
    write_run("b", "bp", 1, 0.5);
    do {
        fal_memory_fail_at(n++);
        status = draw(folders, 2);
    } while (status == FAL_ERROR_MEMORY && n < 20000);
    fal_memory_fail_at(0);
    assert_int_equal(status, FAL_OK);
    assert_true(n > 100);
}

/* ---- axes ---------------------------------------------------------------- */

static void assert_scale(report_scale scale, double low, double high,
                         const double *ticks, size_t tick_count)
{
    assert_true(fabs(scale.low - low) < 1e-9 * fabs(high - low));
    assert_true(fabs(scale.high - high) < 1e-9 * fabs(high - low));
    assert_int_equal(scale.tick_count, tick_count);
    for (size_t i = 0; i < tick_count; i++)
        assert_true(fabs(scale.ticks[i] - ticks[i]) < 1e-9 * fabs(high - low));
}

static void ticks_are_round(void **state)
{
    static const double fifths[] = {0, 0.2, 0.4, 0.6, 0.8, 1};
    static const double odd[] = {0.76, 0.78, 0.8, 0.82, 0.84, 0.86};
    static const double end[] = {0, 1, 2};
    static const double decades[] = {0.001, 0.01, 0.1, 1};
    (void)state;
    assert_scale(report_scale_make(0, 0.93, 5, 1), 0, 1, fifths, 6);
    assert_scale(report_scale_make(0.771, 0.86, 5, 1), 0.76, 0.86, odd, 6);
    assert_scale(report_scale_make(0, 2.9, 5, 0), 0, 2.9, end, 3);
    assert_scale(report_scale_log(0.0011, 0.9, 1), 0.001, 1, decades, 4);
    report_scale flat = report_scale_make(3, 3, 5, 1);
    assert_true(flat.low < 3 && flat.high > 3 && flat.tick_count > 1);
    flat = report_scale_make(0, 0, 5, 0);
    assert_true(flat.low == 0 && flat.high > 0);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

static int begin(void **state)
{
    (void)state;
    empty_place();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(run_of_the_tool_is_drawn),
        TEST(page_is_the_same_twice),
        TEST(json_says_where),
        TEST(seeds_are_averaged),
        TEST(rules_of_one_name_are_numbered),
        TEST(layers_have_a_map),
        TEST(nulls_are_gaps),
        TEST(networks_may_differ),
        TEST(unknown_metrics_are_drawn),
        TEST(many_lines_are_thinned),
        TEST(comparison_is_drawn),
        TEST(unfinished_comparison_is_drawn),
        TEST(lost_runs_are_noted),
        TEST(foreign_compare_json_is_refused),
        TEST(what_is_no_run_is_refused),
        TEST(run_without_lines_is_noted),
        TEST(cut_lines_are_left_out),
        TEST(odd_lines_are_left_out),
        TEST(stopped_runs_do_not_count),
        TEST(twice_is_once),
        TEST(texts_are_escaped),
        TEST(command_makes_the_run_again),
        TEST(options_of_another_falign_have_no_command),
        TEST(files_of_others_stay),
        TEST(spoiled_files_do_no_harm),
        TEST(lack_of_memory_is_an_error),
        TEST(ticks_are_round),
    };
    return cmocka_run_group_tests(tests, tool_enter, tool_leave);
}
