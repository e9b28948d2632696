/*
 * Dumps for programs: what a parser of JSON and one of Graphviz's language say to them. The parsers
 * are python3 and dot, where they are installed; what is looked for in the text, always.
 */
#include "debug_test.h"

#include <sys/wait.h>
#include <unistd.h>

struct waiting {
    ALOOP_FRAME;
    aloop_op op;
};

ALOOP_CORO(waiting)
{
    ALOOP_BEGIN;
    ALOOP_TRY(self->op);
    ALOOP_END;
}

struct joining {
    ALOOP_FRAME;
    aloop_task **other;
};

ALOOP_CORO(joining)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_join(*self->other));
    ALOOP_END;
}

/* An operation whose name and words have all that strings must not have. */
static aloop_poll wicked_poll(aloop_task *task, aloop_op *op)
{
    (void)task;
    (void)op;
    return ALOOP_PENDING;
}

static void wicked_describe(const aloop_task *task, const aloop_op *op, aloop_op_details *details)
{
    (void)task;
    (void)op;
    (void)snprintf(details->text, sizeof details->text, "back\\slash \"quote\"\n\ttab");
    details->fd = 42;
    details->deadline = ALOOP_SEC(5);
}

static const aloop_op_type wicked_type = {.name = "wi\"cked", .describe = wicked_describe};

struct scene {
    struct world *world;
    aloop_task *tasks[4];
    aloop_select_case cases[2];
};

/* A circle of two, a select, and a wicked operation. */
static void set_scene(struct scene *scene, struct world *world)
{
    aloop_op wicked = {.poll = wicked_poll, .type = &wicked_type};

    *scene = (struct scene){.world = world};
    scene->cases[0].op = aloop_sleep(ALOOP_SEC(1));
    scene->cases[1].op = wicked;
    scene->tasks[0] = aloop_create_task_in(world->loop, joining, .other = &scene->tasks[1]);
    scene->tasks[1] = aloop_create_task_in(world->loop, joining, .other = &scene->tasks[0]);
    scene->tasks[2] =
        aloop_create_task_in(world->loop, waiting, .op = aloop_select(scene->cases, 2));
    scene->tasks[3] = aloop_create_task_in(world->loop, waiting, .op = wicked);
    world_turns(world, 1);
}

static void clear_scene(struct scene *scene)
{
    for (int i = 0; i < 4; i++)
        aloop_task_unref(scene->tasks[i]);
    aloop_set_exception_handler(scene->world->loop, NULL, NULL);
    assert_int_equal(aloop_close(scene->world->loop), 0);
}

/* Does the command like what it reads? 0 if it does, 127 if there is no such command. */
static int judge(const char *command, const char *text)
{
    char path[] = "/tmp/aloop-dump-XXXXXX";
    char line[1024];
    int fd = mkstemp(path);
    int status;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    (void)snprintf(line, sizeof line, "%s <%s >/dev/null 2>&1", command, path);
    status = system(line);
    (void)unlink(path);
    return WEXITSTATUS(status);
}

static void test_json_is_json(void **state)
{
    static const char checks[] =
        "python3 -c '\n"
        "import json, sys\n"
        "d = json.load(sys.stdin)\n"
        "n = d[\"nodes\"]\n"
        "assert len(n) == 4 and d[\"counts\"][\"task\"] == 4, d\n"
        "assert n[0][\"awaits\"] == [1] and n[1][\"awaits\"] == [0], n\n"
        "assert d[\"cycles\"] == [{\"is_deadlock\": True, \"nodes\": [0, 1]}], d\n"
        "p = n[2][\"waits_for\"][\"parts\"]\n"
        "assert [q[\"op\"] for q in p] == [\"sleep\", \"wi\\\"cked\"], p\n"
        "w = n[3][\"waits_for\"]\n"
        "assert w[\"text\"] == \"back\\\\slash \\\"quote\\\"\\n\\ttab\", w\n"
        "assert w[\"fd\"] == 42 and w[\"until\"] == 5000000000, w\n"
        "assert n[3][\"frames\"][0][\"name\"] == \"waiting\" and n[3][\"state\"] == \"waits\"\n"
        "'";
    struct scene scene;
    struct text text;
    char *json;
    int verdict;

    set_scene(&scene, *state);
    assert_int_equal(aloop_dump_as(scene.world->loop, text_open(&text), ALOOP_DUMP_JSON), 0);
    clear_scene(&scene);
    json = text_close(&text);
    assert_non_null(strstr(json, "\"op\":\"wi\\\"cked\""));
    verdict = judge(checks, json);
    free(json);
    if (verdict == 127)
        skip();
    assert_int_equal(verdict, 0);
}

/* The dialect that is written: lines of a node or an edge, each with attributes. */
static void assert_is_dot(const char *text)
{
    const char *line = strchr(text, '\n') + 1;

    assert_memory_equal(text, "digraph aloop {\n", 16);
    while (strcmp(line, "}\n") != 0) {
        const char *end = strchr(line, '\n');
        bool is_quoted = false;

        assert_non_null(end);
        assert_memory_equal(line, "    n", 5);
        assert_memory_equal(end - 2, "];", 2);
        for (const char *byte = line; byte < end; byte++) {
            if (*byte == '\\')
                byte++;
            else if (*byte == '"')
                is_quoted = !is_quoted;
        }
        assert_false(is_quoted);
        line = end + 1;
    }
}

static void test_dot_is_dot(void **state)
{
    struct scene scene;
    struct text text;
    char *dot;
    int verdict;

    set_scene(&scene, *state);
    assert_int_equal(aloop_dump_as(scene.world->loop, text_open(&text), ALOOP_DUMP_DOT), 0);
    clear_scene(&scene);
    dot = text_close(&text);
    assert_is_dot(dot);
    assert_non_null(strstr(dot, "n0 -> n1 [style=solid, color=red];"));
    verdict = judge("dot -Tsvg", dot);
    free(dot);
    assert_true(verdict == 0 || verdict == 127);
}

static void test_a_file_that_is_full(void **state)
{
    struct world *world = *state;
    FILE *full = fopen("/dev/full", "w");

    if (full == NULL)
        skip();
    assert_int_equal(setvbuf(full, NULL, _IONBF, 0), 0);
    assert_int_equal(aloop_dump(world->loop, full), -EIO);
    assert_int_equal(aloop_dump_as(world->loop, full, ALOOP_DUMP_JSON), -EIO);
    assert_int_equal(fclose(full), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_json_is_json),
        TEST(test_dot_is_dot),
        TEST(test_a_file_that_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
