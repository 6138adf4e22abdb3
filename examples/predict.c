/* Loads a model and predicts for one sample: predict MODEL NUMBER..., for example
 * with the model that own_loop.c saved: predict signs.safetensors 0.5 -0.5 */
#include <falign.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUTS = 4096, CLASSES = 1000 };

/* The probabilities of the classes: the softmax of the outputs. */
static void print(const fal_model *model, const float *outputs, size_t classes)
{
    double sum = 0;
    for (size_t i = 0; i < classes; i++)
        sum += exp((double)outputs[i]);
    for (size_t i = 0; i < classes; i++) {
        const char *name = fal_model_class_name(model, i);
        printf("class %zu%s%s: %.4f\n", i, name ? " " : "", name ? name : "",
               exp((double)outputs[i]) / sum);
    }
}

int main(int count, char **words)
{
    static float inputs[INPUTS], outputs[CLASSES];
    if (count < 3 || count - 2 > INPUTS) {
        fprintf(stderr, "usage: predict MODEL NUMBER...\n");
        return 2;
    }
    for (int i = 2; i < count; i++)
        inputs[i - 2] = strtof(words[i], NULL);

    fal_device *device = NULL;
    fal_model *model = NULL;
    fal_model_info info = {.size = sizeof info};
    int failed = fal_device_open(&device, NULL) ||
                 fal_model_load(&model, device, words[1]) ||
                 fal_model_describe(model, &info);
    size_t wanted = info.height * info.width * info.channels;
    int fits = wanted == (size_t)count - 2 && info.outputs <= CLASSES;
    failed = failed ||
             (fits && fal_model_predict(model, inputs, FAL_FLOATS, 1, outputs));
    if (failed)
        fprintf(stderr, "%s\n", fal_error_message());
    else if (fits)
        print(model, outputs, info.outputs);
    else
        fprintf(stderr, "%s takes %zu numbers\n", words[1], wanted);
    fal_model_destroy(model);
    fal_device_destroy(device);
    return failed || !fits;
}
