/* A fit that is told to stop ends soon, however long its steps take: the host does not
 * queue many that nobody wants any more. Without fal_pace_step some hundred are. */
#include "learning.h"

#include <time.h>

enum { ROWS = 16, BATCHES = 130, SIDE = 32, CLASSES = 4 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* `user`: when the first step was queued */
static int stop_after_a_second(const fal_progress *progress, void *user)
{
    double *begun = user;
    if (progress->event != FAL_STEP)
        return 0;
    if (*begun <= 0)
        *begun = now();
    return now() - *begun > 1;
}

static void slow_steps_are_not_queued_far_ahead(void **state)
{
    fal_arrays arrays = random_arrays(ROWS * BATCHES, SIDE * SIDE * 3, CLASSES, 0);
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    double begun = 0;
    (void)state;
    arrays.height = arrays.width = SIDE;
    arrays.channels = 3;
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_of(
        "input 32x32x3, conv 128 3, relu, conv 128 3, relu, "
        "pool global, dense 4",
        1);
    options.batch = ROWS;
    fal_trainer *trainer = trainer_of(model, &options);
    assert_int_equal(
        fal_trainer_fit(trainer, data, NULL, 9, stop_after_a_second, &begun),
        FAL_STOPPED);
    double late = now() - begun - 1;
    if (!(late < 2))
        fail_msg("it stopped %.1f s after it was told to", late);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_steps_are_not_queued_far_ahead),
    };
    return cmocka_run_group_tests_name("pace", tests, open_device, close_device);
}
