#include "crypto/certificate.h"

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/text.h"
#include "crypto/x509.h"

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

enum {
    COMMON_NAME_BYTES_MAX = 64, /* RFC 5280 appendix A, ub-common-name */
    DNS_NAME_BYTES_MAX = 253,
    DNS_LABEL_BYTES_MAX = 63,
    SERIAL_BITS = 127,
};

static const int64_t year_10000_unix_s = INT64_C(253402300800);

/* --- checks --- */

static bool dns_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static bool dns_name_valid(const char *name)
{
    size_t label_bytes = 0;
    size_t bytes = strlen(name);
    if (bytes == 0 || bytes > DNS_NAME_BYTES_MAX)
        return false;
    if (strncmp(name, "*.", 2) == 0)
        name += 2;
    for (; *name != '\0'; name++) {
        if (*name == '.' && label_bytes == 0)
            return false;
        if (*name != '.' && !dns_character(*name))
            return false;
        label_bytes = *name == '.' ? 0 : label_bytes + 1;
        if (label_bytes > DNS_LABEL_BYTES_MAX)
            return false;
    }
    return label_bytes > 0;
}

static int check_request(const fn_certificate_request *request, fn_failure *failure)
{
    if (request->common_name == NULL || request->common_name[0] == '\0' ||
        strlen(request->common_name) > COMMON_NAME_BYTES_MAX)
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "the common name must have 1 to %d characters",
                              COMMON_NAME_BYTES_MAX);
    if (request->not_before_unix_s < 0 || request->not_after_unix_s >= year_10000_unix_s ||
        request->not_before_unix_s >= request->not_after_unix_s)
        return fn_failure_set(
            failure, FASTNET_ERR_ARGUMENT,
            "the period of validity is empty, or not within the years 1970 to 9999");
    for (size_t i = 0; i < request->names_count; i++) {
        fn_address address;
        const char *name = request->names[i];
        if (!fn_address_parse_host(name, &address) && !dns_name_valid(name))
            return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                                  "'%.64s' is neither a host name nor an IP address", name);
    }
    return FASTNET_OK;
}

/* --- the parts of a certificate --- */

static EVP_PKEY *make_key(fn_certificate_key_kind kind)
{
    switch (kind) {
    case FN_CERTIFICATE_KEY_P256:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    case FN_CERTIFICATE_KEY_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case FN_CERTIFICATE_KEY_RSA_2048:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    case FN_CERTIFICATE_KEY_RSA_4096:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
    case FN_CERTIFICATE_KEY_P384:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    case FN_CERTIFICATE_KEY_P521:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
    case FN_CERTIFICATE_KEY_SECP256K1:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1");
    }
    return NULL;
}

static bool set_serial(X509 *certificate)
{
    BIGNUM *serial = BN_new();
    bool ok = serial != NULL && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != NULL;
    BN_free(serial);
    return ok;
}

static bool set_common_name(X509 *certificate, const char *name)
{
    return X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                      MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1;
}

static GENERAL_NAME *make_general_name(const char *name)
{
    fn_address address;
    bool numeric = fn_address_parse_host(name, &address);
    bool v4 = numeric && fn_address_is_v4(&address);
    const void *bytes = numeric ? (const void *)(v4 ? address.ip + 12 : address.ip) : name;
    size_t count = !numeric ? strlen(name) : v4 ? 4 : 16;
    ASN1_STRING *value = ASN1_STRING_type_new(numeric ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    GENERAL_NAME *made = GENERAL_NAME_new();
    if (value == NULL || made == NULL || ASN1_STRING_set(value, bytes, (int)count) != 1) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(made);
        return NULL;
    }
    GENERAL_NAME_set0_value(made, numeric ? GEN_IPADD : GEN_DNS, value);
    return made;
}

/* Built from values, never from a text such as "DNS:a,DNS:b": a comma in a name adds no other. */
static bool add_names(X509 *certificate, const fn_certificate_request *request)
{
    if (request->names_count == 0)
        return true;
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < request->names_count; i++) {
        GENERAL_NAME *name = make_general_name(request->names[i]);
        ok = name != NULL && sk_GENERAL_NAME_push(names, name) > 0;
        if (!ok)
            GENERAL_NAME_free(name);
    }
    ok = ok && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return ok;
}

typedef struct extension {
    int nid;
    const char *value;
} extension;

