#include "core/receive_queue.h"

#include "base/bitset.h"
#include "fastnet.h"

#include <string.h>

/* A ring word for a message that was complete and is gone; no block has this address. */
#define DONE ((uintptr_t)1)

void fn_receive_queue_init(fn_receive_queue *queue, uint8_t channel, uint8_t mode)
{
    memset(queue, 0, sizeof *queue);
    fn_list_init(&queue->partials);
    queue->channel = channel;
    queue->mode = mode;
}

static bool is_reliable(const fn_receive_queue *queue)
{
    return queue->mode == FASTNET_MODE_RELIABLE_ORDERED || queue->mode == FASTNET_MODE_RELIABLE;
}

static uint8_t *payload_of(fn_inbound *message)
{
    return (uint8_t *)(message->words + FN_BITSET_WORDS(message->units));
}

const uint8_t *fn_inbound_payload(const fn_inbound *message)
{
    return (const uint8_t *)(message->words + FN_BITSET_WORDS(message->units));
}

static bool is_complete(const fn_inbound *message)
{
    return message->received_units == message->units;
}

static size_t bitmap_bytes(uint32_t units)
{
    return FN_BITSET_WORDS(units) * sizeof(uint64_t);
}

size_t fn_inbound_bytes(uint32_t message_bytes)
{
    return sizeof(fn_inbound) + bitmap_bytes(fn_unit_count(message_bytes)) + message_bytes;
}

static fn_inbound *make(const fn_receive_queue *queue, const fn_receive_context *context,
                        const fn_message_frame *frame)
{
    uint32_t units = fn_unit_count(frame->total_bytes);
    bool next = is_reliable(queue) && frame->id == queue->ring.base;
    fn_inbound *message = fn_store_alloc_as(context->store, fn_inbound_bytes(frame->total_bytes),
                                            next ? FN_POOL_FIRST : FN_POOL_USUAL);
    if (message == NULL)
        return NULL;
    *message = (fn_inbound){.id = frame->id,
                            .since_ns = context->now_ns,
                            .bytes = frame->total_bytes,
                            .units = units,
                            .channel = queue->channel};
    memset(message->words, 0, bitmap_bytes(units));
    return message;
}

/* The run lies inside the message: the frame's decoder saw to it, for this total length. */
static void fill(fn_inbound *message, const fn_message_frame *frame)
{
    fn_bitset received = {.words = message->words, .bits = message->units};
    uint32_t units = fn_unit_count(frame->bytes);
    for (uint32_t unit = frame->first_unit; unit < frame->first_unit + units; unit++) {
        message->received_units += !fn_bitset_test(&received, unit);
        fn_bitset_set(&received, unit);
    }
    if (frame->bytes > 0)
        memcpy(payload_of(message) + (size_t)frame->first_unit * FN_UNIT_BYTES, frame->payload,
               frame->bytes);
}

/* --- unfinished --- */

static void stop_waiting(fn_unfinished *unfinished, fn_inbound *message)
{
    if (!fn_list_linked(&message->link))
        return;
    fn_list_remove(&message->link);
    unfinished->count--;
}

void fn_unfinished_wait(fn_unfinished *unfinished, fn_inbound *message, uint64_t now_ns)
{
    stop_waiting(unfinished, message);
    message->since_ns = now_ns;
    message->units_before = unfinished->units;
    fn_list_push_back(&unfinished->list, &message->link);
    unfinished->count++;
}

/* --- reliable --- */

void fn_receive_queue_free(fn_receive_queue *queue, fn_store *store, fn_unfinished *unfinished)
{
    for (uint64_t id = queue->ring.base; id < queue->ring.base + queue->ring.count; id++) {
        uintptr_t word = *fn_id_ring_at(&queue->ring, id);
        if (word == 0 || word == DONE)
            continue;
        stop_waiting(unfinished, (fn_inbound *)word);
        fn_store_free(store, (void *)word);
    }
    fn_id_ring_free(&queue->ring, store);
    fn_receive_queue_drop_partials(queue, store);
}

static void skip_done(fn_receive_queue *queue, fn_store *store)
{
    while (queue->ring.count > 0 && *fn_id_ring_at(&queue->ring, queue->ring.base) == DONE)
        fn_id_ring_advance(&queue->ring, store);
}

