#include "crypto/tls_identity.h"

#include "base/address.h"
#include "base/result.h"
#include "crypto/tls_internal.h"
#include "crypto/x509.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

enum {
    RSA_BITS_MIN = 2048,
    RSA_BITS_SLOW = 3072, /* from here on a signature takes milliseconds */
    SECONDS_PER_DAY = 86400,
    SOON_DAYS = 14,
    GROUP_NAME_BYTES = 64,
};

/* --- keys --- */

/*
 * RFC 8446 section 4.2.3 has schemes for these curves and no others: whoever signs with another
 * finds no scheme in any ClientHello, and every handshake would fail.
 */
static const struct curve {
    const char *name; /* OpenSSL's */
    const char *shown;
    bool slow;
} curves[] = {
    {"prime256v1", "P-256", false},
    {"secp384r1", "P-384", true},
    {"secp521r1", "P-521", true},
};

static const struct curve *find_curve(const char *name)
{
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (strcmp(curves[i].name, name) == 0)
            return &curves[i];
    return NULL;
}

/* "" = explicit parameters, which TLS does not know. */
static void read_curve(const EVP_PKEY *key, char name[GROUP_NAME_BYTES])
{
    char encoding[GROUP_NAME_BYTES] = "";
    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof encoding,
                                   NULL);
    if (strcmp(encoding, OSSL_PKEY_EC_ENCODING_EXPLICIT) == 0 ||
        EVP_PKEY_get_group_name(key, name, GROUP_NAME_BYTES, NULL) != 1)
        name[0] = '\0';
}

static int check_curve(const EVP_PKEY *key, fn_failure *failure)
{
    char name[GROUP_NAME_BYTES];
    read_curve(key, name);
    if (find_curve(name) != NULL)
        return FASTNET_OK;
    return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                          "TLS 1.3 cannot use a key on this curve (%s): make one on P-256 (openssl "
                          "ecparam -genkey -noout -name prime256v1)",
                          name[0] != '\0' ? name : "explicit parameters");
}

static int check_key(const EVP_PKEY *key, fn_failure *failure)
{
    if (EVP_PKEY_is_a(key, "EC"))
        return check_curve(key, failure);
    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
        return FASTNET_OK;
    if (!EVP_PKEY_is_a(key, "RSA") && !EVP_PKEY_is_a(key, "RSA-PSS"))
        return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                              "TLS 1.3 cannot use a key of this kind (%s): make one on P-256",
                              EVP_PKEY_get0_type_name(key));
    if (EVP_PKEY_get_bits(key) >= RSA_BITS_MIN)
        return FASTNET_OK;
    return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                          "an RSA key of %d bits is too short: it needs %d, or make one on P-256",
                          EVP_PKEY_get_bits(key), RSA_BITS_MIN);
}

/* --- loading --- */

/* Puts the file's name before the sentence. */
static int name_part(fn_failure *failure, const char *what, const char *name, int code)
{
    if (code == FASTNET_OK || failure == NULL || name == NULL)
        return code;
    fn_failure plain = *failure;
    return fn_failure_set(failure, code, "%s '%.120s': %s", what, name, plain.text);
}

static int use_certificate(SSL_CTX *ssl, X509 *certificate, bool first, fn_failure *failure)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    int code = first && key != NULL ? check_key(key, failure) : FASTNET_OK;
    if (code != FASTNET_OK)
        return code;
    bool used = first ? SSL_CTX_use_certificate(ssl, certificate) == 1
                      : SSL_CTX_add1_chain_cert(ssl, certificate) == 1;
    if (used)
        return FASTNET_OK;
    return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE, "the certificate%s cannot be used: %s",
                          first ? "" : " chain", fn_x509_reason());
}

