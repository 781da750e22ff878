#include "api/outgoing.h"

#include <assert.h>
#include <string.h>

#include "api/endpoint.h"
#include "api/rejoin.h"
#include "api/session.h"
#include "base/bytes.h"
#include "base/text.h"

#define ATTEMPT_DELAY_NS    (250 * FN_NS_PER_MS)
#define RESOLVE_TIMEOUT_NS  (30 * FN_NS_PER_S)
#define ATTEMPT_TOKEN_SHIFT 32

static void fail(FastNetEndpoint *endpoint, fn_peer *peer, int code, const char *what,
                 const char *detail, uint64_t now_ns)
{
    char line[FN_REPORT_BYTES];
    fn_text text = fn_text_make(line, sizeof line);
    fn_text_add(&text, what);
    fn_text_add(&text, detail);
    fn_peer_fail(endpoint, peer, code, 0, line, now_ns);
}

static void set_state(fn_peer *peer, fn_peer_state state)
{
    peer->state = state;
    fn_list_remove(&peer->listed);
}

/* --- the end of it --- */

void fn_outgoing_free(FastNetEndpoint *endpoint, fn_peer *peer)
{
    fn_outgoing *outgoing = peer->outgoing;
    if (outgoing == NULL)
        return;
    peer->outgoing = NULL;
    fn_list_remove(&peer->listed);
    fn_attempts_close(&outgoing->tcp, &endpoint->platform);
    fn_platform_resolve_release(&endpoint->platform, outgoing->resolve);
    fn_tls_context_release(outgoing->tls);
    fn_bytes_wipe(outgoing->token, sizeof outgoing->token);
    fn_memory_free(&endpoint->blocks.memory, outgoing, sizeof *outgoing);
}

/* --- TCP --- */

static void start_attempt(FastNetEndpoint *endpoint, fn_peer *peer)
{
    fn_attempts *tcp = &peer->outgoing->tcp;
    uint64_t payload = (uint64_t)tcp->next << ATTEMPT_TOKEN_SHIFT | peer->id;
    fn_attempts_start(tcp, &endpoint->platform, &endpoint->config.bind_address,
                      fn_token_make(FN_TOKEN_ATTEMPT, payload));
}

/* A server with many at its door, or one that counts the connects of an address, closes the
 * connection before it has said anything: that may pass, and is no news for the application. False:
 * there is no time left. */
static bool try_again(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_outgoing *outgoing = peer->outgoing;
    uint64_t again_ns = now_ns + fn_backoff_next_ns(&outgoing->backoff, &endpoint->random);
    if (again_ns >= outgoing->deadline_ns)
        return false;
    fn_attempts_restart(&outgoing->tcp);
    set_state(peer, FN_PEER_CONNECTING);
    outgoing->again_ns = again_ns;
    outgoing->next_attempt_ns = again_ns;
    fn_timer_set(endpoint, &peer->timer, again_ns);
    return true;
}

static void all_failed(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_outgoing *outgoing = peer->outgoing;
    bool may_pass = outgoing->tcp.last_code == FASTNET_ERR_CLOSED;
    if (!may_pass || !try_again(endpoint, peer, now_ns))
        fail(endpoint, peer, may_pass ? FASTNET_ERR_CLOSED : FASTNET_ERR_ADDRESS,
             "cannot connect: ", outgoing->tcp.last_failure, now_ns);
}

/* Starts what is due. When every address has failed, so has the connect. */
static void go_on(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_outgoing *outgoing = peer->outgoing;
    bool due = now_ns >= outgoing->next_attempt_ns;
    while (fn_attempts_left(&outgoing->tcp) && (due || !fn_attempts_any_open(&outgoing->tcp))) {
        start_attempt(endpoint, peer);
        outgoing->next_attempt_ns = now_ns + ATTEMPT_DELAY_NS;
        due = false;
    }
    if (!fn_attempts_any_open(&outgoing->tcp)) {
        all_failed(endpoint, peer, now_ns);
        return;
    }
    fn_timer_set(endpoint, &peer->timer,
                 fn_attempts_left(&outgoing->tcp)
                     ? fn_min_u64(outgoing->next_attempt_ns, outgoing->deadline_ns)
                     : outgoing->deadline_ns);
}

