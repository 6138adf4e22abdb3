/* Online learning of a student from a teacher (Refinetti et al. 2021, 5B of the
 * science): a fresh sample x ~ N(0, I) of `inputs` numbers each step,
 *   fields  a_r = w_r . x / sqrt(N), the students' first, then the teachers'
 *   error   e = sum z_r g(a_r) + noise * N(0, 1), z = (-v, A)
 *   w_k  += eta / sqrt(N) * C_k g'(a_k) e x, C = F if `direct`, else v
 *   v_k  += eta / N * g(a_k) e
 * with all that stands right of += from before the step.
 *
 * A group does one run, many steps a launch. A run's numbers lie together, in floats
 * (host/ops/teacher_student.h has the places):
 *   rows [ceil(fields / ROWS) * ROWS][pitch], z [FIELDS], F [FIELDS], x [2][pitch]
 * What lies behind row `fields` and behind column `inputs` is 0 and stays so.
 *
 * Element i of step t's draw is x_i, element 4 ceil(N / 4) the noise
 * (cl/common_random.cl: numbers, whose `draw` is t). Built alone, when first wanted. */
#define ROWS 4    /* at a time */
#define FIELDS 64 /* at most */

#define ERF 0
#define RECTIFIED 1
#define ROOT_HALF 0.70710678118654752f
#define ROOT_2_PI 0.79788456080286536f /* of 2 / pi */

typedef struct committee {
    int response, direct;
    uint inputs, students, fields, pitch;
    float unit, rate_weights, rate_outputs, noise; /* 1/sqrt(N), eta/sqrt(N), eta/N */
} committee;

typedef struct teacher_span {
    uint first, steps;
} teacher_span;

/* g(a), and g'(a) in *slope */
INLINE floatv respond(int response, floatv a, floatv *slope)
{
    if (response == ERF) {
        *slope = ROOT_2_PI * exp(-0.5f * a * a);
        return erf(a * ROOT_HALF);
    }
    *slope = 1;
    if (response == RECTIFIED) {
        *slope = a <= (floatv)0 ? (floatv)0 : (floatv)1;
        return a <= (floatv)0 ? (floatv)0 : a;
    }
    return a;
}

#if CPU_LIKE
/* Draws x and returns the noise. Words first, numbers of them after: two short loops,
 * whose turns overlap where those of one long loop wait for each other. */
INLINE float draw_sample(numbers of, committee c, __global float *x)
{
    ROLL for (uint i = 0; i < c.pitch; i += DRAWN) {
        uintv words[2];
        draw_words(of, i / 4, words);
        ALL for (int j = 0; j < 2; j++) vstorev(as_floatv(words[j]), j, x + i);
    }
    ROLL for (uint i = 0; i < c.pitch; i += DRAWN) {
        uintv words[2];
        floatv v[2];
        ALL for (int j = 0; j < 2; j++) words[j] = as_uintv(vloadv(j, x + i));
        make_normal(words, 1, v);
        ALL for (int j = 0; j < 2; j++) vstorev(v[j], j, x + i);
    }
    const float noise = x[(c.inputs + 3) / 4 * 4];
    ROLL for (uint i = c.inputs / VW * VW; i < c.pitch; i += VW) {
        const floatv v = vloadv(0, x + i);
        vstorev(LANES + (int)i < (intv)(int)c.inputs ? v : (floatv)0, 0, x + i);
    }
    return noise;
}

INLINE void multiply_rows(__global const float *rows, __global const float *x,
                          uint pitch, float unit, float *fields)
{
    floatv sums[ROWS];
    ALL for (int r = 0; r < ROWS; r++) sums[r] = 0;
    ROLL for (uint i = 0; i < pitch; i += VW) {
        const floatv v = vloadv(0, x + i);
        ALL for (int r = 0; r < ROWS; r++)
            sums[r] += vloadv(0, rows + r * pitch + i) * v;
    }
    ALL for (int r = 0; r < ROWS; r++) fields[r] = unit * sum_lanes(sums[r]);
}

