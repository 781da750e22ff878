#include "core/congestion.h"

#include "base/units.h"

#include <string.h>

static const fn_congestion_ops *const algorithms[] = {&fn_cubic_ops, &fn_fixed_window_ops};

const fn_congestion_ops *fn_congestion_find(const char *name)
{
    for (size_t i = 0; i < FN_ARRAY_COUNT(algorithms); i++) {
        if (strcmp(algorithms[i]->name, name) == 0)
            return algorithms[i];
    }
    return NULL;
}

uint64_t fn_congestion_initial_bytes(uint32_t packet_bytes)
{
    uint64_t packet = packet_bytes;
    return fn_min_u64(FN_CONGESTION_INITIAL_PACKETS * packet,
                      fn_max_u64(FN_CONGESTION_INITIAL_BYTES, FN_CONGESTION_MIN_PACKETS * packet));
}

void fn_congestion_init(fn_congestion *congestion, const fn_congestion_ops *ops,
                        uint32_t packet_bytes)
{
    assert(packet_bytes > 0);
    memset(congestion, 0, sizeof(*congestion));
    congestion->ops = ops;
    congestion->packet_bytes = packet_bytes;
    ops->init(&congestion->state, packet_bytes);
}

static bool is_full(const fn_congestion *congestion)
{
    uint64_t window = fn_congestion_window(congestion);
    if (congestion->ops->in_slow_start(&congestion->state))
        return congestion->in_flight_bytes >= window / 2;
    return congestion->in_flight_bytes + congestion->packet_bytes > window;
}

void fn_congestion_on_sent(fn_congestion *congestion, uint64_t bytes, uint64_t now_ns)
{
    congestion->in_flight_bytes += bytes;
    congestion->ops->on_sent(&congestion->state, bytes, now_ns);
    if (is_full(congestion)) {
        congestion->full_seen = true;
        congestion->full_ns = now_ns;
    }
}

static bool sent_before_recovery(const fn_congestion *congestion, uint64_t sent_ns)
{
    return congestion->recovered && sent_ns <= congestion->recovery_ns;
}

void fn_congestion_on_removed(fn_congestion *congestion, uint64_t bytes)
{
    assert(bytes <= congestion->in_flight_bytes);
    congestion->in_flight_bytes = fn_sub_saturating(congestion->in_flight_bytes, bytes);
}

void fn_congestion_on_acked(fn_congestion *congestion, uint64_t bytes, uint64_t sent_ns,
                            uint64_t rtt_ns, uint64_t now_ns)
{
    fn_congestion_on_removed(congestion, bytes);
    if (bytes == 0 || sent_before_recovery(congestion, sent_ns))
        return;
    fn_congestion_ack ack = {
        .bytes = bytes,
        .sent_ns = sent_ns,
        .now_ns = now_ns,
        .rtt_ns = rtt_ns,
        .limited = congestion->full_seen && sent_ns <= congestion->full_ns,
    };
    congestion->ops->on_acked(&congestion->state, &ack);
}

bool fn_congestion_on_lost(fn_congestion *congestion, uint64_t bytes, uint64_t sent_ns,
                           uint64_t now_ns)
{
    fn_congestion_on_removed(congestion, bytes);
    if (sent_before_recovery(congestion, sent_ns))
        return false;
    congestion->recovered = true;
    congestion->recovery_ns = now_ns;
    congestion->ops->on_congestion(&congestion->state, now_ns);
    return true;
}

void fn_congestion_on_persistent_congestion(fn_congestion *congestion, uint64_t now_ns)
{
    /* Unlike RFC 9002 §B.8 recovery is not forgotten: what is still out there and lost as well must
     * not drag down the slow start threshold that the first loss has set. */
    congestion->recovered = true;
    congestion->recovery_ns = now_ns;
    congestion->ops->on_persistent_congestion(&congestion->state, now_ns);
}

void fn_congestion_set_packet_bytes(fn_congestion *congestion, uint32_t packet_bytes)
{
    assert(packet_bytes > 0);
    congestion->packet_bytes = packet_bytes;
    congestion->ops->on_packet_bytes(&congestion->state, packet_bytes);
}

uint64_t fn_congestion_window(const fn_congestion *congestion)
{
    return congestion->ops->window(&congestion->state);
}

uint64_t fn_congestion_room(const fn_congestion *congestion)
{
    return fn_sub_saturating(fn_congestion_window(congestion), congestion->in_flight_bytes);
}