static void start_connecting(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_outgoing *outgoing = peer->outgoing;
    set_state(peer, FN_PEER_CONNECTING);
    outgoing->deadline_ns = now_ns + endpoint->config.given.handshake_timeout_ms * FN_NS_PER_MS;
    outgoing->next_attempt_ns = now_ns;
    go_on(endpoint, peer, now_ns);
}

static fn_handshake_target target_of(const FastNetEndpoint *endpoint, const fn_peer *peer)
{
    const fn_outgoing *outgoing = peer->outgoing;
    return (fn_handshake_target){
        .tls = outgoing->tls,
        .server_name = outgoing->server_name,
        .unix_time_s = (int64_t)fn_platform_unix_time_s(&endpoint->platform),
        .deadline_ns = outgoing->deadline_ns,
        .receiver_id = peer->receiver_id,
        .token = outgoing->token,
        .token_bytes = outgoing->token_bytes,
    };
}

static int init_handshake(FastNetEndpoint *endpoint, fn_peer *peer, fn_link *link,
                          fn_failure *failure)
{
    const fn_outgoing *outgoing = peer->outgoing;
    fn_handshake_target target = target_of(endpoint, peer);
    fn_ticket *ticket = NULL;
    if (!outgoing->full_handshake)
        ticket = fn_tickets_take(&endpoint->tickets, &link->remote, outgoing->server_name);
    if (ticket != NULL) {
        target.session = fn_ticket_blob(ticket);
        target.session_bytes = ticket->bytes;
    }
    int code =
        fn_handshake_init_client(&link->handshake, &endpoint->links.config, &target, failure);
    fn_tickets_drop(&endpoint->tickets, ticket);
    return code;
}

static void start_handshake(FastNetEndpoint *endpoint, fn_peer *peer, fn_tcp tcp,
                            const fn_address *remote, uint64_t now_ns)
{
    fn_failure failure = {0};
    set_state(peer, FN_PEER_SHAKING);
    fn_timer_set(endpoint, &peer->timer, FN_NEVER);
    peer->remote = *remote;
    fn_link *link = fn_link_create(endpoint, tcp, remote, false);
    bool has_id = peer->receiver_id != 0 || fn_peer_draw_receiver_id(endpoint, peer, now_ns);
    if (link == NULL || !has_id) {
        if (link != NULL)
            fn_link_destroy(endpoint, link);
        fail(endpoint, peer, FASTNET_ERR_MEMORY, "no memory for the handshake", "", now_ns);
        return;
    }
    if (init_handshake(endpoint, peer, link, &failure) != FASTNET_OK) {
        fn_link_destroy(endpoint, link);
        fail(endpoint, peer, failure.code, failure.text, "", now_ns);
        return;
    }
    peer->link = link;
    link->peer = peer->id;
    fn_link_start(endpoint, link);
}

static void attempt_won(FastNetEndpoint *endpoint, fn_peer *peer, size_t index, uint64_t now_ns)
{
    fn_attempts *attempts = &peer->outgoing->tcp;
    fn_address remote = attempts->addresses.addresses[index];
    fn_tcp tcp = fn_attempts_win(attempts, &endpoint->platform, index);
    fn_platform_tcp_set_nodelay(&endpoint->platform, &tcp, true);
    start_handshake(endpoint, peer, tcp, &remote, now_ns);
}

