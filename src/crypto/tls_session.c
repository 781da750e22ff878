#include "crypto/tls_internal.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/result.h"
#include "crypto/x509.h"

#include <openssl/err.h>
#include <string.h>

/*
 * A blob is: version, fingerprint, DER of OpenSSL's SSL_SESSION. A resumed handshake shows no
 * certificate, so the fingerprint binds the blob to what was verified, for whom, and by which
 * trust: a session that was made insecurely, or with another server, is worth nothing here.
 */
enum { BLOB_VERSION = 1, BLOB_HEADER_BYTES = 1 + FN_HASH_BYTES };

static void make_fingerprint(const fn_tls *tls, uint8_t out[FN_HASH_BYTES])
{
    fn_hash hash;
    fn_hash_start(&hash);
    fn_hash_add(&hash, tls->context->trust_digest, sizeof tls->context->trust_digest);
    fn_hash_add(&hash, tls->server_name, strlen(tls->server_name));
    fn_hash_finish(&hash, out);
}

int fn_tls_keep_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    fn_tls *tls = fn_tls_of(ssl);
    SSL_SESSION_free(tls->ticket);
    tls->ticket = ticket;
    return 1; /* the reference is ours now */
}

int fn_tls_session(fn_tls *tls, uint8_t *out, size_t out_capacity, size_t *out_bytes)
{
    *out_bytes = 0;
    if (!tls->done || tls->ticket == NULL || !SSL_SESSION_is_resumable(tls->ticket))
        return FASTNET_ERR_NOT_FOUND;
    int der_bytes = i2d_SSL_SESSION(tls->ticket, NULL);
    if (der_bytes <= 0)
        return FASTNET_ERR_NOT_FOUND;
    if (out_capacity < BLOB_HEADER_BYTES + (size_t)der_bytes)
        return FASTNET_ERR_TOO_LARGE;
    out[0] = BLOB_VERSION;
    make_fingerprint(tls, out + 1);
    unsigned char *der = out + BLOB_HEADER_BYTES;
    i2d_SSL_SESSION(tls->ticket, &der);
    *out_bytes = BLOB_HEADER_BYTES + (size_t)der_bytes;
    return FASTNET_OK;
}

/* The certificate of the first handshake must still be valid now. */
static bool dates_hold(const fn_tls *tls, const SSL_SESSION *session)
{
    if (tls->context->trust != FN_TLS_TRUST_CHAIN)
        return true;
    X509 *peer = SSL_SESSION_get0_peer((SSL_SESSION *)session);
    return peer != NULL && fn_x509_time(X509_get0_notBefore(peer)) <= tls->unix_time_s &&
           tls->unix_time_s <= fn_x509_time(X509_get0_notAfter(peer));
}

void fn_tls_offer_session(fn_tls *tls, const void *blob, size_t blob_bytes)
{
    uint8_t expected[FN_HASH_BYTES];
    fn_reader reader = fn_reader_make(blob, blob_bytes);
    uint8_t version = fn_read_u8(&reader);
    const uint8_t *fingerprint = fn_read_bytes(&reader, FN_HASH_BYTES);
    size_t der_bytes = fn_reader_left(&reader);
    make_fingerprint(tls, expected);
    if (reader.failed || version != BLOB_VERSION || der_bytes > FN_TLS_SESSION_BYTES_MAX ||
        !fn_bytes_equal_secret(fingerprint, expected, sizeof expected))
        return;
    const unsigned char *der = fn_read_bytes(&reader, der_bytes);
    SSL_SESSION *session = d2i_SSL_SESSION(NULL, &der, (long)der_bytes);
    if (session != NULL && SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION &&
        dates_hold(tls, session))
        SSL_set_session(tls->ssl, session);
    SSL_SESSION_free(session);
    ERR_clear_error();
}
