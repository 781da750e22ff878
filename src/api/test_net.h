/*
 * test_net.h: what the tests of this layer share: certificates in a temporary directory, endpoints
 * on loopback that are polled in turns by one thread, and a record of all that they reported.
 */
#ifndef FN_API_TEST_NET_H
#define FN_API_TEST_NET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/units.h"
#include "fastnet.h"
#include "fastnet/certificate.h"

#define TEST_UNUSED __attribute__((unused))

enum {
    TEST_EVENTS_MAX = 16384,
    TEST_TIMEOUT_MS = 10000,
    TEST_ENDPOINTS_MAX = 64,
};

typedef struct test_event {
    FastNetEvent event; /* data points to a copy */
    FastNetEndpoint *endpoint;
    uint8_t *copy;
} test_event;

typedef struct test_net {
    char directory[64];
    char ca[128];
    char certificate[128];
    char key[128];
    FastNetEndpoint *server;
    FastNetEndpoint *client;
    FastNetPeerId to_server; /* as the client names it */
    FastNetPeerId to_client; /* as the server names it */
    FastNetEndpoint *all[TEST_ENDPOINTS_MAX];
    uint32_t endpoint_count;
    test_event *events;
    uint32_t event_count;
} test_net;

/* --- files --- */

static inline void test_path(char *out, size_t bytes, const char *directory, const char *file)
{
    snprintf(out, bytes, "%s/%s", directory, file);
}

static TEST_UNUSED void test_write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline void test_certificates(const char *directory)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    FastNetCertificateOptions options;
    fastnet_certificate_options_init(&options);
    options.directory = directory;
    options.names = names;
    options.name_count = 3;
    assert_int_equal(fastnet_certificate_write(&options), FASTNET_OK);
}

/* --- the net --- */

static inline test_net *test_net_create(void)
{
    test_net *net = calloc(1, sizeof *net);
    assert_non_null(net);
    strcpy(net->directory, "/tmp/fastnet-api-XXXXXX");
    assert_non_null(mkdtemp(net->directory));
    test_certificates(net->directory);
    test_path(net->ca, sizeof net->ca, net->directory, FASTNET_CERTIFICATE_CA_FILE);
    test_path(net->certificate, sizeof net->certificate, net->directory, FASTNET_CERTIFICATE_FILE);
    test_path(net->key, sizeof net->key, net->directory, FASTNET_CERTIFICATE_KEY_FILE);
    net->events = calloc(TEST_EVENTS_MAX, sizeof *net->events);
    assert_non_null(net->events);
    return net;
}

static inline void test_forget_events(test_net *net)
{
    for (uint32_t i = 0; i < net->event_count; i++)
        free(net->events[i].copy);
    net->event_count = 0;
}

static inline void test_net_destroy(test_net *net)
{
    static const char *const files[] = {FASTNET_CERTIFICATE_CA_FILE,
                                        FASTNET_CERTIFICATE_CA_KEY_FILE, FASTNET_CERTIFICATE_FILE,
                                        FASTNET_CERTIFICATE_KEY_FILE};
    char path[160];
    for (uint32_t i = 0; i < net->endpoint_count; i++)
        fastnet_endpoint_destroy(net->all[i]);
    for (size_t i = 0; i < FN_ARRAY_COUNT(files); i++) {
        test_path(path, sizeof path, net->directory, files[i]);
        unlink(path);
    }
    rmdir(net->directory);
    test_forget_events(net);
    free(net->events);
    free(net);
}

/* The configs of one server and one client on loopback. */
static inline FastNetConfig test_server_config(const test_net *net)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.listen = true;
    config.certificate_path = net->certificate;
    config.private_key_path = net->key;
    config.handshakes_per_address_per_s = 0;
    return config;
}

static inline FastNetConfig test_client_config(const test_net *net)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.trusted_roots_path = net->ca;
    return config;
}

static inline FastNetEndpoint *test_add(test_net *net, const FastNetConfig *config)
{
    FastNetEndpoint *endpoint = NULL;
    FastNetResult result = fastnet_endpoint_create(config, &endpoint);
    if (result != FASTNET_OK)
        fail_msg("create: %s", fastnet_connect_error_text());
    assert_true(net->endpoint_count < TEST_ENDPOINTS_MAX);
    net->all[net->endpoint_count++] = endpoint;
    return endpoint;
}

static TEST_UNUSED void test_remove(test_net *net, FastNetEndpoint *endpoint)
{
    for (uint32_t i = 0; i < net->endpoint_count; i++) {
        if (net->all[i] == endpoint)
            net->all[i] = net->all[--net->endpoint_count];
    }
    fastnet_endpoint_destroy(endpoint);
}

