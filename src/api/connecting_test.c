#include "api/test_net.h"

#include "crypto/certificate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

/* --- helpers --- */

static FastNetConnectOptions no_options(void)
{
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    return options;
}

/* A net whose client config was changed by the test. */
static const FastNetEvent *await_error(test_net *net, int32_t code, const char *text)
{
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_ERROR);
    const char *said = (const char *)event->data;
    if (event->error_code != code || strstr(said, text) == NULL)
        fail_msg("%s instead of %s: '%s' should say '%s'", fastnet_result_name(event->error_code),
                 fastnet_result_name(code), said, text);
    assert_int_equal(event->data_len, strlen(said));
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_CONNECTED), 0);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_DISCONNECTED), 0);
    return event;
}

/* A certificate of our own making, and a server with it. */
static FastNetEndpoint *server_with(test_net *net, const fn_certificate_pem *pem,
                                    const char *certificate, const char *key)
{
    test_write_file(certificate, pem->certificate);
    test_write_file(key, pem->key);
    FastNetConfig config = test_server_config(net);
    config.certificate_path = certificate;
    config.private_key_path = key;
    FastNetEndpoint *server = test_add(net, &config);
    unlink(certificate);
    unlink(key);
    return server;
}

typedef struct odd_certificate {
    const char *common_name;
    const char *name; /* NULL = no SAN */
    int64_t begins_s; /* from now */
    int64_t ends_s;
    bool trust_it;
    const char *host;
    int32_t code; /* OK = connects */
    const char *text;
} odd_certificate;

static void connect_with(const odd_certificate *odd)
{
    char certificate[160];
    char key[160];
    fn_failure failure = {0};
    test_net *net = test_net_create();
    fn_certificate_pem *pem = malloc(sizeof *pem);
    int64_t now_s = (int64_t)time(NULL);
    const fn_certificate_request request = {
        .role = odd->name != NULL ? FN_CERTIFICATE_LEAF : FN_CERTIFICATE_PLAIN,
        .common_name = odd->common_name,
        .names = &odd->name,
        .names_count = odd->name != NULL ? 1 : 0,
        .not_before_unix_s = now_s + odd->begins_s,
        .not_after_unix_s = now_s + odd->ends_s,
    };
    assert_int_equal(fn_certificate_create(&request, NULL, pem, &failure), FASTNET_OK);
    test_path(certificate, sizeof certificate, net->directory, "odd.pem");
    test_path(key, sizeof key, net->directory, "odd-key.pem");
    FastNetConfig config = test_client_config(net);
    if (odd->trust_it) {
        test_write_file(certificate, pem->certificate);
        config.trusted_roots_path = certificate;
    }
    net->client = test_add(net, &config);
    net->server = server_with(net, pem, certificate, key);
    test_connect_to(net, net->client, odd->host, NULL);
    if (odd->code == FASTNET_OK)
        test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    else
        await_error(net, odd->code, odd->text);
    free(pem);
    test_net_destroy(net);
}

enum { DAY_S = 86400 };

/* --- what is wrong with our own certificate --- */

static void keep_line(void *user, int32_t level, const char *line)
{
    if (level == FASTNET_LOG_WARNING)
        snprintf(user, 512, "%s", line);
}

