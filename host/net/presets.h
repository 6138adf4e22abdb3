/* Networks by name. */
#ifndef FAL_PRESETS_H
#define FAL_PRESETS_H

#include "net/network.h"

/* The network's text, for fal_release: of a preset its layers, of layers a copy. */
fal_status fal_preset_expand(const char *text, const fal_network_defaults *defaults,
                             char **expanded);

#endif