static const extension leaf_extensions[] = {
    {NID_basic_constraints, "critical,CA:FALSE"}, {NID_key_usage, "critical,digitalSignature"},
    {NID_ext_key_usage, "serverAuth,clientAuth"}, {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid"},      {NID_undef, NULL},
};

static const extension authority_extensions[] = {
    {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
    {NID_key_usage, "critical,keyCertSign,cRLSign"},
    {NID_subject_key_identifier, "hash"},
    {NID_undef, NULL},
};

static const extension plain_extensions[] = {
    {NID_subject_key_identifier, "hash"},
    {NID_authority_key_identifier, "keyid"},
    {NID_basic_constraints, "critical,CA:TRUE"},
    {NID_undef, NULL},
};

static const extension *const extensions_of_role[] = {
    [FN_CERTIFICATE_LEAF] = leaf_extensions,
    [FN_CERTIFICATE_AUTHORITY] = authority_extensions,
    [FN_CERTIFICATE_PLAIN] = plain_extensions,
};

static bool add_extensions(X509 *certificate, X509 *issuer, fn_certificate_role role)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    for (const extension *row = extensions_of_role[role]; row->value != NULL; row++) {
        X509_EXTENSION *made = X509V3_EXT_nconf_nid(NULL, &context, row->nid, row->value);
        bool ok = made != NULL && X509_add_ext(certificate, made, -1) == 1;
        X509_EXTENSION_free(made);
        if (!ok)
            return false;
    }
    return true;
}

static bool fill(X509 *certificate, EVP_PKEY *key, X509 *issuer,
                 const fn_certificate_request *request)
{
    return X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)request->not_before_unix_s) &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)request->not_after_unix_s) &&
           set_common_name(certificate, request->common_name) &&
           X509_set_pubkey(certificate, key) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) &&
           add_names(certificate, request) && add_extensions(certificate, issuer, request->role);
}

static bool sign(X509 *certificate, EVP_PKEY *key)
{
    const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
    return X509_sign(certificate, key, digest) > 0;
}

/* --- PEM out --- */

static bool take_text(BIO *bio, char *out, size_t capacity, size_t *length)
{
    char *text = NULL;
    long bytes = BIO_get_mem_data(bio, &text);
    if (bytes <= 0 || (size_t)bytes >= capacity)
        return false;
    memcpy(out, text, (size_t)bytes);
    out[bytes] = '\0';
    *length = (size_t)bytes;
    return true;
}

static int write_pem(X509 *certificate, EVP_PKEY *key, fn_certificate_pem *out, fn_failure *failure)
{
    BIO *certificate_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_secmem()); /* erased when freed */
    int code = FASTNET_OK;
    if (certificate_bio == NULL || key_bio == NULL ||
        !PEM_write_bio_X509(certificate_bio, certificate) ||
        (key != NULL && !PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL)))
        code = fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory to write a certificate");
    else if (!take_text(certificate_bio, out->certificate, sizeof out->certificate,
                        &out->certificate_bytes) ||
             (key != NULL && !take_text(key_bio, out->key, sizeof out->key, &out->key_bytes)))
        code = fn_failure_set(failure, FASTNET_ERR_TOO_LARGE,
                              "the certificate would be larger than %d bytes: give it fewer names",
                              FN_CERTIFICATE_PEM_BYTES_MAX);
    BIO_free(certificate_bio);
    BIO_free(key_bio);
    return code;
}

/* --- making --- */

typedef struct issuer {
    X509 *certificate;
    EVP_PKEY *key;
} issuer;

static void issuer_free(issuer *from)
{
    X509_free(from->certificate);
    EVP_PKEY_free(from->key);
}

static int issuer_read(const fn_certificate_pem *pem, issuer *out, fn_failure *failure)
{
    BIO *bio = fn_x509_pem_open(pem->certificate, pem->certificate_bytes);
    bool malformed = false;
    out->key = NULL;
    out->certificate = bio != NULL ? fn_x509_read_certificate(bio, &malformed) : NULL;
    BIO_free(bio);
    if (out->certificate == NULL)
        return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                              "the CA's certificate is missing or malformed");
    out->key = fn_x509_read_key(pem->key, pem->key_bytes, failure);
    if (out->key == NULL)
        return FASTNET_ERR_CERTIFICATE;
    if (X509_check_private_key(out->certificate, out->key) != 1)
        return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                              "the CA's private key does not belong to the CA's certificate (%s)",
                              fn_x509_reason());
    return FASTNET_OK;
}