static int load_chain(SSL_CTX *ssl, const fn_tls_identity *identity, fn_failure *failure)
{
    BIO *bio = fn_x509_pem_open(identity->chain_pem, identity->chain_pem_bytes);
    bool malformed = false;
    int loaded = 0;
    int code = FASTNET_OK;
    X509 *certificate;
    while (code == FASTNET_OK && bio != NULL &&
           (certificate = fn_x509_read_certificate(bio, &malformed)) != NULL) {
        code = use_certificate(ssl, certificate, loaded++ == 0, failure);
        X509_free(certificate);
    }
    BIO_free(bio);
    if (code == FASTNET_OK && malformed)
        code = fn_failure_set(
            failure, FASTNET_ERR_CERTIFICATE,
            "the certificate's PEM text is malformed (certificate %d of the file)", loaded + 1);
    if (code == FASTNET_OK && loaded == 0)
        code = fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                              "there is no PEM certificate in the certificate file");
    return code;
}

/* Which certificate behind the first the key belongs to, counted from 1; 0 = none. */
static int find_owner(const SSL_CTX *ssl, const EVP_PKEY *key)
{
    STACK_OF(X509) *chain = NULL;
    SSL_CTX_get0_chain_certs((SSL_CTX *)ssl, &chain);
    for (int i = 0; i < sk_X509_num(chain); i++)
        if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(chain, i)), key) == 1)
            return i + 2;
    return 0;
}

static int fail_mismatch(const SSL_CTX *ssl, const EVP_PKEY *key, const fn_tls_identity *identity,
                         fn_failure *failure)
{
    int owner = find_owner(ssl, key);
    if (owner > 0) {
        fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                       "the certificates are in the wrong order: the one that the private key "
                       "belongs to is certificate %d of the file, and must come first, before "
                       "the intermediates that issued it",
                       owner);
        return name_part(failure, "certificate", identity->chain_name, FASTNET_ERR_CERTIFICATE);
    }
    fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                   "the private key does not belong to the certificate%s%.120s%s: they are from "
                   "different pairs",
                   identity->chain_name != NULL ? " '" : "",
                   identity->chain_name != NULL ? identity->chain_name : "",
                   identity->chain_name != NULL ? "'" : "");
    return name_part(failure, "private key", identity->key_name, FASTNET_ERR_CERTIFICATE);
}

static int load_key(SSL_CTX *ssl, const fn_tls_identity *identity, fn_failure *failure)
{
    EVP_PKEY *key = fn_x509_read_key(identity->key_pem, identity->key_pem_bytes, failure);
    int code = key != NULL ? FASTNET_OK : FASTNET_ERR_CERTIFICATE;
    if (key == NULL)
        return name_part(failure, "private key", identity->key_name, code);
    if (X509_check_private_key(SSL_CTX_get0_certificate(ssl), key) != 1) {
        code = fail_mismatch(ssl, key, identity, failure);
    } else if (SSL_CTX_use_PrivateKey(ssl, key) != 1 || SSL_CTX_check_private_key(ssl) != 1) {
        code = fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                              "the private key cannot be used: %s", fn_x509_reason());
        name_part(failure, "private key", identity->key_name, code);
    }
    EVP_PKEY_free(key);
    ERR_clear_error();
    return code;
}

int fn_tls_identity_load(SSL_CTX *ssl, const fn_tls_identity *identity, fn_failure *failure)
{
    int code = load_chain(ssl, identity, failure);
    if (code != FASTNET_OK)
        return name_part(failure, "certificate", identity->chain_name, code);
    return load_key(ssl, identity, failure);
}

/* --- remarks --- */

typedef struct review {
    X509 *leaf;
    const STACK_OF(X509) * intermediates;
    int64_t unix_time_s;
    fn_tls_remark remark;
    void *user;
} review;

static void say(const review *of, fn_tls_identity_part part, const fn_failure *sentence)
{
    of->remark(of->user, part, sentence->text);
}

