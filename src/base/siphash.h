/*
 * SipHash-2-4: a short keyed hash for tables whose keys an attacker may choose. Without the key
 * nobody can find many inputs that land in one place. Not for anything that lasts or is signed.
 */
#ifndef FN_BASE_SIPHASH_H
#define FN_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define FN_SIPHASH_KEY_BYTES 16

/* data may be NULL when bytes is 0. */
uint64_t fn_siphash(const uint8_t key[FN_SIPHASH_KEY_BYTES], const void *data, size_t bytes);

/* The hash of the 8 bytes of value, least significant first. */
uint64_t fn_siphash_u64(const uint8_t key[FN_SIPHASH_KEY_BYTES], uint64_t value);

#endif
