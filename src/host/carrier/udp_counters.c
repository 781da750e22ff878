#include "host/carrier/datagrams.h"
#include "host/host.h"

fn_udp_counters fn_datagrams_counters(const fn_host *host)
{
    const fn_datagrams *datagrams = &host->datagrams;
    fn_udp_counters sum = datagrams->before;
    if (!datagrams->open)
        return sum;
    const fn_udp_counters *now = fn_platform_udp_counters(&host->platform);
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
