/* Files written beside and renamed, files that grow, JSON text. */
#include "disk.h"
#include "folder.h"
#include "files/journal.h"
#include "files/json.h"

#include <math.h>
#include <sys/stat.h>

/* ---- files --------------------------------------------------------------- */

static fal_status write_text(const char *to, const char *text)
{
    fal_file_writer w;
    size_t half = strlen(text) / 2;
    fal_status status = fal_file_begin(&w, to);
    if (status == FAL_OK)
        status = fal_file_write(&w, text, half);
    if (status == FAL_OK)
        status = fal_file_write(&w, text + half, strlen(text) - half);
    if (status == FAL_OK)
        status = fal_file_commit(&w);
    return status;
}

static void test_write_and_read(void **state)
{
    (void)state;
    assert_int_equal(write_text(path, "one"), FAL_OK);
    assert_file("one");
    assert_int_equal(write_text(path, "another"), FAL_OK);
    assert_file("another");
    assert_int_equal(write_text(path, ""), FAL_OK);
    assert_file("");
    assert_int_equal(entries(), 1);
}

static void test_abandon(void **state)
{
    (void)state;
    fal_file_writer w, other;
    assert_int_equal(write_text(path, "old"), FAL_OK);
    assert_int_equal(fal_file_begin(&w, path), FAL_OK);
    assert_int_equal(fal_file_begin(&other, path), FAL_OK); /* not in the way */
    assert_int_equal(fal_file_write(&w, "new", 3), FAL_OK);
    assert_int_equal(entries(), 3);
    assert_file("old");
    fal_file_abandon(&w);
    fal_file_abandon(&w);
    fal_file_abandon(&other);
    assert_file("old");
    assert_int_equal(entries(), 1);
    assert_int_equal(fal_file_write(&w, "new", 3), FAL_ERROR_FILE);
    assert_int_equal(fal_file_commit(&w), FAL_ERROR_FILE);
    assert_message("not open");
}

static void test_write_refused(void **state)
{
    (void)state;
    char missing[160];
    snprintf(missing, sizeof missing, "%s/none/file", folder);
    assert_int_equal(write_text(missing, "x"), FAL_ERROR_FILE);
    assert_message(missing);
    assert_message("No such file");
    assert_int_equal(write_text(folder, "x"), FAL_ERROR_FILE);
    assert_message("that is a folder");
    assert_int_equal(write_text("/dev/null", "x"), FAL_ERROR_FILE);
    assert_message("not a regular file");
    assert_int_equal(write_text("", "x"), FAL_ERROR_FILE);
    assert_message("empty");
    assert_int_equal(entries(), 0);
}

static void test_disk_full(void **state)
{
    (void)state;
    void (*const modes[])(long) = {disk_fail_at, disk_full_at};
    for (size_t mode = 0; mode < 2; mode++) {
        long n = 1;
        assert_int_equal(write_text(path, "old"), FAL_OK);
        for (modes[mode](n); write_text(path, "new") != FAL_OK; modes[mode](++n)) {
            disk_fail_at(0);
            assert_message("No space left");
            assert_message("make room");
            assert_message(path);
            assert_file("old");
            assert_int_equal(entries(), 1);
        }
        assert_int_equal(disk_failures(), 0);
        assert_int_equal(n, 7); /* open, write, write, fsync, close, rename */
        assert_file("new");
    }
    disk_fail_at(0);
}

/* The longest name there can be leaves none for what is written beside it. */
static void test_longest_name(void **state)
{
    (void)state;
    char longest[400];
    snprintf(longest, sizeof longest, "%s/%0255d", folder, 0);
    assert_int_equal(write_text(longest, "x"), FAL_OK);
    assert_int_equal(write_text(longest, "y"), FAL_OK);
    assert_int_equal(entries(), 1);
    assert_int_equal(unlink(longest), 0);
    snprintf(longest, sizeof longest, "%s/%0256d", folder, 0);
    assert_int_equal(write_text(longest, "x"), FAL_ERROR_FILE);
    assert_message("File name too long");
    assert_int_equal(entries(), 0);
}

