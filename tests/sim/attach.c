#include "attach.h"

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"
#include "core/channel_table.h"
#include "crypto/certificate.h"
#include "crypto/tls_context.h"
#include "world_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_NS_FIRST (500 * FN_NS_PER_MS)
#define PAUSE_NS_MAX   (2 * FN_NS_PER_S)
#define TCP_TIMEOUT_NS (2 * FN_NS_PER_S)
#define TLS_TIMEOUT_NS (5 * FN_NS_PER_S)
#define CLOSE_AFTER_NS (2 * FN_NS_PER_S)
#define UNIX_TIME_S    INT64_C(1800000000)
#define DAY_S          INT64_C(86400)

enum {
    HEADER_BYTES = FN_WIRE_STREAM_LENGTH_BYTES,
    FLIGHT_WEIGHT_BYTES = 1500, /* of a flight of the handshake */
    RECORD_BYTES = 22           /* around what is written */
};

/* --- TLS ------------------------------------------------------------------------------ */

typedef struct tls_sides {
    fn_tls_context *contexts[FN_PIPE_SIDES];
} tls_sides;

static void give_up(const fn_failure *failure)
{
    fprintf(stderr, "the simulator has no TLS: %s\n", failure->text);
    abort();
}

static void make_certificate(fn_certificate_role role, const fn_certificate_pem *issuer,
                             fn_certificate_pem *out)
{
    static const char *const names[] = {"localhost"};
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
        give_up(&failure);
}

/* Made once for all worlds: nothing of it shows in a trace. */
static fn_tls_context *tls_of(uint32_t side)
{
    static tls_sides all;
    if (all.contexts[side] != NULL)
        return all.contexts[side];
    fn_certificate_pem authority, leaf;
    fn_failure failure;
    make_certificate(FN_CERTIFICATE_AUTHORITY, NULL, &authority);
    make_certificate(FN_CERTIFICATE_LEAF, &authority, &leaf);
    fn_tls_trust trust = {.ca_pem = authority.certificate,
                          .ca_pem_bytes = authority.certificate_bytes};
    fn_tls_identity identity = {.chain_pem = leaf.certificate,
                                .chain_pem_bytes = leaf.certificate_bytes,
                                .key_pem = leaf.key,
                                .key_pem_bytes = leaf.key_bytes};
    fn_tls_config client = {.trust = &trust};
    fn_tls_config server = {.identity = &identity};
    all.contexts[0] = fn_tls_context_create_client(&client, &failure);
    if (all.contexts[0] == NULL)
        give_up(&failure);
    all.contexts[1] = fn_tls_context_create_server(&server, &failure);
    if (all.contexts[1] == NULL)
        give_up(&failure);
    return all.contexts[side];
}

static void *take_memory(void *user, size_t bytes, size_t alignment)
{
    fn_world *world = user;
    void *block = aligned_alloc(alignment, fn_align_up(bytes, alignment));
    if (block == NULL)
        abort();
    world->handshake_bytes += bytes;
    return block;
}

static void give_memory(void *user, void *block, size_t bytes)
{
    fn_world *world = user;
    world->handshake_bytes -= bytes;
    free(block);
}

void fn_world_handshakes_init(fn_world *world)
{
    world->handshakes = (fn_handshake_config){
        .memory = {world, take_memory, give_memory},
        .server_tls = tls_of(1),
        .application_id = "simulation",
        .limits = world->config.limits[1],
        .exporter = FN_SECRETS_EXPORTER_CLIENT_SERVER,
        .timeout_ns = TLS_TIMEOUT_NS,
        .decide_timeout_ns = TLS_TIMEOUT_NS,
    };
    fn_channel_table_hash(fn_channel_table_default, FN_CHANNEL_TABLE_DEFAULT_COUNT,
                          world->handshakes.channel_table_hash);
}

/* --- one side ------------------------------------------------------------------------- */

static uint32_t index_of(const fn_attach_side *side)
{
    return side == &side->attach->sides[0] ? 0 : 1;
}

static bool is_stream(const fn_attach_side *side)
{
    return side->end != NULL && side->end->stream == side->attach;
}

static fn_attach_side *side_of(fn_end *end)
{
    return &end->stream->sides[end->is_client ? 0 : 1];
}

static fn_host *host_of(fn_world *world, const fn_attach_side *side)
{
    return index_of(side) == 0 ? &world->clients[side->attach->session] : &world->server;
}