/* At the start as at a reload: both go through the same function. */
static void an_expired_certificate_is_a_warning_with_its_path(void **state)
{
    (void)state;
    char warning[512] = "";
    char certificate[160];
    char key[160];
    const char *const name = "localhost";
    FastNetConfig config;
    fn_failure failure = {0};
    fastnet_config_init(&config);
    config.log = keep_line;
    config.log_user = warning;
    test_net *net = test_net_with(&config, NULL);
    assert_string_equal(warning, "");
    fn_certificate_pem *pem = malloc(sizeof *pem);
    const fn_certificate_request request = {
        .common_name = "localhost",
        .names = &name,
        .names_count = 1,
        .not_before_unix_s = (int64_t)time(NULL) - 2 * DAY_S,
        .not_after_unix_s = (int64_t)time(NULL) - DAY_S,
    };
    assert_int_equal(fn_certificate_create(&request, NULL, pem, &failure), FASTNET_OK);
    test_path(certificate, sizeof certificate, net->directory, "odd.pem");
    test_path(key, sizeof key, net->directory, "odd-key.pem");
    test_write_file(certificate, pem->certificate);
    test_write_file(key, pem->key);
    assert_int_equal(fastnet_certificate_reload(net->server, certificate, key), FASTNET_OK);
    assert_non_null(strstr(warning, "certificate '"));
    assert_non_null(strstr(warning, "odd.pem': CN=localhost expired on "));
    /* And what is wrong with the key names the key's file. */
    assert_int_equal(fastnet_certificate_reload(net->server, certificate, net->key),
                     FASTNET_ERR_CERTIFICATE);
    const char *text = fastnet_last_error_text(net->server);
    assert_non_null(strstr(text, net->key));
    assert_non_null(strstr(text, "odd.pem"));
    assert_int_equal(strncmp(text, "private key '", 13), 0);
    free(pem);
    test_net_destroy(net);
}

/* --- whom to believe --- */

static void s1_client_accepts_only_who_it_can_verify(void **state)
{
    (void)state;
    static const odd_certificate rows[] = {
        {"localhost", NULL, -DAY_S, DAY_S, true, "localhost", FASTNET_OK, ""},
        {"localhost", "localhost", -DAY_S, DAY_S, true, "localhost", FASTNET_OK, ""},
        {"localhost", NULL, -DAY_S, DAY_S, true, "127.0.0.1", FASTNET_ERR_CERTIFICATE, "127.0.0.1"},
        {"localhost", NULL, -DAY_S, DAY_S, false, "localhost", FASTNET_ERR_CERTIFICATE,
         "self-signed"},
        {"other", "other.example", -DAY_S, DAY_S, true, "localhost", FASTNET_ERR_CERTIFICATE,
         "other.example"},
        {"localhost", "localhost", -2 * DAY_S, -DAY_S, true, "localhost", FASTNET_ERR_CERTIFICATE,
         "expired"},
        {"localhost", "localhost", DAY_S, 2 * DAY_S, true, "localhost", FASTNET_ERR_CERTIFICATE,
         "not yet valid"},
    };
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++)
        connect_with(&rows[i]);
}

static void s1_another_authority_is_not_believed(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    test_net *other = test_net_create();
    FastNetConnectOptions options = no_options();
    options.trusted_roots_path = other->ca;
    test_connect_to(net, net->client, "localhost", &options);
    const FastNetEvent *event = await_error(net, FASTNET_ERR_CERTIFICATE, "");
    assert_true(event->data_len > 0);
    test_net_destroy(other);
    test_net_destroy(net);
}

static void pin_replaces_chain_and_name(void **state)
{
    (void)state;
    uint8_t pins[2 * FASTNET_PIN_BYTES] = {0};
    test_net *net = test_net_with(NULL, NULL);
    test_net *other = test_net_create();
    FastNetConnectOptions options = no_options();
    assert_int_equal(fastnet_certificate_pin(net->certificate, pins + FASTNET_PIN_BYTES),
                     FASTNET_OK);
    options.trusted_roots_path = other->ca;
    options.server_name = "somewhere.example";
    options.pins = pins;
    options.pin_count = 2;
    test_connect_to(net, net->client, "127.0.0.1", &options);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_forget_events(net);
    options.pin_count = 1;
    test_connect_to(net, net->client, "127.0.0.1", &options);
    test_await(net, net->client, FASTNET_EVENT_ERROR);
    test_net_destroy(other);
    test_net_destroy(net);
}

static uint32_t warnings;

static void count_warnings(void *user, int32_t level, const char *line)
{
    (void)user;
    if (level == FASTNET_LOG_WARNING && strstr(line, "WITHOUT VERIFICATION") != NULL)
        warnings++;
}

static void insecure_connect_is_loud(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    test_net *other = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(other);
    FastNetPeerId peer;
    client.log = count_warnings;
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    warnings = 0;
    assert_int_equal(fastnet_connect_insecure_without_verification(
                         net->client, "127.0.0.1", fastnet_tls_port(net->server), NULL, &peer),
                     FASTNET_OK);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_int_equal(warnings, 1);
    test_net_destroy(other);
    test_net_destroy(net);
}