/* A process that was killed leaves its temporary file: another takes another name. */
static void test_left_behind(void **state)
{
    (void)state;
    char left[200];
    snprintf(left, sizeof left, "%s.tmp-%ld-0", path, (long)getpid());
    assert_int_equal(write_text(left, "half"), FAL_OK);
    assert_int_equal(write_text(path, "whole"), FAL_OK);
    assert_file("whole");
    assert_int_equal(entries(), 2);
    assert_int_equal(unlink(left), 0);
}

static void test_read_refused(void **state)
{
    (void)state;
    unsigned char *data = NULL;
    size_t size = 7;
    assert_int_equal(fal_file_read(path, 9, &data, &size), FAL_ERROR_FILE);
    assert_message("No such file");
    assert_message(path);
    assert_int_equal(fal_file_read(folder, 9, &data, &size), FAL_ERROR_FILE);
    assert_message("folder");
    assert_int_equal(fal_file_read("/dev/zero", 9, &data, &size), FAL_ERROR_FILE);
    assert_message("not a regular file");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(fal_file_read(path, 9, &data, &size), FAL_ERROR_FILE);
    assert_message("not a regular file");
    unlink(path);
    put_file("0123456789", 10);
    assert_int_equal(fal_file_read(path, 9, &data, &size), FAL_ERROR_FILE);
    assert_message("10 bytes are more than the 9");
    assert_null(data);
    assert_int_equal(size, 7);
}

/* ---- journals ------------------------------------------------------------ */

static void test_journal(void **state)
{
    (void)state;
    fal_journal journal = {0};
    assert_int_equal(fal_journal_flush(&journal), FAL_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fal_journal_open(&journal, path), FAL_OK);
        assert_int_equal(fal_journal_add(&journal, "one\n", 4), FAL_OK);
        assert_int_equal(fal_journal_flush(&journal), FAL_OK);
        fal_journal_close(&journal);
    }
    assert_file("one\none\n");
    assert_int_equal(fal_journal_open(&journal, path), FAL_OK);
    assert_int_equal(fal_journal_cut(&journal, 5), FAL_OK);
    assert_int_equal(fal_journal_add(&journal, "two", 3), FAL_OK);
    fal_journal_close(&journal);
    fal_journal_close(&journal);
    assert_file("one\notwo");
}

static void test_journal_refused(void **state)
{
    (void)state;
    fal_journal journal = {0};
    char link[160];
    assert_int_equal(fal_journal_open(&journal, folder), FAL_ERROR_FILE);
    assert_message("Is a directory");
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink(path, link), 0); /* what it leads to is not ours */
    assert_int_equal(fal_journal_open(&journal, link), FAL_ERROR_FILE);
    assert_message(link);
    assert_int_equal(unlink(link), 0);
    assert_null(journal.path);
    assert_int_equal(entries(), 0);
}

/* Of what does not fit nothing is there; there is room again later. */
static void test_journal_on_a_full_disk(void **state)
{
    (void)state;
    void (*const modes[])(long) = {disk_fail_at, disk_full_at};
    fal_journal journal = {0};
    assert_int_equal(fal_journal_open(&journal, path), FAL_OK);
    for (size_t mode = 0; mode < 2; mode++) {
        modes[mode](1);
        assert_int_equal(fal_journal_add(&journal, "0123456789", 10),
                         FAL_ERROR_FILE);
        assert_message("No space left");
        assert_message("make room");
        assert_message(path);
        assert_file("");
        disk_fail_at(1);
        assert_int_equal(fal_journal_flush(&journal), FAL_ERROR_FILE);
        assert_message(path);
        disk_fail_at(0);
    }
    assert_int_equal(fal_journal_add(&journal, "0123456789", 10), FAL_OK);
    fal_journal_close(&journal);
    assert_file("0123456789");
}

/* ---- JSON ---------------------------------------------------------------- */

static void put_document(fal_json *j)
{
    fal_json_begin_object(j);
    fal_json_key(j, "run");
    fal_json_begin_array(j);
    fal_json_integer(j, INT64_MIN);
    fal_json_unsigned(j, UINT64_MAX);
    fal_json_begin_object(j);
    fal_json_end_object(j);
    fal_json_begin_array(j);
    fal_json_end_array(j);
    fal_json_end_array(j);
    fal_json_key(j, "a\"b");
    fal_json_bool(j, 1);
    fal_json_key(j, "c");
    fal_json_bool(j, 0);
    fal_json_key(j, "d");
    fal_json_null(j);
    fal_json_key(j, "e");
    fal_json_number(j, 0.1);
    fal_json_end_object(j);
    fal_json_newline(j);
    fal_json_string(j, NULL);
}

