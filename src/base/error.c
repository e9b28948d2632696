#include <aloop/base.h>

/*
 * One table says it all. strerror() is not used: it is neither thread-safe nor allowed in a signal
 * handler, and its texts depend on the locale.
 *
 * Where two names share a value on a system, the first one listed is what it is called. Names that
 * not every POSIX system has are in #ifdef.
 */
struct error_text {
    int code;
    const char *name;
    const char *text;
};

#define ERROR(code, text)                                                                          \
    {                                                                                              \
        code, #code, text                                                                          \
    }

static const struct error_text error_texts[] = {
    {0, "OK", "success"},

    ERROR(ALOOP_ECLOSED, "the event loop is closed"),
    ERROR(ALOOP_ENOLOOP, "no event loop is running in this thread"),
    ERROR(ALOOP_ESTOPPED, "the event loop was stopped before the future was done"),
    ERROR(ALOOP_EWRONGLOOP, "the future belongs to another event loop"),
    ERROR(ALOOP_EWRONGTHREAD, "called from a thread that does not run the event loop"),
    ERROR(ALOOP_EPENDING, "the result is not set yet"),
    ERROR(ALOOP_EDONE, "the result is set already"),
    ERROR(ALOOP_EEOF, "end of file before as much arrived as was asked for"),
    ERROR(ALOOP_EBROKEN, "the barrier is broken"),
    ERROR(ALOOP_ESHUTDOWN, "the queue or channel was shut down"),
    ERROR(ALOOP_ELAGGED, "items were overwritten before they were received"),
    ERROR(ALOOP_ENONAME, "name or service not known"),
    ERROR(ALOOP_ENAMEAGAIN, "temporary failure in name resolution"),
    ERROR(ALOOP_ENAMEFAIL, "failure in name resolution"),
    ERROR(ALOOP_ESERVICE, "service not known for that type of socket"),

    ERROR(E2BIG, "argument list too long"),
    ERROR(EACCES, "permission denied"),
    ERROR(EADDRINUSE, "address already in use"),
    ERROR(EADDRNOTAVAIL, "address not available"),
    ERROR(EAFNOSUPPORT, "address family not supported"),
    ERROR(EAGAIN, "resource temporarily unavailable"),
    ERROR(EALREADY, "connection already in progress"),
    ERROR(EBADF, "bad file descriptor"),
    ERROR(EBADMSG, "bad message"),
    ERROR(EBUSY, "resource busy"),
    ERROR(ECANCELED, "operation canceled"),
    ERROR(ECHILD, "no child process"),
    ERROR(ECONNABORTED, "connection aborted"),
    ERROR(ECONNREFUSED, "connection refused"),
    ERROR(ECONNRESET, "connection reset by peer"),
    ERROR(EDEADLK, "deadlock would occur"),
    ERROR(EDESTADDRREQ, "destination address required"),
    ERROR(EDOM, "argument out of the function's domain"),
    ERROR(EDQUOT, "disk quota exceeded"),
    ERROR(EEXIST, "file exists"),
    ERROR(EFAULT, "bad address"),
    ERROR(EFBIG, "file too large"),
    ERROR(EHOSTUNREACH, "host is unreachable"),
    ERROR(EIDRM, "identifier removed"),
    ERROR(EILSEQ, "illegal byte sequence"),
    ERROR(EINPROGRESS, "operation in progress"),
    ERROR(EINTR, "interrupted by a signal"),
    ERROR(EINVAL, "invalid argument"),
    ERROR(EIO, "input/output error"),
    ERROR(EISCONN, "socket is connected"),
    ERROR(EISDIR, "is a directory"),
    ERROR(ELOOP, "too many levels of symbolic links"),
    ERROR(EMFILE, "too many open files in this process"),
    ERROR(EMLINK, "too many links"),
    ERROR(EMSGSIZE, "message too large"),
    ERROR(ENAMETOOLONG, "file name too long"),
    ERROR(ENETDOWN, "network is down"),
    ERROR(ENETRESET, "connection aborted by the network"),
    ERROR(ENETUNREACH, "network is unreachable"),
    ERROR(ENFILE, "too many open files in the system"),
    ERROR(ENOBUFS, "no buffer space available"),
    ERROR(ENODEV, "no such device"),
    ERROR(ENOENT, "no such file or directory"),
    ERROR(ENOEXEC, "not an executable file"),
    ERROR(ENOLCK, "no locks available"),
    ERROR(ENOMEM, "out of memory"),
    ERROR(ENOMSG, "no message of that type"),
    ERROR(ENOPROTOOPT, "protocol option not available"),
    ERROR(ENOSPC, "no space left on device"),
    ERROR(ENOSYS, "function not supported by the system"),
    ERROR(ENOTCONN, "socket is not connected"),
    ERROR(ENOTDIR, "not a directory"),
    ERROR(ENOTEMPTY, "directory not empty"),
    ERROR(ENOTSOCK, "not a socket"),
    ERROR(ENOTSUP, "operation not supported"),
    ERROR(ENOTTY, "inappropriate ioctl for device"),
    ERROR(ENXIO, "no such device or address"),
    ERROR(EOPNOTSUPP, "operation not supported on socket"),
    ERROR(EOVERFLOW, "value too large for its type"),
    ERROR(EPERM, "operation not permitted"),
    ERROR(EPIPE, "broken pipe"),
    ERROR(EPROTO, "protocol error"),
    ERROR(EPROTONOSUPPORT, "protocol not supported"),
    ERROR(EPROTOTYPE, "wrong protocol type for socket"),
    ERROR(ERANGE, "result out of range"),
    ERROR(EROFS, "read-only file system"),
    ERROR(ESPIPE, "invalid seek"),
    ERROR(ESRCH, "no such process"),
    ERROR(ESTALE, "stale file handle"),
    ERROR(ETIMEDOUT, "timed out"),
    ERROR(ETXTBSY, "text file busy"),
    ERROR(EWOULDBLOCK, "operation would block"),
    ERROR(EXDEV, "cross-device link"),
#ifdef EHOSTDOWN
    ERROR(EHOSTDOWN, "host is down"),
#endif
#ifdef EMULTIHOP
    ERROR(EMULTIHOP, "multihop attempted"),
#endif
#ifdef ENODATA
    ERROR(ENODATA, "no data available"),
#endif
#ifdef ENOLINK
    ERROR(ENOLINK, "link has been severed"),
#endif
#ifdef ENONET
    ERROR(ENONET, "machine is not on the network"),
#endif
#ifdef ENOSR
    ERROR(ENOSR, "out of stream resources"),
#endif
#ifdef ENOSTR
    ERROR(ENOSTR, "not a stream"),
#endif
#ifdef ENOTRECOVERABLE
    ERROR(ENOTRECOVERABLE, "state not recoverable"),
#endif
#ifdef EOWNERDEAD
    ERROR(EOWNERDEAD, "owner died"),
#endif
#ifdef EPFNOSUPPORT
    ERROR(EPFNOSUPPORT, "protocol family not supported"),
#endif
#ifdef ESHUTDOWN
    ERROR(ESHUTDOWN, "socket was shut down"),
#endif
#ifdef ESOCKTNOSUPPORT
    ERROR(ESOCKTNOSUPPORT, "socket type not supported"),
#endif
#ifdef ETIME
    ERROR(ETIME, "timer expired"),
#endif
#ifdef ETOOMANYREFS
    ERROR(ETOOMANYREFS, "too many references"),
#endif
};

static const struct error_text unknown_error = {0, "UNKNOWN", "unknown error"};

static const struct error_text *find_error(int64_t error)
{
    /* Compared as negative numbers: INT64_MIN has no positive counterpart. */
    int64_t code = error > 0 ? -error : error;

    for (size_t i = 0; i < sizeof error_texts / sizeof error_texts[0]; i++) {
        if (-(int64_t)error_texts[i].code == code)
            return &error_texts[i];
    }
    return &unknown_error;
}

const char *aloop_strerror(int64_t error)
{
    return find_error(error)->text;
}

const char *aloop_error_name(int64_t error)
{
    return find_error(error)->name;
}

#define STRING_OF_EXPANDED(x) #x
#define STRING(x) STRING_OF_EXPANDED(x)

const char *aloop_version(void)
{
    return STRING(ALOOP_VERSION_MAJOR) "." STRING(ALOOP_VERSION_MINOR) "." STRING(
        ALOOP_VERSION_PATCH);
}
