/* falign: training neural networks by backpropagation and feedback alignment, on
 * any OpenCL device.
 *
 * Promise. Every function that can fail returns a fal_status, 0 when all went well,
 * and leaves its results untouched when it fails; fal_error_message() then says
 * what, where, why and what to do. The library never prints, exits or aborts, reads
 * no environment but FALIGN_DEVICE, FALIGN_KERNELS and FALIGN_VECTOR (where the
 * device options leave them open) and what says whether PoCL can compile (PATH,
 * POCL_CACHE_DIR, XDG_CACHE_HOME, HOME), and keeps no global state. Every
 * *_destroy(NULL) is fine. A device and all that was made from it belong to one
 * thread at a time; different devices are independent. Destroy trainers before
 * their model, models before their device, data sets whenever no call is using
 * them. Callbacks run on the caller's thread.
 *
 * Notation. Rows are samples. Layer l computes a_l = h_{l-1} W_l + b_l and
 * h_l = phi(a_l); e = dL/da_L is the output error (it holds the 1/n of the batch
 * mean); delta_l = dL/da_l, or what a learning rule puts in its place;
 * dW_l = h_{l-1}^T delta_l under every rule. Images are height x width x channels.
 *
 * The shortest program:
 *
 *     fal_device_open(&device, NULL);
 *     fal_dataset_open(&train, "fashion-mnist", FAL_SPLIT_TRAIN);
 *     fal_dataset_open(&test, "fashion-mnist", FAL_SPLIT_TEST);
 *     fal_model_create(&model, device, "input 28x28x1, dense 512, relu, dense 10",
 *                      NULL);
 *     fal_trainer_create(&trainer, model, NULL);
 *     fal_trainer_fit(trainer, train, test, 5, NULL, NULL);
 *     fal_model_save(model, "model.safetensors");
 *
 * examples/ has whole ones: arrays in memory, a loop of one's own, predictions, real
 * targets, two devices, Python.
 */
#ifndef FALIGN_H
#define FALIGN_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FAL_API __attribute__((visibility("default")))
#else
#define FAL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- version ------------------------------------------------------------- */

#define FAL_VERSION_MAJOR 0
#define FAL_VERSION_MINOR 1
#define FAL_VERSION_PATCH 0

/* "0.1.0" of the library in use, which may be newer than this header. */
FAL_API const char *fal_version(void);

/* ---- status and errors --------------------------------------------------- */

/* Values never change their meaning; new ones are added at the end. */
#define FAL_STATUSES(X)                                                            \
    X(FAL_OK, 0, "done")                                                           \
    X(FAL_ERROR_ARGUMENT, 1, "wrong argument")                                     \
    X(FAL_ERROR_MEMORY, 2, "no host memory")                                       \
    X(FAL_ERROR_DEVICE, 3, "OpenCL failed, or no such device")                     \
    X(FAL_ERROR_DEVICE_MEMORY, 4, "no device memory")                              \
    X(FAL_ERROR_FILE, 5, "file cannot be read or written")                         \
    X(FAL_ERROR_FORMAT, 6, "file content is not what it should be")                \
    X(FAL_ERROR_DIVERGED, 7, "a loss is no longer finite")                         \
    X(FAL_STOPPED, 8, "stopped by a callback")

typedef enum fal_status {
#define FAL_VALUE(name, value, text) name = value,
    FAL_STATUSES(FAL_VALUE)
#undef FAL_VALUE
} fal_status;

/* The text of a status, for example "no device memory". */
FAL_API const char *fal_status_name(fal_status status);

/* Why the last failing call of this thread failed: UTF-8, one line (a build log
 * excepted); control characters in what it quotes become \xNN. Valid until the next
 * failure. */
FAL_API const char *fal_error_message(void);

/* Option structs begin with `size`, set by their initialiser macro in C
 * (`fal_model_options o = FAL_MODEL_OPTIONS;`) or by fal_*_options_init in
 * bindings, so that a program built against an older header keeps working; a
 * binding may leave out fields at the end, `size` says so. NULL in place of options
 * means all defaults. Structs that are filled in need their size alone:
 * `fal_evaluation result = {.size = sizeof result};` */

/* ---- devices ------------------------------------------------------------- */

typedef struct fal_device fal_device;

/* A line of information or warning, without a newline. */
typedef void (*fal_log)(const char *line, void *user);

typedef struct fal_device_options {
    size_t size;
    const char *name;    /* "cpu", "gpu", "gpu:1" or a part of the name, any case;
                          * NULL: $FALIGN_DEVICE, else the first GPU, else the
                          * first CPU */
    const char *kernels; /* "cpu", "gpu": force the kernel family;
                          * NULL: $FALIGN_KERNELS, else by the device's facts */
    int vector;          /* 4, 8, 16: force the width of float vectors;
                          * 0: $FALIGN_VECTOR, else the device's own */
    fal_log log;
    void *log_user;
    int profile;      /* 1: fal_device_profile knows the times of kernels */
    const char *gemm; /* who makes matrix products: "own", "clblast" (those it can,
                       * the others our kernels), or "auto", which is "own" except on
                       * devices where CLBlast was measured to be faster; NULL: auto */
    const char *conv; /* how 3 x 3 convolutions of stride 1 are made on CPU-like
                       * devices: "direct" (without filtering, as all others
                       * are), "winograd4" (forward and data pass by minimal filtering
                       * F(4x4, 3x3): off by up to 2e-5 of the largest value), or
                       * "auto": by F(2x2, 3x3), which is as exact as direct, where
                       * channels and positions are many; NULL: auto */
} fal_device_options;

#define FAL_DEVICE_OPTIONS                                                         \
    {                                                                              \
        sizeof(fal_device_options), NULL, NULL, 0, NULL, NULL, 0, NULL, NULL       \
    }
FAL_API void fal_device_options_init(fal_device_options *options, size_t size);

