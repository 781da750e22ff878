#include "host/connect/outgoing.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "host/connect/fallback.h"
#include "host/host.h"
#include "host/life.h"
#include "host/session.h"

#define ATTEMPT_DELAY_NS    (250 * FN_NS_PER_MS)
#define RESOLVE_TIMEOUT_NS  (30 * FN_NS_PER_S)
#define ATTEMPT_TOKEN_SHIFT 32

static void fail(fn_host *host, fn_peer *peer, int code, const char *what, const char *detail,
                 uint64_t now_ns)
{
    char line[FN_DIAGNOSTICS_BYTES];
    fn_text text = fn_text_make(line, sizeof line);
    fn_text_add(&text, what);
    fn_text_add(&text, detail);
    fn_peer_fail(host, peer, code, 0, line, now_ns);
}

static void enter(fn_host *host, fn_peer *peer, fn_peer_state state)
{
    fn_peer_enter(host, peer, state);
    fn_list_remove(&peer->listed);
}

static void advanced(fn_host *host, fn_link *link, uint64_t now_ns);

static const fn_link_owner outgoing_owner = {.advanced = advanced};

/* --- the end of it --- */

void fn_outgoing_free(fn_host *host, fn_peer *peer)
{
    fn_outgoing *outgoing = peer->outgoing;
    if (outgoing == NULL)
        return;
    peer->outgoing = NULL;
    fn_list_remove(&peer->listed);
    fn_attempts_close(&outgoing->tcp, &host->platform);
    fn_platform_resolve_release(&host->platform, outgoing->resolve);
    fn_tls_context_release(outgoing->tls);
    fn_bytes_wipe(outgoing->token, sizeof outgoing->token);
    fn_memory_free(&host->blocks.memory, outgoing, sizeof *outgoing);
}

/* --- TCP --- */

static void start_attempt(fn_host *host, fn_peer *peer)
{
    fn_attempts *tcp = &peer->outgoing->tcp;
    uint64_t payload = (uint64_t)tcp->next << ATTEMPT_TOKEN_SHIFT | peer->id;
    fn_attempts_start(tcp, &host->platform, &host->config.bind_address,
                      fn_token_make(FN_TOKEN_ATTEMPT, payload));
}

/* A server with many at its door, or one that counts the connects of an address, closes the
 * connection before it has said anything: that may pass, and is no news for the application. False:
 * there is no time left. */
static bool try_again(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_outgoing *outgoing = peer->outgoing;
    uint64_t again_ns = now_ns + fn_backoff_next_ns(&outgoing->backoff, &host->random);
    if (again_ns >= outgoing->deadline_ns)
        return false;
    fn_attempts_restart(&outgoing->tcp);
    enter(host, peer, FN_PEER_CONNECTING);
    outgoing->again_ns = again_ns;
    outgoing->next_attempt_ns = again_ns;
    fn_timer_set(host, &peer->timer, again_ns);
    return true;
}

static void all_failed(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_outgoing *outgoing = peer->outgoing;
    bool may_pass = outgoing->tcp.last_code == FASTNET_ERR_CLOSED;
    if (!may_pass || !try_again(host, peer, now_ns))
        fail(host, peer, may_pass ? FASTNET_ERR_CLOSED : FASTNET_ERR_ADDRESS,
             "cannot connect: ", outgoing->tcp.last_failure, now_ns);
}

/* Starts what is due. When every address has failed, so has the connect. */
static void go_on(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_outgoing *outgoing = peer->outgoing;
    bool due = now_ns >= outgoing->next_attempt_ns;
    while (fn_attempts_left(&outgoing->tcp) && (due || !fn_attempts_any_open(&outgoing->tcp))) {
        start_attempt(host, peer);
        outgoing->next_attempt_ns = now_ns + ATTEMPT_DELAY_NS;
        due = false;
    }
    if (!fn_attempts_any_open(&outgoing->tcp)) {
        all_failed(host, peer, now_ns);
        return;
    }
    fn_timer_set(host, &peer->timer,
                 fn_attempts_left(&outgoing->tcp)
                     ? fn_min_u64(outgoing->next_attempt_ns, outgoing->deadline_ns)
                     : outgoing->deadline_ns);
}

