#include "path_scenarios.h"

#include "base/result.h"
#include "base/units.h"
#include "setup.h"

#define MS FN_NS_PER_MS
#define S  FN_NS_PER_S

/* --- common --- */

static void with_tcp(fn_world_config *config, fn_rng *rng)
{
    fn_setup_usual(config, rng);
    fn_setup_maybe_tcp(config, rng);
    config->tcp.open = true;
    config->tcp.loss_permille = 0;
}

static void block_udp(fn_world *world, bool blocked)
{
    for (uint32_t i = 0; i < world->config.sessions; i++)
        fn_world_set_down(world, i, blocked, blocked);
}

static void block_tcp(fn_world *world, bool blocked)
{
    for (uint32_t i = 0; i < world->config.sessions; i++)
        fn_world_block_tcp(world, i, blocked);
}

static bool within(fn_world *world, uint64_t time_ns, bool (*done)(fn_world *world))
{
    return fn_world_run(world, world->now_ns + time_ns, done);
}

static void pass(fn_world *world, uint64_t time_ns)
{
    fn_world_run(world, world->now_ns + time_ns, NULL);
}

/* Something was received on every channel, both ways. */
static bool all_channels_work(const fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++) {
            if (world->ends[i].streams[channel].received == 0)
                return false;
        }
    }
    return true;
}

static uint64_t received_by(const fn_end *end)
{
    uint64_t sum = 0;
    for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++)
        sum += end->peer->streams[channel].received;
    return sum;
}

/* --- UDP is blocked --- */

void fn_path_blocked_setup(fn_world_config *config, fn_rng *rng)
{
    with_tcp(config, rng);
    config->link[0].down = true;
    config->link[1].down = true;
}

void fn_path_half_blocked_setup(fn_world_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->link[fn_rng_below(rng, 2)].down = false;
}

static const char *judge_connected_over_tcp(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        if (world->ends[i].connected_ns > 2500 * MS)
            return "connecting over TCP took more than 2.5 s";
    }
    if (!fn_world_all_on_streams(world))
        return "a session is not on TCP";
    return all_channels_work(world) ? NULL : "nothing came on a channel over TCP";
}

const char *fn_path_blocked_judge(fn_world *world)
{
    const char *complaint = judge_connected_over_tcp(world);
    if (complaint != NULL)
        return complaint;
    block_udp(world, false);
    return within(world, 10 * S, fn_world_all_on_udp) ? NULL : "a session did not go over to UDP";
}

void fn_path_middle_setup(fn_world_config *config, fn_rng *rng)
{
    with_tcp(config, rng);
    for (uint32_t i = 0; i < 2; i++)
        config->load[i].weights[FASTNET_CHANNEL_RELIABLE_ORDERED] = 12;
}

/* UDP is blocked already. */
static const char *judge_there_and_back(fn_world *world)
{
    if (!within(world, 3 * S, fn_world_all_on_streams))
        return "UDP was blocked, and three seconds later a session was not on TCP";
    pass(world, fn_rng_between(&world->rng, 1, 8) * S);
    if (world->failure == NULL && !fn_world_all_on_streams(world))
        return "a session left TCP while UDP was blocked";
    block_udp(world, false);
    if (!within(world, 10 * S, fn_world_all_on_udp))
        return "UDP was free again, and ten seconds later a session was not back";
    pass(world, 3 * S);
    return NULL;
}

const char *fn_path_middle_judge(fn_world *world)
{
    if (!fn_world_all_on_udp(world))
        return "a session is not on UDP while nothing is wrong with it";
    block_udp(world, true);
    return judge_there_and_back(world);
}

const char *fn_path_one_way_judge(fn_world *world)
{
    bool up = fn_rng_chance(&world->rng, 500);
    for (uint32_t i = 0; i < world->config.sessions; i++)
        fn_world_set_down(world, i, up, !up);
    return judge_there_and_back(world);
}

const char *fn_path_refused_judge(fn_world *world)
{
    block_udp(world, true);
    for (uint32_t i = 0; i < world->config.sessions; i++)
        fn_world_refuse_tcp(world, i, true);
    pass(world, fn_rng_between(&world->rng, 1, 9) * S);
    for (uint32_t i = 0; i < world->config.sessions; i++)
        fn_world_refuse_tcp(world, i, false);
    return judge_there_and_back(world);
}

