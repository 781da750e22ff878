#include "match_parts.h"

#include "base/result.h"
#include "base/units.h"
#include "crypto/certificate.h"
#include "inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNIX_TIME_S INT64_C(1800000000)
#define DAY_S       INT64_C(86400)
/* Endpoints look at their TCP sockets only so often; see host/turn.c. */
#define SOON_NS (501 * FN_NS_PER_US)
/* Of fn_match_heal(). */
#define HEALTHY_RTT_NS (40 * FN_NS_PER_MS)

enum {
    UDP_PORT = 7777,
    TLS_PORT = 7778,
    EVENTS_MAX = 1024,
    IDLE_TURNS_MAX = 100,
};

void *fn_match_calloc(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (memory == NULL)
        abort();
    return memory;
}

void fn_match_trace(fn_match *match, uint64_t value)
{
    match->hash = (match->hash ^ value) * UINT64_C(0x100000001b3);
    match->hash ^= match->hash >> 29;
}

void fn_match_fail(fn_match *match, const char *promise)
{
    if (match->failure == NULL)
        match->failure = promise;
}

/* --- certificates: files, made once for all matches; nothing of them shows in a trace --- */

static struct {
    char folder[64];
    char ca[96];
    char chain[96];
    char key[96];
} files;

static void remove_files(void)
{
    unlink(files.ca);
    unlink(files.chain);
    unlink(files.key);
    rmdir(files.folder);
}

static void give_up(const char *why)
{
    fprintf(stderr, "the simulator has no certificates: %s\n", why);
    abort();
}

static void write_file(char *path, size_t path_bytes, const char *name, const char *pem,
                       size_t bytes)
{
    snprintf(path, path_bytes, "%s/%s", files.folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(pem, 1, bytes, file) != bytes || fclose(file) != 0)
        give_up(path);
}

static void make_certificate(fn_certificate_role role, const fn_certificate_pem *issuer,
                             fn_certificate_pem *out)
{
    static const char *const names[] = {"10.0.0.1"};
    bool leaf = role == FN_CERTIFICATE_LEAF;
    fn_failure failure;
    fn_certificate_request request = {.role = role,
                                      .key_kind = FN_CERTIFICATE_KEY_P256,
                                      .common_name = leaf ? "simulated server" : "simulated CA",
                                      .names = leaf ? names : NULL,
                                      .names_count = leaf ? 1 : 0,
                                      .not_before_unix_s = UNIX_TIME_S - DAY_S,
                                      .not_after_unix_s = UNIX_TIME_S + DAY_S};
    if (fn_certificate_create(&request, issuer, out, &failure) != FASTNET_OK)
        give_up(failure.text);
}

static void make_files(void)
{
    fn_certificate_pem authority, leaf;
    if (files.folder[0] != '\0')
        return;
    strcpy(files.folder, "/tmp/fastnet-sim-XXXXXX");
    if (mkdtemp(files.folder) == NULL)
        give_up(files.folder);
    atexit(remove_files);
    make_certificate(FN_CERTIFICATE_AUTHORITY, NULL, &authority);
    make_certificate(FN_CERTIFICATE_LEAF, &authority, &leaf);
    write_file(files.ca, sizeof files.ca, "ca.pem", authority.certificate,
               authority.certificate_bytes);
    write_file(files.chain, sizeof files.chain, "cert.pem", leaf.certificate,
               leaf.certificate_bytes);
    write_file(files.key, sizeof files.key, "key.pem", leaf.key, leaf.key_bytes);
}

/* --- polling --- */

void fn_match_enter(fn_match *match, const fn_net_node *node)
{
    match->active = node->index;
}

void fn_match_leave(fn_match *match)
{
    match->active = UINT32_MAX;
}

static void set_deadline(fn_match *match, fn_net_node *node)
{
    fn_match_host *host = &match->hosts[node->index];
    fn_internet *internet = &match->internet;
    uint64_t deadline_ns = fn_inside_deadline_ns(host->endpoint);
    if (match->config.tick_ns != 0) {
        fn_internet_set_timer(internet, &host->timer, internet->now_ns + match->config.tick_ns);
        return;
    }
    if (deadline_ns == FN_NEVER) {
        fn_internet_set_timer(internet, &host->timer, FN_NEVER);
        return;
    }
    uint64_t at_ns = fn_sub_saturating(deadline_ns, node->clock_offset_ns);
    host->idle_turns = at_ns <= internet->now_ns ? host->idle_turns + 1 : 0;
    if (host->idle_turns > IDLE_TURNS_MAX)
        fn_match_fail(match, "a deadline stays due: the application would spin");
    fn_internet_set_timer(internet, &host->timer, fn_max_u64(at_ns, internet->now_ns));
}