static void roots_file_must_be_there(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    FastNetPeerId peer;
    FastNetConnectOptions options = no_options();
    options.trusted_roots_path = "/nowhere/ca.pem";
    assert_int_equal(fastnet_connect(net->client, "localhost", 1, &options, &peer),
                     FASTNET_ERR_CERTIFICATE);
    assert_non_null(strstr(fastnet_last_error_text(net->client), "/nowhere/ca.pem"));
    options.trusted_roots_path = net->key;
    assert_int_equal(fastnet_connect(net->client, "localhost", 1, &options, &peer),
                     FASTNET_ERR_CERTIFICATE);
    test_net_destroy(net);
}

/* --- where to --- */

static void host_text_is_parsed_in_one_place(void **state)
{
    (void)state;
    char text[64];
    test_net *net = test_net_with(NULL, NULL);
    FastNetPeerId peer;
    static const char *const formats[] = {"127.0.0.1:%u", "[::1]:%u", "localhost:%u"};
    for (size_t i = 0; i < FN_ARRAY_COUNT(formats); i++) {
        snprintf(text, sizeof text, formats[i], (unsigned)fastnet_tls_port(net->server));
        assert_int_equal(fastnet_connect(net->client, text, 9, NULL, &peer), FASTNET_OK);
        test_await(net, net->client, FASTNET_EVENT_CONNECTED);
        test_forget_events(net);
    }
    static const char *const bad[] = {"", "[::1", "a:b:c", "127.0.0.1:99999", "bad host"};
    for (size_t i = 0; i < FN_ARRAY_COUNT(bad); i++)
        assert_int_equal(fastnet_connect(net->client, bad[i], 9, NULL, &peer),
                         FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_connect(net->client, "127.0.0.1", 0, NULL, &peer),
                     FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_connect(net->client, NULL, 9, NULL, &peer), FASTNET_ERR_ARGUMENT);
    assert_int_equal(peer, 0);
    test_net_destroy(net);
}

static void f3_ipv6_works_and_addresses_are_told(void **state)
{
    (void)state;
    FastNetAddress address;
    test_net *net = test_net_with(NULL, NULL);
    FastNetPeerId peer = test_connect_to(net, net->client, "::1", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    FastNetPeerId back = test_await(net, net->server, FASTNET_EVENT_CONNECTED)->peer_id;
    assert_int_equal(fastnet_peer_address(net->client, peer, &address), FASTNET_OK);
    assert_memory_equal(address.text, "[::1]:", 6);
    assert_int_equal(fastnet_peer_address(net->server, back, &address), FASTNET_OK);
    assert_memory_equal(address.text, "[::1]:", 6);
    assert_int_equal(atoi(address.text + 6), fastnet_udp_port(net->client));
    test_net_destroy(net);
}

static void f2_host_names_resolve(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    test_connect_to(net, net->client, "localhost", NULL);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    test_net_destroy(net);
}

/* A host has many loopback addresses, and prefers 127.0.0.1 to answer from. */
static void a_server_answers_from_the_address_that_was_called(void **state)
{
    static const char *const hosts[] = {"127.0.0.3", "127.0.0.1", "::1"};
    (void)state;
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    client.transport = FASTNET_TRANSPORT_UDP;
    net->server = test_add(net, &server);
    for (size_t i = 0; i < 2 * FN_ARRAY_COUNT(hosts); i++) {
        client.peers_max = i % 2 == 0 ? 1 : 2; /* with a connected socket, and without */
        net->client = test_add(net, &client);
        FastNetConnectOptions options = no_options();
        options.server_name = "localhost";
        net->to_server = test_connect_to(net, net->client, hosts[i / 2], &options);
        test_await(net, net->client, FASTNET_EVENT_CONNECTED);
        assert_int_equal(fastnet_send(net->client, net->to_server, 0, "hello", 5), FASTNET_OK);
        FastNetPeerId peer = test_await(net, net->server, FASTNET_EVENT_DATA)->peer_id;
        /* Several datagrams at once too. */
        static uint8_t large[20000];
        assert_int_equal(fastnet_send(net->server, peer, 0, large, sizeof large), FASTNET_OK);
        assert_int_equal(test_await(net, net->client, FASTNET_EVENT_DATA)->data_len, sizeof large);
        test_forget_events(net);
    }
    test_net_destroy(net);
}

static int32_t resolve_two(void *user, const char *host, FastNetAddress *out, uint32_t capacity)
{
    assert_true(capacity >= 2);
    snprintf(user, 64, "%s", host);
    if (strcmp(host, "nobody.example") == 0)
        return 0;
    strcpy(out[0].text, "127.0.0.3"); /* nobody listens there */
    strcpy(out[1].text, "127.0.0.1");
    return 2;
}

static void several_addresses_are_tried_in_turn(void **state)
{
    (void)state;
    char asked[64] = "";
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    server.bind_address = "127.0.0.1";
    client.resolve = resolve_two;
    client.resolve_user = asked;
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    FastNetConnectOptions options = no_options();
    options.server_name = "localhost";
    test_connect_to(net, net->client, "play.example", &options);
    test_await(net, net->client, FASTNET_EVENT_CONNECTED);
    assert_string_equal(asked, "play.example");
    test_connect_to(net, net->client, "nobody.example", &options);
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_ERROR);
    assert_int_equal(event->error_code, FASTNET_ERR_ADDRESS);
    assert_non_null(strstr((const char *)event->data, "nobody.example"));
    test_net_destroy(net);
}

