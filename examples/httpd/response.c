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
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
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

/* What is said of a file, and of the part of it. */
static char *add_file(char *out, int status, const struct content *content)
{
    out += sprintf(out, "Last-Modified: %s\r\nAccept-Ranges: bytes\r\n", content->modified);
    if (status == 206)
        out += sprintf(out, "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n",
                       content->offset, content->offset + content->size - 1, content->total);
    if (status == 416)
        out += sprintf(out, "Content-Range: bytes */%" PRId64 "\r\n", content->total);
    return out;
}

static char *add_head(char *out, int status, const struct request *request,
                      const struct content *content, bool keep_alive)
{
    char date[TIME_TEXT_SIZE];

    format_time(time(NULL), date);
    out += sprintf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, reason(status), date);
    if (status != 304)
        out += sprintf(out,
                       "Content-Type: %s\r\nContent-Length: %" PRId64
                       "\r\nX-Content-Type-Options: nosniff\r\n",
                       content->type, content->size);
    if (content->file >= 0)
        out = add_file(out, status, content);
    if (status == 405)
        out += sprintf(out, "Allow: GET, HEAD\r\n");
    if (!keep_alive || request->is_http10)
        out += sprintf(out, "Connection: %s\r\n", keep_alive ? "keep-alive" : "close");
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
        size = pread(content->file, out, (size_t)size, content->offset);
    if (size <= 0)
        return out;
    content->offset += size;
    content->size -= size;
    return out + size;
}

int write_response(const aloop_stream *stream, int status, const struct request *request,
                   struct content *content, bool keep_alive)
{
    char out[HEAD_ROOM + SMALL];
    char text[64] = "";
    char *end;

    /* None of the content, but a line of text for whoever reads it. */
    if (status != 200 && status != 206) {
        content->type = "text/plain; charset=utf-8";
        content->size = 0;
        if (status != 304)
            content->size = snprintf(text, sizeof text, "%d %s\n", status, reason(status));
    }
    end = add_head(out, status, request, content, keep_alive);
    if (request->is_head || text[0] != '\0' || status == 304)
        content->size = 0;
    if (!request->is_head)
        end += sprintf(end, "%s", text);
    if (content->size > 0 && content->size <= SMALL)
        end = add_body(end, content);
    return aloop_stream_write_nowait(stream, out, (size_t)(end - out));
}
