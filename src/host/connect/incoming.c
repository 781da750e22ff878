#include "host/connect/incoming.h"

#include <string.h>

#include "base/text.h"
#include "host/carrier/stream.h"
#include "host/host.h"
#include "host/life.h"
#include "host/session.h"

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

static int init_admission(fn_host *host, uint8_t seed[FN_SIPHASH_KEY_BYTES])
{
    const FastNetConfig *given = &host->config.given;
    fn_admission_config config = {
        .handshakes_max = given->listen ? given->handshakes_max : 1,
        .requests_max = given->peers_max,
        .handshakes_per_address_per_s = given->handshakes_per_address_per_s,
    };
    void *memory = fn_blocks_take(&host->blocks, fn_admission_memory_bytes(&config), true);
    if (memory == NULL)
        return FASTNET_ERR_MEMORY;
    fn_admission_init(&host->incoming.admission, &config, memory, seed);
    return FASTNET_OK;
}

static int init_seats(fn_host *host, const uint8_t seed[FN_MAP_SEED_BYTES])
{
    const FastNetConfig *given = &host->config.given;
    fn_seats_config config = {
        .seats_max = given->listen ? given->peers_max : 1,
        .per_address_max = given->peers_per_address_max,
        .prove_ns = given->udp_timeout_ms * FN_NS_PER_MS + PROVE_BESIDE_UDP_NS,
    };
    void *memory = fn_blocks_take(&host->blocks, fn_seats_memory_bytes(config.seats_max), true);
    if (memory == NULL)
        return FASTNET_ERR_MEMORY;
    fn_seats_init(&host->incoming.seats, &config, memory, seed);
    return FASTNET_OK;
}

int fn_incoming_open(fn_host *host, fn_failure *failure)
{
    const FastNetConfig *given = &host->config.given;
    uint8_t seed[FN_SIPHASH_KEY_BYTES];
    fn_random_fill(&host->random, seed, sizeof seed);
    if (init_admission(host, seed) != FASTNET_OK || init_seats(host, seed) != FASTNET_OK)
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for the admission tables");
    if (!given->listen)
        return FASTNET_OK;
    return fn_door_open(host, host->siblings.port_use, failure);
}

void fn_incoming_close(fn_host *host)
{
    fn_door_close(host);
}

static void advanced(fn_host *host, fn_link *link, uint64_t now_ns);
static void progressed(fn_host *host, fn_link *link, uint64_t now_ns);

static const fn_link_owner incoming_owner = {.advanced = advanced, .progressed = progressed};

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
static void log_limit(fn_host *host, uint64_t *quiet_ns, const fn_address *from, const char *what,
                      uint64_t now_ns)
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
    fn_log_write(&host->diagnostics.log, FN_LOG_WARNING, line);
}

/* --- accepting --- */

/* A session's way over TCP must stay open to it: those who are connected stay, banned or not. Only
 * the banned are looked up, and no more often than an address may connect. */
static bool is_known(const fn_host *host, const fn_address *from)
{
    for (const fn_peer *peer = fn_peer_after(host, 0); peer != NULL;
         peer = fn_peer_after(host, peer->id)) {
        if (peer->state == FN_PEER_SESSION && !peer->is_client &&
            fn_conn_get_state(peer->conn) < FN_CONN_CLOSING &&
            (fn_address_same_host(&peer->remote, from) ||
             fn_address_same_host(fn_peer_address(peer), from)))
            return true;
    }
    return false;
}

/* The address may knock; whether there is a place is another question. */
static bool may_knock(fn_host *host, const fn_address *from, uint64_t now_ns)
{
    fn_incoming *incoming = &host->incoming;
    switch (fn_admission_knock(&incoming->admission, now_ns, from)) {
    case FN_ADMISSION_BANNED:
        return is_known(host, from);
    case FN_ADMISSION_LIMITED:
        log_limit(host, &incoming->rate_quiet_ns, from,
                  "connects more often than handshakes_per_address_per_s allows: it "
                  "has to try again",
                  now_ns);
        return false;
    default:
        return true;
    }
}

