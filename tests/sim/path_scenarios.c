#include "path_scenarios.h"

#include "base/result.h"
#include "base/units.h"
#include "inside.h"

#include <stdlib.h>

#define MS FN_NS_PER_MS
#define S  FN_NS_PER_S

/* --- common --- */

static uint32_t pick(fn_rng *rng, uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t which = fn_rng_below(rng, 3);
    return which == 0 ? a : which == 1 ? b : c;
}

static void set_links(fn_match_config *config, fn_link_config link)
{
    config->link[0] = link;
    config->link[1] = link;
}

/* Statement by statement: C leaves the order inside an initializer open, and the same seed has to
 * give the same run with every compiler. */
static fn_load mixed_load(fn_rng *rng)
{
    fn_load load = {.weights = {3, 4, 3, 4}, .tagged_permille = 200};
    load.interval_ns = fn_rng_between(rng, 20, 60) * MS;
    load.message_bytes_max = pick(rng, 1000, 20000, 65536);
    return load;
}

/* The product's defaults, and what an application may choose to differ in. */
static void set_endpoint(FastNetConfig *config, fn_rng *rng)
{
    fastnet_config_init(config);
    config->receive_window_bytes = pick(rng, 262144 + 64, 524288, 1u << 20);
    config->replay_window_packets = pick(rng, 1024, 4096, 4096);
    config->mtu_bytes_max = (uint16_t)pick(rng, 1200, 1452, 1452);
    config->key_update_packets = pick(rng, 64, 1000, 1u << 20);
}

static void usual(fn_match_config *config, fn_rng *rng)
{
    *config = (fn_match_config){.players = 2};
    for (uint32_t i = 0; i < 2; i++) {
        set_endpoint(&config->endpoint[i], rng);
        config->load[i] = mixed_load(rng);
    }
    config->events_max = pick(rng, 16, 64, 1024);
    config->tick_ns = fn_rng_chance(rng, 300) ? 16666667 : 0;
    config->endpoint[0].keep_tls_warm = config->endpoint[1].keep_tls_warm = fn_rng_chance(rng, 300);
    config->endpoint[0].peers_max = fn_rng_chance(rng, 500) ? 1 : 64; /* one: a connected socket */
    set_links(config, (fn_link_config){.delay_ns = fn_rng_between(rng, 1, 80) * MS});
}

static void block_udp(fn_match *match, bool blocked)
{
    for (uint32_t i = 0; i < match->config.players; i++)
        fn_match_set_down(match, i, blocked, blocked);
}

static void block_tcp(fn_match *match, bool blocked)
{
    for (uint32_t i = 0; i < match->config.players; i++)
        fn_internet_block_tcp(fn_match_node(match, i), blocked);
}

static bool within(fn_match *match, uint64_t time_ns, bool (*done)(fn_match *match))
{
    return fn_match_run(match, time_ns, done);
}

/* Connections that all players have opened so far. */
static uint64_t streams_opened(const fn_match *match)
{
    uint64_t sum = 0;
    for (uint32_t i = 1; i < match->internet.node_count; i++)
        sum += match->internet.nodes[i].tcp_opened;
    return sum;
}

static void pass(fn_match *match, uint64_t time_ns)
{
    fn_match_run(match, time_ns, NULL);
}

/* Something was received on every channel, both ways. */
static bool all_channels_work(const fn_match *match)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++) {
            if (match->sides[i].streams[channel].received == 0)
                return false;
        }
    }
    return true;
}

static uint64_t received_by(const fn_side *end)
{
    uint64_t sum = 0;
    for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++)
        sum += end->peer->streams[channel].received;
    return sum;
}

/* --- UDP is blocked --- */

void fn_path_blocked_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->link[0].down = true;
    config->link[1].down = true;
}

void fn_path_half_blocked_setup(fn_match_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->link[fn_rng_below(rng, 2)].down = false;
}

static const char *judge_connected_over_tcp(fn_match *match)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        if (match->sides[i].connected_ns > 2500 * MS)
            return "connecting over TCP took more than 2.5 s";
    }
    if (!fn_match_all_on_streams(match))
        return "a session is not on TCP";
    return all_channels_work(match) ? NULL : "nothing came on a channel over TCP";
}

