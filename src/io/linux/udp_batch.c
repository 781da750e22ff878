#include "io/posix/udp_batch.h"

#include <errno.h>

/* Headers for so many datagrams live on the stack, about 9 KiB. */
#define FN_UDP_CHUNK 64

/* Most calls find few datagrams: preparing many headers for them would cost more than the rest. */
#define FN_UDP_CHUNK_FIRST 8

static size_t fn_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void fn_udp_batch_missing(fn_udp *udp)
{
    udp->batch_calls = false;
    udp->counters.fallbacks++;
}

/* --- receiving ---------------------------------------------------------------------------------
 */

static size_t fn_udp_receive_chunk(fn_udp *udp, fn_datagram *batch, size_t count)
{
    struct mmsghdr messages[FN_UDP_CHUNK];
    fn_udp_slot slots[FN_UDP_CHUNK];
    int errors = 0, received;
    for (size_t i = 0; i < count; i++)
        fn_udp_prepare_receive(udp, &batch[i], &slots[i], &messages[i].msg_hdr);
    do {
        udp->counters.receive_calls++;
        received = recvmmsg((int)udp->handle, messages, (unsigned)count, FN_UDP_FLAGS, NULL);
        /* Sandboxes refuse calls that they do not know with EPERM. */
        if (received < 0 && (errno == ENOSYS || errno == EPERM)) {
            fn_udp_batch_missing(udp);
            return fn_udp_receive_each(udp, batch, count);
        }
    } while (received < 0 && fn_udp_receive_again(udp, errno, &errors));
    for (int i = 0; i < received; i++)
        fn_udp_finish_receive(udp, &batch[i], &slots[i], &messages[i].msg_hdr, messages[i].msg_len);
    return received > 0 ? (size_t)received : 0;
}

size_t fn_udp_receive(fn_udp *udp, fn_datagram *batch, size_t capacity)
{
    size_t total = 0, chunk_max = FN_UDP_CHUNK_FIRST;
    while (total < capacity) {
        size_t wanted = fn_min(capacity - total, chunk_max);
        size_t received = udp->batch_calls ? fn_udp_receive_chunk(udp, batch + total, wanted)
                                           : fn_udp_receive_each(udp, batch + total, wanted);
        total += received;
        if (received < wanted)
            break;
        chunk_max = FN_UDP_CHUNK;
    }
    return total;
}

/* --- sending -----------------------------------------------------------------------------------
 */

/* How many datagrams have a header; the first that cannot have one ends the chunk. */
static size_t fn_udp_prepare_chunk(const fn_udp *udp, const fn_datagram *batch, size_t count,
                                   fn_udp_slot *slots, struct mmsghdr *messages)
{
    size_t ready = 0;
    while (ready < count &&
           fn_udp_prepare_send(udp, &batch[ready], &slots[ready], &messages[ready].msg_hdr))
        ready++;
    return ready;
}

/* How many left before the first that failed; why it failed is for fn_udp_send_one to find out. */
static size_t fn_udp_send_chunk(fn_udp *udp, fn_datagram *batch, size_t count)
{
    struct mmsghdr messages[FN_UDP_CHUNK];
    fn_udp_slot slots[FN_UDP_CHUNK];
    size_t ready = fn_udp_prepare_chunk(udp, batch, count, slots, messages);
    int sent;
    if (ready == 0)
        return 0;
    do {
        udp->counters.send_calls++;
        sent = sendmmsg((int)udp->handle, messages, (unsigned)ready, FN_UDP_FLAGS);
    } while (sent < 0 && errno == EINTR);
    /* Not EPERM: that is also what a firewall rule answers. */
    if (sent < 0 && errno == ENOSYS)
        fn_udp_batch_missing(udp);
    if (sent < 0 && errno == ECONNREFUSED)
        udp->counters.refused++;
    for (int i = 0; i < sent; i++)
        batch[i].outcome = FN_UDP_SENT;
    size_t left = sent > 0 ? (size_t)sent : 0;
    udp->counters.sent += left;
    return left;
}

size_t fn_udp_send(fn_udp *udp, fn_datagram *batch, size_t count)
{
    size_t at = 0, sent = 0;
    while (at < count && udp->batch_calls) {
        size_t wanted = fn_min(count - at, FN_UDP_CHUNK);
        size_t left = wanted > 1 ? fn_udp_send_chunk(udp, batch + at, wanted) : 0;
        at += left;
        sent += left;
        if (left == wanted)
            continue;
        fn_udp_outcome outcome = fn_udp_send_one(udp, &batch[at]);
        if (outcome == FN_UDP_WOULD_BLOCK) {
            fn_udp_mark_blocked(batch + at, count - at);
            return sent;
        }
        sent += outcome == FN_UDP_SENT;
        at++;
    }
    return sent + fn_udp_send_each(udp, batch + at, count - at);
}
