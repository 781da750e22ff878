#include "api/datagrams.h"
#include "api/endpoint.h"

fn_udp_counters fn_datagrams_counters(const FastNetEndpoint *endpoint)
{
    const fn_datagrams *datagrams = &endpoint->datagrams;
    fn_udp_counters sum = datagrams->before;
    if (!datagrams->open)
        return sum;
    const fn_udp_counters *now = fn_platform_udp_counters(&endpoint->platform);
    sum.receive_calls += now->receive_calls;
    sum.received += now->received;
    sum.truncated += now->truncated;
    sum.send_calls += now->send_calls;
    sum.sent += now->sent;
    sum.fallbacks += now->fallbacks;
    sum.segmented_sends += now->segmented_sends;
    sum.segmented += now->segmented;
    sum.coalesced_receives += now->coalesced_receives;
    sum.coalesced += now->coalesced;
    return sum;
}
