/* Groups, on the loopback: what is sent to one comes to its members, and to nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datagram_test.h"

#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

struct family {
    const char *any, *group, *other;
};

static const struct family families[] = {
    {"0.0.0.0", "239.255.77.1", "239.255.77.2"},
    {"::", "ff01::7701", "ff01::7702"},
};

struct groups {
    ALOOP_FRAME;
    const struct family *family;
    aloop_socket sender;
    aloop_socket members[2];
    aloop_address address;
    aloop_address group;
    aloop_address other;
    aloop_datagram_options options;
    unsigned interface;
    int error;
    int port;
    int i;
    char small[64];
};

static void open_members(struct groups *self)
{
    self->options = (aloop_datagram_options)ALOOP_DATAGRAM_OPTIONS_INIT;
    self->options.reuse_address = true;
    assert_int_equal(aloop_address_ip(&self->address, self->family->any, 0), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(aloop_datagram_open(NULL, &self->address, NULL, &self->options,
                                             &self->members[i]),
                         0);
        assert_int_equal(aloop_socket_address(&self->members[i], &self->address), 0);
    }
    self->port = aloop_address_port(&self->address);
    assert_int_equal(aloop_address_ip(&self->group, self->family->group, (unsigned)self->port), 0);
    assert_int_equal(aloop_address_ip(&self->other, self->family->other, (unsigned)self->port), 0);
    assert_int_equal(aloop_address_ip(&self->address, self->family->any, 0), 0);
    assert_int_equal(aloop_datagram_open(NULL, &self->address, NULL, NULL, &self->sender), 0);
}

static void expect_option(const aloop_socket *socket, int ip4, int ip6, int value)
{
    aloop_address address;
    int got = 0;
    socklen_t size = sizeof got;

    assert_int_equal(aloop_socket_address(socket, &address), 0);
    assert_int_equal(getsockopt(aloop_socket_fd(socket),
                                address.storage.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
                                address.storage.ss_family == AF_INET ? ip4 : ip6, &got, &size),
                     0);
    assert_int_equal(got, value);
}

/* The interface of the group's messages is where they go out; both members get each. */
ALOOP_CORO(groups)
{
    ALOOP_BEGIN;
    open_members(self);
    for (self->i = 0; self->i < 2; self->i++)
        assert_int_equal(aloop_multicast_join(&self->members[self->i], &self->group,
                                              self->interface),
                         0);
    assert_int_equal(aloop_multicast_join(&self->members[0], &self->group, self->interface),
                     -EADDRINUSE);
    assert_true(aloop_multicast_join(&self->members[0], &self->other, 999999) < 0);
    assert_int_equal(aloop_multicast_set_interface(&self->sender, self->interface), 0);
    assert_int_equal(aloop_multicast_set_hops(&self->sender, 0), 0);
    ALOOP_TRY(aloop_send_to(&self->sender, "abc", 3, &self->group));
    /* Members of another group hear nothing, so this comes to nobody. */
    ALOOP_TRY(aloop_send_to(&self->sender, "no", 2, &self->other));
    for (self->i = 0; self->i < 2; self->i++) {
        ALOOP_TRY(aloop_recv_from(&self->members[self->i], self->small, 64, NULL));
        assert_int_equal(self->result, 3);
    }
    assert_int_equal(aloop_multicast_leave(&self->members[1], &self->group, self->interface), 0);
    assert_true(aloop_multicast_leave(&self->members[1], &self->group, self->interface) < 0);
    assert_int_equal(aloop_multicast_set_hops(&self->sender, 5), 0);
    assert_int_equal(aloop_multicast_set_hops(&self->sender, 256), -EINVAL);
#ifdef IP_MULTICAST_TTL
    expect_option(&self->sender, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, 5);
#endif
    assert_int_equal(aloop_multicast_set_hops(&self->sender, 0), 0);
    assert_int_equal(aloop_multicast_set_loop(&self->sender, false), 0);
    ALOOP_AWAIT(aloop_send_to(&self->sender, "unheard", 7, &self->group));
    assert_int_equal(aloop_multicast_set_loop(&self->sender, true), 0);
    ALOOP_TRY(aloop_send_to(&self->sender, "last", 4, &self->group));
    ALOOP_TRY(aloop_recv_from(&self->members[0], self->small, 64, NULL));
    /* What came through the loopback interface comes back by way of that, loop or no loop. */
    if (self->result == 7)
        ALOOP_TRY(aloop_recv_from(&self->members[0], self->small, 64, NULL));
    assert_int_equal(self->result, 4);
    ALOOP_FINALLY;
    aloop_socket_close(&self->sender);
    aloop_socket_close(&self->members[0]);
    aloop_socket_close(&self->members[1]);
    ALOOP_END;
}

