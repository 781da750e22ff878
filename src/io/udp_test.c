#include "io/udp.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#ifdef __linux__
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "io/test_support.h"

#define BATCH 150
#define BYTES 300

typedef struct test_batch {
    fn_datagram datagrams[BATCH];
    uint8_t bytes[BATCH][BYTES];
} test_batch;

static fn_udp open_at(const char *host, uint16_t port)
{
    fn_udp udp;
    fn_io_error error = {0};
    fn_udp_options options = {.local = test_address(host)};
    options.local.port = port;
    if (fn_udp_open(&udp, &options, &error) != FASTNET_OK)
        fail_msg("%s", error.text);
    return udp;
}

static fn_address local_of(const fn_udp *udp)
{
    fn_address local;
    assert_int_equal(fn_udp_local(udp, &local, NULL), FASTNET_OK);
    return local;
}

static fn_address to_host(const char *host, const fn_udp *udp)
{
    fn_address address = test_address(host);
    address.port = local_of(udp).port;
    return address;
}

/* Datagram i has i bytes and starts with seed: all of them, and their order, can be told apart. */
static void fill(test_batch *batch, size_t count, uint8_t seed, const fn_address *to)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++)
            batch->bytes[i][j] = (uint8_t)(seed + 7 * i + j);
        batch->datagrams[i] = (fn_datagram){
            .address = *to, .data = batch->bytes[i], .length = (uint32_t)i, .outcome = 99};
    }
}

static size_t receive_all(fn_udp *udp, test_batch *batch, size_t count)
{
    size_t received = 0;
    for (size_t i = 0; i < BATCH; i++)
        batch->datagrams[i] = (fn_datagram){.data = batch->bytes[i], .capacity = BYTES};
    while (received < count) {
        test_wait(udp->handle, POLLIN);
        received += fn_udp_receive(udp, batch->datagrams + received, BATCH - received);
    }
    return received;
}

static void assert_same(const test_batch *sent, const test_batch *received, size_t count,
                        const fn_address *from)
{
    for (size_t i = 0; i < count; i++) {
        const fn_datagram *datagram = &received->datagrams[i];
        assert_int_equal(sent->datagrams[i].outcome, FN_UDP_SENT);
        assert_int_equal(datagram->length, sent->datagrams[i].length);
        assert_int_equal(datagram->segment_bytes, datagram->length);
        assert_memory_equal(datagram->data, sent->datagrams[i].data, datagram->length);
        assert_true(fn_address_equal(&datagram->address, from));
    }
}

static void exchange(fn_udp *from, fn_udp *to, const char *from_host, const char *to_host_text)
{
    static test_batch sent, received;
    fn_address target = to_host(to_host_text, to), source = to_host(from_host, from);
    fill(&sent, BATCH, 3, &target);
    assert_int_equal(fn_udp_send(from, sent.datagrams, BATCH), BATCH);
    assert_int_equal(receive_all(to, &received, BATCH), BATCH);
    assert_same(&sent, &received, BATCH, &source);
    assert_int_equal(from->counters.sent, BATCH);
    assert_int_equal(to->counters.received, BATCH);
}

