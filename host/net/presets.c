/* Presets: each is written as the text of its layers, which is then read like any
 * other. */
#include "net/presets.h"
#include "device/memory.h"
#include "net/layer.h"
#include "net/writer.h"

#include <stdio.h>
#include <string.h>

/* What a preset is filled with. */
struct filling {
    const char *norm;              /* "", "norm" or "norm layer" */
    const char *activation, *bias; /* bias: "" or " nobias" */
    fal_shape input;
    size_t outputs;
};

struct row {
    fal_preset preset;
    /* One of: layers, in which * stands for what follows a layer with weights and @ for
     * the output layer; or what writes them. */
    const char *layers;
    void (*write)(fal_writer *writer, const struct filling *filling);
};

/* ---- writing ------------------------------------------------------------- */

/* [norm,] activation; the norm with a name, or without one */
static void write_activation(fal_writer *writer, const struct filling *filling,
                             const char *name)
{
    if (*filling->norm)
        fal_writer_add(writer, ", %s%s%s", name, *name ? "=" : "", filling->norm);
    fal_writer_add(writer, ", %s", filling->activation);
}

static void write_output(fal_writer *writer, const struct filling *filling)
{
    fal_writer_add(writer, "dense %zu%s", filling->outputs, filling->bias);
}

static void write_layers(fal_writer *writer, const char *layers,
                         const struct filling *filling)
{
    while (*layers) {
        size_t plain = strcspn(layers, "*@");
        fal_writer_add(writer, "%.*s", (int)plain, layers);
        layers += plain;
        if (*layers == '@') {
            write_output(writer, filling);
            layers++;
        } else if (*layers == '*') {
            fal_writer_add(writer, "%s", filling->bias);
            write_activation(writer, filling, "");
            layers++;
        }
    }
}

/* ---- mlp-LxW ------------------------------------------------------------- */

static fal_status write_mlp(fal_writer *writer, const char *text,
                            const struct filling *filling)
{
    size_t depth = 0, width = 0;
    char copy[64];
    snprintf(copy, sizeof copy, "%s", text[3] == '-' ? text + 4 : "");
    char *by = strchr(copy, 'x');
    if (!by || strlen(text) >= sizeof copy)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "network '%.60s': the preset is mlp-LxW, for example "
                        "mlp-2x512",
                        text);
    *by++ = 0;
    fal_status status = fal_parse_size(copy, "number of layers", 1, &depth);
    if (!status)
        status = fal_parse_size(by, "width", 1, &width);
    if (!status && depth > 1000)
        status = fal_fail(FAL_ERROR_ARGUMENT, "%zu layers are more than 1000",
                          depth);
    if (status)
        return fal_fail_within(status, "network '%.60s'", text);
    for (size_t i = 0; i < depth; i++) {
        fal_writer_add(writer, "dense %zu", width);
        write_layers(writer, "*, ", filling);
    }
    write_output(writer, filling);
    return writer->status;
}

/* ---- lenet --------------------------------------------------------------- */

/* LeCun's for digits, which makes 32x32 of 28x28, and biotorch's for colours. */
static void write_lenet(fal_writer *writer, const struct filling *filling)
{
    int padded = filling->input.height == 28 && filling->input.width == 28;
    if (filling->input.channels == 3) {
        write_layers(writer,
                     "conv 32 3 pad 0*, pool max 2, conv 64 3 pad 0*, pool max 2, "
                     "conv 128 3 pad 0*, pool global, dense 256*, @",
                     filling);
        return;
    }
    fal_writer_add(writer, "conv 6 5 pad %d", padded ? 2 : 0);
    write_layers(writer,
                 "*, pool max 2, conv 16 5 pad 0*, pool max 2, conv 120 5 pad 0*, "
                 "dense 84*, @",
                 filling);
}

/* ---- residual networks --------------------------------------------------- */

/* The names are torchvision's, the convolutions without biases as there. */
static void write_block(fal_writer *writer, const struct filling *filling,
                        const char *name, size_t channels, size_t stride,
                        const char *shortcut)
{
    fal_writer_add(writer, ", %s=block(conv1=conv %zu 3 stride %zu nobias", name,
                   channels, stride);
    write_activation(writer, filling, "bn1");
    fal_writer_add(writer, ", conv2=conv %zu 3 nobias", channels);
    if (*filling->norm)
        fal_writer_add(writer, ", bn2=%s", filling->norm);
    fal_writer_add(writer, "; shortcut=%s), %s", shortcut, filling->activation);
}

/* Stages of so many blocks; from one to the next twice the channels, half the rows and
 * columns, and a shortcut that can. */
static void write_resnet(fal_writer *writer, const struct filling *filling,
                         size_t channels, size_t stages, size_t blocks,
                         const char *shortcut)
{
    char name[FAL_NAME_LIMIT];
    fal_writer_add(writer, "conv1=conv %zu 3 nobias", channels);
    write_activation(writer, filling, "bn1");
    for (size_t s = 0; s < stages; s++)
        for (size_t b = 0; b < blocks; b++) {
            int narrows = s > 0 && b == 0;
            snprintf(name, sizeof name, "layer%zu.%zu", s + 1, b);
            write_block(writer, filling, name, channels << s, narrows ? 2 : 1,
                        narrows ? shortcut : "identity");
        }
    fal_writer_add(writer, ", pool global, fc=");
    write_output(writer, filling);
}

static void write_resnet18(fal_writer *writer, const struct filling *filling)
{
    write_resnet(writer, filling, 64, 4, 2, "projection");
}

