#include "train/metrics.h"
#include "device/memory.h"
#include "net/flow.h"

#include <math.h>

#define RANK_KINDS(id, name)                                                       \
    [id + FAL_RANKED_DELTA] = {name, 1, 0, 0},                                     \
          [id + FAL_RANKED_CARRIED] = {name ".carried", 1, 1, 0},                  \
          [id + FAL_RANKED_UPDATE] = {name ".update", 1, 0, 0},                    \
          [id + FAL_RANKED_ACTIVATION] = {name ".activation", 1, 0, 0},            \
          [id + FAL_RANKED_POSITION] = {name ".position", 1, 0, 1}
const fal_metric_kind fal_metric_kinds[FAL_METRICS] = {
    [FAL_GRADIENT_ALIGNMENT] = {"gradient_alignment", 1, 1, 0},
    [FAL_UPDATE_ALIGNMENT] = {"update_alignment", 1, 1, 0},
    [FAL_WEIGHT_ALIGNMENT] = {"weight_alignment", 2, 0, 0},
    RANK_KINDS(FAL_EFFECTIVE_RANK, "effective_rank"),
    RANK_KINDS(FAL_PARTICIPATION_RATIO, "participation_ratio"),
    RANK_KINDS(FAL_STABLE_RANK, "stable_rank"),
    [FAL_REFERENCE_NORM] = {"reference_norm", 1, 1, 0},
    [FAL_DEAD_UNITS] = {"dead_units", 1, 1, 0},
    [FAL_LEFT_OUT] = {"left_out", 1, 1, 0},
};

int fal_metric_exists(fal_metric_id id)
{
    return id < FAL_EFFECTIVE_RANK || id >= FAL_REFERENCE_NORM || fal_has_ranks();
}

int fal_metric_is_of(fal_metric_id id, const fal_network *network, size_t number)
{
    const fal_metric_kind *kind = &fal_metric_kinds[id];
    size_t last = network->weights - (kind->without_output != 0);
    if (number > 0)
        return number >= kind->first && number <= last &&
               (!kind->of_maps ||
                fal_network_weight_layer(network, (unsigned)number)->kernel);
    for (size_t l = 1; l <= network->weights && kind->of_maps; l++)
        if (fal_network_weight_layer(network, (unsigned)l)->kernel)
            return 1;
    return !kind->of_maps;
}

/* ---- the table ----------------------------------------------------------- */

fal_status fal_metric_table_make(fal_metric_table *table, size_t layers)
{
    size_t count = FAL_METRICS * (layers + 1);
    *table = (fal_metric_table){.layers = layers};
    table->sums = fal_allocate(count, sizeof *table->sums);
    table->weights = fal_allocate(count, sizeof *table->weights);
    return table->sums && table->weights ? FAL_OK : FAL_ERROR_MEMORY;
}

void fal_metric_table_release(fal_metric_table *table)
{
    fal_release(table->sums);
    fal_release(table->weights);
    *table = (fal_metric_table){0};
}

static size_t place_of(const fal_metric_table *table, fal_metric_id id,
                       size_t number)
{
    return id * (table->layers + 1) + number;
}

double fal_metric_table_value(const fal_metric_table *table, fal_metric_id id,
                              size_t number)
{
    size_t place = place_of(table, id, number);
    return table->weights[place] > 0 ? table->sums[place] / table->weights[place]
                                     : NAN;
}

void fal_metric_table_add(fal_metric_table *table, fal_metric_id id, size_t number,
                          double value)
{
    table->sums[place_of(table, id, number)] += value;
    table->weights[place_of(table, id, number)]++;
}

/* A number that grows with every batch. */
static void add_count(fal_metric_table *table, fal_metric_id id, size_t number,
                      size_t count)
{
    table->sums[place_of(table, id, number)] += (double)count;
    table->weights[place_of(table, id, number)] = 1;
}

/* ---- one batch ----------------------------------------------------------- */

/* What is being looked at, and room for two of a layer's arrays. */
typedef struct view {
    fal_measurer *measurer;
    const fal_network *network;
    fal_metric_table *table;
    size_t rows;
    float *first, *second;
} view;

/* It stays for the next measurement: new memory costs more than all the sums. */
static fal_status make_room(fal_measurer *m, size_t floats)
{
    for (size_t i = 0; i < 2 && m->room_floats < floats; i++) {
        float *grown = fal_resize(m->room[i], floats, sizeof *grown);
        if (!grown)
            return FAL_ERROR_MEMORY;
        m->room[i] = grown;
    }
    if (m->room_floats < floats)
        m->room_floats = floats;
    return FAL_OK;
}

