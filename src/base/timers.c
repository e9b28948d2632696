#include "base/timers.h"

#define LEVEL_BITS 6u
/* In how large a bucket the earliest is looked for. */
#define LOOK_AT_MOST 8
#define TICK_MAX (INT64_MAX >> TIMERS_TICK_BITS)

void timers_init(struct timers *timers, struct memory *memory)
{
    *timers = (struct timers){.near_end = INT64_C(1) << TIMERS_TICK_BITS};
    heap_init(&timers->near, memory);
}

void timers_fini(struct timers *timers)
{
    struct memory *memory = timers->near.memory;

    heap_fini(&timers->near);
    timers_init(timers, memory);
}

static struct timer *timer_of(struct heap_node *node)
{
    return (struct timer *)(void *)node;
}

static void set_base(struct timers *timers, int64_t tick)
{
    timers->base = tick;
    timers->near_end = tick < TICK_MAX ? (tick + 1) << TIMERS_TICK_BITS : INT64_MAX;
}

/* Is it before `end`, or is that the end of time? */
static inline bool is_within(int64_t deadline, int64_t end)
{
    return deadline < end || end == INT64_MAX;
}

/* The level on which a tick after `base` has its bucket. */
static inline unsigned level_of(const struct timers *timers, int64_t tick)
{
    return (unsigned)highest_bit((uint64_t)(tick ^ timers->base)) / LEVEL_BITS;
}

/* A timer that is armed, and neither in the heap nor in a bucket. */
static inline void put(struct timers *timers, struct timer *timer)
{
    struct timer **bucket;
    unsigned level, slot;
    int64_t tick;

    if (is_within(timer->near.deadline, timers->near_end)) {
        heap_insert(&timers->near, &timer->near);
        return;
    }
    tick = timer->near.deadline >> TIMERS_TICK_BITS;
    level = level_of(timers, tick);
    slot = (unsigned)(tick >> level * LEVEL_BITS) % TIMERS_BUCKETS;
    bucket = &timers->buckets[level * TIMERS_BUCKETS + slot];
    timers->used[level] |= UINT64_C(1) << slot;
    timers->levels |= 1u << level;
    timers->far_count++;
    timer->place = bucket;
    timer->next = *bucket;
    if (*bucket != NULL)
        (*bucket)->place = &timer->next;
    *bucket = timer;
}

static inline void mark_empty(struct timers *timers, size_t bucket)
{
    size_t level = bucket / TIMERS_BUCKETS;

    timers->used[level] &= ~(UINT64_C(1) << bucket % TIMERS_BUCKETS);
    if (timers->used[level] == 0)
        timers->levels &= ~(1u << level);
}

void timers_take_out(struct timers *timers, struct timer *timer)
{
    uintptr_t offset = (uintptr_t)timer->place - (uintptr_t)timers->buckets;

    *timer->place = timer->next;
    timers->far_count--;
    if (timer->next != NULL)
        timer->next->place = timer->place;
    else if (offset < sizeof timers->buckets)
        mark_empty(timers, offset / sizeof timers->buckets[0]);
    timer->place = NULL;
}

void timers_put(struct timers *timers, struct timer *timer)
{
    put(timers, timer);
}

/* The earliest bucket that is not empty: there must be one. */
struct first {
    size_t bucket;
    unsigned level;
    int64_t tick; /* the first that belongs to it */
};

static inline struct first first_bucket(const struct timers *timers)
{
    unsigned level = (unsigned)lowest_bit(timers->levels);
    unsigned slot = (unsigned)lowest_bit(timers->used[level]);
    unsigned bits = level * LEVEL_BITS;
    int64_t block = timers->base >> bits >> LEVEL_BITS;

    return (struct first){.bucket = level * TIMERS_BUCKETS + slot,
                          .level = level,
                          .tick = (block << LEVEL_BITS | (int64_t)slot) << bits};
}

/* Empties a bucket. What is due before `end` goes to the heap, and the rest, where it belongs by
   now. */
static void empty_bucket(struct timers *timers, size_t bucket, int64_t end)
{
    struct timer *timer = timers->buckets[bucket];

    timers->buckets[bucket] = NULL;
    mark_empty(timers, bucket);
    while (timer != NULL) {
        struct timer *next = timer->next;

        timers->far_count--;
        timer->place = NULL;
        if (is_within(timer->near.deadline, end))
            heap_insert(&timers->near, &timer->near);
        else
            put(timers, timer);
        timer = next;
    }
}

static inline int64_t time_of(int64_t tick)
{
    return tick << TIMERS_TICK_BITS;
}

