/* The kernel files, embedded by cl/embed.py: common.cl and its like first. */
#ifndef FAL_SOURCES_H
#define FAL_SOURCES_H

#include <stddef.h>

typedef struct fal_source_file {
    const char *name;
    const unsigned char *text; /* not terminated */
    size_t size;
} fal_source_file;

typedef struct fal_source_kernel {
    const char *name;
    size_t file; /* index into fal_source_files */
} fal_source_kernel;

extern const fal_source_file fal_source_files[];
extern const size_t fal_source_file_count;
extern const fal_source_kernel fal_source_kernels[];
extern const size_t fal_source_kernel_count;

#endif