const char *fn_path_blocked_judge(fn_match *match)
{
    const char *complaint = judge_connected_over_tcp(match);
    if (complaint != NULL)
        return complaint;
    block_udp(match, false);
    return within(match, 10 * S, fn_match_all_on_udp) ? NULL : "a session did not go over to UDP";
}

void fn_path_middle_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    for (uint32_t i = 0; i < 2; i++)
        config->load[i].weights[FASTNET_CHANNEL_RELIABLE_ORDERED] = 12;
}

/* UDP is blocked already. */
static const char *judge_there_and_back(fn_match *match)
{
    if (!within(match, 3 * S, fn_match_all_on_streams))
        return "UDP was blocked, and three seconds later a session was not on TCP";
    pass(match, fn_rng_between(&match->internet.rng, 1, 8) * S);
    if (match->failure == NULL && !fn_match_all_on_streams(match))
        return "a session left TCP while UDP was blocked";
    block_udp(match, false);
    if (!within(match, 10 * S, fn_match_all_on_udp))
        return "UDP was free again, and ten seconds later a session was not back";
    pass(match, 3 * S);
    return NULL;
}

const char *fn_path_middle_judge(fn_match *match)
{
    if (!fn_match_all_on_udp(match))
        return "a session is not on UDP while nothing is wrong with it";
    block_udp(match, true);
    return judge_there_and_back(match);
}

const char *fn_path_one_way_judge(fn_match *match)
{
    bool up = fn_rng_chance(&match->internet.rng, 500);
    for (uint32_t i = 0; i < match->config.players; i++)
        fn_match_set_down(match, i, up, !up);
    return judge_there_and_back(match);
}

const char *fn_path_refused_judge(fn_match *match)
{
    block_udp(match, true);
    for (uint32_t i = 0; i < match->config.players; i++)
        fn_match_node(match, i)->tcp_refused = true;
    pass(match, fn_rng_between(&match->internet.rng, 1, 9) * S);
    for (uint32_t i = 0; i < match->config.players; i++)
        fn_match_node(match, i)->tcp_refused = false;
    return judge_there_and_back(match);
}

/* --- both --- */

const char *fn_path_dark_judge(fn_match *match)
{
    block_udp(match, true);
    block_tcp(match, true);
    pass(match, 10 * S);
    bool tcp_first = fn_rng_chance(&match->internet.rng, 500);
    block_tcp(match, false);
    if (tcp_first && !within(match, 6 * S, fn_match_all_on_streams))
        return "TCP was back, and six seconds later a session was not on it";
    pass(match, tcp_first ? 2 * S : 0);
    block_udp(match, false);
    if (!within(match, 10 * S, fn_match_all_on_udp))
        return "UDP was back, and ten seconds later a session was not on it";
    return NULL;
}

/* Neither way is open for long: the idle timeout is no part of this. */
static void lighten(fn_match *match, uint32_t player)
{
    static uint64_t dark_ns[FN_MATCH_PLAYERS_MAX]; /* since when */
    fn_net_node *node = fn_match_node(match, player);
    bool dark = (node->up.config.down || node->down.config.down) &&
                (node->tcp_blocked || node->tcp_refused);
    if (!dark || dark_ns[player] == 0 || dark_ns[player] > match->internet.now_ns)
        dark_ns[player] = dark ? match->internet.now_ns : 0;
    if (!dark || match->internet.now_ns - dark_ns[player] < 8 * S)
        return;
    fn_match_set_down(match, player, false, false);
    dark_ns[player] = 0;
}

static void flap(fn_match *match)
{
    for (uint32_t i = 0; i < match->config.players; i++)
        lighten(match, i);
    uint32_t player = (uint32_t)fn_rng_below(&match->internet.rng, match->config.players);
    fn_net_node *node = fn_match_node(match, player);
    bool udp = node->up.config.down;
    switch (fn_rng_below(&match->internet.rng, 8)) {
    case 0:
    case 1:
        fn_match_set_down(match, player, !udp, !udp);
        break;
    case 2:
        fn_match_set_down(match, player, !udp, udp);
        break;
    case 3:
    case 4:
        fn_internet_block_tcp(node, !node->tcp_blocked);
        break;
    case 5:
        node->tcp_refused = !node->tcp_refused;
        break;
    case 6:
        fn_internet_stall_tcp(node, (uint32_t)fn_rng_below(&match->internet.rng, 2));
        break;
    default:
        fn_internet_reset_tcp(node);
        break;
    }
}

