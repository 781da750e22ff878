/*
 * sent.h: the ledger of packets that left, by packet number (RFC 9002 §A.1).
 *
 * Packets are acknowledged or lost; what they carried is kept here as small notes, so that the
 * queues can be told. Every number has a record, also the skipped ones (an acknowledgement of such
 * a number was given without receipt) and packets that ask for no ack. Records lie in one ring in
 * the endpoint's pool that grows by doubling and shrinks when little is out; lookup by number is
 * one subtraction.
 */
#ifndef FN_CORE_SENT_H
#define FN_CORE_SENT_H

#include "core/store.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    FN_SENT_NOTES_INLINE = 2,
    FN_SENT_NOTES_MAX = 66, /* per packet: 64 in one further block */
    FN_SENT_RECORDS_MIN = 16,
    FN_SENT_PATHS = 4
};

/* What one frame carried. */
typedef struct fn_sent_note {
    uint64_t value;      /* MESSAGE: id; ACK: largest; WINDOW, BLOCKED: credit */
    uint32_t first_unit; /* MESSAGE */
    uint16_t units;      /* MESSAGE */
    uint8_t type;        /* fn_frame_type */
    uint8_t channel;     /* MESSAGE */
} fn_sent_note;

static_assert(sizeof(fn_sent_note) == 16, "two fit into a record");

typedef enum fn_sent_state {
    FN_SENT_OUT,     /* neither acknowledged nor lost */
    FN_SENT_DONE,    /* acknowledged or lost: its notes are gone */
    FN_SENT_SKIPPED, /* never sent */
    FN_SENT_LOST     /* lost, notes gone, kept for the late acknowledgement */
} fn_sent_state;

typedef struct fn_sent_packet {
    uint64_t time_ns;
    fn_sent_note *more; /* notes beyond the inline ones */
    fn_sent_note notes[FN_SENT_NOTES_INLINE];
    uint16_t bytes; /* of the datagram */
    uint8_t note_count;
    uint8_t state; /* fn_sent_state */
    uint8_t path;
    bool eliciting;   /* asks for an ack */
    bool counted : 1; /* against the congestion window */
    bool arms : 1;    /* arms the probe timeout: carries more than unreliable messages */
    bool alone : 1;   /* left by itself, however many others left then */
} fn_sent_packet;

static_assert(sizeof(fn_sent_packet) <= 64, "2048 of them may be out");

typedef struct fn_sent {
    fn_sent_packet *records;
    uint64_t base;     /* number of the first record */
    uint64_t next;     /* number of the next packet */
    uint32_t capacity; /* power of two, or 0 */
    uint32_t records_max;
    uint32_t out_eliciting;         /* OUT and eliciting */
    uint32_t out_arming;            /* OUT and arming */
    uint32_t out_on[FN_SENT_PATHS]; /* OUT, by path; each was told by fn_sent_left */
} fn_sent;

/* records_max: a power of two, at least FN_SENT_RECORDS_MIN. */
void fn_sent_init(fn_sent *sent, uint32_t records_max);
/* Forgets all that left; numbers go on. */
void fn_sent_free(fn_sent *sent, fn_store *store);

static inline uint64_t fn_sent_count(const fn_sent *sent)
{
    return sent->next - sent->base;
}

/* Makes room for `more` further records. False: the flight is full, or memory is short. */
bool fn_sent_reserve(fn_sent *sent, fn_store *store, uint32_t more);

/* Opens the record of the next number (room was reserved), cleared, in state OUT. */
fn_sent_packet *fn_sent_push(fn_sent *sent);

/* The newest packet leaves: its record is filled in. */
void fn_sent_left(fn_sent *sent, const fn_sent_packet *packet);

/* The next number is never sent (room was reserved). */
void fn_sent_skip(fn_sent *sent);

/* The record of a number; NULL when it is below base or was not reached. */
fn_sent_packet *fn_sent_at(const fn_sent *sent, uint64_t number);

/* Adds a note; false when there is no room for another. */
bool fn_sent_note_add(fn_sent_packet *packet, fn_store *store, const fn_sent_note *note);

static inline fn_sent_note *fn_sent_note_at(fn_sent_packet *packet, uint32_t index)
{
    return index < FN_SENT_NOTES_INLINE ? &packet->notes[index]
                                        : &packet->more[index - FN_SENT_NOTES_INLINE];
}

/* After its notes were handled: drops them and puts the record into the given state. */
void fn_sent_finish(fn_sent *sent, fn_sent_packet *packet, fn_sent_state state, fn_store *store);

/* An undone last push (nothing was sent after all). */
void fn_sent_pop_back(fn_sent *sent, fn_store *store);

/* Drops the first record, whatever became of it. */
void fn_sent_drop_front(fn_sent *sent, fn_store *store);

/* Drops records from the front: done ones, and those that nobody waits for below largest_acked. */
void fn_sent_trim(fn_sent *sent, uint64_t largest_acked, fn_store *store);

#endif
