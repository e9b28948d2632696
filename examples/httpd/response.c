/*
 * Writing a response: its head, and with it the body if that is small, so that both go together.
 * piece.
 */
#include "httpd.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SMALL 16384                      /* a body that is better copied than sent by itself */
#define HEAD_ROOM (512 + 3 * TARGET_MAX) /* the target, should each letter be encoded */

static const char *reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 301: return "Moved Permanently";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    default: return "HTTP Version Not Supported";
    }
}

/* A redirection's place: the path with its slash; what a header must not contain is encoded. */
static char *add_location(char *out, const char *target)
{
    out += sprintf(out, "Location: ");
    for (const char *c = target; *c != '\0'; c++)
        out += sprintf(out, isalnum((unsigned char)*c) || strchr("/._-~", *c) ? "%c" : "%%%02X",
                       (unsigned char)*c);
    return out + sprintf(out, "/\r\n");
}

static char *add_head(char *out, int status, const struct request *request, const char *type,
                      int64_t size, bool keep_alive)
{
    char date[64];
    time_t now = time(NULL);

    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    out += sprintf(out,
                   "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %" PRId64
                   "\r\nX-Content-Type-Options: nosniff\r\n%s%s",
                   status, reason(status), date, type, size,
                   status == 405 ? "Allow: GET, HEAD\r\n" : "",
                   !keep_alive          ? "Connection: close\r\n"
                   : request->is_http10 ? "Connection: keep-alive\r\n"
                                        : "");
    if (status == 301)
        out = add_location(out, request->target);
    return out + sprintf(out, "\r\n");
}

/* The body, or its beginning; that much less is left of it. */
static char *add_body(char *out, struct content *content)
{
    ssize_t size = (ssize_t)content->size;

    if (content->page != NULL)
        memcpy(out, content->page, (size_t)size);
    else
        size = pread(content->file, out, (size_t)size, 0);
    if (size <= 0)
        return out;
    content->offset = size;
    content->size -= size;
    return out + size;
}

int write_response(const aloop_stream *stream, int status, const struct request *request,
                   struct content *content, bool keep_alive)
{
    char out[HEAD_ROOM + SMALL];
    char text[64];
    char *end;

    if (status == 200) {
        end = add_head(out, 200, request, content->type, content->size, keep_alive);
    } else {
        int length = snprintf(text, sizeof text, "%d %s\n", status, reason(status));

        end = add_head(out, status, request, "text/plain; charset=utf-8", length, keep_alive);
        if (!request->is_head)
            end += sprintf(end, "%s", text);
    }
    if (request->is_head)
        content->size = 0;
    else if (content->size <= SMALL)
        end = add_body(end, content);
    return aloop_stream_write_nowait(stream, out, (size_t)(end - out));
}
