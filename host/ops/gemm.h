/* The matrix product every linear thing is made of: C <- epilogue(A B), A [m][k],
 * B [k][n], C [m][n], float32, row-major. How an operand is read is its source;
 * what becomes of a finished sum is the epilogue. Products that do not wait for each
 * other share a launch. Kernels: cl/gemm.cl (CPU-like) and cl/gemm_tile.cl
 * (GPU-like). */
#ifndef FAL_GEMM_H
#define FAL_GEMM_H

#include "device/launch.h"
#include "ops/activation.h"
#include "ops/optimize.h"
#include "ops/random.h"

typedef enum fal_source {
    FAL_SOURCE_ROWS = 0,    /* stored as the product reads it: A [m][k], B [k][n] */
    FAL_SOURCE_COLUMNS = 1, /* stored transposed: A [k][m], B [n][k] */
    FAL_SOURCE_COLUMNS_ONES = 2, /* A [k][m − 1] transposed, then a row of ones:
                                  * C's last row is B summed over k */
    FAL_SOURCE_PATCHES = 3, /* A: patches of maps (fal_patches), a row a pixel */
    FAL_SOURCE_PATCHES_TURNED = 4,     /* A: the same transposed … */
    FAL_SOURCE_PATCHES_TURNED_ONES = 5 /* … and with a row of ones behind it */
} fal_source;

typedef struct fal_operand {
    fal_source source;
    fal_view data;
    size_t pitch; /* floats from one stored row to the next; patches have none */
} fal_operand;

/* Patches of maps [images][height][width][channels]: their row number (image, y, x) of
 * a grid, tall x wide an image, is what lies under a kernel at [y·stride + top]
 * [x·stride + left], a column (tap, channel), 0 outside the map. Taps go from left to
 * right, `across` of them a line; k (turned: m) says how many there are.
 *
 * Where `images` says how many there are, a row's number is (y, x, image): pixels of
 * many small maps, whose taps outside are outside together, and are left out where the
 * channels fill blocks of k. */
typedef struct fal_patches {
    size_t height, width, channels;
    size_t tall, wide, across, stride;
    ptrdiff_t top, left;
    size_t images; /* or 0 */
} fal_patches;

/* Pixel (image, y, x) of the patches' grid is row image·by_image + y·by_line + x·step
 * of C. step 0: row m is row m. */
typedef struct fal_lattice {
    size_t by_image, by_line, step;
} fal_lattice;

/* What B's elements are. The signs are those of what is stored, 0 of 0, and stored
 * transposed (FAL_SOURCE_COLUMNS). */
typedef enum fal_values_kind {
    FAL_VALUES_STORED = 0,
    FAL_VALUES_SIGN,           /* scale · sign */
    FAL_VALUES_MAGNITUDE_SIGN, /* |magnitude| · sign */
    FAL_VALUES_RANDOM,     /* [k][n] is element k·n of the product + n of a stream;
                            * nothing is stored */
    FAL_VALUES_RANDOM_SIGN /* the magnitude of that · sign */
} fal_values_kind;

typedef struct fal_values {
    fal_values_kind kind;
    float scale;
    fal_view magnitude; /* laid out as B */
    fal_random random;
    int redrawn; /* its draw is the step's (fal_update_step) */
} fal_values;

/* The longest sum whose epilogue may be an update: one that is done in one piece. */
enum { FAL_GEMM_DEPTH = 256 };

/* In this order: sum, + old C if accumulate, · alpha · *scale, + beta · other,
 * + identity on the diagonal, + bias, activation, · phi'(output); or, with an update,
 * its step for the weights C with the sum as their gradient. */
typedef struct fal_product {
    size_t m, n, k;
    fal_operand a, b;
    fal_values values; /* of b */
    fal_view c;
    size_t pitch;  /* of C */
    int symmetric; /* the result is known to be: half of it is computed, stored twice
                    */
    int accumulate;
    float alpha;    /* 0: 1 */
    fal_view scale; /* one float, or no buffer: 1 */
    fal_view other; /* laid out as C; or no buffer. Not together with `output`. C
                     * itself, if k is at most FAL_GEMM_DEPTH */
    float beta;
    float identity; /* symmetric products only */
    fal_view bias;  /* [n], or no buffer */
    fal_activation activation;
    fal_view output; /* stored output h laid out as C: the sum times phi'(h) of
                      * `derivative`; or no buffer */
    fal_activation derivative;
    const char *layer, *work; /* for profiles; NULL: the list's, none */
    const fal_update *update; /* rule, moment, squares, feedback (laid out as C) and
                               * halted count; or NULL */
    fal_view halted; /* without an update: one int, C stays where it is not 0; or no
                      * buffer */
    fal_patches patches; /* of a; k may be 0 then: the sum is 0 */
    fal_lattice lattice; /* of C */
    double flops;        /* for profiles; 0: 2mnk */
} fal_product;

/* Adds products of which none reads what another writes, in one launch if their
 * operands lie in at most 8 buffers. The sum over k goes in an order that depends
 * on the sizes only. Where the device is opened for CLBlast, each product that is
 * only a sum with bias, activation or derivative goes there by itself. */
fal_status fal_gemm_add(fal_launches *list, const fal_product *products,
                        size_t count);

#endif
