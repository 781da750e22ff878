/*
 * raw_udp.c: the floor of every round trip: one datagram, one system call, connected sockets, and
 * nothing else. Channel "sealed" adds what no encrypted protocol can leave out: one
 * ChaCha20-Poly1305 each way, by libsodium, with a packet number in front. "ahead" is the same with
 * the keystream of the next packets computed while there is nothing to receive.
 */
#include "common/ahead.h"
#include "common/clock.h"
#include "common/peer.h"
#include "common/report.h"
#include "common/sockets.h"

#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAG_BYTES    crypto_aead_chacha20poly1305_ietf_ABYTES
#define NONCE_BYTES  crypto_aead_chacha20poly1305_ietf_NPUBBYTES
#define NUMBER_BYTES 8

const char *const peer_channels = "plain, sealed, ahead";

static struct {
    int fd;
    bool sealed, connected, always_spins;
    uint64_t spin_ns; /* before blocking */
    uint64_t number, expected;
    uint8_t key[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
    uint8_t direction; /* in the nonce: both sides share the key */
    bool prepares;     /* channel ahead */
    ahead out, in;
} raw;

static void open_common(const bench_options *options, bool server)
{
    if (options->bytes > AHEAD_TEXT_BYTES_MAX) {
        bench_fail("raw UDP sends at most %d bytes", AHEAD_TEXT_BYTES_MAX);
    }
    if (sodium_init() < 0) {
        bench_fail("libsodium does not start");
    }
    memset(raw.key, 7, sizeof raw.key);
    raw.expected = 1;
    raw.sealed = strcmp(options->channel, "plain") != 0;
    raw.prepares = strcmp(options->channel, "ahead") == 0;
    raw.direction = server;
    ahead_init(&raw.out, raw.key, raw.direction, (size_t)options->bytes);
    ahead_init(&raw.in, raw.key, !raw.direction, (size_t)options->bytes);
    bool spins = strcmp(options->wait, "default") == 0;
    raw.always_spins = strcmp(options->wait, "spin") == 0;
    raw.spin_ns = spins ? PEER_DEFAULT_SPIN_US * BENCH_NS_PER_US : 0;
}

peer_ports peer_listen(const bench_options *options)
{
    open_common(options, true);
    raw.fd = bench_udp_bind(options->host, options->port);
    return (peer_ports){.port = bench_port_of(raw.fd)};
}

void peer_connect(const bench_options *options)
{
    open_common(options, false);
    raw.fd = bench_udp_connect(options->host, options->port);
    raw.connected = true;
}

static void make_nonce(uint8_t nonce[NONCE_BYTES], uint8_t direction, const void *number)
{
    memset(nonce, direction, NONCE_BYTES);
    memcpy(nonce + NONCE_BYTES - NUMBER_BYTES, number, NUMBER_BYTES);
}

/* `text` has room for the tag. */
static void seal(const uint8_t *number, uint8_t *text, size_t bytes)
{
    uint8_t nonce[NONCE_BYTES];
    if (raw.prepares) {
        ahead_seal(&raw.out, raw.number, number, NUMBER_BYTES, text, bytes);
        return;
    }
    make_nonce(nonce, raw.direction, number);
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(text, text + bytes, NULL, text, bytes,
                                                       number, NUMBER_BYTES, NULL, nonce, raw.key);
}

static bool open_sealed(const uint8_t *number, uint8_t *text, size_t bytes)
{
    uint8_t nonce[NONCE_BYTES];
    uint64_t value;
    memcpy(&value, number, sizeof value);
    raw.expected = value + 1;
    if (raw.prepares) {
        return ahead_open(&raw.in, value, number, NUMBER_BYTES, text, bytes);
    }
    make_nonce(nonce, !raw.direction, number);
    return crypto_aead_chacha20poly1305_ietf_decrypt_detached(
               text, NULL, text, bytes, text + bytes, number, NUMBER_BYTES, nonce, raw.key) == 0;
}

bool peer_send(const void *message, size_t bytes)
{
    uint8_t datagram[NUMBER_BYTES + PEER_MESSAGE_BYTES_MAX + TAG_BYTES];
    if (!raw.sealed) {
        return send(raw.fd, message, bytes, MSG_DONTWAIT) == (ssize_t)bytes;
    }
    raw.number++;
    memcpy(datagram, &raw.number, NUMBER_BYTES);
    memcpy(datagram + NUMBER_BYTES, message, bytes);
    seal(datagram, datagram + NUMBER_BYTES, bytes);
    size_t total = NUMBER_BYTES + bytes + TAG_BYTES;
    return send(raw.fd, datagram, total, MSG_DONTWAIT) == (ssize_t)total;
}

static void received(uint8_t *datagram, size_t bytes)
{
    if (!raw.sealed) {
        driver_received(datagram, bytes);
    } else if (bytes >= NUMBER_BYTES + TAG_BYTES) {
        uint8_t *text = datagram + NUMBER_BYTES;
        size_t text_bytes = bytes - NUMBER_BYTES - TAG_BYTES;
        if (open_sealed(datagram, text, text_bytes)) {
            driver_received(text, text_bytes);
        }
    }
}

/* A server connects its socket to whoever speaks first: recv() is cheaper than recvfrom(). */
static ssize_t receive(uint8_t *datagram, size_t capacity)
{
    if (raw.connected) {
        return recv(raw.fd, datagram, capacity, MSG_DONTWAIT);
    }
    struct sockaddr_in from;
    socklen_t from_bytes = sizeof from;
    ssize_t bytes =
        recvfrom(raw.fd, datagram, capacity, MSG_DONTWAIT, (struct sockaddr *)&from, &from_bytes);
    if (bytes >= 0) {
        raw.connected = connect(raw.fd, (struct sockaddr *)&from, from_bytes) == 0;
    }
    return bytes;
}

static ssize_t receive_spinning(uint8_t *datagram, size_t capacity)
{
    uint64_t end_ns = bench_now_ns() + raw.spin_ns;
    ssize_t bytes;
    do {
        bytes = receive(datagram, capacity);
    } while (bytes < 0 && bench_now_ns() < end_ns);
    return bytes;
}

void peer_step(uint64_t timeout_ns)
{
    timeout_ns = raw.always_spins ? 0 : timeout_ns;
    uint8_t datagram[PEER_MESSAGE_BYTES_MAX + 64];
    ssize_t bytes = receive(datagram, sizeof datagram);
    if (bytes < 0 && timeout_ns && raw.spin_ns) {
        bytes = receive_spinning(datagram, sizeof datagram);
    }
    if (bytes < 0 && timeout_ns && bench_wait(raw.fd, false, timeout_ns)) {
        bytes = receive(datagram, sizeof datagram);
    }
    if (bytes >= 0) {
        received(datagram, (size_t)bytes);
    } else if (raw.prepares && !ahead_prepare(&raw.out, raw.number + 1)) {
        ahead_prepare(&raw.in, raw.expected);
    }
}

bool peer_alive(void)
{
    return true;
}

void peer_report(void)
{
}

void peer_close(void)
{
    close(raw.fd);
}
