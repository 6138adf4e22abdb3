/* A loop of one's own: batches made as they are needed, a learning rate that rises
 * for 100 steps and then falls as 1/sqrt(step). Have x and y the same sign? Saves
 * the model in signs.safetensors, for predict.c. */
#include <falign.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 64, STEPS = 2000, RISE = 100 };

static void make_batch(float points[ROWS][2], int32_t labels[ROWS])
{
    for (int i = 0; i < ROWS; i++) {
        points[i][0] = 2 * (float)rand() / (float)RAND_MAX - 1;
        points[i][1] = 2 * (float)rand() / (float)RAND_MAX - 1;
        labels[i] = points[i][0] * points[i][1] > 0;
    }
}

static double rate(int step)
{
    return 0.01 * (step < RISE ? (step + 1.0) / RISE : sqrt((double)RISE / step));
}

int main(void)
{
    float points[ROWS][2];
    int32_t labels[ROWS];
    fal_arrays batch = FAL_ARRAYS;
    batch.count = ROWS;
    batch.channels = 2;
    batch.inputs = points;
    batch.labels = labels;
    batch.classes = 2;

    fal_device *device = NULL;
    fal_model *model = NULL;
    fal_trainer *trainer = NULL;
    double loss = 0;
    int failed = fal_device_open(&device, NULL) ||
                 fal_model_create(&model, device,
                                  "input 2, dense 64, relu, dense 2", NULL) ||
                 fal_trainer_create(&trainer, model, NULL);
    for (int step = 0; step < STEPS && !failed; step++) {
        int shown = step % 200 == 0 || step == STEPS - 1;
        make_batch(points, labels);
        failed = fal_trainer_learning_rate(trainer, rate(step)) ||
                 fal_trainer_step(trainer, &batch, shown ? &loss : NULL);
        if (shown && !failed)
            printf("step %4d  rate %.4f  loss %.4f\n", step, rate(step), loss);
    }
    failed = failed || fal_model_save(model, "signs.safetensors");
    if (failed)
        fprintf(stderr, "%s\n", fal_error_message());
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_device_destroy(device);
    return failed;
}
