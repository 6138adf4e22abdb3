/* An experiment.yaml: what the paper is, the settings of the three scales, and the
 * claims as data. */
#ifndef REPRODUCE_SPEC_H
#define REPRODUCE_SPEC_H

#include "cli/yaml_tree.h"
#include "reproduce/experiment.h"

/* What must hold of the means of a claim's figures. */
typedef enum fal_bound {
    FAL_BOUND_RANGE, /* each above and below a number, or one of these; with `every`
                      * the value of every seed */
    FAL_BOUND_NEAR, /* each at most within + errors standard errors from a number */
    FAL_BOUND_EQUALS, /* every value, of every seed, is a number */
    FAL_BOUND_FALLS,  /* each below the one before */
    FAL_BOUND_RISES   /* each above the one before */
} fal_bound;

typedef struct fal_claim {
    const char *id;
    const char *claim;     /* a sentence */
    const char *published; /* what the paper has, as text */
    const char *source;    /* where that was read */
    const char **figures;
    size_t figure_count;
    fal_bound bound;
    double above, below; /* NAN: no such bound */
    int every;           /* `every: seed` */
    double near, within, errors, equals;
    const char *data; /* the data set it is about, "any": whichever; NULL: none */
    fal_scale scale;  /* it is judged from here on */
} fal_claim;

typedef struct fal_spec {
    char *path; /* what messages call it: "experiments/NAME/experiment.yaml" */
    cli_yaml_node *root;
    const char *name, *paper, *about;
    const char *data;            /* data set of its own; NULL: it needs none */
    const cli_yaml_node *common; /* settings of all scales; NULL: none */
    const cli_yaml_node *scales[FAL_SCALES];
    fal_claim *claims;
    size_t claim_count;
} fal_spec;

extern const char *const fal_scale_names[FAL_SCALES];

/* That of an experiment. Release it also after an error. Errors: FORMAT (names file,
 * line and column), MEMORY. */
fal_status fal_spec_read(fal_spec *spec, const fal_experiment *experiment);
void fal_spec_release(fal_spec *spec);

/* A setting; NULL: there is none. */
const cli_yaml_node *fal_spec_setting(const fal_spec *spec, fal_scale scale,
                                      const char *name);

/* Fails with FORMAT where `node` stands, NULL: in the file. */
fal_status fal_spec_fail(const fal_spec *spec, const cli_yaml_node *node,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The number that a text node says. */
fal_status fal_spec_number(const fal_spec *spec, const cli_yaml_node *node,
                           double *value);

#endif
