/*
 * Writing the response: a head, and with it as much of the body as fits, so that what is small goes
 * in one piece.
 */
#include "httpd.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void fill_from_file(struct connection *self)
{
    size_t room = CHUNK - self->filled;
    size_t most = self->left < room ? (size_t)self->left : room;
    ssize_t got = most > 0 ? read(self->file, self->out + self->filled, most) : 0;

    /* Shorter than it was: all that can still be said is that the connection ends here. */
    if (got <= 0) {
        self->keep_alive = self->keep_alive && self->left == 0;
        self->left = 0;
        return;
    }
    self->filled += (size_t)got;
    self->left -= (uint64_t)got;
}

/* A redirection's place: the path with its slash; what a header must not contain is encoded. */
static void add_location(struct connection *self)
{
    size_t *n = &self->filled;

    *n += (size_t)sprintf(self->out + *n, "Location: ");
    for (const char *c = self->target; *c != '\0'; c++)
        *n += (size_t)sprintf(self->out + *n,
                              isalnum((unsigned char)*c) || strchr("/._-~", *c) ? "%c" : "%%%02X",
                              (unsigned char)*c);
    *n += (size_t)sprintf(self->out + *n, "/\r\n");
}

void begin_response(struct connection *self, int status)
{
    const char *type = "text/plain; charset=utf-8";
    char date[64];
    time_t now = time(NULL);
    uint64_t length;

    if (status == 0)
        status = find_content(self, &type);
    self->status = status;
    /* After these nobody knows where the next request would begin. */
    if (status == 400 || status == 408 || status == 413 || status == 414 || status == 431 ||
        status == 501 || status == 505 || self->server->is_stopping)
        self->keep_alive = false;
    if (status != 200 && (self->page = malloc(64)) != NULL)
        snprintf(self->page, 64, "%d %s\n", status, reason(status));
    length = self->file >= 0 ? self->left : self->page != NULL ? strlen(self->page) : 0;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    self->filled = (size_t)snprintf(
        self->out, CHUNK,
        "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %" PRIu64
        "\r\nX-Content-Type-Options: nosniff\r\n%s%s",
        status, reason(status), date, type, length, status == 405 ? "Allow: GET, HEAD\r\n" : "",
        !self->keep_alive ? "Connection: close\r\n" : self->is_http10 ? "Connection: keep-alive\r\n"
                                                                      : "");
    if (status == 301)
        add_location(self);
    self->filled += (size_t)sprintf(self->out + self->filled, "\r\n");
    if (self->is_head) {
        self->left = 0;
    } else if (self->file >= 0) {
        fill_from_file(self);
    } else if (self->page != NULL && length <= CHUNK - self->filled) {
        memcpy(self->out + self->filled, self->page, (size_t)length);
        self->filled += (size_t)length;
        free(self->page);
        self->page = NULL;
    }
}

void end_response(struct connection *self)
{
    if (self->file >= 0)
        close(self->file);
    self->file = -1;
    free(self->page);
    self->page = NULL;
}
