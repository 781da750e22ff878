/* Doing the work, and waiting for it: the public functions. */
#include "api/poll.h"

#include <string.h>

#include "api/endpoint.h"
#include "api/refusal.h"
#include "host/session.h"
#include "host/turn.h"

int32_t fastnet_poll(FastNetEndpoint *endpoint, FastNetEvent *events, uint32_t capacity,
                     uint32_t timeout_us)
{
    if (endpoint == NULL || (events == NULL && capacity > 0))
        return fn_refuse(endpoint, FASTNET_ERR_ARGUMENT, "events is NULL but capacity is not 0");
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    fn_pump_release(&endpoint->host);
    if (timeout_us == 0)
        fn_pump_now(&endpoint->host);
    else
        fn_pump_wait(&endpoint->host, timeout_us * FN_NS_PER_US);
    return (int32_t)fn_delivery_take(&endpoint->host, events, capacity);
}

bool fn_poll_one(FastNetEndpoint *endpoint, FastNetEvent *event)
{
    if (event == NULL)
        return false;
    if (fastnet_poll(endpoint, event, 1, 0) > 0)
        return true;
    memset(event, 0, sizeof *event);
    return false;
}

FastNetResult fastnet_flush(FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return FASTNET_ERR_ARGUMENT;
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    fn_sessions_flush(&endpoint->host, fn_host_clock(&endpoint->host));
    return FASTNET_OK;
}

int fastnet_endpoint_fd(FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return -1;
    endpoint->host.fd_given = true;
    fn_datagrams_watch(&endpoint->host, NULL);
    int fd = (int)fn_poller_fd(&endpoint->system.poller);
    if (fd < 0)
        fn_refuse(endpoint, FASTNET_ERR_UNSUPPORTED, "this build has no descriptor to wait for");
    return fd;
}

uint64_t fastnet_next_deadline(const FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return UINT64_MAX;
    uint64_t deadline_ns = fn_pump_deadline_ns(&endpoint->host);
    if (deadline_ns == FN_NEVER)
        return UINT64_MAX;
    /* Rounded up: a caller who waits that long finds the timer due. */
    return (fn_sub_saturating(deadline_ns, fastnet_now_ns()) + FN_NS_PER_US - 1) / FN_NS_PER_US;
}

void fastnet_wake(FastNetEndpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    fn_platform_interrupt(&endpoint->host.platform);
}
