/* fastnet cert: a development CA and a certificate signed by it. */
#include <stdio.h>

#include "commands.h"
#include "fastnet/certificate.h"
#include "options.h"

typedef struct cert_options {
    const char *directory;
    tool_list names;
    uint64_t days;
    bool quiet;
} cert_options;

static const char details[] =
    "Writes ca.pem, ca-key.pem, cert.pem and key.pem. A CA that is already in DIR is used again.\n"
    "Server:  fastnet echo --cert DIR/cert.pem --key DIR/key.pem\n"
    "Client:  FASTNET_CA_FILE=DIR/ca.pem ./game, or fastnet ping HOST --ca DIR/ca.pem\n"
    "Keep ca-key.pem and key.pem to yourself: whoever has them can pose as your server.\n";

static int parse(cert_options *options, int argc, char **argv)
{
    const tool_option table[] = {
        OPTION_TEXT("--out", "DIR", &options->directory, "directory for the four files"),
        OPTION_LIST("--name", "HOST_OR_IP", &options->names,
                    "what clients connect to; may be given several times"),
        OPTION_NUMBER("--days", "N", &options->days, 1, FASTNET_CERTIFICATE_DAYS_MAX,
                      "how long the certificate is valid; default 365"),
        OPTION_FLAG("--quiet", &options->quiet, "print only errors"),
    };
    const tool_usage usage = {
        .command = "cert",
        .summary = "Makes a development CA and a certificate signed by it.",
        .details = details,
        .options = table,
        .option_count = sizeof table / sizeof table[0],
    };
    int result = tool_options_parse(&usage, argc, argv, NULL);
    if (result != TOOL_OK) {
        return result;
    }
    if (!options->directory) {
        return tool_usage_error(&usage, "--out DIR is needed");
    }
    if (options->names.count == 0) {
        return tool_usage_error(&usage, "at least one --name HOST_OR_IP is needed");
    }
    return TOOL_OK;
}

static void print_result(const cert_options *options)
{
    char path[4096];
    uint8_t pin[FASTNET_PIN_BYTES];
    const char *directory = options->directory;
    snprintf(path, sizeof path, "%s/%s", directory, FASTNET_CERTIFICATE_FILE);
    printf("%s/{ca.pem,ca-key.pem,cert.pem,key.pem} for", directory);
    for (uint32_t i = 0; i < options->names.count; i++) {
        printf(" %s", options->names.items[i]);
    }
    printf(", valid for %u days\n", (unsigned)options->days);
    if (fastnet_certificate_pin(path, pin) == FASTNET_OK) {
        printf("pin ");
        for (int i = 0; i < FASTNET_PIN_BYTES; i++) {
            printf("%02x", pin[i]);
        }
        printf("\n");
    }
}

int tool_cert_main(int argc, char **argv)
{
    cert_options options = {.days = 365};
    int result = parse(&options, argc, argv);
    if (result != TOOL_OK) {
        return result == TOOL_HELP ? TOOL_OK : result;
    }
    FastNetCertificateOptions request;
    fastnet_certificate_options_init(&request);
    request.directory = options.directory;
    request.names = options.names.items;
    request.name_count = options.names.count;
    request.days = (uint32_t)options.days;
    FastNetResult written = fastnet_certificate_write(&request);
    if (written != FASTNET_OK) {
        return tool_fail("cert", written == FASTNET_ERR_ARGUMENT ? TOOL_USAGE : TOOL_UNREACHABLE,
                         "%s", fastnet_connect_error_text());
    }
    if (!options.quiet) {
        print_result(&options);
    }
    return TOOL_OK;
}
