/*
 * x509.h: what certificate.c and the TLS files share about OpenSSL's certificate objects. Inside
 * this layer only.
 */
#ifndef FN_CRYPTO_X509_H
#define FN_CRYPTO_X509_H

#include "base/address.h"
#include "crypto/certificate.h"

#include <openssl/x509.h>

/* A read-only view of PEM text. NULL when empty, above 2^30 bytes, or out of memory. */
BIO *fn_x509_pem_open(const void *pem, size_t pem_bytes);

/* The next certificate of the PEM text, or NULL at its end or where it is malformed; *malformed
 * tells the two apart. Never asks for a password. */
X509 *fn_x509_read_certificate(BIO *pem, bool *malformed);

/* The first private key, or NULL with a sentence. Never asks for a
 * password: an encrypted key is refused. */
EVP_PKEY *fn_x509_read_key(const void *pem, size_t pem_bytes, fn_failure *failure);

void fn_x509_pin(X509 *certificate, uint8_t out[FN_CERTIFICATE_PIN_BYTES]);
void fn_x509_describe(X509 *certificate, fn_certificate_info *out);
int64_t fn_x509_time(const ASN1_TIME *time);

/* Whether an address stands where clients look for host names only (a DNS entry, the common name)
 * and in no IP entry: `wanted`, or any when that is NULL. `out` gets it as text. */
bool fn_x509_misplaced_address(X509 *certificate, const fn_address *wanted,
                               char out[FN_ADDRESS_TEXT_BYTES]);

/* The newest message in OpenSSL's queue of this thread; empties the queue. Static string. */
const char *fn_x509_reason(void);

#endif
