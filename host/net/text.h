/* Between the text of a network and its list of layers. */
#ifndef FAL_NET_TEXT_H
#define FAL_NET_TEXT_H

#include "net/network.h"

/* Adds the layers of a text, which is cut up; shapes come later. Of joins and
 * projections it sets all but what follows from shapes. */
fal_status fal_network_read(fal_network *network, char *text);

/* The complete text, for fal_release: input, every layer with its name. */
fal_status fal_network_write(const fal_network *network, char **text);

/* A block, for the manual's list of layers. */
extern const char fal_block_form[], fal_block_meaning[];

/* Of the join at `index`: the first layer of the block's body, and the layer behind its
 * last. */
size_t fal_block_first(const fal_network *network, size_t index);
size_t fal_block_end(const fal_network *network, size_t index);

#endif
