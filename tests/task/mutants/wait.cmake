# One bug for each way of waiting for the first of several, for groups and for timeouts: what its
# scenario must find.
set(file ${CMAKE_CURRENT_LIST_DIR}/../test_interleave_wait.c)

# Who waits for the first hears when all are done.
aloop_add_mutant(wait ${file} wait src/task/future_set.c
    "    if (future_set_is_settled(set))"
    "    if (set->pending == 0)")

# Who waits for the next does not hear of it.
aloop_add_mutant(as_completed ${file} as_completed src/task/as_completed.c
    "    aloop_wake_one(&entry->it->waiters);"
    "")

# The race is over while the losers still clean up.
aloop_add_mutant(race ${file} race src/task/race.c
    "return set->pending > 0 ? ALOOP_PENDING : race_is_over(task, op);"
    "return set->first == NONE ? ALOOP_PENDING : race_is_over(task, op);")

# A case that has lost keeps the wake-up that it got.
aloop_add_mutant(select ${file} select src/task/select.c
    "    if (op->type != NULL && op->type->drop != NULL)"
    "    if (op->type == NULL)")

# The errors of children make their parent forget that it was cancelled.
aloop_add_mutant(group ${file} group src/task/group.c
    "which must not get lost over them. */
    if (op->flags & OP_CANCELLED)
        task->state |= ALARM_CANCEL;"
    "which ... */")

# A cancellation in the moment of the deadline is taken for that.
aloop_add_mutant(timeout ${file} timeout src/task/scope.c
    "           scope->task->cancelling <= scope->cancelling;"
    "           true;")