/* --- both --- */

const char *fn_path_dark_judge(fn_world *world)
{
    block_udp(world, true);
    block_tcp(world, true);
    pass(world, 10 * S);
    bool tcp_first = fn_rng_chance(&world->rng, 500);
    block_tcp(world, false);
    if (tcp_first && !within(world, 6 * S, fn_world_all_on_streams))
        return "TCP was back, and six seconds later a session was not on it";
    pass(world, tcp_first ? 2 * S : 0);
    block_udp(world, false);
    if (!within(world, 10 * S, fn_world_all_on_udp))
        return "UDP was back, and ten seconds later a session was not on it";
    return NULL;
}

/* Neither way is open for long: the idle timeout is no part of this. */
static void lighten(fn_world *world, uint32_t session)
{
    fn_tcp_trouble *tcp = &world->tcp[session];
    const fn_link *links = &world->links[2 * session];
    bool dark = (links[0].config.down || links[1].config.down) && (tcp->blocked || tcp->refused);
    if (!dark || tcp->dark_ns == 0)
        tcp->dark_ns = dark ? world->now_ns : 0;
    if (!dark || world->now_ns - tcp->dark_ns < 8 * S)
        return;
    fn_world_set_down(world, session, false, false);
    tcp->dark_ns = 0;
}

static void flap(fn_world *world)
{
    for (uint32_t i = 0; i < world->config.sessions; i++)
        lighten(world, i);
    uint32_t session = fn_setup_any_session(world);
    const bool *udp = &world->links[2 * session].config.down;
    const fn_tcp_trouble *tcp = &world->tcp[session];
    switch (fn_rng_below(&world->rng, 8)) {
    case 0:
    case 1:
        fn_world_set_down(world, session, !*udp, !*udp);
        break;
    case 2:
        fn_world_set_down(world, session, !*udp, *udp);
        break;
    case 3:
    case 4:
        fn_world_block_tcp(world, session, !tcp->blocked);
        break;
    case 5:
        fn_world_refuse_tcp(world, session, !tcp->refused);
        break;
    case 6:
        fn_world_stall_streams(world, session, (uint32_t)fn_rng_below(&world->rng, 2));
        break;
    default:
        fn_world_reset_streams(world, session);
        break;
    }
}

void fn_path_flap_setup(fn_world_config *config, fn_rng *rng)
{
    with_tcp(config, rng);
    config->tcp.loss_permille = fn_setup_pick(rng, 0, 10, 50);
    config->change = flap;
    config->change_ns = fn_rng_between(rng, 200, 1500) * MS;
    fn_link_config link = config->link[0];
    link.loss_permille = fn_setup_pick(rng, 0, 10, 50);
    fn_setup_links(config, link);
}

void fn_path_keys_setup(fn_world_config *config, fn_rng *rng)
{
    fn_path_flap_setup(config, rng);
    config->key_update_packets = 64;
}

const char *fn_path_keys_judge(fn_world *world)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        if (world->ends[i].tap.flips < 2)
            return "a key was not updated";
    }
    return NULL;
}

/* --- a session that lives on TCP --- */

void fn_path_kept_setup(fn_world_config *config, fn_rng *rng)
{
    fn_path_middle_setup(config, rng);
    config->tcp.stays = true;
}

const char *fn_path_kept_judge(fn_world *world)
{
    block_udp(world, true);
    if (!within(world, 3 * S, fn_world_all_on_streams))
        return "UDP was blocked, and three seconds later a session was not on TCP";
    pass(world, fn_rng_between(&world->rng, 1, 3000) * MS);
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        fn_world_stall_streams(world, i, 0);
        fn_world_stall_streams(world, i, 1);
    }
    pass(world, fn_rng_between(&world->rng, 1, 500) * MS);
    block_udp(world, false);
    if (!within(world, 10 * S, fn_world_all_on_udp))
        return "a stalled stream kept its session";
    return NULL;
}

