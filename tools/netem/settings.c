#include "netem/world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum unit { MILLISECONDS, PERCENT, KILOBITS, BYTES, SWITCH } unit;

/*  option           field                 unit          value      help */
#define PARAMETERS(X)                                                                             \
    X("--delay", delay_ns, MILLISECONDS, "MS", "one way")                                         \
    X("--jitter", jitter_ns, MILLISECONDS, "MS", "evenly 0..MS on top; overtaking happens")       \
    X("--keep-order", keep_order, SWITCH, "0|1", "1: jitter lets nobody overtake")                \
    X("--loss", loss_permille, PERCENT, "PERCENT", "lost, each packet for itself")                \
    X("--burst-enter", burst_start_permille, PERCENT, "PERCENT",                                  \
      "Gilbert-Elliott: chance of a packet to begin a burst")                                     \
    X("--burst-leave", burst_end_permille, PERCENT, "PERCENT",                                    \
      "chance of a packet to end it; default 25")                                                 \
    X("--burst-loss", burst_loss_permille, PERCENT, "PERCENT", "lost in a burst; default 100")    \
    X("--duplicate", duplicate_permille, PERCENT, "PERCENT", "come out twice")                    \
    X("--reorder", reorder_permille, PERCENT, "PERCENT", "are held back by --reorder-delay")      \
    X("--reorder-delay", reorder_delay_ns, MILLISECONDS, "MS", "how long; default 10")            \
    X("--corrupt", corrupt_permille, PERCENT, "PERCENT", "get one to four bits flipped")          \
    X("--rate", rate_bytes_per_s, KILOBITS, "KBIT", "kilobits a second; 0 = no limit")            \
    X("--queue", queue_bytes_max, BYTES, "BYTES", "before the rate; more is lost; default 65536") \
    X("--mtu", mtu_bytes, BYTES, "BYTES", "larger packets vanish; 0 = no limit")                  \
    X("--cut", down, SWITCH, "0|1", "1: everything vanishes, streams stall")

const netem_parameter netem_parameters[] = {
#define X(option, field, unit, value, help) {option, value, help},
    PARAMETERS(X)
#undef X
};

const uint32_t netem_parameter_count = sizeof netem_parameters / sizeof netem_parameters[0];

typedef struct place {
    size_t offset, bytes;
    unit unit;
} place;

static const place places[] = {
#define X(option, field, unit, value, help) \
    {offsetof(fn_link_config, field), sizeof(((fn_link_config *)0)->field), unit},
    PARAMETERS(X)
#undef X
};

typedef struct scale {
    double factor; /* what is written times this is what is stored */
    double max;
} scale;

static const scale scales[] = {
    [MILLISECONDS] = {1e6, 600e3}, /* ten minutes */
    [PERCENT] = {10, 100},         [KILOBITS] = {125, 100e6}, [BYTES] = {1, 1e9}, [SWITCH] = {1, 1},
};

void netem_settings_init(fn_link_config *config)
{
    *config = (fn_link_config){
        .reorder_delay_ns = 10 * FN_NS_PER_MS,
        .queue_bytes_max = 65536,
        .burst_end_permille = 250,
        .burst_loss_permille = 1000,
    };
}

static void store(fn_link_config *config, const place *where, double value)
{
    uint8_t *at = (uint8_t *)config + where->offset;
    if (where->bytes == sizeof(uint64_t)) {
        *(uint64_t *)(void *)at = (uint64_t)(value + 0.5);
    } else if (where->bytes == sizeof(uint32_t)) {
        *(uint32_t *)(void *)at = (uint32_t)(value + 0.5);
    } else {
        *(bool *)at = value > 0;
    }
}

static double load(const fn_link_config *config, const place *where)
{
    const uint8_t *at = (const uint8_t *)config + where->offset;
    if (where->bytes == sizeof(uint64_t)) {
        return (double)*(const uint64_t *)(const void *)at;
    }
    if (where->bytes == sizeof(uint32_t)) {
        return (double)*(const uint32_t *)(const void *)at;
    }
    return *(const bool *)at;
}

bool netem_settings_set(fn_link_config *config, const char *name, const char *value, char *error,
                        size_t error_bytes)
{
    uint32_t i = 0;
    while (i < netem_parameter_count && strcmp(netem_parameters[i].option + 2, name) != 0) {
        i++;
    }
    if (i == netem_parameter_count) {
        snprintf(error, error_bytes, "unknown word '%s'", name);
        return false;
    }
    const scale *by = &scales[places[i].unit];
    char *end;
    double number = strtod(value, &end);
    double stored = number * by->factor;
    if (end == value || *end != '\0' || !(number >= 0 && number <= by->max)) {
        snprintf(error, error_bytes, "%s needs a number from 0 to %.10g, not '%s'", name, by->max,
                 value);
        return false;
    }
    if (places[i].unit != MILLISECONDS && fabs(stored - floor(stored + 0.5)) > 1e-6) {
        snprintf(error, error_bytes, "%s goes in steps of %g, not '%s'", name, 1 / by->factor,
                 value);
        return false;
    }
    store(config, &places[i], stored);
    return true;
}

int netem_settings_print(const fn_link_config *config, char *text, size_t text_bytes)
{
    size_t used = 0;
    for (uint32_t i = 0; i < netem_parameter_count && used < text_bytes; i++) {
        double shown = load(config, &places[i]) / scales[places[i].unit].factor;
        used += (size_t)snprintf(text + used, text_bytes - used, "%s\"%s\": %.10g",
                                 i > 0 ? ", " : "", netem_parameters[i].option + 2, shown);
    }
    return (int)used;
}
