/*
 * URLs: http://HOST[:PORT][/PATH][?QUERY][#FRAGMENT]
 */
#include "http_client.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool copy_text(char *out, size_t room, const char *text, size_t size)
{
    if (size == 0 || size >= room)
        return false;
    memcpy(out, text, size);
    out[size] = '\0';
    return true;
}

int parse_url(const char *text, struct url *url)
{
    const char *authority, *host;
    size_t size, host_size;

    /* Nothing that would end the request's line. */
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || *c == 127)
            return -EINVAL;
    }
    if (text[0] == '/' && text[1] != '/')
        return copy_text(url->path, sizeof url->path, text, strcspn(text, "#")) ? 0 : -EINVAL;
    if (strncasecmp(text, "http://", strlen("http://")) != 0)
        return -EINVAL;
    host = authority = text + strlen("http://");
    size = strcspn(authority, "/?#");
    if (!copy_text(url->authority, sizeof url->authority, authority, size))
        return -EINVAL;
    snprintf(url->path, sizeof url->path, "/");
    text = authority + size + (authority[size] == '/');
    if (strcspn(text, "#") > 0 &&
        !copy_text(url->path + 1, sizeof url->path - 1, text, strcspn(text, "#")))
        return -EINVAL;
    /* An IPv6 address stands in brackets. */
    host += host[0] == '[';
    host_size = strcspn(host, host > authority ? "]" : ":/?#");
    if (!copy_text(url->host, sizeof url->host, host, host_size))
        return -EINVAL;
    host += host_size + (host[host_size] == ']');
    if (*host != ':')
        host = ":80";
    return copy_text(url->service, sizeof url->service, host + 1, strcspn(host + 1, "/?#"))
               ? 0
               : -EINVAL;
}