static void begin(fn_host *host, fn_tcp tcp, const fn_address *from, uint64_t now_ns)
{
    fn_link *link = fn_link_create(host, tcp, from, &incoming_owner);
    if (link == NULL)
        return;
    link->is_incoming = true;
    fn_admission_enter(&host->incoming.admission, now_ns, &link->admission, from);
    fn_handshake_init_server(&link->handshake, &host->links.config,
                             (int64_t)fn_platform_unix_time_s(&host->platform), now_ns);
    fn_link_start(host, link);
    /* A client's first bytes come right behind its connection: it is not silent then. */
    fn_link_ready(host, link, FN_POLL_READ, now_ns);
}

/* False: it has to wait. */
static bool let_in(fn_host *host, fn_tcp tcp, const fn_address *from, uint64_t now_ns)
{
    fn_admission_entry *evicted;
    fn_admission_verdict verdict =
        fn_admission_place(&host->incoming.admission, now_ns, from, &evicted);
    if (evicted != NULL)
        fn_link_destroy(host, FN_CONTAINER_OF(evicted, fn_link, admission));
    if (verdict == FN_ADMISSION_ADMITTED)
        begin(host, tcp, from, now_ns);
    else if (verdict == FN_ADMISSION_CROWDED)
        fn_platform_tcp_abort(&host->platform, &tcp);
    return verdict != FN_ADMISSION_WAIT;
}

/* False: nobody else can be accepted now. */
static bool accept_one(fn_host *host, uint64_t now_ns)
{
    fn_tcp tcp;
    fn_address from;
    bool held;
    fn_tcp_outcome outcome = fn_door_take(host, now_ns, &tcp, &from, &held);
    if (outcome == FN_TCP_EXHAUSTED && may_log(&host->incoming, now_ns)) {
        fn_log_write(&host->diagnostics.log, FN_LOG_ERROR,
                     "a TCP connection was dropped: out of descriptors or memory");
    }
    if (outcome != FN_TCP_OK)
        return false;
    if (!held && !may_knock(host, &from, now_ns)) {
        fn_platform_tcp_abort(&host->platform, &tcp);
        return true;
    }
    bool in = let_in(host, tcp, &from, now_ns);
    if (!in)
        fn_door_hold(&host->incoming.door, tcp, &from);
    return in;
}

void fn_incoming_accept(fn_host *host, uint64_t now_ns)
{
    const fn_admission *admission = &host->incoming.admission;
    /* Nobody has overrun while we did not look. */
    if (fn_sub_saturating(now_ns, host->poll_ns) > STALL_NS &&
        admission->half_open_count >= admission->config.handshakes_max)
        return;
    for (int i = 0; i < ACCEPTS_PER_POLL && accept_one(host, now_ns); i++)
        continue;
    fn_door_settle(host, now_ns);
}

void fn_incoming_reopen(fn_host *host, uint64_t now_ns)
{
    if (host->incoming.door.shut)
        fn_incoming_accept(host, now_ns);
}

/* --- deciding --- */

static void raise_request(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_event event = {.type = FN_EVENT_REQUEST,
                      .owner = peer->id,
                      .time_ns = now_ns,
                      .data = peer->token,
                      .bytes = (uint32_t)peer->token_bytes};
    fn_events_push(&host->events, &event);
}

static int copy_token(fn_host *host, fn_peer *peer, const fn_handshake_result *result)
{
    if (result->token_bytes == 0)
        return FASTNET_OK;
    peer->token =
        fn_memory_alloc(&host->blocks.memory, result->token_bytes, FN_ALLOCATOR_ALIGNMENT);
    if (peer->token == NULL)
        return FASTNET_ERR_MEMORY;
    peer->token_bytes = result->token_bytes;
    memcpy(peer->token, result->token, result->token_bytes);
    return FASTNET_OK;
}

/* Seats must not be held by clients that finish TLS and then stay away. */
static bool make_room(fn_host *host, const fn_address *newcomer, uint64_t now_ns)
{
    fn_seat *seat = fn_seats_give_way(&host->incoming.seats, now_ns, newcomer);
    if (seat == NULL)
        return false;
    fn_peer *peer = FN_CONTAINER_OF(seat, fn_peer, seat);
    host->incoming.admission.evicted_count++;
    if (peer->link != NULL)
        fn_link_close_later(host, peer->link, now_ns);
    fn_peer_retire(host, peer, now_ns);
    fn_peers_sweep(host);
    return true;
}

