/* falign compare: several rules from one start, over several seeds. A run that
 * diverges is reported and the others go on. With --resume runs that are finished are
 * kept, one that has a checkpoint goes on, and the others begin: the finished come
 * first, so that compare.json has them all wherever the rest is interrupted. */
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/init.h"
#include "cli/job.h"
#include "cli/outcome.h"
#include "cli/output.h"
#include "cli/resume.h"
#include "cli/settings.h"
#include "cli/values.h"
#include "device/error.h"
#include "device/memory.h"
#include "net/plan.h"
#include "train/folder.h"
#include "train/model.h"
#include "train/run_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES = 32 };

struct comparison {
    cli_options *options;
    cli_ground ground;
    fal_run *folder;
    const char *rules[RULES];
    char list[512]; /* the rules by commas */
    size_t rule_count, seeds;
    cli_outcome *runs; /* [rule_count][seeds] */
    int resumes;       /* goes on in its folder */
    int looks;         /* takes up what is finished, and only that */
    int headed;        /* the first lines have been printed */
    int begun;         /* the folder is this comparison's */
    int started;       /* something has been written */
    size_t done;       /* runs that came to their end */
    size_t failed;     /* runs that diverged */
    int silent;
};

/* ---- which runs ---------------------------------------------------------- */

static fal_status add_rule(const char *part, void *user)
{
    struct comparison *c = user;
    for (size_t i = 0; i < fal_rule_count() && c->rule_count < RULES; i++)
        if (strcmp(part, fal_rule_name(i)) == 0)
            c->rules[c->rule_count++] = fal_rule_name(i);
    return FAL_OK;
}

static void name_outcomes(struct comparison *c)
{
    for (size_t i = 0; i < c->rule_count * c->seeds; i++)
        cli_outcome_begin(&c->runs[i], c->rules[i / c->seeds]);
}

static fal_status plan_runs(struct comparison *c)
{
    const char *list = cli_text(c->options, CLI_RULE_LIST);
    for (size_t i = 0; !list && i < fal_rule_count(); i++)
        add_rule(fal_rule_name(i), c);
    cli_parts(list, ',', add_rule, c);
    fal_status status = cli_rules_check(c->options, c->rules, c->rule_count);
    if (status)
        return status;
    c->seeds = (size_t)cli_whole(c->options, CLI_SEED_COUNT);
    c->runs = fal_allocate(c->rule_count * c->seeds, sizeof *c->runs);
    if (!c->runs)
        return FAL_ERROR_MEMORY;
    name_outcomes(c);
    return FAL_OK;
}

/* Of rules that nobody asked for, those that the network cannot learn by go. */
static fal_status keep_possible(struct comparison *c, const fal_network *network)
{
    size_t kept = 0;
    fal_status status = FAL_OK;
    for (size_t r = 0; r < c->rule_count; r++) {
        const fal_rule *rule = NULL;
        status = fal_rule_find(c->rules[r], &rule);
        if (!status)
            status = fal_routes_check(network, rule);
        if (status && status != FAL_ERROR_ARGUMENT)
            return status;
        if (!status)
            c->rules[kept++] = c->rules[r];
        else if (!cli_flag(c->options, CLI_QUIET))
            cli_say("%s is left out: %s", c->rules[r], fal_error_message());
    }
    c->rule_count = kept;
    name_outcomes(c);
    return kept ? FAL_OK : status;
}

static fal_status choose_rules(struct comparison *c)
{
    cli_options options;
    cli_job job;
    if (cli_flag(c->options, CLI_RULE_LIST))
        return FAL_OK;
    cli_run_resolve(&options, c->options, c->rules[0], 0);
    fal_status status = cli_job_make_model(&job, &c->ground, &options);
    if (status)
        return status;
    status = keep_possible(c, &job.model->network);
    cli_job_release(&job);
    return status;
}

/* The list that was meant, for compare.json. */
static void name_rules(struct comparison *c)
{
    size_t used = 0;
    for (size_t r = 0; r < c->rule_count && used < sizeof c->list; r++)
        used += (size_t)snprintf(c->list + used, sizeof c->list - used, "%s%s",
                                 r ? "," : "", c->rules[r]);
    cli_set_text(c->options, CLI_RULE_LIST, c->list);
}

static void print_head(const cli_job *job, void *user)
{
    struct comparison *c = user;
    if (c->headed || c->silent)
        return;
    c->headed = 1;
    cli_job_print_head(job, "compare", c->folder);
    cli_print("runs     %zu rule%s, %zu seed%s\n\n", c->rule_count,
              c->rule_count == 1 ? "" : "s", c->seeds, c->seeds == 1 ? "" : "s");
}

/* ---- one run ------------------------------------------------------------- */

