#include "crypto/tls.h"

#include "base/address.h"
#include "base/result.h"
#include "crypto/tls_internal.h"
#include "crypto/x509.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* --- creation --- */

/* The name goes into verification, and when it is no address into the hello (SNI) as well. */
static bool set_name(fn_tls *tls)
{
    X509_VERIFY_PARAM *parameters = SSL_get0_param(tls->ssl);
    fn_address address;
    char scope[FN_INTERFACE_NAME_BYTES]; /* no certificate knows it */
    if (tls->server_name[0] == '\0')
        return true;
    if (fn_address_parse_named(tls->server_name, &address, scope)) {
        bool v4 = fn_address_is_v4(&address);
        return X509_VERIFY_PARAM_set1_ip(parameters, v4 ? address.ip + 12 : address.ip,
                                         v4 ? 4 : 16) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(parameters, tls->server_name, 0) == 1 &&
           SSL_set_tlsext_host_name(tls->ssl, tls->server_name) == 1;
}

static int take_name(fn_tls *tls, const char *name, fn_failure *failure)
{
    bool needed = !tls->context->server && tls->context->trust == FN_TLS_TRUST_CHAIN;
    size_t bytes = name != NULL && !tls->context->server ? strlen(name) : 0;
    if (bytes > 1 && name[bytes - 1] == '.')
        bytes--; /* "example.com." is how DNS writes example.com; certificates do not */
    /* To OpenSSL that means every name below the domain: whoever owns one would pass for all. */
    if (bytes > 1 && name[0] == '.')
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "the server's name begins with a dot");
    if (bytes > FN_TLS_NAME_BYTES_MAX)
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "the server's name is longer than %d characters",
                              FN_TLS_NAME_BYTES_MAX);
    if (bytes == 0 && needed)
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "without a server name a certificate cannot be verified");
    if (bytes > 0)
        memcpy(tls->server_name, name, bytes);
    return FASTNET_OK;
}

static bool set_up(fn_tls *tls, fn_tls_context *context)
{
    tls->ssl = SSL_new(context->ssl);
    tls->input = BIO_new(BIO_s_mem());
    tls->output = BIO_new(BIO_s_mem());
    if (tls->ssl == NULL || tls->input == NULL || tls->output == NULL) {
        BIO_free(tls->input);
        BIO_free(tls->output);
        return false;
    }
    BIO_set_mem_eof_return(tls->input, -1); /* empty means later, not the end */
    BIO_set_mem_eof_return(tls->output, -1);
    SSL_set_bio(tls->ssl, tls->input, tls->output);
    SSL_set_app_data(tls->ssl, tls);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(tls->ssl), (time_t)tls->unix_time_s);
    if (context->server)
        SSL_set_accept_state(tls->ssl);
    else
        SSL_set_connect_state(tls->ssl);
    return set_name(tls);
}

fn_tls *fn_tls_create(fn_tls_context *context, const fn_tls_options *options, fn_failure *failure)
{
    fn_failure_clear(failure);
    fn_tls *tls = OPENSSL_zalloc(sizeof *tls);
    if (tls == NULL) {
        fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for a TLS connection");
        return NULL;
    }
    tls->context = fn_tls_context_retain(context);
    tls->unix_time_s = options->unix_time_s;
    int code = take_name(tls, options->server_name, failure);
    if (code == FASTNET_OK && !set_up(tls, context))
        code = fn_failure_set(failure, FASTNET_ERR_MEMORY, "OpenSSL made no TLS connection: %s",
                              fn_x509_reason());
    if (code != FASTNET_OK) {
        fn_tls_destroy(tls);
        return NULL;
    }
    if (!context->server && options->session != NULL)
        fn_tls_offer_session(tls, options->session, options->session_bytes);
    return tls;
}

void fn_tls_destroy(fn_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    SSL_SESSION_free(tls->ticket);
    fn_tls_context_release(tls->context);
    OPENSSL_clear_free(tls, sizeof *tls);
}

/* --- failures --- */

