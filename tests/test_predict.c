/* falign predict and evaluate's splits as a user meets them. Models are made through
 * the library, so that what they must say is known. */
#include "cli/inputs.h"
#include "learning.h"
#include "tool.h"

#include <cjson/cJSON.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect(const char *line, const char *out)
{
    const struct tool *tool = tool_run(line);
    if (tool->code != 0 || *tool->error)
        fail_msg("%s: %d: %s", line, tool->code, tool->error);
    assert_string_equal(tool->out, out);
}

/* ---- files --------------------------------------------------------------- */

static void write_idx(const char *path, size_t dimensions, const uint8_t *shape,
                      const uint8_t *values, size_t bytes)
{
    uint8_t head[24] = {0, 0, 8, (uint8_t)dimensions};
    for (size_t i = 0; i < dimensions; i++)
        head[7 + 4 * i] = shape[i];
    tool_write_parts(path, head, 4 + 4 * dimensions, values, bytes);
}

/* ---- models -------------------------------------------------------------- */

/* Writes m.safetensors: the outputs are the inputs; `names` may be NULL. */
static void write_identity(const char *input, size_t n, const char *const *names,
                           int real)
{
    char network[64];
    float *values = room(n * n, sizeof *values);
    fal_arrays arrays = random_arrays(2, n, n, real);
    fal_model_options options = FAL_MODEL_OPTIONS;
    fal_model *model = NULL;
    arrays.class_names = names;
    fal_dataset *data = dataset_of(&arrays);
    options.data = data;
    for (size_t i = 0; i < n; i++)
        values[i * n + i] = 1;
    snprintf(network, sizeof network, "input %s, dense %zu nobias", input, n);
    must(fal_model_create(&model, device, network, &options));
    must(fal_model_tensor_set(model, "dense1.weight", values, n * n));
    must(fal_model_save(model, "m.safetensors"));
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
    fal_release(values);
}

static const char *const pets[] = {"cat", "armadillo", "dog"};

/* Softmax: .0900 .2447 .6652, and all the same. */
static const float samples[] = {1, 2, 3, 7, 7, 7};

/* ---- lines --------------------------------------------------------------- */

static void a_line_a_sample(void **state)
{
    (void)state;
    write_identity("3", 3, pets, 0);
    tool_write_npy("x.npy", "<f4", "(2, 3)", samples, sizeof samples);
    tool_write_npy("one.npy", "<f4", "(3,)", samples, 3 * sizeof *samples);
    expect("predict m.safetensors x.npy", "x.npy[0]  dog       0.6652\n"
                                          "x.npy[1]  cat       0.3333\n");
    expect("predict m.safetensors one.npy --top 2",
           "one.npy[0]  dog       0.6652  armadillo 0.2447\n");
    expect("predict --top=9 m.safetensors one.npy x.npy",
           "one.npy[0]  dog       0.6652  armadillo 0.2447  cat       0.0900\n"
           "x.npy[0]  dog       0.6652  armadillo 0.2447  cat       0.0900\n"
           "x.npy[1]  cat       0.3333  armadillo 0.3333  dog       0.3333\n");
    expect("predict m.safetensors x.npy --quiet", "");
    write_identity("3", 3, NULL, 0);
    expect("predict m.safetensors one.npy --top 2",
           "one.npy[0]  2 0.6652  1 0.2447\n");
}

static void indices_are_aligned(void **state)
{
    float many[11 * 3] = {0};
    (void)state;
    write_identity("3", 3, pets, 0);
    tool_write_npy("x.npy", "<f4", "(11, 3)", many, sizeof many);
    const char *out = tool_run("predict m.safetensors x.npy")->out;
    assert_has(out, "x.npy[9]   cat       0.3333\n");
    assert_has(out, "x.npy[10]  cat       0.3333\n");
}

/* The next object of lines of JSON. */
static cJSON *next_object(const char **text)
{
    cJSON *object = cJSON_ParseWithOpts(*text, text, 0);
    assert_non_null(object);
    assert_int_equal(**text, '\n');
    ++*text;
    return object;
}

