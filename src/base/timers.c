#include "base/timers.h"

#define LEVEL_BITS 6u
/* In how large a bucket the earliest is looked for. */
#define LOOK_AT_MOST 8
/* After so many steps towards their places in the run, the other timers of a bucket are spread over
   the levels below: to look further would take longer. */
#define SORT_STEPS 256
/* Lists of 2^n sorted ones each are merged with their like: enough for all timers that count. */
#define SORT_LISTS 32

void timers_init(struct timers *timers)
{
    *timers = (struct timers){.settled = INT64_MIN};
}

static inline int64_t time_of(int64_t tick)
{
    return tick << TIMERS_TICK_BITS;
}

/* --- the wheel --- */

static inline void mark_empty(struct timers *timers, size_t bucket)
{
    size_t level = bucket / TIMERS_BUCKETS;

    timers->used[level] &= ~(UINT64_C(1) << bucket % TIMERS_BUCKETS);
    if (timers->used[level] == 0)
        timers->levels &= ~(1u << level);
}

/*
 * In a list each timer is known only when the one before it has come from memory. So a timer notes,
 * when it is put in front of others, which is the next but one, and who goes through a bucket has
 * two under way at any time, which takes half as long where they are many and far apart. What is
 * noted is only for prefetching, which may be told any address: nobody corrects it when the list
 * changes, and it is as good as lost where the distance needs more than 35 bits.
 */
static inline void note_ahead(struct timer *timer, const struct timer *next)
{
    timer->ahead = (int32_t)(((uintptr_t)next->next - (uintptr_t)timer) / 8);
}

static inline void prefetch_ahead(const struct timer *timer)
{
    PREFETCH((const void *)((uintptr_t)timer + (uintptr_t)(intptr_t)timer->ahead * 8));
}

/* Puts a timer with its deadline and sequence into the bucket where it belongs. */
static inline void put(struct timers *timers, struct timer *timer)
{
    int64_t own = timer->deadline >> TIMERS_TICK_BITS;
    /* What is earlier than `base` is in the bucket of `base`, the first of all. */
    int64_t tick = own > timers->base ? own : timers->base;
    /* The bit that is set keeps a tick that does not differ on the lowest level. */
    unsigned level = (unsigned)highest_bit((uint64_t)(tick ^ timers->base) | 1) / LEVEL_BITS;
    unsigned slot = (unsigned)(tick >> level * LEVEL_BITS) % TIMERS_BUCKETS;
    struct timer **bucket = &timers->buckets[level * TIMERS_BUCKETS + slot];
    struct timer *next = *bucket;

    timer->is_in_wheel = true;
    timer->place = bucket;
    *bucket = timer;
    timer->next = next;
    if (next != NULL) {
        next->place = &timer->next;
        note_ahead(timer, next);
        return;
    }
    timers->used[level] |= UINT64_C(1) << slot;
    timers->levels |= 1u << level;
}

void timers_add(struct timers *timers, struct timer *timer, int64_t deadline)
{
    DEBUG_ASSERT(!timer_is_armed(timer));
    timers->armed_count++;
    timers->settled = INT64_MIN;
    timer->deadline = deadline;
    timer->sequence = ++timers->sequence;
    put(timers, timer);
}

void timers_take_out(struct timers *timers, struct timer *timer)
{
    struct timer **place = timer->place;
    struct timer *next = timer->next;

    timers->armed_count--;
    timer->is_in_wheel = false;
    timer->place = NULL;
    *place = next;
    if (next != NULL) {
        next->place = place;
    } else {
        /* As numbers: where it is not a bucket, the two are not of one array. */
        uintptr_t offset = (uintptr_t)place - (uintptr_t)timers->buckets;

        if (offset < sizeof timers->buckets)
            mark_empty(timers, offset / sizeof timers->buckets[0]);
    }
}

/* The earliest bucket that is not empty: there must be one. */
struct first {
    unsigned level;
    size_t bucket;
    int64_t tick;  /* with which it begins */
    int64_t start; /* what it holds is not before ... */
    int64_t last;  /* ... nor, unless it was put off, after */
};

static inline struct first first_bucket(const struct timers *timers)
{
    unsigned level = (unsigned)lowest_bit(timers->levels);
    unsigned slot = (unsigned)lowest_bit(timers->used[level]);
    unsigned bits = level * LEVEL_BITS;
    int64_t block = timers->base >> bits >> LEVEL_BITS;
    int64_t tick = (block << LEVEL_BITS | (int64_t)slot) << bits;
    int64_t last = tick | ((INT64_C(1) << bits) - 1);

    return (struct first){.level = level,
                          .bucket = level * TIMERS_BUCKETS + slot,
                          .tick = tick,
                          .start = tick > timers->base ? time_of(tick) : INT64_MIN,
                          .last = time_of(last) | (time_of(1) - 1)};
}

