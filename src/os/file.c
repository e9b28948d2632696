/*
 * Files: calls of the system that may block for as long as the disk takes, each a job. They use
 * the caller's memory, and his fds, so what has begun is waited for.
 */
#include "os/executor.h"

#include <aloop/file.h>
#include <fcntl.h>

/* arg. Paths and results stand where an fd and its buffer would. */
enum { FD, BUFFER, SIZE, OFFSET };
enum { PATH, FLAGS, MODE };
enum { STATUS = 1 };

/* What one call moves at most: some systems refuse more than an int can tell. */
#define CALL_MAX ((size_t)1 << 30)

#define FILE_CLASS(NAME, ...)                                                                      \
    static const struct job_class NAME##_class = {                                                 \
        .type = {.name = "file_" #NAME,                                                            \
                 .interrupt = job_interrupt,                                                       \
                 .drop = job_drop,                                                                 \
                 .describe = job_describe},                                                        \
        .lane = EXECUTOR_FILES,                                                                    \
        .run = NAME##_run,                                                                         \
        __VA_ARGS__}

static aloop_op_arg number(int64_t value)
{
    return (aloop_op_arg){.number = value};
}

static aloop_op_arg pointer(void *value)
{
    return (aloop_op_arg){.pointer = value};
}

static aloop_op_arg data(const void *value)
{
    return (aloop_op_arg){.data = value};
}

static aloop_op_arg size_of(size_t value)
{
    return (aloop_op_arg){.size = value};
}

static int fd_of(const struct job *job)
{
    return (int)job->arg[FD].number;
}

static void subject_fd(const aloop_op_arg arg[4], aloop_op_details *details)
{
    details->fd = (int)arg[FD].number;
}

static void subject_path(const aloop_op_arg arg[4], aloop_op_details *details)
{
    details_add(details, ": ");
    details_add(details, arg[PATH].data);
}

/* --- open and close --- */

static int64_t open_run(struct job *job)
{
    return sys.open(job->arg[PATH].data, (int)job->arg[FLAGS].number,
                    (unsigned)job->arg[MODE].number);
}

static void open_discard(struct job *job)
{
    if (job->result >= 0)
        (void)sys.close((int)job->result);
}

FILE_CLASS(open, .subject = subject_path, .discard = open_discard);

aloop_op aloop_file_open(const char *path, int flags, unsigned mode)
{
    return job_op(&open_class, data(path), number(flags), number(mode), number(0));
}

static int64_t close_run(struct job *job)
{
    return sys.close(fd_of(job));
}

static void close_never(const aloop_op_arg arg[4])
{
    (void)sys.close((int)arg[FD].number);
}

static void close_skip(const aloop_op *op)
{
    close_never(op->arg);
}

static const struct job_class close_class = {
    .type = {.name = "file_close",
             .interrupt = job_interrupt,
             .drop = job_drop,
             .skip = close_skip,
             .describe = job_describe},
    .lane = EXECUTOR_FILES,
    .run = close_run,
    .subject = subject_fd,
    .never = close_never};

aloop_op aloop_file_close(int fd)
{
    return job_op(&close_class, number(fd), number(0), number(0), number(0));
}

/* --- bytes --- */

static size_t at_most(size_t size)
{
    return size < CALL_MAX ? size : CALL_MAX;
}

/* One call for a part of the buffer; `done` of it is done. */
static ssize_t read_part(const struct job *job, size_t done)
{
    return sys.pread(fd_of(job), (char *)job->arg[BUFFER].pointer + done,
                     at_most(job->arg[SIZE].size - done),
                     job->arg[OFFSET].number + (int64_t)done);
}

static ssize_t write_part(const struct job *job, size_t done)
{
    return sys.write(fd_of(job), (const char *)job->arg[BUFFER].data + done,
                     at_most(job->arg[SIZE].size - done));
}

static ssize_t write_part_at(const struct job *job, size_t done)
{
    return sys.pwrite(fd_of(job), (const char *)job->arg[BUFFER].data + done,
                      at_most(job->arg[SIZE].size - done),
                      job->arg[OFFSET].number + (int64_t)done);
}

/* Goes on until all is done, nothing more can be, or there is an error, which is the outcome if
   nothing was done before. */
static int64_t in_parts(const struct job *job, ssize_t (*part)(const struct job *job, size_t done))
{
    size_t done = 0;
    ssize_t moved;

    do {
        moved = part(job, done);
        if (moved > 0)
            done += (size_t)moved;
    } while (moved > 0 && done < job->arg[SIZE].size);
    return moved < 0 && done == 0 ? moved : (int64_t)done;
}

static int64_t read_run(struct job *job)
{
    return sys.read(fd_of(job), job->arg[BUFFER].pointer, at_most(job->arg[SIZE].size));
}

static int64_t write_run(struct job *job)
{
    return in_parts(job, write_part);
}

static int64_t pread_run(struct job *job)
{
    return in_parts(job, read_part);
}

static int64_t pwrite_run(struct job *job)
{
    return in_parts(job, write_part_at);
}

FILE_CLASS(read, .subject = subject_fd);
FILE_CLASS(write, .subject = subject_fd);
FILE_CLASS(pread, .subject = subject_fd);
FILE_CLASS(pwrite, .subject = subject_fd);

aloop_op aloop_file_read(int fd, void *buffer, size_t size)
{
    return job_op(&read_class, number(fd), pointer(buffer), size_of(size), number(0));
}