static void poll_node(fn_match *match, fn_net_node *node)
{
    FastNetEvent events[EVENTS_MAX];
    fn_match_host *host = &match->hosts[node->index];
    fn_match_enter(match, node);
    int32_t count = fastnet_poll(host->endpoint, events, match->config.events_max, 0);
    fn_match_leave(match);
    for (int32_t i = 0; i < count && match->failure == NULL; i++)
        fn_match_on_event(match, node, &events[i]);
    host->idle_turns = count > 0 ? 0 : host->idle_turns;
    set_deadline(match, node);
}

static void on_host_timer(fn_internet *internet, fn_net_timer *timer)
{
    fn_match_host *host = FN_CONTAINER(timer, fn_match_host, timer);
    fn_match *match = internet->listener.user;
    poll_node(match, &internet->nodes[host - match->hosts]);
}

static void poll_by(fn_match *match, const fn_net_node *node, uint64_t at_ns)
{
    fn_match_host *host = &match->hosts[node->index];
    if (match->config.tick_ns != 0 || host->endpoint == NULL)
        return;
    if (!fn_heap_contains(&host->timer.node) || host->timer.node.deadline_ns > at_ns)
        fn_internet_set_timer(&match->internet, &host->timer, at_ns);
}

void fn_match_schedule(fn_match *match, fn_net_node *node)
{
    poll_by(match, node, match->internet.now_ns);
}

static void on_notify(void *user, fn_net_node *node, bool soon)
{
    fn_match *match = user;
    if (node->index != match->active)
        poll_by(match, node, match->internet.now_ns + (soon ? SOON_NS : 0));
}

/* --- building --- */

static void start_endpoint(fn_match *match, fn_net_node *node)
{
    fn_match_host *host = &match->hosts[node->index];
    bool server = node->index == FN_INTERNET_SERVER;
    FastNetConfig config = match->config.endpoint[server ? 1 : 0];
    config.trusted_roots_path = files.ca;
    if (server) {
        config.listen = true;
        config.udp_port = UDP_PORT;
        config.tls_port = TLS_PORT;
        config.certificate_path = files.chain;
        config.private_key_path = files.key;
        config.handshakes_per_address_per_s = 0; /* NATs change addresses at will here */
    }
    fn_platform platform = fn_internet_platform(node);
    fn_match_enter(match, node);
    host->endpoint = fn_inside_create(&config, &platform);
    fn_match_leave(match);
    if (host->endpoint == NULL)
        give_up("an endpoint could not be created");
    host->timer.fire = on_host_timer;
    host->idle_turns = 0;
    uint64_t first_ns = 0;
    if (match->config.tick_ns != 0)
        first_ns = fn_rng_below(&match->internet.rng, match->config.tick_ns);
    fn_internet_set_timer(&match->internet, &host->timer, match->internet.now_ns + first_ns);
}

static void stop_endpoint(fn_match *match, fn_net_node *node)
{
    fn_match_host *host = &match->hosts[node->index];
    if (host->endpoint == NULL)
        return;
    fn_internet_set_timer(&match->internet, &host->timer, FN_NEVER);
    fn_match_enter(match, node);
    fastnet_endpoint_destroy(host->endpoint);
    fn_match_leave(match);
    host->endpoint = NULL;
}

