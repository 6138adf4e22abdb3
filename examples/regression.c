/* Real targets: learns the sine from points of it. */
#include <falign.h>
#include <math.h>
#include <stdio.h>

enum { COUNT = 1000, SHOWN = 5 };

static int learn(fal_model *model, const fal_dataset *data)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.loss = "mse";
    options.learning_rate = 0.01;
    fal_trainer *trainer = NULL;
    int failed = fal_trainer_create(&trainer, model, &options) ||
                 fal_trainer_fit(trainer, data, NULL, 300, NULL, NULL);
    fal_trainer_destroy(trainer);
    return failed;
}

int main(void)
{
    static float inputs[COUNT], targets[COUNT];
    for (int i = 0; i < COUNT; i++) {
        inputs[i] = 6.2831853f * (float)i / COUNT;
        targets[i] = sinf(inputs[i]);
    }
    fal_arrays arrays = FAL_ARRAYS;
    arrays.count = COUNT;
    arrays.channels = 1;
    arrays.inputs = inputs;
    arrays.targets = targets;
    arrays.outputs = 1;

    fal_device *device = NULL;
    fal_dataset *data = NULL;
    fal_model *model = NULL;
    float asked[SHOWN] = {0.5f, 1.5f, 3, 4.5f, 6}, said[SHOWN];
    int failed = fal_device_open(&device, NULL) ||
                 fal_dataset_create(&data, &arrays) ||
                 fal_model_create(&model, device,
                                  "input 1, dense 32, tanh, dense 1", NULL) ||
                 learn(model, data) ||
                 fal_model_predict(model, asked, FAL_FLOATS, SHOWN, said);
    if (failed)
        fprintf(stderr, "%s\n", fal_error_message());
    for (int i = 0; i < SHOWN && !failed; i++)
        printf("sin %.1f = %.3f, network %.3f\n", asked[i], sinf(asked[i]),
               said[i]);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    fal_device_destroy(device);
    return failed;
}
