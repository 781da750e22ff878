#include "api/config.h"

#include <stddef.h>
#include <string.h>

#include "api/allocator.h"
#include "api/tuning.h"
#include "base/bits.h"
#include "base/text.h"
#include "base/units.h"
#include "core/ids.h"
#include "crypto/tls_context.h"
#include "host/blocks.h"
#include "io/host.h"

/* field, smallest, largest */
#define RANGE_MAP(X)                                            \
    X(peers_max, 1, 65535)                                      \
    X(message_bytes_max, 1, UINT32_C(1) << 24)                  \
    X(send_queue_bytes_max, 1, UINT32_C(1) << 30)               \
    X(receive_window_bytes, 1, UINT32_C(1) << 30)               \
    X(memory_bytes_max, FN_KIB(256), (uint64_t)(SIZE_MAX / 4))  \
    X(handshake_timeout_ms, 1, TIMEOUT_MS_MAX)                  \
    X(linger_ms, 0, TIMEOUT_MS_MAX)                             \
    X(handshakes_max, 1, 65535)                                 \
    X(handshakes_per_address_per_s, 0, 1000000)                 \
    X(connect_request_timeout_ms, 1, TIMEOUT_MS_MAX)            \
    X(replay_window_packets, 1024, 65536)                       \
    X(key_update_packets, 64, UINT64_C(1) << 32)                \
    X(key_update_interval_ms, 1, UINT32_MAX)                    \
    X(mtu_bytes_max, 1200, 65507)                               \
    X(udp_timeout_ms, 1, TIMEOUT_MS_MAX)                        \
    X(peers_per_address_max, 0, 65535)                          \
    X(transport, FASTNET_TRANSPORT_NONE, FASTNET_TRANSPORT_TCP) \
    X(log_level, FASTNET_LOG_ERROR, FASTNET_LOG_DEBUG)

enum {
    TIMEOUT_MS_MAX = 600 * 1000,
    MESSAGE_WINDOW = 4096, /* reliable ids above the lowest missing one */
    DATAGRAM_BYTES_MIN_ACCEPTED = 1472,
    /* Of version 0.1.0 before `socket` was added. */
    CONFIG_BYTES_MIN = offsetof(FastNetConfig, socket),
};

/* --- defaults --- */

static const FastNetConfig defaults = {
    .struct_size = sizeof(FastNetConfig),
    .peers_max = 64,
    .message_bytes_max = 256 * 1024,
    .send_queue_bytes_max = 1024 * 1024,
    .receive_window_bytes = 1024 * 1024,
    .memory_bytes_max = UINT64_C(64) << 20,
    .handshake_timeout_ms = 5000,
    .idle_timeout_ms = 30000,
    .keepalive_ms = 1500,
    .linger_ms = 500,
    .rate_floor_bytes_per_s = 65536,
    .handshakes_max = 256,
    .handshakes_per_address_per_s = 20,
    .connect_request_timeout_ms = 5000,
    .replay_window_packets = 4096,
    .key_update_packets = UINT64_C(1) << 20,
    .key_update_interval_ms = 3600 * 1000,
    .mtu_bytes_max = 1452,
    .channel_count = FN_CHANNEL_TABLE_DEFAULT_COUNT,
    .log_level = FASTNET_LOG_WARNING,
    .spin_us = 100,
    .udp_timeout_ms = 1500,
};

void fastnet_config_init_sized(FastNetConfig *config, uint32_t struct_size)
{
    if (config == NULL || struct_size < sizeof config->struct_size)
        return;
    memset(config, 0, struct_size);
    memcpy(config, &defaults, fn_min_size(struct_size, sizeof defaults));
    config->struct_size = struct_size;
}

void fastnet_connect_options_init_sized(FastNetConnectOptions *options, uint32_t struct_size)
{
    if (options == NULL || struct_size < sizeof options->struct_size)
        return;
    memset(options, 0, struct_size);
    options->struct_size = struct_size;
}

/* --- versions --- */

static bool all_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

