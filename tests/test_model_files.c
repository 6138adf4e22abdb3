/* Model files from strangers: what fal_model_load and fal_trainer_load_feedback make
 * of files that are whole but wrong. A refusal says what is wrong and where, changes
 * nothing, and the next good file loads. */
#include "learning.h"
#include "files/atomic.h"
#include "files/safetensors.h"

#include <time.h>
#include <unistd.h>

static const char *const network = "input 1x1x3, first=dense 4, relu1=relu, "
                                   "last=dense 2";
static char good[] = "/tmp/falign-good-XXXXXX", bad[] = "/tmp/falign-bad-XXXXXX";
static fal_model *model;

static int make_good(void **state)
{
    open_device(state);
    close(mkstemp(good));
    close(mkstemp(bad));
    fal_arrays arrays = random_arrays(9, 3, 2, 0);
    fal_dataset *data = dataset_of(&arrays);
    model = model_of(network, 3);
    must(fal_model_standardize(model, data, "channel"));
    must(fal_model_save(model, good));
    fal_dataset_destroy(data);
    free_arrays(&arrays);
    return 0;
}

static int remove_good(void **state)
{
    unlink(good);
    unlink(bad);
    fal_model_destroy(model);
    return close_device(state);
}

/* ---- files that are almost good ------------------------------------------ */

static const char *const keys[] = {"network", "mean", "deviation", "class_names"};
enum { KEYS = sizeof keys / sizeof *keys };

/* The good file with one metadata text changed, or left out if NULL, and one tensor
 * changed, or left out if it has no data. */
static void write_bad(const char *key, const char *value,
                      const fal_tensor_source *changed)
{
    fal_safetensors *f;
    fal_metadata metadata[KEYS];
    fal_tensor_source tensors[8];
    size_t texts = 0, count = 0;
    must(fal_safetensors_open(&f, good));
    for (size_t i = 0; i < KEYS; i++) {
        const char *kept = fal_safetensors_metadata(f, keys[i]);
        const char *text = key && strcmp(key, keys[i]) == 0 ? value : kept;
        if (text)
            metadata[texts++] = (fal_metadata){keys[i], text};
    }
    for (size_t i = 0; i < fal_safetensors_count(f); i++) {
        const fal_tensor_view *t = fal_safetensors_at(f, i);
        int is_changed = changed && strcmp(changed->name, t->name) == 0;
        fal_tensor_source source = {.name = t->name,
                                    .type = t->type,
                                    .dimensions = t->dimensions,
                                    .data = t->data};
        memcpy(source.shape, t->shape, sizeof source.shape);
        if (is_changed)
            source = *changed;
        if (source.data)
            tensors[count++] = source;
    }
    must(fal_safetensors_write(bad, tensors, count, metadata, texts));
    fal_safetensors_close(f);
}

/* No OpenCL call is made before the file is known to be good, so nothing large can
 * have been asked of the device either. */
static void expect_refused(fal_status expected, const char *why)
{
    fal_model *loaded = NULL;
    uint64_t before = device->allocated;
    fal_cl_fail_at(1);
    fal_status status = fal_model_load(&loaded, device, bad);
    fal_cl_fail_at(0);
    expect_error(status, expected, why);
    assert_null(loaded);
    assert_int_equal(device->allocated, before);
}

/* The same where weights are on their way to the device already. */
static void expect_refused_late(const char *why)
{
    fal_model *loaded = NULL;
    uint64_t before = device->allocated;
    expect_error(fal_model_load(&loaded, device, bad), FAL_ERROR_FORMAT, why);
    expect_message(bad);
    assert_null(loaded);
    assert_int_equal(device->allocated, before);
}

static void expect_good(const char *path)
{
    fal_model *loaded = NULL;
    must(fal_model_load(&loaded, device, path));
    expect_equal_models(model, loaded);
    fal_model_destroy(loaded);
}

/* ---- models -------------------------------------------------------------- */

static void every_cut_is_refused(void **state)
{
    unsigned char *data;
    size_t size;
    (void)state;
    must(fal_file_read(good, SIZE_MAX, &data, &size));
    for (size_t cut = 0; cut < size; cut++) {
        fal_file_writer w;
        must(fal_file_begin(&w, bad));
        must(fal_file_write(&w, data, cut));
        must(fal_file_commit(&w));
        expect_refused(FAL_ERROR_FORMAT, bad);
    }
    fal_release(data);
    expect_good(good);
}

