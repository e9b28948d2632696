/*
 * Names: what is numeric is answered at once, the rest in threads that hold up nobody, and late
 * answers are dropped. The resolver is the test's own, in the table of system calls; memory that is
 * not given back shows under AddressSanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "os_test.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

static struct gate gate;

static pthread_t loop_thread;

/* Knows the name "known"; "stuck" waits at the gate; anything else fails by its name. In the thread
   of the loop nothing may be looked up. */
static int resolver(const char *host, const char *service, const struct addrinfo *hints,
                    struct addrinfo **out_list)
{
    const bool is_in_loop = pthread_equal(pthread_self(), loop_thread) != 0;

    if (is_in_loop)
        assert_int_equal(hints->ai_flags & (AI_NUMERICHOST | AI_NUMERICSERV),
                         AI_NUMERICHOST | AI_NUMERICSERV);
    if (is_in_loop || inet_pton(AF_INET, host, &(struct in_addr){0}) == 1)
        return sys_default.getaddrinfo(host, service, hints, out_list);
    if (strcmp(host, "again") == 0)
        return -ALOOP_ENAMEAGAIN;
    if (strcmp(host, "stuck") == 0)
        (void)pass_gate(&gate);
    else if (strcmp(host, "known") != 0)
        return -ALOOP_ENONAME;
    return sys_default.getaddrinfo("192.0.2.7", service, hints, out_list);
}

static int name_resolver(const struct sockaddr *address, socklen_t length, char *host,
                         size_t host_size, char *service, size_t service_size, int flags)
{
    const int numeric = NI_NUMERICHOST | NI_NUMERICSERV;

    if (pthread_equal(pthread_self(), loop_thread))
        assert_int_equal(flags & numeric, numeric);
    if (flags & NI_NUMERICHOST)
        return sys_default.getnameinfo(address, length, host, host_size, service, service_size,
                                       flags);
    (void)snprintf(host, host_size, "host.example");
    (void)snprintf(service, service_size, "service");
    return 0;
}

static int setup(void **state)
{
    (void)os_setup(state);
    loop_thread = pthread_self();
    sys.getaddrinfo = resolver;
    sys.getnameinfo = name_resolver;
    gate_init(&gate, 0);
    fault_install();
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, os_teardown)

static void assert_address(const aloop_address *address, const char *text)
{
    char buffer[ALOOP_ADDRESS_TEXT_MAX];

    assert_true(aloop_address_format(address, buffer, sizeof buffer) > 0);
    assert_string_equal(buffer, text);
}

/* Numbers need no thread. */
static void numeric(void **state)
{
    struct os_state *self = *state;
    aloop_addresses found;
    aloop_resolve_options options = {.family = AF_INET, .flags = AI_PASSIVE};

    assert_int_equal(os_result(self, aloop_getaddrinfo("127.0.0.1", "80", NULL, &found)), 1);
    assert_address(&found.items[0], "127.0.0.1:80");
    aloop_addresses_free(&found);
    aloop_addresses_free(&found);
    assert_int_equal(os_result(self, aloop_getaddrinfo("::1", "443", NULL, &found)), 1);
    assert_address(&found.items[0], "[::1]:443");
    aloop_addresses_free(&found);
    assert_int_equal(os_result(self, aloop_getaddrinfo(NULL, "53", &options, &found)), 1);
    assert_address(&found.items[0], "0.0.0.0:53");
    aloop_addresses_free(&found);
    options.flags = AI_NUMERICHOST;
    assert_int_equal(os_result(self, aloop_getaddrinfo("known", "80", &options, &found)),
                     -ALOOP_ENONAME);
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 0);
}

/* glibc takes 65536 + 80 for 80: a wrong number in a configuration would connect with something. */
static void no_such_port(void **state)
{
    struct os_state *self = *state;
    static const char *const services[] = {"65536", "65616", " 99999", "18446744073709551696"};
    aloop_addresses found;

    for (int i = 0; i < 4; i++)
        assert_int_equal(os_result(self, aloop_getaddrinfo("127.0.0.1", services[i], NULL, &found)),
                         -ALOOP_ESERVICE);
    assert_int_equal(os_result(self, aloop_getaddrinfo("known", "65616", NULL, &found)),
                     -ALOOP_ESERVICE);
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 0);
    assert_int_equal(os_result(self, aloop_getaddrinfo("127.0.0.1", "65535", NULL, &found)), 1);
    assert_address(&found.items[0], "127.0.0.1:65535");
    aloop_addresses_free(&found);
}

/* A service by its name is looked up in a file, or in a directory of the network: not in the loop's
   thread, though the host be a number. */
static void named_services(void **state)
{
    struct os_state *self = *state;
    aloop_addresses found;
    aloop_names names;
    aloop_address address;
    aloop_resolve_options options = {.flags = AI_NUMERICSERV | AI_NUMERICHOST};

    assert_int_equal(os_result(self, aloop_getaddrinfo("127.0.0.1", "http", &options, &found)),
                     -ALOOP_ENONAME);
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 0);
    /* Whether this system knows it is not the question. */
    options.flags = AI_NUMERICHOST;
    if (os_result(self, aloop_getaddrinfo("127.0.0.1", "http", &options, &found)) == 1) {
        assert_address(&found.items[0], "127.0.0.1:80");
        aloop_addresses_free(&found);
    }
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 1);
    assert_true(os_result(self, aloop_getaddrinfo("127.0.0.1", "no such", NULL, &found)) < 0);
    assert_int_equal(aloop_address_ip(&address, "192.0.2.7", 80), 0);
    assert_int_equal(os_result(self, aloop_getnameinfo(&address, NI_NUMERICHOST, &names)), 0);
    assert_string_equal(names.host, "192.0.2.7");
}

