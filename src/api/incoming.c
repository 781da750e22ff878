#include "api/incoming.h"

#include <string.h>

#include "api/endpoint.h"
#include "api/session.h"
#include "api/stream.h"
#include "base/text.h"

/* What a client has after its WELCOME, over TCP too, before somebody else may need its seat. */
#define PROVE_BESIDE_UDP_NS (2 * FN_NS_PER_S)
#define LIMIT_QUIET_NS      (10 * FN_NS_PER_S)

/* After a pause of ours this long, what would show progress may still wait in the sockets. */
#define STALL_NS (100 * FN_NS_PER_MS)

enum {
    ACCEPTS_PER_POLL = 64,
    LOG_LINES_PER_SECOND = 10,
};

/* --- listening --- */

static int init_admission(FastNetEndpoint *endpoint, uint8_t seed[FN_SIPHASH_KEY_BYTES])
{
    const FastNetConfig *given = &endpoint->config.given;
    fn_admission_config config = {
        .handshakes_max = given->listen ? given->handshakes_max : 1,
        .requests_max = given->peers_max,
        .handshakes_per_address_per_s = given->handshakes_per_address_per_s,
    };
    void *memory = fn_blocks_take(&endpoint->blocks, fn_admission_memory_bytes(&config), true);
    if (memory == NULL)
        return FASTNET_ERR_MEMORY;
    fn_admission_init(&endpoint->incoming.admission, &config, memory, seed);
    return FASTNET_OK;
}

static int init_seats(FastNetEndpoint *endpoint, const uint8_t seed[FN_MAP_SEED_BYTES])
{
    const FastNetConfig *given = &endpoint->config.given;
    fn_seats_config config = {
        .seats_max = given->listen ? given->peers_max : 1,
        .per_address_max = given->peers_per_address_max,
        .prove_ns = given->udp_timeout_ms * FN_NS_PER_MS + PROVE_BESIDE_UDP_NS,
    };
    void *memory = fn_blocks_take(&endpoint->blocks, fn_seats_memory_bytes(config.seats_max), true);
    if (memory == NULL)
        return FASTNET_ERR_MEMORY;
    fn_seats_init(&endpoint->incoming.seats, &config, memory, seed);
    return FASTNET_OK;
}

int fn_incoming_open(FastNetEndpoint *endpoint, fn_failure *failure)
{
    const FastNetConfig *given = &endpoint->config.given;
    uint8_t seed[FN_SIPHASH_KEY_BYTES];
    fn_random_fill(&endpoint->random, seed, sizeof seed);
    if (init_admission(endpoint, seed) != FASTNET_OK || init_seats(endpoint, seed) != FASTNET_OK)
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for the admission tables");
    if (!given->listen)
        return FASTNET_OK;
    fn_tls_context *context = fn_shard_identity(endpoint);
    if (context == NULL)
        context = fn_trust_identity(&endpoint->trust, given->certificate_path,
                                    given->private_key_path, &endpoint->report.log, failure);
    if (context == NULL)
        return failure->code;
    endpoint->links.config.server_tls = context;
    return fn_door_open(endpoint, fn_shard_port_use(endpoint), failure);
}

void fn_incoming_close(FastNetEndpoint *endpoint)
{
    fn_door_close(endpoint);
    fn_tls_context_release(endpoint->links.config.server_tls);
    endpoint->links.config.server_tls = NULL;
}

/* --- log --- */

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

/* An address that reached a limit of the configuration: now and then, as a warning. */
static void log_limit(FastNetEndpoint *endpoint, uint64_t *quiet_ns, const fn_address *from,
                      const char *what, uint64_t now_ns)
{
    char address[FN_ADDRESS_TEXT_BYTES];
    if (now_ns < *quiet_ns)
        return;
    *quiet_ns = now_ns + LIMIT_QUIET_NS;
    fn_address_format_host(from, address);
    char line[FN_LOG_LINE_BYTES_MAX];
    fn_text text = fn_text_make(line, sizeof line);
    fn_text_add(&text, address);
    fn_text_add(&text, " ");
    fn_text_add(&text, what);
    fn_log_write(&endpoint->report.log, FN_LOG_WARNING, line);
}

