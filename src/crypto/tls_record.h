/*
 * tls_record.h: has a whole ClientHello arrived? (RFC 8446 sections 4 and 5.1)
 *
 * A server asks this of the raw bytes of a new TCP connection, before it spends a TLS object on
 * them: a client that sends nothing, one byte a second, or HTTP costs a bounded buffer and no more.
 */
#ifndef FN_CRYPTO_TLS_RECORD_H
#define FN_CRYPTO_TLS_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum {
    /* All bytes of the ClientHello, record headers included. A usual one has 250 to 2000. A buffer
     * of this size is enough: at this size the verdict is never FN_TLS_RECORD_MORE. */
    FN_TLS_HELLO_BYTES_MAX = 16 * 1024,
};

typedef enum fn_tls_record_verdict {
    FN_TLS_RECORD_GARBAGE = -1, /* can never become a ClientHello: close the connection */
    FN_TLS_RECORD_MORE = 0,     /* good so far */
    FN_TLS_RECORD_COMPLETE = 1, /* create the fn_tls and feed it all that is buffered */
} fn_tls_record_verdict;

/* `bytes` begin at the first byte of the TCP connection. The ClientHello may be cut into several
 * records. Bytes after it are not looked at. Pure; costs one step per record. */
fn_tls_record_verdict fn_tls_record_complete(const uint8_t *bytes, size_t bytes_count);

/* One sentence about bytes that were judged GARBAGE (HTTP, too long, not
 * a ClientHello...). Static string. */
const char *fn_tls_record_complaint(const uint8_t *bytes, size_t bytes_count);

#endif