INLINE void add_to_rows(__global float *rows, __global const float *x, uint pitch,
                        const float *scales)
{
    ROLL for (uint i = 0; i < pitch; i += VW) {
        const floatv v = vloadv(0, x + i);
        ALL for (int r = 0; r < ROWS; r++)
        {
            __global float *at = rows + r * pitch + i;
            *(__global anywhere *)at += scales[r] * v;
        }
    }
}

/* From the fields: how much of x goes to each row; z moves on. */
INLINE void learn(committee c, const float *fields, float noise, float *z,
                  const float *feedback, float *scales)
{
    floatv g[FIELDS / VW], slopes[FIELDS / VW], sum = 0;
    ROLL for (uint i = 0; i < FIELDS / VW && i * VW < c.fields; i++) {
        g[i] = respond(c.response, vloadv(i, fields), &slopes[i]);
        sum += vloadv(i, z) * g[i];
    }
    const float error = sum_lanes(sum) + c.noise * noise;
    ROLL for (uint i = 0; i < FIELDS / VW && i * VW < c.fields; i++) {
        const intv learns = LANES + (int)(i * VW) < (intv)(int)c.students;
        const floatv old = vloadv(i, z);
        const floatv carrier = c.direct ? vloadv(i, feedback) : -old;
        const floatv scale = c.rate_weights * error * carrier * slopes[i];
        vstorev(learns ? scale : (floatv)0, i, scales);
        vstorev(learns ? old - c.rate_outputs * error * g[i] : old, i, z);
    }
}

__kernel void teacher_student(numbers of, committee c, __global const uint *seeds,
                              ulong seeds_at, __global float *states,
                              ulong states_at, ulong stride, teacher_span span)
{
    const uint run = get_group_id(0), held = (c.fields + ROWS - 1) / ROWS * ROWS;
    __global float *rows = states + states_at + run * stride;
    __global float *outputs = rows + held * c.pitch, *x = outputs + 2 * FIELDS;
    float fields[FIELDS], z[FIELDS], feedback[FIELDS], scales[FIELDS];
    ROLL for (uint r = 0; r < FIELDS; r++) {
        fields[r] = 0;
        z[r] = outputs[r];
        feedback[r] = outputs[FIELDS + r];
    }
    of.key_low = seeds[seeds_at + 2 * run];
    of.key_high = seeds[seeds_at + 2 * run + 1];
    ROLL for (uint step = 0; step < span.steps; step++) {
        of.draw = span.first + step;
        const float noise = draw_sample(of, c, x);
        ROLL for (uint r = 0; r < c.fields; r += ROWS)
            multiply_rows(rows + r * c.pitch, x, c.pitch, c.unit, fields + r);
        learn(c, fields, noise, z, feedback, scales);
        ROLL for (uint r = 0; r < c.students; r += ROWS)
            add_to_rows(rows + r * c.pitch, x, c.pitch, scales + r);
    }
    ROLL for (uint r = 0; r < FIELDS; r++) outputs[r] = z[r];
}

#else
#define TEAM (GROUP / ROWS)  /* items that share a row */
#define SLICE (TEAM * 4 * 4) /* of a row that they do in a turn; divides the pitch */

/* Loop turns a step: host/ops/teacher_student.c counts them. */

INLINE float sum_16(float16 v)
{
    const float8 w = v.lo + v.hi;
    const float4 u = w.lo + w.hi;
    return (u.x + u.z) + (u.y + u.w);
}

/* The group's share each; the noise goes to one place. */
INLINE void draw_sample(numbers of, committee c, __global float *x,
                        __local float *noise)
{
    for (uint counter = get_local_id(0); 4 * counter < c.pitch; counter += GROUP) {
        const float4 v = draw(of, counter);
        const int4 at = (int4)(0, 1, 2, 3) + (int)(4 * counter);
        if (counter == (c.inputs + 3) / 4)
            *noise = v.x;
        vstore4(at < (int4)(int)c.inputs ? v : (float4)0, counter, x);
    }
}

