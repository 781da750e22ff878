/*
 * handshake.h: one connection from its first byte on TCP to its session secrets, client or server
 * side: TLS, then HELLO and WELCOME inside it (PROTOCOL.md sections 2, 3, 4, 13).
 *
 * Bytes in, bytes out: no socket, no clock, no table. The owner loops:
 *
 *   bytes arrived, and room()       fn_handshake_receive     copies, no cryptography
 *   wants_step(), the budget allows fn_handshake_step        all the work; then look at state
 *   state DECIDING (server)         fn_handshake_accept / fn_handshake_reject
 *   state ESTABLISHED               fn_handshake_take_secrets, once; build the session
 *   always                          fn_handshake_transmit    until it gives 0
 *   session connected, or dead      fn_handshake_close
 *   finished()                      fn_handshake_destroy, close the TCP connection
 *
 * Memory: this struct, and for a server whose client is silent nothing more; up to 24 KiB while a
 * ClientHello arrives; only then a TLS object (tls.h has the figures) and 8 KiB until ESTABLISHED.
 * One deadline covers the whole handshake, so a client that sends one byte a second ends at the
 * deadline like one that sends none.
 *
 * After ESTABLISHED the end of the TCP connection, proper or not, is no failure: the session lives
 * on datagrams.
 *
 * A TLS connection can also join a session that exists (ATTACH, PROTOCOL.md section 11.4): a new
 * one says it instead of HELLO, the first one after WELCOME. Then it is a STREAM:
 *
 *   client                            fn_handshake_target.attach_key, or fn_handshake_attach
 *   server, state ATTACHING           fn_handshake_attach_id, _verify, _answer
 *   state STREAM                      fn_handshake_stream_read and _write; its end is FAILED
 */
#ifndef FN_CORE_HANDSHAKE_H
#define FN_CORE_HANDSHAKE_H

#include "base/memory.h"
#include "core/hello.h"
#include "crypto/failure.h"
#include "crypto/secrets.h"
#include "crypto/tls.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FN_HANDSHAKE_ROOM_BYTES_MAX = 8192, /* received between two steps */
    FN_HANDSHAKE_FLUSH_MS = 1000,       /* after CLOSED or FAILED the last bytes have this long */
    FN_HANDSHAKE_SUBJECT_BYTES = 256,
    FN_HANDSHAKE_OBJECT_BYTES_MAX = 2048,
    FN_HANDSHAKE_ATTACH_BYTES = 5 + 4 + FN_SECRETS_BYTES, /* the longest frame after ESTABLISHED */
};

/* From the least to the most advanced; the first four are half-open. */
#define FN_HANDSHAKE_STATE_MAP(X)                                             \
    X(WAITING)     /* server: no whole ClientHello yet, no TLS object */      \
    X(TLS)         /* the TLS handshake goes on */                            \
    X(HELLO)       /* TLS is complete; HELLO or its answer is awaited */      \
    X(DECIDING)    /* server: HELLO was good; accept or reject */             \
    X(ATTACHING)   /* ATTACH was sent, or came: fn_handshake_attach_answer */ \
    X(ESTABLISHED) /* WELCOME was sent or received; the secrets are there */  \
    X(STREAM)      /* attached to a session: it carries sealed datagrams */   \
    X(CLOSED)      /* ended in good order, or answered with GONE */           \
    X(FAILED)      /* fn_handshake_failure says why */

typedef enum fn_handshake_state {
#define X(name) FN_HANDSHAKE_##name,
    FN_HANDSHAKE_STATE_MAP(X)
#undef X
} fn_handshake_state;

/* What the handshakes of one endpoint share. Borrowed by each for its life; may be changed (a new
 * certificate) between calls. */
typedef struct fn_handshake_config {
    fn_memory memory;
    fn_tls_context *server_tls; /* NULL = no server side */
    const char *application_id; /* terminated; at most FN_HELLO_APPLICATION_BYTES_MAX */
    uint32_t application_build;
    fn_limits limits; /* ours; in range */
    uint8_t channel_table_hash[FN_HELLO_TABLE_HASH_BYTES];
    fn_secrets_exporter exporter;
    uint64_t timeout_ns;        /* server: from TCP accept to ESTABLISHED, but not in DECIDING */
    uint64_t decide_timeout_ns; /* server: in DECIDING; then the client is rejected */
} fn_handshake_config;

/* One client's connect. Borrowed during the call of init. */
typedef struct fn_handshake_target {
    fn_tls_context *tls;     /* the trust of this connect; the handshake keeps a reference */
    const char *server_name; /* that the certificate must carry; NULL only with pins or insecure */
    int64_t unix_time_s;     /* for the certificate's dates */
    uint64_t deadline_ns;    /* absolute: several addresses are tried under one deadline */
    uint32_t receiver_id;    /* ours */
    const uint8_t *token;    /* shown to the server's application */
    size_t token_bytes;      /* at most FN_HELLO_TOKEN_BYTES_MAX */
    const void *session;     /* a blob from fn_handshake_session, or NULL */
    size_t session_bytes;
    const uint8_t *attach_key; /* join the session that it belongs to; NULL = begin one */
    uint32_t attach_id;        /* the server's receiver id in that session */
} fn_handshake_target;

