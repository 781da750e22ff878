/*
 * keys.h: the sealing key and the opening keys of one session, and their update (PROTOCOL.md
 * section 10).
 *
 * The two directions know nothing of each other: receiving a new phase obliges nobody to answer
 * with one, so both sides flipping at once is no special case. A replaced secret is erased at once.
 */
#ifndef FN_CORE_KEYS_H
#define FN_CORE_KEYS_H

#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "crypto/keystream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_KEYS_FAILED_OPENS_MAX (UINT64_C(1) << 36) /* RFC 9001 §6.6, ChaCha20-Poly1305 */

typedef struct fn_send_keys {
    uint8_t secret[FN_KDF_SECRET_BYTES];
    fn_aead_key key;
    fn_keystream *ahead;   /* made in advance for `key`; borrowed; NULL = none */
    uint64_t first_number; /* of this phase */
    uint64_t sealed;       /* packets under this key */
    uint64_t since_ns;     /* when this phase began */
    uint64_t flips;
    uint8_t phase;
    bool confirmed; /* a packet of this phase was acknowledged */
} fn_send_keys;

typedef struct fn_receive_keys {
    uint8_t next_secret[FN_KDF_SECRET_BYTES];
    fn_aead_key previous;
    fn_aead_key current;
    fn_aead_key next;
    fn_keystream *ahead;        /* made in advance for `current`; borrowed; NULL = none */
    uint64_t previous_until_ns; /* erased then */
    uint64_t first_number;      /* smallest seen in the current phase; FN_NEVER before any */
    uint64_t failed_opens;
    uint8_t phase;
    bool has_previous;
    bool acknowledged; /* an ACK of ours covered a packet of the current phase */
} fn_receive_keys;

typedef enum fn_keys_opened {
    FN_KEYS_FAILED, /* forged, damaged, or of a phase that is gone */
    FN_KEYS_OPENED,
    FN_KEYS_OPENED_NEXT /* the first packet of the next phase: fn_receive_keys_advance() */
} fn_keys_opened;

/* The secret is copied. */
void fn_send_keys_init(fn_send_keys *keys, const uint8_t secret[FN_KDF_SECRET_BYTES],
                       uint64_t now_ns);
void fn_receive_keys_init(fn_receive_keys *keys, const uint8_t secret[FN_KDF_SECRET_BYTES]);

/* Seals in place; see fn_aead_seal(). The caller never gives a number twice. */
void fn_send_keys_seal(fn_send_keys *keys, uint64_t number, const uint8_t *header,
                       size_t header_bytes, uint8_t *text, size_t text_bytes);

/* Acknowledged up to that number. */
void fn_send_keys_on_acked(fn_send_keys *keys, uint64_t number);

/* True when the phase is used up (packets or age), confirmed, and old enough to flip again. */
bool fn_send_keys_wants_update(const fn_send_keys *keys, uint64_t packets_max, uint64_t age_ns_max,
                               uint64_t settle_ns, uint64_t now_ns);

/* From next_number on a new key seals. */
void fn_send_keys_update(fn_send_keys *keys, uint64_t next_number, uint64_t now_ns);

/* One open at most, with the key that phase bit and number point to. Counts failures. */
fn_keys_opened fn_receive_keys_open(fn_receive_keys *keys, uint8_t phase, uint64_t number,
                                    const uint8_t *header, size_t header_bytes, uint8_t *sealed,
                                    size_t sealed_bytes);

/* Makes the next key current. False: the flip came before anything of the current phase was
 * acknowledged, the session must close with KEY_UPDATE. */
bool fn_receive_keys_advance(fn_receive_keys *keys, uint64_t number, uint64_t now_ns,
                             uint64_t settle_ns);

/* An ACK frame up to that number was sent. */
void fn_receive_keys_on_ack_sent(fn_receive_keys *keys, uint64_t largest);

/* Erases the previous key when its time is over. */
void fn_receive_keys_tick(fn_receive_keys *keys, uint64_t now_ns);

void fn_send_keys_wipe(fn_send_keys *keys);
void fn_receive_keys_wipe(fn_receive_keys *keys);

#endif
