/* The rows, in the order of cli_id and of --help. */
#include "cli/options.h"

#define SIZE_LIMIT 2147483647.0

static const cli_bounds positive = {1, SIZE_LIMIT, 0};
static const cli_bounds units = {1, 63, 0};
static const cli_bounds processes = {1, 64, 0};
static const cli_bounds natural = {0, SIZE_LIMIT, 0};
static const cli_bounds from_0 = {0, 1e30, 0};
static const cli_bounds above_0 = {0, 1e30, CLI_LOW_OPEN};
static const cli_bounds to_1 = {0, 1, CLI_LOW_OPEN};
static const cli_bounds from_0_to_1 = {0, 1, 0};
static const cli_bounds below_1 = {0, 1, CLI_HIGH_OPEN};

enum { RECORDED = 1 };

static const char data[] = "Data";
static const char network[] = "Network";
static const char rule[] = "Learning rule";
static const char optimizer[] = "Optimizer";
static const char length[] = "Length";
static const char scale[] = "Scale";
static const char seeds[] = "Seeds";
static const char output[] = "Output";
static const char device[] = "Device";
static const char product[] = "Product";
static const char conv[] = "Convolution";
static const char muon[] = "Newton-Schulz";
static const char step[] = "Step";
static const char teacher[] = "Teacher and student";

