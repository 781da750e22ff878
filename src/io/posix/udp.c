#include "io/udp.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <netinet/in.h>

#include "io/posix/fail.h"
#include "io/posix/socket.h"
#include "io/posix/udp_batch.h"

/* --- opening -------------------------------------------------------------------------------- */

/*
 * Datagrams larger than the path takes must be lost, not cut by routers: fragments are what
 * middleboxes drop, and we probe the path ourselves. PROBE also ignores what ICMP claims, which
 * anyone could forge.
 */
static void fn_udp_set_dont_fragment(const fn_udp *udp)
{
#if defined(IP_MTU_DISCOVER) && defined(IP_PMTUDISC_PROBE)
    fn_socket_set(udp->handle, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    if (udp->ipv6)
        fn_socket_set(udp->handle, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
#elif defined(IP_DONTFRAG)
    fn_socket_set(udp->handle, IPPROTO_IP, IP_DONTFRAG, 1);
#endif
#ifdef IPV6_DONTFRAG
    if (udp->ipv6)
        fn_socket_set(udp->handle, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
#endif
}

int fn_udp_open(fn_udp *udp, const fn_udp_options *options, fn_io_error *error)
{
    fn_socket_bound bound;
    fn_socket_options socket_options = {.protocol = "UDP",
                                        .type = SOCK_DGRAM,
                                        .port_use = options->port_use,
                                        .local = options->local};
    memset(udp, 0, sizeof *udp);
    udp->handle = FN_HANDLE_NONE;
    int result = fn_socket_bind(&socket_options, &bound, error);
    if (result != FASTNET_OK)
        return result;
    udp->handle = bound.handle;
    udp->ipv6 = bound.ipv6;
    udp->batch_calls = true;
    udp->counters.fallbacks = bound.fell_back;
    fn_udp_set_dont_fragment(udp);
    fn_udp_settings_apply(udp, &options->settings);
    fn_udp_offload_start(udp, &options->settings);
    return FASTNET_OK;
}

void fn_udp_close(fn_udp *udp)
{
    fn_socket_close(&udp->handle);
}

int fn_udp_connect(fn_udp *udp, const fn_address *peer, fn_io_error *error)
{
    fn_sockaddr name;
    char text[FN_ADDRESS_TEXT_BYTES];
    socklen_t length = fn_sockaddr_encode(peer, udp->ipv6, &name);
    int os_error = EAFNOSUPPORT;
    if (length > 0)
        os_error = connect((int)udp->handle, &name.any, length) == 0 ? 0 : errno;
    if (os_error == 0) {
        udp->connected = true;
        udp->peer = *peer;
        return FASTNET_OK;
    }
    fn_address_format(peer, text);
    return fn_io_fail(error, FASTNET_ERR_ADDRESS, os_error, "UDP cannot reach %s: %s", text,
                      fn_errno_text(os_error));
}

static bool fn_udp_knows_plain(const fn_udp *udp, const fn_address *address)
{
    for (uint32_t i = 0; i < udp->plain_count; i++) {
        if (fn_address_same_host(&udp->plain[i], address))
            return true;
    }
    return false;
}

bool fn_udp_is_plain(const fn_udp *udp, const fn_address *address)
{
    return udp->plain_count > 0 && fn_udp_knows_plain(udp, udp->connected ? &udp->peer : address);
}

/* Nobody can make the socket slow for all others: the one that came first gives way. */
void fn_udp_set_plain(fn_udp *udp, const fn_address *address)
{
    if (fn_udp_knows_plain(udp, address))
        return;
    udp->counters.fallbacks++;
    udp->plain[udp->plain_next] = *address;
    udp->plain_next = (udp->plain_next + 1) % FN_UDP_PLAIN_MAX;
    if (udp->plain_count < FN_UDP_PLAIN_MAX)
        udp->plain_count++;
}

int fn_udp_local(const fn_udp *udp, fn_address *local, fn_io_error *error)
{
    return fn_socket_local(udp->handle, local, error);
}

/* --- receiving ------------------------------------------------------------------------------ */

void fn_udp_prepare_receive(const fn_udp *udp, fn_datagram *datagram, fn_udp_slot *slot,
                            struct msghdr *message)
{
    slot->vector = (struct iovec){.iov_base = datagram->data, .iov_len = datagram->capacity};
    memset(message, 0, sizeof *message);
    message->msg_iov = &slot->vector;
    message->msg_iovlen = 1;
    if (!udp->connected) {
        message->msg_name = &slot->name;
        message->msg_namelen = sizeof slot->name;
    }
}

void fn_udp_finish_receive(fn_udp *udp, fn_datagram *datagram, const fn_udp_slot *slot,
                           const struct msghdr *message, size_t bytes)
{
    bool truncated = (message->msg_flags & MSG_TRUNC) != 0;
    udp->counters.received++;
    udp->counters.truncated += truncated;
    datagram->address = udp->connected ? udp->peer : fn_sockaddr_decode(&slot->name);
    datagram->length = truncated ? 0 : (uint32_t)bytes;
    datagram->segment_bytes = datagram->length;
    datagram->outcome = FN_UDP_SENT;
}

bool fn_udp_receive_again(fn_udp *udp, int os_error, int *errors)
{
    if (os_error == EAGAIN || os_error == EWOULDBLOCK || ++*errors > FN_UDP_ERRORS_MAX)
        return false;
    if (os_error == ECONNREFUSED)
        udp->counters.refused++;
    else if (os_error != EINTR)
        udp->counters.transient++;
    return true;
}

static bool fn_udp_receive_one(fn_udp *udp, fn_datagram *datagram)
{
    fn_udp_slot slot;
    struct msghdr message;
    int errors = 0;
    ssize_t bytes;
    do {
        fn_udp_prepare_receive(udp, datagram, &slot, &message);
        udp->counters.receive_calls++;
        bytes = recvmsg((int)udp->handle, &message, FN_UDP_FLAGS);
    } while (bytes < 0 && fn_udp_receive_again(udp, errno, &errors));
    if (bytes < 0)
        return false;
    fn_udp_finish_receive(udp, datagram, &slot, &message, (size_t)bytes);
    return true;
}

size_t fn_udp_receive_each(fn_udp *udp, fn_datagram *batch, size_t capacity)
{
    size_t count = 0;
    while (count < capacity && fn_udp_receive_one(udp, &batch[count]))
        count++;
    return count;
}

/* --- sending -------------------------------------------------------------------------------- */

static fn_udp_outcome fn_udp_classify(int os_error)
{
    switch (os_error) {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        return FN_UDP_WOULD_BLOCK;
    case EMSGSIZE:
        return FN_UDP_TOO_BIG;
    case ECONNREFUSED:
        return FN_UDP_REFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EACCES:
    case EPERM:
    case EINVAL: /* a route that leads nowhere, or the socket's own address is gone */
    case EAFNOSUPPORT:
    case EADDRNOTAVAIL:
        return FN_UDP_UNROUTABLE;
    default:
        return FN_UDP_TRANSIENT;
    }
}

static void fn_udp_count(fn_udp *udp, fn_udp_outcome outcome)
{
    uint64_t *const counters[] = {
        [FN_UDP_SENT] = &udp->counters.sent,
        [FN_UDP_WOULD_BLOCK] = &udp->counters.would_block,
        [FN_UDP_TOO_BIG] = &udp->counters.too_big,
        [FN_UDP_REFUSED] = &udp->counters.refused,
        [FN_UDP_TRANSIENT] = &udp->counters.transient,
        [FN_UDP_UNROUTABLE] = &udp->counters.unroutable,
    };
    ++*counters[outcome];
}

static ssize_t fn_udp_send_call(const fn_udp *udp, const fn_datagram *datagram)
{
    fn_sockaddr name;
    if (udp->connected)
        return send((int)udp->handle, datagram->data, datagram->length, FN_UDP_FLAGS);
    socklen_t length = fn_sockaddr_encode(&datagram->address, udp->ipv6, &name);
    if (length == 0) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    if (datagram->source != NULL)
        return fn_udp_send_from(udp, datagram, &name, length);
    return sendto((int)udp->handle, datagram->data, datagram->length, FN_UDP_FLAGS, &name.any,
                  length);
}

static fn_udp_outcome fn_udp_attempt(fn_udp *udp, const fn_datagram *datagram)
{
    ssize_t bytes;
    do {
        udp->counters.send_calls++;
        bytes = fn_udp_send_call(udp, datagram);
    } while (bytes < 0 && errno == EINTR);
    return bytes >= 0 ? FN_UDP_SENT : fn_udp_classify(errno);
}

fn_udp_outcome fn_udp_send_one(fn_udp *udp, fn_datagram *datagram)
{
    fn_udp_outcome outcome = fn_udp_attempt(udp, datagram);
    /* A connected socket reports the fate of an earlier datagram in place of sending this one. */
    bool pending =
        outcome == FN_UDP_REFUSED || outcome == FN_UDP_TRANSIENT || outcome == FN_UDP_UNROUTABLE;
    if (udp->connected && pending) {
        bool unroutable = outcome == FN_UDP_UNROUTABLE;
        fn_udp_count(udp, outcome);
        outcome = fn_udp_attempt(udp, datagram);
        /* A rule that rejects what it drops leaves an error of its own behind. */
        if (unroutable && outcome == FN_UDP_REFUSED)
            outcome = FN_UDP_UNROUTABLE;
    }
    fn_udp_count(udp, outcome);
    datagram->outcome = (uint8_t)outcome;
    return outcome;
}

void fn_udp_mark_blocked(fn_datagram *batch, size_t count)
{
    for (size_t i = 0; i < count; i++)
        batch[i].outcome = FN_UDP_WOULD_BLOCK;
}

size_t fn_udp_send_each(fn_udp *udp, fn_datagram *batch, size_t count)
{
    size_t sent = 0;
    for (size_t i = 0; i < count; i++) {
        fn_udp_outcome outcome = fn_udp_send_one(udp, &batch[i]);
        sent += outcome == FN_UDP_SENT;
        if (outcome == FN_UDP_WOULD_BLOCK) {
            fn_udp_mark_blocked(&batch[i], count - i);
            break;
        }
    }
    return sent;
}
