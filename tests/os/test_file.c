/* Files: each call, what is short, what fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "file_test.h"

static int open_file(struct os_state *self, const char *name, int flags)
{
    int64_t fd = os_result(self, aloop_file_open(in_folder(self, name), flags, 0600));

    assert_true(fd >= 0);
    return (int)fd;
}

static void close_file(struct os_state *self, int fd)
{
    assert_int_equal(os_result(self, aloop_file_close(fd)), 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static bool synced_data_only;

static int noted_sync(int fd, bool data_only)
{
    synced_data_only = data_only;
    return sys_default.sync(fd, data_only);
}

static void bytes_go_in_and_out(void **state)
{
    struct os_state *self = *state;
    int fd = open_file(self, "a", O_RDWR | O_CREAT | O_EXCL);
    char buffer[16] = {0};

    /* P107 */
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(os_result(self, aloop_file_write(fd, "0123456789", 10)), 10);
    assert_int_equal(os_result(self, aloop_file_read(fd, buffer, 16)), 0);
    assert_int_equal(os_result(self, aloop_file_pread(fd, buffer, 4, 3)), 4);
    assert_memory_equal(buffer, "3456", 4);
    assert_int_equal(os_result(self, aloop_file_pread(fd, buffer, 16, 8)), 2);
    assert_int_equal(os_result(self, aloop_file_pread(fd, buffer, 16, 20)), 0);
    assert_int_equal(os_result(self, aloop_file_pwrite(fd, "xyz", 3, 1)), 3);
    sys.sync = noted_sync;
    assert_int_equal(os_result(self, aloop_file_fdatasync(fd)), 0);
    assert_true(synced_data_only);
    assert_int_equal(os_result(self, aloop_file_ftruncate(fd, 6)), 0);
    assert_int_equal(os_result(self, aloop_file_fsync(fd)), 0);
    assert_false(synced_data_only);
    close_file(self, fd);
    fd = open_file(self, "a", O_RDONLY);
    assert_int_equal(os_result(self, aloop_file_read(fd, buffer, 4)), 4);
    assert_memory_equal(buffer, "0xyz", 4);
    assert_int_equal(os_result(self, aloop_file_read(fd, buffer, 16)), 2);
    assert_int_equal(os_result(self, aloop_file_read(fd, buffer, 16)), 0);
    /* P87 */
    assert_int_equal(os_result(self, aloop_file_read(fd, buffer, 0)), 0);
    assert_int_equal(os_result(self, aloop_file_pread(fd, buffer, 0, 0)), 0);
    assert_int_equal(os_result(self, aloop_file_write(fd, "x", 1)), -EBADF);
    assert_int_equal(os_result(self, aloop_file_pread(fd, buffer, 1, -1)), -EINVAL);
    close_file(self, fd);
    assert_int_equal(os_result(self, aloop_file_close(fd)), -EBADF);
}

static void what_is_known_of_a_file(void **state)
{
    struct os_state *self = *state;
    aloop_file_status status, other;
    struct stat expected;
    int fd;

    make_file(self, "a", "hello");
    assert_int_equal(symlink("a", in_folder(self, "link")), 0);
    assert_int_equal(stat(in_folder(self, "a"), &expected), 0);
    assert_int_equal(os_result(self, aloop_file_stat(in_folder(self, "link"), &status)), 0);
    assert_true(S_ISREG(status.mode));
    assert_int_equal(status.mode & 0777, 0600);
    assert_int_equal(status.size, 5);
    assert_int_equal(status.inode, expected.st_ino);
    assert_int_equal(status.device, expected.st_dev);
    assert_int_equal(status.links, 1);
    assert_int_equal(status.uid, getuid());
    assert_int_equal(status.gid, expected.st_gid);
    assert_int_equal(status.allocated, (int64_t)expected.st_blocks * 512);
    assert_int_equal(status.modified / ALOOP_SEC(1), expected.st_mtime);
    assert_int_equal(status.accessed / ALOOP_SEC(1), expected.st_atime);
    assert_int_equal(status.changed / ALOOP_SEC(1), expected.st_ctime);
    assert_int_equal(os_result(self, aloop_file_lstat(in_folder(self, "link"), &other)), 0);
    assert_true(S_ISLNK(other.mode));
    fd = open_file(self, "a", O_RDONLY);
    assert_int_equal(os_result(self, aloop_file_fstat(fd, &other)), 0);
    assert_int_equal(other.inode, status.inode);
    close_file(self, fd);
    /* Written on success only. */
    status.size = 77;
    assert_int_equal(os_result(self, aloop_file_fstat(fd, &status)), -EBADF);
    assert_int_equal(os_result(self, aloop_file_stat(in_folder(self, "none"), &status)), -ENOENT);
    assert_int_equal(os_result(self, aloop_file_lstat(in_folder(self, "none"), &status)), -ENOENT);
    assert_int_equal(status.size, 77);
}