static void unknown_name_is_an_address_error(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    test_connect_to(net, net->client, "no-such-host.invalid", NULL);
    await_error(net, FASTNET_ERR_ADDRESS, "no-such-host.invalid");
    test_net_destroy(net);
}

static void f2_refused_connect_says_why(void **state)
{
    (void)state;
    test_net *net = test_net_with(NULL, NULL);
    FastNetPeerId peer;
    uint16_t port = fastnet_tls_port(net->server);
    test_remove(net, net->server);
    assert_int_equal(fastnet_connect(net->client, "127.0.0.1", port, NULL, &peer), FASTNET_OK);
    await_error(net, FASTNET_ERR_ADDRESS, "127.0.0.1");
    test_net_destroy(net);
}

/* A TCP port whose owner never accepts or answers. */
static int silent_listener(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    getsockname(fd, (struct sockaddr *)&address, &bytes);
    *port = ntohs(address.sin_port);
    return fd;
}

static void server_that_never_answers_times_out(void **state)
{
    (void)state;
    uint16_t port;
    FastNetPeerId peer;
    int fd = silent_listener(&port);
    test_net *net = test_net_create();
    FastNetConfig client = test_client_config(net);
    client.handshake_timeout_ms = 300;
    net->client = test_add(net, &client);
    uint64_t start_ns = fastnet_now_ns();
    assert_int_equal(fastnet_connect(net->client, "127.0.0.1", port, NULL, &peer), FASTNET_OK);
    await_error(net, FASTNET_ERR_TIMEOUT, "");
    assert_in_range(fastnet_now_ns() - start_ns, 250 * FN_NS_PER_MS, 2000 * FN_NS_PER_MS);
    close(fd);
    test_net_destroy(net);
}

static void blocked_udp_times_out_with_a_hint(void **state)
{
    (void)state;
    test_net *net = test_net_create();
    FastNetConfig server = test_server_config(net);
    FastNetConfig client = test_client_config(net);
    client.handshake_timeout_ms = 500;
    server.handshake_timeout_ms = 500;
    net->server = test_add(net, &server);
    net->client = test_add(net, &client);
    fastnet_simulate_bad_link(net->client, 1000, 0, 0, 0, 1);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    await_error(net, FASTNET_ERR_TIMEOUT, "UDP");
    test_run_ms(net, 300);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_CONNECTED), 0);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_ERROR), 0);
    test_net_destroy(net);
}

/* --- agreement --- */

