/*
 * quic.c: QUIC by ngtcp2 with GnuTLS, one connection. Channel "datagram" sends one DATAGRAM frame
 * (RFC 9221) per message, "stream" puts all messages on one bidirectional stream. Congestion
 * control is CUBIC and the cipher the one GnuTLS prefers (AES-256-GCM), which are the defaults a
 * user gets; "datagram-chacha20" is the same with FastNet's cipher.
 */
#include "common/clock.h"
#include "common/framing.h"
#include "common/peer.h"
#include "common/report.h"
#include "common/sockets.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ID_BYTES = 16,
    QUEUE_DATAGRAMS = 1024,
    STREAM_BYTES = 1 << 21, /* unacknowledged or unsent: a power of two */
    CREDIT_BYTES = 1 << 24,
    UDP_BYTES_MAX = 1452,
    DATAGRAM_BYTES_MAX = 1300,
    CONNECT_S = 10
};

static const char priorities[] = "%DISABLE_TLS13_COMPAT_MODE:NORMAL:-VERS-ALL:+VERS-TLS1.3:"
                                 "-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519";
static const char chacha20_only[] = "%DISABLE_TLS13_COMPAT_MODE:NORMAL:-VERS-ALL:+VERS-TLS1.3:"
                                    "-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519:"
                                    "-CIPHER-ALL:+CHACHA20-POLY1305";

const char *const peer_channels = "datagram, datagram-chacha20, stream";

typedef struct queued {
    size_t bytes;
    uint8_t data[DATAGRAM_BYTES_MAX];
} queued;

static struct {
    int fd;
    const bench_options *options;
    ngtcp2_conn *conn;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    ngtcp2_crypto_conn_ref reference;
    struct sockaddr_in local, remote;
    bool server, datagrams, chacha20, in_step, gone, batching, always_spins;
    uint64_t spin_ns;

    queued queue[QUEUE_DATAGRAMS]; /* channel datagram */
    uint32_t queue_first, queue_count;

    int64_t stream;                                 /* channel stream; -1 = not open yet */
    uint64_t stream_acked, stream_sent, stream_end; /* offsets into what was ever written */
    uint8_t outgoing[STREAM_BYTES];
    framing incoming;
} quic = {.stream = -1};

static void expect(int result, const char *what)
{
    if (result != 0) {
        bench_fail("%s: %s", what, ngtcp2_strerror(result));
    }
}

static void expect_tls(int result, const char *what)
{
    if (result < 0) {
        bench_fail("%s: %s", what, gnutls_strerror(result));
    }
}

/* --- callbacks -------------------------------------------------------------------------------- */

static void on_random(uint8_t *to, size_t bytes, const ngtcp2_rand_ctx *context)
{
    (void)context;
    gnutls_rnd(GNUTLS_RND_RANDOM, to, bytes);
}

static int on_new_id(ngtcp2_conn *conn, ngtcp2_cid *id, uint8_t *token, size_t bytes, void *user)
{
    (void)conn;
    (void)user;
    gnutls_rnd(GNUTLS_RND_RANDOM, id->data, bytes);
    id->datalen = bytes;
    gnutls_rnd(GNUTLS_RND_RANDOM, token, NGTCP2_STATELESS_RESET_TOKENLEN);
    return 0;
}

static int on_datagram(ngtcp2_conn *conn, uint32_t flags, const uint8_t *data, size_t bytes,
                       void *user)
{
    (void)conn;
    (void)flags;
    (void)user;
    driver_received(data, bytes);
    return 0;
}

static int on_stream_data(ngtcp2_conn *conn, uint32_t flags, int64_t stream, uint64_t offset,
                          const uint8_t *data, size_t bytes, void *user, void *stream_user)
{
    (void)flags;
    (void)offset;
    (void)user;
    (void)stream_user;
    quic.stream = stream;
    framing_decode(&quic.incoming, data, bytes);
    ngtcp2_conn_extend_max_stream_offset(conn, stream, bytes);
    ngtcp2_conn_extend_max_offset(conn, bytes);
    return 0;
}

