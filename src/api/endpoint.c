#include "api/endpoint.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "api/connect_error.h"
#include "api/goodbye.h"
#include "api/poll.h"
#include "base/bytes.h"
#include "crypto/aead.h"
#include "io/clock.h"

enum {
    SOCKETS_BESIDE_LINKS = 2, /* UDP and the listener */
};

uint64_t fn_endpoint_clock(FastNetEndpoint *endpoint)
{
    return endpoint->now_ns = fn_platform_clock_ns(&endpoint->platform);
}

uint64_t fastnet_now_ns(void)
{
    return fn_clock_monotonic_ns();
}

const char *fastnet_version(void)
{
#define TEXT_OF(number)              #number
#define VERSION(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)
    return VERSION(FASTNET_VERSION_MAJOR, FASTNET_VERSION_MINOR, FASTNET_VERSION_PATCH);
#undef VERSION
#undef TEXT_OF
}

/* --- create: the parts, in the order in which they need each other --- */

static int no_memory(const char *what, fn_failure *failure)
{
    return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for %s", what);
}

static int init_random(FastNetEndpoint *endpoint, fn_failure *failure)
{
    uint8_t seed[FN_RANDOM_SEED_BYTES];
    fn_io_error error;
    int code = fn_platform_entropy(&endpoint->platform, seed, sizeof seed, &error);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "%s", error.text);
    fn_random_start(&endpoint->random, seed);
    fn_bytes_wipe(seed, sizeof seed);
    return fn_aead_start()
               ? FASTNET_OK
               : fn_failure_set(failure, FASTNET_ERR_SYSTEM, "the cipher library did not start");
}

static int init_trust(FastNetEndpoint *endpoint, fn_failure *failure)
{
    return fn_trust_init(&endpoint->trust, &endpoint->blocks.memory, &endpoint->config.given,
                         failure);
}

static void warn_about_homes(FastNetEndpoint *endpoint, const fn_pool_shares *shares)
{
    char line[FN_LOG_LINE_BYTES_MAX];
    if (shares->home_bytes >= FN_CONFIG_HOME_BYTES_ADVISED)
        return;
    snprintf(line, sizeof line,
             "memory_bytes_max reserves only %zu bytes for each of %u peers: below %d, some can "
             "bring the others to a halt",
             shares->home_bytes, (unsigned)shares->seats, FN_CONFIG_HOME_BYTES_ADVISED);
    fn_log_write(&endpoint->report.log, FN_LOG_WARNING, line);
}

static int init_pool(FastNetEndpoint *endpoint, fn_failure *failure)
{
    const FastNetConfig *given = &endpoint->config.given;
    size_t bytes = (size_t)given->memory_bytes_max & ~(size_t)(FN_POOL_BLOCK_BYTES_MIN - 1);
    fn_pool_shares shares = fn_config_memory_shares(given);
    void *arena = fn_blocks_take(&endpoint->blocks, bytes, false);
    void *metadata =
        fn_blocks_take(&endpoint->blocks, fn_pool_metadata_bytes(bytes, shares.seats), false);
    if (arena == NULL || metadata == NULL)
        return no_memory("memory_bytes_max", failure);
    fn_pool_init(&endpoint->pool, arena, bytes, metadata, &shares);
    warn_about_homes(endpoint, &shares);
    return FASTNET_OK;
}

static int init_timers(FastNetEndpoint *endpoint, fn_failure *failure)
{
    uint32_t capacity =
        fn_links_capacity(endpoint) + 2 * fn_config_peer_rows(&endpoint->config) + 1;
    fn_heap_node **nodes = fn_blocks_take(&endpoint->blocks, capacity * sizeof *nodes, false);
    if (nodes == NULL)
        return no_memory("timers", failure);
    fn_heap_init(&endpoint->timers, nodes, capacity);
    return FASTNET_OK;
}

static int init_tables(FastNetEndpoint *endpoint, fn_failure *failure)
{
    fn_list_init(&endpoint->paused_streams);
    if (fn_peers_init(endpoint) != FASTNET_OK || fn_links_init(endpoint) != FASTNET_OK ||
        fn_delivery_init(endpoint) != FASTNET_OK)
        return no_memory("the peers", failure);
    return FASTNET_OK;
}

static int init_shared(FastNetEndpoint *endpoint, fn_failure *failure)
{
    const fn_config *config = &endpoint->config;
    fn_handshake_config *handshake = &endpoint->links.config;
    (void)failure;
    endpoint->shared = (fn_conn_shared){
        .pool = &endpoint->pool,
        .random = &endpoint->random,
        .events = &endpoint->events,
        .channels = config->channels,
        .channel_count = config->channel_count,
    };
    *handshake = (fn_handshake_config){
        .memory = endpoint->blocks.memory,
        .application_id = config->application_id,
        .application_build = config->given.application_build,
        .limits = config->limits,
        .exporter = FN_SECRETS_EXPORTER_CLIENT_SERVER,
        .timeout_ns = config->given.handshake_timeout_ms * FN_NS_PER_MS,
        .decide_timeout_ns = config->given.connect_request_timeout_ms * FN_NS_PER_MS,
    };
    memcpy(handshake->channel_table_hash, config->channel_table_hash,
           sizeof handshake->channel_table_hash);
    return FASTNET_OK;
}

