#include "reproduce/experiments.h"

#include <string.h>

const fal_experiment *const fal_experiments[] = {
    &fal_experiment_akrout,
    &fal_experiment_chu_bacho,
    &fal_experiment_refinetti,
    &fal_experiment_song,
    NULL,
};

const char *fal_experiment_text(const char *name)
{
    for (const fal_embedded *e = fal_embedded_experiments; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return (const char *)e->text;
    return NULL;
}
