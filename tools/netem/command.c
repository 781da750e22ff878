#include "netem/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 40, COMMAND_BYTES_MAX = 512 };

const char netem_commands_help[] =
    "  [up|down] NAME VALUE ...     change parameters: 'loss 5 delay 20', 'down rate 1000'\n"
    "  [up|down] block udp|tcp|all  UDP vanishes; forwarded TCP stalls, TCP through TUN vanishes\n"
    "  [up|down] unblock udp|tcp|all\n"
    "  refuse tcp, accept tcp       new forwarded TCP connections are reset, or taken again\n"
    "  reset tcp                    reset all forwarded TCP connections\n"
    "  port new                     UDP comes from other source ports from now on\n"
    "  source HOST|any              and from this address (forwarding only)\n"
    "  seed N                       start the random draws anew\n"
    "  stats                        parameters and counters as one line of JSON\n"
    "  quit                         end as after SIGTERM\n"
    "Without up or down both directions are meant: up is from clients to the target, or from\n"
    "the first --tun to the second. Packets that are on their way keep what they were dealt.\n";

typedef struct request {
    netem_world *world;
    char *words[WORDS_MAX];
    uint32_t count;
    bool directions[NETEM_DIRECTIONS];
    bool one_way; /* up or down was said */
    char *reply;
    size_t reply_bytes;
} request;

static bool fail(const request *it, const char *sentence)
{
    snprintf(it->reply, it->reply_bytes, "error: %s", sentence);
    return false;
}

static bool run_block(request *it)
{
    netem_switches *switches = &it->world->switches;
    bool on = strcmp(it->words[0], "block") == 0;
    bool all = strcmp(it->words[1], "all") == 0;
    bool udp = all || strcmp(it->words[1], "udp") == 0;
    bool tcp = all || strcmp(it->words[1], "tcp") == 0;
    if (!udp && !tcp) {
        return fail(it, "block and unblock know udp, tcp and all");
    }
    for (int i = 0; i < NETEM_DIRECTIONS; i++) {
        if (it->directions[i]) {
            switches->udp_blocked[i] = udp ? on : switches->udp_blocked[i];
            switches->tcp_blocked[i] = tcp ? on : switches->tcp_blocked[i];
        }
    }
    netem_tcp_refresh(it->world);
    return true;
}

static bool run_tcp(request *it)
{
    if (strcmp(it->words[1], "tcp") != 0) {
        return fail(it, "only tcp can be refused, accepted and reset");
    }
    if (it->world->tun) {
        return fail(it, "with --tun nothing here ends TCP: use 'block tcp'");
    }
    if (strcmp(it->words[0], "reset") == 0) {
        netem_tcp_reset(it->world);
    } else {
        it->world->switches.tcp_refused = strcmp(it->words[0], "refuse") == 0;
    }
    return true;
}

static bool run_port(request *it)
{
    if (strcmp(it->words[1], "new") != 0) {
        return fail(it, "port knows only 'port new'");
    }
    if (it->world->tun) {
        netem_tun_rebind(it->world);
    } else {
        netem_udp_rebind(it->world);
    }
    return true;
}

static bool run_source(request *it)
{
    char text[COMMAND_BYTES_MAX + 8], *told = it->world->text, sentence[NETEM_TEXT_BYTES_MAX];
    netem_endpoint source;
    if (it->world->tun) {
        return fail(it, "with --tun, change the address in the namespace");
    }
    if (strcmp(it->words[1], "any") == 0) {
        netem_udp_set_source(it->world, NULL);
        netem_udp_rebind(it->world);
        return true;
    }
    snprintf(text, sizeof text, strchr(it->words[1], ':') ? "[%s]:0" : "%s:0", it->words[1]);
    it->world->text = sentence;
    bool fine = netem_endpoint_parse(it->world, text, strlen(text), &source);
    it->world->text = told;
    if (!fine) {
        return fail(it, sentence);
    }
    netem_udp_set_source(it->world, &source);
    netem_udp_rebind(it->world);
    return true;
}