void fn_path_flap_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->tcp_loss_permille = pick(rng, 0, 10, 50);
    config->change = flap;
    config->change_ns = fn_rng_between(rng, 200, 1500) * MS;
    fn_link_config link = config->link[0];
    link.loss_permille = pick(rng, 0, 10, 50);
    set_links(config, link);
}

void fn_path_keys_setup(fn_match_config *config, fn_rng *rng)
{
    fn_path_flap_setup(config, rng);
    config->endpoint[0].key_update_packets = config->endpoint[1].key_update_packets = 64;
}

const char *fn_path_keys_judge(fn_match *match)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        if (match->sides[i].tap.flips < 2)
            return "a key was not updated";
    }
    return NULL;
}

/* --- a session that lives on TCP --- */

void fn_path_kept_setup(fn_match_config *config, fn_rng *rng)
{
    fn_path_middle_setup(config, rng);
    config->endpoint[0].keep_tls_warm = config->endpoint[1].keep_tls_warm = true;
}

const char *fn_path_kept_judge(fn_match *match)
{
    block_udp(match, true);
    if (!within(match, 3 * S, fn_match_all_on_streams))
        return "UDP was blocked, and three seconds later a session was not on TCP";
    pass(match, fn_rng_between(&match->internet.rng, 1, 3000) * MS);
    for (uint32_t i = 0; i < match->config.players; i++) {
        fn_internet_stall_tcp(fn_match_node(match, i), 0);
        fn_internet_stall_tcp(fn_match_node(match, i), 1);
    }
    pass(match, fn_rng_between(&match->internet.rng, 1, 500) * MS);
    block_udp(match, false);
    if (!within(match, 10 * S, fn_match_all_on_udp))
        return "a stalled stream kept its session";
    return NULL;
}

void fn_path_small_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    for (uint32_t i = 0; i < 2; i++) {
        FastNetConfig *endpoint = &config->endpoint[i];
        endpoint->message_bytes_max = 16384;
        endpoint->receive_window_bytes = 40000;
        endpoint->replay_window_packets = 1024;
        endpoint->send_queue_bytes_max = 65536;
        endpoint->peers_max = i == 0 ? 1 : 2;
        endpoint->memory_bytes_max = (i == 0 ? 1 : 2) * FN_KIB(512);
        config->load[i].message_bytes_max = 16384;
    }
    set_links(config, (fn_link_config){.delay_ns = fn_rng_between(rng, 1, 50) * MS,
                                       .rate_bytes_per_s = pick(rng, 40000, 200000, 0),
                                       .queue_bytes_max = 30000,
                                       .down = true});
}

void fn_path_idle_setup(fn_match_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->endpoint[0].idle_timeout_ms = config->endpoint[1].idle_timeout_ms = 6000;
    config->load[0] = (fn_load){0};
    config->load[1] = (fn_load){0};
}

const char *fn_path_idle_judge(fn_match *match)
{
    if (!fn_match_all_on_streams(match))
        return "a session left TCP while UDP was blocked";
    for (uint32_t i = 0; i < match->config.players; i++)
        fn_internet_reset_tcp(fn_match_node(match, i));
    pass(match, 1 * MS);
    return within(match, 3 * S, fn_match_all_on_streams) ? NULL : "a reset went unnoticed";
}

void fn_path_close_setup(fn_match_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->closes_in_trouble = true;
    config->tcp_loss_permille = pick(rng, 0, 20, 100);
    config->load[0].tagged_permille = config->load[1].tagged_permille = 0;
}

/* --- the server loses its state --- */

void fn_path_restart_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->link[0].down = config->link[1].down = fn_rng_chance(rng, 500); /* on TCP, or on UDP */
}

static bool all_clients_closed(fn_match *match)
{
    for (uint32_t i = 0; i < match->config.players; i++) {
        if (!fn_match_player(match, i)->closed)
            return false;
    }
    return true;
}

