#include "reference/check.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const size_t COUNTS[] = {1, 3, 17, 1009, 70001};

static fal_status activations(fal_device *device, double *worst,
                              fal_status (*check)(fal_device *, fal_activation,
                                                  size_t, int, double *))
{
    fal_status status = FAL_OK;
    *worst = 0;
    for (int phi = FAL_LINEAR; phi < FAL_PHIS; phi++)
        for (size_t i = 0; i < COUNT(COUNTS) && !status; i++)
            status = check(device, (fal_activation){(fal_phi)phi, .01f}, COUNTS[i],
                           i % 2, worst);
    return status;
}

static fal_status activation(fal_device *device, double *worst)
{
    return activations(device, worst, fal_check_activation);
}

static fal_status derivative(fal_device *device, double *worst)
{
    return activations(device, worst, fal_check_derivative);
}

static fal_status check_losses(fal_device *device, int summed, size_t rows,
                               size_t outputs, int wild, double *worst)
{
    fal_status status = fal_check_loss(device, FAL_CROSS_ENTROPY,
                                       FAL_CHECK_LABELS | summed, rows, outputs, 0,
                                       worst);
    for (int parts = FAL_CHECK_LABELS; parts <= 3 && !status; parts++)
        status = fal_check_loss(device, FAL_SQUARED_ERROR, parts | summed, rows,
                                outputs, wild, worst);
    return status;
}

static fal_status loss(fal_device *device, double *worst)
{
    static const size_t shapes[][2] = {{1, 1},   {3, 2},     {128, 10},
                                       {17, 65}, {35, 1000}, {2, 9001}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < COUNT(shapes) && !status; i++) {
        size_t rows = shapes[i][0], outputs = shapes[i][1];
        for (int sum = 0; sum < 2 && !status; sum++)
            status = check_losses(device, sum * FAL_CHECK_SUMMED, rows, outputs,
                                  i % 2, worst);
    }
    return status;
}

static fal_status clip(fal_device *device, double *worst)
{
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 2 * COUNT(COUNTS) && !status; i++)
        status = fal_check_clip(device, COUNTS[i / 2], i % 2 ? 1e9f : .1f, 0,
                                worst);
    return status;
}

static const fal_update RULES[] = {
    {.rule = FAL_SGD},
    {.rule = FAL_SGD, .momentum = .9f, .weight_decay = .01f},
    {.rule = FAL_SGD, .momentum = .9f, .nesterov = 1},
    {.rule = FAL_ADAM, .weight_decay = .01f},
    {.rule = FAL_ADAMW, .weight_decay = .01f},
    {.rule = FAL_MUON, .weight_decay = .01f},
    {.rule = FAL_SGD, .weight_decay = .01f, .decoupled = 1},
    {.rule = FAL_SGD,
     .momentum = .9f,
     .weight_decay = .01f,
     .nesterov = 1,
     .decoupled = 1},
    {.rule = FAL_ADAM, .weight_decay = .01f, .decoupled = 1},
    {.rule = FAL_MUON, .weight_decay = .01f, .decoupled = 1},
};

static fal_status update(fal_device *device, double *worst)
{
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t r = 0; r < COUNT(RULES); r++)
        for (size_t i = 0; i < COUNT(COUNTS) && !status; i++) {
            fal_update settings = RULES[r];
            settings.count = COUNTS[i];
            status = fal_check_update(device, &settings, i * i + 1, 0, i == 2,
                                      i == 3, worst);
        }
    return status;
}

static fal_status check_norms(fal_device *device, int by_sample, double *worst)
{
    /* Rows, positions, channels */
    static const size_t shapes[][3] = {{2, 1, 1},  {3, 1, 17},   {128, 1, 131},
                                       {5, 9, 67}, {1009, 1, 5}, {7, 150, 35}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 4 * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i / 4];
        fal_check_norm_shape shape = {
            .rows = s[0],
            .positions = s[1],
            .channels = s[2],
            .by_sample = by_sample,
            .plain = i % 2,
            .updates = i % 4 == 2,
            .beside = i % 3 == 1,
            .activation = {(fal_phi)(i % FAL_PHIS), .01f},
        };
        status = fal_check_norm(device, &shape, 0, worst);
        if (!status && !by_sample)
            status = fal_check_norm_fixed(device, &shape, worst);
        if (!status)
            status = fal_check_norm_backward(device, &shape, 0, worst);
    }
    return status;
}

