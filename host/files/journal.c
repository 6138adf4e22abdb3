#include "files/journal.h"
#include "device/error.h"
#include "device/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

fal_status fal_journal_open(fal_journal *journal, const char *path)
{
    char *copy = fal_copy_text(path);
    if (!copy)
        return FAL_ERROR_MEMORY;
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                    0666);
    if (file < 0) {
        fal_status status = fal_fail(FAL_ERROR_FILE,
                                     "file '%s': cannot be opened for writing: %s; "
                                     "see that its folder can be written to",
                                     path, strerror(errno));
        fal_release(copy);
        return status;
    }
    *journal = (fal_journal){copy, file};
    return FAL_OK;
}

static fal_status write_failed(const fal_journal *journal)
{
    return fal_fail(FAL_ERROR_FILE, "writing '%s': %s; make room", journal->path,
                    strerror(errno));
}

/* What does not fit on the disk is taken back. */
fal_status fal_journal_add(const fal_journal *journal, const void *data,
                           size_t bytes)
{
    const char *from = data;
    off_t before = lseek(journal->file, 0, SEEK_END);
    for (size_t done = 0; done < bytes;) {
        ssize_t written = write(journal->file, from + done, bytes - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            fal_status status = write_failed(journal);
            return ftruncate(journal->file, before) == 0
                       ? status
                       : fal_fail_within(status, "its end is cut");
        }
        done += (size_t)written;
    }
    return FAL_OK;
}

fal_status fal_journal_cut(const fal_journal *journal, size_t bytes)
{
    return ftruncate(journal->file, (off_t)bytes) == 0 ? FAL_OK
                                                       : write_failed(journal);
}

fal_status fal_journal_flush(const fal_journal *journal)
{
    return !journal->path || fsync(journal->file) == 0 ? FAL_OK
                                                       : write_failed(journal);
}

void fal_journal_close(fal_journal *journal)
{
    if (journal->path)
        close(journal->file);
    fal_release(journal->path);
    *journal = (fal_journal){0};
}