static int fail_reason(fn_tls *tls, int reason)
{
    const char *peer = fn_tls_peer_word(tls);
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW:
        return fn_tls_fail(tls, FASTNET_ERR_VERSION,
                           "the %s offers only TLS versions below 1.3; FastNet needs TLS 1.3",
                           peer);
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return fn_tls_fail(tls, FASTNET_ERR_PROTOCOL,
                           "the %s does not speak TLS on this port, or its bytes were damaged",
                           peer);
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_BAD_RECORD_TYPE:
        return fn_tls_fail(tls, FASTNET_ERR_PROTOCOL,
                           "TLS bytes from the %s were damaged or forged on the way", peer);
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_BAD_KEY_SHARE:
        return fn_tls_fail(tls, FASTNET_ERR_PROTOCOL,
                           "the %s exchanges keys neither by X25519 nor by P-256", peer);
    default:
        return FASTNET_OK;
    }
}

/* A failed TLS call left its reason in OpenSSL's queue; the callbacks may have said more before. */
static int fail_from_queue(fn_tls *tls)
{
    int code = fail_reason(tls, ERR_GET_REASON(ERR_peek_last_error()));
    if (code == FASTNET_OK)
        code = fn_tls_fail(tls, FASTNET_ERR_PROTOCOL, "TLS with the %s failed: %s",
                           fn_tls_peer_word(tls), fn_x509_reason());
    ERR_clear_error();
    return code;
}

static int fail_closed(fn_tls *tls)
{
    return fn_tls_fail(tls, FASTNET_ERR_CLOSED, "the %s closed the TLS connection%s",
                       fn_tls_peer_word(tls), tls->done ? "" : " during the handshake");
}

static int wait_for_input(fn_tls *tls)
{
    if (!tls->input_ended || tls->failure.code != FASTNET_OK)
        return tls->failure.code;
    return fn_tls_fail(tls, FASTNET_ERR_CLOSED,
                       tls->done ? "the TCP connection to the %s broke off without a TLS goodbye"
                                 : "the %s closed the TCP connection during the TLS handshake",
                       fn_tls_peer_word(tls));
}

/* OK when the call only needs more input. */
static int judge(fn_tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        ERR_clear_error();
        return wait_for_input(tls);
    case SSL_ERROR_ZERO_RETURN:
        ERR_clear_error();
        return fail_closed(tls);
    default:
        return fail_from_queue(tls);
    }
}

/* --- handshake --- */

int fn_tls_receive(fn_tls *tls, const uint8_t *bytes, size_t bytes_count, size_t *consumed)
{
    *consumed = 0;
    if (tls->failure.code != FASTNET_OK)
        return tls->failure.code;
    size_t waiting = BIO_ctrl_pending(tls->input);
    size_t room = waiting < FN_TLS_INPUT_BYTES_MAX ? FN_TLS_INPUT_BYTES_MAX - waiting : 0;
    size_t taken = bytes_count < room ? bytes_count : room;
    if (taken == 0)
        return FASTNET_OK;
    if (BIO_write_ex(tls->input, bytes, taken, consumed) != 1)
        return fn_tls_fail(tls, FASTNET_ERR_MEMORY, "no memory to receive TLS bytes");
    tls->unprocessed = true;
    return FASTNET_OK;
}

void fn_tls_receive_end(fn_tls *tls)
{
    tls->input_ended = true;
    tls->unprocessed = true;
}

bool fn_tls_may_sign(const fn_tls *tls)
{
    return tls->context->server && !tls->done && !tls->signed_once && tls->unprocessed &&
           tls->failure.code == FASTNET_OK;
}

static int finish_handshake(fn_tls *tls)
{
    const unsigned char *name = NULL;
    unsigned bytes = 0;
    const unsigned char *ours = tls->context->alpn;
    SSL_get0_alpn_selected(tls->ssl, &name, &bytes);
    if (bytes != ours[0] || memcmp(name, ours + 1, bytes) != 0)
        return fn_tls_fail(tls, FASTNET_ERR_PROTOCOL,
                           "the %s did not agree to the application protocol (ALPN) %s: it speaks "
                           "TLS, but not FastNet",
                           fn_tls_peer_word(tls), tls->context->alpn_text);
    /* Not before: it erases 17 KiB whenever a buffer is given back, and TLS's own messages are no
     * secrets. The buffer that holds the first HELLO is given back after this. */
    SSL_set_options(tls->ssl, SSL_OP_CLEANSE_PLAINTEXT);
    tls->done = true;
    return FASTNET_OK;
}

