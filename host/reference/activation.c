#include "reference/activation.h"

#include <math.h>

double fal_reference_activate(fal_activation activation, double a)
{
    switch (activation.phi) {
    case FAL_RELU:
        return a < 0 ? 0 : a;
    case FAL_LEAKY:
        return a < 0 ? activation.slope * a : a;
    case FAL_TANH:
        return tanh(a);
    case FAL_SIGMOID:
        return 1 / (1 + exp(-a));
    case FAL_SCALE:
        return activation.slope * a;
    case FAL_LINEAR:
        break;
    }
    return a;
}

double fal_reference_derivative(fal_activation activation, double h)
{
    if (activation.phi == FAL_SCALE)
        return activation.slope;
    if (isnan(h))
        return activation.phi == FAL_LINEAR ? 1 : h;
    switch (activation.phi) {
    case FAL_RELU:
        return h > 0 ? 1 : 0;
    case FAL_LEAKY:
        return h > 0 ? 1 : activation.slope;
    case FAL_TANH:
        return 1 - h * h;
    case FAL_SIGMOID:
        return h * (1 - h);
    case FAL_SCALE:
    case FAL_LINEAR:
        break;
    }
    return 1;
}

double fal_reference_derive(fal_activation activation, double delta, double h)
{
    if (activation.phi == FAL_RELU && h <= 0)
        return 0;
    return delta * fal_reference_derivative(activation, h);
}