static void applications_must_agree(void **state)
{
    (void)state;
    FastNetConfig other;
    fastnet_config_init(&other);
    other.application_id = "another game";
    test_net *net = test_net_with(NULL, &other);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    await_error(net, FASTNET_ERR_VERSION, "");
    test_net_destroy(net);
}

static void channel_tables_must_agree(void **state)
{
    (void)state;
    static const FastNetChannelConfig one[] = {{FASTNET_MODE_RELIABLE, 0, 1, 0, 65536, 0}};
    FastNetConfig other;
    fastnet_config_init(&other);
    other.channels = one;
    other.channel_count = 1;
    test_net *net = test_net_with(NULL, &other);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    await_error(net, FASTNET_ERR_CHANNELS, "");
    test_net_destroy(net);
}

static void full_server_says_so(void **state)
{
    (void)state;
    FastNetConfig one;
    fastnet_config_init(&one);
    one.peers_max = 1;
    test_net *net = test_net_with(&one, NULL);
    test_net_connect(net);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    await_error(net, FASTNET_ERR_FULL, "");
    assert_int_equal(fastnet_peer_count(net->server), 1);
    test_net_destroy(net);
}

static void peers_max_limits_connects(void **state)
{
    (void)state;
    FastNetConfig one;
    FastNetPeerId peer;
    fastnet_config_init(&one);
    one.peers_max = 1;
    test_net *net = test_net_with(NULL, &one);
    test_net_connect(net);
    assert_int_equal(fastnet_connect(net->client, "127.0.0.1", 9, NULL, &peer), FASTNET_ERR_LIMIT);
    test_net_destroy(net);
}

/* --- deciding --- */

static FastNetConfig asking(void)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.connect_requests = true;
    return config;
}

static void request_shows_token_and_is_accepted(void **state)
{
    (void)state;
    int user;
    uint8_t token[FASTNET_TOKEN_BYTES_MAX];
    FastNetConfig server = asking();
    FastNetConfig client;
    FastNetPeerInfo info = {.struct_size = sizeof info};
    FastNetConnectOptions options = no_options();
    memset(token, 0xa5, sizeof token);
    fastnet_config_init(&client);
    client.application_build = 77;
    client.message_bytes_max = 1000;
    options.token = token;
    options.token_bytes = sizeof token;
    options.user = &user;
    test_net *net = test_net_with(&server, &client);
    FastNetPeerId to_server = test_connect_to(net, net->client, "127.0.0.1", &options);
    const FastNetEvent *request = test_await(net, net->server, FASTNET_EVENT_CONNECT_REQUEST);
    FastNetPeerId peer = request->peer_id;
    assert_int_equal(request->data_len, sizeof token);
    assert_memory_equal(request->data, token, sizeof token);
    assert_int_equal(fastnet_peer_info(net->server, peer, &info), FASTNET_OK);
    assert_int_equal(info.application_build, 77);
    assert_int_equal(info.message_bytes_max, 1000);
    assert_int_equal(fastnet_send(net->server, peer, 0, "x", 1), FASTNET_ERR_STATE);
    assert_int_equal(fastnet_peer_count(net->server), 0);
    test_run_ms(net, 50);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_CONNECTED), 0);
    assert_int_equal(fastnet_peer_set_user(net->server, peer, net), FASTNET_OK);
    assert_int_equal(fastnet_accept(net->server, peer), FASTNET_OK);
    assert_int_equal(fastnet_accept(net->server, peer), FASTNET_ERR_STATE);
    assert_ptr_equal(test_await(net, net->client, FASTNET_EVENT_CONNECTED)->user, &user);
    assert_ptr_equal(test_await(net, net->server, FASTNET_EVENT_CONNECTED)->user, net);
    assert_int_equal(fastnet_peer_info(net->client, to_server, &info), FASTNET_OK);
    assert_true(strlen(info.certificate_subject) > 0);
    test_net_destroy(net);
}

/* Both sides' memory, looked at when it is given back. */
typedef struct watched_memory {
    const uint8_t *secret;
    size_t secret_bytes;
    unsigned found;
} watched_memory;