static void expect_class(const cJSON *top, int place_in_top, int class,
                         const char *name, double probability)
{
    const cJSON *item = cJSON_GetArrayItem(top, place_in_top),
                *said = cJSON_GetObjectItem(item, "name");
    assert_int_equal(cJSON_GetArraySize(item), 3);
    assert_int_equal(cJSON_GetObjectItem(item, "class")->valueint, class);
    if (name)
        assert_string_equal(said->valuestring, name);
    else
        assert_true(cJSON_IsNull(said));
    assert_true(fabs(cJSON_GetObjectItem(item, "probability")->valuedouble -
                     probability) < 1e-6);
}

static void an_object_a_line(void **state)
{
    (void)state;
    for (int named = 0; named < 2; named++) {
        write_identity("3", 3, named ? pets : NULL, 0);
        tool_write_npy("x.npy", "<f4", "(2, 3)", samples, sizeof samples);
        const struct tool *tool = tool_run(
            "predict m.safetensors x.npy --json --quiet --top 3");
        const char *text = tool->out;
        assert_int_equal(tool->code, 0);
        for (int i = 0; i < 2; i++) {
            cJSON *object = next_object(&text);
            const cJSON *top = cJSON_GetObjectItem(object, "top");
            double sum = exp(1) + exp(2) + exp(3);
            assert_int_equal(cJSON_GetArraySize(object), 3);
            assert_string_equal(cJSON_GetObjectItem(object, "input")->valuestring,
                                "x.npy");
            assert_int_equal(cJSON_GetObjectItem(object, "index")->valueint, i);
            assert_int_equal(cJSON_GetArraySize(top), 3);
            for (int c = 0; c < 3; c++) {
                int class = i == 0 ? 2 - c : c;
                expect_class(top, c, class, named ? pets[class] : NULL,
                             i == 0 ? exp(class + 1) / sum : 1.0 / 3);
            }
            cJSON_Delete(object);
        }
        assert_string_equal(text, "");
    }
}

/* Outputs that exp alone could not take. */
static void large_outputs_have_probabilities(void **state)
{
    static const float large[] = {1000, -1000, 999};
    (void)state;
    write_identity("3", 3, pets, 0);
    tool_write_npy("x.npy", "<f4", "(3,)", large, sizeof large);
    expect("predict m.safetensors x.npy --top 3",
           "x.npy[0]  cat       0.7311  dog       0.2689  armadillo 0.0000\n");
}

static void real_outputs(void **state)
{
    static const float values[] = {0.25f, -3, 1e6f};
    (void)state;
    write_identity("3", 3, NULL, 1);
    tool_write_npy("x.npy", "<f4", "(3,)", values, sizeof values);
    expect("predict m.safetensors x.npy",
           "x.npy[0]          0.25            -3         1e+06\n");
    expect("predict m.safetensors x.npy --json",
           "{\"input\":\"x.npy\",\"index\":0,\"outputs\":[0.25,-3,1000000]}\n");
    const struct tool *tool = tool_run("predict m.safetensors x.npy --top 1");
    assert_int_equal(tool->code, 2);
    assert_string_equal(tool->out, "");
    assert_has(tool->error, "--top");
    assert_has(tool->error, "real numbers");
}

static void bytes_are_255_parts(void **state)
{
    static const uint8_t bytes[] = {0, 51, 255}, shape[] = {1, 3};
    (void)state;
    write_identity("3", 3, NULL, 1);
    write_idx("x.idx", 2, shape, bytes, sizeof bytes);
    tool_write_npy("x.npy", "|u1", "(3,)", bytes, sizeof bytes);
    assert_int_equal(system("gzip -k x.idx"), 0);
    expect("predict m.safetensors x.idx x.idx.gz x.npy",
           "x.idx[0]             0           0.2             1\n"
           "x.idx.gz[0]             0           0.2             1\n"
           "x.npy[0]             0           0.2             1\n");
}

