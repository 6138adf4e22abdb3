#include "reproduce/study.h"
#include "cli/ground.h"
#include "cli/output.h"
#include "device/error.h"
#include "device/memory.h"

#include <stdio.h>
#include <string.h>

/* ---- settings ------------------------------------------------------------ */

fal_scale fal_study_scale(const fal_study *study)
{
    return study->scale;
}

uint64_t fal_study_seeds(const fal_study *study)
{
    return study->seeds;
}

static fal_status find_setting(const fal_study *study, const char *name,
                               const cli_yaml_node **node)
{
    *node = fal_spec_setting(&study->spec, study->scale, name);
    if (*node)
        return FAL_OK;
    return fal_spec_fail(&study->spec, study->spec.scales[study->scale],
                         "setting '%s': missing; give it here or under settings",
                         name);
}

static void *own(fal_study *study, size_t count, size_t size)
{
    fal_owned *owned = fal_allocate(1, sizeof *owned);
    void *block = owned ? fal_allocate(count, size) : NULL;
    if (!block) {
        fal_release(owned);
        return NULL;
    }
    *owned = (fal_owned){block, study->owned};
    study->owned = owned;
    return block;
}

fal_status fal_study_number(fal_study *study, const char *name, double *value)
{
    const cli_yaml_node *node;
    fal_status status = find_setting(study, name, &node);
    if (status)
        return status;
    if (node->kind != CLI_YAML_TEXT)
        return fal_spec_fail(&study->spec, node, "is a list; give one number");
    return fal_spec_number(&study->spec, node, value);
}

fal_status fal_study_numbers(fal_study *study, const char *name,
                             const double **values, size_t *count)
{
    const cli_yaml_node *node;
    fal_status status = find_setting(study, name, &node);
    if (status)
        return status;
    int alone = node->kind == CLI_YAML_TEXT;
    double *read = own(study, alone ? 1 : node->count, sizeof *read);
    if (!read)
        return FAL_ERROR_MEMORY;
    const cli_yaml_node *item = alone ? node : node->first;
    *count = alone ? 1 : node->count;
    for (size_t i = 0; i < *count && !status; i++, item = item->next)
        status = fal_spec_number(&study->spec, item, &read[i]);
    *values = read;
    return status;
}

fal_status fal_study_text(fal_study *study, const char *name, const char **text)
{
    const cli_yaml_node *node;
    fal_status status = find_setting(study, name, &node);
    if (!status && node->kind != CLI_YAML_TEXT)
        status = fal_spec_fail(&study->spec, node, "is a list; give one text");
    if (!status)
        *text = node->text;
    return status;
}

fal_status fal_study_texts(fal_study *study, const char *name,
                           const char *const **texts, size_t *count)
{
    const cli_yaml_node *node;
    fal_status status = find_setting(study, name, &node);
    if (status)
        return status;
    int alone = node->kind == CLI_YAML_TEXT;
    const char **read = own(study, alone ? 1 : node->count, sizeof *read);
    if (!read)
        return FAL_ERROR_MEMORY;
    const cli_yaml_node *item = alone ? node : node->first;
    *count = alone ? 1 : node->count;
    for (size_t i = 0; i < *count; i++, item = item->next)
        read[i] = item->text;
    *texts = read;
    return FAL_OK;
}

/* ---- settings as JSON ---------------------------------------------------- */

/* A text that is a number stands there as one. */
static void add_text(const fal_study *study, const cli_yaml_node *node,
                     fal_json *json)
{
    double value;
    if (fal_spec_number(&study->spec, node, &value) == FAL_OK)
        fal_json_number(json, value);
    else
        fal_json_string(json, node->text);
}

static void add_setting(const fal_study *study, const cli_yaml_node *node,
                        fal_json *json)
{
    if (strcmp(node->key, "seeds") == 0)
        return;
    fal_json_key(json, node->key);
    if (node->kind == CLI_YAML_TEXT) {
        add_text(study, node, json);
        return;
    }
    fal_json_begin_array(json);
    for (const cli_yaml_node *item = node->first; item; item = item->next)
        add_text(study, item, json);
    fal_json_end_array(json);
}

void fal_study_settings(const fal_study *study, fal_json *json)
{
    const cli_yaml_node *own_ones = study->spec.scales[study->scale];
    fal_json_begin_object(json);
    fal_json_key(json, "seeds");
    fal_json_unsigned(json, study->seeds);
    const cli_yaml_node *m = study->spec.common ? study->spec.common->first : NULL;
    for (; m; m = m->next)
        if (!cli_yaml_member(own_ones, m->key))
            add_setting(study, m, json);
    for (m = own_ones->first; m; m = m->next)
        add_setting(study, m, json);
    fal_json_end_object(json);
}

/* ---- device and data ----------------------------------------------------- */

static fal_status open_device(fal_study *study)
{
    cli_options named = *study->options;
    named.values[CLI_QUIET].set |= study->silent;
    return cli_device_open(&study->device, &named);
}

fal_status fal_study_device(fal_study *study, fal_device **device)
{
    fal_status status = FAL_OK;
    if (!study->device)
        status = open_device(study);
    if (!status)
        *device = study->device;
    return status;
}

static fal_status open_split(fal_study *study, fal_split split)
{
    cli_options named = *study->options;
    cli_set_text(&named, CLI_DATA, study->data);
    named.values[CLI_RESUME].set =
        0; /* --data names what the folder has, or fails */
    return cli_data_open(&study->splits[split], &named, split, 0);
}

