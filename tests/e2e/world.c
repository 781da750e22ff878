#include "world.h"

#include <unistd.h>

enum { BATCH = 32, WAIT_US = 200 };

void world_files_make(world_files *files)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    FastNetCertificateOptions options;
    strcpy(files->directory, "/tmp/fastnet-e2e-XXXXXX");
    assert_non_null(mkdtemp(files->directory));
    fastnet_certificate_options_init(&options);
    options.directory = files->directory;
    options.names = names;
    options.name_count = 3;
    if (fastnet_certificate_write(&options) != FASTNET_OK) {
        fail_msg("no certificate: %s", fastnet_connect_error_text());
    }
    snprintf(files->ca, sizeof files->ca, "%s/ca.pem", files->directory);
    snprintf(files->certificate, sizeof files->certificate, "%s/cert.pem", files->directory);
    snprintf(files->key, sizeof files->key, "%s/key.pem", files->directory);
}

void world_files_remove(const world_files *files)
{
    static const char *const names[] = {"ca.pem", "ca-key.pem", "cert.pem", "key.pem"};
    char path[128];
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", files->directory, names[i]);
        unlink(path);
    }
    rmdir(files->directory);
}

int world_setup(void **state)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    world_files_make(&w->files);
    fastnet_config_init(&w->server_config);
    w->server_config.listen = true;
    w->server_config.certificate_path = w->files.certificate;
    w->server_config.private_key_path = w->files.key;
    fastnet_config_init(&w->client_config);
    w->client_config.trusted_roots_path = w->files.ca;
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    world *w = *state;
    world_end_client(w);
    world_end_server(w);
    world_log_clear(&w->at_server);
    world_log_clear(&w->at_client);
    free(w->at_server.items);
    free(w->at_client.items);
    world_files_remove(&w->files);
    free(w);
    return 0;
}

static FastNetEndpoint *create(const FastNetConfig *config)
{
    FastNetEndpoint *endpoint = NULL;
    if (fastnet_endpoint_create(config, &endpoint) != FASTNET_OK) {
        fail_msg("no endpoint: %s", fastnet_connect_error_text());
    }
    return endpoint;
}

void world_start(world *w)
{
    w->server = create(&w->server_config);
    w->client = create(&w->client_config);
}

void world_connect(world *w)
{
    FastNetResult result =
        fastnet_connect(w->client, "localhost", fastnet_tls_port(w->server), NULL, &w->to_server);
    if (result != FASTNET_OK) {
        fail_msg("connect: %s: %s", fastnet_result_name(result),
                 fastnet_last_error_text(w->client));
    }
}

void world_join(world *w)
{
    if (!w->server) {
        world_start(w);
    }
    size_t at_server = world_count(&w->at_server, FASTNET_EVENT_CONNECTED);
    size_t at_client = world_count(&w->at_client, FASTNET_EVENT_CONNECTED);
    world_connect(w);
    world_pump_until(w, world_count(&w->at_server, FASTNET_EVENT_CONNECTED) > at_server &&
                            world_count(&w->at_client, FASTNET_EVENT_CONNECTED) > at_client);
    w->to_client = world_find(&w->at_server, FASTNET_EVENT_CONNECTED, at_server)->event.peer_id;
}

static void note(world_log *log, const FastNetEvent *event)
{
    if (log->count == log->capacity) {
        log->capacity = log->capacity ? 2 * log->capacity : 64;
        log->items = realloc(log->items, log->capacity * sizeof *log->items);
        assert_non_null(log->items);
    }
    world_event *item = &log->items[log->count++];
    item->event = *event;
    item->data = calloc(1, (size_t)event->data_len + 1);
    assert_non_null(item->data);
    if (event->data_len > 0) {
        assert_non_null(event->data);
        memcpy(item->data, event->data, event->data_len);
    }
}

static void poll_side(FastNetEndpoint *endpoint, world_log *log, uint32_t timeout_us)
{
    FastNetEvent events[BATCH];
    if (!endpoint) {
        return;
    }
    int32_t count = fastnet_poll(endpoint, events, BATCH, timeout_us);
    assert_true(count >= 0);
    for (int32_t i = 0; i < count; i++) {
        note(log, &events[i]);
    }
}

void world_pump(world *w)
{
    poll_side(w->server, &w->at_server, 0);
    poll_side(w->client, &w->at_client, WAIT_US);
}

void world_pump_for_ms(world *w, uint32_t ms)
{
    uint64_t until_ns = fastnet_now_ns() + (uint64_t)ms * 1000000u;
    while (fastnet_now_ns() < until_ns) {
        world_pump(w);
    }
}

void world_end_server(world *w)
{
    fastnet_endpoint_destroy(w->server);
    w->server = NULL;
}

void world_end_client(world *w)
{
    fastnet_endpoint_destroy(w->client);
    w->client = NULL;
}

size_t world_count(const world_log *log, int32_t type)
{
    size_t count = 0;
    for (size_t i = 0; i < log->count; i++) {
        count += log->items[i].event.type == type;
    }
    return count;
}

const world_event *world_find(const world_log *log, int32_t type, size_t n)
{
    for (size_t i = 0; i < log->count; i++) {
        if (log->items[i].event.type == type && n-- == 0) {
            return &log->items[i];
        }
    }
    return NULL;
}

size_t world_messages(const world_log *log, uint8_t channel)
{
    size_t count = 0;
    for (size_t i = 0; i < log->count; i++) {
        const FastNetEvent *event = &log->items[i].event;
        count += event->type == FASTNET_EVENT_DATA && event->channel == channel;
    }
    return count;
}

void world_log_clear(world_log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        free(log->items[i].data);
    }
    log->count = 0;
}
