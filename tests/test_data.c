/* Data sets from files: names and folders, what is known of them, failing memory. */
#include "data_files.h"
#include "data/standardize.h"

#include <math.h>

static void first_samples_only(void **state)
{
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset;
    (void)state;
    write_good();
    options.samples = 2;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options), FAL_OK);
    expect_good(dataset, 2);
    fal_dataset_destroy(dataset);
    options.samples = 4;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options),
        FAL_ERROR_ARGUMENT);
    expect_message("4 samples asked for, there are 3");
}

/* What is not kept is checked all the same. */
static void first_samples_of_a_bad_file(void **state)
{
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset;
    (void)state;
    write_good();
    write_file("train-images-idx3-ubyte", images, sizeof images - 1);
    options.samples = 1;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options),
        FAL_ERROR_FORMAT);
    expect_message("truncated");
}

static void classes_count_over_both_splits(void **state)
{
    const uint8_t higher[] = {0, 0, 8, 1, 0, 0, 0, 1, 9};
    fal_dataset *dataset;
    (void)state;
    write_good();
    write_file("t10k-labels-idx1-ubyte", higher, sizeof higher);
    assert_int_equal(fal_dataset_open(&dataset, folder, FAL_SPLIT_TRAIN), FAL_OK);
    assert_int_equal(dataset->arrays.classes, 10);
    fal_dataset_destroy(dataset);
}

static void things_that_are_no_files(void **state)
{
    (void)state;
    write_good();
    unlink(in_folder("train-images-idx3-ubyte"));
    assert_int_equal(mkdir(in_folder("train-images-idx3-ubyte"), 0700), 0);
    expect_failure(FAL_ERROR_FILE, "is a folder");
    rmdir(in_folder("train-images-idx3-ubyte"));
    assert_int_equal(mkfifo(in_folder("train-images-idx3-ubyte"), 0600), 0);
    expect_failure(FAL_ERROR_FILE, "is not a file");
}

static void expect_open_failure(const char *name,
                                const fal_dataset_options *options,
                                fal_status status, const char *part)
{
    fal_dataset *dataset = NULL;
    assert_int_equal(
        fal_dataset_open_with(&dataset, name, FAL_SPLIT_TRAIN, options), status);
    assert_null(dataset);
    expect_message(part);
}

static void wrong_names_are_refused(void **state)
{
    fal_dataset *dataset;
    (void)state;
    expect_open_failure("fashion-mnits", NULL, FAL_ERROR_ARGUMENT,
                        "known: fashion-mnist, mnist, cifar-10, cifar-100, "
                        "cifar-100-coarse; did you mean 'fashion-mnist'?");
    expect_open_failure("no/such", NULL, FAL_ERROR_FILE, "no such folder");
    expect_open_failure("", NULL, FAL_ERROR_ARGUMENT, "NULL or empty");
    expect_open_failure(NULL, NULL, FAL_ERROR_ARGUMENT, "NULL or empty");
    write_good();
    expect_open_failure(in_folder("train-images-idx3-ubyte"), NULL, FAL_ERROR_FILE,
                        "is not a folder");
    assert_int_equal(fal_dataset_open(NULL, "mnist", FAL_SPLIT_TRAIN),
                     FAL_ERROR_ARGUMENT);
    assert_int_equal(fal_dataset_open(&dataset, "mnist", (fal_split)2),
                     FAL_ERROR_ARGUMENT);
    expect_message("split is 2");
}

/* What the message quotes is printable, and one line. */
static void expect_printable(void)
{
    for (const char *c = fal_error_message(); *c; c++)
        assert_true((unsigned char)*c >= ' ' && (unsigned char)*c < 0x7F);
}

static void strange_names_are_shown(void **state)
{
    static char deep[4200] = "./";
    (void)state;
    expect_open_failure("no/../such/..", NULL, FAL_ERROR_FILE,
                        "'no/../such/..': no such folder");
    expect_open_failure("/no such/folder ", NULL, FAL_ERROR_FILE,
                        "'/no such/folder '");
    expect_open_failure("./\x1b[2J\n\xff\xC3", NULL, FAL_ERROR_FILE,
                        "'./\\x1b[2J\\x0a\\xff\\xc3': no such folder");
    expect_printable();
    expect_open_failure("a\x07z", NULL, FAL_ERROR_ARGUMENT,
                        "unknown data set 'a\\x07z'");
    expect_printable();
    memset(deep + 2, 'a', 4096);
    expect_open_failure(deep, NULL, FAL_ERROR_FILE, "': File name too long; give");
    for (size_t i = 2; i < 4098; i += 2)
        memcpy(deep + i, "/\xff", 2);
    expect_open_failure(deep, NULL, FAL_ERROR_FILE, "'.//\\xff/\\xff");
    expect_printable();
    expect_open_failure(deep + 2048, NULL, FAL_ERROR_FILE, "': no such folder; ");
}

