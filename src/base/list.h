/*
 * Intrusive doubly linked list with a sentinel: whoever can be in a list embeds a struct list, so
 * that adding and removing never allocate and never fail. A node that is in no list points at
 * itself, which makes list_del() harmless to repeat.
 */
#ifndef ALOOP_SRC_BASE_LIST_H
#define ALOOP_SRC_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

/* The struct of type TYPE whose MEMBER is at `pointer`. */
#define CONTAINER_OF(pointer, TYPE, MEMBER)                                                        \
    ((TYPE *)(void *)((char *)(pointer)-offsetof(TYPE, MEMBER)))

static inline void list_init(struct list *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

/* Links `node`, which is in no list, last. */
static inline void list_push(struct list *head, struct list *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

/* Links `node`, which is in no list, first. */
static inline void list_push_front(struct list *head, struct list *node)
{
    list_push(head->next, node);
}

static inline void list_del(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Unlinks and returns the first node; NULL where there is none. */
static inline struct list *list_pop(struct list *head)
{
    struct list *node = head->next;

    if (node == head)
        return NULL;
    list_del(node);
    return node;
}

/* Moves everything in `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
