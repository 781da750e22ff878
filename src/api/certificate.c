#include "fastnet/certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connect_error.h"
#include "crypto/certificate.h"
#include "io/clock.h"
#include "io/file.h"

enum {
    PATH_BYTES = 1024,
    COMMON_NAME_BYTES_MAX = 64, /* RFC 5280, ub-common-name */
    SECONDS_A_DAY = 24 * 60 * 60,
    CLOCK_SKEW_S = 60 * 60, /* a player's clock may be behind the host's */
    CA_DAYS = 3650,
    FILE_BYTES_MAX = 2 * FN_CERTIFICATE_PEM_BYTES_MAX,
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

static FastNetResult write_part(workshop *shop, const char *name, const char *data, size_t bytes,
                                bool secret)
{
    int result = fn_file_write(path_of(shop, name), data, bytes, secret, &shop->io_error);
    return result == FASTNET_OK ? FASTNET_OK : fail(FASTNET_ERR_SYSTEM, shop->io_error.text);
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
    if (request.not_after_unix_s > shop->ca_info.not_after_unix_s) {
        request.not_after_unix_s = shop->ca_info.not_after_unix_s;
    }
    int result = fn_certificate_create(&request, &shop->ca, &shop->leaf, &shop->failure);
    return result == FASTNET_OK ? FASTNET_OK : fail(result, shop->failure.text);
}

static FastNetResult write_authority(workshop *shop)
{
    const fn_certificate_pem *ca = &shop->ca;
    if (!shop->ca_is_new) {
        return FASTNET_OK;
    }
    FastNetResult result =
        write_part(shop, FASTNET_CERTIFICATE_CA_KEY_FILE, ca->key, ca->key_bytes, true);
    if (result != FASTNET_OK) {
        return result;
    }
    return write_part(shop, FASTNET_CERTIFICATE_CA_FILE, ca->certificate, ca->certificate_bytes,
                      false);
}

static FastNetResult write_leaf(workshop *shop)
{
    const fn_certificate_pem *leaf = &shop->leaf;
    const fn_certificate_pem *ca = &shop->ca;
    FastNetResult result =
        write_part(shop, FASTNET_CERTIFICATE_KEY_FILE, leaf->key, leaf->key_bytes, true);
    if (result != FASTNET_OK) {
        return result;
    }
    memcpy(shop->file, leaf->certificate, leaf->certificate_bytes);
    memcpy(shop->file + leaf->certificate_bytes, ca->certificate, ca->certificate_bytes);
    return write_part(shop, FASTNET_CERTIFICATE_FILE, shop->file,
                      leaf->certificate_bytes + ca->certificate_bytes, false);
}

static FastNetResult make_all(workshop *shop)
{
    if (fn_directory_make(shop->options->directory, &shop->io_error) != FASTNET_OK) {
        return fail(FASTNET_ERR_SYSTEM, shop->io_error.text);
    }
    FastNetResult (*const steps[])(workshop *) = {find_authority, create_leaf, write_authority,
                                                  write_leaf};
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

FastNetResult fastnet_certificate_pin(const char *certificate_path, uint8_t pin[FASTNET_PIN_BYTES])
{
    if (!certificate_path || !pin) {
        return fail(FASTNET_ERR_ARGUMENT, "path and pin must not be NULL");
    }
    workshop *shop = calloc(1, sizeof *shop);
    if (!shop) {
        return fail(FASTNET_ERR_MEMORY, "out of memory");
    }
    size_t bytes = 0;
    int result =
        fn_file_read(certificate_path, shop->file, sizeof shop->file, &bytes, &shop->io_error);
    if (result != FASTNET_OK) {
        fail(FASTNET_ERR_CERTIFICATE, shop->io_error.text);
    } else {
        result = fn_certificate_read(shop->file, bytes, &shop->ca_info, &shop->failure);
        if (result == FASTNET_OK) {
            memcpy(pin, shop->ca_info.pin, FASTNET_PIN_BYTES);
        } else {
            fn_connect_error_set_detail(result, certificate_path, shop->failure.text);
        }
    }
    free(shop);
    return result == FASTNET_OK ? FASTNET_OK : FASTNET_ERR_CERTIFICATE;
}
