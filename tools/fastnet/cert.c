/* fastnet cert: a development CA and a certificate signed by it, and what stands in one. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "commands.h"
#include "fastnet/certificate.h"
#include "options.h"

typedef struct cert_options {
    const char *directory;
    const char *show;
    tool_list names;
    uint64_t days;
    bool renew, keep_key, quiet;
} cert_options;

static const char details[] =
    "Writes ca.pem, ca-key.pem, cert.pem and key.pem. A CA that is already in DIR is used again; "
    "a\n"
    "certificate and key are replaced only with --renew or --keep-key, and then both or neither.\n"
    "Server:  fastnet echo --cert DIR/cert.pem --key DIR/key.pem\n"
    "Client:  FASTNET_CA_FILE=DIR/ca.pem ./game, or fastnet ping HOST --ca DIR/ca.pem\n"
    "Keep ca-key.pem and key.pem to yourself: whoever has them can pose as your server.\n";

static int check(const tool_usage *usage, const cert_options *options)
{
    if (options->show) {
        return options->directory || options->names.count > 0 || options->renew || options->keep_key
                   ? tool_usage_error(usage, "--show FILE stands alone: it makes nothing")
                   : TOOL_OK;
    }
    if (!options->directory) {
        return tool_usage_error(usage, "--out DIR is needed");
    }
    if (options->names.count == 0) {
        return tool_usage_error(usage, "at least one --name HOST_OR_IP is needed");
    }
    if (options->renew && options->keep_key) {
        return tool_usage_error(usage, "--renew makes a new key, --keep-key keeps the old one");
    }
    return TOOL_OK;
}

static int parse(cert_options *options, int argc, char **argv)
{
    const tool_option table[] = {
        OPTION_TEXT("--out", "DIR", &options->directory, "directory for the four files"),
        OPTION_LIST("--name", "HOST_OR_IP", &options->names,
                    "what clients connect to; may be given several times"),
        OPTION_NUMBER("--days", "N", &options->days, 1, FASTNET_CERTIFICATE_DAYS_MAX,
                      "how long the certificate is valid; default 365"),
        OPTION_FLAG("--renew", &options->renew, "replace the certificate and key there: a new pin"),
        OPTION_FLAG("--keep-key", &options->keep_key,
                    "a new certificate for the key there: the same pin"),
        OPTION_TEXT("--show", "FILE", &options->show,
                    "only print the names, expiry and pin of a certificate"),
        OPTION_FLAG("--quiet", &options->quiet, "print only errors"),
    };
    const tool_usage usage = {
        .command = "cert",
        .summary = "Makes a development CA and a certificate signed by it, or shows one.",
        .details = details,
        .options = table,
        .option_count = sizeof table / sizeof table[0],
    };
    int result = tool_options_parse(&usage, argc, argv, NULL);
    return result == TOOL_OK ? check(&usage, options) : result;
}

static void print_pin(const uint8_t pin[FASTNET_PIN_BYTES])
{
    printf("pin ");
    for (int i = 0; i < FASTNET_PIN_BYTES; i++) {
        printf("%02x", pin[i]);
    }
    printf("\n");
}

static void print_result(const cert_options *options)
{
    char path[4096];
    FastNetCertificateInfo info = {.struct_size = sizeof info};
    const char *directory = options->directory;
    snprintf(path, sizeof path, "%s/%s", directory, FASTNET_CERTIFICATE_FILE);
    printf("%s/{ca.pem,ca-key.pem,cert.pem,key.pem} for", directory);
    for (uint32_t i = 0; i < options->names.count; i++) {
        printf(" %s", options->names.items[i]);
    }
    printf(", valid for %u days\n", (unsigned)options->days);
    if (fastnet_certificate_describe(path, &info) == FASTNET_OK) {
        print_pin(info.pin);
    }
}

static void print_time(const char *label, int64_t unix_s)
{
    char text[40] = "?";
    time_t seconds = (time_t)unix_s;
    struct tm parts;
    if (gmtime_r(&seconds, &parts)) {
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    }
    printf("%s%s", label, text);
}

static void print_validity(const FastNetCertificateInfo *info)
{
    int64_t now = (int64_t)time(NULL);
    int64_t days = (info->valid_until_unix_s - now) / (24 * 60 * 60);
    print_time("valid    ", info->valid_from_unix_s);
    print_time(" to ", info->valid_until_unix_s);
    if (now < info->valid_from_unix_s) {
        printf(" (not yet)\n");
    } else if (now > info->valid_until_unix_s) {
        printf(" (expired)\n");
    } else {
        printf(" (%" PRId64 " days left)\n", days);
    }
}

static int show(const char *path)
{
    FastNetCertificateInfo info = {.struct_size = sizeof info};
    if (fastnet_certificate_describe(path, &info) != FASTNET_OK) {
        return tool_fail("cert", TOOL_UNREACHABLE, "%s", fastnet_connect_error_text());
    }
    printf("subject  %s\n", info.subject);
    printf("issuer   %s%s\n", info.issuer, info.self_signed ? " (self-signed)" : "");
    printf("names    %s%s\n", info.names[0] ? info.names : "none",
           info.names_in_san ? "" : " (the common name: host names only)");
    print_validity(&info);
    printf("key      %s\n", info.key);
    printf("chain    %u certificate%s in the file\n", (unsigned)info.count,
           info.count == 1 ? "" : "s");
    print_pin(info.pin);
    return TOOL_OK;
}

static int make(const cert_options *options)
{
    FastNetCertificateOptions request;
    fastnet_certificate_options_init(&request);
    request.directory = options->directory;
    request.names = options->names.items;
    request.name_count = options->names.count;
    request.days = (uint32_t)options->days;
    request.existing = options->renew      ? FASTNET_CERTIFICATE_RENEW
                       : options->keep_key ? FASTNET_CERTIFICATE_KEEP_KEY
                                           : FASTNET_CERTIFICATE_REFUSE;
    FastNetResult written = fastnet_certificate_write(&request);
    if (written != FASTNET_OK) {
        return tool_fail("cert", written == FASTNET_ERR_ARGUMENT ? TOOL_USAGE : TOOL_UNREACHABLE,
                         "%s", fastnet_connect_error_text());
    }
    if (!options->quiet) {
        print_result(options);
    }
    return TOOL_OK;
}

int tool_cert_main(int argc, char **argv)
{
    cert_options options = {.days = 365};
    int result = parse(&options, argc, argv);
    if (result != TOOL_OK) {
        return result == TOOL_HELP ? TOOL_OK : result;
    }
    return options.show ? show(options.show) : make(&options);
}
