/*
 * What the files of the RESP server share.
 */
#ifndef RESP_H
#define RESP_H

#include <aloop.h>

#define ARGS_MAX 1024                   /* of a command, its name included */
#define VALUE_MAX ((size_t)1 << 20)     /* bytes in an argument */
#define COMMAND_MAX ((size_t)2 << 20)   /* bytes of a command */
#define REPLIES_MAX ((size_t)256 << 10) /* with so many bytes of replies, they are sent first */

/* --- protocol.c --- */

/* A command's words, which are where they were received. */
struct command {
    size_t count;
    aloop_slice args[ARGS_MAX];
};

/*
 * Finds the command that `input` begins with. Returns its size; 0 if it is not all there, and
 * *out_need is how many bytes of input can tell more; or -EPROTO.
 */
int64_t parse_command(aloop_slice input, struct command *out_command, size_t *out_need);
/* A whole number in decimal, and nothing else. */
bool parse_integer(aloop_slice text, int64_t *out_value);
/* Its digits, which are somewhere in `buffer`. */
#define INTEGER_TEXT_MAX 20
aloop_slice format_integer(int64_t value, char buffer[INTEGER_TEXT_MAX]);

/* Replies, one after another. */
struct reply {
    char *data;
    size_t size;
    size_t capacity;
    bool has_failed; /* there was no memory, and something is missing */
};

void reply_text(struct reply *reply, const char *line); /* "+OK", "-ERR ...", "$-1" */
void reply_integer(struct reply *reply, int64_t value);
void reply_bulk(struct reply *reply, aloop_slice bytes);

/* --- store.c --- */

/* Small, and what looking for a key reads of it is at the end, where the key is. */
struct entry {
    struct store *store;
    aloop_handle expiry; /* 0: stays */
    char *value;
    uint32_t value_size;
    uint32_t value_capacity;
    struct entry *next; /* in its bucket */
    uint32_t hash;
    uint32_t key_size;
    char key[];
};

struct store {
    aloop *loop;
    struct entry **buckets; /* a power of two of them */
    size_t bucket_count;
    size_t count;
    size_t expiring;
    uint64_t seed;
};

int store_init(struct store *store, aloop *loop); /* 0 or -ENOMEM */
void store_fini(struct store *store);
void store_clear(struct store *store);
/* NULL: there is none. */
struct entry *store_find(struct store *store, aloop_slice key);
/* Gives the key that value; NULL: no memory, and nothing has changed. When it expires stays. */
struct entry *store_set(struct store *store, aloop_slice key, aloop_slice value);
void store_remove(struct store *store, struct entry *entry);
/* The entry goes at that time of the loop's; ALOOP_NEVER: it stays. 0 or -ENOMEM. */
int store_expire_at(struct store *store, struct entry *entry, aloop_ns when);

static inline aloop_slice entry_value(const struct entry *entry)
{
    return (aloop_slice){.data = entry->value, .size = entry->value_size};
}

/* --- commands.c --- */

struct server {
    struct store store;
    struct reply reply; /* of whoever is being answered: nobody else is at that moment */
    aloop_server listener;
    aloop_event stop; /* SHUTDOWN */
    aloop_ns started;
    uint64_t command_count;
};

/* How to go on after some commands. */
struct progress {
    size_t used;  /* bytes of input that were commands */
    size_t need;  /* bytes of the rest that make a difference */
    bool is_last; /* close, once this is sent */
};

void commands_init(void);
/* Answers the commands in `input`; what is to be sent is in server->reply. */
struct progress answer(struct server *server, aloop_slice input);

/* --- demo.c --- */

/* Talks to the server there, and has it shut down. */
struct demo {
    ALOOP_FRAME;
    aloop_address address;
    aloop_socket sock;
    aloop_stream stream;
    aloop_slice line;
    size_t i;
};
ALOOP_CORO_DECLARE(demo);

#endif
