/*
 * Reading a request. What returns int gives 0, or the status to refuse the request with.
 */
#include "httpd.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int parse_method(struct request *self, const char *method)
{
    static const char *const others[] = {"POST",    "PUT",     "DELETE", "PATCH",
                                         "OPTIONS", "CONNECT", "TRACE"};

    self->is_head = strcmp(method, "HEAD") == 0;
    if (self->is_head || strcmp(method, "GET") == 0)
        return 0;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(method, others[i]) == 0)
            return 405;
    }
    return 501;
}

/* METHOD SP TARGET SP VERSION; cuts the line into its parts. */
static int parse_request_line(struct request *self, char *line)
{
    char *target = strchr(line, ' ');
    char *version = target != NULL ? strchr(target + 1, ' ') : NULL;

    if (version == NULL || target == line || version == target + 1)
        return 400;
    *target++ = '\0';
    *version++ = '\0';
    if (strncmp(version, "HTTP/", 5) != 0 || !isdigit((unsigned char)version[5]) ||
        version[6] != '.' || !isdigit((unsigned char)version[7]) || version[8] != '\0')
        return 400;
    if (version[5] != '1')
        return 505;
    self->is_http10 = version[7] == '0';
    self->keep_alive = !self->is_http10;
    /* A proxy's way to ask: with the host in front. */
    if (strncasecmp(target, "http://", 7) == 0) {
        target = strchr(target + 7, '/');
        if (target == NULL)
            return 400;
    }
    self->target = target;
    return 0;
}

/* Is `token` one of those in a list with commas? */
static bool has_token(const char *list, const char *token)
{
    size_t length = strlen(token);

    while (*list != '\0') {
        list += strspn(list, ", \t");
        if (strncasecmp(list, token, length) == 0 && strcspn(list, ", \t") == length)
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

static int parse_length(struct request *self, const char *value)
{
    uint64_t length;

    if (*value == '\0' || value[strspn(value, "0123456789")] != '\0')
        return 400;
    length = strlen(value) > 18 ? UINT64_MAX : strtoull(value, NULL, 10);
    /* A proxy that goes by the other one would see the next request begin elsewhere. */
    if (self->has_length && length != self->body_size)
        return 400;
    self->has_length = true;
    self->body_size = length;
    return length > BODY_MAX ? 413 : 0;
}

static int parse_field(struct request *self, char *line)
{
    char *value = strchr(line, ':');
    size_t length;

    /* No name, a name with a blank, a line that continues the one before. */
    if (value == NULL || value == line || strcspn(line, " \t") < (size_t)(value - line))
        return 400;
    *value++ = '\0';
    value += strspn(value, " \t");
    for (length = strlen(value); length > 0 && strchr(" \t", value[length - 1]) != NULL;)
        value[--length] = '\0';
    if (strcasecmp(line, "Host") == 0) {
        if (self->has_host)
            return 400;
        self->has_host = true;
    } else if (strcasecmp(line, "Connection") == 0) {
        if (has_token(value, "keep-alive"))
            self->keep_alive = true;
        if (has_token(value, "close"))
            self->keep_alive = false;
    } else if (strcasecmp(line, "Content-Length") == 0) {
        return parse_length(self, value);
    } else if (strcasecmp(line, "Transfer-Encoding") == 0) {
        return 501;
    } else if (strcasecmp(line, "Range") == 0) {
        self->range = value;
    } else if (strcasecmp(line, "If-Modified-Since") == 0) {
        self->known_time = value;
    } else if (strcasecmp(line, "If-Range") == 0) {
        self->range_time = value;
    }
    return 0;
}

int parse_head(struct request *self, char *head, size_t size)
{
    char *end = head + size;
    char *method = NULL;
    int status = 0;

    if (memchr(head, '\0', size) != NULL)
        return 400;
    for (char *line = head; line < end && status == 0;) {
        char *next = memchr(line, '\n', (size_t)(end - line));

        *next = '\0';
        if (next > line && next[-1] == '\r')
            next[-1] = '\0';
        if (method == NULL) {
            method = line;
            if (strlen(line) > TARGET_MAX)
                return 414;
            status = parse_request_line(self, line);
        } else if (*line != '\0') {
            status = parse_field(self, line);
        }
        line = next + 1;
    }
    if (status == 0 && !self->is_http10 && !self->has_host)
        status = 400;
    return status != 0 ? status : parse_method(self, method);
}
