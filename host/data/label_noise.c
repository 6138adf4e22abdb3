/* Labels that are redrawn at random: of sample i the elements 2i and 2i + 1 of a stream
 * of its own (host/data/random.h) say whether, and which one it becomes. */
#include "data/dataset.h"
#include "data/random.h"
#include "device/error.h"

/* `draw`: 0 of training samples, 1 of those of the test */
static void redraw(int32_t *labels, const fal_arrays *arrays, double share,
                   uint64_t seed, uint32_t draw)
{
    uint64_t limit = (uint64_t)(share * 4294967296.0);
    for (size_t i = 0; i < arrays->count; i++) {
        uint32_t decides = fal_random_word(seed, FAL_PURPOSE_LABEL_NOISE, 0, draw,
                                           2 * (uint64_t)i);
        uint32_t word = fal_random_word(seed, FAL_PURPOSE_LABEL_NOISE, 0, draw,
                                        2 * (uint64_t)i + 1);
        if (decides < limit)
            labels[i] = (int32_t)(((uint64_t)word * arrays->classes) >> 32);
    }
}

static fal_status check(const fal_dataset *dataset, double share, fal_split split)
{
    if (!(share >= 0 && share <= 1))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "label noise: the probability %g must be from 0 to 1",
                        share);
    if (!dataset->arrays.labels)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "label noise: the data set has real targets, no labels; "
                        "leave it out, or give data with classes");
    if (split != FAL_SPLIT_TRAIN && split != FAL_SPLIT_TEST)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "label noise: split is %d; give FAL_SPLIT_TRAIN or "
                        "FAL_SPLIT_TEST",
                        (int)split);
    return FAL_OK;
}

fal_status fal_dataset_label_noise(fal_dataset **noisy, const fal_dataset *dataset,
                                   double probability, uint64_t seed,
                                   fal_split split)
{
    if (!noisy || !dataset)
        return fal_fail(FAL_ERROR_ARGUMENT, "label noise: %s is NULL; give both",
                        dataset ? "noisy" : "dataset");
    fal_status status = check(dataset, probability, split);
    if (!status)
        status = fal_dataset_derive(noisy, dataset, &dataset->arrays, NULL);
    if (!status)
        redraw((*noisy)->labels, &dataset->arrays, probability, seed,
               split == FAL_SPLIT_TEST);
    return status;
}