static fal_status open_view(view *v, fal_measurer *measurer,
                            fal_metric_table *table, size_t floats)
{
    fal_status status = make_room(measurer, floats);
    *v = (view){.measurer = measurer,
                .network = &measurer->trainer->model->network,
                .table = table,
                .rows = measurer->last_rows,
                .first = measurer->room[0],
                .second = measurer->room[1]};
    return status;
}

static size_t hidden_layers(const view *v)
{
    return v->network->weights - 1;
}

static int is_frozen(const view *v, size_t number)
{
    return v->measurer->trainer->routes[number - 1].frozen;
}

static fal_status read_rows(const view *v, fal_slot slot, size_t width,
                            float *values)
{
    slot.count = v->rows * width;
    return fal_arena_read(&v->measurer->workspace.arena, slot, values);
}

static size_t widest_layer(const fal_network *network)
{
    size_t widest = 0;
    for (size_t i = 0; i < network->count; i++)
        if (fal_shape_size(network->layers[i].out) > widest)
            widest = fal_shape_size(network->layers[i].out);
    return widest;
}

/* ---- alignment of deltas ------------------------------------------------- */

/* The cosines of samples, those with a zero delta apart. */
static void add_cosines(const view *v, size_t number, const fal_inner *samples)
{
    size_t left_out = 0;
    for (size_t r = 0; r < v->rows; r++)
        if (samples[r].aa == 0 || samples[r].bb == 0)
            left_out++;
        else
            fal_metric_table_add(v->table, FAL_GRADIENT_ALIGNMENT, number,
                                 fal_cosine(samples[r]));
    add_count(v->table, FAL_LEFT_OUT, number, left_out);
}

/* The rule's delta in `first`, the true one in `second`; a frozen layer has only the
 * true one, in both. */
static fal_status read_deltas(const view *v, size_t number)
{
    const fal_workspace *w = &v->measurer->workspace;
    const fal_layer *layer = fal_network_weight_layer(v->network, (unsigned)number);
    size_t index = fal_network_index(v->network, layer);
    size_t width = fal_layer_units(layer);
    const fal_slot *own = is_frozen(v, number) ? w->references : w->deltas;
    fal_status status = read_rows(v, own[index], width, v->first);
    return status ? status : read_rows(v, w->references[index], width, v->second);
}

/* `samples` becomes those of the layer, and is added to `all` if it has a delta.
 * Returns the squared norm of the true delta. */
static double find_inner(const view *v, size_t number, fal_inner *samples,
                         fal_inner *all)
{
    size_t width = fal_layer_units(
        fal_network_weight_layer(v->network, (unsigned)number));
    double squares = 0;
    for (size_t r = 0; r < v->rows; r++) {
        samples[r] = fal_inner_of(v->first + r * width, v->second + r * width,
                                  width);
        squares += samples[r].bb;
        if (!is_frozen(v, number))
            fal_inner_add(&all[r], samples[r]);
    }
    return squares;
}

static fal_status add_alignment(const view *v, int whole, fal_inner *samples,
                                fal_inner *all)
{
    double squares = 0;
    int any = 0;
    fal_status status = FAL_OK;
    for (size_t l = 1; l <= hidden_layers(v) && !status; l++) {
        status = read_deltas(v, l);
        if (status)
            break;
        double own = find_inner(v, l, samples, all);
        squares += own;
        any |= !is_frozen(v, l);
        if (!is_frozen(v, l))
            add_cosines(v, l, samples);
        if (whole)
            fal_metric_table_add(v->table, FAL_REFERENCE_NORM, l, sqrt(own));
    }
    if (!status && any)
        add_cosines(v, 0, all);
    if (!status && whole && hidden_layers(v) > 0)
        fal_metric_table_add(v->table, FAL_REFERENCE_NORM, 0, sqrt(squares));
    return status;
}

static fal_status find_alignment(const view *v, int whole)
{
    fal_inner *samples = fal_allocate(v->rows, sizeof *samples);
    fal_inner *all = fal_allocate(v->rows, sizeof *all);
    fal_status status = samples && all ? add_alignment(v, whole, samples, all)
                                       : FAL_ERROR_MEMORY;
    fal_release(samples);
    fal_release(all);
    return status;
}

/* ---- activations --------------------------------------------------------- */

/* Columns of zeros. */
static size_t count_dead(const float *values, size_t rows, size_t width)
{
    size_t dead = 0;
    for (size_t c = 0; c < width; c++) {
        size_t r = 0;
        while (r < rows && values[r * width + c] == 0)
            r++;
        dead += r == rows;
    }
    return dead;
}

/* Of what a layer makes in the end. Where two layers end in the same, the ways of a
 * block, its units count once in the total. */
