#include "host/carrier/stream.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "core/wire.h"
#include "host/host.h"

static void advanced(fn_host *host, fn_link *link, uint64_t now_ns);
static void work(fn_host *host, fn_link *link, uint64_t now_ns);
static bool is_paused(const fn_host *host, const fn_link *link);

static const fn_link_owner stream_owner = {
    .advanced = advanced, .work = work, .is_paused = is_paused};

/* --- life --- */

static fn_stream *create(fn_host *host)
{
    uint32_t frame_bytes = FN_STREAM_HEADER_BYTES + host->datagrams.datagram_bytes;
    fn_stream *stream =
        fn_allocator_zeroed(&host->blocks.memory, sizeof *stream + 2 * (size_t)frame_bytes);
    if (stream == NULL)
        return NULL;
    stream->frame_bytes = frame_bytes;
    stream->in = (uint8_t *)(stream + 1);
    stream->out = stream->in + frame_bytes;
    stream->idle = true;
    return stream;
}

static void destroy(fn_host *host, fn_stream *stream)
{
    fn_list_remove(&stream->paused);
    fn_memory_free(&host->blocks.memory, stream, sizeof *stream + 2 * (size_t)stream->frame_bytes);
}

/* Peer and session do not know the stream any more; its link belongs to nobody. */
static void forget(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_stream *stream = peer->stream;
    fn_link_detach(host, stream->link);
    peer->stream = NULL;
    fn_conn_stream_lost(peer->conn, now_ns, stream->path);
    fn_peer_touch(host, peer);
    destroy(host, stream);
}

void fn_stream_drop(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    if (peer->stream == NULL)
        return;
    fn_link *link = peer->stream->link;
    forget(host, peer, now_ns);
    fn_link_abandon(host, link, now_ns);
}

