#include "net/epilogue.h"

static fal_view tensor(const fal_workspace *workspace, size_t number)
{
    return fal_arena_view(&workspace->arena, number ? workspace->outputs[number - 1]
                                                    : workspace->inputs);
}

fal_epilogue fal_plan_epilogue(const fal_plan_build *build, size_t index)
{
    const fal_network *network = build->network;
    fal_epilogue epilogue = {.activation = {FAL_LINEAR, 0}};
    size_t next = index + 1;
    if (next < network->count && network->layers[next].is_join &&
        network->layers[next].fused)
        epilogue.beside = tensor(build->workspace, network->layers[next++].beside);
    if (next < network->count && network->layers[next].is_activation &&
        network->layers[next].fused)
        epilogue.activation = network->layers[next].activation;
    return epilogue;
}
