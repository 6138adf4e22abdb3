#include "cli/dry_run.h"
#include "cli/output.h"
#include "net/layer.h"
#include "train/trainer.h"

#include <stdio.h>
#include <string.h>

/* ---- text ---------------------------------------------------------------- */

static uint64_t layer_parameters(const fal_layer *layer)
{
    uint64_t count = layer->has_weight ? layer->inputs * layer->outputs : 0;
    return count + (layer->has_bias ? layer->outputs : 0);
}

/* A map that was flattened is a row, wherever it lies. */
static void print_shape(char text[FAL_SHAPE_TEXT], const fal_layer *layer)
{
    const fal_shape row = {1, 1, fal_layer_units(layer)};
    fal_shape_print(text, layer->is_row ? row : layer->out);
}

/* Its shape in PyTorch's order, as files have it. */
static void print_weight(char *text, size_t size, const fal_model *model,
                         const fal_layer *layer)
{
    char name[FAL_NAME_LIMIT + 16];
    const fal_tensor *tensor = NULL;
    *text = 0;
    snprintf(name, sizeof name, "%s.weight", layer->name);
    if (!layer->has_weight || fal_tensor_find(&model->tensors, name, &tensor))
        return;
    size_t used = 0;
    for (size_t i = 0; i < tensor->dimensions && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? ", " : "[",
                                 tensor->shape[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

/* Of the column of names. */
static int name_width(const fal_network *network)
{
    size_t width = 12;
    for (size_t i = 0; i < network->count; i++)
        if (strlen(network->layers[i].name) > width)
            width = strlen(network->layers[i].name);
    return (int)width;
}

static void print_layer(const fal_model *model, const fal_layer *layer, int width)
{
    char out[FAL_SHAPE_TEXT], weight[96];
    print_shape(out, layer);
    print_weight(weight, sizeof weight, model, layer);
    cli_print("%-*s %-8s %-12s %-18s %12llu\n", width, layer->name,
              layer->kind->name, out, weight,
              (unsigned long long)layer_parameters(layer));
}

static void print_bytes(const char *what, uint64_t bytes)
{
    cli_print("%-12s %16llu bytes\n", what, (unsigned long long)bytes);
}

/* ---- convolutions -------------------------------------------------------- */

enum { PASSES = 3 };
static const char *const pass_names[PASSES] = {"forward", "data", "weight"};

/* The forms that a convolution's passes take in a step; NULL: it does not make it. */
static void find_forms(const cli_job *job, const fal_layer *layer,
                       const char *forms[PASSES])
{
    const fal_trainer *t = job->trainer;
    const fal_conv conv = fal_layer_conv(layer, t->options.batch);
    int learns = fal_trainer_learns(t, layer);
    const int made[PASSES] = {1, learns && fal_trainer_hands_down(t, layer->number),
                              learns};
    for (int p = 0; p < PASSES; p++)
        forms[p] = made[p]
                       ? fal_conv_form(t->model->device, &conv, (fal_conv_pass)p)
                       : NULL;
}

static void print_forms(const cli_job *job, int width)
{
    const fal_network *network = &job->model->network;
    const char *forms[PASSES];
    int any = 0;
    for (size_t i = 0; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        if (!layer->number || !layer->kernel)
            continue;
        if (!any++)
            cli_print("%-*s %-12s %-12s %s\n", width, "convolution", pass_names[0],
                      pass_names[1], pass_names[2]);
        find_forms(job, layer, forms);
        cli_print("%-*s %-12s %-12s %s\n", width, layer->name, forms[0],
                  forms[1] ? forms[1] : "-", forms[2] ? forms[2] : "-");
    }
    if (any)
        cli_print("\n");
}

static void print_text(const cli_job *job, const fal_footprint *f)
{
    const fal_network *network = &job->model->network;
    char input[FAL_SHAPE_TEXT];
    int width = name_width(network);
    fal_shape_print(input, network->input);
    cli_print("%-*s %-8s %-12s %-18s %12s\n", width, "layer", "kind", "output",
              "weight", "parameters");
    cli_print("%-*s %-8s %s\n", width, "input", "", input);
    for (size_t i = 0; i < network->count; i++)
        print_layer(job->model, &network->layers[i], width);
    cli_print("%-*s %-8s %-12s %-18s %12zu\n\n", width, "total", "", "", "",
              f->parameters);
    print_forms(job, width);
    print_bytes("parameters", f->parameter_bytes);
    print_bytes("gradients", f->gradient_bytes);
    print_bytes("optimizer", f->optimizer_bytes);
    print_bytes("feedback", f->feedback_bytes);
    if (f->feedback_bytes_saved > 0)
        print_bytes("  saved", f->feedback_bytes_saved);
    print_bytes("activations", f->activation_bytes);
    cli_print("%-12s %16zu a step\n", "launches", f->launches);
}

/* ---- JSON ---------------------------------------------------------------- */

static void add_forms(fal_json *json, const cli_job *job, const fal_layer *layer)
{
    const char *forms[PASSES];
    find_forms(job, layer, forms);
    fal_json_key(json, "forms");
    fal_json_begin_object(json);
    for (int p = 0; p < PASSES; p++)
        if (forms[p])
            cli_json_text(json, pass_names[p], forms[p]);
    fal_json_end_object(json);
}

static void add_layer(fal_json *json, const cli_job *job, const fal_layer *layer)
{
    char out[FAL_SHAPE_TEXT];
    print_shape(out, layer);
    fal_json_begin_object(json);
    cli_json_text(json, "name", layer->name);
    cli_json_text(json, "kind", layer->kind->name);
    cli_json_text(json, "output", out);
    cli_json_count(json, "parameters", layer_parameters(layer));
    if (layer->number && layer->kernel)
        add_forms(json, job, layer);
    fal_json_end_object(json);
}

static fal_status print_json(const cli_job *job, const fal_footprint *f)
{
    const fal_network *network = &job->model->network;
    fal_json json = FAL_JSON;
    fal_json_begin_object(&json);
    cli_json_text(&json, "network", network->text);
    fal_json_key(&json, "layers");
    fal_json_begin_array(&json);
    for (size_t i = 0; i < network->count; i++)
        add_layer(&json, job, &network->layers[i]);
    fal_json_end_array(&json);
    cli_json_count(&json, "parameters", f->parameters);
    cli_json_count(&json, "parameter_bytes", f->parameter_bytes);
    cli_json_count(&json, "gradient_bytes", f->gradient_bytes);
    cli_json_count(&json, "optimizer_bytes", f->optimizer_bytes);
    cli_json_count(&json, "feedback_bytes", f->feedback_bytes);
    cli_json_count(&json, "feedback_bytes_saved", f->feedback_bytes_saved);
    cli_json_count(&json, "activation_bytes", f->activation_bytes);
    cli_json_count(&json, "launches", f->launches);
    fal_json_end_object(&json);
    return cli_print_json(&json);
}

fal_status cli_dry_run_print(cli_job *job)
{
    fal_footprint footprint = {.size = sizeof footprint};
    fal_status status = cli_job_check(job);
    if (!status)
        status = fal_trainer_footprint(job->trainer, &footprint);
    if (status || cli_flag(&job->options, CLI_QUIET))
        return status;
    if (cli_flag(&job->options, CLI_JSON))
        return print_json(job, &footprint);
    print_text(job, &footprint);
    return FAL_OK;
}