static int make(const fn_certificate_request *request, const issuer *from, fn_certificate_pem *out,
                fn_failure *failure)
{
    bool given = request->key_pem != NULL;
    EVP_PKEY *key = given ? fn_x509_read_key(request->key_pem, request->key_pem_bytes, failure)
                          : make_key(request->key_kind);
    if (key == NULL && given)
        return FASTNET_ERR_CERTIFICATE;
    X509 *certificate = X509_new();
    bool self_signed = from->certificate == NULL;
    int code;
    if (key == NULL || certificate == NULL ||
        !fill(certificate, key, self_signed ? certificate : from->certificate, request) ||
        !sign(certificate, self_signed ? key : from->key))
        code = fn_failure_set(failure, FASTNET_ERR_MEMORY, "the certificate could not be made: %s",
                              fn_x509_reason());
    else
        code = write_pem(certificate, given ? NULL : key, out, failure);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return code;
}

int fn_certificate_create(const fn_certificate_request *request,
                          const fn_certificate_pem *issuer_pem, fn_certificate_pem *out,
                          fn_failure *failure)
{
    issuer from = {NULL, NULL};
    fn_failure_clear(failure);
    int code = check_request(request, failure);
    if (code == FASTNET_OK && issuer_pem != NULL)
        code = issuer_read(issuer_pem, &from, failure);
    if (code == FASTNET_OK)
        code = make(request, &from, out, failure);
    issuer_free(&from);
    return code;
}

void fn_certificate_wipe(fn_certificate_pem *pem)
{
    fn_bytes_wipe(pem, sizeof *pem);
}

/* --- reading --- */

int fn_certificate_read(const void *pem, size_t pem_bytes, fn_certificate_info *out,
                        fn_failure *failure)
{
    fn_failure_clear(failure);
    BIO *bio = fn_x509_pem_open(pem, pem_bytes);
    bool malformed = false;
    X509 *certificate = bio != NULL ? fn_x509_read_certificate(bio, &malformed) : NULL;
    BIO_free(bio);
    if (certificate == NULL)
        return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                              malformed ? "the certificate's PEM text is malformed"
                                        : "there is no PEM certificate in it");
    fn_x509_describe(certificate, out);
    X509_free(certificate);
    return FASTNET_OK;
}

static const char pin_prefix[] = "sha256:";

uint32_t fn_certificate_count(const void *pem, size_t pem_bytes)
{
    uint32_t count = 0;
    bool malformed = false;
    BIO *bio = fn_x509_pem_open(pem, pem_bytes);
    X509 *certificate;
    while (bio != NULL && (certificate = fn_x509_read_certificate(bio, &malformed)) != NULL) {
        X509_free(certificate);
        count++;
    }
    BIO_free(bio);
    return count;
}

void fn_certificate_pin_format(const uint8_t pin[FN_CERTIFICATE_PIN_BYTES],
                               char out[FN_CERTIFICATE_PIN_TEXT_BYTES])
{
    fn_text text = fn_text_make(out, FN_CERTIFICATE_PIN_TEXT_BYTES);
    fn_text_add(&text, pin_prefix);
    fn_text_add_hex_bytes(&text, pin, FN_CERTIFICATE_PIN_BYTES);
}

bool fn_certificate_pin_parse(const char *text, uint8_t out[FN_CERTIFICATE_PIN_BYTES])
{
    uint8_t pin[FN_CERTIFICATE_PIN_BYTES];
    if (strncmp(text, pin_prefix, sizeof pin_prefix - 1) == 0)
        text += sizeof pin_prefix - 1;
    if (strlen(text) != 2 * sizeof pin)
        return false;
    for (size_t i = 0; i < sizeof pin; i++) {
        int high = fn_text_hex_value(text[2 * i]);
        int low = fn_text_hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        pin[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(out, pin, sizeof pin);
    return true;
}

void fn_certificate_time_format(int64_t unix_s, char out[FN_CERTIFICATE_TIME_TEXT_BYTES])
{
    struct tm parts;
    time_t seconds = (time_t)unix_s;
    if (OPENSSL_gmtime(&seconds, &parts) == NULL)
        memset(&parts, 0, sizeof parts);
    BIO_snprintf(out, FN_CERTIFICATE_TIME_TEXT_BYTES, "%04d-%02d-%02d %02d:%02d:%02d UTC",
                 parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                 parts.tm_sec);
}
