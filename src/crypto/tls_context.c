#include "crypto/tls_context.h"

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/tls_internal.h"
#include "crypto/x509.h"

#include <openssl/err.h>
#include <string.h>

enum {
    PEER_CHAIN_BYTES_MAX = 32 * 1024,
    TICKETS_PER_HANDSHAKE = 1,
};

/*
 * The client chooses which of these is used, so none may be dear: P-384 would cost a server 20
 * times as much as P-256, ffdhe milliseconds. Certificates are another matter: theirs may be on any
 * curve. OpenSSL refuses a whole list for one unknown name, and some FIPS providers know no X25519.
 */
static const char *const group_lists[] = {"X25519:P-256", "P-256"};

/* --- settings that all have --- */

static void write_key_log(const SSL *ssl, const char *line)
{
    fn_tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    context->key_log(context->key_log_user, line);
}

static bool set_groups(SSL_CTX *ssl)
{
    for (size_t i = 0; i < sizeof group_lists / sizeof group_lists[0]; i++)
        if (SSL_CTX_set1_groups_list(ssl, group_lists[i]) == 1)
            return true;
    return false;
}

static bool set_common(fn_tls_context *context)
{
    SSL_CTX *ssl = context->ssl;
    /* SSL_OP_ALLOW_NO_DHE_KEX stays off: a stolen ticket key then opens no recorded session. */
    SSL_CTX_clear_options(ssl, SSL_OP_ALLOW_NO_DHE_KEX);
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_cert_list(ssl, PEER_CHAIN_BYTES_MAX);
    SSL_CTX_set_info_callback(ssl, fn_tls_observe);
    SSL_CTX_set_msg_callback(ssl, fn_tls_observe_message);
    SSL_CTX_set_app_data(ssl, context);
    if (context->key_log != NULL)
        SSL_CTX_set_keylog_callback(ssl, write_key_log);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) &&
           SSL_CTX_set_max_early_data(ssl, 0) && SSL_CTX_set_recv_max_early_data(ssl, 0) &&
           set_groups(ssl);
}

static int set_alpn(fn_tls_context *context, const char *name, fn_failure *failure)
{
    const char *chosen = name != NULL ? name : FN_TLS_ALPN;
    size_t bytes = strlen(chosen);
    if (bytes == 0 || bytes > FN_TLS_ALPN_BYTES_MAX)
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "an ALPN name has 1 to 255 bytes");
    context->alpn[0] = (unsigned char)bytes;
    memcpy(context->alpn + 1, chosen, bytes);
    memcpy(context->alpn_text, chosen, bytes + 1);
    return FASTNET_OK;
}

/* --- trust --- */

static int load_ca(SSL_CTX *ssl, const fn_tls_trust *trust, fn_failure *failure)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    BIO *bio = fn_x509_pem_open(trust->ca_pem, trust->ca_pem_bytes);
    bool malformed = false;
    bool full = false;
    int loaded = 0;
    X509 *certificate;
    while (bio != NULL && !full &&
           (certificate = fn_x509_read_certificate(bio, &malformed)) != NULL) {
        full = X509_STORE_add_cert(store, certificate) != 1;
        loaded++;
        X509_free(certificate);
    }
    BIO_free(bio);
    if (full)
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for the CA certificates");
    if (malformed)
        return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                              "the CA file's PEM text is malformed (certificate %d of the file)",
                              loaded + 1);
    if (loaded == 0)
        return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                              "there is no PEM certificate in the CA file");
    /* Whoever names a certificate trusts it, whether or not it is a root. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return FASTNET_OK;
}

static int set_pins(fn_tls_context *context, const fn_tls_trust *trust, fn_failure *failure)
{
    if (trust->pins_count > FN_TLS_PINS_MAX || trust->pins == NULL)
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "there may be 1 to %d pins",
                              FN_TLS_PINS_MAX);
    context->trust = FN_TLS_TRUST_PINS;
    context->pins_count = trust->pins_count;
    memcpy(context->pins, trust->pins, trust->pins_count * FN_CERTIFICATE_PIN_BYTES);
    return FASTNET_OK;
}

static int set_roots(fn_tls_context *context, fn_failure *failure)
{
    if (SSL_CTX_set_default_verify_paths(context->ssl) == 1)
        return FASTNET_OK;
    return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                          "the system's root certificates cannot be loaded: %s", fn_x509_reason());
}

/* Binds session blobs to what they were verified by. */
static void digest_trust(fn_tls_context *context, const fn_tls_trust *trust)
{
    fn_hash hash;
    uint8_t kind = (uint8_t)context->trust;
    fn_hash_start(&hash);
    fn_hash_add(&hash, &kind, sizeof kind);
    fn_hash_add(&hash, context->alpn, 1u + context->alpn[0]);
    fn_hash_add(&hash, context->pins, context->pins_count * FN_CERTIFICATE_PIN_BYTES);
    if (context->trust == FN_TLS_TRUST_CHAIN && trust != NULL)
        fn_hash_add(&hash, trust->ca_pem, trust->ca_pem_bytes);
    fn_hash_finish(&hash, context->trust_digest);
}

