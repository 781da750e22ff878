#include "netem/netem.h"

#include "netem/world.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { PACKETS_MAX = 65536 };

static netem_result start_lines(netem_world *world)
{
    fn_link_config nothing_bad;
    netem_settings_init(&nothing_bad);
    for (int i = 0; i < NETEM_DIRECTIONS; i++) {
        if (!fn_line_start(&world->lines[i], &nothing_bad, world->config->seed + (uint64_t)i,
                           PACKETS_MAX, (size_t)world->config->memory_bytes_max)) {
            return netem_say(world, NETEM_SYSTEM, "out of memory");
        }
    }
    return NETEM_OK;
}

static netem_result run_commands(netem_world *world)
{
    char reply[NETEM_REPLY_BYTES_MAX];
    for (uint32_t i = 0; i < world->config->command_count; i++) {
        const char *command = world->config->commands[i];
        if (!netem_command(world, command, reply, sizeof reply)) {
            return netem_say(world, NETEM_USAGE, "'%.80s': %.150s", command,
                             reply + strlen("error: "));
        }
    }
    return NETEM_OK;
}

static netem_result start(netem_world *world)
{
    if ((world->config->forward_count == 0) == (world->config->tun_count == 0)) {
        return netem_say(world, NETEM_USAGE, "either --forward or two --tun are needed");
    }
    if (!netem_loop_start(world)) {
        return netem_say(world, NETEM_SYSTEM, "cannot start: %s", strerror(errno));
    }
    const struct sched_param lowest = {.sched_priority = 1};
    if (world->config->realtime && sched_setscheduler(0, SCHED_FIFO, &lowest) != 0) {
        return netem_say(world, NETEM_SYSTEM, "cannot use --realtime: %s", strerror(errno));
    }
    netem_result result = start_lines(world);
    if (result == NETEM_OK && (!netem_udp_start(world) || !netem_tcp_start(world))) {
        result = netem_say(world, NETEM_SYSTEM, "out of memory");
    }
    /* The commands last: some of them need to know what they act on. */
    result = result == NETEM_OK ? netem_forwards_start(world) : result;
    result = result == NETEM_OK ? netem_tun_start(world) : result;
    result = result == NETEM_OK ? run_commands(world) : result;
    return result == NETEM_OK ? netem_control_start(world) : result;
}

static void stop(netem_world *world)
{
    netem_control_stop(world);
    netem_tun_stop(world);
    netem_tcp_stop(world);
    netem_udp_stop(world);
    for (int i = 0; i < NETEM_DIRECTIONS; i++) {
        fn_line_stop(&world->lines[i]);
    }
    netem_loop_stop(world);
}

static netem_result finish(netem_world *world)
{
    char report[NETEM_REPLY_BYTES_MAX];
    netem_note_past(world);
    if (world->config->json) {
        netem_report(world, report, sizeof report);
        printf("%s\n", report);
    } else {
        netem_summary(world, report, sizeof report);
        printf("%s", report);
    }
    return world->output_lost ? netem_say(world, NETEM_SYSTEM, "an answer could not be written")
                              : NETEM_OK;
}

netem_result netem_run(const netem_config *config, char text[NETEM_TEXT_BYTES_MAX])
{
    netem_world world = {.config = config,
                         .start_ns = netem_now_ns(),
                         .epoll_fd = -1,
                         .timer = {.fd = -1},
                         .signals = {.fd = -1},
                         .text = text};
    text[0] = '\0';
    world.now_ns = world.start_ns;
    netem_result result = start(&world);
    if (result == NETEM_OK) {
        printf("ready\n");
        fflush(stdout);
        netem_loop_run(&world);
        result = finish(&world);
    }
    stop(&world);
    return result;
}