/* More samples than are predicted at a time: each as if it were alone. */
static void many_samples(void **state)
{
    enum { N = 5000 };
    static float values[N];
    char line[64], expected[64], command[512];
    (void)state;
    write_identity("1", 1, NULL, 1);
    for (size_t i = 0; i < N; i++)
        values[i] = (float)i;
    tool_write_npy("x.npy", "<f4", "(5000,)", values, sizeof values);
    snprintf(command, sizeof command, "'%s' predict m.safetensors x.npy >out",
             getenv("FALIGN_BINARY"));
    assert_int_equal(system(command), 0);
    FILE *out = fopen("out", "r");
    for (size_t i = 0; i < N; i++) {
        int width = snprintf(expected, sizeof expected, "x.npy[%zu]", i);
        snprintf(expected + width, sizeof expected - (size_t)width, "%*s  %12zu\n",
                 11 - width, "", i);
        assert_non_null(fgets(line, sizeof line, out));
        assert_string_equal(line, expected);
    }
    assert_null(fgets(line, sizeof line, out));
    fclose(out);
}

static void data_sets_are_predicted(void **state)
{
    const int64_t labels[] = {0, 1};
    (void)state;
    write_identity("3", 3, pets, 0);
    mkdir("data", 0700);
    tool_write_npy("data/train-x.npy", "<f4", "(1, 3)", samples, 12);
    tool_write_npy("data/train-y.npy", "<i8", "(1,)", labels, 8);
    tool_write_npy("data/test-x.npy", "<f4", "(2, 3)", samples, sizeof samples);
    tool_write_npy("data/test-y.npy", "<i8", "(2,)", labels, sizeof labels);
    expect("predict m.safetensors --data ./data",
           "./data[0]  dog       0.6652\n./data[1]  cat       0.3333\n");
    expect("predict m.safetensors data/test-x.npy --data ./data --split train",
           "data/test-x.npy[0]  dog       0.6652\n"
           "data/test-x.npy[1]  cat       0.3333\n"
           "./data[0]  dog       0.6652\n");
    expect("predict m.safetensors --data ./data --samples 1 --quiet", "");
    write_identity("1x2x3", 6, NULL, 0);
    const struct tool *tool = tool_run("predict m.safetensors --data ./data");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, "'./data': its shape is [2][1][1][3], the model takes "
                            "[1][2][3]");
    write_identity("6", 6, NULL, 0); /* two samples are no larger one */
    tool = tool_run("predict m.safetensors --data ./data");
    assert_has(tool->error, "'./data': its shape is [2][1][1][3], the model takes");
    tool = tool_run("predict m.safetensors data/test-x.npy --samples 1");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "--samples");
}

/* ---- shapes -------------------------------------------------------------- */

struct form {
    fal_model_info model;
    const char *shape; /* of the file */
    size_t samples;    /* 0: refused */
};

