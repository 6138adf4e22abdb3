/* Structs that begin with `size`: callers may be compiled against an older, shorter
 * one. */
#ifndef FAL_OPTIONS_H
#define FAL_OPTIONS_H

#include "falign.h"

/* Sets `given`, of `size` bytes, to the first bytes of `defaults`, of `known`
 * bytes, and its `size` field to `size`; bytes past `known` become zero. */
void fal_options_init(void *given, size_t size, const void *defaults, size_t known);

/* Fails with FAL_ERROR_ARGUMENT when the size field of `given` is unset or larger
 * than `known`; `what` names the struct. */
fal_status fal_options_check(const void *given, size_t known, const char *what);

/* into = given, with `defaults` for the tail that `given` lacks; given NULL: all
 * defaults. `into` and `defaults` have `into_size` bytes, into->size becomes that.
 */
fal_status fal_options_read(void *into, size_t into_size, const void *defaults,
                            const void *given, const char *what);

/* The other way, for results: fills as much of `given` as its size field says; the
 * size field stays. */
fal_status fal_options_write(void *given, const void *values, size_t known,
                             const char *what);

#endif
