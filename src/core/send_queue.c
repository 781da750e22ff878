#include "core/send_queue.h"

#include "base/bitset.h"
#include "base/units.h"
#include "core/flow.h"
#include "core/wire.h"

#include <string.h>

void fn_send_queue_init(fn_send_queue *queue, uint8_t channel, uint8_t mode)
{
    memset(queue, 0, sizeof *queue);
    fn_list_init(&queue->resend);
    queue->channel = channel;
    queue->reliable = mode == FASTNET_MODE_RELIABLE_ORDERED || mode == FASTNET_MODE_RELIABLE;
    queue->latest_only = mode == FASTNET_MODE_UNRELIABLE_SEQUENCED;
}

static fn_bitset acked_set(fn_outbound *message)
{
    return (fn_bitset){.words = message->words, .bits = message->units};
}

static fn_bitset resend_set(fn_outbound *message)
{
    uint64_t *words = message->words + FN_BITSET_WORDS(message->units);
    return (fn_bitset){.words = words, .bits = message->units};
}

const uint8_t *fn_outbound_payload(const fn_outbound *message, uint32_t first_unit)
{
    const uint8_t *payload =
        (const uint8_t *)(message->words + 2 * FN_BITSET_WORDS(message->units));
    return payload + (size_t)first_unit * FN_UNIT_BYTES;
}

static fn_outbound *message_at(const fn_send_queue *queue, uint64_t id)
{
    uintptr_t *word = fn_id_ring_at(&queue->ring, id);
    return word != NULL ? (fn_outbound *)*word : NULL;
}

static size_t bitmaps_bytes(uint32_t units)
{
    return 2 * FN_BITSET_WORDS(units) * sizeof(uint64_t);
}

size_t fn_outbound_bytes(uint32_t message_bytes)
{
    return sizeof(fn_outbound) + bitmaps_bytes(fn_unit_count(message_bytes)) + message_bytes;
}

static fn_outbound *make(fn_store *store, const void *data, uint32_t bytes, const fn_outbound *like)
{
    uint32_t units = fn_unit_count(bytes);
    fn_outbound *message = fn_store_alloc(store, fn_outbound_bytes(bytes));
    if (message == NULL)
        return NULL;
    *message = (fn_outbound){.bytes = bytes,
                             .units = units,
                             .tag = like->tag,
                             .tagged = like->tagged,
                             .live_ns = like->live_ns,
                             .expires_ns = FN_NEVER};
    memset(message->words, 0, bitmaps_bytes(units));
    if (bytes > 0)
        memcpy((uint8_t *)message->words + bitmaps_bytes(units), data, bytes);
    return message;
}

bool fn_send_queue_add(fn_send_queue *queue, fn_store *store, const void *data, uint32_t bytes,
                       const fn_outbound *like)
{
    fn_outbound *message = make(store, data, bytes, like);
    if (message == NULL)
        return false;
    if (!fn_id_ring_reach(&queue->ring, store, queue->next_id)) {
        fn_store_free(store, message);
        return false;
    }
    message->id = queue->next_id++;
    message->channel = queue->channel;
    *fn_id_ring_at(&queue->ring, message->id) = (uintptr_t)message;
    queue->queued_bytes += (uint32_t)fn_flow_cost(bytes);
    return true;
}

static void trim(fn_send_queue *queue, fn_store *store)
{
    while (queue->ring.count > 0 && *fn_id_ring_at(&queue->ring, queue->ring.base) == 0)
        fn_id_ring_advance(&queue->ring, store);
    if (queue->send_id < queue->ring.base)
        queue->send_id = queue->ring.base;
}

/* The queue lets go of a message; what becomes of its block is the caller's business. */
static void forget(fn_send_queue *queue, fn_store *store, fn_outbound *message)
{
    fn_list_remove(&message->link);
    queue->queued_bytes -= (uint32_t)fn_flow_cost(message->bytes);
    *fn_id_ring_at(&queue->ring, message->id) = 0;
    trim(queue, store);
}