/* What a device is. Texts belong to the library. */
typedef struct fal_device_info {
    size_t size;
    const char *platform; /* for example "Portable Computing Language" */
    const char *name;
    const char *vendor;
    const char *version; /* of OpenCL, as the device says it */
    const char *driver;
    const char *selector; /* "cpu:0", "gpu:0": a name for fal_device_options */
    const char *kernels;  /* kernel family: "cpu" or "gpu" */
    const char *skipped;  /* why it cannot be used; NULL: it can */
    int vector;           /* width of float vectors the kernels use */
    unsigned compute_units;
    size_t group_limit;    /* largest work-group, in items */
    uint64_t memory;       /* bytes */
    uint64_t allocation;   /* bytes of the largest single buffer */
    uint64_t local_memory; /* bytes a work-group */
    int double_precision;  /* 1: cl_khr_fp64 */
    const char *gemm; /* "own" or "clblast": in a list, what "auto" would take */
    const char *conv; /* "auto", "direct" or "winograd4" */
} fal_device_info;

/* Calls `visit` for every device of every platform, then for every platform without
 * devices (name "", skipped says so). A non-zero return ends the list. The info is
 * valid during the call. No device at all is not an error. */
typedef int (*fal_device_visit)(const fal_device_info *info, void *user);
FAL_API fal_status fal_device_list(fal_device_visit visit, void *user);

/* Opens a device: context, queue and kernels. Errors: ARGUMENT (unknown name, with
 * what there is; CLBlast in a library built without it), DEVICE (none usable, and why;
 * a kernel that does not build). */
FAL_API fal_status fal_device_open(fal_device **device,
                                   const fal_device_options *options);
FAL_API void fal_device_destroy(fal_device *device);

/* `info->size` must be set; texts are valid as long as the device. */
FAL_API fal_status fal_device_describe(const fal_device *device,
                                       fal_device_info *info);

/* What kernels of a device took since it was opened, for each kernel, layer and work
 * that they did. A launch that does several things shares its time among them, by
 * their arithmetic where it is known. */
typedef struct fal_profile_row {
    size_t size;
    const char *kernel;  /* "gemm" */
    const char *layer;   /* "dense1", "loss", "input"; may be "" */
    const char *work;    /* "forward", "delta", "gradient"; may be "" */
    int evaluation;      /* 1: not part of training steps */
    double launches;     /* one that does several things counts a part for each */
    double seconds;      /* by the device's clock */
    double flops, bytes; /* arithmetic; memory read and written; 0: not counted */
} fal_profile_row;

/* Calls `visit` for every row; waits for the device. A non-zero return ends the
 * list. Rows are valid during the call. Errors: ARGUMENT (not opened with
 * options.profile). */
typedef int (*fal_profile_visit)(const fal_profile_row *row, void *user);
FAL_API fal_status fal_device_profile(fal_device *device, fal_profile_visit visit,
                                      void *user);

/* ---- data sets ----------------------------------------------------------- */

typedef struct fal_dataset fal_dataset;

typedef enum fal_split { FAL_SPLIT_TRAIN = 0, FAL_SPLIT_TEST = 1 } fal_split;

/* How input values are stored: bytes count as value/255. */
typedef enum fal_type { FAL_BYTES = 0, FAL_FLOATS = 1 } fal_type;

typedef struct fal_dataset_options {
    size_t size;
    const char *const *folders; /* where names are looked for, in this order; NULL:
                                 * ~/.cache/falign/datasets, /usr/share/datasets */
    size_t folder_count;
    size_t samples; /* the first N only; 0: all; more than there are: ARGUMENT */
} fal_dataset_options;

#define FAL_DATASET_OPTIONS                                                        \
    {                                                                              \
        sizeof(fal_dataset_options), NULL, 0, 0                                    \
    }
FAL_API void fal_dataset_options_init(fal_dataset_options *options, size_t size);

/* Opens a split of a data set: a known name ("fashion-mnist", "mnist", "cifar-10",
 * "cifar-100", "cifar-100-coarse"), looked for in the folders (there fashion-mnist,
 * mnist, cifar-10-batches-bin, cifar-100-binary), or a folder with the files of one
 * format:
 *   IDX  train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-…, gzipped or not
 *   CIFAR-10   data_batch_1.bin … data_batch_5.bin, test_batch.bin: records of a
 *        label byte and 32x32 bytes each of red, green and blue
 *   CIFAR-100  train.bin, test.bin: records of a coarse label (taken under the name
 *        cifar-100-coarse), a fine one (else), and the same bytes
 *   NPY  train-x.npy, train-y.npy, test-x.npy, test-y.npy, by numpy.save in C order:
 *        x uint8 or float32 [n][height][width][channels], [n][height][width] or
 *        [n][numbers]; y labels [n] of any integer type, or real targets
 *        [n][outputs] or [n], float32 or float64
 * and, if wanted, classes.txt: the names of the classes, UTF-8, one a line. A folder
 * has as many classes as its highest label, of both splits, asks for; one of CIFAR's
 * 10, 100 or 20, named by its own files or else as is known. All of the split is read
 * into memory. Errors: ARGUMENT (unknown name), FILE (not found: says where it
 * looked), FORMAT (says the file). */
FAL_API fal_status fal_dataset_open(fal_dataset **dataset, const char *name,
                                    fal_split split);
FAL_API fal_status fal_dataset_open_with(fal_dataset **dataset, const char *name,
                                         fal_split split,
                                         const fal_dataset_options *options);

/* A known data set in one place, from its files' headers. */
typedef struct fal_dataset_info {
    size_t size;
    const char *name;
    const char *folder;  /* where it is, or was looked for */
    const char *missing; /* why it cannot be used: not there, or the file that is
                          * damaged; NULL: it can. Then the numbers count */
    size_t train, test;  /* samples */
    size_t height, width, channels; /* of one sample */
    size_t classes;
    int damaged; /* 1: there are files, `missing` says what is wrong with them */
} fal_dataset_info;

