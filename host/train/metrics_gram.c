/* Metrics of a batch by way of Gram matrices, in double. With S = h h^T of a dense
 * layer's inputs, the inner product of two updates h^T delta and h^T delta' is the sum
 * over S ∘ (delta delta'^T), all [batch][batch], so no update is made; and the squared
 * singular values of a matrix are the eigenvalues of its shorter Gram matrix. */
#include "analysis/gram.h"
#include "device/memory.h"
#include "train/metrics.h"

#include <math.h>

enum { GRAMS = 8 };

/* Of a layer with weights; `out` NULL: not wanted. */
typedef struct layer_grams {
    const fal_layer *layer;
    fal_gram input;                 /* S */
    fal_gram own, reference, cross; /* of the rule's delta, the true one, both: by
                                     * samples */
    fal_gram delta, carried, activation; /* by the shorter side */
    fal_gram position; /* of delta with a row for each position, likewise */
    fal_inner updates; /* of a convolution, whose updates are made … */
    fal_ranks update;  /* … and the ranks of the rule's */
} layer_grams;

typedef struct batch_grams {
    fal_measurer *measurer;
    size_t rows, count;
    layer_grams *layers;
} batch_grams;

static fal_gram *nth(layer_grams *of, size_t i)
{
    fal_gram *const all[GRAMS] = {&of->input,      &of->own,     &of->reference,
                                  &of->cross,      &of->delta,   &of->carried,
                                  &of->activation, &of->position};
    return all[i];
}

static size_t side_of(const fal_gram *gram)
{
    return gram->by_column ? gram->columns : gram->rows;
}

/* ---- which are wanted ---------------------------------------------------- */

/* A Gram matrix of two matrices in the workspace */
typedef struct wish {
    int wanted;
    fal_gram *gram;
    fal_slot first, second;
    size_t rows, width;
    int by_column;
} wish;

static fal_status want(const batch_grams *b, const wish *w)
{
    const fal_arena *arena = &b->measurer->workspace.arena;
    fal_gram *gram = w->gram;
    *gram = (fal_gram){.a = fal_arena_view(arena, w->first),
                       .b = fal_arena_view(arena, w->second),
                       .rows = w->rows,
                       .columns = w->width,
                       .by_column = w->by_column};
    size_t side = side_of(gram);
    gram->out = fal_allocate(side, side * sizeof *gram->out);
    return gram->out ? FAL_OK
                     : fal_fail(FAL_ERROR_MEMORY,
                                "measuring a batch of %zu: no host memory for a "
                                "matrix of %zu x %zu; use a smaller batch",
                                b->rows, side, side);
}

static int is_output(const batch_grams *b, const fal_layer *layer)
{
    return layer->number == b->count;
}

static int is_frozen(const batch_grams *b, const fal_layer *layer)
{
    return b->measurer->trainer->routes[layer->number - 1].frozen;
}

static fal_slot tensor_of(const batch_grams *b, size_t tensor)
{
    const fal_workspace *w = &b->measurer->workspace;
    return tensor ? w->outputs[tensor - 1] : w->inputs;
}

/* What a layer makes in the end; the output layer's a_L. */
static size_t activation_of(const batch_grams *b, const fal_layer *layer)
{
    const fal_network *network = &b->measurer->trainer->model->network;
    return is_output(b, layer) ? fal_network_index(network, layer) + 1 : layer->end;
}

/* Whether that is what the next layer reads, of which there is S. */
static int is_next_input(const batch_grams *b, const fal_layer *layer)
{
    const fal_network *network = &b->measurer->trainer->model->network;
    if (is_output(b, layer))
        return 0;
    const fal_layer *next = fal_network_weight_layer(network, layer->number + 1);
    return !next->kernel && next->from == layer->end;
}

/* Deltas and activations wider than the batch have their shorter side by samples: of a
 * dense layer `own`, and the next one's `input`, are these already. */