static fal_status batch_norm(fal_device *device, double *worst)
{
    return check_norms(device, 0, worst);
}

static fal_status layer_norm(fal_device *device, double *worst)
{
    return check_norms(device, 1, worst);
}

static fal_status center(fal_device *device, double *worst)
{
    static const size_t shapes[][2] = {
        {1, 1}, {3, 17}, {128, 131}, {300, 65}, {1009, 5}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < COUNT(shapes) && !status; i++)
        status = fal_check_center(device, shapes[i][0], shapes[i][1], 0, worst);
    return status;
}

static fal_status running(fal_device *device, double *worst)
{
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 2 * COUNT(COUNTS) && !status; i++)
        status = fal_check_running(device, COUNTS[i / 2], i % 2, worst);
    return status;
}

/* Windows side by side, that overlap, with a rest and gaps, and as large as a map */
static fal_status pool(fal_device *device, double *worst)
{
    static const size_t shapes[][7] = {
        {1, 1, 1, 1, 1, 1, 1},   {3, 8, 8, 17, 2, 2, 2}, {2, 7, 5, 35, 3, 3, 2},
        {2, 11, 13, 3, 2, 2, 3}, {5, 4, 6, 67, 4, 6, 1}, {2, 5, 6, 19, 2, 3, 1}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 4 * COUNT(shapes) && !status; i++) {
        fal_pool p = fal_check_pool_of(shapes[i / 4]);
        p.average = i % 2;
        p.accumulate = i % 4 / 2;
        p.derivative = (fal_activation){(fal_phi)(i % 3), .01f};
        status = fal_check_pool(device, &p, 0, worst);
        if (!status)
            status = fal_check_pool_backward(device, &p, 0, worst);
    }
    return status;
}

/* The identity, strides and more channels */
static fal_status join(fal_device *device, double *worst)
{
    static const fal_shortcut shapes[] = {
        {1, 1, 1, 1, 1, 1},  {3, 5, 7, 19, 1, 19}, {2, 8, 8, 16, 2, 32},
        {2, 7, 5, 3, 3, 20}, {3, 4, 4, 33, 1, 66}, {2, 5, 5, 17, 2, 17}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 2 * COUNT(shapes) && !status; i++) {
        fal_activation activation = {(fal_phi)(i % FAL_PHIS), .01f};
        status = fal_check_join(device, &shapes[i / 2], activation, 0, worst);
        if (!status)
            status = fal_check_join_backward(device, &shapes[i / 2], i % 2, worst);
    }
    return status;
}

static fal_status sum(fal_device *device, double *worst)
{
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 2 * COUNT(COUNTS) && !status; i++) {
        fal_activation derivative = {(fal_phi)(i % FAL_PHIS), .01f};
        status = fal_check_sum(device, COUNTS[i / 2], derivative, worst);
    }
    return status;
}

static fal_status spread(fal_device *device, double *worst)
{
    /* Rows, positions, channels */
    static const size_t shapes[][3] = {{1, 1, 1}, {3, 49, 17}, {17, 4, 64}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 4 * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i / 4];
        fal_activation derivative = {(fal_phi)(i % 4), .01f};
        status = fal_check_spread(device, s[0], s[1], s[2], derivative, worst);
    }
    return status;
}

static fal_status dropout(fal_device *device, double *worst)
{
    /* Rows, positions, channels */
    static const size_t shapes[][3] = {
        {1, 1, 1}, {37, 1, 131}, {3, 49, 17}, {5, 64, 16}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 2 * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i / 2];
        fal_random numbers = {.seed = 0x123456789abcdef0, .purpose = 4, .layer = 3};
        numbers.draw = (uint32_t)i;
        status = fal_check_dropout(device, &numbers, i % 2 ? .5 : .1, s[0], s[1],
                                   s[2], worst);
    }
    return status;
}

