/* What follows from the order and shapes of a network's layers. */
#ifndef FAL_SHAPES_H
#define FAL_SHAPES_H

#include "net/network.h"

/* Fills shapes, numbers, ends and what is fused; refuses networks that cannot be. */
fal_status fal_network_shape(fal_network *network);

#endif
