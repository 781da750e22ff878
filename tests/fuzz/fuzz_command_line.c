/*
 * Options of the command, from one table with every kind of them. Whatever is taken is within its
 * bounds and points into what was given; whatever is refused is wrong usage.
 *
 * Input: the arguments, each ended by a zero.
 */
#include "fuzz.h"

#include "options.h"

#include <string.h>

enum { ARGUMENTS_MAX = 80, TEXT_BYTES_MAX = 8192 };

typedef struct taken {
    uint64_t count, port;
    bool quiet;
    const char *out;
    tool_list names;
} taken;

static int parse(taken *to, int argc, char **argv, bool wants_positional, const char **positional)
{
    const tool_option options[] = {
        OPTION_NUMBER("--count", "N", &to->count, 1, 1000000, "how many"),
        OPTION_NUMBER("--port", "PORT", &to->port, 0, UINT64_MAX, "any number"),
        OPTION_FLAG("--quiet", &to->quiet, "say nothing"),
        OPTION_TEXT("--out", "PATH", &to->out, "where to"),
        OPTION_LIST("--name", "NAME", &to->names, "several"),
    };
    const tool_usage usage = {.command = "fuzz",
                              .positional = wants_positional ? "HOST" : NULL,
                              .summary = "Takes arguments.",
                              .details = "No more.\n",
                              .options = options,
                              .option_count = sizeof options / sizeof options[0]};
    return tool_options_parse(&usage, argc, argv, positional);
}

static void check_text(const char *text, const char *start, size_t bytes)
{
    FUZZ_CHECK(text >= start && text < start + bytes && text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char text[TEXT_BYTES_MAX + 1];
    char *argv[ARGUMENTS_MAX + 1];
    bytes = bytes < TEXT_BYTES_MAX ? bytes : TEXT_BYTES_MAX;
    if (bytes > 0)
        memcpy(text, data, bytes);
    text[bytes] = '\0';
    int argc = 0;
    for (size_t at = 0; at < bytes && argc < ARGUMENTS_MAX; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    argv[argc] = NULL;
    for (int wants_positional = 0; wants_positional < 2; wants_positional++) {
        taken to = {.count = 7};
        const char *positional = NULL;
        int code = parse(&to, argc, argv, wants_positional != 0, &positional);
        FUZZ_CHECK(code == TOOL_OK || code == TOOL_USAGE || code == TOOL_HELP);
        FUZZ_CHECK(to.count >= 1 && to.count <= 1000000 && to.names.count <= TOOL_LIST_MAX);
        FUZZ_CHECK(wants_positional != 0 || positional == NULL);
        if (to.out != NULL)
            check_text(to.out, text, sizeof text);
        for (uint32_t i = 0; i < to.names.count; i++)
            check_text(to.names.items[i], text, sizeof text);
    }
    return 0;
}
