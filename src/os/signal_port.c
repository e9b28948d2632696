/*
 * Ports, and the signal handler that they are filled by.
 *
 * A signal is the process's, and comes in whatever thread the kernel picks. One handler serves all
 * loops: it walks the list of ports, counts the signal in those that watch it, and wakes their
 * loops. It takes no lock and allocates nothing; it touches atomics, and write(2).
 *
 * A loop may end in another thread while the handler is at its port. Ports are therefore never
 * freed: one that is given up is used again by the next loop, so there are as many as there ever
 * were loops with signals at one time. And its fds are closed by whoever is the last to hold it,
 * the loop or a handler, so that nobody writes to a number that is somebody else's by now, and
 * nobody waits for anybody.
 *
 * signalfd was rejected: it needs the signals blocked in all threads of the process, of those that
 * the program has not written too, and in the children that they start. So was masking signals
 * while the lists change: the handler sees them whole at any moment.
 */
#include "os/signal_port.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <string.h>

/* With the third signal that a loop has not looked at, patience ends: SIGNAL_FALLBACK. */
#define FALLBACK_MAX 3

struct signal_port {
    struct signal_port *next; /* in `ports`: never changes */
    atomic_bool is_taken;     /* by a loop, or by handlers that still hold it */
    atomic_uint references;   /* the loop's, and those of handlers */
    atomic_bool is_woken;
    /* Written before the loop's reference is there. */
    int fds[2];
    uint64_t fork_generation;
    /* By signal. */
    unsigned watches[SYS_SIGNAL_MAX + 1]; /* the loop's thread's */
    unsigned fallback_watches[SYS_SIGNAL_MAX + 1];
    atomic_bool is_watched[SYS_SIGNAL_MAX + 1];
    atomic_bool is_fallback[SYS_SIGNAL_MAX + 1];
    atomic_uint arrived[SYS_SIGNAL_MAX + 1];
    atomic_uint unwatched[SYS_SIGNAL_MAX + 1]; /* of these, for those for whom it is a fallback */
};

/* Newest first. Grows only, under the lock of the process. */
static _Atomic(struct signal_port *) ports;

_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2 &&
                   ATOMIC_BOOL_LOCK_FREE == 2,
               "a signal handler may not find them locked");

typedef void plain_handler(int number);
typedef void info_handler(int number, siginfo_t *info, void *context);

/*
 * A handler of ours that is installed for a signal, and what it has replaced. There can be two for
 * the same signal: the program may have put its own handler over ours, without our knowledge, and
 * that may call the one it has found. When somebody watches again, ours goes on top of that, and
 * calls it; were it the same function, the two would call each other for ever.
 */
struct layer {
    bool is_used;
    bool is_reused; /* although the program's handler may call it: that must not be called back */
    struct sigaction before;
    /* What to call; both NULL: nothing. */
    _Atomic(plain_handler *) chained_plain;
    _Atomic(info_handler *) chained_info;
};

/* Layers are numbered from 1. */
enum { LAYERS = 2, NO_LAYER = 0 };

/* By signal; under the lock of the process, but for the atomics. */
static struct disposition {
    unsigned watches;
    unsigned chained_watches;
    atomic_uint firm_watches; /* but for those that are a fallback */
    atomic_int top; /* the layer that listens; NO_LAYER if nobody watches */
    struct layer layers[LAYERS];
} dispositions[SYS_SIGNAL_MAX + 1];

static struct layer *layer_of(struct disposition *disposition, int which)
{
    return &disposition->layers[which - 1];
}

/* --- in the signal handler --- */

static bool port_hold(struct signal_port *port)
{
    unsigned references = atomic_load(&port->references);

    do {
        if (references == 0)
            return false;
    } while (!atomic_compare_exchange_weak(&port->references, &references, references + 1));
    return true;
}

static void port_release(struct signal_port *port)
{
    if (atomic_fetch_sub(&port->references, 1) != 1)
        return;
    (void)sys.close(port->fds[0]);
    if (port->fds[1] != port->fds[0])
        (void)sys.close(port->fds[1]);
    atomic_store(&port->is_taken, false);
}

