/*
 * inside.h: the few things that the simulator must know of an endpoint, and that the public
 * interface does not tell.
 */
#ifndef FN_SIM_INSIDE_H
#define FN_SIM_INSIDE_H

#include "core/conn.h"
#include "fastnet.h"
#include "platform/platform.h"

/* As fastnet_endpoint_create(), in that world. The sentence goes to standard error. */
FastNetEndpoint *fn_inside_create(const FastNetConfig *config, const fn_platform *platform);

/* When it wants to be polled, on its own clock; 0 = now. */
uint64_t fn_inside_deadline_ns(const FastNetEndpoint *endpoint);

/* By what its peer names it; 0 = by nothing yet. */
uint32_t fn_inside_receiver_id(const FastNetEndpoint *endpoint, FastNetPeerId peer);

/* What is reserved of the queues' memory. */
size_t fn_inside_pool_bytes(const FastNetEndpoint *endpoint);

#endif