static void review_key(const review *of)
{
    fn_failure sentence;
    char curve_name[GROUP_NAME_BYTES];
    const EVP_PKEY *key = X509_get0_pubkey(of->leaf);
    if (EVP_PKEY_is_a(key, "EC")) {
        read_curve(key, curve_name);
        const struct curve *curve = find_curve(curve_name);
        if (curve == NULL || !curve->slow)
            return;
        fn_failure_set(&sentence, FASTNET_OK,
                       "each handshake signs with this %s key, which takes 10 to 30 times as long "
                       "as with P-256: a crowd gets in more slowly; P-256 is as safe here",
                       curve->shown);
        say(of, FN_TLS_IDENTITY_KEY, &sentence);
    } else if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_BITS_SLOW) {
        fn_failure_set(&sentence, FASTNET_OK,
                       "each handshake signs with this RSA key of %d bits, which takes about 100 "
                       "times as long as with P-256: a crowd gets in more slowly",
                       EVP_PKEY_get_bits(key));
        say(of, FN_TLS_IDENTITY_KEY, &sentence);
    }
}

/* Soon: less than two weeks, and less than a third of its life, for some live only for days. */
static bool ends_soon(int64_t from_s, int64_t until_s, int64_t now_s)
{
    int64_t left_s = until_s - now_s;
    return left_s < (int64_t)SOON_DAYS * SECONDS_PER_DAY && left_s < (until_s - from_s) / 3;
}

static void review_dates(const review *of, X509 *certificate)
{
    fn_failure sentence;
    fn_certificate_info info;
    char when[FN_CERTIFICATE_TIME_TEXT_BYTES];
    fn_x509_describe(certificate, &info);
    int64_t until_s = info.not_after_unix_s;
    bool early = of->unix_time_s < info.not_before_unix_s;
    bool expired = of->unix_time_s > until_s;
    if (!early && !expired && !ends_soon(info.not_before_unix_s, until_s, of->unix_time_s))
        return;
    fn_certificate_time_format(early ? info.not_before_unix_s : until_s, when);
    fn_failure_set(&sentence, FASTNET_OK,
                   early     ? "%.128s is not valid before %s: clients refuse it unless they pin it"
                   : expired ? "%.128s expired on %s: clients refuse it unless they pin it"
                             : "%.128s expires on %s: renew it, and load it with "
                               "fastnet_certificate_reload()",
                   info.subject, when);
    say(of, FN_TLS_IDENTITY_CHAIN, &sentence);
}

/* Those of public authorities say where to fetch their issuer's, and that is never a root: whoever
 * installs cert.pem in place of fullchain.pem sends a chain that ends in the air. */
static void review_chain(const review *of)
{
    fn_failure sentence;
    if (sk_X509_num(of->intermediates) > 0 ||
        X509_get_ext_by_NID(of->leaf, NID_info_access, -1) < 0)
        return;
    fn_failure_set(&sentence, FASTNET_OK,
                   "the file holds the server's own certificate and no intermediate: clients that "
                   "do not know its issuer refuse it; name the full chain (fullchain.pem)");
    say(of, FN_TLS_IDENTITY_CHAIN, &sentence);
}

static void review_names(const review *of)
{
    fn_failure sentence;
    char address[FN_ADDRESS_TEXT_BYTES];
    if (!fn_x509_misplaced_address(of->leaf, NULL, address))
        return;
    fn_failure_set(&sentence, FASTNET_OK,
                   "the address %s stands among the host names (a DNS entry or the common name), "
                   "where no client looks for one: it needs an IP entry (fastnet cert --name %s)",
                   address, address);
    say(of, FN_TLS_IDENTITY_CHAIN, &sentence);
}

void fn_tls_identity_review(const fn_tls_context *context, int64_t unix_time_s,
                            fn_tls_remark remark, void *user)
{
    STACK_OF(X509) *intermediates = NULL;
    X509 *leaf = SSL_CTX_get0_certificate(context->ssl);
    if (leaf == NULL)
        return;
    SSL_CTX_get0_chain_certs(context->ssl, &intermediates);
    const review of = {leaf, intermediates, unix_time_s, remark, user};
    review_key(&of);
    review_dates(&of, leaf);
    for (int i = 0; i < sk_X509_num(intermediates); i++)
        review_dates(&of, sk_X509_value(intermediates, i));
    review_chain(&of);
    review_names(&of);
    ERR_clear_error();
}
