#include "netem/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct writer {
    char *text;
    size_t bytes, used;
} writer;

static void add(writer *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(writer *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(to->text + to->used, to->bytes - to->used, format, arguments);
    va_end(arguments);
    size_t room = to->bytes - to->used - 1;
    to->used += wanted > 0 && (size_t)wanted < room ? (size_t)wanted : room;
}

static void add_direction(writer *to, const netem_world *world, int direction)
{
    const fn_line *line = &world->lines[direction];
    const fn_link_counts *counts = &line->link.counts;
    char parameters[1024];
    netem_settings_print(&line->link.config, parameters, sizeof parameters);
    add(to, "{\"parameters\": {%s}, \"block_udp\": %s, \"block_tcp\": %s", parameters,
        world->switches.udp_blocked[direction] ? "true" : "false",
        world->switches.tcp_blocked[direction] ? "true" : "false");
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"entered", counts->entered},
        {"entered_bytes", line->entered_bytes},
        {"lost", counts->lost},
        {"too_large", counts->too_large},
        {"queue_full", counts->queue_full},
        {"no_memory", line->no_room},
        {"duplicated", counts->duplicated},
        {"corrupted", counts->corrupted},
        {"blocked", world->counts.blocked[direction]},
        {"delivered", line->delivered},
        {"delivered_bytes", line->delivered_bytes},
        {"held", line->heap.count},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        add(to, ", \"%s\": %" PRIu64, rows[i].name, rows[i].value);
    }
    add(to, "}");
}

void netem_report(const netem_world *world, char *text, size_t text_bytes)
{
    const netem_counts *counts = &world->counts;
    writer to = {.text = text, .bytes = text_bytes};
    uint64_t packets = counts->late_packets > 0 ? counts->late_packets : 1;
    add(&to, "{\"uptime_s\": %.3f, \"up\": ", (double)(netem_now_ns() - world->start_ns) / 1e9);
    add_direction(&to, world, NETEM_UP);
    add(&to, ", \"down\": ");
    add_direction(&to, world, NETEM_DOWN);
    add(&to, ", \"udp_clients\": %" PRIu32 ", \"udp_clients_seen\": %" PRIu64,
        netem_udp_clients(world), counts->clients);
    add(&to, ", \"udp_clients_evicted\": %" PRIu64 ", \"source_port_changes\": %" PRIu64,
        counts->evicted, counts->rebinds);
    add(&to, ", \"tcp_connections\": %" PRIu32 ", \"tcp_connections_seen\": %" PRIu64,
        netem_tcp_connections(world), counts->connections);
    add(&to, ", \"tcp_resets\": %" PRIu64, counts->resets);
    add(&to, ", \"late_us_mean\": %.1f, \"late_us_max\": %.1f}",
        (double)counts->late_ns_sum / (double)packets / 1e3, (double)counts->late_ns_max / 1e3);
}

/* --- for a person --- */

static void add_cause(writer *to, uint64_t packets, const char *what)
{
    if (packets > 0) {
        add(to, ", %" PRIu64 " %s", packets, what);
    }
}

static void summarize_direction(writer *to, const netem_world *world, int direction)
{
    const fn_line *line = &world->lines[direction];
    const fn_link_counts *counts = &line->link.counts;
    double entered = counts->entered > 0 ? (double)counts->entered : 1;
    add(to, "%-5s %" PRIu64 " packets in (%.1f kB), %" PRIu64 " out, %" PRIu64 " lost (%.3g %%)",
        direction == NETEM_UP ? "up" : "down", counts->entered, (double)line->entered_bytes / 1000,
        line->delivered, counts->lost, 100.0 * (double)counts->lost / entered);
    add_cause(to, counts->queue_full, "dropped by a full queue");
    add_cause(to, counts->too_large, "larger than the MTU");
    add_cause(to, world->counts.blocked[direction], "blocked");
    add_cause(to, line->no_room, "without memory");
    add_cause(to, counts->duplicated, "duplicated");
    add_cause(to, counts->corrupted, "corrupted");
    add_cause(to, line->heap.count, "still on the way");
    add(to, "\n");
}

void netem_summary(const netem_world *world, char *text, size_t text_bytes)
{
    const netem_counts *counts = &world->counts;
    writer to = {.text = text, .bytes = text_bytes};
    uint64_t packets = counts->late_packets > 0 ? counts->late_packets : 1;
    add(&to, "--- netem statistics, %.1f s ---\n",
        (double)(netem_now_ns() - world->start_ns) / 1e9);
    summarize_direction(&to, world, NETEM_UP);
    summarize_direction(&to, world, NETEM_DOWN);
    if (!world->tun) {
        add(&to,
            "UDP clients %" PRIu64 ", TCP connections %" PRIu64 " (%" PRIu64 " reset), source port "
            "changes %" PRIu64 "\n",
            counts->clients, counts->connections, counts->resets, counts->rebinds);
    }
    add(&to, "packets left %.3f ms late on average, %.3f ms at most\n",
        (double)counts->late_ns_sum / (double)packets / 1e6, (double)counts->late_ns_max / 1e6);
}
