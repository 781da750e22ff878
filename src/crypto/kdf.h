/*
 * kdf.h: HKDF-SHA256 (RFC 5869) and labelled derivation in the manner of RFC 8446 section 7.1.
 *
 * Built on libsodium's HMAC because it keeps its state on the stack: OpenSSL's EVP_KDF allocates,
 * and key updates happen in the middle of a game. Every intermediate value is erased.
 */
#ifndef FN_CRYPTO_KDF_H
#define FN_CRYPTO_KDF_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "crypto/hash.h"

enum {
    FN_KDF_SECRET_BYTES = 32,
    FN_KDF_OUTPUT_BYTES_MAX = 255 * 32, /* RFC 5869 section 2.3 */
    FN_KDF_LABEL_BYTES_MAX = 64,        /* ours, without the prefix */
    FN_KDF_CONTEXT_BYTES_MAX = 64,      /* ours; longer contexts: hash first */
};

/* Stands before every label, where TLS has "tls13 ". */
#define FN_KDF_LABEL_PREFIX "fastnet1 "

/* HKDF-Extract. `salt` NULL with 0 bytes means 32 zero bytes. */
void fn_kdf_extract(const uint8_t *salt, size_t salt_bytes, const uint8_t *input,
                    size_t input_bytes, uint8_t out[FN_KDF_SECRET_BYTES]);

/* HKDF-Expand. out_bytes is at most FN_KDF_OUTPUT_BYTES_MAX (asserted). */
void fn_kdf_expand(const uint8_t secret[FN_KDF_SECRET_BYTES], const uint8_t *info,
                   size_t info_bytes, uint8_t *out, size_t out_bytes);

/*
 * HKDF-Expand with info =
 *   out_bytes as u16 big endian | length of the next as u8 | "fastnet1 " label |
 *   context_bytes as u8 | context
 * `label` is a terminated string of at most FN_KDF_LABEL_BYTES_MAX, `context` at most
 * FN_KDF_CONTEXT_BYTES_MAX (NULL when empty). Both are ours, never the network's: asserted.
 */
void fn_kdf_expand_label(const uint8_t secret[FN_KDF_SECRET_BYTES], const char *label,
                         const uint8_t *context, size_t context_bytes, uint8_t *out,
                         size_t out_bytes);

/* Several labels of one secret: its HMAC is set up once, which is half of the work of each. It is
 * as secret as what it was made from: wipe it. */
typedef struct fn_kdf_keyed {
    fn_hmac hmac;
} fn_kdf_keyed;

void fn_kdf_keyed_set(fn_kdf_keyed *keyed, const uint8_t secret[FN_KDF_SECRET_BYTES]);
/* As fn_kdf_expand_label() without context. */
void fn_kdf_keyed_label(const fn_kdf_keyed *keyed, const char *label, uint8_t *out,
                        size_t out_bytes);
void fn_kdf_keyed_wipe(fn_kdf_keyed *keyed);

/* Labels "key" and "iv". */
void fn_kdf_traffic_key(const uint8_t secret[FN_KDF_SECRET_BYTES], fn_aead_key *out);

/* Label "next": the secret of the next key phase. `out` may be `secret` itself. */
void fn_kdf_next_secret(const uint8_t secret[FN_KDF_SECRET_BYTES],
                        uint8_t out[FN_KDF_SECRET_BYTES]);

#endif
