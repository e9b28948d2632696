#include <aloop/base.h>

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_system_errors(void **state)
{
    (void)state;
    assert_string_equal(aloop_strerror(-ECONNRESET), "connection reset by peer");
    assert_string_equal(aloop_strerror(ECONNRESET), "connection reset by peer");
    assert_string_equal(aloop_error_name(-ECONNRESET), "ECONNRESET");
    assert_string_equal(aloop_error_name(ETIMEDOUT), "ETIMEDOUT");
    assert_string_equal(aloop_error_name(-ECANCELED), "ECANCELED");
    assert_string_equal(aloop_error_name(-EAGAIN), "EAGAIN");
}

static void test_own_errors(void **state)
{
    static const struct {
        int code;
        const char *name;
    } own[] = {
        {ALOOP_ECLOSED, "ALOOP_ECLOSED"},
        {ALOOP_ENOLOOP, "ALOOP_ENOLOOP"},
        {ALOOP_ESTOPPED, "ALOOP_ESTOPPED"},
        {ALOOP_EWRONGLOOP, "ALOOP_EWRONGLOOP"},
        {ALOOP_EWRONGTHREAD, "ALOOP_EWRONGTHREAD"},
        {ALOOP_EPENDING, "ALOOP_EPENDING"},
        {ALOOP_EDONE, "ALOOP_EDONE"},
        {ALOOP_EEOF, "ALOOP_EEOF"},
        {ALOOP_EBROKEN, "ALOOP_EBROKEN"},
        {ALOOP_ESHUTDOWN, "ALOOP_ESHUTDOWN"},
        {ALOOP_ELAGGED, "ALOOP_ELAGGED"},
    };

    (void)state;
    assert_string_equal(aloop_strerror(-ALOOP_ECLOSED), "the event loop is closed");
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        assert_string_equal(aloop_error_name(-own[i].code), own[i].name);
        assert_string_equal(aloop_error_name(own[i].code), own[i].name);
        assert_string_not_equal(aloop_strerror(-own[i].code), "unknown error");
    }
}

static void test_unknown_codes(void **state)
{
    static const int64_t unknown[] = {INT64_MIN,  INT64_MAX, INT32_MIN,
                                      -9999,      999999,    (INT64_C(1) << 32) + ECONNRESET,
                                      -INT64_MAX, 10000};

    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_string_equal(aloop_strerror(unknown[i]), "unknown error");
        assert_string_equal(aloop_error_name(unknown[i]), "UNKNOWN");
    }
    assert_string_equal(aloop_strerror(0), "success");
    assert_string_equal(aloop_error_name(0), "OK");
}

/* Every error that POSIX names has its name here, and no two numbers share one. */
static void test_posix_errors_are_all_known(void **state)
{
    static const int posix[] = {
        E2BIG,        EACCES,       EADDRINUSE,      EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN,
        EALREADY,     EBADF,        EBADMSG,         EBUSY,         ECANCELED,    ECHILD,
        ECONNABORTED, ECONNREFUSED, ECONNRESET,      EDEADLK,       EDESTADDRREQ, EDOM,
        EDQUOT,       EEXIST,       EFAULT,          EFBIG,         EHOSTUNREACH, EIDRM,
        EILSEQ,       EINPROGRESS,  EINTR,           EINVAL,        EIO,          EISCONN,
        EISDIR,       ELOOP,        EMFILE,          EMLINK,        EMSGSIZE,     ENAMETOOLONG,
        ENETDOWN,     ENETRESET,    ENETUNREACH,     ENFILE,        ENOBUFS,      ENODEV,
        ENOENT,       ENOEXEC,      ENOLCK,          ENOMEM,        ENOMSG,       ENOPROTOOPT,
        ENOSPC,       ENOSYS,       ENOTCONN,        ENOTDIR,       ENOTEMPTY,    ENOTSOCK,
        ENOTSUP,      ENOTTY,       ENXIO,           EOPNOTSUPP,    EOVERFLOW,    EPERM,
        EPIPE,        EPROTO,       EPROTONOSUPPORT, EPROTOTYPE,    ERANGE,       EROFS,
        ESPIPE,       ESRCH,        ESTALE,          ETIMEDOUT,     ETXTBSY,      EWOULDBLOCK,
        EXDEV,
    };
    const size_t count = sizeof posix / sizeof posix[0];

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const char *name = aloop_error_name(-posix[i]);

        assert_int_equal(name[0], 'E');
        assert_ptr_equal(name, aloop_error_name(posix[i]));
        for (size_t j = 0; j < i; j++) {
            if (posix[i] != posix[j])
                assert_string_not_equal(name, aloop_error_name(posix[j]));
        }
    }
}

/* Texts are put in the middle of sentences: no capital, no full stop, nothing empty. */
static void test_texts_are_of_one_form(void **state)
{
    (void)state;
    for (int code = 0; code <= 10100; code++) {
        const char *text = aloop_strerror(-code);
        size_t length = strlen(text);

        assert_true(length > 0);
        assert_false(isupper((unsigned char)text[0]));
        assert_int_not_equal(text[length - 1], '.');
        /* A code has both a name and a text, or neither. */
        assert_int_equal(strcmp(text, "unknown error") == 0,
                         strcmp(aloop_error_name(-code), "UNKNOWN") == 0);
    }
}

static void test_version(void **state)
{
    char expected[32];

    (void)state;
    (void)snprintf(expected, sizeof expected, "%d.%d.%d", ALOOP_VERSION_MAJOR, ALOOP_VERSION_MINOR,
                   ALOOP_VERSION_PATCH);
    assert_string_equal(aloop_version(), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system_errors),
        cmocka_unit_test(test_own_errors),
        cmocka_unit_test(test_unknown_codes),
        cmocka_unit_test(test_posix_errors_are_all_known),
        cmocka_unit_test(test_texts_are_of_one_form),
        cmocka_unit_test(test_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