void fn_path_small_setup(fn_world_config *config, fn_rng *rng)
{
    fn_setup_small_memory(config, rng);
    fn_setup_maybe_tcp(config, rng);
    config->tcp.open = true;
    fn_setup_links(config,
                   (fn_link_config){.delay_ns = fn_rng_between(rng, 1, 50) * MS,
                                    .rate_bytes_per_s = fn_setup_pick(rng, 40000, 200000, 0),
                                    .queue_bytes_max = 30000,
                                    .down = true});
}

void fn_path_idle_setup(fn_world_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->limits[0].idle_timeout_ms = 6000;
    config->limits[1].idle_timeout_ms = 6000;
    config->keepalive_ns = 1500 * MS;
    config->load[0] = (fn_load){0};
    config->load[1] = (fn_load){0};
}

const char *fn_path_idle_judge(fn_world *world)
{
    if (!fn_world_all_on_streams(world))
        return "a session left TCP while UDP was blocked";
    for (uint32_t i = 0; i < world->config.sessions; i++)
        fn_world_reset_streams(world, i);
    pass(world, 1 * MS);
    return within(world, 3 * S, fn_world_all_on_streams) ? NULL : "a reset went unnoticed";
}

void fn_path_close_setup(fn_world_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->closes_in_trouble = true;
    config->tcp.loss_permille = fn_setup_pick(rng, 0, 20, 100);
    config->load[0].tagged_permille = config->load[1].tagged_permille = 0;
}

/* --- the server loses its state --- */

void fn_path_restart_setup(fn_world_config *config, fn_rng *rng)
{
    with_tcp(config, rng);
    config->link[0].down = config->link[1].down = fn_rng_chance(rng, 500); /* on TCP, or on UDP */
}

static bool all_clients_closed(fn_world *world)
{
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        if (!fn_world_client(world, i)->closed)
            return false;
    }
    return true;
}

const char *fn_path_restart_judge(fn_world *world)
{
    fn_world_restart_server(world);
    for (uint32_t i = 0; i < world->config.sessions; i++)
        fn_world_client(world, i)->may_close = true;
    if (!within(world, 3 * S, all_clients_closed))
        return "a client did not hear within three seconds that its session is gone";
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        if (fn_world_client(world, i)->closed_result != FASTNET_ERR_GONE)
            return "a session that is gone ended with another reason";
        fn_world_connect_again(world, i);
    }
    if (!within(world, 3 * S, fn_world_all_connected))
        return "a client could not connect again";
    pass(world, 3 * S);
    return world->failure == NULL && !all_channels_work(world) ? "the new session does not work"
                                                               : NULL;
}

/* --- one session's TCP goes wrong, the others are bystanders --- */

void fn_path_bystander_setup(fn_world_config *config, fn_rng *rng)
{
    with_tcp(config, rng);
    config->sessions = 3;
    config->server_arena_bytes = FN_MIB(48);
    config->event_capacity = 1024;
    config->hold_permille = 0;
    config->tick_ns = 0;
    for (uint32_t i = 0; i < 2; i++) {
        config->load[i].fixed_bytes = 200;
        config->load[i].tagged_permille = 0;
    }
}

/* Since they are the only ones on their links, nothing of theirs is ever late or lost. */
static const char *judge_bystanders(fn_world *world)
{
    uint64_t late_ns = world->config.link[0].delay_ns + 5 * MS;
    for (uint32_t i = 2; i < 2 * world->config.sessions; i++) {
        fn_end *end = &world->ends[i];
        fn_conn_get_stats(end->conn, &end->stats);
        if (end->path_changes != 0 || end->stream_datagrams != 0)
            return "a bystander's path changed";
        if (end->stats.counters.lost_packets != 0)
            return "a bystander lost a packet";
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++) {
            if (end->streams[channel].latency_ns_max > late_ns)
                return "a bystander's message came late";
        }
    }
    return NULL;
}

static bool victim_is_on_stream(fn_world *world)
{
    return fn_world_is_on_stream(fn_world_client(world, 0)) &&
           fn_world_is_on_stream(fn_world_server(world, 0));
}

