/* What the socket is asked for, what the system grants, and what is said about the difference. */
#include "api/test_net.h"

#include "fastnet/tuning.h"

#ifdef __linux__
#include <sys/wait.h>
#endif

#define MIB (1024 * 1024)

/* --- the three sets --- */

static void sets_are_as_documented(void **state)
{
    (void)state;
    const FastNetSocketConfig standard = fastnet_socket_config_default();
    const FastNetSocketConfig latency = fastnet_socket_config_low_latency();
    const FastNetSocketConfig throughput = fastnet_socket_config_high_throughput();
    assert_int_equal(standard.receive_buffer_bytes, MIB);
    assert_int_equal(standard.busy_poll_us + standard.traffic_class + standard.priority, 0);
    assert_true(standard.segmentation && !standard.coalescing && !standard.force_buffers);
    assert_int_equal(latency.receive_buffer_bytes, 8 * MIB);
    assert_int_equal(latency.send_buffer_bytes, 8 * MIB);
    assert_int_equal(latency.busy_poll_us, 100);
    assert_int_equal(latency.traffic_class, 0xB8);
    assert_int_equal(latency.priority, 6);
    assert_false(latency.coalescing);
    assert_int_equal(throughput.receive_buffer_bytes, 8 * MIB);
    assert_true(throughput.segmentation && throughput.coalescing);
}

static void fields_out_of_range_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        FastNetSocketConfig socket;
    } rows[] = {
        {"receive_buffer_bytes", {.receive_buffer_bytes = (1u << 30) + 1}},
        {"send_buffer_bytes", {.send_buffer_bytes = UINT32_MAX}},
        {"busy_poll_us", {.busy_poll_us = 1000001}},
        {"traffic_class", {.traffic_class = 256}},
        {"priority", {.priority = 16}},
        {"does not know", {.reserved[9] = 1}},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        FastNetConfig config;
        FastNetEndpoint *endpoint;
        fastnet_config_init(&config);
        config.socket = &rows[i].socket;
        assert_int_equal(fastnet_endpoint_create(&config, &endpoint), FASTNET_ERR_ARGUMENT);
        assert_non_null(strstr(fastnet_connect_error_text(), rows[i].field));
    }
}

/* --- what is granted --- */

typedef struct test_log {
    uint32_t lines;
    int32_t level;
    char text[512];
} test_log;

static void on_log(void *user, int32_t level, const char *line)
{
    test_log *log = user;
    log->lines++;
    log->level = level;
    snprintf(log->text, sizeof log->text, "%s", line);
}

/* Creates an endpoint with these settings and reads back what holds. */
static FastNetResult granted(const FastNetSocketConfig *wanted, const char *bind_address,
                             FastNetSocketConfig *out, test_log *log)
{
    FastNetConfig config;
    FastNetEndpoint *endpoint;
    memset(log, 0, sizeof *log);
    fastnet_config_init(&config);
    config.socket = wanted;
    config.bind_address = bind_address;
    config.log = on_log;
    config.log_user = log;
    FastNetResult result = fastnet_endpoint_create(&config, &endpoint);
    if (result != FASTNET_OK)
        return result;
    result = fastnet_endpoint_socket_config(endpoint, out);
    fastnet_endpoint_destroy(endpoint);
    return result;
}

static void what_needs_no_rights_is_granted_and_not_logged(void **state)
{
    (void)state;
    static const char *const addresses[] = {NULL, "127.0.0.1", "::1"};
    const FastNetSocketConfig wanted = {.receive_buffer_bytes = 100000,
                                        .send_buffer_bytes = 50000,
                                        .traffic_class = 0xB8,
                                        .priority = 6};
    for (size_t i = 0; i < FN_ARRAY_COUNT(addresses); i++) {
        FastNetSocketConfig got;
        test_log log;
        assert_int_equal(granted(&wanted, addresses[i], &got, &log), FASTNET_OK);
        assert_int_equal(got.receive_buffer_bytes, 100000);
        assert_int_equal(got.send_buffer_bytes, 50000);
        assert_int_equal(got.traffic_class, 0xB8);
#ifdef __linux__
        assert_int_equal(got.priority, 6);
        assert_int_equal(log.lines, 0);
#endif
        assert_false(got.segmentation || got.coalescing || got.prefer_busy_poll);
    }
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    FastNetSocketConfig got;
    test_net *net = test_net_with(NULL, NULL);
    assert_int_equal(fastnet_endpoint_socket_config(NULL, &got), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_endpoint_socket_config(net->server, NULL), FASTNET_ERR_ARGUMENT);
    test_net_destroy(net);
}

#ifdef __linux__
static uint32_t system_maximum(const char *path)
{
    unsigned long bytes = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &bytes), 1);
    fclose(file);
    return (uint32_t)fn_min_u64(bytes, UINT32_MAX);
}