/* A non-zero return stops the listing: FAL_STOPPED. The texts are valid during the
 * call. */
typedef int (*fal_dataset_visit)(const fal_dataset_info *info, void *user);

/* Visits, for every known name in turn, the folder that fal_dataset_open takes, or
 * where there is none, every folder it looked at. */
FAL_API fal_status fal_dataset_list(const fal_dataset_options *options,
                                    fal_dataset_visit visit, void *user);

/* A data set of the caller's arrays, to be set after FAL_ARRAYS: count, channels (and
 * for images height and width, else 1), inputs, and labels with classes or targets
 * with outputs. */
typedef struct fal_arrays {
    size_t size;
    size_t count;                   /* samples, at least 1 */
    size_t height, width, channels; /* of one sample; N numbers: 1, 1, N */
    fal_type type;                  /* of inputs; FAL_FLOATS */
    const void *inputs;             /* [count][height][width][channels] */
    const int32_t *labels;          /* [count], 0 ≤ label < classes */
    size_t classes;
    const float *targets; /* [count][outputs] */
    size_t outputs;
    int borrow; /* 1: the arrays stay the caller's and outlive the data set and all
                 * trainers that saw it; 0: they are copied */
    const char *const *class_names; /* [classes], UTF-8, at most 4096 bytes each;
                                     * copied even if borrowed; NULL: unknown */
} fal_arrays;

#define FAL_ARRAYS                                                                 \
    {                                                                              \
        sizeof(fal_arrays), 0, 1, 1, 0, FAL_FLOATS, NULL, NULL, 0, NULL, 0, 0,     \
            NULL                                                                   \
    }
FAL_API void fal_arrays_init(fal_arrays *arrays, size_t size);
FAL_API fal_status fal_dataset_create(fal_dataset **dataset,
                                      const fal_arrays *arrays);

/* The data set as arrays; the pointers stay the data set's. `arrays->size` must be
 * set. */
FAL_API fal_status fal_dataset_describe(const fal_dataset *dataset,
                                        fal_arrays *arrays);

/* Splits off a share of the samples, above 0 and below 1, on which to make choices
 * that are not the test set's: *part has the first round(share * count) of a shuffle
 * by `seed`, *rest the others, both in the order of `dataset`. They are copies, also
 * of borrowed arrays. Errors: ARGUMENT (one of them would be empty), MEMORY. */
FAL_API fal_status fal_dataset_split(fal_dataset **rest, fal_dataset **part,
                                     const fal_dataset *dataset, double share,
                                     uint64_t seed);

/* The images of a data set in another size, each channel by itself: *resized is a copy
 * with images of height x width. Bilinear, and where an image shrinks the mean of the
 * pixels that fall together (antialiasing), as Pillow's Image.resize with BILINEAR does,
 * and torchvision's Resize of Pillow's images: rows first, then columns, rounded after
 * each, bytes to bytes and floats to float32. A model that is made for it, or
 * fitted to it, takes images of the former size wherever it is given data, and resizes
 * them itself. Errors: ARGUMENT (rows of numbers; a size that is none), MEMORY. */
FAL_API fal_status fal_dataset_resize(fal_dataset **resized,
                                      const fal_dataset *dataset, size_t height,
                                      size_t width);

/* Labels that are wrong by chance: with `probability`, 0 to 1, each is redrawn, all
 * classes alike (the right one among them), so that a share of probability * (1 -
 * 1/classes) changes. *noisy has labels of its own and the inputs of `dataset`, which it
 * may not outlive. A function of seed, split and a sample's place. Errors: ARGUMENT
 * (real targets; no probability), MEMORY. */
FAL_API fal_status fal_dataset_label_noise(fal_dataset **noisy,
                                           const fal_dataset *dataset,
                                           double probability, uint64_t seed,
                                           fal_split split);
FAL_API void fal_dataset_destroy(fal_dataset *dataset);

/* ---- models -------------------------------------------------------------- */

/* A network on a device: weights, biases and the standardisation of its input. */
typedef struct fal_model fal_model;

typedef struct fal_model_options {
    size_t size;
    uint64_t seed;          /* of weights and biases */
    const char *weight_law; /* NULL: "fan-in", U(±1/√fan_in), biases too; "xavier",
                             * "xavier-normal", "normal:SD", "uniform:BOUND",
                             * "zero": biases 0 */
    const fal_dataset *data; /* gives the input's shape and the number of outputs
                              * where the text leaves them out */
    const char *activation;  /* of presets; NULL: "relu" */
    int no_bias;             /* presets without biases */
    const char *norm;        /* of presets: "batch" or "layer" before each hidden
                              * activation, "none"; NULL: "batch" of the resnets,
                              * "none" of the others */
} fal_model_options;

#define FAL_MODEL_OPTIONS                                                          \
    {                                                                              \
        sizeof(fal_model_options), 1, NULL, NULL, NULL, 0, NULL                    \
    }
FAL_API void fal_model_options_init(fal_model_options *options, size_t size);

