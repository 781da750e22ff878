#include "fastnet/certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connect_error.h"
#include "base/bytes.h"
#include "crypto/certificate.h"
#include "io/clock.h"
#include "io/file.h"

enum {
    PATH_BYTES = 1024,
    COMMON_NAME_BYTES_MAX = 64, /* RFC 5280, ub-common-name */
    SECONDS_A_DAY = 24 * 60 * 60,
    CLOCK_SKEW_S = 60 * 60, /* a player's clock may be behind the host's */
    CA_DAYS = 3650,
    FILE_BYTES_MAX = 4 * FN_CERTIFICATE_PEM_BYTES_MAX,
};

/* Everything one call needs: too large for a small stack, and the keys are
 * wiped in one place. */
typedef struct workshop {
    const FastNetCertificateOptions *options;
    int64_t now_unix_s;
    bool ca_is_new;
    fn_certificate_pem ca;
    fn_certificate_info ca_info;
    fn_certificate_pem leaf;
    fn_failure failure;
    fn_io_error io_error;
    char path[PATH_BYTES];
    char file[FILE_BYTES_MAX];
    char paths[FN_FILE_PARTS_MAX][PATH_BYTES];
    fn_file_part parts[FN_FILE_PARTS_MAX];
    size_t parts_count;
} workshop;

static FastNetResult fail(int code, const char *text)
{
    return (FastNetResult)fn_connect_error_set(code, text);
}

/* About the file whose path was last made. */
static FastNetResult fail_file(const workshop *shop, const char *text)
{
    return (FastNetResult)fn_connect_error_set_detail(FASTNET_ERR_CERTIFICATE, shop->path, text);
}

static const char *path_of(workshop *shop, const char *name)
{
    snprintf(shop->path, sizeof shop->path, "%s/%s", shop->options->directory, name);
    return shop->path;
}

static FastNetResult read_part(workshop *shop, const char *name, char *out, size_t capacity,
                               size_t *out_bytes)
{
    int result = fn_file_read(path_of(shop, name), out, capacity - 1, out_bytes, &shop->io_error);
    if (result == FASTNET_ERR_NOT_FOUND) {
        return fail(result, shop->io_error.text);
    }
    if (result != FASTNET_OK) {
        return fail(FASTNET_ERR_SYSTEM, shop->io_error.text);
    }
    out[*out_bytes] = '\0';
    return FASTNET_OK;
}

static FastNetResult check_existing(workshop *shop)
{
    static const char *const files[] = {FASTNET_CERTIFICATE_KEY_FILE, FASTNET_CERTIFICATE_FILE};
    if (shop->options->existing != FASTNET_CERTIFICATE_REFUSE)
        return FASTNET_OK;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (fn_file_exists(path_of(shop, files[i])))
            return (FastNetResult)fn_connect_error_set_detail(
                FASTNET_ERR_STATE, shop->path,
                "is there already and was not replaced: ask to renew the pair (fastnet cert "
                "--renew), or to keep its key and pin (--keep-key)");
    return FASTNET_OK;
}

/* The key that is to be kept; the file itself is not written again. */
static FastNetResult find_key(workshop *shop)
{
    fn_certificate_pem *leaf = &shop->leaf;
    if (shop->options->existing != FASTNET_CERTIFICATE_KEEP_KEY)
        return FASTNET_OK;
    FastNetResult result = read_part(shop, FASTNET_CERTIFICATE_KEY_FILE, leaf->key,
                                     sizeof leaf->key, &leaf->key_bytes);
    return result == FASTNET_ERR_NOT_FOUND ? fail_file(shop, "there is no key here to be kept")
                                           : result;
}

static FastNetResult create_authority(workshop *shop)
{
    fn_certificate_request request = {
        .role = FN_CERTIFICATE_AUTHORITY,
        .key_kind = FN_CERTIFICATE_KEY_P256,
        .common_name = "FastNet development CA",
        .not_before_unix_s = shop->now_unix_s - CLOCK_SKEW_S,
        .not_after_unix_s = shop->now_unix_s + (int64_t)CA_DAYS * SECONDS_A_DAY,
    };
    int result = fn_certificate_create(&request, NULL, &shop->ca, &shop->failure);
    if (result != FASTNET_OK) {
        return fail(result, shop->failure.text);
    }
    shop->ca_is_new = true;
    shop->ca_info.not_after_unix_s = request.not_after_unix_s;
    return FASTNET_OK;
}

static FastNetResult check_authority(workshop *shop)
{
    int result = fn_certificate_read(shop->ca.certificate, shop->ca.certificate_bytes,
                                     &shop->ca_info, &shop->failure);
    path_of(shop, FASTNET_CERTIFICATE_CA_FILE);
    if (result != FASTNET_OK) {
        return fail_file(shop, shop->failure.text);
    }
    if (shop->ca_info.not_after_unix_s <= shop->now_unix_s) {
        return fail_file(shop, "this CA has expired; delete the file to get a new one");
    }
    return FASTNET_OK;
}

