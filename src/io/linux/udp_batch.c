#include "io/posix/udp_batch.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <netinet/udp.h>

/* Headers for so many datagrams live on the stack, about 18 KiB. */
#define FN_UDP_CHUNK 64

/* Most calls find few datagrams: preparing many headers for them would cost more than the rest. */
#define FN_UDP_CHUNK_FIRST 8

/* One segmented send: the kernel takes 64 segments (UDP_MAX_SEGMENTS), and one IP packet's worth of
 * bytes with room for any header. */
#define FN_UDP_SEGMENTS_MAX      64
#define FN_UDP_SEGMENT_BYTES_MAX 65000

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* Linux 4.18; the headers may be older than the kernel */
#endif
#ifndef UDP_GRO
#define UDP_GRO 104 /* Linux 5.0 */
#endif

/* Room for one control message with one number. */
typedef union fn_udp_control {
    size_t align;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
} fn_udp_control;

/* What a run may ask for: to be cut, and where to leave from. */
typedef struct fn_udp_wishes {
    fn_udp_control segment;
    fn_udp_source source;
} fn_udp_wishes;

static_assert(CMSG_SPACE(sizeof(uint16_t)) == sizeof(fn_udp_control), "they follow each other");

static size_t fn_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool fn_udp_set_coalescing(const fn_udp *udp, int on)
{
    return setsockopt((int)udp->handle, SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
}

void fn_udp_offload_start(fn_udp *udp, const fn_udp_settings *wanted)
{
    int value = 0;
    socklen_t length = sizeof value;
    udp->segments =
        wanted->segment && getsockopt((int)udp->handle, SOL_UDP, UDP_SEGMENT, &value, &length) == 0;
    udp->coalesces = wanted->coalesce && fn_udp_set_coalescing(udp, 1);
    udp->counters.fallbacks += (wanted->segment && !udp->segments) ? 1 : 0;
    udp->counters.fallbacks += (wanted->coalesce && !udp->coalesces) ? 1 : 0;
}

/* The plain calls read no control messages: without batches nothing may arrive coalesced. */
static void fn_udp_batch_missing(fn_udp *udp)
{
    udp->batch_calls = false;
    udp->counters.fallbacks++;
    if (udp->coalesces)
        fn_udp_set_coalescing(udp, 0);
    udp->coalesces = false;
}

/* --- receiving ------------------------------------------------------------------------------ */

/* How long each datagram is that the system joined into one; 0 = it joined none. */
static uint32_t fn_udp_segment_bytes(struct msghdr *message)
{
    int bytes = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL;
         head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level == SOL_UDP && head->cmsg_type == UDP_GRO)
            memcpy(&bytes, CMSG_DATA(head), sizeof bytes);
    }
    return bytes > 0 ? (uint32_t)bytes : 0;
}

static void fn_udp_finish_coalesced(fn_udp *udp, fn_datagram *datagram, struct msghdr *message)
{
    uint32_t segment = fn_udp_segment_bytes(message);
    if (segment == 0 || segment >= datagram->length)
        return;
    uint32_t count = (datagram->length + segment - 1) / segment;
    datagram->segment_bytes = segment;
    udp->counters.received += count - 1;
    udp->counters.coalesced += count;
    udp->counters.coalesced_receives++;
}

static void fn_udp_prepare_chunk(const fn_udp *udp, fn_datagram *batch, size_t count,
                                 fn_udp_slot *slots, struct mmsghdr *messages,
                                 fn_udp_control *controls)
{
    for (size_t i = 0; i < count; i++) {
        fn_udp_prepare_receive(udp, &batch[i], &slots[i], &messages[i].msg_hdr);
        if (udp->coalesces) {
            messages[i].msg_hdr.msg_control = &controls[i];
            messages[i].msg_hdr.msg_controllen = sizeof controls[i];
        }
    }
}

