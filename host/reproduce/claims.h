/* The claims of an experiment.yaml. */
#ifndef REPRODUCE_CLAIMS_H
#define REPRODUCE_CLAIMS_H

#include "reproduce/spec.h"

/* Reads the list `claims` of a spec whose tree is there. Errors: FORMAT, MEMORY. */
fal_status fal_claims_read(fal_spec *spec);

#endif
