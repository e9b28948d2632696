/*
 * The commands. Each is a function that reads its words and writes its reply.
 */
#include "resp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A command being answered. */
struct call {
    struct server *server;
    struct store *store;
    struct reply *reply;
    const aloop_slice *args; /* the name is the first */
    size_t count;
    bool is_last; /* the connection is to be closed */
};

static const char syntax_error[] = "-ERR syntax error";
static const char number_error[] = "-ERR value is not an integer or out of range";
static const char memory_error[] = "-ERR out of memory";

static bool is_word(aloop_slice arg, const char *word)
{
    return arg.size == strlen(word) && strncasecmp(arg.data, word, arg.size) == 0;
}

static void reply_string(struct reply *reply, const char *text)
{
    reply_bulk(reply, (aloop_slice){.data = text, .size = strlen(text)});
}

/* --- keys and values --- */

static void do_get(struct call *call)
{
    const struct entry *entry = store_find(call->store, call->args[1]);

    if (entry != NULL)
        reply_bulk(call->reply, entry_value(entry));
    else
        reply_text(call->reply, "$-1");
}

/* The time of the loop that is so long from now; ALOOP_NEVER: there is no such time. */
static aloop_ns time_after(const struct call *call, int64_t count, aloop_ns unit)
{
    aloop_ns now = aloop_time(call->store->loop);

    return count < (ALOOP_NEVER - now) / unit ? now + count * unit : ALOOP_NEVER;
}

/* What may follow SET key value. */
struct set_options {
    bool only_new, only_old, keep_expiry;
    aloop_ns expiry;
};

static const char *parse_set_options(const struct call *call, struct set_options *out)
{
    *out = (struct set_options){.expiry = ALOOP_NEVER};
    for (size_t i = 3; i < call->count; i++) {
        bool is_seconds = is_word(call->args[i], "EX");
        int64_t count;

        if (is_word(call->args[i], "NX")) {
            out->only_new = true;
        } else if (is_word(call->args[i], "XX")) {
            out->only_old = true;
        } else if (is_word(call->args[i], "KEEPTTL")) {
            out->keep_expiry = true;
        } else if ((is_seconds || is_word(call->args[i], "PX")) && i + 1 < call->count) {
            if (!parse_integer(call->args[++i], &count))
                return number_error;
            out->expiry = time_after(call, count, is_seconds ? ALOOP_SEC(1) : ALOOP_MS(1));
            if (count <= 0 || out->expiry == ALOOP_NEVER)
                return "-ERR invalid expire time in 'set' command";
        } else {
            return syntax_error;
        }
    }
    return NULL;
}

static void do_set(struct call *call)
{
    struct set_options options;
    const char *error = parse_set_options(call, &options);
    struct entry *entry;

    if (error == NULL && (options.only_new || options.only_old) &&
        (store_find(call->store, call->args[1]) != NULL) == options.only_new) {
        reply_text(call->reply, "$-1");
        return;
    }
    entry = error == NULL ? store_set(call->store, call->args[1], call->args[2]) : NULL;
    if (error == NULL && entry == NULL)
        error = memory_error;
    if (error == NULL && !options.keep_expiry &&
        store_expire_at(call->store, entry, options.expiry) < 0)
        error = memory_error;
    reply_text(call->reply, error != NULL ? error : "+OK");
}

static void do_del(struct call *call)
{
    int64_t removed = 0;

    for (size_t i = 1; i < call->count; i++) {
        struct entry *entry = store_find(call->store, call->args[i]);

        if (entry == NULL)
            continue;
        store_remove(call->store, entry);
        removed++;
    }
    reply_integer(call->reply, removed);
}

static void do_exists(struct call *call)
{
    int64_t found = 0;

    for (size_t i = 1; i < call->count; i++)
        found += store_find(call->store, call->args[i]) != NULL;
    reply_integer(call->reply, found);
}

static void add_to(struct call *call, int64_t amount)
{
    const struct entry *entry = store_find(call->store, call->args[1]);
    int64_t value = 0;
    char buffer[INTEGER_TEXT_MAX];

    if ((entry != NULL && !parse_integer(entry_value(entry), &value)) ||
        (amount > 0 ? value > INT64_MAX - amount : value < INT64_MIN - amount)) {
        reply_text(call->reply, number_error);
        return;
    }
    value += amount;
    if (store_set(call->store, call->args[1], format_integer(value, buffer)) == NULL)
        reply_text(call->reply, memory_error);
    else
        reply_integer(call->reply, value);
}

