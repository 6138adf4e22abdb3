/* --conv of the tool: a dry run shows which form each pass of a convolution takes, and
 * what is learned by one form is learned by the others, but for roundings. GPU-like
 * devices know one form, whatever is asked for. */
#include "run_files.h"

#include "device/device.h"
#include "falign.h"
#include "files/safetensors.h"

/* Strips suit conv1, which is thin, and conv2, which may be filtered; nothing but
 * patches suits the 1 x 1 kernel of conv3. conv1 hands nothing down. */
#define LINE                                                                       \
    "train --data $D --net 'conv 8 3, relu, pool max 2, conv 8 3, relu, "          \
    "conv 8 1, relu, pool max 2, dense 10' --optimizer sgd --lr 0.05 --batch 16 "

enum { CONVOLUTIONS = 3, PASSES = 3, WISHES = 3 };
static const char *const wishes[WISHES] = {"direct", "auto", "winograd4"};
static const char *const passes[PASSES] = {"forward", "data", "weight"};
static const char *const forms[WISHES][CONVOLUTIONS][PASSES] = {
    {{"strips", NULL, "strips"},
     {"strips", "strips", "strips"},
     {"patches", "patches", "patches"}},
    {{"strips", NULL, "strips"},
     {"winograd", "winograd", "winograd"},
     {"patches", "patches", "patches"}},
    {{"strips", NULL, "strips"},
     {"winograd4", "winograd4", "winograd"},
     {"patches", "patches", "patches"}},
};

static int is_cpu_like(void)
{
    fal_device *device = NULL;
    fal_device_options options = FAL_DEVICE_OPTIONS;
    assert_int_equal(fal_device_open(&device, &options), FAL_OK);
    int result = device->facts.family == FAL_FAMILY_CPU;
    fal_device_destroy(device);
    return result;
}

/* NULL: there is no such pass */
static const char *form_of(int cpu_like, int wish, int conv, int pass)
{
    const char *form = forms[wish][conv][pass];
    return form && !cpu_like ? "patches" : form;
}

/* ---- dry runs ------------------------------------------------------------ */

static const struct tool *dry_run(int wish, const char *more)
{
    char line[512];
    snprintf(line, sizeof line, LINE "--conv %s --dry-run %s", wishes[wish], more);
    const struct tool *tool = tool_run(line);
    assert_int_equal(tool->code, 0);
    return tool;
}

static void dry_run_shows_the_forms(void **state)
{
    int cpu_like = is_cpu_like();
    (void)state;
    for (int wish = 0; wish < WISHES; wish++) {
        const struct tool *tool = dry_run(wish, "");
        assert_has(tool->out, "\nconvolution  forward      data         weight\n");
        for (int conv = 0; conv < CONVOLUTIONS; conv++) {
            char row[128];
            const char *data = form_of(cpu_like, wish, conv, 1);
            snprintf(row, sizeof row, "\nconv%d        %-12s %-12s %s\n", conv + 1,
                     form_of(cpu_like, wish, conv, 0), data ? data : "-",
                     form_of(cpu_like, wish, conv, 2));
            assert_has(tool->out, row);
        }
    }
}

static void check_layer(const cJSON *layer, int cpu_like, int wish, int conv)
{
    const cJSON *shown = cJSON_GetObjectItem(layer, "forms");
    for (int pass = 0; pass < PASSES; pass++) {
        const cJSON *item = cJSON_GetObjectItem(shown, passes[pass]);
        const char *form = form_of(cpu_like, wish, conv, pass);
        if (!form) {
            assert_null(item);
            continue;
        }
        assert_true(cJSON_IsString(item));
        assert_string_equal(item->valuestring, form);
    }
}

static void dry_run_shows_the_forms_as_json(void **state)
{
    int cpu_like = is_cpu_like();
    (void)state;
    for (int wish = 0; wish < WISHES; wish++) {
        cJSON *json = cJSON_Parse(dry_run(wish, "--json")->out);
        const cJSON *layer;
        int convolutions = 0;
        cJSON_ArrayForEach(layer, cJSON_GetObjectItem(json, "layers"))
        {
            const char *kind = cJSON_GetStringValue(
                cJSON_GetObjectItem(layer, "kind"));
            if (strcmp(kind, "conv") == 0)
                check_layer(layer, cpu_like, wish, convolutions++);
            else
                assert_null(cJSON_GetObjectItem(layer, "forms"));
        }
        assert_int_equal(convolutions, CONVOLUTIONS);
        cJSON_Delete(json);
    }
}

/* ---- training ------------------------------------------------------------ */

static fal_safetensors *weights_of(const char *run, const char *name)
{
    char path[128];
    fal_safetensors *file = NULL;
    snprintf(path, sizeof path, "%s/%s.safetensors", run, name);
    assert_int_equal(fal_safetensors_open(&file, path), FAL_OK);
    return file;
}

/* The norm of a tensor's difference */
static double distance(const fal_safetensors *one, const fal_safetensors *other,
                       size_t index)
{
    const fal_tensor_view *a = fal_safetensors_at(one, index);
    const fal_tensor_view *b = fal_safetensors_find(other, a->name);
    double sum = 0;
    assert_non_null(b);
    assert_int_equal(a->bytes, b->bytes);
    for (size_t i = 0; i < a->count; i++) {
        float x, y;
        memcpy(&x, a->data + i * sizeof x, sizeof x);
        memcpy(&y, b->data + i * sizeof y, sizeof y);
        sum += ((double)x - (double)y) * ((double)x - (double)y);
    }
    return sqrt(sum);
}

/* How far `other` is off, over how far `one` went from its start: of the tensor that
 * is off most */
static double divergence(const char *one, const char *other)
{
    fal_safetensors *start = weights_of(one, "start");
    fal_safetensors *a = weights_of(one, "model"), *b = weights_of(other, "model");
    double most = 0;
    for (size_t i = 0; i < fal_safetensors_count(a); i++) {
        double way = distance(a, start, i), off = distance(a, b, i) / way;
        assert_true(way > 0);
        most = off <= most ? most : off; /* NaN too */
    }
    fal_safetensors_close(start);
    fal_safetensors_close(a);
    fal_safetensors_close(b);
    return most;
}

/* But for roundings: 2e-6 were measured. That something differs at all tells that
 * other arithmetic was at work. */
static void forms_learn_the_same(void **state)
{
    int cpu_like = is_cpu_like();
    (void)state;
    for (int wish = 0; wish < WISHES; wish++) {
        char line[512];
        snprintf(line, sizeof line, LINE "--conv %s --steps 10 --quiet --out %s",
                 wishes[wish], wishes[wish]);
        assert_good(line);
        snprintf(line, sizeof line, "%s/config.yaml", wishes[wish]);
        char *config = tool_read(line);
        snprintf(line, sizeof line, "\nconv: \"%s\"\n", wishes[wish]);
        assert_has(config, line);
        free(config);
    }
    for (int one = 0; one < WISHES; one++)
        for (int other = one + 1; other < WISHES; other++) {
            double off = divergence(wishes[one], wishes[other]);
            if (cpu_like ? !(off > 0 && off < 2e-5) : off != 0)
                fail_msg("%s and %s are %g apart", wishes[one], wishes[other], off);
        }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dry_run_shows_the_forms),
        TEST(dry_run_shows_the_forms_as_json),
        TEST(forms_learn_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