static void start_connecting(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_outgoing *outgoing = peer->outgoing;
    enter(host, peer, FN_PEER_CONNECTING);
    outgoing->deadline_ns = now_ns + host->config.given.handshake_timeout_ms * FN_NS_PER_MS;
    outgoing->next_attempt_ns = now_ns;
    go_on(host, peer, now_ns);
}

static fn_handshake_target target_of(const fn_host *host, const fn_peer *peer)
{
    const fn_outgoing *outgoing = peer->outgoing;
    return (fn_handshake_target){
        .tls = outgoing->tls,
        .server_name = outgoing->server_name,
        .unix_time_s = (int64_t)fn_platform_unix_time_s(&host->platform),
        .deadline_ns = outgoing->deadline_ns,
        .receiver_id = peer->receiver_id,
        .token = outgoing->token,
        .token_bytes = outgoing->token_bytes,
    };
}

static int init_handshake(fn_host *host, fn_peer *peer, fn_link *link, fn_failure *failure)
{
    const fn_outgoing *outgoing = peer->outgoing;
    fn_handshake_target target = target_of(host, peer);
    fn_ticket *ticket = NULL;
    if (!outgoing->full_handshake)
        ticket = fn_tickets_take(&host->tickets, &link->remote, outgoing->server_name);
    if (ticket != NULL) {
        target.session = fn_ticket_blob(ticket);
        target.session_bytes = ticket->bytes;
    }
    int code = fn_handshake_init_client(&link->handshake, &host->links.config, &target, failure);
    fn_tickets_drop(&host->tickets, ticket);
    return code;
}

static void start_handshake(fn_host *host, fn_peer *peer, fn_tcp tcp, const fn_address *remote,
                            uint64_t now_ns)
{
    fn_failure failure = {0};
    enter(host, peer, FN_PEER_SHAKING);
    fn_timer_set(host, &peer->timer, FN_NEVER);
    peer->remote = *remote;
    fn_link *link = fn_link_create(host, tcp, remote, &outgoing_owner);
    bool has_id = peer->receiver_id != 0 || fn_peer_draw_receiver_id(host, peer, now_ns);
    if (link == NULL || !has_id) {
        if (link != NULL)
            fn_link_destroy(host, link);
        fail(host, peer, FASTNET_ERR_MEMORY, "no memory for the handshake", "", now_ns);
        return;
    }
    if (init_handshake(host, peer, link, &failure) != FASTNET_OK) {
        fn_link_destroy(host, link);
        fail(host, peer, failure.code, failure.text, "", now_ns);
        return;
    }
    peer->link = link;
    link->peer = peer->id;
    fn_link_start(host, link);
}

static void attempt_won(fn_host *host, fn_peer *peer, size_t index, uint64_t now_ns)
{
    fn_attempts *attempts = &peer->outgoing->tcp;
    fn_address remote = attempts->addresses.addresses[index];
    fn_tcp tcp = fn_attempts_win(attempts, &host->platform, index);
    fn_platform_tcp_set_nodelay(&host->platform, &tcp, true);
    start_handshake(host, peer, tcp, &remote, now_ns);
}

