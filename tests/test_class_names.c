/* Names of classes, from the data to the model's file and back: given with arrays, read
 * from classes.txt, kept, saved, refused. */
#include "data/class_names.h"
#include "files/safetensors.h"
#include "folder.h"
#include "learning.h"
#include "train/model.h"

#include <sys/stat.h>

static const char *const pets[] = {"cat", "dog", "Gürteltier"};
static const float numbers[] = {1, 2, 3, 4, 5, 6};
static const int32_t labels[] = {0, 1, 2};

static fal_arrays three_pets(void)
{
    fal_arrays arrays = FAL_ARRAYS;
    arrays.count = 3;
    arrays.channels = 2;
    arrays.inputs = numbers;
    arrays.labels = labels;
    arrays.classes = 3;
    arrays.class_names = pets;
    return arrays;
}

/* ---- arrays -------------------------------------------------------------- */

static void names_are_copied_with_arrays(void **state)
{
    (void)state;
    for (int borrow = 0; borrow < 2; borrow++) {
        char name[] = "cat";
        const char *names[] = {name, "dog", "Gürteltier"};
        fal_arrays arrays = three_pets(), seen = FAL_ARRAYS;
        arrays.borrow = borrow;
        arrays.class_names = names;
        fal_dataset *data = dataset_of(&arrays);
        strcpy(name, "cow");
        names[1] = NULL;
        must(fal_dataset_describe(data, &seen));
        for (size_t i = 0; i < 3; i++)
            assert_string_equal(seen.class_names[i], pets[i]);
        fal_dataset_destroy(data);
    }
}

/* A program built before there were names. */
static void older_arrays_have_no_names(void **state)
{
    (void)state;
    fal_arrays arrays = three_pets(), seen = FAL_ARRAYS;
    arrays.size = offsetof(fal_arrays, class_names);
    fal_dataset *data = dataset_of(&arrays);
    must(fal_dataset_describe(data, &seen));
    assert_null(seen.class_names);
    fal_dataset_destroy(data);
}

static void bad_names_are_refused(void **state)
{
    static const char *const bad[] = {NULL, "", "\xC3", "\x80", "\xED\xA0\x80"};
    static const char *const why[] = {"is NULL", "is empty", "is not UTF-8",
                                      "is not UTF-8", "is not UTF-8"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *names[] = {"cat", "dog", bad[i]};
        fal_arrays arrays = three_pets();
        fal_dataset *data = NULL;
        arrays.class_names = names;
        expect_error(fal_dataset_create(&data, &arrays), FAL_ERROR_ARGUMENT,
                     "the name of class 2");
        expect_message(why[i]);
        assert_null(data);
    }
    fal_arrays arrays = three_pets();
    fal_dataset *data = NULL;
    arrays.labels = NULL;
    arrays.classes = 0;
    arrays.targets = numbers;
    arrays.outputs = 2;
    expect_error(fal_dataset_create(&data, &arrays), FAL_ERROR_ARGUMENT,
                 "names go with labels");
    assert_null(data);
}

/* ---- classes.txt --------------------------------------------------------- */

static fal_status load_text(const char *const **names, const void *text,
                            size_t bytes, size_t classes)
{
    snprintf(path, sizeof path, "%s/classes.txt", folder);
    put_file(text, bytes);
    return fal_class_names_load(names, folder, "classes.txt", classes);
}

static void classes_txt_is_read(void **state)
{
    static const char *const texts[] = {
        "cat\ndog\nGürteltier\n",
        "cat\ndog\nGürteltier",
        "\xEF\xBB\xBF"
        "cat\r\ndog\r\nGürteltier\r\n",
        "  cat\ndog \t\n\tGürteltier\n\n \n",
    };
    const char *const *names;
    (void)state;
    must(fal_class_names_load(&names, folder, "classes.txt", 3));
    assert_null(names);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        must(load_text(&names, texts[i], strlen(texts[i]), 3));
        for (size_t n = 0; n < 3; n++)
            assert_string_equal(names[n], pets[n]);
        fal_release((void *)names);
    }
}

