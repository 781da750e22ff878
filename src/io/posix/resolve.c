#include "io/resolve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <netdb.h>

#include "io/host.h"
#include "io/posix/fail.h"
#include "io/posix/sockaddr.h"

/*
 * Two hold a lookup: its owner and its thread; the last one frees it. `result` and `failure` belong
 * to the thread until `finished` is set, and never change afterwards.
 */
struct fn_resolve {
    atomic_int holders;
    atomic_bool finished;
    pthread_mutex_t lock; /* over `done` and its call: release waits for a call under way */
    fn_resolve_done done; /* NULL once released */
    void *context;
    uint16_t port;
    int code;
    fn_resolve_result result;
    fn_io_error failure;
    char host[FN_HOST_TEXT_BYTES];
};

static void fn_resolve_drop(fn_resolve *resolve)
{
    if (atomic_fetch_sub(&resolve->holders, 1) > 1)
        return;
    (void)pthread_mutex_destroy(&resolve->lock);
    free(resolve);
}

/* --- on the thread -------------------------------------------------------------------------- */

static bool fn_is_listed(const fn_address *list, size_t count, const fn_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (fn_address_equal(&list[i], address))
            return true;
    return false;
}

/* The addresses of one family, in the system's order of preference (RFC 6724). */
static size_t fn_pick_family(const struct addrinfo *found, int family, uint16_t port,
                             fn_address list[FN_RESOLVE_ADDRESSES_MAX])
{
    size_t count = 0;
    for (; found != NULL && count < FN_RESOLVE_ADDRESSES_MAX; found = found->ai_next) {
        fn_sockaddr name;
        if (found->ai_family != family || found->ai_addrlen > sizeof name)
            continue;
        memcpy(&name, found->ai_addr, found->ai_addrlen);
        fn_address address = fn_sockaddr_decode(&name);
        address.port = port;
        if (!fn_is_listed(list, count, &address))
            list[count++] = address;
    }
    return count;
}

/* RFC 8305 section 4: families alternate, beginning with the one that the system prefers. */
static void fn_interleave(const struct addrinfo *found, uint16_t port, fn_resolve_result *result)
{
    fn_address lists[2][FN_RESOLVE_ADDRESSES_MAX];
    bool v4_first = found->ai_family == AF_INET;
    size_t counts[2] = {
        fn_pick_family(found, v4_first ? AF_INET : AF_INET6, port, lists[0]),
        fn_pick_family(found, v4_first ? AF_INET6 : AF_INET, port, lists[1]),
    };
    for (size_t i = 0; i < FN_RESOLVE_ADDRESSES_MAX; i++)
        for (size_t family = 0; family < 2; family++)
            if (i < counts[family] && result->count < FN_RESOLVE_ADDRESSES_MAX)
                result->addresses[result->count++] = lists[family][i];
}

static const char *fn_lookup_text(int lookup_error)
{
    switch (lookup_error) {
    case EAI_AGAIN:
        return "the name server did not answer";
    case EAI_MEMORY:
        return "out of memory";
    case EAI_SYSTEM:
        return "a system call failed";
    default:
        return "there is no such host, or it has no address";
    }
}

static void fn_lookup(fn_resolve *resolve)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    int lookup_error = getaddrinfo(resolve->host, NULL, &hints, &found);
    int os_error = lookup_error == EAI_SYSTEM ? errno : 0;
    if (lookup_error == 0 && found != NULL)
        fn_interleave(found, resolve->port, &resolve->result);
    if (found != NULL)
        freeaddrinfo(found);
    if (resolve->result.count == 0)
        resolve->code = fn_io_fail(&resolve->failure, FASTNET_ERR_ADDRESS, os_error,
                                   "the host name %s does not resolve: %s",
                                   fn_path_tail(resolve->host), fn_lookup_text(lookup_error));
}

static void *fn_resolve_thread(void *argument)
{
    fn_resolve *resolve = argument;
    fn_lookup(resolve);
    atomic_store(&resolve->finished, true);
    (void)pthread_mutex_lock(&resolve->lock);
    if (resolve->done != NULL)
        resolve->done(resolve->context);
    (void)pthread_mutex_unlock(&resolve->lock);
    fn_resolve_drop(resolve);
    return NULL;
}

/* --- for the owner -------------------------------------------------------------------------- */

/* The application's signals are for the application's threads: ours starts with all blocked. */
static int fn_start_thread(fn_resolve *resolve)
{
    pthread_t thread;
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int os_error = pthread_create(&thread, NULL, fn_resolve_thread, resolve);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (os_error == 0)
        (void)pthread_detach(thread);
    return os_error;
}

static fn_resolve *fn_resolve_allocate(const char *host, uint16_t port, fn_resolve_done done,
                                       void *context)
{
    fn_resolve *resolve = calloc(1, sizeof *resolve);
    if (resolve == NULL)
        return NULL;
    if (pthread_mutex_init(&resolve->lock, NULL) != 0) {
        free(resolve);
        return NULL;
    }
    atomic_init(&resolve->holders, 1);
    atomic_init(&resolve->finished, false);
    resolve->done = done;
    resolve->context = context;
    resolve->port = port;
    memcpy(resolve->host, host, strlen(host) + 1);
    return resolve;
}

fn_resolve *fn_resolve_start(const char *host, uint16_t port, fn_resolve_done done, void *context,
                             fn_io_error *error)
{
    size_t length = strlen(host);
    if (length == 0 || length >= FN_HOST_TEXT_BYTES) {
        (void)fn_io_fail(error, FASTNET_ERR_ARGUMENT, 0, "a host name has 1 to %d characters",
                         FN_HOST_TEXT_BYTES - 1);
        return NULL;
    }
    fn_resolve *resolve = fn_resolve_allocate(host, port, done, context);
    if (resolve == NULL) {
        (void)fn_io_fail(error, FASTNET_ERR_MEMORY, 0, "out of memory for a name lookup");
        return NULL;
    }
    if (fn_host_parse(host, &resolve->result.addresses[0])) {
        resolve->result.addresses[0].port = port;
        resolve->result.count = 1;
        atomic_store(&resolve->finished, true);
        return resolve;
    }
    atomic_store(&resolve->holders, 2);
    int os_error = fn_start_thread(resolve);
    if (os_error == 0)
        return resolve;
    atomic_store(&resolve->holders, 1);
    fn_resolve_drop(resolve);
    (void)fn_io_fail(error, FASTNET_ERR_SYSTEM, os_error,
                     "cannot start a thread to look up a name");
    return NULL;
}

bool fn_resolve_finished(const fn_resolve *resolve)
{
    return atomic_load(&resolve->finished);
}

int fn_resolve_get(const fn_resolve *resolve, fn_resolve_result *result, fn_io_error *error)
{
    if (!fn_resolve_finished(resolve))
        return fn_io_fail(error, FASTNET_ERR_STATE, 0, "the name lookup is still under way");
    *result = resolve->result;
    if (resolve->code != FASTNET_OK && error != NULL)
        *error = resolve->failure;
    return resolve->code;
}

void fn_resolve_release(fn_resolve *resolve)
{
    if (resolve == NULL)
        return;
    (void)pthread_mutex_lock(&resolve->lock);
    resolve->done = NULL;
    (void)pthread_mutex_unlock(&resolve->lock);
    fn_resolve_drop(resolve);
}
