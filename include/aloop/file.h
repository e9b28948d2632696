/*
 * Files. Disks have no readiness to wait for, so each of these calls is made in a thread, of those
 * that the loop has for files alone: at most four, so that a disk that is slow holds up neither
 * names nor aloop_to_thread(), nor a long computation in there a file. asyncio has no files;
 * aiofiles, or to_thread(os.pread, ...).
 *
 *     ALOOP_TRY_TO(self->fd, aloop_file_open("data", O_RDONLY, 0));
 *     ALOOP_TRY(aloop_file_pread(self->fd, self->buffer, sizeof self->buffer, 0));
 *     ...
 *     ALOOP_FINALLY;
 *     if (self->fd >= 0)
 *         ALOOP_AWAIT(aloop_file_close(self->fd));
 *
 * They are called as POSIX calls them, an fd is an ordinary one, and the outcome is what the call
 * returns, >= 0, or the negated errno. -EINTR is never one. Besides: -ENOMEM, -EAGAIN, -ECHILD, as
 * <aloop/thread.h> says.
 *
 * Cancelled, or out of time: a call that has not begun is dropped, and the await ends at once. One
 * that has begun is waited for, which is as long as the disk takes; then it has happened, though
 * the await says -ECANCELED or -ETIMEDOUT. So when an await has returned, nothing is under way any
 * more: no buffer is written to, nothing is unlinked late, and no fd used that has become another
 * file's. (The alternative, to leave such a call alone with a copy of everything, would give up
 * just that.) What a cancelled aloop_file_open() has opened is closed. As for aloop_to_thread(),
 * the end of the loop waits no longer than aloop_set_thread_patience() says, and such an operation
 * cannot be a case of aloop_select().
 *
 * All calls are for the loop's thread. Paths, buffers and results must stay until the await ends.
 * Several calls for one fd run at the same time, in any order, if several tasks await them. What
 * can be waited for without a thread, pipes, terminals and sockets, is better off as a stream:
 * opening a FIFO, or reading from one, may take for ever, and keeps a thread for as long.
 */
#ifndef ALOOP_FILE_H
#define ALOOP_FILE_H

#include <aloop/op.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opens: the outcome is an fd, close-on-exec, which the caller closes. `flags` are those of
   <fcntl.h>; `mode` is of a file that is made. -ENOENT, -EACCES, -EEXIST, -EISDIR, -EMFILE, ... */
ALOOP_API aloop_op aloop_file_open(const char *path, int flags, unsigned mode);

/*
 * Closes. The fd is gone whatever the outcome, and however the await ends: cancelled before it
 * began, it is closed at once. An error (-EIO, -ENOSPC, -EDQUOT) is of what was written before: to
 * be sure of that, sync first.
 */
ALOOP_API aloop_op aloop_file_close(int fd);

/* Reads on from the file's position, with one call: the outcome is the number of bytes, which may
   be less than `size`, and 0 at the end. */
ALOOP_API aloop_op aloop_file_read(int fd, void *buffer, size_t size);

/* Writes everything at the file's position (its end with O_APPEND). If an error stops it in the
   middle the outcome is how much was written, less than `size`, and the next write tells the
   error. */
ALOOP_API aloop_op aloop_file_write(int fd, const void *data, size_t size);

/* Reads from `offset` on. Less than `size` is read only at the end of the file, or before an error,
   which reading on from there tells. */
ALOOP_API aloop_op aloop_file_pread(int fd, void *buffer, size_t size, int64_t offset);

/* Writes everything at `offset`; the outcome is as that of aloop_file_write(). */
ALOOP_API aloop_op aloop_file_pwrite(int fd, const void *data, size_t size, int64_t offset);

/*
 * The outcome is 0 when everything that was written to the file is on the disk; with fdatasync, all
 * but its times. An error means that some is not, and never will be: trying again is of no use. A
 * new name is there for good when its directory, opened read-only, is synced as well.
 */
