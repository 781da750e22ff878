/* fastnet netem: a bad network between two addresses, or between two network namespaces. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"

#ifndef TOOL_HAS_NETEM

int tool_netem_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return tool_fail("netem", TOOL_UNREACHABLE, "the link emulator exists on Linux only");
}

#else

#include "netem/netem.h"

enum { COMMANDS_MAX = NETEM_PARAMETERS_MAX + TOOL_LIST_MAX, COMMAND_BYTES_MAX = 128 };

typedef struct netem_options {
    tool_list forwards, tuns, sets;
    const char *values[NETEM_PARAMETERS_MAX]; /* of netem_parameters */
    const char *device, *control, *tell, *command;
    uint64_t device_mtu, clients, seed, memory_mib;
    bool use_stdin, json, spin, realtime;
} netem_options;

static const char introduction[] =
    "Forwards UDP and TCP between addresses, or joins two network namespaces by a TUN device in\n"
    "each, and does to what passes what bad networks do. Up is from clients to the target (or\n"
    "from the first --tun to the second), down is back; the options set both, --set one.\n"
    "--forward:  [udp:|tcp:]HOST:PORT=HOST:PORT, where to listen and where to send it. Port 0\n"
    "            takes a free one. TCP is relayed as bytes: delay, jitter, rate and queue act on\n"
    "            it, loss and its like cannot; use --tun for these.\n"
    "--tun:      NAMESPACE=ADDRESS/BITS[,ADDRESS/BITS], twice. NAMESPACE is a name of `ip netns`,\n"
    "            a process id, a path, or . for our own. Any protocol passes. Needs root.\n"
    "Prints 'listening ...' or 'device ...' lines, then 'ready'; at the end the statistics.\n"
    "A FastNet server must advertise the emulator's UDP address (fastnet echo --advertise), or "
    "its\n"
    "clients send UDP past the emulator, which then says so.\n"
    "\nCommands, for --set, --tell, --stdin and the socket (a line each, a line in answer):\n";

static const char exit_codes[] =
    "\nExit codes: 0 ended when asked to; 2 wrong usage, or --tell sent what was refused;\n"
    "3 an address, device or namespace could not be used, or nobody answers at --tell PATH.\n";

enum { OWN_ROWS = 13, ROWS_MAX = OWN_ROWS + NETEM_PARAMETERS_MAX };

static uint32_t fill_rows(netem_options *options, tool_option rows[ROWS_MAX])
{
    const tool_option own[OWN_ROWS] = {
        OPTION_LIST("--forward", "FROM=TO", &options->forwards, "may be given several times"),
        OPTION_LIST("--tun", "NS=ADDRESS", &options->tuns, "instead of --forward, twice"),
        OPTION_TEXT("--device", "NAME", &options->device, "of the TUN devices; default netem0"),
        OPTION_NUMBER("--device-mtu", "BYTES", &options->device_mtu, 1280, 65535, "default 1500"),
        OPTION_LIST("--set", "COMMAND", &options->sets, "run before the start"),
        OPTION_TEXT("--control", "PATH", &options->control, "take commands on this UNIX socket"),
        OPTION_FLAG("--stdin", &options->use_stdin, "take commands on standard input"),
        OPTION_NUMBER("--seed", "N", &options->seed, 0, UINT64_MAX, "of all chance; default 1"),
        OPTION_FLAG("--json", &options->json, "print the statistics at the end as one JSON object"),
        OPTION_FLAG("--spin", &options->spin, "never sleep: late by microseconds, a core is busy"),
        OPTION_FLAG("--realtime", &options->realtime,
                    "wake up before all ordinary processes (SCHED_FIFO; needs root)"),
        OPTION_NUMBER("--clients", "N", &options->clients, 1, 65536,
                      "UDP clients and TCP connections at most, each; default 1024"),
        OPTION_NUMBER("--memory-mib", "N", &options->memory_mib, 1, 65536,
                      "for packets on their way, each direction; default 64"),
    };
    uint32_t count = 0;
    for (uint32_t i = 0; i < netem_parameter_count && i < NETEM_PARAMETERS_MAX; i++) {
        const netem_parameter *from = &netem_parameters[i];
        rows[count++] =
            (tool_option)OPTION_TEXT(from->option, from->value, &options->values[i], from->help);
    }
    memcpy(rows + count, own, sizeof own);
    return count + OWN_ROWS;
}