static void write_resnet20(fal_writer *writer, const struct filling *filling)
{
    write_resnet(writer, filling, 16, 3, 3, "zeropad");
}

static void write_resnet56(fal_writer *writer, const struct filling *filling)
{
    write_resnet(writer, filling, 16, 3, 9, "zeropad");
}

/* ---- the table ----------------------------------------------------------- */

static const struct row rows[] = {
    {{"mlp-LxW", "none",
      "L times (dense W, [norm,] activation), then dense with a unit for each "
      "class"},
     NULL,
     NULL},
    {{"lenet", "none",
      "5x5 convolutions of 6, 16 and 120 channels, max pools behind the first two, "
      "dense 84; on images of three channels 3x3 convolutions of 32, 64 and 128, "
      "the "
      "same pools, the mean of each channel, dense 256; then dense"},
     NULL,
     write_lenet},
    {{"vgg-small", "none",
      "3x3 convolutions of 64, 64, 128, 128 and 256 channels, max pools behind the "
      "second, the fourth and the last, dense"},
     "conv 64 3*, conv 64 3*, pool max 2, conv 128 3*, conv 128 3*, pool max 2, "
     "conv 256 3*, pool max 2, @",
     NULL},
    {{"cnn4", "none",
      "3x3 convolutions of 32, 64, 128 and 128 channels with max pools between "
      "them, "
      "the mean of each channel, dense"},
     "conv 32 3*, pool max 2, conv 64 3*, pool max 2, conv 128 3*, pool max 2, "
     "conv 128 3*, pool global, @",
     NULL},
    {{"resnet20", "batch",
      "3x3 convolution of 16 channels, three stages of 3 residual blocks of 16, 32 "
      "and "
      "64 channels, zero-padded shortcuts, the mean of each channel, dense"},
     NULL,
     write_resnet20},
    {{"resnet56", "batch", "the same with 9 blocks in each stage"},
     NULL,
     write_resnet56},
    {{"resnet18", "batch",
      "3x3 convolution of 64 channels, four stages of 2 residual blocks of 64 to "
      "512 "
      "channels, shortcuts by projection, the mean of each channel, dense; tensors "
      "have torchvision's names"},
     NULL,
     write_resnet18}};

enum { ROWS = sizeof rows / sizeof *rows };

const size_t fal_preset_count = ROWS;

const fal_preset *fal_preset_at(size_t index)
{
    return &rows[index].preset;
}

static int is_mlp(const char *text)
{
    return strncmp(text, "mlp", 3) == 0;
}

/* NULL: none has that name. */
static const struct row *find_row(const char *text)
{
    for (size_t i = 1; i < ROWS; i++)
        if (strcmp(rows[i].preset.name, text) == 0)
            return &rows[i];
    return is_mlp(text) ? &rows[0] : NULL;
}

/* One word that is no layer. */
int fal_network_is_preset(const char *text)
{
    if (!*text || text[strcspn(text, " \t\n,;=()")])
        return 0;
    for (size_t i = 0; i < fal_layer_kind_count; i++)
        if (strcmp(fal_layer_kinds[i]->name, text) == 0)
            return 0;
    return strcmp(text, "input") != 0 && strcmp(text, "block") != 0;
}

/* ---- filling ------------------------------------------------------------- */

static fal_status unknown_preset(const char *text)
{
    const char *known[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        known[i] = rows[i].preset.name;
    return fal_fail_within(fal_fail_unknown("preset", text, known, ROWS),
                           "network");
}

static fal_status find_norm(const char *name, const char **item)
{
    static const char *const known[] = {"none", "batch", "layer"};
    static const char *const items[] = {"", "norm", "norm layer"};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, known[i]) == 0) {
            *item = items[i];
            return FAL_OK;
        }
    return fal_fail_unknown("norm", name, known, 3);
}

static fal_status fill(struct filling *filling, const char *text,
                       const fal_network_defaults *defaults)
{
    const struct row *row = find_row(text);
    const char *own = row ? row->preset.norm : "none";
    *filling = (struct filling){
        .activation = defaults->activation ? defaults->activation : "relu",
        .bias = defaults->no_bias ? " nobias" : "",
        .input = defaults->input,
        .outputs = defaults->outputs};
    if (strlen(filling->activation) > 60)
        return fal_fail(FAL_ERROR_ARGUMENT, "activation '%.60s…' is unknown",
                        filling->activation);
    return find_norm(defaults->norm ? defaults->norm : own, &filling->norm);
}

static fal_status write_preset(fal_writer *writer, const char *text,
                               const struct filling *filling)
{
    const struct row *row = find_row(text);
    if (!row)
        return unknown_preset(text);
    fal_status status = FAL_OK;
    if (row == rows)
        status = write_mlp(writer, text, filling);
    else if (row->write)
        row->write(writer, filling);
    else
        write_layers(writer, row->layers, filling);
    if (!status && filling->outputs == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "network '%s': a preset takes the number of outputs from a "
                        "data set, and none is given",
                        text);
    return status ? status : writer->status;
}

fal_status fal_preset_expand(const char *text, const fal_network_defaults *defaults,
                             char **expanded)
{
    struct filling filling;
    fal_writer writer = {.text = NULL};
    fal_status status = fill(&filling, text, defaults);
    if (status)
        return status;
    if (fal_network_is_preset(text))
        status = write_preset(&writer, text, &filling);
    else
        fal_writer_add(&writer, "%s", text);
    if (!status)
        status = writer.status;
    if (status)
        fal_release(writer.text);
    else
        *expanded = writer.text;
    return status;
}