static const char document[] =
    "{\"run\":[-9223372036854775808,18446744073709551615,{},[]],"
    "\"a\\\"b\":true,\"c\":false,\"d\":null,\"e\":0.1}\nnull";

static void test_document(void **state)
{
    (void)state;
    fal_json j = FAL_JSON;
    for (int i = 0; i < 2; i++) {
        put_document(&j);
        assert_int_equal(j.status, FAL_OK);
        assert_string_equal(j.text, document);
        assert_int_equal(j.length, strlen(document));
        fal_json_reset(&j);
        assert_string_equal(j.text, "");
    }
    fal_json_release(&j);
}

static void test_json_memory(void **state)
{
    (void)state;
    long n = 1;
    for (;; n++) {
        fal_json j = FAL_JSON;
        fal_memory_fail_at(n);
        put_document(&j);
        fal_memory_fail_at(0);
        int done = j.status == FAL_OK;
        if (!done)
            assert_int_equal(j.status, FAL_ERROR_MEMORY);
        fal_json_release(&j);
        if (done)
            break;
    }
    assert_true(n > 1);
}

static void test_strings(void **state)
{
    (void)state;
#define BAD "\xEF\xBF\xBD"
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"", "\"\""},
        {"A?", "\"A?\""},
        {"BAN, of several letters", "\"BAN, of several letters\""},
        {"\"\\/\b\f\n\r\t\x01\x1F\x7F",
         "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\""},
        {"\xC3\xA9 \xE2\x89\xA4 \xF0\x9F\x98\x80",
         "\"\xC3\xA9 \xE2\x89\xA4 \xF0\x9F\x98\x80\""},
        /* What YAML would not take as it is: its neighbors stay. */
        {"\xC2\x80\xC2\x85\xC2\x9F\xC2\xA0", "\"\\u0080\\u0085\\u009f\xC2\xA0\""},
        {"\xE2\x80\xA7\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA",
         "\"\xE2\x80\xA7\\u2028\\u2029\xE2\x80\xAA\""},
        {"\xEF\xBB\xBF\xEF\xBF\xBE\xEF\xBF\xBF", "\"\\ufeff\\ufffe\\uffff\""},
        {"bA bB cats", "\"bA bB cats\""},
        {"bA", "\"bA\""}, /* read as one character it would be U+0081 */
        {"a\xFF\x80z", "\"a" BAD BAD "z\""},
        {"\xC0\xAF", "\"" BAD BAD "\""},                 /* overlong */
        {"\xED\xA0\x80", "\"" BAD BAD BAD "\""},         /* a surrogate */
        {"\xF4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""}, /* past U+10FFFF */
        {"\xE2\x89", "\"" BAD BAD "\""},                 /* cut off */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fal_json j = FAL_JSON;
        fal_json_string(&j, cases[i].text);
        assert_string_equal(j.text, cases[i].json);
        fal_json_release(&j);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *json;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1e20, "1.0e+20"},
        {1e-5, "1.0e-05"},
        {-2e-7, "-2.0e-07"},
        {0.1, "0.1"},
        {0.123456789012345, "0.123456789012345"},
        {0.1 + 0.2, "0.30000000000000004"},
        {0.1f, "0.10000000149011612"},
        {5e-324, "4.94065646e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fal_json j = FAL_JSON;
        fal_json_number(&j, cases[i].value);
        assert_string_equal(j.text, cases[i].json);
        if (isfinite(cases[i].value))
            assert_true(strtod(j.text, NULL) == cases[i].value);
        fal_json_release(&j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_write_and_read),       TEST(test_abandon),
        TEST(test_write_refused),        TEST(test_disk_full),
        TEST(test_longest_name),         TEST(test_left_behind),
        TEST(test_read_refused),         TEST(test_journal),
        TEST(test_journal_refused),      TEST(test_journal_on_a_full_disk),
        cmocka_unit_test(test_document), cmocka_unit_test(test_json_memory),
        cmocka_unit_test(test_strings),  cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
