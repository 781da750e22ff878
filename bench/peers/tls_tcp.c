/*
 * tls_tcp.c: messages with a length in front on a TCP connection with TCP_NODELAY; channel "tls"
 * puts TLS 1.3 by OpenSSL around it, with the cipher that OpenSSL prefers. Congestion control is
 * the system's; "tcp-cubic" asks for CUBIC, which FastNet and QUIC use here.
 */
#include "common/clock.h"
#include "common/framing.h"
#include "common/peer.h"
#include "common/report.h"
#include "common/sockets.h"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUT_BYTES = 1 << 18, IN_BYTES = 1 << 16 };

const char *const peer_channels = "tls, tcp, tcp-cubic";

static struct {
    int listener, fd;
    SSL_CTX *context;
    SSL *ssl; /* NULL on channel tcp */
    bool tls, cubic, in_step, gone, batching, always_spins;
    uint64_t spin_ns;
    size_t out_bytes, out_sent;
    uint8_t out[OUT_BYTES];
    uint8_t in[IN_BYTES];
    framing stream;
} tcp = {.listener = -1, .fd = -1};

static void expect(bool fine, const char *what)
{
    if (!fine) {
        bench_fail("%s: %s", what, ERR_reason_error_string(ERR_peek_last_error()));
    }
}

static void open_common(const bench_options *options, const SSL_METHOD *method)
{
    tcp.tls = strcmp(options->channel, "tls") == 0;
    tcp.cubic = strcmp(options->channel, "tcp-cubic") == 0;
    tcp.batching = strcmp(options->workload, "bulk") == 0;
    bool spins = strcmp(options->wait, "default") == 0;
    tcp.always_spins = strcmp(options->wait, "spin") == 0;
    tcp.spin_ns = spins ? PEER_DEFAULT_SPIN_US * BENCH_NS_PER_US : 0;
    tcp.context = SSL_CTX_new(method);
    expect(tcp.context != NULL, "OpenSSL context");
    SSL_CTX_set_min_proto_version(tcp.context, TLS1_3_VERSION);
    SSL_CTX_set_mode(tcp.context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

peer_ports peer_listen(const bench_options *options)
{
    open_common(options, TLS_server_method());
    if (tcp.tls) {
        expect(SSL_CTX_use_certificate_chain_file(tcp.context, options->certificate) == 1,
               options->certificate);
        expect(SSL_CTX_use_PrivateKey_file(tcp.context, options->key, SSL_FILETYPE_PEM) == 1,
               options->key);
    }
    tcp.listener = bench_tcp_listen(options->host, options->port);
    return (peer_ports){.port = bench_port_of(tcp.listener)};
}

static void start_tls(int (*handshake)(SSL *))
{
    if (tcp.cubic && setsockopt(tcp.fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) != 0) {
        bench_fail("TCP has no CUBIC here");
    }
    if (tcp.tls) {
        tcp.ssl = SSL_new(tcp.context);
        expect(tcp.ssl && SSL_set_fd(tcp.ssl, tcp.fd) == 1, "OpenSSL connection");
        SSL_set1_host(tcp.ssl, "localhost");
        expect(handshake(tcp.ssl) == 1, "TLS handshake");
    }
    bench_nonblocking(tcp.fd);
}

void peer_connect(const bench_options *options)
{
    open_common(options, TLS_client_method());
    if (tcp.tls) {
        SSL_CTX_set_verify(tcp.context, SSL_VERIFY_PEER, NULL);
        expect(SSL_CTX_load_verify_file(tcp.context, options->certificate) == 1,
               options->certificate);
    }
    tcp.fd = bench_tcp_connect(options->host, options->port);
    start_tls(SSL_connect);
}

static ssize_t write_some(const uint8_t *from, size_t bytes)
{
    if (!tcp.ssl) {
        return send(tcp.fd, from, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    int written = SSL_write(tcp.ssl, from, (int)bytes);
    return written > 0 ? written : -1;
}

static ssize_t read_some(void)
{
    if (!tcp.ssl) {
        ssize_t bytes = recv(tcp.fd, tcp.in, sizeof tcp.in, MSG_DONTWAIT);
        tcp.gone = tcp.gone || bytes == 0;
        return bytes;
    }
    int bytes = SSL_read(tcp.ssl, tcp.in, sizeof tcp.in);
    if (bytes <= 0) {
        int error = SSL_get_error(tcp.ssl, bytes);
        tcp.gone = tcp.gone || (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE);
        ERR_clear_error();
    }
    return bytes;
}

static void flush(void)
{
    while (tcp.out_sent < tcp.out_bytes) {
        ssize_t sent = write_some(tcp.out + tcp.out_sent, tcp.out_bytes - tcp.out_sent);
        if (sent <= 0) {
            return;
        }
        tcp.out_sent += (size_t)sent;
    }
    tcp.out_sent = tcp.out_bytes = 0;
}

bool peer_send(const void *message, size_t bytes)
{
    if (tcp.fd < 0 || tcp.out_bytes + FRAMING_HEADER_BYTES + bytes > OUT_BYTES) {
        return false;
    }
    tcp.out_bytes += framing_encode(tcp.out + tcp.out_bytes, message, bytes);
    if (!tcp.in_step && !tcp.batching) {
        flush();
    }
    return true;
}

static void accept_one(uint64_t timeout_ns)
{
    if (bench_wait(tcp.listener, false, timeout_ns)) {
        tcp.fd = bench_tcp_accept(tcp.listener);
        start_tls(SSL_accept);
    }
}

static bool service(void)
{
    ssize_t bytes = read_some();
    if (bytes > 0) {
        tcp.in_step = true;
        framing_decode(&tcp.stream, tcp.in, (size_t)bytes);
        tcp.in_step = false;
    }
    flush();
    return bytes > 0;
}

void peer_step(uint64_t timeout_ns)
{
    timeout_ns = tcp.always_spins ? 0 : timeout_ns;
    if (tcp.fd < 0) {
        accept_one(timeout_ns);
        return;
    }
    if (tcp.gone) {
        bench_wait(-1, false, timeout_ns);
        return;
    }
    if (service() || !timeout_ns) {
        return;
    }
    uint64_t end_ns = bench_now_ns() + tcp.spin_ns;
    while (tcp.spin_ns && bench_now_ns() < end_ns) {
        if (service()) {
            return;
        }
    }
    if (bench_wait(tcp.fd, tcp.out_bytes > 0, timeout_ns)) {
        service();
    }
}

bool peer_alive(void)
{
    return !tcp.gone;
}

void peer_report(void)
{
}

void peer_close(void)
{
    if (tcp.ssl) {
        SSL_shutdown(tcp.ssl);
        SSL_free(tcp.ssl);
    }
    if (tcp.fd >= 0) {
        close(tcp.fd);
    }
    SSL_CTX_free(tcp.context);
}