/* Makes a network from its text: items by commas, each `[name=]kind arguments`:
 *   input HxWxC | N     (may be left out when options.data is given)
 *   dense N [nobias] [rule=NAME]
 *   conv N K [stride S] [pad P] [nobias] [rule=NAME]     N channels from kernels of
 *                            KxK on a map [H][W][C]; (H + 2P - K)/S + 1 rows, rounded
 *                            down; S 1, P (K - 1)/2
 *   norm [layer] [plain]     each channel over the batch (momentum .1, epsilon 1e-5),
 *                            or each sample; plain: without gain and bias
 *   relu | leaky [.01] | tanh | sigmoid | linear
 *   scale S                  every value times S, any number but 0
 *   pool max | average K [stride S]     windows of KxK, every S (K) pixels
 *   pool global              the mean of each channel
 *   flatten                  a map as a row of numbers, which dense reads anyway
 *   dropout P                0 <= P < 1: while training each value is 0 by that chance,
 *                            or 1/(1 - P) times as large
 *   block(ITEMS; shortcut=identity | zeropad | projection [rule=NAME])     what the items
 *                            make of the block's input plus that input: itself; every
 *                            S-th row and column, with zeros for the channels that it
 *                            lacks, half of them before (He et al. 2016, option A); or
 *                            a convolution of 1x1 pixels of it (without a bias if the
 *                            items have none) and a norm if the items end in one
 * or a preset: mlp-LxW, which is L times (dense W, [norm,] activation), then dense
 * classes; lenet, vgg-small, cnn4, resnet18, resnet20, resnet56 (docs/network.md).
 * Layers without a name are dense1, dense2, …, relu1, …; those of a block have its name
 * before their own: block1.conv1, and block1.downsample.0 of a projection. The last
 * layer with weights is the output, and dense; behind it there may be a scale: its delta
 * is then S times the derivative by the network's outputs. A layer with rule=NAME learns
 * by that rule, whatever the trainer's: see below. Errors: ARGUMENT (names the item or
 * the layer, and the shapes), DEVICE_MEMORY (names the bytes). */
FAL_API fal_status fal_model_create(fal_model **model, fal_device *device,
                                    const char *network,
                                    const fal_model_options *options);

/* Reads a model written by fal_model_save (network, weights, standardisation), or a
 * run folder that holds a model.safetensors. The file does not say the weight law:
 * feedback of the law "weights" is then drawn as "fan-in". Errors: FILE, MEMORY,
 * FORMAT (not a whole file of that kind; a tensor that the network needs is missing,
 * has another type or shape, or a number that is not finite: names it),
 * DEVICE_MEMORY. */
FAL_API fal_status fal_model_load(fal_model **model, fal_device *device,
                                  const char *path);

/* Writes weights in PyTorch's order and names to a safetensors file, beside and
 * then renamed: the old file is whole until the new one is. */
FAL_API fal_status fal_model_save(fal_model *model, const char *path);
FAL_API void fal_model_destroy(fal_model *model);

/* The network's text, complete: input, every layer with its name. */
FAL_API const char *fal_model_network(const fal_model *model);

/* What goes in and what comes out. */
typedef struct fal_model_info {
    size_t size;
    size_t height, width, channels; /* of one input sample, before it is resized
                                     * where the model does that */
    size_t outputs;                 /* numbers that fal_model_predict gives */
    int real_targets; /* 1: learned real targets; 0: the outputs are classes */
} fal_model_info;

/* `info->size` must be set. */
FAL_API fal_status fal_model_describe(const fal_model *model, fal_model_info *info);

/* The name of a class, as of the data set that the model was made for or last
 * fitted to; saved with the model. NULL where it is unknown. */
FAL_API const char *fal_model_class_name(const fal_model *model, size_t index);

/* Mean and population deviation of the data, by "channel", "global" or "none" (0
 * and 1); inputs are then used as (v − mean)/deviation. fal_trainer_fit does this
 * for a model that has none. A deviation of 0 counts as 1. */
FAL_API fal_status fal_model_standardize(fal_model *model, const fal_dataset *data,
                                         const char *how);

/* outputs[count][outputs of the network] for raw inputs [count][height][width]
 * [channels]: the output layer's a_L, scaled where a scale follows it, before any
 * softmax. */
FAL_API fal_status fal_model_predict(fal_model *model, const void *inputs,
                                     fal_type type, size_t count, float *outputs);

typedef struct fal_evaluation {
    size_t size;
    size_t samples;
    double loss;     /* mean over the samples */
    double accuracy; /* correct/samples; 0 with real targets */
    size_t correct;
} fal_evaluation;

/* Loss ("cross-entropy", NULL the same, or "mse") and accuracy on a data set.
 * `result->size` must be set. */
FAL_API fal_status fal_model_evaluate(fal_model *model, const fal_dataset *data,
                                      const char *loss, fal_evaluation *result);

/* Tensors by name, in PyTorch's order: "dense1.weight" [out][in], "dense1.bias"
 * [out]; "conv1.weight" [out][in][K][K]; "norm1.weight" (the gain), "norm1.bias",
 * "norm1.running_mean" and "norm1.running_var" [channels]. `count` is the number of
 * floats and must be the tensor's. */
FAL_API size_t fal_model_tensor_count(const fal_model *model);
FAL_API const char *fal_model_tensor_name(const fal_model *model, size_t index);

/* shape[0 … *dimensions − 1]; at most 4 dimensions. */
FAL_API fal_status fal_model_tensor_shape(const fal_model *model, const char *name,
                                          size_t shape[4], size_t *dimensions);
FAL_API fal_status fal_model_tensor(fal_model *model, const char *name,
                                    float *values, size_t count);
FAL_API fal_status fal_model_tensor_set(fal_model *model, const char *name,
                                        const float *values, size_t count);

/* ---- training ------------------------------------------------------------ */

/* A learning rule, an optimizer and a place in the data; works on a model's
 * weights. Random feedback belongs to the trainer. */
typedef struct fal_trainer fal_trainer;

