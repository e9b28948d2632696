/*
 * The commands. Whatever has to do with the disk is done by the loop's threads for files, and
 * awaited; only aloop_stream_sendfile() is the kernel's, which reads on from where the page cache
 * ends.
 */
#include "fileserver.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int make_path(const struct share *share, aloop_slice name, struct path *out_path)
{
    if (name.size == 0 || name.size > NAME_SIZE_MAX || name.data[0] == '.')
        return -EINVAL;
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '/' || (unsigned char)name.data[i] < ' ')
            return -EINVAL;
    }
    if ((size_t)snprintf(out_path->text, sizeof out_path->text, "%s/%.*s", share->folder,
                         (int)name.size, name.data) >= sizeof out_path->text)
        return -EINVAL;
    return 0;
}

int refuse(const aloop_stream *stream, int64_t error)
{
    char line[128];
    int length = snprintf(line, sizeof line, "-%s\n", aloop_strerror(error));

    /* That is none of the command's, and for the session to know. */
    if (error == -ECANCELED)
        return -ECANCELED;
    return aloop_stream_write_nowait(stream, line, (size_t)length);
}

static int accept_size(const aloop_stream *stream, int64_t size)
{
    char line[32];
    int length = snprintf(line, sizeof line, "+%" PRId64 "\n", size);

    return aloop_stream_write_nowait(stream, line, (size_t)length);
}

ALOOP_CORO_EXPORT(list)
{
    aloop_slice name;
    int length;

    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_directory_open(self->share->folder, &self->directory));
    if (self->result < 0)
        ALOOP_RETURN(refuse(&self->stream, self->result));
    for (;;) {
        ALOOP_TRY(aloop_directory_next(&self->directory, &self->entry));
        if (self->result == 0)
            break;
        name = (aloop_slice){.data = self->entry.name, .size = strlen(self->entry.name)};
        if (make_path(self->share, name, &self->path) < 0)
            continue;
        ALOOP_AWAIT(aloop_file_lstat(self->path.text, &self->status));
        /* It may be gone by now. */
        if (self->result == -ENOENT || (self->result == 0 && !S_ISREG(self->status.mode)))
            continue;
        if (self->result < 0)
            ALOOP_RETURN(refuse(&self->stream, self->result));
        length = snprintf(self->line, sizeof self->line, "%" PRId64 " %s\n", self->status.size,
                          self->entry.name);
        ALOOP_TRY(aloop_stream_write(&self->stream, self->line, (size_t)length));
    }
    ALOOP_TRY(aloop_stream_write(&self->stream, ".\n", 2));
    ALOOP_RETURN(0);
    ALOOP_FINALLY;
    aloop_directory_close(&self->directory);
    ALOOP_END;
}

ALOOP_CORO_EXPORT(get)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT_TO(self->fd,
                   aloop_file_open(self->path.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0));
    if (self->result >= 0)
        ALOOP_AWAIT(aloop_file_fstat(self->fd, &self->status));
    if (self->result >= 0 && !S_ISREG(self->status.mode))
        ALOOP_RETURN(refuse(&self->stream, -EISDIR));
    if (self->result < 0)
        ALOOP_RETURN(refuse(&self->stream, self->result));
    ALOOP_CHECK(accept_size(&self->stream, self->status.size));
    ALOOP_TRY(aloop_stream_sendfile(&self->stream, self->fd, 0, self->status.size));
    /* Shorter than it was: so the connection must be. */
    ALOOP_RETURN(self->result < self->status.size);
    ALOOP_FINALLY;
    if (self->fd >= 0)
        ALOOP_AWAIT(aloop_file_close(self->fd));
    ALOOP_END;
}

/*
 * What has come goes to a file of its own, straight from where it was received, and gets its name
 * when all of it is on the disk: whoever asks for the name gets the old file or the new one, whole.
 */
ALOOP_CORO_EXPORT(put)
{
    ALOOP_BEGIN;
    snprintf(self->upload.text, sizeof self->upload.text, "%s/.upload-%ld-%u", self->share->folder,
             (long)getpid(), self->share->uploads++);
    ALOOP_AWAIT_TO(self->fd, aloop_file_open(self->upload.text, O_WRONLY | O_CREAT | O_EXCL, 0644));
    while (self->result >= 0 && self->offset < self->size) {
        ALOOP_TRY(aloop_stream_peek(&self->stream, 1, &self->bytes));
        if (self->bytes.size == 0)
            ALOOP_RETURN(-ALOOP_EEOF);
        if ((int64_t)self->bytes.size > self->size - self->offset)
            self->bytes.size = (size_t)(self->size - self->offset);
        /* Less is written only before an error, which the next one tells. */
        ALOOP_AWAIT(aloop_file_pwrite(self->fd, self->bytes.data, self->bytes.size, self->offset));
        if (self->result > 0) {
            (void)aloop_stream_consume(&self->stream, (size_t)self->result);
            self->offset += self->result;
        }
    }
    if (self->result >= 0)
        ALOOP_AWAIT(aloop_file_fsync(self->fd));
    if (self->result >= 0)
        ALOOP_AWAIT(aloop_file_rename(self->upload.text, self->path.text));
    self->is_stored = self->result >= 0;
    if (self->is_stored)
        ALOOP_RETURN(accept_size(&self->stream, self->size));
    ALOOP_CHECK(refuse(&self->stream, self->result));
    ALOOP_RETURN(self->offset < self->size);
    ALOOP_FINALLY;
    if (self->fd >= 0)
        ALOOP_AWAIT(aloop_file_close(self->fd));
    if (self->fd >= 0 && !self->is_stored)
        ALOOP_AWAIT(aloop_file_unlink(self->upload.text));
    ALOOP_END;
}

ALOOP_CORO_EXPORT(delete)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_file_unlink(self->path.text));
    ALOOP_RETURN(self->result < 0 ? refuse(&self->stream, self->result)
                                  : accept_size(&self->stream, 0));
    ALOOP_END;
}
