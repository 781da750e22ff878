#include "api/endpoint.h"

#include <assert.h>
#include <stddef.h>

#include "api/allocator.h"
#include "api/connect_error.h"
#include "api/tuning.h"
#include "host/turn.h"
#include "io/clock.h"

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

/* --- destroy --- */

static void free_endpoint(FastNetEndpoint *endpoint)
{
    fn_blocks blocks = endpoint->host.blocks;
    fn_host_close(&endpoint->host);
    fn_trust_free(&endpoint->trust);
    fn_system_close(&endpoint->system);
    fn_blocks_free(&blocks);
}

void fn_endpoint_destroy(FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    fn_pump_release(&endpoint->host);
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
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for the endpoint");
    (*out)->host.blocks = blocks;
    (*out)->host.tickets.memory = blocks.memory;
    return FASTNET_OK;
}

/* The first shard has read the certificate already. */
static int identify(FastNetEndpoint *endpoint, fn_failure *failure)
{
    const FastNetConfig *given = &endpoint->host.config.given;
    fn_tls_context *context = fn_shard_identity(endpoint);
    if (context == NULL)
        context =
            fn_trust_identity(&endpoint->trust, given->certificate_path, given->private_key_path,
                              &endpoint->host.diagnostics.log, failure);
    endpoint->host.links.config.server_tls = context;
    return context != NULL ? FASTNET_OK : failure->code;
}

static int open_endpoint(FastNetEndpoint *endpoint, fn_failure *failure)
{
    fn_udp_settings granted;
    fn_host *host = &endpoint->host;
    const FastNetConfig *given = &host->config.given;
    host->diagnostics.log = (fn_log){given->log, given->log_user, given->log_level};
    fn_shard_join(endpoint);
    int code = fn_trust_init(&endpoint->trust, &host->blocks.memory, given, failure);
    if (code == FASTNET_OK && given->listen)
        code = identify(endpoint, failure);
    if (code == FASTNET_OK)
        code = fn_host_open(host, failure);
    if (code != FASTNET_OK)
        return code;
    fn_platform_udp_settings(&host->platform, &granted);
    fn_tuning_report(endpoint, &granted);
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
    endpoint->host.platform = world != NULL ? *world : fn_system_platform(&endpoint->system);
    if (place != NULL)
        endpoint->shard = *place;
    code = fn_config_read(config, &endpoint->host.config, failure);
    if (code == FASTNET_OK)
        code = open_endpoint(endpoint, failure);
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
