/*
 * RESP, the protocol of redis: commands as arrays of counted strings ("*2\r\n$3\r\nGET\r\n$1\r\n"
 * "x\r\n"), or as words of a line, and the replies.
 */
#include "resp.h"

#include <stdlib.h>
#include <string.h>

/* --- commands --- */

#define INLINE_MAX 65536
#define DIGITS_MAX 9

enum { INCOMPLETE = -1, BROKEN = -2 };

/* The number behind `kind`, up to the end of its line; *at is behind that then. */
static int64_t parse_header(const char **at, const char *end, char kind)
{
    const char *c = *at;
    const char *digits;
    int64_t number = 0;

    if (c == end)
        return INCOMPLETE;
    if (*c++ != kind)
        return BROKEN;
    for (digits = c; c < end && *c >= '0' && *c <= '9'; c++) {
        if (c - digits == DIGITS_MAX)
            return BROKEN;
        number = number * 10 + (*c - '0');
    }
    if (c < end && (c == digits || *c != '\r'))
        return BROKEN;
    if (end - c < 2)
        return INCOMPLETE;
    if (c[1] != '\n')
        return BROKEN;
    *at = c + 2;
    return number;
}

/* For whom types by hand. */
static int64_t parse_words(aloop_slice input, struct command *command, size_t *out_need)
{
    size_t most = input.size < INLINE_MAX ? input.size : INLINE_MAX;
    const char *end = memchr(input.data, '\n', most);

    if (end == NULL) {
        *out_need = input.size + 1;
        return most == INLINE_MAX ? -EPROTO : 0;
    }
    command->count = 0;
    for (const char *c = input.data; c < end;) {
        const char *word = c;

        while (c < end && *c != ' ' && *c != '\r')
            c++;
        if (c > word && command->count == ARGS_MAX)
            return -EPROTO;
        if (c > word)
            command->args[command->count++] =
                (aloop_slice){.data = word, .size = (size_t)(c - word)};
        c++;
    }
    return end + 1 - input.data;
}

int64_t parse_command(aloop_slice input, struct command *out_command, size_t *out_need)
{
    const char *at = input.data;
    const char *end = input.data + input.size;
    int64_t count;

    if (*at != '*')
        return parse_words(input, out_command, out_need);
    count = parse_header(&at, end, '*');
    *out_need = input.size + 1;
    if (count < 0)
        return count == INCOMPLETE ? 0 : -EPROTO;
    if (count > ARGS_MAX)
        return -EPROTO;
    for (int64_t i = 0; i < count; i++) {
        int64_t size = parse_header(&at, end, '$');

        if (size == INCOMPLETE)
            return *out_need <= COMMAND_MAX ? 0 : -EPROTO;
        if (size == BROKEN || (size_t)size > VALUE_MAX)
            return -EPROTO;
        if (end - at < size + 2) {
            *out_need = (size_t)(at - input.data + size + 2);
            return *out_need <= COMMAND_MAX ? 0 : -EPROTO;
        }
        out_command->args[i] = (aloop_slice){.data = at, .size = (size_t)size};
        at += size;
        if (at[0] != '\r' || at[1] != '\n')
            return -EPROTO;
        at += 2;
    }
    out_command->count = (size_t)count;
    return at - input.data;
}

/* --- numbers --- */

bool parse_integer(aloop_slice text, int64_t *out_value)
{
    bool is_negative = text.size > 0 && text.data[0] == '-';
    size_t i = is_negative;
    int64_t value = 0;

    if (i == text.size)
        return false;
    /* Downwards, where there is one number more than upwards. */
    for (; i < text.size; i++) {
        int digit = text.data[i] - '0';

        if (digit < 0 || digit > 9 || value < (INT64_MIN + digit) / 10)
            return false;
        value = 10 * value - digit;
    }
    if (!is_negative && value == INT64_MIN)
        return false;
    *out_value = is_negative ? value : -value;
    return true;
}

aloop_slice format_integer(int64_t value, char buffer[INTEGER_TEXT_MAX])
{
    char *begin = buffer + INTEGER_TEXT_MAX;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        *--begin = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--begin = '-';
    return (aloop_slice){.data = begin, .size = (size_t)(buffer + INTEGER_TEXT_MAX - begin)};
}

/* --- replies --- */

/* Room for so many bytes at the end, which are counted as written; NULL: no memory. */
static char *reply_room(struct reply *reply, size_t size)
{
    if (size > reply->capacity - reply->size) {
        size_t capacity = 2 * reply->capacity + size + 4096;
        char *data = realloc(reply->data, capacity);

        if (data == NULL) {
            reply->has_failed = true;
            return NULL;
        }
        reply->data = data;
        reply->capacity = capacity;
    }
    reply->size += size;
    return reply->data + reply->size - size;
}

static void reply_bytes(struct reply *reply, const void *data, size_t size)
{
    char *room = reply_room(reply, size);

    if (room != NULL && size > 0)
        memcpy(room, data, size);
}

void reply_text(struct reply *reply, const char *line)
{
    reply_bytes(reply, line, strlen(line));
    reply_bytes(reply, "\r\n", 2);
}

static void reply_number(struct reply *reply, char kind, int64_t value)
{
    char buffer[INTEGER_TEXT_MAX];
    aloop_slice digits = format_integer(value, buffer);
    char *room = reply_room(reply, digits.size + 3);

    if (room == NULL)
        return;
    *room = kind;
    memcpy(room + 1, digits.data, digits.size);
    memcpy(room + 1 + digits.size, "\r\n", 2);
}

void reply_integer(struct reply *reply, int64_t value)
{
    reply_number(reply, ':', value);
}

void reply_bulk(struct reply *reply, aloop_slice bytes)
{
    reply_number(reply, '$', (int64_t)bytes.size);
    reply_bytes(reply, bytes.data, bytes.size);
    reply_bytes(reply, "\r\n", 2);
}