static void names(void **state)
{
    struct os_state *self = *state;
    aloop_addresses found;

    assert_int_equal(os_result(self, aloop_getaddrinfo("known", "80", NULL, &found)), 1);
    assert_address(&found.items[0], "192.0.2.7:80");
    aloop_addresses_free(&found);
    assert_int_equal(os_result(self, aloop_getaddrinfo("nobody", "80", NULL, &found)),
                     -ALOOP_ENONAME);
    assert_int_equal(os_result(self, aloop_getaddrinfo("again", "80", NULL, &found)),
                     -ALOOP_ENAMEAGAIN);
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 1);
}

static int64_t seven(void *arg)
{
    (void)arg;
    return 7;
}

/* P76: with all resolver threads blocked, timers, jobs and other names that are numeric go on; a
   cancelled lookup returns at once, and its late answer is dropped. In a pool that files and names
   share, one dead server stops everything. */
static void stuck(void **state)
{
    struct os_state *self = *state;
    aloop_addresses found[6];
    aloop_task *tasks[6];

    for (int i = 0; i < 6; i++)
        tasks[i] = os_begin(self, aloop_getaddrinfo("stuck", "80", NULL, &found[i]));
    for (int i = 0; i < 4; i++)
        gate_wait(&gate.begun);
    assert_int_equal(os_result(self, aloop_to_thread(seven, NULL)), 7);
    assert_int_equal(os_result(self, aloop_getaddrinfo("127.0.0.1", "80", NULL, &found[0])), 1);
    aloop_addresses_free(&found[0]);
    for (int i = 0; i < 5; i++) {
        assert_true(aloop_task_cancel(tasks[i]));
        assert_int_equal(os_end(self, tasks[i]), -ECANCELED);
    }
    assert_int_equal(atomic_load(&gate.passed), 0);
    /* The last waits for a thread, and gets one when they are free again. */
    for (int i = 0; i < 5; i++)
        assert_int_equal(sem_post(&gate.open), 0);
    assert_int_equal(os_end(self, tasks[5]), 1);
    assert_address(&found[5].items[0], "192.0.2.7:80");
    aloop_addresses_free(&found[5]);
}

/* Virtual time goes on while nobody waits for the answer, and the loop closes over it. */
static void stuck_at_the_end(void **state)
{
    struct os_state *self = *state;
    aloop_addresses found;
    aloop_task *task = os_begin(self, aloop_getaddrinfo("stuck", "80", NULL, &found));

    gate_wait(&gate.begun);
    assert_true(aloop_task_cancel(task));
    assert_int_equal(os_end(self, task), -ECANCELED);
    assert_int_equal(os_result(self, aloop_sleep(ALOOP_SEC(60))), 0);
    assert_int_equal(aloop_close(self->loop), 0);
    assert_int_equal(self->reports, 0);
    assert_int_equal(sem_post(&gate.open), 0);
}

/* Addresses may be kept longer than their loop. */
static void kept(void **state)
{
    struct os_state *self = *state;
    aloop_addresses found;

    assert_int_equal(os_result(self, aloop_getaddrinfo("known", "80", NULL, &found)), 1);
    assert_int_equal(aloop_close(self->loop), 0);
    assert_address(&found.items[0], "192.0.2.7:80");
    aloop_addresses_free(&found);
}

static void backwards(void **state)
{
    struct os_state *self = *state;
    aloop_address address;
    aloop_names found;

    assert_int_equal(aloop_address_ip(&address, "192.0.2.7", 80), 0);
    assert_int_equal(
        os_result(self, aloop_getnameinfo(&address, NI_NUMERICHOST | NI_NUMERICSERV, &found)), 0);
    assert_string_equal(found.host, "192.0.2.7");
    assert_string_equal(found.service, "80");
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 0);
    assert_int_equal(os_result(self, aloop_getnameinfo(&address, 0, &found)), 0);
    assert_string_equal(found.host, "host.example");
    assert_string_equal(found.service, "service");
    assert_int_equal(fault_count(FAULT_THREAD_CREATE), 1);
    address.length = 1;
    assert_int_equal(os_result(self, aloop_getnameinfo(&address, NI_NUMERICHOST, &found)),
                     -EAFNOSUPPORT);
}

/* The executor, the job, the thread, the array: without memory for one, an error, and no leak. */
static void without_memory(void **state)
{
    struct os_state *self = *state;
    static const long failing[] = {1, 1, 2, 2};
    aloop_addresses found;

    for (int i = 0; i < 4; i++) {
        aloop_task *task = aloop_create_task_in(
            self->loop, os_await, .op = aloop_getaddrinfo("known", "80", NULL, &found));

        memory_probe_fail(&self->memory, failing[i], true);
        assert_int_equal(os_end(self, task), -ENOMEM);
        memory_probe_fail(&self->memory, 0, false);
        if (i == 2)
            assert_int_equal(os_result(self, aloop_getaddrinfo("nobody", "80", NULL, &found)),
                             -ALOOP_ENONAME);
    }
    assert_int_equal(os_result(self, aloop_getaddrinfo("known", "80", NULL, &found)), 1);
    aloop_addresses_free(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numeric),          TEST(named_services), TEST(names),     TEST(stuck),
        TEST(stuck_at_the_end), TEST(kept),           TEST(backwards), TEST(without_memory),
        TEST(no_such_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