static void batches_arrive_whole_and_in_order(void **state)
{
    static const char *const pairs[][4] = {
        /* bound from, bound to, seen from, sent to */
        {"127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"},
        {"::1", "::1", "::1", "::1"},
        {"::", "::", "::1", "::1"},
        {"127.0.0.1", "::", "127.0.0.1", "127.0.0.1"},
        {"::", "127.0.0.2", "127.0.0.1", "127.0.0.2"},
        {"0.0.0.0", "::", "127.0.0.1", "127.0.0.1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        fn_udp from = open_at(pairs[i][0], 0), to = open_at(pairs[i][1], 0);
        exchange(&from, &to, pairs[i][2], pairs[i][3]);
        fn_udp_close(&from);
        fn_udp_close(&to);
    }
}

static void the_plain_way_works_too(void **state)
{
    fn_udp from = open_at("127.0.0.1", 0), to = open_at("127.0.0.1", 0);
    (void)state;
    from.batch_calls = to.batch_calls = false;
    exchange(&from, &to, "127.0.0.1", "127.0.0.1");
    assert_true(from.counters.send_calls >= BATCH);
    fn_udp_close(&from);
    fn_udp_close(&to);
}

static void connected_sockets_hear_only_their_peer(void **state)
{
    static test_batch sent, received;
    fn_udp server = open_at("::", 0), client = open_at("0.0.0.0", 0),
           stranger = open_at("127.0.0.1", 0);
    fn_address server_address = to_host("127.0.0.1", &server), unset = {0};
    (void)state;
    assert_int_equal(fn_udp_connect(&client, &server_address, NULL), FASTNET_OK);
    fn_address client_address = to_host("127.0.0.1", &client);
    fill(&sent, 5, 1, &client_address);
    assert_int_equal(fn_udp_send(&stranger, sent.datagrams, 5), 5);
    fill(&sent, 9, 2, &client_address);
    assert_int_equal(fn_udp_send(&server, sent.datagrams, 9), 9);
    assert_int_equal(receive_all(&client, &received, 9), 9);
    assert_same(&sent, &received, 9, &server_address);
    fill(&sent, 9, 2, &unset);
    assert_int_equal(fn_udp_send(&client, sent.datagrams, 9), 9);
    assert_int_equal(receive_all(&server, &received, 9), 9);
    assert_same(&sent, &received, 9, &client_address);
    fn_udp_close(&server);
    fn_udp_close(&client);
    fn_udp_close(&stranger);
}

static void bad_datagrams_do_not_hold_up_the_batch(void **state)
{
    static test_batch sent, received;
    static uint8_t huge[65535];
    static const uint8_t expected[] = {FN_UDP_SENT,       FN_UDP_TOO_BIG,    FN_UDP_SENT,
                                       FN_UDP_UNROUTABLE, FN_UDP_UNROUTABLE, FN_UDP_SENT,
                                       FN_UDP_TOO_BIG};
    fn_udp from = open_at("127.0.0.1", 0), to = open_at("127.0.0.1", 0);
    fn_address target = local_of(&to);
    (void)state;
    for (int batched = 0; batched < 2; batched++) {
        from.batch_calls = batched;
        fill(&sent, COUNT_OF(expected), 5, &target);
        sent.datagrams[1].data = sent.datagrams[6].data = huge;
        sent.datagrams[1].length = sent.datagrams[6].length = sizeof huge;
        sent.datagrams[3].address.port = 0;
        sent.datagrams[4].address = test_address("::1");
        assert_int_equal(fn_udp_send(&from, sent.datagrams, COUNT_OF(expected)), 3);
        for (size_t i = 0; i < COUNT_OF(expected); i++)
            assert_int_equal(sent.datagrams[i].outcome, expected[i]);
        assert_int_equal(receive_all(&to, &received, 3), 3);
        assert_int_equal(received.datagrams[0].length, 0);
        assert_int_equal(received.datagrams[1].length, 2);
        assert_int_equal(received.datagrams[2].length, 5);
    }
    assert_int_equal(from.counters.too_big, 4);
    assert_int_equal(from.counters.unroutable, 4);
    assert_int_equal(from.counters.sent, 6);
    fn_udp_close(&from);
    fn_udp_close(&to);
}

static void would_block_ends_the_batch(void **state)
{
    static test_batch sent;
    (void)state;
    for (int batched = 0; batched < 2; batched++) {
        /* UDP over loopback never fills a send buffer; a local datagram socket does, and the calls
         * are the same. */
        int ends[2], small = 1;
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
        assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
        fn_udp udp = {.handle = ends[0], .connected = true, .batch_calls = batched};
        fill(&sent, BATCH, 1, &(fn_address){0});
        size_t left = fn_udp_send(&udp, sent.datagrams, BATCH);
        assert_in_range(left, 1, BATCH - 1);
        for (size_t i = 0; i < BATCH; i++)
            assert_int_equal(sent.datagrams[i].outcome,
                             i < left ? FN_UDP_SENT : FN_UDP_WOULD_BLOCK);
        assert_int_equal(udp.counters.sent, left);
        assert_int_equal(udp.counters.would_block, 1);
        close(ends[0]);
        close(ends[1]);
    }
}

/* Leaves an ICMP error pending on the socket, for its next call to meet. */
static void provoke_refusal(fn_udp *client)
{
    uint8_t byte = 1;
    fn_datagram knock = {.data = &byte, .length = 1};
    struct pollfd row = {.fd = (int)client->handle};
    while (poll(&row, 1, 10) == 0)
        (void)fn_udp_send(client, &knock, 1);
    assert_int_equal(row.revents, POLLERR);
}

static void refusals_are_hints_and_stop_nothing(void **state)
{
    static test_batch sent, received;
    fn_udp server = open_at("127.0.0.1", 0), client = open_at("127.0.0.1", 0);
    fn_address target = local_of(&server);
    (void)state;
    assert_int_equal(fn_udp_connect(&client, &target, NULL), FASTNET_OK);
    fn_udp_close(&server);
    for (int round = 0; round < 5; round++) {
        fill(&sent, 20, 1, &target);
        (void)fn_udp_send(&client, sent.datagrams, 20);
        for (size_t i = 0; i < 20; i++)
            assert_true(sent.datagrams[i].outcome == FN_UDP_SENT ||
                        sent.datagrams[i].outcome == FN_UDP_REFUSED);
    }
    assert_true(client.counters.refused > 0);
    for (int batched = 0; batched < 2; batched++) {
        client.batch_calls = batched;
        provoke_refusal(&client);
        server = open_at("127.0.0.1", target.port);
        fill(&sent, 20, 9, &target);
        assert_int_equal(fn_udp_send(&client, sent.datagrams, 20), 20);
        assert_int_equal(receive_all(&server, &received, 20), 20);
        fn_address source = local_of(&client);
        assert_same(&sent, &received, 20, &source);
        fn_udp_close(&server);
    }
    fn_udp_close(&client);
}

static void a_pending_refusal_does_not_hide_what_arrived(void **state)
{
    static test_batch sent, received;
    fn_udp server = open_at("127.0.0.1", 0), client = open_at("127.0.0.1", 0);
    fn_address target = local_of(&server), back = local_of(&client);
    (void)state;
    assert_int_equal(fn_udp_connect(&client, &target, NULL), FASTNET_OK);
    fill(&sent, 12, 1, &back);
    assert_int_equal(fn_udp_send(&server, sent.datagrams, 12), 12);
    fn_udp_close(&server);
    provoke_refusal(&client);
    assert_int_equal(receive_all(&client, &received, 12), 12);
    assert_same(&sent, &received, 12, &target);
    assert_int_equal(client.counters.refused, 1);
    assert_int_equal(fn_udp_receive(&client, received.datagrams, 1), 0);
    fn_udp_close(&client);
}

static void oversized_datagrams_arrive_empty(void **state)
{
    static test_batch sent;
    uint8_t bytes[3][16];
    fn_datagram got[3];
    fn_udp from = open_at("::1", 0), to = open_at("::1", 0);
    fn_address target = local_of(&to);
    (void)state;
    fill(&sent, 18, 1, &target);
    assert_int_equal(fn_udp_send(&from, sent.datagrams + 15, 3), 3); /* 15, 16, 17 bytes */
    for (size_t i = 0; i < 3; i++)
        got[i] = (fn_datagram){.data = bytes[i], .capacity = 16};
    test_wait(to.handle, POLLIN);
    assert_int_equal(fn_udp_receive(&to, got, 3), 3);
    assert_int_equal(got[0].length, 15);
    assert_int_equal(got[1].length, 16);
    assert_int_equal(got[2].length, 0);
    assert_int_equal(to.counters.truncated, 1);
    fn_udp_close(&from);
    fn_udp_close(&to);
}

static void an_empty_socket_returns_at_once(void **state)
{
    uint8_t byte;
    fn_datagram one = {.data = &byte, .capacity = 1};
    fn_udp udp = open_at("::", 0);
    (void)state;
    assert_int_equal(fn_udp_receive(&udp, &one, 1), 0);
    assert_int_equal(fn_udp_receive(&udp, &one, 0), 0);
    assert_int_equal(fn_udp_send(&udp, &one, 0), 0);
    assert_int_equal(udp.counters.receive_calls, 1);
    assert_int_equal(udp.counters.send_calls, 0);
    fn_udp_close(&udp);
    fn_udp_close(&udp);
}

static void errors_of_open_name_the_reason(void **state)
{
    fn_udp first = open_at("127.0.0.1", 0), second;
    fn_io_error error;
    char sentence[64];
    fn_udp_options options = {.local = local_of(&first)};
    (void)state;
    snprintf(sentence, sizeof sentence, "UDP port %u is already in use (EADDRINUSE)",
             (unsigned)options.local.port);
    assert_int_equal(fn_udp_open(&second, &options, &error), FASTNET_ERR_ADDRESS);
    assert_int_equal(error.code, FASTNET_ERR_ADDRESS);
    assert_string_equal(error.text, sentence);
    assert_int_equal(second.handle, FN_HANDLE_NONE);
    assert_int_equal(fn_udp_open(&second, &options, NULL), FASTNET_ERR_ADDRESS);
    options.local = test_address("203.0.113.7");
    assert_int_equal(fn_udp_open(&second, &options, &error), FASTNET_ERR_ADDRESS);
    assert_string_equal(error.text,
                        "203.0.113.7 is not an address of this machine (EADDRNOTAVAIL)");
    fn_udp_close(&first);
}

static void a_dual_stack_port_is_taken_in_ipv4_too(void **state)
{
    fn_udp first = open_at("::", 0), second;
    fn_udp_options options = {.local = fn_address_any(true, local_of(&first).port)};
    (void)state;
    assert_int_equal(fn_udp_open(&second, &options, NULL), FASTNET_ERR_ADDRESS);
    fn_udp_close(&first);
}

static void a_port_can_be_joined_but_not_taken(void **state)
{
    fn_udp first, second;
    fn_udp_options options = {.local = fn_address_any(false, 0), .port_use = FN_PORT_FIRST};
    (void)state;
    assert_int_equal(fn_udp_open(&first, &options, NULL), FASTNET_OK);
    options.local.port = local_of(&first).port;
    assert_int_equal(fn_udp_open(&second, &options, NULL), FASTNET_ERR_ADDRESS);
    options.port_use = FN_PORT_JOIN;
    assert_int_equal(fn_udp_open(&second, &options, NULL), FASTNET_OK);
    fn_udp_close(&first);
    fn_udp_close(&second);
}

static void an_ipv4_socket_cannot_connect_to_ipv6(void **state)
{
    fn_udp udp = open_at("127.0.0.1", 0);
    fn_io_error error;
    fn_address peer = test_address("::1");
    (void)state;
    peer.port = 9;
    assert_int_equal(fn_udp_connect(&udp, &peer, &error), FASTNET_ERR_ADDRESS);
    test_assert_contains(error.text, "UDP cannot reach [::1]:9");
    fn_udp_close(&udp);
}

static fn_udp open_tuned(const char *host, const fn_udp_settings *settings)
{
    fn_udp udp;
    fn_udp_options options = {.local = test_address(host), .settings = *settings};
    assert_int_equal(fn_udp_open(&udp, &options, NULL), FASTNET_OK);
    return udp;
}

/* Alone, in a batch, and cut by the system. */
static void a_source_address_is_kept(void **state)
{
    static test_batch sent, received;
    static const char *const locals[] = {"0.0.0.0", "::"};
    static const size_t counts[] = {1, 2, 40};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(locals) * COUNT_OF(counts); i++) {
        const fn_udp_settings settings = {.segment = i >= COUNT_OF(locals) * COUNT_OF(counts)};
        fn_udp from = open_tuned(locals[i % 2], &settings), to = open_at("127.0.0.1", 0);
        size_t count = counts[i / 2 % COUNT_OF(counts)];
        fn_address target = local_of(&to), source = test_address("127.0.0.3");
        fill(&sent, BATCH, 3, &target);
        for (size_t j = 0; j < count; j++) {
            sent.datagrams[j].length = 100;
            sent.datagrams[j].source = &source;
        }
        assert_int_equal(fn_udp_send(&from, sent.datagrams, count), count);
        assert_int_equal(receive_all(&to, &received, count), count);
        source.port = local_of(&from).port;
        assert_same(&sent, &received, count, &source);
        fn_udp_close(&from);
        fn_udp_close(&to);
    }
}

