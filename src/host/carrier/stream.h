/*
 * stream.h: a session's TLS stream (PROTOCOL.md section 11.4): sealed datagrams over TCP, each as
 * `length u16, datagram`. One per peer; a newer one takes the place of the older.
 *
 *   client   fn_fallback gets one             server   fn_stream_request answers ATTACH
 *   link     says that bytes came, that the socket is writable, that it is over
 *   session  asks whether a path is the stream, and sends on it
 *
 * At most one datagram waits above TLS: the rest waits in the session, where unreliable messages
 * grow old. At most FN_STREAM_UNSENT_BYTES wait below. What comes in is read as fast as the
 * application takes it; then TCP holds the other side back.
 *
 * Memory: two datagrams, and the link's.
 */
#ifndef FN_HOST_CARRIER_STREAM_H
#define FN_HOST_CARRIER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "core/wire.h"
#include "host/connect/link.h"
#include "host/peer.h"

typedef struct fn_host fn_host;

enum {
    FN_STREAM_HEADER_BYTES = FN_WIRE_STREAM_LENGTH_BYTES,
    FN_STREAM_UNSENT_BYTES = 32 * 1024,
};

typedef struct fn_stream {
    fn_list_node paused; /* bytes wait until the application has taken its events */
    fn_link *link;
    FastNetPeerId peer;
    uint8_t path;         /* the session's id for it */
    bool idle;            /* nothing waits to be sent */
    uint32_t frame_bytes; /* of each buffer */
    uint32_t in_bytes;
    uint32_t out_bytes;
    uint32_t out_sent_bytes;
    uint8_t *in;
    uint8_t *out;
} fn_stream;

/* The link has become a stream of that peer. False: the session is ending, or there is no memory;
 * nothing has changed. */
bool fn_stream_attach(fn_host *host, fn_peer *peer, fn_link *link, uint64_t now_ns);

/* Server: ATTACH came. Answers ATTACHED, or GONE to whatever is wrong with it; what another shard
 * has to answer goes there. */
void fn_stream_request(fn_host *host, fn_link *link, uint64_t now_ns);

/* Those that waited go on. */
void fn_streams_resume(fn_host *host, uint64_t now_ns);

/* Sends one datagram. The session gives none while the stream is not idle. */
void fn_stream_send(fn_host *host, fn_peer *peer, const uint8_t *data, size_t bytes,
                    uint64_t now_ns);

/* Ends it in good order; the session goes on elsewhere. Nothing happens when there is none. */
void fn_stream_drop(fn_host *host, fn_peer *peer, uint64_t now_ns);

#endif