/* Empties a bucket. What it held is then linked by `next` alone. */
static inline struct timer *detach(struct timers *timers, size_t bucket)
{
    struct timer *list = timers->buckets[bucket];

    timers->buckets[bucket] = NULL;
    mark_empty(timers, bucket);
    return list;
}

/* Puts those of a list where they belong by now. */
static void spread(struct timers *timers, struct timer *list)
{
    while (list != NULL) {
        struct timer *next = list->next;

        put(timers, list);
        list = next;
    }
}

/* --- the run --- */

/* Bitwise on purpose: which of two is earlier cannot be predicted, so a branch costs more than the
   comparison it saves. */
static inline bool is_before(const struct timer *a, const struct timer *b)
{
    return (a->deadline < b->deadline) |
           ((a->deadline == b->deadline) & (a->sequence < b->sequence));
}

/* Takes what is in order from the front of a list, or, as buckets often are, in reverse. */
static struct timer *take_ordered(struct timer **list)
{
    struct timer *first = *list, *last = first, *next = first->next;

    if (next != NULL && is_before(next, first)) {
        do {
            struct timer *after = next->next;

            next->next = first;
            first = next;
            next = after;
        } while (next != NULL && is_before(next, first));
    } else {
        while (next != NULL && is_before(last, next)) {
            last = next;
            next = last->next;
        }
    }
    last->next = NULL;
    *list = next;
    return first;
}

static struct timer *merge(struct timer *a, struct timer *b)
{
    struct timer *first = NULL;
    struct timer **end = &first;

    while (a != NULL && b != NULL) {
        struct timer **earlier = is_before(b, a) ? &b : &a;

        *end = *earlier;
        end = &(*earlier)->next;
        *earlier = *end;
    }
    *end = a != NULL ? a : b;
    return first;
}

/* Sorts a list by merging ever longer ones. */
static struct timer *sort(struct timer *list)
{
    struct timer *lists[SORT_LISTS];
    struct timer *sorted = NULL;
    unsigned count = 0;

    while (list != NULL) {
        struct timer *ordered = take_ordered(&list);
        unsigned i = 0;

        for (; i < count && lists[i] != NULL; i++) {
            ordered = merge(lists[i], ordered);
            lists[i] = NULL;
        }
        lists[i] = ordered;
        if (i == count)
            count++;
    }
    for (unsigned i = 0; i < count; i++)
        sorted = merge(lists[i], sorted);
    return sorted;
}

/* Links a timer into the run. */
static inline void enter(struct timer *timer, struct timer **place)
{
    struct timer *next = *place;

    timer->is_in_wheel = false;
    timer->place = place;
    timer->next = next;
    *place = timer;
    if (next != NULL)
        next->place = &timer->next;
}

/* Merges a sorted list into the run. */
static void enter_all(struct timers *timers, struct timer *list)
{
    struct timer **place = &timers->run;

    while (list != NULL) {
        struct timer *next = list->next;

        while (*place != NULL && is_before(*place, list))
            place = &(*place)->next;
        enter(list, place);
        place = &list->next;
        list = next;
    }
}

/* The time of the first bucket has come. Most often it holds few, or they are in order one way or
   the other: each then finds its place in the run within a few steps. */
static void empty_first(struct timers *timers, const struct first *first)
{
    struct timer *list = detach(timers, first->bucket);
    struct timer *entered = NULL, *left = NULL;
    unsigned steps = SORT_STEPS;

    timers->base = first->tick;
    while (list != NULL) {
        struct timer *timer = list;
        struct timer **place = &timers->run;

        list = timer->next;
        prefetch_ahead(timer);
        if (timer->deadline > first->last || (steps == 0 && first->level > 0)) {
            put(timers, timer);
            continue;
        }
        if (entered != NULL && is_before(entered, timer))
            place = &entered->next;
        while (*place != NULL && steps > 0 && is_before(*place, timer)) {
            place = &(*place)->next;
            steps--;
        }
        if (steps > 0) {
            enter(timer, place);
            entered = timer;
        } else if (first->level > 0) {
            put(timers, timer);
        } else {
            timer->next = left;
            left = timer;
        }
    }
    enter_all(timers, sort(left));
}

/* --- what comes next --- */

