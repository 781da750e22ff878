#include "api/incoming.h"

#include <string.h>

#include "api/endpoint.h"
#include "api/session.h"
#include "api/stream.h"
#include "base/text.h"

enum {
    ACCEPTS_PER_POLL = 64,
    LOG_LINES_PER_SECOND = 10,
};

/* --- listening --- */

static fn_admission_config admission_config(const FastNetConfig *given)
{
    return (fn_admission_config){
        .handshakes_max = given->handshakes_max,
        .requests_max = given->peers_max,
        .handshakes_per_address_per_s = given->handshakes_per_address_per_s,
    };
}

static int init_admission(FastNetEndpoint *endpoint)
{
    fn_admission_config config = admission_config(&endpoint->config.given);
    uint8_t seed[FN_SIPHASH_KEY_BYTES];
    void *memory = fn_blocks_take(&endpoint->blocks, fn_admission_memory_bytes(), true);
    if (memory == NULL)
        return FASTNET_ERR_MEMORY;
    fn_random_fill(&endpoint->random, seed, sizeof seed);
    fn_admission_init(&endpoint->incoming.admission, &config, memory, seed);
    return FASTNET_OK;
}

static int listen_on(FastNetEndpoint *endpoint, fn_failure *failure)
{
    fn_io_error error;
    fn_address local;
    fn_incoming *incoming = &endpoint->incoming;
    fn_tcp_listen_options options = {.local = endpoint->config.bind_address,
                                     .port_use = fn_shard_port_use(endpoint)};
    options.local.port = endpoint->config.given.tls_port;
    int code = fn_platform_tcp_listen(&endpoint->platform, &options,
                                      fn_token_make(FN_TOKEN_LISTENER, 0), &local, &error);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "%s", error.text);
    incoming->listening = true;
    incoming->tls_port = local.port;
    return FASTNET_OK;
}

int fn_incoming_open(FastNetEndpoint *endpoint, fn_failure *failure)
{
    const FastNetConfig *given = &endpoint->config.given;
    if (init_admission(endpoint) != FASTNET_OK)
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for the admission table");
    if (!given->listen)
        return FASTNET_OK;
    fn_tls_context *context = fn_shard_identity(endpoint);
    if (context == NULL)
        context = fn_trust_identity(&endpoint->trust, given->certificate_path,
                                    given->private_key_path, &endpoint->report.log, failure);
    if (context == NULL)
        return failure->code;
    endpoint->links.config.server_tls = context;
    return listen_on(endpoint, failure);
}

void fn_incoming_close(FastNetEndpoint *endpoint)
{
    fn_incoming *incoming = &endpoint->incoming;
    if (incoming->listening)
        fn_platform_tcp_unlisten(&endpoint->platform);
    incoming->listening = false;
    fn_tls_context_release(endpoint->links.config.server_tls);
    endpoint->links.config.server_tls = NULL;
}

/* --- accepting --- */

/* Somebody who connects, or sends garbage, all day must not fill the log. */
static bool may_log(fn_incoming *incoming, uint64_t now_ns)
{
    uint64_t second = now_ns / FN_NS_PER_S;
    if (second != incoming->log_second) {
        incoming->log_second = second;
        incoming->log_lines = 0;
    }
    return incoming->log_lines++ < LOG_LINES_PER_SECOND;
}

static void begin(FastNetEndpoint *endpoint, fn_tcp tcp, const fn_address *remote, uint64_t now_ns)
{
    fn_link *link = fn_link_create(endpoint, tcp, remote, true);
    if (link == NULL)
        return;
    fn_admission_entry *evicted = NULL;
    fn_admission_verdict verdict = fn_admission_begin(&endpoint->incoming.admission, now_ns, remote,
                                                      &link->admission, &evicted);
    fn_handshake_init_server(&link->handshake, &endpoint->links.config,
                             (int64_t)fn_platform_unix_time_s(&endpoint->platform), now_ns);
    if (evicted != NULL)
        fn_link_destroy(endpoint, FN_CONTAINER_OF(evicted, fn_link, admission));
    if (verdict != FN_ADMISSION_ADMITTED)
        fn_link_destroy(endpoint, link);
    else
        fn_link_start(endpoint, link);
}

void fn_incoming_accept(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    for (int i = 0; i < ACCEPTS_PER_POLL; i++) {
        fn_tcp tcp;
        fn_address remote;
        fn_tcp_outcome outcome = fn_platform_tcp_accept(&endpoint->platform, &tcp, &remote);
        if (outcome == FN_TCP_EXHAUSTED && may_log(&endpoint->incoming, now_ns)) {
            fn_log_write(&endpoint->report.log, FN_LOG_ERROR,
                         "a TCP connection was dropped: out of descriptors or memory");
        }
        if (outcome != FN_TCP_OK)
            return;
        begin(endpoint, tcp, &remote, now_ns);
    }
}

/* --- deciding --- */

