#include "cli/dry_run.h"
#include "cli/output.h"
#include "net/layer.h"
#include "train/model.h"

#include <stdio.h>

/* ---- text ---------------------------------------------------------------- */

static uint64_t layer_parameters(const fal_layer *layer)
{
    uint64_t count = layer->has_weight ? layer->inputs * layer->outputs : 0;
    return count + (layer->has_bias ? layer->outputs : 0);
}

/* Weights in PyTorch's order, as files have them. */
static void print_layer(const fal_layer *layer)
{
    char out[FAL_SHAPE_TEXT], weight[64] = "";
    fal_shape_print(out, layer->out);
    if (layer->number)
        snprintf(weight, sizeof weight, "[%zu, %zu]", layer->outputs,
                 layer->inputs);
    else if (layer->has_weight)
        snprintf(weight, sizeof weight, "[%zu]", layer->outputs);
    cli_print("%-12s %-10s %-12s %-16s %12llu\n", layer->name, layer->kind->name,
              out, weight, (unsigned long long)layer_parameters(layer));
}

static void print_bytes(const char *what, uint64_t bytes)
{
    cli_print("%-12s %16llu bytes\n", what, (unsigned long long)bytes);
}

static void print_text(const cli_job *job, const fal_footprint *f)
{
    const fal_network *network = &job->model->network;
    char input[FAL_SHAPE_TEXT];
    fal_shape_print(input, network->input);
    cli_print("%-12s %-10s %-12s %-16s %12s\n", "layer", "kind", "output", "weight",
              "parameters");
    cli_print("%-12s %-10s %s\n", "input", "", input);
    for (size_t i = 0; i < network->count; i++)
        print_layer(&network->layers[i]);
    cli_print("%-12s %-10s %-12s %-16s %12zu\n\n", "total", "", "", "",
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
    fal_shape_print(out, layer->out);
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