void fn_outgoing_ready(FastNetEndpoint *endpoint, uint64_t token, uint64_t now_ns)
{
    uint64_t payload = fn_token_payload(token);
    size_t index = (size_t)(payload >> ATTEMPT_TOKEN_SHIFT);
    fn_peer *peer = fn_peer_find_any(endpoint, (FastNetPeerId)payload);
    if (peer == NULL || peer->outgoing == NULL || !peer->outgoing->tcp.all[index].open)
        return;
    fn_io_error error;
    bool established = false;
    fn_attempts *attempts = &peer->outgoing->tcp;
    int code =
        fn_platform_tcp_connect_result(&endpoint->platform, &attempts->all[index].tcp,
                                       &attempts->addresses.addresses[index], &established, &error);
    if (code == FASTNET_OK && established) {
        attempt_won(endpoint, peer, index, now_ns);
    } else if (code != FASTNET_OK) {
        fn_attempts_fail(attempts, &endpoint->platform, index, &error);
        go_on(endpoint, peer, now_ns);
    }
}

/* --- names --- */

/* The name that is being looked up. */
static const char *wanted_host(const fn_peer *peer)
{
    return peer->state == FN_PEER_LOCATING ? peer->outgoing->udp_host : peer->outgoing->host;
}

static uint16_t wanted_port(const fn_peer *peer)
{
    return peer->state == FN_PEER_LOCATING ? peer->outgoing->udp_port : peer->outgoing->port;
}

/* Numeric hosts are resolved at once; the application's resolver is asked when the peer's timer
 * fires, within a poll. Until deadline_ns, at the latest, there is an answer. */
static int start_resolve(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns,
                         uint64_t deadline_ns, fn_io_error *error)
{
    fn_address numeric;
    fn_outgoing *outgoing = peer->outgoing;
    const char *host = wanted_host(peer);
    outgoing->deadline_ns = deadline_ns;
    outgoing->ask_application = endpoint->config.given.resolve != NULL &&
                                !fn_platform_host_parse(&endpoint->platform, host, &numeric);
    bool ready = outgoing->ask_application;
    if (!ready) {
        fn_platform_resolve_release(&endpoint->platform, outgoing->resolve);
        outgoing->resolve =
            fn_platform_resolve_start(&endpoint->platform, host, wanted_port(peer), error);
        if (outgoing->resolve == NULL)
            return error->code;
        fn_list_push_back(&endpoint->peers.resolving, &peer->listed);
        ready = fn_platform_resolve_finished(&endpoint->platform, outgoing->resolve);
    }
    fn_timer_set(endpoint, &peer->timer, ready ? now_ns : deadline_ns);
    return FASTNET_OK;
}

/* From within the link's callbacks: it frees itself once its last bytes have left. */
static void drop_link(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_handshake_close(&link->handshake, now_ns);
    fn_link_detach(endpoint, link);
}

/* The session begins. udp: where WELCOME said that it is; NULL = nobody knows, so TCP is asked for
 * at once. */
static void start_session(FastNetEndpoint *endpoint, fn_peer *peer, const fn_address *udp,
                          uint64_t now_ns)
{
    fn_link *link = peer->link;
    int code = udp != NULL ? fn_datagrams_prepare(endpoint, udp) : FASTNET_OK;
    if (code == FASTNET_OK)
        code = fn_session_start(endpoint, peer, udp, now_ns);
    if (code == FASTNET_OK)
        code = fn_rejoin_start(endpoint, peer, peer->outgoing->tls, peer->outgoing->server_name);
    if (code == FASTNET_OK) {
        fn_outgoing_free(endpoint, peer);
        return;
    }
    drop_link(endpoint, link, now_ns);
    fail(endpoint, peer, code, "cannot start the session: ", fastnet_result_text(code), now_ns);
}

/* Of several addresses the one of TLS's family: the other may not be routed. */
static const fn_address *same_family(const fn_resolve_result *result, const fn_address *remote)
{
    for (size_t i = 0; i < result->count; i++) {
        if (fn_address_is_v4(&result->addresses[i]) == fn_address_is_v4(remote))
            return &result->addresses[i];
    }
    return &result->addresses[0];
}

