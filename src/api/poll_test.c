/* Other loops, other threads, and what a steady state costs. */
#include "api/test_net.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

/* --- waiting --- */

static void poll_waits_as_long_as_it_was_told(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    FastNetEvent event;
    uint64_t start_ns = fastnet_now_ns();
    assert_int_equal(fastnet_poll(net->server, &event, 1, 50000), 0);
    uint64_t took_ns = fastnet_now_ns() - start_ns;
    assert_in_range(took_ns, 49 * FN_NS_PER_MS, 1000 * FN_NS_PER_MS);
    test_net_destroy(net);
}

static void poll_returns_with_the_first_event(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEvent event;
    assert_int_equal(fastnet_send(net->client, net->to_server, 0, "x", 1), FASTNET_OK);
    assert_int_equal(fastnet_flush(net->client), FASTNET_OK);
    uint64_t start_ns = fastnet_now_ns();
    assert_int_equal(fastnet_poll(net->server, &event, 1, 5000000), 1);
    assert_true(fastnet_now_ns() - start_ns < FN_NS_PER_S);
    test_net_destroy(net);
}

static void wake_before_a_poll_ends_it_once(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    FastNetEvent event;
    fastnet_wake(net->server);
    fastnet_wake(net->server);
    uint64_t start_ns = fastnet_now_ns();
    assert_int_equal(fastnet_poll(net->server, &event, 1, 5000000), 0);
    assert_true(fastnet_now_ns() - start_ns < FN_NS_PER_S);
    start_ns = fastnet_now_ns();
    assert_int_equal(fastnet_poll(net->server, &event, 1, 30000), 0);
    assert_true(fastnet_now_ns() - start_ns >= 29 * FN_NS_PER_MS);
    test_net_destroy(net);
}

static void *wake_soon(void *endpoint)
{
    for (int i = 0; i < 200; i++) {
        fastnet_wake(endpoint);
        poll(NULL, 0, 1);
    }
    return NULL;
}

static void wake_from_another_thread_ends_a_poll(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    FastNetEvent event;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_soon, net->server), 0);
    for (int i = 0; i < 20; i++) {
        uint64_t start_ns = fastnet_now_ns();
        assert_int_equal(fastnet_poll(net->server, &event, 1, 5000000), 0);
        assert_true(fastnet_now_ns() - start_ns < FN_NS_PER_S);
    }
    pthread_join(thread, NULL);
    test_net_destroy(net);
}

/* --- a loop of our own --- */

static bool is_readable(int fd)
{
    struct pollfd row = {.fd = fd, .events = POLLIN};
    return poll(&row, 1, 0) == 1;
}

static void descriptor_and_deadline_drive_an_endpoint(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    int fds[2] = {fastnet_endpoint_fd(net->server), fastnet_endpoint_fd(net->client)};
    if (fds[0] < 0) {
        test_net_destroy(net);
        return; /* the portable backend has no such descriptor */
    }
    FastNetEndpoint *const both[2] = {net->server, net->client};
    int loop = epoll_create1(0);
    for (uint32_t i = 0; i < 2; i++) {
        struct epoll_event interest = {.events = EPOLLIN, .data.u32 = i};
        assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, fds[i], &interest), 0);
    }
    FastNetPeerId peer = test_connect_to(net, net->client, "127.0.0.1", NULL);
    bool sent = false;
    uint32_t turns = 0;
    uint64_t end_ns = fastnet_now_ns() + TEST_TIMEOUT_MS * FN_NS_PER_MS;
    while (test_count(net, net->server, FASTNET_EVENT_DATA) == 0) {
        uint64_t wait_us = UINT64_MAX;
        for (int i = 0; i < 2; i++)
            wait_us = fn_min_u64(wait_us, fastnet_next_deadline(both[i]));
        struct epoll_event ready[2];
        assert_true(wait_us != UINT64_MAX);
        epoll_wait(loop, ready, 2, (int)((fn_min_u64(wait_us, 5000000) + 999) / 1000));
        test_poll(net, net->server, 0);
        test_poll(net, net->client, 0);
        turns++;
        if (!sent && test_count(net, net->client, FASTNET_EVENT_CONNECTED) > 0)
            sent = fastnet_send(net->client, peer, 0, "x", 1) == FASTNET_OK;
        assert_true(fastnet_now_ns() < end_ns);
    }
    assert_true(turns < 1000);
    close(loop);
    test_net_destroy(net);
}

static void idle_endpoint_has_nothing_to_read_and_no_deadline(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    test_run_ms(net, 5);
    int fd = fastnet_endpoint_fd(net->server);
    assert_true(fastnet_next_deadline(net->server) == UINT64_MAX);
    if (fd >= 0) {
        assert_false(is_readable(fd));
        fastnet_wake(net->server);
        assert_true(is_readable(fd));
        test_poll(net, net->server, 0);
        assert_false(is_readable(fd));
    }
    test_net_destroy(net);
}