static void wake(struct signal_port *port)
{
    if (!atomic_exchange(&port->is_woken, true) && sys.wake(port->fds[1]) < 0)
        atomic_store(&port->is_woken, false);
}

/* The loop does not get round to it: the signal does what it would without the library. */
static void act_by_default(int number)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    (void)sigemptyset(&action.sa_mask);
    if (sys.sigaction(number, &action, NULL) == 0)
        (void)sys.raise(number);
}

/* True if the signal came too often without an answer. */
static bool count(struct signal_port *port, int number)
{
    atomic_fetch_add(&port->arrived[number], 1);
    if (!atomic_load(&port->is_fallback[number]) ||
        atomic_load(&dispositions[number].firm_watches) > 0)
        return false;
    return atomic_fetch_add(&port->unwatched[number], 1) + 1 >= FALLBACK_MAX;
}

static void arrive(struct signal_port *port, int number)
{
    if (!atomic_load(&port->is_watched[number]) || !port_hold(port))
        return;
    /* The port, as it is now, and not as it was given up by another loop. In the child of a fork
       its fds are the parent's too, who is not to be woken. */
    if (atomic_load(&port->is_watched[number]) &&
        port->fork_generation == sys.fork_generation()) {
        bool is_too_often = count(port, number);

        wake(port);
        if (is_too_often)
            act_by_default(number);
    }
    port_release(port);
}

static void call_chained(struct layer *layer, int number, siginfo_t *info, void *context)
{
    info_handler *with_info = atomic_load(&layer->chained_info);
    plain_handler *plain = atomic_load(&layer->chained_plain);

    if (with_info != NULL)
        with_info(number, info, context);
    else if (plain != NULL)
        plain(number);
}

/* Only the layer on top listens, so that a signal which passes through both counts once. */
static void handle(int which, int number, siginfo_t *info, void *context)
{
    struct disposition *disposition = &dispositions[number];
    int error = sys_errno();

    if (atomic_load(&disposition->top) == which) {
        for (struct signal_port *port = atomic_load(&ports); port != NULL; port = port->next)
            arrive(port, number);
    }
    call_chained(layer_of(disposition, which), number, info, context);
    sys_set_errno(error);
}

static void handle_first(int number, siginfo_t *info, void *context)
{
    handle(1, number, info, context);
}

static void handle_second(int number, siginfo_t *info, void *context)
{
    handle(2, number, info, context);
}

static info_handler *const handlers[LAYERS] = {handle_first, handle_second};

/* --- installing, under the lock of the process --- */