static void flush(fn_world *world, fn_attach_side *side)
{
    uint8_t bytes[16384];
    size_t count;
    fn_pipe *pipe = &side->attach->pipe;
    uint32_t at = index_of(side);
    while (fn_pipe_has_room(pipe, at) &&
           (count = fn_handshake_transmit(&side->handshake, bytes, sizeof bytes)) > 0) {
        uint32_t weight = side->weight_bytes > 0 ? side->weight_bytes : FLIGHT_WEIGHT_BYTES;
        side->weight_bytes = 0;
        fn_pipe_write(world, pipe, at, bytes, count, weight);
    }
}

static void drop_frames(fn_attach_side *side)
{
    fn_list_node *node;
    while ((node = fn_list_pop_front(&side->frames)) != NULL)
        fn_datagram_release(FN_CONTAINER(node, fn_datagram, link));
}

static void bury(fn_world *world, fn_attach_side *side)
{
    if (!side->alive)
        return;
    side->alive = false;
    fn_heap_remove(&world->heap, &side->timer.node);
    fn_handshake_destroy(&side->handshake);
    fn_pipe_end(world, &side->attach->pipe, index_of(side));
    side->attach->over = !side->attach->sides[0].alive && !side->attach->sides[1].alive;
}

/* Sends what can be sent; sets the timer, or ends. */
static void settle(fn_world *world, fn_attach_side *side)
{
    if (!side->alive)
        return;
    flush(world, side);
    if (fn_handshake_finished(&side->handshake, world->now_ns))
        bury(world, side);
    else
        fn_world_set_timer(world, &side->timer, fn_handshake_deadline_ns(&side->handshake));
}

/* --- the stream ----------------------------------------------------------------------- */

/* The session goes on without it. */
static void forget_stream(fn_world *world, fn_end *end)
{
    fn_attach_side *side = side_of(end);
    end->stream = NULL;
    side->end = NULL;
    fn_world_trace(world, UINT64_C(0x5731) << 8 | side->path);
    fn_conn_stream_lost(end->conn, fn_world_host_now(world, end), side->path);
}

static void drop_stream(fn_world *world, fn_end *end)
{
    if (end->stream == NULL)
        return;
    fn_attach_side *side = side_of(end);
    forget_stream(world, end);
    fn_handshake_close(&side->handshake, world->now_ns);
    settle(world, side);
}

static bool take_stream(fn_world *world, fn_end *end, fn_attach_side *side)
{
    drop_stream(world, end);
    int path = fn_conn_stream_add(end->conn, fn_world_host_now(world, end));
    if (path < 0)
        return false;
    if (path >= FN_CONN_PATHS_MAX) {
        fn_world_fail(world, "a stream has no valid path id");
        return false;
    }
    side->end = end;
    side->path = (uint8_t)path;
    side->idle = true;
    end->stream = side->attach;
    end->path_address[path] = 0;
    end->path_dead[path] = false;
    fn_world_trace(world, UINT64_C(0x5730) << 8 | side->path);
    return true;
}

static void push(fn_world *world, fn_attach_side *side)
{
    size_t written = 1;
    while (side->out_sent_bytes < side->out_bytes && written > 0) {
        written = fn_handshake_stream_write(&side->handshake, world->now_ns,
                                            side->out + side->out_sent_bytes,
                                            side->out_bytes - side->out_sent_bytes);
        side->out_sent_bytes += (uint32_t)written;
        if (written > 0)
            side->weight_bytes += (uint32_t)written + RECORD_BYTES;
        flush(world, side);
    }
    flush(world, side);
    bool idle =
        side->out_sent_bytes == side->out_bytes && !fn_handshake_wants_transmit(&side->handshake);
    if (idle != side->idle)
        fn_conn_stream_writable(side->end->conn, side->path, idle);
    side->idle = idle;
}

void fn_attach_send(fn_world *world, fn_end *end, fn_datagram *datagram)
{
    fn_attach_side *side = side_of(end);
    if (side->out_sent_bytes < side->out_bytes || !side->idle)
        fn_world_fail(world, "a datagram was given for a stream that takes none");
    datagram->stream = true;
    fn_list_push_back(&side->frames, &datagram->link);
    fn_stream_length_encode(side->out, datagram->bytes);
    memcpy(side->out + HEADER_BYTES, datagram->data, datagram->bytes);
    side->out_bytes = HEADER_BYTES + datagram->bytes;
    side->out_sent_bytes = 0;
    push(world, side);
    settle(world, side);
}