static void shapes_fit_or_are_refused(void **state)
{
    const fal_model_info map = {.height = 2, .width = 3, .channels = 1},
                         colors = {.height = 1, .width = 2, .channels = 3},
                         row = {.height = 1, .width = 1, .channels = 6},
                         number = {.height = 1, .width = 1, .channels = 1};
    const struct form forms[] = {
        {map, "(2, 3)", 1},
        {map, "(2, 3, 1)", 1},
        {map, "(6,)", 1},
        {map, "(2, 2, 3)", 2},
        {map, "(2, 6)", 2},
        {map, "(2, 2, 3, 1)", 2},
        {map, "(1, 2, 3)", 1},
        {map, "(3, 2)", 0},
        {map, "(2, 3, 2)", 0},
        {map, "(2, 1, 6)", 0},
        {map, "(12,)", 0},
        {map, "(6, 2)", 0},
        {colors, "(6,)", 1},
        {colors, "(1, 2, 3)", 1},
        {colors, "(2, 6)", 2},
        {colors, "(2, 3)", 0},
        {colors, "(2, 1, 2, 3)", 2},
        {colors, "(2, 2, 3)", 0},
        {row, "(6,)", 1},
        {colors, "(3, 1, 2)", 0},
        {row, "(2, 6)", 2},
        {row, "(2, 3)", 1},
        {row, "(2, 2, 3)", 2},
        {row, "(12,)", 0},
        {number, "(5,)", 5},
        {number, "(5, 1)", 5},
        {number, "(5, 2)", 0},
    };
    float values[12] = {0};
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        cli_inputs inputs = {.count = 0};
        size_t numbers = 1;
        for (const char *c = forms[i].shape; *c; c++)
            if (*c >= '0' && *c <= '9') {
                numbers *= strtoul(c, NULL, 10);
                c += strspn(c, "0123456789") - 1;
            }
        tool_write_npy("x.npy", "<f4", forms[i].shape, values,
                       numbers * sizeof *values);
        fal_status status = cli_inputs_read(&inputs, "x.npy", &forms[i].model);
        if (status != (forms[i].samples ? FAL_OK : FAL_ERROR_FORMAT) ||
            inputs.count != forms[i].samples)
            fail_msg("%zu, %s: %zu samples", i, forms[i].shape, inputs.count);
        assert_true(status ||
                    inputs.count * inputs.stride == numbers * sizeof *values);
        fal_release(inputs.values);
    }
}

static void both_sizes_are_named(void **state)
{
    float values[12] = {0};
    (void)state;
    write_identity("1x2x3", 6, NULL, 0);
    tool_write_npy("x.npy", "<f4", "(4, 3)", values, sizeof values);
    const struct tool *tool = tool_run("predict m.safetensors x.npy");
    assert_has(tool->error, "reading 'x.npy': its shape is [4][3], the model takes "
                            "[1][2][3] or [count][1][2][3]; ");
    assert_true(tool_fits(tool->lines));
}

/* ---- mistakes ------------------------------------------------------------ */

static void wrong_use_is_said(void **state)
{
    static const struct {
        const char *line;
        int code;
        const char *parts[2];
    } uses[] = {
        {"predict", 2, {"MODEL", "missing"}},
        {"predict m.safetensors", 2, {"FILE", "missing"}},
        {"predict nonesuch x.npy", 1, {"'nonesuch'", "No such file"}},
        {"predict m.safetensors x.npy --top 0", 2, {"--top", "from 1"}},
        {"predict m.safetensors x.npy --tpo 3", 2, {"--tpo", "mean '--top'"}},
        {"predict x.npy x.npy", 1, {"x.npy", "safetensors"}},
    };
    (void)state;
    write_identity("3", 3, pets, 0);
    tool_write_npy("x.npy", "<f4", "(2, 3)", samples, sizeof samples);
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        const struct tool *tool = tool_run(uses[i].line);
        if (tool->code != uses[i].code)
            fail_msg("%s: %d: %s", uses[i].line, tool->code, tool->error);
        assert_string_equal(tool->out, "");
        for (int part = 0; part < 2; part++)
            assert_has(tool->error, uses[i].parts[part]);
        assert_true(tool_fits(tool->lines));
    }
    assert_string_equal(tool_list("."), "m.safetensors x.npy");
}

