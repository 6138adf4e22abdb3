/* Song, Xu & Lafferty 2021: networks of two layers,
 *
 *   f(x) = p^{-1/2} sum over r of beta_r psi(w_r·x),   w, beta, b ~ N(0, 1)
 *
 * learn n samples x ~ N(0, 1) by feedback alignment, b carrying the error down to w; beta
 * decays, always, for half the steps, less and less, or never. */
#ifndef REPRODUCE_SONG_H
#define REPRODUCE_SONG_H

#include "ops/activation.h"
#include "reproduce/experiment.h"

/* Kinds of parts. */
enum { SONG_RUN = 0, SONG_IMAGES = 1 };

typedef struct song_network {
    const char *name;  /* "relu": of figures; settings are relu_rate, relu_decays */
    const char *layer; /* behind the first layer in the network's text */
    fal_phi phi;
    int summed; /* the loss is half the sum of e², else their mean */
    const char *rate, *decays; /* settings */
} song_network;

enum { SONG_NETWORKS = 4 };
extern const song_network song_networks[SONG_NETWORKS];

/* How the decay goes on. */
typedef enum song_course { SONG_ALWAYS, SONG_CUT, SONG_FALLING } song_course;

/* One network, width and decay; parts are its seeds. */
typedef struct song_setting {
    const song_network *network;
    size_t samples, inputs, width;
    double rate, decay; /* of the paper's equations */
    song_course course;
    uint64_t steps, seeds;
    char name[64]; /* "relu-p200-l2-cut" */
} song_setting;

typedef struct song_settings {
    song_setting *list; /* for fal_release */
    size_t count, capacity;
} song_settings;

/* host/reproduce/song_settings.c: all of the study's scale, in the order of the parts'
 * `setting`. */
fal_status song_settings_make(fal_study *study, song_settings *settings);

/* The setting of that name, NULL: there is none. */
const song_setting *song_settings_find(const song_settings *settings,
                                       const char *name);

/* host/reproduce/song_run.c */
fal_status song_run(fal_study *study, const song_setting *setting, uint64_t seed,
                    cJSON *result);

/* host/reproduce/song_images.c: 784-1000-10 on images. */
fal_status song_images_list(fal_study *study, fal_parts *parts);
fal_status song_images_run(fal_study *study, const fal_part *part, cJSON *result);
fal_status song_images_conclude(fal_study *study, fal_findings *findings);

/* host/reproduce/song_plots.c */
fal_status song_plots(fal_study *study, const song_settings *settings,
                      fal_findings *findings);

#endif