const char *fn_path_restart_judge(fn_match *match)
{
    fn_match_restart_server(match);
    for (uint32_t i = 0; i < match->config.players; i++)
        fn_match_player(match, i)->may_close = true;
    if (!within(match, 3 * S, all_clients_closed))
        return "a client did not hear within three seconds that its session is gone";
    for (uint32_t i = 0; i < match->config.players; i++) {
        if (fn_match_player(match, i)->closed_result != FASTNET_ERR_GONE)
            return "a session that is gone ended with another reason";
        fn_match_connect_again(match, i);
    }
    if (!within(match, 3 * S, fn_match_all_connected))
        return "a client could not connect again";
    pass(match, 3 * S);
    return match->failure == NULL && !all_channels_work(match) ? "the new session does not work"
                                                               : NULL;
}

/* --- one session's TCP goes wrong, the others are bystanders --- */

void fn_path_bystander_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->players = 3;
    config->events_max = 1024;
    config->tick_ns = 0;
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i].fixed_bytes = 200;
        config->load[i].tagged_permille = 0;
    }
}

/* Since they are the only ones on their links, nothing of theirs is ever late or lost. */
static const char *judge_bystanders(fn_match *match)
{
    uint64_t late_ns = match->config.link[0].delay_ns + 5 * MS;
    for (uint32_t i = 2; i < 2 * match->config.players; i++) {
        fn_side *end = &match->sides[i];
        FastNetPeerStats stats = fn_match_stats(end);
        if (end->path_changes != 0 || end->stream_datagrams != 0)
            return "a bystander's path changed";
        if (stats.lost_packets != 0)
            return "a bystander lost a packet";
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++) {
            if (end->streams[channel].latency_ns_max > late_ns)
                return "a bystander's message came late";
        }
    }
    return NULL;
}

static bool victim_is_on_stream(fn_match *match)
{
    return fn_match_is_on_stream(fn_match_player(match, 0)) &&
           fn_match_is_on_stream(fn_match_server(match, 0));
}

/* The victim's messages go through, both ways. */
static bool victim_talks(fn_match *match)
{
    uint64_t before[2] = {received_by(&match->sides[0]), received_by(&match->sides[1])};
    pass(match, 2 * S);
    return received_by(&match->sides[0]) > before[0] && received_by(&match->sides[1]) > before[1];
}

const char *fn_path_stall_judge(fn_match *match)
{
    fn_match_set_down(match, 0, true, true);
    for (uint32_t round = 0; round < 3; round++) {
        if (!within(match, 4 * S, victim_is_on_stream))
            return "UDP was blocked, and a session was not on TCP";
        uint64_t attached = streams_opened(match);
        fn_internet_stall_tcp(fn_match_node(match, 0), 0);
        if (round == 1)
            fn_internet_stall_tcp(fn_match_node(match, 0), 1);
        pass(match, 10 * S);
        if (match->failure == NULL && streams_opened(match) == attached)
            return "a stalled stream was not left";
        if (match->failure == NULL && !victim_talks(match))
            return "a session did not go on after its stream had stalled";
    }
    return judge_bystanders(match);
}

const char *fn_path_reset_judge(fn_match *match)
{
    fn_match_set_down(match, 0, true, true);
    for (uint32_t round = 0; round < 5; round++) {
        if (!within(match, 4 * S, victim_is_on_stream))
            return "UDP was blocked, and a session was not on TCP";
        pass(match, fn_rng_between(&match->internet.rng, 10, 1000) * MS);
        fn_internet_reset_tcp(fn_match_node(match, 0));
        if (fn_rng_chance(&match->internet.rng, 300)) { /* and the next one while it attaches */
            pass(match, fn_rng_between(&match->internet.rng, 1, 600) * MS);
            fn_internet_reset_tcp(fn_match_node(match, 0));
        }
        pass(match, 3 * S);
        if (match->failure == NULL && !victim_talks(match))
            return "a session did not go on after its stream was reset";
    }
    return judge_bystanders(match);
}

/* --- what TCP does to a game's rhythm --- */

enum { TIME_TO_LIVE_MS = 500 };