static fal_status random_fill(fal_device *device, double *worst)
{
    /* Lines, their length, its channels */
    static const size_t shapes[][3] = {
        {1, 1, 1}, {3, 17, 1}, {7, 51, 3}, {113, 331, 1}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (int kind = FAL_ZERO; kind <= FAL_NORMAL; kind++)
        for (size_t i = 0; i < 2 * COUNT(shapes) && !status; i++) {
            const size_t *s = shapes[i / 2];
            fal_random random = {
                (fal_distribution)kind, .3f, 0x123456789abcdef0, 2, 7, 3,
                (uint32_t)s[2]};
            status = fal_check_random(device, &random, s[i % 2], s[1 - i % 2],
                                      i % 2, worst);
        }
    return status;
}

static fal_status gather(fal_device *device, double *worst)
{
    /* Rows, width, channels, outputs */
    static const size_t shapes[][4] = {{1, 1, 1, 0},
                                       {5, 784, 1, 0},
                                       {7, 33, 3, 5},
                                       {17, 67, 67, 1},
                                       {129, 380, 19, 0}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 2 * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i / 2];
        status = fal_check_gather(device, i % 2 ? FAL_BYTES : FAL_FLOATS, s[0],
                                  s[1], s[2], s[3], 1, NULL, worst);
    }
    return status;
}

static fal_status augment(fal_device *device, double *worst)
{
    /* Rows, lines, width, channels, the furthest that images move */
    static const size_t shapes[][5] = {
        {3, 2, 4, 1, 1}, {9, 32, 3072, 3, 4}, {12, 5, 5 * 7 * 19, 19, 3}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 6 * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i / 6];
        const fal_augmentation a = {i % 3 == 1 ? 0 : s[4], i % 3 != 0, 77};
        status = fal_check_gather(device, i % 2 ? FAL_BYTES : FAL_FLOATS, s[0],
                                  s[2], s[3], 0, s[1], &a, worst);
    }
    return status;
}

static fal_status gemm(fal_device *device, double *worst)
{
    static const size_t shapes[][3] = {
        {1, 1, 1}, {17, 33, 65}, {61, 10, 97}, {128, 131, 300}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 4 * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i / 4];
        fal_product p = {.m = s[0], .n = s[1], .k = s[2], .accumulate = i % 3 == 0};
        p.a.source = (fal_source)(i % 3);
        p.b.source = i & 2 ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS;
        p.activation = (fal_activation){(fal_phi)(i % FAL_PHIS), .01f};
        p.derivative = (fal_activation){(fal_phi)(i % 4), .01f};
        status = fal_check_gemm(device, &p, i % 5 == 0, worst);
    }
    return status;
}

/* Products whose B is made while it is read: n divides by 4 or not */
static fal_status carriers(fal_device *device, double *worst)
{
    static const size_t shapes[][3] = {
        {1, 1, 1}, {17, 33, 65}, {61, 10, 97}, {128, 132, 300}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 8 * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i / 8];
        fal_product p = {.m = s[0], .n = s[1], .k = s[2]};
        p.a.source = (fal_source)(i % 3);
        p.values.kind = (fal_values_kind)(FAL_VALUES_SIGN + i % 4);
        p.b.source = p.values.kind == FAL_VALUES_RANDOM ? FAL_SOURCE_ROWS
                                                        : FAL_SOURCE_COLUMNS;
        p.values.scale = .3f;
        p.values.random = (fal_random){FAL_UNIFORM, .3f, 0x123456789abcdef0, 2, 7,
                                       3,           1};
        if (i / 4 % 2)
            p.values.random.distribution = FAL_NORMAL;
        p.values.redrawn = i % 8 == 3;
        status = fal_check_gemm(device, &p, i % 5 == 0, worst);
    }
    return status;
}

static fal_status signs(fal_device *device, double *worst)
{
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 2 * COUNT(COUNTS) && !status; i++)
        status = fal_check_signs(device, COUNTS[i / 2], i % 2, i % 3 == 0, worst);
    return status;
}

/* Images, height, width, channels, kernel, stride, padding, output channels */
static fal_check_conv_shape conv_shape(size_t i)
{
    static const size_t sizes[][8] = {
        {1, 1, 1, 1, 1, 1, 0, 1},     {2, 2, 3, 17, 5, 1, 2, 33},
        {3, 9, 7, 3, 3, 2, 1, 64},    {2, 8, 11, 16, 1, 2, 0, 20},
        {2, 10, 9, 5, 2, 3, 0, 7},    {5, 6, 6, 32, 3, 1, 1, 24},
        {128, 3, 2, 12, 3, 1, 1, 16}, {1, 40, 30, 4, 4, 3, 3, 65}};
    const size_t *s = sizes[i % COUNT(sizes)];
    fal_check_conv_shape shape = {
        .conv = {s[0], s[1], s[2], s[3], s[4], s[5], s[6],
                 (s[1] + 2 * s[6] - s[4]) / s[5] + 1,
                 (s[2] + 2 * s[6] - s[4]) / s[5] + 1, s[7]},
        .has_bias = i / 2 % 2,
        .adds = i % 3 == 0,
        .derives = i % 3 != 1,
        .activation = {(fal_phi)(i % FAL_PHIS), .01f},
        .values = (fal_values_kind)(i % 3),
    };
    return shape;
}

