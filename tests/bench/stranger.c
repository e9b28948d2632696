/* Linux alone has prctl(). */
#define _GNU_SOURCE

#include "stranger.h"

#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS_MAX 10000

static struct sockaddr_in local_address(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

void stranger_prepare(struct stranger *stranger)
{
    struct sockaddr_in address = local_address(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *stranger = (struct stranger){.folder = "/tmp/aloop-bench-XXXXXX"};
    bench_check(fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 &&
                    getsockname(fd, (struct sockaddr *)&address, &length) == 0,
                "bind");
    stranger->port = ntohs(address.sin_port);
    close(fd);
    bench_check(mkdtemp(stranger->folder) != NULL, "mkdtemp");
    /* A program that gives up its rights has to get in. */
    bench_check(chmod(stranger->folder, 0755) == 0, "chmod");
}

static bool listens(uint16_t port)
{
    struct sockaddr_in address = local_address(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool is_there;

    bench_check(fd >= 0, "socket");
    is_there = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return is_there;
}

static void become(const char *const argv[])
{
    int null = open("/dev/null", O_RDWR);

    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

/* In the parent: until it listens. False if it ended before. */
static bool wait_for(struct stranger *stranger)
{
    const struct timespec pause = {.tv_nsec = 1000 * 1000};

    for (int i = 0; i < START_MS_MAX; i++) {
        if (waitpid(stranger->pid, NULL, WNOHANG) == stranger->pid) {
            stranger->pid = 0;
            break;
        }
        if (listens(stranger->port))
            return true;
        nanosleep(&pause, NULL);
    }
    stranger_end(stranger);
    return false;
}

/* True in the child. */
static bool begin(struct stranger *stranger)
{
    stranger->pid = fork();
    bench_check(stranger->pid >= 0, "fork");
    if (stranger->pid > 0)
        return false;
    /* If the sample is ended by force, nobody else will end this. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return true;
}

bool stranger_start(struct stranger *stranger, const char *const argv[])
{
    if (begin(stranger))
        become(argv);
    return wait_for(stranger);
}

bool stranger_start_function(struct stranger *stranger, void (*run)(uint16_t port))
{
    if (begin(stranger)) {
        run(stranger->port);
        _exit(1);
    }
    return wait_for(stranger);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void stranger_end(struct stranger *stranger)
{
    if (stranger->pid > 0) {
        kill(stranger->pid, SIGKILL);
        bench_check(waitpid(stranger->pid, NULL, 0) == stranger->pid, "waitpid");
    }
    nftw(stranger->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

struct bench_figures stranger_measure(struct stranger *stranger, struct load *load,
                                      size_t connections, const char *end)
{
    struct load_figures figures;

    bench_pin(1);
    load_connect_to(load, connections, stranger->port);
    if (end != NULL)
        load->answer_size = load_size_of_answer(load, end);
    figures = load_measure(load, stranger->pid);
    stranger_end(stranger);
    return (struct bench_figures){.value = figures.requests_per_second,
                                  .second = figures.cpu_ns_per_request};
}
