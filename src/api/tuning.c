#include "api/tuning.h"

#include "api/endpoint.h"
#include "api/refusal.h"
#include "base/text.h"

enum {
    BUFFER_BYTES = 1024 * 1024,
    LARGE_BUFFER_BYTES = 8 * 1024 * 1024,
    BUFFER_BYTES_MAX = 1 << 30,
    BUSY_POLL_US = 100,
    BUSY_POLL_US_MAX = 1000 * 1000,
    EXPEDITED_FORWARDING = 0xB8, /* DSCP EF (RFC 3246), in the place of the traffic class */
    TRAFFIC_CLASS_MAX = 255,
    PRIORITY = 6,
    PRIORITY_MAX = 15,
};

/* --- the three sets --- */

FastNetSocketConfig fastnet_socket_config_default(void)
{
    return (FastNetSocketConfig){.receive_buffer_bytes = BUFFER_BYTES,
                                 .send_buffer_bytes = BUFFER_BYTES,
                                 .segmentation = true};
}

FastNetSocketConfig fastnet_socket_config_low_latency(void)
{
    return (FastNetSocketConfig){.receive_buffer_bytes = LARGE_BUFFER_BYTES,
                                 .send_buffer_bytes = LARGE_BUFFER_BYTES,
                                 .busy_poll_us = BUSY_POLL_US,
                                 .traffic_class = EXPEDITED_FORWARDING,
                                 .priority = PRIORITY,
                                 .force_buffers = true,
                                 .prefer_busy_poll = true,
                                 .segmentation = true};
}

FastNetSocketConfig fastnet_socket_config_high_throughput(void)
{
    return (FastNetSocketConfig){.receive_buffer_bytes = LARGE_BUFFER_BYTES,
                                 .send_buffer_bytes = LARGE_BUFFER_BYTES,
                                 .force_buffers = true,
                                 .segmentation = true,
                                 .coalescing = true};
}

/* --- in --- */

/* field, largest */
#define RANGE_MAP(X)                          \
    X(receive_buffer_bytes, BUFFER_BYTES_MAX) \
    X(send_buffer_bytes, BUFFER_BYTES_MAX)    \
    X(busy_poll_us, BUSY_POLL_US_MAX)         \
    X(traffic_class, TRAFFIC_CLASS_MAX)       \
    X(priority, PRIORITY_MAX)

static int check(const FastNetSocketConfig *given, fn_failure *failure)
{
#define X(field, high)                                                                       \
    if (given->field > (high))                                                               \
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "socket->%s is %u; at most %u", \
                              #field, (unsigned)given->field, (unsigned)(high));
    RANGE_MAP(X)
#undef X
    for (size_t i = 0; i < FN_ARRAY_COUNT(given->reserved); i++) {
        if (given->reserved[i] != 0) {
            return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                                  "socket uses options that this version does not know");
        }
    }
    return FASTNET_OK;
}

int fn_tuning_read(const FastNetSocketConfig *given, fn_udp_settings *out, fn_failure *failure)
{
    const FastNetSocketConfig standard = fastnet_socket_config_default();
    if (given == NULL)
        given = &standard;
    *out = (fn_udp_settings){
        .receive_buffer_bytes = given->receive_buffer_bytes,
        .send_buffer_bytes = given->send_buffer_bytes,
        .force_buffers = given->force_buffers,
        .prefer_busy_poll = given->prefer_busy_poll,
        .segment = given->segmentation,
        .coalesce = given->coalescing,
        .busy_poll_us = given->busy_poll_us,
        .traffic_class = given->traffic_class,
        .priority = given->priority,
    };
    return check(given, failure);
}

/* --- out --- */

FastNetResult fastnet_endpoint_socket_config(const FastNetEndpoint *endpoint,
                                             FastNetSocketConfig *out)
{
    fn_udp_settings granted;
    if (endpoint == NULL || out == NULL)
        return fn_refuse(endpoint, FASTNET_ERR_ARGUMENT, "out is NULL");
    fn_platform_udp_settings(&endpoint->host.platform, &granted);
    *out = (FastNetSocketConfig){
        .receive_buffer_bytes = granted.receive_buffer_bytes,
        .send_buffer_bytes = granted.send_buffer_bytes,
        .busy_poll_us = granted.busy_poll_us,
        .traffic_class = granted.traffic_class,
        .priority = granted.priority,
        .force_buffers = endpoint->host.config.socket.force_buffers,
        .prefer_busy_poll = granted.prefer_busy_poll,
        .segmentation = granted.segment,
        .coalescing = granted.coalesce,
    };
    return FASTNET_OK;
}

static void add_missing(fn_text *line, const char *name, uint64_t granted, uint64_t wanted)
{
    if (granted >= wanted)
        return;
    fn_text_add(line, line->length > 0 ? ", " : "the system granted less than asked for: ");
    fn_text_add(line, name);
    fn_text_add_char(line, ' ');
    fn_text_add_u64(line, granted);
    fn_text_add(line, " of ");
    fn_text_add_u64(line, wanted);
}

void fn_tuning_report(const FastNetEndpoint *endpoint, const fn_udp_settings *granted)
{
    char buffer[FN_DIAGNOSTICS_BYTES];
    fn_text line = fn_text_make(buffer, sizeof buffer);
    const fn_udp_settings *wanted = &endpoint->host.config.socket;
    add_missing(&line, "receive_buffer_bytes", granted->receive_buffer_bytes,
                wanted->receive_buffer_bytes);
    add_missing(&line, "send_buffer_bytes", granted->send_buffer_bytes, wanted->send_buffer_bytes);
    add_missing(&line, "busy_poll_us", granted->busy_poll_us, wanted->busy_poll_us);
    add_missing(&line, "prefer_busy_poll", granted->prefer_busy_poll, wanted->prefer_busy_poll);
    add_missing(&line, "traffic_class", granted->traffic_class, wanted->traffic_class);
    add_missing(&line, "priority", granted->priority, wanted->priority);
    add_missing(&line, "segmentation", granted->segment, wanted->segment);
    add_missing(&line, "coalescing", granted->coalesce, wanted->coalesce);
    /* Who asked for nothing special is not warned of a system that is as most are. */
    bool asked = endpoint->host.config.given.socket != NULL;
    if (line.length > 0)
        fn_log_write(&endpoint->host.diagnostics.log, asked ? FN_LOG_WARNING : FN_LOG_INFO, buffer);
}