/* The bytes of one datagram are there: they have to be those that left. */
static void take_frame(fn_world *world, fn_attach_side *side)
{
    fn_attach_side *other = &side->attach->sides[1 - index_of(side)];
    fn_list_node *node = fn_list_pop_front(&other->frames);
    fn_datagram *datagram = node != NULL ? FN_CONTAINER(node, fn_datagram, link) : NULL;
    if (datagram == NULL || datagram->bytes != side->in_bytes - HEADER_BYTES ||
        memcmp(datagram->data, side->in + HEADER_BYTES, datagram->bytes) != 0) {
        fn_world_fail(world, "a stream brought what was not sent");
        return;
    }
    datagram->stream_end = side->end;
    datagram->stream_path = side->path;
    fn_host *host = side->end->host;
    fn_list_push_back(&host->inbox, &datagram->link);
    fn_world_receive(world, host);
}

static void receive_frames(fn_world *world, fn_attach_side *side)
{
    while (world->failure == NULL && is_stream(side)) {
        uint32_t wanted = HEADER_BYTES;
        if (side->in_bytes >= HEADER_BYTES)
            wanted += fn_load_be16(side->in);
        if (wanted > sizeof side->in) {
            fn_world_fail(world, "a stream lost its framing");
            return;
        }
        if (side->in_bytes == wanted && wanted > HEADER_BYTES) {
            take_frame(world, side);
            side->in_bytes = 0;
            continue;
        }
        size_t bytes = fn_handshake_stream_read(&side->handshake, world->now_ns,
                                                side->in + side->in_bytes, wanted - side->in_bytes);
        side->in_bytes += (uint32_t)bytes;
        if (bytes == 0)
            return;
    }
}

/* --- the handshake -------------------------------------------------------------------- */

static fn_end *session_of(fn_world *world, uint32_t receiver_id)
{
    for (uint32_t i = 0; i < world->config.sessions; i++) {
        fn_end *server = fn_world_server(world, i);
        if (server->conn != NULL && server->receiver_id == receiver_id &&
            fn_conn_get_state(server->conn) < FN_CONN_CLOSING)
            return server;
    }
    return NULL;
}

static void answer(fn_world *world, fn_attach_side *side)
{
    fn_end *end = session_of(world, fn_handshake_attach_id(&side->handshake));
    bool proven =
        fn_handshake_attach_verify(&side->handshake, end != NULL ? end->attach_key : NULL);
    bool attached = proven && take_stream(world, end, side);
    world->streams.gone += !attached;
    fn_handshake_attach_answer(&side->handshake, world->now_ns, attached);
}

static void failed(fn_world *world, fn_end *client)
{
    fn_rejoin *rejoin = &client->rejoin;
    world->streams.failed++;
    rejoin->attempt = NULL;
    rejoin->next_ns = world->now_ns + rejoin->pause_ns;
    rejoin->pause_ns = fn_min_u64(2 * rejoin->pause_ns, PAUSE_NS_MAX);
    fn_world_set_timer(world, &rejoin->timer, rejoin->next_ns);
}

/* What the client's attempt has come to. */
static void look_at_attempt(fn_world *world, fn_attach_side *side)
{
    fn_end *client = fn_world_client(world, side->attach->session);
    fn_handshake_state state = fn_handshake_get_state(&side->handshake);
    if (client->rejoin.attempt != side->attach || state < FN_HANDSHAKE_STREAM)
        return;
    client->rejoin.attempt = NULL;
    if (state == FN_HANDSHAKE_STREAM) {
        client->rejoin.pause_ns = PAUSE_NS_FIRST;
        client->rejoin.close_ns = 0;
        world->streams.attached++;
        if (take_stream(world, client, side))
            return;
        fn_handshake_close(&side->handshake, world->now_ns);
    } else if (fn_handshake_failure(&side->handshake)->code == FASTNET_ERR_GONE) {
        fn_conn_gone(client->conn);
    }
    failed(world, client);
}

static void advance(fn_world *world, fn_attach_side *side)
{
    if (index_of(side) == 0)
        look_at_attempt(world, side);
    else if (fn_handshake_get_state(&side->handshake) == FN_HANDSHAKE_ATTACHING)
        answer(world, side);
    if (is_stream(side)) {
        receive_frames(world, side);
        if (is_stream(side) && fn_handshake_get_state(&side->handshake) > FN_HANDSHAKE_STREAM)
            forget_stream(world, side->end);
        else if (is_stream(side))
            push(world, side);
    }
}