static void *watched_alloc(void *user, size_t size_bytes, size_t alignment)
{
    (void)user;
    (void)alignment;
    return calloc(1, size_bytes);
}

static void watched_free(void *user, void *block, size_t size_bytes)
{
    watched_memory *memory = user;
    for (size_t at = 0; at + memory->secret_bytes <= size_bytes; at++)
        if (memcmp((uint8_t *)block + at, memory->secret, memory->secret_bytes) == 0) {
            memory->found++;
            break;
        }
    free(block);
}

/* Accepted, and rejected; the client's copy and the server's. */
static void copies_of_a_token_are_erased(void **state)
{
    (void)state;
    static const uint8_t token[] = "only the two of us know this token";
    watched_memory memory = {token, sizeof token, 0};
    FastNetConfig server = asking();
    FastNetConfig client;
    fastnet_config_init(&client);
    server.allocator = (FastNetAllocator){&memory, watched_alloc, watched_free};
    client.allocator = server.allocator;
    FastNetConnectOptions options = no_options();
    options.token = token;
    options.token_bytes = sizeof token;
    test_net *net = test_net_with(&server, &client);
    for (int accepted = 0; accepted < 2; accepted++) {
        test_forget_events(net);
        test_connect_to(net, net->client, "127.0.0.1", &options);
        const FastNetEvent *request = test_await(net, net->server, FASTNET_EVENT_CONNECT_REQUEST);
        assert_memory_equal(request->data, token, sizeof token);
        if (accepted) {
            assert_int_equal(fastnet_accept(net->server, request->peer_id), FASTNET_OK);
            test_await(net, net->client, FASTNET_EVENT_CONNECTED);
        } else {
            assert_int_equal(fastnet_reject(net->server, request->peer_id, 1, "no"), FASTNET_OK);
            test_await(net, net->client, FASTNET_EVENT_ERROR);
        }
    }
    test_net_destroy(net);
    assert_int_equal(memory.found, 0);
}

static void rejected_client_learns_code_and_text(void **state)
{
    (void)state;
    FastNetConfig server = asking();
    test_net *net = test_net_with(&server, NULL);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    FastNetPeerId peer = test_await(net, net->server, FASTNET_EVENT_CONNECT_REQUEST)->peer_id;
    assert_int_equal(fastnet_reject(net->server, peer, 4711, "not on the list"), FASTNET_OK);
    assert_int_equal(fastnet_reject(net->server, peer, 4711, "twice"), FASTNET_ERR_PEER);
    const FastNetEvent *event = await_error(net, FASTNET_ERR_REJECTED, "not on the list");
    assert_int_equal(event->app_code, 4711);
    test_run_ms(net, 50);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_CONNECT_REQUEST), 1);
    assert_null(test_find(net, net->server, FASTNET_EVENT_ERROR, 0));
    test_net_destroy(net);
}

static void undecided_request_is_rejected_after_its_deadline(void **state)
{
    (void)state;
    FastNetConfig server = asking();
    server.connect_request_timeout_ms = 100;
    test_net *net = test_net_with(&server, NULL);
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    FastNetPeerId peer = test_await(net, net->server, FASTNET_EVENT_CONNECT_REQUEST)->peer_id;
    await_error(net, FASTNET_ERR_REJECTED, "");
    /* Whoever was asked is told that there is nobody to answer to any more. */
    assert_int_equal(test_await(net, net->server, FASTNET_EVENT_ERROR)->peer_id, peer);
    test_run_ms(net, 20);
    assert_int_equal(fastnet_accept(net->server, peer), FASTNET_ERR_PEER);
    test_net_destroy(net);
}

