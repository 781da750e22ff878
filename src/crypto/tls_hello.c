#include "crypto/tls_internal.h"

#include "base/cursor.h"
#include "base/result.h"
#include "base/text.h"

#include <string.h>

enum { ALPN_SHOWN_BYTES_MAX = 64 };

/* RFC 8446 section 4.2.1: a list of versions behind one byte of length. */
static bool offers_tls13(SSL *ssl)
{
    const unsigned char *bytes = NULL;
    size_t count = 0;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &bytes, &count))
        return false;
    fn_reader reader = fn_reader_make(bytes, count);
    size_t left = fn_read_u8(&reader);
    for (; left >= 2 && !reader.failed; left -= 2) {
        if (fn_read_u16(&reader) == TLS1_3_VERSION)
            return true;
    }
    return false;
}

/* Before OpenSSL looks at anything else, and long before the private key is used. */
int fn_tls_check_hello(SSL *ssl, int *alert, void *unused)
{
    (void)unused;
    fn_tls *tls = fn_tls_of(ssl);
    const unsigned char *bytes = NULL;
    size_t count = 0;
    if (!offers_tls13(ssl)) {
        fn_tls_fail(tls, FASTNET_ERR_VERSION,
                    "the client offers only TLS versions below 1.3; FastNet needs TLS 1.3");
        *alert = SSL_AD_PROTOCOL_VERSION;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bytes,
                                   &count)) {
        fn_tls_fail(tls, FASTNET_ERR_PROTOCOL,
                    "the client asked for no application protocol (ALPN); it is no FastNet client, "
                    "which asks for %s",
                    tls->context->alpn_text);
        *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static void refuse_alpn(fn_tls *tls, const unsigned char *offered, unsigned offered_bytes)
{
    char shown[ALPN_SHOWN_BYTES_MAX];
    fn_text text = fn_text_make(shown, sizeof shown);
    fn_reader reader = fn_reader_make(offered, offered_bytes);
    size_t first_bytes = fn_read_u8(&reader);
    const uint8_t *first = fn_read_bytes(&reader, first_bytes);
    if (first != NULL)
        fn_text_add_quoted(&text, first, first_bytes);
    fn_tls_fail(tls, FASTNET_ERR_PROTOCOL,
                "the client asked for the application protocol (ALPN) '%s'; this server speaks "
                "only %s",
                shown, tls->context->alpn_text);
}

int fn_tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                       const unsigned char *offered, unsigned offered_bytes, void *unused)
{
    (void)unused;
    fn_tls *tls = fn_tls_of(ssl);
    const unsigned char *ours = tls->context->alpn;
    fn_reader reader = fn_reader_make(offered, offered_bytes);
    while (fn_reader_left(&reader) > 0 && !reader.failed) {
        size_t bytes = fn_read_u8(&reader);
        const uint8_t *name = fn_read_bytes(&reader, bytes);
        if (name != NULL && bytes == ours[0] && memcmp(name, ours + 1, bytes) == 0) {
            *out = ours + 1; /* lives as long as the context, and so as the connection */
            *out_bytes = ours[0];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    refuse_alpn(tls, offered, offered_bytes);
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}