static void side_init(fn_match *match, uint32_t index)
{
    static const uint8_t modes[FN_WORLD_CHANNELS] = {FASTNET_MODE_RELIABLE_ORDERED,
                                                     FASTNET_MODE_UNRELIABLE, FASTNET_MODE_RELIABLE,
                                                     FASTNET_MODE_UNRELIABLE_SEQUENCED};
    fn_side *side = &match->sides[index];
    fn_internet *internet = &match->internet;
    memset(side, 0, sizeof *side);
    side->match = match;
    side->index = index;
    side->is_client = index % 2 == 0;
    side->node = &internet->nodes[side->is_client ? 1 + index / 2 : FN_INTERNET_SERVER];
    side->peer = &match->sides[index ^ 1];
    side->began_ns = internet->now_ns;
    fn_heap_node_init(&side->load_timer.node);
    for (uint32_t i = 0; i < FN_WORLD_CHANNELS; i++)
        fn_stream_init(&side->streams[i], fn_rng_u64(&internet->rng), modes[i]);
}

static void side_free(fn_match *match, fn_side *side)
{
    fn_internet_set_timer(&match->internet, &side->load_timer, FN_NEVER);
    fn_match_forget(side);
    for (uint32_t i = 0; i < FN_WORLD_CHANNELS; i++)
        fn_stream_free(&side->streams[i]);
}

static void connect_player(fn_match *match, uint32_t player)
{
    fn_side *side = fn_match_player(match, player);
    fn_match_host *host = &match->hosts[side->node->index];
    fn_match_enter(match, side->node);
    FastNetResult result = fastnet_connect(host->endpoint, "10.0.0.1", TLS_PORT, NULL, &side->id);
    fn_match_leave(match);
    if (result != FASTNET_OK)
        give_up(fastnet_last_error_text(host->endpoint));
    fn_match_schedule(match, side->node);
}

static void on_change(fn_internet *internet, fn_net_timer *timer)
{
    fn_match *match = FN_CONTAINER(timer, fn_match, change_timer);
    if (match->quiet)
        return;
    if (fn_match_all_connected(match))
        match->config.change(match);
    fn_internet_set_timer(internet, timer, internet->now_ns + match->config.change_ns);
}

void fn_match_init(fn_match *match, const fn_match_config *config, uint64_t seed)
{
    static const uint8_t attacker[4] = {192, 0, 2, 66};
    const fn_internet_listener listener = {match, on_notify, fn_match_on_wire, fn_match_on_taken};
    memset(match, 0, sizeof *match);
    make_files();
    match->config = *config;
    match->config.events_max = fn_min_u32(config->events_max, EVENTS_MAX);
    match->seed = seed;
    match->attacker = fn_address_from_ipv4(attacker, 666);
    for (uint32_t i = 0; i <= FN_MATCH_PLAYERS_MAX; i++)
        fn_heap_node_init(&match->hosts[i].timer.node);
    fn_heap_node_init(&match->change_timer.node);
    fn_match_leave(match);
    fn_match_watch(match);
    fn_internet_init(&match->internet, seed, &listener);
    match->internet.tcp_loss_permille = config->tcp_loss_permille;
    start_endpoint(match, fn_internet_add(&match->internet, NULL, NULL));
    for (uint32_t i = 0; i < 2 * config->players; i++)
        side_init(match, i);
    for (uint32_t i = 0; i < config->players; i++) {
        start_endpoint(match,
                       fn_internet_add(&match->internet, &config->link[0], &config->link[1]));
        connect_player(match, i);
    }
    if (config->change == NULL)
        return;
    match->change_timer.fire = on_change;
    fn_internet_set_timer(&match->internet, &match->change_timer,
                          match->internet.now_ns + config->change_ns);
}

void fn_match_free(fn_match *match)
{
    match->quiet = true;
    for (uint32_t i = 0; i < match->internet.node_count; i++)
        stop_endpoint(match, &match->internet.nodes[i]);
    fn_match_watch(NULL);
    fn_internet_set_timer(&match->internet, &match->change_timer, FN_NEVER);
    for (uint32_t i = 0; i < 2 * match->config.players; i++)
        side_free(match, &match->sides[i]);
    fn_internet_free(&match->internet);
    for (uint32_t i = 0; i < FN_MATCH_RECORDED_MAX; i++)
        free(match->recorded[i]);
}

/* --- processes --- */

/* A process that is killed says nothing: its endpoint is freed with its network gone. */
void fn_match_restart_server(fn_match *match)
{
    fn_net_node *server = &match->internet.nodes[FN_INTERNET_SERVER];
    fn_match_watch(NULL);
    fn_internet_end_process(server);
    stop_endpoint(match, server);
    fn_match_watch(match);
    for (uint32_t i = 0; i < match->config.players; i++) {
        fn_side *side = fn_match_server(match, i);
        fn_internet_set_timer(&match->internet, &side->load_timer, FN_NEVER);
        side->conn = NULL;
        side->id = 0;
    }
    start_endpoint(match, server);
}