/* Outside of the link's own callbacks: it may have to be freed. */
static void begin_session(FastNetEndpoint *endpoint, fn_peer *peer, const fn_address *udp,
                          uint64_t now_ns)
{
    fn_link *link = peer->link;
    start_session(endpoint, peer, udp, now_ns);
    if (link != NULL)
        fn_link_settle(endpoint, link, now_ns);
}

/* The advertised name leads nowhere. TCP needs none. */
static void go_without_udp(FastNetEndpoint *endpoint, fn_peer *peer, int code, const char *why,
                           uint64_t now_ns)
{
    char line[FN_REPORT_BYTES];
    fn_text text = fn_text_make(line, sizeof line);
    fn_text_add(&text, "the server's UDP address: ");
    fn_text_add(&text, why);
    if (endpoint->config.given.transport == FASTNET_TRANSPORT_UDP) {
        fn_link_abandon(endpoint, peer->link, now_ns);
        fn_peer_fail(endpoint, peer, code, 0, line, now_ns);
        return;
    }
    fn_log_write(&endpoint->report.log, FN_LOG_WARNING, line);
    begin_session(endpoint, peer, NULL, now_ns);
}

static void not_resolved(FastNetEndpoint *endpoint, fn_peer *peer, int code, const char *why,
                         uint64_t now_ns)
{
    if (peer->state == FN_PEER_LOCATING)
        go_without_udp(endpoint, peer, code, why, now_ns);
    else
        fail(endpoint, peer, code, "cannot connect: ", why, now_ns);
}

static void resolved(FastNetEndpoint *endpoint, fn_peer *peer, const fn_resolve_result *result,
                     uint64_t now_ns)
{
    if (peer->state == FN_PEER_LOCATING) {
        begin_session(endpoint, peer, same_family(result, &peer->remote), now_ns);
        return;
    }
    peer->outgoing->tcp.addresses = *result;
    start_connecting(endpoint, peer, now_ns);
}

static void look_up_finished(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_io_error error;
    fn_resolve_result result;
    fn_list_remove(&peer->listed);
    if (fn_platform_resolve_get(&endpoint->platform, peer->outgoing->resolve, &result, &error) ==
        FASTNET_OK)
        resolved(endpoint, peer, &result, now_ns);
    else
        not_resolved(endpoint, peer, error.code, error.text, now_ns);
}

void fn_outgoing_resolved(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    fn_list *resolving = &endpoint->peers.resolving;
    fn_list_node *next;
    for (fn_list_node *node = fn_list_front(resolving); node != NULL; node = next) {
        fn_peer *peer = FN_CONTAINER_OF(node, fn_peer, listed);
        next = fn_list_next(resolving, node);
        if (fn_platform_resolve_finished(&endpoint->platform, peer->outgoing->resolve))
            look_up_finished(endpoint, peer, now_ns);
    }
}

static void read_answers(const FastNetEndpoint *endpoint, const FastNetAddress *out, int32_t count,
                         uint16_t port, fn_resolve_result *result)
{
    char text[sizeof out->text + 1];
    for (int32_t i = 0; i < count && i < FN_RESOLVE_ADDRESSES_MAX; i++) {
        fn_address *address = &result->addresses[result->count];
        memcpy(text, out[i].text, sizeof out->text);
        text[sizeof out->text] = '\0';
        if (!fn_platform_host_parse(&endpoint->platform, text, address))
            continue;
        address->port = port;
        result->count++;
    }
}

/* The application's own resolver: numeric addresses without ports. */
static void ask_application(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    char line[FN_REPORT_BYTES];
    FastNetAddress out[FN_RESOLVE_ADDRESSES_MAX];
    fn_resolve_result result = {.count = 0};
    FastNetPeerId id = peer->id;
    const FastNetConfig *given = &endpoint->config.given;
    const char *host = wanted_host(peer);
    peer->outgoing->ask_application = false;
    memset(out, 0, sizeof out);
    int32_t count = given->resolve(given->resolve_user, host, out, FN_RESOLVE_ADDRESSES_MAX);
    if (fn_peer_find_any(endpoint, id) == NULL)
        return; /* it disconnected the peer */
    read_answers(endpoint, out, count, wanted_port(peer), &result);
    if (result.count > 0) {
        resolved(endpoint, peer, &result, now_ns);
        return;
    }
    fn_text text = fn_text_make(line, sizeof line);
    fn_text_add(&text, "the resolver has no address for ");
    fn_text_add(&text, host);
    not_resolved(endpoint, peer, FASTNET_ERR_ADDRESS, line, now_ns);
}

