#include "reproduce/store.h"
#include "cli/config.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"
#include "train/folder.h"
#include "train/run_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RESULT_LIMIT = 1 << 28, NAME = FAL_PART_KEY + 16 };

/* ---- what a folder is of ------------------------------------------------- */

fal_status fal_stored_read(fal_stored *stored, const char *folder)
{
    struct {
        const char *key;
        char **text;
    } keys[] = {
        {"experiment", &stored->experiment}, {"scale", &stored->scale},
        {"seeds", &stored->seeds},           {"data", &stored->data},
        {"device", &stored->device},         {"settings", &stored->settings}};
    fal_status status = FAL_OK;
    *stored = (fal_stored){NULL};
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !status; i++)
        status = cli_config_text(folder, keys[i].key, keys[i].text);
    if (status ||
        (stored->experiment && stored->scale && stored->seeds && stored->settings))
        return status;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "'%s' is not the folder of an experiment; name one that falign "
                    "reproduce made",
                    folder);
}

void fal_stored_release(fal_stored *stored)
{
    fal_release(stored->experiment);
    fal_release(stored->scale);
    fal_release(stored->seeds);
    fal_release(stored->data);
    fal_release(stored->device);
    fal_release(stored->settings);
    *stored = (fal_stored){NULL};
}

fal_status fal_store_check(const fal_stored *stored, const fal_study *study,
                           const char *folder)
{
    fal_json settings = FAL_JSON;
    fal_study_settings(study, &settings);
    fal_status status = settings.status;
    if (!status && strcmp(settings.text, stored->settings) != 0)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "'%s' was begun with other settings of %s, so its parts "
                          "do not go with new ones; begin anew with another --out, "
                          "or --force",
                          folder, study->spec.name);
    fal_json_release(&settings);
    return status;
}

/* ---- beginning ----------------------------------------------------------- */

static void print_line(FILE *out, const char *key, const char *text)
{
    fal_json json = FAL_JSON;
    fal_json_string(&json, text);
    fprintf(out, "%s: %s\n", key, json.text ? json.text : "");
    fal_json_release(&json);
}

static void print_config(FILE *out, const fal_study *study, const char *device,
                         const char *settings)
{
    fprintf(out,
            FAL_CONFIG_MARK "%s\n# falign reproduce --resume FOLDER goes on with "
                            "it\n",
            fal_version());
    print_line(out, "experiment", study->spec.name);
    print_line(out, "scale", fal_scale_names[study->scale]);
    fprintf(out, "seeds: %llu\n", (unsigned long long)study->seeds);
    print_line(out, "data", study->data);
    print_line(out, "device", device);
    print_line(out, "settings", settings);
}

static fal_status make_config(const fal_study *study, const char *device,
                              char **text)
{
    fal_json settings = FAL_JSON;
    size_t size;
    *text = NULL;
    FILE *out = open_memstream(text, &size);
    fal_study_settings(study, &settings);
    if (out && !settings.status)
        print_config(out, study, device, settings.text);
    int failed = !out || settings.status || ferror(out);
    failed |= out && fclose(out) != 0;
    fal_json_release(&settings);
    return failed
               ? fal_fail(FAL_ERROR_MEMORY, "writing config.yaml: no host memory")
               : FAL_OK;
}

static fal_status make_parts_folder(const fal_run *folder)
{
    char *path = fal_folder_path(fal_run_folder(folder), FAL_PARTS_FOLDER);
    if (!path)
        return FAL_ERROR_MEMORY;
    fal_status status = FAL_OK;
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        status = fal_fail(FAL_ERROR_FILE,
                          "folder '%s': cannot be made: %s; choose another with "
                          "--out",
                          path, strerror(errno));
    fal_release(path);
    return status;
}

fal_status fal_store_begin(fal_run *folder, const fal_study *study,
                           const char *device)
{
    char *config;
    fal_status status = make_config(study, device, &config);
    if (!status)
        status = fal_run_begin(folder, NULL);
    if (!status)
        status = fal_run_write(folder, "config.yaml", config);
    free(config);
    return status ? status : make_parts_folder(folder);
}

/* ---- parts --------------------------------------------------------------- */

static void name_part(char name[NAME], const fal_part *part)
{
    snprintf(name, NAME, FAL_PARTS_FOLDER "/%s.json", part->key);
}

static fal_status load_part(const char *path, cJSON **result)
{
    unsigned char *text;
    size_t size;
    *result = NULL;
    if (access(path, F_OK) != 0)
        return FAL_OK;
    fal_status status = fal_file_read(path, RESULT_LIMIT, &text, &size);
    if (status)
        return status;
    cJSON *read = cJSON_ParseWithLength((const char *)text, size);
    fal_release(text);
    if (cJSON_IsObject(read))
        *result = read;
    else
        cJSON_Delete(read);
    return FAL_OK;
}

fal_status fal_store_take(const fal_run *folder, fal_study *study, size_t index)
{
    char name[NAME];
    name_part(name, &study->parts.list[index]);
    char *path = fal_folder_path(fal_run_folder(folder), name);
    if (!path)
        return FAL_ERROR_MEMORY;
    fal_status status = load_part(path, &study->parts.results[index]);
    fal_release(path);
    return status;
}

fal_status fal_store_load(const fal_run *folder, fal_study *study, size_t *count)
{
    fal_status status = fal_run_files_sweep(fal_run_folder(folder));
    *count = 0;
    if (!status)
        status = make_parts_folder(folder);
    for (size_t i = 0; i < study->parts.count && !status; i++) {
        status = fal_store_take(folder, study, i);
        *count += study->parts.results[i] ? 1 : 0;
    }
    return status;
}

fal_status fal_store_save(fal_run *folder, const fal_part *part,
                          const cJSON *result)
{
    char name[NAME], *text = cJSON_PrintUnformatted(result);
    if (!text)
        return fal_fail(FAL_ERROR_MEMORY, "part %s: no host memory", part->key);
    name_part(name, part);
    fal_status status = fal_run_write(folder, name, text);
    cJSON_free(text);
    return status;
}