/* A missing ca.pem means "make one"; a missing key beside it is an error:
 * silently replacing a CA would cut off every client that trusts it. */
static FastNetResult find_authority(workshop *shop)
{
    fn_certificate_pem *ca = &shop->ca;
    FastNetResult result = read_part(shop, FASTNET_CERTIFICATE_CA_FILE, ca->certificate,
                                     sizeof ca->certificate, &ca->certificate_bytes);
    if (result == FASTNET_ERR_NOT_FOUND) {
        return create_authority(shop);
    }
    if (result != FASTNET_OK) {
        return result;
    }
    result =
        read_part(shop, FASTNET_CERTIFICATE_CA_KEY_FILE, ca->key, sizeof ca->key, &ca->key_bytes);
    if (result == FASTNET_ERR_NOT_FOUND) {
        return fail_file(shop, "missing, so the CA beside it cannot sign");
    }
    return result == FASTNET_OK ? check_authority(shop) : result;
}

static FastNetResult create_leaf(workshop *shop)
{
    const FastNetCertificateOptions *options = shop->options;
    const char *first = options->names[0];
    fn_certificate_request request = {
        .role = FN_CERTIFICATE_LEAF,
        .key_kind = FN_CERTIFICATE_KEY_P256,
        .common_name = strlen(first) <= COMMON_NAME_BYTES_MAX ? first : "FastNet server",
        .names = options->names,
        .names_count = options->name_count,
        .not_before_unix_s = shop->now_unix_s - CLOCK_SKEW_S,
        .not_after_unix_s = shop->now_unix_s + (int64_t)options->days * SECONDS_A_DAY,
    };
    if (options->existing == FASTNET_CERTIFICATE_KEEP_KEY) {
        request.key_pem = shop->leaf.key;
        request.key_pem_bytes = shop->leaf.key_bytes;
    }
    if (request.not_after_unix_s > shop->ca_info.not_after_unix_s) {
        request.not_after_unix_s = shop->ca_info.not_after_unix_s;
    }
    int result = fn_certificate_create(&request, &shop->ca, &shop->leaf, &shop->failure);
    return result == FASTNET_OK ? FASTNET_OK : fail(result, shop->failure.text);
}

static void add_part(workshop *shop, const char *name, const char *data, size_t bytes, bool secret)
{
    char *path = shop->paths[shop->parts_count];
    snprintf(path, PATH_BYTES, "%s", path_of(shop, name));
    shop->parts[shop->parts_count++] = (fn_file_part){path, data, bytes, secret};
}

static FastNetResult write_files(workshop *shop)
{
    const fn_certificate_pem *leaf = &shop->leaf;
    const fn_certificate_pem *ca = &shop->ca;
    if (shop->ca_is_new) {
        add_part(shop, FASTNET_CERTIFICATE_CA_KEY_FILE, ca->key, ca->key_bytes, true);
        add_part(shop, FASTNET_CERTIFICATE_CA_FILE, ca->certificate, ca->certificate_bytes, false);
    }
    if (shop->options->existing != FASTNET_CERTIFICATE_KEEP_KEY)
        add_part(shop, FASTNET_CERTIFICATE_KEY_FILE, leaf->key, leaf->key_bytes, true);
    memcpy(shop->file, leaf->certificate, leaf->certificate_bytes);
    memcpy(shop->file + leaf->certificate_bytes, ca->certificate, ca->certificate_bytes);
    add_part(shop, FASTNET_CERTIFICATE_FILE, shop->file,
             leaf->certificate_bytes + ca->certificate_bytes, false);
    int result = fn_files_write(shop->parts, shop->parts_count, &shop->io_error);
    return result == FASTNET_OK ? FASTNET_OK : fail(FASTNET_ERR_SYSTEM, shop->io_error.text);
}

static FastNetResult make_all(workshop *shop)
{
    if (fn_directory_make(shop->options->directory, &shop->io_error) != FASTNET_OK) {
        return fail(FASTNET_ERR_SYSTEM, shop->io_error.text);
    }
    FastNetResult (*const steps[])(workshop *) = {check_existing, find_authority, find_key,
                                                  create_leaf, write_files};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        FastNetResult result = steps[i](shop);
        if (result != FASTNET_OK) {
            return result;
        }
    }
    return FASTNET_OK;
}

