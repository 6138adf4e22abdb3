#include "reproduce/refinetti.h"

static const fal_refinetti_chapter *const chapters[FAL_REFINETTI_KINDS] = {
    [FAL_REFINETTI_ONLINE] = &fal_refinetti_online,
    [FAL_REFINETTI_RECOVERY] = &fal_refinetti_recovery,
    [FAL_REFINETTI_DEEP] = &fal_refinetti_deep,
    [FAL_REFINETTI_DATA] = &fal_refinetti_data,
    [FAL_REFINETTI_MEMORIZE] = &fal_refinetti_memorize,
    [FAL_REFINETTI_DEGENERACY] = &fal_refinetti_degeneracy,
};

uint64_t fal_refinetti_seeds(fal_study *study)
{
    double own = 0;
    uint64_t all = fal_study_seeds(study);
    if (fal_study_number(study, "network-seeds", &own) || own < (double)all)
        return all;
    return (uint64_t)own;
}

/* The last has the longest parts, which begin first. */
static fal_status list(fal_study *study, fal_parts *parts)
{
    fal_status status = FAL_OK;
    for (size_t i = FAL_REFINETTI_KINDS; i > 0 && !status; i--)
        status = chapters[i - 1]->list(study, parts);
    return status;
}

static fal_status run(fal_study *study, const fal_part *part, cJSON *result)
{
    return chapters[part->kind]->run(study, part, result);
}

static fal_status conclude(fal_study *study, fal_findings *findings)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < FAL_REFINETTI_KINDS && !status; i++)
        status = chapters[i]->conclude(study, findings);
    return status;
}

const fal_experiment fal_experiment_refinetti = {.name = "refinetti",
                                                 .list = list,
                                                 .run = run,
                                                 .conclude = conclude,
                                                 .on_device = 1};
