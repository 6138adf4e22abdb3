#include "cli/dry_run.h"
#include "cli/output.h"
#include "net/layer.h"
#include "train/model.h"

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

static void add_layer(fal_json *json, const fal_layer *layer)
{
    char out[FAL_SHAPE_TEXT];
    print_shape(out, layer);
    fal_json_begin_object(json);
    cli_json_text(json, "name", layer->name);
    cli_json_text(json, "kind", layer->kind->name);
    cli_json_text(json, "output", out);
    cli_json_count(json, "parameters", layer_parameters(layer));
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
        add_layer(&json, &network->layers[i]);
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