/* A folder whose name has all of it is as good as any other. */
static void strange_names_are_opened(void **state)
{
    char name[512];
    fal_dataset *dataset;
    (void)state;
    mkdir(in_folder("a b\n\xff\x1b"), 0700);
    write_file("a b\n\xff\x1b/train-images-idx3-ubyte", images, sizeof images);
    write_file("a b\n\xff\x1b/train-labels-idx1-ubyte", labels, sizeof labels);
    snprintf(name, sizeof name, "%s/a b\n\xff\x1b/../a b\n\xff\x1b", folder);
    assert_int_equal(fal_dataset_open(&dataset, name, FAL_SPLIT_TRAIN), FAL_OK);
    expect_good(dataset, 3);
    fal_dataset_destroy(dataset);
    write_file("a b\n\xff\x1b/train-labels-idx1-ubyte", labels, 9);
    expect_open_failure(name, NULL, FAL_ERROR_FORMAT,
                        "/a b\\x0a\\xff\\x1b/train-labels-idx1-ubyte': truncated");
    expect_printable();
}

static void wrong_options_are_refused(void **state)
{
    const char *none[] = {NULL};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    (void)state;
    options.folder_count = 1;
    expect_open_failure("mnist", &options, FAL_ERROR_ARGUMENT, "folders is NULL");
    options.folders = none;
    expect_open_failure("mnist", &options, FAL_ERROR_ARGUMENT,
                        "folders[0] is NULL");
    options.size = 0;
    expect_open_failure("mnist", &options, FAL_ERROR_ARGUMENT, "says 0 bytes");
    options.size = sizeof options + 8;
    expect_open_failure("mnist", &options, FAL_ERROR_ARGUMENT,
                        "this library knows");
}

static void names_are_looked_for_in_folders(void **state)
{
    char other[512];
    const char *folders[] = {"/nowhere", other};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset;
    (void)state;
    snprintf(other, sizeof other, "%s", folder);
    options.folders = folders;
    options.folder_count = 2;
    expect_open_failure("fashion-mnist", &options, FAL_ERROR_FILE,
                        "'/nowhere/fashion-mnist' (no such folder)");
    expect_message("dataset-fashion-mnist");
    mkdir(in_folder("mnist"), 0700);
    expect_open_failure("mnist", &options, FAL_ERROR_FILE,
                        "/mnist' (no data files)");
    write_file("mnist/train-images-idx3-ubyte", images, sizeof images);
    write_file("mnist/train-labels-idx1-ubyte", labels, sizeof labels);
    assert_int_equal(
        fal_dataset_open_with(&dataset, "mnist", FAL_SPLIT_TRAIN, &options),
        FAL_OK);
    assert_int_equal(dataset->arrays.classes, 10);
    assert_string_equal(dataset->arrays.class_names[9], "9");
    fal_dataset_destroy(dataset);
    options.folder_count = 0;
    expect_open_failure("mnist", &options, FAL_ERROR_FILE,
                        "an empty list of folders");
}

static void known_names_check_their_labels(void **state)
{
    const uint8_t bad[] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 10, 4};
    const char *folders[] = {folder};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    (void)state;
    options.folders = folders;
    options.folder_count = 1;
    mkdir(in_folder("mnist"), 0700);
    write_file("mnist/train-images-idx3-ubyte", images, sizeof images);
    write_file("mnist/train-labels-idx1-ubyte", bad, sizeof bad);
    expect_open_failure("mnist", &options, FAL_ERROR_FORMAT,
                        "the label of sample 1 is 10, mnist has 0 to 9");
}

/* The build says where the sample is; without it, from this file's path. */
static const char *sample_folder(void)
{
    static char path[512] = __FILE__;
    const char *given = getenv("FALIGN_TEST_DATA");
    char *slash = strrchr(path, '/');
    if (given)
        return given;
    strcpy(slash ? slash + 1 : path, "../datasets/sample");
    return path;
}