static bool take_input(fn_world *world, fn_attach_side *side)
{
    uint8_t bytes[FN_HANDSHAKE_ROOM_BYTES_MAX];
    fn_pipe *pipe = &side->attach->pipe;
    uint32_t at = index_of(side);
    size_t room = fn_min_size(fn_handshake_room(&side->handshake), sizeof bytes);
    size_t count = room > 0 ? fn_pipe_read(world, pipe, at, bytes, room) : 0;
    if (count > 0)
        fn_handshake_receive(&side->handshake, world->now_ns, bytes, count);
    else if (room > 0)
        fn_pipe_read(world, pipe, at, bytes, 0); /* takes an end along */
    bool ended = !side->heard_end && fn_pipe_ended(pipe, at);
    if (ended)
        fn_handshake_receive_end(&side->handshake);
    side->heard_end |= ended;
    return count > 0 || ended;
}

static void work(fn_world *world, fn_attach_side *side)
{
    bool more = true;
    while (more && side->alive && world->failure == NULL) {
        more = take_input(world, side);
        fn_handshake_step(&side->handshake, world->now_ns, NULL);
        advance(world, side);
        settle(world, side);
    }
}

/* For a host that acts at once. */
static void work_now(fn_world *world, fn_attach_side *side)
{
    fn_host *host = host_of(world, side);
    work(world, side);
    fn_world_play(world, host);
    fn_world_pump_host(world, host);
}

static void on_pipe(fn_world *world, fn_pipe *pipe, uint32_t side)
{
    fn_attach *attach = FN_CONTAINER(pipe, fn_attach, pipe);
    if (world->config.tick_ns == 0 && attach->sides[side].alive)
        work_now(world, &attach->sides[side]);
}

static void on_deadline(fn_world *world, fn_timer *timer)
{
    fn_attach_side *side = FN_CONTAINER(timer, fn_attach_side, timer);
    if (world->config.tick_ns == 0)
        work_now(world, side);
}

void fn_attach_work(fn_world *world, const fn_host *host)
{
    fn_list_node *node = fn_list_front(&world->attaches);
    for (; node != NULL; node = fn_list_next(&world->attaches, node)) {
        fn_attach *attach = FN_CONTAINER(node, fn_attach, link);
        for (uint32_t side = 0; side < FN_PIPE_SIDES; side++) {
            if (attach->sides[side].alive && host_of(world, &attach->sides[side]) == host)
                work(world, &attach->sides[side]);
        }
    }
}

/* --- connecting ----------------------------------------------------------------------- */

static void shake_hands(fn_world *world, fn_attach *attach)
{
    fn_end *client = fn_world_client(world, attach->session);
    fn_failure failure;
    const fn_handshake_target target = {.tls = tls_of(0),
                                        .server_name = "localhost",
                                        .unix_time_s = UNIX_TIME_S,
                                        .deadline_ns = world->now_ns + TLS_TIMEOUT_NS,
                                        .receiver_id = client->receiver_id,
                                        .attach_key = client->attach_key,
                                        .attach_id = client->remote_receiver_id};
    if (fn_handshake_init_client(&attach->sides[0].handshake, &world->handshakes, &target,
                                 &failure) != FASTNET_OK)
        give_up(&failure);
    fn_handshake_init_server(&attach->sides[1].handshake, &world->handshakes, UNIX_TIME_S,
                             world->now_ns);
    for (uint32_t side = 0; side < FN_PIPE_SIDES; side++) {
        attach->sides[side].alive = true;
        work(world, &attach->sides[side]);
    }
}

static void on_connect(fn_world *world, fn_timer *timer)
{
    fn_attach *attach = FN_CONTAINER(timer, fn_attach, timer);
    fn_end *client = fn_world_client(world, attach->session);
    uint64_t give_up_ns = attach->began_ns + TCP_TIMEOUT_NS;
    if (!attach->refused && !world->tcp[attach->session].blocked) {
        shake_hands(world, attach);
    } else if (!attach->refused && world->now_ns < give_up_ns) {
        fn_world_set_timer(world, timer, give_up_ns);
    } else {
        attach->over = true;
        failed(world, client);
    }
}

static void connect_tcp(fn_world *world, fn_end *client)
{
    fn_attach *attach = fn_world_calloc(sizeof *attach);
    uint32_t session = client->index / 2;
    fn_link *up = &world->links[2 * session];
    fn_link *back = &world->links[2 * session + 1];
    fn_pipe_open(&attach->pipe, up, back);
    attach->pipe.loss_permille = world->config.tcp.loss_permille;
    attach->pipe.notify = on_pipe;
    attach->session = session;
    attach->began_ns = world->now_ns;
    attach->refused = world->tcp[session].refused;
    attach->timer.fire = on_connect;
    fn_heap_node_init(&attach->timer.node);
    for (uint32_t side = 0; side < FN_PIPE_SIDES; side++) {
        attach->sides[side].attach = attach;
        attach->sides[side].timer.fire = on_deadline;
        fn_heap_node_init(&attach->sides[side].timer.node);
        fn_list_init(&attach->sides[side].frames);
    }
    fn_list_push_back(&world->attaches, &attach->link);
    client->rejoin.attempt = attach;
    uint64_t rtt_ns = up->config.delay_ns + back->config.delay_ns;
    fn_world_set_timer(world, &attach->timer, world->now_ns + rtt_ns);
}

