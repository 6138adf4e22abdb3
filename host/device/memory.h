/* The library's one way to the host's memory. Failing sets the error message. */
#ifndef FAL_MEMORY_H
#define FAL_MEMORY_H

#include <stddef.h>

/* Zeroed memory for `count` items of `size` bytes, NULL (with the message set) when
 * the product overflows or the system has none. count 0 gives a valid pointer. */
void *fal_allocate(size_t count, size_t size);

/* Grows or shrinks; on failure the old block stays valid and NULL is returned. New
 * bytes are not zeroed. */
void *fal_resize(void *block, size_t count, size_t size);

char *fal_copy_text(const char *text);
void fal_release(void *block);

/* For tests: the n-th call from now (1 is the next) of fal_allocate, fal_resize and
 * fal_copy_text on this thread fails; 0 never. */
void fal_memory_fail_at(long n);

#endif
