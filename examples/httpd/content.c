/*
 * Finding what a request asks for: a file, a directory's index or list, the status page.
 */
#include "httpd.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *content_type(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"}, {".htm", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},   {".js", "text/javascript; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"}, {".md", "text/plain; charset=utf-8"},
        {".json", "application/json"},         {".svg", "image/svg+xml"},
        {".png", "image/png"},                 {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},               {".gif", "image/gif"},
        {".ico", "image/x-icon"},              {".webp", "image/webp"},
        {".wasm", "application/wasm"},         {".pdf", "application/pdf"}};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcasecmp(dot, types[i][0]) == 0)
            return types[i][1];
    }
    return "application/octet-stream";
}

/* Cuts the query off, and turns %41 into A, in place. */
static int decode_path(char *path)
{
    char *out = path;

    path[strcspn(path, "?#")] = '\0';
    for (const char *in = path; *in != '\0'; in++) {
        char digits[3] = {0};

        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        if (!isxdigit((unsigned char)in[1]) || !isxdigit((unsigned char)in[2]))
            return 400;
        memcpy(digits, in + 1, 2);
        *out = (char)strtol(digits, NULL, 16);
        if (*out++ == '\0')
            return 400;
        in += 2;
    }
    *out = '\0';
    return path[0] == '/' ? 0 : 400;
}

/* Opens the file step by step, so that no step leads out: names with a dot in front, ".." first of
   all, and symbolic links are nothing to us. The fd, or -1. */
static int open_path(int root, const char *path)
{
    char name[256];
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (path += strspn(path, "/"); fd >= 0 && *path != '\0'; path += strspn(path, "/")) {
        size_t length = strcspn(path, "/");
        int parent = fd;

        fd = -1;
        if (length < sizeof name && path[0] != '.') {
            memcpy(name, path, length);
            name[length] = '\0';
            fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        }
        close(parent);
        path += length;
    }
    return fd;
}

static void print_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("<>&\"'%?#", *text) != NULL)
            fprintf(out, "&#%d;", *text);
        else
            fputc(*text, out);
    }
}

/* The names in a directory as links. Takes the fd. */
static char *list_directory(int fd, const char *path)
{
    char *page = NULL;
    size_t size;
    FILE *out = open_memstream(&page, &size);
    DIR *directory = fdopendir(fd);

    if (out == NULL || directory == NULL) {
        close(fd);
        return NULL;
    }
    fprintf(out, "<!DOCTYPE html><title>");
    print_escaped(out, path);
    fprintf(out, "</title><ul>\n");
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        fprintf(out, "<li><a href=\"./");
        for (const char *c = entry->d_name; *c != '\0'; c++)
            fprintf(out, isalnum((unsigned char)*c) || strchr("._-", *c) ? "%c" : "%%%02X",
                    (unsigned char)*c);
        fprintf(out, "\">");
        print_escaped(out, entry->d_name);
        fprintf(out, "</a>\n");
    }
    fprintf(out, "</ul>\n");
    closedir(directory);
    return fclose(out) == 0 ? page : NULL;
}

static int set_page(struct content *content, char *page)
{
    if (page == NULL)
        return 500;
    content->page = page;
    content->size = content->total = (int64_t)strlen(page);
    return 200;
}

static void set_file(struct content *content, int fd, const struct stat *status)
{
    content->file = fd;
    content->size = content->total = status->st_size;
    format_time(status->st_mtime, content->modified);
}

static char *status_page(const struct server *server)
{
    char *page = malloc(256);

    if (page != NULL)
        snprintf(page, 256, "uptime %ld s\nconnections %zu\nrequests %" PRIu64 "\n",
                 (long)(time(NULL) - server->started), aloop_server_connections(&server->listener),
                 server->requests);
    return page;
}

static int find_directory(const char *path, int fd, struct content *out)
{
    struct stat status;
    int index;

    if (path[strlen(path) - 1] != '/') {
        close(fd);
        return 301;
    }
    out->type = "text/html; charset=utf-8";
    index = openat(fd, "index.html", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (index >= 0 && fstat(index, &status) == 0 && S_ISREG(status.st_mode)) {
        close(fd);
        set_file(out, index, &status);
        return 200;
    }
    if (index >= 0)
        close(index);
    return set_page(out, list_directory(fd, path));
}

int find_content(const struct server *server, struct request *request, struct content *out)
{
    const char *path = request->target;
    int error = decode_path(request->target);
    struct stat status;
    int fd;

    if (error != 0)
        return error;
    if (strcmp(path, "/status") == 0) {
        out->type = "text/plain; charset=utf-8";
        return set_page(out, status_page(server));
    }
    fd = open_path(server->root, path);
    if (fd < 0)
        return 404;
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
        return find_directory(path, fd, out);
    if (!S_ISREG(status.st_mode) || path[strlen(path) - 1] == '/') {
        close(fd);
        return 404;
    }
    out->type = content_type(path);
    set_file(out, fd, &status);
    return 200;
}
