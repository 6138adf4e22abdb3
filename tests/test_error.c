/* Messages: what they quote cannot steer a terminal, and they end where their room
 * does. */
#include "device/error.h"
#include "device/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void expect(const char *given, const char *shown)
{
    assert_int_equal(fal_fail(FAL_ERROR_FILE, "opening '%s': why", given),
                     FAL_ERROR_FILE);
    const char *message = fal_error_message();
    size_t length = strlen(shown);
    assert_memory_equal(message, "opening '", 9);
    assert_memory_equal(message + 9, shown, length);
    assert_string_equal(message + 9 + length, "': why");
}

static void printable_text_stays(void **state)
{
    (void)state;
    expect("../a b/\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80 'x' \\x41",
           "../a b/\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80 'x' \\x41");
}

static void control_characters_are_shown(void **state)
{
    (void)state;
    expect("a\x1b[2Jb\n\t\r\x7f", "a\\x1b[2Jb\\x0a\\x09\\x0d\\x7f");
    expect("\xC2\x9B\x33\x31m\xC2\xA0", "\\xc2\\x9b31m\xC2\xA0");
}

static void broken_utf8_is_shown(void **state)
{
    (void)state;
    expect("\xFF\x80z\xC3", "\\xff\\x80z\\xc3");
    expect("\xC0\xAF\xED\xA0\x80\xF4\x90\x80\x80",
           "\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
    expect("\xE2\x82", "\\xe2\\x82");
}

static void messages_end_with_a_whole_character(void **state)
{
    char *text = malloc(20001);
    (void)state;
    for (int shift = 0; shift < 4; shift++) {
        memset(text, '\x01', 20000);
        memset(text, 'a', (size_t)shift);
        text[20000] = 0;
        fal_fail(FAL_ERROR_FILE, "%s", text);
        size_t length = strlen(fal_error_message());
        assert_in_range(length, 8000, 8191);
        assert_string_equal(fal_error_message() + length - 4, "\\x01");
    }
    free(text);
}

static void words_in_front_and_behind(void **state)
{
    (void)state;
    fal_fail(FAL_ERROR_DEVICE, "building: log: ");
    assert_int_equal(
        fal_fail_with_lines(FAL_ERROR_DEVICE, "a.cl:1:\terror\n\x1b[1mb\n"),
        FAL_ERROR_DEVICE);
    assert_int_equal(fal_fail_within(FAL_ERROR_FILE, "in '%s'", "\x07"),
                     FAL_ERROR_FILE);
    assert_string_equal(fal_error_message(),
                        "in '\\x07': building: log: a.cl:1:\terror\n\\x1b[1mb\n");
}

static void arguments_may_be_the_old_message(void **state)
{
    (void)state;
    fal_fail(FAL_ERROR_FILE, "old\n");
    fal_fail(FAL_ERROR_FILE, "new after %s", fal_error_message());
    assert_string_equal(fal_error_message(), "new after old\\x0a");
}

static void unknown_names_are_shown_too(void **state)
{
    static const char *const known[] = {"bp", "fa"};
    (void)state;
    assert_int_equal(fal_fail_unknown("rule", "b\bp", known, 2),
                     FAL_ERROR_ARGUMENT);
    assert_string_equal(
        fal_error_message(),
        "unknown rule 'b\\x08p'; known: bp, fa; did you mean 'bp'?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_text_stays),
        cmocka_unit_test(control_characters_are_shown),
        cmocka_unit_test(broken_utf8_is_shown),
        cmocka_unit_test(messages_end_with_a_whole_character),
        cmocka_unit_test(words_in_front_and_behind),
        cmocka_unit_test(arguments_may_be_the_old_message),
        cmocka_unit_test(unknown_names_are_shown_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
