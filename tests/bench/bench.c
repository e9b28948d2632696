/* CPU affinity is Linux's alone. */
#define _GNU_SOURCE

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

#define ROUNDS_MAX 1001
#define SAMPLE_SECONDS_MAX 120

/* --- what engines use --- */

static bool is_counting;
static bool is_quick;

bool bench_is_counting(void)
{
    return is_counting;
}

bool bench_is_quick(void)
{
    return is_quick;
}

aloop *bench_make_loop(void)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;

    if (is_counting)
        options.clock = ALOOP_CLOCK_VIRTUAL;
    bench_check(aloop_new(&options, &loop) == 0, "aloop_new");
    /* At the beginning of all time its timers would lie as they do in no loop that is in use. */
    bench_check(aloop_run_once(loop, 0) >= 0, "aloop_run_once");
    return loop;
}

static double clock_ns(clockid_t id)
{
    struct timespec time;

    bench_check(clock_gettime(id, &time) == 0, "clock_gettime");
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

double bench_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

double bench_wall_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

double bench_cpu_ns_of(int pid)
{
    clockid_t id;

    bench_check(clock_getcpuclockid(pid, &id) == 0, "clock_getcpuclockid");
    return clock_ns(id);
}

void bench_pin(unsigned cpu)
{
#ifdef __linux__
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
#else
    (void)cpu;
#endif
}

void bench_unpin(void)
{
#ifdef __linux__
    cpu_set_t set;

    CPU_ZERO(&set);
    for (long i = 0; i < sysconf(_SC_NPROCESSORS_CONF) && i < CPU_SETSIZE; i++)
        CPU_SET((size_t)i, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
#endif
}

struct bench_figures bench_cpu_per_op(double start, uint64_t ops)
{
    return (struct bench_figures){.value = (bench_cpu_ns() - start) / (double)ops};
}

double bench_rss(void)
{
    struct rusage usage;
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long size, resident = 0;
    int found = 0;

    if (file != NULL) {
        found = fscanf(file, "%llu %llu", &size, &resident);
        fclose(file);
    }
    if (found == 2)
        return (double)resident * (double)sysconf(_SC_PAGESIZE);
    /* The peak, in KiB: right as long as nothing was given back. */
    bench_check(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage");
    return (double)usage.ru_maxrss * 1024;
}

void bench_raise_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void bench_check(bool is_right, const char *what)
{
    if (is_right)
        return;
    fprintf(stderr, "bench: %s failed\n", what);
    _exit(1);
}

void *bench_alloc(size_t count, size_t size)
{
    void *memory = malloc(count * size);

    bench_check(memory != NULL, "malloc");
    /* calloc() would leave the page faults to whoever is measured. */
    return memset(memory, 0, count * size);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

double bench_quantile(double *values, size_t count, double part)
{
    double place = part * (double)(count - 1);
    size_t below = (size_t)place;
    size_t above = below + 1 < count ? below + 1 : below;

    qsort(values, count, sizeof *values, compare);
    return values[below] + (values[above] - values[below]) * (place - (double)below);
}

/* --- samples --- */

struct selection {
    size_t rounds;
    uint64_t ops; /* 0: the works' own number */
    const char *work;
    const char *engine;
    FILE *csv; /* NULL: none */
};

/* "add" selects "add/1000" and "add/100000", and "add/1000" that alone. */
static bool is_selected(const char *name, const char *wanted)
{
    size_t length = wanted != NULL ? strlen(wanted) : 0;

    return wanted == NULL ||
           (strncmp(name, wanted, length) == 0 && (name[length] == '/' || name[length] == '\0'));
}

static struct bench_figures run_here(const struct bench_work *work,
                                     const struct bench_engine *engine, uint64_t ops)
{
    if (ops == 0)
        ops = work->ops / (engine->divisor > 0 ? engine->divisor : 1) / (is_quick ? 10 : 1);
    return engine->run(work, ops > 0 ? ops : 1);
}

/* One sample, in a child. False if it failed. */
static bool sample(const struct bench_work *work, const struct bench_engine *engine,
                   struct bench_figures *out_figures)
{
    int ends[2], status;
    bool is_read;
    pid_t pid;

    bench_check(pipe(ends) == 0, "pipe");
    fflush(stdout);
    pid = fork();
    bench_check(pid >= 0, "fork");
    if (pid == 0) {
        struct bench_figures figures;

        close(ends[0]);
        /* One that hangs has failed, and the others go on. */
        alarm(SAMPLE_SECONDS_MAX);
        bench_pin(0);
        figures = run_here(work, engine, 0);
        bench_check(write(ends[1], &figures, sizeof figures) == sizeof figures, "write");
        _exit(0);
    }
    close(ends[1]);
    is_read = read(ends[0], out_figures, sizeof *out_figures) == sizeof *out_figures;
    close(ends[0]);
    bench_check(waitpid(pid, &status, 0) == pid, "waitpid");
    return is_read && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- lines --- */

/* The figures of one engine, by round; one whose sample failed has 0. */
struct series {
    double value[ROUNDS_MAX];
    double second[ROUNDS_MAX];
};

struct summary {
    double median;
    double min;
    double max;
};

static struct summary summarize(const double *values, size_t count)
{
    double sorted[ROUNDS_MAX];
    struct summary summary;

    memcpy(sorted, values, count * sizeof *values);
    summary.median = bench_quantile(sorted, count, 0.5);
    summary.min = sorted[0];
    summary.max = sorted[count - 1];
    return summary;
}

/* The first engine's figures, each divided by this engine's of the same round: the median. */
static double median_ratio(const double *first, const double *values, size_t count)
{
    double ratios[ROUNDS_MAX];

    for (size_t i = 0; i < count; i++)
        ratios[i] = values[i] > 0 ? first[i] / values[i] : 0;
    return summarize(ratios, count).median;
}

/* What is printed of one unit of an engine: its figures, and how the first engine compares. */
struct line {
    struct summary own;
    double ratio;
};

static struct line line_of(const double *first, const double *own, size_t rounds)
{
    return (struct line){.own = summarize(own, rounds), .ratio = median_ratio(first, own, rounds)};
}

static void add_to_csv(const struct selection *selection, const struct bench_suite *suite,
                       const char *work, const char *engine, bool is_second, struct line line)
{
    if (selection->csv != NULL)
        fprintf(selection->csv, "%s,%s,%s,\"%s\",%s,%.6g,%.6g,%.6g,%.4g,%zu\n", suite->name, work,
                engine, is_second ? suite->second_unit : suite->unit,
                suite->more_is_better && !is_second ? "more" : "less", line.own.median,
                line.own.min, line.own.max, line.ratio, selection->rounds);
}

static void print_line(const struct bench_suite *suite, const struct bench_work *work, size_t index,
                       const struct series *series, const struct selection *selection)
{
    const struct series *own = &series[index];
    const char *engine = work->engines[index].name;
    struct line line = line_of(series[0].value, own->value, selection->rounds);
    int digits = line.own.median < 1000 ? 2 : 0;

    printf("%-18s %-18s", work->name, engine);
    if (line.own.min <= 0) {
        printf(line.own.max == BENCH_ABSENT ? "  not here\n" : "  failed\n");
        return;
    }
    printf(" %10.*f %10.*f %10.*f %6.*f", digits, line.own.median, digits, line.own.min, digits,
           line.own.max, line.ratio < 0.1 ? 4 : 2, line.ratio);
    add_to_csv(selection, suite, work->name, engine, false, line);
    line = line_of(series[0].second, own->second, selection->rounds);
    if (suite->second_unit != NULL && line.own.min > 0) {
        printf(" %9.0f %9.0f %9.0f %6.2f", line.own.median, line.own.min, line.own.max, line.ratio);
        add_to_csv(selection, suite, work->name, engine, true, line);
    }
    printf("\n");
}

static void print_head(const struct bench_suite *suite, size_t rounds)
{
    printf("\n%s: %s", suite->name, suite->unit);
    if (suite->second_unit != NULL)
        printf("; %s", suite->second_unit);
    printf(" (%zu rounds)\n", rounds);
    printf("%-18s %-18s %10s %10s %10s %6s", "work", "engine", "median", "min", "max", "ratio");
    if (suite->second_unit != NULL)
        printf(" %9s %9s %9s %6s", "median", "min", "max", "ratio");
    printf("\n");
}

static void run_work(const struct bench_suite *suite, const struct bench_work *work,
                     const struct selection *selection)
{
    struct series *series = bench_alloc(work->engine_count, sizeof *series);

    for (size_t round = 0; round < selection->rounds; round++) {
        for (size_t i = 0; i < work->engine_count; i++) {
            struct bench_figures figures;

            if (!is_selected(work->engines[i].name, selection->engine) ||
                !sample(work, &work->engines[i], &figures))
                continue;
            series[i].value[round] = figures.value;
            series[i].second[round] = figures.second;
        }
    }
    for (size_t i = 0; i < work->engine_count; i++) {
        if (is_selected(work->engines[i].name, selection->engine))
            print_line(suite, work, i, series, selection);
    }
    fflush(stdout);
    if (selection->csv != NULL)
        fflush(selection->csv);
    free(series);
}

static void run_once(const struct bench_work *work, const struct selection *selection)
{
    for (size_t i = 0; i < work->engine_count; i++) {
        if (is_selected(work->engines[i].name, selection->engine))
            (void)run_here(work, &work->engines[i], selection->ops);
    }
}

/* False: that is no way to call it. */
static bool read_arguments(int argc, char **argv, struct selection *selection)
{
    int option;

    while ((option = getopt(argc, argv, "qr:w:e:c:o:")) != -1) {
        if (option == 'q')
            is_quick = true;
        else if (option == 'r')
            selection->rounds = strtoul(optarg, NULL, 10);
        else if (option == 'w')
            selection->work = optarg;
        else if (option == 'e')
            selection->engine = optarg;
        else if (option == 'c')
            bench_check((selection->csv = fopen(optarg, "a")) != NULL, "opening the file");
        else if (option == 'o')
            selection->ops = strtoull(optarg, NULL, 10);
        else
            return false;
    }
    is_counting = selection->ops > 0;
    return selection->rounds >= 1 && selection->rounds <= ROUNDS_MAX && optind == argc;
}

int bench_main(int argc, char **argv, const struct bench_suite *suite)
{
    struct selection selection = {.rounds = 5};

    if (!read_arguments(argc, argv, &selection)) {
        fprintf(stderr, "usage: %s [-q] [-r ROUNDS] [-w WORK] [-e ENGINE] [-c FILE] [-o OPS]\n",
                argv[0]);
        return 2;
    }
    if (!is_counting)
        print_head(suite, selection.rounds);
    for (size_t i = 0; i < suite->work_count; i++) {
        if (!is_selected(suite->works[i].name, selection.work))
            continue;
        if (is_counting)
            run_once(&suite->works[i], &selection);
        else
            run_work(suite, &suite->works[i], &selection);
    }
    if (selection.csv != NULL)
        bench_check(fclose(selection.csv) == 0, "writing the file");
    return 0;
}