/* The end of a bucket in time. */
static int64_t end_of(const struct first *first)
{
    int64_t last = first->tick | ((INT64_C(1) << first->level * LEVEL_BITS) - 1);

    return last < TICK_MAX ? time_of(last + 1) : INT64_MAX;
}

/* Settles what is not as it seems at the top of the heap: true if there was something. A timer that
   was put off goes back to the wheel, or with time all that are put off over and over would end up
   in the heap. */
static bool settle_near(struct timers *timers, struct timer **out_top)
{
    struct heap_node *top = NULL;
    enum heap_top_state state = heap_top(&timers->near, &top);

    if (ALOOP_UNLIKELY(state == HEAP_TOP_DEAD))
        heap_drop_top(&timers->near);
    else if (ALOOP_UNLIKELY(state == HEAP_TOP_LATE))
        put(timers, timer_of(heap_take_top(&timers->near)));
    *out_top = timer_of(top);
    return state == HEAP_TOP_DEAD || state == HEAP_TOP_LATE;
}

struct timer *timers_first(struct timers *timers)
{
    for (;;) {
        struct timer *top;
        struct first first;

        if (settle_near(timers, &top))
            continue;
        if (timers->levels == 0)
            return top;
        first = first_bucket(timers);
        if (top != NULL && top->near.deadline < time_of(first.tick))
            return top;
        /* Only the heap knows which of a bucket is the first. `base` stays behind: what is armed
           from now on for a time before this bucket still finds its place in the wheel. */
        empty_bucket(timers, first.bucket, end_of(&first));
    }
}

/* The earliest deadline in a bucket of few; if there are more, when the bucket begins. */
static int64_t look_into(const struct timers *timers, const struct first *first)
{
    const struct timer *timer = timers->buckets[first->bucket];
    int64_t earliest = INT64_MAX;

    for (unsigned count = 0; timer != NULL; timer = timer->next) {
        if (++count > LOOK_AT_MOST)
            return time_of(first->tick);
        if (timer->near.deadline < earliest)
            earliest = timer->near.deadline;
    }
    return earliest;
}

int64_t timers_next(struct timers *timers)
{
    for (;;) {
        struct timer *top;
        struct first first;
        int64_t earliest;

        if (settle_near(timers, &top))
            continue;
        if (timers->levels == 0)
            return top != NULL ? top->near.deadline : INT64_MAX;
        first = first_bucket(timers);
        if (top != NULL && top->near.deadline < time_of(first.tick))
            return top->near.deadline;
        earliest = look_into(timers, &first);
        if (is_within(earliest, end_of(&first)))
            return top != NULL && top->near.deadline < earliest ? top->near.deadline : earliest;
        /* All of them were put off to after the bucket. */
        empty_bucket(timers, first.bucket, timers->near_end);
    }
}

struct timer *timers_pop_due(struct timers *timers, int64_t now)
{
    for (;;) {
        int64_t top = heap_top_deadline(&timers->near);
        struct timer *timer;

        if (timers->levels != 0) {
            struct first first = first_bucket(timers);
            int64_t start = time_of(first.tick);

            if (start <= now && start <= top) {
                set_base(timers, first.tick);
                empty_bucket(timers, first.bucket, timers->near_end);
                continue;
            }
        }
        if (top > now || timers->near.count == 0) {
            if (now >= timers->near_end)
                set_base(timers, now >> TIMERS_TICK_BITS);
            return NULL;
        }
        if (settle_near(timers, &timer))
            continue;
        (void)heap_take_top(&timers->near);
        timer->near.armed = 0;
        return timer;
    }
}

bool timers_verify(const struct timers *timers)
{
    uint32_t count = 0;

    if (!heap_verify(&timers->near))
        return false;
    for (unsigned level = 0; level < TIMERS_LEVELS; level++) {
        if ((timers->used[level] != 0) != (timers->levels >> level & 1))
            return false;
        for (unsigned slot = 0; slot < TIMERS_BUCKETS; slot++) {
            struct timer *const *place = &timers->buckets[level * TIMERS_BUCKETS + slot];
            int64_t first = ((timers->base >> level * LEVEL_BITS >> LEVEL_BITS << LEVEL_BITS) |
                             (int64_t)slot)
                            << level * LEVEL_BITS;

            if ((*place != NULL) != (timers->used[level] >> slot & 1))
                return false;
            if (*place != NULL && first <= timers->base)
                return false;
            for (const struct timer *timer = *place; timer != NULL; timer = timer->next) {
                if (timer->place != place || heap_is_resident(&timer->near) ||
                    !timer_is_armed(timer) || timer->near.deadline < time_of(first))
                    return false;
                place = &timer->next;
                count++;
            }
        }
    }
    return count == timers->far_count;
}
