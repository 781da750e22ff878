#include "world_internal.h"

#include "base/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRANSMITS_MAX = 20000, /* datagrams in one instant */
    IDLE_TURNS_MAX = 100,
    EVENT_ROOM_MIN = 16
};

/* --- datagrams --- */

fn_datagram *fn_datagram_clone(const fn_datagram *datagram)
{
    fn_datagram *copy = fn_world_calloc(sizeof *copy + datagram->bytes);
    memcpy(copy, datagram, sizeof *copy + datagram->bytes);
    memset(&copy->timer, 0, sizeof copy->timer);
    memset(&copy->link, 0, sizeof copy->link);
    fn_heap_node_init(&copy->timer.node);
    copy->references = 1;
    return copy;
}

void fn_datagram_release(fn_datagram *datagram)
{
    if (--datagram->references == 0)
        free(datagram);
}

static fn_end *end_by_own_address(fn_world *world, uint32_t address)
{
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        fn_end *client = fn_world_client(world, i);
        for (uint32_t path = 0; path < FN_CONN_PATHS_MAX; path++) {
            if (client->path_address[path] == address && !client->path_dead[path])
                return client;
        }
    }
    return NULL;
}

static void arrive(fn_world *world, fn_timer *timer)
{
    fn_datagram *datagram = FN_CONTAINER(timer, fn_datagram, timer);
    fn_host *host = &world->server;
    if (datagram->to != FN_WORLD_SERVER_ADDRESS) {
        fn_end *client = end_by_own_address(world, datagram->to);
        host = client != NULL ? client->host : NULL;
    }
    if (host == NULL) {
        fn_datagram_release(datagram);
        return;
    }
    fn_list_push_back(&host->inbox, &datagram->link);
    if (world->config.tick_ns == 0) {
        fn_world_receive(world, host);
        fn_world_pump_host(world, host);
    }
}

void fn_datagram_launch(fn_world *world, fn_datagram *datagram, uint64_t at_ns)
{
    datagram->timer.fire = arrive;
    fn_world_set_timer(world, &datagram->timer, at_ns);
}

/* --- what is known of addresses --- */

fn_remote *fn_world_remote(fn_world *world, fn_end *end, uint32_t address)
{
    for (uint32_t i = 0; i < end->remote_count; i++) {
        if (end->remotes[i].address == address)
            return &end->remotes[i];
    }
    if (end->remote_count == FN_WORLD_REMOTES_MAX) {
        fn_world_fail(world, "the simulator ran out of addresses");
        return &end->remotes[0];
    }
    end->remotes[end->remote_count] = (fn_remote){.address = address};
    return &end->remotes[end->remote_count++];
}

static void note_challenges(fn_remote *remote, const fn_tap_packet *packet)
{
    for (uint32_t i = 0; i < packet->frame_count; i++) {
        if (packet->frames[i].type == FN_FRAME_PATH_CHALLENGE)
            remote->challenges[remote->challenge_count++ % FN_ARRAY_COUNT(remote->challenges)] =
                packet->frames[i].value;
    }
}

static bool was_challenged(const fn_remote *remote, uint64_t data)
{
    uint32_t known = fn_min_u32(remote->challenge_count, FN_ARRAY_COUNT(remote->challenges));
    for (uint32_t i = 0; i < known; i++) {
        if (remote->challenges[i] == data)
            return true;
    }
    return false;
}

static void check_remote(fn_world *world, fn_end *end, uint32_t address, uint32_t bytes,
                         const fn_tap_packet *packet)
{
    fn_remote *remote = fn_world_remote(world, end, address);
    remote->sent_bytes += bytes;
    note_challenges(remote, packet);
    if (remote->validated)
        return;
    if (packet->has_message)
        fn_world_fail(world, "application data was sent on a path that is not validated");
    /* The TLS handshake showed one address to be real: the credit of one datagram. */
    uint64_t gift = remote == &end->remotes[0] ? FN_CONN_DATAGRAM_BYTES_MIN : 0;
    if (!end->is_client && remote->sent_bytes > 3 * remote->received_bytes + gift)
        fn_world_fail(world, "more than three times the bytes received were sent to an address "
                             "that is not validated");
}

/* --- sending --- */