/* This item's part of its row's sum */
INLINE float multiply_row(__global const float *row, __global const float *x,
                          uint pitch, uint lane)
{
    float4 sum = 0;
    for (uint i = 4 * lane; i < pitch; i += SLICE) {
        sum += vload4(0, row + i) * vload4(0, x + i);
        sum += vload4(TEAM, row + i) * vload4(TEAM, x + i);
        sum += vload4(2 * TEAM, row + i) * vload4(2 * TEAM, x + i);
        sum += vload4(3 * TEAM, row + i) * vload4(3 * TEAM, x + i);
    }
    return (sum.x + sum.z) + (sum.y + sum.w);
}

INLINE void add_to_four(__global float *row, __global const float *x, float scale)
{
    vstore4(vload4(0, row) + scale * vload4(0, x), 0, row);
}

INLINE void add_to_row(__global float *row, __global const float *x, uint pitch,
                       uint lane, float scale)
{
    for (uint i = 4 * lane; i < pitch; i += SLICE) {
        add_to_four(row + i, x + i, scale);
        add_to_four(row + i + 4 * TEAM, x + i + 4 * TEAM, scale);
        add_to_four(row + i + 8 * TEAM, x + i + 8 * TEAM, scale);
        add_to_four(row + i + 12 * TEAM, x + i + 12 * TEAM, scale);
    }
}

/* x is drawn into two places in turn: the barrier between drawing and multiplying
 * then serves the rows too. */
__kernel void teacher_student(numbers of, committee c, __global const uint *seeds,
                              ulong seeds_at, __global float *states,
                              ulong states_at, ulong stride, teacher_span span)
{
    __local float parts[FIELDS * TEAM], terms[FIELDS], slopes[FIELDS], noise;
    const uint run = get_group_id(0), held = (c.fields + ROWS - 1) / ROWS * ROWS;
    const uint item = get_local_id(0), of_four = item / TEAM, lane = item % TEAM;
    __global float *rows = states + states_at + run * stride;
    __global float *outputs = rows + held * c.pitch, *samples = outputs + 2 * FIELDS;
    float z = outputs[item];
    const float feedback = outputs[FIELDS + item];
    of.key_low = seeds[seeds_at + 2 * run];
    of.key_high = seeds[seeds_at + 2 * run + 1];
    for (uint step = 0; step < span.steps; step++) {
        __global float *x = samples + (step & 1) * c.pitch;
        of.draw = span.first + step;
        draw_sample(of, c, x, &noise);
        barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);

        for (uint r = of_four; r < held; r += ROWS)
            parts[r * TEAM + lane] = multiply_row(rows + r * c.pitch, x, c.pitch,
                                                  lane);
        barrier(CLK_LOCAL_MEM_FENCE);

        float g = 0, slope = 0;
        if (item < c.fields)
            g = respond(c.response, c.unit * sum_16(vload16(item, parts)), &slope);
        const float carrier = c.direct ? feedback : -z;
        terms[item] = z * g + (item == 0 ? c.noise * noise : 0.0f);
        slopes[item] = item < c.students ? c.rate_weights * carrier * slope : 0.0f;
        barrier(CLK_LOCAL_MEM_FENCE);

        const float error = sum_16((vload16(0, terms) + vload16(1, terms)) +
                                   (vload16(2, terms) + vload16(3, terms)));
        for (uint r = of_four; r < c.students; r += ROWS)
            add_to_row(rows + r * c.pitch, x, c.pitch, lane, error * slopes[r]);
        if (item < c.students)
            z -= c.rate_outputs * error * g;
    }
    outputs[item] = z;
}

#undef TEAM
#undef SLICE
#endif

#undef ROWS
#undef FIELDS
#undef ERF
#undef RECTIFIED
#undef ROOT_HALF
#undef ROOT_2_PI
