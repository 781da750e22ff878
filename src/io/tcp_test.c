#include "io/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "io/test_support.h"

static const fn_address any; /* from wherever the system likes */

static fn_tcp_listener listen_at(const char *host)
{
    fn_tcp_listener listener;
    fn_io_error error = {0};
    fn_tcp_listen_options options = {.local = test_address(host)};
    if (fn_tcp_listen(&listener, &options, &error) != FASTNET_OK)
        fail_msg("%s", error.text);
    return listener;
}

static fn_address reach(const fn_tcp_listener *listener, const char *host)
{
    fn_address local, address = test_address(host);
    assert_int_equal(fn_tcp_listener_local(listener, &local, NULL), FASTNET_OK);
    assert_int_not_equal(local.port, 0);
    address.port = local.port;
    return address;
}

static fn_tcp connect_to(const fn_address *peer)
{
    fn_tcp tcp;
    bool established = false;
    assert_int_equal(fn_tcp_connect(&tcp, peer, &any, NULL), FASTNET_OK);
    test_wait(tcp.handle, POLLOUT);
    assert_int_equal(fn_tcp_connect_result(&tcp, peer, &established, NULL), FASTNET_OK);
    assert_true(established);
    return tcp;
}

typedef struct test_pair {
    fn_tcp_listener listener;
    fn_tcp client, server;
} test_pair;

static test_pair open_pair(const char *bound, const char *host)
{
    test_pair pair = {.listener = listen_at(bound)};
    fn_address target = reach(&pair.listener, host), seen, own;
    pair.client = connect_to(&target);
    test_wait(pair.listener.handle, POLLIN);
    assert_int_equal(fn_tcp_accept(&pair.listener, &pair.server, &seen), FN_TCP_OK);
    assert_int_equal(fn_tcp_local(&pair.client, &own, NULL), FASTNET_OK);
    assert_true(fn_address_equal(&seen, &own));
    assert_int_equal(fn_tcp_local(&pair.server, &own, NULL), FASTNET_OK);
    assert_true(fn_address_equal(&own, &target));
    return pair;
}

static void close_pair(test_pair *pair)
{
    fn_tcp_close(&pair->client);
    fn_tcp_close(&pair->server);
    fn_tcp_listener_close(&pair->listener);
}

