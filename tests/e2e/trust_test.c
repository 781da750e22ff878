/* Whom a client trusts: roots, FASTNET_CA_FILE, pins, names; and certificates that change. */
#include "world.h"

/* Connects with these options; the event (CONNECTED or ERROR) that ends it. */
static const world_event *attempt(world *w, const char *host, const FastNetConnectOptions *options)
{
    size_t before = w->at_client.count;
    FastNetResult result =
        fastnet_connect(w->client, host, fastnet_tls_port(w->server), options, &w->to_server);
    if (result != FASTNET_OK) {
        fail_msg("connect: %s", fastnet_last_error_text(w->client));
    }
    world_pump_until(w, w->at_client.count > before);
    return &w->at_client.items[before];
}

static void expect_refusal(const world_event *end, int32_t result, const char *word)
{
    assert_int_equal(end->event.type, FASTNET_EVENT_ERROR);
    assert_int_equal(end->event.error_code, result);
    if (!strstr((const char *)end->data, word)) {
        fail_msg("'%s' is not in: %s", word, (const char *)end->data);
    }
}

static void s1_a_server_that_no_root_knows_is_refused(void **state)
{
    world *w = *state;
    unsetenv("FASTNET_CA_FILE");
    w->client_config.trusted_roots_path = NULL; /* the system's roots */
    world_start(w);
    expect_refusal(attempt(w, "localhost", NULL), FASTNET_ERR_CERTIFICATE, "not trusted");
    world_pump_for_ms(w, 50);
    assert_int_equal(w->at_server.count, 0); /* and the server never saw a peer */
}

static void s1_a_server_of_another_authority_is_refused(void **state)
{
    world *w = *state;
    world_files other;
    world_files_make(&other);
    w->client_config.trusted_roots_path = other.ca;
    world_start(w);
    const world_event *end = attempt(w, "localhost", NULL);
    world_files_remove(&other);
    expect_refusal(end, FASTNET_ERR_CERTIFICATE, "FASTNET_CA_FILE");
}

static void s1_another_name_is_refused(void **state)
{
    world *w = *state;
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    options.server_name = "game.example";
    world_start(w);
    const world_event *end = attempt(w, "localhost", &options);
    expect_refusal(end, FASTNET_ERR_CERTIFICATE, "game.example");
    assert_non_null(strstr((const char *)end->data, "localhost"));
}

static void a_ca_file_in_the_environment_counts(void **state)
{
    world *w = *state;
    w->client_config.trusted_roots_path = NULL;
    setenv("FASTNET_CA_FILE", w->files.ca, 1);
    world_start(w);
    const world_event *end = attempt(w, "localhost", NULL);
    unsetenv("FASTNET_CA_FILE");
    assert_int_equal(end->event.type, FASTNET_EVENT_CONNECTED);
}

static void a_ca_file_in_the_environment_counts_only_without_one_in_the_config(void **state)
{
    world *w = *state;
    world_files other;
    world_files_make(&other);
    setenv("FASTNET_CA_FILE", other.ca, 1);
    world_start(w);
    const world_event *end = attempt(w, "localhost", NULL);
    assert_int_equal(end->event.type, FASTNET_EVENT_CONNECTED);

    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    options.trusted_roots_path = other.ca; /* and the connection's own before the endpoint's */
    end = attempt(w, "localhost", &options);
    unsetenv("FASTNET_CA_FILE");
    world_files_remove(&other);
    expect_refusal(end, FASTNET_ERR_CERTIFICATE, "not trusted");
}

static void a_pin_replaces_roots_and_name(void **state)
{
    world *w = *state;
    uint8_t pins[2][FASTNET_PIN_BYTES] = {{0}};
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    assert_int_equal(fastnet_certificate_pin(w->files.certificate, pins[1]), FASTNET_OK);
    options.server_name = "no.such.name";
    options.pins = pins[0];
    options.pin_count = 2; /* any of several may match */
    w->client_config.trusted_roots_path = NULL;
    world_start(w);
    assert_int_equal(attempt(w, "127.0.0.1", &options)->event.type, FASTNET_EVENT_CONNECTED);
}

