#include "files/notes.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/number.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fal_status add(fal_notes *notes, const char *key, const char *text)
{
    fal_metadata *grown = fal_resize(notes->items, notes->count + 1, sizeof *grown);
    if (!grown)
        return FAL_ERROR_MEMORY;
    notes->items = grown;
    grown[notes->count] = (fal_metadata){key, fal_copy_text(text)};
    if (!grown[notes->count].value)
        return FAL_ERROR_MEMORY;
    notes->count++;
    return FAL_OK;
}

void fal_notes_text(fal_notes *notes, const char *key, const char *text)
{
    if (notes->status == FAL_OK)
        notes->status = add(notes, key, text);
}

void fal_notes_whole(fal_notes *notes, const char *key, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, value);
    fal_notes_text(notes, key, text);
}

void fal_notes_real(fal_notes *notes, const char *key, double value)
{
    char text[64];
    fal_number_print_exact(text, sizeof text, value);
    fal_notes_text(notes, key, text);
}

void fal_notes_release(fal_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        fal_release((void *)notes->items[i].value);
    fal_release(notes->items);
    *notes = (fal_notes)FAL_NOTES;
}

/* ---- reading ------------------------------------------------------------- */

static fal_status no_number(const fal_safetensors *file, const char *key)
{
    return fal_fail(FAL_ERROR_FORMAT, "file '%s': its metadata '%s' is no number",
                    fal_safetensors_path(file), key);
}

fal_status fal_notes_read_whole(const fal_safetensors *file, const char *key,
                                uint64_t *value)
{
    const char *text = fal_safetensors_metadata(file, key);
    if (!text || !*text || strspn(text, "0123456789") != strlen(text))
        return no_number(file, key);
    errno = 0;
    unsigned long long read = strtoull(text, NULL, 10);
    if (errno)
        return no_number(file, key);
    *value = read;
    return FAL_OK;
}

fal_status fal_notes_read_real(const fal_safetensors *file, const char *key,
                               double *value)
{
    const char *text = fal_safetensors_metadata(file, key);
    char *end = NULL;
    double read = text ? fal_number_parse(text, &end) : NAN;
    if (!isfinite(read) || *end || end == text)
        return no_number(file, key);
    *value = read;
    return FAL_OK;
}