enum { CONV_SHAPES = 32 };

static fal_status conv_shapes(fal_device *device, double *worst,
                              fal_status (*check)(fal_device *,
                                                  const fal_check_conv_shape *,
                                                  double *))
{
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < CONV_SHAPES && !status; i++) {
        fal_check_conv_shape shape = conv_shape(i);
        status = check(device, &shape, worst);
    }
    return status;
}

static fal_status conv(fal_device *device, double *worst)
{
    return conv_shapes(device, worst, fal_check_conv);
}

static fal_status conv_data(fal_device *device, double *worst)
{
    return conv_shapes(device, worst, fal_check_conv_data);
}

/* Gradient, and its update */
static fal_status check_weights(fal_device *device,
                                const fal_check_conv_shape *shape, size_t i,
                                double *worst)
{
    fal_status status = fal_check_conv_weight(device, shape, i % 5 == 4, worst);
    return status ? status
                  : fal_check_conv_update(device, shape, &RULES[i % COUNT(RULES)],
                                          i + 1, i % 7 == 6, worst);
}

static fal_status conv_weight(fal_device *device, double *worst)
{
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < CONV_SHAPES && !status; i++) {
        fal_check_conv_shape shape = conv_shape(i);
        status = check_weights(device, &shape, i, worst);
    }
    return status;
}

static fal_status check_passes(fal_device *device,
                               const fal_check_conv_shape *shape, size_t i,
                               double *worst)
{
    fal_status status = fal_check_conv(device, shape, worst);
    if (!status)
        status = fal_check_conv_data(device, shape, worst);
    return status ? status : check_weights(device, shape, i, worst);
}

/* All passes by strips, also where another form would be taken */
static fal_status strips(fal_device *device, double *worst)
{
    const fal_conv_wish wish = device->facts.conv;
    fal_status status = FAL_OK;
    *worst = 0;
    device->facts.conv = FAL_WISH_STRIPS;
    for (size_t i = 0; i < CONV_SHAPES && !status; i++) {
        fal_check_conv_shape shape = conv_shape(i);
        status = check_passes(device, &shape, i, worst);
    }
    device->facts.conv = wish;
    return status;
}

/* All passes of what can be filtered, also where another form would be taken */
static fal_status winograd(fal_device *device, double *worst)
{
    /* Images, height, width, channels, padding, output channels */
    static const size_t sizes[][6] = {{1, 3, 3, 1, 0, 1},
                                      {5, 6, 7, 19, 1, 24},
                                      {2, 4, 4, 64, 1, 81},
                                      {30, 5, 3, 8, 2, 48}};
    const fal_conv_wish wish = device->facts.conv;
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 4 * COUNT(sizes) && !status; i++) {
        const size_t *s = sizes[i / 4];
        device->facts.conv = i % 4 == 3 ? FAL_WISH_WINOGRAD4 : FAL_WISH_WINOGRAD2;
        fal_check_conv_shape shape = conv_shape(i);
        const size_t wider = 2 * s[4] - 2;
        shape.conv = (fal_conv){s[0], s[1], s[2],         s[3],         3,
                                1,    s[4], s[1] + wider, s[2] + wider, s[5]};
        status = check_passes(device, &shape, i, worst);
    }
    device->facts.conv = wish;
    return status;
}

/* Of half of which is computed; and the epilogues of Newton-Schulz */
static fal_status symmetric(fal_device *device, double *worst)
{
    static const size_t sizes[][2] = {{1, 1}, {17, 65}, {61, 300}, {131, 97}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 4 * COUNT(sizes) && !status; i++) {
        const size_t *s = sizes[i / 4];
        fal_product p = {.m = s[0], .n = s[0], .k = s[1], .symmetric = 1};
        p.a.source = i & 1 ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS;
        p.alpha = i & 2 ? .75f : 0;
        p.beta = i & 2 ? -1.5f : 0;
        p.identity = i & 2 ? 2 : 0;
        p.accumulate = i % 3 == 0;
        status = fal_check_gemm(device, &p, 0, worst);
    }
    return status;
}

