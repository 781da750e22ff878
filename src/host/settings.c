#include "host/settings.h"

#include "base/bytes.h"
#include "core/ids.h"
#include "core/receive_queue.h"
#include "core/send_queue.h"

enum {
    HOME_BYTES_MAX = 128 * 1024,
    SMALL_BYTES = 16 * 1024, /* ledgers, rings, small messages: beside the largest ones */
    CONNECTION_MARGIN_BYTES = 1024 * 1024,
};

uint32_t fn_config_peer_rows(const fn_config *config)
{
    return fn_min_u32(2 * config->given.peers_max, FN_SLOTS_MAX);
}

/* --- memory --- */

/* Blocks are powers of two. */
static size_t message_block_bytes(const FastNetConfig *given)
{
    return fn_pool_block_bytes(fn_max_size(fn_outbound_bytes(given->message_bytes_max),
                                           fn_inbound_bytes(given->message_bytes_max)));
}

uint64_t fn_config_memory_bytes_min(const FastNetConfig *given)
{
    return (uint64_t)message_block_bytes(given) + SMALL_BYTES;
}

uint64_t fn_config_memory_bytes_both_ways(const FastNetConfig *given)
{
    return 2 * (uint64_t)message_block_bytes(given) + SMALL_BYTES;
}

fn_pool_shares fn_config_memory_shares(const FastNetConfig *given)
{
    bool both_ways = given->memory_bytes_max >= fn_config_memory_bytes_both_ways(given);
    uint64_t kept_bytes =
        both_ways ? fn_config_memory_bytes_both_ways(given) : fn_config_memory_bytes_min(given);
    uint64_t homes_bytes =
        fn_min_u64(given->memory_bytes_max / 2, given->memory_bytes_max - kept_bytes);
    uint64_t home_bytes = fn_min_u64(homes_bytes / given->peers_max, HOME_BYTES_MAX);
    return (fn_pool_shares){.seats = given->peers_max,
                            .home_bytes =
                                (size_t)(home_bytes - home_bytes % FN_POOL_BLOCK_BYTES_MIN),
                            .room_bytes = both_ways ? message_block_bytes(given) : 0};
}

/* Blocks are powers of two, so what is queued can cost up to twice its size. */
size_t fn_config_connection_cap_bytes(const fn_config *config)
{
    const FastNetConfig *given = &config->given;
    uint64_t queues = (uint64_t)given->send_queue_bytes_max + given->receive_window_bytes;
    return (size_t)fn_min_u64(given->memory_bytes_max, 2 * queues + CONNECTION_MARGIN_BYTES);
}
