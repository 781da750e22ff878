#include "crypto/tls_internal.h"

#include "base/result.h"

/* RFC 8446 section 6.2. The text completes "the server ended the TLS connection: ". */
#define FN_TLS_ALERT_MAP(X)                                                                        \
    X(10, PROTOCOL, "it got a message that it did not expect (unexpected_message)")                \
    X(20, PROTOCOL, "what reached it was damaged or forged (bad_record_mac)")                      \
    X(22, PROTOCOL, "it got a record that was too long (record_overflow)")                         \
    X(40, PROTOCOL, "it found no settings that both sides support (handshake_failure)")            \
    X(42, CERTIFICATE, "it does not accept our certificate (bad_certificate)")                     \
    X(43, CERTIFICATE, "it does not support our kind of certificate (unsupported_certificate)")    \
    X(44, CERTIFICATE, "our certificate was revoked (certificate_revoked)")                        \
    X(45, CERTIFICATE, "our certificate has expired, or its clock is wrong (certificate_expired)") \
    X(46, CERTIFICATE, "it does not accept our certificate (certificate_unknown)")                 \
    X(47, PROTOCOL, "it got a value out of range (illegal_parameter)")                             \
    X(48, CERTIFICATE, "it does not trust the issuer of our certificate (unknown_ca)")             \
    X(49, REJECTED, "it denies access (access_denied)")                                            \
    X(50, PROTOCOL, "it could not read a message (decode_error)")                                  \
    X(51, PROTOCOL, "a signature or check did not hold (decrypt_error)")                           \
    X(70, VERSION, "it does not offer TLS 1.3, which FastNet needs (protocol_version)")            \
    X(71, PROTOCOL, "it demands stronger settings (insufficient_security)")                        \
    X(80, PROTOCOL, "it had an internal error (internal_error)")                                   \
    X(86, VERSION, "it refuses a fallback to an older version (inappropriate_fallback)")           \
    X(90, CANCELLED, "it was cancelled there (user_canceled)")                                     \
    X(109, PROTOCOL, "it misses an extension (missing_extension)")                                 \
    X(110, PROTOCOL, "it got an extension that it did not ask for (unsupported_extension)")        \
    X(112, CERTIFICATE, "it does not serve the name that was asked for (unrecognized_name)")       \
    X(113, CERTIFICATE, "it does not accept our certificate's status (bad_certificate_status)")    \
    X(115, PROTOCOL, "it does not know the key (unknown_psk_identity)")                            \
    X(116, CERTIFICATE, "it demands a certificate and got none (certificate_required)")            \
    X(120, PROTOCOL,                                                                               \
      "it does not speak the FastNet protocol on this port (no_application_protocol)")

enum { ALERT_CLOSE_NOTIFY = 0 };

static void fail_alert(fn_tls *tls, int alert)
{
    static const struct {
        int alert;
        int code;
        const char *text;
    } rows[] = {
#define X(alert, code, text) {(alert), FASTNET_ERR_##code, (text)},
        FN_TLS_ALERT_MAP(X)
#undef X
    };
    const char *peer = fn_tls_peer_word(tls);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].alert == alert) {
            fn_tls_fail(tls, rows[i].code, "the %s ended the TLS connection: %s", peer,
                        rows[i].text);
            return;
        }
    }
    fn_tls_fail(tls, FASTNET_ERR_PROTOCOL, "the %s ended the TLS connection with alert %d", peer,
                alert);
}

void fn_tls_observe(const SSL *ssl, int where, int value)
{
    int alert = value & 0xff;
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && alert != ALERT_CLOSE_NOTIFY)
        fail_alert(fn_tls_of(ssl), alert);
}

void fn_tls_observe_message(int sent, int version, int type, const void *bytes, size_t count,
                            SSL *ssl, void *unused)
{
    (void)version, (void)unused;
    bool handshake = type == SSL3_RT_HANDSHAKE && count > 0;
    fn_tls *tls = fn_tls_of(ssl);
    if (sent && handshake && *(const uint8_t *)bytes == SSL3_MT_CERTIFICATE_VERIFY)
        tls->signed_once = true;
    if (!sent && handshake && tls->done && ++tls->late_messages > FN_TLS_LATE_MESSAGES_MAX) {
        fn_tls_fail(tls, FASTNET_ERR_PROTOCOL, "the %s floods TLS with key updates or tickets",
                    fn_tls_peer_word(tls));
        (void)BIO_reset(tls->input); /* or OpenSSL would work through all that waits */
    }
}
