#include "crypto/x509.h"

#include "base/address.h"
#include "base/result.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string.h>

enum { PEM_BYTES_MAX = 1 << 30, SECONDS_PER_DAY = 86400 };

BIO *fn_x509_pem_open(const void *pem, size_t pem_bytes)
{
    if (pem == NULL || pem_bytes == 0 || pem_bytes > PEM_BYTES_MAX)
        return NULL;
    return BIO_new_mem_buf(pem, (int)pem_bytes);
}

/* Without this OpenSSL would ask for a password on the terminal and wait. */
static int no_password(char *buffer, int size, int writing, void *user)
{
    (void)buffer, (void)size, (void)writing, (void)user;
    return -1;
}

X509 *fn_x509_read_certificate(BIO *pem, bool *malformed)
{
    ERR_clear_error();
    X509 *certificate = PEM_read_bio_X509(pem, NULL, no_password, NULL);
    unsigned long error = ERR_peek_last_error();
    *malformed = certificate == NULL && !(ERR_GET_LIB(error) == ERR_LIB_PEM &&
                                          ERR_GET_REASON(error) == PEM_R_NO_START_LINE);
    ERR_clear_error();
    return certificate;
}

static bool contains(const void *bytes, size_t count, const char *word)
{
    size_t word_bytes = strlen(word);
    for (size_t at = 0; at + word_bytes <= count; at++) {
        if (memcmp((const char *)bytes + at, word, word_bytes) == 0)
            return true;
    }
    return false;
}

EVP_PKEY *fn_x509_read_key(const void *pem, size_t pem_bytes, fn_failure *failure)
{
    BIO *bio = fn_x509_pem_open(pem, pem_bytes);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (key != NULL)
        return key;
    if (bio != NULL && contains(pem, pem_bytes, "ENCRYPTED"))
        fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                       "the private key is protected by a password: store it without one "
                       "(openssl pkey -in key.pem -out plain.pem)");
    else
        fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                       "the private key is not a PEM private key");
    return NULL;
}

void fn_x509_pin(X509 *certificate, uint8_t out[FN_CERTIFICATE_PIN_BYTES])
{
    unsigned char *der = NULL;
    int der_bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    fn_hash_once(der, der_bytes > 0 ? (size_t)der_bytes : 0, out);
    OPENSSL_free(der);
}

int64_t fn_x509_time(const ASN1_TIME *time)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;
    bool known = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    return known ? (int64_t)days * SECONDS_PER_DAY + seconds : 0;
}

static void describe_name(const X509_NAME *name, char *out, size_t out_bytes)
{
    out[0] = '\0';
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL)
        return;
    /* Escapes control characters and all above ASCII: a subject is whatever its maker wrote. */
    unsigned long flags = ASN1_STRFLGS_RFC2253 | XN_FLAG_SEP_COMMA_PLUS | XN_FLAG_FN_SN;
    X509_NAME_print_ex(bio, name, 0, flags);
    int length = BIO_read(bio, out, (int)out_bytes - 1);
    out[length > 0 ? length : 0] = '\0';
    BIO_free(bio);
}

static void add_separator(fn_text *text)
{
    if (text->length > 0)
        fn_text_add(text, ", ");
}

static void add_address(fn_text *text, const ASN1_OCTET_STRING *octets)
{
    const uint8_t *bytes = ASN1_STRING_get0_data(octets);
    int count = ASN1_STRING_length(octets);
    char host[FN_ADDRESS_TEXT_BYTES];
    fn_address address;
    if (count == 4)
        address = fn_address_from_ipv4(bytes, 0);
    else if (count == 16)
        address = fn_address_from_ipv6(bytes, 0, 0);
    else
        return;
    fn_address_format_host(&address, host);
    add_separator(text);
    fn_text_add(text, host);
}

static void add_string(fn_text *text, const ASN1_STRING *string)
{
    add_separator(text);
    fn_text_add_quoted(text, ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

static void add_alternative_names(fn_text *text, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            add_string(text, name->d.dNSName);
        else if (name->type == GEN_IPADD)
            add_address(text, name->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
}

static void add_common_name(fn_text *text, const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0)
        add_string(text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

/* --- addresses among host names --- */

static bool string_is_address(const ASN1_STRING *string, fn_address *out)
{
    char text[FN_ADDRESS_TEXT_BYTES];
    size_t bytes = (size_t)ASN1_STRING_length(string);
    if (bytes == 0 || bytes >= sizeof text)
        return false;
    memcpy(text, ASN1_STRING_get0_data(string), bytes);
    text[bytes] = '\0';
    return strlen(text) == bytes && fn_address_parse_host(text, out);
}

static bool has_address_entry(X509 *certificate, const fn_address *address)
{
    bool v4 = fn_address_is_v4(address);
    return X509_check_ip(certificate, v4 ? address->ip + 12 : address->ip, v4 ? 4 : 16, 0) == 1;
}

static bool is_misplaced(X509 *certificate, const ASN1_STRING *string, const fn_address *wanted,
                         char out[FN_ADDRESS_TEXT_BYTES])
{
    fn_address found;
    if (!string_is_address(string, &found) || has_address_entry(certificate, &found) ||
        (wanted != NULL && memcmp(found.ip, wanted->ip, sizeof found.ip) != 0))
        return false;
    fn_address_format_host(&found, out);
    return true;
}

bool fn_x509_misplaced_address(X509 *certificate, const fn_address *wanted,
                               char out[FN_ADDRESS_TEXT_BYTES])
{
    bool found = false;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        found = name->type == GEN_DNS && is_misplaced(certificate, name->d.dNSName, wanted, out);
    }
    GENERAL_NAMES_free(names);
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (!found && at >= 0)
        found = is_misplaced(
            certificate, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), wanted, out);
    ERR_clear_error();
    return found;
}

/* --- describing --- */

static void describe_key(const X509 *certificate, char out[FN_CERTIFICATE_KEY_BYTES])
{
    fn_text text = fn_text_make(out, FN_CERTIFICATE_KEY_BYTES);
    char group[FN_CERTIFICATE_KEY_BYTES];
    const EVP_PKEY *key = X509_get0_pubkey(certificate);
    const char *kind = key != NULL ? EVP_PKEY_get0_type_name(key) : NULL;
    fn_text_add(&text, kind != NULL ? kind : "unknown");
    if (key != NULL && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1) {
        fn_text_add(&text, " ");
        fn_text_add(&text, strcmp(group, "prime256v1") == 0 ? "P-256" : group);
    } else if (key != NULL && EVP_PKEY_is_a(key, "RSA")) {
        fn_text_add(&text, " ");
        fn_text_add_u64(&text, (uint64_t)EVP_PKEY_get_bits(key));
    }
}

void fn_x509_describe(X509 *certificate, fn_certificate_info *out)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    const X509_NAME *issuer = X509_get_issuer_name(certificate);
    describe_name(subject, out->subject, sizeof out->subject);
    describe_name(issuer, out->issuer, sizeof out->issuer);
    fn_text names = fn_text_make(out->names, sizeof out->names);
    add_alternative_names(&names, certificate);
    out->names_in_san = names.length > 0;
    if (!out->names_in_san)
        add_common_name(&names, certificate);
    out->self_signed = X509_NAME_cmp(subject, issuer) == 0;
    out->not_before_unix_s = fn_x509_time(X509_get0_notBefore(certificate));
    out->not_after_unix_s = fn_x509_time(X509_get0_notAfter(certificate));
    describe_key(certificate, out->key);
    fn_x509_pin(certificate, out->pin);
    ERR_clear_error();
}

const char *fn_x509_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason != NULL ? reason : "no reason given";
}
