#include "net/epilogue.h"

fal_epilogue fal_plan_epilogue(const fal_plan_build *build, size_t index)
{
    const fal_network *network = build->network;
    fal_epilogue epilogue = {.activation = {FAL_LINEAR, 0}};
    size_t next = index + 1;
    if (next < network->count && network->layers[next].is_join &&
        network->layers[next].fused)
        epilogue.beside = fal_plan_tensor(build, network->layers[next++].beside);
    if (next < network->count && network->layers[next].is_activation &&
        network->layers[next].fused)
        epilogue.activation = network->layers[next].activation;
    return epilogue;
}
