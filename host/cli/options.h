/* The one table of options and what a command line makes of it. The same rows give
 * the flags, the keys of YAML files, --help and config.yaml. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/yaml.h"

typedef enum cli_kind {
    CLI_FLAG,            /* --quiet */
    CLI_TEXT,            /* any text that is not empty */
    CLI_CHOICE,          /* one of `argument`, names with | between them */
    CLI_RULE,            /* a learning rule */
    CLI_RULES,           /* learning rules with commas between them */
    CLI_COUNT,           /* a whole number from low to high */
    CLI_EVERY,           /* the same, or "epoch", which is 0 */
    CLI_SEED,            /* a whole number of 64 bits */
    CLI_REAL,            /* a number; `open` says which bounds are not included */
    CLI_RATES,           /* RATE[,RULE=RATE…] */
    CLI_DECAYS,          /* NUMBER[,LAYER=NUMBER…]; real is that of all layers */
    CLI_LAW,             /* a law of random weights */
    CLI_LAW_OF_FEEDBACK, /* a law of random feedback */
    CLI_AUGMENTATION,    /* crop:P, flip or both */
    CLI_MILESTONES,      /* epochs, ascending, with commas between them */
    CLI_SIZE,            /* HxW: whole is 2^32 H + W */
    CLI_OPTIONAL_TEXT    /* a flag that a text may follow */
} cli_kind;

enum { CLI_LOW_OPEN = 1, CLI_HIGH_OPEN = 2 };

/* Which commands take an option: bits. */
enum {
    CLI_DEVICES = 1,
    CLI_TRAIN = 2,
    CLI_COMPARE = 4,
    CLI_EVALUATE = 8,
    CLI_BENCH = 16,
    CLI_RUNS = CLI_TRAIN | CLI_COMPARE,
    CLI_PREDICT = 32,
    CLI_DATASETS = 64,
    CLI_REPORT = 128,
    CLI_REPRODUCE = 256,
    CLI_ANALYZE = 512,
    CLI_ALL = 1023
};

typedef struct cli_bounds {
    double low, high;
    int open;
} cli_bounds;

typedef struct cli_option {
    const char *name;     /* without dashes */
    const char *argument; /* as --help shows it; NULL for flags */
    const char *standard; /* the default as it would be typed; NULL: none */
    cli_kind kind;
    const cli_bounds *bounds; /* of COUNT, EVERY, REAL, RATES and DECAYS */
    unsigned commands;
    const char *group;   /* a heading of --help */
    int recorded;        /* 1: part of a run, stands in config.yaml */
    const char *meaning; /* one or two lines of --help */
} cli_option;