fal_status fal_study_dataset(fal_study *study, fal_split split,
                             const fal_dataset **dataset)
{
    fal_status status = FAL_OK;
    if (!study->data)
        return fal_spec_fail(&study->spec, NULL, "data: missing; give its name");
    if (!study->splits[split])
        status = open_split(study, split);
    if (!status)
        *dataset = study->splits[split];
    return status;
}

/* "needs data set D, not found in …; how to get it". */
static fal_status note_missing(fal_study *study)
{
    char text[2048];
    const char *why = fal_error_message();
    const char *places = strstr(why, ": not found in ");
    if (places)
        snprintf(text, sizeof text, "needs data set %s, %s", study->data,
                 places + 2);
    else
        snprintf(text, sizeof text, "needs data set %s: %s", study->data, why);
    study->data_missing = fal_copy_text(text);
    return study->data_missing ? FAL_OK : FAL_ERROR_MEMORY;
}

/* What every experiment on data makes of them. */
static fal_status check_kind(const fal_study *study, const fal_dataset *data)
{
    fal_arrays facts = {.size = sizeof facts};
    fal_status status = fal_dataset_describe(data, &facts);
    if (status || (facts.labels && facts.height * facts.width > 1))
        return status;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "data set '%s': %s needs images with classes: %s; choose "
                    "another with --data, such as %s",
                    study->data, study->spec.name,
                    facts.labels ? "its samples are no images, but rows of numbers"
                                 : "its samples have no classes, but real targets",
                    study->spec.data);
}

/* Whoever names a data set wants it: only the experiment's own may be missing. */
static int is_chosen(const fal_study *study)
{
    return cli_in_words(study->options, CLI_DATA) ||
           strcmp(study->data, study->spec.data) != 0;
}

fal_status fal_study_find_data(fal_study *study)
{
    const fal_dataset *test = NULL;
    if (!study->data)
        return FAL_OK;
    fal_status status = fal_study_dataset(study, FAL_SPLIT_TEST, &test);
    if (!status)
        return check_kind(study, test);
    return status == FAL_ERROR_MEMORY || is_chosen(study) ? status
                                                          : note_missing(study);
}

/* ---- running ------------------------------------------------------------- */

int fal_study_stopped(const fal_study *study)
{
    (void)study;
    return cli_interrupted();
}

void fal_study_progress(fal_study *study, double share)
{
    if (study->on_share)
        study->on_share(share, study->user);
}

int fal_study_on_progress(const fal_progress *progress, void *study)
{
    if (progress->steps > 0)
        fal_study_progress(study, (double)progress->step / (double)progress->steps);
    return fal_study_stopped(study);
}

fal_status fal_study_run(fal_study *study, const fal_part *part, cJSON **result)
{
    cJSON *made = cJSON_CreateObject();
    *result = NULL;
    if (!made)
        return fal_fail(FAL_ERROR_MEMORY, "part %s: no host memory", part->key);
    fal_status status = study->experiment->run(study, part, made);
    if (!status && !fal_study_stopped(study)) {
        *result = made;
        return FAL_OK;
    }
    cJSON_Delete(made);
    if (fal_study_stopped(study))
        return FAL_STOPPED;
    return fal_fail_within(status, "part %s", part->key);
}

double fal_study_expected(const fal_study *study)
{
    double seconds = 0;
    for (size_t i = 0; i < study->parts.count; i++)
        seconds += study->parts.results[i] ? 0 : study->parts.list[i].seconds;
    return seconds;
}

/* ---- opening and closing ------------------------------------------------- */

/* Parts that want data that are not there are counted and go. */
static void leave_out(fal_study *study)
{
    size_t kept = 0;
    for (size_t i = 0; i < study->parts.count; i++)
        if (!study->parts.list[i].data || (study->data && !study->data_missing))
            study->parts.list[kept++] = study->parts.list[i];
    study->left_out = study->parts.count - kept;
    study->parts.count = kept;
}

static fal_status list_parts(fal_study *study)
{
    fal_status status = study->experiment->list(study, &study->parts);
    if (status)
        return status;
    leave_out(study);
    study->parts.results = fal_allocate(study->parts.count,
                                        sizeof *study->parts.results);
    return study->parts.results ? FAL_OK : FAL_ERROR_MEMORY;
}

fal_status fal_study_open(fal_study *study, const fal_experiment *experiment,
                          fal_scale scale, uint64_t seeds, const char *data,
                          const cli_options *options)
{
    double number = 0;
    *study = (fal_study){
        .experiment = experiment, .scale = scale, .options = options};
    fal_status status = fal_spec_read(&study->spec, experiment);
    if (!status)
        status = fal_study_number(study, "seeds", &number);
    study->seeds = seeds ? seeds : (uint64_t)number;
    study->data = data && study->spec.data ? data : study->spec.data;
    if (!status)
        status = fal_study_find_data(study);
    return status ? status : list_parts(study);
}

void fal_study_close(fal_study *study)
{
    fal_parts_release(&study->parts);
    fal_dataset_destroy(study->splits[0]);
    fal_dataset_destroy(study->splits[1]);
    fal_device_destroy(study->device);
    while (study->owned) {
        fal_owned *owned = study->owned;
        study->owned = owned->next;
        fal_release(owned->block);
        fal_release(owned);
    }
    fal_release(study->data_missing);
    fal_spec_release(&study->spec);
}