void fn_path_sixty_setup(fn_match_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->players = 1;
    config->tick_ns = 16666667;
    config->events_max = 1024;
    config->tcp_loss_permille = 20;
    for (uint32_t i = 0; i < 2; i++)
        config->load[i] = (fn_load){.interval_ns = 16666667,
                                    .regular = true,
                                    .weights = {0, 1, 0, 1},
                                    .fixed_bytes = 200,
                                    .message_bytes_max = 200};
    config->link[0].delay_ns = config->link[1].delay_ns = fn_rng_between(rng, 10, 60) * MS;
}

static uint64_t latest_ns(const fn_match *match)
{
    uint64_t most_ns = 0;
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++)
            most_ns = fn_max_u64(most_ns, match->sides[i].streams[channel].latency_ns_max);
    }
    return most_ns;
}

/* Then TCP stalls for less than the stream is given up for, and more is sent than it holds. */
static const char *judge_stall_of_much(fn_match *match)
{
    for (uint32_t i = 0; i < 2; i++) {
        match->config.load[i].fixed_bytes = 2000;
        match->config.load[i].message_bytes_max = 2000;
    }
    fn_internet_block_tcp(fn_match_node(match, 0), true);
    pass(match, 1400 * MS);
    fn_internet_block_tcp(fn_match_node(match, 0), false);
    pass(match, 5 * S);
    for (uint32_t i = 0; i < 2 && match->failure == NULL; i++) {
        if (fn_match_stats(&match->sides[i]).dropped_messages == 0)
            return "nothing grew too old while TCP stood still";
    }
    return NULL;
}

const char *fn_path_sixty_judge(fn_match *match)
{
    uint64_t rtt_ns = match->config.link[0].delay_ns + match->config.link[1].delay_ns;
    if (latest_ns(match) > TIME_TO_LIVE_MS * MS + 2 * rtt_ns)
        return "a message came later than its time to live and two round trips";
    for (uint32_t i = 0; i < 2; i++) {
        if (received_by(&match->sides[i]) < 900)
            return "a 60 Hz stream starved on TCP";
    }
    return judge_stall_of_much(match);
}

/* --- attackers, addresses --- */

void fn_path_attacked_setup(fn_match_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->link[0].delay_ns = config->link[1].delay_ns = fn_rng_between(rng, 6, 60) * MS;
    config->attack =
        (fn_attack){.elsewhere_permille = 1000, .damage_permille = 500, .forge_permille = 1000};
}

/* The attacker gets through where the client does not. */
const char *fn_path_attacked_judge(fn_match *match)
{
    const char *complaint = judge_connected_over_tcp(match);
    if (complaint != NULL)
        return complaint;
    if (match->tally.from_attacker < 3 || match->tally.forged < 10)
        return "the attacker was not there";
    if (match->bytes_to_attacker > 3 * match->tally.server_bytes)
        return "more than three times its bytes went to the attacker";
    return NULL;
}

/* On TCP; then the client goes to another network, where UDP works or not. */
const char *fn_path_away_judge(fn_match *match)
{
    block_udp(match, true);
    if (!within(match, 3 * S, fn_match_all_on_streams))
        return "UDP was blocked, and three seconds later a session was not on TCP";
    pass(match, fn_rng_between(&match->internet.rng, 1, 3000) * MS);
    bool udp_works = fn_rng_chance(&match->internet.rng, 500);
    for (uint32_t i = 0; i < match->config.players; i++) {
        fn_match_set_down(match, i, !udp_works, !udp_works);
        fn_internet_move(fn_match_node(match, i));
    }
    uint64_t attached = streams_opened(match);
    if (udp_works) /* nobody told the endpoint: it notices that its stream is silent */
        return within(match, 6 * S, fn_match_all_on_udp) ? NULL
                                                         : "a session did not come over to UDP";
    pass(match, 10 * S);
    if (match->failure == NULL && streams_opened(match) < attached + match->config.players)
        return "a session stayed on a stream that was left behind";
    return fn_match_all_on_streams(match) ? NULL : "a session has no stream on its new network";
}

