/* Two learning rules from the same weights, one after the other, each on its own
 * device: two_trainers [DEVICE [DEVICE]], for example two_trainers cpu gpu:0 */
#include <falign.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 2000 };

static int train(const char *where, const char *rule, const fal_dataset *data)
{
    fal_device_options choice = FAL_DEVICE_OPTIONS;
    choice.name = where;
    fal_model_options shape = FAL_MODEL_OPTIONS;
    shape.data = data; /* says how many inputs and classes there are */
    shape.seed = 7;    /* the same seed, the same weights on every device */
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;

    fal_device *device = NULL;
    fal_model *model = NULL;
    fal_trainer *trainer = NULL;
    fal_evaluation result = {.size = sizeof result};
    int failed = fal_device_open(&device, &choice) ||
                 fal_model_create(&model, device, "mlp-2x64", &shape) ||
                 fal_trainer_create(&trainer, model, &options) ||
                 fal_trainer_fit(trainer, data, NULL, 50, NULL, NULL) ||
                 fal_model_evaluate(model, data, NULL, &result);
    if (!failed)
        printf("%-3s  %.2f %% right\n", rule, 100 * result.accuracy);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_device_destroy(device);
    return failed;
}

int main(int count, char **words)
{
    static float points[COUNT][2];
    static int32_t labels[COUNT];
    for (int i = 0; i < COUNT; i++) {
        points[i][0] = 2 * (float)rand() / (float)RAND_MAX - 1;
        points[i][1] = 2 * (float)rand() / (float)RAND_MAX - 1;
        labels[i] = points[i][0] * points[i][1] > 0;
    }
    fal_arrays arrays = FAL_ARRAYS;
    arrays.count = COUNT;
    arrays.channels = 2;
    arrays.inputs = points;
    arrays.labels = labels;
    arrays.classes = 2;
    fal_dataset *data = NULL;
    int failed = fal_dataset_create(&data, &arrays) ||
                 train(count > 1 ? words[1] : NULL, "bp", data) ||
                 train(count > 2 ? words[2] : NULL, "dfa", data);
    if (failed)
        fprintf(stderr, "%s\n", fal_error_message());
    fal_dataset_destroy(data);
    return failed;
}
