/*
 * What does it do? The tasks of a small program, drawn anew twice a second, as `top` draws those of
 * a machine: cooks wait for orders, and for the one oven there is.
 *
 *     ./build/examples/top            until q is pressed
 *     ./build/examples/top --demo     once, after three seconds of a clock that does not wait
 */
#include <aloop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define COOKS 3

struct kitchen {
    aloop_queue orders;
    aloop_lock oven;
};

/* --- the program that is looked at --- */

struct bake {
    ALOOP_FRAME;
    struct kitchen *kitchen;
    int order;
    aloop_hold oven;
};

ALOOP_CORO(bake)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_lock_enter(&self->kitchen->oven, &self->oven));
    ALOOP_TRY(aloop_sleep(ALOOP_MS(400) + self->order % 3 * ALOOP_MS(300)));
    ALOOP_END;
}

struct cook {
    ALOOP_FRAME;
    struct kitchen *kitchen;
    int order;
};

ALOOP_CORO(cook)
{
    ALOOP_BEGIN;
    for (;;) {
        ALOOP_TRY(aloop_queue_get(&self->kitchen->orders, &self->order));
        ALOOP_TRY(aloop_wait_for(
            aloop_call(bake, .kitchen = self->kitchen, .order = self->order), ALOOP_SEC(10)));
    }
    ALOOP_END;
}

struct waiter {
    ALOOP_FRAME;
    struct kitchen *kitchen;
    int order;
};

ALOOP_CORO(waiter)
{
    ALOOP_BEGIN;
    for (;; self->order++) {
        ALOOP_TRY(aloop_queue_put(&self->kitchen->orders, &self->order));
        ALOOP_TRY(aloop_sleep(ALOOP_MS(500)));
    }
    ALOOP_END;
}

/* --- looking at it --- */

/* In one piece, or it would flicker. */
static void draw(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL)
        return;
    fprintf(file, "\033[H\033[J");
    (void)aloop_dump(aloop_get_running_loop(), file);
    if (fclose(file) == 0) {
        (void)fwrite(text, 1, size, stdout);
        (void)fflush(stdout);
    }
    free(text);
}

/* Draws until there is a q to read. */
struct screen {
    ALOOP_FRAME;
    char key;
};

ALOOP_CORO(screen)
{
    ALOOP_BEGIN;
    while (self->key != 'q') {
        draw();
        ALOOP_AWAIT(aloop_wait_for(aloop_readable(STDIN_FILENO), ALOOP_MS(500)));
        if (self->result == -ETIMEDOUT)
            continue;
        if (self->result < 0)
            ALOOP_RETURN(self->result);
        if (read(STDIN_FILENO, &self->key, 1) != 1)
            self->key = 'q';
    }
    ALOOP_END;
}

struct demo {
    ALOOP_FRAME;
};

ALOOP_CORO(demo)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(3)));
    (void)aloop_dump(aloop_get_running_loop(), stdout);
    ALOOP_END;
}

struct restaurant {
    ALOOP_FRAME;
    struct kitchen *kitchen;
    bool is_demo;
    aloop_group group;
    int i;
};

ALOOP_CORO(restaurant)
{
    ALOOP_BEGIN;
    if (aloop_queue_init(&self->kitchen->orders, NULL, sizeof(int), 8) < 0)
        ALOOP_RETURN(-ENOMEM);
    aloop_group_init(&self->group);
    for (self->i = 0; self->i < COOKS; self->i++)
        ALOOP_TRY(aloop_group_start(&self->group, cook, .kitchen = self->kitchen));
    ALOOP_TRY(aloop_group_start(&self->group, waiter, .kitchen = self->kitchen));
    /* The group ends with this coroutine. */
    if (self->is_demo)
        ALOOP_TRY(aloop_call(demo));
    else
        ALOOP_TRY(aloop_call(screen));
    ALOOP_END;
}

/* Keys as they are pressed, not lines. */
static void read_keys(const struct termios *before)
{
    struct termios raw = *before;

    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

int main(int argc, char **argv)
{
    bool is_demo = argc > 1 && strcmp(argv[1], "--demo") == 0;
    struct kitchen kitchen = {.oven = ALOOP_LOCK_INIT};
    aloop_options options = ALOOP_OPTIONS_INIT;
    struct termios before;
    bool has_keys = !is_demo && tcgetattr(STDIN_FILENO, &before) == 0;
    aloop *loop;
    int64_t error;

    options.clock = is_demo ? ALOOP_CLOCK_VIRTUAL : ALOOP_CLOCK_MONOTONIC;
    error = aloop_new(&options, &loop);
    if (error == 0) {
        if (has_keys)
            read_keys(&before);
        error = aloop_run_in(loop, restaurant, .kitchen = &kitchen, .is_demo = is_demo);
        if (has_keys)
            (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
        aloop_queue_fini(&kitchen.orders);
        aloop_unref(loop);
    }
    if (error < 0)
        fprintf(stderr, "top: %s\n", aloop_strerror(error));
    return error < 0;
}
