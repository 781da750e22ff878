/* Creating: every field's range, versions of the structs, files and ports. */
#include "api/test_net.h"

#include "api/config.h"

#include <sys/stat.h>

static void assert_refused(const FastNetConfig *config, FastNetResult result, const char *text)
{
    FastNetEndpoint *endpoint = (FastNetEndpoint *)(uintptr_t)1;
    FastNetResult got = fastnet_endpoint_create(config, &endpoint);
    if (got != result || strstr(fastnet_connect_error_text(), text) == NULL)
        fail_msg("%s instead of %s: '%s' should say '%s'", fastnet_result_name(got),
                 fastnet_result_name(result), fastnet_connect_error_text(), text);
    assert_null(endpoint);
}

static void every_range_is_checked_by_name(void **state)
{
    (void)state;
    FastNetConfig config;
#define REFUSED(field, value)     \
    fastnet_config_init(&config); \
    config.field = (value);       \
    assert_refused(&config, FASTNET_ERR_ARGUMENT, #field)
    REFUSED(peers_max, 0);
    REFUSED(peers_max, 65536);
    REFUSED(message_bytes_max, 0);
    REFUSED(message_bytes_max, (1u << 24) + 1);
    REFUSED(send_queue_bytes_max, 1000);
    REFUSED(receive_window_bytes, 1000);
    REFUSED(memory_bytes_max, 1000);
    REFUSED(handshake_timeout_ms, 0);
    REFUSED(linger_ms, 600001);
    REFUSED(handshakes_max, 0);
    REFUSED(connect_request_timeout_ms, 0);
    REFUSED(replay_window_packets, 512);
    REFUSED(replay_window_packets, 5000);
    REFUSED(key_update_packets, 63);
    REFUSED(key_update_packets, (UINT64_C(1) << 32) + 1);
    REFUSED(key_update_interval_ms, 0);
    REFUSED(mtu_bytes_max, 1199);
    REFUSED(channel_count, 0);
    REFUSED(channel_count, 5);
    REFUSED(log_level, 4);
    REFUSED(log_level, -1);
    REFUSED(bind_address, "localhost");
    REFUSED(advertised_address, "a b");
    REFUSED(advertised_address, ":");
    REFUSED(advertised_address, ":0");
    REFUSED(bind_address, "fe80::1%no-such-if");
    REFUSED(application_id, "0123456789012345678901234567890123456789012345678901234567890123x");
#undef REFUSED
    assert_int_equal(fastnet_endpoint_create(NULL, NULL), FASTNET_ERR_ARGUMENT);
}

static void carry(test_net *net, bool up, const uint8_t *message, uint32_t bytes)
{
    FastNetEndpoint *from = up ? net->client : net->server;
    FastNetPeerId to = up ? net->to_server : net->to_client;
    uint64_t end_ns = fastnet_now_ns() + 10 * FN_NS_PER_S;
    int code;
    while ((code = fastnet_send(from, to, 0, message, bytes)) == FASTNET_ERR_BACKPRESSURE) {
        assert_true(fastnet_now_ns() < end_ns);
        test_run_ms(net, 1);
    }
    assert_int_equal(code, FASTNET_OK);
    assert_int_equal(test_await(net, up ? net->server : net->client, FASTNET_EVENT_DATA)->data_len,
                     bytes);
}

/* Memory that cannot hold a largest message is refused with what it takes: that much is enough to
 * carry one and then one back, however many peers there may be. */
static void memory_that_cannot_hold_one_message_is_refused_with_the_real_minimum(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {300000, 1 << 20, 3000000, 1 << 24};
    for (size_t i = 0; i < FN_ARRAY_COUNT(sizes); i++) {
        FastNetConfig config;
        fastnet_config_init(&config);
        config.message_bytes_max = sizes[i];
        config.send_queue_bytes_max = config.receive_window_bytes = sizes[i] + 64;
        config.memory_bytes_max = sizes[i] + 4096;
        config.peers_max = i % 2 == 0 ? 1 : 1000;
        assert_refused(&config, FASTNET_ERR_ARGUMENT, "memory_bytes_max is ");
        const char *last = strrchr(fastnet_connect_error_text(), ' ');
        assert_non_null(last);
        config.memory_bytes_max = strtoull(last, NULL, 10) - 1;
        assert_refused(&config, FASTNET_ERR_ARGUMENT, last);
        config.memory_bytes_max++;
        test_net *net = test_net_with(&config, &config);
        test_net_connect(net);
        uint8_t *message = calloc(1, sizes[i]);
        carry(net, true, message, sizes[i]);
        test_forget_events(net);
        carry(net, false, message, sizes[i]);
        free(message);
        test_net_destroy(net);
    }
}

static void find_what_both_ways_take(void *user, int32_t level, const char *message)
{
    (void)level;
    if (strstr(message, "memory_bytes_max holds only one message") != NULL)
        *(uint64_t *)user = strtoull(strrchr(message, ' '), NULL, 10);
}

/* The figure that the warning names is enough for a largest message each way at once. */
static void memory_for_one_message_at_a_time_is_said_at_creation(void **state)
{
    (void)state;
    enum { BYTES = 300000 };
    uint64_t both_ways = 0;
    FastNetConfig config;
    fastnet_config_init(&config);
    config.message_bytes_max = BYTES;
    config.memory_bytes_max = 1 << 20;
    config.log = find_what_both_ways_take;
    config.log_user = &both_ways;
    FastNetEndpoint *endpoint;
    assert_int_equal(fastnet_endpoint_create(&config, &endpoint), FASTNET_OK);
    fastnet_endpoint_destroy(endpoint);
    assert_true(both_ways > config.memory_bytes_max);
    config.memory_bytes_max = both_ways;
    both_ways = 0;
    test_net *net = test_net_with(&config, &config);
    assert_int_equal(both_ways, 0);
    test_net_connect(net);
    uint8_t *message = calloc(1, BYTES);
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, message, BYTES), FASTNET_OK);
    assert_int_equal(fastnet_send(net->server, net->to_client, 2, message, BYTES), FASTNET_OK);
    assert_int_equal(test_await(net, net->server, FASTNET_EVENT_DATA)->data_len, BYTES);
    assert_int_equal(test_await(net, net->client, FASTNET_EVENT_DATA)->data_len, BYTES);
    free(message);
    test_net_destroy(net);
}