/* A caller with a loop of its own does nothing before the deadline: a numeric host needs no
 * resolver that would end its wait. */
static void a_connect_to_a_numeric_host_is_due_now(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    assert_int_equal(fastnet_next_deadline(net->client), 0);
    test_net_destroy(net);
}

static void what_waits_to_be_sent_is_due_now(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    test_run_ms(net, 100);
    assert_true(fastnet_next_deadline(net->client) > 0);
    fastnet_send(net->client, net->to_server, 0, "x", 1);
    assert_int_equal(fastnet_next_deadline(net->client), 0);
    fastnet_flush(net->client);
    assert_true(fastnet_next_deadline(net->client) > 0);
    test_net_destroy(net);
}

static void queued_events_are_due_now(void **state)
{
    (void)state;
    test_net *net = test_net_connected();
    FastNetEvent event;
    fastnet_send(net->client, net->to_server, 1, "x", 1);
    fastnet_send(net->client, net->to_server, 1, "y", 1);
    fastnet_flush(net->client);
    assert_int_equal(fastnet_poll(net->server, &event, 1, 1000000), 1);
    assert_int_equal(fastnet_next_deadline(net->server), 0);
    assert_int_equal(fastnet_poll(net->server, &event, 1, 1000000), 1);
    assert_int_equal(fastnet_poll(net->server, &event, 1, 0), 0);
    assert_true(fastnet_next_deadline(net->server) > 0);
    test_net_destroy(net);
}

/* --- memory --- */

typedef struct counted {
    uint64_t calls;
    uint64_t bytes;
} counted;

static void *counting_alloc(void *user, size_t size_bytes, size_t alignment)
{
    counted *count = user;
    assert_true(alignment <= 16);
    count->calls++;
    count->bytes += size_bytes;
    return malloc(size_bytes);
}

static void counting_free(void *user, void *block, size_t size_bytes)
{
    counted *count = user;
    count->calls++;
    count->bytes -= size_bytes;
    free(block);
}

static void steady_state_asks_for_no_memory(void **state)
{
    (void)state;
    enum { TURNS = 3000 };
    counted count = {0, 0};
    uint8_t data[3000] = {0};
    FastNetConfig config;
    fastnet_config_init(&config);
    config.allocator = (FastNetAllocator){&count, counting_alloc, counting_free};
    test_net *net = test_net_with(&config, &config);
    test_net_connect(net);
    test_run_ms(net, 100);
    uint64_t before = count.calls;
    assert_true(before > 0);
    for (uint32_t i = 0; i < TURNS; i++) {
        uint8_t channel = (uint8_t)(i % 4);
        fastnet_send(net->client, net->to_server, channel, data, i % sizeof data);
        fastnet_send(net->server, net->to_client, channel, data, i % sizeof data);
        test_poll(net, net->client, 0);
        test_poll(net, net->server, 0);
        if (net->event_count > 1000)
            test_forget_events(net);
    }
    assert_true(count.calls == before);
    test_net_destroy(net);
    /* Everything came back, and every size was right. */
    assert_true(count.bytes == 0);
}

static void *failing_alloc(void *user, size_t size_bytes, size_t alignment)
{
    int *left = user;
    (void)alignment;
    return (*left)-- > 0 ? malloc(size_bytes) : NULL;
}

static void plain_free(void *user, void *block, size_t size_bytes)
{
    (void)user;
    (void)size_bytes;
    free(block);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    int failures = 0;
    for (int good = 0; good < 64; good++) {
        int left = good;
        FastNetEndpoint *endpoint = NULL;
        FastNetConfig config = test_server_config(net);
        config.allocator = (FastNetAllocator){&left, failing_alloc, plain_free};
        FastNetResult result = fastnet_endpoint_create(&config, &endpoint);
        if (result == FASTNET_OK) {
            fastnet_endpoint_destroy(endpoint);
            break;
        }
        assert_int_equal(result, FASTNET_ERR_MEMORY);
        assert_null(endpoint);
        assert_true(strlen(fastnet_connect_error_text()) > 0);
        failures++;
    }
    assert_in_range(failures, 8, 63);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_waits_as_long_as_it_was_told),
        cmocka_unit_test(poll_returns_with_the_first_event),
        cmocka_unit_test(wake_before_a_poll_ends_it_once),
        cmocka_unit_test(wake_from_another_thread_ends_a_poll),
        cmocka_unit_test(descriptor_and_deadline_drive_an_endpoint),
        cmocka_unit_test(idle_endpoint_has_nothing_to_read_and_no_deadline),
        cmocka_unit_test(a_connect_to_a_numeric_host_is_due_now),
        cmocka_unit_test(what_waits_to_be_sent_is_due_now),
        cmocka_unit_test(queued_events_are_due_now),
        cmocka_unit_test(steady_state_asks_for_no_memory),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