/* The learning rules, by name:
 *
 *   bp       backpropagation: W_{l+1}^T carries delta_{l+1} down
 *   fa       feedback alignment: a fixed random B_{l+1} in W_{l+1}'s shape stands
 *            in for W_{l+1}; delta_l = (delta_{l+1} B_{l+1}^T) ∘ phi'(a_l)
 *   dfa      direct feedback alignment: delta_l = (e B_l) ∘ phi'(a_l) with a fixed
 *            random B_l [outputs][units of l]; the signal enters after the
 *            nonlinearity of layer l, phi' below it is exact. The units of a
 *            convolution are those of its map; options.dfa_conv says how B_l reaches
 *            them. The signal enters before a pool behind it
 *   drtp     direct random target projection: delta_l = −1/n (t B_l) ∘ phi'(a_l), t
 *            the one-hot or real targets, B_l as dfa's: e with the outputs left out,
 *            and with what the loss divides by. Only where tanh or sigmoid bounds
 *            every hidden unit, for this pull never ends
 *   usf      signs: (s sign W_{l+1})^T carries the error down, sign(0) = 0, s the
 *            standard deviation of the feedback law
 *   brsf     signs with random magnitudes: (|R_t| ∘ sign W_{l+1})^T, R_t in W's
 *            shape, drawn anew for each step, a function of the feedback seed and
 *            the steps done before
 *   frsf     the same with one R that stays
 *   kp       Kolen and Pollack: fa with a B that learns. B_l takes the same step as W_l,
 *            whatever the optimizer makes of the gradient, and the same weight decay,
 *            which is decoupled under every optimizer: their difference only shrinks,
 *            by 1 - rate * weight_decay a step. A fit says in the log where that adds
 *            up to little
 *   wm       the weight mirror: fa with a B that learns between the steps. In a mirror
 *            step each layer from the second on is shown noise xi [batch][in], drawn
 *            from the noise seed; y = phi(xi W_l), without bias and norm, in the output
 *            layer xi W_l; of both their means over the rows are taken off, and
 *            B_l <- (1 - mirror_decay) B_l + (mirror_rate/batch) xi^T y.
 *            fal_trainer_fit makes samples/batch of them (rounded down) before the first
 *            step of the trainer's life, and every step, fal_trainer_step's too, ends in
 *            one; single steps begin without any but those of fal_trainer_mirror
 *   shallow  only the output layer learns; running statistics move all the same
 *
 * The output layer learns by its exact gradient under every rule. A norm between a
 * layer and its nonlinearity is passed exactly, through the statistics, and its gain
 * and bias learn by what passes; delta_l is dL/da_l below the norm. Pools and dropout
 * are passed exactly too. Under dfa and drtp nothing passes a norm that stands first in
 * a block, or behind a pool, where the signal of the layer below has entered before it:
 * W_{l+1} hands none down to it, its gain and bias stay as they are, and its running
 * statistics move all the same.
 *
 * What stands in for the weights of a convolution has their shape, and is used in the
 * transposed convolution as they are. wm shows it noise xi [batch][height][width][in]
 * in the shape of its input; means are per channel, over all positions of y, and
 * mirror_rate is divided by their number; xi^T y is the gradient of the weights.
 *
 * In residual blocks a rule from layer to layer sends its error down both ways: through
 * the body by what carries it there, down the shortcut as it is, by the exact transpose
 * of an identity or of zeropad's; a projection is a layer like any other, with its own
 * B. Under dfa and drtp a block's output has its own direct signal and nothing comes
 * down the shortcut of a later block. It enters behind the nonlinearity after the join,
 * and goes on exactly to the two layers that meet there, the body's last and the
 * projection, who share it: the projection has no B.
 *
 * Layers may have rules of their own (`rule=` in the network's text); the trainer's
 * holds for the others. The rule of layer l says where delta_l comes from: from the
 * layer above, straight from the output or target (dfa, drtp), from nowhere (shallow);
 * and it says by what layer l hands its own delta down to a layer below that takes it
 * from there: the B_l of fa, kp or wm, signs of W_l, or W_l itself under bp, and under
 * dfa and drtp, which have nothing in W_l's shape. `dense 512 rule=fa` as second layer:
 * B_2 carries the error into layer 1. So layers with dfa over layers without make
 * blocks, with backpropagation within and a direct signal at the top of each; kp's decay
 * is that of its own layers. The output layer's delta is exact whatever its rule; a
 * layer that hands nothing down has no B. Refused is a layer that takes its error from
 * one above that has the rule shallow. */
FAL_API size_t fal_rule_count(void);
FAL_API const char *fal_rule_name(size_t index);