static int init_wait(FastNetEndpoint *endpoint, fn_failure *failure)
{
    fn_io_error error;
    uint32_t peers = endpoint->config.given.peers_max;
    uint32_t capacity = fn_links_capacity(endpoint) + SOCKETS_BESIDE_LINKS +
                        fn_min_u32(peers, 256) * FN_RESOLVE_ADDRESSES_MAX;
    size_t bytes = fn_platform_wait_bytes(&endpoint->platform, capacity);
    void *memory = bytes > 0 ? fn_blocks_take(&endpoint->blocks, bytes, true) : NULL;
    if (bytes > 0 && memory == NULL)
        return no_memory("the wait", failure);
    int code = fn_platform_wait_open(&endpoint->platform, memory, capacity, &error);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "%s", error.text);
    endpoint->wait_open = true;
    return FASTNET_OK;
}

static int init_parts(FastNetEndpoint *endpoint, fn_failure *failure)
{
    static int (*const parts[])(FastNetEndpoint *, fn_failure *) = {
        init_random, init_trust, init_pool,         init_timers,      init_tables,
        init_shared, init_wait,  fn_datagrams_open, fn_incoming_open, fn_spare_init,
    };
    int code = FASTNET_OK;
    for (size_t i = 0; code == FASTNET_OK && i < FN_ARRAY_COUNT(parts); i++)
        code = parts[i](endpoint, failure);
    return code;
}

/* --- destroy --- */

static void free_endpoint(FastNetEndpoint *endpoint)
{
    fn_blocks blocks = endpoint->blocks;
    if (endpoint->links.rows != NULL)
        fn_links_free(endpoint);
    if (endpoint->wait_open) {
        fn_spare_close(endpoint);
        fn_incoming_close(endpoint);
        fn_datagrams_close(endpoint);
        fn_platform_wait_close(&endpoint->platform);
    }
    fn_tickets_drop_all(&endpoint->tickets);
    fn_trust_free(&endpoint->trust);
    fn_random_wipe(&endpoint->random);
    fn_system_close(&endpoint->system);
    fn_blocks_free(&blocks);
}

void fn_endpoint_destroy(FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    fn_pump_release(endpoint);
    fn_goodbye_now(endpoint);
    free_endpoint(endpoint);
}

void fastnet_endpoint_destroy(FastNetEndpoint *endpoint)
{
    if (endpoint != NULL && endpoint->shard.group == NULL)
        fn_endpoint_destroy(endpoint);
}

/* --- create --- */

int fn_endpoint_memory(const FastNetConfig *config, fn_memory *memory, fn_failure *failure)
{
    FastNetAllocator allocator = {0};
    if (config->struct_size >= offsetof(FastNetConfig, socket) &&
        config->struct_size <= FN_CONFIG_STRUCT_BYTES_MAX)
        allocator = config->allocator;
    int code = fn_allocator_check(&allocator, failure);
    if (code == FASTNET_OK)
        *memory = fn_allocator_memory(&allocator);
    return code;
}

/* The config is large: it is read into the endpoint's own memory. */
static int allocate(const FastNetConfig *config, FastNetEndpoint **out, fn_failure *failure)
{
    fn_blocks blocks = {0};
    int code = fn_endpoint_memory(config, &blocks.memory, failure);
    if (code != FASTNET_OK)
        return code;
    *out = fn_blocks_take(&blocks, sizeof **out, true);
    if (*out == NULL)
        return no_memory("the endpoint", failure);
    (*out)->blocks = blocks;
    (*out)->tickets.memory = blocks.memory;
    return FASTNET_OK;
}

/* world: NULL = the operating system. */
static int create(const FastNetConfig *config, const fn_shard *place, const fn_platform *world,
                  FastNetEndpoint **out, fn_failure *failure)
{
    int code = allocate(config, out, failure);
    if (code != FASTNET_OK)
        return code;
    FastNetEndpoint *endpoint = *out;
    assert(endpoint != NULL);
    endpoint->platform = world != NULL ? *world : fn_system_platform(&endpoint->system);
    if (place != NULL)
        endpoint->shard = *place;
    code = fn_config_read(config, &endpoint->config, failure);
    if (code == FASTNET_OK) {
        const FastNetConfig *given = &endpoint->config.given;
        endpoint->report.log = (fn_log){given->log, given->log_user, given->log_level};
        fn_spin_init(&endpoint->spin, given->spin_us);
        fn_shard_set_ports(endpoint);
        code = init_parts(endpoint, failure);
    }
    if (code != FASTNET_OK) {
        free_endpoint(endpoint);
        *out = NULL;
    }
    return code;
}

int fn_endpoint_create(const FastNetConfig *config, const fn_shard *place, FastNetEndpoint **out,
                       fn_failure *failure)
{
    return create(config, place, NULL, out, failure);
}

int fn_endpoint_create_in(const FastNetConfig *config, const fn_platform *world,
                          FastNetEndpoint **out, fn_failure *failure)
{
    return create(config, NULL, world, out, failure);
}

FastNetResult fastnet_endpoint_create(const FastNetConfig *config, FastNetEndpoint **out)
{
    fn_failure failure = {0};
    if (out != NULL)
        *out = NULL;
    if (config == NULL || out == NULL)
        return fn_connect_error_set(FASTNET_ERR_ARGUMENT, "config or out is NULL");
    int code = fn_endpoint_create(config, NULL, out, &failure);
    if (code == FASTNET_OK)
        fn_connect_error_clear();
    else
        fn_connect_error_set(code, failure.text);
    return (FastNetResult)code;
}
