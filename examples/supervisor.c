/*
 * A supervisor: starts the programs that a file names, starts each again when it ends, the later
 * the more often it does so, and passes on what they print. SIGTERM, or Ctrl-C, stops them all,
 * each with all the processes that it has started in turn.
 *
 *     supervisor [-g GRACE] [-d DELAY] FILE       both in ms
 *
 * A line of the file is "name: command", for a shell; $1 is how often it has been started before.
 */
#include <aloop.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_MAX ALOOP_SEC(30)
/* Whoever has lived so long has recovered. */
#define LIFE_MIN ALOOP_SEC(10)

struct program {
    const char *name;
    const char *command;
};

struct settings {
    aloop_ns grace; /* between SIGTERM and SIGKILL */
    aloop_ns delay; /* before the first restart; then twice as long, and so on */
    struct program *programs;
    size_t count;
};

static void say(const struct program *program, const char *format, ...)
{
    va_list arguments;

    printf("%s: ", program->name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

/* --- one life of a program --- */

struct pass_on {
    ALOOP_FRAME;
    const struct program *program;
    aloop_stream output;
    aloop_slice line;
};

ALOOP_CORO(pass_on)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_AWAIT(aloop_stream_read_line(&self->output, &self->line));
        if (self->result == 0)
            break;
        /* A line that is too long is thrown away; that is no reason to hear no more. */
        if (self->result < 0 && self->result != -EMSGSIZE)
            ALOOP_RETURN(self->result);
        if (self->result > 0)
            say(self->program, "%.*s",
                (int)(self->line.size - (self->line.data[self->line.size - 1] == '\n')),
                self->line.data);
    }
    ALOOP_END;
}

/* Leader of a group of its own, so that what it starts can be stopped with it. */
static int start(const struct program *program, int times, aloop_process *process)
{
    aloop_process_options options = ALOOP_PROCESS_OPTIONS_INIT;
    char argument[16];

    options.in = ALOOP_DEVNULL;
    options.out = ALOOP_PIPE;
    options.err = ALOOP_STDOUT;
    options.process_group = 0;
    snprintf(argument, sizeof argument, "%d", times);
    return aloop_create_subprocess_exec(
        NULL, (const char *[]){"/bin/sh", "-c", program->command, program->name, argument, NULL},
        &options, process);
}

struct run_once {
    ALOOP_FRAME;
    const struct program *program;
    aloop_ns grace;
    int times;
    aloop_process process;
    aloop_group group;
    int64_t outcome;
    int code;
};

ALOOP_CORO(run_once)
{
    ALOOP_BEGIN;
    self->outcome = start(self->program, self->times, &self->process);
    if (self->outcome < 0) {
        say(self->program, "cannot be started: %s", aloop_strerror(self->outcome));
        ALOOP_RETURN(0);
    }
    say(self->program, "started, pid %ld", (long)self->process.pid);
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start(&self->group, pass_on, .program = self->program,
                                .output = self->process.out));
    /* Cancelled, it has stopped the program before it returns. */
    ALOOP_AWAIT_TO(self->outcome,
                   aloop_process_wait_or_stop(&self->process, self->grace, &self->code));
    /* What it has said before; what it has started may hold the pipe for longer. */
    ALOOP_AWAIT(aloop_wait_for(aloop_group_wait(&self->group), ALOOP_MS(100)));
    if (self->code >= 0)
        say(self->program, "ended with %d", self->code);
    else
        say(self->program, "ended by signal %d", -self->code);
    ALOOP_RETURN(self->outcome);
    ALOOP_FINALLY;
    aloop_process_close(&self->process);
    ALOOP_END;
}

/* --- and all of them --- */

struct supervise {
    ALOOP_FRAME;
    const struct settings *settings;
    const struct program *program;
    aloop_ns delay;
    aloop_ns began;
    int times;
};