/* --- polling --- */

static inline void test_record(test_net *net, FastNetEndpoint *endpoint, const FastNetEvent *event)
{
    assert_true(net->event_count < TEST_EVENTS_MAX);
    test_event *row = &net->events[net->event_count++];
    row->event = *event;
    row->endpoint = endpoint;
    row->copy = malloc(event->data_len + 1u);
    assert_non_null(row->copy);
    if (event->data_len > 0)
        memcpy(row->copy, event->data, event->data_len);
    row->copy[event->data_len] = 0;
    row->event.data = row->copy;
}

static inline uint32_t test_poll(test_net *net, FastNetEndpoint *endpoint, uint32_t timeout_us)
{
    FastNetEvent events[32];
    int32_t count = fastnet_poll(endpoint, events, 32, timeout_us);
    assert_in_range(count, 0, 32);
    for (int32_t i = 0; i < count; i++)
        test_record(net, endpoint, &events[i]);
    return (uint32_t)count;
}

/* One turn for every endpoint; sleeps a little when nothing happened. */
static inline void test_turn(test_net *net)
{
    uint32_t events = 0;
    for (uint32_t i = 0; i < net->endpoint_count; i++)
        events += test_poll(net, net->all[i], 0);
    if (events == 0)
        test_poll(net, net->all[0], 200);
}

static inline void test_run_ms(test_net *net, uint32_t ms)
{
    uint64_t end_ns = fastnet_now_ns() + ms * FN_NS_PER_MS;
    while (fastnet_now_ns() < end_ns)
        test_turn(net);
}

/* The nth (from 0) event of a type that an endpoint (NULL = any) reported; NULL: not yet. */
static inline const FastNetEvent *test_find(const test_net *net, const FastNetEndpoint *endpoint,
                                            int32_t type, uint32_t nth)
{
    for (uint32_t i = 0; i < net->event_count; i++) {
        const test_event *row = &net->events[i];
        if (row->event.type == type && (endpoint == NULL || row->endpoint == endpoint) &&
            nth-- == 0)
            return &row->event;
    }
    return NULL;
}

static inline uint32_t test_count(const test_net *net, const FastNetEndpoint *endpoint,
                                  int32_t type)
{
    uint32_t count = 0;
    while (test_find(net, endpoint, type, count) != NULL)
        count++;
    return count;
}

/* Polls until that event is there; the test fails when it does not come. */
static inline const FastNetEvent *test_await_nth(test_net *net, const FastNetEndpoint *endpoint,
                                                 int32_t type, uint32_t nth)
{
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    const FastNetEvent *event;
    while ((event = test_find(net, endpoint, type, nth)) == NULL) {
        if (fastnet_now_ns() > end_ns)
            fail_msg("event of type %d, number %u, did not come (%u events did)", (int)type,
                     (unsigned)nth, (unsigned)net->event_count);
        test_turn(net);
    }
    return event;
}

static inline const FastNetEvent *test_await(test_net *net, const FastNetEndpoint *endpoint,
                                             int32_t type)
{
    return test_await_nth(net, endpoint, type, 0);
}

/* --- connecting --- */

static inline FastNetPeerId test_connect_to(test_net *net, FastNetEndpoint *client,
                                            const char *host, const FastNetConnectOptions *options)
{
    FastNetPeerId peer = 0;
    FastNetResult result =
        fastnet_connect(client, host, fastnet_tls_port(net->server), options, &peer);
    if (result != FASTNET_OK)
        fail_msg("connect: %s", fastnet_last_error_text(client));
    assert_int_not_equal(peer, 0);
    return peer;
}

/* Both endpoints with these configs (NULL = the usual ones), not connected yet. */
static inline test_net *test_net_with(const FastNetConfig *changes_server,
                                      const FastNetConfig *changes_client)
{
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    if (changes_server != NULL) {
        server = *changes_server;
        server.listen = true;
        server.certificate_path = net->certificate;
        server.private_key_path = net->key;
        server.handshakes_per_address_per_s = 0;
    }
    if (changes_client != NULL) {
        client = *changes_client;
        client.trusted_roots_path = net->ca;
    }
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    return net;
}

static inline void test_net_connect(test_net *net)
{
    net->to_server = test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    net->to_client = test_await(net, net->server, FASTNET_EVENT_CONNECTED)->peer_id;
    test_forget_events(net);
}

/* A server and a client that are connected. */
static TEST_UNUSED test_net *test_net_connected(void)
{
    test_net *net = test_net_with(NULL, NULL);
    test_net_connect(net);
    return net;
}

#endif
