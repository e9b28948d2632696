/*
 * Happy eyeballs: RFC 8305, from where the addresses are known. The attempts are operations of
 * their own, which are asked whenever the task runs; what wakes one of them wakes the task. They
 * are asked in the order they were started, and the first that has a connection ends them all: so
 * of two that come about in one turn one is kept, and the other is closed like any that is late.
 */
#include "io/attempts.h"

#define STAGGER_DEFAULT ALOOP_MS(250)
/* What an attempt costs of the task's budget: some six system calls. */
#define ATTEMPT_COST 16

static int family_of(const aloop_address *address)
{
    return address->storage.ss_family;
}

/* --- what there is to try --- */

void attempts_init(struct attempts *attempts, aloop *loop, const aloop_connect_options *options)
{
    *attempts = (struct attempts){.loop = loop, .options = options};
}

/* The first address from `from` on that is of the family, or is not; `count` if there is none. */
static size_t find_family(const aloop_address *addresses, size_t count, size_t from, int family,
                          bool is_of_it)
{
    while (from < count && (family_of(&addresses[from]) == family) != is_of_it)
        from++;
    return from;
}

/* The order within each family stays: the resolver knows which are to be preferred. */
static void take_by_turns(struct attempt *items, const aloop_address *addresses, size_t count)
{
    const int family = family_of(&addresses[0]);
    size_t others = find_family(addresses, count, 0, family, false);
    size_t same = 0;

    for (size_t i = 0; i < count; i++) {
        bool is_same = others == count || (i % 2 == 0 && same < count);
        size_t *from = is_same ? &same : &others;

        items[i].address = &addresses[*from];
        *from = find_family(addresses, count, *from + 1, family, is_same);
    }
}