static void a_wrong_pin_is_refused_whatever_the_roots_say(void **state)
{
    world *w = *state;
    uint8_t pin[FASTNET_PIN_BYTES] = {1};
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    options.pins = pin;
    options.pin_count = 1;
    world_start(w);
    expect_refusal(attempt(w, "localhost", &options), FASTNET_ERR_CERTIFICATE, "pin");
}

static void remember_warning(void *user, int32_t level, const char *line)
{
    if (level <= FASTNET_LOG_WARNING && strstr(line, "WITHOUT VERIFICATION")) {
        ++*(int *)user;
    }
}

static void s1_the_insecure_way_has_its_own_name_and_warns_each_time(void **state)
{
    world *w = *state;
    int warnings = 0;
    w->client_config.trusted_roots_path = NULL;
    w->client_config.log = remember_warning;
    w->client_config.log_user = &warnings;
    world_start(w);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(fastnet_connect_insecure_without_verification(w->client, "localhost",
                                                                       fastnet_tls_port(w->server),
                                                                       NULL, &w->to_server),
                         FASTNET_OK);
        world_pump_until(w, world_count(&w->at_client, FASTNET_EVENT_CONNECTED) == (size_t)i);
        assert_int_equal(warnings, i);
    }
}

static void a_missing_or_malformed_roots_file_is_named(void **state)
{
    world *w = *state;
    FastNetConnectOptions options;
    FastNetPeerId peer;
    fastnet_connect_options_init(&options);
    world_start(w);
    const char *const paths[] = {"/no/such/ca.pem", w->files.key};
    for (size_t i = 0; i < 2; i++) {
        options.trusted_roots_path = paths[i];
        assert_int_equal(fastnet_connect(w->client, "localhost", 1, &options, &peer),
                         FASTNET_ERR_CERTIFICATE);
        if (!strstr(fastnet_last_error_text(w->client), strrchr(paths[i], '/') + 1)) {
            fail_msg("no path in: %s", fastnet_last_error_text(w->client));
        }
    }
}

static void f3_ipv6_connects_by_address_and_by_bracketed_port(void **state)
{
    world *w = *state;
    char host[32];
    world_start(w);
    assert_int_equal(attempt(w, "::1", NULL)->event.type, FASTNET_EVENT_CONNECTED);
    assert_int_equal(attempt(w, "[::1]", NULL)->event.type, FASTNET_EVENT_CONNECTED);
    snprintf(host, sizeof host, "[::1]:%u", fastnet_tls_port(w->server));
    assert_int_equal(fastnet_connect(w->client, host, 1, NULL, &w->to_server), FASTNET_OK);
    world_pump_until(w, world_count(&w->at_client, FASTNET_EVENT_CONNECTED) == 3);
    FastNetAddress address;
    assert_int_equal(fastnet_peer_address(w->client, w->to_server, &address), FASTNET_OK);
    assert_non_null(strstr(address.text, "[::1]:"));
}

static void f2_host_names_resolve(void **state)
{
    world *w = *state;
    char host[32];
    world_start(w);
    snprintf(host, sizeof host, "localhost:%u", fastnet_tls_port(w->server));
    assert_int_equal(fastnet_connect(w->client, host, 0, NULL, &w->to_server), FASTNET_OK);
    world_pump_until(w, w->at_client.count > 0);
    assert_int_equal(w->at_client.items[0].event.type, FASTNET_EVENT_CONNECTED);
}

static int32_t resolve_two(void *user, const char *host, FastNetAddress *out, uint32_t capacity)
{
    ++*(int *)user;
    if (strcmp(host, "localhost") != 0 || capacity < 2) {
        return FASTNET_ERR_ADDRESS;
    }
    strcpy(out[0].text, "127.0.0.9"); /* nothing listens there: the next one is tried */
    strcpy(out[1].text, "127.0.0.1");
    return 2;
}