static size_t fn_udp_receive_chunk(fn_udp *udp, fn_datagram *batch, size_t count)
{
    struct mmsghdr messages[FN_UDP_CHUNK];
    fn_udp_slot slots[FN_UDP_CHUNK];
    fn_udp_control controls[FN_UDP_CHUNK];
    int errors = 0, received;
    fn_udp_prepare_chunk(udp, batch, count, slots, messages, controls);
    do {
        udp->counters.receive_calls++;
        received = recvmmsg((int)udp->handle, messages, (unsigned)count, FN_UDP_FLAGS, NULL);
        /* Sandboxes refuse calls that they do not know with EPERM. */
        if (received < 0 && (errno == ENOSYS || errno == EPERM)) {
            fn_udp_batch_missing(udp);
            return fn_udp_receive_each(udp, batch, count);
        }
    } while (received < 0 && fn_udp_receive_again(udp, errno, &errors));
    for (int i = 0; i < received; i++) {
        fn_udp_finish_receive(udp, &batch[i], &slots[i], &messages[i].msg_hdr, messages[i].msg_len);
        if (udp->coalesces)
            fn_udp_finish_coalesced(udp, &batch[i], &messages[i].msg_hdr);
    }
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

/* With MSG_TRUNC the call returns the length on the wire, however little of it fitted. */
static ssize_t fn_udp_receive_call(fn_udp *udp, fn_datagram *datagram, fn_sockaddr *name)
{
    socklen_t length = sizeof *name;
    udp->counters.receive_calls++;
    if (udp->connected)
        return recv((int)udp->handle, datagram->data, datagram->capacity, FN_UDP_FLAGS | MSG_TRUNC);
    return recvfrom((int)udp->handle, datagram->data, datagram->capacity, FN_UDP_FLAGS | MSG_TRUNC,
                    &name->any, &length);
}

bool fn_udp_receive_next(fn_udp *udp, fn_datagram *datagram)
{
    fn_udp_slot slot;
    struct msghdr message = {0};
    int errors = 0;
    ssize_t bytes;
    if (udp->coalesces)
        return fn_udp_receive(udp, datagram, 1) == 1;
    do
        bytes = fn_udp_receive_call(udp, datagram, &slot.name);
    while (bytes < 0 && fn_udp_receive_again(udp, errno, &errors));
    if (bytes < 0)
        return false;
    if ((size_t)bytes > datagram->capacity)
        message.msg_flags = MSG_TRUNC;
    fn_udp_finish_receive(udp, datagram, &slot, &message, (size_t)bytes);
    return true;
}

/* --- sending -------------------------------------------------------------------------------- */

static bool fn_udp_same_target(const fn_udp *udp, const fn_datagram *a, const fn_datagram *b)
{
    return udp->connected || (a->source == b->source && fn_address_equal(&a->address, &b->address));
}

/* How many datagrams from the first on go in one send: all as long as it, but for the last. */
static size_t fn_udp_run(const fn_udp *udp, const fn_datagram *batch, size_t count)
{
    size_t run = 1, total = batch->length;
    if (!udp->segments || batch->length == 0 || batch->alone ||
        fn_udp_is_plain(udp, &batch->address))
        return 1;
    for (; run < count && run < FN_UDP_SEGMENTS_MAX; run++) {
        const fn_datagram *next = &batch[run];
        total += next->length;
        if (batch[run - 1].length < batch->length || next->length > batch->length ||
            next->length == 0 || next->alone || total > FN_UDP_SEGMENT_BYTES_MAX ||
            !fn_udp_same_target(udp, batch, next))
            break;
    }
    return run;
}

static void fn_udp_ask_to_segment(struct msghdr *message, fn_udp_control *control, uint32_t bytes)
{
    uint16_t segment = (uint16_t)bytes;
    memset(control, 0, sizeof *control);
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    head->cmsg_level = SOL_UDP;
    head->cmsg_type = UDP_SEGMENT;
    head->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(head), &segment, sizeof segment);
}

/* After fn_udp_ask_to_segment, if both. False when this socket cannot send from there. */
static bool fn_udp_ask_for_source(const fn_udp *udp, struct msghdr *message, fn_udp_source *control,
                                  const fn_address *source)
{
    size_t bytes = fn_udp_write_source(udp, source, control);
    if (message->msg_controllen == 0)
        message->msg_control = control;
    message->msg_controllen += bytes;
    return bytes > 0;
}

/* The headers of one system call: each message is a run of datagrams. */
typedef struct fn_udp_sending {
    struct mmsghdr messages[FN_UDP_CHUNK];
    struct iovec vectors[FN_UDP_CHUNK];
    fn_sockaddr names[FN_UDP_CHUNK];
    fn_udp_wishes wishes[FN_UDP_CHUNK];
    size_t message_count;
    size_t datagram_count;
} fn_udp_sending;

/* False when this socket cannot reach the address. */
static bool fn_udp_add_run(const fn_udp *udp, fn_udp_sending *sending, const fn_datagram *batch,
                           size_t run)
{
    struct msghdr *message = &sending->messages[sending->message_count].msg_hdr;
    fn_sockaddr *name = &sending->names[sending->message_count];
    fn_udp_wishes *wishes = &sending->wishes[sending->message_count];
    memset(message, 0, sizeof *message);
    if (!udp->connected) {
        message->msg_name = name;
        message->msg_namelen = fn_sockaddr_encode(&batch->address, udp->ipv6, name);
        if (message->msg_namelen == 0)
            return false;
    }
    message->msg_iov = &sending->vectors[sending->datagram_count];
    message->msg_iovlen = run;
    for (size_t i = 0; i < run; i++)
        message->msg_iov[i] = (struct iovec){.iov_base = batch[i].data, .iov_len = batch[i].length};
    if (run > 1)
        fn_udp_ask_to_segment(message, &wishes->segment, batch->length);
    if (batch->source != NULL && !udp->connected &&
        !fn_udp_ask_for_source(udp, message, &wishes->source, batch->source))
        return false;
    sending->message_count++;
    sending->datagram_count += run;
    return true;
}