void fn_match_connect_again(fn_match *match, uint32_t player)
{
    side_free(match, fn_match_player(match, player));
    side_free(match, fn_match_server(match, player));
    side_init(match, 2 * player);
    side_init(match, 2 * player + 1);
    connect_player(match, player);
}

/* --- running --- */

static void check_memory(fn_match *match)
{
    for (uint32_t i = 0; i < match->internet.node_count; i++) {
        const FastNetEndpoint *endpoint = match->hosts[i].endpoint;
        uint64_t most = match->config.endpoint[i == FN_INTERNET_SERVER ? 1 : 0].memory_bytes_max;
        if (endpoint != NULL && fn_inside_pool_bytes(endpoint) > most)
            fn_match_fail(match, "an endpoint holds more memory than memory_bytes_max");
    }
}

bool fn_match_run(fn_match *match, uint64_t for_ns, bool (*done)(fn_match *match))
{
    uint64_t until_ns = match->internet.now_ns + for_ns;
    while (match->failure == NULL) {
        if (done != NULL && done(match))
            return true;
        if (!fn_internet_step(&match->internet, until_ns))
            break;
        if (match->steps++ % 64 == 0)
            check_memory(match);
    }
    return match->failure == NULL && (done == NULL || done(match));
}

/* --- the network --- */

void fn_match_set_down(fn_match *match, uint32_t player, bool up, bool back)
{
    fn_match_node(match, player)->up.config.down = up;
    fn_match_node(match, player)->down.config.down = back;
}

void fn_match_heal(fn_match *match)
{
    match->quiet = true;
    match->internet.tcp_loss_permille = 0;
    for (uint32_t i = 0; i < match->config.players; i++) {
        fn_net_node *node = fn_match_node(match, i);
        fn_internet_block_tcp(node, false);
        node->tcp_refused = false;
        node->up.config = (fn_link_config){.delay_ns = HEALTHY_RTT_NS / 2};
        node->down.config = (fn_link_config){.delay_ns = HEALTHY_RTT_NS / 2};
    }
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        fn_tap *tap = &match->sides[i].tap;
        tap->flight_ns = fn_min_u64(tap->flight_ns, HEALTHY_RTT_NS);
    }
}

/* --- questions --- */

static FastNetTransport transport_of(const fn_side *side)
{
    return fastnet_peer_transport_mode(side->match->hosts[side->node->index].endpoint, side->id);
}

FastNetPeerStats fn_match_stats(const fn_side *side)
{
    FastNetPeerStats stats = {.struct_size = sizeof stats};
    fastnet_peer_stats(side->match->hosts[side->node->index].endpoint, side->id, &stats);
    return stats;
}

bool fn_match_is_on_stream(const fn_side *side)
{
    return transport_of(side) == FASTNET_TRANSPORT_TCP;
}

static bool all_are_on(const fn_match *match, FastNetTransport transport)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        if (transport_of(&match->sides[i]) != transport)
            return false;
    }
    return true;
}

bool fn_match_all_on_streams(fn_match *match)
{
    return all_are_on(match, FASTNET_TRANSPORT_TCP);
}

bool fn_match_all_on_udp(fn_match *match)
{
    return all_are_on(match, FASTNET_TRANSPORT_UDP);
}

bool fn_match_all_connected(fn_match *match)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        if (!match->sides[i].connected)
            return false;
    }
    return true;
}

bool fn_match_all_delivered(fn_match *match)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        const fn_side *side = &match->sides[i];
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++) {
            if (!fn_stream_complete(&side->streams[channel]))
                return false;
        }
        if (!fn_conn_is_flushed(side->conn))
            return false;
    }
    return true;
}

bool fn_match_all_gone(fn_match *match)
{
    for (uint32_t i = 0; i < match->internet.node_count; i++) {
        if (fastnet_peer_count(match->hosts[i].endpoint) != 0 ||
            fn_inside_pool_bytes(match->hosts[i].endpoint) != 0)
            return false;
    }
    return true;
}
