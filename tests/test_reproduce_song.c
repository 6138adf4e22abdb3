/* falign reproduce song, its tiny form: runs against the paper's equations,
 * computed here in double from the same start; figures against recorded bounds. */
#include "tool.h"

#include "analysis/tangent_kernel.h"
#include "data/random.h"
#include "learning.h"
#include "results.h"

/* ---- the equations ------------------------------------------------------- */

enum { N = 10, D = 30, P = 50, STEPS = 300 };

enum course { ALWAYS, CUT, FALLING };

/* As experiment.yaml has it for the tiny form; the seed is 1. */
typedef struct run {
    const char *key, *layer;
    fal_phi phi;
    double rate, decay;
    int summed;
    enum course course;
} run;

typedef struct network {
    double w[P][D], beta[P], b[P], x[N][D], y[N];
} network;

static double psi(fal_phi phi, double a)
{
    return phi == FAL_LINEAR ? a : phi == FAL_RELU ? fmax(a, 0) : tanh(a);
}

static double slope(fal_phi phi, double a)
{
    return phi == FAL_LINEAR ? 1 : phi == FAL_RELU ? a > 0 : 1 - tanh(a) * tanh(a);
}

static void fields_of(const network *net, size_t sample, double fields[P])
{
    for (size_t r = 0; r < P; r++) {
        fields[r] = 0;
        for (size_t k = 0; k < D; k++)
            fields[r] += net->w[r][k] * net->x[sample][k];
    }
}

static double output_of(const run *of, const network *net, const double fields[P])
{
    double sum = 0;
    for (size_t r = 0; r < P; r++)
        sum += net->beta[r] * psi(of->phi, fields[r]);
    return sum / sqrt(P);
}

static double decay_at(const run *of, size_t step)
{
    if (of->course == ALWAYS)
        return of->decay;
    if (step >= STEPS / 2)
        return 0;
    return of->course == CUT ? of->decay
                             : of->decay * (1 - (double)step / (STEPS / 2));
}

/* Returns the mean of e² before the step. */
static double step(const run *of, network *net, size_t number_of)
{
    static double fields[N][P];
    double e[N], loss = 0;
    /* of half the sum of e²; of the mean of e² */
    double eta = of->summed ? of->rate : of->rate * 2 / N;
    for (size_t i = 0; i < N; i++) {
        fields_of(net, i, fields[i]);
        e[i] = output_of(of, net, fields[i]) - net->y[i];
        loss += e[i] * e[i] / N;
    }
    for (size_t r = 0; r < P; r++) {
        net->beta[r] *= 1 - of->rate * decay_at(of, number_of);
        for (size_t i = 0; i < N; i++) {
            double size = eta / sqrt(P) * e[i];
            net->beta[r] -= size * psi(of->phi, fields[i][r]);
            for (size_t k = 0; k < D; k++)
                net->w[r][k] -= size * net->b[r] * slope(of->phi, fields[i][r]) *
                                net->x[i][k];
        }
    }
    return loss;
}

static double cosine(const network *net)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t r = 0; r < P; r++) {
        ab += net->beta[r] * net->b[r];
        aa += net->beta[r] * net->beta[r];
        bb += net->b[r] * net->b[r];
    }
    return ab / sqrt(aa * bb);
}

/* ---- the same start ------------------------------------------------------ */

static void take(fal_model *model, network *net)
{
    size_t n;
    float *w = model_floats(model, "dense1.weight", &n);
    assert_int_equal(n, P * D);
    for (size_t i = 0; i < n; i++)
        net->w[i / D][i % D] = (double)w[i];
    fal_release(w);
    float *beta = model_floats(model, "dense2.weight", &n);
    for (size_t r = 0; r < P; r++)
        net->beta[r] = (double)beta[r];
    fal_release(beta);
}

static fal_model *draw(const run *of, uint64_t seed, network *net)
{
    char text[128];
    fal_model *model = NULL;
    fal_model_options options = FAL_MODEL_OPTIONS;
    snprintf(text, sizeof text, "input %d, dense %d nobias, %s, dense 1 nobias", D,
             P, of->layer);
    options.seed = seed;
    options.weight_law = "normal:1";
    must(fal_model_create(&model, device, text, &options));
    take(model, net);
    return model;
}

static void draw_feedback(fal_model *model, network *net)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    size_t n;
    options.rule = "fa";
    options.feedback_law = "normal:1";
    options.feedback_seed = 1;
    fal_trainer *trainer = trainer_of(model, &options);
    float *b = trainer_floats(trainer, "dense2.feedback", &n);
    assert_int_equal(n, P);
    for (size_t r = 0; r < P; r++)
        net->b[r] = (double)b[r];
    fal_release(b);
    fal_trainer_destroy(trainer);
}

static double theta(size_t k)
{
    return (double)fal_random_gaussian(1, FAL_PURPOSE_TEACHER, 0, 0, k, 1);
}