static void do_incr(struct call *call)
{
    add_to(call, 1);
}

static void do_decr(struct call *call)
{
    add_to(call, -1);
}

static void do_incrby(struct call *call)
{
    int64_t amount;

    if (parse_integer(call->args[2], &amount))
        add_to(call, amount);
    else
        reply_text(call->reply, number_error);
}

/* --- expiry --- */

static void expire(struct call *call, aloop_ns unit)
{
    struct entry *entry = store_find(call->store, call->args[1]);
    int64_t count;

    if (!parse_integer(call->args[2], &count)) {
        reply_text(call->reply, number_error);
        return;
    }
    if (entry != NULL && count <= 0)
        store_remove(call->store, entry);
    else if (entry != NULL &&
             store_expire_at(call->store, entry, time_after(call, count, unit)) < 0) {
        reply_text(call->reply, memory_error);
        return;
    }
    reply_integer(call->reply, entry != NULL);
}

static void do_expire(struct call *call)
{
    expire(call, ALOOP_SEC(1));
}

static void do_pexpire(struct call *call)
{
    expire(call, ALOOP_MS(1));
}

/* How long it will stay, rounded; -1: for ever, -2: it is not there. */
static void time_to_live(struct call *call, aloop_ns unit)
{
    const struct entry *entry = store_find(call->store, call->args[1]);
    aloop_ns left;

    if (entry == NULL || entry->expiry == 0) {
        reply_integer(call->reply, entry == NULL ? -2 : -1);
        return;
    }
    left = aloop_when(call->store->loop, entry->expiry) - aloop_time(call->store->loop);
    reply_integer(call->reply, left > 0 ? left / unit + (left % unit >= unit / 2) : 0);
}

static void do_ttl(struct call *call)
{
    time_to_live(call, ALOOP_SEC(1));
}

static void do_pttl(struct call *call)
{
    time_to_live(call, ALOOP_MS(1));
}

static void do_persist(struct call *call)
{
    struct entry *entry = store_find(call->store, call->args[1]);
    bool had_expiry = entry != NULL && entry->expiry != 0;

    if (had_expiry)
        (void)store_expire_at(call->store, entry, ALOOP_NEVER);
    reply_integer(call->reply, had_expiry);
}

/* --- the server --- */

static void do_ping(struct call *call)
{
    if (call->count > 1)
        reply_bulk(call->reply, call->args[1]);
    else
        reply_text(call->reply, "+PONG");
}

static void do_echo(struct call *call)
{
    reply_bulk(call->reply, call->args[1]);
}

static void do_dbsize(struct call *call)
{
    reply_integer(call->reply, (int64_t)call->store->count);
}

static void do_flushall(struct call *call)
{
    store_clear(call->store);
    reply_text(call->reply, "+OK");
}

static void do_info(struct call *call)
{
    const struct server *server = call->server;
    char text[512];

    snprintf(text, sizeof text,
             "# Server\r\nlibaloop_version:%s\r\nuptime_in_seconds:%" PRId64 "\r\n"
             "# Clients\r\nconnected_clients:%zu\r\n"
             "# Stats\r\ntotal_commands_processed:%" PRIu64 "\r\n"
             "# Keyspace\r\ndb0:keys=%zu,expires=%zu\r\n",
             aloop_version(),
             (int64_t)((aloop_time(server->store.loop) - server->started) / ALOOP_SEC(1)),
             aloop_server_connections(&server->listener), server->command_count,
             server->store.count, server->store.expiring);
    reply_string(call->reply, text);
}

/* Clients ask these before anything else, and want an answer of this shape. */
static void do_command(struct call *call)
{
    reply_text(call->reply, "*0");
}

