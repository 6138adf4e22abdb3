#include "files/tensorboard.h"
#include "device/memory.h"

#include <string.h>

/* ---- bytes --------------------------------------------------------------- */

static void add(fal_bytes *b, const void *data, size_t size)
{
    if (b->status || size == 0)
        return;
    if (size > b->capacity - b->length) {
        size_t capacity = 2 * b->capacity + size + 64;
        unsigned char *grown = fal_resize(b->data, capacity, 1);
        if (!grown) {
            b->status = FAL_ERROR_MEMORY;
            return;
        }
        b->data = grown;
        b->capacity = capacity;
    }
    memcpy(b->data + b->length, data, size);
    b->length += size;
}

void fal_bytes_release(fal_bytes *bytes)
{
    fal_release(bytes->data);
    *bytes = (fal_bytes)FAL_NO_BYTES;
}

static void add_fixed(fal_bytes *b, uint64_t value, size_t size)
{
    unsigned char data[8];
    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)(value >> 8 * i);
    add(b, data, size);
}

static uint64_t read_fixed(const unsigned char *data, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | data[i];
    return value;
}

/* ---- protocol buffers ---------------------------------------------------- */

enum { VARINT = 0, FIXED_64 = 1, SIZED = 2, FIXED_32 = 5 };
enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_FLOAT = 2 };

/* Seven bits a byte, the lowest first; all but the last have the top bit set. */
static void add_varint(fal_bytes *b, uint64_t value)
{
    for (; value > 0x7F; value >>= 7)
        add_fixed(b, (value & 0x7F) | 0x80, 1);
    add_fixed(b, value, 1);
}

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >>= 7)
        size++;
    return size;
}

static void add_key(fal_bytes *b, unsigned field, unsigned type)
{
    add_varint(b, field << 3 | type);
}

/* What precedes the field's `size` bytes. */
static void add_sized(fal_bytes *b, unsigned field, size_t size)
{
    add_key(b, field, SIZED);
    add_varint(b, size);
}

void fal_event_scalar(fal_bytes *summary, const char *group, const char *name,
                      double value)
{
    size_t tag = strlen(group) + 1 + strlen(name);
    float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    add_sized(summary, SUMMARY_VALUE, 1 + varint_size(tag) + tag + 1 + sizeof bits);
    add_sized(summary, VALUE_TAG, tag);
    add(summary, group, strlen(group));
    add(summary, "/", 1);
    add(summary, name, strlen(name));
    add_key(summary, VALUE_FLOAT, FIXED_32);
    add_fixed(summary, bits, sizeof bits);
}

/* ---- records ------------------------------------------------------------- */

enum { LENGTH = 8, CRC = 4 };

uint32_t fal_crc32c(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
    }
    return ~crc;
}

/* The CRC of bytes that hold CRCs themselves would be a weak one. */
static uint32_t masked_crc(const void *data, size_t size)
{
    uint32_t crc = fal_crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xA282EAD8;
}

/* An event whose last field is these bytes, in a record. As everywhere in protocol
 * buffers, a 0 is left out. */
static void add_record(fal_bytes *b, double time, uint64_t step, unsigned field,
                       const void *data, size_t size)
{
    uint64_t bits;
    size_t place = step ? 1 + varint_size(step) : 0, start = b->length;
    size_t event = 1 + sizeof bits + place + 1 + varint_size(size) + size;
    memcpy(&bits, &time, sizeof bits);
    add_fixed(b, event, LENGTH);
    add_fixed(b, b->status ? 0 : masked_crc(b->data + start, LENGTH), CRC);
    add_key(b, EVENT_TIME, FIXED_64);
    add_fixed(b, bits, sizeof bits);
    if (step) {
        add_key(b, EVENT_STEP, VARINT);
        add_varint(b, step);
    }
    add_sized(b, field, size);
    add(b, data, size);
    if (!b->status)
        add_fixed(b, masked_crc(b->data + start + LENGTH + CRC, event), CRC);
}

void fal_event_version(fal_bytes *records, double time)
{
    static const char version[] = "brain.Event:2";
    add_record(records, time, 0, EVENT_VERSION, version, sizeof version - 1);
}

void fal_event_summary(fal_bytes *records, double time, uint64_t step,
                       const fal_bytes *summary)
{
    if (!records->status)
        records->status = summary->status;
    add_record(records, time, step, EVENT_SUMMARY, summary->data, summary->length);
}

size_t fal_event_length(const unsigned char *data, size_t size)
{
    enum { FRAME = LENGTH + CRC + CRC };
    if (size < FRAME || masked_crc(data, LENGTH) != read_fixed(data + LENGTH, CRC))
        return 0;
    uint64_t event = read_fixed(data, LENGTH);
    if (event > size - FRAME)
        return 0;
    const unsigned char *body = data + LENGTH + CRC;
    return masked_crc(body, event) == read_fixed(body + event, CRC) ? FRAME + event
                                                                    : 0;
}