/* --- accepting --- */

/* A session's way over TCP must stay open to it: those who are connected stay, banned or not. Only
 * the banned are looked up, and no more often than an address may connect. */
static bool is_known(const FastNetEndpoint *endpoint, const fn_address *from)
{
    for (const fn_peer *peer = fn_peer_after(endpoint, 0); peer != NULL;
         peer = fn_peer_after(endpoint, peer->id)) {
        if (peer->state == FN_PEER_SESSION && !peer->is_client &&
            fn_conn_get_state(peer->conn) < FN_CONN_CLOSING &&
            (fn_address_same_host(&peer->remote, from) ||
             fn_address_same_host(fn_peer_address(peer), from)))
            return true;
    }
    return false;
}

/* The address may knock; whether there is a place is another question. */
static bool may_knock(FastNetEndpoint *endpoint, const fn_address *from, uint64_t now_ns)
{
    fn_incoming *incoming = &endpoint->incoming;
    switch (fn_admission_knock(&incoming->admission, now_ns, from)) {
    case FN_ADMISSION_BANNED:
        return is_known(endpoint, from);
    case FN_ADMISSION_LIMITED:
        log_limit(endpoint, &incoming->rate_quiet_ns, from,
                  "connects more often than handshakes_per_address_per_s allows: it "
                  "has to try again",
                  now_ns);
        return false;
    default:
        return true;
    }
}

static void begin(FastNetEndpoint *endpoint, fn_tcp tcp, const fn_address *from, uint64_t now_ns)
{
    fn_link *link = fn_link_create(endpoint, tcp, from, true);
    if (link == NULL)
        return;
    fn_admission_enter(&endpoint->incoming.admission, now_ns, &link->admission, from);
    fn_handshake_init_server(&link->handshake, &endpoint->links.config,
                             (int64_t)fn_platform_unix_time_s(&endpoint->platform), now_ns);
    fn_link_start(endpoint, link);
    /* A client's first bytes come right behind its connection: it is not silent then. */
    fn_link_ready(endpoint, link, FN_POLL_READ, now_ns);
}

/* False: it has to wait. */
static bool let_in(FastNetEndpoint *endpoint, fn_tcp tcp, const fn_address *from, uint64_t now_ns)
{
    fn_admission_entry *evicted;
    fn_admission_verdict verdict =
        fn_admission_place(&endpoint->incoming.admission, now_ns, from, &evicted);
    if (evicted != NULL)
        fn_link_destroy(endpoint, FN_CONTAINER_OF(evicted, fn_link, admission));
    if (verdict == FN_ADMISSION_ADMITTED)
        begin(endpoint, tcp, from, now_ns);
    else if (verdict == FN_ADMISSION_CROWDED)
        fn_platform_tcp_abort(&endpoint->platform, &tcp);
    return verdict != FN_ADMISSION_WAIT;
}

/* False: nobody else can be accepted now. */
static bool accept_one(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    fn_tcp tcp;
    fn_address from;
    bool held;
    fn_tcp_outcome outcome = fn_door_take(endpoint, now_ns, &tcp, &from, &held);
    if (outcome == FN_TCP_EXHAUSTED && may_log(&endpoint->incoming, now_ns)) {
        fn_log_write(&endpoint->report.log, FN_LOG_ERROR,
                     "a TCP connection was dropped: out of descriptors or memory");
    }
    if (outcome != FN_TCP_OK)
        return false;
    if (!held && !may_knock(endpoint, &from, now_ns)) {
        fn_platform_tcp_abort(&endpoint->platform, &tcp);
        return true;
    }
    bool in = let_in(endpoint, tcp, &from, now_ns);
    if (!in)
        fn_door_hold(&endpoint->incoming.door, tcp, &from);
    return in;
}