static fal_status find_dead_units(const view *v)
{
    size_t dead = 0, units = 0;
    fal_status status = FAL_OK;
    for (size_t l = 1; l <= hidden_layers(v) && !status; l++) {
        const fal_layer *layer = fal_network_weight_layer(v->network, (unsigned)l);
        size_t width = fal_layer_units(layer);
        status = read_rows(v, v->measurer->workspace.outputs[layer->end - 1], width,
                           v->first);
        size_t own = count_dead(v->first, v->rows, width);
        fal_metric_table_add(v->table, FAL_DEAD_UNITS, l,
                             (double)own / (double)width);
        if (fal_flow_owner(v->network, layer->end) != layer)
            continue;
        dead += own;
        units += width;
    }
    if (!status && units)
        fal_metric_table_add(v->table, FAL_DEAD_UNITS, 0,
                             (double)dead / (double)units);
    return status;
}

fal_status fal_metrics_of_batch(fal_measurer *measurer, int whole,
                                fal_metric_table *table)
{
    view v;
    size_t widest = widest_layer(&measurer->trainer->model->network);
    fal_status status = open_view(&v, measurer, table,
                                  measurer->last_rows * widest);
    if (!status)
        status = find_alignment(&v, whole);
    if (!status && whole)
        status = find_dead_units(&v);
    if (!status && whole)
        status = fal_metrics_of_grams(measurer, table);
    return status;
}

/* ---- alignment of weights ------------------------------------------------ */

/* to[c][r] <- from[r][c] */
static void turn(const float *from, size_t rows, size_t columns, float *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            to[c * rows + r] = from[r * columns + c];
}

static fal_status read_view(const view *v, fal_view at, const fal_layer *layer,
                            float *values)
{
    return fal_read(v->measurer->trainer->model->device, at.buffer,
                    at.offset * sizeof *values,
                    layer->weight.count * sizeof *values, values);
}

/* The output layer's under a direct rule: B_{L-1}^T. */
static fal_status read_turned(const view *v, size_t number, float *carrier)
{
    fal_trainer *t = v->measurer->trainer;
    const fal_layer *layer = fal_network_weight_layer(v->network, (unsigned)number);
    fal_view below;
    fal_status status = fal_trainer_feedback(
        t, fal_measurer_direct_below(t, (unsigned)number), &below);
    if (!status)
        status = read_view(v, below, layer, v->first);
    if (!status)
        turn(v->first, layer->outputs, layer->inputs, carrier);
    return status;
}

/* What stands in for W_l, in its shape. */
static fal_status read_carrier(const view *v, size_t number, float *carrier)
{
    const fal_measurer *m = v->measurer;
    const fal_layer *layer = fal_network_weight_layer(v->network, (unsigned)number);
    fal_view own;
    if (!fal_trainer_hands_down(m->trainer, (unsigned)number))
        return number == v->network->weights
                   ? read_turned(v, number, carrier)
                   : fal_arena_read(&m->projections,
                                    m->projection_slots[number - 1], carrier);
    fal_status status = fal_trainer_carrier(m->trainer, (unsigned)number, &own);
    return status ? status : read_view(v, own, layer, carrier);
}

static fal_status add_weight_alignment(const view *v)
{
    const fal_trainer *t = v->measurer->trainer;
    fal_inner all = {0, 0, 0};
    fal_status status = FAL_OK;
    for (size_t l = 2; l <= v->network->weights && !status; l++) {
        const fal_layer *layer = fal_network_weight_layer(v->network, (unsigned)l);
        if (!fal_trainer_hands_down(t, (unsigned)l) &&
            !fal_measurer_direct_below(t, (unsigned)l))
            continue;
        status = read_carrier(v, l, v->second);
        if (!status)
            status = fal_arena_read(&t->model->parameters, layer->weight, v->first);
        fal_inner own = fal_inner_of(v->first, v->second, layer->weight.count);
        if (own.aa > 0 && own.bb > 0)
            fal_metric_table_add(v->table, FAL_WEIGHT_ALIGNMENT, l,
                                 fal_cosine(own));
        fal_inner_add(&all, own);
    }
    if (!status && all.aa > 0 && all.bb > 0)
        fal_metric_table_add(v->table, FAL_WEIGHT_ALIGNMENT, 0, fal_cosine(all));
    return status;
}

fal_status fal_metrics_of_weights(fal_measurer *measurer, fal_metric_table *table)
{
    view v;
    const fal_network *network = &measurer->trainer->model->network;
    size_t largest = 0;
    for (size_t i = 0; i < network->count; i++)
        if (network->layers[i].number > 1 &&
            network->layers[i].weight.count > largest)
            largest = network->layers[i].weight.count;
    fal_status status = open_view(&v, measurer, table, largest);
    if (!status)
        status = fal_launches_run(&measurer->projecting);
    if (!status)
        status = add_weight_alignment(&v);
    return status;
}
