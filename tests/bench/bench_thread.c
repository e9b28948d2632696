/*
 * Threads. post: a thread on another CPU posts callbacks as fast as
 * it can, and the loop runs them. round: two loops in two threads, each on a CPU of its own, throw
 * a callback to each other; the system's way of waking a thread is nearly all of it. pool/N: jobs
 * that do nothing go to the library's own threads and come back, N of them under way all the time,
 * on any CPU.
 *
 * Neither libuv nor libev has a queue that other threads can post to: uv_async_send() and
 * ev_async_send() wake the loop, and what it is to do waits in a list under a lock. libev has no
 * threads of its own. libaloop-busy is libaloop with the option to poll without sleeping first.
 */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#ifdef HAVE_LIBUV
#include <uv.h>
#endif
#ifdef HAVE_LIBEV
#include <ev.h>
#endif

static struct bench_figures per_op(double start, uint64_t ops)
{
    return (struct bench_figures){.value = (bench_wall_ns() - start) / (double)ops};
}

/* A thread on CPU 1; the one that starts it stays on CPU 0. */
static pthread_t start_thread(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;

    bench_check(pthread_create(&thread, NULL, run, arg) == 0, "pthread_create");
    return thread;
}

/* --- libaloop --- */

static uint64_t wanted, ran;

/* On the real clock always: virtual time does not wait for other threads. */
static aloop *make_loop(aloop_ns busy_poll)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    options.busy_poll = busy_poll;
    bench_check(aloop_new(&options, &loop) == 0, "aloop_new");
    return loop;
}

static void own_count(aloop *loop, void *arg)
{
    (void)arg;
    if (++ran == wanted)
        aloop_stop(loop);
}

static void *own_poster(void *arg)
{
    bench_pin(1);
    for (uint64_t i = 0; i < wanted; i++)
        bench_check(aloop_call_soon_threadsafe(arg, own_count, NULL) == 0, "a post");
    return NULL;
}

static struct bench_figures run_aloop_post(const struct bench_work *work, uint64_t ops)
{
    aloop *loop = make_loop(0);
    double start = bench_wall_ns();
    pthread_t thread;

    (void)work;
    wanted = ops;
    thread = start_thread(own_poster, loop);
    bench_check(aloop_run_forever(loop) == 0, "aloop_run_forever");
    pthread_join(thread, NULL);
    return per_op(start, ops);
}

/* The two loops: this thread's, and the other's. */
static aloop *players[2];

static void own_end(aloop *loop, void *arg)
{
    (void)arg;
    aloop_stop(loop);
}

static void own_throw(aloop *loop, void *arg)
{
    aloop *other = players[loop == players[0]];
    bool is_over = loop == players[0] && ran++ == wanted;

    (void)arg;
    bench_check(aloop_call_soon_threadsafe(other, is_over ? own_end : own_throw, NULL) == 0,
                "a post");
    if (is_over)
        aloop_stop(loop);
}

static void *own_player(void *arg)
{
    bench_pin(1);
    bench_check(aloop_run_forever(arg) == 0, "aloop_run_forever");
    return NULL;
}

static struct bench_figures own_round(uint64_t ops, aloop_ns busy_poll)
{
    pthread_t thread;
    double start;

    players[0] = make_loop(busy_poll);
    players[1] = make_loop(busy_poll);
    wanted = ops;
    thread = start_thread(own_player, players[1]);
    start = bench_wall_ns();
    bench_check(aloop_call_soon(players[0], own_throw, NULL) >= 0, "aloop_call_soon");
    bench_check(aloop_run_forever(players[0]) == 0, "aloop_run_forever");
    pthread_join(thread, NULL);
    return per_op(start, ops);
}

static struct bench_figures run_aloop_round(const struct bench_work *work, uint64_t ops)
{
    (void)work;
    return own_round(ops, 0);
}

static struct bench_figures run_aloop_busy_round(const struct bench_work *work, uint64_t ops)
{
    (void)work;
    return own_round(ops, ALOOP_MS(1));
}

static int64_t do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

struct employer {
    ALOOP_FRAME;
    uint64_t times;
};

ALOOP_CORO(employer)
{
    ALOOP_BEGIN;
    for (; self->times > 0; self->times--)
        ALOOP_TRY(aloop_to_thread(do_nothing, NULL));
    ALOOP_END;
}

struct employers {
    ALOOP_FRAME;
    size_t n;
    uint64_t times;
    aloop_group group;
};

