/* The public functions of fastnet/shards.h. */
#include "fastnet/shards.h"

#include <stddef.h>

#include "api/connect_error.h"
#include "api/endpoint.h"
#include "io/shard_steering.h"

enum {
    RECEIVER_ID_AT = 1,
    SEALED_MASK = 0xf0,
    SEALED = 0xc0,
};

static_assert(FASTNET_SHARDS_MAX <= 1 << FN_IDS_SHARD_BITS_MAX, "an id has room for the shard");

static uint32_t bits_for(uint32_t count)
{
    uint32_t bits = 0;
    while (UINT32_C(1) << bits < count)
        bits++;
    return bits;
}

/* --- inboxes --- */

static int open_inboxes(FastNetShards *shards, uint32_t count)
{
    shards->inboxes = fn_blocks_take(&shards->blocks, count * sizeof *shards->inboxes, true);
    shards->endpoints = fn_blocks_take(&shards->blocks, count * sizeof *shards->endpoints, true);
    if (shards->inboxes == NULL || shards->endpoints == NULL)
        return FASTNET_ERR_MEMORY;
    for (; shards->count < count; shards->count++) {
        fn_shard_inbox *inbox = &shards->inboxes[shards->count];
        if (!fn_lock_init(&inbox->lock))
            return FASTNET_ERR_SYSTEM;
        atomic_init(&inbox->waiting, false);
        fn_list_init(&inbox->links);
    }
    return FASTNET_OK;
}

/* Known only once the config was read. */
static size_t datagram_bytes(const FastNetShards *shards)
{
    return shards->endpoints[0]->host.datagrams.datagram_bytes;
}

static int take_buffers(FastNetShards *shards)
{
    size_t bytes = datagram_bytes(shards);
    for (uint32_t i = 0; i < shards->count; i++) {
        const fn_memory *memory = &shards->blocks.memory;
        uint8_t *block =
            fn_memory_alloc(memory, FN_SHARD_DATAGRAMS_MAX * bytes, FN_ALLOCATOR_ALIGNMENT);
        if (block == NULL)
            return FASTNET_ERR_MEMORY;
        for (uint32_t at = 0; at < FN_SHARD_DATAGRAMS_MAX; at++) {
            shards->inboxes[i].datagrams[at].data = block + at * bytes;
            shards->inboxes[i].datagrams[at].capacity = (uint32_t)bytes;
        }
    }
    return FASTNET_OK;
}

/* What nobody took out any more. */
static void empty_inbox(FastNetShards *shards, fn_shard_inbox *inbox, FastNetEndpoint *endpoint)
{
    fn_list_node *node;
    while ((node = fn_list_pop_front(&inbox->links)) != NULL)
        fn_link_free(&endpoint->host, FN_CONTAINER_OF(node, fn_link, work));
    fn_tls_context_release(inbox->identity);
    fn_memory_free(&shards->blocks.memory, inbox->datagrams[0].data,
                   inbox->datagrams[0].capacity * (size_t)FN_SHARD_DATAGRAMS_MAX);
    fn_lock_destroy(&inbox->lock);
}

/* --- create --- */

static int check(const FastNetConfig *config, uint32_t count, fn_failure *failure)
{
    if (count == 0 || count > FASTNET_SHARDS_MAX) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "count is %u; it must be 1 to %d",
                              (unsigned)count, FASTNET_SHARDS_MAX);
    }
    if (config->struct_size >= offsetof(FastNetConfig, socket) && !config->listen)
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "listen is false; shards must listen");
    if (count > 1 && !fn_steering_supported()) {
        return fn_failure_set(failure, FASTNET_ERR_UNSUPPORTED,
                              "this build cannot steer datagrams to shards (that takes Linux and "
                              "its own socket backend); a count of 1 works");
    }
    return FASTNET_OK;
}

static int steer(const FastNetShards *shards, fn_failure *failure)
{
    fn_io_error error;
    fn_steering steering = {.sockets = shards->count,
                            .bits = shards->bits,
                            .offset = RECEIVER_ID_AT,
                            .first_mask = SEALED_MASK,
                            .first_value = SEALED};
    if (shards->count == 1)
        return FASTNET_OK;
    int code = fn_steering_attach(&shards->endpoints[0]->system.udp, &steering, &error);
    return code == FASTNET_OK ? code : fn_failure_set(failure, code, "%s", error.text);
}

/* In the order of their numbers: the system counts sockets as they are bound. */
static int create_endpoints(FastNetShards *shards, const FastNetConfig *config, fn_failure *failure)
{
    int code = FASTNET_OK;
    for (uint32_t i = 0; code == FASTNET_OK && i < shards->count; i++) {
        fn_shard place = {.group = shards, .index = i, .bits = shards->bits};
        code = fn_endpoint_create(config, &place, &shards->endpoints[i], failure);
    }
    return code;
}

static int open_all(FastNetShards *shards, const FastNetConfig *config, uint32_t count,
                    fn_failure *failure)
{
    shards->bits = bits_for(count);
    int code = open_inboxes(shards, count);
    if (code != FASTNET_OK)
        return fn_failure_set(failure, code, "no memory, or no lock, for the shards");
    code = create_endpoints(shards, config, failure);
    if (code != FASTNET_OK)
        return code;
    if (take_buffers(shards) != FASTNET_OK)
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for the shards' inboxes");
    return steer(shards, failure);
}

static FastNetShards *allocate(const FastNetConfig *config, fn_failure *failure)
{
    fn_memory memory;
    if (fn_endpoint_memory(config, &memory, failure) != FASTNET_OK)
        return NULL;
    fn_blocks blocks = {.memory = memory};
    FastNetShards *shards = fn_blocks_take(&blocks, sizeof *shards, true);
    if (shards == NULL)
        fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for the shards");
    else
        shards->blocks = blocks;
    return shards;
}

/* The last one first: the system puts the last socket into the place of one that closes. */
static void free_shards(FastNetShards *shards)
{
    fn_blocks blocks = shards->blocks;
    for (uint32_t i = 0; i < shards->count; i++)
        empty_inbox(shards, &shards->inboxes[i], shards->endpoints[i]);
    for (uint32_t i = shards->count; i-- > 0;)
        fn_endpoint_destroy(shards->endpoints[i]);
    fn_blocks_free(&blocks);
}

FastNetResult fastnet_shards_create(const FastNetConfig *config, uint32_t count,
                                    FastNetShards **out)
{
    fn_failure failure = {0};
    if (out != NULL)
        *out = NULL;
    if (config == NULL || out == NULL)
        return fn_connect_error_set(FASTNET_ERR_ARGUMENT, "config or out is NULL");
    FastNetShards *shards = NULL;
    int code = check(config, count, &failure);
    if (code == FASTNET_OK)
        code = (shards = allocate(config, &failure)) == NULL
                   ? failure.code
                   : open_all(shards, config, count, &failure);
    if (code == FASTNET_OK) {
        *out = shards;
        fn_connect_error_clear();
        return FASTNET_OK;
    }
    if (shards != NULL)
        free_shards(shards);
    return (FastNetResult)fn_connect_error_set(code, failure.text);
}

void fastnet_shards_destroy(FastNetShards *shards)
{
    if (shards != NULL)
        free_shards(shards);
}

/* --- looking --- */

uint32_t fastnet_shards_count(const FastNetShards *shards)
{
    return shards != NULL ? shards->count : 0;
}

FastNetEndpoint *fastnet_shards_endpoint(const FastNetShards *shards, uint32_t index)
{
    return index < fastnet_shards_count(shards) ? shards->endpoints[index] : NULL;
}