typedef struct fal_trainer_options {
    size_t size;
    const char *rule;      /* NULL: "bp"; of layers without one of their own */
    const char *optimizer; /* "sgd", "adam" (NULL), "adamw": PyTorch's formulas;
                            * "muon": see learning_rate_adamw */
    const char *loss;      /* "cross-entropy" (NULL): batch mean of −ln softmax;
                            * "mse": ½ · batch mean of Σ (y − t)² */
    const char *schedule;  /* "cosine" (NULL) to 0, "constant", or "step": times
                            * decay after each epoch of milestones */
    const char *feedback_law; /* as weight_law, or "weights" (the weight law; NULL
                               * layer to layer) or "units", U(±1/√units) (NULL for
                               * dfa and drtp); each name speaks of its kind of
                               * layers alone where a network has both */
    const char *standardize;  /* "channel" (NULL), "global", "none" */
    double learning_rate;     /* 0: sgd .01, adam and adamw .001, muon .02 */
    double momentum;          /* sgd, below 0: .9; muon's beta, below 0: .95 */
    int nesterov;             /* sgd; needs momentum */
    double weight_decay;      /* coupled for sgd and adam, decoupled for adamw and
                               * muon, and under kp for all; of all layers: see
                               * fal_trainer_weight_decay */
    size_t batch;             /* rows of a step; 128. The last partial batch of an
                               * epoch is kept */
    uint64_t steps;           /* the run ends after so many; 0: no limit */
    uint64_t log_steps;       /* FAL_LOG comes every so many steps; 100 */
    int no_shuffle;           /* 1: samples in file order */
    uint64_t feedback_seed, data_seed, noise_seed; /* 1 */
    int keep_gradients;     /* 1: fal_trainer_tensor can read gradients; else a step
                         * need not write them */
    uint64_t warmup;        /* step t of the first so many has (t + 1)/warmup of the
                             * rate; fewer than the run has steps; 0: none */
    const char *milestones; /* of "step", and needed by it: ascending, "30,60" */
    double decay;           /* of "step"; .1 */
    double clip; /* the gradients of a step are scaled down to this norm, taken over
                  * all that learns, by min(1, clip/(norm + 1e-6)); 0: they are not */

    /* Muon moves the weight matrix G of every layer but the first convolution and the
     * output layer by -rate * sqrt(max(1, out/in)) * X, X the momentum u,
     * orthogonalized by five Newton-Schulz steps: m <- beta m + (1 - beta) G, u =
     * (1 - beta) G + beta m. Of a convolution G is [out][in * kernel * kernel]. What is
     * left, biases and gains too, is adamw's, betas (.9, .95), epsilon 1e-10, with this
     * rate, on the same schedule. 0: .0003; of muon alone */
    double learning_rate_adamw;

    /* fal_trainer_fit hands metrics to fal_trainer_on_metric's callback before steps
     * 0, N, 2N, …, on the batch that the step then takes; and once more after its
     * last, on the batch that another step would take. No bit of training changes. */
    uint64_t measure_steps; /* N; 0: not by steps */
    int measure_epochs;     /* 1: before the first step of each epoch */
    const char *feedback; /* random feedback: "stored" (NULL), or "regenerated" from
                           * its seed whenever it is read: the same numbers and no
                           * memory, uniform laws only; not of kp and wm */
    const char *loss_reduction; /* over a batch: "mean" (NULL), or "sum", whose
                                 * gradients are rows times as large. Losses that are
                                 * reported are means over samples either way */
    const char *weight_decay_schedule; /* over the steps of the trainer's life:
                                        * "constant" (NULL); "cut": none from step
                                        * weight_decay_steps on; "linear": it falls
                                        * to 0 at that step */
    uint64_t weight_decay_steps;       /* of cut and linear, which need it */

    double mirror_rate, mirror_decay; /* of wm alone: above 0, the decay at most 1;
                                       * 0: .01 */

    /* What dfa and drtp bring to convolutions: "map" (NULL), B [outputs][units], to each
     * unit of the map what is its own; "channel", B [outputs][channels], the same to all
     * positions of a channel. Refused where no convolution learns by them. */
    const char *dfa_conv;

    /* What is done to the images of training batches, anew at each step: "crop:P" moves
     * them by up to P pixels each way, "flip" turns half of them left to right, and
     * "crop:4,flip" does both, in that order; NULL: nothing. Of row r of step t the
     * noise seed draws dy and dx from -P to P and whether it turns: pixel (y, x) comes
     * from (y + dy, x + dx); where that is outside it is black, 0 as the data set has
     * it, as PyTorch pads before it normalizes. fal_trainer_step augments its rows too,
     * and measuring augments as the step that would come next (but not
     * fal_trainer_measure_dataset); evaluation and prediction do not. Errors: rows of
     * numbers, which are no images; P not below height and width */
    const char *augment;
} fal_trainer_options;

#define FAL_TRAINER_OPTIONS                                                        \
    {                                                                              \
        sizeof(fal_trainer_options), NULL, NULL, NULL, NULL, NULL, NULL, 0, -1, 0, \
            0, 128, 0, 100, 0, 1, 1, 1, 0, 0, NULL, .1, 0, 0, 0, 0, NULL, NULL,    \
            NULL, 0, 0, 0, NULL, NULL                                              \
    }
FAL_API void fal_trainer_options_init(fal_trainer_options *options, size_t size);

FAL_API fal_status fal_trainer_create(fal_trainer **trainer, fal_model *model,
                                      const fal_trainer_options *options);
FAL_API void fal_trainer_destroy(fal_trainer *trainer);

typedef enum fal_event {
    FAL_STEP = 0,  /* after every step; no losses */
    FAL_LOG = 1,   /* every log_steps; train_* are means over those steps; and after
                    * measuring, train_* are NAN where no such steps end */
    FAL_EPOCH = 2, /* after an epoch, and after the last step of a run that ends
                    * within one; train_* are means over it */
    FAL_START = 3  /* once, before the first step */
} fal_event;

typedef struct fal_progress {
    size_t size;
    fal_event event;
    uint64_t step, steps; /* done over the trainer's life; at the end of this fit */
    uint64_t epoch, epochs;            /* completed; at the end of this fit */
    double train_loss, train_accuracy; /* of FAL_LOG and FAL_EPOCH */
    double test_loss, test_accuracy;   /* of FAL_EPOCH with a test set; else NAN.
                                        * Accuracies are NAN with real targets */
    double samples_per_second;         /* trained, evaluation not counted */
    double seconds;                    /* training so far in this fit */
    double validation_loss, validation_accuracy; /* as test_*, of the data of
                                                  * fal_trainer_validation */
    double measuring_seconds; /* measuring so far in this fit, not counted above */
} fal_progress;

/* A non-zero return stops the run after the step: FAL_STOPPED. */
typedef int (*fal_on_progress)(const fal_progress *progress, void *user);

/* Trains for `epochs` (0 with options.steps: no limit), evaluates `test` (may be
 * NULL) after each; losses and accuracies go to `on_progress` alone (may be NULL).
 * A second call goes on: epochs and steps count on, the optimizer
 * keeps its state, the schedule starts anew. Errors: ARGUMENT (data that does not
 * fit the network; a batch too small for a norm over it), DIVERGED (names step and
 * layer; the weights stay as before that step). */
FAL_API fal_status fal_trainer_fit(fal_trainer *trainer, const fal_dataset *train,
                                   const fal_dataset *test, uint64_t epochs,
                                   fal_on_progress on_progress, void *user);