static FastNetResult check_options(const FastNetCertificateOptions *options)
{
    if (!options || options->struct_size != sizeof *options) {
        return fail(FASTNET_ERR_ARGUMENT,
                    "the options need fastnet_certificate_options_init() first");
    }
    if (!options->directory || options->directory[0] == '\0' ||
        strlen(options->directory) > PATH_BYTES - 32) {
        return fail(FASTNET_ERR_ARGUMENT, "directory is empty or too long");
    }
    if (!options->names || options->name_count < 1 ||
        options->name_count > FASTNET_CERTIFICATE_NAMES_MAX) {
        return fail(FASTNET_ERR_ARGUMENT, "between 1 and 32 names are needed");
    }
    for (uint32_t i = 0; i < options->name_count; i++) {
        if (!options->names[i] || options->names[i][0] == '\0') {
            return fail(FASTNET_ERR_ARGUMENT, "a name is empty");
        }
    }
    if (options->days < 1 || options->days > FASTNET_CERTIFICATE_DAYS_MAX) {
        return fail(FASTNET_ERR_ARGUMENT, "days must be between 1 and 3650");
    }
    if (options->existing > FASTNET_CERTIFICATE_KEEP_KEY) {
        return fail(FASTNET_ERR_ARGUMENT, "existing is none of REFUSE, RENEW and KEEP_KEY");
    }
    return FASTNET_OK;
}

void fastnet_certificate_options_init_sized(FastNetCertificateOptions *options,
                                            uint32_t struct_size)
{
    FastNetCertificateOptions defaults = {.struct_size = struct_size, .days = 365};
    if (!options || struct_size < sizeof options->struct_size) {
        return;
    }
    memset(options, 0, struct_size);
    memcpy(options, &defaults, struct_size < sizeof defaults ? struct_size : sizeof defaults);
}

FastNetResult fastnet_certificate_write(const FastNetCertificateOptions *options)
{
    FastNetResult result = check_options(options);
    if (result != FASTNET_OK) {
        return result;
    }
    workshop *shop = calloc(1, sizeof *shop);
    if (!shop) {
        return fail(FASTNET_ERR_MEMORY, "out of memory");
    }
    shop->options = options;
    shop->now_unix_s = (int64_t)fn_clock_unix_seconds();
    result = make_all(shop);
    fn_certificate_wipe(&shop->ca);
    fn_certificate_wipe(&shop->leaf);
    free(shop);
    return result;
}

static void fill_info(FastNetCertificateInfo *info, const workshop *shop, size_t bytes)
{
    const fn_certificate_info *from = &shop->ca_info;
    *info = (FastNetCertificateInfo){
        .struct_size = sizeof *info,
        .count = fn_certificate_count(shop->file, bytes),
        .valid_from_unix_s = from->not_before_unix_s,
        .valid_until_unix_s = from->not_after_unix_s,
        .names_in_san = from->names_in_san,
        .self_signed = from->self_signed,
    };
    memcpy(info->pin, from->pin, sizeof info->pin);
    snprintf(info->key, sizeof info->key, "%s", from->key);
    snprintf(info->subject, sizeof info->subject, "%s", from->subject);
    snprintf(info->issuer, sizeof info->issuer, "%s", from->issuer);
    snprintf(info->names, sizeof info->names, "%s", from->names);
}

static FastNetResult describe(workshop *shop, const char *path, FastNetCertificateInfo *info)
{
    size_t bytes = 0;
    if (fn_file_read(path, shop->file, sizeof shop->file, &bytes, &shop->io_error) != FASTNET_OK)
        return fail(FASTNET_ERR_CERTIFICATE, shop->io_error.text);
    if (fn_certificate_read(shop->file, bytes, &shop->ca_info, &shop->failure) != FASTNET_OK)
        return (FastNetResult)fn_connect_error_set_detail(FASTNET_ERR_CERTIFICATE, path,
                                                          shop->failure.text);
    fill_info(info, shop, bytes);
    return FASTNET_OK;
}

FastNetResult fastnet_certificate_describe(const char *certificate_path,
                                           FastNetCertificateInfo *info)
{
    if (!certificate_path || !info || info->struct_size != sizeof *info) {
        return fail(FASTNET_ERR_ARGUMENT, "path and info are needed, and info's struct_size");
    }
    workshop *shop = calloc(1, sizeof *shop);
    if (!shop) {
        return fail(FASTNET_ERR_MEMORY, "out of memory");
    }
    FastNetResult result = describe(shop, certificate_path, info);
    fn_bytes_wipe(shop->file, sizeof shop->file); /* it may have been a key's */
    free(shop);
    return result;
}

FastNetResult fastnet_certificate_pin(const char *certificate_path, uint8_t pin[FASTNET_PIN_BYTES])
{
    FastNetCertificateInfo info = {.struct_size = sizeof info};
    if (!certificate_path || !pin) {
        return fail(FASTNET_ERR_ARGUMENT, "path and pin must not be NULL");
    }
    FastNetResult result = fastnet_certificate_describe(certificate_path, &info);
    if (result == FASTNET_OK) {
        memcpy(pin, info.pin, FASTNET_PIN_BYTES);
    }
    return result;
}