void fn_outgoing_ready(fn_host *host, uint64_t token, uint64_t now_ns)
{
    uint64_t payload = fn_token_payload(token);
    size_t index = (size_t)(payload >> ATTEMPT_TOKEN_SHIFT);
    fn_peer *peer = fn_peer_find_any(host, (FastNetPeerId)payload);
    if (peer == NULL || peer->outgoing == NULL || !peer->outgoing->tcp.all[index].open)
        return;
    fn_io_error error;
    bool established = false;
    fn_attempts *attempts = &peer->outgoing->tcp;
    int code =
        fn_platform_tcp_connect_result(&host->platform, &attempts->all[index].tcp,
                                       &attempts->addresses.addresses[index], &established, &error);
    if (code == FASTNET_OK && established) {
        attempt_won(host, peer, index, now_ns);
    } else if (code != FASTNET_OK) {
        fn_attempts_fail(attempts, &host->platform, index, &error);
        go_on(host, peer, now_ns);
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
static int start_resolve(fn_host *host, fn_peer *peer, uint64_t now_ns, uint64_t deadline_ns,
                         fn_io_error *error)
{
    fn_address numeric;
    fn_outgoing *outgoing = peer->outgoing;
    const char *name = wanted_host(peer);
    outgoing->deadline_ns = deadline_ns;
    outgoing->ask_application = host->config.given.resolve != NULL &&
                                !fn_platform_host_parse(&host->platform, name, &numeric);
    bool ready = outgoing->ask_application;
    if (!ready) {
        fn_platform_resolve_release(&host->platform, outgoing->resolve);
        outgoing->resolve =
            fn_platform_resolve_start(&host->platform, name, wanted_port(peer), error);
        if (outgoing->resolve == NULL)
            return error->code;
        fn_list_push_back(&host->peers.resolving, &peer->listed);
        ready = fn_platform_resolve_finished(&host->platform, outgoing->resolve);
    }
    fn_timer_set(host, &peer->timer, ready ? now_ns : deadline_ns);
    return FASTNET_OK;
}

/* From within the link's callbacks: it frees itself once its last bytes have left. */
static void drop_link(fn_host *host, fn_link *link, uint64_t now_ns)
{
    fn_handshake_close(&link->handshake, now_ns);
    fn_link_detach(host, link);
}

/* The session begins. udp: where WELCOME said that it is; NULL = nobody knows, so TCP is asked for
 * at once. */
static void start_session(fn_host *host, fn_peer *peer, const fn_address *udp, uint64_t now_ns)
{
    fn_link *link = peer->link;
    int code = udp != NULL ? fn_datagrams_prepare(host, udp) : FASTNET_OK;
    if (code == FASTNET_OK)
        code = fn_session_start(host, peer, udp, now_ns);
    if (code == FASTNET_OK)
        code = fn_fallback_start(host, peer, peer->outgoing->tls, peer->outgoing->server_name);
    if (code == FASTNET_OK) {
        fn_outgoing_free(host, peer);
        return;
    }
    drop_link(host, link, now_ns);
    fail(host, peer, code, "cannot start the session: ", fastnet_result_text(code), now_ns);
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
static void begin_session(fn_host *host, fn_peer *peer, const fn_address *udp, uint64_t now_ns)
{
    fn_link *link = peer->link;
    start_session(host, peer, udp, now_ns);
    if (link != NULL)
        fn_link_settle(host, link, now_ns);
}

/* The advertised name leads nowhere. TCP needs none. */
static void go_without_udp(fn_host *host, fn_peer *peer, int code, const char *why, uint64_t now_ns)
{
    char line[FN_DIAGNOSTICS_BYTES];
    fn_text text = fn_text_make(line, sizeof line);
    fn_text_add(&text, "the server's UDP address: ");
    fn_text_add(&text, why);
    if (host->config.given.transport == FASTNET_TRANSPORT_UDP) {
        fn_link_abandon(host, peer->link, now_ns);
        fn_peer_fail(host, peer, code, 0, line, now_ns);
        return;
    }
    fn_log_write(&host->diagnostics.log, FN_LOG_WARNING, line);
    begin_session(host, peer, NULL, now_ns);
}

static void not_resolved(fn_host *host, fn_peer *peer, int code, const char *why, uint64_t now_ns)
{
    if (peer->state == FN_PEER_LOCATING)
        go_without_udp(host, peer, code, why, now_ns);
    else
        fail(host, peer, code, "cannot connect: ", why, now_ns);
}

static void resolved(fn_host *host, fn_peer *peer, const fn_resolve_result *result, uint64_t now_ns)
{
    if (peer->state == FN_PEER_LOCATING) {
        begin_session(host, peer, same_family(result, &peer->remote), now_ns);
        return;
    }
    peer->outgoing->tcp.addresses = *result;
    start_connecting(host, peer, now_ns);
}

static void look_up_finished(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_io_error error;
    fn_resolve_result result;
    fn_list_remove(&peer->listed);
    if (fn_platform_resolve_get(&host->platform, peer->outgoing->resolve, &result, &error) ==
        FASTNET_OK)
        resolved(host, peer, &result, now_ns);
    else
        not_resolved(host, peer, error.code, error.text, now_ns);
}

void fn_outgoing_resolved(fn_host *host, uint64_t now_ns)
{
    fn_list *resolving = &host->peers.resolving;
    fn_list_node *next;
    for (fn_list_node *node = fn_list_front(resolving); node != NULL; node = next) {
        fn_peer *peer = FN_CONTAINER_OF(node, fn_peer, listed);
        next = fn_list_next(resolving, node);
        if (fn_platform_resolve_finished(&host->platform, peer->outgoing->resolve))
            look_up_finished(host, peer, now_ns);
    }
}

static void read_answers(const fn_host *host, const FastNetAddress *out, int32_t count,
                         uint16_t port, fn_resolve_result *result)
{
    char text[sizeof out->text + 1];
    for (int32_t i = 0; i < count && i < FN_RESOLVE_ADDRESSES_MAX; i++) {
        fn_address *address = &result->addresses[result->count];
        memcpy(text, out[i].text, sizeof out->text);
        text[sizeof out->text] = '\0';
        if (!fn_platform_host_parse(&host->platform, text, address))
            continue;
        address->port = port;
        result->count++;
    }
}

/* The application's own resolver: numeric addresses without ports. */
static void ask_application(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    char line[FN_DIAGNOSTICS_BYTES];
    FastNetAddress out[FN_RESOLVE_ADDRESSES_MAX];
    fn_resolve_result result = {.count = 0};
    FastNetPeerId id = peer->id;
    const FastNetConfig *given = &host->config.given;
    const char *name = wanted_host(peer);
    peer->outgoing->ask_application = false;
    memset(out, 0, sizeof out);
    int32_t count = given->resolve(given->resolve_user, name, out, FN_RESOLVE_ADDRESSES_MAX);
    if (fn_peer_find_any(host, id) == NULL)
        return; /* it disconnected the peer */
    read_answers(host, out, count, wanted_port(peer), &result);
    if (result.count > 0) {
        resolved(host, peer, &result, now_ns);
        return;
    }
    fn_text text = fn_text_make(line, sizeof line);
    fn_text_add(&text, "the resolver has no address for ");
    fn_text_add(&text, name);
    not_resolved(host, peer, FASTNET_ERR_ADDRESS, line, now_ns);
}

/* --- time --- */

static void timed_out(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    char line[FN_DIAGNOSTICS_BYTES];
    fn_text text = fn_text_make(line, sizeof line);
    if (peer->state == FN_PEER_CONNECTING) {
        fail(host, peer, FASTNET_ERR_TIMEOUT, "no answer in time from the TLS port of ",
             peer->outgoing->host, now_ns);
        return;
    }
    fn_list_remove(&peer->listed);
    fn_text_add(&text, "the name did not resolve in time: ");
    fn_text_add(&text, wanted_host(peer));
    not_resolved(host, peer, FASTNET_ERR_ADDRESS, line, now_ns);
}

void fn_outgoing_tick(fn_host *host, fn_peer *peer, uint64_t now_ns)
{
    fn_outgoing *outgoing = peer->outgoing;
    if (outgoing->ask_application)
        ask_application(host, peer, now_ns);
    else if (now_ns >= outgoing->deadline_ns)
        timed_out(host, peer, now_ns);
    else if (peer->state == FN_PEER_CONNECTING && now_ns < outgoing->again_ns)
        fn_timer_set(host, &peer->timer, outgoing->again_ns);
    else if (peer->state == FN_PEER_CONNECTING)
        go_on(host, peer, now_ns);
}

/* --- TLS --- */

/* As long as for UDP itself, a name is waited for no longer than until TCP would be tried. */
static uint64_t locate_deadline_ns(const fn_host *host, const fn_outgoing *outgoing,
                                   uint64_t now_ns)
{
    const FastNetConfig *given = &host->config.given;
    if (given->transport == FASTNET_TRANSPORT_UDP)
        return outgoing->deadline_ns;
    return fn_min_u64(outgoing->deadline_ns, now_ns + given->udp_timeout_ms * FN_NS_PER_MS);
}

static void established(fn_host *host, fn_link *link, fn_peer *peer, uint64_t now_ns)
{
    const fn_handshake_result *result = fn_handshake_get_result(&link->handshake);
    fn_outgoing *outgoing = peer->outgoing;
    fn_address udp = link->remote;
    fn_io_error error;
    outgoing->udp_port = result->udp_port;
    if (result->udp_host[0] == '\0' ||
        fn_platform_host_parse(&host->platform, result->udp_host, &udp)) {
        udp.port = result->udp_port;
        start_session(host, peer, &udp, now_ns);
        return;
    }
    enter(host, peer, FN_PEER_LOCATING);
    fn_diagnostics_copy(outgoing->udp_host, sizeof outgoing->udp_host, result->udp_host);
    int code =
        start_resolve(host, peer, now_ns, locate_deadline_ns(host, outgoing, now_ns), &error);
    if (code != FASTNET_OK) { /* within the link's callback: the rest is the tick's to do */
        fn_log_write(&host->diagnostics.log, FN_LOG_WARNING, error.text);
        outgoing->deadline_ns = now_ns;
        fn_timer_set(host, &peer->timer, now_ns);
    }
}

static void handshake_failed(fn_host *host, fn_link *link, fn_peer *peer, uint64_t now_ns)
{
    const fn_failure *failure = fn_handshake_failure(&link->handshake);
    fn_link_detach(host, link);
    /* A session has its keys: what becomes of TLS does not matter to it any more. */
    if (peer->state == FN_PEER_SESSION)
        return;
    if (peer->state == FN_PEER_SHAKING && failure->code == FASTNET_ERR_CLOSED &&
        try_again(host, peer, now_ns))
        return;
    host->counters.handshakes_failed++;
    fn_peer_fail(host, peer, failure->code, fn_handshake_app_code(&link->handshake), failure->text,
                 now_ns);
}

static void advanced(fn_host *host, fn_link *link, uint64_t now_ns)
{
    fn_handshake_state state = fn_handshake_get_state(&link->handshake);
    fn_peer *peer = fn_peer_find_any(host, link->peer);
    if (peer == NULL)
        return;
    if (state == FN_HANDSHAKE_ESTABLISHED)
        established(host, link, peer, now_ns);
    else if (state == FN_HANDSHAKE_FAILED)
        handshake_failed(host, link, peer, now_ns);
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
    fn_diagnostics_copy(outgoing->server_name, sizeof outgoing->server_name, name);
    return FASTNET_OK;
}

static int fill(fn_outgoing *outgoing, const fn_dial *dial, fn_failure *failure)
{
    const FastNetConnectOptions *options = dial->options;
    fn_address_error error = fn_address_split_host_port(dial->name, dial->port, outgoing->host,
                                                        sizeof outgoing->host, &outgoing->port);
    if (error != FN_ADDRESS_OK) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "the address '%.80s' %s", dial->name,
                              fn_address_error_text(error));
    }
    int code = copy_name(outgoing, options, failure);
    if (code != FASTNET_OK)
        return code;
    outgoing->tls = fn_tls_context_retain(dial->tls);
    outgoing->full_handshake = options->full_handshake;
    outgoing->token_bytes = options->token_bytes;
    if (options->token_bytes > 0)
        memcpy(outgoing->token, options->token, options->token_bytes);
    return FASTNET_OK;
}

static int begin(fn_host *host, fn_peer *peer, uint64_t now_ns, fn_failure *failure)
{
    fn_io_error error;
    assert(peer->outgoing != NULL);
    int code = start_resolve(host, peer, now_ns, now_ns + RESOLVE_TIMEOUT_NS, &error);
    return code == FASTNET_OK ? code : fn_failure_set(failure, code, "%s", error.text);
}

int fn_outgoing_start(fn_host *host, const fn_dial *dial, uint64_t now_ns, FastNetPeerId *out_peer)
{
    fn_failure failure = {0};
    fn_peer *peer = fn_peer_take(host, FN_PEER_RESOLVING, true);
    if (peer == NULL) {
        return fn_diagnostics_error(
            &host->diagnostics, FN_LOG_WARNING, FASTNET_ERR_LIMIT,
            "cannot connect: peers_max is reached (a peer that was disconnected "
            "counts until it has said goodbye)");
    }
    peer->user = dial->options->user;
    peer->outgoing = fn_allocator_zeroed(&host->blocks.memory, sizeof *peer->outgoing);
    int code = peer->outgoing == NULL
                   ? fn_failure_set(&failure, FASTNET_ERR_MEMORY, "no memory to connect")
                   : fill(peer->outgoing, dial, &failure);
    if (code == FASTNET_OK)
        code = begin(host, peer, now_ns, &failure);
    if (code != FASTNET_OK) {
        fn_peer_discard(host, peer, now_ns);
        return fn_diagnostics_error(&host->diagnostics, FN_LOG_WARNING, code, failure.text);
    }
    *out_peer = peer->id;
    return FASTNET_OK;
}