static void bytes_pass_in_both_families(void **state)
{
    static const char *const rows[][2] = {
        {"127.0.0.1", "127.0.0.1"}, {"::1", "::1"}, {"::", "127.0.0.1"}, {"::", "::1"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        test_pair pair = open_pair(rows[i][0], rows[i][1]);
        char text[16];
        size_t moved = 99;
        assert_int_equal(fn_tcp_receive(&pair.server, text, sizeof text, &moved),
                         FN_TCP_WOULD_BLOCK);
        assert_int_equal(moved, 0);
        assert_int_equal(fn_tcp_send(&pair.client, "hello", 5, &moved), FN_TCP_OK);
        assert_int_equal(moved, 5);
        test_wait(pair.server.handle, POLLIN);
        assert_int_equal(fn_tcp_receive(&pair.server, text, sizeof text, &moved), FN_TCP_OK);
        assert_int_equal(moved, 5);
        assert_memory_equal(text, "hello", 5);
        close_pair(&pair);
    }
}

static void nothing_waiting_is_would_block(void **state)
{
    fn_tcp_listener listener = listen_at("::");
    fn_tcp tcp;
    fn_address peer;
    (void)state;
    assert_int_equal(fn_tcp_accept(&listener, &tcp, &peer), FN_TCP_WOULD_BLOCK);
    assert_int_equal(tcp.handle, FN_HANDLE_NONE);
    fn_tcp_listener_close(&listener);
    fn_tcp_listener_close(&listener);
}

static uint8_t pattern(size_t position)
{
    return (uint8_t)(position * 31 + position / 251);
}

static size_t send_until_full(fn_tcp *tcp)
{
    static uint8_t chunk[50000];
    size_t total = 0, moved;
    for (;;) {
        for (size_t i = 0; i < sizeof chunk; i++)
            chunk[i] = pattern(total + i);
        fn_tcp_outcome outcome = fn_tcp_send(tcp, chunk, sizeof chunk, &moved);
        total += moved;
        if (outcome == FN_TCP_WOULD_BLOCK)
            return total;
        assert_int_equal(outcome, FN_TCP_OK);
        assert_true(moved > 0);
    }
}

static void a_full_buffer_is_would_block_and_loses_nothing(void **state)
{
    static uint8_t chunk[30000];
    test_pair pair = open_pair("127.0.0.1", "127.0.0.1");
    size_t sent = send_until_full(&pair.client), received = 0, moved;
    (void)state;
    fn_tcp_shutdown(&pair.client);
    for (;;) {
        test_wait(pair.server.handle, POLLIN);
        fn_tcp_outcome outcome = fn_tcp_receive(&pair.server, chunk, sizeof chunk, &moved);
        if (outcome == FN_TCP_CLOSED)
            break;
        assert_int_equal(outcome, FN_TCP_OK);
        for (size_t i = 0; i < moved; i++)
            if (chunk[i] != pattern(received + i))
                fail_msg("byte %zu differs", received + i);
        received += moved;
    }
    assert_int_equal(received, sent);
    close_pair(&pair);
}

static void an_abort_is_seen_as_reset(void **state)
{
    test_pair pair = open_pair("::1", "::1");
    uint8_t byte = 0;
    size_t moved;
    (void)state;
    fn_tcp_abort(&pair.client);
    fn_tcp_abort(&pair.client);
    test_wait(pair.server.handle, POLLIN);
    assert_int_equal(fn_tcp_receive(&pair.server, &byte, 1, &moved), FN_TCP_RESET);
    assert_int_equal(fn_tcp_send(&pair.server, &byte, 1, &moved), FN_TCP_CLOSED);
    assert_int_equal(moved, 0);
    close_pair(&pair);
}

static void sending_after_shutdown_is_closed(void **state)
{
    test_pair pair = open_pair("127.0.0.1", "127.0.0.1");
    size_t moved;
    (void)state;
    fn_tcp_shutdown(&pair.client);
    assert_int_equal(fn_tcp_send(&pair.client, "x", 1, &moved), FN_TCP_CLOSED);
    close_pair(&pair);
}

static void a_connection_leaves_from_the_address_that_is_given(void **state)
{
    (void)state;
    fn_tcp tcp;
    fn_address seen;
    fn_io_error error;
    fn_tcp_listener listener = listen_at("127.0.0.1");
    fn_address target = reach(&listener, "127.0.0.1");
    fn_address local = test_address("127.0.0.9");
    assert_int_equal(fn_tcp_connect(&tcp, &target, &local, &error), FASTNET_OK);
    test_wait(listener.handle, POLLIN);
    fn_tcp accepted;
    assert_int_equal(fn_tcp_accept(&listener, &accepted, &seen), FN_TCP_OK);
    assert_true(fn_address_same_host(&seen, &local));
    fn_tcp_close(&accepted);
    fn_tcp_close(&tcp);
    local = test_address("::1");
    assert_int_equal(fn_tcp_connect(&tcp, &target, &local, &error), FASTNET_ERR_ADDRESS);
    test_assert_contains(error.text, "cannot leave from ::1");
    local = test_address("192.0.2.77");
    assert_int_equal(fn_tcp_connect(&tcp, &target, &local, &error), FASTNET_ERR_ADDRESS);
    test_assert_contains(error.text, "192.0.2.77");
    fn_tcp_listener_close(&listener);
}

static void refusal_is_reported_with_the_peer(void **state)
{
    fn_tcp_listener listener = listen_at("127.0.0.1");
    fn_address gone = reach(&listener, "127.0.0.1");
    fn_io_error error;
    fn_tcp tcp;
    bool established = true;
    char text[FN_ADDRESS_TEXT_BYTES];
    (void)state;
    fn_tcp_listener_close(&listener);
    int result = fn_tcp_connect(&tcp, &gone, &any, &error);
    if (result == FASTNET_OK) {
        test_wait(tcp.handle, POLLOUT);
        result = fn_tcp_connect_result(&tcp, &gone, &established, &error);
        assert_false(established);
        fn_tcp_close(&tcp);
    }
    assert_int_equal(result, FASTNET_ERR_ADDRESS);
    fn_address_format(&gone, text);
    test_assert_contains(error.text, text);
    test_assert_contains(error.text, "refused: nothing listens there (ECONNREFUSED)");
}

static void a_connect_under_way_is_not_established(void **state)
{
    /* A full backlog leaves further connects without an answer. */
    fn_tcp_listener listener;
    fn_tcp clients[8];
    fn_tcp_listen_options options = {.local = test_address("127.0.0.1"), .backlog = 1};
    bool established = true;
    (void)state;
    assert_int_equal(fn_tcp_listen(&listener, &options, NULL), FASTNET_OK);
    fn_address target = reach(&listener, "127.0.0.1");
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        assert_int_equal(fn_tcp_connect(&clients[i], &target, &any, NULL), FASTNET_OK);
    assert_int_equal(fn_tcp_connect_result(&clients[7], &target, &established, NULL), FASTNET_OK);
    assert_false(established);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        fn_tcp_close(&clients[i]);
    fn_tcp_listener_close(&listener);
}

static void errors_of_listen_name_the_reason(void **state)
{
    fn_tcp_listener first = listen_at("::"), second;
    fn_address used = reach(&first, "::");
    fn_tcp_listen_options options = {.local = used};
    fn_io_error error;
    char sentence[64];
    (void)state;
    snprintf(sentence, sizeof sentence, "TCP port %u is already in use (EADDRINUSE)",
             (unsigned)used.port);
    assert_int_equal(fn_tcp_listen(&second, &options, &error), FASTNET_ERR_ADDRESS);
    assert_string_equal(error.text, sentence);
    assert_int_equal(second.handle, FN_HANDLE_NONE);
    options.local = fn_address_any(true, used.port);
    assert_int_equal(fn_tcp_listen(&second, &options, &error), FASTNET_ERR_ADDRESS);
    options.local = test_address("2001:db8::7");
    assert_int_equal(fn_tcp_listen(&second, &options, &error), FASTNET_ERR_ADDRESS);
    assert_string_equal(error.text,
                        "2001:db8::7 is not an address of this machine (EADDRNOTAVAIL)");
    fn_tcp_listener_close(&first);
}

enum { CHILD_OK, CHILD_NO_LIMIT, CHILD_CODE, CHILD_TEXT };

static int listen_without_rights(void)
{
    fn_tcp_listener listener;
    fn_io_error error;
    fn_tcp_listen_options options = {.local = fn_address_any(false, 81)};
    if (getuid() == 0 && setuid(65534) != 0)
        return CHILD_NO_LIMIT;
    int result = fn_tcp_listen(&listener, &options, &error);
    if (result == FASTNET_OK)
        return CHILD_NO_LIMIT;
    if (result != FASTNET_ERR_ADDRESS)
        return CHILD_CODE;
    return strstr(error.text, "TCP port 81 may not be opened") ? CHILD_OK : CHILD_TEXT;
}

static void low_ports_need_rights(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(listen_without_rights());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_NO_LIMIT) {
        print_message("skipped: here every user may open low ports\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), CHILD_OK);
}

/* No descriptor can be opened until the limit is put back. */
static struct rlimit use_up_descriptors(void)
{
    struct rlimit before, now;
    int lowest_free = dup(0);
    assert_true(lowest_free > 0);
    close(lowest_free);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = (rlim_t)lowest_free;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

static void without_descriptors_connections_are_dropped(void **state)
{
    fn_tcp_listener listener = listen_at("127.0.0.1");
    fn_address target = reach(&listener, "127.0.0.1"), peer;
    fn_tcp clients[3], server;
    uint8_t byte;
    size_t moved;
    (void)state;
    for (size_t i = 0; i < 3; i++)
        clients[i] = connect_to(&target);
    struct rlimit before = use_up_descriptors();
    fn_tcp_outcome first = fn_tcp_accept(&listener, &server, &peer);
    fn_tcp_outcome second = fn_tcp_accept(&listener, &server, &peer);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(first, FN_TCP_EXHAUSTED);
    assert_int_equal(second, FN_TCP_EXHAUSTED);
    assert_int_equal(server.handle, FN_HANDLE_NONE);
    for (size_t i = 0; i < 2; i++) {
        test_wait(clients[i].handle, POLLIN);
        assert_int_equal(fn_tcp_receive(&clients[i], &byte, 1, &moved), FN_TCP_RESET);
    }
    assert_int_equal(fn_tcp_accept(&listener, &server, &peer), FN_TCP_OK);
    assert_int_equal(fn_tcp_receive(&clients[2], &byte, 1, &moved), FN_TCP_WOULD_BLOCK);
    assert_int_equal(fn_tcp_accept(&listener, &server, &peer), FN_TCP_WOULD_BLOCK);
    for (size_t i = 0; i < 3; i++)
        fn_tcp_close(&clients[i]);
    fn_tcp_close(&server);
    fn_tcp_listener_close(&listener);
}

static int option_of(const fn_tcp *tcp, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    assert_int_equal(getsockopt((int)tcp->handle, IPPROTO_TCP, name, &value, &length), 0);
    return value;
}

static void options_are_set(void **state)
{
    test_pair pair = open_pair("127.0.0.1", "127.0.0.1");
    (void)state;
    assert_int_not_equal(option_of(&pair.client, TCP_NODELAY), 0);
    assert_int_not_equal(option_of(&pair.server, TCP_NODELAY), 0);
    fn_tcp_set_nodelay(&pair.client, false);
    assert_int_equal(option_of(&pair.client, TCP_NODELAY), 0);
#ifdef TCP_NOTSENT_LOWAT
    fn_tcp_set_unsent_max(&pair.client, 32768);
    assert_int_equal(option_of(&pair.client, TCP_NOTSENT_LOWAT), 32768);
#endif
    close_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_in_both_families),
        cmocka_unit_test(nothing_waiting_is_would_block),
        cmocka_unit_test(a_full_buffer_is_would_block_and_loses_nothing),
        cmocka_unit_test(an_abort_is_seen_as_reset),
        cmocka_unit_test(sending_after_shutdown_is_closed),
        cmocka_unit_test(refusal_is_reported_with_the_peer),
        cmocka_unit_test(a_connect_under_way_is_not_established),
        cmocka_unit_test(errors_of_listen_name_the_reason),
        cmocka_unit_test(low_ports_need_rights),
        cmocka_unit_test(without_descriptors_connections_are_dropped),
        cmocka_unit_test(options_are_set),
        cmocka_unit_test(a_connection_leaves_from_the_address_that_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