static void a_source_that_is_not_ours_is_refused(void **state)
{
    static test_batch sent;
    static const char *const locals[] = {"0.0.0.0", "::"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(locals); i++) {
        fn_udp from = open_tuned(locals[i], &(fn_udp_settings){.segment = true});
        fn_udp to = open_at("127.0.0.1", 0);
        fn_address target = local_of(&to), source = test_address("198.51.100.7");
        fill(&sent, 4, 3, &target);
        sent.datagrams[1].source = &source;
        assert_int_equal(fn_udp_send(&from, sent.datagrams, 4), 3);
        assert_int_equal(sent.datagrams[1].outcome, FN_UDP_UNROUTABLE);
        assert_int_equal(from.plain_count, 0);
        fn_udp_close(&from);
        fn_udp_close(&to);
    }
}

static void buffers_are_granted(void **state)
{
    fn_udp_settings granted;
    fn_udp_settings wanted = {.receive_buffer_bytes = 96 * 1024, .send_buffer_bytes = 64 * 1024};
    fn_udp udp = open_tuned("0.0.0.0", &wanted);
    (void)state;
    fn_udp_settings_get(&udp, &granted);
    assert_int_equal(granted.receive_buffer_bytes, 96 * 1024);
    assert_int_equal(granted.send_buffer_bytes, 64 * 1024);
    assert_false(granted.segment || granted.coalesce || granted.prefer_busy_poll);
    fn_udp_close(&udp);
}

