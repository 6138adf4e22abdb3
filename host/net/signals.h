/* Which signals share a place: those that one layer changes into another. */
#ifndef FAL_SIGNALS_H
#define FAL_SIGNALS_H

#include "net/flow.h"

/* parent[t] is a tensor below t, or t itself; a place is known by the last of these. */
typedef struct fal_signals {
    const fal_network *network;
    fal_flow flow;
    size_t *parent;
} fal_signals;

fal_status fal_signals_make(fal_signals *signals, const fal_network *network,
                            const fal_route *routes);
void fal_signals_release(fal_signals *signals);

size_t fal_signals_place(const fal_signals *signals, size_t tensor);

/* Whether anything lies there. */
int fal_signals_uses(const fal_signals *signals, size_t place);

/* The first and the last wave in which a place is written or read. */
void fal_signals_life(const fal_signals *signals, size_t place, size_t *first,
                      size_t *last);

#endif