ALOOP_API aloop_op aloop_file_fsync(int fd);
ALOOP_API aloop_op aloop_file_fdatasync(int fd);

/* Cuts the file to `size`, or fills it up with zeros. */
ALOOP_API aloop_op aloop_file_ftruncate(int fd, int64_t size);

/* What the system knows of a file. Times are in ns since 1970, by the wall clock. */
typedef struct aloop_file_status {
    uint64_t device; /* these two tell it from all others */
    uint64_t inode;
    uint64_t links;
    uint32_t mode; /* type and permissions: S_ISDIR() and so on, of <sys/stat.h> */
    uid_t uid;
    gid_t gid;
    int64_t size;      /* in bytes */
    int64_t allocated; /* on the disk, in bytes */
    aloop_ns accessed;
    aloop_ns modified; /* what is in it */
    aloop_ns changed;  /* anything about it */
} aloop_file_status;

/* Writes it on success; the outcome is 0. lstat tells of a link itself. */
ALOOP_API aloop_op aloop_file_stat(const char *path, aloop_file_status *out_status);
ALOOP_API aloop_op aloop_file_lstat(const char *path, aloop_file_status *out_status);
ALOOP_API aloop_op aloop_file_fstat(int fd, aloop_file_status *out_status);

/* Gives it another name, replacing what has that, in one step for all who look. */
ALOOP_API aloop_op aloop_file_rename(const char *from, const char *to);
ALOOP_API aloop_op aloop_file_unlink(const char *path);
ALOOP_API aloop_op aloop_file_mkdir(const char *path, unsigned mode);
ALOOP_API aloop_op aloop_file_rmdir(const char *path);

/*
 * Opens, reads to its end and closes: a whole file that is not large, in one step. The outcome is
 * the number of bytes; -EFBIG if there are more than `size`, of which as many are in the buffer.
 */
ALOOP_API aloop_op aloop_file_read_whole(const char *path, void *buffer, size_t size);

/*
 * The names in a directory, in no order, without "." and "..":
 *
 *     ALOOP_TRY(aloop_directory_open("/tmp", &self->dir));
 *     for (;;) {
 *         ALOOP_TRY(aloop_directory_next(&self->dir, &self->entry));
 *         if (self->result == 0)
 *             break;
 *         puts(self->entry.name);
 *     }
 *     ALOOP_FINALLY;
 *     aloop_directory_close(&self->dir);
 *
 * A thread reads some KiB of names at a time; most awaits find one there, and end at once. Python:
 * os.scandir().
 */
typedef struct aloop_directory {
    struct aloop_directory_reader *reader; /* the library's; NULL: not open */
} aloop_directory;

typedef struct aloop_directory_entry {
    const char *name; /* until the next await of aloop_directory_next(), or the close */
    uint32_t type;    /* for S_ISDIR() and so on; 0: not known here, aloop_file_lstat() knows */
} aloop_directory_entry;

/* Opens. The outcome is 0, and *out_directory (returns owned) is written; or -ENOENT, -ENOTDIR,
   -EACCES, ... */
ALOOP_API aloop_op aloop_directory_open(const char *path, aloop_directory *out_directory);

/*
 * The next name: the outcome is 1 and *out_entry; 0 at the end; -EBADF (not open); -EBUSY (another
 * task is reading it); -ENAMETOOLONG (a name of more than 1023 bytes, which is passed over); or an
 * error of the system.
 */
ALOOP_API aloop_op aloop_directory_next(aloop_directory *directory,
                                        aloop_directory_entry *out_entry);

/* Closes, in the loop's thread, which does not block; nothing if it is not open. If another task is
   reading it, when that has ended, with -EBADF for that. May be called on what a closed loop has
   left, in the thread that ran it. */
ALOOP_API void aloop_directory_close(aloop_directory *directory);

#ifdef __cplusplus
}
#endif

#endif