static void buffers_above_the_maximum_are_cut_and_logged_once(void **state)
{
    (void)state;
    uint32_t maximum = system_maximum("/proc/sys/net/core/rmem_max");
    FastNetSocketConfig wanted = {.receive_buffer_bytes = 1u << 29};
    FastNetSocketConfig got;
    test_log log;
    char part[80];
    assert_true(maximum < wanted.receive_buffer_bytes);
    assert_int_equal(granted(&wanted, NULL, &got, &log), FASTNET_OK);
    assert_int_equal(got.receive_buffer_bytes, maximum);
    snprintf(part, sizeof part, "receive_buffer_bytes %u of 536870912", (unsigned)maximum);
    assert_non_null(strstr(log.text, part));
    assert_int_equal(log.lines, 1);
    assert_int_equal(log.level, FASTNET_LOG_WARNING);
}

/* Whoever asks for nothing special is told at level INFO only. */
static void defaults_are_not_warned_of(void **state)
{
    (void)state;
    FastNetSocketConfig got;
    test_log log;
    assert_int_equal(granted(NULL, NULL, &got, &log), FASTNET_OK);
    assert_int_equal(log.lines, 0);
}

enum { CHILD_OK, CHILD_SETUID, CHILD_CREATE, CHILD_BUFFER, CHILD_REFUSED, CHILD_LOG };

static int ask_without_rights(void)
{
    FastNetSocketConfig wanted = fastnet_socket_config_low_latency();
    FastNetSocketConfig got;
    test_log log;
    uint32_t maximum = system_maximum("/proc/sys/net/core/rmem_max");
    wanted.priority = 7;
    if (geteuid() == 0 && setuid(65534) != 0)
        return CHILD_SETUID;
    if (granted(&wanted, NULL, &got, &log) != FASTNET_OK)
        return CHILD_CREATE;
    if (got.receive_buffer_bytes != fn_min_u32(maximum, 8 * MIB))
        return CHILD_BUFFER;
    /* A priority above 6 takes rights everywhere: it stays what the traffic class made of it. */
    if (got.priority >= 7 || got.traffic_class != 0xB8)
        return CHILD_REFUSED;
    /* Kernels differ in the rest: it is granted, or it is said. */
    bool told = (got.busy_poll_us == 100) != (strstr(log.text, "busy_poll_us 0 of 100") != NULL) &&
                got.prefer_busy_poll != (strstr(log.text, "prefer_busy_poll 0 of 1") != NULL) &&
                strstr(log.text, " of 7") != NULL && log.lines == 1;
    return told ? CHILD_OK : CHILD_LOG;
}

static void what_takes_rights_is_refused_without_them(void **state)
{
    (void)state;
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(ask_without_rights());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}
#endif

/* --- segmentation --- */

static FastNetEndpointStats stats_of(const FastNetEndpoint *endpoint)
{
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    assert_int_equal(fastnet_endpoint_stats(endpoint, &stats), FASTNET_OK);
    return stats;
}

enum { MESSAGES = 400, MESSAGE_BYTES = 1000 };

static void send_all(test_net *net)
{
    static uint8_t message[MESSAGE_BYTES];
    for (uint32_t i = 0; i < MESSAGES;) {
        memset(message, (int)(i % 251), sizeof message);
        if (fastnet_send(net->client, net->to_server, 0, message, sizeof message) == FASTNET_OK)
            i++;
        else
            test_turn(net);
    }
}

static void coalesced_datagrams_are_taken_apart_in_order(void **state)
{
    (void)state;
    const FastNetSocketConfig throughput = fastnet_socket_config_high_throughput();
    FastNetConfig server, client;
    fastnet_config_init(&server);
    fastnet_config_init(&client);
    server.socket = client.socket = &throughput;
    test_net *net = test_net_with(&server, &client);
    test_net_connect(net);
    send_all(net);
    test_await_nth(net, net->server, FASTNET_EVENT_DATA, MESSAGES - 1);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        const FastNetEvent *event = test_find(net, net->server, FASTNET_EVENT_DATA, i);
        assert_int_equal(event->data_len, MESSAGE_BYTES);
        assert_int_equal(event->data[0], i % 251);
        assert_int_equal(event->data[MESSAGE_BYTES - 1], i % 251);
    }
    FastNetSocketConfig got;
    assert_int_equal(fastnet_endpoint_socket_config(net->client, &got), FASTNET_OK);
    FastNetEndpointStats sent = stats_of(net->client), received = stats_of(net->server);
    if (got.segmentation) {
        assert_true(sent.segmented_datagrams >= 2 * sent.segmented_sends);
        assert_true(sent.segmented_datagrams > MESSAGES / 4);
        assert_true(sent.send_calls < sent.sent_datagrams / 2);
    }
    if (got.coalescing) {
        assert_true(received.coalesced_datagrams >= 2 * received.coalesced_receives);
        assert_true(received.coalesced_datagrams > MESSAGES / 4);
    }
    assert_int_equal(received.rejected_datagrams + received.unknown_datagrams, 0);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_as_documented),
        cmocka_unit_test(fields_out_of_range_are_named),
        cmocka_unit_test(what_needs_no_rights_is_granted_and_not_logged),
        cmocka_unit_test(wrong_arguments_are_refused),
#ifdef __linux__
        cmocka_unit_test(buffers_above_the_maximum_are_cut_and_logged_once),
        cmocka_unit_test(defaults_are_not_warned_of),
        cmocka_unit_test(what_takes_rights_is_refused_without_them),
#endif
        cmocka_unit_test(coalesced_datagrams_are_taken_apart_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