/* Marks the datagrams of the first messages as sent; returns how many they are. */
static size_t fn_udp_mark_sent(fn_udp *udp, const fn_udp_sending *sending, size_t messages,
                               fn_datagram *batch)
{
    size_t count = 0;
    for (size_t i = 0; i < messages; i++) {
        size_t run = sending->messages[i].msg_hdr.msg_iovlen;
        udp->counters.segmented_sends += run > 1 ? 1 : 0;
        udp->counters.segmented += run > 1 ? run : 0;
        count += run;
    }
    for (size_t i = 0; i < count; i++)
        batch[i].outcome = FN_UDP_SENT;
    udp->counters.sent += count;
    return count;
}

/* How many left before the first that failed. os_error is set when that is the very first. */
static size_t fn_udp_send_chunk(fn_udp *udp, fn_datagram *batch, size_t count, int *os_error)
{
    fn_udp_sending sending;
    int sent;
    *os_error = EAFNOSUPPORT;
    sending.message_count = sending.datagram_count = 0;
    for (size_t at = 0, run; at < count; at += run) {
        run = fn_udp_run(udp, batch + at, count - at);
        if (!fn_udp_add_run(udp, &sending, batch + at, run))
            break;
    }
    if (sending.message_count == 0)
        return 0;
    do {
        udp->counters.send_calls++;
        sent = sendmmsg((int)udp->handle, sending.messages, (unsigned)sending.message_count,
                        FN_UDP_FLAGS);
    } while (sent < 0 && errno == EINTR);
    *os_error = sent < 0 ? errno : 0;
    /* Not EPERM: that is also what a firewall rule answers. */
    if (*os_error == ENOSYS)
        fn_udp_batch_missing(udp);
    if (*os_error == ECONNREFUSED)
        udp->counters.refused++;
    return sent > 0 ? fn_udp_mark_sent(udp, &sending, (size_t)sent, batch) : 0;
}

/* Too many such addresses: then the socket is better off without. */
static void fn_udp_remember_plain(fn_udp *udp, const fn_address *address)
{
    udp->counters.fallbacks++;
    if (udp->plain_count == FN_UDP_PLAIN_MAX)
        udp->segments = false;
    else
        udp->plain[udp->plain_count++] = *address;
}

/* Full buffers and forged hints say nothing about segmentation. */
static bool fn_udp_may_mean_plain(int os_error)
{
    return os_error == EIO || os_error == EINVAL || os_error == EOPNOTSUPP ||
           os_error == EMSGSIZE || os_error == EPERM;
}

/*
 * The first run again, alone: what stood in its way may only have been a pending error. What is
 * still refused as one goes in pieces; if these are welcome, segmentation is what the device does
 * not want (EIO without checksum offload, EINVAL). Returns how many of the run left.
 */
static size_t fn_udp_send_first(fn_udp *udp, fn_datagram *batch, size_t run)
{
    int os_error = 0;
    size_t sent = run > 1 ? fn_udp_send_chunk(udp, batch, run, &os_error) : 0;
    if (sent > 0)
        return sent;
    sent = fn_udp_send_each(udp, batch, run);
    if (sent == run && fn_udp_may_mean_plain(os_error))
        fn_udp_remember_plain(udp, udp->connected ? &udp->peer : &batch->address);
    return sent;
}

size_t fn_udp_send(fn_udp *udp, fn_datagram *batch, size_t count)
{
    size_t at = 0, sent = 0;
    int os_error;
    while (at < count && udp->batch_calls) {
        size_t wanted = fn_min(count - at, FN_UDP_CHUNK);
        size_t left = wanted > 1 ? fn_udp_send_chunk(udp, batch + at, wanted, &os_error) : 0;
        at += left;
        sent += left;
        if (left == wanted)
            continue;
        size_t run = fn_udp_run(udp, batch + at, wanted - left);
        sent += fn_udp_send_first(udp, batch + at, run);
        at += run;
        if (batch[at - 1].outcome == FN_UDP_WOULD_BLOCK) {
            fn_udp_mark_blocked(batch + at, count - at);
            return sent;
        }
    }
    return sent + fn_udp_send_each(udp, batch + at, count - at);
}
