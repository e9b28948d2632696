/*
 * What the tests of files share: a folder that is gone at the end, and the promise that no fd is
 * left open. Include behind cmocka's headers.
 */
#ifndef ALOOP_TESTS_FILE_TEST_H
#define ALOOP_TESTS_FILE_TEST_H

#include "os_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_state {
    struct os_state os; /* first: what os_test.h expects */
    char folder[64];
    int fds;
};

/* A path in the folder; good until four more are made. */
static ALOOP_UNUSED const char *in_folder(const struct os_state *os, const char *name)
{
    static char paths[4][400];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/%s",
                   ((const struct file_state *)(const void *)os)->folder, name);
    return path;
}

static int file_count_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A file with that in it. */
static ALOOP_UNUSED void make_file(const struct os_state *os, const char *name, const char *text)
{
    int fd = open(in_folder(os, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static ALOOP_UNUSED int file_setup(void **state)
{
    static struct file_state self;

    memset(&self, 0, sizeof self);
    self.fds = file_count_fds();
    self.os.sys = sys;
    os_open(&self.os, ALOOP_CLOCK_VIRTUAL);
    strcpy(self.folder, "/tmp/aloop-file-XXXXXX");
    assert_non_null(mkdtemp(self.folder));
    *state = &self;
    return 0;
}

static ALOOP_UNUSED int file_teardown(void **state)
{
    struct file_state *self = *state;
    const struct dirent *entry;
    DIR *folder;

    assert_int_equal(os_teardown(state), 0);
    folder = opendir(self->folder);
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        (void)unlinkat(dirfd(folder), entry->d_name, 0);
    assert_int_equal(closedir(folder), 0);
    assert_int_equal(rmdir(self->folder), 0);
    assert_int_equal(file_count_fds(), self->fds);
    return 0;
}

#define FILE_TEST(function)                                                                        \
    cmocka_unit_test_setup_teardown(function, file_setup, file_teardown)

#endif
