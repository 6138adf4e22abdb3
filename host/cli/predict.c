/* falign predict: what a model makes of the samples in files, a line each, printed
 * as they are made. */
#include "cli/cell.h"
#include "cli/commands.h"
#include "cli/ground.h"
#include "cli/inputs.h"
#include "cli/output.h"
#include "cli/split.h"
#include "device/error.h"
#include "device/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PART = 4096, PART_NUMBERS = 1 << 20, NAME_WIDTH = 32 };

typedef struct prediction {
    size_t class;
    float output;
    double probability;
} prediction;

typedef struct predictor {
    const cli_options *options;
    fal_device *device;
    fal_model *model;
    fal_model_info info;
    size_t top;          /* predictions shown of a sample */
    size_t part;         /* samples predicted at a time */
    float *outputs;      /* [part][outputs] */
    prediction *classes; /* [outputs] */
    size_t name_width;   /* of class names in text */
} predictor;

/* Some samples of a file. */
struct part {
    const char *path;
    size_t first, count;
    size_t label_width; /* of "path[index]" in text */
};

/* ---- probabilities ------------------------------------------------------- */

/* The largest output first, NAN last, equal ones by class. */
static int compare_outputs(const void *one, const void *other)
{
    const prediction *a = one, *b = other;
    if (isnan(a->output) != isnan(b->output))
        return isnan(a->output) ? 1 : -1;
    if (a->output > b->output)
        return -1;
    if (a->output < b->output)
        return 1;
    return a->class < b->class ? -1 : 1;
}

/* Softmax of a sample's outputs, the most probable class first. */
static void rank_classes(predictor *p, const float *outputs)
{
    double sum = 0;
    for (size_t i = 0; i < p->info.outputs; i++)
        p->classes[i] = (prediction){.class = i, .output = outputs[i]};
    qsort(p->classes, p->info.outputs, sizeof *p->classes, compare_outputs);
    for (size_t i = 0; i < p->info.outputs; i++) {
        prediction *c = &p->classes[i];
        c->probability = exp((double)c->output - (double)p->classes[0].output);
        sum += c->probability;
    }
    for (size_t i = 0; i < p->top; i++)
        p->classes[i].probability /= sum;
}

/* ---- JSON ---------------------------------------------------------------- */

static void add_top(predictor *p, const float *outputs, fal_json *json)
{
    rank_classes(p, outputs);
    fal_json_key(json, "top");
    fal_json_begin_array(json);
    for (size_t i = 0; i < p->top; i++) {
        const prediction *c = &p->classes[i];
        fal_json_begin_object(json);
        cli_json_count(json, "class", c->class);
        cli_json_text(json, "name", fal_model_class_name(p->model, c->class));
        cli_json_number(json, "probability", c->probability);
        fal_json_end_object(json);
    }
    fal_json_end_array(json);
}

static void add_outputs(const predictor *p, const float *outputs, fal_json *json)
{
    fal_json_key(json, "outputs");
    fal_json_begin_array(json);
    for (size_t i = 0; i < p->info.outputs; i++)
        fal_json_number(json, (double)outputs[i]);
    fal_json_end_array(json);
}

static fal_status print_objects(predictor *p, const struct part *part)
{
    fal_json json = FAL_JSON;
    for (size_t i = 0; i < part->count; i++) {
        const float *outputs = p->outputs + i * p->info.outputs;
        fal_json_begin_object(&json);
        cli_json_text(&json, "input", part->path);
        cli_json_count(&json, "index", part->first + i);
        if (p->info.real_targets)
            add_outputs(p, outputs, &json);
        else
            add_top(p, outputs, &json);
        fal_json_end_object(&json);
        fal_json_newline(&json);
    }
    return cli_print_json(&json);
}

/* ---- text ---------------------------------------------------------------- */

static void write_top(predictor *p, const float *outputs, FILE *file)
{
    rank_classes(p, outputs);
    for (size_t i = 0; i < p->top; i++) {
        const prediction *c = &p->classes[i];
        const char *name = fal_model_class_name(p->model, c->class);
        fputs("  ", file);
        if (name)
            cli_cell_print(file, name, p->name_width);
        else
            fprintf(file, "%*zu", (int)p->name_width, c->class);
        fprintf(file, " %.4f", c->probability);
    }
}

static void write_line(predictor *p, const struct part *part, size_t i, FILE *file)
{
    const float *outputs = p->outputs + i * p->info.outputs;
    char index[32];
    int digits = snprintf(index, sizeof index, "[%zu]", part->first + i);
    cli_cell_print(file, part->path, 0);
    fputs(index, file);
    for (size_t used = cli_cell_width(part->path) + (size_t)digits;
         used < part->label_width; used++)
        fputc(' ', file);
    if (!p->info.real_targets)
        write_top(p, outputs, file);
    for (size_t o = 0; p->info.real_targets && o < p->info.outputs; o++)
        fprintf(file, "  %12.6g", (double)outputs[o]);
    fputc('\n', file);
}

