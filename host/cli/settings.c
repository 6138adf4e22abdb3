#include "cli/settings.h"
#include "cli/values.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/text.h"
#include "learn/rule.h"
#include "net/network.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- checking ------------------------------------------------------------ */

/* Options that not every optimizer has, and which do. */
static const struct own {
    cli_id id;
    const char *has, *also, *shown;
} own_options[] = {{CLI_NESTEROV, "sgd", "sgd", "sgd"},
                   {CLI_MOMENTUM, "sgd", "muon", "sgd or muon"},
                   {CLI_RATE_ADAMW, "muon", "muon", "muon"}};
enum { OWN_OPTIONS = sizeof own_options / sizeof *own_options };

static int has_own(const cli_options *options, const struct own *own)
{
    const char *optimizer = cli_text(options, CLI_OPTIMIZER);
    return strcmp(optimizer, own->has) == 0 || strcmp(optimizer, own->also) == 0;
}

static fal_status check_optimizer(const cli_options *options)
{
    for (size_t i = 0; i < OWN_OPTIONS; i++) {
        const struct own *own = &own_options[i];
        if (cli_flag(options, own->id) && !has_own(options, own))
            return cli_fail_option(
                fal_fail(FAL_ERROR_ARGUMENT,
                         "%s has none; give it with --optimizer %s only",
                         cli_text(options, CLI_OPTIMIZER), own->shown),
                options, own->id);
    }
    if (cli_flag(options, CLI_NESTEROV) && cli_given(options, CLI_MOMENTUM) &&
        !(cli_real(options, CLI_MOMENTUM) > 0))
        return cli_fail_option(
            fal_fail(FAL_ERROR_ARGUMENT, "needs momentum; give --momentum above 0"),
            options, CLI_NESTEROV);
    return FAL_OK;
}

static fal_status check_schedule(const cli_options *options)
{
    const char *schedule = cli_text(options, CLI_SCHEDULE);
    int step = strcmp(schedule, "step") == 0;
    cli_id odd = cli_flag(options, CLI_MILESTONE_LIST) ? CLI_MILESTONE_LIST
                                                       : CLI_DECAY;
    if (step)
        return cli_require(options, CLI_MILESTONE_LIST);
    if (!cli_flag(options, odd))
        return FAL_OK;
    return cli_fail_option(fal_fail(FAL_ERROR_ARGUMENT,
                                    "the schedule %s has none; give it with "
                                    "--schedule step only",
                                    schedule),
                           options, odd);
}

/* Every decay of --weight-decay is 0. */
static int has_no_decay(const cli_options *options)
{
    const char *text = cli_text(options, CLI_WEIGHT_DECAY);
    return strpbrk(text, ",=") == NULL && cli_real(options, CLI_WEIGHT_DECAY) == 0;
}

static int has_decay_schedule(const cli_options *options)
{
    return strcmp(cli_text(options, CLI_DECAY_SCHEDULE), "constant") != 0;
}

static fal_status check_decay(const cli_options *options)
{
    if (!has_decay_schedule(options) && cli_flag(options, CLI_DECAY_STEPS))
        return cli_fail_option(
            fal_fail(FAL_ERROR_ARGUMENT,
                     "a constant weight decay has none; give it "
                     "with --weight-decay-schedule cut or linear "
                     "only"),
            options, CLI_DECAY_STEPS);
    if (has_decay_schedule(options) && has_no_decay(options))
        return cli_fail_option(fal_fail(FAL_ERROR_ARGUMENT,
                                        "there is no weight decay; give "
                                        "--weight-decay above 0"),
                               options, CLI_DECAY_SCHEDULE);
    return has_decay_schedule(options) ? cli_require(options, CLI_DECAY_STEPS)
                                       : FAL_OK;
}

/* These have no effect on layers that are written out. */
static const cli_id fillings[] = {CLI_ACTIVATION, CLI_NORM, CLI_NO_BIAS};
enum { FILLINGS = sizeof fillings / sizeof *fillings };

static int has_preset(const cli_options *options)
{
    const char *net = cli_text(options, CLI_NET);
    return net && fal_network_is_preset(net);
}

