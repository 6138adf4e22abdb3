/* Trains on arrays in memory: is a point of the plane inside a circle? */
#include <falign.h>
#include <stdio.h>

int main(void)
{
    static float points[2000][2];
    static int32_t labels[2000];
    for (int i = 0; i < 2000; i++) {
        float x = points[i][0] = (float)(i % 50) / 25 - 1;
        float y = points[i][1] = (float)(i / 50) / 20 - 1;
        labels[i] = x * x + y * y < 0.5f;
    }
    fal_arrays arrays = FAL_ARRAYS; /* samples of 1 x 1 x channels floats */
    arrays.count = 2000;
    arrays.channels = 2;
    arrays.inputs = points;
    arrays.labels = labels;
    arrays.classes = 2;
    fal_device *device = NULL;
    fal_dataset *data = NULL;
    fal_model *model = NULL;
    fal_trainer *trainer = NULL;
    fal_evaluation result = {.size = sizeof result};
    int failed = fal_device_open(&device, NULL) ||
                 fal_dataset_create(&data, &arrays) ||
                 fal_model_create(&model, device,
                                  "input 2, dense 64, relu, dense 2", NULL) ||
                 fal_trainer_create(&trainer, model, NULL) ||
                 fal_trainer_fit(trainer, data, NULL, 50, NULL, NULL) ||
                 fal_model_evaluate(model, data, NULL, &result);
    if (failed)
        fprintf(stderr, "%s\n", fal_error_message());
    else
        printf("%.2f %% right\n", 100 * result.accuracy);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    fal_device_destroy(device);
    return failed;
}
