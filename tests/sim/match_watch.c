/*
 * Reads along. The linker puts these functions between the endpoints and their connections
 * (--wrap), so every datagram that a session seals or opens is seen, whatever carries it.
 */
#include "match_parts.h"

#include "base/seq.h"
#include "base/units.h"
#include "core/conn_parts.h"
#include "inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RACE_NS         (5 * FN_NS_PER_MS)
#define REPLAY_LATER_NS (500 * FN_NS_PER_MS)
/* The least round trip that a change of the network leaves. */
#define CHANGING_RTT_NS_MIN (2 * FN_NS_PER_MS)

size_t __real_fn_conn_transmit(fn_conn *conn, uint64_t now_ns, uint8_t *out, size_t capacity,
                               uint8_t *path);
size_t __wrap_fn_conn_transmit(fn_conn *conn, uint64_t now_ns, uint8_t *out, size_t capacity,
                               uint8_t *path);
fn_conn_received __real_fn_conn_receive(fn_conn *conn, uint64_t now_ns, uint8_t *path,
                                        uint8_t *datagram, size_t bytes);
fn_conn_received __wrap_fn_conn_receive(fn_conn *conn, uint64_t now_ns, uint8_t *path,
                                        uint8_t *datagram, size_t bytes);

static fn_match *watched;

void fn_match_watch(fn_match *match)
{
    watched = match;
}

static uint64_t hash_of(const uint8_t *data, size_t bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* --- whose --- */

/* A player's session is known by its peer's id, the server's end of it by what its peer receives
 * under. */
static bool is_of(const fn_match *match, const fn_side *side, const fn_conn *conn)
{
    if (side->node->index != match->active)
        return false;
    if (side->is_client)
        return side->id == conn->config.owner;
    const FastNetEndpoint *player = match->hosts[side->peer->node->index].endpoint;
    return fn_inside_receiver_id(player, side->peer->id) == conn->config.remote_receiver_id;
}

static void adopt(fn_match *match, fn_side *side, const fn_conn *conn)
{
    const fn_match_config *config = &match->config;
    uint64_t rtt_ns = config->link[0].delay_ns + config->link[1].delay_ns;
    fn_match_forget(side);
    side->conn = conn;
    side->id = conn->config.owner;
    fn_tap_init(&side->tap, conn->send_keys.secret, conn->config.remote_receiver_id,
                conn->config.limits.send_packets_max,
                config->change == NULL ? rtt_ns : CHANGING_RTT_NS_MIN);
}

static fn_side *side_of(fn_match *match, const fn_conn *conn)
{
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        if (match->sides[i].conn == conn && match->sides[i].node->index == match->active)
            return &match->sides[i];
    }
    for (uint32_t i = 0; i < 2 * match->config.players; i++) {
        if (!is_of(match, &match->sides[i], conn))
            continue;
        adopt(match, &match->sides[i], conn);
        return &match->sides[i];
    }
    return NULL;
}

void fn_match_forget(fn_side *side)
{
    fn_tap_free(&side->tap);
    free(side->sealed);
    free(side->sealed_index);
    memset(&side->tap, 0, sizeof side->tap);
    side->sealed = NULL;
    side->sealed_index = NULL;
    side->sealed_count = side->sealed_capacity = 0;
    side->conn = NULL;
    side->far_count = 0;
}

/* --- what was sealed --- */

static fn_sealed *find_sealed(const fn_side *side, uint64_t hash)
{
    uint32_t mask = 2 * side->sealed_capacity - 1;
    if (side->sealed_capacity == 0)
        return NULL;
    for (uint64_t at = hash & mask; side->sealed_index[at] != 0; at = (at + 1) & mask) {
        fn_sealed *sealed = &side->sealed[side->sealed_index[at] - 1];
        if (sealed->hash == hash)
            return sealed;
    }
    return NULL;
}

static void enter_index(fn_side *side, uint32_t place)
{
    uint32_t mask = 2 * side->sealed_capacity - 1;
    uint64_t at = side->sealed[place].hash & mask;
    while (side->sealed_index[at] != 0)
        at = (at + 1) & mask;
    side->sealed_index[at] = place + 1;
}