int attempts_set(struct attempts *attempts, const aloop_address *addresses, size_t count,
                 bool by_turns)
{
    struct attempt *items = NULL;

    if (count <= SIZE_MAX / sizeof *items)
        items = memory_alloc(&attempts->loop->memory, count * sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    memset(items, 0, count * sizeof *items);
    attempts->items = items;
    attempts->count = count;
    for (size_t i = 0; i < count; i++) {
        items[i].all = attempts;
        items[i].address = &addresses[i];
    }
    if (by_turns)
        take_by_turns(items, addresses, count);
    return 0;
}

/* --- what came of them --- */

/* How much an error says: see aloop_open_connection(). */
static int weight_of(int error)
{
    switch (-error) {
    case 0:
        return 0;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return 3;
    case EADDRNOTAVAIL:
    case EADDRINUSE:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ENETUNREACH:
    case ENETDOWN:
        return 1;
    default:
        return 2;
    }
}

static void note(const struct attempts *attempts, size_t i, int error)
{
    const aloop_connect_options *options = attempts->options;

    if (options->out_attempt_count != NULL)
        *options->out_attempt_count = attempts->started;
    if (options->attempts != NULL && i < options->attempt_capacity)
        options->attempts[i] = (aloop_connect_attempt){.address = *attempts->items[i].address,
                                                       .error = error};
}

static void attempt_failed(struct attempts *attempts, size_t i, int error)
{
    note(attempts, i, error);
    attempts->is_due = true;
    if (weight_of(error) > weight_of(attempts->error))
        attempts->error = error;
}

/* --- one of them --- */

static void attempt_notify(aloop_waiter *waiter)
{
    (void)aloop_wake_all(&CONTAINER_OF(waiter, struct attempt, op.waiter)->all->waiters);
}

/* Where to connect from: 0 and *out_local, which may be NULL. */
static int find_local(const aloop_connect_options *options, int family,
                      const aloop_address **out_local)
{
    size_t i = find_family(options->local_addresses, options->local_count, 0, family, true);

    *out_local = i < options->local_count ? &options->local_addresses[i] : NULL;
    return *out_local != NULL || options->local_count == 0 ? 0 : -EADDRNOTAVAIL;
}

/* Asks it, the first time or again. True if it has the connection. */
static bool attempt_poll(struct attempts *attempts, aloop_task *task, size_t i)
{
    struct attempt *attempt = &attempts->items[i];
    aloop_poll outcome = attempt->op.poll(task, &attempt->op);

    if (outcome == ALOOP_PENDING) {
        attempts->pending += !attempt->is_pending;
        attempt->is_pending = true;
        return false;
    }
    aloop_waiter_unlink(&attempt->op.waiter);
    attempts->pending -= attempt->is_pending;
    attempt->is_pending = false;
    if (outcome < 0)
        attempt_failed(attempts, i, (int)outcome);
    else
        note(attempts, i, 0);
    return outcome == 0;
}

/* True if that was all there was to do. */
static bool start_next(struct attempts *attempts, aloop_task *task)
{
    const aloop_connect_options *options = attempts->options;
    size_t i = attempts->started++;
    struct attempt *attempt = &attempts->items[i];
    const aloop_address *local;
    int error = find_local(options, family_of(attempt->address), &local);

    attempts->is_due = false;
    attempts->next = time_add(attempts->loop->now,
                              options->stagger > 0 ? options->stagger : STAGGER_DEFAULT);
    /* Unless it says something else, it will have been too late. */
    note(attempts, i, -ECANCELED);
    if (error < 0) {
        attempt_failed(attempts, i, error);
        return false;
    }
    attempts->loop->budget -= ATTEMPT_COST;
    attempt->op = connect_from(attempt->address, local, &attempt->socket);
    attempt->op.waiter.notify = attempt_notify;
    return attempt_poll(attempts, task, i);
}

/* --- all of them --- */

static aloop_socket *poll_pending(struct attempts *attempts, aloop_task *task)
{
    for (size_t i = 0; i < attempts->started && attempts->pending > 0; i++) {
        if (attempts->items[i].is_pending && attempt_poll(attempts, task, i))
            return &attempts->items[i].socket;
    }
    return NULL;
}

static bool is_next_due(const struct attempts *attempts)
{
    return attempts->pending == 0 || attempts->is_due || attempts->loop->now >= attempts->next;
}

aloop_poll attempts_poll(struct attempts *attempts, aloop_task *task, aloop_socket *out_socket)
{
    const aloop_socket *socket = poll_pending(attempts, task);

    while (socket == NULL && attempts->started < attempts->count && is_next_due(attempts)) {
        if (attempts->loop->budget <= 0)
            return aloop_op_yield(task);
        if (start_next(attempts, task))
            socket = &attempts->items[attempts->started - 1].socket;
    }
    if (socket != NULL) {
        *out_socket = *socket;
        return 0;
    }
    if (attempts->pending == 0)
        return attempts->error;
    if (attempts_due(attempts) < ALOOP_NEVER)
        (void)aloop_op_wait_until(task, attempts_due(attempts));
    return ALOOP_PENDING;
}

aloop_ns attempts_due(const struct attempts *attempts)
{
    return attempts->started < attempts->count ? attempts->next : ALOOP_NEVER;
}

const aloop_op *attempts_next(const struct attempts *attempts, void **cursor)
{
    struct attempt *attempt = *cursor != NULL ? *cursor : attempts->items;

    while (attempt != attempts->items + attempts->started) {
        *cursor = attempt + 1;
        if (attempt->is_pending)
            return &attempt->op;
        attempt++;
    }
    return NULL;
}

void attempts_fini(struct attempts *attempts, aloop_task *task)
{
    for (size_t i = 0; i < attempts->started; i++) {
        struct attempt *attempt = &attempts->items[i];

        if (!attempt->is_pending)
            continue;
        aloop_waiter_unlink(&attempt->op.waiter);
        attempt->op.type->drop(task, &attempt->op);
    }
    memory_free(&attempts->loop->memory, attempts->items,
                attempts->count * sizeof *attempts->items);
}