static int on_acked(ngtcp2_conn *conn, int64_t stream, uint64_t offset, uint64_t bytes, void *user,
                    void *stream_user)
{
    (void)conn;
    (void)stream;
    (void)user;
    (void)stream_user;
    quic.stream_acked = offset + bytes;
    return 0;
}

static ngtcp2_conn *on_get_conn(ngtcp2_crypto_conn_ref *reference)
{
    (void)reference;
    return quic.conn;
}

static ngtcp2_callbacks callbacks(void)
{
    return (ngtcp2_callbacks){
        .client_initial = quic.server ? NULL : ngtcp2_crypto_client_initial_cb,
        .recv_client_initial = quic.server ? ngtcp2_crypto_recv_client_initial_cb : NULL,
        .recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
        .encrypt = ngtcp2_crypto_encrypt_cb,
        .decrypt = ngtcp2_crypto_decrypt_cb,
        .hp_mask = ngtcp2_crypto_hp_mask_cb,
        .recv_retry = ngtcp2_crypto_recv_retry_cb,
        .update_key = ngtcp2_crypto_update_key_cb,
        .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
        .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
        .get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
        .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
        .rand = on_random,
        .get_new_connection_id = on_new_id,
        .recv_stream_data = on_stream_data,
        .acked_stream_data_offset = on_acked,
        .recv_datagram = on_datagram,
    };
}

/* --- setting up ------------------------------------------------------------------------------- */

static ngtcp2_path path(void)
{
    return (ngtcp2_path){
        .local = {.addr = (struct sockaddr *)&quic.local, .addrlen = sizeof quic.local},
        .remote = {.addr = (struct sockaddr *)&quic.remote, .addrlen = sizeof quic.remote}};
}

static ngtcp2_settings settings(void)
{
    ngtcp2_settings result;
    ngtcp2_settings_default(&result);
    result.initial_ts = bench_now_ns();
    result.max_tx_udp_payload_size = UDP_BYTES_MAX;
    return result;
}

static ngtcp2_transport_params parameters(void)
{
    ngtcp2_transport_params result;
    ngtcp2_transport_params_default(&result);
    result.initial_max_stream_data_bidi_local = CREDIT_BYTES;
    result.initial_max_stream_data_bidi_remote = CREDIT_BYTES;
    result.initial_max_data = CREDIT_BYTES;
    result.initial_max_streams_bidi = 4;
    result.max_datagram_frame_size = 65535;
    result.max_idle_timeout = 30 * NGTCP2_SECONDS;
    return result;
}

static void random_id(ngtcp2_cid *id)
{
    id->datalen = ID_BYTES;
    gnutls_rnd(GNUTLS_RND_RANDOM, id->data, ID_BYTES);
}

static void open_common(const bench_options *options, bool server)
{
    quic.options = options;
    quic.server = server;
    quic.datagrams = strcmp(options->channel, "stream") != 0;
    quic.chacha20 = strcmp(options->channel, "datagram-chacha20") == 0;
    quic.batching = strcmp(options->workload, "bulk") == 0;
    bool spins = strcmp(options->wait, "default") == 0;
    quic.always_spins = strcmp(options->wait, "spin") == 0;
    quic.spin_ns = spins ? PEER_DEFAULT_SPIN_US * BENCH_NS_PER_US : 0;
    expect_tls(gnutls_certificate_allocate_credentials(&quic.credentials), "credentials");
    if (server) {
        expect_tls(gnutls_certificate_set_x509_key_file(quic.credentials, options->certificate,
                                                        options->key, GNUTLS_X509_FMT_PEM),
                   options->certificate);
    } else {
        expect_tls(gnutls_certificate_set_x509_trust_file(quic.credentials, options->certificate,
                                                          GNUTLS_X509_FMT_PEM),
                   options->certificate);
    }
}