/* The first sight of an id that can be delivered as it lies in the datagram. */
static fn_receive_outcome accept_direct(fn_receive_queue *queue, const fn_receive_context *context,
                                        const fn_message_frame *frame)
{
    bool at_base = frame->id == queue->ring.base;
    if (!at_base && !fn_id_ring_reach(&queue->ring, context->store, frame->id))
        return FN_RECEIVE_MEMORY;
    if (!fn_flow_on_message(context->flow, frame->total_bytes))
        return FN_RECEIVE_BAD_FLOW;
    if (at_base) {
        fn_id_ring_advance(&queue->ring, context->store);
        if (queue->mode == FASTNET_MODE_RELIABLE)
            skip_done(queue, context->store);
    } else {
        *fn_id_ring_at(&queue->ring, frame->id) = DONE;
    }
    return FN_RECEIVE_DIRECT;
}

static fn_receive_outcome begin(fn_receive_queue *queue, const fn_receive_context *context,
                                const fn_message_frame *frame, fn_inbound **out)
{
    if (!fn_id_ring_reach(&queue->ring, context->store, frame->id))
        return FN_RECEIVE_MEMORY;
    fn_inbound *message = make(queue, context, frame);
    if (message == NULL)
        return FN_RECEIVE_MEMORY;
    if (!fn_flow_on_message(context->flow, frame->total_bytes)) {
        fn_store_free(context->store, message);
        return FN_RECEIVE_BAD_FLOW;
    }
    message->charge = (uint32_t)fn_flow_cost(frame->total_bytes);
    *fn_id_ring_at(&queue->ring, frame->id) = (uintptr_t)message;
    *out = message;
    return FN_RECEIVE_NOTHING;
}

static fn_receive_outcome complete(fn_receive_queue *queue, const fn_receive_context *context,
                                   fn_inbound *message, fn_inbound **whole)
{
    if (queue->mode == FASTNET_MODE_RELIABLE) {
        *fn_id_ring_at(&queue->ring, message->id) = DONE;
        skip_done(queue, context->store);
        *whole = message;
        return FN_RECEIVE_WHOLE;
    }
    *whole = fn_receive_queue_next_ready(queue, context->store);
    return *whole != NULL ? FN_RECEIVE_WHOLE : FN_RECEIVE_NOTHING;
}

/* Only what is new counts: the same fragment again does not keep a message waiting. */
static void note_progress(const fn_receive_context *context, fn_inbound *message,
                          uint32_t units_before)
{
    if (message->received_units == units_before)
        return;
    if (units_before > 0)
        context->unfinished->units += message->received_units - units_before;
    if (is_complete(message))
        stop_waiting(context->unfinished, message);
    else
        fn_unfinished_wait(context->unfinished, message, context->now_ns);
}

/* Also a message of several units may have come in one frame. */
static bool is_whole(const fn_message_frame *frame)
{
    return frame->bytes == frame->total_bytes;
}

static fn_receive_outcome reliable_frame(fn_receive_queue *queue, const fn_receive_context *context,
                                         const fn_message_frame *frame, fn_inbound **whole)
{
    if (frame->id < queue->ring.base)
        return FN_RECEIVE_NOTHING;
    if (frame->id - queue->ring.base >= context->message_window)
        return FN_RECEIVE_BAD_LIMIT;
    uintptr_t *word = fn_id_ring_at(&queue->ring, frame->id);
    if (word != NULL && *word == DONE)
        return FN_RECEIVE_NOTHING;
    fn_inbound *message = word != NULL ? (fn_inbound *)*word : NULL;
    bool next = queue->mode == FASTNET_MODE_RELIABLE || frame->id == queue->ring.base;
    if (message == NULL && is_whole(frame) && context->direct && next)
        return accept_direct(queue, context, frame);
    if (message == NULL) {
        fn_receive_outcome outcome = begin(queue, context, frame, &message);
        if (message == NULL)
            return outcome;
    }
    if (message->bytes != frame->total_bytes)
        return FN_RECEIVE_BAD_MESSAGE;
    if (is_complete(message))
        return FN_RECEIVE_NOTHING;
    uint32_t units_before = message->received_units;
    fill(message, frame);
    note_progress(context, message, units_before);
    return is_complete(message) ? complete(queue, context, message, whole) : FN_RECEIVE_NOTHING;
}

fn_inbound *fn_receive_queue_next_ready(fn_receive_queue *queue, fn_store *store)
{
    if (queue->mode != FASTNET_MODE_RELIABLE_ORDERED || queue->ring.count == 0)
        return NULL;
    fn_inbound *message = (fn_inbound *)*fn_id_ring_at(&queue->ring, queue->ring.base);
    if (message == NULL || !is_complete(message))
        return NULL;
    fn_id_ring_advance(&queue->ring, store);
    return message;
}

