/*
 * tap.h: reads along what one side of a session sends, with its secret, and checks what holds for
 * every sealed datagram: numbers only grow (no nonce twice), the phase's key opens it, its frames
 * are well formed, no more is in flight than half of the replay window.
 */
#ifndef FN_SIM_TAP_H
#define FN_SIM_TAP_H

#include "core/wire.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FN_TAP_FRAMES_MAX = 128 };

/* A frame, reduced to what is checked. */
typedef struct fn_tap_frame {
    fn_frame_type type;
    uint64_t value; /* ACK: largest; PATH_*: data; MESSAGE: id */
    uint32_t first_unit;
    uint8_t channel;
} fn_tap_frame;

typedef struct fn_tap_packet {
    uint64_t number;
    uint32_t frame_count; /* PADDING left out */
    bool eliciting;
    bool has_message;
    fn_tap_frame frames[FN_TAP_FRAMES_MAX];
} fn_tap_packet;

typedef struct fn_tap {
    uint8_t secret[FN_KDF_SECRET_BYTES];
    fn_aead_key key;
    uint64_t next; /* no number below it may come again */
    uint64_t flips;
    uint64_t flight_max;   /* numbers from the oldest on its way to the newest */
    uint64_t flight_ns;    /* what was sent so long ago is not on its way any more */
    uint64_t flight_first; /* the oldest that may be */
    uint64_t *sent_ns;     /* by number */
    uint64_t sent_capacity;
    uint32_t receiver_id;
    uint8_t phase;
    bool said_small; /* PATH_TOO_SMALL was sent */
} fn_tap;

/* flight_ns: no datagram needs less to be sent and acknowledged. */
void fn_tap_init(fn_tap *tap, const uint8_t secret[FN_KDF_SECRET_BYTES], uint32_t receiver_id,
                 uint64_t flight_max, uint64_t flight_ns);
void fn_tap_free(fn_tap *tap);

/* The sender wrote this datagram (left as it is). NULL, or which promise was broken. */
const char *fn_tap_sent(fn_tap *tap, uint64_t now_ns, const uint8_t *datagram, size_t bytes,
                        fn_tap_packet *out);

#endif
