/*
 * From the options of a child to what the system is told: its pipes, the fds that it gets, the
 * files that its program may be in. Everything is made before there is a child, so that of what can
 * fail afterwards little is left.
 */
#include "os/process.h"

#include "loop/watch.h"

#include <limits.h>
#include <stdlib.h>

#define STANDARD 3

/* Where programs are if nobody says. */
#define PATH_DEFAULT "/bin:/usr/bin"

struct plan {
    aloop *loop;
    const aloop_process_options *options;
    struct sys_spawn request;
    struct sys_spawn_fd *fds; /* request.fds */
    aloop_stream pipes[STANDARD];
    int child_ends[STANDARD]; /* of the pipes; -1: none */
    void *block;
    size_t block_size;
};

/* --- the program's file --- */

static const char *search_path(const char *const *env)
{
    if (env == NULL)
        return getenv("PATH");
    for (; *env != NULL; env++) {
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    }
    return NULL;
}

static size_t count_places(const char *path)
{
    size_t count = 1;

    for (; *path != '\0'; path++)
        count += *path == ':';
    return count;
}

/* The file in each of the places of `path`. An empty one is the current directory. */
static void list_paths(const char **paths, char *text, const char *path, const char *name)
{
    for (;;) {
        size_t size = strcspn(path, ":");

        *paths++ = text;
        memcpy(text, path, size);
        text += size;
        if (size > 0)
            *text++ = '/';
        memcpy(text, name, strlen(name) + 1);
        text += strlen(name) + 1;
        path += size;
        if (*path++ == '\0')
            break;
    }
    *paths = NULL;
}

/* One block for all that the request points to. */
static int plan_memory(struct plan *plan, const char *name)
{
    size_t fds = STANDARD + plan->options->fd_count;
    const char *path = NULL;
    size_t count = 1;
    size_t text = 0;
    const char **paths;
    char *end;

    if (plan->options->fd_count > INT_MAX / 2)
        return -EINVAL;
    /* With a slash in it, or nothing, it is looked for nowhere else. */
    if (strchr(name, '/') == NULL && *name != '\0') {
        path = search_path(plan->options->env);
        if (path == NULL)
            path = PATH_DEFAULT;
        count = count_places(path);
        /* The places without their colons, and for each a slash, the name, and the end. */
        text = strlen(path) + count * (strlen(name) + 2);
    }
    plan->block_size = (count + 1) * sizeof *paths + fds * (sizeof *plan->fds + sizeof(int)) + text;
    plan->block = memory_alloc(&plan->loop->memory, plan->block_size);
    if (plan->block == NULL)
        return -ENOMEM;
    paths = plan->block;
    plan->fds = (void *)(paths + count + 1);
    plan->request.fds = plan->fds;
    plan->request.moved = (void *)(plan->fds + fds);
    plan->request.paths = paths;
    end = (char *)(plan->request.moved + fds);
    if (path != NULL) {
        list_paths(paths, end, path, name);
    } else {
        paths[0] = name;
        paths[1] = NULL;
    }
    return 0;
}

/* --- its fds --- */

static int plan_fd(struct plan *plan, int to, int from)
{
    size_t count = plan->request.fd_count;

    if (to < 0 || to > INT_MAX - STANDARD)
        return -EBADF;
    for (size_t i = 0; i < count; i++) {
        if (plan->fds[i].to == to)
            return -EINVAL;
    }
    watch_note_duplicate(plan->loop, from);
    plan->fds[count] = (struct sys_spawn_fd){.to = to, .from = from};
    plan->request.fd_count = count + 1;
    return 0;
}

/* The pipe of a standard fd: our end is a stream, the other waits for the child. */
static int plan_pipe(struct plan *plan, int to)
{
    bool is_read_by_child = to == 0;
    int ends[2];
    int error = sys.pipe(ends);

    if (error < 0)
        return error;
    error = aloop_stream_open_fd(plan->loop, ends[is_read_by_child], plan->options->stream,
                                 &plan->pipes[to]);
    if (error < 0) {
        (void)sys.close(ends[0]);
        (void)sys.close(ends[1]);
        return error;
    }
    plan->child_ends[to] = ends[!is_read_by_child];
    return plan_fd(plan, to, plan->child_ends[to]);
}

/* Where the child's standard output goes, by now. */
static int output_of(const struct plan *plan)
{
    for (size_t i = 0; i < plan->request.fd_count; i++) {
        if (plan->fds[i].to == 1)
            return plan->fds[i].from;
    }
    return 1;
}

static int plan_standard(struct plan *plan, int to, int what)
{
    switch (what) {
    case ALOOP_INHERIT:
        return 0;
    case ALOOP_PIPE:
        return plan_pipe(plan, to);
    case ALOOP_DEVNULL:
        return plan_fd(plan, to, SYS_SPAWN_NULL);
    case ALOOP_STDOUT:
        return to == 2 ? plan_fd(plan, to, output_of(plan)) : -EINVAL;
    default:
        return what < 0 ? -EINVAL : plan_fd(plan, to, what);
    }
}

static int plan_fds(struct plan *plan)
{
    const aloop_process_options *options = plan->options;
    int error = 0;

    for (size_t i = 0; i < options->fd_count && error == 0; i++)
        error = options->fds[i].parent < 0
                    ? -EBADF
                    : plan_fd(plan, options->fds[i].child, options->fds[i].parent);
    if (error == 0)
        error = plan_standard(plan, 0, options->in);
    if (error == 0)
        error = plan_standard(plan, 1, options->out);
    if (error == 0)
        error = plan_standard(plan, 2, options->err);
    return error;
}

/* --- all of it --- */

static void plan_end(struct plan *plan, bool has_failed)
{
    for (int fd = 0; fd < STANDARD; fd++) {
        if (plan->child_ends[fd] >= 0)
            (void)sys.close(plan->child_ends[fd]);
        if (has_failed)
            aloop_stream_abort(&plan->pipes[fd]);
    }
    memory_free(&plan->loop->memory, plan->block, plan->block_size);
}

int process_spawn(aloop *loop, const char *const *argv, const aloop_process_options *options,
                  aloop_process *out)
{
    struct plan plan = {.loop = loop,
                        .options = options,
                        .request = {.argv = argv,
                                    .env = options->env,
                                    .cwd = options->cwd,
                                    .close_others = !options->keep_fds,
                                    .new_session = options->new_session,
                                    .group = options->process_group,
                                    .umask = options->umask,
                                    .uid = options->uid,
                                    .gid = options->gid,
                                    .groups = options->groups,
                                    .group_count = options->group_count},
                        .child_ends = {-1, -1, -1}};
    pid_t pid = 0;
    int error = plan_memory(&plan, options->executable != NULL ? options->executable : argv[0]);

    if (error < 0)
        return error;
    error = plan_fds(&plan);
    if (error == 0) {
        pid = sys.spawn(&plan.request);
        error = pid < 0 ? (int)pid : 0;
    }
    plan_end(&plan, error < 0);
    if (error < 0)
        return error;
    out->pid = pid;
    out->in = plan.pipes[0];
    out->out = plan.pipes[1];
    out->err = plan.pipes[2];
    return 0;
}