static void count_home_warnings(void *user, int32_t level, const char *message)
{
    if (level == FASTNET_LOG_WARNING && strstr(message, "memory_bytes_max reserves only") != NULL)
        ++*(int *)user;
}

static void too_little_memory_for_each_peer_is_said_at_creation(void **state)
{
    (void)state;
    for (int little = 0; little < 2; little++) {
        int warnings = 0;
        FastNetConfig config;
        fastnet_config_init(&config);
        config.peers_max = 1000;
        config.memory_bytes_max = 2 * 4096 * 1000 - little;
        config.log = count_home_warnings;
        config.log_user = &warnings;
        FastNetEndpoint *endpoint;
        assert_int_equal(fastnet_endpoint_create(&config, &endpoint), FASTNET_OK);
        assert_int_equal(warnings, little);
        fastnet_endpoint_destroy(endpoint);
    }
}

static void channel_table_is_checked(void **state)
{
    (void)state;
    FastNetConfig config;
    FastNetChannelConfig channels[2] = {{FASTNET_MODE_RELIABLE, 0, 1, 0, 65536, 0},
                                        {9, 0, 1, 0, 65536, 0}};
    fastnet_config_init(&config);
    config.channels = channels;
    config.channel_count = 2;
    assert_refused(&config, FASTNET_ERR_ARGUMENT, "mode");
}

static void config_defaults_are_the_documented_ones(void **state)
{
    (void)state;
    FastNetConfig config;
    fastnet_config_init(&config);
    assert_int_equal(config.struct_size, sizeof config);
    assert_int_equal(config.peers_max, 64);
    assert_int_equal(config.message_bytes_max, 262144);
    assert_int_equal(config.memory_bytes_max, 64 << 20);
    assert_int_equal(config.linger_ms, 500);
    assert_int_equal(config.key_update_packets, 1 << 20);
    assert_int_equal(config.mtu_bytes_max, 1452);
    assert_int_equal(config.channel_count, 4);
    assert_int_equal(config.log_level, FASTNET_LOG_WARNING);
    assert_null(config.channels);
}

/* A program that was built against a newer header. */
typedef struct newer_config {
    FastNetConfig known;
    uint64_t unknown[2];
} newer_config;

static void struct_size_tells_the_version(void **state)
{
    (void)state;
    newer_config newer;
    FastNetEndpoint *endpoint;
    memset(&newer, 0xff, sizeof newer);
    fastnet_config_init_sized(&newer.known, sizeof newer);
    assert_int_equal(newer.known.struct_size, sizeof newer);
    assert_true(newer.unknown[0] == 0 && newer.unknown[1] == 0);
    assert_int_equal(fastnet_endpoint_create(&newer.known, &endpoint), FASTNET_OK);
    fastnet_endpoint_destroy(endpoint);
    newer.unknown[1] = 1;
    assert_refused(&newer.known, FASTNET_ERR_ARGUMENT, "FastNetConfig");
    newer.known.struct_size = 0;
    assert_refused(&newer.known, FASTNET_ERR_ARGUMENT, "struct_size");

    FastNetConfig never_filled;
    memset(&never_filled, 0x5a, sizeof never_filled);
    assert_refused(&never_filled, FASTNET_ERR_ARGUMENT, "struct_size");

    FastNetConnectOptions options = {.struct_size = 3};
    FastNetConnectOptions out;
    assert_int_equal(fn_config_read_options(&options, &out, NULL), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fn_config_read_options(NULL, &out, NULL), FASTNET_OK);
    fastnet_connect_options_init(&options);
    options.token_bytes = FASTNET_TOKEN_BYTES_MAX + 1;
    assert_int_equal(fn_config_read_options(&options, &out, NULL), FASTNET_ERR_ARGUMENT);
    options.token_bytes = 1;
    assert_int_equal(fn_config_read_options(&options, &out, NULL), FASTNET_ERR_ARGUMENT);
}