static void names_come_and_go(void **state)
{
    struct os_state *self = *state;
    aloop_file_status status;

    make_file(self, "a", "1");
    make_file(self, "b", "22");
    assert_int_equal(
        os_result(self, aloop_file_rename(in_folder(self, "a"), in_folder(self, "b"))), 0);
    assert_int_equal(os_result(self, aloop_file_stat(in_folder(self, "b"), &status)), 0);
    assert_int_equal(status.size, 1);
    assert_int_equal(
        os_result(self, aloop_file_rename(in_folder(self, "a"), in_folder(self, "b"))), -ENOENT);
    assert_int_equal(os_result(self, aloop_file_unlink(in_folder(self, "b"))), 0);
    assert_int_equal(os_result(self, aloop_file_unlink(in_folder(self, "b"))), -ENOENT);
    assert_int_equal(os_result(self, aloop_file_mkdir(in_folder(self, "d"), 0700)), 0);
    assert_int_equal(os_result(self, aloop_file_mkdir(in_folder(self, "d"), 0700)), -EEXIST);
    assert_int_equal(os_result(self, aloop_file_stat(in_folder(self, "d"), &status)), 0);
    assert_true(S_ISDIR(status.mode));
    assert_int_equal(status.mode & 0777, 0700);
    assert_int_equal(os_result(self, aloop_file_rmdir(in_folder(self, "d"))), 0);
    assert_int_equal(os_result(self, aloop_file_rmdir(in_folder(self, "d"))), -ENOENT);
}

static void whole_files(void **state)
{
    struct os_state *self = *state;
    char buffer[8];

    make_file(self, "a", "1234567");
    make_file(self, "empty", "");
    assert_int_equal(os_result(self, aloop_file_read_whole(in_folder(self, "a"), buffer, 8)), 7);
    assert_memory_equal(buffer, "1234567", 7);
    assert_int_equal(os_result(self, aloop_file_read_whole(in_folder(self, "a"), buffer, 7)), 7);
    memset(buffer, 0, sizeof buffer);
    assert_int_equal(os_result(self, aloop_file_read_whole(in_folder(self, "a"), buffer, 6)),
                     -EFBIG);
    assert_memory_equal(buffer, "123456\0", 7);
    assert_int_equal(os_result(self, aloop_file_read_whole(in_folder(self, "empty"), NULL, 0)), 0);
    assert_int_equal(os_result(self, aloop_file_read_whole(in_folder(self, "none"), buffer, 8)),
                     -ENOENT);
    assert_int_equal(os_result(self, aloop_file_read_whole(in_folder(self, "."), buffer, 8)),
                     -EISDIR);
    /* In whatever pieces it comes; and an error on the way leaves no fd open. */
    fault_install();
    for (size_t most = 1; most < 9; most++) {
        fault_cut_to(most);
        assert_int_equal(os_result(self, aloop_file_read_whole(in_folder(self, "a"), buffer, 8)),
                         7);
        assert_memory_equal(buffer, "1234567", 7);
        assert_int_equal(os_result(self, aloop_file_read_whole(in_folder(self, "a"), buffer, 6)),
                         -EFBIG);
        fault_fail(FAULT_READ, 2, -EIO);
        assert_int_equal(os_result(self, aloop_file_read_whole(in_folder(self, "a"), buffer, 8)),
                         -EIO);
        fault_clear(FAULT_READ);
    }
}

/* P79: what goes in pieces goes on at the right byte. An error behind some of it is told by the
   next call, and what was done is not denied. */
static void pieces(void **state)
{
    struct os_state *self = *state;
    int fd = open_file(self, "a", O_RDWR | O_CREAT);
    char buffer[16];

    fault_install();
    for (size_t most = 1; most < 12; most++) {
        memset(buffer, 0, sizeof buffer);
        assert_int_equal(os_result(self, aloop_file_ftruncate(fd, 0)), 0);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        fault_cut_to(most);
        assert_int_equal(os_result(self, aloop_file_write(fd, "0123456789", 10)), 10);
        assert_int_equal(os_result(self, aloop_file_pwrite(fd, "abcdef", 6, 2)), 6);
        assert_int_equal(os_result(self, aloop_file_pread(fd, buffer, 16, 0)), 10);
        assert_memory_equal(buffer, "01abcdef89", 10);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(os_result(self, aloop_file_read(fd, buffer, 16)), most < 10 ? most : 10);
    }
    fault_cut_to(4);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    fault_fail(FAULT_WRITE, 2, -ENOSPC);
    assert_int_equal(os_result(self, aloop_file_write(fd, "0123456789", 10)), 4);
    fault_fail(FAULT_WRITE, 1, -ENOSPC);
    assert_int_equal(os_result(self, aloop_file_write(fd, "456789", 6)), -ENOSPC);
    assert_int_equal(os_result(self, aloop_file_write(fd, "456789", 6)), 6);
    fault_fail(FAULT_PWRITE, 3, -EDQUOT);
    assert_int_equal(os_result(self, aloop_file_pwrite(fd, "0123456789", 10, 0)), 8);
    fault_fail(FAULT_PREAD, 2, -EIO);
    assert_int_equal(os_result(self, aloop_file_pread(fd, buffer, 10, 0)), 4);
    /* A device that takes nothing, and says so without an error. */
    fault_fail(FAULT_WRITE, 2, 0);
    assert_int_equal(os_result(self, aloop_file_write(fd, "0123456789", 10)), 4);
    fault_cut_to(0);
    close_file(self, fd);
}