static void raise_request(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_event event = {.type = FN_EVENT_REQUEST,
                      .owner = peer->id,
                      .time_ns = now_ns,
                      .data = peer->token,
                      .bytes = (uint32_t)peer->token_bytes};
    fn_events_push(&endpoint->events, &event);
}

static int copy_token(FastNetEndpoint *endpoint, fn_peer *peer, const fn_handshake_result *result)
{
    if (result->token_bytes == 0)
        return FASTNET_OK;
    peer->token =
        fn_memory_alloc(&endpoint->blocks.memory, result->token_bytes, FN_ALLOCATOR_ALIGNMENT);
    if (peer->token == NULL)
        return FASTNET_ERR_MEMORY;
    peer->token_bytes = result->token_bytes;
    memcpy(peer->token, result->token, result->token_bytes);
    return FASTNET_OK;
}

/* A client that has its WELCOME and has not shown itself over UDP or a stream yet. The application
 * knows nothing of it. */
static bool is_unproven(const fn_peer *peer)
{
    return peer->state == FN_PEER_SESSION && !peer->is_client && !peer->connected &&
           !peer->mentioned && !peer->muted;
}

static uint32_t crowd_of(const fn_peer *peer)
{
    return (uint32_t)(fn_address_prefix(&peer->remote) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

/* The oldest of those who came from where most of the unproven come
 * from; NULL when there is none. */
static fn_peer *most_crowded(FastNetEndpoint *endpoint)
{
    uint32_t crowds[256] = {0};
    fn_peer *worst = NULL;
    for (fn_peer *peer = fn_peer_after(endpoint, 0); peer != NULL;
         peer = fn_peer_after(endpoint, peer->id))
        crowds[crowd_of(peer)] += is_unproven(peer);
    for (fn_peer *peer = fn_peer_after(endpoint, 0); peer != NULL;
         peer = fn_peer_after(endpoint, peer->id)) {
        if (!is_unproven(peer))
            continue;
        uint32_t crowd = crowds[crowd_of(peer)];
        uint32_t most = worst != NULL ? crowds[crowd_of(worst)] : 0;
        if (worst == NULL || crowd > most || (crowd == most && peer->began_ns < worst->began_ns))
            worst = peer;
    }
    return worst;
}

/* Slots must not be held by clients that finish TLS and then stay away: one address could refuse
 * everybody else that way. Its own crowd pays for the newcomer. */
static void make_room(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    fn_peer *peer = most_crowded(endpoint);
    if (peer == NULL)
        return;
    endpoint->incoming.admission.evicted_count++;
    if (peer->link != NULL)
        fn_link_close_later(endpoint, peer->link, now_ns);
    fn_peer_retire(endpoint, peer, now_ns);
    fn_peers_sweep(endpoint);
}

/* A client hears only the address that it connected to. On a host with several, the system would
 * answer from the one that it prefers. */
static fn_address source_for(const FastNetEndpoint *endpoint, const fn_link *link)
{
    fn_address local = {0};
    const fn_config *config = &endpoint->config;
    if (!fn_address_is_any(&config->bind_address) || config->advertised_host[0] != 0 ||
        fn_platform_tcp_local(&endpoint->platform, &link->tcp, &local, NULL) != FASTNET_OK)
        return (fn_address){0};
    return local;
}

static fn_peer *take_peer(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_peer *peer = fn_peer_take(endpoint, FN_PEER_DECIDING, false);
    if (peer == NULL) {
        make_room(endpoint, now_ns);
        peer = fn_peer_take(endpoint, FN_PEER_DECIDING, false);
    }
    if (peer == NULL)
        return NULL;
    peer->began_ns = now_ns;
    const fn_handshake_result *result = fn_handshake_get_result(&link->handshake);
    peer->remote = link->remote;
    peer->source = source_for(endpoint, link);
    peer->link = link;
    peer->application_build = result->application_build;
    peer->message_bytes_max = result->agreed.message_bytes_max;
    link->peer = peer->id;
    return peer;
}

static bool ask_application(FastNetEndpoint *endpoint, fn_peer *peer, fn_link *link,
                            uint64_t now_ns)
{
    const fn_handshake_result *result = fn_handshake_get_result(&link->handshake);
    bool room = fn_events_room(&endpoint->events) > 0;
    if (!room || copy_token(endpoint, peer, result) != FASTNET_OK ||
        !fn_admission_decide(&endpoint->incoming.admission, &link->admission))
        return false;
    raise_request(endpoint, peer, now_ns);
    return true;
}

/* The HELLO was good (PROTOCOL.md section 3: the order of the checks). */
static void hello_arrived(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    const char *text = NULL;
    int code = fn_admission_judge(&endpoint->incoming.admission, &link->remote, &text);
    if (code != FASTNET_OK) {
        fn_handshake_reject(&link->handshake, now_ns, code, 0, text);
        return;
    }
    fn_peer *peer = take_peer(endpoint, link, now_ns);
    if (peer == NULL) {
        fn_handshake_reject(&link->handshake, now_ns, FASTNET_ERR_FULL, 0, NULL);
        return;
    }
    if (!endpoint->config.given.connect_requests) {
        fn_incoming_decide(endpoint, peer, now_ns);
        return;
    }
    if (!ask_application(endpoint, peer, link, now_ns)) {
        fn_handshake_reject(&link->handshake, now_ns, FASTNET_ERR_FULL, 0, NULL);
        fn_link_detach(endpoint, link);
        fn_peer_retire(endpoint, peer, now_ns);
    }
}

static int welcome(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    const fn_config *config = &endpoint->config;
    uint16_t port =
        config->advertised_port != 0 ? config->advertised_port : endpoint->datagrams.local_port;
    int code = fn_session_reserve(endpoint, peer);
    if (code != FASTNET_OK)
        return code;
    if (!fn_peer_draw_receiver_id(endpoint, peer, now_ns))
        return FASTNET_ERR_FULL;
    code = fn_handshake_accept(&peer->link->handshake, now_ns, peer->id, peer->receiver_id, port,
                               config->advertised_host);
    if (code != FASTNET_OK)
        return code;
    fn_admission_end(&endpoint->incoming.admission, &peer->link->admission);
    return fn_session_start(endpoint, peer, NULL, now_ns);
}

int fn_incoming_decide(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    int code = welcome(endpoint, peer, now_ns);
    if (code == FASTNET_OK)
        return code;
    if (may_log(&endpoint->incoming, now_ns))
        fn_log_detail(&endpoint->report.log, FN_LOG_WARNING, "a client could not be accepted",
                      fastnet_result_text(code));
    fn_link *link = peer->link;
    /* Before WELCOME there is still an answer to give. */
    if (fn_handshake_reject(&link->handshake, now_ns, FASTNET_ERR_FULL, 0, NULL) != FASTNET_OK)
        fn_handshake_close(&link->handshake, now_ns);
    fn_admission_end(&endpoint->incoming.admission, &link->admission);
    fn_link_detach(endpoint, link);
    fn_peer_retire(endpoint, peer, now_ns);
    return code;
}

int fn_incoming_refuse(FastNetEndpoint *endpoint, fn_peer *peer, uint32_t code, const char *text,
                       uint64_t now_ns)
{
    fn_link *link = peer->link;
    int result = fn_handshake_reject(&link->handshake, now_ns, FASTNET_ERR_REJECTED, code, text);
    fn_admission_end(&endpoint->incoming.admission, &link->admission);
    fn_link_detach(endpoint, link);
    fn_peer_retire(endpoint, peer, now_ns);
    fn_link_settle(endpoint, link, now_ns);
    return result;
}

/* --- advancing --- */

static void log_failure(FastNetEndpoint *endpoint, const fn_link *link, uint64_t now_ns)
{
    char address[FN_ADDRESS_TEXT_BYTES];
    char line[FN_LOG_LINE_BYTES_MAX];
    const fn_failure *failure = fn_handshake_failure(&link->handshake);
    if (!fn_log_wants(&endpoint->report.log, FN_LOG_INFO) || !may_log(&endpoint->incoming, now_ns))
        return;
    fn_address_format(&link->remote, address);
    fn_text text = fn_text_make(line, sizeof line);
    fn_text_add(&text, "handshake with ");
    fn_text_add(&text, address);
    fn_text_add(&text, " failed: ");
    fn_text_add_quoted(&text, failure->text, strlen(failure->text));
    fn_log_write(&endpoint->report.log, FN_LOG_INFO, line);
}

/* The client went away while the application was deciding, or took too long to. */
static void undecided_gone(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_peer *peer = fn_peer_find_any(endpoint, link->peer);
    const fn_failure *failure = fn_handshake_failure(&link->handshake);
    fn_link_detach(endpoint, link);
    if (peer != NULL && peer->state == FN_PEER_DECIDING)
        fn_peer_fail(endpoint, peer, failure->code, 0, failure->text, now_ns);
}

static void failed(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    endpoint->counters.handshakes_failed++;
    log_failure(endpoint, link, now_ns);
    fn_admission_end(&endpoint->incoming.admission, &link->admission);
    undecided_gone(endpoint, link, now_ns);
}

void fn_incoming_advanced(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_handshake_state state = fn_handshake_get_state(&link->handshake);
    if (state < FN_HANDSHAKE_DECIDING)
        fn_admission_advance(&endpoint->incoming.admission, &link->admission, (uint32_t)state);
    else if (state == FN_HANDSHAKE_DECIDING)
        hello_arrived(endpoint, link, now_ns);
    else if (state == FN_HANDSHAKE_ATTACHING)
        fn_stream_request(endpoint, link, now_ns);
    else if (state == FN_HANDSHAKE_FAILED)
        failed(endpoint, link, now_ns);
}
