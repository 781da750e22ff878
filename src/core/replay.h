/*
 * The replay window of one direction of a session: which of the newest N packet numbers were
 * already accepted (the idea of RFC 4303 §3.4.3, over 64-bit numbers and without shifting).
 *
 * Check first (before the AEAD open; changes nothing), accept only after the packet
 * authenticated: a forged packet must never move the window. Numbers older than the
 * window count as seen. Bit i of the ring belongs to every packet number equal to i
 * modulo N; moving forward clears what it passes.
 */
#ifndef FN_CORE_REPLAY_H
#define FN_CORE_REPLAY_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_REPLAY_WINDOW_MIN     1024
#define FN_REPLAY_WINDOW_DEFAULT 4096

typedef struct fn_replay {
    uint64_t *words;  /* window / 64 of them, the caller's, for the life of the window */
    uint64_t window;  /* packets; a power of two */
    uint64_t largest; /* the highest accepted number, once any is */
    bool any;
} fn_replay;

static_assert(sizeof(fn_replay) <= 32, "fn_replay is part of every connection");

/* Number of u64 words that a window needs. */
static inline size_t fn_replay_words(uint32_t window)
{
    return window / 64;
}

/* Starts empty. words[fn_replay_words(window)] need no initialisation. */
void fn_replay_init(fn_replay *replay, uint64_t *words, uint32_t window);

/* True when the number was not accepted before and is not too old to tell. Changes nothing. */
bool fn_replay_check(const fn_replay *replay, uint64_t packet_number);

/* Marks a number as accepted. Only after authentication, and only what fn_replay_check() allows. */
void fn_replay_accept(fn_replay *replay, uint64_t packet_number);

#endif
