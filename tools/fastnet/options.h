/* Command-line options from one table per subcommand: parsing, range checks and the help text. */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Exit codes, the same for every subcommand and part of the contract
 * (fastnet --help lists them). */
enum {
    TOOL_OK = 0,
    TOOL_LOST = 1,        /* connected, but not everything came back */
    TOOL_USAGE = 2,       /* unknown option, value out of range */
    TOOL_UNREACHABLE = 3, /* could not connect, listen, or use a file */
    TOOL_HELP = -1,       /* from tool_options_parse() only: help was printed, stop with success */
};

typedef enum tool_kind {
    TOOL_FLAG,   /* bool */
    TOOL_NUMBER, /* uint64_t, min..max */
    TOOL_TEXT,   /* const char * */
    TOOL_LIST,   /* tool_list: may be given several times */
} tool_kind;

#define TOOL_LIST_MAX 32

typedef struct tool_list {
    const char *items[TOOL_LIST_MAX];
    uint32_t count;
} tool_list;

typedef struct tool_option {
    const char *name;  /* "--count" */
    const char *value; /* "N"; NULL for a flag */
    tool_kind kind;
    void *target;
    uint64_t min, max; /* numbers */
    const char *help;  /* one line */
} tool_option;

/* Rows of a table. */
#define OPTION_FLAG(name, target, help)           \
    {                                             \
        name, NULL, TOOL_FLAG, target, 0, 0, help \
    }
#define OPTION_TEXT(name, value, target, help)     \
    {                                              \
        name, value, TOOL_TEXT, target, 0, 0, help \
    }
#define OPTION_LIST(name, value, target, help)     \
    {                                              \
        name, value, TOOL_LIST, target, 0, 0, help \
    }
#define OPTION_NUMBER(name, value, target, min, max, help) \
    {                                                      \
        name, value, TOOL_NUMBER, target, min, max, help   \
    }

typedef struct tool_usage {
    const char *command;    /* "ping" */
    const char *positional; /* "HOST[:TLS_PORT]"; NULL when there is none */
    const char *summary;    /* one line */
    const char *details;    /* printed after the options; may be NULL */
    const tool_option *options;
    uint32_t option_count;
} tool_usage;

/*
 * Reads argv (without the command's name). *positional, when wanted, becomes the one argument that
 * is no option, or NULL. Returns TOOL_OK, TOOL_HELP, or TOOL_USAGE (a sentence went to stderr).
 */
int tool_options_parse(const tool_usage *usage, int argc, char **argv, const char **positional);

void tool_usage_print(const tool_usage *usage);

/* Prints "fastnet COMMAND: text" and a pointer to --help; returns TOOL_USAGE. */
int tool_usage_error(const tool_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints "fastnet COMMAND: text" on stderr; returns the exit code given. */
int tool_fail(const char *command, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
