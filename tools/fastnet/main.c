/* fastnet: the command. `fastnet COMMAND --help` describes each subcommand. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "fastnet.h"
#include "options.h"

typedef struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} command;

static const command commands[] = {
#define X(name, summary) {#name, summary, tool_##name##_main},
    TOOL_COMMANDS(X)
#undef X
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const command *find_command(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static void print_help(FILE *out)
{
    fprintf(out, "Usage: fastnet COMMAND [OPTION]...\n"
                 "Encrypted, low-latency messaging for real-time games.\n\nCommands:\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-6s  %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(out, "  help    show this, or the help of one command: fastnet help ping\n\n"
                 "  fastnet --version shows the version of the library.\n\n"
                 "Exit codes:\n"
                 "  0  success\n"
                 "  1  connected, but not everything came back\n"
                 "  2  wrong usage\n"
                 "  3  could not connect, listen, or use a file\n");
}

static int unknown_command(const char *name)
{
    fprintf(stderr, "fastnet: unknown command '%s'\nTry: fastnet --help\n", name);
    return TOOL_USAGE;
}

static int help_main(int argc, char **argv)
{
    static char option[] = "--help";
    char *help[] = {option};
    if (argc == 0) {
        print_help(stdout);
        return TOOL_OK;
    }
    const command *found = find_command(argv[0]);
    return found ? found->run(1, help) : unknown_command(argv[0]);
}

/* Output that never arrived is no success, whatever the command did: a script that keeps it on a
 * full disk must hear of that. */
static int finish(int code)
{
    bool lost = ferror(stdout) != 0;
    lost = fclose(stdout) != 0 || lost;
    if (!lost) {
        return code;
    }
    fprintf(stderr, "fastnet: the output could not be written\n");
    return code == TOOL_OK ? TOOL_UNREACHABLE : code;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0) {
        printf("fastnet %s\n", fastnet_version());
        return TOOL_OK;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help_main(argc - 2, argv + 2);
    }
    const command *found = find_command(name);
    return found ? found->run(argc - 2, argv + 2) : unknown_command(name);
}

int main(int argc, char **argv)
{
    return finish(run(argc, argv));
}
