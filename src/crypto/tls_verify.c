#include "crypto/tls_internal.h"

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "crypto/x509.h"

#include <openssl/x509v3.h>

/* --- sentences --- */

static void fail_pin(fn_tls *tls, const uint8_t pin[FN_CERTIFICATE_PIN_BYTES])
{
    char text[FN_CERTIFICATE_PIN_TEXT_BYTES];
    fn_certificate_pin_format(pin, text);
    fn_tls_fail(tls, FASTNET_ERR_CERTIFICATE,
                "the %s's public key is none of the %u pinned: its pin is %s. Either somebody "
                "stands in between, or the key was changed and the pin is out of date",
                fn_tls_peer_word(tls), (unsigned)tls->context->pins_count, text);
}

static void fail_name(fn_tls *tls, X509 *certificate, const fn_certificate_info *leaf)
{
    fn_address wanted;
    char address[FN_ADDRESS_TEXT_BYTES];
    if (fn_address_parse_host(tls->server_name, &wanted) &&
        fn_x509_misplaced_address(certificate, &wanted, address)) {
        fn_tls_fail(tls, FASTNET_ERR_CERTIFICATE,
                    "the server's certificate carries %s as a host name (a DNS entry or the common "
                    "name) only: an address must stand in an IP entry (fastnet cert --name %s "
                    "makes one)",
                    address, address);
        return;
    }
    fn_tls_fail(tls, FASTNET_ERR_CERTIFICATE,
                "the server's certificate is for '%.200s', not for '%.64s': connect by a name "
                "that it carries, or make one that carries this (fastnet cert --name %.64s)",
                leaf->names, tls->server_name, tls->server_name);
}

static void fail_expired(fn_tls *tls, const fn_certificate_info *shown)
{
    char ended[FN_CERTIFICATE_TIME_TEXT_BYTES];
    fn_certificate_time_format(shown->not_after_unix_s, ended);
    fn_tls_fail(tls, FASTNET_ERR_CERTIFICATE,
                "the %s's certificate (%.128s) expired on %s: it must be renewed",
                fn_tls_peer_word(tls), shown->subject, ended);
}

static void fail_early(fn_tls *tls, const fn_certificate_info *shown)
{
    char begins[FN_CERTIFICATE_TIME_TEXT_BYTES];
    char now[FN_CERTIFICATE_TIME_TEXT_BYTES];
    fn_certificate_time_format(shown->not_before_unix_s, begins);
    fn_certificate_time_format(tls->unix_time_s, now);
    fn_tls_fail(tls, FASTNET_ERR_CERTIFICATE,
                "the %s's certificate (%.128s) is not yet valid: it begins on %s, and the clock "
                "here says %s",
                fn_tls_peer_word(tls), shown->subject, begins, now);
}

/* False: no certificate that is trusted here has this name. */
static bool fail_namesake(fn_tls *tls, X509_STORE_CTX *store, const X509_NAME *issuer,
                          const char *issuer_text, const fn_certificate_info *leaf)
{
    STACK_OF(X509) *namesakes = X509_STORE_CTX_get1_certs(store, issuer);
    bool found = sk_X509_num(namesakes) > 0;
    sk_X509_pop_free(namesakes, X509_free);
    if (found)
        fn_tls_fail(tls, FASTNET_ERR_CERTIFICATE,
                    "the %s's certificate (%.128s) is not trusted here: it was signed by another "
                    "'%.128s' than the trusted one (same name, other key). If that was made anew, "
                    "name its new certificate as the CA (FASTNET_CA_FILE)",
                    fn_tls_peer_word(tls), leaf->subject, issuer_text);
    return found;
}

static void fail_self_signed(fn_tls *tls, X509_STORE_CTX *store, X509 *certificate,
                             const fn_certificate_info *leaf)
{
    char pin[FN_CERTIFICATE_PIN_TEXT_BYTES];
    if (fail_namesake(tls, store, X509_get_subject_name(certificate), leaf->subject, leaf))
        return;
    fn_certificate_pin_format(leaf->pin, pin);
    fn_tls_fail(tls, FASTNET_ERR_CERTIFICATE,
                "the %s's certificate (%.128s) is self-signed and not trusted here: name its file "
                "as the CA (FASTNET_CA_FILE), or, if you know that the key is right, pin it: %s",
                fn_tls_peer_word(tls), leaf->subject, pin);
}