/* --- unreliable --- */

static void unlink_partial(fn_receive_queue *queue, fn_inbound *message)
{
    fn_list_remove(&message->link);
    queue->partial_count--;
}

static void drop_partial(fn_receive_queue *queue, fn_store *store, fn_inbound *message)
{
    unlink_partial(queue, message);
    fn_store_free(store, message);
}

static fn_inbound *find_partial(const fn_receive_queue *queue, uint64_t id)
{
    for (fn_list_node *node = fn_list_front(&queue->partials); node != NULL;
         node = fn_list_next(&queue->partials, node)) {
        fn_inbound *message = FN_CONTAINER_OF(node, fn_inbound, link);
        if (message->id == id)
            return message;
    }
    return NULL;
}

/* A newer message is whole: what is older is of no interest any more. */
static void outdate(fn_receive_queue *queue, fn_store *store, uint64_t newest_id)
{
    queue->next_id = newest_id + 1;
    fn_list_node *node = fn_list_front(&queue->partials);
    while (node != NULL) {
        fn_list_node *next = fn_list_next(&queue->partials, node);
        fn_inbound *message = FN_CONTAINER_OF(node, fn_inbound, link);
        if (message->id < queue->next_id)
            drop_partial(queue, store, message);
        node = next;
    }
}

static fn_inbound *begin_partial(fn_receive_queue *queue, const fn_receive_context *context,
                                 const fn_message_frame *frame)
{
    if (queue->partial_count >= FN_PARTIALS_MAX)
        drop_partial(queue, context->store,
                     FN_CONTAINER_OF(fn_list_front(&queue->partials), fn_inbound, link));
    fn_inbound *message = make(queue, context, frame);
    if (message == NULL)
        return NULL;
    fn_list_push_back(&queue->partials, &message->link);
    queue->partial_count++;
    return message;
}

static fn_receive_outcome unreliable_frame(fn_receive_queue *queue,
                                           const fn_receive_context *context,
                                           const fn_message_frame *frame, fn_inbound **whole)
{
    bool sequenced = queue->mode == FASTNET_MODE_UNRELIABLE_SEQUENCED;
    if (sequenced && frame->id < queue->next_id)
        return FN_RECEIVE_DROPPED;
    fn_inbound *message = find_partial(queue, frame->id);
    if (message == NULL && is_whole(frame) && context->direct) {
        if (sequenced)
            outdate(queue, context->store, frame->id);
        return FN_RECEIVE_DIRECT;
    }
    if (message == NULL)
        message = begin_partial(queue, context, frame);
    if (message == NULL)
        return FN_RECEIVE_LOST;
    if (message->bytes != frame->total_bytes)
        return FN_RECEIVE_BAD_MESSAGE;
    fill(message, frame);
    if (!is_complete(message))
        return FN_RECEIVE_NOTHING;
    unlink_partial(queue, message);
    if (sequenced)
        outdate(queue, context->store, frame->id);
    *whole = message;
    return FN_RECEIVE_WHOLE;
}

uint32_t fn_receive_queue_expire(fn_receive_queue *queue, fn_store *store, uint64_t now_ns)
{
    uint32_t count = 0;
    while (fn_receive_queue_deadline(queue) <= now_ns) {
        drop_partial(queue, store,
                     FN_CONTAINER_OF(fn_list_front(&queue->partials), fn_inbound, link));
        count++;
    }
    return count;
}

uint32_t fn_receive_queue_drop_partials(fn_receive_queue *queue, fn_store *store)
{
    uint32_t count = queue->partial_count;
    fn_list_node *node;
    while ((node = fn_list_pop_front(&queue->partials)) != NULL)
        fn_store_free(store, FN_CONTAINER_OF(node, fn_inbound, link));
    queue->partial_count = 0;
    return count;
}

uint64_t fn_receive_queue_deadline(const fn_receive_queue *queue)
{
    fn_list_node *node = fn_list_front(&queue->partials);
    if (node == NULL)
        return FN_NEVER;
    return FN_CONTAINER_OF(node, fn_inbound, link)->since_ns + FN_PARTIAL_TIMEOUT_NS;
}

fn_receive_outcome fn_receive_queue_frame(fn_receive_queue *queue,
                                          const fn_receive_context *context,
                                          const fn_message_frame *frame, fn_inbound **whole)
{
    *whole = NULL;
    return is_reliable(queue) ? reliable_frame(queue, context, frame, whole)
                              : unreliable_frame(queue, context, frame, whole);
}
