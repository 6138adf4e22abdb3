/* The man page. */
#include "cli/facts.h"
#include "cli/values.h"
#include "data/known.h"
#include "learn/law.h"
#include "learn/rule.h"
#include "learn/schedule.h"
#include "manual/manual.h"
#include "net/layer.h"
#include "net/presets.h"
#include "net/text.h"
#include "train/run_files.h"

#include <string.h>

/* ---- text ---------------------------------------------------------------- */

/* The character at `text` as a number; its bytes go to *bytes. */
static unsigned decode(const char *text, size_t *bytes)
{
    unsigned char lead = (unsigned char)*text;
    size_t more = lead < 0xC0 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    unsigned code = more ? lead & (0x3Fu >> more) : lead;
    for (size_t i = 1; i <= more; i++)
        code = code << 6 | ((unsigned char)text[i] & 0x3Fu);
    *bytes = more + 1;
    return code;
}

/* Every character stands for itself: none is a request, a quote that turns or a
 * hyphen where a minus was meant. Returns its bytes. */
static size_t print_character(FILE *out, const char *text)
{
    static const struct {
        char character;
        const char *escape;
    } escapes[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"}, {'^', "\\(ha"},
                   {'~', "\\(ti"}, {'`', "\\(ga"}, {'"', "\\(dq"}};
    size_t bytes;
    unsigned code = decode(text, &bytes);
    for (size_t e = 0; e < sizeof escapes / sizeof *escapes; e++)
        if (escapes[e].character == *text) {
            fprintf(out, "%s", escapes[e].escape);
            return bytes;
        }
    if (code < 128)
        fputc((int)code, out);
    else
        fprintf(out, "\\[u%04X]", code);
    return bytes;
}

static void print_text(FILE *out, const char *text)
{
    while (*text)
        text += print_character(out, text);
}

/* One paragraph or, with empty lines between them, several. */
static void paragraph(FILE *out, const char *text)
{
    fprintf(out, "\\&");
    while (*text)
        if (*text == '\n') {
            fprintf(out, "\n.PP\n\\&");
            text += strspn(text, "\n");
        } else {
            text += print_character(out, text);
        }
    fprintf(out, "\n");
}

/* A term in bold, then what follows it in italics. */
static void term(FILE *out, const char *name, const char *argument)
{
    fprintf(out, ".TP\n\\fB");
    print_text(out, name);
    fprintf(out, "\\fR");
    if (*argument) {
        fprintf(out, " \\fI");
        print_text(out, argument);
        fprintf(out, "\\fR");
    }
    fprintf(out, "\n");
}

static void define(FILE *out, const char *name, const char *argument,
                   const char *meaning)
{
    term(out, name, argument);
    paragraph(out, meaning);
}

/* ---- commands and options ------------------------------------------------ */

static void example_lines(FILE *out, const char *examples)
{
    while (*examples) {
        fprintf(out, "falign ");
        while (*examples && *examples != '\n')
            examples += print_character(out, examples);
        examples += *examples == '\n';
        fprintf(out, "\n");
    }
}

static void print_command(FILE *out, const cli_command *command)
{
    char name[64];
    snprintf(name, sizeof name, "falign %s", command->name);
    fprintf(out, ".SS ");
    print_text(out, name);
    fprintf(out, " ");
    print_text(out, command->usage);
    fprintf(out, "\n");
    paragraph(out, command->summary);
    fprintf(out, ".PP\n");
    paragraph(out, command->details);
    fprintf(out, ".PP\n.nf\n.RS 2\n");
    example_lines(out, command->examples);
    fprintf(out, ".RE\n.fi\n");
}

static void print_option(FILE *out, const cli_option *option)
{
    char name[64], text[400], range[96];
    snprintf(name, sizeof name, "--%s", option->name);
    cli_option_meaning(option, text, sizeof text);
    cli_value_range(option, range, sizeof range);
    term(out, name, option->argument ? option->argument : "");
    fprintf(out, "\\&");
    print_text(out, text);
    if (option->standard) {
        fprintf(out, " (");
        print_text(out, option->standard);
        fprintf(out, ")");
    }
    fprintf(out, "%s", *range ? "; " : "");
    print_text(out, range);
    fprintf(out, ".\n");
    if (option->commands == CLI_ALL)
        return;
    const char *before = "Of";
    for (size_t i = 0; i < cli_command_count; i++)
        if (option->commands & cli_commands[i].bit) {
            fprintf(out, "%s\n.BR %s ", before, cli_commands[i].name);
            before = ",";
        }
    fprintf(out, ".\n");
}

static void print_group(FILE *out, int first)
{
    const char *group = cli_table[first].group;
    for (int id = 0; id < first; id++)
        if (cli_table[id].group == group)
            return;
    fprintf(out, ".SS %s\n", group);
    for (int id = first; id < CLI_OPTIONS; id++)
        if (cli_table[id].group == group)
            print_option(out, &cli_table[id]);
}

/* ---- the page ------------------------------------------------------------ */

static void print_head(FILE *out)
{
    fprintf(out,
            ".\\\" Made from the tables of falign; see host/manual.\n"
            ".TH FALIGN 1 \"\" \"falign %s\" \"falign\"\n"
            ".nh\n.ad l\n"
            ".SH NAME\n"
            "falign \\- train neural networks by backpropagation and feedback "
            "alignment\n"
            ".SH SYNOPSIS\n"
            ".B falign\n.I command\n.RI [ options ]\n.br\n"
            ".B falign\n.I command\n.B \\-\\-help\n.br\n"
            ".B falign \\-\\-version\n"
            ".SH DESCRIPTION\n",
            fal_version());
    paragraph(out, "falign trains neural networks by backpropagation and by "
                   "feedback alignment on any OpenCL device: GPUs and, through "
                   "PoCL, any CPU. Each command has a --help of its own with the "
                   "options it takes.");
    fprintf(out, ".PP\n");
    paragraph(out, cli_conventions);
    fprintf(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < cli_command_count; i++)
        print_command(out, &cli_commands[i]);
    fprintf(out, ".SH OPTIONS\n");
    for (int id = 0; id < CLI_OPTIONS; id++)
        print_group(out, id);
}

static void print_network(FILE *out)
{
    fprintf(out, ".SH NETWORK TEXT\n");
    paragraph(out, "Items with commas between them, each [name=]kind arguments, "
                   "from the input to the output. The last layer with weights is "
                   "the output; the loss brings its own softmax.");
    define(out, "input", "HxWxC | N",
           "the size of a sample; may stand first, and is taken from the data "
           "where it does not");
    for (size_t i = 0; i < fal_layer_kind_count; i++)
        define(out, fal_layer_kinds[i]->name, fal_layer_kinds[i]->arguments,
               fal_layer_kinds[i]->meaning);
    define(out, fal_block_form, "", fal_block_meaning);
    fprintf(out, ".PP\n");
    paragraph(out, "Or a preset:");
    for (size_t i = 0; i < fal_preset_count; i++)
        define(out, fal_preset_at(i)->name, "", fal_preset_at(i)->meaning);
}

static void print_data(FILE *out)
{
    fprintf(out, ".SH DATA SETS\n");
    paragraph(out,
              "--data takes a name, for which a folder (of that name, or as the "
              "archive unpacks) is looked for in the places of --data-path:");
    for (size_t i = 0; i < fal_known_count; i++)
        define(out, fal_known_sets[i].name, "", fal_known_sets[i].advice);
    fprintf(out, ".PP\n");
    paragraph(out,
              "Or a folder with the IDX files of MNIST, gzipped or not, with the "
              "binary files of CIFAR-10 or CIFAR-100 (fine labels), or with "
              "train-x.npy, train-y.npy, test-x.npy and test-y.npy as "
              "numpy.save writes them: inputs uint8 or float32, a sample a row; "
              "labels from 0, or real targets. A file classes.txt may name the "
              "classes, one a line.");
}

static void print_names(FILE *out)
{
    fprintf(out, ".SH LEARNING RULES\n");
    paragraph(out, "What carries the error down to a hidden layer. The output "
                   "layer learns by its exact gradient under every rule.");
    for (size_t i = 0; i < fal_rule_count(); i++)
        define(out, fal_rules[i].name, "", fal_rules[i].meaning);
    fprintf(out, ".SH RANDOM LAWS\n");
    paragraph(out, "Of --weight-law and --feedback-law:");
    for (size_t i = 0; i < fal_law_count; i++)
        define(out, fal_laws[i].name, "", fal_laws[i].meaning);
    fprintf(out, ".SH SCHEDULES\n");
    paragraph(out,
              "The learning rate of step t = 0 ... T - 1; in the first W steps, "
              "those of --warmup, it is lr (t + 1)/W.");
    for (size_t i = 0; i < fal_schedule_count; i++)
        define(out, fal_schedules[i].name, "", fal_schedules[i].meaning);
}

static void print_facts(FILE *out, const char *heading, const cli_fact *list)
{
    fprintf(out, ".SH %s\n", heading);
    for (; list->name; list++)
        define(out, list->name, "", list->meaning);
}

void manual_page(FILE *out)
{
    print_head(out);
    print_network(out);
    print_data(out);
    print_names(out);
    fprintf(out, ".SH FILES\n");
    paragraph(out, "A run folder holds:");
    for (size_t i = 0; i < fal_run_file_count; i++)
        define(out, fal_run_files[i].name, "", fal_run_files[i].meaning);
    print_facts(out, "ENVIRONMENT", cli_variables);
    print_facts(out, "EXIT STATUS", cli_exits);
    fprintf(out, ".SH SEE ALSO\n");
    paragraph(out, "The header falign.h is the manual of the C library.");
}