static bool is_function(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO ||
           (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

/* Which of ours is in place. */
static int layer_in_place(const struct sigaction *action)
{
    for (int i = 0; i < LAYERS; i++) {
        if (action->sa_flags & SA_SIGINFO && action->sa_sigaction == handlers[i])
            return i + 1;
    }
    return NO_LAYER;
}

/* The layer on top calls what was there if it is asked to; one that the program's handler is over
   does always: as if it were not there. */
static void set_chain(struct layer *layer, bool is_wanted)
{
    bool is_chained = is_wanted && layer->is_used && !layer->is_reused &&
                      is_function(&layer->before);
    bool with_info = is_chained && layer->before.sa_flags & SA_SIGINFO;

    atomic_store(&layer->chained_info, with_info ? layer->before.sa_sigaction : NULL);
    atomic_store(&layer->chained_plain,
                 is_chained && !with_info ? layer->before.sa_handler : NULL);
}

static void set_top(struct disposition *disposition, int top)
{
    atomic_store(&disposition->top, top);
    for (int which = 1; which <= LAYERS; which++)
        set_chain(layer_of(disposition, which),
                  which != top || disposition->chained_watches > 0);
}

static void set_chains(struct disposition *disposition)
{
    set_top(disposition, atomic_load(&disposition->top));
}

/* What our handler is installed as over what is there: the handler that may be called, and what the
   kernel does with children that end, find things as before. */
static struct sigaction action_over(const struct sigaction *before, int number, int which)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    (void)sigemptyset(&action.sa_mask);
    if (is_function(before))
        action.sa_mask = before->sa_mask;
    action.sa_sigaction = handlers[which - 1];
    action.sa_flags = sys_signal_flags();
    if (number == SIGCHLD) {
        action.sa_flags |= before->sa_flags & (SA_NOCLDSTOP | sys_signal_no_zombies);
        if (!is_function(before) && before->sa_handler == SIG_IGN)
            action.sa_flags |= sys_signal_no_zombies;
    }
    return action;
}

/* A layer to be installed over what is there. If that is no function, nobody can call one that was
   buried under it. */
static int take_layer(struct disposition *disposition, const struct sigaction *before)
{
    int which = 1;

    for (int i = 1; !is_function(before) && i <= LAYERS; i++)
        layer_of(disposition, i)->is_used = false;
    while (which <= LAYERS && layer_of(disposition, which)->is_used)
        which++;
    if (which > LAYERS)
        which = atomic_load(&disposition->top) == 1 ? 2 : 1;
    layer_of(disposition, which)->is_reused = layer_of(disposition, which)->is_used;
    layer_of(disposition, which)->is_used = true;
    layer_of(disposition, which)->before = *before;
    return which;
}

static int install_over(struct disposition *disposition, int number,
                        const struct sigaction *before)
{
    int top = atomic_load(&disposition->top);
    int which = take_layer(disposition, before);
    struct sigaction action = action_over(before, number, which);
    int error;

    /* It may be called as soon as it is in place. If another layer listens until then, that may
       hear of the signal through this one. */
    set_top(disposition, top == NO_LAYER ? which : top);
    error = sys.sigaction(number, &action, NULL);
    if (error < 0)
        layer_of(disposition, which)->is_used = false;
    set_top(disposition, error < 0 ? top : which);
    return error;
}

/* Sees to it that a handler of ours is in place. */
static int install(struct disposition *disposition, int number)
{
    struct sigaction before;
    int which;
    int error = sys.sigaction(number, NULL, &before);

    if (error < 0)
        return error;
    which = layer_in_place(&before);
    if (which == NO_LAYER)
        return install_over(disposition, number, &before);
    set_top(disposition, which);
    return 0;
}

/* Restores what was there, unless the program has put something else over ours, or the system
   refuses: then ours stays, and does nothing but call what it has replaced. */
static void uninstall(struct disposition *disposition, int number)
{
    struct sigaction now;
    int which = NO_LAYER;

    if (sys.sigaction(number, NULL, &now) == 0)
        which = layer_in_place(&now);
    if (which != NO_LAYER &&
        sys.sigaction(number, &layer_of(disposition, which)->before, NULL) == 0)
        layer_of(disposition, which)->is_used = false;
    set_top(disposition, NO_LAYER);
}

/* --- in the loop's thread --- */

int signal_port_watch(struct signal_port *port, int number, unsigned how)
{
    struct disposition *disposition = &dispositions[number];
    int error;

    if (port->watches[number] == 0) {
        atomic_store(&port->arrived[number], 0);
        atomic_store(&port->unwatched[number], 0);
        /* First: with the handler in place, a signal that nobody hears would be lost. */
        atomic_store(&port->is_watched[number], true);
    }
    sys_process_lock();
    disposition->chained_watches += how & SIGNAL_CHAINED ? 1 : 0;
    error = install(disposition, number);
    if (error == 0) {
        disposition->watches++;
        disposition->firm_watches += how & SIGNAL_FALLBACK ? 0 : 1;
    } else {
        disposition->chained_watches -= how & SIGNAL_CHAINED ? 1 : 0;
        set_chains(disposition);
    }
    sys_process_unlock();
    if (error < 0) {
        if (port->watches[number] == 0)
            atomic_store(&port->is_watched[number], false);
        return error;
    }
    port->watches[number]++;
    if (how & SIGNAL_FALLBACK) {
        port->fallback_watches[number]++;
        atomic_store(&port->is_fallback[number], true);
    }
    return 0;
}

void signal_port_unwatch(struct signal_port *port, int number, unsigned how)
{
    struct disposition *disposition = &dispositions[number];

    if (how & SIGNAL_FALLBACK && --port->fallback_watches[number] == 0)
        atomic_store(&port->is_fallback[number], false);
    sys_process_lock();
    disposition->chained_watches -= how & SIGNAL_CHAINED ? 1 : 0;
    disposition->firm_watches -= how & SIGNAL_FALLBACK ? 0 : 1;
    if (--disposition->watches == 0)
        uninstall(disposition, number);
    else
        set_chains(disposition);
    sys_process_unlock();
    if (--port->watches[number] == 0)
        atomic_store(&port->is_watched[number], false);
}

/* One that a loop has given up, or a new one. Under the lock of the process. */
static struct signal_port *port_take(void)
{
    struct signal_port *port;
    struct memory memory;

    for (port = atomic_load(&ports); port != NULL; port = port->next) {
        if (!atomic_load(&port->is_taken))
            break;
    }
    if (port == NULL) {
        /* Not of the loop's memory, which it outlives. */
        memory_init(&memory, NULL);
        port = memory_alloc(&memory, sizeof *port);
        if (port == NULL)
            return NULL;
        memset(port, 0, sizeof *port);
        port->next = atomic_load(&ports);
        atomic_store(&ports, port);
    }
    atomic_store(&port->is_taken, true);
    return port;
}

int signal_port_open(struct signal_port **out_port)
{
    struct signal_port *port;
    int fds[2];
    int error = sys.wake_open(fds);

    if (error < 0)
        return error;
    sys_process_lock();
    port = port_take();
    sys_process_unlock();
    if (port == NULL) {
        (void)sys.close(fds[0]);
        if (fds[1] != fds[0])
            (void)sys.close(fds[1]);
        return -ENOMEM;
    }
    port->fds[0] = fds[0];
    port->fds[1] = fds[1];
    port->fork_generation = sys.fork_generation();
    atomic_store(&port->is_woken, false);
    atomic_store(&port->references, 1);
    *out_port = port;
    return 0;
}

void signal_port_close(struct signal_port *port)
{
    /* In a child, the handlers that held it at the moment of the fork are the parent's. */
    if (port->fork_generation != sys.fork_generation())
        atomic_store(&port->references, 1);
    port_release(port);
}

int signal_port_fd(const struct signal_port *port)
{
    return port->fds[0];
}

void signal_port_drain(struct signal_port *port)
{
    (void)sys.wake_drain(port->fds[0]);
    /* A signal behind this wakes again; one before it has counted already. */
    atomic_store(&port->is_woken, false);
}

unsigned signal_port_count(const struct signal_port *port, int number)
{
    return port->watches[number] == 0 ? 0 : atomic_load(&port->arrived[number]);
}

static unsigned take(atomic_uint *count)
{
    return atomic_load_explicit(count, memory_order_relaxed) == 0 ? 0 : atomic_exchange(count, 0);
}

unsigned signal_port_take(struct signal_port *port, int number, unsigned *out_unwatched)
{
    *out_unwatched = take(&port->unwatched[number]);
    return take(&port->arrived[number]);
}

int signal_port_after_fork(struct signal_port *port)
{
    int fds[2];
    int error = sys.wake_open(fds);

    if (error < 0)
        return error;
    error = sys.dup_over(fds[0], port->fds[0]);
    if (error >= 0 && port->fds[1] != port->fds[0])
        error = sys.dup_over(fds[1], port->fds[1]);
    (void)sys.close(fds[0]);
    if (fds[1] != fds[0])
        (void)sys.close(fds[1]);
    if (error < 0)
        return error;
    for (int number = 1; number <= SYS_SIGNAL_MAX; number++) {
        atomic_store(&port->arrived[number], 0);
        atomic_store(&port->unwatched[number], 0);
    }
    atomic_store(&port->is_woken, false);
    atomic_store(&port->references, 1);
    /* Last: from here on the handler uses it. */
    atomic_signal_fence(memory_order_seq_cst);
    port->fork_generation = sys.fork_generation();
    return 0;
}