static void advertised_address_keeps_its_own_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } rows[] = {
        {"play.example", "play.example", 0},
        {"play.example:1", "play.example", 1},
        {"play.example:2", "play.example", 2},
        {"[::1]:65535", "::1", 65535},
        {"192.0.2.1", "192.0.2.1", 0},
        {":7777", "", 7777},
        {"::7777", "::7777", 0},
        {"[fe80::1%lo]:9", "fe80::1%lo", 9},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        fn_config *out = malloc(sizeof *out);
        FastNetConfig config;
        fastnet_config_init(&config);
        config.advertised_address = rows[i].text;
        assert_int_equal(fn_config_read(&config, out, NULL), FASTNET_OK);
        assert_string_equal(out->advertised_host, rows[i].host);
        assert_int_equal(out->advertised_port, rows[i].port);
        free(out);
    }
}

static void listening_needs_a_certificate_that_fits_its_key(void **state)
{
    (void)state;
    char broken[128];
    test_net *net = test_net_create();
    test_net *other = test_net_create();
    FastNetConfig config = test_server_config(net);
    config.certificate_path = NULL;
    assert_refused(&config, FASTNET_ERR_CERTIFICATE, "certificate_path");
    config = test_server_config(net);
    config.private_key_path = NULL;
    assert_refused(&config, FASTNET_ERR_CERTIFICATE, "private_key_path");
    config = test_server_config(net);
    config.certificate_path = "/nowhere/cert.pem";
    assert_refused(&config, FASTNET_ERR_CERTIFICATE, "/nowhere/cert.pem");
    config = test_server_config(net);
    config.private_key_path = net->directory;
    assert_refused(&config, FASTNET_ERR_CERTIFICATE, net->directory);
    config = test_server_config(net);
    config.private_key_path = other->key;
    assert_refused(&config, FASTNET_ERR_CERTIFICATE, net->certificate);
    config = test_server_config(net);
    test_path(broken, sizeof broken, net->directory, "broken.pem");
    test_write_file(broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    config.certificate_path = broken;
    assert_refused(&config, FASTNET_ERR_CERTIFICATE, "broken.pem");
    unlink(broken);
    config = test_client_config(net);
    config.trusted_roots_path = "/nowhere/ca.pem";
    assert_refused(&config, FASTNET_ERR_CERTIFICATE, "/nowhere/ca.pem");
    test_net_destroy(other);
    test_net_destroy(net);
}

static void port_in_use_is_named(void **state)
{
    (void)state;
    char port[16];
    test_net *net = test_net_with(NULL, NULL);
    FastNetConfig config = test_server_config(net);
    config.udp_port = fastnet_udp_port(net->server);
    snprintf(port, sizeof port, "%u", (unsigned)config.udp_port);
    assert_refused(&config, FASTNET_ERR_ADDRESS, port);
    config = test_server_config(net);
    config.tls_port = fastnet_tls_port(net->server);
    snprintf(port, sizeof port, "%u", (unsigned)config.tls_port);
    assert_refused(&config, FASTNET_ERR_ADDRESS, port);
    config = test_server_config(net);
    config.bind_address = "192.0.2.77";
    assert_refused(&config, FASTNET_ERR_ADDRESS, "192.0.2.77");
    assert_int_equal(fastnet_tls_port(net->client), 0);
    assert_int_not_equal(fastnet_udp_port(net->client), 0);
    test_net_destroy(net);
}

static void null_endpoints_are_harmless(void **state)
{
    (void)state;
    FastNetEvent event;
    FastNetPeerId peer;
    fastnet_endpoint_destroy(NULL);
    fastnet_client_disconnect(NULL);
    fastnet_server_destroy(NULL);
    fastnet_wake(NULL);
    assert_int_equal(fastnet_poll(NULL, &event, 1, 0), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_flush(NULL), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_connect(NULL, "x", 1, NULL, &peer), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_peer_count(NULL), 0);
    assert_int_equal(fastnet_peer_next(NULL, 0), 0);
    assert_int_equal(fastnet_endpoint_fd(NULL), -1);
    assert_false(fastnet_client_poll(NULL, NULL));
    assert_int_equal(fastnet_client_send(NULL, 0, NULL, 0), FASTNET_ERR_ARGUMENT);
    assert_string_equal(fastnet_version(), "0.1.0");
    assert_non_null(fastnet_last_error_text(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_range_is_checked_by_name),
        cmocka_unit_test(memory_that_cannot_hold_one_message_is_refused_with_the_real_minimum),
        cmocka_unit_test(memory_for_one_message_at_a_time_is_said_at_creation),
        cmocka_unit_test(too_little_memory_for_each_peer_is_said_at_creation),
        cmocka_unit_test(channel_table_is_checked),
        cmocka_unit_test(config_defaults_are_the_documented_ones),
        cmocka_unit_test(struct_size_tells_the_version),
        cmocka_unit_test(advertised_address_keeps_its_own_port),
        cmocka_unit_test(listening_needs_a_certificate_that_fits_its_key),
        cmocka_unit_test(port_in_use_is_named),
        cmocka_unit_test(null_endpoints_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
