/* TensorBoard's event files: bytes that its own writer makes too, checksums, and a
 * file that says what metrics.jsonl does, also after a killed run.
 * tests/interop/test_tensorboard.py has TensorBoard read them. */
#include "folder.h"
#include "files/tensorboard.h"
#include "train/events.h"

/* ---- reading ------------------------------------------------------------- */

static const unsigned char *at; /* what is read next */

static uint64_t varint(void)
{
    uint64_t value = 0;
    int shift = 0;
    do
        value |= (uint64_t)(*at & 0x7F) << shift;
    while (shift += 7, *at++ & 0x80);
    return value;
}

static void expect_key(uint64_t key)
{
    assert_int_equal(varint(), key);
}

/* Reads a value of a summary, prints " TAG=VALUE". */
static size_t print_value(char *text)
{
    float value;
    expect_key(0x0A);
    size_t size = varint();
    const unsigned char *end = at + size;
    expect_key(0x0A);
    int tag = (int)varint();
    const char *name = (const char *)at;
    at += tag;
    expect_key(0x15);
    memcpy(&value, at, sizeof value);
    at += sizeof value;
    assert_ptr_equal(at, end);
    return (size_t)sprintf(text, " %.*s=%.9g", tag, name, (double)value);
}

/* Reads the event between two checksums, prints "STEP: version VERSION\n" or "STEP:
 * TAG=VALUE …\n". */
static size_t print_event(char *text)
{
    double time;
    size_t used;
    expect_key(0x09);
    memcpy(&time, at, sizeof time);
    at += sizeof time;
    assert_true(time > 1.5e9);
    uint64_t key = varint(), step = key == 0x10 ? varint() : 0;
    if (key == 0x10)
        key = varint();
    size_t size = varint();
    used = (size_t)sprintf(text, "%llu:", (unsigned long long)step);
    const unsigned char *end = at + size;
    if (key == 0x1A) {
        used += (size_t)sprintf(text + used, " version %.*s", (int)size, at);
        at = end;
    } else {
        assert_int_equal(key, 0x2A);
        while (at < end)
            used += print_value(text + used);
    }
    assert_ptr_equal(at, end);
    return used + (size_t)sprintf(text + used, "\n");
}

static void assert_events(const unsigned char *data, size_t size, const char *text)
{
    char found[4096] = "";
    size_t used = 0, length;
    const unsigned char *end = data + size;
    for (; data < end; data += length) {
        length = fal_event_length(data, (size_t)(end - data));
        assert_true(length > 0);
        at = data + 12;
        used += print_event(found + used);
        assert_ptr_equal(at + 4, data + length);
    }
    assert_string_equal(found, text);
}

static void assert_events_file(const char *text)
{
    unsigned char *data;
    size_t size;
    assert_int_equal(fal_file_read(path, 100000, &data, &size), FAL_OK);
    assert_events(data, size, text);
    fal_release(data);
}

/* ---- the format ---------------------------------------------------------- */

