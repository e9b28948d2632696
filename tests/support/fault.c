/*
 * The wrappers of fault.h, one for each line of its list.
 */
#include "fault.h"
#include <stdatomic.h>

struct fault {
    atomic_uint count;    /* calls so far */
    atomic_uint at;       /* the call that fails; 0: none */
    atomic_uint failures; /* calls that did */
    atomic_bool goes_on;  /* all after it fail as well */
    int64_t result;
};

static struct fault faults[FAULT_CALL_COUNT];
static struct sys before;
static bool is_installed;
static atomic_size_t cut;

_Static_assert(sizeof(struct sys) == FAULT_CALL_COUNT * sizeof(void (*)(void)),
               "every member of struct sys has a line in FAULT_CALLS");

static size_t fault_cut(size_t size)
{
    size_t most = atomic_load(&cut);

    return most && most < size ? most : size;
}

/* How many of the pieces a cut call gets. */
static int fault_cut_count(const struct iovec *pieces, int count)
{
    size_t left = atomic_load(&cut);

    for (int i = 0; left > 0 && i < count; i++) {
        if (pieces[i].iov_len >= left)
            return i + 1;
        left -= pieces[i].iov_len;
    }
    return count;
}

/* The pieces, the last of them cut short. */
static const struct iovec *fault_cut_pieces(const struct iovec *pieces, int count)
{
    static _Thread_local struct iovec kept[64];
    size_t left = atomic_load(&cut);
    int last = fault_cut_count(pieces, count) - 1;

    if (left == 0 || last < 0 || last >= (int)(sizeof kept / sizeof *kept))
        return pieces;
    for (int i = 0; i <= last; i++) {
        kept[i] = pieces[i];
        if (kept[i].iov_len > left)
            kept[i].iov_len = left;
        left -= kept[i].iov_len;
    }
    return kept;
}

static bool fault_hit(enum fault_call call, int64_t *result)
{
    struct fault *fault = &faults[call];
    unsigned number = atomic_fetch_add(&fault->count, 1) + 1;
    unsigned at = atomic_load(&fault->at);

    if (at == 0 || number < at || (number > at && !atomic_load(&fault->goes_on)))
        return false;
    atomic_fetch_add(&fault->failures, 1);
    *result = fault->result;
    return true;
}

#define FAULT_WRAPPER(constant, type, member, parameters, arguments) \
    static type fault_##member parameters \
    { \
        int64_t result; \
 \
        if (fault_hit(FAULT_##constant, &result)) \
            return (type)result; \
        return before.member arguments; \
    }
FAULT_CALLS(FAULT_WRAPPER)
#undef FAULT_WRAPPER

static void forget(void)
{
    atomic_store(&cut, 0);
    for (int call = 0; call < FAULT_CALL_COUNT; call++) {
        fault_clear((enum fault_call)call);
        atomic_store(&faults[call].count, 0);
        atomic_store(&faults[call].failures, 0);
    }
}

void fault_install(void)
{
    forget();
    if (is_installed)
        return;
    is_installed = true;
    before = sys;
    /* What the system does not have stays NULL, so that code which looks sees the same. */
#define FAULT_MEMBER(constant, type, member, parameters, arguments) \
    sys.member = before.member ? fault_##member : NULL;
    FAULT_CALLS(FAULT_MEMBER)
#undef FAULT_MEMBER
}

void fault_reset(void)
{
    forget();
    if (is_installed)
        sys = before;
    is_installed = false;
}

static void set(enum fault_call call, unsigned n, int64_t result, bool goes_on)
{
    struct fault *fault = &faults[call];

    atomic_store(&fault->at, 0);
    fault->result = result;
    atomic_store(&fault->goes_on, goes_on);
    atomic_store(&fault->at, atomic_load(&fault->count) + n);
}

void fault_fail(enum fault_call call, unsigned n, int64_t result)
{
    set(call, n, result, false);
}

void fault_fail_from(enum fault_call call, unsigned n, int64_t result)
{
    set(call, n, result, true);
}

void fault_clear(enum fault_call call)
{
    atomic_store(&faults[call].at, 0);
}

void fault_cut_to(size_t bytes)
{
    atomic_store(&cut, bytes);
}

unsigned fault_count(enum fault_call call)
{
    return atomic_load(&faults[call].count);
}

unsigned fault_failures(enum fault_call call)
{
    return atomic_load(&faults[call].failures);
}

const char *fault_name(enum fault_call call)
{
#define FAULT_NAME(constant, type, member, parameters, arguments) #member,
    static const char *const names[] = {FAULT_CALLS(FAULT_NAME)};
#undef FAULT_NAME

    return names[call];
}
