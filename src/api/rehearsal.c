#include "api/rehearsal.h"

#include "api/endpoint.h"
#include "base/bytes.h"
#include "base/units.h"

enum {
    CLIENT = 0,
    SERVER = 1,
    EVENTS = 64,
    MESSAGE_BYTES = 64,
    DATAGRAMS_MAX = 4, /* in one direction at a time */
    PREPARED_MAX = 16,
};

#define POOL_BYTES ((size_t)256 << 10)

static const fn_conn_shared *share(FastNetEndpoint *endpoint, fn_rehearsal *rehearsal,
                                   fn_conn_shared *shared)
{
    void *arena = fn_blocks_take(&endpoint->blocks, POOL_BYTES, false);
    const fn_pool_shares shares = {.seats = 2};
    void *metadata =
        fn_blocks_take(&endpoint->blocks, fn_pool_metadata_bytes(POOL_BYTES, shares.seats), false);
    void *ring = fn_blocks_take(&endpoint->blocks, EVENTS * sizeof(fn_event), false);
    if (arena == NULL || metadata == NULL || ring == NULL)
        return NULL;
    fn_pool_init(&rehearsal->pool, arena, POOL_BYTES, metadata, &shares);
    fn_events_init(&rehearsal->events, ring, EVENTS);
    *shared = endpoint->shared;
    shared->pool = &rehearsal->pool;
    shared->events = &rehearsal->events;
    return shared;
}

static fn_conn *make(FastNetEndpoint *endpoint, const fn_conn_shared *shared, bool is_client,
                     const uint8_t *send_secret, const uint8_t *receive_secret)
{
    fn_limits limits = endpoint->config.limits;
    fn_conn_config config = {
        .is_client = is_client,
        .owner = is_client ? CLIENT : SERVER,
        .send_secret = send_secret,
        .receive_secret = receive_secret,
        .limits = fn_limits_agree(&limits, &limits),
        .send_queue_bytes_max = POOL_BYTES / 4,
        .datagram_bytes_max = FN_CONN_DATAGRAM_BYTES_MIN,
        .rate_floor_bytes_per_s = endpoint->config.given.rate_floor_bytes_per_s,
        .keepalive_ns = FN_NEVER,
        .key_update_packets = endpoint->config.given.key_update_packets,
        .key_update_ns = endpoint->config.given.key_update_interval_ms * FN_NS_PER_MS,
        .stream_after_ns = FN_NEVER,
        .connect_deadline_ns = FN_NEVER,
        .memory_cap_bytes = POOL_BYTES / 2,
    };
    config.limits.idle_timeout_ms = 0;
    void *memory = fn_blocks_take(&endpoint->blocks, fn_conn_bytes(&config, shared), true);
    return memory != NULL ? fn_conn_create(memory, &config, shared, fn_endpoint_clock(endpoint))
                          : NULL;
}

static bool make_both(FastNetEndpoint *endpoint, fn_rehearsal *rehearsal)
{
    fn_conn_shared shared;
    uint8_t up[32], down[32];
    if (share(endpoint, rehearsal, &shared) == NULL)
        return false;
    fn_random_fill(&endpoint->random, up, sizeof up);
    fn_random_fill(&endpoint->random, down, sizeof down);
    rehearsal->conns[CLIENT] = make(endpoint, &shared, true, up, down);
    rehearsal->conns[SERVER] = make(endpoint, &shared, false, down, up);
    rehearsal->paths[CLIENT] = 0;
    rehearsal->paths[SERVER] = FN_CONN_PATH_UNKNOWN; /* until the first datagram opens it */
    fn_bytes_wipe(up, sizeof up);
    fn_bytes_wipe(down, sizeof down);
    return rehearsal->conns[CLIENT] != NULL && rehearsal->conns[SERVER] != NULL;
}

int fn_rehearsal_open(FastNetEndpoint *endpoint, fn_rehearsal *rehearsal, fn_failure *failure)
{
    fn_io_error error;
    int code = fn_platform_warm_open(&endpoint->platform, &error);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "keep_warm_us: %s", error.text);
    rehearsal->open = true;
    rehearsal->platform = &endpoint->platform;
    if (make_both(endpoint, rehearsal))
        return FASTNET_OK;
    fn_rehearsal_close(rehearsal);
    return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for keep_warm_us");
}

void fn_rehearsal_close(fn_rehearsal *rehearsal)
{
    if (!rehearsal->open)
        return;
    for (int side = CLIENT; side <= SERVER; side++) {
        if (rehearsal->conns[side] != NULL)
            fn_conn_destroy(rehearsal->conns[side]);
    }
    fn_platform_warm_close(rehearsal->platform);
    rehearsal->open = false;
}

static void release(fn_rehearsal *rehearsal)
{
    fn_event event;
    while (fn_events_pop(&rehearsal->events, &event)) {
        if (event.type == FN_EVENT_MESSAGE)
            fn_conn_release(rehearsal->conns[event.owner], &event);
    }
}

static void carry(fn_rehearsal *rehearsal, uint32_t from, uint64_t now_ns)
{
    uint32_t to = from == CLIENT ? SERVER : CLIENT;
    for (int i = 0; i < DATAGRAMS_MAX; i++) {
        uint8_t path;
        size_t bytes = fn_conn_transmit(rehearsal->conns[from], now_ns, rehearsal->sealed,
                                        sizeof rehearsal->sealed, &path);
        fn_datagram in = {.data = rehearsal->received, .capacity = sizeof rehearsal->received};
        if (bytes == 0 || !fn_platform_warm_carry(rehearsal->platform, from, rehearsal->sealed,
                                                  (uint32_t)bytes, &in))
            return;
        fn_conn_receive(rehearsal->conns[to], now_ns, &rehearsal->paths[to], in.data, in.length);
        release(rehearsal);
    }
}

static void prepare(fn_rehearsal *rehearsal, uint64_t now_ns)
{
    for (int i = 0; i < PREPARED_MAX; i++) {
        if (!fn_conn_prepare(rehearsal->conns[CLIENT], now_ns) &&
            !fn_conn_prepare(rehearsal->conns[SERVER], now_ns))
            return;
    }
}

void fn_rehearsal_play(fn_rehearsal *rehearsal, uint64_t now_ns)
{
    static const uint8_t message[MESSAGE_BYTES];
    for (uint32_t side = CLIENT; side <= SERVER; side++) {
        fn_conn *conn = rehearsal->conns[side];
        if (fn_conn_deadline(conn) <= now_ns)
            fn_conn_tick(conn, now_ns);
        fn_conn_send(conn, FASTNET_CHANNEL_UNRELIABLE, message, sizeof message, NULL);
        carry(rehearsal, side, now_ns);
    }
    prepare(rehearsal, now_ns);
}