static void a_bad_classes_txt_is_refused(void **state)
{
    static const struct {
        const char *text;
        size_t bytes;
        const char *part;
    } files[] = {
        {"", 0, "has 1 line, the labels have 3 classes"},
        {"cat\ndog", 7, "has 2 lines, the labels have 3 classes"},
        {"cat\ndog\ncow\npig\n", 16, "has 4 lines, the labels have 3 classes"},
        {"cat\n\ndog\n", 9, "line 2 is empty"},
        {"cat\ndog\n\xFF\xFE\n", 11, "line 3 is not UTF-8"},
        {"cat\nd\0g\ncow\n", 12, "has a zero byte"},
    };
    const char *const *names;
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        expect_error(load_text(&names, files[i].text, files[i].bytes, 3),
                     FAL_ERROR_FORMAT, files[i].part);
        expect_message("/classes.txt'");
        assert_null(names);
    }
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_error(fal_class_names_load(&names, folder, "classes.txt", 3),
                 FAL_ERROR_FILE, "/classes.txt'");
    rmdir(path);
}

/* Memory that runs out anywhere: said, and nothing left. */
static void names_survive_failing_memory(void **state)
{
    const char *const *names = NULL;
    fal_status status = FAL_ERROR_MEMORY;
    long n = 0;
    (void)state;
    must(load_text(&names, "a\nb\nc\n", 6, 3));
    fal_release((void *)names);
    while (status == FAL_ERROR_MEMORY && n < 100) {
        fal_memory_fail_at(++n);
        status = fal_class_names_load(&names, folder, "classes.txt", 3);
        fal_memory_fail_at(0);
    }
    must(status);
    assert_true(n > 3);
    assert_string_equal(names[2], "c");
    fal_release((void *)names);
}

/* ---- models -------------------------------------------------------------- */

static fal_model *model_for(const char *network, const fal_dataset *data)
{
    fal_model *model = NULL;
    fal_model_options options = FAL_MODEL_OPTIONS;
    options.data = data;
    must(fal_model_create(&model, device, network, &options));
    return model;
}

static void expect_names(const fal_model *model, const char *const *names)
{
    for (size_t i = 0; i < 3; i++)
        if (names)
            assert_string_equal(fal_model_class_name(model, i), names[i]);
        else
            assert_null(fal_model_class_name(model, i));
    assert_null(fal_model_class_name(model, 3));
    assert_null(fal_model_class_name(NULL, 0));
}

static fal_model *saved_and_loaded(fal_model *model)
{
    fal_model *loaded = NULL;
    must(fal_model_save(model, path));
    must(fal_model_load(&loaded, device, path));
    fal_model_destroy(model);
    return loaded;
}

static void models_keep_names(void **state)
{
    (void)state;
    fal_arrays arrays = three_pets();
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_for("dense 3", data);
    fal_dataset_destroy(data);
    expect_names(model, pets);
    model = saved_and_loaded(model);
    expect_names(model, pets);
    fal_model_destroy(model);
}

/* There must be one for each output. */
static void outputs_without_names(void **state)
{
    (void)state;
    fal_arrays arrays = three_pets();
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_for("dense 4", data);
    fal_dataset_destroy(data);
    model = saved_and_loaded(model);
    expect_names(model, NULL);
    fal_model_destroy(model);
}

static void fit_to(fal_model *model, const fal_arrays *arrays, const char *loss)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.loss = loss;
    fal_dataset *data = dataset_of(arrays);
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_fit(trainer, data, NULL, 1, NULL, NULL));
    fal_trainer_destroy(trainer);
    fal_dataset_destroy(data);
}

/* Names of other data would be wrong ones. */
static void fitting_changes_names(void **state)
{
    static const char *const letters[] = {"a", "b", "c"};
    (void)state;
    fal_arrays arrays = three_pets();
    fal_model *model = model_of("input 2, dense 3", 1);
    expect_names(model, NULL);
    fit_to(model, &arrays, NULL);
    expect_names(model, pets);
    arrays.class_names = letters;
    fit_to(model, &arrays, NULL);
    expect_names(model, letters);
    arrays.class_names = NULL;
    fit_to(model, &arrays, NULL);
    expect_names(model, NULL);
    fal_model_destroy(model);
}

/* A fit that cannot begin leaves them. */
static void a_failing_fit_keeps_names(void **state)
{
    static const float bad[] = {1, 2, 3, NAN, 5, 6};
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    (void)state;
    fal_arrays arrays = three_pets();
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_for("dense 3", data);
    fal_dataset_destroy(data);
    arrays.inputs = bad;
    arrays.class_names = NULL;
    data = dataset_of(&arrays);
    fal_trainer *trainer = trainer_of(model, &options);
    expect_error(fal_trainer_fit(trainer, data, NULL, 1, NULL, NULL),
                 FAL_ERROR_ARGUMENT, "not finite");
    expect_names(model, pets);
    fal_trainer_destroy(trainer);
    fal_dataset_destroy(data);
    fal_model_destroy(model);
}

