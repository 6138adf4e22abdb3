/* TensorBoard's event files, as far as scalars go: records, each an event encoded as
 * a protocol buffer. Little end first:
 *
 *     record   uint64 bytes of the event, uint32 masked CRC of these eight,
 *              the event, uint32 masked CRC of it
 *     event    1 double: seconds since 1970, 2 int64: step, and
 *              3 text: the version, in the file's first, or 5: summary
 *     summary  1: value, any number of them
 *     value    1 text: tag, 2 float
 *
 *     fal_bytes summary = FAL_NO_BYTES, records = FAL_NO_BYTES;
 *     fal_event_version(&records, time);
 *     fal_event_scalar(&summary, "epoch", "test_loss", 0.5);
 *     fal_event_summary(&records, time, step, &summary);
 *     if (records.status == FAL_OK)
 *         write(file, records.data, records.length);
 *     fal_bytes_release(&summary), fal_bytes_release(&records);
 */
#ifndef FAL_TENSORBOARD_H
#define FAL_TENSORBOARD_H

#include "falign.h"

/* Grows; the first failure stays in `status` and makes all later calls do nothing. */
typedef struct fal_bytes {
    unsigned char *data;
    size_t length, capacity;
    fal_status status;
} fal_bytes;

#define FAL_NO_BYTES                                                               \
    {                                                                              \
        NULL, 0, 0, FAL_OK                                                         \
    }

void fal_bytes_release(fal_bytes *bytes);

/* Castagnoli's CRC-32. */
uint32_t fal_crc32c(const void *data, size_t size);

/* The record that a file begins with. */
void fal_event_version(fal_bytes *records, double time);

/* A value of a summary, its tag GROUP/NAME; files hold it as a float. */
void fal_event_scalar(fal_bytes *summary, const char *group, const char *name,
                      double value);

/* The record of a summary, whose status it takes over. */
void fal_event_summary(fal_bytes *records, double time, uint64_t step,
                       const fal_bytes *summary);

/* Bytes of the record that `data` begins with; 0: it is cut or broken. */
size_t fal_event_length(const unsigned char *data, size_t size);

#endif
