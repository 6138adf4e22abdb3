/* Sums in a fixed order. Kernel: cl/reduce.cl. */
#ifndef FAL_REDUCE_H
#define FAL_REDUCE_H

#include "device/launch.h"

/* sums[columns] <- Σ over rows of x [rows][columns]: bias gradients. */
fal_status fal_column_sums_add(fal_launches *list, fal_view x, size_t rows,
                               size_t columns, fal_view sums);

#endif
