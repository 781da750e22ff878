/*
 * handshake_internal.h: what the two sides of a handshake share. handshake.c moves bytes and does
 * the work; handshake_client.c and handshake_server.c say what HELLO and its answers mean.
 */
#ifndef FN_CORE_HANDSHAKE_INTERNAL_H
#define FN_CORE_HANDSHAKE_INTERNAL_H

#include "core/handshake.h"

#define FN_HANDSHAKE_HEADER ((size_t)FN_HELLO_FRAME_HEADER_BYTES)

/* `frames` holds the frame that arrives, then the one that leaves. Once it has been given back, the
 * few short frames that can still come have a place of their own. */
static inline uint8_t *fn_handshake_in_frame(fn_handshake *handshake)
{
    return handshake->frames != NULL ? handshake->frames : handshake->late_frames;
}

static inline uint8_t *fn_handshake_out_frame(fn_handshake *handshake)
{
    return handshake->frames != NULL ? handshake->frames + FN_HELLO_FRAME_BYTES_MAX
                                     : handshake->late_frames + FN_HANDSHAKE_ATTACH_BYTES;
}

static inline const uint8_t *fn_handshake_in_body(fn_handshake *handshake)
{
    return fn_handshake_in_frame(handshake) + FN_HANDSHAKE_HEADER;
}

static inline size_t fn_handshake_in_body_bytes(const fn_handshake *handshake)
{
    return handshake->in_bytes - FN_HANDSHAKE_HEADER;
}

/* False: no memory. */
bool fn_handshake_reserve_frames(fn_handshake *handshake);

/* Ends it as FAILED. handshake->failure is set already. */
void fn_handshake_fail(fn_handshake *handshake, uint64_t now_ns);

/* The same for a server, and what is in handshake->failure reaches the client too. */
void fn_handshake_fail_and_reject(fn_handshake *handshake, uint64_t now_ns, uint32_t app_code);

/* Both frames are whole and good: derives the secrets. False: FAILED. */
bool fn_handshake_establish(fn_handshake *handshake, uint64_t now_ns);

/* Gives TLS what is waiting to be written, and close_notify behind it when it is time. */
void fn_handshake_push_out(fn_handshake *handshake);

/* The other side is gone, or TLS broke with that code. */
void fn_handshake_lose_transport(fn_handshake *handshake, uint64_t now_ns, int code);

/* Server: an answer is leaving, nothing follows it but the end; the client closes first. */
void fn_handshake_end_answered(fn_handshake *handshake, uint64_t now_ns);

/* Client: puts ATTACH into the frame that leaves; ATTACHING, or FAILED. */
bool fn_handshake_write_attach(fn_handshake *handshake, const uint8_t attach_key[FN_SECRETS_BYTES]);

/* A whole frame of an expected type is there. */
void fn_handshake_handle_attach(fn_handshake *handshake);
void fn_handshake_handle_attach_answer(fn_handshake *handshake, uint64_t now_ns);
void fn_handshake_handle_hello(fn_handshake *handshake, uint64_t now_ns);
void fn_handshake_handle_answer(fn_handshake *handshake, uint64_t now_ns);

#endif