/* What is known of the other side. A server's from DECIDING on, a client's from ESTABLISHED on. */
typedef struct fn_handshake_result {
    fn_limits limits; /* theirs; in range */
    fn_limits_agreed agreed;
    uint32_t receiver_id;                       /* theirs: goes into every datagram we send */
    uint32_t application_build;                 /* server: the client's */
    uint32_t peer_id;                           /* as the server names the client */
    uint16_t udp_port;                          /* client: where the server receives */
    char udp_host[FN_HELLO_HOST_BYTES_MAX + 1]; /* client: terminated; "" = the TLS address */
    char certificate_subject[FN_HANDSHAKE_SUBJECT_BYTES]; /* "" when the other side showed none */
    bool resumed;
    const uint8_t *token; /* server, in DECIDING only; borrowed from the handshake */
    size_t token_bytes;
    uint64_t connect_deadline_ns; /* the session must be connected by then */
} fn_handshake_result;

/* Placed by the caller; its members are private. Not moved or copied once initialised. */
typedef struct fn_handshake {
    const fn_handshake_config *config;
    fn_tls *tls;
    uint8_t *raw;    /* server, WAITING: the beginning of a ClientHello */
    uint8_t *frames; /* one frame in, one frame out; see handshake.c */
    uint64_t deadline_ns;
    uint64_t left_ns; /* of the total, when DECIDING began */
    int64_t unix_time_s;
    fn_handshake_state state;
    uint32_t raw_bytes;
    uint32_t raw_capacity;
    uint32_t in_bytes;        /* of the frame that is arriving */
    uint32_t out_bytes;       /* of the frame that is leaving */
    uint32_t out_sent_bytes;  /* given to TLS */
    uint32_t unstepped_bytes; /* received since the last step */
    uint32_t app_code;
    uint32_t attach_id;
    uint8_t attach_secret[FN_SECRETS_BYTES];            /* client: the key; server: the proof */
    uint8_t late_frames[2 * FN_HANDSHAKE_ATTACH_BYTES]; /* in and out, when `frames` is gone */
    bool attaches;                                      /* client: says ATTACH instead of HELLO */
    bool is_server;
    bool step_wanted;
    bool closing;        /* close_notify follows the frame that is leaving */
    bool peer_done;      /* nothing more comes: close_notify, or the transport ended */
    bool waits_for_peer; /* FAILED by a REJECT: the client closes first, or it may not read it */
    bool secrets_there;
    fn_secrets secrets;
    fn_handshake_result result;
    fn_failure failure;
} fn_handshake;

static_assert(sizeof(fn_handshake) <= FN_HANDSHAKE_OBJECT_BYTES_MAX, "there may be hundreds");

/* Never fails, allocates nothing. config->server_tls is read when the ClientHello is whole. */
void fn_handshake_init_server(fn_handshake *handshake, const fn_handshake_config *config,
                              int64_t unix_time_s, uint64_t now_ns);

/* OK; ERR_ARGUMENT (no usable server name, token or application id too long); ERR_MEMORY. After a
 * failure nothing needs to be destroyed, and destroying does no harm. */
int fn_handshake_init_client(fn_handshake *handshake, const fn_handshake_config *config,
                             const fn_handshake_target *target, fn_failure *failure);

/* The handshake goes on at another endpoint, whose config (with the same memory) it borrows from
 * now on. */
static inline void fn_handshake_move(fn_handshake *handshake, const fn_handshake_config *config)
{
    handshake->config = config;
}

/* Frees and erases everything at once, says nothing to the other side. */
void fn_handshake_destroy(fn_handshake *handshake);

/* --- bytes ---------------------------------------------------------------------------- */

/* How many bytes receive will take now; 0 = leave them in the socket until the next step. */
size_t fn_handshake_room(const fn_handshake *handshake);

/* Takes what arrived; bytes_count is at most fn_handshake_room(). Bytes that can never become a
 * ClientHello make it FAILED at once. */
void fn_handshake_receive(fn_handshake *handshake, uint64_t now_ns, const uint8_t *bytes,
                          size_t bytes_count);

/* The transport ended (end of stream or an error). A step follows: what arrived before counts. */
void fn_handshake_receive_end(fn_handshake *handshake);

/* Moves up to capacity bytes for the transport into out; returns how many. */
size_t fn_handshake_transmit(fn_handshake *handshake, uint8_t *out, size_t capacity);

/* There is something to transmit. */
bool fn_handshake_wants_transmit(const fn_handshake *handshake);

/* --- work ----------------------------------------------------------------------------- */