static int parse(netem_options *options, int argc, char **argv)
{
    tool_option rows[ROWS_MAX + 1];
    char details[6000];
    snprintf(details, sizeof details, "%s%s%s", introduction, netem_commands_help, exit_codes);
    uint32_t count = fill_rows(options, rows);
    rows[count++] = (tool_option)OPTION_TEXT(
        "--tell", "PATH", &options->tell, "send COMMAND to the emulator there, print its answer");
    const tool_usage usage = {
        .command = "netem",
        .positional = "[COMMAND]",
        .summary = "Emulates a bad network: delay, loss, reordering, a narrow line, and more.",
        .details = details,
        .options = rows,
        .option_count = count,
    };
    int result = tool_options_parse(&usage, argc, argv, &options->command);
    if (result != TOOL_OK) {
        return result;
    }
    if ((options->tell == NULL) != (options->command == NULL)) {
        return tool_usage_error(&usage, options->tell ? "--tell needs a COMMAND"
                                                      : "a COMMAND goes with --tell PATH or --set");
    }
    if (!options->tell && (options->forwards.count == 0) == (options->tuns.count == 0)) {
        return tool_usage_error(&usage, "either --forward, or --tun twice, is needed");
    }
    if (options->spin && options->realtime) {
        return tool_usage_error(&usage, "--realtime and --spin exclude each other: the kernel "
                                        "halts a realtime process that never sleeps");
    }
    return TOOL_OK;
}

static int exit_code(netem_result result)
{
    return result == NETEM_OK ? TOOL_OK : result == NETEM_USAGE ? TOOL_USAGE : TOOL_UNREACHABLE;
}

static int tell(const netem_options *options)
{
    char reply[NETEM_REPLY_BYTES_MAX];
    netem_result result = netem_tell(options->tell, options->command, reply);
    if (result != NETEM_OK) {
        return tool_fail("netem", exit_code(result), "%s", reply);
    }
    puts(reply);
    return TOOL_OK;
}

static int emulate(const netem_options *options)
{
    static char texts[NETEM_PARAMETERS_MAX][COMMAND_BYTES_MAX];
    const char *commands[COMMANDS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < netem_parameter_count; i++) {
        if (options->values[i]) {
            snprintf(texts[i], sizeof texts[i], "%s %.64s", netem_parameters[i].option + 2,
                     options->values[i]);
            commands[count++] = texts[i];
        }
    }
    for (uint32_t i = 0; i < options->sets.count; i++) {
        commands[count++] = options->sets.items[i];
    }
    const netem_config config = {
        .forwards = options->forwards.items,
        .forward_count = options->forwards.count,
        .tuns = options->tuns.items,
        .tun_count = options->tuns.count,
        .commands = commands,
        .command_count = count,
        .device = options->device,
        .device_mtu_bytes = (uint32_t)options->device_mtu,
        .control_path = options->control,
        .control_stdin = options->use_stdin,
        .json = options->json,
        .spin = options->spin,
        .realtime = options->realtime,
        .clients_max = (uint32_t)options->clients,
        .seed = options->seed,
        .memory_bytes_max = options->memory_mib << 20,
    };
    char text[NETEM_TEXT_BYTES_MAX];
    netem_result result = netem_run(&config, text);
    return result == NETEM_OK ? TOOL_OK : tool_fail("netem", exit_code(result), "%s", text);
}

int tool_netem_main(int argc, char **argv)
{
    netem_options options = {
        .device = "netem0", .device_mtu = 1500, .clients = 1024, .seed = 1, .memory_mib = 64};
    int result = parse(&options, argc, argv);
    if (result != TOOL_OK) {
        return result == TOOL_HELP ? TOOL_OK : result;
    }
    return options.tell ? tell(&options) : emulate(&options);
}

#endif