/* config.yaml has the defaults, which say nothing. */
static int is_default(const cli_options *options, cli_id id)
{
    const char *standard = id == CLI_NORM ? "none" : cli_table[id].standard;
    return !cli_flag(options, id) ||
           (standard && strcmp(cli_text(options, id), standard) == 0);
}

fal_status cli_preset_check(const cli_options *options)
{
    for (size_t i = 0; i < FILLINGS && !has_preset(options); i++)
        if (!is_default(options, fillings[i]))
            return cli_fail_option(fal_fail(FAL_ERROR_ARGUMENT,
                                            "fills presets such as mlp-2x512 only; "
                                            "say it in the layers of --net"),
                                   options, fillings[i]);
    return FAL_OK;
}

static const cli_id seeds[] = {CLI_SEED_WEIGHTS, CLI_SEED_FEEDBACK, CLI_SEED_DATA,
                               CLI_SEED_NOISE};
enum { SEEDS = sizeof seeds / sizeof *seeds };

/* 1: --seeds adds to it. */
static int seed_varies(const cli_options *options, cli_id seed)
{
    return seed == CLI_SEED_WEIGHTS || !cli_given(options, seed);
}

static fal_status check_seeds(const cli_options *options)
{
    uint64_t more = cli_whole(options, CLI_SEED_COUNT) - 1;
    for (size_t i = 0; i < SEEDS && options->command == CLI_COMPARE; i++)
        if (seed_varies(options, seeds[i]) &&
            cli_whole(options, seeds[i]) > UINT64_MAX - more)
            return cli_fail_option(fal_fail(FAL_ERROR_ARGUMENT,
                                            "with --seeds the last is past "
                                            "18446744073709551615; give a smaller "
                                            "one"),
                                   options, seeds[i]);
    return FAL_OK;
}

fal_status cli_runs_check(const cli_options *options)
{
    fal_status status = cli_require(options, CLI_DATA);
    if (!status && !cli_flag(options, CLI_INIT))
        status = cli_require(options, CLI_NET);
    if (!status)
        status = check_schedule(options);
    if (!status)
        status = check_decay(options);
    if (!status)
        status = cli_preset_check(options);
    if (!status)
        status = check_seeds(options);
    return status ? status : check_optimizer(options);
}

/* ---- flags over a file --------------------------------------------------- */

/* `units` and `weights` are for one kind of rule each. */
static int law_goes_with(const char *law, const fal_rule *rule)
{
    int direct = fal_rule_is_direct(rule);
    return !law || strcmp(law, direct ? "weights" : "units") != 0;
}

/* Of wm alone. */
static const cli_id mirror_options[] = {CLI_MIRROR_RATE, CLI_MIRROR_DECAY};
enum { MIRROR_OPTIONS = sizeof mirror_options / sizeof *mirror_options };

static int has_mirror(const fal_rule *rule)
{
    return rule->learning == FAL_LEARNS_MIRROR;
}

/* Layers may have rules of their own, which the option does not speak for. */
static int has_own_rules(const cli_options *options)
{
    const char *network = cli_text(options, CLI_NET);
    return network && strstr(network, " rule=");
}

typedef int is_one(const fal_rule *rule);

/* An unknown name may be anything: it is refused elsewhere. */
static int rule_is(const char *name, is_one *is)
{
    const fal_rule *rule;
    return fal_rule_find(name, &rule) != FAL_OK || is(rule);
}

/* Whether a rule of a layer's own is one of these. */
static int layers_have(const cli_options *options, is_one *is)
{
    static const char mark[] = " rule=";
    const char *at = cli_text(options, CLI_NET);
    char name[FAL_NAME_LIMIT];
    while (at && (at = strstr(at, mark)) != NULL) {
        at += sizeof mark - 1;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ";), \t\n"), at);
        if (rule_is(name, is))
            return 1;
    }
    return 0;
}

/* Whether the run's rule is one of these, or that of a layer. */
static int run_has(const cli_options *options, is_one *is)
{
    return rule_is(cli_text(options, CLI_RULE_NAME), is) ||
           layers_have(options, is);
}

static int any_has(const cli_options *options, const char *const *rules,
                   size_t count, is_one *is)
{
    for (size_t r = 0; r < count; r++)
        if (rule_is(rules[r], is))
            return 1;
    return layers_have(options, is);
}