static void test_checksums(void **state)
{
    (void)state;
    unsigned char bytes[32];
    assert_int_equal(fal_crc32c("", 0), 0);
    assert_int_equal(fal_crc32c("123456789", 9), 0xE3069283);
    /* RFC 3720, B.4 */
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(fal_crc32c(bytes, 32), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(fal_crc32c(bytes, 32), 0x62A8AB43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(fal_crc32c(bytes, 32), 0x46DD794E);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(fal_crc32c(bytes, 32), 0x113FDB5C);
}

static void test_numbers_of_any_size(void **state)
{
    static const uint64_t steps[] = {
        0, 1, 127, 128, 300, 16383, 16384, 1u << 31, UINT64_C(1) << 53, UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        fal_bytes summary = FAL_NO_BYTES, records = FAL_NO_BYTES;
        char text[64], name[300];
        memset(name, 'n', sizeof name);
        name[i * 30] = 0; /* a tag's length has one byte or two */
        fal_event_scalar(&summary, "g", name, -1.5);
        fal_event_summary(&records, 1.75e9, steps[i], &summary);
        assert_int_equal(records.status, FAL_OK);
        char expected[400];
        snprintf(text, sizeof text, "%llu:", (unsigned long long)steps[i]);
        snprintf(expected, sizeof expected, "%s g/%s=-1.5\n", text, name);
        assert_events(records.data, records.length, expected);
        fal_bytes_release(&summary);
        fal_bytes_release(&records);
    }
}

/* A version and two scalars at step 300, second 1.75e9. */
static fal_bytes sample(void)
{
    fal_bytes summary = FAL_NO_BYTES, records = FAL_NO_BYTES;
    fal_event_version(&records, 1.75e9);
    fal_event_scalar(&summary, "step", "train_loss", 0.1);
    fal_event_scalar(&summary, "gradient_alignment", "dense1", -2);
    fal_event_summary(&records, 1.75e9, 300, &summary);
    fal_bytes_release(&summary);
    return records;
}

/* What TensorBoard 2.21 writes (tensorboard.summary.writer.record_writer). */
static void test_bytes(void **state)
{
    static const char bytes[] =
        "\x18\0\0\0\0\0\0\0\xA3\x7FK\x22\x09\0\0\0`\xB8\x13\xDA"
        "A\x1A\x0D"
        "brain.Event:2Jp\x29\xA2"
        "H\0\0\0\0\0\0\0\xFE\x92H\x9D\x09\0\0\0`\xB8\x13\xDA"
        "A\x10\xAC\x02*:\x0A\x16\x0A\x0Fstep/train_loss\x15\xCD\xCC\xCC=\x0A "
        "\x0A\x19gradient_alignment/dense1\x15\0\0\0\xC0H\xF8I\xC7";
    (void)state;
    fal_bytes records = sample();
    assert_int_equal(records.status, FAL_OK);
    assert_int_equal(records.length, sizeof bytes - 1);
    assert_memory_equal(records.data, bytes, records.length);
    fal_bytes_release(&records);
}

static void test_cut_or_changed(void **state)
{
    (void)state;
    fal_bytes records = sample();
    assert_int_equal(records.status, FAL_OK);
    size_t first = fal_event_length(records.data, records.length);
    assert_int_equal(fal_event_length(records.data, first), first);
    for (size_t size = 0; size < first; size++)
        assert_int_equal(fal_event_length(records.data, size), 0);
    for (size_t bit = 0; bit < 8 * first; bit++) {
        records.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_equal(fal_event_length(records.data, records.length), 0);
        records.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    fal_bytes_release(&records);
}

static void test_memory_of_records(void **state)
{
    (void)state;
    fal_status status = FAL_ERROR_MEMORY;
    for (long n = 1; status; n++) {
        fal_memory_fail_at(n);
        fal_bytes records = sample();
        fal_memory_fail_at(0);
        status = records.status;
        assert_true(status == FAL_OK || status == FAL_ERROR_MEMORY);
        fal_bytes_release(&records);
        assert_true(n < 20);
    }
}

/* ---- metrics.jsonl ------------------------------------------------------- */

#define LINE_1 "{\"type\":\"step\",\"step\":5,\"epoch\":0,\"train_loss\":0.5}\n"
#define LINE_2                                                                     \
    "{\"type\":\"step\",\"step\":10,\"epoch\":0,\"train_loss\":null,"              \
    "\"gradient_alignment\":{\"dense1\":0.25,\"a.b\":null,\"total\":-1.0e-05},"    \
    "\"seconds\":2}\n"
#define LINE_3 "{\"type\":\"epoch\",\"step\":10,\"epoch\":1,\"test_accuracy\":1}\n"
#define LINES LINE_1 LINE_2 LINE_3

#define VERSION "0: version brain.Event:2\n"
#define EVENT_1 "5: step/train_loss=0.5\n"
#define EVENT_2                                                                    \
    "10: gradient_alignment/dense1=0.25 gradient_alignment/total=-9.99999975e-06 " \
    "step/seconds=2\n"
#define EVENT_3 "10: epoch/test_accuracy=1\n"
#define EVENTS VERSION EVENT_1 EVENT_2 EVENT_3

static void open_with(const char *lines)
{
    fal_journal events = {0};
    if (fal_events_open(&events, path, lines))
        fail_msg("%s", fal_error_message());
    fal_journal_close(&events);
}

static void test_line_by_line(void **state)
{
    static const char *const lines[] = {LINE_1, LINE_2, LINE_3};
    fal_journal events = {0};
    (void)state;
    assert_int_equal(fal_events_open(&events, path, ""), FAL_OK);
    assert_events_file(VERSION);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(fal_events_add(&events, lines[i]), FAL_OK);
    fal_journal_close(&events);
    assert_events_file(EVENTS);
}

/* As after a run that was killed, wherever it was, and one that was cut back. */
static void test_opened_again(void **state)
{
    unsigned char *data;
    size_t size;
    (void)state;
    open_with(LINES);
    assert_events_file(EVENTS);
    assert_int_equal(fal_file_read(path, 100000, &data, &size), FAL_OK);
    for (size_t left = 0; left <= size; left++) {
        put_file(data, left);
        open_with(LINES);
        assert_events_file(EVENTS);
        put_file(data, left);
        open_with(LINE_1);
        assert_events_file(VERSION EVENT_1);
    }
    put_file(data, size);
    open_with(LINES);
    unsigned char *same;
    assert_int_equal(fal_file_read(path, 100000, &same, &size), FAL_OK);
    assert_memory_equal(same, data, size); /* the times of old records stay */
    fal_release(same);
    fal_release(data);
}

static void test_no_lines(void **state)
{
    static const char *const wrong[] = {
        "\n",
        "[]\n",
        "{\"step\":1}\n",
        "{\"type\":\"step\",\"step\":-1}\n",
        "{\"type\":\"step\",\"step\":1e300}\n",
        "{\"type\":1,\"step\":1}\n",
        LINE_1 "{\"type\":\"step\",\"step\":1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fal_journal events = {0};
        assert_int_equal(fal_events_open(&events, path, wrong[i]),
                         FAL_ERROR_FORMAT);
        assert_message("is no line of metrics.jsonl");
        fal_journal_close(&events);
        assert_events_file("");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_checksums),
        TEST(test_numbers_of_any_size),
        TEST(test_bytes),
        TEST(test_cut_or_changed),
        TEST(test_memory_of_records),
        TEST(test_line_by_line),
        TEST(test_opened_again),
        TEST(test_no_lines),
    };
    return cmocka_run_group_tests_name("tensorboard", tests, NULL, NULL);
}