bool fn_stream_attach(fn_host *host, fn_peer *peer, fn_link *link, uint64_t now_ns)
{
    fn_stream *stream = create(host);
    if (stream == NULL)
        return false;
    fn_stream_drop(host, peer, now_ns);
    int path = fn_conn_stream_add(peer->conn, now_ns);
    if (path < 0) {
        destroy(host, stream);
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
    link->owner = &stream_owner;
    link->is_stream = true;
    fn_platform_tcp_set_nodelay(&host->platform, &link->tcp, true);
    fn_platform_tcp_set_unsent_max(&host->platform, &link->tcp, FN_STREAM_UNSENT_BYTES);
    fn_peer_touch(host, peer);
    return true;
}

/* The first connection may only be attached to the session that it made. */
static fn_peer *asked_for(const fn_host *host, const fn_link *link)
{
    fn_peer *peer = fn_peer_by_receiver_id(host, fn_handshake_attach_id(&link->handshake));
    bool possible = peer != NULL && !peer->is_client &&
                    (link->peer == 0 || link->peer == peer->id) &&
                    fn_conn_get_state(peer->conn) < FN_CONN_CLOSING;
    return possible ? peer : NULL;
}

void fn_stream_request(fn_host *host, fn_link *link, uint64_t now_ns)
{
    uint32_t receiver_id = fn_handshake_attach_id(&link->handshake);
    if (link->peer == 0 && fn_siblings_own(&host->siblings, receiver_id)) {
        link->moves = true;
        return;
    }
    fn_peer *peer = asked_for(host, link);
    fn_admission_end(&host->incoming.admission, &link->admission);
    bool proven =
        fn_handshake_attach_verify(&link->handshake, peer != NULL ? peer->attach_key : NULL);
    bool attached = proven && fn_stream_attach(host, peer, link, now_ns);
    if (!attached)
        fn_link_detach(host, link);
    fn_handshake_attach_answer(&link->handshake, now_ns, attached);
}

static fn_stream *stream_of(const fn_host *host, const fn_link *link)
{
    fn_peer *peer = fn_peer_find_any(host, link->peer);
    bool is_its = peer != NULL && peer->stream != NULL && peer->stream->link == link;
    return is_its ? peer->stream : NULL;
}

static void advanced(fn_host *host, fn_link *link, uint64_t now_ns)
{
    if (stream_of(host, link) != NULL &&
        fn_handshake_get_state(&link->handshake) > FN_HANDSHAKE_STREAM)
        forget(host, fn_peer_find_any(host, link->peer), now_ns);
}

/* --- receiving --- */

static uint32_t wanted_bytes(const fn_stream *stream)
{
    if (stream->in_bytes < FN_STREAM_HEADER_BYTES)
        return FN_STREAM_HEADER_BYTES;
    return FN_STREAM_HEADER_BYTES + (uint32_t)fn_load_be16(stream->in);
}

/* Checked before anything of the datagram is read. */
static bool length_is_good(const fn_host *host, const fn_stream *stream)
{
    uint32_t bytes;
    return fn_stream_length_decode(stream->in, host->config.limits.datagram_bytes_max, &bytes);
}

typedef enum progress { WHOLE, MORE, BREACH } progress;

static progress read_frame(const fn_host *host, fn_stream *stream, uint64_t now_ns)
{
    uint32_t wanted;
    while (stream->in_bytes < (wanted = wanted_bytes(stream))) {
        size_t bytes =
            fn_handshake_stream_read(&stream->link->handshake, now_ns,
                                     stream->in + stream->in_bytes, wanted - stream->in_bytes);
        if (bytes == 0)
            return MORE;
        stream->in_bytes += (uint32_t)bytes;
        if (stream->in_bytes == FN_STREAM_HEADER_BYTES && !length_is_good(host, stream))
            return BREACH;
    }
    return WHOLE;
}

static void pause_stream(fn_host *host, fn_stream *stream)
{
    if (!fn_list_linked(&stream->paused))
        fn_list_push_back(&host->paused_streams, &stream->paused);
}

/* False: the stream is gone. */
static bool receive(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_stream *stream = peer->stream;
    fn_link *link = stream->link;
    progress at;
    fn_list_remove(&stream->paused);
    while ((at = read_frame(host, stream, now_ns)) == WHOLE) {
        if (!fn_datagrams_handle(host, peer, stream->path, stream->in + FN_STREAM_HEADER_BYTES,
                                 stream->in_bytes - FN_STREAM_HEADER_BYTES, now_ns)) {
            pause_stream(host, stream);
            return true;
        }
        stream->in_bytes = 0;
    }
    if (at == MORE)
        return true;
    forget(host, peer, now_ns);
    fn_handshake_close(&link->handshake, now_ns);
    return false;
}

static bool is_paused(const fn_host *host, const fn_link *link)
{
    const fn_stream *stream = link->is_stream ? stream_of(host, link) : NULL;
    return stream != NULL && fn_list_linked(&stream->paused);
}

void fn_streams_resume(fn_host *host, uint64_t now_ns)
{
    fn_list *paused = &host->paused_streams;
    fn_list_node *last = fn_list_back(paused);
    fn_list_node *node = NULL;
    while (node != last && (node = fn_list_front(paused)) != NULL) {
        fn_list_remove(node);
        fn_link_settle(host, FN_CONTAINER_OF(node, fn_stream, paused)->link, now_ns);
    }
}

/* --- sending --- */

static void push(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_stream *stream = peer->stream;
    fn_link *link = stream->link;
    size_t written = 1;
    while (stream->out_sent_bytes < stream->out_bytes && written > 0) {
        written = fn_handshake_stream_write(&link->handshake, now_ns,
                                            stream->out + stream->out_sent_bytes,
                                            stream->out_bytes - stream->out_sent_bytes);
        stream->out_sent_bytes += (uint32_t)written;
        fn_link_transmit(host, link);
    }
    fn_link_transmit(host, link);
    bool idle = stream->out_sent_bytes == stream->out_bytes && !fn_link_has_output(link);
    if (idle && !stream->idle)
        fn_peer_touch(host, peer);
    if (idle != stream->idle)
        fn_conn_stream_writable(peer->conn, stream->path, idle);
    stream->idle = idle;
}

void fn_stream_send(fn_host *host, fn_peer *peer, const uint8_t *data, size_t bytes,
                    uint64_t now_ns)
{
    fn_stream *stream = peer->stream;
    assert(stream->out_sent_bytes == stream->out_bytes);
    assert(bytes <= stream->frame_bytes - FN_STREAM_HEADER_BYTES);
    fn_stream_length_encode(stream->out, bytes);
    memcpy(stream->out + FN_STREAM_HEADER_BYTES, data, bytes);
    stream->out_bytes = (uint32_t)bytes + FN_STREAM_HEADER_BYTES;
    stream->out_sent_bytes = 0;
    push(host, peer, now_ns);
    fn_link_watch(host, stream->link);
}

static void work(fn_host *host, fn_link *link, uint64_t now_ns)
{
    fn_stream *stream = stream_of(host, link);
    if (stream == NULL)
        return;
    fn_peer *peer = fn_peer_find_any(host, stream->peer);
    fn_handshake_step(&link->handshake, now_ns, NULL);
    if (receive(host, peer, now_ns) &&
        fn_handshake_get_state(&link->handshake) == FN_HANDSHAKE_STREAM)
        push(host, peer, now_ns);
}