static void begin(const run *of, network *net)
{
    double fields[P];
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < D; k++)
            net->x[i][k] = (double)fal_random_gaussian(1, FAL_PURPOSE_SAMPLE, 0,
                                                       (uint32_t)i, k, 1);
    fal_model_destroy(draw(of, ((uint64_t)1 << 32) + 1, net));
    for (size_t i = 0; i < N; i++) {
        fields_of(net, i, fields);
        net->y[i] = of->phi == FAL_LINEAR ? 0 : output_of(of, net, fields);
        for (size_t k = 0; k < D && of->phi == FAL_LINEAR; k++)
            net->y[i] += theta(k) * net->x[i][k];
    }
    fal_model *model = draw(of, 1, net);
    draw_feedback(model, net);
    fal_model_destroy(model);
}

/* ---- runs ---------------------------------------------------------------- */

static void expect(const run *of, const char *what, size_t at, double found,
                   double expected, double allowed)
{
    if (!(fabs(found - expected) <= allowed))
        fail_msg("%s, step %zu: %s %g, not %g", of->key, at, what, found, expected);
}

/* Losses above 1e-5 of the start are as double's, for float32 carries the errors of
 * numbers of that size. */
static void check_run(const run *of)
{
    static network net;
    char name[160];
    snprintf(name, sizeof name, "out/parts/%s.json", of->key);
    cJSON *part = read_json(name);
    const cJSON *at = cJSON_GetObjectItem(part, "steps");
    const cJSON *losses = cJSON_GetObjectItem(part, "losses");
    const cJSON *cosines = cJSON_GetObjectItem(part, "cosines");
    begin(of, &net);
    double start = 0;
    int reading = 0;
    for (size_t s = 0; s <= STEPS; s++) {
        double now = cosine(&net), loss = step(of, &net, s);
        start = s ? start : loss;
        if (s != (size_t)cJSON_GetArrayItem(at, reading)->valuedouble)
            continue;
        expect(of, "loss", s, cJSON_GetArrayItem(losses, reading)->valuedouble,
               loss, 1e-4 * loss + 1e-9 * start);
        expect(of, "cosine", s, cJSON_GetArrayItem(cosines, reading)->valuedouble,
               now, 1e-5);
        reading++;
    }
    assert_int_equal(reading, cJSON_GetArraySize(at));
    assert_true(reading > 40);
    cJSON_Delete(part);
}

static void runs_follow_the_equations(void **state)
{
    static const run runs[] = {
        {"linear-p50-l0-s1", "linear", FAL_LINEAR, .005, 0, 1, ALWAYS},
        {"linear-p50-l3-s1", "linear", FAL_LINEAR, .005, 3, 1, ALWAYS},
        {"linear-mean-p50-l0.6-s1", "linear", FAL_LINEAR, .025, .6, 0, ALWAYS},
        {"relu-p50-l3-cut-s1", "relu", FAL_RELU, .01, 3, 0, CUT},
        {"tanh-p50-l0.03-falling-s1", "tanh", FAL_TANH, .5, .03, 0, FALLING},
    };
    (void)state;
    assert_good("reproduce song --tiny --data $D --out out --quiet");
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        check_run(&runs[i]);
}

/* ---- figures ------------------------------------------------------------- */

/* The bounds are a hundredth or less of the figures. Each of these was tried and breaks
 * at least one (the equations above see the first nine too): the step or the decay of the
 * mean loss not doubled or halved, mean for sum, another seed of weights, of feedback or
 * of the teacher, 1/p for 1/sqrt(p), cut for falling, alignment kept since the start and
 * not since the middle, rates by the other kernel, by the kernel without its share of w,
 * by scale for scale², by half the step or over another window; of the images decay on
 * all layers, no scale, another seed of feedback or of the order (the last moves only
 * their accuracy). */
static void recorded_figures(void **state)
{
    static const recorded_figure recorded[] = {
        {"linear-p50-l0-gain", .124588, .001},
        {"linear-p200-l3-final", .747157, .001},
        {"linear-p50-l0-rate", 1.92645, .01},
        {"linear-mean-p50-l0.6-final", .701197, .001},
        {"relu-p50-l0-gain", .156445, .001},
        {"relu-p50-l0-gain-by-root", 1.10623, .007},
        {"relu-p50-l3-loss", .0423941, .0005},
        {"relu-p50-l3-cut-kept", 1.10034, .002},
        {"relu-p200-l0-rate-whole", 1.20655, .01},
        {"tanh-p50-l0-gain", .222190, .001},
        {"tanh-p50-l0.03-falling-final", .281146, .001},
        {"tanh-p200-l0-rate", .778402, .01},
        {"images-l0-final", -.0324985, .0005},
        {"images-l0-accuracy", .284, .015},
        {"images-l0.3-final", -.0235471, .0005},
        {"images-l0.3-accuracy", .426, .015},
    };
    (void)state;
    assert_good("reproduce song --tiny --data $D --out out --quiet");
    expect_figures(recorded, sizeof recorded / sizeof *recorded);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(runs_follow_the_equations),
        TEST(recorded_figures),
    };
    return cmocka_run_group_tests_name("reproduce song", tests, open_device,
                                       close_device);
}
