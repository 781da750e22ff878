#include "core/sent.h"

#include "base/units.h"

#include <string.h>

enum {
    CAPACITY_KEPT = 64, /* of a ring whose flight is over */
    LATE_PACKETS = 32   /* an acknowledgement may be so late and still tell of a false alarm */
};

void fn_sent_init(fn_sent *sent, uint32_t records_max)
{
    memset(sent, 0, sizeof *sent);
    sent->records_max = records_max;
}

static fn_sent_packet *slot(const fn_sent *sent, uint64_t number)
{
    return &sent->records[number & (sent->capacity - 1)];
}

static void drop_notes(fn_sent_packet *packet, fn_store *store)
{
    fn_store_free(store, packet->more);
    packet->more = NULL;
    packet->note_count = 0;
}

void fn_sent_free(fn_sent *sent, fn_store *store)
{
    for (uint64_t number = sent->base; number < sent->next; number++)
        drop_notes(slot(sent, number), store);
    fn_store_free(store, sent->records);
    sent->records = NULL;
    sent->capacity = 0;
    sent->base = sent->next;
    sent->out_eliciting = 0;
    sent->out_arming = 0;
    memset(sent->out_on, 0, sizeof sent->out_on);
}

/* Moves the records into a ring of another size, where they fit. */
static bool resize(fn_sent *sent, fn_store *store, uint32_t capacity)
{
    /* Without any ledger nothing can be sent, not even an acknowledgement. */
    fn_pool_claim claim = capacity <= FN_SENT_RECORDS_MIN ? FN_POOL_FIRST : FN_POOL_USUAL;
    fn_sent_packet *records = fn_store_alloc_as(store, capacity * sizeof *records, claim);
    if (records == NULL)
        return false;
    for (uint64_t number = sent->base; number < sent->next; number++)
        records[number & (capacity - 1)] = *slot(sent, number);
    fn_store_free(store, sent->records);
    sent->records = records;
    sent->capacity = capacity;
    return true;
}

static bool grow(fn_sent *sent, fn_store *store)
{
    uint32_t capacity = sent->capacity == 0 ? FN_SENT_RECORDS_MIN : sent->capacity * 2;
    return capacity <= sent->records_max && resize(sent, store, capacity);
}

bool fn_sent_reserve(fn_sent *sent, fn_store *store, uint32_t more)
{
    while (fn_sent_count(sent) + more > sent->capacity)
        if (!grow(sent, store))
            return false;
    return true;
}

fn_sent_packet *fn_sent_push(fn_sent *sent)
{
    assert(fn_sent_count(sent) < sent->capacity);
    fn_sent_packet *packet = slot(sent, sent->next++);
    memset(packet, 0, sizeof *packet);
    return packet;
}

void fn_sent_left(fn_sent *sent, const fn_sent_packet *packet)
{
    sent->out_eliciting += packet->eliciting;
    sent->out_arming += packet->arms;
    sent->out_on[packet->path]++;
}

void fn_sent_skip(fn_sent *sent)
{
    fn_sent_push(sent)->state = FN_SENT_SKIPPED;
}

fn_sent_packet *fn_sent_at(const fn_sent *sent, uint64_t number)
{
    return number >= sent->base && number < sent->next ? slot(sent, number) : NULL;
}

bool fn_sent_note_add(fn_sent_packet *packet, fn_store *store, const fn_sent_note *note)
{
    if (packet->note_count >= FN_SENT_NOTES_MAX)
        return false;
    if (packet->note_count == FN_SENT_NOTES_INLINE) {
        size_t bytes = (FN_SENT_NOTES_MAX - FN_SENT_NOTES_INLINE) * sizeof *note;
        packet->more = fn_store_alloc(store, bytes);
        if (packet->more == NULL)
            return false;
    }
    *fn_sent_note_at(packet, packet->note_count++) = *note;
    return true;
}

void fn_sent_finish(fn_sent *sent, fn_sent_packet *packet, fn_sent_state state, fn_store *store)
{
    if (packet->state == FN_SENT_OUT) {
        sent->out_eliciting -= packet->eliciting;
        sent->out_arming -= packet->arms;
        sent->out_on[packet->path]--;
    }
    drop_notes(packet, store);
    packet->state = (uint8_t)state;
}

void fn_sent_pop_back(fn_sent *sent, fn_store *store)
{
    assert(sent->next > sent->base);
    drop_notes(slot(sent, --sent->next), store);
}

/* A record is in nobody's way once it is done, or once a later number was acknowledged and it is
 * one that will never be: skipped, asking for no ack, or lost and really late. */
static bool is_over(const fn_sent_packet *packet, uint64_t below_acked)
{
    switch ((fn_sent_state)packet->state) {
    case FN_SENT_DONE:
        return true;
    case FN_SENT_LOST:
        return below_acked > LATE_PACKETS;
    case FN_SENT_SKIPPED:
        return below_acked > 0;
    case FN_SENT_OUT:
        break;
    }
    return below_acked > 0 && !packet->eliciting;
}

/* The ring of a flight that was large once. */
static void shrink(fn_sent *sent, fn_store *store)
{
    if (sent->capacity > 2 * CAPACITY_KEPT && fn_sent_count(sent) <= CAPACITY_KEPT * 3 / 4)
        resize(sent, store, CAPACITY_KEPT);
}

void fn_sent_drop_front(fn_sent *sent, fn_store *store)
{
    assert(sent->base < sent->next);
    fn_sent_packet *packet = slot(sent, sent->base);
    fn_sent_finish(sent, packet, FN_SENT_DONE, store);
    sent->base++;
}

void fn_sent_trim(fn_sent *sent, uint64_t largest_acked, fn_store *store)
{
    while (sent->base < sent->next) {
        fn_sent_packet *packet = slot(sent, sent->base);
        if (!is_over(packet, fn_sub_saturating(largest_acked, sent->base)))
            break;
        fn_sent_finish(sent, packet, FN_SENT_DONE, store);
        sent->base++;
    }
    shrink(sent, store);
}
