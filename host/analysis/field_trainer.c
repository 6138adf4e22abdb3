#include "analysis/field_trainer.h"
#include "device/memory.h"
#include "train/trainer.h"

/* ---- samples ------------------------------------------------------------- */

static double standardized(const fal_model *model, const fal_arrays *data, size_t i)
{
    const size_t channel = i % model->network.input.channels;
    const double v = data->type == FAL_BYTES
                         ? ((const unsigned char *)data->inputs)[i] / 255.0
                         : (double)((const float *)data->inputs)[i];
    return (v - model->mean[channel]) / model->deviation[channel];
}

static fal_status copy_samples(fal_trained_field *trained, const fal_model *model,
                               const fal_arrays *data)
{
    const size_t inputs = data->count * fal_shape_size(model->network.input);
    const size_t outputs = model->network.outputs;
    trained->inputs = fal_allocate(inputs, sizeof(double));
    trained->targets = fal_allocate(data->count * outputs, sizeof(double));
    if (!trained->inputs || !trained->targets)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < inputs; i++)
        trained->inputs[i] = standardized(model, data, i);
    for (size_t i = 0; i < data->count * outputs; i++)
        trained->targets[i] = data->targets ? (double)data->targets[i] : 0;
    for (size_t r = 0; r < data->count && !data->targets; r++)
        trained->targets[r * outputs + (size_t)data->labels[r]] = 1;
    return FAL_OK;
}

/* ---- carriers ------------------------------------------------------------ */

static fal_status read_view(const fal_model *model, fal_view view, size_t count,
                            double *values)
{
    float *floats = fal_allocate(count, sizeof *floats);
    if (!floats)
        return FAL_ERROR_MEMORY;
    fal_status status = fal_read(model->device, view.buffer,
                                 view.offset * sizeof *floats,
                                 count * sizeof *floats, floats);
    for (size_t i = 0; i < count && !status; i++)
        values[i] = (double)floats[i];
    fal_release(floats);
    return status;
}

/* Why the updates of a rule have no field in the weights; NULL: they have one. */
static const char *no_field(const fal_route *route)
{
    const fal_rule *rule = route->rule;
    if (rule->learning != FAL_LEARNS_NEVER)
        return "its feedback learns too, and the weights alone have no fixed "
               "points";
    if (rule->carrier == FAL_CARRIER_SIGN_REDRAWN)
        return "it draws its feedback anew for each step, and so has no fixed "
               "points";
    if (rule->path == FAL_PATH_TARGET)
        return "it pulls at the weights whatever the outputs are, and so has no "
               "fixed "
               "points";
    if (route->frozen || rule->carrier == FAL_CARRIER_NONE)
        return "its hidden layers do not learn";
    return NULL;
}

static fal_status check_rule(const fal_route *route)
{
    const char *why = no_field(route);
    if (!why)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "rule %s: %s; fixed points are analyzed of rules with feedback "
                    "that stays, such as fa, and of bp",
                    route->rule->name, why);
}

/* Signs of W are the same all around, so that such a carrier is constant there. */
static fal_status take_carrier(fal_trained_field *trained, fal_trainer *trainer,
                               unsigned number)
{
    const fal_model *model = trainer->model;
    const fal_layer *layer = fal_network_weight_layer(&model->network, number);
    const fal_rule *rule = trainer->routes[number - 1].rule;
    const int direct = fal_rule_is_direct(rule);
    const size_t rows = direct ? model->network.outputs : layer->inputs;
    fal_view view;
    double *values;
    if (rule->carrier == FAL_CARRIER_WEIGHTS ||
        !fal_trainer_has_law(trainer, number))
        return FAL_OK;
    fal_status status = direct ? fal_trainer_feedback(trainer, number, &view)
                               : fal_trainer_carrier(trainer, number, &view);
    if (!status)
        status = fal_field_carrier(&trained->field, number, direct, &values);
    return status ? status : read_view(model, view, rows * layer->outputs, values);
}

static fal_status take_carriers(fal_trained_field *trained, fal_trainer *trainer)
{
    const unsigned count = (unsigned)trainer->model->network.weights;
    fal_status status = FAL_OK;
    for (unsigned l = 1; l <= count && !status; l++)
        status = take_carrier(trained, trainer, l);
    return status;
}

