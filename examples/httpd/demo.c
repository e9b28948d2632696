/*
 * The server is started on a directory made for it, asked over real connections, and stopped while
 * it sends something large. One line for each question; the exit code says whether all answers were
 * right.
 */
#include "httpd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIG_SIZE ((off_t)32 << 20)
#define ANSWER_MAX 65536

static struct server server;
static char directory[] = "/tmp/aloop-httpd-XXXXXX";

/* A question, and what the answer must hold: the statuses in it, in order, and a text. */
struct question {
    const char *what;
    const char *text;
    const char *statuses;
    const char *contains;
    const char *lacks; /* NULL: nothing */
    const char *then;  /* is sent when the first answer has begun; NULL: nothing */
    size_t padding;    /* so many letters are sent behind the text, and an empty line */
};

#define GET(path) "GET " path " HTTP/1.1\r\nHost: demo\r\n"
#define LAST "Connection: close\r\n\r\n"

static const struct question questions[] = {
    {"a file", GET("/hello.txt") LAST, "200", "text/plain", NULL, NULL, 0},
    {"the directory's index", GET("/") LAST, "200", "<h1>It works</h1>", NULL, NULL, 0},
    {"a directory without one", GET("/sub/") LAST, "200", "one.css", NULL, NULL, 0},
    {"a directory without its slash", GET("/sub") LAST, "301", "Location: /sub/", NULL, NULL, 0},
    {"only its head", "HEAD /hello.txt HTTP/1.1\r\nHost: demo\r\n" LAST, "200",
     "Content-Length: 14", "Hello", NULL, 0},
    {"a part of a file", GET("/hello.txt") "Range: bytes=7-11\r\n" LAST, "206", "\r\n\r\nworld",
     "Hello", NULL, 0},
    {"a part beyond its end", GET("/hello.txt") "Range: bytes=14-\r\n" LAST, "416",
     "Content-Range: bytes */14", "Hello", NULL, 0},
    {"what is not there", GET("/nothing") LAST, "404", "", NULL, NULL, 0},
    {"a name with blanks", GET("/with%20blanks.txt?q=1") LAST, "200", "blank", NULL, NULL, 0},
    {"a way out", GET("/../../etc/passwd") LAST, "404", "", "root:", NULL, 0},
    {"the same in disguise", GET("/%2e%2e/%2E%2E/etc/passwd") LAST, "404", "", "root:", NULL, 0},
    {"a link that leads out", GET("/link/passwd") LAST, "404", "", "root:", NULL, 0},
    {"three at once", GET("/hello.txt") "\r\n" GET("/nothing") "\r\n" GET("/status") LAST,
     "200 404 200", "requests", NULL, NULL, 0},
    {"one after another", GET("/hello.txt") "\r\n", "200 200", "Hello", NULL,
     GET("/hello.txt") LAST, 0},
    {"in the old way", "GET /hello.txt HTTP/1.0\r\n\r\n", "200", "Connection: close", NULL, NULL,
     0},
    {"another method", "DELETE / HTTP/1.1\r\nHost: demo\r\n" LAST, "405", "Allow: GET, HEAD", NULL,
     NULL, 0},
    {"no method at all", "BREW /pot HTTP/1.1\r\nHost: demo\r\n\r\n", "501", "", NULL, NULL, 0},
    {"another protocol", "GET / HTTP/3.0\r\nHost: demo\r\n\r\n", "505", "", NULL, NULL, 0},
    {"nonsense", "hello?\r\n\r\n", "400", "", NULL, NULL, 0},
    {"no host", "GET / HTTP/1.1\r\n\r\n", "400", "", NULL, NULL, 0},
    {"a head too large", GET("/") "X: ", "431", "", NULL, NULL, 9000},
    {"a name too long", "GET /", "414", "", NULL, NULL, 9000},
    {"a body too large", "POST / HTTP/1.1\r\nHost: demo\r\nContent-Length: 99999999\r\n\r\n", "413",
     "", NULL, NULL, 0},
    {"too slowly", "GET / HTTP/1.1\r\nHost:", "408", "", NULL, NULL, 0},
};

/* The statuses of the answers in `text`: "200 404". */
static void find_statuses(const char *text, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    while ((text = strstr(text, "HTTP/1.1 ")) != NULL && used + 5 < size) {
        used += (size_t)snprintf(out + used, size - used, "%s%.3s", used > 0 ? " " : "", text + 9);
        text += 9;
    }
}

static bool is_right(const struct question *question, const char *answer)
{
    char statuses[64];
    bool right;

    find_statuses(answer, statuses, sizeof statuses);
    right = strcmp(statuses, question->statuses) == 0 &&
            strstr(answer, question->contains) != NULL &&
            (question->lacks == NULL || strstr(answer, question->lacks) == NULL);
    printf("%-30s %-12s %s\n", question->what, statuses, right ? "ok" : "WRONG");
    if (!right)
        printf("    expected %s %s\n%s\n", question->statuses, question->contains, answer);
    return right;
}

struct ask {
    ALOOP_FRAME;
    const struct question *question;
    char *answer; /* ANSWER_MAX bytes */
    size_t used;
    aloop_socket sock;
};

