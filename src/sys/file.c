/*
 * Files and directories.
 */
#if defined(__linux__)
#define _GNU_SOURCE /* d_type */
#else
#undef _POSIX_C_SOURCE
#define _DARWIN_C_SOURCE 1
#define _NETBSD_SOURCE 1
#define __EXTENSIONS__ 1
#endif
#include "sys/calls.h"
#include "base/time_math.h"
#include <aloop/file.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __APPLE__
#define st_atim st_atimespec
#define st_mtim st_mtimespec
#define st_ctim st_ctimespec
#endif

/* POSIX lets most of these be interrupted; on a network's file system they are. */
#define RETRY(result, call)                                                                        \
    do                                                                                             \
        (result) = (call);                                                                         \
    while ((result) < 0 && errno == EINTR)

static int answer(int result)
{
    return result < 0 ? -errno : result;
}

int sys_open(const char *path, int flags, unsigned mode)
{
    int fd;

    RETRY(fd, open(path, flags | O_CLOEXEC, (mode_t)mode));
    return answer(fd);
}

ssize_t sys_pwrite(int fd, const void *buffer, size_t size, int64_t offset)
{
    ssize_t put;

    RETRY(put, pwrite(fd, buffer, size, (off_t)offset));
    return put < 0 ? -errno : put;
}

int sys_sync(int fd, bool data_only)
{
    int result;

#ifdef __APPLE__
    /* What they call fsync leaves it in the disk's own memory. Not every file system can do
       more. */
    (void)data_only;
    RETRY(result, fcntl(fd, F_FULLFSYNC));
    if (result >= 0)
        return 0;
    RETRY(result, fsync(fd));
#else
    if (data_only)
        RETRY(result, fdatasync(fd));
    else
        RETRY(result, fsync(fd));
#endif
    return answer(result);
}

int sys_ftruncate(int fd, int64_t size)
{
    int result;

    RETRY(result, ftruncate(fd, (off_t)size));
    return answer(result);
}

int sys_status(int fd, const char *path, bool follow, struct aloop_file_status *out_status)
{
    struct stat status;
    int result;

    if (path == NULL)
        RETRY(result, fstat(fd, &status));
    else if (follow)
        RETRY(result, stat(path, &status));
    else
        RETRY(result, lstat(path, &status));
    if (result < 0)
        return -errno;
    *out_status = (struct aloop_file_status){.device = (uint64_t)status.st_dev,
                                             .inode = (uint64_t)status.st_ino,
                                             .links = (uint64_t)status.st_nlink,
                                             .mode = (uint32_t)status.st_mode,
                                             .uid = status.st_uid,
                                             .gid = status.st_gid,
                                             .size = (int64_t)status.st_size,
                                             .allocated = (int64_t)status.st_blocks * 512,
                                             .accessed = time_from_timespec(&status.st_atim),
                                             .modified = time_from_timespec(&status.st_mtim),
                                             .changed = time_from_timespec(&status.st_ctim)};
    return 0;
}

int sys_rename(const char *from, const char *to)
{
    int result;

    RETRY(result, rename(from, to));
    return answer(result);
}

int sys_mkdir(const char *path, unsigned mode)
{
    int result;

    RETRY(result, mkdir(path, (mode_t)mode));
    return answer(result);
}

int sys_rmdir(const char *path)
{
    int result;

    RETRY(result, rmdir(path));
    return answer(result);
}

/* --- directories --- */

int sys_directory_open(const char *path, void **out_directory)
{
    int fd = sys_open(path, O_RDONLY | O_DIRECTORY, 0);
    DIR *directory;

    if (fd < 0)
        return fd;
    directory = fdopendir(fd);
    if (directory == NULL) {
        int error = -errno;

        sys_close(fd);
        return error;
    }
    *out_directory = directory;
    return 0;
}

static unsigned type_of(const struct dirent *entry)
{
#ifdef DTTOIF
    return (unsigned)DTTOIF(entry->d_type);
#else
    (void)entry;
    return 0;
#endif
}

int sys_directory_next(void *directory, const char **out_name, unsigned *out_type)
{
    for (;;) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(directory);
        if (entry == NULL && errno == EINTR)
            continue;
        if (entry == NULL)
            return -errno;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        *out_name = entry->d_name;
        *out_type = type_of(entry);
        return 1;
    }
}

int sys_directory_close(void *directory)
{
    /* As with close, nothing is left open, whatever it says. */
    if (closedir(directory) == 0 || errno == EINTR)
        return 0;
    return -errno;
}
