/* Addresses as text and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <aloop.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static void assert_text(const aloop_address *address, const char *expected)
{
    char text[ALOOP_ADDRESS_TEXT_MAX];

    assert_int_equal(aloop_address_format(address, text, sizeof text), (int)strlen(expected));
    assert_string_equal(text, expected);
}

static void ip_addresses_go_to_text_and_back(void **state)
{
    static const struct {
        const char *host;
        unsigned port;
        const char *text;
    } cases[] = {
        {"127.0.0.1", 80, "127.0.0.1:80"},
        {"0.0.0.0", 0, "0.0.0.0:0"},
        {"255.255.255.255", 65535, "255.255.255.255:65535"},
        {"::1", 8080, "[::1]:8080"},
        {"::", 1, "[::]:1"},
        {"2001:DB8::1", 443, "[2001:db8::1]:443"},
        {"fe80::1%2", 22, "[fe80::1%2]:22"},
        {"fe80::1%4294967295", 22, "[fe80::1%4294967295]:22"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        aloop_address address;

        assert_int_equal(aloop_address_ip(&address, cases[i].host, cases[i].port), 0);
        assert_int_equal(aloop_address_port(&address), cases[i].port);
        assert_text(&address, cases[i].text);
    }
}

static void what_is_no_ip_address_is_refused(void **state)
{
    static const char *const hosts[] = {"",          "localhost", "1.2.3",       "1.2.3.4.5",
                                        "256.0.0.1", "*",         "[::1]",       "::1%",
                                        "::1%eth0",  "::1%0",     "::1%99999999999", " 1.2.3.4",
                                        "::1::",     "12345::"};
    char long_host[200];
    aloop_address address = {.length = 77};

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        assert_int_equal(aloop_address_ip(&address, hosts[i], 1), -EINVAL);
    memset(long_host, '1', sizeof long_host - 1);
    long_host[sizeof long_host - 1] = '\0';
    assert_int_equal(aloop_address_ip(&address, long_host, 1), -EINVAL);
    assert_int_equal(aloop_address_ip(&address, "::1", 65536), -EINVAL);
    /* What failed has written nothing. */
    assert_int_equal(address.length, 77);
}

static void unix_paths(void **state)
{
    char path[200];
    aloop_address address = {.length = 77};

    (void)state;
    assert_int_equal(aloop_address_unix(&address, ""), -EINVAL);
    memset(path, 'p', sizeof path);
    path[sizeof ((struct sockaddr_un *)0)->sun_path] = '\0';
    assert_int_equal(aloop_address_unix(&address, path), -ENAMETOOLONG);
    assert_int_equal(address.length, 77);
    path[sizeof ((struct sockaddr_un *)0)->sun_path - 1] = '\0';
    assert_int_equal(aloop_address_unix(&address, path), 0);
    assert_text(&address, path);
    assert_int_equal(aloop_address_unix(&address, "/run/a"), 0);
    assert_text(&address, "/run/a");
    assert_int_equal(aloop_address_port(&address), -EAFNOSUPPORT);
}

static void abstract_names_have_no_file(void **state)
{
#ifdef __linux__
    const struct sockaddr_un *name;
    aloop_address address;

    (void)state;
    assert_int_equal(aloop_address_unix(&address, "@name"), 0);
    name = (const struct sockaddr_un *)(const void *)&address.storage;
    assert_memory_equal(name->sun_path, "\0name", 5);
    /* The length ends the name: a zero more would be another name. */
    assert_int_equal(address.length, offsetof(struct sockaddr_un, sun_path) + 5);
    assert_text(&address, "@name");
    assert_int_equal(aloop_address_unix(&address, "./@name"), 0);
    assert_text(&address, "./@name");
#else
    aloop_address address;

    (void)state;
    assert_int_equal(aloop_address_unix(&address, "@name"), -ENOTSUP);
#endif
}

static void an_address_without_a_name(void **state)
{
    aloop_address address = {.length = sizeof(sa_family_t)};

    (void)state;
    address.storage.ss_family = AF_UNIX;
    assert_text(&address, "unnamed");
}

/* P74: an IPv4 peer of a dual-stack socket shows as the IPv6 address that it has there. */
static void mapped_ip4_addresses_show_as_such(void **state)
{
    aloop_address address;

    (void)state;
    assert_int_equal(aloop_address_ip(&address, "::ffff:127.0.0.1", 80), 0);
    assert_text(&address, "[::ffff:127.0.0.1]:80");
}

static void text_is_cut_to_the_buffer(void **state)
{
    char text[8] = "xxxxxxx";
    aloop_address address;

    (void)state;
    assert_int_equal(aloop_address_ip(&address, "127.0.0.1", 80), 0);
    assert_int_equal(aloop_address_format(&address, text, sizeof text), 12);
    assert_string_equal(text, "127.0.0");
    assert_int_equal(aloop_address_format(&address, NULL, 0), 12);
}

static void other_families_have_no_text(void **state)
{
    char text[8] = "xxxxxxx";
    aloop_address address = {.length = 0};

    (void)state;
    assert_int_equal(aloop_address_format(&address, text, sizeof text), -EAFNOSUPPORT);
    assert_string_equal(text, "");
    assert_int_equal(aloop_address_format(&address, text, 0), -EAFNOSUPPORT);
    assert_int_equal(aloop_address_port(&address), -EAFNOSUPPORT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ip_addresses_go_to_text_and_back),
        cmocka_unit_test(what_is_no_ip_address_is_refused),
        cmocka_unit_test(unix_paths),
        cmocka_unit_test(abstract_names_have_no_file),
        cmocka_unit_test(an_address_without_a_name),
        cmocka_unit_test(mapped_ip4_addresses_show_as_such),
        cmocka_unit_test(text_is_cut_to_the_buffer),
        cmocka_unit_test(other_families_have_no_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