static void finish(fn_send_queue *queue, fn_store *store, fn_outbound *message, bool delivered,
                   fn_send_outcome *outcome)
{
    forget(queue, store, message);
    if (!message->tagged) {
        fn_store_free(store, message);
        return;
    }
    message->delivered = delivered;
    fn_list_push_back(outcome->notices, &message->link);
}

void fn_send_queue_free(fn_send_queue *queue, fn_store *store)
{
    for (uint64_t id = queue->ring.base; id < queue->ring.base + queue->ring.count; id++)
        fn_store_free(store, message_at(queue, id));
    fn_id_ring_free(&queue->ring, store);
    fn_list_init(&queue->resend);
    queue->queued_bytes = 0;
}

void fn_send_queue_abandon(fn_send_queue *queue, fn_store *store, fn_send_outcome *outcome)
{
    uint64_t id = queue->ring.base;
    for (; id < queue->next_id; id++) {
        fn_outbound *message = message_at(queue, id);
        if (message != NULL)
            finish(queue, store, message, false, outcome);
    }
    fn_id_ring_free(&queue->ring, store);
    queue->send_id = queue->next_id;
}

/* The first message that has not wholly left; holes are those that were dropped. */
static fn_outbound *first_waiting(const fn_send_queue *queue)
{
    for (uint64_t id = queue->send_id; id < queue->next_id; id++) {
        fn_outbound *message = message_at(queue, id);
        if (message != NULL)
            return message;
    }
    return NULL;
}

/* The first message that waits waits no more. */
static void pass_first(fn_send_queue *queue, const fn_outbound *message)
{
    queue->send_id = fn_max_u64(message->id + 1, queue->undropped_id);
}

static void drop(fn_send_queue *queue, fn_store *store, fn_outbound *message,
                 fn_send_outcome *outcome)
{
    if (message == first_waiting(queue))
        pass_first(queue, message);
    (*outcome->dropped)++;
    finish(queue, store, message, false, outcome);
}

/* The first message of which nothing has left. */
static fn_outbound *first_whole(fn_send_queue *queue)
{
    fn_outbound *first = first_waiting(queue);
    if (first == NULL || first->next_unit == 0)
        return first;
    queue->undropped_id = fn_max_u64(queue->undropped_id, first->id + 1);
    for (; queue->undropped_id < queue->next_id; queue->undropped_id++) {
        fn_outbound *message = message_at(queue, queue->undropped_id);
        if (message != NULL)
            return message;
    }
    return NULL;
}

bool fn_send_queue_drop_oldest(fn_send_queue *queue, fn_store *store, fn_send_outcome *outcome)
{
    fn_outbound *message = queue->reliable ? NULL : first_whole(queue);
    if (message == NULL)
        return false;
    drop(queue, store, message, outcome);
    return true;
}

bool fn_send_queue_drop_partial(fn_send_queue *queue, fn_store *store, fn_send_outcome *outcome)
{
    fn_outbound *message = queue->reliable ? NULL : first_waiting(queue);
    if (message == NULL || message->next_unit == 0)
        return false;
    drop(queue, store, message, outcome);
    return true;
}

/* Nobody looks at the clock for each message: those of one batch begin to live together. */
static void date(fn_send_queue *queue, uint64_t now_ns)
{
    uint64_t id = fn_max_u64(queue->undated_id, queue->ring.base);
    for (; id < queue->next_id; id++) {
        fn_outbound *message = message_at(queue, id);
        if (message != NULL)
            message->expires_ns = fn_add_saturating(now_ns, message->live_ns);
    }
    queue->undated_id = id;
}

static uint64_t expiry_ns(const fn_outbound *message)
{
    uint64_t more_ns = message->next_unit > 0 ? message->live_ns : 0;
    return fn_add_saturating(message->expires_ns, more_ns);
}

void fn_send_queue_expire(fn_send_queue *queue, fn_store *store, uint64_t now_ns,
                          fn_send_outcome *outcome)
{
    if (queue->reliable)
        return;
    date(queue, now_ns);
    fn_outbound *message = first_waiting(queue);
    while (message != NULL && now_ns >= expiry_ns(message)) {
        drop(queue, store, message, outcome);
        message = first_waiting(queue);
    }
}

