/*
 * Reading what a response says of itself.
 */
#include "http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int parse_status(aloop_slice line, struct response *response)
{
    char text[16];

    *response = (struct response){.length = -1};
    /* "HTTP/1.1 200" */
    if (line.size < 12 || strncmp(line.data, "HTTP/1.", 7) != 0 || line.data[8] != ' ')
        return -EPROTO;
    snprintf(text, sizeof text, "%.3s", line.data + 9);
    response->status = (int)strtol(text, NULL, 10);
    return response->status >= 100 ? 0 : -EPROTO;
}

int parse_field(aloop_slice line, struct response *response)
{
    char text[sizeof response->location + 32];
    char *value;
    size_t length;

    /* What is longer than that is none of ours. */
    if (!copy_text(text, sizeof text, line.data, line.size))
        return 0;
    value = strchr(text, ':');
    if (value == NULL)
        return -EPROTO;
    *value++ = '\0';
    value += strspn(value, " \t");
    for (length = strlen(value); length > 0 && strchr(" \t", value[length - 1]) != NULL;)
        value[--length] = '\0';
    if (strcasecmp(text, "Content-Length") == 0) {
        char *end;

        response->length = strtoll(value, &end, 10);
        if (end == value || response->length < 0)
            return -EPROTO;
    } else if (strcasecmp(text, "Transfer-Encoding") == 0) {
        /* We have not said that we know any other. */
        if (strcasecmp(value, "chunked") != 0)
            return -EPROTO;
        response->is_chunked = true;
    } else if (strcasecmp(text, "Location") == 0) {
        (void)copy_text(response->location, sizeof response->location, value, strlen(value));
    }
    return 0;
}

int64_t parse_chunk_size(aloop_slice line)
{
    char text[16];
    /* The end of the line is there, if nothing else is. */
    size_t digits = strspn(line.data, "0123456789abcdefABCDEF");

    if (!copy_text(text, sizeof text, line.data, digits))
        return -EPROTO;
    return strtoll(text, NULL, 16);
}