int fn_config_read_sized(const void *given, uint32_t given_bytes, void *ours, uint32_t our_bytes,
                         uint32_t first_version_bytes, const char *what, fn_failure *failure)
{
    if (given_bytes < first_version_bytes || given_bytes > FN_CONFIG_STRUCT_BYTES_MAX) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "struct_size of %s is %u; fill it with its init function", what,
                              (unsigned)given_bytes);
    }
    if (given_bytes > our_bytes &&
        !all_zero((const uint8_t *)given + our_bytes, given_bytes - our_bytes)) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "%s uses fields that this version of the library does not know",
                              what);
    }
    memcpy(ours, given, fn_min_size(given_bytes, our_bytes));
    return FASTNET_OK;
}

/* --- checks --- */

static int range_error(const char *field, int64_t value, uint64_t low, uint64_t high,
                       fn_failure *failure)
{
    return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "%s is %lld; it must be %llu to %llu",
                          field, (long long)value, (unsigned long long)low,
                          (unsigned long long)high);
}

static int check_ranges(const FastNetConfig *given, fn_failure *failure)
{
#define X(field, low, high)                                                                \
    if ((int64_t)given->field < (int64_t)(low) || (int64_t)given->field > (int64_t)(high)) \
        return range_error(#field, (int64_t)given->field, (low), (high), failure);
    RANGE_MAP(X)
#undef X
    return FASTNET_OK;
}

/* A message that no queue can ever hold would be refused for ever: say so now. */
static int check_message_fits(const FastNetConfig *given, fn_failure *failure)
{
    uint64_t cost = (uint64_t)given->message_bytes_max + FN_LIMITS_MESSAGE_COST_BYTES;
    const struct {
        const char *field;
        uint64_t value;
    } rows[] = {
        {"send_queue_bytes_max", given->send_queue_bytes_max},
        {"receive_window_bytes", given->receive_window_bytes},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        if (rows[i].value < cost) {
            return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                                  "%s is %llu; one message of message_bytes_max needs %llu",
                                  rows[i].field, (unsigned long long)rows[i].value,
                                  (unsigned long long)cost);
        }
    }
    uint64_t memory_bytes = fn_config_memory_bytes_min(given);
    if (given->memory_bytes_max < memory_bytes) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "memory_bytes_max is %llu; one message of message_bytes_max needs "
                              "%llu",
                              (unsigned long long)given->memory_bytes_max,
                              (unsigned long long)memory_bytes);
    }
    return FASTNET_OK;
}

static int check_rest(const FastNetConfig *given, fn_failure *failure)
{
    if (!fn_bits_power_of_two(given->replay_window_packets)) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "replay_window_packets is %u; it must be a power of two",
                              (unsigned)given->replay_window_packets);
    }
    int code = fn_allocator_check(&given->allocator, failure);
    if (code != FASTNET_OK)
        return code;
    if (given->listen && (given->certificate_path == NULL || given->private_key_path == NULL)) {
        return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE,
                              "%s is NULL; a listening endpoint needs a certificate and its key",
                              given->certificate_path == NULL ? "certificate_path"
                                                              : "private_key_path");
    }
    return FASTNET_OK;
}

/* --- copies --- */

static int copy_application_id(fn_config *config, fn_failure *failure)
{
    const char *id = config->given.application_id != NULL ? config->given.application_id : "";
    size_t bytes = strlen(id);
    if (bytes >= sizeof config->application_id) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "application_id has %zu bytes; at most %d are possible", bytes,
                              FN_HELLO_APPLICATION_BYTES_MAX);
    }
    memcpy(config->application_id, id, bytes + 1);
    return FASTNET_OK;
}

static int copy_bind_address(fn_config *config, fn_failure *failure)
{
    const char *text = config->given.bind_address;
    config->bind_address = fn_address_any(false, 0);
    if (text != NULL && !fn_host_parse(text, &config->bind_address)) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "bind_address '%.80s' is not a numeric IPv4 or IPv6 address (an "
                              "interface behind '%%' must be one of this machine)",
                              text);
    }
    return FASTNET_OK;
}

/* "host", "host:port", or ":port" for the address that each client has connected to. */
static fn_address_error split_advertised(fn_config *config, const char *text)
{
    if (text[0] == ':' && text[1] != ':')
        return fn_address_parse_port(text + 1, &config->advertised_port);
    return fn_address_split_host_port(text, 1, config->advertised_host,
                                      sizeof config->advertised_host, &config->advertised_port);
}