fal_status cli_rules_check(const cli_options *options, const char *const *rules,
                           size_t count)
{
    int compares = options->command == CLI_COMPARE;
    for (size_t i = 0; i < MIRROR_OPTIONS; i++)
        if (cli_flag(options, mirror_options[i]) &&
            !any_has(options, rules, count, has_mirror))
            return cli_fail_option(
                fal_fail(FAL_ERROR_ARGUMENT,
                         compares ? "none of the rules has a mirror; leave it out, "
                                    "or compare wm too"
                                  : "the rule %s has no mirror; leave it out, or "
                                    "use the rule wm",
                         rules[0]),
                options, mirror_options[i]);
    if (strcmp(cli_text(options, CLI_DFA_CONV), "channel") == 0 &&
        !any_has(options, rules, count, fal_rule_is_direct))
        return cli_fail_option(
            fal_fail(FAL_ERROR_ARGUMENT,
                     compares ? "none of the rules is direct; leave it out, or "
                                "compare dfa too"
                              : "the rule %s is not direct; leave it out, or use "
                                "the rule dfa",
                     rules[0]),
            options, CLI_DFA_CONV);
    if (compares || !cli_flag(options, CLI_FEEDBACK_LAW) ||
        any_has(options, rules, count, fal_rule_has_law))
        return FAL_OK;
    return cli_fail_option(fal_fail(FAL_ERROR_ARGUMENT,
                                    "the rule %s has no random feedback; leave it "
                                    "out, or use a rule such as fa",
                                    rules[0]),
                           options, CLI_FEEDBACK_LAW);
}

static int law_suits(const cli_options *options)
{
    const fal_rule *rule;
    return run_has(options, fal_rule_has_law) &&
           (has_own_rules(options) ||
            fal_rule_find(cli_text(options, CLI_RULE_NAME), &rule) != FAL_OK ||
            law_goes_with(cli_text(options, CLI_FEEDBACK_LAW), rule));
}

/* What no rule of the run has, be it its own or a layer's. */
static void rules_give_way(cli_options *options)
{
    if (!law_suits(options))
        cli_drop_from_file(options, CLI_FEEDBACK_LAW);
    if (!run_has(options, fal_rule_may_regenerate) ||
        run_has(options, fal_rule_learns_feedback))
        cli_drop_from_file(options, CLI_FEEDBACK);
    if (!run_has(options, fal_rule_is_direct))
        cli_drop_from_file(options, CLI_DFA_CONV);
    for (size_t i = 0; i < MIRROR_OPTIONS; i++)
        if (!run_has(options, has_mirror))
            cli_drop_from_file(options, mirror_options[i]);
}

void cli_runs_give_way(cli_options *options)
{
    for (size_t i = 0; i < OWN_OPTIONS; i++)
        if (cli_in_words(options, CLI_OPTIMIZER) &&
            !has_own(options, &own_options[i]))
            cli_drop_from_file(options, own_options[i].id);
    if (cli_in_words(options, CLI_SCHEDULE) &&
        strcmp(cli_text(options, CLI_SCHEDULE), "step") != 0) {
        cli_drop_from_file(options, CLI_MILESTONE_LIST);
        cli_drop_from_file(options, CLI_DECAY);
    }
    if (cli_in_words(options, CLI_WEIGHT_DECAY) && has_no_decay(options)) {
        cli_drop_from_file(options, CLI_DECAY_SCHEDULE);
        cli_drop_from_file(options, CLI_DECAY_STEPS);
    }
    if (cli_in_words(options, CLI_DECAY_SCHEDULE) && !has_decay_schedule(options))
        cli_drop_from_file(options, CLI_DECAY_STEPS);
    if (cli_in_words(options, CLI_RULE_NAME) || cli_in_words(options, CLI_NET))
        rules_give_way(options);
    for (size_t i = 0; i < FILLINGS && cli_in_words(options, CLI_NET); i++)
        if (!has_preset(options))
            cli_drop_from_file(options, fillings[i]);
    if (cli_in_words(options, CLI_INIT))
        cli_drop_from_file(options, CLI_STANDARDIZE);
    if (cli_in_words(options, CLI_EPOCHS) || cli_in_words(options, CLI_STEPS)) {
        cli_drop_from_file(options, CLI_EPOCHS);
        cli_drop_from_file(options, CLI_STEPS);
    }
}

