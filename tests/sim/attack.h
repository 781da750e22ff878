/*
 * attack.h: what an attacker on the wire does to datagrams, and how much of it was done.
 */
#ifndef FN_SIM_ATTACK_H
#define FN_SIM_ATTACK_H

#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

/* What an attacker on the wire does, per datagram. */
typedef struct fn_attack {
    uint32_t replay_permille;    /* the same bytes again, later */
    uint32_t elsewhere_permille; /* … from another address */
    uint32_t race_permille;      /* … from another address, 5 ms before the original */
    uint32_t damage_permille;    /* one bit other, cut, or longer */
    uint32_t forge_permille;     /* right header, random rest */
    bool all_elsewhere;          /* the damaged and the forged too come from another address */
    bool sessions_only;          /* what comes before CONNECTED is left alone */
} fn_attack;

/* What the attacker sent, by kind. */
typedef struct fn_attack_tally {
    uint64_t replayed;
    uint64_t elsewhere; /* replayed from another address */
    uint64_t raced;
    uint64_t damaged;
    uint64_t forged;
    uint64_t from_attacker; /* of all these: from the attacker's own address */
    uint64_t server_bytes;  /* from there to the server */
} fn_attack_tally;

/* Other bytes of a datagram: cut, or one bit of it or of its first byte turned. */
void fn_attack_damage(fn_rng *rng, uint8_t *data, uint32_t *bytes);

/* Everything readable stays right (first byte, receiver id, a number that is next), all else is
 * random. */
void fn_attack_forge(fn_rng *rng, uint8_t *data, uint32_t bytes);

#endif
