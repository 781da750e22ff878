#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tool_fail(const char *command, int exit_code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "fastnet %s: ", command);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return exit_code;
}

int tool_usage_error(const tool_usage *usage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "fastnet %s: ", usage->command);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nTry: fastnet %s --help\n", usage->command);
    va_end(arguments);
    return TOOL_USAGE;
}

static void print_option(const tool_option *option)
{
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", option->name, option->value ? " " : "",
             option->value ? option->value : "");
    printf("  %-26s  %s", left, option->help);
    if (option->kind == TOOL_NUMBER) {
        printf(" (%" PRIu64 "..%" PRIu64 ")", option->min, option->max);
    }
    putchar('\n');
}

void tool_usage_print(const tool_usage *usage)
{
    printf("Usage: fastnet %s%s%s [OPTION]...\n%s\n\nOptions:\n", usage->command,
           usage->positional ? " " : "", usage->positional ? usage->positional : "",
           usage->summary);
    for (uint32_t i = 0; i < usage->option_count; i++) {
        print_option(&usage->options[i]);
    }
    printf("  %-26s  %s\n", "--help", "show this and exit");
    if (usage->details) {
        printf("\n%s", usage->details);
    }
}

/* Matches "--name" and "--name=value". */
static const tool_option *find_option(const tool_usage *usage, const char *argument,
                                      const char **value)
{
    const char *equals = strchr(argument, '=');
    size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
    *value = equals ? equals + 1 : NULL;
    for (uint32_t i = 0; i < usage->option_count; i++) {
        const char *name = usage->options[i].name;
        if (strlen(name) == length && strncmp(name, argument, length) == 0) {
            return &usage->options[i];
        }
    }
    return NULL;
}

static int store_number(const tool_usage *usage, const tool_option *option, const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0') {
        return tool_usage_error(usage, "%s needs a whole number, not '%s'", option->name, text);
    }
    if (errno == ERANGE || number < option->min || number > option->max) {
        return tool_usage_error(usage, "%s must be between %" PRIu64 " and %" PRIu64 ", not %s",
                                option->name, option->min, option->max, text);
    }
    *(uint64_t *)option->target = number;
    return TOOL_OK;
}

static int store_item(const tool_usage *usage, const tool_option *option, const char *text)
{
    tool_list *list = option->target;
    if (list->count == TOOL_LIST_MAX) {
        return tool_usage_error(usage, "%s can be given at most %d times", option->name,
                                TOOL_LIST_MAX);
    }
    list->items[list->count++] = text;
    return TOOL_OK;
}

static int store_value(const tool_usage *usage, const tool_option *option, const char *text)
{
    if (text[0] == '\0') {
        return tool_usage_error(usage, "%s needs a value that is not empty", option->name);
    }
    switch (option->kind) {
    case TOOL_NUMBER:
        return store_number(usage, option, text);
    case TOOL_LIST:
        return store_item(usage, option, text);
    case TOOL_TEXT:
        *(const char **)option->target = text;
        return TOOL_OK;
    case TOOL_FLAG:
        break;
    }
    return tool_usage_error(usage, "%s takes no value", option->name);
}

static int store_positional(const tool_usage *usage, const char *text, const char **positional)
{
    if (!usage->positional) {
        return tool_usage_error(usage, "'%s' is not an option", text);
    }
    if (*positional) {
        return tool_usage_error(usage, "only one %s is expected, found '%s' and '%s'",
                                usage->positional, *positional, text);
    }
    *positional = text;
    return TOOL_OK;
}

/* Handles argv[0]; *used becomes the number of arguments taken. */
static int parse_one(const tool_usage *usage, int argc, char **argv, int *used)
{
    const char *value = NULL;
    const tool_option *option = find_option(usage, argv[0], &value);
    *used = 1;
    if (!option) {
        return tool_usage_error(usage, "unknown option '%s'", argv[0]);
    }
    if (option->kind == TOOL_FLAG && !value) {
        *(bool *)option->target = true;
        return TOOL_OK;
    }
    if (option->kind != TOOL_FLAG && !value) {
        if (argc < 2) {
            return tool_usage_error(usage, "%s needs a value (%s)", option->name, option->value);
        }
        *used = 2;
        value = argv[1];
    }
    return store_value(usage, option, value);
}

int tool_options_parse(const tool_usage *usage, int argc, char **argv, const char **positional)
{
    const char *unused = NULL;
    positional = positional ? positional : &unused;
    *positional = NULL;
    for (int i = 0, used = 1; i < argc; i += used) {
        used = 1;
        int result = TOOL_OK;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            tool_usage_print(usage);
            return TOOL_HELP;
        }
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            result = parse_one(usage, argc - i, argv + i, &used);
        } else {
            result = store_positional(usage, argv[i], positional);
        }
        if (result != TOOL_OK) {
            return result;
        }
    }
    return TOOL_OK;
}