void fn_incoming_accept(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    const fn_admission *admission = &endpoint->incoming.admission;
    /* Nobody has overrun while we did not look. */
    if (fn_sub_saturating(now_ns, endpoint->poll_ns) > STALL_NS &&
        admission->half_open_count >= admission->config.handshakes_max)
        return;
    for (int i = 0; i < ACCEPTS_PER_POLL && accept_one(endpoint, now_ns); i++)
        continue;
    fn_door_settle(endpoint, now_ns);
}

void fn_incoming_reopen(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    if (endpoint->incoming.door.shut)
        fn_incoming_accept(endpoint, now_ns);
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

/* Seats must not be held by clients that finish TLS and then stay away. */
static bool make_room(FastNetEndpoint *endpoint, const fn_address *newcomer, uint64_t now_ns)
{
    fn_seat *seat = fn_seats_give_way(&endpoint->incoming.seats, now_ns, newcomer);
    if (seat == NULL)
        return false;
    fn_peer *peer = FN_CONTAINER_OF(seat, fn_peer, seat);
    endpoint->incoming.admission.evicted_count++;
    if (peer->link != NULL)
        fn_link_close_later(endpoint, peer->link, now_ns);
    fn_peer_retire(endpoint, peer, now_ns);
    fn_peers_sweep(endpoint);
    return true;
}

void fn_incoming_look(FastNetEndpoint *endpoint, fn_peer *peer)
{
    if (fn_conn_get_state(peer->conn) != FN_CONN_VALIDATING)
        fn_seats_prove(&endpoint->incoming.seats, &peer->seat);
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
    if (peer == NULL && make_room(endpoint, &link->remote, now_ns))
        peer = fn_peer_take(endpoint, FN_PEER_DECIDING, false);
    if (peer == NULL)
        return NULL;
    fn_seats_take(&endpoint->incoming.seats, &peer->seat, &link->remote);
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
    fn_admission_pass(&endpoint->incoming.admission, now_ns, &link->admission);
    int code = fn_admission_judge(&endpoint->incoming.admission, &link->remote, &text);
    if (code != FASTNET_OK) {
        fn_handshake_reject(&link->handshake, now_ns, code, 0, text);
        return;
    }
    if (!fn_seats_allows(&endpoint->incoming.seats, &link->remote)) {
        fn_handshake_reject(&link->handshake, now_ns, FASTNET_ERR_LIMIT, 0,
                            "the server has no more places for players from this address");
        log_limit(endpoint, &endpoint->incoming.seats_quiet_ns, &link->remote,
                  "has as many places as peers_per_address_max allows: another one "
                  "was refused",
                  now_ns);
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
    /* The application keeps whom it knows. */
    if (!peer->mentioned)
        fn_seats_doubt(&endpoint->incoming.seats, &peer->seat, now_ns);
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

void fn_incoming_progressed(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    const fn_handshake *handshake = &link->handshake;
    if (fn_handshake_get_state(handshake) >= FN_HANDSHAKE_DECIDING)
        return;
    fn_admission_stage stage = FN_ADMISSION_ANSWERED;
    if (fn_handshake_get_state(handshake) == FN_HANDSHAKE_WAITING)
        stage = fn_handshake_is_greeted(handshake) ? FN_ADMISSION_OURS : FN_ADMISSION_SILENT;
    fn_admission_advance(&endpoint->incoming.admission, now_ns, &link->admission, stage);
}

void fn_incoming_advanced(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_handshake_state state = fn_handshake_get_state(&link->handshake);
    if (state == FN_HANDSHAKE_DECIDING)
        hello_arrived(endpoint, link, now_ns);
    else if (state == FN_HANDSHAKE_ATTACHING)
        fn_stream_request(endpoint, link, now_ns);
    else if (state == FN_HANDSHAKE_FAILED)
        failed(endpoint, link, now_ns);
}