static fn_send_run run_again(fn_outbound *message)
{
    fn_bitset set = resend_set(message);
    uint32_t first = fn_bitset_find_first_set_from(&set, 0);
    uint32_t end = fn_bitset_find_first_clear_from(&set, first);
    return (fn_send_run){
        .message = message, .first_unit = first, .units = end - first, .again = true};
}

fn_send_run fn_send_queue_next(const fn_send_queue *queue, uint32_t window)
{
    fn_list_node *node = fn_list_front(&queue->resend);
    if (node != NULL)
        return run_again(FN_CONTAINER_OF(node, fn_outbound, link));
    fn_outbound *message = first_waiting(queue);
    if (message == NULL || (queue->reliable && message->id - queue->ring.base >= window))
        return (fn_send_run){.message = NULL};
    return (fn_send_run){.message = message,
                         .first_unit = message->next_unit,
                         .units = message->units - message->next_unit,
                         .again = false};
}

uint32_t fn_send_run_fit(const fn_send_run *run, size_t bytes, uint32_t *run_bytes)
{
    const fn_outbound *message = run->message;
    uint32_t start = run->first_unit * FN_UNIT_BYTES;
    uint32_t whole = run->units * FN_UNIT_BYTES;
    if (whole > message->bytes - start)
        whole = message->bytes - start;
    if (whole <= bytes) {
        *run_bytes = whole;
        return run->units;
    }
    uint32_t units = (uint32_t)(bytes / FN_UNIT_BYTES);
    *run_bytes = units * FN_UNIT_BYTES;
    return units;
}

static void take_again(fn_outbound *message, const fn_send_run *run)
{
    fn_bitset set = resend_set(message);
    for (uint32_t i = 0; i < run->units; i++)
        fn_bitset_clear(&set, run->first_unit + i);
    if (fn_bitset_find_first_set_from(&set, 0) == set.bits)
        fn_list_remove(&message->link);
}

void fn_send_queue_take(fn_send_queue *queue, fn_store *store, const fn_send_run *run)
{
    fn_outbound *message = run->message;
    if (run->again) {
        take_again(message, run);
        return;
    }
    message->next_unit += run->units;
    if (message->next_unit < message->units)
        return;
    pass_first(queue, message);
    if (queue->reliable || message->tagged)
        return;
    forget(queue, store, message);
    fn_store_free(store, message);
}

void fn_send_queue_on_acked(fn_send_queue *queue, fn_store *store, uint64_t id, uint32_t first_unit,
                            uint32_t units, fn_send_outcome *outcome)
{
    fn_outbound *message = message_at(queue, id);
    if (message == NULL)
        return;
    fn_bitset acked = acked_set(message);
    fn_bitset resend = resend_set(message);
    for (uint32_t unit = first_unit; unit < first_unit + units; unit++) {
        message->acked_units += !fn_bitset_test(&acked, unit);
        fn_bitset_set(&acked, unit);
        fn_bitset_clear(&resend, unit);
    }
    if (message->acked_units == message->units)
        finish(queue, store, message, true, outcome);
    else if (fn_list_linked(&message->link) &&
             fn_bitset_find_first_set_from(&resend, 0) == resend.bits)
        fn_list_remove(&message->link);
}

void fn_send_queue_on_lost(fn_send_queue *queue, fn_store *store, uint64_t id, uint32_t first_unit,
                           uint32_t units, fn_send_outcome *outcome)
{
    fn_outbound *message = message_at(queue, id);
    if (message == NULL)
        return;
    if (!queue->reliable) {
        if (queue->send_id <= id)
            queue->send_id = id + 1;
        finish(queue, store, message, false, outcome);
        return;
    }
    fn_bitset acked = acked_set(message);
    fn_bitset resend = resend_set(message);
    bool any = false;
    for (uint32_t unit = first_unit; unit < first_unit + units; unit++) {
        if (fn_bitset_test(&acked, unit))
            continue;
        fn_bitset_set(&resend, unit);
        any = true;
    }
    if (any && !fn_list_linked(&message->link))
        fn_list_push_back(&queue->resend, &message->link);
}
