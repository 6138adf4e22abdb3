/* --help and the man page: they fit 80 columns, name all there is, and their
 * examples are ones that the tool takes. */
#include "tool.h"

#include "cli/commands.h"
#include "learn/rule.h"
#include "net/layer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The first byte of a UTF-8 character counts for all of it. */
static void assert_fits(const char *text)
{
    const char *line = text;
    for (size_t column = 0; *text; text++) {
        column = *text == '\n' ? 0 : column + ((*text & 0xC0) != 0x80);
        line = *text == '\n' ? text + 1 : line;
        if (column > 80)
            fail_msg("wider than 80 columns: %.200s", line);
    }
}

/* ---- --help -------------------------------------------------------------- */

static const struct tool *help_of(const char *command)
{
    char line[64];
    snprintf(line, sizeof line, "%s --help", command);
    const struct tool *tool = tool_run(line);
    assert_int_equal(tool->code, 0);
    assert_string_equal(tool->error, "");
    assert_fits(tool->out);
    return tool;
}

static void general_help_names_all_commands(void **state)
{
    (void)state;
    const struct tool *tool = help_of("");
    for (size_t i = 0; i < cli_command_count; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n  %s ", cli_commands[i].name);
        assert_has(tool->out, line);
    }
}

/* Which would be those of other commands. */
static void analyze_names_no_rules_it_refuses(void **state)
{
    (void)state;
    assert_null(strstr(help_of("analyze")->out, "shallow"));
    assert_has(help_of("train")->out, "shallow");
}

static void helps_name_their_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct tool *tool = help_of(cli_commands[i].name);
        assert_has(tool->out, "2147483647");
        assert_has(tool->out, "130 interrupted");
        for (int id = 0; id < CLI_OPTIONS; id++) {
            char flag[64];
            snprintf(flag, sizeof flag, "\n  --%s", cli_table[id].name);
            if (cli_table[id].commands & cli_commands[i].bit)
                assert_has(tool->out, flag);
        }
    }
}

static void rules_of_the_table_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < fal_rule_count(); i++) {
        assert_has(help_of("train")->out, fal_rule_name(i));
        assert_has(help_of("compare")->out, fal_rule_name(i));
    }
}

/* All words before --help are read, nothing is done. What stands behind a pipe is
 * not ours. */
static void examples_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_command_count; i++) {
        const char *example = cli_commands[i].examples;
        assert_true(*example);
        for (; *example; example += strcspn(example, "\n") + 1) {
            char line[128];
            int length = (int)strcspn(example, "|\n");
            assert_non_null(strchr(example, '\n'));
            assert_memory_equal(example, cli_commands[i].name,
                                strlen(cli_commands[i].name));
            snprintf(line, sizeof line, "%.*s --help", length, example);
            const struct tool *tool = tool_run(line);
            if (tool->code != 0)
                fail_msg("%s: %s", line, tool->error);
        }
    }
}

static void version_is_the_librarys(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("--version");
    assert_int_equal(tool->code, 0);
    assert_string_equal(tool->out, "falign 0.1.0\n");
}

/* ---- the man page -------------------------------------------------------- */

/* What groff makes of the page, warnings included. */
static void render_page(char *text, size_t size)
{
    char command[512];
    if (system("command -v groff >/dev/null") != 0)
        skip();
    snprintf(command, sizeof command,
             "groff -man -Tutf8 -ww -P-c -P-b -P-o -P-u '%s' 2>&1",
             getenv("FALIGN_MAN"));
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    text[fread(text, 1, size - 1, pipe)] = 0;
    assert_int_equal(pclose(pipe), 0);
}

static void man_page_renders(void **state)
{
    (void)state;
    static char page[TOOL_OUTPUT];
    render_page(page, sizeof page);
    assert_fits(page);
    assert_null(strstr(page, "warning"));
    assert_null(strstr(page, "error:"));
    for (size_t i = 0; i < cli_command_count; i++)
        assert_has(page, cli_commands[i].usage);
    for (int id = 0; id < CLI_OPTIONS; id++) {
        char flag[64];
        snprintf(flag, sizeof flag, "\n       --%s", cli_table[id].name);
        assert_has(page, flag);
    }
    for (size_t i = 0; i < fal_rule_count(); i++)
        assert_has(page, fal_rule_name(i));
    for (size_t i = 0; i < fal_layer_kind_count; i++)
        assert_has(page, fal_layer_kinds[i]->name);
    assert_has(page, "SEE ALSO");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(general_help_names_all_commands),
        cmocka_unit_test(analyze_names_no_rules_it_refuses),
        cmocka_unit_test(helps_name_their_options),
        cmocka_unit_test(rules_of_the_table_are_named),
        cmocka_unit_test(examples_are_taken),
        cmocka_unit_test(version_is_the_librarys),
        cmocka_unit_test(man_page_renders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
