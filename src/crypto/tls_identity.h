/*
 * tls_identity.h: a side's own certificate chain and private key.
 *
 * What no peer with TLS 1.3 could use is refused when a context is made (a curve without a
 * signature scheme, a chain in the wrong order), with a sentence that names the file. What works
 * but hurts is told by fn_tls_identity_review().
 */
#ifndef FN_CRYPTO_TLS_IDENTITY_H
#define FN_CRYPTO_TLS_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

typedef struct fn_tls_context fn_tls_context;

/* A certificate chain (leaf first) and the leaf's private key, both PEM, borrowed for the call. */
typedef struct fn_tls_identity {
    const void *chain_pem;
    size_t chain_pem_bytes;
    const void *key_pem;
    size_t key_pem_bytes;
    const char *chain_name; /* what sentences call the two: their paths; NULL = no name */
    const char *key_name;
} fn_tls_identity;

typedef enum fn_tls_identity_part {
    FN_TLS_IDENTITY_CHAIN = 0,
    FN_TLS_IDENTITY_KEY
} fn_tls_identity_part;

typedef void (*fn_tls_remark)(void *user, fn_tls_identity_part part, const char *sentence);

/*
 * Calls `remark` once for everything about the context's identity that works but hurts: a key that
 * is slow to sign with, dates (expired, not yet valid, about to expire), an intermediate that is
 * probably missing, an address that stands where only host names are looked for. Nothing without an
 * identity. The dates are judged at unix_time_s.
 */
void fn_tls_identity_review(const fn_tls_context *context, int64_t unix_time_s,
                            fn_tls_remark remark, void *user);

#endif