aloop_op aloop_file_write(int fd, const void *bytes, size_t size)
{
    return job_op(&write_class, number(fd), data(bytes), size_of(size), number(0));
}

aloop_op aloop_file_pread(int fd, void *buffer, size_t size, int64_t offset)
{
    return job_op(&pread_class, number(fd), pointer(buffer), size_of(size), number(offset));
}

aloop_op aloop_file_pwrite(int fd, const void *bytes, size_t size, int64_t offset)
{
    return job_op(&pwrite_class, number(fd), data(bytes), size_of(size), number(offset));
}

/* Reads until the end of the file, or one byte more than there is place for. */
static int64_t read_to_end(const struct job *job, int fd)
{
    char *buffer = job->arg[BUFFER].pointer;
    size_t size = job->arg[SIZE].size;
    size_t done = 0;

    for (;;) {
        char extra;
        bool is_full = done == size;
        ssize_t got = is_full ? sys.read(fd, &extra, 1)
                              : sys.read(fd, buffer + done, at_most(size - done));

        if (got < 0)
            return got;
        if (got == 0)
            return (int64_t)done;
        if (is_full)
            return -EFBIG;
        done += (size_t)got;
    }
}

static int64_t read_whole_run(struct job *job)
{
    int fd = sys.open(job->arg[PATH].data, O_RDONLY, 0);
    int64_t outcome;

    if (fd < 0)
        return fd;
    outcome = read_to_end(job, fd);
    (void)sys.close(fd);
    return outcome;
}

FILE_CLASS(read_whole, .subject = subject_path);

aloop_op aloop_file_read_whole(const char *path, void *buffer, size_t size)
{
    return job_op(&read_whole_class, data(path), pointer(buffer), size_of(size), number(0));
}

/* --- what is said of an fd --- */

static int64_t fsync_run(struct job *job)
{
    return sys.sync(fd_of(job), false);
}

static int64_t fdatasync_run(struct job *job)
{
    return sys.sync(fd_of(job), true);
}

static int64_t ftruncate_run(struct job *job)
{
    return sys.ftruncate(fd_of(job), job->arg[OFFSET].number);
}

static int64_t fstat_run(struct job *job)
{
    return sys.status(fd_of(job), NULL, true, job->arg[STATUS].pointer);
}

FILE_CLASS(fsync, .subject = subject_fd);
FILE_CLASS(fdatasync, .subject = subject_fd);
FILE_CLASS(ftruncate, .subject = subject_fd);
FILE_CLASS(fstat, .subject = subject_fd);

aloop_op aloop_file_fsync(int fd)
{
    return job_op(&fsync_class, number(fd), number(0), number(0), number(0));
}

aloop_op aloop_file_fdatasync(int fd)
{
    return job_op(&fdatasync_class, number(fd), number(0), number(0), number(0));
}

aloop_op aloop_file_ftruncate(int fd, int64_t size)
{
    return job_op(&ftruncate_class, number(fd), number(0), number(0), number(size));
}

aloop_op aloop_file_fstat(int fd, aloop_file_status *out_status)
{
    return job_op(&fstat_class, number(fd), pointer(out_status), number(0), number(0));
}

/* --- what is said of a path --- */

static int64_t stat_run(struct job *job)
{
    return sys.status(-1, job->arg[PATH].data, true, job->arg[STATUS].pointer);
}

static int64_t lstat_run(struct job *job)
{
    return sys.status(-1, job->arg[PATH].data, false, job->arg[STATUS].pointer);
}

static int64_t rename_run(struct job *job)
{
    return sys.rename(job->arg[PATH].data, job->arg[1].data);
}

static int64_t unlink_run(struct job *job)
{
    return sys.unlink(job->arg[PATH].data);
}

static int64_t mkdir_run(struct job *job)
{
    return sys.mkdir(job->arg[PATH].data, (unsigned)job->arg[MODE].number);
}

static int64_t rmdir_run(struct job *job)
{
    return sys.rmdir(job->arg[PATH].data);
}

FILE_CLASS(stat, .subject = subject_path);
FILE_CLASS(lstat, .subject = subject_path);
FILE_CLASS(rename, .subject = subject_path);
FILE_CLASS(unlink, .subject = subject_path);
FILE_CLASS(mkdir, .subject = subject_path);
FILE_CLASS(rmdir, .subject = subject_path);

aloop_op aloop_file_stat(const char *path, aloop_file_status *out_status)
{
    return job_op(&stat_class, data(path), pointer(out_status), number(0), number(0));
}

aloop_op aloop_file_lstat(const char *path, aloop_file_status *out_status)
{
    return job_op(&lstat_class, data(path), pointer(out_status), number(0), number(0));
}

aloop_op aloop_file_rename(const char *from, const char *to)
{
    return job_op(&rename_class, data(from), data(to), number(0), number(0));
}

aloop_op aloop_file_unlink(const char *path)
{
    return job_op(&unlink_class, data(path), number(0), number(0), number(0));
}

aloop_op aloop_file_mkdir(const char *path, unsigned mode)
{
    return job_op(&mkdir_class, data(path), number(0), number(mode), number(0));
}

aloop_op aloop_file_rmdir(const char *path)
{
    return job_op(&rmdir_class, data(path), number(0), number(0), number(0));
}