static void check_messages(fn_world *world, fn_end *end, const fn_tap_packet *packet)
{
    for (uint32_t i = 0; i < packet->frame_count; i++) {
        const fn_tap_frame *frame = &packet->frames[i];
        if (frame->type != FN_FRAME_MESSAGE)
            continue;
        if (frame->channel >= FN_WORLD_CHANNELS ||
            frame->value >= end->streams[frame->channel].count) {
            fn_world_fail(world, "a message left that the application did not send");
            return;
        }
        fn_stream_message *message = &end->streams[frame->channel].messages[frame->value];
        bool late = world->now_ns > message->queued_ns + world->config.tick_ns;
        if (world->config.prompt_unreliable && frame->channel == FASTNET_CHANNEL_UNRELIABLE &&
            !message->left && late)
            fn_world_fail(world, "an unreliable message waited longer than one tick");
        message->left = true;
    }
}

static fn_datagram *make_datagram(const fn_tap_packet *packet, const uint8_t *data, size_t bytes)
{
    fn_datagram *datagram = fn_world_calloc(sizeof *datagram + bytes);
    fn_heap_node_init(&datagram->timer.node);
    datagram->number = packet->number;
    datagram->references = 1;
    datagram->bytes = (uint32_t)bytes;
    datagram->pristine = true;
    memcpy(datagram->data, data, bytes);
    for (uint32_t i = 0; i < packet->frame_count; i++) {
        const fn_tap_frame *frame = &packet->frames[i];
        if (frame->type == FN_FRAME_PATH_RESPONSE &&
            datagram->response_count < FN_ARRAY_COUNT(datagram->responses))
            datagram->responses[datagram->response_count++] = frame->value;
    }
    return datagram;
}

/* Takes the datagram over. */
static void put_on_link(fn_world *world, fn_end *end, fn_datagram *datagram)
{
    fn_link *link = &world->links[end->index];
    fn_link_copy copies[FN_LINK_COPIES_MAX];
    uint32_t count = fn_link_send(link, world->now_ns, datagram->bytes, copies);
    for (uint32_t i = 0; i < count; i++) {
        fn_datagram *copy = fn_datagram_clone(datagram);
        if (copies[i].corrupt) {
            fn_link_damage(link, copy->data, copy->bytes);
            copy->pristine = false;
        }
        fn_datagram_launch(world, copy, copies[i].at_ns);
    }
    if (!world->quiet)
        fn_world_attack(world, datagram, count > 0 ? copies[0].at_ns : FN_NEVER);
    fn_datagram_release(datagram);
}

static void report_too_big(fn_world *world, fn_end *end, uint8_t path, size_t bytes)
{
    fn_conn_path_too_big(end->conn, path, bytes);
    fn_world_trace(world, bytes);
}

static bool path_is_known(const fn_end *end, uint8_t path)
{
    return path < FN_CONN_PATHS_MAX && end->path_address[path] != 0;
}

static void trace_sent(fn_world *world, const fn_end *end, uint8_t path,
                       const fn_tap_packet *packet, const uint8_t *data, size_t bytes)
{
    fn_world_trace(world, world->now_ns);
    fn_world_trace(world, (uint64_t)end->index << 56 | packet->number << 16 | bytes);
    fn_world_trace(world, fn_load_be64(data + bytes - 8));
    if (!world->verbose)
        return;
    printf("%12.3f ms  %s%u -> ", (double)world->now_ns / 1e6,
           end->is_client ? "client " : "server ", end->index / 2);
    printf("%u", end->is_client ? FN_WORLD_SERVER_ADDRESS : end->path_address[path]);
    printf("  number %llu, %zu bytes, path %u:", (unsigned long long)packet->number, bytes, path);
    for (uint32_t i = 0; i < packet->frame_count; i++)
        printf(" %02x/%llu", packet->frames[i].type, (unsigned long long)packet->frames[i].value);
    printf("\n");
}

static void carry_over_udp(fn_world *world, fn_end *end, uint8_t path, const fn_tap_packet *packet,
                           const uint8_t *data, size_t bytes)
{
    uint32_t address = end->path_address[path];
    uint32_t mtu_bytes = world->links[end->index].config.mtu_bytes;
    if (world->config.reports_mtu && mtu_bytes != 0 && bytes > mtu_bytes) {
        report_too_big(world, end, path, bytes);
        return;
    }
    check_remote(world, end, address, (uint32_t)bytes, packet);
    if (end->path_dead[path])
        return;
    fn_datagram *datagram = make_datagram(packet, data, bytes);
    datagram->sender = end;
    datagram->from = end->is_client ? address : FN_WORLD_SERVER_ADDRESS;
    datagram->to = end->is_client ? FN_WORLD_SERVER_ADDRESS : address;
    put_on_link(world, end, datagram);
}