static fn_sealed *add_sealed(fn_side *side, uint64_t hash)
{
    if (side->sealed_count == side->sealed_capacity) {
        side->sealed_capacity = side->sealed_capacity == 0 ? 1024 : 2 * side->sealed_capacity;
        side->sealed = realloc(side->sealed, side->sealed_capacity * sizeof *side->sealed);
        free(side->sealed_index);
        side->sealed_index = fn_match_calloc(2 * side->sealed_capacity * sizeof(uint32_t));
        if (side->sealed == NULL)
            abort();
        for (uint32_t i = 0; i < side->sealed_count; i++)
            enter_index(side, i);
    }
    fn_sealed *sealed = &side->sealed[side->sealed_count];
    *sealed = (fn_sealed){.hash = hash};
    enter_index(side, side->sealed_count++);
    return sealed;
}

static void note(fn_sealed *sealed, const fn_tap_packet *packet)
{
    sealed->number = packet->number;
    sealed->has_message = packet->has_message;
    for (uint32_t i = 0; i < packet->frame_count; i++) {
        const fn_tap_frame *frame = &packet->frames[i];
        if (frame->type == FN_FRAME_PATH_CHALLENGE && sealed->challenge_count < 2)
            sealed->challenges[sealed->challenge_count++] = frame->value;
        if (frame->type == FN_FRAME_PATH_RESPONSE && sealed->response_count < 2)
            sealed->responses[sealed->response_count++] = frame->value;
    }
}

static void check_messages(fn_match *match, fn_side *side, const fn_tap_packet *packet)
{
    for (uint32_t i = 0; i < packet->frame_count; i++) {
        const fn_tap_frame *frame = &packet->frames[i];
        if (frame->type != FN_FRAME_MESSAGE)
            continue;
        if (frame->channel >= FN_WORLD_CHANNELS ||
            frame->value >= side->streams[frame->channel].count) {
            fn_match_fail(match, "a message left that the application did not send");
            return;
        }
        side->streams[frame->channel].messages[frame->value].left = true;
    }
}

static void trace_sealed(fn_match *match, const fn_side *side, uint8_t path,
                         const fn_tap_packet *packet, size_t bytes)
{
    fn_match_trace(match, match->internet.now_ns);
    fn_match_trace(match, (uint64_t)side->index << 56 | packet->number << 16 | bytes);
    if (!match->verbose)
        return;
    printf("%12.3f ms  %s%u  number %llu, %zu bytes, path %u%s:",
           (double)match->internet.now_ns / 1e6, side->is_client ? "player " : "server ",
           side->index / 2, (unsigned long long)packet->number, bytes, path,
           fn_match_is_on_stream(side) ? ", TCP in use" : "");
    for (uint32_t i = 0; i < packet->frame_count; i++)
        printf(" %02x/%llu", packet->frames[i].type, (unsigned long long)packet->frames[i].value);
    printf("\n");
}

size_t __wrap_fn_conn_transmit(fn_conn *conn, uint64_t now_ns, uint8_t *out, size_t capacity,
                               uint8_t *path)
{
    size_t bytes = __real_fn_conn_transmit(conn, now_ns, out, capacity, path);
    fn_side *side = bytes > 0 && watched != NULL ? side_of(watched, conn) : NULL;
    if (side == NULL)
        return bytes;
    fn_tap_packet packet;
    const char *complaint = fn_tap_sent(&side->tap, watched->internet.now_ns, out, bytes, &packet);
    if (complaint != NULL)
        fn_match_fail(watched, complaint);
    note(add_sealed(side, hash_of(out, bytes)), &packet);
    side->datagrams_sent++;
    side->stream_datagrams += conn->paths[*path].stream;
    trace_sealed(watched, side, *path, &packet, bytes);
    check_messages(watched, side, &packet);
    return bytes;
}

/* --- what the server did with an address --- */

static fn_far *far_of(fn_match *match, fn_side *server, const fn_address *address)
{
    for (uint32_t i = 0; i < server->far_count; i++) {
        if (fn_address_equal(&server->fars[i].address, address))
            return &server->fars[i];
    }
    if (server->far_count == FN_MATCH_REMOTES_MAX) {
        fn_match_fail(match, "the simulator has too many addresses");
        return &server->fars[0];
    }
    server->fars[server->far_count] = (fn_far){.address = *address};
    return &server->fars[server->far_count++];
}

static bool was_challenged(const fn_far *far, uint64_t data)
{
    uint32_t known = fn_min_u32(far->challenge_count, FN_ARRAY_COUNT(far->challenges));
    for (uint32_t i = 0; i < known; i++) {
        if (far->challenges[i] == data)
            return true;
    }
    return false;
}