/* Over UDP, and where only TCP gets through. */
static void assert_kicked_at_once(int32_t transport, bool accepts)
{
    FastNetConfig server = asking(), client;
    fastnet_config_init(&client);
    client.transport = transport;
    server.connect_requests = accepts;
    test_net *net = test_net_with(&server, &client);
    uint64_t begin_ns = fastnet_now_ns();
    test_connect_to(net, net->client, "127.0.0.1", NULL);
    if (accepts) {
        FastNetPeerId peer = test_await(net, net->server, FASTNET_EVENT_CONNECT_REQUEST)->peer_id;
        assert_int_equal(fastnet_accept(net->server, peer), FASTNET_OK);
        assert_int_equal(fastnet_disconnect(net->server, peer, 4711, "come back tomorrow"),
                         FASTNET_OK);
    } else {
        FastNetPeerId peer = test_await(net, net->server, FASTNET_EVENT_CONNECTED)->peer_id;
        assert_int_equal(fastnet_disconnect_now(net->server, peer, 4711, "come back tomorrow"),
                         FASTNET_OK);
    }
    const FastNetEvent *event = test_await(net, net->client, FASTNET_EVENT_DISCONNECTED);
    assert_int_equal(event->error_code, FASTNET_ERR_CLOSED);
    assert_int_equal(event->app_code, 4711);
    assert_string_equal((const char *)event->data, "come back tomorrow");
    assert_true(fastnet_now_ns() - begin_ns < FN_NS_PER_S);
    test_run_ms(net, 100);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_CONNECTED), accepts ? 0 : 1);
    assert_int_equal(test_count(net, net->server, FASTNET_EVENT_DISCONNECTED), 0);
    test_net_destroy(net);
}

static void client_that_is_accepted_and_disconnected_at_once_hears_why(void **state)
{
    (void)state;
    assert_kicked_at_once(FASTNET_TRANSPORT_NONE, true);
    assert_kicked_at_once(FASTNET_TRANSPORT_TCP, true);
    assert_kicked_at_once(FASTNET_TRANSPORT_NONE, false);
}

static void cancelled_connect_is_not_mentioned(void **state)
{
    (void)state;
    FastNetConfig server = asking();
    test_net *net = test_net_with(&server, NULL);
    FastNetPeerId peer = test_connect_to(net, net->client, "127.0.0.1", NULL);
    test_await(net, net->server, FASTNET_EVENT_CONNECT_REQUEST);
    assert_int_equal(fastnet_disconnect(net->client, peer, 0, NULL), FASTNET_OK);
    assert_int_equal(fastnet_disconnect(net->client, peer, 0, NULL), FASTNET_ERR_PEER);
    test_await(net, net->server, FASTNET_EVENT_ERROR);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_ERROR), 0);
    assert_int_equal(test_count(net, net->client, FASTNET_EVENT_DISCONNECTED), 0);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expired_certificate_is_a_warning_with_its_path),
        cmocka_unit_test(s1_client_accepts_only_who_it_can_verify),
        cmocka_unit_test(s1_another_authority_is_not_believed),
        cmocka_unit_test(pin_replaces_chain_and_name),
        cmocka_unit_test(insecure_connect_is_loud),
        cmocka_unit_test(roots_file_must_be_there),
        cmocka_unit_test(host_text_is_parsed_in_one_place),
        cmocka_unit_test(f3_ipv6_works_and_addresses_are_told),
        cmocka_unit_test(f2_host_names_resolve),
        cmocka_unit_test(a_server_answers_from_the_address_that_was_called),
        cmocka_unit_test(several_addresses_are_tried_in_turn),
        cmocka_unit_test(unknown_name_is_an_address_error),
        cmocka_unit_test(f2_refused_connect_says_why),
        cmocka_unit_test(server_that_never_answers_times_out),
        cmocka_unit_test(blocked_udp_times_out_with_a_hint),
        cmocka_unit_test(applications_must_agree),
        cmocka_unit_test(channel_tables_must_agree),
        cmocka_unit_test(full_server_says_so),
        cmocka_unit_test(peers_max_limits_connects),
        cmocka_unit_test(copies_of_a_token_are_erased),
        cmocka_unit_test(request_shows_token_and_is_accepted),
        cmocka_unit_test(rejected_client_learns_code_and_text),
        cmocka_unit_test(undecided_request_is_rejected_after_its_deadline),
        cmocka_unit_test(client_that_is_accepted_and_disconnected_at_once_hears_why),
        cmocka_unit_test(cancelled_connect_is_not_mentioned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