/* Sends the question and reads to the end. The outcome: 1 if the answer was right, else 0. */
ALOOP_CORO(ask)
{
    const struct question *question = self->question;

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_connect(&server.address, &self->sock));
    ALOOP_TRY(aloop_send_all(&self->sock, question->text, strlen(question->text)));
    if (question->padding > 0) {
        memset(self->answer, 'x', question->padding);
        ALOOP_TRY(aloop_send_all(&self->sock, self->answer, question->padding));
        ALOOP_TRY(aloop_send_all(&self->sock, "\r\n\r\n", 4));
    }
    if (question->then != NULL) {
        ALOOP_TRY_TO(self->used, aloop_recv(&self->sock, self->answer, ANSWER_MAX - 1));
        ALOOP_TRY(aloop_send_all(&self->sock, question->then, strlen(question->then)));
    }
    do {
        ALOOP_TRY(aloop_recv(&self->sock, self->answer + self->used,
                             ANSWER_MAX - 1 - self->used));
        self->used += (size_t)self->result;
    } while (self->result > 0);
    self->answer[self->used] = '\0';
    ALOOP_RETURN(is_right(question, self->answer));
    ALOOP_FINALLY;
    aloop_socket_close(&self->sock);
    ALOOP_END;
}

struct stop_while_sending {
    ALOOP_FRAME;
    char *buffer;
    uint64_t received;
    aloop_socket sock;
    aloop_socket late;
};

/* The server is told to stop in the middle of a large answer: it must come whole. The outcome: 1 if
   it did and nobody else was let in. */
ALOOP_CORO(stop_while_sending)
{
    static const char question[] = GET("/big.bin") "\r\n";

    ALOOP_BEGIN;
    ALOOP_TRY(aloop_connect(&server.address, &self->sock));
    ALOOP_TRY(aloop_send_all(&self->sock, question, sizeof question - 1));
    do {
        ALOOP_TRY(aloop_recv(&self->sock, self->buffer, ANSWER_MAX));
        if (self->received == 0)
            server_stop(&server);
        self->received += (uint64_t)self->result;
    } while (self->result > 0);
    ALOOP_AWAIT(aloop_connect(&server.address, &self->late));
    printf("%-30s %-12s %s\n", "stopping during 32 MiB", "200",
           self->received > (uint64_t)BIG_SIZE && self->result < 0 ? "ok" : "WRONG");
    ALOOP_RETURN(self->received > (uint64_t)BIG_SIZE && self->result < 0);
    ALOOP_FINALLY;
    aloop_socket_close(&self->sock);
    aloop_socket_close(&self->late);
    ALOOP_END;
}

struct demo_task {
    ALOOP_FRAME;
    aloop_group group;
    char *answer;
    size_t i;
    size_t right;
};

ALOOP_CORO(demo_task)
{
    char text[ALOOP_ADDRESS_TEXT_MAX];

    ALOOP_BEGIN;
    aloop_group_init(&self->group);
    ALOOP_TRY(aloop_group_start_and_wait(&self->group, serve, .server = &server));
    aloop_address_format(&server.address, text, sizeof text);
    printf("serving on http://%s/\n", text);
    for (self->i = 0; self->i < sizeof questions / sizeof questions[0]; self->i++) {
        ALOOP_TRY(aloop_call(ask, .question = &questions[self->i], .answer = self->answer));
        self->right += (size_t)self->result;
    }
    ALOOP_TRY(aloop_call(stop_while_sending, .buffer = self->answer));
    self->right += (size_t)self->result;
    ALOOP_TRY(aloop_group_wait(&self->group));
    printf("%zu of %zu answers as expected, %d requests served, %zu connections left\n",
           self->right, self->i + 1, (int)server.requests,
           aloop_server_connections(&server.listener));
    ALOOP_RETURN(self->right == self->i + 1 ? 0 : 1);
    ALOOP_END;
}

/* --- the directory --- */

static const char *const files[][2] = {{"index.html", "<!DOCTYPE html><h1>It works</h1>\n"},
                                       {"hello.txt", "Hello, world!\n"},
                                       {"with blanks.txt", "blank\n"},
                                       {"sub/one.css", "body { color: black }\n"},
                                       {"big.bin", ""}};

static int make_directory(void)
{
    char path[128];

    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/sub", directory);
    if (mkdir(path, 0700) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/link", directory);
    if (symlink("/etc", path) < 0)
        return -1;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        FILE *file;

        snprintf(path, sizeof path, "%s/%s", directory, files[i][0]);
        file = fopen(path, "w");
        if (file == NULL || fputs(files[i][1], file) < 0 || fclose(file) != 0)
            return -1;
    }
    return truncate(path, BIG_SIZE);
}

static void remove_directory(void)
{
    char path[128];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i][0]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/link", directory);
    unlink(path);
    snprintf(path, sizeof path, "%s/sub", directory);
    rmdir(path);
    rmdir(directory);
}

int demo(void)
{
    char *answer = malloc(ANSWER_MAX);
    int result = 1;

    if (answer != NULL && make_directory() == 0 && server_init(&server, directory) == 0) {
        /* Nobody likes to wait for a demonstration of patience. */
        server.head_timeout = ALOOP_MS(300);
        if (aloop_address_ip(&server.address, "127.0.0.1", 0) == 0)
            result = aloop_run(demo_task, .answer = answer);
        server_fini(&server);
    }
    if (result < 0)
        fprintf(stderr, "httpd: %s\n", aloop_strerror(result));
    remove_directory();
    free(answer);
    return result == 0 ? 0 : 1;
}