/*
 * `top` is where the chain ends: its issuer is not trusted, or it is a root that is not. Three
 * mistakes look alike to OpenSSL: the authority was made anew under its old name, the server sends
 * its own certificate without the intermediate, or nobody named the authority.
 */
static void fail_issuer(fn_tls *tls, X509_STORE_CTX *store, X509 *top,
                        const fn_certificate_info *leaf)
{
    const char *peer = fn_tls_peer_word(tls);
    fn_certificate_info shown;
    fn_x509_describe(top, &shown);
    if (fail_namesake(tls, store, X509_get_issuer_name(top), shown.issuer, leaf))
        return;
    if (sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) <= 1)
        fn_tls_fail(tls, FASTNET_ERR_CERTIFICATE,
                    "the %s's certificate (%.100s) was issued by '%.100s', which is not trusted "
                    "here, and it came without its issuer's: an intermediate must come from the %s "
                    "(its file must hold the full chain, fullchain.pem); a root must be named here "
                    "as the CA (FASTNET_CA_FILE)",
                    peer, leaf->subject, shown.issuer, peer);
    else
        fn_tls_fail(tls, FASTNET_ERR_CERTIFICATE,
                    "the %s's certificate (%.128s) was issued by '%.128s', which is not trusted "
                    "here: name that authority's certificate as the CA (FASTNET_CA_FILE)",
                    peer, leaf->subject, shown.issuer);
}

static void fail_other(fn_tls *tls, const fn_certificate_info *shown, int error)
{
    fn_tls_fail(tls, FASTNET_ERR_CERTIFICATE, "the %s's certificate (%.128s) is not acceptable: %s",
                fn_tls_peer_word(tls), shown->subject, X509_verify_cert_error_string(error));
}

static void explain(fn_tls *tls, X509_STORE_CTX *store)
{
    fn_certificate_info leaf = {.subject = ""};
    fn_certificate_info shown;
    X509 *first = X509_STORE_CTX_get0_cert(store);
    X509 *current = X509_STORE_CTX_get_current_cert(store);
    int error = X509_STORE_CTX_get_error(store);
    if (first != NULL)
        fn_x509_describe(first, &leaf);
    shown = leaf;
    if (current != NULL)
        fn_x509_describe(current, &shown);
    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        fail_name(tls, first, &leaf);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        fail_expired(tls, &shown);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        fail_early(tls, &shown);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        fail_self_signed(tls, store, first, &leaf);
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        fail_issuer(tls, store, current != NULL ? current : first, &leaf);
        break;
    default:
        fail_other(tls, &shown, error);
        break;
    }
}

/* --- decisions --- */

static bool verify_pins(fn_tls *tls, X509_STORE_CTX *store)
{
    const fn_tls_context *context = tls->context;
    uint8_t pin[FN_CERTIFICATE_PIN_BYTES];
    bool found = false;
    fn_x509_pin(X509_STORE_CTX_get0_cert(store), pin);
    for (size_t i = 0; i < context->pins_count; i++)
        found |= fn_bytes_equal_secret(pin, context->pins[i], sizeof pin);
    X509_STORE_CTX_set_error(store, found ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
    if (!found)
        fail_pin(tls, pin);
    return found;
}

static bool verify_chain(fn_tls *tls, X509_STORE_CTX *store)
{
    if (X509_verify_cert(store) == 1)
        return true;
    if (X509_STORE_CTX_get_error(store) == X509_V_OK)
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
    explain(tls, store);
    return false;
}

int fn_tls_verify(X509_STORE_CTX *store, void *unused)
{
    (void)unused;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    fn_tls *tls = fn_tls_of(ssl);
    switch (tls->context->trust) {
    case FN_TLS_TRUST_CHAIN:
        return verify_chain(tls, store);
    case FN_TLS_TRUST_PINS:
        return verify_pins(tls, store);
    case FN_TLS_TRUST_ANYBODY:
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    return 0;
}