/* ---- resolving ----------------------------------------------------------- */

static int is_optimizer(const cli_options *options, const char *name)
{
    return strcmp(cli_text(options, CLI_OPTIMIZER), name) == 0;
}

static double standard_rate(const cli_options *options)
{
    return is_optimizer(options, "sgd")    ? 0.01
           : is_optimizer(options, "muon") ? 0.02
                                           : 0.001;
}

static void resolve_optimizer(cli_options *all)
{
    int muon = is_optimizer(all, "muon");
    if (!cli_flag(all, CLI_RATE))
        cli_set_real(all, CLI_RATE, standard_rate(all));
    if (muon && !cli_flag(all, CLI_RATE_ADAMW))
        cli_set_real(all, CLI_RATE_ADAMW, 0.0003);
    if ((muon || is_optimizer(all, "sgd")) && !cli_flag(all, CLI_MOMENTUM))
        cli_set_real(all, CLI_MOMENTUM, muon ? 0.95 : 0.9);
}

void cli_runs_resolve(cli_options *all, const cli_options *options,
                      const cli_ground *ground)
{
    *all = *options;
    cli_set_text(all, CLI_DEVICE, ground->info.selector);
    cli_set_text(all, CLI_GEMM, ground->info.gemm);
    resolve_optimizer(all);
    if (cli_flag(all, CLI_MILESTONE_LIST) && !cli_flag(all, CLI_DECAY))
        cli_set_real(all, CLI_DECAY, 0.1);
    if (cli_flag(all, CLI_STEPS) && !cli_given(all, CLI_EPOCHS))
        cli_unset(all, CLI_EPOCHS);
    /* The model brings its own. */
    if (cli_flag(all, CLI_INIT) && !cli_given(all, CLI_STANDARDIZE))
        cli_unset(all, CLI_STANDARDIZE);
}

void cli_seeds_unset(cli_options *options)
{
    for (size_t i = 0; i < SEEDS; i++)
        if (seeds[i] != CLI_SEED_WEIGHTS && seed_varies(options, seeds[i]))
            cli_unset(options, seeds[i]);
}

/* A model that comes from a file was made by a law that is not known here, so the
 * one given stands in its place. */
static void resolve_feedback(cli_options *run, const char *name, int comparing)
{
    const fal_rule *rule;
    if (fal_rule_find(name, &rule) != FAL_OK || has_own_rules(run))
        return;
    /* What a comparison says of feedback is for those of its rules that have it. */
    if (!fal_rule_has_law(rule) && comparing)
        cli_unset(run, CLI_FEEDBACK_LAW);
    if (!fal_rule_may_regenerate(rule) && comparing)
        cli_set_text(run, CLI_FEEDBACK, "stored");
    if (!fal_rule_is_direct(rule) && comparing)
        cli_set_text(run, CLI_DFA_CONV, "map");
    if (!fal_rule_has_law(rule))
        return;
    int direct = fal_rule_is_direct(rule);
    if (!cli_flag(run, CLI_FEEDBACK_LAW))
        cli_set_text(run, CLI_FEEDBACK_LAW, direct ? "units" : "weights");
    if (!direct && cli_flag(run, CLI_INIT) &&
        strcmp(cli_text(run, CLI_FEEDBACK_LAW), "weights") == 0)
        cli_set_text(run, CLI_FEEDBACK_LAW, cli_text(run, CLI_WEIGHT_LAW));
}

static void resolve_mirror(cli_options *run, const char *rule, int comparing)
{
    int has = rule_is(rule, has_mirror),
        needless = !has && !layers_have(run, has_mirror);
    for (size_t i = 0; i < MIRROR_OPTIONS; i++)
        if (has && !has_own_rules(run) && !cli_flag(run, mirror_options[i]))
            cli_set_real(run, mirror_options[i], 0.01);
        else if (needless && comparing)
            cli_unset(run, mirror_options[i]);
}

