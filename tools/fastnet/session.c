#include "session.h"

#include <stdio.h>
#include <string.h>

static FastNetResult refuse(session *self, int32_t result, const char *text)
{
    self->result = (FastNetResult)result;
    snprintf(self->text, sizeof self->text, "%s",
             text && text[0] ? text : fastnet_result_text(result));
    return self->result;
}

static int hex_digit(char character)
{
    const char *digits = "0123456789abcdef";
    const char *found = strchr(digits, character | 0x20);
    return character && found ? (int)(found - digits) : -1;
}

static bool parse_pin(const char *text, uint8_t pin[FASTNET_PIN_BYTES])
{
    if (strncmp(text, "sha256:", 7) == 0) {
        text += 7;
    }
    if (strlen(text) != FASTNET_PIN_BYTES * 2) {
        return false;
    }
    for (int i = 0; i < FASTNET_PIN_BYTES; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        pin[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void print_log(void *user, int32_t level, const char *line)
{
    (void)user;
    fprintf(stderr, "%s: %s\n", level == FASTNET_LOG_ERROR ? "error" : "warning", line);
}

static FastNetResult create(session *self, const session_options *options)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.peers_max = 1;
    config.message_bytes_max = SESSION_MESSAGE_BYTES_MAX;
    config.send_queue_bytes_max = 4 * SESSION_MESSAGE_BYTES_MAX;
    config.receive_window_bytes = 4 * SESSION_MESSAGE_BYTES_MAX;
    config.handshake_timeout_ms = (uint32_t)options->timeout_ms;
    config.trusted_roots_path = options->ca_path;
    config.application_id = options->application_id;
    /* Failures come back as events; only the warning about --insecure... is worth a line. */
    config.log = options->insecure ? print_log : NULL;
    FastNetResult result = fastnet_endpoint_create(&config, &self->endpoint);
    return result == FASTNET_OK ? result : refuse(self, result, fastnet_connect_error_text());
}

static FastNetResult start(session *self, const session_options *options, const char *host)
{
    uint8_t pin[FASTNET_PIN_BYTES];
    FastNetConnectOptions connect;
    fastnet_connect_options_init(&connect);
    connect.server_name = options->server_name;
    if (options->pin) {
        if (!parse_pin(options->pin, pin)) {
            return refuse(self, FASTNET_ERR_ARGUMENT, "--pin needs 64 hexadecimal digits");
        }
        connect.pins = pin;
        connect.pin_count = 1;
    }
    FastNetResult result =
        options->insecure
            ? fastnet_connect_insecure_without_verification(self->endpoint, host, SESSION_TLS_PORT,
                                                            &connect, &self->peer)
            : fastnet_connect(self->endpoint, host, SESSION_TLS_PORT, &connect, &self->peer);
    return result == FASTNET_OK ? result
                                : refuse(self, result, fastnet_last_error_text(self->endpoint));
}

/* What only a server says whose certificate was accepted. */
static bool is_answer(int32_t result)
{
    return result == FASTNET_ERR_VERSION || result == FASTNET_ERR_CHANNELS ||
           result == FASTNET_ERR_FULL || result == FASTNET_ERR_REJECTED;
}

/* The endpoint itself ends the wait: CONNECTED or ERROR comes within handshake_timeout_ms. */
static FastNetResult wait_connected(session *self)
{
    FastNetEvent event;
    uint64_t start_ns = fastnet_now_ns();
    for (;;) {
        int32_t count = fastnet_poll(self->endpoint, &event, 1, 1000 * 1000);
        if (count < 0) {
            return refuse(self, count, fastnet_last_error_text(self->endpoint));
        }
        if (count == 0) {
            continue;
        }
        bool connected = event.type == FASTNET_EVENT_CONNECTED;
        if (connected || is_answer(event.error_code)) {
            self->answered_ns = fastnet_now_ns() - start_ns;
        }
        if (connected) {
            return FASTNET_OK;
        }
        if (event.type == FASTNET_EVENT_ERROR || event.type == FASTNET_EVENT_DISCONNECTED) {
            return refuse(self, event.error_code, (const char *)event.data);
        }
    }
}

FastNetResult session_open(session *self, const session_options *options, const char *host)
{
    *self = (session){0};
    FastNetResult result = create(self, options);
    if (result == FASTNET_OK) {
        result = start(self, options, host);
    }
    if (result == FASTNET_OK) {
        result = wait_connected(self);
    }
    self->ended = result != FASTNET_OK;
    return result;
}

void session_note_end(session *self, const FastNetEvent *event)
{
    self->ended = true;
    refuse(self, event->error_code, (const char *)event->data);
}

const char *session_transport(const session *self)
{
    static const char *const names[] = {"none", "udp", "p2p", "relay", "tcp"};
    FastNetPeerStats stats = {.struct_size = sizeof stats};
    if (!self->endpoint || fastnet_peer_stats(self->endpoint, self->peer, &stats) != FASTNET_OK) {
        return names[0];
    }
    return stats.path < sizeof names / sizeof names[0] ? names[stats.path] : names[0];
}

void session_close(session *self)
{
    fastnet_client_disconnect(self->endpoint);
    self->endpoint = NULL;
}