static void sample_is_fashion_mnist(void **state)
{
    const char *path = sample_folder();
    fal_dataset *train, *test;
    double mean, deviation;
    (void)state;
    assert_int_equal(fal_dataset_open(&train, path, FAL_SPLIT_TRAIN), FAL_OK);
    assert_int_equal(fal_dataset_open(&test, path, FAL_SPLIT_TEST), FAL_OK);
    assert_int_equal(train->arrays.count, 2000);
    assert_int_equal(test->arrays.count, 500);
    assert_int_equal(train->arrays.width, 28);
    assert_int_equal(train->arrays.classes, 10);
    assert_int_equal(train->arrays.labels[0], 9);
    assert_int_equal(fal_standardization(&train->arrays, NULL, &mean, &deviation),
                     FAL_OK);
    assert_true(fabs(mean - 0.286) < 0.01 && fabs(deviation - 0.353) < 0.01);
    fal_dataset_destroy(train);
    fal_dataset_destroy(test);
}

/* ---- listing ------------------------------------------------------------- */

enum { SETS = 5 }; /* that are known */

struct visits {
    size_t count, stop;
    fal_dataset_info last; /* that is here */
    char text[4096];       /* name, folder, missing of each */
};

static int note_visit(const fal_dataset_info *info, void *user)
{
    struct visits *visits = user;
    size_t used = strlen(visits->text);
    visits->count++;
    if (!info->missing)
        visits->last = *info;
    snprintf(visits->text + used, sizeof visits->text - used, "%s: %s: %s\n",
             info->name, info->folder, info->missing ? info->missing : "here");
    return visits->count == visits->stop;
}

static const char *folders_here[] = {"/nowhere", folder};

static fal_status list_here(struct visits *visits)
{
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    options.folders = folders_here;
    options.folder_count = 2;
    visits->count = 0;
    *visits->text = 0;
    return fal_dataset_list(&options, note_visit, visits);
}

static void expect_visit(const struct visits *visits, const char *name,
                         const char *place, const char *missing)
{
    char line[1024];
    snprintf(line, sizeof line, "%s: %s/%s: %s", name, place, name, missing);
    if (!strstr(visits->text, line))
        fail_msg("'%s' is not in '%s'", line, visits->text);
}

static void write_mnist(void)
{
    mkdir(in_folder("mnist"), 0700);
    write_gzip("mnist/train-images-idx3-ubyte.gz", images, sizeof images);
    write_file("mnist/train-labels-idx1-ubyte", labels, sizeof labels);
    write_file("mnist/t10k-images-idx3-ubyte", images, sizeof images);
    write_gzip("mnist/t10k-labels-idx1-ubyte.gz", labels, sizeof labels);
}

static void list_says_what_is_where(void **state)
{
    struct visits visits = {.stop = 0};
    (void)state;
    assert_int_equal(list_here(&visits), FAL_OK);
    assert_int_equal(visits.count, 2 * SETS);
    expect_visit(&visits, "fashion-mnist", "/nowhere", "no such folder\n");
    expect_visit(&visits, "mnist", "/nowhere", "no such folder\n");
    expect_visit(&visits, "mnist", folder, "no such folder\n");
    write_mnist();
    assert_int_equal(list_here(&visits), FAL_OK);
    assert_int_equal(visits.count, 2 * SETS - 1);
    expect_visit(&visits, "mnist", folder, "here\n");
    assert_int_equal(visits.last.size, sizeof visits.last);
    assert_int_equal(visits.last.train, 3);
    assert_int_equal(visits.last.test, 3);
    assert_int_equal(visits.last.height, 2);
    assert_int_equal(visits.last.width, 2);
    assert_int_equal(visits.last.channels, 1);
    assert_int_equal(visits.last.classes, 10);
}

static void list_names_what_is_damaged(void **state)
{
    struct visits visits = {.stop = 0};
    (void)state;
    mkdir(in_folder("fashion-mnist"), 0700);
    write_file("fashion-mnist/train-x.npy", images, sizeof images);
    write_mnist();
    write_file("mnist/t10k-images-idx3-ubyte", images, 9);
    assert_int_equal(list_here(&visits), FAL_OK);
    assert_int_equal(visits.count, 2 * SETS - 2);
    expect_visit(&visits, "fashion-mnist", folder, "opening '");
    assert_non_null(strstr(visits.text, "the folder has no train-y.npy"));
    expect_visit(&visits, "mnist", folder, "reading '");
    assert_non_null(strstr(visits.text,
                           "mnist/t10k-images-idx3-ubyte': truncated, the header"));
    unlink(in_folder("mnist/t10k-images-idx3-ubyte"));
    assert_int_equal(list_here(&visits), FAL_OK);
    assert_non_null(strstr(visits.text, "has no t10k-images-idx3-ubyte[.gz]"));
}

