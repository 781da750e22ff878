#include "api/stream.h"

#include <assert.h>
#include <string.h>

#include "api/endpoint.h"
#include "api/rejoin.h"
#include "api/session.h"
#include "base/bytes.h"
#include "core/wire.h"

/* --- life --- */

static fn_stream *create(FastNetEndpoint *endpoint)
{
    uint32_t frame_bytes = FN_STREAM_HEADER_BYTES + endpoint->datagrams.datagram_bytes;
    fn_stream *stream =
        fn_allocator_zeroed(&endpoint->blocks.memory, sizeof *stream + 2 * (size_t)frame_bytes);
    if (stream == NULL)
        return NULL;
    stream->frame_bytes = frame_bytes;
    stream->in = (uint8_t *)(stream + 1);
    stream->out = stream->in + frame_bytes;
    stream->idle = true;
    return stream;
}

static void destroy(FastNetEndpoint *endpoint, fn_stream *stream)
{
    fn_list_remove(&stream->paused);
    fn_memory_free(&endpoint->blocks.memory, stream,
                   sizeof *stream + 2 * (size_t)stream->frame_bytes);
}

/* Peer and session do not know the stream any more; its link belongs to nobody. */
static void forget(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_stream *stream = peer->stream;
    fn_link_detach(endpoint, stream->link);
    peer->stream = NULL;
    fn_conn_stream_lost(peer->conn, now_ns, stream->path);
    fn_peer_touch(endpoint, peer);
    destroy(endpoint, stream);
}

void fn_stream_drop(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    if (peer->stream == NULL)
        return;
    fn_link *link = peer->stream->link;
    forget(endpoint, peer, now_ns);
    fn_link_abandon(endpoint, link, now_ns);
}

bool fn_stream_attach(FastNetEndpoint *endpoint, fn_peer *peer, fn_link *link, uint64_t now_ns)
{
    fn_stream *stream = create(endpoint);
    if (stream == NULL)
        return false;
    fn_stream_drop(endpoint, peer, now_ns);
    int path = fn_conn_stream_add(peer->conn, now_ns);
    if (path < 0) {
        destroy(endpoint, stream);
        return false;
    }
    stream->link = link;
    stream->peer = peer->id;
    stream->path = (uint8_t)path;
    peer->stream = stream;
    peer->remote = link->remote;
    fn_peer_set_stream_path(peer, stream->path);
    if (peer->link == link)
        peer->link = NULL;
    link->peer = peer->id;
    link->is_stream = true;
    fn_platform_tcp_set_nodelay(&endpoint->platform, &link->tcp, true);
    fn_platform_tcp_set_unsent_max(&endpoint->platform, &link->tcp, FN_STREAM_UNSENT_BYTES);
    fn_peer_touch(endpoint, peer);
    return true;
}

/* The first connection may only be attached to the session that it made. */
static fn_peer *asked_for(const FastNetEndpoint *endpoint, const fn_link *link)
{
    fn_peer *peer = fn_peer_by_receiver_id(endpoint, fn_handshake_attach_id(&link->handshake));
    bool possible = peer != NULL && !peer->is_client &&
                    (link->peer == 0 || link->peer == peer->id) &&
                    fn_conn_get_state(peer->conn) < FN_CONN_CLOSING;
    return possible ? peer : NULL;
}

void fn_stream_request(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    uint32_t receiver_id = fn_handshake_attach_id(&link->handshake);
    if (link->peer == 0 && fn_shard_is_elsewhere(endpoint, receiver_id)) {
        link->moves = true;
        return;
    }
    fn_peer *peer = asked_for(endpoint, link);
    fn_admission_end(&endpoint->incoming.admission, &link->admission);
    bool proven =
        fn_handshake_attach_verify(&link->handshake, peer != NULL ? peer->attach_key : NULL);
    bool attached = proven && fn_stream_attach(endpoint, peer, link, now_ns);
    if (!attached)
        fn_link_detach(endpoint, link);
    fn_handshake_attach_answer(&link->handshake, now_ns, attached);
}

static fn_stream *stream_of(const FastNetEndpoint *endpoint, const fn_link *link)
{
    fn_peer *peer = fn_peer_find_any(endpoint, link->peer);
    bool is_its = peer != NULL && peer->stream != NULL && peer->stream->link == link;
    return is_its ? peer->stream : NULL;
}

void fn_stream_advanced(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_peer *peer = fn_peer_find_any(endpoint, link->peer);
    if (peer == NULL)
        return;
    if (stream_of(endpoint, link) == NULL)
        fn_rejoin_advanced(endpoint, peer, link, now_ns);
    else if (fn_handshake_get_state(&link->handshake) > FN_HANDSHAKE_STREAM)
        forget(endpoint, peer, now_ns);
}

/* --- receiving --- */

