/*
 * Names. Lookups are jobs of a lane of their own, and hold copies of all they need, so that one
 * that is stuck can be left to itself. What the system can answer without asking anybody it is
 * asked for in the loop's thread, by the flags that forbid it to look anything up.
 */
#include "os/executor.h"

#include <aloop/resolver.h>
#include <netdb.h>
#include <stdlib.h>

/* --- addresses --- */

enum { HOST, SERVICE, OPTIONS, ADDRESSES };

/* The block of a job: behind it, the strings. */
struct lookup {
    struct addrinfo hints;
    struct addrinfo *list;
    const char *host; /* in the block; NULL: none */
    const char *service;
};

static struct addrinfo hints_of(const aloop_resolve_options *options)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};

    if (options == NULL)
        return hints;
    hints.ai_family = options->family;
    hints.ai_flags = options->flags;
    if (options->type != 0)
        hints.ai_socktype = options->type;
    return hints;
}

void aloop_addresses_free(aloop_addresses *addresses)
{
    aloop *loop = addresses->loop;

    if (loop == NULL)
        return;
    memory_free(&loop->memory, addresses->items, addresses->count * sizeof *addresses->items);
    *addresses = (aloop_addresses){.items = NULL};
    loop_memory_unref(loop);
}

/* Takes the list. */
static int64_t give_addresses(aloop *loop, struct addrinfo *list, aloop_addresses *out)
{
    aloop_addresses result = {.loop = loop};
    const struct addrinfo *info;

    for (info = list; info != NULL; info = info->ai_next)
        result.count += info->ai_addrlen <= sizeof result.items->storage;
    if (result.count == 0) {
        sys_freeaddrinfo(list);
        return -ALOOP_ENONAME;
    }
    result.items = memory_alloc(&loop->memory, result.count * sizeof *result.items);
    if (result.items == NULL) {
        sys_freeaddrinfo(list);
        return -ENOMEM;
    }
    memset(result.items, 0, result.count * sizeof *result.items);
    result.count = 0;
    for (info = list; info != NULL; info = info->ai_next) {
        if (info->ai_addrlen > sizeof result.items->storage)
            continue;
        memcpy(&result.items[result.count].storage, info->ai_addr, info->ai_addrlen);
        result.items[result.count++].length = info->ai_addrlen;
    }
    sys_freeaddrinfo(list);
    loop_memory_ref(loop);
    *out = result;
    return (int64_t)result.count;
}

static size_t string_size(const char *string)
{
    return string != NULL ? strlen(string) + 1 : 0;
}

static size_t lookup_size(const aloop_op *op)
{
    return sizeof(struct lookup) + string_size(op->arg[HOST].data) +
           string_size(op->arg[SERVICE].data);
}

static const char *copy_string(char **end, const char *string)
{
    char *copy = *end;

    if (string == NULL)
        return NULL;
    memcpy(copy, string, string_size(string));
    *end += string_size(string);
    return copy;
}

static void lookup_fill(struct job *job)
{
    struct lookup *lookup = (void *)job->block;
    char *end = (char *)(lookup + 1);

    lookup->hints = hints_of(job->arg[OPTIONS].data);
    lookup->list = NULL;
    lookup->host = copy_string(&end, job->arg[HOST].data);
    lookup->service = copy_string(&end, job->arg[SERVICE].data);
}

static int64_t lookup_run(struct job *job)
{
    struct lookup *lookup = (void *)job->block;

    return sys.getaddrinfo(lookup->host, lookup->service, &lookup->hints, &lookup->list);
}

static int64_t lookup_deliver(struct job *job)
{
    struct lookup *lookup = (void *)job->block;

    if (job->result < 0)
        return job->result;
    return give_addresses(job->executor->loop, lookup->list, job->arg[ADDRESSES].pointer);
}

static void lookup_discard(struct job *job)
{
    struct lookup *lookup = (void *)job->block;

    if (job->result == 0)
        sys_freeaddrinfo(lookup->list);
}

/* The caller's strings, which stay as long as somebody can ask. */
static void lookup_subject(const aloop_op_arg arg[4], aloop_op_details *details)
{
    details_add(details, ": ");
    if (arg[HOST].data != NULL)
        details_add(details, arg[HOST].data);
    if (arg[SERVICE].data == NULL)
        return;
    details_add(details, ":");
    details_add(details, arg[SERVICE].data);
}

static const struct job_class lookup_class = {
    .type = {.name = "getaddrinfo", .drop = job_drop_abandoning, .describe = job_describe},
    .lane = EXECUTOR_NAMES,
    .run = lookup_run,
    .block_size = lookup_size,
    .fill = lookup_fill,
    .deliver = lookup_deliver,
    .subject = lookup_subject,
    .discard = lookup_discard};