ALOOP_CORO(employers)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (size_t i = 0; i < self->n; i++)
        (void)aloop_group_create_task(&self->group, employer, .times = self->times);
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_END;
}

static struct bench_figures run_aloop_pool(const struct bench_work *work, uint64_t ops)
{
    uint64_t each = bench_times(work, ops);
    double start;

    bench_unpin();
    start = bench_wall_ns();
    bench_check(aloop_run(employers, .n = work->n, .times = each) == 0, "aloop_run");
    return per_op(start, each * work->n);
}

/* --- a list under a lock, for those that have none --- */

#if defined HAVE_LIBUV || defined HAVE_LIBEV
struct message {
    struct message *next;
    void (*run)(void *arg);
    void *arg;
};

static void count(void *arg)
{
    (void)arg;
    ran++;
}

static struct mailbox {
    pthread_mutex_t lock;
    struct message *first;
    struct message **end;
} mailbox = {.lock = PTHREAD_MUTEX_INITIALIZER, .end = &mailbox.first};

static void mailbox_put(void)
{
    struct message *message = malloc(sizeof *message);

    bench_check(message != NULL, "malloc");
    *message = (struct message){.run = count};
    pthread_mutex_lock(&mailbox.lock);
    *mailbox.end = message;
    mailbox.end = &message->next;
    pthread_mutex_unlock(&mailbox.lock);
}

/* Takes all and runs them. True when the last one has come. */
static bool mailbox_empty(void)
{
    struct message *message;

    pthread_mutex_lock(&mailbox.lock);
    message = mailbox.first;
    mailbox.first = NULL;
    mailbox.end = &mailbox.first;
    pthread_mutex_unlock(&mailbox.lock);
    while (message != NULL) {
        struct message current = *message;

        free(message);
        current.run(current.arg);
        message = current.next;
    }
    return ran >= wanted;
}
#endif

/* --- libuv --- */

#ifdef HAVE_LIBUV
static uv_loop_t uv[2];
static uv_async_t uv_asyncs[2];

static void uv_make(size_t i, uv_async_cb callback)
{
    bench_check(uv_loop_init(&uv[i]) == 0, "uv_loop_init");
    bench_check(uv_async_init(&uv[i], &uv_asyncs[i], callback) == 0, "uv_async_init");
}

static void uv_mail(uv_async_t *async)
{
    if (mailbox_empty())
        uv_stop(async->loop);
}

static void *uv_poster(void *arg)
{
    bench_pin(1);
    for (uint64_t i = 0; i < wanted; i++) {
        mailbox_put();
        uv_async_send(arg);
    }
    return NULL;
}

static struct bench_figures run_uv_post(const struct bench_work *work, uint64_t ops)
{
    pthread_t thread;
    double start;

    (void)work;
    wanted = ops;
    uv_make(0, uv_mail);
    start = bench_wall_ns();
    thread = start_thread(uv_poster, &uv_asyncs[0]);
    uv_run(&uv[0], UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    return per_op(start, ops);
}

/* What is thrown for the last time says that it is over, to who gets it. */
static void uv_throw(uv_async_t *async)
{
    bool is_first = async == &uv_asyncs[0];

    if (is_first)
        ran++;
    if (ran > wanted)
        uv_stop(async->loop);
    if (is_first || ran <= wanted)
        uv_async_send(&uv_asyncs[is_first]);
}

static void *uv_player(void *arg)
{
    bench_pin(1);
    uv_run(arg, UV_RUN_DEFAULT);
    return NULL;
}

static struct bench_figures run_uv_round(const struct bench_work *work, uint64_t ops)
{
    pthread_t thread;
    double start;

    (void)work;
    wanted = ops;
    uv_make(0, uv_throw);
    uv_make(1, uv_throw);
    thread = start_thread(uv_player, &uv[1]);
    start = bench_wall_ns();
    uv_async_send(&uv_asyncs[0]);
    uv_run(&uv[0], UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    return per_op(start, ops);
}

static uint64_t uv_unasked;

static void uv_do_nothing(uv_work_t *job)
{
    (void)job;
}

static void uv_done(uv_work_t *job, int status)
{
    (void)status;
    if (uv_unasked == 0)
        return;
    uv_unasked--;
    uv_queue_work(job->loop, job, uv_do_nothing, uv_done);
}

static struct bench_figures run_uv_pool(const struct bench_work *work, uint64_t ops)
{
    uv_work_t *jobs = bench_alloc(work->n, sizeof *jobs);
    double start;