/* --- time --- */

static void timed_out(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    char line[FN_REPORT_BYTES];
    fn_text text = fn_text_make(line, sizeof line);
    if (peer->state == FN_PEER_CONNECTING) {
        fail(endpoint, peer, FASTNET_ERR_TIMEOUT, "no answer in time from the TLS port of ",
             peer->outgoing->host, now_ns);
        return;
    }
    fn_list_remove(&peer->listed);
    fn_text_add(&text, "the name did not resolve in time: ");
    fn_text_add(&text, wanted_host(peer));
    not_resolved(endpoint, peer, FASTNET_ERR_ADDRESS, line, now_ns);
}

void fn_outgoing_tick(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns)
{
    fn_outgoing *outgoing = peer->outgoing;
    if (outgoing->ask_application)
        ask_application(endpoint, peer, now_ns);
    else if (now_ns >= outgoing->deadline_ns)
        timed_out(endpoint, peer, now_ns);
    else if (peer->state == FN_PEER_CONNECTING && now_ns < outgoing->again_ns)
        fn_timer_set(endpoint, &peer->timer, outgoing->again_ns);
    else if (peer->state == FN_PEER_CONNECTING)
        go_on(endpoint, peer, now_ns);
}

/* --- TLS --- */

/* As long as for UDP itself, a name is waited for no longer than until TCP would be tried. */
static uint64_t locate_deadline_ns(const FastNetEndpoint *endpoint, const fn_outgoing *outgoing,
                                   uint64_t now_ns)
{
    const FastNetConfig *given = &endpoint->config.given;
    if (given->transport == FASTNET_TRANSPORT_UDP)
        return outgoing->deadline_ns;
    return fn_min_u64(outgoing->deadline_ns, now_ns + given->udp_timeout_ms * FN_NS_PER_MS);
}

static void established(FastNetEndpoint *endpoint, fn_link *link, fn_peer *peer, uint64_t now_ns)
{
    const fn_handshake_result *result = fn_handshake_get_result(&link->handshake);
    fn_outgoing *outgoing = peer->outgoing;
    fn_address udp = link->remote;
    fn_io_error error;
    outgoing->udp_port = result->udp_port;
    if (result->udp_host[0] == '\0' ||
        fn_platform_host_parse(&endpoint->platform, result->udp_host, &udp)) {
        udp.port = result->udp_port;
        start_session(endpoint, peer, &udp, now_ns);
        return;
    }
    set_state(peer, FN_PEER_LOCATING);
    fn_report_copy(outgoing->udp_host, sizeof outgoing->udp_host, result->udp_host);
    int code = start_resolve(endpoint, peer, now_ns, locate_deadline_ns(endpoint, outgoing, now_ns),
                             &error);
    if (code != FASTNET_OK) { /* within the link's callback: the rest is the tick's to do */
        fn_log_write(&endpoint->report.log, FN_LOG_WARNING, error.text);
        outgoing->deadline_ns = now_ns;
        fn_timer_set(endpoint, &peer->timer, now_ns);
    }
}

static void handshake_failed(FastNetEndpoint *endpoint, fn_link *link, fn_peer *peer,
                             uint64_t now_ns)
{
    const fn_failure *failure = fn_handshake_failure(&link->handshake);
    fn_link_detach(endpoint, link);
    /* A session has its keys: what becomes of TLS does not matter to it any more. */
    if (peer->state == FN_PEER_SESSION)
        return;
    if (peer->state == FN_PEER_SHAKING && failure->code == FASTNET_ERR_CLOSED &&
        try_again(endpoint, peer, now_ns))
        return;
    endpoint->counters.handshakes_failed++;
    fn_peer_fail(endpoint, peer, failure->code, fn_handshake_app_code(&link->handshake),
                 failure->text, now_ns);
}