static void resolve_seeds(cli_options *run, uint64_t offset)
{
    for (size_t i = 0; i < SEEDS; i++)
        if (seed_varies(run, seeds[i]))
            cli_set_whole(run, seeds[i], cli_whole(run, seeds[i]) + offset);
}

void cli_run_resolve(cli_options *run, const cli_options *all, const char *rule,
                     uint64_t offset)
{
    double rate = cli_rate_of(all, rule);
    *run = *all;
    run->command = CLI_TRAIN;
    cli_set_text(run, CLI_RULE_NAME, rule);
    cli_set_real(run, CLI_RATE, rate > 0 ? rate : standard_rate(all));
    resolve_feedback(run, rule, all->command == CLI_COMPARE);
    resolve_mirror(run, rule, all->command == CLI_COMPARE);
    /* Its seeds are to differ in their feedback too. */
    if (all->command == CLI_COMPARE && cli_flag(run, CLI_INIT))
        cli_set_text(run, CLI_FRESH_FEEDBACK, NULL);
    resolve_seeds(run, offset);
}

/* ---- the library's options ----------------------------------------------- */

void cli_model_options(fal_model_options *model, const cli_options *run,
                       const fal_dataset *data)
{
    *model = (fal_model_options)FAL_MODEL_OPTIONS;
    model->seed = cli_whole(run, CLI_SEED_WEIGHTS);
    model->weight_law = cli_text(run, CLI_WEIGHT_LAW);
    model->data = data;
    model->activation = cli_text(run, CLI_ACTIVATION);
    model->norm = cli_text(run, CLI_NORM);
    model->no_bias = cli_flag(run, CLI_NO_BIAS);
}

static uint64_t log_steps(const cli_options *run, const cli_ground *ground)
{
    uint64_t every = cli_whole(run, CLI_LOG), batch = cli_whole(run, CLI_BATCH);
    return every ? every : (ground->train_facts.count + batch - 1) / batch;
}

static int has_no_steps(const cli_options *run)
{
    return cli_flag(run, CLI_EPOCHS) && cli_whole(run, CLI_EPOCHS) == 0;
}

void cli_trainer_options(fal_trainer_options *trainer, const cli_options *run,
                         const cli_ground *ground)
{
    *trainer = (fal_trainer_options)FAL_TRAINER_OPTIONS;
    trainer->rule = cli_text(run, CLI_RULE_NAME);
    trainer->optimizer = cli_text(run, CLI_OPTIMIZER);
    trainer->loss = cli_text(run, CLI_LOSS);
    trainer->loss_reduction = cli_text(run, CLI_REDUCTION);
    trainer->schedule = cli_text(run, CLI_SCHEDULE);
    trainer->feedback_law = cli_text(run, CLI_FEEDBACK_LAW);
    trainer->feedback = cli_text(run, CLI_FEEDBACK);
    trainer->dfa_conv = cli_text(run, CLI_DFA_CONV);
    if (cli_flag(run, CLI_MIRROR_RATE))
        trainer->mirror_rate = cli_real(run, CLI_MIRROR_RATE);
    if (cli_flag(run, CLI_MIRROR_DECAY))
        trainer->mirror_decay = cli_real(run, CLI_MIRROR_DECAY);
    trainer->standardize = cli_text(run, CLI_STANDARDIZE);
    trainer->augment = cli_text(run, CLI_AUGMENT);
    trainer->learning_rate = cli_real(run, CLI_RATE);
    if (cli_flag(run, CLI_RATE_ADAMW))
        trainer->learning_rate_adamw = cli_real(run, CLI_RATE_ADAMW);
    trainer->momentum = cli_flag(run, CLI_MOMENTUM) ? cli_real(run, CLI_MOMENTUM)
                                                    : -1;
    trainer->nesterov = cli_flag(run, CLI_NESTEROV);
    trainer->weight_decay = cli_real(run, CLI_WEIGHT_DECAY);
    trainer->weight_decay_schedule = cli_text(run, CLI_DECAY_SCHEDULE);
    trainer->weight_decay_steps = cli_whole(run, CLI_DECAY_STEPS);
    trainer->batch = (size_t)cli_whole(run, CLI_BATCH);
    trainer->steps = has_no_steps(run) ? 0 : cli_whole(run, CLI_STEPS);
    trainer->log_steps = log_steps(run, ground);
    trainer->no_shuffle = cli_flag(run, CLI_NO_SHUFFLE);
    trainer->feedback_seed = cli_whole(run, CLI_SEED_FEEDBACK);
    trainer->data_seed = cli_whole(run, CLI_SEED_DATA);
    trainer->noise_seed = cli_whole(run, CLI_SEED_NOISE);
    trainer->warmup = cli_whole(run, CLI_WARMUP);
    trainer->milestones = cli_text(run, CLI_MILESTONE_LIST);
    if (cli_flag(run, CLI_DECAY))
        trainer->decay = cli_real(run, CLI_DECAY);
    trainer->clip = cli_real(run, CLI_CLIP);
    trainer->measure_steps = cli_whole(run, CLI_MEASURE);
    trainer->measure_epochs = cli_flag(run, CLI_MEASURE) &&
                              trainer->measure_steps == 0;
}