/* ---- weights ------------------------------------------------------------- */

static fal_status read_slot(const fal_model *model, fal_slot slot, double *values)
{
    return read_view(model, fal_arena_view(&model->parameters, slot),
                     (size_t)slot.count, values);
}

fal_status fal_trained_field_weights(const fal_trained_field *trained,
                                     fal_model *model, double *theta)
{
    const unsigned count = (unsigned)model->network.weights;
    fal_status status = FAL_OK;
    for (unsigned l = 1; l <= count && !status; l++) {
        const fal_layer *layer = fal_network_weight_layer(&model->network, l);
        double *to = theta + fal_field_weights(&trained->field, l)->place;
        status = read_slot(model, layer->weight, to);
        if (!status && layer->has_bias)
            status = read_slot(model, layer->bias,
                               to + layer->inputs * layer->outputs);
    }
    return status;
}

static fal_status write_slot(fal_model *model, fal_slot slot, const double *values)
{
    float *floats = fal_allocate((size_t)slot.count, sizeof *floats);
    if (!floats)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < slot.count; i++)
        floats[i] = (float)values[i];
    fal_status status = fal_arena_write(&model->parameters, slot, floats);
    fal_release(floats);
    return status;
}

fal_status fal_trained_field_set_weights(const fal_trained_field *trained,
                                         fal_model *model, const double *theta)
{
    const unsigned count = (unsigned)model->network.weights;
    fal_status status = FAL_OK;
    for (unsigned l = 1; l <= count && !status; l++) {
        const fal_layer *layer = fal_network_weight_layer(&model->network, l);
        const double *from = theta + fal_field_weights(&trained->field, l)->place;
        status = write_slot(model, layer->weight, from);
        if (!status && layer->has_bias)
            status = write_slot(model, layer->bias,
                                from + layer->inputs * layer->outputs);
    }
    return status;
}

/* ---- all ----------------------------------------------------------------- */

static fal_status check(const fal_trainer *trainer, const fal_arrays *data,
                        size_t limit)
{
    const uint64_t parameters = fal_network_parameters(&trainer->model->network);
    fal_status status = fal_model_fits(trainer->model, data, (int)trainer->loss);
    for (size_t l = 0; l < trainer->model->network.weights && !status; l++)
        status = check_rule(&trainer->routes[l]);
    if (!status && parameters > limit)
        status = fal_fail(
            FAL_ERROR_ARGUMENT,
            "the model has %llu parameters; at most %zu are analyzed, for the time "
            "grows with their third power; give a smaller one",
            (unsigned long long)parameters, limit);
    return status;
}

static fal_status fill(fal_trained_field *trained, fal_trainer *trainer,
                       const fal_arrays *data)
{
    fal_model *model = trainer->model;
    fal_status status = copy_samples(trained, model, data);
    if (status)
        return status;
    const fal_field_data samples = {data->count, trained->inputs, trained->targets,
                                    trainer->loss, trainer->sums_loss};
    status = fal_field_make(&trained->field, &model->network, &samples);
    if (status)
        return status;
    trained->theta = fal_allocate(trained->field.parameters, sizeof(double));
    status = trained->theta ? take_carriers(trained, trainer) : FAL_ERROR_MEMORY;
    return status ? status
                  : fal_trained_field_weights(trained, model, trained->theta);
}

fal_status fal_trained_field_make(fal_trained_field *trained, fal_trainer *trainer,
                                  const fal_dataset *data, size_t limit)
{
    fal_arrays arrays = FAL_ARRAYS;
    void *own = NULL;
    *trained = (fal_trained_field){0};
    fal_status status = fal_dataset_describe(data, &arrays);
    if (!status)
        status = check(trainer, &arrays, limit);
    if (!status)
        status = fal_model_resize(trainer->model, &arrays, &own);
    if (!status)
        status = fill(trained, trainer, &arrays);
    fal_release(own);
    if (status)
        fal_trained_field_release(trained);
    return status;
}

void fal_trained_field_release(fal_trained_field *trained)
{
    fal_field_release(&trained->field);
    fal_release(trained->theta);
    fal_release(trained->inputs);
    fal_release(trained->targets);
    *trained = (fal_trained_field){0};
}
