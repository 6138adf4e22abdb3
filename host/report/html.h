/* Texts of others in HTML. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <stddef.h>
#include <stdio.h>

/* Between tags or within quotes: & < > " ' as entities; what is no UTF-8 or would steer
 * a terminal as \xNN. */
void report_text(FILE *out, const char *text);

/* The same, cut to `width` characters with an ellipsis at the end. */
void report_short_text(FILE *out, const char *text, size_t width);

/* A text as a word of a shell, for report_text. *word is the caller's, for
 * fal_release; NULL: no memory. */
char *report_shell_word(const char *text);

#endif