static void networks_are_checked(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {NULL, "no metadata 'network'; falign did not write it"},
        {"", "network, item 1 '': it is empty"},
        {"rubbish", "unknown preset 'rubbish'"},
        {"input 3", "no layer with weights"},
        {"first=dense 4, last=dense 2", "no 'input' item"},
        {"mlp-2x512", "takes the number of outputs from a data set"},
        {"input 3, first=dense 4, relu, last=dense 3",
         "tensor 'last.weight': shape [2,4], [3,4] is needed"},
        {"input 4, first=dense 4, relu, last=dense 2",
         "tensor 'first.weight': shape [4,3], [4,4] is needed"},
        {"input 3, dense 4, relu, last=dense 2",
         "tensor 'dense1.weight': it is missing, shape [4,3] is needed"},
        {"input 3, first=dense 4 nobias, middle=dense 4000, x=dense 4000 nobias, "
         "last=dense 2",
         "tensor 'middle.weight': it is missing, shape [4000,4] is needed"},
        {"input 4000000, first=dense 1 nobias", "'first.weight': shape [4,3]"},
        {"input 99999999999, first=dense 4", "input size '99999999999'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_bad("network", cases[i].text, NULL);
        expect_refused(FAL_ERROR_FORMAT, cases[i].why);
        expect_message(bad);
    }
    write_bad("network", "input 2147483647, first=dense 2147483647", NULL);
    expect_refused(FAL_ERROR_DEVICE_MEMORY, "18446744065119617024 bytes");
    expect_message(bad);
    expect_good(good);
}

/* The time of a network's text must not grow with its square. */
static void a_million_layers_are_refused(void **state)
{
    enum { MILLION = 1000000 };
    static const char item[] = ",relu";
    char *text = room(MILLION * (sizeof item - 1) + 32, 1), *end = text;
    (void)state;
    end += sprintf(end, "input 3");
    for (size_t i = 0; i < MILLION; i++, end += sizeof item - 1)
        memcpy(end, item, sizeof item);
    write_bad("network", text, NULL);
    clock_t start = clock();
    expect_refused(FAL_ERROR_FORMAT, "there are more than 4096 layers");
    assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
    fal_release(text);
}

static void scales_are_checked(void **state)
{
    static const char *const texts[] = {
        NULL,          "",           "0",         "[",
        "[]",          "[1,2]",      "[1,2,3,4]", "{\"a\":1}",
        "[1,2,\"3\"]", "[1,2,null]", "[1,2,NaN]", "[1,2,1e999]",
        "[1,2,3] x",   "[[1,2,3]]",
    };
    char *endless = room(1 << 20, 1);
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t k = 1; k < 3; k++) {
            write_bad(keys[k], texts[i], NULL);
            expect_refused_late(k == 1 ? "'mean' must be an array of 3 numbers"
                                       : "'deviation' must be an array of 3 "
                                         "positive numbers");
        }
    memset(endless, '[', (1 << 20) - 1);
    write_bad("mean", endless, NULL);
    expect_refused_late("'mean' must be an array of 3 numbers");
    write_bad("deviation", "[1,0,1]", NULL);
    expect_refused_late("3 positive numbers");
    write_bad("deviation", "[1,-1,1]", NULL);
    expect_refused_late("3 positive numbers");
    write_bad("deviation", "[1,1e-300,1]", NULL);
    expect_refused_late(
        "channel 1: its mean or deviation is too large or too small");
    write_bad("mean", "[1,1,-1e300]", NULL);
    expect_refused_late(
        "channel 2: its mean or deviation is too large or too small");
    fal_release(endless);
    expect_good(good);
}

static void class_names_are_checked(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "[\"a\"]",
                                        "[\"a\",\"b\",\"c\"]",
                                        "[1,2]",
                                        "[\"a\",\"\"]",
                                        "[\"a\",null]",
                                        "{\"a\":\"b\"}",
                                        "\"ab\"",
                                        "[\"a\",\"b\"] x"};
    char *endless = room(1 << 20, 1);
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_bad("class_names", texts[i], NULL);
        expect_refused_late("'class_names' must be an array of 2 texts");
    }
    memset(endless, '[', (1 << 20) - 1);
    write_bad("class_names", endless, NULL);
    expect_refused_late("'class_names' must be an array of 2 texts");
    fal_release(endless);
    write_bad("class_names", "[\"cat\",\"dog\"]", NULL);
    expect_good(bad);
}