int fn_tls_step(fn_tls *tls, bool *key_operation)
{
    bool signed_before = tls->signed_once;
    int code = tls->failure.code;
    if (key_operation != NULL)
        *key_operation = false;
    if (code != FASTNET_OK || tls->done)
        return code;
    tls->unprocessed = false;
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    code = result == 1 ? finish_handshake(tls) : judge(tls, result);
    if (key_operation != NULL)
        *key_operation = tls->signed_once && !signed_before;
    return code;
}

bool fn_tls_handshake_done(const fn_tls *tls)
{
    return tls->done;
}

/* --- plain text --- */

int fn_tls_read(fn_tls *tls, uint8_t *out, size_t out_capacity, size_t *read_bytes)
{
    *read_bytes = 0;
    if (tls->failure.code != FASTNET_OK)
        return tls->failure.code;
    if (!tls->done)
        return FASTNET_ERR_STATE;
    if (out_capacity == 0)
        return FASTNET_OK;
    ERR_clear_error();
    int result = SSL_read_ex(tls->ssl, out, out_capacity, read_bytes);
    return result == 1 ? FASTNET_OK : judge(tls, result);
}

int fn_tls_write(fn_tls *tls, const uint8_t *bytes, size_t bytes_count, size_t *written_bytes)
{
    *written_bytes = 0;
    if (tls->failure.code != FASTNET_OK)
        return tls->failure.code;
    if (!tls->done || tls->close_sent)
        return FASTNET_ERR_STATE;
    while (*written_bytes < bytes_count) {
        size_t waiting = fn_tls_pending_output(tls);
        if (waiting >= FN_TLS_OUTPUT_BYTES_MAX)
            break;
        size_t room = FN_TLS_OUTPUT_BYTES_MAX - waiting;
        size_t left = bytes_count - *written_bytes;
        size_t written = 0;
        ERR_clear_error();
        int result =
            SSL_write_ex(tls->ssl, bytes + *written_bytes, left < room ? left : room, &written);
        if (result != 1)
            return judge(tls, result);
        *written_bytes += written;
    }
    return FASTNET_OK;
}

/* --- cipher text out --- */

size_t fn_tls_transmit(fn_tls *tls, uint8_t *out, size_t out_capacity)
{
    size_t taken = 0;
    if (out_capacity == 0 || BIO_read_ex(tls->output, out, out_capacity, &taken) != 1)
        return 0;
    return taken;
}

size_t fn_tls_pending_output(const fn_tls *tls)
{
    return BIO_ctrl_pending(tls->output);
}

void fn_tls_close(fn_tls *tls)
{
    if (!tls->done || tls->close_sent)
        return;
    tls->close_sent = true;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

/* --- questions --- */

int fn_tls_export(fn_tls *tls, const char *label, const uint8_t *context, size_t context_bytes,
                  uint8_t out[FN_TLS_EXPORT_BYTES])
{
    if (!tls->done)
        return FASTNET_ERR_STATE;
    ERR_clear_error();
    if (SSL_export_keying_material(tls->ssl, out, FN_TLS_EXPORT_BYTES, label, strlen(label),
                                   context, context_bytes, 1) == 1)
        return FASTNET_OK;
    return fail_from_queue(tls);
}

int fn_tls_describe(fn_tls *tls, fn_tls_info *out)
{
    memset(out, 0, sizeof *out);
    if (!tls->done)
        return FASTNET_ERR_STATE;
    X509 *peer = SSL_get0_peer_certificate(tls->ssl);
    out->resumed = SSL_session_reused(tls->ssl) == 1;
    out->alpn = tls->context->alpn_text;
    out->cipher = SSL_get_cipher_name(tls->ssl);
    out->peer_certified = peer != NULL;
    if (peer != NULL)
        fn_x509_describe(peer, &out->peer);
    return FASTNET_OK;
}
