/*
 * What the benchmarks share: works, engines that do them, samples, and the lines that are printed.
 *
 * A work is one thing to do, at one size; its engines are the ways to do it, ours first. Each
 * sample is a fresh process, and the engines take turns (A B C A B C ...), so that whatever the
 * machine does meanwhile hits all of them alike. A figure is then compared with the one that the
 * first engine gave in the same round.
 */
#ifndef ALOOP_TESTS_BENCH_H
#define ALOOP_TESTS_BENCH_H

#include <aloop.h>

/* What an engine measured. */
struct bench_figures {
    double value;  /* BENCH_ABSENT: this machine lacks what the engine needs */
    double second; /* 0 where the suite has no second unit */
};

#define BENCH_ABSENT (-1.0)

struct bench_work;

/*
 * Does `work` once, in a process of its own, and measures it. `ops` operations are to be done, or
 * as many more as come out even.
 */
typedef struct bench_figures bench_run(const struct bench_work *work, uint64_t ops);

struct bench_engine {
    const char *name;
    bench_run *run;
    unsigned divisor; /* so much slower that this part of the operations is enough; 0 is 1 */
};

struct bench_work {
    const char *name;
    const struct bench_engine *engines;
    size_t engine_count;
    uint64_t ops;
    size_t n; /* the size: callbacks, timers, tasks, connections */
    size_t m; /* a second one */
    size_t k; /* and a third */
};

#define BENCH_ENGINES(ARRAY) .engines = (ARRAY), .engine_count = sizeof(ARRAY) / sizeof((ARRAY)[0])

struct bench_suite {
    const char *name;
    const char *unit;
    const char *second_unit; /* NULL: there is none */
    bool more_is_better;     /* of the first unit; a second one is always a cost */
    const struct bench_work *works;
    size_t work_count;
};

#define BENCH_WORKS(ARRAY) .works = (ARRAY), .work_count = sizeof(ARRAY) / sizeof((ARRAY)[0])

/*
 * main() of a benchmark: [-q] [-r ROUNDS] [-w WORK] [-e ENGINE] [-c FILE] [-o OPS]. -w and -e
 * select by name ("add" is all of "add/1000" and "add/100000"). -q does a tenth of the work, to see
 * that all of it runs; -c adds the figures to a file of comma-separated values. With -o what is
 * selected is done once, so many operations long, in this process, and nothing is printed: for
 * instruments that count.
 */
int bench_main(int argc, char **argv, const struct bench_suite *suite);

/* Was -o given? Was -q? */
bool bench_is_counting(void);
bool bench_is_quick(void);

/*
 * A loop as programs have it; for an instrument that counts, on the virtual clock: an instrument
 * makes everything slower, and the loop would believe that it has to poll all the time.
 */
aloop *bench_make_loop(void);

/* The processor time of this process, in ns: what others do on the same CPU does not count. */
double bench_cpu_ns(void);
/* The time on the wall, in ns. */
double bench_wall_ns(void);
/* The same for another process. */
double bench_cpu_ns_of(int pid);
/* What `ops` operations cost each, since the processor time was `start`. */
struct bench_figures bench_cpu_per_op(double start, uint64_t ops);
/* How often n operations together are to be done to make `ops` of them: once at least. */
static inline uint64_t bench_times(const struct bench_work *work, uint64_t ops)
{
    return ops / work->n > 0 ? ops / work->n : 1;
}
/* Keeps the calling thread on one CPU, where the system can and has it. Each sample begins on
   CPU 0. */
void bench_pin(unsigned cpu);
/* Lets it run anywhere again. */
void bench_unpin(void);
/* Bytes of memory that this process has in RAM. */
double bench_rss(void);
/* For sockets by the thousand. */
void bench_raise_fd_limit(void);

/* Ends the process if something that cannot fail has failed. */
void bench_check(bool is_right, const char *what);
/* Zeroed memory, with each page touched. */
void *bench_alloc(size_t count, size_t size);

/* The value below which a part of them lies: 0.5 is the median. Sorts them. */
double bench_quantile(double *values, size_t count, double part);

/* A cheap random number, for order and deadlines. */
static inline uint32_t bench_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 32);
}

/* A random number below `end`. */
static inline size_t bench_random_below(uint64_t *state, size_t end)
{
    return (size_t)((uint64_t)bench_random(state) * end >> 32);
}

#endif
