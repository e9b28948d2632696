/* S182: who has to wait for room sends in the order of asking, whoever comes or goes meanwhile. On
   Unix datagrams, which nobody drops: a receiver that is full makes its senders wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datagram_test.h"

#include <stdio.h>
#include <unistd.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* Tasks that send a letter each, of which the last `waiting` have to wait. */
#define FILL(waiting)                                                                              \
    do {                                                                                           \
        self->count = 0;                                                                           \
        for (self->i = 0; self->i < (waiting); self->count++) {                                    \
            assert_true(self->count < 40);                                                         \
            self->tasks[self->count] =                                                             \
                io_start(aloop_send_to(&self->pair[0], &letters[self->count], 1, NULL));           \
            TURNS();                                                                               \
            self->i += !aloop_task_done(self->tasks[self->count]);                                 \
        }                                                                                          \
    } while (0)

#define EXPECT_LETTER(letter)                                                                      \
    do {                                                                                           \
        ALOOP_TRY(aloop_recv_from(&self->pair[1], self->small, sizeof self->small, NULL));         \
        EXPECT(1);                                                                                 \
        assert_int_equal(self->small[0], letter);                                                  \
    } while (0)

#define JOIN(index, outcome)                                                                       \
    do {                                                                                           \
        ALOOP_AWAIT(aloop_join_unref(self->tasks[index]));                                         \
        EXPECT(outcome);                                                                           \
    } while (0)