static void carry(fn_world *world, fn_end *end, uint8_t path, const uint8_t *data, size_t bytes)
{
    fn_tap_packet packet;
    const char *complaint = fn_tap_sent(&end->tap, world->now_ns, data, bytes, &packet);
    if (complaint != NULL) {
        fn_world_fail(world, complaint);
        return;
    }
    const fn_limits *accepted = &world->config.limits[end->is_client ? 1 : 0];
    if (bytes > world->config.datagram_bytes_max || bytes > accepted->datagram_bytes_max)
        fn_world_fail(world, "a datagram was longer than the other side accepts");
    if (!path_is_known(end, path)) {
        fn_world_fail(world, "a datagram was sent on a path that has no address");
        return;
    }
    end->datagrams_sent++;
    trace_sent(world, end, path, &packet, data, bytes);
    check_messages(world, end, &packet);
    carry_over_udp(world, end, path, &packet, data, bytes);
}

static void set_deadline(fn_world *world, fn_end *end)
{
    uint64_t deadline_ns = fn_conn_deadline(end->conn);
    if (world->config.tick_ns != 0)
        return;
    if (deadline_ns == FN_NEVER) {
        fn_world_set_timer(world, &end->timer, FN_NEVER);
        return;
    }
    uint64_t at_ns = fn_sub_saturating(deadline_ns, end->host->clock_offset_ns);
    end->idle_turns = at_ns <= world->now_ns ? end->idle_turns + 1 : 0;
    if (end->idle_turns > IDLE_TURNS_MAX)
        fn_world_fail(world, "a deadline stays due: the owner would spin");
    fn_world_set_timer(world, &end->timer, fn_max_u64(at_ns, world->now_ns));
}

static void transmit(fn_world *world, fn_end *end)
{
    static uint8_t out[FN_WORLD_DATAGRAM_BYTES];
    uint32_t count = 0;
    for (; world->failure == NULL && count < TRANSMITS_MAX; count++) {
        uint8_t path = FN_CONN_PATH_UNKNOWN;
        size_t bytes =
            fn_conn_transmit(end->conn, fn_world_host_now(world, end), out, sizeof out, &path);
        if (bytes == 0)
            break;
        carry(world, end, path, out, bytes);
    }
    if (count == TRANSMITS_MAX)
        fn_world_fail(world, "transmit never returns 0");
}

void fn_world_pump(fn_world *world, fn_end *end)
{
    if (end->conn == NULL)
        return;
    transmit(world, end);
    set_deadline(world, end);
}

void fn_world_pump_host(fn_world *world, fn_host *host)
{
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        if (world->ends[i].host == host)
            fn_world_pump(world, &world->ends[i]);
    }
}

/* --- receiving --- */

static fn_end *find_end(fn_world *world, fn_host *host, const fn_datagram *datagram)
{
    fn_header header;
    if (!fn_header_decode(datagram->data, datagram->bytes, &header))
        return NULL;
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        fn_end *end = &world->ends[i];
        if (end->host == host && end->conn != NULL && end->receiver_id == header.receiver_id)
            return end;
    }
    return NULL;
}

/* The address by which an end tells its paths apart. */
static uint32_t path_key(const fn_end *end, const fn_datagram *datagram)
{
    return end->is_client ? datagram->to : datagram->from;
}

static uint8_t find_path(const fn_end *end, const fn_datagram *datagram)
{
    if (end->is_client && datagram->from != FN_WORLD_SERVER_ADDRESS)
        return FN_CONN_PATH_UNKNOWN;
    for (uint8_t path = 0; path < FN_CONN_PATHS_MAX; path++) {
        if (end->path_address[path] == path_key(end, datagram))
            return path;
    }
    return FN_CONN_PATH_UNKNOWN;
}

static bool was_accepted(const fn_end *end, uint64_t number)
{
    return number < end->accepted_capacity && end->accepted[number] != 0;
}

