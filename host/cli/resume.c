#include "cli/resume.h"
#include "device/error.h"
#include "device/memory.h"
#include "train/folder.h"

#include <string.h>
#include <unistd.h>

/* These are of new runs. */
static fal_status check_new(const cli_options *words)
{
    static const cli_id odd[] = {CLI_OUT, CLI_FORCE, CLI_DRY_RUN};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (cli_flag(words, odd[i]))
            return cli_fail_option(fal_fail(FAL_ERROR_ARGUMENT,
                                            "is for a new run; leave it out, or "
                                            "--resume"),
                                   words, odd[i]);
    if (words->argument_count == 0)
        return FAL_OK;
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "argument '%.200s': --resume takes the options of the run's own "
        "config.yaml; leave one of them out",
        words->arguments[0]);
}

/* A comparison's folder has a run's in it, and its options are others. */
static fal_status check_kind(const cli_options *words, const char *folder)
{
    int compares = words->command == CLI_COMPARE;
    char *rule = NULL, *rules = NULL, *experiment = NULL;
    fal_status status = cli_config_text(folder, "rule", &rule);
    if (!status)
        status = cli_config_text(folder, "rules", &rules);
    if (!status)
        status = cli_config_text(folder, "experiment", &experiment);
    if (!status && experiment)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "'%s' is the folder of an experiment; go on with falign "
                          "reproduce --resume %s",
                          folder, folder);
    if (!status && (compares ? rule != NULL : rules != NULL))
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "'%s' is the folder of a %s; go on with falign %s "
                          "--resume %s",
                          folder, compares ? "run" : "comparison",
                          compares ? "train" : "compare", folder);
    fal_release(rule);
    fal_release(rules);
    fal_release(experiment);
    return status;
}

/* The data themselves are looked at, wherever they lie, and what is saved on the way
 * changes no result. */
static int may_differ(cli_id id)
{
    return id == CLI_DATA || id == CLI_DATA_PATH || id == CLI_CHECKPOINT;
}

static fal_status compare_values(const cli_options *run, const cli_options *words,
                                 cli_id id)
{
    fal_json there = FAL_JSON, here = FAL_JSON;
    cli_config_value(run, id, &there);
    cli_config_value(words, id, &here);
    fal_status status = there.status ? there.status : here.status;
    if (!status && strcmp(there.text, here.text) != 0)
        status = cli_fail_option(
            fal_fail(
                FAL_ERROR_ARGUMENT,
                "%s here, but the run in '%s' has %s; leave it out, or begin a "
                "new run",
                here.text, cli_text(words, CLI_RESUME), there.text),
            words, id);
    fal_json_release(&there);
    fal_json_release(&here);
    return status;
}

/* One run has one rate, however that was said. */
static void resolve_rate(cli_options *words, const cli_options *run)
{
    const char *rule = cli_text(run, CLI_RULE_NAME);
    double rate = rule && cli_in_words(words, CLI_RATE) ? cli_rate_of(words, rule)
                                                        : 0;
    if (rate > 0)
        cli_set_real(words, CLI_RATE, rate);
}

static fal_status take_words(cli_options *run, const cli_options *words)
{
    fal_status status = FAL_OK;
    for (int i = 0; i < CLI_OPTIONS && !status; i++) {
        cli_id id = (cli_id)i;
        if (!cli_in_words(words, id))
            continue;
        if (cli_table[id].recorded && !may_differ(id))
            status = compare_values(run, words, id);
        else
            run->values[id] = words->values[id];
    }
    return status;
}

fal_status cli_resume_read(cli_config *config, cli_options *options)
{
    cli_options words = *options;
    const char *folder = cli_text(&words, CLI_RESUME);
    fal_status status = check_new(&words);
    if (!status)
        status = check_kind(&words, folder);
    if (!status)
        status = cli_options_read(options, words.command, 0, NULL, 0);
    if (!status)
        status = cli_config_folder(config, options, folder, "how to go on");
    if (status)
        return status;
    resolve_rate(&words, options);
    return take_words(options, &words);
}
