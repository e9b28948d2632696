/*
 * An operation of one's own: a gate that tasks wait at, a few of them at a time getting through.
 * All it takes is a function that is asked whether it is time, and a list of those who wait.
 */
#include <aloop.h>
#include <stdio.h>

struct gate {
    int places; /* how many may pass */
    aloop_waitlist waiters;
};

/* Asked when the await begins, and after each wake-up. What it takes, it takes here and not when
   the task was woken: so a task that is cancelled in between has taken nothing. */
static aloop_poll gate_poll(aloop_task *task, aloop_op *op)
{
    struct gate *gate = op->arg[0].pointer;

    (void)task;
    if (gate->places == 0)
        return aloop_op_wait(op, &gate->waiters);
    return gate->places--;
}

static aloop_op gate_pass(struct gate *gate)
{
    static const aloop_op_type type = {.name = "gate"};

    return (aloop_op){.poll = gate_poll, .type = &type, .arg = {{.pointer = gate}}};
}

static void gate_open(struct gate *gate, int places)
{
    gate->places += places;
    aloop_wake_all(&gate->waiters);
}

static int passed;

struct visitor {
    ALOOP_FRAME;
    struct gate *gate;
    int id;
};

ALOOP_CORO(visitor)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_wait_for(gate_pass(self->gate), ALOOP_MS(100)));
    if (self->result < 0) {
        printf("visitor %d: %s\n", self->id, aloop_strerror(self->result));
        ALOOP_RETURN(0);
    }
    passed++;
    printf("visitor %d takes place %d\n", self->id, (int)self->result);
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
    struct gate gate;
    aloop_group group;
    int i;
};

ALOOP_CORO(main_task)
{
    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    for (self->i = 1; self->i <= 4; self->i++)
        ALOOP_TRY(aloop_group_start(&self->group, visitor, .gate = &self->gate, .id = self->i));
    ALOOP_TRY(aloop_sleep(ALOOP_MS(20)));
    printf("the gate opens for three\n");
    gate_open(&self->gate, 3);
    ALOOP_TRY(aloop_group_wait(&self->group));
    ALOOP_RETURN(passed == 3 ? 0 : -EPROTO);
    ALOOP_END;
}

int main(void)
{
    return aloop_run(main_task) == 0 ? 0 : 1;
}