static void mark_accepted(fn_end *end, uint64_t number)
{
    if (number >= end->accepted_capacity) {
        uint64_t capacity = number < 512 ? 1024 : number * 2;
        end->accepted = realloc(end->accepted, capacity);
        if (end->accepted == NULL)
            abort();
        memset(end->accepted + end->accepted_capacity, 0, capacity - end->accepted_capacity);
        end->accepted_capacity = capacity;
    }
    end->accepted[number] = 1;
}

static void judge_accepted(fn_world *world, fn_end *end, const fn_datagram *datagram)
{
    if (!datagram->pristine || datagram->sender != end->peer)
        fn_world_fail(world, "a forged or damaged datagram was accepted");
    if (was_accepted(end, datagram->number))
        fn_world_fail(world, "a replayed datagram was accepted");
    mark_accepted(end, datagram->number);
    fn_remote *remote = fn_world_remote(world, end, path_key(end, datagram));
    remote->received_bytes += datagram->bytes;
    for (uint32_t i = 0; i < datagram->response_count; i++)
        remote->validated |= was_challenged(remote, datagram->responses[i]);
    if (remote->validated && remote->address == FN_WORLD_ATTACKER_ADDRESS)
        fn_world_fail(world, "the attacker's address was validated");
}

static void learn_path(fn_world *world, fn_end *end, uint8_t path, uint32_t address)
{
    if (path >= FN_CONN_PATHS_MAX || end->is_client) {
        fn_world_fail(world, "a new path has no valid id");
        return;
    }
    end->path_address[path] = address;
}

/* What a dropped datagram may not change. */
typedef struct visible_state {
    uint64_t deadline_ns;
    size_t pool_bytes;
    uint32_t event_room;
    fn_conn_state state;
} visible_state;

static visible_state look(const fn_end *end)
{
    return (visible_state){
        .deadline_ns = fn_conn_deadline(end->conn),
        .pool_bytes = fn_pool_used_bytes(&end->host->pool),
        .event_room = fn_events_room(&end->host->events),
        .state = fn_conn_get_state(end->conn),
    };
}

static void judge_dropped(fn_world *world, const fn_end *end, const visible_state *before,
                          const fn_datagram *datagram)
{
    visible_state after = look(end);
    world->dropped_attacks += datagram->attack;
    if (after.deadline_ns != before->deadline_ns || after.pool_bytes != before->pool_bytes ||
        after.event_room != before->event_room || after.state != before->state)
        fn_world_fail(world, "a dropped datagram changed the connection");
}

static void print_received(const fn_world *world, const fn_end *end, const fn_datagram *datagram,
                           fn_conn_received received, uint8_t path)
{
    static const char *const results[] = {"dropped", "accepted", "accepted, new path"};
    printf("%12.3f ms      %s %u <- %u number %llu: %s, path %u%s%s\n", (double)world->now_ns / 1e6,
           end->is_client ? "client" : "server", end->index / 2, datagram->from,
           (unsigned long long)datagram->number, results[received], path,
           datagram->pristine ? "" : ", damaged", datagram->attack ? ", attack" : "");
}

static void receive_one(fn_world *world, fn_host *host, fn_datagram *datagram)
{
    fn_end *end = find_end(world, host, datagram);
    if (end == NULL)
        return;
    uint8_t path = find_path(end, datagram);
    visible_state before = look(end);
    fn_conn_received received = fn_conn_receive(end->conn, fn_world_host_now(world, end), &path,
                                                datagram->data, datagram->bytes);
    fn_world_trace(world, (uint64_t)received << 32 | path);
    if (world->verbose)
        print_received(world, end, datagram, received, path);
    if (received == FN_CONN_DROPPED) {
        judge_dropped(world, end, &before, datagram);
        return;
    }
    if (received == FN_CONN_NEW_PATH)
        learn_path(world, end, path, datagram->from);
    judge_accepted(world, end, datagram);
}

void fn_world_receive(fn_world *world, fn_host *host)
{
    fn_list_node *node;
    while (world->failure == NULL && (node = fn_list_pop_front(&host->inbox)) != NULL) {
        fn_datagram *datagram = FN_CONTAINER(node, fn_datagram, link);
        fn_list_push_back(&host->batch, &datagram->link);
        receive_one(world, host, datagram);
        if (fn_events_room(&host->events) < EVENT_ROOM_MIN)
            fn_world_play(world, host);
    }
    fn_world_play(world, host);
}