static bool run_seed(request *it)
{
    char *end;
    errno = 0;
    uint64_t seed = strtoull(it->words[1], &end, 10);
    if (*end != '\0' || it->words[1][0] == '-' || errno != 0) {
        return fail(it, "seed needs a whole number");
    }
    for (int i = 0; i < NETEM_DIRECTIONS; i++) {
        fn_rng_init(&it->world->lines[i].link.rng, seed + (uint64_t)i);
        it->world->lines[i].link.in_burst = false;
    }
    return true;
}

static bool run_stats(request *it)
{
    netem_report(it->world, it->reply, it->reply_bytes);
    return true;
}

static bool run_quit(request *it)
{
    it->world->stop = true;
    return true;
}

/* All pairs or none. */
static bool run_settings(request *it)
{
    char error[NETEM_TEXT_BYTES_MAX];
    if (it->count % 2 != 0) {
        snprintf(error, sizeof error, "'%s' is no command, and parameters come with a value each",
                 it->words[it->count - 1]);
        return fail(it, error);
    }
    fn_link_config configs[NETEM_DIRECTIONS];
    for (int i = 0; i < NETEM_DIRECTIONS; i++) {
        configs[i] = it->world->lines[i].link.config;
        for (uint32_t k = 0; it->directions[i] && k < it->count; k += 2) {
            if (!netem_settings_set(&configs[i], it->words[k], it->words[k + 1], error,
                                    sizeof error)) {
                return fail(it, error);
            }
        }
    }
    for (int i = 0; i < NETEM_DIRECTIONS; i++) {
        it->world->lines[i].link.config = configs[i];
    }
    netem_tcp_refresh(it->world);
    return true;
}

static const struct {
    const char *word;
    uint32_t words;
    bool has_direction;
    bool (*run)(request *it);
} verbs[] = {
    {"block", 2, true, run_block},    {"unblock", 2, true, run_block},
    {"refuse", 2, false, run_tcp},    {"accept", 2, false, run_tcp},
    {"reset", 2, false, run_tcp},     {"port", 2, false, run_port},
    {"source", 2, false, run_source}, {"seed", 2, false, run_seed},
    {"stats", 1, false, run_stats},   {"quit", 1, false, run_quit},
};

static bool run(request *it)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].word, it->words[0]) != 0) {
            continue;
        }
        if (it->count != verbs[i].words) {
            return fail(it, "wrong number of words; see fastnet netem --help");
        }
        if (it->one_way && !verbs[i].has_direction) {
            return fail(it, "this command has no direction");
        }
        return verbs[i].run(it);
    }
    return run_settings(it);
}

static void take_direction(request *it)
{
    bool up = it->count > 0 && strcmp(it->words[0], "up") == 0;
    bool down = it->count > 0 && strcmp(it->words[0], "down") == 0;
    it->directions[NETEM_UP] = !down;
    it->directions[NETEM_DOWN] = !up;
    it->one_way = up || down;
    if (it->one_way) {
        it->count--;
        memmove(it->words, it->words + 1, it->count * sizeof it->words[0]);
    }
}

bool netem_command(netem_world *world, const char *command, char *reply, size_t reply_bytes)
{
    char copy[COMMAND_BYTES_MAX], *save = NULL;
    request it = {.world = world, .reply = reply, .reply_bytes = reply_bytes};
    snprintf(reply, reply_bytes, "ok");
    if (strlen(command) >= sizeof copy) {
        return fail(&it, "a command has at most 511 bytes");
    }
    memcpy(copy, command, strlen(command) + 1);
    for (char *word = strtok_r(copy, " \t\r\n", &save); word && it.count < WORDS_MAX;
         word = strtok_r(NULL, " \t\r\n", &save)) {
        it.words[it.count++] = word;
    }
    take_direction(&it);
    return it.count == 0 ? fail(&it, "an empty command") : run(&it);
}