/* As a mirror teaches feedback */
static fal_status gemm_blend(fal_device *device, double *worst)
{
    static const size_t shapes[][3] = {
        {1, 1, 1}, {25, 10, 128}, {66, 129, 35}, {131, 33, 256}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 2 * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i / 2];
        fal_product p = {.m = s[0], .n = s[1], .k = s[2], .alpha = .75f};
        p.a.source = FAL_SOURCE_COLUMNS;
        p.beta = i % 4 == 1 ? 1 : .9f;
        status = fal_check_gemm_blend(device, &p, i % 2 && i > 4, worst);
    }
    return status;
}

/* As weights are updated: the batch is summed over, and biases are the last row. */
static fal_status gemm_update(fal_device *device, double *worst)
{
    static const size_t shapes[][3] = {
        {2, 1, 1}, {25, 10, 128}, {66, 129, 35}, {131, 33, 256}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < COUNT(RULES) * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i % COUNT(shapes)];
        fal_product p = {.m = s[0], .n = s[1], .k = s[2]};
        p.a.source = i % 2 ? FAL_SOURCE_COLUMNS_ONES : FAL_SOURCE_COLUMNS;
        status = fal_check_gemm_update(device, &p, &RULES[i / COUNT(shapes)], i + 1,
                                       i % 5 == 0, worst);
    }
    return status;
}

static fal_status momentum(fal_device *device, double *worst)
{
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < COUNT(COUNTS) && !status; i++)
        status = fal_check_momentum(device, COUNTS[i], i == 2, i % 2, worst);
    return status;
}

/* Both forms, both ways round */
static fal_status newton_schulz(fal_device *device, double *worst)
{
    static const size_t shapes[][2] = {{1, 1},   {5, 3},    {33, 47},
                                       {9, 100}, {130, 17}, {20, 257}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < COUNT(shapes) && !status; i++)
        status = fal_check_newton_schulz(device, NULL, shapes[i][0], shapes[i][1],
                                         2e-5, worst);
    return status;
}

static fal_status gram(fal_device *device, double *worst)
{
    static const size_t shapes[][2] = {{1, 1}, {17, 33}, {35, 10}, {66, 131}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 4 * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i / 4];
        status = fal_check_gram(device, s[0], s[1], i & 1, i & 2, worst);
    }
    return status;
}

/* All responses under bp and dfa, with and without noise */
static fal_status teacher_student(fal_device *device, double *worst)
{
    /* Inputs, students, teachers */
    static const size_t shapes[][3] = {{1, 1, 1}, {67, 3, 2}, {500, 4, 4}};
    fal_status status = FAL_OK;
    *worst = 0;
    for (size_t i = 0; i < 6 * COUNT(shapes) && !status; i++) {
        const size_t *s = shapes[i / 6];
        fal_teacher_student is = {
            (fal_response)(i % 3), i / 3 % 2, s[0], s[1], s[2], .2, i % 2 ? .1 : 0};
        status = fal_check_teacher_student(device, &is, 2, worst);
    }
    return status;
}

const fal_check fal_checks[] = {
    {"gemm", gemm},
    {"carriers", carriers},
    {"symmetric", symmetric},
    {"gemm_blend", gemm_blend},
    {"gemm_update", gemm_update},
    {"conv", conv},
    {"conv_data", conv_data},
    {"conv_weight", conv_weight},
    {"strips", strips},
    {"winograd", winograd},
    {"activation", activation},
    {"derivative", derivative},
    {"loss", loss},
    {"clip", clip},
    {"batch_norm", batch_norm},
    {"layer_norm", layer_norm},
    {"center", center},
    {"running", running},
    {"pool", pool},
    {"join", join},
    {"sum", sum},
    {"spread", spread},
    {"dropout", dropout},
    {"momentum", momentum},
    {"newton_schulz", newton_schulz},
    {"update", update},
    {"random_fill", random_fill},
    {"signs", signs},
    {"gather", gather},
    {"augment", augment},
    {"gram", gram},
    {"teacher_student", teacher_student},
};
const size_t fal_check_count = COUNT(fal_checks);

fal_status fal_check_probe(fal_device *device, double *worst)
{
    fal_product p = {.m = 17, .n = 33, .k = 65};
    *worst = 0;
    return fal_check_gemm(device, &p, 0, worst);
}