void fn_outgoing_advanced(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns)
{
    fn_handshake_state state = fn_handshake_get_state(&link->handshake);
    fn_peer *peer = fn_peer_find_any(endpoint, link->peer);
    if (peer == NULL)
        return;
    if (state == FN_HANDSHAKE_ESTABLISHED)
        established(endpoint, link, peer, now_ns);
    else if (state == FN_HANDSHAKE_FAILED)
        handshake_failed(endpoint, link, peer, now_ns);
}

/* --- the beginning of it --- */

static int copy_name(fn_outgoing *outgoing, const FastNetConnectOptions *options,
                     fn_failure *failure)
{
    const char *name = options->server_name != NULL ? options->server_name : outgoing->host;
    if (strlen(name) >= sizeof outgoing->server_name) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "server_name is longer than a host name can be");
    }
    fn_report_copy(outgoing->server_name, sizeof outgoing->server_name, name);
    return FASTNET_OK;
}

static int fill(FastNetEndpoint *endpoint, fn_outgoing *outgoing, const char *host, uint16_t port,
                const FastNetConnectOptions *options, bool insecure, fn_failure *failure)
{
    fn_address_error error = fn_address_split_host_port(host, port, outgoing->host,
                                                        sizeof outgoing->host, &outgoing->port);
    if (error != FN_ADDRESS_OK) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "the address '%.80s' %s", host,
                              fn_address_error_text(error));
    }
    int code = copy_name(outgoing, options, failure);
    if (code != FASTNET_OK)
        return code;
    outgoing->full_handshake = options->full_handshake;
    outgoing->token_bytes = options->token_bytes;
    if (options->token_bytes > 0)
        memcpy(outgoing->token, options->token, options->token_bytes);
    outgoing->tls = fn_trust_choose(&endpoint->trust, options, insecure, failure);
    return outgoing->tls != NULL ? FASTNET_OK : failure->code;
}

static int begin(FastNetEndpoint *endpoint, fn_peer *peer, uint64_t now_ns, fn_failure *failure)
{
    fn_io_error error;
    assert(peer->outgoing != NULL);
    int code = start_resolve(endpoint, peer, now_ns, now_ns + RESOLVE_TIMEOUT_NS, &error);
    return code == FASTNET_OK ? code : fn_failure_set(failure, code, "%s", error.text);
}

int fn_outgoing_start(FastNetEndpoint *endpoint, const char *host, uint16_t port,
                      const FastNetConnectOptions *options, bool insecure, uint64_t now_ns,
                      FastNetPeerId *out_peer)
{
    fn_failure failure = {0};
    fn_peer *peer = fn_peer_take(endpoint, FN_PEER_RESOLVING, true);
    if (peer == NULL) {
        return fn_report_error(&endpoint->report, FN_LOG_WARNING, FASTNET_ERR_LIMIT,
                               "cannot connect: peers_max is reached (a peer that was disconnected "
                               "counts until it has said goodbye)");
    }
    peer->user = options->user;
    peer->outgoing = fn_allocator_zeroed(&endpoint->blocks.memory, sizeof *peer->outgoing);
    int code = peer->outgoing == NULL
                   ? fn_failure_set(&failure, FASTNET_ERR_MEMORY, "no memory to connect")
                   : fill(endpoint, peer->outgoing, host, port, options, insecure, &failure);
    if (code == FASTNET_OK)
        code = begin(endpoint, peer, now_ns, &failure);
    if (code != FASTNET_OK) {
        fn_peer_discard(endpoint, peer, now_ns);
        return fn_report_error(&endpoint->report, FN_LOG_WARNING, code, failure.text);
    }
    *out_peer = peer->id;
    return FASTNET_OK;
}