void fn_path_racer_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->tick_ns = 0;
    config->attack = (fn_attack){.race_permille = 1000,
                                 .elsewhere_permille = pick(rng, 0, 300, 1000),
                                 .forge_permille = pick(rng, 0, 0, 300)};
    fn_link_config link = config->link[0];
    link.delay_ns = fn_rng_between(rng, 6, 60) * MS;
    set_links(config, link);
}

const char *fn_path_racer_judge(fn_match *match)
{
    const char *complaint = judge_connected_over_tcp(match);
    if (complaint != NULL)
        return complaint;
    uint64_t back_bytes = match->bytes_to_attacker;
    if (back_bytes == 0 || match->tally.raced < 10)
        return "no copy ever came before its original";
    if (back_bytes > 3 * match->tally.server_bytes)
        return "more than three times its bytes went to the attacker";
    match->quiet = true;
    return within(match, 10 * S, fn_match_all_on_udp) ? NULL
                                                      : "the racer left, and UDP was not used";
}

static void new_ports(fn_match *match)
{
    for (uint32_t i = 0; i < match->config.players; i++)
        fn_internet_rebind(fn_match_node(match, i));
}

void fn_path_ports_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->change = new_ports;
    config->change_ns = 1 * S;
    config->link[0].loss_permille = config->link[1].loss_permille = pick(rng, 0, 10, 30);
}

/* What a session holds when nobody has anything to say. */
enum { QUIET_BYTES_MAX = 64 * 1024 };

const char *fn_path_ports_judge(fn_match *match)
{
    for (uint32_t i = 0; i < match->config.players; i++) {
        if (fn_match_server(match, i)->path_changes < 40)
            return "a session did not follow its client";
    }
    match->quiet = true;
    if (!within(match, 60 * S, fn_match_all_delivered))
        return "what was promised did not arrive at the last port";
    pass(match, 2 * S); /* what is in the applications' hands comes back */
    if (fn_inside_pool_bytes(match->hosts[FN_INTERNET_SERVER].endpoint) >
        match->config.players * QUIET_BYTES_MAX)
        return "a minute of new ports left memory behind";
    return NULL;
}

/* --- all kinds of trouble, with TCP beside UDP --- */

static fn_net_node *any_node(fn_match *match)
{
    return fn_match_node(match,
                         (uint32_t)fn_rng_below(&match->internet.rng, match->config.players));
}

static void toggle_down(fn_match *match)
{
    fn_net_node *node = any_node(match);
    bool is_down = node->up.config.down || node->down.config.down;
    node->up.config.down = !is_down && fn_rng_chance(&match->internet.rng, 700);
    node->down.config.down =
        !is_down && (!node->up.config.down || fn_rng_chance(&match->internet.rng, 700));
}

void fn_path_blackout_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->change = toggle_down;
    config->change_ns = fn_rng_between(rng, 300, 2000) * MS;
}

/* Down once, for long, while small unreliable messages go on. */
static void go_dark(fn_match *match)
{
    bool up = fn_rng_chance(&match->internet.rng, 600);
    for (uint32_t i = 0; i < match->config.players; i++)
        fn_match_set_down(match, i, up, !up || fn_rng_chance(&match->internet.rng, 500));
    match->config.change_ns = 3600 * S;
}

void fn_path_long_dark_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->change = go_dark;
    config->change_ns = 1000 * MS;
    for (uint32_t i = 0; i < 2; i++) {
        config->endpoint[i].replay_window_packets = 1024;
        config->load[i] = (fn_load){.interval_ns = 10 * MS,
                                    .weights = {1, 20, 1, 20},
                                    .fixed_bytes = 30,
                                    .message_bytes_max = 30,
                                    .tagged_permille = 200};
    }
}

static void change_address(fn_match *match)
{
    if (fn_rng_chance(&match->internet.rng, 700))
        fn_internet_rebind(any_node(match));
    else
        fn_internet_move(any_node(match));
}

void fn_path_address_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->change = change_address;
    config->change_ns = fn_rng_between(rng, 1500, 5000) * MS;
    fn_link_config link = config->link[0];
    link.loss_permille = pick(rng, 0, 20, 100);
    link.jitter_ns = pick(rng, 0, 5, 50) * MS;
    set_links(config, link);
}

void fn_path_silence_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->endpoint[0].idle_timeout_ms = config->endpoint[1].idle_timeout_ms = 4000;
}