static void tensors_are_checked(void **state)
{
    float numbers[12] = {0};
    double doubles[12] = {0};
    fal_tensor_source t = {
        .name = "first.weight", .shape = {4, 3}, .dimensions = 2};
    (void)state;
    write_bad(NULL, NULL, &t);
    expect_refused(FAL_ERROR_FORMAT,
                   "tensor 'first.weight': it is missing, shape [4,3] is needed");
    t.data = numbers;
    t.shape[0] = 3, t.shape[1] = 4;
    write_bad(NULL, NULL, &t);
    expect_refused(FAL_ERROR_FORMAT, "shape [3,4], [4,3] is needed");
    t.shape[0] = 4, t.shape[1] = 3, t.shape[2] = 1, t.dimensions = 3;
    write_bad(NULL, NULL, &t);
    expect_refused(FAL_ERROR_FORMAT, "shape [4,3,1], [4,3] is needed");
    t.dimensions = 2;
    t.type = FAL_TENSOR_I64;
    t.data = doubles;
    write_bad(NULL, NULL, &t);
    expect_refused(FAL_ERROR_FORMAT, "dtype I64, F32 is needed");
    t.type = FAL_TENSOR_F32;
    t.data = numbers;
    numbers[7] = NAN;
    write_bad(NULL, NULL, &t);
    expect_refused_late("tensor 'first.weight': the number at [2,1] is NaN");
    numbers[7] = INFINITY;
    write_bad(NULL, NULL, &t);
    expect_refused_late("tensor 'first.weight': the number at [2,1] is infinite");
    t = (fal_tensor_source){.name = "last.bias", .shape = {2}, .dimensions = 1};
    t.data = numbers + 6;
    write_bad(NULL, NULL, &t);
    expect_refused_late("tensor 'last.bias': the number at [1] is infinite");
    expect_good(good);
}

/* What the network does not need is no mistake: a start has feedback too. */
static void more_tensors_are_allowed(void **state)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    (void)state;
    options.rule = "fa";
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_save(trainer, bad));
    expect_good(bad);
    fal_trainer_destroy(trainer);
}

/* ---- feedback ------------------------------------------------------------ */

static void broken_feedback_changes_nothing(void **state)
{
    static const char *const names[] = {"dense2.feedback", "dense3.feedback"};
    float first[20], second[10], kept[20], other[10];
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    (void)state;
    options.rule = "fa";
    fal_model *deep = model_of("input 3, dense 4, relu, dense 5, relu, dense 2", 1);
    fal_trainer *trainer = trainer_of(deep, &options);
    must(fal_trainer_tensor(trainer, names[0], first, 20));
    must(fal_trainer_tensor(trainer, names[1], second, 10));
    float broken[10] = {[4] = NAN};
    float zeros[20] = {0};
    fal_tensor_source t[] = {
        {names[0], FAL_TENSOR_F32, {5, 4}, 2, zeros, NULL, NULL, 0},
        {names[1], FAL_TENSOR_F32, {2, 5}, 2, broken, NULL, NULL, 0}};
    must(fal_safetensors_write(bad, t, 2, NULL, 0));
    expect_error(fal_trainer_load_feedback(trainer, bad), FAL_ERROR_FORMAT,
                 "tensor 'dense3.feedback': the number at [0,4] is NaN");
    t[1].shape[0] = 1;
    must(fal_safetensors_write(bad, t, 2, NULL, 0));
    expect_error(fal_trainer_load_feedback(trainer, bad), FAL_ERROR_FORMAT,
                 "tensor 'dense3.feedback': shape [1,5], [2,5] is needed");
    must(fal_trainer_tensor(trainer, names[0], kept, 20));
    must(fal_trainer_tensor(trainer, names[1], other, 10));
    assert_memory_equal(first, kept, sizeof first);
    assert_memory_equal(second, other, sizeof second);
    must(fal_safetensors_write(bad, t, 1, NULL, 0));
    must(fal_trainer_load_feedback(trainer, bad));
    must(fal_trainer_tensor(trainer, names[0], kept, 20));
    assert_memory_equal(kept, zeros, sizeof kept);
    fal_trainer_destroy(trainer);
    fal_model_destroy(deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(networks_are_checked),
        cmocka_unit_test(a_million_layers_are_refused),
        cmocka_unit_test(scales_are_checked),
        cmocka_unit_test(class_names_are_checked),
        cmocka_unit_test(tensors_are_checked),
        cmocka_unit_test(more_tensors_are_allowed),
        cmocka_unit_test(broken_feedback_changes_nothing),
    };
    return cmocka_run_group_tests_name("model_files", tests, make_good,
                                       remove_good);
}