static void start_tls(void)
{
    static const gnutls_datum_t protocol = {(uint8_t *)"bench", 5};
    unsigned flags = quic.server ? GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET : GNUTLS_CLIENT;
    expect_tls(gnutls_init(&quic.session, flags), "TLS session");
    const char *wanted = quic.chacha20 ? chacha20_only : priorities;
    expect_tls(gnutls_priority_set_direct(quic.session, wanted, NULL), "TLS priorities");
    expect_tls(gnutls_credentials_set(quic.session, GNUTLS_CRD_CERTIFICATE, quic.credentials),
               "TLS credentials");
    expect_tls(gnutls_alpn_set_protocols(quic.session, &protocol, 1, GNUTLS_ALPN_MANDATORY),
               "ALPN");
    if (quic.server) {
        expect(ngtcp2_crypto_gnutls_configure_server_session(quic.session), "QUIC TLS");
    } else {
        expect(ngtcp2_crypto_gnutls_configure_client_session(quic.session), "QUIC TLS");
        gnutls_server_name_set(quic.session, GNUTLS_NAME_DNS, "localhost", strlen("localhost"));
        gnutls_session_set_verify_cert(quic.session, "localhost", 0);
    }
    quic.reference.get_conn = on_get_conn;
    gnutls_session_set_ptr(quic.session, &quic.reference);
    ngtcp2_conn_set_tls_native_handle(quic.conn, quic.session);
}

peer_ports peer_listen(const bench_options *options)
{
    open_common(options, true);
    quic.fd = bench_udp_bind(options->host, options->port);
    return (peer_ports){.port = bench_port_of(quic.fd)};
}

/* The first datagram of a client makes the server's connection. */
static void accept_one(const uint8_t *datagram, size_t bytes)
{
    ngtcp2_pkt_hd head;
    ngtcp2_cid id;
    if (ngtcp2_accept(&head, datagram, bytes) != 0) {
        return;
    }
    socklen_t local_bytes = sizeof quic.local;
    connect(quic.fd, (struct sockaddr *)&quic.remote, sizeof quic.remote);
    getsockname(quic.fd, (struct sockaddr *)&quic.local, &local_bytes);
    ngtcp2_callbacks calls = callbacks();
    ngtcp2_settings chosen = settings();
    ngtcp2_transport_params offered = parameters();
    ngtcp2_path way = path();
    offered.original_dcid = head.dcid;
    random_id(&id);
    expect(ngtcp2_conn_server_new(&quic.conn, &head.scid, &id, &way, head.version, &calls, &chosen,
                                  &offered, NULL, NULL),
           "QUIC server connection");
    start_tls();
}

/* --- sending ---------------------------------------------------------------------------------- */

static ngtcp2_ssize write_datagram(uint8_t *packet, uint64_t now_ns)
{
    queued *next = &quic.queue[quic.queue_first];
    ngtcp2_vec piece = {.base = next->data, .len = next->bytes};
    int accepted = 0;
    ngtcp2_ssize bytes =
        ngtcp2_conn_writev_datagram(quic.conn, NULL, NULL, packet, UDP_BYTES_MAX, &accepted,
                                    NGTCP2_WRITE_DATAGRAM_FLAG_NONE, 0, &piece, 1, now_ns);
    if (accepted) {
        quic.queue_first = (quic.queue_first + 1) % QUEUE_DATAGRAMS;
        quic.queue_count--;
    }
    return bytes;
}

static ngtcp2_ssize write_stream(uint8_t *packet, uint64_t now_ns)
{
    size_t waiting = (size_t)(quic.stream_end - quic.stream_sent);
    size_t at = (size_t)(quic.stream_sent % STREAM_BYTES);
    size_t first = waiting < STREAM_BYTES - at ? waiting : STREAM_BYTES - at;
    ngtcp2_vec pieces[2] = {{.base = quic.outgoing + at, .len = first},
                            {.base = quic.outgoing, .len = waiting - first}};
    ngtcp2_ssize taken = -1;
    ngtcp2_ssize bytes = ngtcp2_conn_writev_stream(
        quic.conn, NULL, NULL, packet, UDP_BYTES_MAX, &taken, NGTCP2_WRITE_STREAM_FLAG_NONE,
        quic.stream, pieces, waiting > first ? 2 : 1, now_ns);
    if (taken > 0) {
        quic.stream_sent += (uint64_t)taken;
    }
    return bytes;
}

