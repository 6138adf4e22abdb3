/* What forms of convolutions share: epilogues, classes of pixels, turned weights, the end of a
 * gradient that was summed in pieces. */
#ifndef FAL_CONV_PARTS_H
#define FAL_CONV_PARTS_H

#include "ops/conv.h"
#include "ops/epilogue.h"
#include "ops/sizes.h"

/* Rows of the weights: taps times channels */
size_t fal_conv_rows(const fal_conv *conv);

/* Arithmetic of a pass, whatever form it takes */
double fal_conv_flops(const fal_conv *conv);

/* Notes a launch's work, of a layer or, NULL, of the list's. */
void fal_conv_note(fal_launches *list, const char *layer, const char *work,
                   double flops, double bytes);

/* What the kernels of forms other than patches make of what follows a pass's sums */
fal_kernel_epilogue fal_conv_forward_epilogue(const fal_conv_forward *pass);
fal_kernel_epilogue fal_conv_data_epilogue(const fal_conv_data *pass);

fal_view fal_view_moved(fal_view view, uint64_t by);

/* Lines (or columns) of the input whose numbers leave the remainder `of` by the stride,
 * and the taps that reach them: `taps` neighbours of delta's lines, from `begin` on for
 * the first; in a kernel's order they are `before` others' successors. */
typedef struct fal_conv_class {
    size_t of, pixels, taps, before;
    ptrdiff_t begin;
} fal_conv_class;

/* Of a size, height or width. */
fal_conv_class fal_conv_class_of(const fal_conv *conv, size_t size, size_t of);

/* Where the turned weights of two classes, of lines and of columns, begin in the room */
uint64_t fal_conv_turned_at(const fal_conv *conv, fal_conv_class y,
                            fal_conv_class x);

/* Turns the carrier's taps round into the pass's room, class by class. */
fal_status fal_conv_turn_add(fal_launches *list, const fal_conv *conv,
                             const fal_conv_data *pass);

/* Makes the gradient, or the optimizer's step, of so many sums of all weights, which
 * lie in the pass's room. */
fal_status fal_conv_pieces_add(fal_launches *list, const fal_conv *conv,
                               const fal_conv_weight *pass, size_t count);

#endif