static void addresses_of_a_name_are_tried_in_turn(void **state)
{
    world *w = *state;
    int calls = 0;
    w->server_config.bind_address = "127.0.0.1";
    w->client_config.resolve = resolve_two;
    w->client_config.resolve_user = &calls;
    world_start(w);
    assert_int_equal(attempt(w, "localhost", NULL)->event.type, FASTNET_EVENT_CONNECTED);
    assert_int_equal(calls, 1);
}

static void a_reloaded_certificate_counts_for_new_sessions_only(void **state)
{
    world *w = *state;
    world_files other;
    FastNetConnectOptions options;
    world_join(w);
    FastNetPeerId first = w->to_server;
    world_files_make(&other);
    assert_int_equal(fastnet_certificate_reload(w->server, other.certificate, other.key),
                     FASTNET_OK);

    assert_int_equal(fastnet_send(w->client, first, 0, "still here", 10), FASTNET_OK);
    world_pump_until(w, world_messages(&w->at_server, 0) == 1);

    expect_refusal(attempt(w, "localhost", NULL), FASTNET_ERR_CERTIFICATE, "not trusted");
    fastnet_connect_options_init(&options);
    options.trusted_roots_path = other.ca;
    assert_int_equal(attempt(w, "localhost", &options)->event.type, FASTNET_EVENT_CONNECTED);
    world_files_remove(&other);
}

static void a_bad_reload_changes_nothing(void **state)
{
    world *w = *state;
    world_start(w);
    assert_int_equal(fastnet_certificate_reload(w->server, "/no/such.pem", w->files.key),
                     FASTNET_ERR_CERTIFICATE);
    assert_int_equal(fastnet_certificate_reload(w->server, w->files.ca, w->files.key),
                     FASTNET_ERR_CERTIFICATE); /* certificate and key of different pairs */
    assert_int_equal(attempt(w, "localhost", NULL)->event.type, FASTNET_EVENT_CONNECTED);
    assert_int_equal(fastnet_certificate_reload(w->client, w->files.certificate, w->files.key),
                     FASTNET_ERR_STATE);
}

static void keep_line(void *user, const char *line)
{
    char *text = user;
    strncat(text, line, 2000 - strlen(text) - 2);
}

static void key_log_is_written_only_when_asked(void **state)
{
    world *w = *state;
    static char lines[2000];
    w->client_config.key_log = keep_line;
    w->client_config.key_log_user = lines;
    world_join(w);
    assert_non_null(strstr(lines, "CLIENT_HANDSHAKE_TRAFFIC_SECRET "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(s1_a_server_that_no_root_knows_is_refused),
        WORLD_TEST(s1_a_server_of_another_authority_is_refused),
        WORLD_TEST(s1_another_name_is_refused),
        WORLD_TEST(s1_the_insecure_way_has_its_own_name_and_warns_each_time),
        WORLD_TEST(a_ca_file_in_the_environment_counts),
        WORLD_TEST(a_ca_file_in_the_environment_counts_only_without_one_in_the_config),
        WORLD_TEST(a_pin_replaces_roots_and_name),
        WORLD_TEST(a_wrong_pin_is_refused_whatever_the_roots_say),
        WORLD_TEST(a_missing_or_malformed_roots_file_is_named),
        WORLD_TEST(f3_ipv6_connects_by_address_and_by_bracketed_port),
        WORLD_TEST(f2_host_names_resolve),
        WORLD_TEST(addresses_of_a_name_are_tried_in_turn),
        WORLD_TEST(a_reloaded_certificate_counts_for_new_sessions_only),
        WORLD_TEST(a_bad_reload_changes_nothing),
        WORLD_TEST(key_log_is_written_only_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
