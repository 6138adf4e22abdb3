/* Errors: every function that can fail returns a fal_status; the text of the last
 * failure stands in a buffer of the calling thread. */
#ifndef FAL_ERROR_H
#define FAL_ERROR_H

#include "falign.h"

#include <stdarg.h>

/* Sets the thread's message, returns `status`. The message reads
 * "what, where: why; what to do", without a newline; bytes that are no UTF-8 and
 * control characters become \xNN. */
fal_status fal_fail(fal_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " in front of the thread's message; returns `status`. */
fal_status fal_fail_within(fal_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds to the thread's message what another program said: its lines stay lines. */
fal_status fal_fail_with_lines(fal_status status, const char *lines);

/* `unknown` against a list of known names: fails with FAL_ERROR_ARGUMENT, saying
 * "unknown WHAT 'x'; known: a, b, c; did you mean 'b'?". */
fal_status fal_fail_unknown(const char *what, const char *unknown,
                            const char *const *known, size_t count);

/* The known name nearest to `name` by edit distance, NULL where none is near. */
const char *fal_nearest(const char *name, const char *const *known, size_t count);

#endif
