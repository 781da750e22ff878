#include "common/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bench_options defaults(void)
{
#define T(field, fallback, what) .field = fallback,
#define N(field, fallback, what) .field = fallback,
    return (bench_options){BENCH_OPTION_MAP(T, N)};
#undef T
#undef N
}

static _Noreturn void usage(const char *modes, const char *what, const char *wrong)
{
    const char *name = program_invocation_short_name;
    fprintf(stderr, "%s: %s\n%s: %s\nusage: %s MODE [--option value]...\nmodes: %s\n", name, wrong,
            name, what, name, modes);
#define T(field, fallback, what) fprintf(stderr, "  --%-14s %s\n", #field, what);
#define N(field, fallback, what) fprintf(stderr, "  --%-14s %s\n", #field, what);
    BENCH_OPTION_MAP(T, N)
#undef T
#undef N
    exit(2);
}

static bool number_of(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

/* "tls-port" and "tls_port" are the same option. */
static bool same_name(const char *given, const char *field)
{
    for (; *given && *field; given++, field++) {
        if (*given != *field && !(*given == '-' && *field == '_')) {
            return false;
        }
    }
    return *given == *field;
}

static bool set(bench_options *options, const char *name, const char *value)
{
#define T(field, fallback, what)   \
    if (same_name(name, #field)) { \
        options->field = value;    \
        return true;               \
    }
#define N(field, fallback, what)                  \
    if (same_name(name, #field)) {                \
        return number_of(value, &options->field); \
    }
    BENCH_OPTION_MAP(T, N)
#undef T
#undef N
    return false;
}

bool bench_listed(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at++) {
        bool begins = at == list || at[-1] == ' ';
        bool ends = at[length] == '\0' || at[length] == ',';
        if (length && begins && ends) {
            return true;
        }
    }
    return false;
}

bench_options bench_options_read(int argc, char **argv, const char *modes, const char *what)
{
    bench_options options = defaults();
    if (argc < 2 || !bench_listed(modes, argv[1])) {
        usage(modes, what, argc < 2 ? "a mode is missing" : "no such mode");
    }
    options.mode = argv[1];
    for (int i = 2; i < argc; i += 2) {
        bool is_option = strncmp(argv[i], "--", 2) == 0 && i + 1 < argc;
        if (!is_option || !set(&options, argv[i] + 2, argv[i + 1])) {
            fprintf(stderr, "%s: no such option or bad value: %s\n", program_invocation_short_name,
                    argv[i]);
            usage(modes, what, "bad option");
        }
    }
    if (!bench_listed("spin, block, default", options.wait)) {
        usage(modes, what, "--wait must be spin, block or default");
    }
    return options;
}