static fal_status set_decay(const char *part, void *user)
{
    const char *equals = strchr(part, '=');
    char layer[FAL_NAME_LIMIT + 1];
    if (!equals)
        return FAL_OK;
    snprintf(layer, sizeof layer, "%.*s", (int)(equals - part), part);
    return fal_trainer_weight_decay(user, layer, atof(equals + 1));
}

fal_status cli_weight_decays(fal_trainer *trainer, const cli_options *run)
{
    fal_status status = cli_parts(cli_text(run, CLI_WEIGHT_DECAY), ',', set_decay,
                                  trainer);
    return status ? cli_fail_option(status, run, CLI_WEIGHT_DECAY) : FAL_OK;
}

/* ---- folders ------------------------------------------------------------- */

enum { NAME_LIMIT = 40 };

/* 0xC2 and 0xE2 lead to signs, some of which would steer a terminal. */
static int is_letter(const unsigned char *c, size_t length)
{
    return length > 1 ? *c != 0xC2 && *c != 0xE2 : *c < 128 && isalnum(*c);
}

/* Letters, digits and dots of `text`; what lies between becomes one dash. */
static void clean_name(const char *text, char name[NAME_LIMIT + 1])
{
    size_t used = 0;
    for (size_t length; *text && used < NAME_LIMIT; text += length) {
        const unsigned char *c = (const unsigned char *)text;
        size_t whole = fal_utf8_length(c, strlen(text));
        length = whole ? whole : 1;
        int plain = is_letter(c, whole) || (*c == '.' && used > 0);
        if (used + length > NAME_LIMIT)
            break;
        if (plain)
            memcpy(name + used, text, length), used += length;
        else if (used > 0 && name[used - 1] != '-')
            name[used++] = '-';
    }
    while (used > 0 && (name[used - 1] == '-' || name[used - 1] == '.'))
        used--;
    name[used] = 0;
    if (used == 0)
        strcpy(name, "x");
}

/* What stands behind the last slash, other than at the end. */
static const char *base_name(const char *path)
{
    const char *base = path;
    for (; *path; path++)
        if (*path == '/' && path[1] && path[1] != '/')
            base = path + 1;
    return base;
}

char *cli_folder_prefix(const cli_options *options, const char *rule)
{
    char data[NAME_LIMIT + 1], net[NAME_LIMIT + 1], text[256];
    const char *network = cli_text(options, CLI_NET);
    clean_name(base_name(cli_text(options, CLI_DATA)), data);
    clean_name(network ? network : "init", net);
    if (rule)
        snprintf(text, sizeof text, "runs/%s-%s-%s", data, net, rule);
    else
        snprintf(text, sizeof text, "runs/compare-%s-%s", data, net);
    return fal_copy_text(text);
}

fal_status cli_folder_open(fal_run **run, const cli_options *options,
                           const char *rule)
{
    const char *out = cli_text(options, CLI_OUT);
    if (out)
        return fal_run_open(run, out, cli_flag(options, CLI_FORCE));
    char *prefix = cli_folder_prefix(options, rule);
    if (!prefix)
        return FAL_ERROR_MEMORY;
    fal_status status = fal_run_open_numbered(run, prefix);
    fal_release(prefix);
    return status;
}