static void expect_info(const fal_model *model, size_t outputs, int real)
{
    fal_model_info info = {.size = sizeof info};
    must(fal_model_describe(model, &info));
    assert_int_equal(info.height * info.width, 1);
    assert_int_equal(info.channels, 2);
    assert_int_equal(info.outputs, outputs);
    assert_int_equal(info.real_targets, real);
}

static void models_know_real_targets(void **state)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    (void)state;
    fal_arrays arrays = three_pets(), real = three_pets();
    real.labels = NULL;
    real.class_names = NULL;
    real.classes = 0;
    real.targets = numbers;
    real.outputs = 1;
    fal_model *model = model_of("input 2, dense 1", 1);
    expect_info(model, 1, 0);
    fit_to(model, &real, "mse");
    expect_info(model, 1, 1);
    model = saved_and_loaded(model);
    expect_info(model, 1, 1);
    fal_model_destroy(model);

    real.outputs = 2;
    model = model_of("input 2, dense 2", 1);
    options.loss = "mse";
    options.schedule = "constant";
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_step(trainer, &real, NULL));
    expect_info(model, 2, 1);
    arrays.classes = 2;
    arrays.count = 2;
    must(fal_trainer_step(trainer, &arrays, NULL));
    expect_info(model, 2, 0);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_model_info info = {.size = sizeof info};
    expect_error(fal_model_describe(NULL, &info), FAL_ERROR_ARGUMENT, "model");
}

/* ---- metadata of others -------------------------------------------------- */

static void write_model(const char *class_names)
{
    static const float weights[6];
    const fal_tensor_source tensor = {.name = "dense1.weight",
                                      .type = FAL_TENSOR_F32,
                                      .shape = {3, 2},
                                      .dimensions = 2,
                                      .data = weights};
    const fal_metadata metadata[] = {{"network", "input 2, dense 3 nobias"},
                                     {"mean", "[0,0]"},
                                     {"deviation", "[1,1]"},
                                     {"class_names", class_names}};
    must(fal_safetensors_write(path, &tensor, 1, metadata, 4));
}

/* What test_model_files.c refuses aside. */
static void names_of_others_are_read(void **state)
{
    fal_model *model = NULL;
    (void)state;
    write_model("[ \"cat\",\n\"dog\", \"G\\u00fcrteltier\" ]");
    must(fal_model_load(&model, device, path));
    expect_names(model, pets);
    fal_model_destroy(model);
}

/* The longest name, of characters that JSON writes as six. */
static void the_longest_names_are_kept(void **state)
{
    char name[4098];
    const char *names[] = {name, name, name};
    fal_dataset *data = NULL;
    (void)state;
    fal_arrays arrays = three_pets();
    arrays.class_names = names;
    memset(name, 1, 4097);
    name[4097] = 0;
    expect_error(fal_dataset_create(&data, &arrays), FAL_ERROR_ARGUMENT,
                 "the name of class 0 has more than 4096 bytes");
    name[4096] = 0;
    data = dataset_of(&arrays);
    fal_model *model = saved_and_loaded(model_for("dense 3", data));
    fal_dataset_destroy(data);
    expect_names(model, names);
    fal_model_destroy(model);
}

static void loading_survives_failing_memory(void **state)
{
    fal_model *model = NULL;
    fal_status status = FAL_ERROR_MEMORY;
    long n = 0;
    (void)state;
    write_model("[\"cat\",\"dog\",\"cow\"]");
    while (status == FAL_ERROR_MEMORY && n < 1000) {
        fal_memory_fail_at(++n);
        status = fal_model_load(&model, device, path);
        fal_memory_fail_at(0);
    }
    must(status);
    assert_true(n > 10);
    assert_string_equal(fal_model_class_name(model, 2), "cow");
    fal_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(names_are_copied_with_arrays),
                                       TEST(older_arrays_have_no_names),
                                       TEST(bad_names_are_refused),
                                       TEST(classes_txt_is_read),
                                       TEST(a_bad_classes_txt_is_refused),
                                       TEST(names_survive_failing_memory),
                                       TEST(models_keep_names),
                                       TEST(outputs_without_names),
                                       TEST(fitting_changes_names),
                                       TEST(a_failing_fit_keeps_names),
                                       TEST(models_know_real_targets),
                                       TEST(names_of_others_are_read),
                                       TEST(the_longest_names_are_kept),
                                       TEST(loading_survives_failing_memory)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