static ngtcp2_ssize write_one(uint8_t *packet, uint64_t now_ns)
{
    if (quic.queue_count > 0) {
        return write_datagram(packet, now_ns);
    }
    if (quic.stream >= 0 && quic.stream_end > quic.stream_sent) {
        ngtcp2_ssize bytes = write_stream(packet, now_ns);
        if (bytes != NGTCP2_ERR_STREAM_DATA_BLOCKED) {
            return bytes;
        }
    }
    return ngtcp2_conn_write_pkt(quic.conn, NULL, NULL, packet, UDP_BYTES_MAX, now_ns);
}

static void flush(void)
{
    uint8_t packet[UDP_BYTES_MAX];
    if (!quic.conn || quic.gone) {
        return;
    }
    uint64_t now_ns = bench_now_ns();
    for (;;) {
        ngtcp2_ssize bytes = write_one(packet, now_ns);
        if (bytes <= 0) {
            quic.gone = bytes < 0;
            break;
        }
        send(quic.fd, packet, (size_t)bytes, MSG_DONTWAIT);
    }
    ngtcp2_conn_update_pkt_tx_time(quic.conn, now_ns);
}

static bool enqueue_datagram(const void *message, size_t bytes)
{
    if (quic.queue_count == QUEUE_DATAGRAMS || bytes > DATAGRAM_BYTES_MAX) {
        return false;
    }
    queued *last = &quic.queue[(quic.queue_first + quic.queue_count++) % QUEUE_DATAGRAMS];
    last->bytes = bytes;
    memcpy(last->data, message, bytes);
    return true;
}

static bool enqueue_stream(const void *message, size_t bytes)
{
    uint8_t framed[FRAMING_HEADER_BYTES + PEER_MESSAGE_BYTES_MAX];
    size_t total = framing_encode(framed, message, bytes);
    if (quic.stream_end - quic.stream_acked + total > STREAM_BYTES) {
        return false;
    }
    size_t at = (size_t)(quic.stream_end % STREAM_BYTES);
    size_t first = total < STREAM_BYTES - at ? total : STREAM_BYTES - at;
    memcpy(quic.outgoing + at, framed, first);
    memcpy(quic.outgoing, framed + first, total - first);
    quic.stream_end += total;
    return true;
}

bool peer_send(const void *message, size_t bytes)
{
    bool taken = quic.datagrams ? enqueue_datagram(message, bytes) : enqueue_stream(message, bytes);
    if (taken && !quic.in_step && !quic.batching) {
        flush();
    }
    return taken;
}

/* --- receiving -------------------------------------------------------------------------------- */

static bool receive_one(void)
{
    uint8_t datagram[2048];
    socklen_t from_bytes = sizeof quic.remote;
    ssize_t bytes = quic.conn ? recv(quic.fd, datagram, sizeof datagram, MSG_DONTWAIT)
                              : recvfrom(quic.fd, datagram, sizeof datagram, MSG_DONTWAIT,
                                         (struct sockaddr *)&quic.remote, &from_bytes);
    if (bytes < 0) {
        return false;
    }
    if (!quic.conn) {
        accept_one(datagram, (size_t)bytes);
    }
    if (quic.conn) {
        ngtcp2_path way = path();
        ngtcp2_pkt_info info = {0};
        int result =
            ngtcp2_conn_read_pkt(quic.conn, &way, &info, datagram, (size_t)bytes, bench_now_ns());
        quic.gone = quic.gone || result != 0;
    }
    return true;
}

