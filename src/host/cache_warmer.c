#include "host/cache_warmer.h"

#include "base/bytes.h"
#include "base/units.h"
#include "host/host.h"

enum {
    CLIENT = 0,
    SERVER = 1,
    EVENTS = 64,
    MESSAGE_BYTES = 64,
    DATAGRAMS_MAX = 4, /* in one direction at a time */
    PREPARED_MAX = 16,
};

#define POOL_BYTES ((size_t)256 << 10)

static const fn_conn_shared *share(fn_host *host, fn_cache_warmer *warmer, fn_conn_shared *shared)
{
    void *arena = fn_blocks_take(&host->blocks, POOL_BYTES, false);
    const fn_pool_shares shares = {.seats = 2};
    void *metadata =
        fn_blocks_take(&host->blocks, fn_pool_metadata_bytes(POOL_BYTES, shares.seats), false);
    void *ring = fn_blocks_take(&host->blocks, EVENTS * sizeof(fn_event), false);
    if (arena == NULL || metadata == NULL || ring == NULL)
        return NULL;
    fn_pool_init(&warmer->pool, arena, POOL_BYTES, metadata, &shares);
    fn_events_init(&warmer->events, ring, EVENTS);
    *shared = host->shared;
    shared->pool = &warmer->pool;
    shared->events = &warmer->events;
    return shared;
}

static fn_conn *make(fn_host *host, const fn_conn_shared *shared, bool is_client,
                     const uint8_t *send_secret, const uint8_t *receive_secret)
{
    fn_limits limits = host->config.limits;
    fn_conn_config config = {
        .is_client = is_client,
        .owner = is_client ? CLIENT : SERVER,
        .send_secret = send_secret,
        .receive_secret = receive_secret,
        .limits = fn_limits_agree(&limits, &limits),
        .send_queue_bytes_max = POOL_BYTES / 4,
        .datagram_bytes_max = FN_CONN_DATAGRAM_BYTES_MIN,
        .rate_floor_bytes_per_s = host->config.given.rate_floor_bytes_per_s,
        .keepalive_ns = FN_NEVER,
        .key_update_packets = host->config.given.key_update_packets,
        .key_update_ns = host->config.given.key_update_interval_ms * FN_NS_PER_MS,
        .stream_after_ns = FN_NEVER,
        .connect_deadline_ns = FN_NEVER,
        .memory_cap_bytes = POOL_BYTES / 2,
    };
    config.limits.idle_timeout_ms = 0;
    void *memory = fn_blocks_take(&host->blocks, fn_conn_bytes(&config, shared), true);
    return memory != NULL ? fn_conn_create(memory, &config, shared, fn_host_clock(host)) : NULL;
}

static bool make_both(fn_host *host, fn_cache_warmer *warmer)
{
    fn_conn_shared shared;
    uint8_t up[32], down[32];
    if (share(host, warmer, &shared) == NULL)
        return false;
    fn_random_fill(&host->random, up, sizeof up);
    fn_random_fill(&host->random, down, sizeof down);
    warmer->conns[CLIENT] = make(host, &shared, true, up, down);
    warmer->conns[SERVER] = make(host, &shared, false, down, up);
    warmer->paths[CLIENT] = 0;
    warmer->paths[SERVER] = FN_CONN_PATH_UNKNOWN; /* until the first datagram opens it */
    fn_bytes_wipe(up, sizeof up);
    fn_bytes_wipe(down, sizeof down);
    return warmer->conns[CLIENT] != NULL && warmer->conns[SERVER] != NULL;
}

int fn_cache_warmer_open(fn_host *host, fn_cache_warmer *warmer, fn_failure *failure)
{
    fn_io_error error;
    int code = fn_platform_warm_open(&host->platform, &error);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "keep_warm_us: %s", error.text);
    warmer->open = true;
    warmer->platform = &host->platform;
    if (make_both(host, warmer))
        return FASTNET_OK;
    fn_cache_warmer_close(warmer);
    return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for keep_warm_us");
}

void fn_cache_warmer_close(fn_cache_warmer *warmer)
{
    if (!warmer->open)
        return;
    for (int side = CLIENT; side <= SERVER; side++) {
        if (warmer->conns[side] != NULL)
            fn_conn_destroy(warmer->conns[side]);
    }
    fn_platform_warm_close(warmer->platform);
    warmer->open = false;
}

static void release(fn_cache_warmer *warmer)
{
    fn_event event;
    while (fn_events_pop(&warmer->events, &event)) {
        if (event.type == FN_EVENT_MESSAGE)
            fn_conn_release(warmer->conns[event.owner], &event);
    }
}

static void carry(fn_cache_warmer *warmer, uint32_t from, uint64_t now_ns)
{
    uint32_t to = from == CLIENT ? SERVER : CLIENT;
    for (int i = 0; i < DATAGRAMS_MAX; i++) {
        uint8_t path;
        size_t bytes = fn_conn_transmit(warmer->conns[from], now_ns, warmer->sealed,
                                        sizeof warmer->sealed, &path);
        fn_datagram in = {.data = warmer->received, .capacity = sizeof warmer->received};
        if (bytes == 0 ||
            !fn_platform_warm_carry(warmer->platform, from, warmer->sealed, (uint32_t)bytes, &in))
            return;
        fn_conn_receive(warmer->conns[to], now_ns, &warmer->paths[to], in.data, in.length);
        release(warmer);
    }
}

static void prepare(fn_cache_warmer *warmer, uint64_t now_ns)
{
    for (int i = 0; i < PREPARED_MAX; i++) {
        if (!fn_conn_prepare(warmer->conns[CLIENT], now_ns) &&
            !fn_conn_prepare(warmer->conns[SERVER], now_ns))
            return;
    }
}

void fn_cache_warmer_play(fn_cache_warmer *warmer, uint64_t now_ns)
{
    static const uint8_t message[MESSAGE_BYTES];
    for (uint32_t side = CLIENT; side <= SERVER; side++) {
        fn_conn *conn = warmer->conns[side];
        if (fn_conn_deadline(conn) <= now_ns)
            fn_conn_tick(conn, now_ns);
        fn_conn_send(conn, FASTNET_CHANNEL_UNRELIABLE, message, sizeof message, NULL);
        carry(warmer, side, now_ns);
    }
    prepare(warmer, now_ns);
}
