#include "inside.h"

#include "api/endpoint.h"
#include "host/turn.h"

#include <stdio.h>

FastNetEndpoint *fn_inside_create(const FastNetConfig *config, const fn_platform *platform)
{
    fn_failure failure = {0};
    FastNetEndpoint *endpoint = NULL;
    if (fn_endpoint_create_in(config, platform, &endpoint, &failure) != FASTNET_OK)
        fprintf(stderr, "no endpoint: %s\n", failure.text);
    return endpoint;
}

uint64_t fn_inside_deadline_ns(const FastNetEndpoint *endpoint)
{
    return fn_pump_deadline_ns(&endpoint->host);
}

uint32_t fn_inside_receiver_id(const FastNetEndpoint *endpoint, FastNetPeerId id)
{
    const fn_peer *peer = fn_peer_find_any(&endpoint->host, id);
    return peer != NULL ? peer->receiver_id : 0;
}

size_t fn_inside_pool_bytes(const FastNetEndpoint *endpoint)
{
    return fn_pool_used_bytes(&endpoint->host.pool);
}