static bool service(void)
{
    bool any = false;
    quic.in_step = true;
    while (!quic.gone && receive_one()) {
        any = true;
    }
    quic.in_step = false;
    bool due = quic.conn && !quic.gone && ngtcp2_conn_get_expiry(quic.conn) <= bench_now_ns();
    if (due) {
        quic.gone = ngtcp2_conn_handle_expiry(quic.conn, bench_now_ns()) != 0;
    }
    if (any || due || (quic.batching && (quic.queue_count || quic.stream_end > quic.stream_sent))) {
        flush();
    }
    return any;
}

static uint64_t until_timer(uint64_t timeout_ns)
{
    if (!quic.conn || quic.gone) {
        return timeout_ns;
    }
    uint64_t now_ns = bench_now_ns();
    uint64_t expiry_ns = ngtcp2_conn_get_expiry(quic.conn);
    uint64_t left_ns = expiry_ns > now_ns ? expiry_ns - now_ns : 0;
    return left_ns < timeout_ns ? left_ns : timeout_ns;
}

void peer_step(uint64_t timeout_ns)
{
    timeout_ns = quic.always_spins ? 0 : timeout_ns;
    if (service() || !timeout_ns) {
        return;
    }
    uint64_t end_ns = bench_now_ns() + quic.spin_ns;
    while (quic.spin_ns && bench_now_ns() < end_ns) {
        if (service()) {
            return;
        }
    }
    bench_wait(quic.fd, false, until_timer(timeout_ns));
    service();
}

void peer_connect(const bench_options *options)
{
    ngtcp2_cid there, here;
    socklen_t local_bytes = sizeof quic.local;
    open_common(options, false);
    quic.fd = bench_udp_connect(options->host, options->port);
    quic.remote = bench_address(options->host, options->port);
    getsockname(quic.fd, (struct sockaddr *)&quic.local, &local_bytes);
    ngtcp2_callbacks calls = callbacks();
    ngtcp2_settings chosen = settings();
    ngtcp2_transport_params offered = parameters();
    ngtcp2_path way = path();
    random_id(&there);
    random_id(&here);
    expect(ngtcp2_conn_client_new(&quic.conn, &there, &here, &way, NGTCP2_PROTO_VER_V1, &calls,
                                  &chosen, &offered, NULL, NULL),
           "QUIC client connection");
    start_tls();
    flush();
    uint64_t begin_ns = bench_now_ns();
    while (!ngtcp2_conn_get_handshake_completed(quic.conn)) {
        if (quic.gone || bench_now_ns() - begin_ns > CONNECT_S * BENCH_NS_PER_S) {
            bench_fail("no QUIC connection to %s:%d", options->host, (int)options->port);
        }
        peer_step(BENCH_NS_PER_MS);
    }
    if (!quic.datagrams) {
        expect(ngtcp2_conn_open_bidi_stream(quic.conn, &quic.stream, NULL), "QUIC stream");
    }
}

bool peer_alive(void)
{
    return !quic.gone;
}

void peer_report(void)
{
    ngtcp2_conn_stat stat;
    if (quic.conn) {
        ngtcp2_conn_get_conn_stat(quic.conn, &stat);
        bench_report_count("congestion_window_bytes", stat.cwnd);
    }
}

void peer_close(void)
{
    uint8_t packet[UDP_BYTES_MAX];
    if (quic.conn) {
        ngtcp2_connection_close_error reason;
        ngtcp2_connection_close_error_default(&reason);
        ngtcp2_ssize bytes = ngtcp2_conn_write_connection_close(
            quic.conn, NULL, NULL, packet, sizeof packet, &reason, bench_now_ns());
        if (bytes > 0) {
            send(quic.fd, packet, (size_t)bytes, MSG_DONTWAIT);
        }
        ngtcp2_conn_del(quic.conn);
        gnutls_deinit(quic.session);
    }
    gnutls_certificate_free_credentials(quic.credentials);
    close(quic.fd);
}
