/* For erf: Saad and Solla (1995), as the science has them. */
#include "analysis/integrals.h"

#include <math.h>

static const double PI = 3.14159265358979323846;

static double of(const fal_fields *fields, size_t a, size_t b)
{
    return fields->covariance[a * fields->count + b];
}

/* Rounding may take the sine of two equal fields past 1. */
static double angle(double sine)
{
    return asin(sine > 1 ? 1 : sine < -1 ? -1 : sine);
}

/* Between two fields as vectors, which span a parallelogram of this area */
static double angle_between(const fal_fields *fields, size_t a, size_t b,
                            double *area)
{
    double c01 = of(fields, a, b);
    double squared = of(fields, a, a) * of(fields, b, b) - c01 * c01;
    *area = squared > 0 ? sqrt(squared) : 0;
    return atan2(*area, c01);
}

double fal_i2(const fal_fields *fields, size_t a, size_t b)
{
    double c00 = of(fields, a, a), c01 = of(fields, a, b), c11 = of(fields, b, b);
    double area;
    switch (fields->response) {
    case FAL_RESPONSE_ERF:
        return 2 / PI * angle(c01 / sqrt((1 + c00) * (1 + c11)));
    case FAL_RESPONSE_RELU: {
        double between = angle_between(fields, a, b, &area);
        return (area + (PI - between) * c01) / (2 * PI);
    }
    case FAL_RESPONSE_LINEAR:
        break;
    }
    return c01;
}

double fal_j2(const fal_fields *fields, size_t a, size_t b)
{
    double c00 = of(fields, a, a), c01 = of(fields, a, b), c11 = of(fields, b, b);
    double area;
    switch (fields->response) {
    case FAL_RESPONSE_ERF:
        return 2 / PI / sqrt(1 + c00 + c11 - c01 * c01 + c00 * c11);
    case FAL_RESPONSE_RELU:
        return (PI - angle_between(fields, a, b, &area)) / (2 * PI);
    case FAL_RESPONSE_LINEAR:
        break;
    }
    return 1;
}

double fal_i3(const fal_fields *fields, size_t a, size_t b, size_t c)
{
    double c00 = of(fields, a, a), c01 = of(fields, a, b), c02 = of(fields, a, c);
    double c12 = of(fields, b, c), c22 = of(fields, c, c);
    if (fields->response == FAL_RESPONSE_LINEAR)
        return c12;
    if (fields->response == FAL_RESPONSE_RELU)
        return NAN;
    double l3 = (1 + c00) * (1 + c22) - c02 * c02;
    return 2 / PI / sqrt(l3) * (c12 * (1 + c00) - c01 * c02) / (1 + c00);
}

double fal_i4(const fal_fields *fields, size_t a, size_t b, size_t c, size_t d)
{
    double c00 = of(fields, a, a), c01 = of(fields, a, b), c02 = of(fields, a, c);
    double c03 = of(fields, a, d), c11 = of(fields, b, b), c12 = of(fields, b, c);
    double c13 = of(fields, b, d), c22 = of(fields, c, c), c23 = of(fields, c, d);
    double c33 = of(fields, d, d);
    if (fields->response == FAL_RESPONSE_LINEAR)
        return c23;
    if (fields->response == FAL_RESPONSE_RELU)
        return NAN;
    double l4 = (1 + c00) * (1 + c11) - c01 * c01;
    double l0 = l4 * c23 - c12 * c13 * (1 + c00) - c02 * c03 * (1 + c11) +
                c01 * c02 * c13 + c01 * c03 * c12;
    double l1 = l4 * (1 + c22) - c12 * c12 * (1 + c00) - c02 * c02 * (1 + c11) +
                2 * c01 * c02 * c12;
    double l2 = l4 * (1 + c33) - c13 * c13 * (1 + c00) - c03 * c03 * (1 + c11) +
                2 * c01 * c03 * c13;
    return 4 / (PI * PI) / sqrt(l4) * angle(l0 / sqrt(l1 * l2));
}