static bool all_closed(fn_match *match)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        if (!match->sides[i].closed)
            return false;
    }
    return true;
}

/* The network dies for good: both sides must find out, soon after the idle timeout. Then it is
 * back, and they connect again. */
const char *fn_path_silence_judge(fn_match *match)
{
    block_udp(match, true);
    block_tcp(match, true);
    for (uint32_t i = 0; i < 2 * match->config.players; i++)
        match->sides[i].may_close = true;
    if (!within(match, 8 * S, all_closed))
        return "a session outlived its idle timeout";
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        if (match->sides[i].closed_result != FASTNET_ERR_TIMEOUT)
            return "silence was not reported as a timeout";
    }
    block_udp(match, false);
    block_tcp(match, false);
    for (uint32_t i = 0; i < match->config.players; i++)
        fn_match_connect_again(match, i);
    return within(match, 5 * S, fn_match_all_connected) ? NULL : "a client could not connect again";
}

static void change_anything(fn_match *match)
{
    fn_rng *rng = &match->internet.rng;
    fn_net_node *node = any_node(match);
    fn_link *link = fn_rng_chance(rng, 500) ? &node->up : &node->down;
    switch (fn_rng_below(rng, 5)) {
    case 0:
        toggle_down(match);
        break;
    case 1:
        change_address(match);
        break;
    case 2:
        flap(match);
        break;
    default:
        link->config.loss_permille = (uint32_t)fn_rng_below(rng, 200);
        link->config.delay_ns = fn_rng_between(rng, 1, 150) * MS;
        link->config.down = false;
    }
}

void fn_path_everything_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->players = 3;
    config->endpoint[0].idle_timeout_ms = config->endpoint[1].idle_timeout_ms = 60000;
    for (uint32_t i = 0; i < 2; i++) {
        fn_link_config *link = &config->link[i];
        link->jitter_ns = fn_rng_below(rng, 60) * MS;
        link->loss_permille = (uint32_t)fn_rng_below(rng, 150);
        link->burst_start_permille = (uint32_t)fn_rng_below(rng, 5);
        link->burst_end_permille = 100;
        link->burst_loss_permille = 800;
        link->duplicate_permille = (uint32_t)fn_rng_below(rng, 100);
        link->reorder_permille = (uint32_t)fn_rng_below(rng, 100);
        link->reorder_delay_ns = fn_rng_below(rng, 100) * MS;
        link->corrupt_permille = (uint32_t)fn_rng_below(rng, 50);
        link->rate_bytes_per_s = fn_rng_chance(rng, 500) ? fn_rng_between(rng, 50000, 500000) : 0;
        link->queue_bytes_max = 40000;
    }
    config->attack = (fn_attack){.replay_permille = 50,
                                 .elsewhere_permille = 20,
                                 .race_permille = 5,
                                 .damage_permille = 20,
                                 .forge_permille = 20};
    config->change = change_anything;
    config->change_ns = 700 * MS;
}

/* --- more than the line carries --- */

enum { SHARE_RATE_BYTES_PER_S = 40000 };

/* An unreliable stream of 72 KB/s, capped at 40, and as many reliable messages as are taken. */
void fn_path_share_setup(fn_match_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->players = 1;
    config->rate_max_bytes_per_s = SHARE_RATE_BYTES_PER_S;
    config->load[1] = (fn_load){0};
    config->load[0] = (fn_load){.interval_ns = 16666667,
                                .regular = true,
                                .weights = {0, 1, 0, 0},
                                .fixed_bytes = 1200,
                                .message_bytes_max = 1200,
                                .bulk_bytes = 64u << 20,
                                .bulk_message_bytes = 2000};
    config->load[0].bulk_channel =
        fn_rng_chance(rng, 500) ? FASTNET_CHANNEL_RELIABLE : FASTNET_CHANNEL_RELIABLE_ORDERED;
}

