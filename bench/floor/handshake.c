/*
 * handshake.c: TLS 1.3 by OpenSSL alone, with the same certificate, over TCP on loopback: TCP
 * connect, handshake, 256 bytes each way (as HELLO and WELCOME), close. One process on each side,
 * many connections at once. With --resume 1 the client offers the ticket it got last.
 */
#include "common/clock.h"
#include "common/options.h"
#include "common/process.h"
#include "common/report.h"
#include "common/sockets.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 64, HELLO_BYTES = 256, WAIT_MS = 20 };

typedef struct hand {
    SSL *ssl;
    int fd;
    bool client, greeted;
    uint64_t begin_ns;
} hand;

static struct {
    bench_options options;
    SSL_CTX *context;
    SSL_SESSION *ticket;
    int epoll, listener;
    uint64_t completed, resumed, failed;
    bench_histogram times;
} hands = {.listener = -1};

static void expect(bool fine, const char *what)
{
    if (!fine) {
        bench_fail("%s: %s", what, ERR_reason_error_string(ERR_peek_last_error()));
    }
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(hands.ticket);
    hands.ticket = session;
    return 1;
}

static void watch(hand *l)
{
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = l};
    bench_nonblocking(l->fd);
    SSL_set_fd(l->ssl, l->fd);
    epoll_ctl(hands.epoll, EPOLL_CTL_ADD, l->fd, &wanted);
}

static void drop(hand *l)
{
    SSL_free(l->ssl);
    close(l->fd);
    free(l);
}

static hand *new_hand(int fd, bool client)
{
    hand *l = calloc(1, sizeof *l);
    if (!l) {
        bench_fail("out of memory");
    }
    l->fd = fd;
    l->client = client;
    l->ssl = SSL_new(hands.context);
    l->begin_ns = bench_now_ns();
    return l;
}

static void step(hand *l);

static void connect_one(void)
{
    hand *l = new_hand(-1, true);
    l->fd = bench_tcp_connect(hands.options.host, hands.options.port);
    SSL_set_connect_state(l->ssl);
    SSL_set1_host(l->ssl, "localhost");
    if (hands.options.resume && hands.ticket) {
        SSL_set_session(l->ssl, hands.ticket);
    }
    watch(l);
    step(l);
}

static void greet(hand *l)
{
    uint8_t hello[HELLO_BYTES] = {1};
    l->greeted = true;
    SSL_write(l->ssl, hello, sizeof hello);
}

static void finish(hand *l, bool fine)
{
    bool client = l->client;
    if (fine) {
        bench_histogram_add(&hands.times, bench_now_ns() - l->begin_ns);
        hands.resumed += SSL_session_reused(l->ssl) == 1;
        hands.completed++;
    } else {
        hands.failed++;
    }
    if (client) {
        SSL_shutdown(l->ssl);
    }
    drop(l);
    if (client) {
        connect_one();
    }
}

/* The client speaks first; the server answers and waits for the close. */
static void step(hand *l)
{
    uint8_t in[1024];
    if (!SSL_is_init_finished(l->ssl)) {
        int result = SSL_do_handshake(l->ssl);
        if (result != 1) {
            if (SSL_get_error(l->ssl, result) != SSL_ERROR_WANT_READ) {
                finish(l, false);
            }
            return;
        }
        if (l->client) {
            greet(l);
        }
    }
    int bytes = SSL_read(l->ssl, in, sizeof in);
    if (bytes > 0 && l->client) {
        finish(l, true);
    } else if (bytes > 0) {
        greet(l);
    } else if (SSL_get_error(l->ssl, bytes) != SSL_ERROR_WANT_READ) {
        ERR_clear_error();
        finish(l, l->greeted && !l->client);
    }
}

static void accept_all(void)
{
    for (int fd; (fd = bench_tcp_accept(hands.listener)) >= 0;) {
        hand *l = new_hand(fd, false);
        SSL_set_accept_state(l->ssl);
        watch(l);
    }
}

static void poll_once(void)
{
    struct epoll_event ready[EVENTS];
    int count = epoll_wait(hands.epoll, ready, EVENTS, WAIT_MS);
    for (int i = 0; i < count; i++) {
        if (ready[i].data.ptr) {
            step(ready[i].data.ptr);
        } else {
            accept_all();
        }
    }
}

static int serve(void)
{
    hands.context = SSL_CTX_new(TLS_server_method());
    expect(SSL_CTX_use_certificate_chain_file(hands.context, hands.options.certificate) == 1,
           hands.options.certificate);
    expect(SSL_CTX_use_PrivateKey_file(hands.context, hands.options.key, SSL_FILETYPE_PEM) == 1,
           hands.options.key);
    SSL_CTX_set_num_tickets(hands.context, 1);
    SSL_CTX_set_session_cache_mode(hands.context, SSL_SESS_CACHE_OFF);
    hands.listener = bench_tcp_listen(hands.options.host, hands.options.port);
    bench_nonblocking(hands.listener);
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(hands.epoll, EPOLL_CTL_ADD, hands.listener, &wanted);
    bench_report_begin("listening");
    bench_report_count("port", bench_port_of(hands.listener));
    bench_report_end();
    while (!bench_stopped()) {
        poll_once();
    }
    bench_report_begin("server");
    bench_report_count("completed", hands.completed);
    bench_report_count("resumed", hands.resumed);
    bench_report_end();
    return 0;
}

static int run(void)
{
    pid_t server = (pid_t)hands.options.server_pid;
    hands.context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(hands.context, TLS1_3_VERSION);
    SSL_CTX_set_verify(hands.context, SSL_VERIFY_PEER, NULL);
    expect(SSL_CTX_load_verify_file(hands.context, hands.options.certificate) == 1,
           hands.options.certificate);
    SSL_CTX_set_session_cache_mode(hands.context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(hands.context, on_ticket);
    uint64_t duration_ns = (uint64_t)hands.options.seconds * BENCH_NS_PER_S;
    uint64_t server_cpu_ns = server ? bench_cpu_ns(server) : 0;
    uint64_t cpu_ns = bench_cpu_ns(0);
    uint64_t begin_ns = bench_now_ns();
    for (int64_t i = 0; i < (hands.options.clients > 0 ? hands.options.clients : 1); i++) {
        connect_one();
    }
    while (!bench_stopped() && bench_now_ns() - begin_ns < duration_ns && hands.failed < 100) {
        poll_once();
    }
    bench_report_begin("client");
    bench_report_count("completed", hands.completed);
    bench_report_count("resumed", hands.resumed);
    bench_report_count("failed", hands.failed);
    bench_report_count("wall_ns", bench_now_ns() - begin_ns);
    bench_report_count("cpu_ns", bench_cpu_ns(0) - cpu_ns);
    bench_report_count("server_cpu_ns", server ? bench_cpu_ns(server) - server_cpu_ns : 0);
    bench_report_histogram("connect_ns", &hands.times);
    bench_report_end();
    return 0;
}

int main(int argc, char **argv)
{
    hands.options = bench_options_read(argc, argv, "serve, run", "no channels");
    bench_stop_on_signals();
    bench_pin(hands.options.cpu);
    hands.epoll = epoll_create1(EPOLL_CLOEXEC);
    return strcmp(hands.options.mode, "serve") == 0 ? serve() : run();
}
