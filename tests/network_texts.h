/* For tests of network texts: parsing with what data sets would fill in. No device. */
#ifndef FAL_TEST_NETWORK_TEXTS_H
#define FAL_TEST_NETWORK_TEXTS_H

#include "net/layer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const fal_network_defaults nothing;
static const fal_network_defaults images = {.input = {32, 32, 3}, .outputs = 10};

/* Texts without an input have 32x32x3. */
static inline const fal_network_defaults *defaults_of(const char *text)
{
    return strncmp(text, "input", 5) == 0 ? &nothing : &images;
}

static inline void must_parse(fal_network *network, const char *text)
{
    if (fal_network_parse(network, text, defaults_of(text)))
        fail_msg("'%s': %s", text, fal_error_message());
}

/* The message must have both parts. */
static inline void expect_refused(const char *text,
                                  const fal_network_defaults *defaults,
                                  const char *part, const char *other)
{
    fal_network network;
    if (fal_network_parse(&network, text, defaults) != FAL_ERROR_ARGUMENT)
        fail_msg("'%s' was taken", text);
    if (!strstr(fal_error_message(), part) || !strstr(fal_error_message(), other))
        fail_msg("'%s' or '%s' is not in: %s", part, other, fal_error_message());
    assert_null(network.layers);
    assert_null(network.text);
}

#endif
