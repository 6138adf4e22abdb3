/* Lines of metrics.jsonl. */
#ifndef FAL_RUN_LINES_H
#define FAL_RUN_LINES_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the leading lines that are whole and belong to steps before `step`, the last
 * of them to *last (0: there are none); `text` ends with a zero byte behind its
 * `size`. */
size_t fal_run_lines_before(const char *text, size_t size, uint64_t step,
                            uint64_t *last);

#endif