/* The earliest deadline in a bucket of few; if there are more, when the bucket begins. */
static int64_t look_into(const struct timers *timers, const struct first *first)
{
    const struct timer *timer = timers->buckets[first->bucket];
    int64_t earliest = INT64_MAX;

    for (unsigned count = 0; timer != NULL; timer = timer->next) {
        if (++count > LOOK_AT_MOST)
            return first->start;
        if (timer->deadline < earliest)
            earliest = timer->deadline;
    }
    return earliest;
}

int64_t timers_next(struct timers *timers)
{
    int64_t next = timers->run != NULL ? timers->run->deadline : INT64_MAX;

    while (timers->levels != 0) {
        struct first first = first_bucket(timers);
        int64_t earliest;

        if (next < first.start)
            break;
        earliest = look_into(timers, &first);
        if (earliest <= first.last)
            return earliest < next ? earliest : next;
        /* All of them were put off to after the bucket. */
        spread(timers, detach(timers, first.bucket));
    }
    return next;
}

/* Sorts until the first of the run is the earliest of all, or nothing is due. */
static NOINLINE struct timer *settle(struct timers *timers, int64_t now)
{
    while (timers->levels != 0) {
        struct first first = first_bucket(timers);

        if (first.start > now ||
            (timers->run != NULL && timers->run->deadline < first.start)) {
            timers->settled = first.start;
            return timers->run;
        }
        empty_first(timers, &first);
    }
    timers->settled = INT64_MAX;
    return timers->run;
}

/* The earliest timer if it is due. */
static inline struct timer *first_due(struct timers *timers, int64_t now)
{
    struct timer *timer = timers->run;

    if (timer == NULL || timer->deadline >= timers->settled)
        timer = settle(timers, now);
    if (timer != NULL && timer->deadline <= now)
        return timer;
    if (timers->base < now >> TIMERS_TICK_BITS)
        timers->base = now >> TIMERS_TICK_BITS;
    return NULL;
}

bool timers_are_due(struct timers *timers, int64_t now)
{
    return first_due(timers, now) != NULL;
}

struct timer *timers_pop_due(struct timers *timers, int64_t now)
{
    struct timer *timer = first_due(timers, now);
    struct timer *next;

    if (timer == NULL)
        return NULL;
    next = timer->next;
    timers->run = next;
    if (next != NULL)
        next->place = &timers->run;
    timer->place = NULL;
    timers->armed_count--;
    return timer;
}

/* --- for tests --- */

static bool verify_list(const struct timers *timers, struct timer *const *place, bool is_run,
                        uint32_t *count)
{
    for (const struct timer *timer = *place; timer != NULL; timer = timer->next) {
        if (timer->place != place || timer->is_in_wheel == is_run ||
            timer->sequence > timers->sequence)
            return false;
        if (is_run && timer->next != NULL && !is_before(timer, timer->next))
            return false;
        place = &timer->next;
        (*count)++;
    }
    return true;
}

/* Is the bucket one that a tick after `base` has, and nothing in it earlier? */
static bool verify_bucket(const struct timers *timers, unsigned level, unsigned slot)
{
    unsigned bits = level * LEVEL_BITS;
    int64_t tick = ((timers->base >> bits >> LEVEL_BITS << LEVEL_BITS) | (int64_t)slot) << bits;
    const struct timer *timer = timers->buckets[level * TIMERS_BUCKETS + slot];
    bool is_of_base = level == 0 && tick == timers->base;

    if (tick <= timers->base && !is_of_base)
        return false;
    for (; timer != NULL; timer = timer->next) {
        if (timer->deadline < (is_of_base ? INT64_MIN : time_of(tick)) ||
            timer->deadline < timers->settled)
            return false;
    }
    return true;
}

bool timers_verify(const struct timers *timers)
{
    uint32_t count = 0;

    if (!verify_list(timers, &timers->run, true, &count))
        return false;
    for (unsigned level = 0; level < TIMERS_LEVELS; level++) {
        if ((timers->used[level] != 0) != (timers->levels >> level & 1))
            return false;
        for (unsigned slot = 0; slot < TIMERS_BUCKETS; slot++) {
            struct timer *const *bucket = &timers->buckets[level * TIMERS_BUCKETS + slot];

            if ((*bucket != NULL) != (timers->used[level] >> slot & 1))
                return false;
            if (*bucket != NULL && (!verify_list(timers, bucket, false, &count) ||
                                    !verify_bucket(timers, level, slot)))
                return false;
        }
    }
    return count == timers->armed_count;
}
