#include "host/host.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/aead.h"
#include "host/session.h"
#include "host/shutdown.h"

enum {
    SOCKETS_BESIDE_LINKS = 2, /* UDP and the listener */
};

/* --- create: the parts, in the order in which they need each other --- */

static int no_memory(const char *what, fn_failure *failure)
{
    return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for %s", what);
}

static int init_random(fn_host *host, fn_failure *failure)
{
    uint8_t seed[FN_RANDOM_SEED_BYTES];
    fn_io_error error;
    int code = fn_platform_entropy(&host->platform, seed, sizeof seed, &error);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "%s", error.text);
    fn_random_start(&host->random, seed);
    fn_bytes_wipe(seed, sizeof seed);
    return fn_aead_start()
               ? FASTNET_OK
               : fn_failure_set(failure, FASTNET_ERR_SYSTEM, "the cipher library did not start");
}

static void warn_about_homes(fn_host *host, const fn_pool_shares *shares)
{
    char line[FN_LOG_LINE_BYTES_MAX];
    fn_text text = fn_text_make(line, sizeof line);
    if (shares->home_bytes >= FN_CONFIG_HOME_BYTES_ADVISED)
        return;
    fn_text_add(&text, "memory_bytes_max reserves only ");
    fn_text_add_u64(&text, shares->home_bytes);
    fn_text_add(&text, " bytes for each of ");
    fn_text_add_u64(&text, shares->seats);
    fn_text_add(&text, " peers: below ");
    fn_text_add_u64(&text, FN_CONFIG_HOME_BYTES_ADVISED);
    fn_text_add(&text, ", some can bring the others to a halt");
    fn_log_write(&host->diagnostics.log, FN_LOG_WARNING, line);
}

static void warn_about_one_way(fn_host *host)
{
    char line[FN_LOG_LINE_BYTES_MAX];
    fn_text text = fn_text_make(line, sizeof line);
    uint64_t both_ways = fn_config_memory_bytes_both_ways(&host->config.given);
    if (host->config.given.memory_bytes_max >= both_ways)
        return;
    fn_text_add(&text, "memory_bytes_max holds only one message of message_bytes_max: while one "
                       "goes out, none comes in; for both it takes ");
    fn_text_add_u64(&text, both_ways);
    fn_log_write(&host->diagnostics.log, FN_LOG_WARNING, line);
}

static int init_pool(fn_host *host, fn_failure *failure)
{
    const FastNetConfig *given = &host->config.given;
    size_t bytes = (size_t)given->memory_bytes_max & ~(size_t)(FN_POOL_BLOCK_BYTES_MIN - 1);
    fn_pool_shares shares = fn_config_memory_shares(given);
    void *arena = fn_blocks_take(&host->blocks, bytes, false);
    void *metadata =
        fn_blocks_take(&host->blocks, fn_pool_metadata_bytes(bytes, shares.seats), false);
    if (arena == NULL || metadata == NULL)
        return no_memory("memory_bytes_max", failure);
    fn_pool_init(&host->pool, arena, bytes, metadata, &shares);
    warn_about_homes(host, &shares);
    warn_about_one_way(host);
    return FASTNET_OK;
}

static int init_timers(fn_host *host, fn_failure *failure)
{
    uint32_t capacity = fn_links_capacity(host) + 2 * fn_config_peer_rows(&host->config) + 1;
    fn_heap_node **nodes = fn_blocks_take(&host->blocks, capacity * sizeof *nodes, false);
    if (nodes == NULL)
        return no_memory("timers", failure);
    fn_heap_init(&host->timers, nodes, capacity);
    return FASTNET_OK;
}

static int init_tables(fn_host *host, fn_failure *failure)
{
    fn_list_init(&host->paused_streams);
    if (fn_peers_init(host) != FASTNET_OK || fn_links_init(host) != FASTNET_OK ||
        fn_delivery_init(host) != FASTNET_OK)
        return no_memory("the peers", failure);
    return FASTNET_OK;
}

static int init_shared(fn_host *host, fn_failure *failure)
{
    const fn_config *config = &host->config;
    fn_handshake_config *handshake = &host->links.config;
    (void)failure;
    host->shared = (fn_conn_shared){
        .pool = &host->pool,
        .random = &host->random,
        .events = &host->events,
        .channels = config->channels,
        .channel_count = config->channel_count,
    };
    *handshake = (fn_handshake_config){
        .memory = host->blocks.memory,
        .server_tls = handshake->server_tls,
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

static int init_wait(fn_host *host, fn_failure *failure)
{
    fn_io_error error;
    uint32_t peers = host->config.given.peers_max;
    uint32_t capacity = fn_links_capacity(host) + SOCKETS_BESIDE_LINKS +
                        fn_min_u32(peers, 256) * FN_RESOLVE_ADDRESSES_MAX;
    size_t bytes = fn_platform_wait_bytes(&host->platform, capacity);
    void *memory = bytes > 0 ? fn_blocks_take(&host->blocks, bytes, true) : NULL;
    if (bytes > 0 && memory == NULL)
        return no_memory("the wait", failure);
    int code = fn_platform_wait_open(&host->platform, memory, capacity, &error);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "%s", error.text);
    host->wait_open = true;
    return FASTNET_OK;
}

int fn_host_open(fn_host *host, fn_failure *failure)
{
    static const fn_datagrams_sink sink = {fn_session_receive, fn_session_receive_on};
    static int (*const parts[])(fn_host *, fn_failure *) = {
        init_random, init_pool,         init_timers,      init_tables,       init_shared,
        init_wait,   fn_datagrams_open, fn_incoming_open, fn_idle_work_init,
    };
    int code = FASTNET_OK;
    host->datagrams.sink = &sink;
    fn_spin_init(&host->spin, host->config.given.spin_us);
    for (size_t i = 0; code == FASTNET_OK && i < FN_ARRAY_COUNT(parts); i++)
        code = parts[i](host, failure);
    host->open = code == FASTNET_OK;
    return code;
}

void fn_host_close(fn_host *host)
{
    if (host->open)
        fn_shutdown_now(host);
    if (host->links.rows != NULL)
        fn_links_free(host);
    if (host->wait_open) {
        fn_idle_work_close(host);
        fn_incoming_close(host);
        fn_datagrams_close(host);
        fn_platform_wait_close(&host->platform);
    }
    fn_tls_context_release(host->links.config.server_tls);
    host->links.config.server_tls = NULL;
    fn_tickets_drop_all(&host->tickets);
    fn_random_wipe(&host->random);
}