/* Name, argument, default, kind, bounds, commands, group, recorded, meaning. */
const cli_option cli_table[CLI_OPTIONS] = {
    [CLI_DATA] = {"data", "NAME|DIR", NULL, CLI_TEXT, NULL,
                  CLI_RUNS | CLI_EVALUATE | CLI_PREDICT | CLI_ANALYZE |
                      CLI_REPRODUCE,
                  data, RECORDED,
                  "data set: fashion-mnist, mnist, cifar-10, cifar-100, "
                  "cifar-100-coarse, or a "
                  "folder with IDX, CIFAR or numpy files"},
    [CLI_DATA_PATH] = {"data-path", "DIR", NULL, CLI_TEXT, NULL,
                       CLI_RUNS | CLI_EVALUATE | CLI_PREDICT | CLI_ANALYZE |
                           CLI_DATASETS | CLI_REPRODUCE,
                       data, RECORDED,
                       "where names are looked for first, then $FALIGN_DATASETS, "
                       "$XDG_CACHE_HOME/falign/datasets, /usr/share/datasets"},
    [CLI_SAMPLES] =
        {"samples", "N", NULL, CLI_COUNT, &positive,
         CLI_RUNS | CLI_EVALUATE | CLI_PREDICT | CLI_ANALYZE, data, RECORDED,
         "only the first N samples (all) of the training split, or of the one "
         "that evaluate or predict takes; analyze takes those that the run was "
         "trained on"},
    [CLI_VALIDATION] =
        {"validation", "F", "0", CLI_REAL, &below_1, CLI_RUNS, data, RECORDED,
         "this share of the samples is split off by the data seed and not trained "
         "on: choices are made on it, the test split is only reported"},
    [CLI_SPLIT] =
        {"split", "test|train|validation", "test", CLI_CHOICE, NULL,
         CLI_EVALUATE | CLI_PREDICT, data, 0,
         "which part of the data set: train is all of the training split, "
         "validation what the run's --validation split off"},
    [CLI_METRICS] = {"measure", NULL, NULL, CLI_FLAG, NULL, CLI_EVALUATE, data, 0,
                     "alignments, ranks and the other metrics too, with the run's "
                     "rule, feedback and batch size; MODEL is then a run folder"},
    [CLI_TOP] = {"top", "K", "1", CLI_COUNT, &positive, CLI_PREDICT, data, 0,
                 "the K most probable classes of a sample; all if there are fewer"},
    [CLI_POLISH] =
        {"polish", NULL, NULL, CLI_FLAG, NULL, CLI_ANALYZE, data, 0,
         "first to a fixed point by Newton's method: training in float32 stops "
         "short of it; a way far from the model is said"},
    [CLI_STANDARDIZE] =
        {"standardize", "channel|global|none", "channel", CLI_CHOICE, NULL,
         CLI_RUNS, data, RECORDED,
         "inputs to mean 0 and deviation 1; a model of --init keeps its own"},
    [CLI_NO_SHUFFLE] = {"no-shuffle", NULL, NULL, CLI_FLAG, NULL, CLI_RUNS, data,
                        RECORDED, "samples in the order of the file"},
    [CLI_RESIZE] =
        {"resize", "HxW", NULL, CLI_SIZE, &positive, CLI_RUNS, data, RECORDED,
         "images in this size, bilinear with antialiasing; the model keeps "
         "it, and takes images as they are in the data set (a model of "
         "--init brings its own)"},
    [CLI_AUGMENT] = {"augment", "crop:P,flip", NULL, CLI_AUGMENTATION, NULL,
                     CLI_RUNS | CLI_BENCH, data, RECORDED,
                     "images of training batches, anew at each step by the noise "
                     "seed: crop:P moves them by up to P pixels each way, black "
                     "following; flip turns half of them left to right"},
    [CLI_LABEL_NOISE] = {"label-noise", "P", "0", CLI_REAL, &from_0_to_1,
                         CLI_RUNS | CLI_EVALUATE, data, RECORDED,
                         "each label is redrawn with this probability, all classes "
                         "alike, by the data seed, for training and test; evaluate "
                         "does so only where it is given there"},
    [CLI_NET] =
        {"net", "TEXT|PRESET", NULL, CLI_TEXT, NULL, CLI_RUNS | CLI_BENCH, network,
         RECORDED,
         "layers by commas, as 'conv 16 3, relu, pool max 2, dense 10', or a "
         "preset: mlp-LxW (L hidden layers of W units), lenet, vgg-small, "
         "cnn4, resnet18, resnet20 or resnet56"},
    [CLI_ACTIVATION] = {"activation", "relu|leaky|tanh|sigmoid|linear", "relu",
                        CLI_CHOICE, NULL, CLI_RUNS | CLI_BENCH, network, RECORDED,
                        "of the hidden layers of a preset"},
    [CLI_NORM] = {"norm", "none|batch|layer", NULL, CLI_CHOICE, NULL,
                  CLI_RUNS | CLI_BENCH, network, RECORDED,
                  "normalization before the hidden activations of a preset: over "
                  "the batch, or of each sample (batch for the resnets, none for "
                  "the others)"},
    [CLI_NO_BIAS] =
        {"no-bias", NULL, NULL, CLI_FLAG, NULL, CLI_RUNS | CLI_BENCH, network,
         RECORDED,
         "presets without biases (the resnets have one only in the output "
         "layer)"},
    [CLI_LOSS] = {"loss", "cross-entropy|mse", "cross-entropy", CLI_CHOICE, NULL,
                  CLI_RUNS | CLI_EVALUATE | CLI_ANALYZE, network, RECORDED,
                  "what training minimizes; evaluate and analyze take the run's "
                  "own where they know it"},
    [CLI_REDUCTION] =
        {"loss-reduction", "mean|sum", "mean", CLI_CHOICE, NULL, CLI_RUNS, network,
         RECORDED,
         "what a step learns of its batch's losses; with sum gradients "
         "are --batch times as large. Losses in files and on the screen "
         "are means either way"},
    [CLI_WEIGHT_LAW] =
        {"weight-law", "LAW", "fan-in", CLI_LAW, NULL, CLI_RUNS, network, RECORDED,
         "fan-in, xavier, xavier-normal, normal:SD, uniform:BOUND or zero"},
    [CLI_INIT] = {"init", "FILE", NULL, CLI_TEXT, NULL, CLI_RUNS, network, RECORDED,
                  "weights (and feedback, if train finds some) from a .safetensors "
                  "file or a run folder"},
    [CLI_RULE_NAME] =
        {"rule", "NAME", "bp", CLI_RULE, NULL, CLI_TRAIN | CLI_BENCH | CLI_ANALYZE,
         rule, RECORDED,
         "what carries the error to the hidden layers, but for those "
         "with a rule of their own in --net; analyze takes the run's, "
         "and fa with a file"},
    [CLI_RULE_LIST] =
        {"rules", "LIST", NULL, CLI_RULES, NULL, CLI_COMPARE, rule, RECORDED,
         "rules by commas; when left out, all that the network can learn "
         "by"},
    [CLI_FRESH_FEEDBACK] = {"fresh-feedback", NULL, NULL, CLI_FLAG, NULL, CLI_TRAIN,
                            rule, RECORDED,
                            "random feedback is drawn even where --init has some, "
                            "as compare does for its runs"},
    [CLI_FEEDBACK_LAW] =
        {"feedback-law", "LAW", NULL, CLI_LAW_OF_FEEDBACK, NULL,
         CLI_RUNS | CLI_ANALYZE, rule, RECORDED,
         "of random feedback: as --weight-law, or weights: the weight "
         "law (default layer to layer), or units: 1/sqrt(units) (of dfa "
         "and drtp)"},
    [CLI_FEEDBACK] =
        {"feedback", "stored|regenerated", "stored", CLI_CHOICE, NULL,
         CLI_RUNS | CLI_BENCH, rule, RECORDED,
         "random feedback lies in memory, or is drawn from its seed whenever it is "
         "read: the same numbers, no memory; uniform laws only, and not where it "
         "learns"},
    [CLI_DFA_CONV] =
        {"dfa-conv", "map|channel", "map", CLI_CHOICE, NULL, CLI_RUNS | CLI_BENCH,
         rule, RECORDED,
         "what dfa and drtp bring to a convolution: to each unit of its "
         "map what is its own, or to all positions of a channel the same"},
    [CLI_MIRROR_RATE] = {"mirror-rate", "RATE", NULL, CLI_REAL, &above_0, CLI_RUNS,
                         rule, RECORDED,
                         "of wm: how fast feedback learns in a mirror step (0.01)"},
    [CLI_MIRROR_DECAY] = {"mirror-decay", "D", NULL, CLI_REAL, &to_1, CLI_RUNS,
                          rule, RECORDED,
                          "of wm: what share of itself feedback loses in a mirror "
                          "step (0.01)"},
    [CLI_OPTIMIZER] =
        {"optimizer", "sgd|adam|adamw|muon", "adam", CLI_CHOICE, NULL,
         CLI_RUNS | CLI_BENCH, optimizer, RECORDED,
         "what turns gradients into updates; muon orthogonalizes those "
         "of hidden matrices and leaves the rest to adamw"},
    [CLI_RATE] = {"lr", "RATE", NULL, CLI_RATES, &above_0, CLI_RUNS, optimizer,
                  RECORDED,
                  "learning rate (sgd 0.01, adam and adamw 0.001, muon 0.02); "
                  "'0.1,fa=0.01' gives one rule its own"},
    [CLI_RATE_ADAMW] = {"lr-adamw", "RATE", NULL, CLI_REAL, &above_0, CLI_RUNS,
                        optimizer, RECORDED,
                        "rate of what muon leaves to adamw (0.0003): output layer, "
                        "biases and gains; on the same schedule"},
    [CLI_MOMENTUM] =
        {"momentum", "M", NULL, CLI_REAL, &below_1, CLI_RUNS, optimizer, RECORDED,
         "momentum of sgd (0.9), or muon's beta (0.95); the others have none"},
    [CLI_NESTEROV] = {"nesterov", NULL, NULL, CLI_FLAG, NULL, CLI_RUNS, optimizer,
                      RECORDED, "sgd with Nesterov's momentum"},
    [CLI_WEIGHT_DECAY] =
        {"weight-decay", "D", "0", CLI_DECAYS, &from_0, CLI_RUNS, optimizer,
         RECORDED,
         "coupled for sgd and adam, decoupled for adamw and muon, "
         "and under kp for all; '0.1,dense2=5' gives one layer its "
         "own"},
    [CLI_DECAY_SCHEDULE] =
        {"weight-decay-schedule", "constant|cut|linear", "constant", CLI_CHOICE,
         NULL, CLI_RUNS, optimizer, RECORDED,
         "of weight decay: cut ends it at the step of --weight-decay-steps, linear "
         "lets it fall to 0 until then"},
    [CLI_DECAY_STEPS] =
        {"weight-decay-steps", "T", NULL, CLI_COUNT, &positive, CLI_RUNS, optimizer,
         RECORDED,
         "of --weight-decay-schedule cut and linear, which need it: "
         "the step from which there is no weight decay"},
    [CLI_SCHEDULE] = {"schedule", "constant|cosine|step", "cosine", CLI_CHOICE,
                      NULL, CLI_RUNS, optimizer, RECORDED,
                      "of the learning rate; cosine falls to 0 over the run, step "
                      "by a factor after each of some epochs"},
    [CLI_MILESTONE_LIST] = {"milestones", "LIST", NULL, CLI_MILESTONES, NULL,
                            CLI_RUNS, optimizer, RECORDED,
                            "of --schedule step, which needs them: epochs after "
                            "which the rate falls, ascending, as 30,60"},
    [CLI_DECAY] = {"decay", "FACTOR", NULL, CLI_REAL, &above_0, CLI_RUNS, optimizer,
                   RECORDED,
                   "of --schedule step: what the rate is multiplied by (0.1)"},
    [CLI_WARMUP] = {"warmup", "STEPS", "0", CLI_COUNT, &natural, CLI_RUNS,
                    optimizer, RECORDED,
                    "first steps, over which the rate rises to its full height; "
                    "fewer than the run has"},
    [CLI_CLIP] = {"clip", "NORM", NULL, CLI_REAL, &above_0, CLI_RUNS, optimizer,
                  RECORDED,
                  "gradients of a step are scaled down to this global norm; left "
                  "out, they are not"},
    [CLI_BATCH] = {"batch", "N", "128", CLI_COUNT, &positive, CLI_RUNS | CLI_BENCH,
                   length, RECORDED,
                   "samples of a step; a last partial batch is kept"},
    [CLI_EPOCHS] = {"epochs", "N", "5", CLI_COUNT, &natural, CLI_RUNS, length,
                    RECORDED,
                    "passes over the data; no limit if only --steps is given"},
    [CLI_STEPS] = {"steps", "N", NULL, CLI_COUNT, &positive, CLI_RUNS, length,
                   RECORDED,
                   "the run ends after so many steps (no limit); the first limit "
                   "reached counts"},
    [CLI_SEED_WEIGHTS] = {"seed", "S", "1", CLI_SEED, NULL, CLI_RUNS, seeds,
                          RECORDED, "of weights and biases"},
    [CLI_SEED_FEEDBACK] = {"feedback-seed", "S", "1", CLI_SEED, NULL,
                           CLI_RUNS | CLI_ANALYZE, seeds, RECORDED,
                           "of random feedback; of analyze: draws it anew"},
    [CLI_SEED_DATA] =
        {"data-seed", "S", "1", CLI_SEED, NULL, CLI_RUNS, seeds, RECORDED,
         "of the order of samples, of what --validation splits off and of "
         "what --label-noise redraws"},
    [CLI_SEED_NOISE] = {"noise-seed", "S", "1", CLI_SEED, NULL, CLI_RUNS, seeds,
                        RECORDED,
                        "of noise during training: what the mirror of wm is shown"},
    [CLI_SEED_COUNT] = {"seeds", "N", "1", CLI_COUNT, &positive, CLI_COMPARE, seeds,
                        RECORDED,
                        "N runs a rule, adding 0 to N-1 to all four seeds; a "
                        "feedback, data or noise seed given here is held"},
    [CLI_STUDY_SEEDS] = {"seeds", "N", NULL, CLI_COUNT, &positive, CLI_REPRODUCE,
                         scale, 0,
                         "seeds of each setting; as many as the scale says when "
                         "left out"},
    [CLI_TINY] = {"tiny", NULL, NULL, CLI_FLAG, NULL, CLI_REPRODUCE, scale, 0,
                  "seconds: whether it works, not whether claims hold"},
    [CLI_QUICK] = {"quick", NULL, NULL, CLI_FLAG, NULL, CLI_REPRODUCE, scale, 0,
                   "minutes: the claims on fewer seeds or steps than the paper's; "
                   "taken when none of the three is given"},
    [CLI_FULL] = {"full", NULL, NULL, CLI_FLAG, NULL, CLI_REPRODUCE, scale, 0,
                  "the paper's own sizes"},
    [CLI_OUT] = {"out", "DIR", NULL, CLI_TEXT, NULL,
                 CLI_RUNS | CLI_REPORT | CLI_REPRODUCE, output, 0,
                 "folder of the run (runs/DATA-NET-RULE-NNN, for compare "
                 "runs/compare-DATA-NET-NNN, for reproduce "
                 "runs/reproduce-NAME-NNN); of report the file of its page "
                 "(report.html in the first RUN)"},
    [CLI_FORCE] = {"force", NULL, NULL, CLI_FLAG, NULL, CLI_RUNS | CLI_REPRODUCE,
                   output, 0, "replace the run that the folder holds"},
    [CLI_LOG] = {"log", "EVERY", "100", CLI_EVERY, &positive, CLI_RUNS, output,
                 RECORDED,
                 "a line of metrics.jsonl every so many steps, or 'epoch'"},
    [CLI_TENSORBOARD] = {"tensorboard", NULL, NULL, CLI_FLAG, NULL, CLI_RUNS,
                         output, RECORDED,
                         "write what metrics.jsonl has for TensorBoard too: "
                         "'tensorboard --logdir' takes the folder of runs"},
    [CLI_MEASURE] =
        {"measure", "EVERY", NULL, CLI_EVERY, &positive, CLI_RUNS, output, RECORDED,
         "alignment and rank beside backpropagation into metrics.jsonl, before "
         "every so many steps, or before each 'epoch'; and after the last step"},
    [CLI_CHECKPOINT] =
        {"checkpoint", "EVERY", "epoch", CLI_EVERY, &positive, CLI_RUNS, output,
         RECORDED,
         "what --resume needs is saved every so many steps, or 'epoch'; at the end "
         "and at Ctrl-C in any case"},
    [CLI_RESUME] =
        {"resume", "DIR", NULL, CLI_TEXT, NULL, CLI_RUNS | CLI_REPRODUCE, output, 0,
         "go on with the run, or comparison, of a folder from its last checkpoint; "
         "with an experiment behind its last part"},
    [CLI_PROFILE] = {"profile", NULL, NULL, CLI_FLAG, NULL, CLI_TRAIN, output, 0,
                     "print what each kernel took for each layer, and write "
                     "profile.json"},
    [CLI_DRY_RUN] = {"dry-run", NULL, NULL, CLI_FLAG, NULL, CLI_TRAIN, output, 0,
                     "print layers, parameters, memory and launches of a step; "
                     "train nothing, write nothing"},
    [CLI_DEVICE] = {"device", "NAME", NULL, CLI_TEXT, NULL,
                    CLI_RUNS | CLI_EVALUATE | CLI_PREDICT | CLI_ANALYZE |
                        CLI_BENCH | CLI_REPRODUCE,
                    device, RECORDED,
                    "cpu, gpu, gpu:1 or a part of the name ($FALIGN_DEVICE, else "
                    "the first GPU, else the first CPU)"},
    [CLI_GEMM] =
        {"gemm", "own|clblast|auto", "auto", CLI_CHOICE, NULL,
         CLI_RUNS | CLI_EVALUATE | CLI_PREDICT | CLI_ANALYZE | CLI_BENCH |
             CLI_DEVICES | CLI_REPRODUCE,
         device, RECORDED,
         "who makes matrix products: our kernels, CLBlast those it can, or "
         "what was measured to be faster on the device"},
    [CLI_CONV] =
        {"conv", "auto|direct|winograd4", "auto", CLI_CHOICE, NULL,
         CLI_RUNS | CLI_EVALUATE | CLI_PREDICT | CLI_ANALYZE | CLI_BENCH |
             CLI_DEVICES | CLI_REPRODUCE,
         device, RECORDED,
         "3 x 3 convolutions of stride 1: by Winograd's F(2x2, 3x3) where that is "
         "faster and as exact, never, or by the less exact F(4x4, 3x3)"},
    [CLI_JOBS] = {"jobs", "N", NULL, CLI_COUNT, &processes, CLI_REPRODUCE, device,
                  0,
                  "parts at a time, at most 64, each in a process of its own (the "
                  "cores of a CPU, else 1); no result depends on it"},
    [CLI_CHECK] =
        {"check", "[NAME]", NULL, CLI_OPTIONAL_TEXT, NULL, CLI_DEVICES, device, 0,
         "run every kernel against its reference in plain C on the device NAME"},
    [CLI_M] = {"m", "M", NULL, CLI_COUNT, &positive, CLI_BENCH, product, 0,
               "rows of the result"},
    [CLI_N] = {"n", "N", NULL, CLI_COUNT, &positive, CLI_BENCH, product, 0,
               "columns of the result"},
    [CLI_K] = {"k", "K", NULL, CLI_COUNT, &positive, CLI_BENCH, product, 0,
               "length of the sums"},
    [CLI_TA] = {"ta", NULL, NULL, CLI_FLAG, NULL, CLI_BENCH, product, 0,
                "the left matrix is stored transposed, [K][M]"},
    [CLI_TB] = {"tb", NULL, NULL, CLI_FLAG, NULL, CLI_BENCH, product, 0,
                "the right matrix is stored transposed, [N][K]"},
    [CLI_EPILOGUE] = {"epilogue", "none|forward|delta|update", "none", CLI_CHOICE,
                      NULL, CLI_BENCH, product, 0,
                      "what a step does with the sums: bias and relu, the "
                      "derivative of relu, or sgd with momentum"},
    [CLI_SOURCE] =
        {"source", "stored|sign|magnitude|regenerated|redrawn", "stored",
         CLI_CHOICE, NULL, CLI_BENCH, product, 0,
         "what the right matrix is: as it is stored; its signs times a number, a "
         "stored or a random magnitude; or random numbers"},
    [CLI_SIZE_OF_MAP] = {"size", "H", NULL, CLI_COUNT, &positive, CLI_BENCH, conv,
                         0, "height and width of the maps that are convolved"},
    [CLI_CHANNELS_IN] = {"in", "C", NULL, CLI_COUNT, &positive, CLI_BENCH, conv, 0,
                         "their channels"},
    [CLI_CHANNELS_OUT] = {"out", "K", NULL, CLI_COUNT, &positive, CLI_BENCH, conv,
                          0, "channels that the convolution makes of them"},
    [CLI_KERNEL] =
        {"kernel", "K", "3", CLI_COUNT, &positive, CLI_BENCH, conv, 0,
         "height and width of a kernel; the maps are padded by (K - 1)/2"},
    [CLI_STRIDE] = {"stride", "S", "1", CLI_COUNT, &positive, CLI_BENCH, conv, 0,
                    "of the kernel"},
    [CLI_PASS] = {"pass", "forward|data|weight", "forward", CLI_CHOICE, NULL,
                  CLI_BENCH, conv, 0,
                  "forward, or backward to the maps (data) or to the weights"},
    [CLI_ROWS] = {"rows", "R", NULL, CLI_COUNT, &positive, CLI_BENCH, muon, 0,
                  "rows of the matrix that Newton-Schulz makes orthogonal"},
    [CLI_COLUMNS] = {"cols", "C", NULL, CLI_COUNT, &positive, CLI_BENCH, muon, 0,
                     "its columns"},
    [CLI_DATA_SHAPE] = {"data-shape", "HxWxC|N", "28x28x1", CLI_TEXT, NULL,
                        CLI_BENCH, step, 0, "of the random samples of a step"},
    [CLI_CLASSES] = {"classes", "N", "10", CLI_COUNT, &positive, CLI_BENCH, step, 0,
                     "classes of the random labels of a step"},
    [CLI_INPUTS] = {"inputs", "N", "500", CLI_COUNT, &positive, CLI_BENCH, teacher,
                    0,
                    "inputs of a teacher and of the student that learns online "
                    "from it"},
    [CLI_STUDENTS] = {"students", "K", "4", CLI_COUNT, &units, CLI_BENCH, teacher,
                      0,
                      "hidden units of the student; with the teacher's at most 64"},
    [CLI_TEACHERS] = {"teachers", "M", "4", CLI_COUNT, &units, CLI_BENCH, teacher,
                      0, "hidden units of the teacher"},
    [CLI_LEARNERS] =
        {"runs", "R", "1", CLI_COUNT, &positive, CLI_BENCH, teacher, 0,
         "students that learn side by side, each from its own teacher"},
    [CLI_JSON] = {"json", NULL, NULL, CLI_FLAG, NULL, CLI_ALL, output, 0,
                  "print the result as JSON, nothing else"},
    [CLI_QUIET] = {"quiet", NULL, NULL, CLI_FLAG, NULL, CLI_ALL, output, 0,
                   "print nothing but errors"},
    [CLI_HELP] = {"help", NULL, NULL, CLI_FLAG, NULL, CLI_ALL, output, 0,
                  "print this help"},
};