static void single_receives_see_source_order_and_truncation(void **state)
{
    static test_batch sent;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        fn_udp from = open_at(hosts[i % 2], 0), to = open_at(hosts[i % 2], 0);
        fn_address target = local_of(&to), source = local_of(&from);
        uint8_t bytes[16];
        fn_datagram got = {.data = bytes, .capacity = sizeof bytes};
        if (i >= 2)
            assert_int_equal(fn_udp_connect(&to, &source, NULL), FASTNET_OK);
        assert_false(fn_udp_receive_next(&to, &got));
        fill(&sent, 18, 4, &target);
        assert_int_equal(fn_udp_send(&from, sent.datagrams + 15, 3), 3); /* 15, 16, 17 bytes */
        for (uint32_t length = 15; length <= 17; length++) {
            test_wait(to.handle, POLLIN);
            assert_true(fn_udp_receive_next(&to, &got));
            assert_int_equal(got.length, length <= 16 ? length : 0);
            assert_int_equal(got.segment_bytes, got.length);
            assert_memory_equal(got.data, sent.bytes[length], got.length);
            assert_true(fn_address_equal(&got.address, &source));
        }
        assert_false(fn_udp_receive_next(&to, &got));
        assert_int_equal(to.counters.truncated, 1);
        assert_int_equal(to.counters.received, 3);
        assert_int_equal(to.counters.receive_calls, 5);
        fn_udp_close(&from);
        fn_udp_close(&to);
    }
}