DATAGRAM_TEST(those_who_wait_are_served_in_order)
{
    ALOOP_BEGIN;
    OPEN_NARROW_PAIR();
    FILL(8);
    for (self->i = 0; self->i < self->count; self->i++)
        EXPECT_LETTER(letters[self->i]);
    for (self->i = 0; self->i < self->count; self->i++)
        JOIN(self->i, 1);
    /* And the row is empty again. */
    ALOOP_TRY(aloop_send_to(&self->pair[0], "!", 1, NULL));
    EXPECT_LETTER('!');
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(those_who_wait_are_served_in_order)

/* One who comes when there is room already, and the first who waits has been told but has not run
   yet, would overtake all who wait if there were no row. */
DATAGRAM_TEST(a_late_comer_does_not_overtake)
{
    ALOOP_BEGIN;
    OPEN_NARROW_PAIR();
    FILL(3);
    /* Nor does it help that the last in the row, then the only one behind the first, gives up. */
    for (self->i = 0; self->i < 2; self->i++) {
        aloop_task_cancel(self->tasks[--self->count]);
        JOIN(self->count, -ECANCELED);
    }
    /* Taken past the loop: there is room, and this step goes on. */
    assert_int_equal(recv(aloop_socket_fd(&self->pair[1]), self->small, 1, 0), 1);
    assert_int_equal(self->small[0], 'A');
    watch_collect(aloop_get_running_loop(), socket_watch(&self->pair[0]), POLLER_WRITE);
    ALOOP_AWAIT(aloop_wait_for(aloop_send_to(&self->pair[0], "+", 1, NULL), ALOOP_SEC(1)));
    EXPECT(-ETIMEDOUT);
    for (self->i = 1; self->i < self->count; self->i++)
        EXPECT_LETTER(letters[self->i]);
    ALOOP_TRY(aloop_send_to(&self->pair[0], "+", 1, NULL));
    EXPECT_LETTER('+');
    for (self->i = 0; self->i < self->count; self->i++)
        JOIN(self->i, 1);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_late_comer_does_not_overtake)

/* Whoever is cancelled, the first in the row, one in the middle or the last, holds up nobody, and
   has not sent. */
DATAGRAM_TEST(a_cancelled_sender_leaves_the_row)
{
    ALOOP_BEGIN;
    OPEN_NARROW_PAIR();
    FILL(6);
    aloop_task_cancel(self->tasks[self->count - 6]);
    aloop_task_cancel(self->tasks[self->count - 4]);
    aloop_task_cancel(self->tasks[self->count - 1]);
    TURNS();
    for (self->i = 0; self->i < self->count; self->i++) {
        if (self->i != self->count - 6 && self->i != self->count - 4 &&
            self->i != self->count - 1)
            EXPECT_LETTER(letters[self->i]);
    }
    for (self->i = 0; self->i < self->count; self->i++) {
        ALOOP_AWAIT(aloop_join_unref(self->tasks[self->i]));
        if (self->i == self->count - 6 || self->i == self->count - 4 ||
            self->i == self->count - 1)
            EXPECT(-ECANCELED);
        else
            EXPECT(1);
    }
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_cancelled_sender_leaves_the_row)

/* The same when it has just become the first: its turn is passed on. */
DATAGRAM_TEST(a_turn_that_is_not_taken_is_passed_on)
{
    ALOOP_BEGIN;
    OPEN_NARROW_PAIR();
    FILL(3);
    aloop_task_cancel(self->tasks[self->count - 3]);
    /* The first goes in the next turn, and the second is the first then; before it runs: */
    ALOOP_TRY(aloop_sleep(0));
    aloop_task_cancel(self->tasks[self->count - 2]);
    TURNS();
    for (self->i = 0; self->i < self->count - 3; self->i++)
        EXPECT_LETTER(letters[self->i]);
    EXPECT_LETTER(letters[self->count - 1]);
    for (self->i = 0; self->i < self->count - 3; self->i++)
        JOIN(self->i, 1);
    JOIN(self->count - 3, -ECANCELED);
    JOIN(self->count - 2, -ECANCELED);
    JOIN(self->count - 1, 1);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_turn_that_is_not_taken_is_passed_on)

/* P89: each is told once. */
DATAGRAM_TEST(closing_ends_the_row)
{
    ALOOP_BEGIN;
    OPEN_NARROW_PAIR();
    FILL(5);
    aloop_socket_close(&self->pair[0]);
    for (self->i = 0; self->i < self->count; self->i++)
        JOIN(self->i, self->i < self->count - 5 ? 1 : -ECANCELED);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(closing_ends_the_row)

/* An error is of the one who met it, and the next goes on. */
DATAGRAM_TEST(an_error_does_not_end_the_row)
{
    ALOOP_BEGIN;
    OPEN_NARROW_PAIR();
    FILL(3);
    fault_install();
    fault_fail(FAULT_SENDMSG, 1, -EIO);
    for (self->i = 0; self->i < self->count; self->i++) {
        if (self->i != self->count - 3)
            EXPECT_LETTER(letters[self->i]);
    }
    for (self->i = 0; self->i < self->count; self->i++)
        JOIN(self->i, self->i != self->count - 3 ? 1 : -EIO);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(an_error_does_not_end_the_row)

/* aloop_send() goes alone, and who sends messages behind it is not forgotten when it has ended, or
   is cancelled. */
DATAGRAM_TEST(behind_a_plain_send)
{
    ALOOP_BEGIN;
    OPEN_NARROW_PAIR();
    for (self->round = 0; self->round < 2; self->round++) {
        FILL(1);
        aloop_task_cancel(self->tasks[self->count - 1]);
        JOIN(self->count - 1, -ECANCELED);
        self->tasks[self->count - 1] = io_start(aloop_send(&self->pair[0], "1", 1));
        self->tasks[self->count] = io_start(aloop_send_to(&self->pair[0], "2", 1, NULL));
        TURNS();
        ALOOP_AWAIT(aloop_send(&self->pair[0], "x", 1));
        EXPECT(-EBUSY);
        if (self->round == 1)
            aloop_task_cancel(self->tasks[self->count - 1]);
        TURNS();
        for (self->i = 0; self->i < self->count - 1; self->i++)
            EXPECT_LETTER(letters[self->i]);
        if (self->round == 0)
            EXPECT_LETTER('1');
        EXPECT_LETTER('2');
        for (self->i = 0; self->i < self->count - 1; self->i++)
            JOIN(self->i, 1);
        JOIN(self->count - 1, self->round == 0 ? 1 : -ECANCELED);
        JOIN(self->count, 1);
    }
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(behind_a_plain_send)

/* A receiver that others have filled says nothing to a sender without connection when it has room
   again: the poller watches our side alone, which has room all the time. A loop that believed it
   would spin; one that waited for the next edge would wait for ever. */
DATAGRAM_TEST(a_receiver_that_others_have_filled)
{
    ALOOP_BEGIN;
    strcpy(self->small, "/tmp/aloop-full-XXXXXX");
    self->count = mkstemp(self->small);
    assert_true(self->count >= 0);
    assert_int_equal(close(self->count), 0);
    assert_int_equal(unlink(self->small), 0);
    assert_int_equal(aloop_address_unix(&self->addresses[0], self->small), 0);
    self->data = strdup(self->small);
    assert_int_equal(aloop_datagram_open(NULL, &self->addresses[0], NULL, NULL, &self->pair[1]), 0);
    assert_int_equal(aloop_datagram_open(NULL, NULL, &self->addresses[0], NULL, &self->pair[0]), 0);
    assert_int_equal(aloop_datagram_open(NULL, NULL, &self->addresses[0], NULL, &self->third), 0);
    FILL(1);
    /* Who has a peer is told, and would come first now and then. */
    aloop_task_cancel(self->tasks[--self->count]);
    JOIN(self->count, -ECANCELED);
    ALOOP_AWAIT(aloop_wait_for(aloop_send_to(&self->third, "?", 1, &self->addresses[0]),
                               ALOOP_SEC(1)));
    EXPECT(-ETIMEDOUT);
    fault_install();
    /* An address makes it one that is not told, though the socket has a peer. BSDs say it
       otherwise. */
    fault_fail(FAULT_SENDMSG, 1, -ENOBUFS);
    self->task = io_start(aloop_send_to(&self->third, "!", 1, &self->addresses[0]));
    ALOOP_TRY(aloop_sleep(ALOOP_SEC(1)));
    assert_false(aloop_task_done(self->task));
    /* It asks now and then, and not all the time: of a second, at most every ms. */
    assert_in_range(fault_count(FAULT_SENDMSG), 10, 1002);
    for (self->i = 0; self->i < self->count; self->i++)
        EXPECT_LETTER(letters[self->i]);
    ALOOP_TRY(aloop_join_unref(self->task));
    EXPECT(1);
    EXPECT_LETTER('!');
    for (self->i = 0; self->i < self->count; self->i++)
        JOIN(self->i, 1);
    assert_int_equal(unlink(self->data), 0);
    free(self->data);
    CLOSE_ALL();
    ALOOP_END;
}

DATAGRAM_RUN(a_receiver_that_others_have_filled)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(test_those_who_wait_are_served_in_order),
        ON_EACH_POLLER(test_a_late_comer_does_not_overtake),
        ON_EACH_POLLER(test_a_cancelled_sender_leaves_the_row),
        ON_EACH_POLLER(test_a_turn_that_is_not_taken_is_passed_on),
        ON_EACH_POLLER(test_closing_ends_the_row),
        ON_EACH_POLLER(test_an_error_does_not_end_the_row),
        ON_EACH_POLLER(test_behind_a_plain_send),
        ON_EACH_POLLER(test_a_receiver_that_others_have_filled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