typedef enum cli_id {
    CLI_DATA,
    CLI_DATA_PATH,
    CLI_SAMPLES,
    CLI_VALIDATION,
    CLI_SPLIT,
    CLI_METRICS,
    CLI_TOP,
    CLI_POLISH,
    CLI_STANDARDIZE,
    CLI_NO_SHUFFLE,
    CLI_RESIZE,
    CLI_AUGMENT,
    CLI_LABEL_NOISE,
    CLI_NET,
    CLI_ACTIVATION,
    CLI_NORM,
    CLI_NO_BIAS,
    CLI_LOSS,
    CLI_REDUCTION,
    CLI_WEIGHT_LAW,
    CLI_INIT,
    CLI_RULE_NAME,
    CLI_RULE_LIST,
    CLI_FRESH_FEEDBACK,
    CLI_FEEDBACK_LAW,
    CLI_FEEDBACK,
    CLI_DFA_CONV,
    CLI_MIRROR_RATE,
    CLI_MIRROR_DECAY,
    CLI_OPTIMIZER,
    CLI_RATE,
    CLI_RATE_ADAMW,
    CLI_MOMENTUM,
    CLI_NESTEROV,
    CLI_WEIGHT_DECAY,
    CLI_DECAY_SCHEDULE,
    CLI_DECAY_STEPS,
    CLI_SCHEDULE,
    CLI_MILESTONE_LIST,
    CLI_DECAY,
    CLI_WARMUP,
    CLI_CLIP,
    CLI_BATCH,
    CLI_EPOCHS,
    CLI_STEPS,
    CLI_SEED_WEIGHTS,
    CLI_SEED_FEEDBACK,
    CLI_SEED_DATA,
    CLI_SEED_NOISE,
    CLI_SEED_COUNT,
    CLI_STUDY_SEEDS,
    CLI_TINY,
    CLI_QUICK,
    CLI_FULL,
    CLI_OUT,
    CLI_FORCE,
    CLI_LOG,
    CLI_TENSORBOARD,
    CLI_MEASURE,
    CLI_CHECKPOINT,
    CLI_RESUME,
    CLI_PROFILE,
    CLI_DRY_RUN,
    CLI_DEVICE,
    CLI_GEMM,
    CLI_CONV,
    CLI_JOBS,
    CLI_CHECK,
    CLI_M,
    CLI_N,
    CLI_K,
    CLI_TA,
    CLI_TB,
    CLI_EPILOGUE,
    CLI_SOURCE,
    CLI_SIZE_OF_MAP,
    CLI_CHANNELS_IN,
    CLI_CHANNELS_OUT,
    CLI_KERNEL,
    CLI_STRIDE,
    CLI_PASS,
    CLI_ROWS,
    CLI_COLUMNS,
    CLI_DATA_SHAPE,
    CLI_CLASSES,
    CLI_INPUTS,
    CLI_STUDENTS,
    CLI_TEACHERS,
    CLI_LEARNERS,
    CLI_JSON,
    CLI_QUIET,
    CLI_HELP,
    CLI_OPTIONS /* how many */
} cli_id;

extern const cli_option cli_table[CLI_OPTIONS];

/* Where a value comes from; what stands later here wins. */
typedef enum cli_origin {
    CLI_FROM_TABLE,
    CLI_FROM_FILE,
    CLI_FROM_WORDS
} cli_origin;

/* What an option is set to. */
typedef struct cli_value {
    int set; /* has a value, given or by default; of a flag: is true */
    cli_origin origin;
    cli_yaml_place place; /* in the file */
    const char *text;
    uint64_t whole;
    double real;
} cli_value;

typedef struct cli_options {
    unsigned command; /* its bit */
    cli_value values[CLI_OPTIONS];
    char **arguments; /* those without dashes, in the words' own array */
    size_t argument_count;
    const char *file; /* that options come from, NULL: none */
} cli_options;

/* Reads the words behind the command's name; the arguments among them are moved to
 * the front. `limit`: arguments it takes. Errors: ARGUMENT. --help ends the reading:
 * nothing behind it is looked at. */
fal_status cli_options_read(cli_options *options, unsigned command, int count,
                            char **words, size_t limit);

const char *cli_text(const cli_options *options, cli_id id); /* NULL: not set */
uint64_t cli_whole(const cli_options *options, cli_id id);
double cli_real(const cli_options *options, cli_id id);
int cli_flag(const cli_options *options, cli_id id);

/* Whether the value is the user's, and whether it was a flag on the command line. */
int cli_given(const cli_options *options, cli_id id);
int cli_in_words(const cli_options *options, cli_id id);

void cli_set_text(cli_options *options, cli_id id, const char *text);
void cli_set_whole(cli_options *options, cli_id id, uint64_t whole);
void cli_set_real(cli_options *options, cli_id id, double real);
void cli_unset(cli_options *options, cli_id id);

/* A value from the file becomes the default again, any other stays. */
void cli_drop_from_file(cli_options *options, cli_id id);

/* Puts where the option's value stands in front of the message: "option --lr: " or
 * "run.yaml, line 3, column 5: lr: "; returns `status`. */
fal_status cli_fail_option(fal_status status, const cli_options *options,
                           cli_id id);

/* The same for a value of the file, which a later failure, with a message of its own,
 * may be about; a flag's message stays as it is. */
fal_status cli_fail_in_file(fal_status status, const cli_options *options,
                            cli_id id);

/* Fails with ARGUMENT where a command cannot do without the option. */
fal_status cli_require(const cli_options *options, cli_id id);

/* The learning rate of a rule by --lr, 0: its default. */
double cli_rate_of(const cli_options *options, const char *rule);

#endif
