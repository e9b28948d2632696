# One classic bug for each kind of queue and channel: what its scenario must find.
set(file ${CMAKE_CURRENT_LIST_DIR}/../test_interleave_queue.c)

# Who was promised an item and is cancelled does not pass it on.
aloop_add_mutant(queue ${file} queue src/task/queue.c
    "    queue->getters.promised_count--;
    (void)side_promise(&queue->getters, get_promised_poll);"
    "    queue->getters.promised_count--;")

# What is promised to others is promised to a newcomer as well.
aloop_add_mutant(queue_barging ${file} queue src/task/queue.c
    "if (queue->count <= queue->getters.promised_count) {"
    "if (queue->count == 0) {")

aloop_add_mutant(lifo_queue ${file} lifo_queue src/task/queue_order.c
    "queue_slot(queue, queue->count - 1)"
    "queue_slot(queue, 0)")

# Equal items come out in any order.
aloop_add_mutant(priority_queue ${file} priority_queue src/task/priority_queue.c
    "order < 0 || (order == 0 && sequence < *sequence_of(queue, slot))"
    "order <= 0")

# A sender that goes without a word leaves the receiver waiting.
aloop_add_mutant(oneshot ${file} oneshot src/task/oneshot.c
    "    waiters_orphan(&oneshot->abandoned);
    waiters_notify(&oneshot->receivers);"
    "    waiters_orphan(&oneshot->abandoned);")

# An item that was just overwritten passes for the one that it replaced.
aloop_add_mutant(broadcast ${file} broadcast src/task/broadcast.c
    "if (behind > broadcast->capacity)"
    "if (behind > broadcast->capacity + 1)")

# Two changes look like none.
aloop_add_mutant(watch ${file} watch src/task/value_watch.c
    "    watch->version++;"
    "    watch->version = 3 - watch->version;")

# The cancellation that closes a generator is taken for one of the task.
aloop_add_mutant(generator ${file} generator src/task/generator.c
    "    generator->is_closing = true;"
    "    (void)0;")
