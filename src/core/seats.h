/*
 * seats.h: who may have a peer's place on a server, and who has to give it back.
 *
 *   allows     may this address have another one?
 *   take       a client has one
 *   doubt      it got its WELCOME and has not shown itself over UDP or a stream yet
 *   prove      it has
 *   leave      the place is free again
 *
 * No place is ever taken from who has proven itself, nor from who is about to: a newcomer hears at
 * once that the server is full. It gets the place of somebody who had FN_SEATS's prove_ns and did
 * not come, or of an address that holds more than its share of the unproven ones (an eighth of all
 * places, and at least FN_SEATS_SHARE_MIN), unless it comes from there itself: in a crowd each
 * would throw out the one before, and nobody would get in.
 *
 * Pure: memory and time are arguments.
 */
#ifndef FN_CORE_SEATS_H
#define FN_CORE_SEATS_H

#include "base/address.h"
#include "base/list.h"
#include "core/crowds.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FN_SEATS_SHARE_MIN = 2, FN_SEATS_ALL_MAX = 8 };

typedef struct fn_seats_config {
    uint32_t seats_max;
    uint32_t per_address_max; /* 0 = three quarters, at least FN_SEATS_ALL_MAX; none for loopback */
    uint64_t prove_ns;
} fn_seats_config;

/* Lies inside the peer. All zero = it has no seat. */
typedef struct fn_seat {
    fn_crowd_member held;
    fn_crowd_member unproven;
    fn_list_node node; /* among the unproven */
    fn_address address;
    uint64_t due_ns; /* unproven: from then on it may be taken */
} fn_seat;

typedef struct fn_seats {
    fn_seats_config config;
    fn_crowds held;
    fn_crowds unproven;
    fn_list by_age;
} fn_seats;

size_t fn_seats_memory_bytes(uint32_t seats_max);

/* memory: borrowed for their life, aligned to 8. Not moved or copied afterwards. */
void fn_seats_init(fn_seats *seats, const fn_seats_config *config, void *memory,
                   const uint8_t seed[FN_MAP_SEED_BYTES]);

/* How many one address may have. */
uint32_t fn_seats_per_address(const fn_seats *seats, const fn_address *address);

/* Also when it could have all seats, and does: that server is full, for everybody. */
bool fn_seats_allows(const fn_seats *seats, const fn_address *address);

void fn_seats_take(fn_seats *seats, fn_seat *seat, const fn_address *address);
void fn_seats_doubt(fn_seats *seats, fn_seat *seat, uint64_t now_ns);

/* Nothing happens when nothing is in doubt. */
void fn_seats_prove(fn_seats *seats, fn_seat *seat);

/* Nothing happens when it has no seat. */
void fn_seats_leave(fn_seats *seats, fn_seat *seat);

/* All are taken: the one whose owner has to go for this newcomer; NULL: it hears FULL. */
fn_seat *fn_seats_give_way(const fn_seats *seats, uint64_t now_ns, const fn_address *newcomer);

#endif
