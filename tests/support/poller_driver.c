/*
 * The two worlds of poller_driver.h.
 */
#include "poller_driver.h"
#include "poller/sim.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Also in builds without assertions: a test must not go on in a world that is not as it says. */
static void must(bool condition)
{
    if (!condition)
        abort();
}

static void real_open(struct pair *pair, struct poller *poller)
{
    int fds[2];

    must(sys_default.socketpair(AF_UNIX, SOCK_STREAM, fds) == 0);
    *pair = (struct pair){&real_driver, poller, fds[0], fds[1], 0};
}

static void real_close(struct pair *pair)
{
    if (pair->fd >= 0)
        must(close(pair->fd) == 0);
    if (pair->peer >= 0)
        must(close(pair->peer) == 0);
    pair->fd = pair->peer = -1;
}

static void real_arrive(struct pair *pair)
{
    must(write(pair->peer, "x", 1) == 1);
}

static void read_all(int fd)
{
    char buffer[4096];

    while (read(fd, buffer, sizeof buffer) > 0)
        ;
}

static void real_drain(struct pair *pair)
{
    read_all(pair->fd);
}

static void real_fill(struct pair *pair)
{
    static const char buffer[4096];

    while (sys_default.send(pair->fd, buffer, sizeof buffer, 0) > 0)
        ;
}

static void real_make_room(struct pair *pair)
{
    read_all(pair->peer);
}

static void real_hang_up(struct pair *pair)
{
    must(close(pair->peer) == 0);
    pair->peer = -1;
}

static int real_closed_fd(struct poller *poller)
{
    int fd = open("/dev/null", O_RDONLY);

    (void)poller;
    must(fd >= 0 && close(fd) == 0);
    return fd;
}

/* The caller closes it. */
static int real_file_fd(struct poller *poller)
{
    char name[] = "/tmp/aloop-poller-XXXXXX";
    int fd = mkstemp(name);

    (void)poller;
    must(fd >= 0 && unlink(name) == 0);
    return fd;
}

const struct driver real_driver = {
    .is_real = true,
    .open = real_open,
    .close = real_close,
    .arrive = real_arrive,
    .drain = real_drain,
    .fill = real_fill,
    .make_room = real_make_room,
    .hang_up = real_hang_up,
    .closed_fd = real_closed_fd,
    .file_fd = real_file_fd,
};

static void sim_is(struct pair *pair, uint32_t ready)
{
    pair->ready = ready;
    must(sim_set_ready(pair->poller, pair->fd, ready) == 0);
}

static void sim_pair_open(struct pair *pair, struct poller *poller)
{
    static int next;

    *pair = (struct pair){&sim_driver, poller, 100 + next++ % 1000, -1, 0};
    sim_is(pair, POLLER_WRITE);
}

static void sim_pair_close(struct pair *pair)
{
    sim_is(pair, 0);
}

static void sim_arrive(struct pair *pair)
{
    sim_is(pair, pair->ready | POLLER_READ);
}

static void sim_drain(struct pair *pair)
{
    sim_is(pair, pair->ready & ~(uint32_t)POLLER_READ);
}

static void sim_fill(struct pair *pair)
{
    sim_is(pair, pair->ready & ~(uint32_t)POLLER_WRITE);
}

static void sim_make_room(struct pair *pair)
{
    sim_is(pair, pair->ready | POLLER_WRITE);
}

static void sim_hang_up(struct pair *pair)
{
    sim_is(pair, pair->ready | POLLER_READ | POLLER_WRITE | POLLER_HANGUP);
}

static int sim_closed_fd(struct poller *poller)
{
    must(sim_refuse(poller, 50, -EBADF) == 0);
    return 50;
}

static int sim_file_fd(struct poller *poller)
{
    must(sim_refuse(poller, 51, -EPERM) == 0);
    return 51;
}

const struct driver sim_driver = {
    .is_real = false,
    .open = sim_pair_open,
    .close = sim_pair_close,
    .arrive = sim_arrive,
    .drain = sim_drain,
    .fill = sim_fill,
    .make_room = sim_make_room,
    .hang_up = sim_hang_up,
    .closed_fd = sim_closed_fd,
    .file_fd = sim_file_fd,
};