/* A client hears only the address that it connected to. On a host with several, the system would
 * answer from the one that it prefers. */
static fn_address source_for(const fn_host *host, const fn_link *link)
{
    fn_address local = {0};
    const fn_config *config = &host->config;
    if (!fn_address_is_any(&config->bind_address) || config->advertised_host[0] != 0 ||
        fn_platform_tcp_local(&host->platform, &link->tcp, &local, NULL) != FASTNET_OK)
        return (fn_address){0};
    return local;
}

static fn_peer *take_peer(fn_host *host, fn_link *link, uint64_t now_ns)
{
    fn_peer *peer = fn_peer_take(host, FN_PEER_DECIDING, false);
    if (peer == NULL && make_room(host, &link->remote, now_ns))
        peer = fn_peer_take(host, FN_PEER_DECIDING, false);
    if (peer == NULL)
        return NULL;
    fn_seats_take(&host->incoming.seats, &peer->seat, &link->remote);
    const fn_handshake_result *result = fn_handshake_get_result(&link->handshake);
    peer->remote = link->remote;
    peer->source = source_for(host, link);
    peer->link = link;
    peer->application_build = result->application_build;
    peer->message_bytes_max = result->agreed.message_bytes_max;
    link->peer = peer->id;
    return peer;
}

static bool ask_application(fn_host *host, fn_peer *peer, fn_link *link, uint64_t now_ns)
{
    const fn_handshake_result *result = fn_handshake_get_result(&link->handshake);
    bool room = fn_events_room(&host->events) > 0;
    if (!room || copy_token(host, peer, result) != FASTNET_OK ||
        !fn_admission_decide(&host->incoming.admission, &link->admission))
        return false;
    raise_request(host, peer, now_ns);
    return true;
}

/* The HELLO was good (PROTOCOL.md section 3: the order of the checks). */
static void hello_arrived(fn_host *host, fn_link *link, uint64_t now_ns)
{
    const char *text = NULL;
    fn_admission_pass(&host->incoming.admission, now_ns, &link->admission);
    int code = fn_admission_judge(&host->incoming.admission, &link->remote, &text);
    if (code != FASTNET_OK) {
        fn_handshake_reject(&link->handshake, now_ns, code, 0, text);
        return;
    }
    if (!fn_seats_allows(&host->incoming.seats, &link->remote)) {
        fn_handshake_reject(&link->handshake, now_ns, FASTNET_ERR_LIMIT, 0,
                            "the server has no more places for players from this address");
        log_limit(host, &host->incoming.seats_quiet_ns, &link->remote,
                  "has as many places as peers_per_address_max allows: another one "
                  "was refused",
                  now_ns);
        return;
    }
    fn_peer *peer = take_peer(host, link, now_ns);
    if (peer == NULL) {
        fn_handshake_reject(&link->handshake, now_ns, FASTNET_ERR_FULL, 0, NULL);
        return;
    }
    if (!host->config.given.connect_requests) {
        fn_incoming_decide(host, peer, now_ns);
        return;
    }
    if (!ask_application(host, peer, link, now_ns)) {
        fn_handshake_reject(&link->handshake, now_ns, FASTNET_ERR_FULL, 0, NULL);
        fn_link_detach(host, link);
        fn_peer_retire(host, peer, now_ns);
    }
}

static int welcome(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    const fn_config *config = &host->config;
    uint16_t port =
        config->advertised_port != 0 ? config->advertised_port : host->datagrams.local_port;
    int code = fn_session_reserve(host, peer);
    if (code != FASTNET_OK)
        return code;
    if (!fn_peer_draw_receiver_id(host, peer, now_ns))
        return FASTNET_ERR_FULL;
    code = fn_handshake_accept(&peer->link->handshake, now_ns, peer->id, peer->receiver_id, port,
                               config->advertised_host);
    if (code != FASTNET_OK)
        return code;
    fn_admission_end(&host->incoming.admission, &peer->link->admission);
    /* The application keeps whom it knows. */
    if (!peer->mentioned)
        fn_seats_doubt(&host->incoming.seats, &peer->seat, now_ns);
    return fn_session_start(host, peer, NULL, now_ns);
}