/* The victim's messages go through, both ways. */
static bool victim_talks(fn_world *world)
{
    uint64_t before[2] = {received_by(&world->ends[0]), received_by(&world->ends[1])};
    pass(world, 2 * S);
    return received_by(&world->ends[0]) > before[0] && received_by(&world->ends[1]) > before[1];
}

const char *fn_path_stall_judge(fn_world *world)
{
    fn_world_set_down(world, 0, true, true);
    for (uint32_t round = 0; round < 3; round++) {
        if (!within(world, 4 * S, victim_is_on_stream))
            return "UDP was blocked, and a session was not on TCP";
        uint64_t attached = world->streams.attached;
        fn_world_stall_streams(world, 0, 0);
        if (round == 1)
            fn_world_stall_streams(world, 0, 1);
        pass(world, 10 * S);
        if (world->failure == NULL && world->streams.attached == attached)
            return "a stalled stream was not left";
        if (world->failure == NULL && !victim_talks(world))
            return "a session did not go on after its stream had stalled";
    }
    return judge_bystanders(world);
}

const char *fn_path_reset_judge(fn_world *world)
{
    fn_world_set_down(world, 0, true, true);
    for (uint32_t round = 0; round < 5; round++) {
        if (!within(world, 4 * S, victim_is_on_stream))
            return "UDP was blocked, and a session was not on TCP";
        pass(world, fn_rng_between(&world->rng, 10, 1000) * MS);
        fn_world_reset_streams(world, 0);
        if (fn_rng_chance(&world->rng, 300)) { /* and the next one while it attaches */
            pass(world, fn_rng_between(&world->rng, 1, 600) * MS);
            fn_world_reset_streams(world, 0);
        }
        pass(world, 3 * S);
        if (world->failure == NULL && !victim_talks(world))
            return "a session did not go on after its stream was reset";
    }
    return judge_bystanders(world);
}

/* --- what TCP does to a game's rhythm --- */

enum { TIME_TO_LIVE_MS = 500 };

void fn_path_sixty_setup(fn_world_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->sessions = 1;
    config->tick_ns = 16666667;
    config->hold_permille = 0;
    config->event_capacity = 1024;
    config->tcp.loss_permille = 20;
    for (uint32_t i = 0; i < 2; i++)
        config->load[i] = (fn_load){.interval_ns = 16666667,
                                    .regular = true,
                                    .weights = {0, 1, 0, 1},
                                    .fixed_bytes = 200,
                                    .message_bytes_max = 200};
    config->link[0].delay_ns = config->link[1].delay_ns = fn_rng_between(rng, 10, 60) * MS;
}

static uint64_t latest_ns(const fn_world *world)
{
    uint64_t most_ns = 0;
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t channel = 0; channel < FN_WORLD_CHANNELS; channel++)
            most_ns = fn_max_u64(most_ns, world->ends[i].streams[channel].latency_ns_max);
    }
    return most_ns;
}

/* Then TCP stalls for less than the stream is given up for, and more is sent than it holds. */
static const char *judge_stall_of_much(fn_world *world)
{
    for (uint32_t i = 0; i < 2; i++) {
        world->config.load[i].fixed_bytes = 2000;
        world->config.load[i].message_bytes_max = 2000;
    }
    fn_world_block_tcp(world, 0, true);
    pass(world, 1400 * MS);
    fn_world_block_tcp(world, 0, false);
    pass(world, 5 * S);
    for (uint32_t i = 0; i < 2 && world->failure == NULL; i++) {
        fn_end *end = &world->ends[i];
        fn_conn_get_stats(end->conn, &end->stats);
        if (end->stats.counters.dropped_messages == 0)
            return "nothing grew too old while TCP stood still";
    }
    return NULL;
}

const char *fn_path_sixty_judge(fn_world *world)
{
    uint64_t rtt_ns = world->config.link[0].delay_ns + world->config.link[1].delay_ns;
    if (latest_ns(world) > TIME_TO_LIVE_MS * MS + 2 * rtt_ns)
        return "a message came later than its time to live and two round trips";
    for (uint32_t i = 0; i < 2; i++) {
        if (received_by(&world->ends[i]) < 900)
            return "a 60 Hz stream starved on TCP";
    }
    return judge_stall_of_much(world);
}

/* --- attackers, addresses --- */