/* The good ones are predicted all the same. */
static void bad_files_among_good_ones(void **state)
{
    static const uint8_t shape[] = {3, 2, 1, 1, 1};
    static const float odd[] = {1, NAN, 2};
    (void)state;
    write_identity("3", 3, pets, 0);
    tool_write_npy("x.npy", "<f4", "(2, 3)", samples, sizeof samples);
    tool_write_npy("nan.npy", "<f4", "(3,)", odd, sizeof odd);
    tool_write_npy("short.npy", "<f4", "(2, 3)", samples, sizeof samples - 1);
    write_idx("five.idx", 5, shape, shape, 5);
    tool_write_parts("text", "not", 3, " one", 4);
    tool_write_parts("empty", "", 0, "", 0);
    mkdir("folder", 0700);
    const struct tool *tool = tool_run(
        "predict m.safetensors nonesuch x.npy nan.npy text empty short.npy folder "
        "five.idx x.npy");
    assert_int_equal(tool->code, 1);
    assert_string_equal(tool->out, "x.npy[0]  dog       0.6652\n"
                                   "x.npy[1]  cat       0.3333\n"
                                   "x.npy[0]  dog       0.6652\n"
                                   "x.npy[1]  cat       0.3333\n");
    assert_has(tool->error, "'nonesuch': No such file");
    assert_has(tool->error, "'nan.npy'");
    assert_has(tool->error, "'text': is neither an IDX file nor");
    assert_has(tool->error, "'empty': ");
    assert_has(tool->error, "'short.npy': truncated");
    assert_has(tool->error, "'folder': is a folder");
    assert_has(tool->error, "'five.idx': has 5 dimensions, 1 to 4 can be read");
    assert_true(tool_fits(tool->lines));
}

/* A million lines into a pipe that nobody reads. */
static void a_closed_pipe_ends_quietly(void **state)
{
    static uint8_t values[1 << 20];
    char command[512];
    struct stat facts;
    int ends[2];
    (void)state;
    write_identity("1", 1, NULL, 1);
    tool_write_npy("x.npy", "|u1", "(1048576,)", values, sizeof values);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    pid_t child = tool_start("predict m.safetensors x.npy", ends[1]);
    close(ends[1]);
    assert_int_equal(tool_wait(child), 1);
    snprintf(command, sizeof command,
             "'%s' predict m.safetensors x.npy --json 2>said | head -1 >line",
             getenv("FALIGN_BINARY"));
    assert_int_equal(system(command), 0);
    assert_int_equal(stat("said", &facts), 0);
    assert_int_equal(facts.st_size, 0);
    char *line = tool_read("line");
    assert_string_equal(line,
                        "{\"input\":\"x.npy\",\"index\":0,\"outputs\":[0]}\n");
    free(line);
}

/* Names and paths of others do not steer the terminal; JSON has them whole. */
static void names_cannot_steer_the_terminal(void **state)
{
    static const char *const names[] = {"\x1B[31mred\n", "a\tb\x7F",
                                        "\xC2\x9B"
                                        "31m\xC3\xA9"};
    (void)state;
    write_identity("3", 3, names, 0);
    tool_write_npy("x\x1B[2J\xFF.npy", "<f4", "(3,)", samples, 3 * sizeof *samples);
    expect("predict m.safetensors 'x\x1B[2J\xFF.npy' --top 3",
           "x\\x1b[2J\\xff.npy[0]  \\xc2\\x9b31m\xC3\xA9    0.6652  "
           "a\\x09b\\x7f      0.2447  \\x1b[31mred\\x0a 0.0900\n");
    const char *out = tool_run("predict m.safetensors 'x\x1B[2J\xFF.npy' --json "
                               "--top 3")
                          ->out;
    assert_has(out, "\"input\":\"x\\u001b[2J\xEF\xBF\xBD.npy\"");
    assert_has(out, "\"name\":\"\\u001b[31mred\\n\"");
}

/* ---- evaluate ------------------------------------------------------------ */

/* Data of one class each, in which a model of zeros says class 0. */
static void write_split(const char *split, size_t zeros, size_t ones)
{
    uint8_t images[64 * 4] = {0}, labels[64] = {0}, shape[] = {0, 2, 2};
    char path[64];
    shape[0] = (uint8_t)(zeros + ones);
    memset(labels + zeros, 1, ones);
    mkdir("data", 0700);
    snprintf(path, sizeof path, "data/%s-images-idx3-ubyte", split);
    write_idx(path, 3, shape, images, 4 * (zeros + ones));
    snprintf(path, sizeof path, "data/%s-labels-idx1-ubyte", split);
    write_idx(path, 1, shape, labels, zeros + ones);
}