static int copy_advertised_address(fn_config *config, fn_failure *failure)
{
    const char *text = config->given.advertised_address;
    uint16_t other_port = 0;
    if (text == NULL)
        return FASTNET_OK;
    fn_address_error error = split_advertised(config, text);
    if (error != FN_ADDRESS_OK) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "advertised_address '%.80s' %s", text,
                              fn_address_error_text(error));
    }
    /* Without a port of its own the text takes whatever default it is offered. */
    if (config->advertised_host[0] != '\0') {
        fn_address_split_host_port(text, 2, config->advertised_host, sizeof config->advertised_host,
                                   &other_port);
        config->advertised_port = other_port == config->advertised_port ? other_port : 0;
    }
    return FASTNET_OK;
}

static int copy_socket(fn_config *config, fn_failure *failure)
{
    return fn_tuning_read(config->given.socket, &config->socket, failure);
}

static int copy_channels(fn_config *config, fn_failure *failure)
{
    const FastNetConfig *given = &config->given;
    const FastNetChannelConfig *channels = given->channels;
    config->channel_count = given->channel_count;
    if (channels == NULL) {
        if (given->channel_count != FN_CHANNEL_TABLE_DEFAULT_COUNT) {
            return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                                  "channel_count is %u but channels is NULL",
                                  (unsigned)given->channel_count);
        }
        channels = fn_channel_table_default;
    }
    int result = fn_channel_table_check(channels, given->channel_count, failure);
    if (result != FASTNET_OK)
        return result;
    memcpy(config->channels, channels, given->channel_count * sizeof *channels);
    fn_channel_table_hash(config->channels, config->channel_count, config->channel_table_hash);
    return FASTNET_OK;
}

static void fill_limits(fn_config *config)
{
    const FastNetConfig *given = &config->given;
    config->limits = (fn_limits){
        .message_bytes_max = given->message_bytes_max,
        .receive_window_bytes = given->receive_window_bytes,
        .replay_window_packets = given->replay_window_packets,
        .message_window = MESSAGE_WINDOW,
        .idle_timeout_ms = given->idle_timeout_ms,
        .datagram_bytes_max = fn_max_u32(given->mtu_bytes_max, DATAGRAM_BYTES_MIN_ACCEPTED),
    };
}

int fn_config_read(const FastNetConfig *given, fn_config *out, fn_failure *failure)
{
    static int (*const steps[])(fn_config *, fn_failure *) = {
        copy_application_id, copy_bind_address, copy_advertised_address, copy_channels,
        copy_socket};
    static int (*const checks[])(const FastNetConfig *,
                                 fn_failure *) = {check_ranges, check_message_fits, check_rest};

    memset(out, 0, sizeof *out);
    out->given = defaults;
    int result = fn_config_read_sized(given, given->struct_size, &out->given, sizeof defaults,
                                      CONFIG_BYTES_MIN, "FastNetConfig", failure);
    for (size_t i = 0; result == FASTNET_OK && i < FN_ARRAY_COUNT(checks); i++)
        result = checks[i](&out->given, failure);
    for (size_t i = 0; result == FASTNET_OK && i < FN_ARRAY_COUNT(steps); i++)
        result = steps[i](out, failure);
    if (result == FASTNET_OK)
        fill_limits(out);
    return result;
}

static int check_options(const FastNetConnectOptions *options, fn_failure *failure)
{
    if (options->token_bytes > FASTNET_TOKEN_BYTES_MAX) {
        return range_error("token_bytes", options->token_bytes, 0, FASTNET_TOKEN_BYTES_MAX,
                           failure);
    }
    if (options->pin_count > FN_TLS_PINS_MAX)
        return range_error("pin_count", options->pin_count, 0, FN_TLS_PINS_MAX, failure);
    if ((options->token == NULL && options->token_bytes > 0) ||
        (options->pins == NULL && options->pin_count > 0)) {
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "%s is NULL but its count is not 0",
                              options->token == NULL && options->token_bytes > 0 ? "token"
                                                                                 : "pins");
    }
    return FASTNET_OK;
}

int fn_config_read_options(const FastNetConnectOptions *given, FastNetConnectOptions *out,
                           fn_failure *failure)
{
    memset(out, 0, sizeof *out);
    if (given == NULL)
        return FASTNET_OK;
    int result = fn_config_read_sized(given, given->struct_size, out, sizeof *out, sizeof *out,
                                      "FastNetConnectOptions", failure);
    return result == FASTNET_OK ? check_options(out, failure) : result;
}