/* Whatever the system says is the outcome, of each call. */
static void errors_come_as_they_are(void **state)
{
    static const int errors[] = {-EIO, -ENOSPC, -EACCES, -EROFS, -EMFILE, -ENOMEM, -ESTALE};
    static const enum fault_call calls[] = {
        FAULT_OPEN,      FAULT_READ,   FAULT_WRITE,  FAULT_PREAD,  FAULT_PWRITE, FAULT_SYNC,
        FAULT_SYNC,      FAULT_STATUS, FAULT_STATUS, FAULT_STATUS, FAULT_RENAME, FAULT_UNLINK,
        FAULT_FTRUNCATE, FAULT_MKDIR,  FAULT_RMDIR,  FAULT_OPEN,   FAULT_DIRECTORY_OPEN};
    struct os_state *self = *state;
    aloop_directory directory = {NULL};
    aloop_file_status status;
    char byte;
    const aloop_op operations[] = {aloop_file_open("/", O_RDONLY, 0),
                                   aloop_file_read(0, &byte, 1),
                                   aloop_file_write(1, "x", 1),
                                   aloop_file_pread(0, &byte, 1, 0),
                                   aloop_file_pwrite(1, "x", 1, 0),
                                   aloop_file_fsync(0),
                                   aloop_file_fdatasync(0),
                                   aloop_file_stat("/", &status),
                                   aloop_file_lstat("/", &status),
                                   aloop_file_fstat(0, &status),
                                   aloop_file_rename("/nonsense/a", "/nonsense/b"),
                                   aloop_file_unlink("/nonsense/a"),
                                   aloop_file_ftruncate(0, 0),
                                   aloop_file_mkdir("/nonsense/a", 0),
                                   aloop_file_rmdir("/nonsense/a"),
                                   aloop_file_read_whole("/", &byte, 1),
                                   aloop_directory_open("/", &directory)};

    fault_install();
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        for (size_t j = 0; j < sizeof errors / sizeof *errors; j++) {
            fault_fail(calls[i], 1, errors[j]);
            assert_int_equal(os_result(self, operations[i]), errors[j]);
        }
    }
    assert_null(directory.reader);
    /* The fd is gone all the same. */
    for (size_t j = 0; j < sizeof errors / sizeof *errors; j++) {
        fault_fail(FAULT_CLOSE, 1, errors[j]);
        assert_int_equal(os_result(self, aloop_file_close(1000)), errors[j]);
    }
}

/* P119: without memory, or without a thread, each says so and has done nothing; but a file that was
   to be closed is closed. */
static void without_memory_or_threads(void **state)
{
    struct os_state *self = *state;
    aloop_directory directory = {NULL};
    aloop_file_status status;
    char byte;
    int fd;

    fault_install();
    for (int round = 0; round < 2; round++) {
        int expected = round == 0 ? -EAGAIN : -ENOMEM;

        if (round == 0)
            fault_fail_from(FAULT_THREAD_CREATE, 1, -EAGAIN);
        fd = open(in_folder(self, "."), O_RDONLY);
        assert_true(fd >= 0);
        for (int i = 0; i < 5; i++) {
            const aloop_op operations[] = {
                aloop_file_open(in_folder(self, "."), O_RDONLY, 0),
                aloop_file_pread(fd, &byte, 1, 0),
                aloop_file_stat(in_folder(self, "."), &status),
                aloop_directory_open(in_folder(self, "."), &directory),
                aloop_file_close(fd),
            };
            aloop_task *task = aloop_create_task_in(self->loop, os_await, .op = operations[i]);

            if (round == 1)
                memory_probe_fail(&self->memory, 1, true);
            assert_int_equal(os_end(self, task), expected);
            memory_probe_fail(&self->memory, 0, false);
        }
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        assert_null(directory.reader);
        fault_clear(FAULT_THREAD_CREATE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(bytes_go_in_and_out),     FILE_TEST(what_is_known_of_a_file),
        FILE_TEST(names_come_and_go),       FILE_TEST(whole_files),
        FILE_TEST(pieces),                  FILE_TEST(errors_come_as_they_are),
        FILE_TEST(without_memory_or_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
