/* Writing JSON into a growing text. Commas come by themselves; the first failure
 * stays in `status` and makes all later calls do nothing, so that only the end
 * needs a check:
 *
 *     fal_json j = FAL_JSON;
 *     fal_json_begin_object(&j);
 *     fal_json_key(&j, "loss");
 *     fal_json_number(&j, loss);
 *     fal_json_end_object(&j);
 *     if (j.status == FAL_OK)
 *         use(j.text, j.length);
 *     fal_json_release(&j);
 */
#ifndef FAL_JSON_H
#define FAL_JSON_H

#include "falign.h"

typedef struct fal_json {
    char *text; /* ends with a zero byte; NULL before the first call */
    size_t length, capacity;
    fal_status status;
    int comma; /* 1: the next key or value needs one */
} fal_json;

#define FAL_JSON                                                                   \
    {                                                                              \
        NULL, 0, 0, FAL_OK, 0                                                      \
    }

void fal_json_begin_object(fal_json *j);
void fal_json_end_object(fal_json *j);
void fal_json_begin_array(fal_json *j);
void fal_json_end_array(fal_json *j);
void fal_json_key(fal_json *j, const char *key);

/* Text is UTF-8; a byte that is not becomes U+FFFD. NULL becomes null. */
void fal_json_string(fal_json *j, const char *text);
void fal_json_integer(fal_json *j, int64_t value);
void fal_json_unsigned(fal_json *j, uint64_t value);

/* The shortest of 9, 15 and 17 digits that gives the same double; NAN and
 * infinities become null. */
void fal_json_number(fal_json *j, double value);
void fal_json_bool(fal_json *j, int value);
void fal_json_null(fal_json *j);

/* Ends a line of a file that has one value a line. */
void fal_json_newline(fal_json *j);

/* Empties the text, keeps its memory and clears the status. */
void fal_json_reset(fal_json *j);
void fal_json_release(fal_json *j);

#endif