static void do_config(struct call *call)
{
    /* Nothing is kept on a disk. */
    static const char *const settings[][2] = {{"save", ""}, {"appendonly", "no"}};

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (call->count != 3 || !is_word(call->args[1], "GET") ||
            !is_word(call->args[2], settings[i][0]))
            continue;
        reply_text(call->reply, "*2");
        reply_string(call->reply, settings[i][0]);
        reply_string(call->reply, settings[i][1]);
        return;
    }
    reply_text(call->reply, "*0");
}

static void do_select(struct call *call)
{
    reply_text(call->reply, is_word(call->args[1], "0") ? "+OK" : "-ERR DB index is out of range");
}

static void do_quit(struct call *call)
{
    reply_text(call->reply, "+OK");
    call->is_last = true;
}

static void do_shutdown(struct call *call)
{
    aloop_event_set(&call->server->stop);
    call->is_last = true;
}

/* --- finding them --- */

/* The name's letters in one number: comparing names is comparing these. */
static struct {
    const char *name;
    size_t least, most; /* words, the name included */
    void (*run)(struct call *call);
    uint64_t letters;
} commands[] = {
    {"GET", 2, 2, do_get, 0},
    {"SET", 3, ARGS_MAX, do_set, 0},
    {"PING", 1, 2, do_ping, 0},
    {"INCR", 2, 2, do_incr, 0},
    {"DEL", 2, ARGS_MAX, do_del, 0},
    {"ECHO", 2, 2, do_echo, 0},
    {"EXISTS", 2, ARGS_MAX, do_exists, 0},
    {"EXPIRE", 3, 3, do_expire, 0},
    {"PEXPIRE", 3, 3, do_pexpire, 0},
    {"TTL", 2, 2, do_ttl, 0},
    {"PTTL", 2, 2, do_pttl, 0},
    {"PERSIST", 2, 2, do_persist, 0},
    {"DECR", 2, 2, do_decr, 0},
    {"INCRBY", 3, 3, do_incrby, 0},
    {"DBSIZE", 1, 1, do_dbsize, 0},
    {"FLUSHALL", 1, 2, do_flushall, 0},
    {"INFO", 1, ARGS_MAX, do_info, 0},
    {"COMMAND", 1, ARGS_MAX, do_command, 0},
    {"CONFIG", 2, ARGS_MAX, do_config, 0},
    {"SELECT", 2, 2, do_select, 0},
    {"QUIT", 1, ARGS_MAX, do_quit, 0},
    {"SHUTDOWN", 1, ARGS_MAX, do_shutdown, 0},
};

/* 0 for what is too long to be one. */
static uint64_t letters_of(aloop_slice name)
{
    uint64_t letters = 0;

    if (name.size > sizeof letters)
        return 0;
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];

        letters = letters << 8 | (c >= 'a' && c <= 'z' ? c - 32u : c);
    }
    return letters;
}

void commands_init(void)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        commands[i].letters =
            letters_of((aloop_slice){.data = commands[i].name, .size = strlen(commands[i].name)});
}

static void run(struct call *call)
{
    uint64_t letters = letters_of(call->args[0]);
    char text[80];

    call->server->command_count++;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (commands[i].letters != letters)
            continue;
        if (call->count >= commands[i].least && call->count <= commands[i].most) {
            commands[i].run(call);
        } else {
            snprintf(text, sizeof text, "-ERR wrong number of arguments for '%s'",
                     commands[i].name);
            reply_text(call->reply, text);
        }
        return;
    }
    reply_text(call->reply, "-ERR unknown command");
}

struct progress answer(struct server *server, aloop_slice input)
{
    struct progress progress = {.need = 1};
    struct command command;

    server->reply.size = 0;
    while (progress.used < input.size && !progress.is_last && server->reply.size < REPLIES_MAX) {
        struct call call = {.server = server, .store = &server->store, .reply = &server->reply};
        aloop_slice rest = {.data = input.data + progress.used, .size = input.size - progress.used};
        int64_t size = parse_command(rest, &command, &progress.need);

        if (size == 0)
            return progress;
        if (size < 0) {
            reply_text(&server->reply, "-ERR Protocol error");
            progress.is_last = true;
            break;
        }
        call.args = command.args;
        call.count = command.count;
        if (call.count > 0)
            run(&call);
        progress.used += (size_t)size;
        progress.is_last = call.is_last;
    }
    progress.need = 1;
    return progress;
}
