/*
 * What a client has already: all of a file as it is, or a part of it.
 */
#include "httpd.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void format_time(time_t when, char out[TIME_TEXT_SIZE])
{
    strftime(out, TIME_TEXT_SIZE, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&when));
}

/* A number of at most 18 digits; *text is behind it then. -1: there is none. */
static int64_t parse_offset(const char **text)
{
    size_t digits = strspn(*text, "0123456789");
    int64_t value = digits > 0 && digits <= 18 ? strtoll(*text, NULL, 10) : -1;

    *text += digits;
    return value;
}

/* "bytes=0-99", "bytes=100-", "bytes=-100": the first byte and the last. Is it one range, as most
   ask for? Several are answered with the whole file, which is allowed. */
static bool parse_range(const char *text, int64_t size, int64_t *out_first, int64_t *out_last)
{
    int64_t first, last;

    if (strncasecmp(text, "bytes=", 6) != 0)
        return false;
    text += 6;
    first = parse_offset(&text);
    if (*text++ != '-')
        return false;
    last = parse_offset(&text);
    if (*text != '\0' || (first < 0 && last < 0) || (last >= 0 && last < first))
        return false;
    *out_first = first >= 0 ? first : last < size ? size - last : 0;
    *out_last = first >= 0 && last >= 0 && last < size ? last : size - 1;
    return true;
}

int narrow_content(const struct request *request, struct content *content)
{
    int64_t first, last;

    if (content->file < 0)
        return 200;
    if (request->known_time != NULL && strcmp(request->known_time, content->modified) == 0)
        return 304;
    if (request->range == NULL || !parse_range(request->range, content->total, &first, &last) ||
        (request->range_time != NULL && strcmp(request->range_time, content->modified) != 0))
        return 200;
    if (first > last)
        return 416;
    content->offset = first;
    content->size = last - first + 1;
    return 206;
}