ALOOP_CORO(supervise)
{
    ALOOP_BEGIN;
    self->delay = self->settings->delay;
    for (;; self->times++) {
        self->began = aloop_time(aloop_get_running_loop());
        ALOOP_TRY(aloop_call(run_once, .program = self->program, .times = self->times,
                             .grace = self->settings->grace));
        if (aloop_time(aloop_get_running_loop()) - self->began >= LIFE_MIN)
            self->delay = self->settings->delay;
        say(self->program, "again in %ld ms", (long)(self->delay / ALOOP_MS(1)));
        ALOOP_TRY(aloop_sleep(self->delay));
        self->delay = self->delay < DELAY_MAX / 2 ? 2 * self->delay : DELAY_MAX;
    }
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    const struct settings *settings;
    aloop_group group;
    size_t i;
};

/* Ctrl-C cancels this task, and with it the group. */
ALOOP_CORO(main_task)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (self->i = 0; self->i < self->settings->count; self->i++)
        ALOOP_TRY(aloop_group_start(&self->group, supervise, .settings = self->settings,
                                    .program = &self->settings->programs[self->i]));
    ALOOP_TRY(aloop_wait_signal(SIGTERM));
    printf("stopping\n");
    aloop_group_cancel(&self->group);
    ALOOP_TRY(aloop_group_wait(&self->group));
    printf("all have ended\n");
    ALOOP_END;
}

/* --- the command line --- */

static struct program *add_program(struct settings *settings)
{
    void *programs =
        realloc(settings->programs, (settings->count + 1) * sizeof *settings->programs);

    if (programs == NULL)
        return NULL;
    settings->programs = programs;
    return &settings->programs[settings->count++];
}

/* The strings are the line's, which stays. */
static bool read_line(struct settings *settings, char *line)
{
    char *colon = strchr(line, ':');
    struct program *program;

    if (line[0] == '#')
        return true;
    if (colon == NULL)
        return false;
    *colon++ = '\0';
    program = add_program(settings);
    if (program == NULL)
        return false;
    *program = (struct program){.name = line, .command = colon + strspn(colon, " ")};
    return true;
}

/* The text of a file, the caller's to free; NULL if it cannot be read. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    /* Up to a byte that no text has. */
    if (file != NULL && getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    if (file != NULL)
        fclose(file);
    return text;
}

static bool read_lines(struct settings *settings, char *text)
{
    char *place = NULL;

    for (char *line = strtok_r(text, "\n", &place); line != NULL;
         line = strtok_r(NULL, "\n", &place)) {
        if (!read_line(settings, line))
            return false;
    }
    return true;
}

/* A program that fails twice, and the third time has it all stopped; it does not care for SIGTERM,
   and has a child that does not, either. */
static char demo[] = "demo: test $1 -lt 2 && exit 3; trap '' TERM; echo here at last;"
                     " kill -TERM $PPID; sleep 1000 & sleep 1000";

int main(int argc, char **argv)
{
    struct settings settings = {.grace = ALOOP_SEC(5), .delay = ALOOP_MS(100)};
    char *text = NULL;
    bool is_good = false;
    int result;
    int at = 1;

    for (; at + 1 < argc && argv[at][0] == '-' && argv[at][1] != '-'; at += 2) {
        aloop_ns *value = argv[at][1] == 'g' ? &settings.grace : &settings.delay;

        *value = ALOOP_MS(atol(argv[at + 1]));
    }
    if (at + 1 == argc && strcmp(argv[at], "--demo") == 0) {
        settings.grace = settings.delay = ALOOP_MS(20);
        is_good = read_lines(&settings, demo);
    } else if (at + 1 == argc) {
        text = read_file(argv[at]);
        is_good = text != NULL && read_lines(&settings, text);
    }
    if (!is_good)
        fprintf(stderr, "usage: supervisor [-g GRACE] [-d DELAY] FILE | --demo\n");
    result = !is_good ? 2 : aloop_run(main_task, .settings = &settings) < 0 ? 1 : 0;
    free(settings.programs);
    free(text);
    return result;
}