static void note_outcome(cli_outcome *outcome, const cli_job *job,
                         fal_status status)
{
    const fal_progress *p = &job->epoch;
    outcome->begun = job->started || job->finished;
    outcome->failed = status == FAL_ERROR_DIVERGED;
    if (status != FAL_OK || p->step == 0)
        return;
    outcome->test_accuracy = p->test_accuracy;
    outcome->test_loss = p->test_loss;
    outcome->validation_accuracy = p->validation_accuracy;
    outcome->validation_loss = p->validation_loss;
    outcome->train_loss = p->train_loss;
    outcome->samples_per_second = p->samples_per_second;
    outcome->seconds = p->seconds;
    cli_outcome_measured(outcome, &job->metrics);
}

/* The options of the comparison itself, by which it can be resumed. A seed that is
 * added to is not among them, since one that is given would be held. */
static fal_status begin_folder(struct comparison *c)
{
    cli_options all = *c->options;
    char *config = NULL, head[128];
    snprintf(head, sizeof head,
             FAL_CONFIG_MARK
             "%s\n# falign compare --resume FOLDER goes on with it\n",
             fal_version());
    cli_seeds_unset(&all);
    fal_status status = cli_config_yaml(&all, head, &config);
    if (!status)
        status = fal_run_begin(c->folder, NULL);
    c->begun = !status;
    if (!status)
        status = fal_run_write(c->folder, "config.yaml", config);
    free(config);
    return status;
}

/* The first run's folder is made only after all that can refuse it. */
static fal_status make_new(struct comparison *c, const cli_options *options,
                           const char *path, cli_job *job, fal_run **run)
{
    int force = c->resumes || cli_flag(c->options, CLI_FORCE);
    fal_status status = cli_job_make(job, &c->ground, options);
    if (status)
        return status;
    if (!c->begun)
        status = begin_folder(c);
    if (!status)
        status = fal_run_open(run, path, force);
    if (status)
        cli_job_release(job);
    return status;
}

static fal_status make_again(struct comparison *c, const cli_options *options,
                             const char *path, cli_job *job, fal_run **run)
{
    fal_status status = fal_run_open_again(run, path);
    if (status)
        return status;
    status = cli_job_make_again(job, &c->ground, options, *run);
    if (status)
        fal_run_discard(*run);
    return status;
}

/* *run stays NULL where it is not this one's turn. */
static fal_status make_job(struct comparison *c, const cli_options *options,
                           const cli_outcome *outcome, cli_job *job, fal_run **run)
{
    char *path = fal_folder_path(fal_run_folder(c->folder), outcome->folder);
    if (!path)
        return FAL_ERROR_MEMORY;
    fal_status status = FAL_OK;
    if (c->resumes && fal_run_has_checkpoint(path))
        status = make_again(c, options, path, job, run);
    else if (!c->looks)
        status = make_new(c, options, path, job, run);
    fal_release(path);
    return status;
}

static fal_status run_job(struct comparison *c, cli_job *job, cli_outcome *outcome,
                          fal_run *run)
{
    fal_status status = cli_job_run(job, run, outcome->folder);
    int passed_over = job->looks && !job->finished && status == FAL_STOPPED &&
                      !cli_interrupted();
    status = cli_job_advise(job, status, "compare", fal_run_folder(c->folder));
    note_outcome(outcome, job, status);
    c->started |= job->started;
    c->done += status == FAL_OK;
    if (status == FAL_STOPPED && !job->looks)
        cli_job_explain(job, "compare", fal_run_folder(c->folder));
    if (job->started)
        fal_run_close(run);
    else
        fal_run_discard(run);
    return passed_over ? FAL_OK : status;
}

static fal_status run_one(struct comparison *c, size_t rule, uint64_t offset)
{
    cli_options options;
    cli_job job;
    fal_run *run = NULL;
    cli_outcome *outcome = &c->runs[rule * c->seeds + offset];
    if (outcome->begun)
        return FAL_OK;
    cli_run_resolve(&options, c->options, c->rules[rule], offset);
    outcome->seed = cli_whole(&options, CLI_SEED_WEIGHTS);
    snprintf(outcome->folder, sizeof outcome->folder, "%s-%llu", outcome->rule,
             (unsigned long long)outcome->seed);
    fal_status status = make_job(c, &options, outcome, &job, &run);
    if (status || !run)
        return status;
    job.looks = c->looks;
    job.user = c;
    job.on_begin = print_head;
    status = run_job(c, &job, outcome, run);
    cli_job_release(&job);
    if (status != FAL_ERROR_DIVERGED)
        return status;
    c->failed++;
    fal_fail_within(status, "%s", outcome->folder);
    cli_complain();
    return FAL_OK;
}

/* ---- all runs ------------------------------------------------------------ */

