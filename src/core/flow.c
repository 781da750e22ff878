#include "core/flow.h"

#include <string.h>

void fn_flow_init(fn_flow *flow, uint32_t send_window_bytes, uint32_t receive_window_bytes)
{
    memset(flow, 0, sizeof *flow);
    flow->limit = send_window_bytes;
    flow->window_bytes = receive_window_bytes;
    flow->granted = receive_window_bytes;
    flow->blocked_at = UINT64_MAX;
}

bool fn_flow_may_send(fn_flow *flow, uint32_t message_bytes)
{
    if (flow->charged + fn_flow_cost(message_bytes) <= flow->limit)
        return true;
    if (flow->blocked_at != flow->limit) {
        flow->blocked_at = flow->limit;
        flow->say_blocked = true;
    }
    return false;
}

void fn_flow_charge(fn_flow *flow, uint32_t message_bytes)
{
    flow->charged += fn_flow_cost(message_bytes);
}

bool fn_flow_on_window(fn_flow *flow, uint64_t credit)
{
    if (credit <= flow->limit)
        return false;
    flow->limit = credit;
    flow->say_blocked = false;
    return true;
}

bool fn_flow_on_message(fn_flow *flow, uint32_t message_bytes)
{
    uint64_t cost = fn_flow_cost(message_bytes);
    if (flow->received + cost > flow->granted)
        return false;
    flow->received += cost;
    return true;
}

void fn_flow_release(fn_flow *flow, uint64_t cost)
{
    flow->released += cost;
    uint64_t credit = flow->released + flow->window_bytes;
    uint64_t news = credit - flow->granted;
    if (news >= flow->window_bytes / 4 || (flow->wanted && news > 0))
        flow->announce = true;
}

uint64_t fn_flow_announce(fn_flow *flow)
{
    flow->granted = flow->released + flow->window_bytes;
    flow->announce = false;
    flow->wanted = false;
    return flow->granted;
}

void fn_flow_on_blocked(fn_flow *flow, uint64_t credit)
{
    if (credit < flow->released + flow->window_bytes)
        flow->announce = true;
    else
        flow->wanted = true;
}

void fn_flow_on_window_lost(fn_flow *flow, uint64_t credit)
{
    if (credit == flow->granted)
        flow->announce = true;
}

void fn_flow_on_blocked_lost(fn_flow *flow, uint64_t credit)
{
    if (credit == flow->limit && flow->blocked_at == credit)
        flow->say_blocked = true;
}
