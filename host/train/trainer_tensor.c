/* A trainer's tensors by name, and its feedback by layer. */
#include "device/memory.h"
#include "train/measurer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- by name ------------------------------------------------------------- */

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static int is_measured(const char *name)
{
    return ends_with(name, ".carried") || ends_with(name, ".reference_delta");
}

/* They have the rows of the batch that was measured. */
static fal_status find_measured(const fal_trainer *t, const char *name,
                                fal_tensor *tensor)
{
    const fal_measurer *m = t->measurer;
    const fal_tensor *found;
    if (!m || m->last_rows == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "tensor %s: nothing was measured yet; call "
                        "fal_trainer_measure, or fit with options.measure_steps",
                        name);
    fal_status status = fal_tensor_find(&m->tensors, name, &found);
    if (status)
        return status;
    *tensor = *found;
    tensor->shape[0] = m->last_rows;
    return FAL_OK;
}

/* The list that a name's ending says; deltas have the rows of the last batch. */
static fal_status find_tensor(const fal_trainer *t, const char *name,
                              fal_tensor *tensor)
{
    const fal_tensor *found;
    if (!t || !name)
        return fal_fail(FAL_ERROR_ARGUMENT, "tensors need a trainer and a name");
    if (is_measured(name))
        return find_measured(t, name, tensor);
    const fal_tensor_list *list = ends_with(name, ".gradient")
                                      ? &t->gradient_tensors
                                  : ends_with(name, ".delta")
                                      ? &t->delta_tensors
                                      : &t->feedback_tensors;
    if (list == &t->gradient_tensors && list->count == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "tensor %s: this trainer keeps no gradients; make it with "
                        "options.keep_gradients = 1",
                        name);
    if (list == &t->delta_tensors && !t->workspace.keeps)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "tensor %s: a trainer of convolutions keeps no deltas until "
            "the step ends; make it with options.keep_gradients = 1",
            name);
    if (list->count == 0 && ends_with(name, ".feedback"))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "tensor %s: the rule %s has no random feedback", name,
                        t->rule->name);
    fal_status status = fal_tensor_find(list, name, &found);
    if (status)
        return status;
    *tensor = *found;
    if (list == &t->delta_tensors)
        tensor->shape[0] = t->last_rows;
    if (list != &t->feedback_tensors && t->last_rows == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "tensor %s: there was no step yet",
                        name);
    return FAL_OK;
}

fal_status fal_trainer_tensor_shape(const fal_trainer *trainer, const char *name,
                                    size_t shape[4], size_t *dimensions)
{
    fal_tensor tensor;
    fal_status status = find_tensor(trainer, name, &tensor);
    if (!status)
        fal_tensor_shape(&tensor, shape, dimensions);
    return status;
}

fal_status fal_trainer_tensor(fal_trainer *trainer, const char *name, float *values,
                              size_t count)
{
    fal_tensor tensor;
    fal_status status = find_tensor(trainer, name, &tensor);
    if (status)
        return status;
    fal_trainer_redraw(trainer);
    return fal_tensor_read(&tensor, values, count);
}

static const fal_rule *rule_of(const fal_trainer *t, const fal_tensor *tensor)
{
    const fal_route *route = t->routes;
    while (&route->random != tensor->random)
        route++;
    return route->rule;
}

/* What is drawn whenever it is read cannot be set. */
static fal_status check_stored(const fal_trainer *t, const fal_tensor *tensor)
{
    if (!tensor->random)
        return FAL_OK;
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "tensor %s: it is drawn from its seed whenever it is read, so it "
        "cannot be set; %s",
        tensor->name,
        fal_rule_keeps_matrix(rule_of(t, tensor)) ? "train with --feedback stored"
                                                  : "that is the rule");
}

fal_status fal_trainer_tensor_set(fal_trainer *trainer, const char *name,
                                  const float *values, size_t count)
{
    fal_tensor tensor;
    fal_status status = find_tensor(trainer, name, &tensor);
    if (!status && tensor.arena != &trainer->feedback)
        status = fal_fail(FAL_ERROR_ARGUMENT, "tensor %s: only feedback can be set",
                          name);
    if (!status)
        status = check_stored(trainer, &tensor);
    return status ? status : fal_tensor_write(&tensor, values, count);
}

/* ---- feedback by layer --------------------------------------------------- */

/* Letters of the layer's name in "layer.feedback"; it may have dots of its own. */
static size_t layer_length(const fal_tensor *feedback)
{
    return strlen(feedback->name) - strlen(".feedback");
}

/* The layers of which the trainer has feedback, as a list of names for messages. */
static void list_feedback(const fal_trainer *t, char *text, size_t size)
{
    size_t used = 0;
    *text = 0;
    for (size_t i = 0; i < t->feedback_tensors.count && used < size; i++) {
        const fal_tensor *feedback = &t->feedback_tensors.items[i];
        used += (size_t)snprintf(text + used, size - used, "%s%.*s", i ? ", " : "",
                                 (int)layer_length(feedback), feedback->name);
    }
}

static fal_status check_layer(const fal_trainer *t, const char *layer)
{
    const char **known = fal_allocate(t->model->network.weights, sizeof *known);
    size_t count = t->model->network.weights;
    int found = 0;
    if (!known)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        known[i] =
            fal_network_weight_layer(&t->model->network, (unsigned)i + 1)->name;
        found = found || strcmp(known[i], layer) == 0;
    }
    fal_status status = found ? FAL_OK
                              : fal_fail_unknown("layer", layer, known, count);
    fal_release(known);
    return status;
}

static fal_status find_feedback(const fal_trainer *t, const char *layer,
                                const fal_tensor **tensor)
{
    char list[512];
    size_t length = strlen(layer);
    fal_status status = check_layer(t, layer);
    for (size_t i = 0; i < t->feedback_tensors.count && !status; i++) {
        *tensor = &t->feedback_tensors.items[i];
        if (layer_length(*tensor) == length &&
            strncmp((*tensor)->name, layer, length) == 0)
            return check_stored(t, *tensor);
    }
    if (status)
        return status;
    if (t->feedback_tensors.count == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "the rule %s has no random feedback",
                        t->rule->name);
    list_feedback(t, list, sizeof list);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "layer %s: no feedback belongs to it, only to %s", layer, list);
}

static fal_status check_numbers(const fal_tensor *tensor, const float *values,
                                size_t count)
{
    size_t floats = fal_tensor_floats(tensor), lines = tensor->shape[0];
    if (count != floats)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s has %zu numbers, not %zu: [%zu][%zu]", tensor->name,
                        floats, count, tensor->turned ? floats / lines : lines,
                        tensor->turned ? lines : floats / lines);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return fal_fail(FAL_ERROR_ARGUMENT, "%s, number %zu: %g is not finite",
                            tensor->name, i, (double)values[i]);
    return FAL_OK;
}

fal_status fal_trainer_set_feedback(fal_trainer *trainer, const char *layer,
                                    const float *values, size_t count)
{
    const fal_tensor *tensor = NULL;
    if (!trainer || !layer || !values)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_set_feedback: needs a trainer, a layer's name "
                        "and numbers");
    fal_status status = find_feedback(trainer, layer, &tensor);
    if (!status)
        status = check_numbers(tensor, values, count);
    if (status)
        return fal_fail_within(status, "fal_trainer_set_feedback");
    return fal_arena_write(tensor->arena, tensor->slot, values);
}
