/* Feedback: which layers have a B, of which shape and law, and its random values.
 */
#include "data/random.h"
#include "device/memory.h"
#include "train/model_file.h"
#include "train/trainer.h"

#include <stdio.h>

static int is_direct(const fal_route *route)
{
    return route->rule->path == FAL_PATH_DIRECT;
}

/* B of layer l: in W_l's shape where l hands the error down (l ≥ 2),
 * [outputs][units] where l receives it from the output (l < L). */
static int has_feedback(const fal_trainer *trainer, unsigned number)
{
    const fal_route *route = &trainer->routes[number - 1];
    if (route->rule->carrier != FAL_CARRIER_FEEDBACK)
        return 0;
    return is_direct(route) ? number < trainer->model->network.weights : number > 1;
}

static fal_status resolve_law(const fal_trainer *trainer, const fal_layer *layer,
                              int direct, fal_random *random)
{
    fal_law law = trainer->feedback_law;
    size_t outputs = trainer->model->network.outputs;
    if (!trainer->has_feedback_law)
        law.kind = direct ? FAL_LAW_UNITS : FAL_LAW_WEIGHTS;
    if (direct ? law.kind == FAL_LAW_WEIGHTS : law.kind == FAL_LAW_UNITS)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "feedback law '%s' is not for %s rules; use '%s' or a law of its own "
            "such as xavier",
            direct ? "weights" : "units", direct ? "direct" : "layer-to-layer",
            direct ? "units" : "weights");
    if (law.kind == FAL_LAW_WEIGHTS)
        law = trainer->model->weight_law;
    *random = direct ? fal_law_resolve(law, outputs, layer->outputs, layer->outputs)
                     : fal_law_resolve(law, layer->inputs, layer->outputs,
                                       layer->outputs);
    random->seed = trainer->options.feedback_seed;
    random->purpose = FAL_PURPOSE_FEEDBACK;
    random->layer = layer->number;
    random->channels = (uint32_t)layer->in.channels;
    return FAL_OK;
}

static fal_status place(fal_trainer *trainer, const fal_layer *layer)
{
    int direct = is_direct(&trainer->routes[layer->number - 1]);
    size_t outputs = trainer->model->network.outputs;
    fal_slot *slot = &trainer->feedback_slots[layer->number - 1];
    fal_tensor tensor = {.arena = &trainer->feedback, .dimensions = 2};
    tensor.shape[0] = direct ? outputs : layer->outputs;
    tensor.shape[1] = direct ? layer->outputs : layer->inputs;
    tensor.turned = !direct;
    tensor.channels = layer->in.channels;
    fal_status status = fal_arena_place(
        &trainer->feedback, (uint64_t)tensor.shape[0] * tensor.shape[1], slot);
    tensor.slot = *slot;
    return status ? status
                  : fal_tensor_add(&trainer->feedback_tensors, tensor, layer->name,
                                   "feedback");
}

static fal_status draw(fal_trainer *trainer, const fal_layer *layer)
{
    fal_route *route = &trainer->routes[layer->number - 1];
    int direct = is_direct(route);
    fal_random random;
    fal_status status = resolve_law(trainer, layer, direct, &random);
    if (status)
        return status;
    route->feedback = fal_arena_view(&trainer->feedback,
                                     trainer->feedback_slots[layer->number - 1]);
    size_t rows = direct ? trainer->model->network.outputs : layer->inputs;
    return fal_random_fill(trainer->model->device, &random, route->feedback, rows,
                           layer->outputs, !direct);
}

fal_status fal_trainer_make_routes(fal_trainer *trainer, const fal_rule *rule)
{
    const fal_network *network = &trainer->model->network;
    unsigned count = (unsigned)network->weights;
    trainer->routes = fal_allocate(count, sizeof *trainer->routes);
    trainer->feedback_slots = fal_allocate(count, sizeof *trainer->feedback_slots);
    if (!trainer->routes || !trainer->feedback_slots)
        return FAL_ERROR_MEMORY;
    for (unsigned i = 0; i < count; i++)
        trainer->routes[i].rule = rule;
    fal_routes_freeze(trainer->routes, count);
    fal_arena_begin(&trainer->feedback, trainer->model->device, "feedback");
    fal_status status = FAL_OK;
    for (unsigned l = 1; l <= count && !status; l++)
        if (has_feedback(trainer, l))
            status = place(trainer, fal_network_weight_layer(network, l));
    if (!status)
        status = fal_arena_make(&trainer->feedback);
    for (unsigned l = 1; l <= count && !status; l++)
        if (has_feedback(trainer, l))
            status = draw(trainer, fal_network_weight_layer(network, l));
    return status;
}

fal_status fal_trainer_save(fal_trainer *trainer, const char *path)
{
    if (!trainer || !path)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_save: needs a trainer and a path");
    const fal_tensor_list *const lists[] = {&trainer->model->tensors,
                                            &trainer->feedback_tensors};
    return fal_model_write(trainer->model, path, lists, 2);
}

fal_status fal_trainer_load_feedback(fal_trainer *trainer, const char *path)
{
    if (!trainer || !path)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_load_feedback: needs a trainer and a path");
    fal_safetensors *file = NULL;
    char *name = NULL;
    fal_status status = fal_model_path(path, "start.safetensors", &name);
    if (!status)
        status = fal_safetensors_open(&file, name);
    if (!status)
        status = fal_tensor_list_load(&trainer->feedback_tensors, file, 0);
    fal_safetensors_close(file);
    fal_release(name);
    return status;
}
