#include "core/event.h"

#include <stddef.h>

void fn_events_init(fn_events *events, void *memory, uint32_t capacity)
{
    fn_ring_init(&events->ring, memory, sizeof(fn_event), capacity);
}

uint32_t fn_events_room(const fn_events *events)
{
    return events->ring.capacity - fn_ring_count(&events->ring);
}

uint32_t fn_events_next_turn(const fn_events *events)
{
    return events->ring.head + events->ring.count;
}

fn_event *fn_events_at_turn(fn_events *events, uint32_t turn)
{
    return fn_ring_at(&events->ring, turn - events->ring.head);
}

bool fn_events_push(fn_events *events, const fn_event *event)
{
    return fn_ring_push_back(&events->ring, event);
}

fn_event *fn_events_front(fn_events *events)
{
    fn_event *event = fn_ring_front(&events->ring);
    while (event != NULL && event->type == FN_EVENT_VOID) {
        fn_ring_pop_front(&events->ring, NULL);
        event = fn_ring_front(&events->ring);
    }
    return event;
}

bool fn_events_pop(fn_events *events, fn_event *out)
{
    return fn_events_front(events) != NULL && fn_ring_pop_front(&events->ring, out);
}

fn_event *fn_events_at(fn_events *events, uint32_t index)
{
    return fn_ring_at(&events->ring, index);
}
