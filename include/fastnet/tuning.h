/*
 * fastnet/tuning.h: how an endpoint's UDP socket is tuned, and batches for a socket of your own.
 *
 * Nothing here is needed: the defaults are good for most games. A setting is a request. What the
 * system cut down or refused is logged once, and readable with fastnet_endpoint_socket_config().
 *
 *     FastNetSocketConfig socket = fastnet_socket_config_low_latency();
 *     FastNetConfig config;
 *     fastnet_config_init(&config);
 *     config.socket = &socket;
 *
 * How long fastnet_poll() spins before it blocks (spin_us), and whether the send path is kept warm
 * (keep_warm_us), are fields of FastNetConfig.
 *
 * Conventions are those of fastnet.h.
 */
#ifndef FASTNET_TUNING_H
#define FASTNET_TUNING_H

#include "fastnet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- the endpoint's socket ------------------------------------------------------------ */

/* Options of a UDP socket. Take one of the three below, then change what you need. Its size is
 * fixed; later versions take new options out of reserved, where 0 means the default. */
typedef struct FastNetSocketConfig {
    uint32_t receive_buffer_bytes; /* SO_RCVBUF: 1 MiB; 0 = the system's default */
    uint32_t send_buffer_bytes;    /* SO_SNDBUF: 1 MiB; 0 = the system's default */
    uint32_t busy_poll_us;         /* SO_BUSY_POLL: 0; the kernel asks the device before it waits.
                                      Older kernels want CAP_NET_ADMIN for it */
    uint32_t traffic_class;        /* IP_TOS and IPV6_TCLASS: 0..255; 0xB8 = expedited forwarding */
    uint32_t priority;             /* SO_PRIORITY: 0..15; above 6 takes CAP_NET_ADMIN */
    bool force_buffers;    /* exceed the system's maximum; takes CAP_NET_ADMIN, else it is cut */
    bool prefer_busy_poll; /* SO_PREFER_BUSY_POLL: the device's interrupts wait for the poller */
    bool segmentation;     /* UDP_SEGMENT (GSO): datagrams of one length to one peer leave in one
                              call; a device that refuses gets them one by one */
    bool coalescing;       /* UDP_GRO: they may arrive in one call, too. Costs 4 MiB of buffers */
    uint32_t reserved[10]; /* 0 */
} FastNetSocketConfig;

/* Buffers of 1 MiB, segmentation; the rest is as the system has it. Any thread. */
FASTNET_API FastNetSocketConfig fastnet_socket_config_default(void);

/* Buffers of 8 MiB, busy polling for 100 us, traffic class 0xB8, priority 6. Any thread. */
FASTNET_API FastNetSocketConfig fastnet_socket_config_low_latency(void);

/* Buffers of 8 MiB, segmentation and coalescing: most bytes for least CPU. Any thread. */
FASTNET_API FastNetSocketConfig fastnet_socket_config_high_throughput(void);

/*
 * Reads back what the system granted.
 *
 * Owner:     out is the caller's.
 * Returns:   OK; ERR_ARGUMENT (NULL). A system without an option grants 0 or false; force_buffers
 *            is as it was asked for.
 */
FASTNET_API FastNetResult fastnet_endpoint_socket_config(const FastNetEndpoint *endpoint,
                                                         FastNetSocketConfig *out);

/* --- batches -------------------------------------------------------------------------- */

/*
 * For a UDP socket of your own, beside the library: several datagrams in one system call
 * (sendmmsg, recvmmsg), or one call each where the system has no such thing. Nothing is encrypted,
 * retransmitted or counted here. Addresses are the system's (struct sockaddr_in, sockaddr_in6).
 * Every function: any thread, one at a time per batch; never allocates.
 */
#define FASTNET_BATCH_MAX          64
#define FASTNET_SOCKADDR_BYTES_MAX 28 /* of sockaddr_in6 */

struct sockaddr;

/* A socket: a descriptor, or on Windows a SOCKET. */
typedef intptr_t FastNetSocket;

/* One datagram that waits in a batch. Written by fastnet_batch_push(). */
typedef struct FastNetSendItem {
    const void *data; /* borrowed until it was sent */
    uint32_t data_len;
    uint32_t address_len; /* 0 = the socket is connected */
    uint8_t address[32];  /* a copy */
} FastNetSendItem;

/* Datagrams to send. Start with fastnet_batch_init(). */
typedef struct FastNetSendBatch {
    uint32_t count;
    uint32_t reserved;
    FastNetSendItem items[FASTNET_BATCH_MAX];
} FastNetSendBatch;

/* Empties a batch. NULL is fine. */
FASTNET_API void fastnet_batch_init(FastNetSendBatch *batch);

/*
 * Adds a datagram at the end.
 *
 * Owner:     data is borrowed until it was sent or the batch is emptied; the address is copied. A
 *            NULL address is for a connected socket.
 * Returns:   OK; ERR_LIMIT (FASTNET_BATCH_MAX wait: send first); ERR_ARGUMENT (NULL batch or data,
 *            an address longer than FASTNET_SOCKADDR_BYTES_MAX); ERR_TOO_LARGE (over 65507 bytes).
 */
FASTNET_API FastNetResult fastnet_batch_push(FastNetSendBatch *batch, const void *data,
                                             uint32_t data_len, const struct sockaddr *address,
                                             uint32_t address_len);

/*
 * Sends a batch, in order. What was sent leaves it; what was not moves to its front.
 *
 * Blocks:    never.
 * Returns:   how many were sent, or, when the very first was not: ERR_BACKPRESSURE (the send buffer
 *            is full: wait until the socket is writable); ERR_TOO_LARGE (more than the interface
 *            takes); ERR_ADDRESS (nobody listens there, as far as ICMP says, or no way leads
 *            there); ERR_SYSTEM (anything else); ERR_ARGUMENT. After an error the first item is still
 *            in the batch: call again, or fastnet_batch_drop_first().
 */
FASTNET_API int32_t fastnet_sendmmsg(FastNetSocket socket, FastNetSendBatch *batch);

/* Takes the first datagram out of the batch unsent. An empty batch stays empty. */
FASTNET_API void fastnet_batch_drop_first(FastNetSendBatch *batch);

/* Where one datagram is received. Set data and capacity; the rest is written. */
typedef struct FastNetReceiveItem {
    void *data; /* the caller's */
    uint32_t capacity;
    uint32_t data_len;    /* at most capacity */
    uint32_t address_len; /* of the sender; 0 on a connected socket */
    uint8_t address[32];  /* a struct sockaddr_in or sockaddr_in6 */
    bool truncated;       /* it was longer than capacity */
    uint8_t reserved[3];
} FastNetReceiveItem;

/*
 * Receives up to count (at most FASTNET_BATCH_MAX) datagrams.
 *
 * Blocks:    never.
 * Returns:   how many were received, 0 when none is there; ERR_ADDRESS (an ICMP message about an
 *            earlier datagram: a hint, anyone can forge it; call again); ERR_ARGUMENT; ERR_SYSTEM.
 * Hostile:   lengths never exceed capacity.
 */
FASTNET_API int32_t fastnet_recvmmsg(FastNetSocket socket, FastNetReceiveItem *items,
                                     uint32_t count);

#ifdef __cplusplus
}
static_assert(sizeof(FastNetSocketConfig) == 64, "FastNetSocketConfig is ABI");
#else
_Static_assert(sizeof(FastNetSocketConfig) == 64, "FastNetSocketConfig is ABI");
#endif

#endif