static fal_status want_layer(const batch_grams *b, layer_grams *of)
{
    const fal_workspace *w = &b->measurer->workspace;
    const fal_layer *layer = of->layer;
    size_t index = fal_network_index(&b->measurer->trainer->model->network, layer);
    size_t rows = b->rows, units = fal_layer_units(layer), out = layer->outputs;
    size_t pixels = rows * (units / out);
    fal_slot input = tensor_of(b, layer->from), delta = w->deltas[index];
    fal_slot activation = tensor_of(b, activation_of(b, layer));
    fal_slot reference = w->references[index], carried = w->carried[index];
    int narrow = units < rows, hidden = !is_output(b, layer);
    int dense = !layer->kernel, learns = !is_frozen(b, layer);
    int ranks = fal_has_ranks(), long_way = out > layer->inputs;
    const wish wishes[GRAMS] = {
        {dense, &of->input, input, input, rows, layer->inputs, 0},
        {learns && (dense ? hidden || !narrow || long_way : !narrow), &of->own,
         delta, delta, rows, units, 0},
        {learns && hidden && dense, &of->reference, reference, reference, rows,
         units, 0},
        {learns && hidden && dense, &of->cross, delta, reference, rows, units, 0},
        {learns && narrow && ranks, &of->delta, delta, delta, rows, units, 1},
        {learns && hidden && ranks, &of->carried, carried, carried, rows, units,
         narrow},
        {ranks && (narrow || !is_next_input(b, layer)), &of->activation, activation,
         activation, rows, units, narrow},
        {learns && !dense && ranks, &of->position, delta, delta, pixels, out,
         out < pixels},
    };
    fal_status status = FAL_OK;
    for (size_t i = 0; i < GRAMS && !status; i++)
        if (wishes[i].wanted)
            status = want(b, &wishes[i]);
    return status;
}

static fal_status compute(batch_grams *b)
{
    fal_gram *list = fal_allocate(b->count * GRAMS, sizeof *list);
    size_t used = 0;
    if (!list)
        return FAL_ERROR_MEMORY;
    for (size_t l = 0; l < b->count; l++)
        for (size_t i = 0; i < GRAMS; i++)
            if (nth(&b->layers[l], i)->out)
                list[used++] = *nth(&b->layers[l], i);
    fal_status status = fal_grams_compute(b->measurer->trainer->model->device, list,
                                          used);
    fal_release(list);
    return status;
}

/* Both updates of a convolution that learns. */
static fal_status make_updates(batch_grams *b)
{
    fal_status status = FAL_OK;
    for (size_t l = 0; l < b->count && !status; l++)
        if (b->layers[l].layer->kernel && !is_frozen(b, b->layers[l].layer))
            status = fal_metrics_of_update(b->measurer, b->layers[l].layer,
                                           &b->layers[l].updates,
                                           &b->layers[l].update);
    return status;
}

static fal_status open_grams(batch_grams *b, fal_measurer *measurer)
{
    const fal_network *network = &measurer->trainer->model->network;
    *b = (batch_grams){.measurer = measurer,
                       .rows = measurer->last_rows,
                       .count = network->weights};
    b->layers = fal_allocate(b->count, sizeof *b->layers);
    if (!b->layers)
        return FAL_ERROR_MEMORY;
    fal_status status = FAL_OK;
    for (size_t l = 0; l < b->count && !status; l++) {
        b->layers[l].layer = fal_network_weight_layer(network, (unsigned)l + 1);
        status = want_layer(b, &b->layers[l]);
    }
    if (!status)
        status = compute(b);
    return status ? status : make_updates(b);
}

static void close_grams(batch_grams *b)
{
    for (size_t l = 0; b->layers && l < b->count; l++)
        for (size_t i = 0; i < GRAMS; i++)
            fal_release(nth(&b->layers[l], i)->out);
    fal_release(b->layers);
}

/* ---- alignment of updates ------------------------------------------------ */

/* Sum over S ∘ D. */
static double sum_over(const fal_gram *s, const fal_gram *d, size_t rows)
{
    double sum = 0;
    for (size_t r = 0; r < rows; r++) {
        double own = 0;
        for (size_t i = r * rows; i < (r + 1) * rows; i++)
            own += s->out[i] * d->out[i];
        sum += own;
    }
    return sum;
}

static fal_inner inner_of_updates(const batch_grams *b, const layer_grams *of)
{
    if (of->layer->kernel)
        return of->updates;
    return (fal_inner){sum_over(&of->input, &of->cross, b->rows),
                       sum_over(&of->input, &of->own, b->rows),
                       sum_over(&of->input, &of->reference, b->rows)};
}

static void add_update_alignment(const batch_grams *b, fal_metric_table *table)
{
    fal_inner all = {0, 0, 0};
    for (size_t l = 0; l + 1 < b->count; l++) {
        const layer_grams *of = &b->layers[l];
        if (is_frozen(b, of->layer))
            continue;
        const fal_inner own = inner_of_updates(b, of);
        fal_inner_add(&all, own);
        if (own.aa > 0 && own.bb > 0)
            fal_metric_table_add(table, FAL_UPDATE_ALIGNMENT, l + 1,
                                 fal_cosine(own));
    }
    if (all.aa > 0 && all.bb > 0)
        fal_metric_table_add(table, FAL_UPDATE_ALIGNMENT, 0, fal_cosine(all));
}

/* ---- ranks --------------------------------------------------------------- */

