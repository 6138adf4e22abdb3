/* Chu & Bacho 2024, Random feedback alignment algorithms to train neural networks: why do
 * they align? Which parts there are, and the figures made of them. */
#include "reproduce/chu_bacho.h"
#include "device/error.h"
#include "device/memory.h"

#include <stdio.h>

/* ---- parts --------------------------------------------------------------- */

/* A part a seed, by --seeds or the setting `most`, whichever is less; NULL: by --seeds. */
static fal_status add_parts(fal_study *study, fal_parts *parts, fal_part part,
                            const char *name, const char *most)
{
    const uint64_t seeds = fal_study_seeds(study);
    double own = (double)seeds;
    fal_status status = most ? fal_study_number(study, most, &own) : FAL_OK;
    for (uint64_t s = 0; s < seeds && (double)s < own && !status; s++) {
        part.seed = s;
        fal_part_name(&part, "%s-%d", name, (int)s + 1);
        status = fal_parts_add(parts, &part);
    }
    return status;
}

static fal_status add_images(fal_study *study, fal_parts *parts)
{
    double samples, epochs;
    fal_status status = fal_study_number(study, "image-samples", &samples);
    if (!status)
        status = fal_study_number(study, "image-epochs", &epochs);
    for (size_t i = 0; i < 2 * chu_image_net_count && !status; i++) {
        char name[64];
        const fal_part part = {.kind = CHU_IMAGES,
                               .setting = i,
                               .data = 1,
                               .seconds = .5 + 1.5e-5 * samples * epochs};
        snprintf(name, sizeof name, "%s-%s", chu_image_nets[i / 2].name,
                 i % 2 ? "bp" : "fa");
        status = add_parts(study, parts, part, name, "image-seeds");
    }
    return status;
}

static fal_status list(fal_study *study, fal_parts *parts)
{
    double steps;
    fal_status status = fal_study_number(study, "steps", &steps);
    const fal_part leaves = {.kind = CHU_ESCAPE, .seconds = .5 + 8e-5 * steps};
    const fal_part stays = {
        .kind = CHU_ESCAPE, .setting = CHU_NONE_WRONG, .seconds = leaves.seconds};
    const fal_part flips = {
        .kind = CHU_ESCAPE, .setting = CHU_ALL_WRONG, .seconds = leaves.seconds};
    const fal_part outputs = {.kind = CHU_OUTPUTS, .seconds = 2};
    const fal_part zero = {.kind = CHU_ZERO, .seconds = 1};
    if (!status)
        status = add_parts(study, parts, leaves, "leaves", NULL);
    if (!status)
        status = add_parts(study, parts, stays, "stays", "none-wrong");
    if (!status)
        status = add_parts(study, parts, flips, "flips", "all-wrong");
    if (!status)
        status = add_parts(study, parts, outputs, "outputs", "outputs-seeds");
    if (!status)
        status = add_parts(study, parts, zero, "zero", "zero-seeds");
    return status ? status : add_images(study, parts);
}

static fal_status run(fal_study *study, const fal_part *part, cJSON *result)
{
    switch ((chu_kind)part->kind) {
    case CHU_ESCAPE:
        return chu_escape(study, part, result);
    case CHU_ZERO:
        return chu_zero(study, part, result);
    case CHU_OUTPUTS:
        return chu_outputs(study, part, result);
    case CHU_IMAGES:
        break;
    }
    return chu_images(study, part, result);
}

static fal_status conclude(fal_study *study, fal_findings *findings)
{
    fal_status status = chu_conclude_points(study, findings);
    return status ? status : chu_conclude_images(study, findings);
}

const fal_experiment fal_experiment_chu_bacho = {.name = "chu-bacho",
                                                 .list = list,
                                                 .run = run,
                                                 .conclude = conclude,
                                                 .on_device = 1};