/* A step would do something, apart from a deadline that came. */
bool fn_handshake_wants_step(const fn_handshake *handshake);

/* The next step may use the server's private key: milliseconds with RSA. See fn_work_budget. */
bool fn_handshake_wants_private_key(const fn_handshake *handshake);

/* Server: the ClientHello is whole; what follows is our work. */
bool fn_handshake_is_greeted(const fn_handshake *handshake);

/* Does all the work that the input allows, and ends the handshake when its
 * deadline has come. *key_operation (may be NULL) says whether the private key was
 * used. Never fails: see the state. */
void fn_handshake_step(fn_handshake *handshake, uint64_t now_ns, bool *key_operation);

/* When step wants to be called even if nothing arrives; FN_NEVER in ESTABLISHED. */
uint64_t fn_handshake_deadline_ns(const fn_handshake *handshake);

/* --- outcome -------------------------------------------------------------------------- */

static inline fn_handshake_state fn_handshake_get_state(const fn_handshake *handshake)
{
    return handshake->state;
}

/* See fn_handshake_result for what is valid when. */
static inline const fn_handshake_result *fn_handshake_get_result(const fn_handshake *handshake)
{
    return &handshake->result;
}

/* FAILED: result code and sentence. After a REJECT the sentence is the server's own text. */
static inline const fn_failure *fn_handshake_failure(const fn_handshake *handshake)
{
    return &handshake->failure;
}

/* Client, ERR_REJECTED: the code that the server's application gave. Else 0. */
static inline uint32_t fn_handshake_app_code(const fn_handshake *handshake)
{
    return handshake->app_code;
}

/*
 * Server, DECIDING: sends WELCOME; ESTABLISHED follows at once. udp_host: terminated, "" = the
 * address of the TLS connection; udp_port is not 0.
 * ERR_STATE: not DECIDING (the client has gone, or took too long). ERR_ARGUMENT: the host is too
 * long or not printable. Other errors: FAILED.
 */
int fn_handshake_accept(fn_handshake *handshake, uint64_t now_ns, uint32_t peer_id,
                        uint32_t receiver_id, uint16_t udp_port, const char *udp_host);

/* Server, DECIDING: sends REJECT and becomes FAILED. result: ERR_REJECTED or ERR_FULL. text: NULL =
 * the result's own sentence; cut at FASTNET_TEXT_BYTES_MAX. ERR_STATE as above. */
int fn_handshake_reject(fn_handshake *handshake, uint64_t now_ns, int result, uint32_t app_code,
                        const char *text);

/* --- attaching ------------------------------------------------------------------------ */

/* Client, ESTABLISHED: says ATTACH on this connection too; ATTACHING follows, then STREAM or FAILED
 * (ERR_GONE: the server does not know the session). ERR_STATE: the connection has ended. */
int fn_handshake_attach(fn_handshake *handshake, uint64_t deadline_ns, uint32_t attach_id,
                        const uint8_t attach_key[FN_SECRETS_BYTES]);

/* Server, ATTACHING: the receiver id of the session that the client wants to join. */
static inline uint32_t fn_handshake_attach_id(const fn_handshake *handshake)
{
    return handshake->attach_id;
}

/* Server, ATTACHING: whether the proof was made with that key for this very TLS connection. NULL
 * (no such session) is false, and takes as long. */
bool fn_handshake_attach_verify(fn_handshake *handshake, const uint8_t *attach_key);

/* Server, ATTACHING: ATTACHED, and STREAM follows; or GONE, and CLOSED follows. */
void fn_handshake_attach_answer(fn_handshake *handshake, uint64_t now_ns, bool attached);

/* STREAM: bytes out of TLS, bytes into it; less than asked for when there are no more, or when
 * transmit has to come first. The end of the stream makes it FAILED. */
size_t fn_handshake_stream_read(fn_handshake *handshake, uint64_t now_ns, uint8_t *out,
                                size_t capacity);
size_t fn_handshake_stream_write(fn_handshake *handshake, uint64_t now_ns, const uint8_t *bytes,
                                 size_t bytes_count);

/* ESTABLISHED: hands the secrets over, once, and erases its own copy. False: none there. */
bool fn_handshake_take_secrets(fn_handshake *handshake, fn_secrets *out);

/* Client: the newest resumption blob, as fn_tls_session. */
int fn_handshake_session(fn_handshake *handshake, uint8_t *out, size_t capacity, size_t *out_bytes);

/* Ends TLS in good order (close_notify) and becomes CLOSED. In any other state than ESTABLISHED it
 * gives up: FAILED with ERR_CANCELLED. Nothing happens when it has ended already. */
void fn_handshake_close(fn_handshake *handshake, uint64_t now_ns);

/* Nothing is left to do: destroy it and close the TCP connection. */
bool fn_handshake_finished(const fn_handshake *handshake, uint64_t now_ns);

#endif