/* Sums over the hidden layers that have a value. */
typedef struct rank_sums {
    double sums[FAL_RANKED][3];
    size_t counts[FAL_RANKED];
} rank_sums;

static const fal_metric_id rank_ids[3] = {FAL_EFFECTIVE_RANK,
                                          FAL_PARTICIPATION_RATIO, FAL_STABLE_RANK};

static fal_metric_id rank_id(size_t i, fal_ranked what)
{
    return (fal_metric_id)((size_t)rank_ids[i] + (size_t)what);
}

static void add_ranks(const batch_grams *b, const layer_grams *of, fal_ranked what,
                      fal_ranks ranks, rank_sums *sums, fal_metric_table *table)
{
    const double values[3] = {ranks.effective, ranks.participation, ranks.stable};
    int hidden = !is_output(b, of->layer);
    if (isnan(ranks.effective))
        return;
    sums->counts[what] += hidden;
    for (size_t i = 0; i < 3; i++) {
        sums->sums[what][i] += hidden ? values[i] : 0;
        fal_metric_table_add(table, rank_id(i, what), of->layer->number, values[i]);
    }
}

static fal_status add_update_ranks(const batch_grams *b, const layer_grams *of,
                                   rank_sums *sums, fal_metric_table *table)
{
    if (of->layer->kernel) {
        add_ranks(b, of, FAL_RANKED_UPDATE, of->update, sums, table);
        return FAL_OK;
    }
    const fal_arena *arena = &b->measurer->workspace.arena;
    size_t index = fal_network_index(&b->measurer->trainer->model->network,
                                     of->layer);
    const fal_outer outer = {
        .batch = b->rows,
        .in = of->layer->inputs,
        .out = of->layer->outputs,
        .s = of->input.out,
        .d = of->own.out,
        .h = of->input.a,
        .delta = fal_arena_view(arena, b->measurer->workspace.deltas[index])};
    fal_ranks ranks;
    fal_status status = fal_ranks_of_update(b->measurer->trainer->model->device,
                                            &outer, &ranks);
    if (!status)
        add_ranks(b, of, FAL_RANKED_UPDATE, ranks, sums, table);
    return status;
}

/* Destroys the Gram matrix. */
static fal_status add_matrix_ranks(const batch_grams *b, const layer_grams *of,
                                   fal_ranked what, const fal_gram *gram,
                                   rank_sums *sums, fal_metric_table *table)
{
    fal_ranks ranks;
    if (!gram->out)
        return FAL_OK;
    fal_status status = fal_ranks_of_gram(gram->out, side_of(gram), &ranks);
    if (!status)
        add_ranks(b, of, what, ranks, sums, table);
    return status;
}

static fal_status add_layer_ranks(const batch_grams *b, size_t l, rank_sums *sums,
                                  fal_metric_table *table)
{
    const layer_grams *of = &b->layers[l];
    const fal_gram *delta = of->delta.out ? &of->delta : &of->own;
    const fal_gram *activation = of->activation.out ? &of->activation
                                                    : &of[1].input;
    fal_status status = add_matrix_ranks(b, of, FAL_RANKED_DELTA, delta, sums,
                                         table);
    if (!status)
        status = add_matrix_ranks(b, of, FAL_RANKED_CARRIED, &of->carried, sums,
                                  table);
    if (!status)
        status = add_matrix_ranks(b, of, FAL_RANKED_POSITION, &of->position, sums,
                                  table);
    return status ? status
                  : add_matrix_ranks(b, of, FAL_RANKED_ACTIVATION, activation, sums,
                                     table);
}

/* Updates first: the others destroy what these read. */
static fal_status add_all_ranks(const batch_grams *b, fal_metric_table *table)
{
    rank_sums sums = {0};
    fal_status status = FAL_OK;
    for (size_t l = 0; l < b->count && !status; l++)
        if (!is_frozen(b, b->layers[l].layer))
            status = add_update_ranks(b, &b->layers[l], &sums, table);
    for (size_t l = 0; l < b->count && !status; l++)
        status = add_layer_ranks(b, l, &sums, table);
    for (int what = 0; what < FAL_RANKED; what++)
        for (size_t i = 0; i < 3 && sums.counts[what] > 0; i++)
            fal_metric_table_add(table, rank_id(i, (fal_ranked)what), 0,
                                 sums.sums[what][i] / (double)sums.counts[what]);
    return status;
}

fal_status fal_metrics_of_grams(fal_measurer *measurer, fal_metric_table *table)
{
    batch_grams b;
    fal_status status = open_grams(&b, measurer);
    if (!status)
        add_update_alignment(&b, table);
    if (!status && fal_has_ranks())
        status = add_all_ranks(&b, table);
    close_grams(&b);
    return status;
}