static void single_receives_skip_refusals(void **state)
{
    fn_udp server = open_at("127.0.0.1", 0), client = open_at("127.0.0.1", 0);
    fn_address target = local_of(&server), back = local_of(&client);
    uint8_t byte = 7, got_byte;
    fn_datagram one = {.address = back, .data = &byte, .length = 1};
    fn_datagram got = {.data = &got_byte, .capacity = 1};
    (void)state;
    assert_int_equal(fn_udp_connect(&client, &target, NULL), FASTNET_OK);
    assert_int_equal(fn_udp_send(&server, &one, 1), 1);
    fn_udp_close(&server);
    provoke_refusal(&client);
    assert_true(fn_udp_receive_next(&client, &got));
    assert_int_equal(got_byte, 7);
    assert_int_equal(client.counters.refused, 1);
    fn_udp_close(&client);
}

#ifdef __linux__
static int option_of(const fn_udp *udp, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    assert_int_equal(getsockopt((int)udp->handle, level, name, &value, &length), 0);
    return value;
}

static void fragmentation_is_off_for_both_families(void **state)
{
    fn_udp v4 = open_at("0.0.0.0", 0), dual = open_at("::", 0);
    (void)state;
    assert_int_equal(option_of(&v4, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_PROBE);
    assert_int_equal(option_of(&dual, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_PROBE);
    assert_int_equal(option_of(&dual, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_PROBE);
    fn_udp_close(&v4);
    fn_udp_close(&dual);
}

static const fn_udp_settings offloads = {.receive_buffer_bytes = 1024 * 1024,
                                         .send_buffer_bytes = 1024 * 1024,
                                         .segment = true,
                                         .coalesce = true};

/* Whether this backend and kernel segment and coalesce; the portable one does neither. */
static bool has_offloads(void)
{
    fn_udp udp = open_tuned("127.0.0.1", &offloads);
    bool both = udp.segments && udp.coalesces;
    fn_udp_close(&udp);
    if (!both)
        print_message("skipped: no UDP segmentation here\n");
    return both;
}

static void tuning_is_set_for_both_families(void **state)
{
    static const char *const hosts[] = {"0.0.0.0", "::"};
    const fn_udp_settings wanted = {.traffic_class = 0xB8, .priority = 6};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        fn_udp_settings granted;
        fn_udp udp = open_tuned(hosts[i], &wanted);
        assert_int_equal(option_of(&udp, IPPROTO_IP, IP_TOS), 0xB8);
        if (i == 1)
            assert_int_equal(option_of(&udp, IPPROTO_IPV6, IPV6_TCLASS), 0xB8);
        assert_int_equal(option_of(&udp, SOL_SOCKET, SO_PRIORITY), 6);
        fn_udp_settings_get(&udp, &granted);
        assert_int_equal(granted.traffic_class, 0xB8);
        assert_int_equal(granted.priority, 6);
        fn_udp_close(&udp);
    }
}

/* Runs of equal length to two addresses: 5 + 1 shorter, 3, 1 empty, 2 of another length. */
static size_t fill_runs(test_batch *batch, const fn_address *a, const fn_address *b)
{
    static const struct {
        uint32_t length;
        bool to_b;
    } rows[] = {{200, 0}, {200, 0}, {200, 0}, {200, 0}, {200, 0}, {50, 0},
                {200, 1}, {200, 1}, {200, 1}, {0, 1},   {9, 0},   {9, 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        memset(batch->bytes[i], (int)i + 1, BYTES);
        batch->datagrams[i] = (fn_datagram){.address = rows[i].to_b ? *b : *a,
                                            .data = batch->bytes[i],
                                            .length = rows[i].length,
                                            .outcome = 99};
    }
    return COUNT_OF(rows);
}

/* Takes all apart and compares it, in order, with what was sent to this address. */
static size_t take_apart(fn_udp *udp, const test_batch *sent, size_t count, const fn_address *to)
{
    static uint8_t bytes[8][FN_UDP_COALESCED_BYTES];
    fn_datagram got[8];
    size_t at = 0, entries = 0, wanted = 0, seen = 0;
    for (size_t i = 0; i < count; i++)
        wanted += fn_address_equal(&sent->datagrams[i].address, to);
    while (seen < wanted) {
        for (size_t i = 0; i < 8; i++)
            got[i] = (fn_datagram){.data = bytes[i], .capacity = sizeof bytes[i]};
        test_wait(udp->handle, POLLIN);
        size_t received = fn_udp_receive(udp, got, 8);
        entries += received;
        for (size_t i = 0; i < received; i++) {
            uint32_t offset = 0;
            do {
                uint32_t left = got[i].length - offset;
                uint32_t length = left < got[i].segment_bytes ? left : got[i].segment_bytes;
                while (!fn_address_equal(&sent->datagrams[at].address, to))
                    at++;
                assert_int_equal(length, sent->datagrams[at].length);
                assert_memory_equal(got[i].data + offset, sent->datagrams[at].data, length);
                offset += length;
                at++, seen++;
            } while (offset < got[i].length);
        }
    }
    assert_int_equal(udp->counters.received, wanted);
    return entries;
}

static void runs_leave_in_one_send_and_arrive_in_one_piece(void **state)
{
    static test_batch sent;
    (void)state;
    if (!has_offloads())
        return;
    for (int connected = 0; connected < 2; connected++) {
        fn_udp from = open_tuned("127.0.0.1", &offloads), a = open_tuned("127.0.0.1", &offloads),
               b = open_tuned("127.0.0.1", &offloads);
        fn_address to_a = local_of(&a), to_b = connected ? to_a : local_of(&b);
        if (connected)
            assert_int_equal(fn_udp_connect(&from, &to_a, NULL), FASTNET_OK);
        size_t count = fill_runs(&sent, &to_a, &to_b);
        assert_int_equal(fn_udp_send(&from, sent.datagrams, count), count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(sent.datagrams[i].outcome, FN_UDP_SENT);
        assert_int_equal(from.counters.send_calls, 1);
        assert_int_equal(from.counters.sent, count);
        assert_int_equal(from.counters.segmented_sends, 3);
        assert_int_equal(from.counters.segmented, 6 + 3 + 2);
        assert_int_equal(from.counters.fallbacks, 0);
        size_t entries = take_apart(&a, &sent, count, &to_a);
        if (!connected)
            entries += take_apart(&b, &sent, count, &to_b);
        assert_int_equal(entries, 4);
        assert_int_equal(a.counters.coalesced + b.counters.coalesced, 11);
        assert_int_equal(a.counters.coalesced_receives + b.counters.coalesced_receives, 3);
        fn_udp_close(&from);
        fn_udp_close(&a);
        fn_udp_close(&b);
    }
}

static void whoever_does_not_coalesce_receives_single_datagrams(void **state)
{
    static test_batch sent, received;
    (void)state;
    if (!has_offloads())
        return;
    fn_udp from = open_tuned("127.0.0.1", &offloads), to = open_at("127.0.0.1", 0);
    fn_address target = local_of(&to), source = local_of(&from);
    for (size_t i = 0; i < BATCH; i++) {
        memset(sent.bytes[i], (int)i, 100);
        sent.datagrams[i] = (fn_datagram){.address = target, .data = sent.bytes[i], .length = 100};
    }
    assert_int_equal(fn_udp_send(&from, sent.datagrams, BATCH), BATCH);
    assert_int_equal(from.counters.segmented, BATCH);
    assert_int_equal(receive_all(&to, &received, BATCH), BATCH);
    assert_same(&sent, &received, BATCH, &source);
    fn_udp_close(&from);
    fn_udp_close(&to);
}

/* A run that does not fit the interface in one piece, because none of its datagrams does. */
static void too_big_segments_are_named_and_not_remembered(void **state)
{
    static uint8_t bytes[65535];
    fn_datagram big[2];
    (void)state;
    if (!has_offloads())
        return;
    fn_udp from = open_tuned("127.0.0.1", &offloads), to = open_at("127.0.0.1", 0);
    for (size_t i = 0; i < 2; i++)
        big[i] = (fn_datagram){.address = local_of(&to), .data = bytes, .length = 65530};
    assert_int_equal(fn_udp_send(&from, big, 2), 0);
    assert_int_equal(big[0].outcome, FN_UDP_TOO_BIG);
    assert_int_equal(big[1].outcome, FN_UDP_TOO_BIG);
    assert_int_equal(from.plain_count, 0);
    fn_udp_close(&from);
    fn_udp_close(&to);
}

/* From now on this process has no IPv6, no recvmmsg and no sendmmsg, like some containers. */
static bool take_features_away(void)
{
#define LOAD(field)    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define WHEN(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (n))
#define ANSWER(number) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (number))
    struct sock_filter program[] = {
        LOAD(nr),
        WHEN(SYS_recvmmsg, 1),
        ANSWER(EPERM),
        WHEN(SYS_sendmmsg, 1),
        ANSWER(ENOSYS),
        WHEN(SYS_socket, 3),
        LOAD(args[0]),
        WHEN(AF_INET6, 1),
        ANSWER(EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = COUNT_OF(program), .filter = program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

enum { CHILD_OK, CHILD_NO_SECCOMP, CHILD_OPEN, CHILD_FAMILY, CHILD_SEND, CHILD_RECEIVE };

static int use_a_poor_system(void)
{
    fn_udp udp;
    uint8_t bytes[3] = {1, 2, 3}, got[3];
    fn_datagram out[3], in[3];
    fn_udp_options options = {.local = fn_address_any(false, 0)};
    if (!take_features_away())
        return CHILD_NO_SECCOMP;
    if (fn_udp_open(&udp, &options, NULL) != FASTNET_OK)
        return CHILD_OPEN;
    if (udp.ipv6 || udp.counters.fallbacks != 1)
        return CHILD_FAMILY;
    fn_address to = to_host("127.0.0.1", &udp);
    for (size_t i = 0; i < 3; i++) {
        out[i] = (fn_datagram){.address = to, .data = &bytes[i], .length = 1};
        in[i] = (fn_datagram){.data = &got[i], .capacity = 1};
    }
    if (fn_udp_send(&udp, out, 3) != 3)
        return CHILD_SEND;
    size_t received = fn_udp_receive(&udp, in, 3);
    return received == 3 && memcmp(bytes, got, 3) == 0 ? CHILD_OK : CHILD_RECEIVE;
}

/* From now on a socket without checksums is what a device without checksum offload is: the kernel
 * answers EINVAL to segmented sends, and to no others. */
static void refuse_segmentation(const fn_udp *udp)
{
    int on = 1;
    assert_int_equal(setsockopt((int)udp->handle, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
}

static void a_device_that_refuses_segmentation_is_remembered(void **state)
{
    static test_batch sent, received;
    (void)state;
    if (!has_offloads())
        return;
    fn_udp from = open_tuned("127.0.0.1", &offloads), to = open_at("127.0.0.1", 0);
    fn_address target = local_of(&to), source = local_of(&from);
    refuse_segmentation(&from);
    for (uint64_t round = 1; round <= 3; round++) {
        for (size_t i = 0; i < 20; i++) {
            memset(sent.bytes[i], (int)i, 100);
            sent.datagrams[i] =
                (fn_datagram){.address = target, .data = sent.bytes[i], .length = 100};
        }
        assert_int_equal(fn_udp_send(&from, sent.datagrams, 20), 20);
        assert_int_equal(receive_all(&to, &received, 20), 20);
        assert_same(&sent, &received, 20, &source);
        assert_int_equal(from.counters.fallbacks, 1);
        assert_int_equal(from.counters.segmented_sends, 0);
    }
    assert_int_equal(from.plain_count, 1);
    assert_true(fn_address_equal(&from.plain[0], &target));
    /* The batch, the run alone, its 20 parts; then one batch each. */
    assert_int_equal(from.counters.send_calls, 1 + 1 + 20 + 1 + 1);
    fn_udp_close(&from);
    fn_udp_close(&to);
}

static void fill_alike(test_batch *batch, size_t count, const fn_address *target)
{
    for (size_t i = 0; i < count; i++) {
        memset(batch->bytes[i], (int)i, 100);
        batch->datagrams[i] =
            (fn_datagram){.address = *target, .data = batch->bytes[i], .length = 100};
    }
}

static void what_is_to_leave_alone_is_never_joined(void **state)
{
    static test_batch sent, received;
    (void)state;
    if (!has_offloads())
        return;
    fn_udp from = open_tuned("127.0.0.1", &offloads), to = open_at("127.0.0.1", 0);
    fn_address target = local_of(&to), source = local_of(&from);
    fill_alike(&sent, 9, &target);
    sent.datagrams[0].alone = sent.datagrams[4].alone = true; /* 1, 3, 1, 4 */
    assert_int_equal(fn_udp_send(&from, sent.datagrams, 9), 9);
    assert_int_equal(receive_all(&to, &received, 9), 9);
    assert_same(&sent, &received, 9, &source);
    assert_int_equal(from.counters.segmented_sends, 2);
    assert_int_equal(from.counters.segmented, 7);
    fn_udp_close(&from);
    fn_udp_close(&to);
}

/* Whatever port the other side has: it is the way to the host that does not carry bursts. */
static void a_host_that_bursts_do_not_reach_is_remembered(void **state)
{
    static test_batch sent, received;
    (void)state;
    if (!has_offloads())
        return;
    for (int connected = 0; connected < 2; connected++) {
        fn_udp from = open_tuned("127.0.0.1", &offloads), to = open_at("127.0.0.1", 0);
        fn_address target = local_of(&to), other = test_address("127.0.0.2");
        if (connected)
            assert_int_equal(fn_udp_connect(&from, &target, NULL), FASTNET_OK);
        fn_udp_set_plain(&from, &other);
        fill_alike(&sent, 5, &target);
        assert_int_equal(fn_udp_send(&from, sent.datagrams, 5), 5);
        assert_int_equal(from.counters.segmented_sends, 1); /* another host's is not this one's */
        target.port++;
        fn_udp_set_plain(&from, &target);
        fn_udp_set_plain(&from, &target);
        assert_int_equal(from.plain_count, 2);
        assert_int_equal(fn_udp_send(&from, sent.datagrams, 5), 5);
        assert_int_equal(from.counters.segmented_sends, 1);
        assert_int_equal(receive_all(&to, &received, 10), 10);
        fn_udp_close(&from);
        fn_udp_close(&to);
    }
}

/* Peers could say so of many addresses: all others leave in bursts all the same. */
static void many_such_hosts_do_not_end_segmentation(void **state)
{
    (void)state;
    fn_udp from = open_tuned("127.0.0.1", &offloads);
    bool segments = from.segments;
    for (uint32_t i = 0; i < 100; i++) {
        fn_address host = fn_address_from_ipv4((const uint8_t[]){127, 0, 0, (uint8_t)i}, 1);
        fn_udp_set_plain(&from, &host);
    }
    assert_int_equal(from.plain_count, FN_UDP_PLAIN_MAX);
    assert_int_equal(from.segments, segments);
    fn_udp_close(&from);
}

static void too_many_refusals_end_segmentation(void **state)
{
    static test_batch sent;
    fn_udp to[FN_UDP_PLAIN_MAX + 1];
    (void)state;
    if (!has_offloads())
        return;
    fn_udp from = open_tuned("127.0.0.1", &offloads);
    refuse_segmentation(&from);
    for (size_t i = 0; i < COUNT_OF(to); i++) {
        char host[] = "127.0.0.1"; /* another one each time: a host is remembered once */
        host[sizeof host - 2] = (char)('1' + i);
        assert_true(from.segments);
        to[i] = open_at(host, 0);
        fn_address target = local_of(&to[i]);
        for (size_t j = 0; j < 2; j++)
            sent.datagrams[j] =
                (fn_datagram){.address = target, .data = sent.bytes[j], .length = 10};
        assert_int_equal(fn_udp_send(&from, sent.datagrams, 2), 2);
    }
    assert_false(from.segments);
    for (size_t i = 0; i < COUNT_OF(to); i++)
        fn_udp_close(&to[i]);
    fn_udp_close(&from);
}

static void without_ipv6_and_batch_calls_it_falls_back(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(use_a_poor_system());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_NO_SECCOMP) {
        print_message("skipped: this system has no seccomp filter\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_arrive_whole_and_in_order),
        cmocka_unit_test(the_plain_way_works_too),
        cmocka_unit_test(connected_sockets_hear_only_their_peer),
        cmocka_unit_test(bad_datagrams_do_not_hold_up_the_batch),
        cmocka_unit_test(would_block_ends_the_batch),
        cmocka_unit_test(refusals_are_hints_and_stop_nothing),
        cmocka_unit_test(a_pending_refusal_does_not_hide_what_arrived),
        cmocka_unit_test(oversized_datagrams_arrive_empty),
        cmocka_unit_test(a_source_address_is_kept),
        cmocka_unit_test(a_source_that_is_not_ours_is_refused),
        cmocka_unit_test(an_empty_socket_returns_at_once),
        cmocka_unit_test(errors_of_open_name_the_reason),
        cmocka_unit_test(a_dual_stack_port_is_taken_in_ipv4_too),
        cmocka_unit_test(a_port_can_be_joined_but_not_taken),
        cmocka_unit_test(an_ipv4_socket_cannot_connect_to_ipv6),
        cmocka_unit_test(buffers_are_granted),
        cmocka_unit_test(single_receives_see_source_order_and_truncation),
        cmocka_unit_test(single_receives_skip_refusals),
#ifdef __linux__
        cmocka_unit_test(fragmentation_is_off_for_both_families),
        cmocka_unit_test(tuning_is_set_for_both_families),
        cmocka_unit_test(runs_leave_in_one_send_and_arrive_in_one_piece),
        cmocka_unit_test(whoever_does_not_coalesce_receives_single_datagrams),
        cmocka_unit_test(too_big_segments_are_named_and_not_remembered),
        cmocka_unit_test(a_device_that_refuses_segmentation_is_remembered),
        cmocka_unit_test(too_many_refusals_end_segmentation),
        cmocka_unit_test(what_is_to_leave_alone_is_never_joined),
        cmocka_unit_test(a_host_that_bursts_do_not_reach_is_remembered),
        cmocka_unit_test(many_such_hosts_do_not_end_segmentation),
        cmocka_unit_test(without_ipv6_and_batch_calls_it_falls_back),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