static int set_trust(fn_tls_context *context, const fn_tls_trust *trust, fn_failure *failure)
{
    int code = FASTNET_OK;
    context->trust = FN_TLS_TRUST_CHAIN;
    if (trust != NULL && trust->pins_count > 0)
        code = set_pins(context, trust, failure);
    else if (trust != NULL && trust->ca_pem != NULL)
        code = load_ca(context->ssl, trust, failure);
    else
        code = set_roots(context, failure);
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context->ssl, fn_tls_verify, NULL);
    return code;
}

static void trust_anybody(fn_tls_context *context)
{
    context->trust = FN_TLS_TRUST_ANYBODY;
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(context->ssl, fn_tls_verify, NULL);
}

/* --- server and client --- */

static int set_server(fn_tls_context *context, const fn_tls_config *config, fn_failure *failure)
{
    static const unsigned char session_context[] = "fastnet";
    SSL_CTX_set_client_hello_cb(context->ssl, fn_tls_check_hello, NULL);
    SSL_CTX_set_alpn_select_cb(context->ssl, fn_tls_select_alpn, NULL);
    /* Tickets hold all state: a server keeps none for those who may never come back. */
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context->ssl, session_context, sizeof session_context - 1);
    SSL_CTX_set_num_tickets(context->ssl, TICKETS_PER_HANDSHAKE);
    if (config->identity == NULL)
        return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                              "a server needs a certificate and its private key");
    if (config->trust == NULL)
        trust_anybody(context);
    return config->trust != NULL ? set_trust(context, config->trust, failure) : FASTNET_OK;
}

static int set_client(fn_tls_context *context, const fn_tls_config *config, bool insecure,
                      fn_failure *failure)
{
    SSL_CTX_set_session_cache_mode(context->ssl,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context->ssl, fn_tls_keep_ticket);
    if (SSL_CTX_set_alpn_protos(context->ssl, context->alpn, 1u + context->alpn[0]) != 0)
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for a TLS context");
    if (insecure)
        trust_anybody(context);
    return insecure ? FASTNET_OK : set_trust(context, config->trust, failure);
}

static fn_tls_context *allocate(bool server, const fn_tls_config *config)
{
    fn_tls_context *context = OPENSSL_zalloc(sizeof *context);
    if (context == NULL)
        return NULL;
    atomic_init(&context->references, 1);
    context->server = server;
    context->key_log = config->key_log;
    context->key_log_user = config->key_log_user;
    context->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (context->ssl != NULL && set_common(context))
        return context;
    fn_tls_context_release(context);
    return NULL;
}

static fn_tls_context *create(bool server, bool insecure, const fn_tls_config *config,
                              fn_failure *failure)
{
    fn_failure_clear(failure);
    fn_tls_context *context = allocate(server, config);
    if (context == NULL) {
        fn_failure_set(failure, FASTNET_ERR_MEMORY, "OpenSSL made no TLS context: %s",
                       fn_x509_reason());
        return NULL;
    }
    int code = set_alpn(context, config->alpn, failure);
    if (code == FASTNET_OK)
        code = server ? set_server(context, config, failure)
                      : set_client(context, config, insecure, failure);
    if (code == FASTNET_OK && config->identity != NULL)
        code = fn_tls_identity_load(context->ssl, config->identity, failure);
    digest_trust(context, insecure ? NULL : config->trust);
    ERR_clear_error();
    if (code == FASTNET_OK)
        return context;
    fn_tls_context_release(context);
    return NULL;
}

fn_tls_context *fn_tls_context_create_server(const fn_tls_config *config, fn_failure *failure)
{
    return create(true, false, config, failure);
}

fn_tls_context *fn_tls_context_create_client(const fn_tls_config *config, fn_failure *failure)
{
    return create(false, false, config, failure);
}

fn_tls_context *fn_tls_context_create_client_insecure(const fn_tls_config *config,
                                                      fn_failure *failure)
{
    return create(false, true, config, failure);
}

fn_tls_context *fn_tls_context_retain(fn_tls_context *context)
{
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void fn_tls_context_release(fn_tls_context *context)
{
    if (context == NULL ||
        atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(context->ssl);
    OPENSSL_clear_free(context, sizeof *context);
}