void fn_path_attacked_setup(fn_world_config *config, fn_rng *rng)
{
    fn_path_blocked_setup(config, rng);
    config->link[0].delay_ns = config->link[1].delay_ns = fn_rng_between(rng, 6, 60) * MS;
    config->attack =
        (fn_attack){.elsewhere_permille = 1000, .damage_permille = 500, .forge_permille = 1000};
}

/* The attacker gets through where the client does not. */
const char *fn_path_attacked_judge(fn_world *world)
{
    const char *complaint = judge_connected_over_tcp(world);
    if (complaint != NULL)
        return complaint;
    if (world->tally.from_attacker < 3 || world->tally.forged < 10)
        return "the attacker was not there";
    if (fn_world_bytes_to_attacker(world) > 3 * world->tally.server_bytes)
        return "more than three times its bytes went to the attacker";
    return NULL;
}

/* On TCP; then the client goes to another network, where UDP works or not. */
const char *fn_path_away_judge(fn_world *world)
{
    block_udp(world, true);
    if (!within(world, 3 * S, fn_world_all_on_streams))
        return "UDP was blocked, and three seconds later a session was not on TCP";
    pass(world, fn_rng_between(&world->rng, 1, 3000) * MS);
    bool udp_works = fn_rng_chance(&world->rng, 500);
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        fn_world_set_down(world, i, !udp_works, !udp_works);
        fn_world_roam(world, i, true);
    }
    uint64_t attached = world->streams.attached;
    if (udp_works)
        return within(world, 2 * S, fn_world_all_on_udp) ? NULL
                                                         : "a session did not come over to UDP";
    pass(world, 10 * S);
    if (world->failure == NULL && world->streams.attached < attached + world->config.sessions)
        return "a session stayed on a stream that was left behind";
    return fn_world_all_on_streams(world) ? NULL : "a session has no stream on its new network";
}

void fn_path_racer_setup(fn_world_config *config, fn_rng *rng)
{
    with_tcp(config, rng);
    config->tick_ns = 0;
    config->attack = (fn_attack){.race_permille = 1000,
                                 .elsewhere_permille = fn_setup_pick(rng, 0, 300, 1000),
                                 .forge_permille = fn_setup_pick(rng, 0, 0, 300)};
    fn_link_config link = config->link[0];
    link.delay_ns = fn_rng_between(rng, 6, 60) * MS;
    fn_setup_links(config, link);
}

const char *fn_path_racer_judge(fn_world *world)
{
    const char *complaint = judge_connected_over_tcp(world);
    if (complaint != NULL)
        return complaint;
    uint64_t back_bytes = fn_world_bytes_to_attacker(world);
    if (back_bytes == 0 || world->tally.raced < 10)
        return "no copy ever came before its original";
    if (back_bytes > 3 * world->tally.server_bytes)
        return "more than three times its bytes went to the attacker";
    world->quiet = true;
    return within(world, 10 * S, fn_world_all_on_udp) ? NULL
                                                      : "the racer left, and UDP was not used";
}

static void new_ports(fn_world *world)
{
    for (uint32_t i = 0; i < world->config.sessions; i++)
        fn_world_rebind(world, i);
}

void fn_path_ports_setup(fn_world_config *config, fn_rng *rng)
{
    with_tcp(config, rng);
    config->change = new_ports;
    config->change_ns = 1 * S;
    config->link[0].loss_permille = config->link[1].loss_permille = fn_setup_pick(rng, 0, 10, 30);
}

/* What a session holds when nobody has anything to say. */
enum { QUIET_BYTES_MAX = 64 * 1024 };

const char *fn_path_ports_judge(fn_world *world)
{
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        if (fn_world_server(world, i)->path_changes < 40)
            return "a session did not follow its client";
    }
    world->quiet = true;
    if (!within(world, 60 * S, fn_world_all_delivered))
        return "what was promised did not arrive at the last port";
    pass(world, 2 * S); /* what is in the applications' hands comes back */
    if (fn_pool_used_bytes(&world->server.pool) > world->config.sessions * QUIET_BYTES_MAX)
        return "a minute of new ports left memory behind";
    return NULL;
}