    bench_unpin();
    bench_check(uv_loop_init(&uv[0]) == 0, "uv_loop_init");
    ops = ops > work->n ? ops : work->n;
    uv_unasked = ops - work->n;
    start = bench_wall_ns();
    for (size_t i = 0; i < work->n; i++)
        uv_queue_work(&uv[0], &jobs[i], uv_do_nothing, uv_done);
    uv_run(&uv[0], UV_RUN_DEFAULT);
    return per_op(start, ops);
}
#endif

/* --- libev --- */

#ifdef HAVE_LIBEV
static struct ev_loop *ev[2];
static ev_async ev_asyncs[2];

static void ev_make(size_t i, void (*callback)(struct ev_loop *, ev_async *, int))
{
    ev[i] = ev_loop_new(EVBACKEND_EPOLL);
    bench_check(ev[i] != NULL, "ev_loop_new");
    ev_async_init(&ev_asyncs[i], callback);
    ev_async_start(ev[i], &ev_asyncs[i]);
}

static void ev_mail(struct ev_loop *loop, ev_async *async, int events)
{
    (void)async;
    (void)events;
    if (mailbox_empty())
        ev_break(loop, EVBREAK_ALL);
}

static void *ev_poster(void *arg)
{
    (void)arg;
    bench_pin(1);
    for (uint64_t i = 0; i < wanted; i++) {
        mailbox_put();
        ev_async_send(ev[0], &ev_asyncs[0]);
    }
    return NULL;
}

static struct bench_figures run_ev_post(const struct bench_work *work, uint64_t ops)
{
    pthread_t thread;
    double start;

    (void)work;
    wanted = ops;
    ev_make(0, ev_mail);
    start = bench_wall_ns();
    thread = start_thread(ev_poster, NULL);
    ev_run(ev[0], 0);
    pthread_join(thread, NULL);
    return per_op(start, ops);
}

static void ev_throw(struct ev_loop *loop, ev_async *async, int events)
{
    bool is_first = async == &ev_asyncs[0];

    (void)events;
    if (is_first)
        ran++;
    if (ran > wanted)
        ev_break(loop, EVBREAK_ALL);
    if (is_first || ran <= wanted)
        ev_async_send(ev[is_first], &ev_asyncs[is_first]);
}

static void *ev_player(void *arg)
{
    bench_pin(1);
    ev_run(arg, 0);
    return NULL;
}

static struct bench_figures run_ev_round(const struct bench_work *work, uint64_t ops)
{
    pthread_t thread;
    double start;

    (void)work;
    wanted = ops;
    ev_make(0, ev_throw);
    ev_make(1, ev_throw);
    thread = start_thread(ev_player, ev[1]);
    start = bench_wall_ns();
    ev_async_send(ev[0], &ev_asyncs[0]);
    ev_run(ev[0], 0);
    pthread_join(thread, NULL);
    return per_op(start, ops);
}
#endif

static const struct bench_engine post[] = {
    {"libaloop", run_aloop_post, 1},
#ifdef HAVE_LIBUV
    {"libuv", run_uv_post, 1},
#endif
#ifdef HAVE_LIBEV
    {"libev", run_ev_post, 1},
#endif
};

static const struct bench_engine rounds[] = {
    {"libaloop", run_aloop_round, 1},
    {"libaloop-busy", run_aloop_busy_round, 1},
#ifdef HAVE_LIBUV
    {"libuv", run_uv_round, 1},
#endif
#ifdef HAVE_LIBEV
    {"libev", run_ev_round, 1},
#endif
};

static const struct bench_engine pool[] = {
    {"libaloop", run_aloop_pool, 1},
#ifdef HAVE_LIBUV
    {"libuv", run_uv_pool, 1},
#endif
};

static const struct bench_work works[] = {
    {"post", BENCH_ENGINES(post), .ops = 3000000},
    {"round", BENCH_ENGINES(rounds), .ops = 20000},
    {"pool/1", BENCH_ENGINES(pool), .n = 1, .ops = 20000},
    {"pool/64", BENCH_ENGINES(pool), .n = 64, .ops = 300000},
};

int main(int argc, char **argv)
{
    const struct bench_suite suite = {
        .name = "thread", .unit = "ns on the clock for each callback or job", BENCH_WORKS(works)};

    return bench_main(argc, argv, &suite);
}