static void check_sent_to(fn_match *match, fn_side *server, const fn_net_datagram *datagram,
                          const fn_sealed *sealed)
{
    fn_far *far = far_of(match, server, &datagram->to);
    far->sent_bytes += datagram->bytes;
    for (uint32_t i = 0; i < sealed->challenge_count; i++)
        far->challenges[far->challenge_count++ % FN_ARRAY_COUNT(far->challenges)] =
            sealed->challenges[i];
    if (far->validated)
        return;
    if (sealed->has_message)
        fn_match_fail(match, "application data was sent on a path that is not validated");
    /* The TLS handshake showed one address to be real: the credit of one datagram. */
    uint64_t gift = far == &server->fars[0] ? FN_CONN_DATAGRAM_BYTES_MIN : 0;
    if (far->sent_bytes > 3 * far->received_bytes + gift)
        fn_match_fail(match, "more than three times the bytes received were sent to an address "
                             "that is not validated");
}

/* The server's end whose session seals under that id. */
static fn_side *server_side_to(fn_match *match, const uint8_t *data, size_t bytes)
{
    fn_header header;
    if (!fn_header_decode(data, bytes, &header))
        return NULL;
    for (uint32_t i = 0; i < match->config.players; i++) {
        fn_side *server = fn_match_server(match, i);
        if (server->conn != NULL && server->tap.receiver_id == header.receiver_id)
            return server;
    }
    return NULL;
}

/* --- what arrives --- */

void fn_match_on_taken(void *user, fn_net_node *node, const fn_net_datagram *taken)
{
    fn_match *match = user;
    (void)node;
    match->taken[match->taken_count++ % FN_MATCH_TAKEN_MAX] =
        (fn_taken){.hash = hash_of(taken->data, taken->bytes), .from = taken->from};
}

/* Datagrams are handled in the order in which they were taken, so of several copies the oldest that
 * was not handled is meant. */
static const fn_address *where_from(fn_match *match, uint64_t hash)
{
    uint32_t known = fn_min_u32(match->taken_count, FN_MATCH_TAKEN_MAX);
    for (uint32_t back = known; back > 0; back--) {
        fn_taken *taken = &match->taken[(match->taken_count - back) % FN_MATCH_TAKEN_MAX];
        if (taken->hash != hash || taken->handled)
            continue;
        taken->handled = true;
        return &taken->from;
    }
    return NULL;
}

static void judge_accepted(fn_match *match, fn_side *side, uint64_t hash, size_t bytes,
                           const fn_address *from)
{
    fn_sealed *sealed = find_sealed(side->peer, hash);
    if (sealed == NULL) {
        fn_match_fail(match, "a forged or damaged datagram was accepted");
        return;
    }
    if (sealed->accepted)
        fn_match_fail(match, "a replayed datagram was accepted");
    sealed->accepted = true;
    if (side->is_client || from == NULL)
        return;
    fn_far *far = far_of(match, side, from);
    far->received_bytes += bytes;
    for (uint32_t i = 0; i < sealed->response_count; i++)
        far->validated |= was_challenged(far, sealed->responses[i]);
    if (far->validated && fn_address_equal(&far->address, &match->attacker))
        fn_match_fail(match, "the attacker's address was validated");
}

/* What a dropped datagram may not change. */
typedef struct visible_state {
    uint64_t deadline_ns;
    size_t pool_bytes;
    uint32_t event_room;
    fn_conn_state state;
} visible_state;

static visible_state look(const fn_conn *conn)
{
    return (visible_state){
        .deadline_ns = fn_conn_deadline(conn),
        .pool_bytes = fn_pool_used_bytes(conn->shared.pool),
        .event_room = fn_events_room(conn->shared.events),
        .state = fn_conn_get_state(conn),
    };
}

static void judge_dropped(fn_match *match, const fn_conn *conn, const visible_state *before)
{
    visible_state after = look(conn);
    if (after.deadline_ns != before->deadline_ns || after.pool_bytes != before->pool_bytes ||
        after.event_room != before->event_room || after.state != before->state)
        fn_match_fail(match, "a dropped datagram changed the connection");
}