static void evaluate_takes_either_split(void **state)
{
    (void)state;
    fal_model_options options = FAL_MODEL_OPTIONS;
    fal_model *model = NULL;
    options.weight_law = "zero";
    must(fal_model_create(&model, device, "input 4, dense 2", &options));
    must(fal_model_save(model, "m.safetensors"));
    fal_model_destroy(model);
    write_split("train", 10, 30);
    write_split("t10k", 15, 5);
    expect("evaluate m.safetensors --data ./data",
           "samples   20\nloss      0.693147\naccuracy  0.7500\ncorrect   15\n");
    expect("evaluate m.safetensors --data ./data --split test --samples 16",
           "samples   16\nloss      0.693147\naccuracy  0.9375\ncorrect   15\n");
    expect("evaluate m.safetensors --data ./data --split train",
           "samples   40\nloss      0.693147\naccuracy  0.2500\ncorrect   10\n");
    expect("evaluate m.safetensors --data ./data --split train --samples 20",
           "samples   20\nloss      0.693147\naccuracy  0.5000\ncorrect   10\n");
    const struct tool *tool = tool_run(
        "evaluate m.safetensors --data ./data --split trian");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error,
               "unknown split 'trian'; known: test, train, validation; did you "
               "mean 'train'?");
    tool = tool_run("evaluate m.safetensors --data ./data --samples 21");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "21");
}

/* A model that knows no run's loss: real targets leave but one. */
static void evaluate_takes_real_targets(void **state)
{
    static const float targets[] = {1, 2, 3, 7, 7, 10};
    (void)state;
    write_identity("3", 3, NULL, 1);
    mkdir("data", 0700);
    tool_write_npy("data/test-x.npy", "<f4", "(2, 3)", samples, sizeof samples);
    tool_write_npy("data/test-y.npy", "<f4", "(2, 3)", targets, sizeof targets);
    expect("evaluate m.safetensors --data ./data",
           "samples   2\nloss      2.250000\n");
    expect("evaluate m.safetensors --data ./data --json",
           "{\"samples\":2,\"loss\":2.25}\n");
    const struct tool *tool = tool_run(
        "evaluate m.safetensors --data ./data --loss cross-entropy");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "cross-entropy needs labels");
}

/* From the data's folder to the prediction. */
static void names_come_from_the_data(void **state)
{
    static const uint8_t shape[] = {1, 2, 2}, image[4] = {0};
    (void)state;
    write_split("train", 40, 1);
    write_split("t10k", 1, 1);
    tool_write_parts("data/classes.txt", "heads\n", 6, "tails\n", 6);
    write_idx("x", 3, shape, image, 4);
    assert_int_equal(tool_run("train --data ./data --net mlp-1x4 --quiet --epochs "
                              "20 --lr 0.1 --out run")
                         ->code,
                     0);
    assert_has(tool_run("predict run x")->out, "x[0]  heads ");
    assert_has(tool_run("predict run/start.safetensors x --top 2")->out, "tails ");
    tool_write_parts("data/classes.txt", "heads\n", 6, "", 0);
    const struct tool *tool = tool_run(
        "train --data ./data --net mlp-1x4 --out no");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, "data/classes.txt': has 1 line, the labels have 2");
    struct stat facts;
    assert_int_not_equal(stat("no", &facts), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_a_sample),
        TEST(indices_are_aligned),
        TEST(an_object_a_line),
        TEST(large_outputs_have_probabilities),
        TEST(real_outputs),
        TEST(bytes_are_255_parts),
        TEST(many_samples),
        TEST(shapes_fit_or_are_refused),
        TEST(both_sizes_are_named),
        TEST(wrong_use_is_said),
        TEST(bad_files_among_good_ones),
        TEST(a_closed_pipe_ends_quietly),
        TEST(names_cannot_steer_the_terminal),
        TEST(data_sets_are_predicted),
        TEST(evaluate_takes_either_split),
        TEST(evaluate_takes_real_targets),
        TEST(names_come_from_the_data),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