const char *fn_path_share_judge(fn_match *match)
{
    fn_side *player = fn_match_player(match, 0);
    uint64_t loaded_ms = (match->internet.now_ns - player->began_ns - player->connected_ns) / MS;
    uint64_t cap_bytes = SHARE_RATE_BYTES_PER_S / 1000 * loaded_ms;
    uint64_t reliable_bytes = player->streams[match->config.load[0].bulk_channel].received_bytes;
    uint64_t stream_bytes = player->streams[FASTNET_CHANNEL_UNRELIABLE].received_bytes;
    uint64_t all_bytes = reliable_bytes + stream_bytes;
    fn_match_set_rate_max(match, player, 0); /* so that the rest is soon through */
    if (reliable_bytes < all_bytes / 8 * 9 / 10)
        return "a reliable channel got less than an eighth beside an unreliable stream";
    if (stream_bytes < all_bytes / 8 * 7 * 9 / 10)
        return "an unreliable stream got less than its part beside a reliable channel";
    return all_bytes > cap_bytes * 8 / 10 ? NULL : "the cap was not made use of";
}

/* --- a path that does not carry 1200 bytes --- */

/* Up, back, or both: 0, 1, 2. */
static void shrink(fn_net_node *node, uint32_t mtu_bytes, uint64_t ways)
{
    node->up.config.mtu_bytes = (ways + 1) & 1u ? mtu_bytes : 0;
    node->down.config.mtu_bytes = (ways + 1) & 2u ? mtu_bytes : 0;
}

static void shrink_all(fn_match *match, uint32_t mtu_bytes, uint64_t ways)
{
    for (uint32_t i = 0; i < match->config.players; i++)
        shrink(fn_match_node(match, i), mtu_bytes, ways);
}

void fn_path_tunnel_setup(fn_match_config *config, fn_rng *rng)
{
    static const uint32_t tunnels[] = {1199, 1168, 1072, 548}; /* IPv4 with MTU 1227, 1196 … */
    usual(config, rng);
    uint32_t mtu_bytes = tunnels[fn_rng_below(rng, FN_ARRAY_COUNT(tunnels))];
    uint64_t ways = fn_rng_below(rng, 3);
    config->link[0].mtu_bytes = (ways + 1) & 1u ? mtu_bytes : 0;
    config->link[1].mtu_bytes = (ways + 1) & 2u ? mtu_bytes : 0;
}

const char *fn_path_tunnel_judge(fn_match *match)
{
    const char *complaint = judge_connected_over_tcp(match);
    if (complaint != NULL)
        return complaint;
    shrink_all(match, 1200, 2);
    return within(match, 10 * S, fn_match_all_on_udp)
               ? NULL
               : "1200 bytes pass, and a session stays on TCP";
}

/* Large ones both ways, among many small ones. */
void fn_path_shrinks_setup(fn_match_config *config, fn_rng *rng)
{
    usual(config, rng);
    config->tick_ns = 0;
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i].interval_ns = 20 * MS;
        config->load[i].message_bytes_max = 5000;
    }
}

const char *fn_path_shrinks_judge(fn_match *match)
{
    fn_rng *rng = &match->internet.rng;
    if (!fn_match_all_on_udp(match))
        return "a session is not on UDP while nothing is wrong with it";
    uint64_t ways = fn_rng_below(rng, 3);
    shrink_all(match, (uint32_t)fn_rng_between(rng, 548, 1040), ways);
    if (!within(match, 6 * S, fn_match_all_on_streams))
        return "six seconds after its path became too small a session was not on TCP";
    pass(match, fn_rng_between(rng, 1, 8) * S);
    if (match->failure == NULL && !fn_match_all_on_streams(match))
        return "a session went back to a path that is too small";
    shrink_all(match, 1200, 2);
    return within(match, 10 * S, fn_match_all_on_udp) ? NULL : "a session did not go back to UDP";
}

/* What is lost by chance is no matter of size. */
const char *fn_path_chance_judge(fn_match *match)
{
    uint64_t opened = streams_opened(match);
    for (uint32_t i = 0; i < match->config.players; i++) {
        fn_match_node(match, i)->up.config.loss_permille = 300;
        fn_match_node(match, i)->down.config.loss_permille = 300;
    }
    pass(match, 20 * S);
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        if (match->sides[i].tap.said_small)
            return "a path was called too small at 30 % random loss";
    }
    return streams_opened(match) == opened ? NULL : "a session left UDP at 30 % random loss";
}