static uint32_t wanted_bytes(const fn_stream *stream)
{
    if (stream->in_bytes < FN_STREAM_HEADER_BYTES)
        return FN_STREAM_HEADER_BYTES;
    return FN_STREAM_HEADER_BYTES + (uint32_t)fn_load_be16(stream->in);
}

/* Checked before anything of the datagram is read. */
static bool length_is_good(const FastNetEndpoint *endpoint, const fn_stream *stream)
{
    uint32_t bytes;
    return fn_stream_length_decode(stream->in, endpoint->config.limits.datagram_bytes_max, &bytes);
}

typedef enum progress { WHOLE, MORE, BREACH } progress;

static progress read_frame(const FastNetEndpoint *endpoint, fn_stream *stream, uint64_t now_ns)
{
    uint32_t wanted;
    while (stream->in_bytes < (wanted = wanted_bytes(stream))) {
        size_t bytes =
            fn_handshake_stream_read(&stream->link->handshake, now_ns,
                                     stream->in + stream->in_bytes, wanted - stream->in_bytes);
        if (bytes == 0)
            return MORE;
        stream->in_bytes += (uint32_t)bytes;
        if (stream->in_bytes == FN_STREAM_HEADER_BYTES && !length_is_good(endpoint, stream))
            return BREACH;
    }
    return WHOLE;
}

static void pause_stream(FastNetEndpoint *endpoint, fn_stream *stream)
{
    if (!fn_list_linked(&stream->paused))
        fn_list_push_back(&endpoint->paused_streams, &stream->paused);
}

/* False: the stream is gone. */
static bool receive(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_stream *stream = peer->stream;
    fn_link *link = stream->link;
    progress at;
    fn_list_remove(&stream->paused);
    while ((at = read_frame(endpoint, stream, now_ns)) == WHOLE) {
        if (!fn_datagrams_handle(endpoint, peer, stream->path, stream->in + FN_STREAM_HEADER_BYTES,
                                 stream->in_bytes - FN_STREAM_HEADER_BYTES, now_ns)) {
            pause_stream(endpoint, stream);
            return true;
        }
        stream->in_bytes = 0;
    }
    if (at == MORE)
        return true;
    forget(endpoint, peer, now_ns);
    fn_handshake_close(&link->handshake, now_ns);
    return false;
}

bool fn_stream_is_paused(const FastNetEndpoint *endpoint, const fn_link *link)
{
    const fn_stream *stream = link->is_stream ? stream_of(endpoint, link) : NULL;
    return stream != NULL && fn_list_linked(&stream->paused);
}

void fn_streams_resume(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    fn_list *paused = &endpoint->paused_streams;
    fn_list_node *last = fn_list_back(paused);
    fn_list_node *node = NULL;
    while (node != last && (node = fn_list_front(paused)) != NULL) {
        fn_list_remove(node);
        fn_link_settle(endpoint, FN_CONTAINER_OF(node, fn_stream, paused)->link, now_ns);
    }
}

/* --- sending --- */

static void push(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_stream *stream = peer->stream;
    fn_link *link = stream->link;
    size_t written = 1;
    while (stream->out_sent_bytes < stream->out_bytes && written > 0) {
        written = fn_handshake_stream_write(&link->handshake, now_ns,
                                            stream->out + stream->out_sent_bytes,
                                            stream->out_bytes - stream->out_sent_bytes);
        stream->out_sent_bytes += (uint32_t)written;
        fn_link_transmit(endpoint, link);
    }
    fn_link_transmit(endpoint, link);
    bool idle = stream->out_sent_bytes == stream->out_bytes && !fn_link_has_output(link);
    if (idle && !stream->idle)
        fn_peer_touch(endpoint, peer);
    if (idle != stream->idle)
        fn_conn_stream_writable(peer->conn, stream->path, idle);
    stream->idle = idle;
}

void fn_stream_send(FastNetEndpoint *endpoint, fn_peer *peer, const uint8_t *data, size_t bytes,
                    uint64_t now_ns)
{
    fn_stream *stream = peer->stream;
    assert(stream->out_sent_bytes == stream->out_bytes);
    assert(bytes <= stream->frame_bytes - FN_STREAM_HEADER_BYTES);
    fn_stream_length_encode(stream->out, bytes);
    memcpy(stream->out + FN_STREAM_HEADER_BYTES, data, bytes);
    stream->out_bytes = (uint32_t)bytes + FN_STREAM_HEADER_BYTES;
    stream->out_sent_bytes = 0;
    push(endpoint, peer, now_ns);
    fn_link_watch(endpoint, stream->link);
}

void fn_stream_work(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_stream *stream = stream_of(endpoint, link);
    if (stream == NULL)
        return;
    fn_peer *peer = fn_peer_find_any(endpoint, stream->peer);
    fn_handshake_step(&link->handshake, now_ns, NULL);
    if (receive(endpoint, peer, now_ns) &&
        fn_handshake_get_state(&link->handshake) == FN_HANDSHAKE_STREAM)
        push(endpoint, peer, now_ns);
}