int fn_incoming_decide(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    int code = welcome(host, peer, now_ns);
    if (code == FASTNET_OK)
        return code;
    if (may_log(&host->incoming, now_ns))
        fn_log_detail(&host->diagnostics.log, FN_LOG_WARNING, "a client could not be accepted",
                      fastnet_result_text(code));
    fn_link *link = peer->link;
    /* Before WELCOME there is still an answer to give. */
    if (fn_handshake_reject(&link->handshake, now_ns, FASTNET_ERR_FULL, 0, NULL) != FASTNET_OK)
        fn_handshake_close(&link->handshake, now_ns);
    fn_admission_end(&host->incoming.admission, &link->admission);
    fn_link_detach(host, link);
    fn_peer_retire(host, peer, now_ns);
    return code;
}

int fn_incoming_refuse(fn_host *host, fn_peer *peer, uint32_t code, const char *text,
                       uint64_t now_ns)
{
    fn_link *link = peer->link;
    int result = fn_handshake_reject(&link->handshake, now_ns, FASTNET_ERR_REJECTED, code, text);
    fn_admission_end(&host->incoming.admission, &link->admission);
    fn_link_detach(host, link);
    fn_peer_retire(host, peer, now_ns);
    fn_link_settle(host, link, now_ns);
    return result;
}

/* --- advancing --- */

static void log_failure(fn_host *host, const fn_link *link, uint64_t now_ns)
{
    char address[FN_ADDRESS_TEXT_BYTES];
    char line[FN_LOG_LINE_BYTES_MAX];
    const fn_failure *failure = fn_handshake_failure(&link->handshake);
    if (!fn_log_wants(&host->diagnostics.log, FN_LOG_INFO) || !may_log(&host->incoming, now_ns))
        return;
    fn_address_format(&link->remote, address);
    fn_text text = fn_text_make(line, sizeof line);
    fn_text_add(&text, "handshake with ");
    fn_text_add(&text, address);
    fn_text_add(&text, " failed: ");
    fn_text_add_quoted(&text, failure->text, strlen(failure->text));
    fn_log_write(&host->diagnostics.log, FN_LOG_INFO, line);
}

/* The client went away while the application was deciding, or took too long to. */
static void undecided_gone(fn_host *host, fn_link *link, uint64_t now_ns)
{
    fn_peer *peer = fn_peer_find_any(host, link->peer);
    const fn_failure *failure = fn_handshake_failure(&link->handshake);
    fn_link_detach(host, link);
    if (peer != NULL && peer->state == FN_PEER_DECIDING)
        fn_peer_fail(host, peer, failure->code, 0, failure->text, now_ns);
}

static void failed(fn_host *host, fn_link *link, uint64_t now_ns)
{
    host->counters.handshakes_failed++;
    log_failure(host, link, now_ns);
    fn_admission_end(&host->incoming.admission, &link->admission);
    undecided_gone(host, link, now_ns);
}

static void progressed(fn_host *host, fn_link *link, uint64_t now_ns)
{
    const fn_handshake *handshake = &link->handshake;
    if (fn_handshake_get_state(handshake) >= FN_HANDSHAKE_DECIDING)
        return;
    fn_admission_stage stage = FN_ADMISSION_ANSWERED;
    if (fn_handshake_get_state(handshake) == FN_HANDSHAKE_WAITING)
        stage = fn_handshake_is_greeted(handshake) ? FN_ADMISSION_OURS : FN_ADMISSION_SILENT;
    fn_admission_advance(&host->incoming.admission, now_ns, &link->admission, stage);
}

static void advanced(fn_host *host, fn_link *link, uint64_t now_ns)
{
    fn_handshake_state state = fn_handshake_get_state(&link->handshake);
    if (state == FN_HANDSHAKE_DECIDING)
        hello_arrived(host, link, now_ns);
    else if (state == FN_HANDSHAKE_ATTACHING)
        fn_stream_request(host, link, now_ns);
    else if (state == FN_HANDSHAKE_FAILED)
        failed(host, link, now_ns);
}
