/* Networks by name. */
#ifndef FAL_PRESETS_H
#define FAL_PRESETS_H

#include "net/network.h"

typedef struct fal_preset {
    const char *name;
    const char *norm;    /* the one it has where none is asked for */
    const char *meaning; /* a line of the manual */
} fal_preset;

extern const size_t fal_preset_count;
const fal_preset *fal_preset_at(size_t index);

/* The network's text, for fal_release: of a preset its layers, of layers a copy. */
fal_status fal_preset_expand(const char *text, const fal_network_defaults *defaults,
                             char **expanded);

#endif