/* A data set that the following fits evaluate after each epoch, beside the test set;
 * it outlives them. NULL: none. Errors: ARGUMENT (data that does not fit the
 * network). */
FAL_API fal_status fal_trainer_validation(fal_trainer *trainer,
                                          const fal_dataset *validation);

/* One step on a batch of the caller's: arrays->count rows, at most options.batch,
 * raw values, which the model standardises only if fal_model_standardize was called
 * before; they are copied and the caller's again when the call returns. *loss, if
 * asked for, is the batch mean before the step; without it the call does not wait
 * for the device. The rate is that of fal_trainer_learning_rate, if called; else
 * with the schedule "cosine" options.steps must be given, and a step past their end
 * is an error; so is the schedule "step", for single steps have no epochs. After an
 * error of the device (DEVICE) some layers may have made the step already. */
FAL_API fal_status fal_trainer_step(fal_trainer *trainer, const fal_arrays *arrays,
                                    double *loss);

/* Makes so many mirror steps of the rule wm now, for those who train step by step.
 * Weights stay. Errors: ARGUMENT (nothing learns by a mirror; a fit is running),
 * DIVERGED (a step before did), DEVICE. */
FAL_API fal_status fal_trainer_mirror(fal_trainer *trainer, uint64_t steps);

/* Sets the learning rate of the following steps; they no longer follow a schedule.
 * With muon the rate of what it leaves to adamw changes in proportion. */
FAL_API fal_status fal_trainer_learning_rate(fal_trainer *trainer, double rate);

/* Sets the weight decay of the following steps: of one layer by its name (weight, bias
 * and gain; a layer that does not learn does not decay), or of all (NULL). It counts as
 * options.weight_decay does, and its schedule goes on. A checkpoint keeps it. Updates
 * are put together anew: for decay that changes with each step there are schedules.
 * Errors: ARGUMENT (below 0; a layer without weights), MEMORY, DEVICE. */
FAL_API fal_status fal_trainer_weight_decay(fal_trainer *trainer, const char *layer,
                                            double decay);

/* Tensors of the trainer by name, as of the last step (gradients with
 * options.keep_gradients):
 *   "dense1.weight.gradient" [out][in], "dense1.bias.gradient" [out], not clipped,
 *   "dense1.delta" [rows of the last batch][units]; of networks with convolutions only
 *   with options.keep_gradients too, for their memory is used again within a step,
 *   "dense2.feedback": fa's, kp's and wm's B, brsf's and frsf's R [out][in]; dfa, drtp,
 *   hidden layers: B [outputs][units]. Of brsf the R of the next step.
 * and of hidden layers, as of the last measurement, [rows of its batch][units]:
 *   "dense1.carried": the error that the rule hands the layer, before phi'
 *   "dense1.reference_delta": the true delta_l
 * Of convolutions "conv1.weight.gradient" and B in W's shape are [out][in][kernel]
 * [kernel], and what has a number for each unit is [rows or outputs][channel][height]
 * [width]; B is [outputs][channel] with options.dfa_conv "channel".
 * Only stored feedback can be set. */
FAL_API fal_status fal_trainer_tensor_shape(const fal_trainer *trainer,
                                            const char *name, size_t shape[4],
                                            size_t *dimensions);
FAL_API fal_status fal_trainer_tensor(fal_trainer *trainer, const char *name,
                                      float *values, size_t count);
FAL_API fal_status fal_trainer_tensor_set(fal_trainer *trainer, const char *name,
                                          const float *values, size_t count);

/* Feedback of one's own for a layer: B, or frsf's R, [in][out] as W_l stands in
 * formulas, of a convolution [kernel][kernel][in][out], of direct rules [outputs][units];
 * `in` and units in the order height, width, channels.
 * Files and checkpoints take it as they take what was drawn. Errors: ARGUMENT (an
 * unknown layer, or one that has no feedback; a rule without stored feedback;
 * regenerated feedback; another count; a number that is not finite). */
FAL_API fal_status fal_trainer_set_feedback(fal_trainer *trainer, const char *layer,
                                            const float *values, size_t count);

/* ---- measuring ----------------------------------------------------------- */

/* What a rule does beside backpropagation, from the same weights and batch: delta_l
 * is the rule's, delta*_l the true one, both by the layer's own output (norm and phi'
 * are passed); C_l stands in for W_l on the way down. Values are computed in double
 * from arrays of float32, by layer with weights, 1 … L; L is the output layer, hidden
 * are 1 … L − 1; units of a convolution are those of its map. A rank lies between 1 and
 * the matrix's shorter side; built without LAPACK, falign leaves ranks out. Where
 * OpenBLAS is the LAPACK, call its openblas_set_num_threads(1) before: more threads
 * spin beside the device's, and ranks depend on their number in the last digits. The
 * library leaves that to you.
 *
 *   gradient_alignment  hidden: mean over samples of the cosine, with its sign, of
 *                       their rows of delta_l and delta*_l; samples with a row of
 *                       zeros are left out. total: a sample's rows of all hidden
 *                       layers as one vector (Refinetti et al. 2021)
 *   update_alignment    hidden: cosine of dW_l and dW*_l, which the two deltas make;
 *                       no biases. total: all of them as one vector
 *   weight_alignment    2 … L: cosine of W_l and C_l. C_l is W_l (bp), B_l (fa, kp, wm),
 *                       s sign W_l (usf), |R_l| ∘ sign W_l (frsf; brsf, of the next
 *                       step); dfa, drtp: B_{l-1}^T B_l, in the output layer
 *                       B_{L-1}^T. Of rules by layer: W_l or what stands in for it if
 *                       layer l − 1 takes its error from l; as under dfa if both
 *                       layers, or L − 1 below the output, have theirs directly and
 *                       are dense; else none. total: all of them as one vector
 *   effective_rank      all: exp(−Σ p ln p), p = s/Σs, s the singular values of
 *                       delta_l [batch][units] (Roy & Vetterli 2007). total: the mean
 *                       over the hidden layers that have a value
 *   effective_rank.carried     hidden: of the error that the rule hands the layer,
 *                       dL/dh_l or what stands in for it (dfa: e B_l, drtp:
 *                       −t B_l/n), before phi'
 *   effective_rank.update      all: of dW_l [in][units]; of a convolution
 *                              [kernel · kernel · in][channels]
 *   effective_rank.activation  all: of h_l [batch][units]; of the output layer a_L
 *   effective_rank.position    convolutions: of delta_l with a row for each position of
 *                              a map, [batch · height · width][channels]
 *   participation_ratio        (Σs²)²/Σs⁴, of the same
 *   stable_rank                Σs²/max s², of the same
 *   reference_norm      hidden: norm of delta*_l; a cosine against a vanished one
 *                       means nothing. total: of all hidden layers
 *   dead_units          hidden: share of the units whose output is 0 for every sample
 *                       of the batch; of a block's last layers the block's output.
 *                       total: of all hidden units
 *   left_out            hidden: samples that gradient_alignment left out. total:
 *                       those that its total did */