/* --- when ----------------------------------------------------------------------------- */

static void on_rejoin(fn_world *world, fn_timer *timer)
{
    fn_rejoin *rejoin = FN_CONTAINER(timer, fn_rejoin, timer);
    fn_end *client = FN_CONTAINER(rejoin, fn_end, rejoin);
    if (fn_attach_look(world, client) && world->config.tick_ns == 0)
        fn_world_pump(world, client);
}

void fn_world_rejoin_init(fn_end *client)
{
    client->rejoin.timer.fire = on_rejoin;
    fn_heap_node_init(&client->rejoin.timer.node);
    client->rejoin.pause_ns = PAUSE_NS_FIRST;
}

/* True: it was dropped. */
static bool look_at_stream(fn_world *world, fn_end *client)
{
    fn_rejoin *rejoin = &client->rejoin;
    if (fn_conn_stream_is_silent(client->conn, fn_world_host_now(world, client))) {
        world->streams.silent++;
    } else if (fn_conn_path(client->conn) == side_of(client)->path || world->config.tcp.stays) {
        rejoin->close_ns = 0;
        return false;
    } else if (rejoin->close_ns == 0) {
        rejoin->close_ns = world->now_ns + CLOSE_AFTER_NS;
        fn_world_set_timer(world, &rejoin->timer, rejoin->close_ns);
        return false;
    } else if (world->now_ns < rejoin->close_ns) {
        return false;
    }
    rejoin->close_ns = 0;
    drop_stream(world, client);
    return true;
}

bool fn_attach_look(fn_world *world, fn_end *client)
{
    fn_rejoin *rejoin = &client->rejoin;
    if (!world->config.tcp.open || client->conn == NULL ||
        fn_conn_get_state(client->conn) >= FN_CONN_CLOSING)
        return false;
    bool dropped = client->stream != NULL && look_at_stream(world, client);
    if (client->stream != NULL || rejoin->attempt != NULL || world->now_ns < rejoin->next_ns ||
        !fn_conn_wants_stream(client->conn, fn_world_host_now(world, client)))
        return dropped;
    if (world->config.tcp.renews && fn_conn_get_state(client->conn) != FN_CONN_VALIDATING)
        fn_world_rebind(world, client->index / 2);
    connect_tcp(world, client);
    return dropped;
}

/* --- the end -------------------------------------------------------------------------- */

static void free_attach(fn_world *world, fn_attach *attach)
{
    fn_list_remove(&attach->link);
    fn_heap_remove(&world->heap, &attach->timer.node);
    for (uint32_t side = 0; side < FN_PIPE_SIDES; side++) {
        drop_frames(&attach->sides[side]);
        bury(world, &attach->sides[side]);
    }
    fn_pipe_free(world, &attach->pipe);
    free(attach);
}

void fn_attach_sweep(fn_world *world)
{
    fn_list_node *node = fn_list_front(&world->attaches);
    while (node != NULL) {
        fn_list_node *next = fn_list_next(&world->attaches, node);
        fn_attach *attach = FN_CONTAINER(node, fn_attach, link);
        if (attach->over)
            free_attach(world, attach);
        node = next;
    }
}

void fn_attach_server_dies(fn_world *world, uint32_t session)
{
    fn_world_server(world, session)->stream = NULL;
    fn_list_node *node = fn_list_front(&world->attaches);
    for (; node != NULL; node = fn_list_next(&world->attaches, node)) {
        fn_attach *attach = FN_CONTAINER(node, fn_attach, link);
        if (attach->session != session)
            continue;
        attach->sides[1].end = NULL;
        bury(world, &attach->sides[1]);
        fn_pipe_reset(world, &attach->pipe);
    }
}

void fn_attach_forget(fn_world *world, uint32_t session)
{
    fn_world_client(world, session)->rejoin.attempt = NULL;
    fn_world_client(world, session)->stream = NULL;
    fn_world_server(world, session)->stream = NULL;
    fn_list_node *node = fn_list_front(&world->attaches);
    while (node != NULL) {
        fn_list_node *next = fn_list_next(&world->attaches, node);
        fn_attach *attach = FN_CONTAINER(node, fn_attach, link);
        if (attach->session == session)
            free_attach(world, attach);
        node = next;
    }
}