static fal_status print_lines(predictor *p, const struct part *part)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    for (size_t i = 0; file && i < part->count; i++)
        write_line(p, part, i, file);
    int failed = !file || fclose(file) != 0;
    if (!failed)
        cli_print("%s", text);
    free(text);
    return failed ? fal_fail(FAL_ERROR_MEMORY, "predicting: no host memory")
                  : FAL_OK;
}

/* ---- files --------------------------------------------------------------- */

static fal_status print_part(predictor *p, const struct part *part)
{
    if (cli_flag(p->options, CLI_JSON))
        return print_objects(p, part);
    return cli_flag(p->options, CLI_QUIET) ? FAL_OK : print_lines(p, part);
}

static fal_status predict_inputs(predictor *p, const char *path,
                                 const cli_inputs *inputs)
{
    const char *values = inputs->values;
    size_t width = cli_cell_width(path) +
                   (size_t)snprintf(NULL, 0, "[%zu]", inputs->count - 1);
    fal_status status = FAL_OK;
    for (size_t i = 0; i < inputs->count && !status && !cli_broken();
         i += p->part) {
        size_t left = inputs->count - i;
        struct part part = {path, i, left < p->part ? left : p->part, width};
        if (cli_interrupted())
            return FAL_STOPPED;
        status = fal_model_predict(p->model, values + i * inputs->stride,
                                   inputs->type, part.count, p->outputs);
        if (!status)
            status = print_part(p, &part);
    }
    return status;
}

/* A file that will not do is no reason to leave the others. */
static fal_status predict_file(predictor *p, const char *path, int *bad)
{
    cli_inputs inputs;
    fal_status status = cli_inputs_read(&inputs, path, &p->info);
    if (status == FAL_ERROR_FILE || status == FAL_ERROR_FORMAT) {
        cli_complain();
        *bad = 1;
        return FAL_OK;
    }
    if (status)
        return status;
    status = predict_inputs(p, path, &inputs);
    fal_release(inputs.values);
    return status;
}

static fal_status predict_data(predictor *p)
{
    const char *name = cli_text(p->options, CLI_DATA);
    fal_dataset *data = NULL;
    cli_inputs inputs;
    fal_status status = cli_split_open(&data, p->options);
    if (!status)
        status = cli_inputs_take(&inputs, name, data, &p->info);
    if (!status)
        status = predict_inputs(p, name, &inputs);
    fal_dataset_destroy(data);
    return status;
}

/* ---- the model ----------------------------------------------------------- */

static size_t widest_name(const predictor *p)
{
    size_t widest = (size_t)snprintf(NULL, 0, "%zu", p->info.outputs - 1);
    for (size_t i = 0; i < p->info.outputs; i++) {
        const char *name = fal_model_class_name(p->model, i);
        size_t width = name ? cli_cell_width(name) : 0;
        widest = width > widest ? width : widest;
    }
    return widest < NAME_WIDTH ? widest : NAME_WIDTH;
}

static fal_status prepare(predictor *p)
{
    size_t outputs = p->info.outputs, top = (size_t)cli_whole(p->options, CLI_TOP);
    if (p->info.real_targets && cli_given(p->options, CLI_TOP))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "option --top: the model's outputs are real numbers, not "
                        "classes; leave it out");
    p->top = top < outputs ? top : outputs;
    p->part = PART_NUMBERS / outputs;
    p->part = p->part < 1 ? 1 : p->part > PART ? PART : p->part;
    p->name_width = widest_name(p);
    p->outputs = fal_allocate(p->part * outputs, sizeof *p->outputs);
    p->classes = p->outputs ? fal_allocate(outputs, sizeof *p->classes) : NULL;
    return p->classes ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_status open_model(predictor *p)
{
    fal_status status = cli_device_open(&p->device, p->options);
    if (!status)
        status = fal_model_load(&p->model, p->device, p->options->arguments[0]);
    if (!status)
        status = fal_model_describe(p->model, &p->info);
    return status ? status : prepare(p);
}

static fal_status check_arguments(const cli_options *options)
{
    if (options->argument_count == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "argument MODEL: missing; give a .safetensors file or a "
                        "run folder");
    if (options->argument_count == 1 && !cli_given(options, CLI_DATA))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "argument FILE: missing; give the samples, an IDX or .npy "
                        "file, or a data set with --data");
    if (!cli_given(options, CLI_DATA) &&
        (cli_given(options, CLI_SPLIT) || cli_given(options, CLI_SAMPLES)))
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "options --split and --samples: they choose among the samples "
            "of a data set; give one with --data, or leave them out");
    return FAL_OK;
}

int cli_predict(const cli_options *options)
{
    predictor p = {.options = options, .info.size = sizeof p.info};
    int bad = 0;
    fal_status status = check_arguments(options);
    if (!status)
        status = open_model(&p);
    for (size_t i = 1; i < options->argument_count && !status && !cli_broken(); i++)
        status = predict_file(&p, options->arguments[i], &bad);
    if (!status && cli_given(options, CLI_DATA) && !cli_broken())
        status = predict_data(&p);
    fal_release(p.outputs);
    fal_release(p.classes);
    fal_model_destroy(p.model);
    fal_device_destroy(p.device);
    int code = cli_end(status);
    return code == CLI_DONE && bad ? CLI_FAILED : code;
}