static void listing_stops_when_told(void **state)
{
    struct visits visits = {.stop = 2};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    (void)state;
    assert_int_equal(list_here(&visits), FAL_STOPPED);
    assert_int_equal(visits.count, 2);
    visits.stop = 0;
    assert_int_equal(fal_dataset_list(NULL, NULL, NULL), FAL_ERROR_ARGUMENT);
    expect_message("visit is NULL");
    options.folder_count = 1;
    assert_int_equal(fal_dataset_list(&options, note_visit, &visits),
                     FAL_ERROR_ARGUMENT);
    expect_message("listing data sets: folders is NULL");
    assert_int_equal(fal_dataset_list(NULL, note_visit, &visits), FAL_OK);
}

/* ---- failing memory ------------------------------------------------------ */

static fal_status open_from_folder(fal_dataset **dataset)
{
    return fal_dataset_open(dataset, folder, FAL_SPLIT_TRAIN);
}

static fal_status open_by_name(fal_dataset **dataset)
{
    const char *folders[] = {"/nowhere", folder};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    options.folders = folders;
    options.folder_count = 2;
    return fal_dataset_open_with(dataset, "mnist", FAL_SPLIT_TEST, &options);
}

static void failing_memory_leaks_nothing(void **state)
{
    (void)state;
    write_good();
    write_gzip("t10k-labels-idx1-ubyte.gz", labels, sizeof labels);
    expect_clean_failures(open_from_folder);
    mkdir(in_folder("mnist"), 0700);
    write_gzip("mnist/t10k-images-idx3-ubyte.gz", images, sizeof images);
    write_gzip("mnist/t10k-labels-idx1-ubyte.gz", labels, sizeof labels);
    expect_clean_failures(open_by_name);
}

static void failing_memory_while_listing(void **state)
{
    struct visits visits = {.stop = 0};
    fal_status status = FAL_ERROR_MEMORY;
    (void)state;
    write_mnist();
    write_file("mnist/t10k-labels-idx1-ubyte", labels, 5);
    for (long n = 1; status; n++) {
        fal_memory_fail_at(n);
        status = list_here(&visits);
        fal_memory_fail_at(0);
        assert_true(n < 100 && (!status || status == FAL_ERROR_MEMORY));
    }
    assert_null(strstr(visits.text, "host memory"));
    assert_non_null(strstr(visits.text, "t10k-labels-idx1-ubyte': truncated"));
    assert_int_equal(visits.count, 2 * SETS - 1);
}

/* The default folders take the home folder's name from the system. */
static void failing_memory_with_default_folders(void **state)
{
    (void)state;
    for (long n = 1; n < 8; n++) {
        fal_dataset *dataset = NULL;
        fal_dataset_options options = FAL_DATASET_OPTIONS;
        options.samples = SIZE_MAX;
        fal_memory_fail_at(n);
        fal_status status = fal_dataset_open_with(&dataset, "mnist",
                                                  FAL_SPLIT_TRAIN, &options);
        fal_memory_fail_at(0);
        assert_int_not_equal(status, FAL_OK);
        if (n <= 3)
            assert_int_equal(status, FAL_ERROR_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_samples_only),
        TEST(first_samples_of_a_bad_file),
        TEST(classes_count_over_both_splits),
        TEST(things_that_are_no_files),
        TEST(wrong_names_are_refused),
        TEST(strange_names_are_shown),
        TEST(strange_names_are_opened),
        TEST(wrong_options_are_refused),
        TEST(names_are_looked_for_in_folders),
        TEST(known_names_check_their_labels),
        TEST(sample_is_fashion_mnist),
        TEST(list_says_what_is_where),
        TEST(list_names_what_is_damaged),
        TEST(listing_stops_when_told),
        TEST(failing_memory_leaks_nothing),
        TEST(failing_memory_while_listing),
        TEST(failing_memory_with_default_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