/* The number of an interface that has a way to groups, the loopback if it is one; 0: none. Nothing
   leaves this machine: the scope of the groups forbids it, or the hops. */
static unsigned interface_for(int family, const char *group)
{
    struct if_nameindex *all = if_nameindex();
    int fd = socket(family, SOCK_DGRAM, 0);
    unsigned found = 0;
    aloop_address address;

    assert_non_null(all);
    assert_int_equal(aloop_address_ip(&address, group, 9), 0);
    assert_int_equal(sys.ip_option(fd, family, SYS_MULTICAST_HOPS, 0), 0);
    for (int i = 0; found == 0 && all[i].if_index != 0; i++) {
        if (sys.ip_option(fd, family, SYS_MULTICAST_INTERFACE, all[i].if_index) == 0 &&
            sendto(fd, "", 0, 0, (struct sockaddr *)&address.storage, address.length) == 0)
            found = all[i].if_index;
    }
    if_freenameindex(all);
    assert_int_equal(close(fd), 0);
    return found;
}

static void members_get_what_is_sent(void **state, int family, const struct family *names)
{
    unsigned interface = interface_for(family, names->group);

    if (interface == 0)
        skip();
    io_run(state, ALOOP_CLOCK_VIRTUAL, groups, .family = names, .interface = interface);
}

static void ip4_members_get_what_is_sent(void **state)
{
    members_get_what_is_sent(state, AF_INET, &families[0]);
}

static void ip6_members_get_what_is_sent(void **state)
{
    members_get_what_is_sent(state, AF_INET6, &families[1]);
}

struct misuse {
    ALOOP_FRAME;
    aloop_socket socket;
    aloop_socket pair[2];
    aloop_address address;
    aloop_address group;
};

ALOOP_CORO(misuse)
{
    ALOOP_BEGIN;
    assert_int_equal(aloop_address_ip(&self->group, "239.255.77.1", 1), 0);
    assert_int_equal(aloop_multicast_join(&self->socket, &self->group, 0), -EBADF);
    assert_int_equal(aloop_multicast_leave(&self->socket, &self->group, 0), -EBADF);
    assert_int_equal(aloop_multicast_set_interface(&self->socket, 0), -EBADF);
    assert_int_equal(aloop_multicast_set_hops(&self->socket, 0), -EBADF);
    assert_int_equal(aloop_multicast_set_loop(&self->socket, true), -EBADF);
    assert_int_equal(aloop_datagram_pair(NULL, self->pair), 0);
    assert_int_equal(aloop_multicast_set_hops(&self->pair[0], 1), -EAFNOSUPPORT);
    assert_int_equal(aloop_address_unix(&self->address, "/tmp/x"), 0);
    assert_int_equal(aloop_multicast_join(&self->pair[0], &self->address, 0), -EAFNOSUPPORT);
    assert_int_equal(aloop_address_ip(&self->address, "127.0.0.1", 0), 0);
    assert_int_equal(aloop_datagram_open(NULL, &self->address, NULL, NULL, &self->socket), 0);
    assert_int_equal(aloop_multicast_join(&self->socket, &self->address, 0), -EINVAL);
    aloop_socket_close(&self->socket);
    aloop_socket_close(&self->pair[0]);
    aloop_socket_close(&self->pair[1]);
    ALOOP_END;
}

static void misuse_is_told(void **state)
{
    io_run(state, ALOOP_CLOCK_VIRTUAL, misuse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EACH_POLLER(ip4_members_get_what_is_sent),
        ON_EACH_POLLER(ip6_members_get_what_is_sent),
        ON_EACH_POLLER(misuse_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
