#include "host/connect/tickets.h"

#include "api/allocator.h"
#include "api/test_net.h"
#include "host/blocks.h"

/* --- the table --- */

static const FastNetAllocator no_allocator;

static fn_address address(const char *text)
{
    fn_address result;
    assert_true(fn_address_parse_host(text, &result));
    result.port = 7777;
    return result;
}

static void expect_blob(fn_tickets *tickets, const fn_address *server, const char *name,
                        const char *blob)
{
    fn_ticket *ticket = fn_tickets_take(tickets, server, name);
    if (blob == NULL) {
        assert_null(ticket);
        return;
    }
    assert_non_null(ticket);
    assert_int_equal(ticket->bytes, strlen(blob));
    assert_memory_equal(fn_ticket_blob(ticket), blob, strlen(blob));
    fn_tickets_drop(tickets, ticket);
}

static void put(fn_tickets *tickets, const fn_address *server, const char *name, const char *blob)
{
    fn_tickets_put(tickets, server, name, (const uint8_t *)blob, strlen(blob));
}

static void a_ticket_belongs_to_address_and_name_and_is_taken_once(void **state)
{
    (void)state;
    fn_tickets tickets = {.memory = fn_allocator_memory(&no_allocator)};
    fn_address here = address("10.0.0.1");
    fn_address there = address("10.0.0.2");
    fn_address other_port = here;
    other_port.port++;
    put(&tickets, &here, "a.example", "one");
    put(&tickets, &here, "a.example", "two");
    put(&tickets, &there, "a.example", "three");
    expect_blob(&tickets, &here, "b.example", NULL);
    expect_blob(&tickets, &here, "a.exampl", NULL);
    expect_blob(&tickets, &here, "a.example1", NULL);
    expect_blob(&tickets, &other_port, "a.example", NULL);
    expect_blob(&tickets, &here, "a.example", "two");
    expect_blob(&tickets, &here, "a.example", "one");
    expect_blob(&tickets, &here, "a.example", NULL);
    expect_blob(&tickets, &there, "a.example", "three");
    assert_int_equal(tickets.count, 0);
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    fn_tickets tickets = {.memory = fn_allocator_memory(&no_allocator)};
    fn_address here = address("::1");
    char name[16];
    for (int i = 0; i < FN_TICKETS_MAX + 3; i++) {
        snprintf(name, sizeof name, "n%d", i);
        put(&tickets, &here, name, name);
    }
    assert_int_equal(tickets.count, FN_TICKETS_MAX);
    expect_blob(&tickets, &here, "n2", NULL);
    expect_blob(&tickets, &here, "n3", "n3");
    fn_tickets_drop_all(&tickets);
    assert_int_equal(tickets.count, 0);
}

/* --- connecting again --- */

static uint64_t resumed(const FastNetEndpoint *endpoint)
{
    FastNetEndpointStats stats = {.struct_size = sizeof stats};
    assert_int_equal(fastnet_endpoint_stats(endpoint, &stats), FASTNET_OK);
    return stats.handshakes_resumed;
}

static FastNetConnectOptions no_options(void)
{
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    return options;
}

/* Connects and says goodbye; both sides are done with it when it returns. */
static void visit(test_net *net, const FastNetConnectOptions *options)
{
    test_forget_events(net);
    FastNetPeerId peer = test_connect_to(net, net->client, "127.0.0.1", options);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_await(net, net->server, FASTNET_EVENT_CONNECTED);
    fastnet_disconnect(net->client, peer, 0, NULL);
    test_await(net, net->server, FASTNET_EVENT_DISCONNECTED);
    while (fastnet_peer_count(net->client) > 0)
        test_turn(net);
    test_run_ms(net, 20);
}

static void who_comes_back_resumes(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    for (uint64_t i = 0; i < 4; i++) {
        visit(net, NULL);
        assert_int_equal(resumed(net->client), i);
        assert_int_equal(resumed(net->server), i);
    }
    FastNetConnectOptions options = no_options();
    options.full_handshake = true;
    visit(net, &options);
    assert_int_equal(resumed(net->client), 3);
    test_net_destroy(net);
}

static void another_name_or_trust_is_a_full_handshake(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    FastNetConnectOptions named = no_options();
    FastNetConnectOptions trusting = no_options();
    named.server_name = "localhost";
    trusting.trusted_roots_path = net->certificate;
    visit(net, NULL);
    visit(net, &named);
    visit(net, &trusting);
    assert_int_equal(resumed(net->client), 0);
    visit(net, &named);
    assert_int_equal(resumed(net->client), 1);
    test_net_destroy(net);
}

static void a_session_without_verification_gives_no_trust(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    FastNetConfig stranger;
    FastNetConnectOptions options = no_options();
    FastNetPeerId peer = 0;
    fastnet_config_init(&stranger); /* the system's roots do not know our CA */
    stranger.log_level = FASTNET_LOG_ERROR;
    FastNetEndpoint *client = test_add(net, &stranger);
    uint16_t port = fastnet_tls_port(net->server);
    options.server_name = "127.0.0.1";
    assert_int_equal(
        fastnet_connect_insecure_without_verification(client, "127.0.0.1", port, &options, &peer),
        FASTNET_OK);
    test_await(net, client, FASTNET_EVENT_CONNECTED);
    test_await(net, net->server, FASTNET_EVENT_CONNECTED);
    fastnet_disconnect(client, peer, 0, NULL);
    test_await(net, net->server, FASTNET_EVENT_DISCONNECTED);
    test_run_ms(net, 20);
    assert_int_equal(fastnet_connect(client, "127.0.0.1", port, &options, &peer), FASTNET_OK);
    const FastNetEvent *error = test_await(net, client, FASTNET_EVENT_ERROR);
    assert_int_equal(error->error_code, FASTNET_ERR_CERTIFICATE);
    test_net_destroy(net);
}

static void a_reloaded_certificate_is_verified_again(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    visit(net, NULL);
    assert_int_equal(fastnet_certificate_reload(net->server, net->certificate, net->key),
                     FASTNET_OK);
    visit(net, NULL);
    assert_int_equal(resumed(net->client), 0);
    visit(net, NULL);
    assert_int_equal(resumed(net->client), 1);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_belongs_to_address_and_name_and_is_taken_once),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(who_comes_back_resumes),
        cmocka_unit_test(another_name_or_trust_is_a_full_handshake),
        cmocka_unit_test(a_session_without_verification_gives_no_trust),
        cmocka_unit_test(a_reloaded_certificate_is_verified_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