fn_conn_received __wrap_fn_conn_receive(fn_conn *conn, uint64_t now_ns, uint8_t *path,
                                        uint8_t *datagram, size_t bytes)
{
    fn_side *side = watched != NULL ? side_of(watched, conn) : NULL;
    if (side == NULL)
        return __real_fn_conn_receive(conn, now_ns, path, datagram, bytes);
    visible_state before = look(conn);
    bool on_stream = *path < FN_CONN_PATHS_MAX && conn->paths[*path].stream;
    uint64_t hash = hash_of(datagram, bytes);
    const fn_address *from = on_stream ? NULL : where_from(watched, hash);
    fn_conn_received received = __real_fn_conn_receive(conn, now_ns, path, datagram, bytes);
    fn_match_trace(watched, (uint64_t)received << 32 | *path);
    if (received == FN_CONN_DROPPED)
        judge_dropped(watched, conn, &before);
    else
        judge_accepted(watched, side, hash, bytes, from);
    return received;
}

/* --- an attacker on the wire --- */

static void record(fn_match *match, const fn_net_datagram *seen)
{
    fn_net_datagram **place =
        &match->recorded[fn_rng_below(&match->internet.rng, FN_MATCH_RECORDED_MAX)];
    free(*place);
    *place = fn_net_datagram_make(&seen->from, &seen->to, seen->data, seen->bytes);
}

static void send_attack(fn_match *match, fn_net_datagram *copy, uint64_t at_ns, uint64_t *kind)
{
    const fn_net_node *server = &match->internet.nodes[FN_INTERNET_SERVER];
    (*kind)++;
    if (fn_address_equal(&copy->from, &match->attacker)) {
        match->tally.from_attacker++;
        if (fn_address_equal(&copy->to, &server->udp_local))
            match->tally.server_bytes += copy->bytes;
    }
    fn_internet_launch(&match->internet, copy, at_ns);
}

static fn_net_datagram *copy_of(const fn_match *match, const fn_net_datagram *seen, bool elsewhere)
{
    return fn_net_datagram_make(elsewhere ? &match->attacker : &seen->from, &seen->to, seen->data,
                                seen->bytes);
}

static void replay(fn_match *match, bool elsewhere)
{
    fn_rng *rng = &match->internet.rng;
    const fn_net_datagram *old = match->recorded[fn_rng_below(rng, FN_MATCH_RECORDED_MAX)];
    if (old != NULL)
        send_attack(match, copy_of(match, old, elsewhere),
                    match->internet.now_ns + fn_rng_below(rng, REPLAY_LATER_NS),
                    elsewhere ? &match->tally.elsewhere : &match->tally.replayed);
}

static void attack(fn_match *match, const fn_net_datagram *seen, uint64_t at_ns)
{
    const fn_attack *what = &match->config.attack;
    fn_rng *rng = &match->internet.rng;
    uint64_t now_ns = match->internet.now_ns;
    if (what->replay_permille + what->elsewhere_permille > 0)
        record(match, seen);
    if (fn_rng_chance(rng, what->replay_permille))
        replay(match, false);
    if (fn_rng_chance(rng, what->elsewhere_permille))
        replay(match, true);
    if (at_ns != FN_NEVER && fn_rng_chance(rng, what->race_permille))
        send_attack(match, copy_of(match, seen, true),
                    fn_max_u64(now_ns, fn_sub_saturating(at_ns, RACE_NS)), &match->tally.raced);
    if (fn_rng_chance(rng, what->damage_permille)) {
        fn_net_datagram *copy = copy_of(match, seen, what->all_elsewhere);
        fn_attack_damage(rng, copy->data, &copy->bytes);
        send_attack(match, copy, now_ns + FN_NS_PER_MS, &match->tally.damaged);
    }
    if (fn_rng_chance(rng, what->forge_permille)) {
        fn_net_datagram *copy = copy_of(match, seen, what->all_elsewhere);
        fn_attack_forge(rng, copy->data, copy->bytes);
        send_attack(match, copy, now_ns + FN_NS_PER_MS, &match->tally.forged);
    }
}

void fn_match_on_wire(void *user, fn_net_node *node, const fn_net_datagram *seen, uint64_t at_ns)
{
    fn_match *match = user;
    if (node->index == FN_INTERNET_SERVER) {
        fn_side *server = server_side_to(match, seen->data, seen->bytes);
        const fn_sealed *sealed =
            server != NULL ? find_sealed(server, hash_of(seen->data, seen->bytes)) : NULL;
        if (sealed == NULL)
            fn_match_fail(match, "the server sent a datagram that no session sealed");
        else
            check_sent_to(match, server, seen, sealed);
        if (fn_address_equal(&seen->to, &match->attacker))
            match->bytes_to_attacker += seen->bytes;
    }
    if (!match->quiet)
        attack(match, seen, at_ns);
}
