/*
 * endpoint.h: an endpoint as the application holds it: the host, which does everything
 * (host/host.h), the operating system under it, and whom to believe.
 */
#ifndef FN_API_ENDPOINT_H
#define FN_API_ENDPOINT_H

#include "api/config.h"
#include "api/shard.h"
#include "api/trust.h"
#include "fastnet.h"
#include "host/host.h"
#include "io/system.h"

struct FastNetEndpoint {
    fn_host host;
    fn_system system; /* what its platform is made of */
    fn_trust trust;
    fn_shard shard;
    FastNetPeerId client_peer; /* of the short form */
};

/* Like fastnet_endpoint_create; the sentence goes into failure only. place: as which shard; NULL =
 * it is none. */
int fn_endpoint_create(const FastNetConfig *config, const fn_shard *place, FastNetEndpoint **out,
                       fn_failure *failure);

/* Likewise, in another world than the operating system's: the simulator's. */
int fn_endpoint_create_in(const FastNetConfig *config, const fn_platform *world,
                          FastNetEndpoint **out, fn_failure *failure);

/* Like fastnet_endpoint_destroy, of a shard too. */
void fn_endpoint_destroy(FastNetEndpoint *endpoint);

/* The config's allocator. ERR_ARGUMENT: half of it is missing. */
int fn_endpoint_memory(const FastNetConfig *config, fn_memory *memory, fn_failure *failure);

#endif