static bool is_number(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* Some systems cut a number that is no port to one that is. */
static bool is_beyond_ports(const char *service)
{
    char *end;

    return strtoul(service, &end, 10) > UINT16_MAX && *end == '\0';
}

/* Is neither of them a name, whatever the host looks like? Names of services, too, are in a file,
   or in a directory of the network. */
static bool is_all_numeric(const char *service, int flags)
{
    return (flags & AI_NUMERICHOST) &&
           (service == NULL || is_number(service) || (flags & AI_NUMERICSERV));
}

static aloop_poll lookup_begin(aloop_task *task, aloop_op *op)
{
    struct addrinfo hints = hints_of(op->arg[OPTIONS].data);
    const char *service = op->arg[SERVICE].data;
    struct addrinfo *list;
    int flags = hints.ai_flags;
    int error;

    if (service != NULL && is_beyond_ports(service))
        return -ALOOP_ESERVICE;
    hints.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
    error = sys.getaddrinfo(op->arg[HOST].data, service, &hints, &list);
    if ((error == -ALOOP_ENONAME || error == -ALOOP_ESERVICE) && !is_all_numeric(service, flags))
        return job_begin(task, op);
    return error < 0 ? error
                     : give_addresses(task->future.loop, list, op->arg[ADDRESSES].pointer);
}

aloop_op aloop_getaddrinfo(const char *host, const char *service,
                           const aloop_resolve_options *options, aloop_addresses *out_addresses)
{
    aloop_op op =
        job_op(&lookup_class, (aloop_op_arg){.data = host}, (aloop_op_arg){.data = service},
               (aloop_op_arg){.data = options}, (aloop_op_arg){.pointer = out_addresses});

    op.poll = lookup_begin;
    return op;
}

/* --- names --- */

enum { ADDRESS, FLAGS, NAMES };

struct reverse {
    aloop_address address;
    aloop_names names;
};

static int ask_names(const aloop_address *address, int flags, aloop_names *names)
{
    const void *storage = &address->storage;

    return sys.getnameinfo(storage, address->length, names->host, sizeof names->host,
                           names->service, sizeof names->service, flags);
}

static size_t reverse_size(const aloop_op *op)
{
    (void)op;
    return sizeof(struct reverse);
}

static void reverse_fill(struct job *job)
{
    struct reverse *reverse = (void *)job->block;

    reverse->address = *(const aloop_address *)job->arg[ADDRESS].data;
}

static int64_t reverse_run(struct job *job)
{
    struct reverse *reverse = (void *)job->block;

    return ask_names(&reverse->address, (int)job->arg[FLAGS].number, &reverse->names);
}

static int64_t reverse_deliver(struct job *job)
{
    const struct reverse *reverse = (const void *)job->block;

    if (job->result == 0)
        *(aloop_names *)job->arg[NAMES].pointer = reverse->names;
    return job->result;
}

static void reverse_subject(const aloop_op_arg arg[4], aloop_op_details *details)
{
    char text[sizeof details->text];

    if (aloop_address_format(arg[ADDRESS].data, text, sizeof text) < 0)
        return;
    details_add(details, ": ");
    details_add(details, text);
}

static const struct job_class reverse_class = {
    .type = {.name = "getnameinfo", .drop = job_drop_abandoning, .describe = job_describe},
    .lane = EXECUTOR_NAMES,
    .run = reverse_run,
    .block_size = reverse_size,
    .fill = reverse_fill,
    .deliver = reverse_deliver,
    .subject = reverse_subject};

static aloop_poll reverse_begin(aloop_task *task, aloop_op *op)
{
    int flags = (int)op->arg[FLAGS].number;
    aloop_names names;
    int error;

    /* The names of services are looked up as well. */
    if ((flags & (NI_NUMERICHOST | NI_NUMERICSERV)) != (NI_NUMERICHOST | NI_NUMERICSERV))
        return job_begin(task, op);
    error = ask_names(op->arg[ADDRESS].data, flags, &names);
    if (error == 0)
        *(aloop_names *)op->arg[NAMES].pointer = names;
    return error;
}

aloop_op aloop_getnameinfo(const aloop_address *address, int flags, aloop_names *out_names)
{
    aloop_op op =
        job_op(&reverse_class, (aloop_op_arg){.data = address}, (aloop_op_arg){.number = flags},
               (aloop_op_arg){.pointer = out_names}, (aloop_op_arg){.number = 0});

    op.poll = reverse_begin;
    return op;
}