/* A law of feedback that one rule cannot have is refused before another has learned
 * for an hour. The first rule's run is about to say so itself. */
static fal_status check_rules(const struct comparison *c)
{
    fal_status status = FAL_OK;
    for (size_t r = 1; r < c->rule_count && !c->resumes && !status; r++) {
        cli_options options;
        cli_job job;
        cli_run_resolve(&options, c->options, c->rules[r], 0);
        status = cli_job_make(&job, &c->ground, &options);
        if (status)
            fal_fail_within(status, "rule %s", c->rules[r]);
        else
            cli_job_release(&job);
    }
    return status;
}

/* The seeds of a rule follow each other in the results; rules take turns in time,
 * so that a machine that grows slower treats all alike. */
static fal_status run_all(struct comparison *c)
{
    fal_status status = check_rules(c);
    for (uint64_t s = 0; s < c->seeds && !status; s++)
        for (size_t r = 0; r < c->rule_count && !status; r++)
            status = c->started && cli_interrupted() ? FAL_STOPPED
                                                     : run_one(c, r, s);
    return status;
}

static fal_status look_and_run(struct comparison *c)
{
    c->looks = c->resumes;
    fal_status status = c->looks ? run_all(c) : FAL_OK;
    if (status)
        return status;
    c->looks = 0;
    return run_all(c);
}

static void explain(const struct comparison *c)
{
    const char *folder = fal_run_folder(c->folder);
    if (cli_flag(c->options, CLI_QUIET) || !cli_interrupted())
        return;
    if (c->looks)
        cli_say("interrupted before the first step; %s is as it was", folder);
    else
        cli_say("interrupted: %zu of %zu runs are done; %s/compare.json has them; "
                "go on "
                "with falign compare --resume %s",
                c->done, c->rule_count * c->seeds, folder, folder);
}

static fal_status report(struct comparison *c)
{
    fal_json json = FAL_JSON;
    cli_outcomes all = {c->runs, c->rule_count, c->seeds,
                        c->ground.train_facts.targets != NULL,
                        cli_real(c->options, CLI_VALIDATION) > 0};
    cli_outcomes_json(&all, c->options, &json);
    fal_json_newline(&json);
    fal_status status = json.status;
    if (!status)
        status = fal_run_write(c->folder, "compare.json", json.text);
    if (!status && !c->silent) {
        cli_print("\n");
        cli_outcomes_print(&all);
        cli_print("\nsaved in ");
        cli_print_name(fal_run_folder(c->folder));
        cli_print("\n");
    }
    if (!status && cli_flag(c->options, CLI_JSON))
        return cli_print_json(&json);
    fal_json_release(&json);
    return status;
}

static fal_status compare(struct comparison *c)
{
    fal_status status = cli_ground_open(&c->ground, c->options);
    if (status)
        return status;
    cli_options given = *c->options;
    cli_runs_resolve(c->options, &given, &c->ground);
    status = choose_rules(c);
    if (!status) {
        name_rules(c);
        status = look_and_run(c);
    }
    if (status == FAL_OK || (status == FAL_STOPPED && c->started)) {
        fal_status reported = c->looks ? FAL_OK : report(c);
        if (status == FAL_STOPPED && !reported)
            explain(c);
        status = reported ? reported : status;
    }
    cli_ground_close(&c->ground);
    return status;
}

static fal_status open_and_compare(struct comparison *c)
{
    const cli_options *options = c->options;
    fal_status status = cli_runs_check(options);
    cli_catch_interrupts();
    if (!status)
        status = plan_runs(c);
    if (!status)
        status = c->resumes
                     ? fal_run_open_again(&c->folder, cli_text(options, CLI_RESUME))
                     : cli_folder_open(&c->folder, options, NULL);
    if (!status)
        status = compare(c);
    if (c->begun && !c->started) /* nothing but its options */
        fal_run_begin(c->folder, NULL);
    if (c->started)
        fal_run_close(c->folder);
    else
        fal_run_discard(c->folder);
    fal_release(c->runs);
    return status;
}

int cli_compare(const cli_options *given)
{
    cli_options options = *given;
    cli_config config = CLI_CONFIG;
    int resumes = cli_flag(given, CLI_RESUME);
    struct comparison c = {.options = &options,
                           .resumes = resumes,
                           .begun = resumes,
                           .started = resumes,
                           .silent = cli_flag(given, CLI_QUIET) ||
                                     cli_flag(given, CLI_JSON)};
    fal_status status = resumes ? cli_resume_read(&config, &options) : FAL_OK;
    if (!status)
        cli_init_resize(&options);
    if (!status)
        status = open_and_compare(&c);
    cli_config_release(&config);
    int code = cli_end(status);
    return code == CLI_DONE && c.failed ? CLI_FAILED : code;
}