typedef struct fal_metric {
    size_t size;
    uint64_t step;     /* updates done */
    const char *name;  /* as above */
    const char *layer; /* its name, or "total"; both stay as long as the model */
    double value;      /* NAN where there is none: deltas of frozen layers, zeros */
} fal_metric;

/* A non-zero return stops what measures: FAL_STOPPED. */
typedef int (*fal_on_metric)(const fal_metric *metric, void *user);

/* Measures now, on a batch of the caller's of at most options.batch rows, raw values as
 * for fal_trainer_step: a call of `on_metric` (may be NULL) for each value, metrics in
 * the order above, each layer by layer with the total last. fal_trainer_tensor then
 * has what they were made from. Nothing that training reads changes. Errors: ARGUMENT
 * (arrays that do not fit the network; a batch too small for a norm over it), MEMORY,
 * DEVICE_MEMORY. */
FAL_API fal_status fal_trainer_measure(fal_trainer *trainer,
                                       const fal_arrays *batch,
                                       fal_on_metric on_metric, void *user);

/* The same over a data set, in its order and the trainer's batch size: cosines of
 * samples are means over all samples and left_out counts them; all else is the mean
 * over the full batches, or of the one batch if there is none. */
FAL_API fal_status fal_trainer_measure_dataset(fal_trainer *trainer,
                                               const fal_dataset *data,
                                               fal_on_metric on_metric, void *user);

/* Who gets what fal_trainer_fit measures, before the FAL_LOG event of the same step;
 * NULL: nobody, and it does not measure. */
FAL_API fal_status fal_trainer_on_metric(fal_trainer *trainer,
                                         fal_on_metric on_metric, void *user);

/* ---- a trainer's files and size ------------------------------------------ */

/* Weights and feedback in one safetensors file, as `fal_model_save`. */
FAL_API fal_status fal_trainer_save(fal_trainer *trainer, const char *path);

/* Feedback from a file that fal_trainer_save wrote; what the file lacks stays, and
 * brsf, which draws its own, takes none. Errors as fal_model_load, and ARGUMENT
 * (regenerated feedback); nothing has changed then. */
FAL_API fal_status fal_trainer_load_feedback(fal_trainer *trainer,
                                             const char *path);

/* A checkpoint is all that training needs to go on bit for bit: weights, running
 * statistics, feedback, what the optimizer keeps, every counter, and what it belongs
 * to. Taken in a callback of fal_trainer_fit it holds the place in the epoch too, else
 * that of a trainer between its steps. It is written beside and renamed, a safetensors
 * file with the names of fal_trainer_save's. Errors: DIVERGED (a loss is not finite;
 * the fit itself stops for that), FILE, MEMORY, DEVICE. */
FAL_API fal_status fal_trainer_checkpoint(fal_trainer *trainer, const char *path);

/* The same bytes into `bytes`, of which there are `size`; *needed (may be NULL) is how
 * many it takes, which a step may change a little. `bytes` NULL: only that. Errors: the
 * same, ARGUMENT (too few). */
FAL_API fal_status fal_trainer_checkpoint_bytes(fal_trainer *trainer, void *bytes,
                                                size_t size, size_t *needed);

/* Makes the trainer and its model what they were when a checkpoint was taken: a file,
 * or a run folder that holds a checkpoint.safetensors. The network and the trainer's
 * options must be the same. Where it was taken in a callback, the next
 * fal_trainer_fit, with the same data and epochs, goes on behind the step of that
 * callback: same order, sums and schedule; FAL_START first, then once more FAL_LOG and
 * FAL_EPOCH of that step if it had them. A fal_trainer_step in between gives that up.
 * Errors: ARGUMENT (another network, rule, seed, …: names what differs), FORMAT (not a
 * whole checkpoint of this format), FILE, MEMORY, DEVICE; nothing has changed then. */
FAL_API fal_status fal_trainer_resume(fal_trainer *trainer, const char *path);
FAL_API fal_status fal_trainer_resume_bytes(fal_trainer *trainer, const void *bytes,
                                            size_t size);

/* What a trainer takes: bytes on the device by use, and the launches of one step.
 */
typedef struct fal_footprint {
    size_t size;
    size_t parameters; /* floats, biases included */
    uint64_t parameter_bytes, gradient_bytes, optimizer_bytes, feedback_bytes;
    uint64_t activation_bytes;
    size_t launches;
    uint64_t
        feedback_bytes_saved; /* random feedback that is drawn where it is read */
} fal_footprint;
FAL_API fal_status fal_trainer_footprint(fal_trainer *trainer,
                                         fal_footprint *footprint);

#ifdef __cplusplus
}
#endif

#endif
