/*
 * link.h: one TLS connection: a TCP socket and the handshake over it, of either side.
 *
 *   socket is readable   fn_link_ready     copies bytes in, no cryptography
 *   each poll              fn_links_work     steps those that have work, within the budget
 *   its timer              a step, for the deadline
 *
 * After each step the link tells its owner (incoming or outgoing) what state it reached, sends what
 * is to be sent, and frees itself when all is done. It lives until the session's first path is
 * validated, or becomes a stream of the session (stream.h), and ends with close_notify.
 *
 * Memory: 5 KiB each, and up to 16 KiB of raw ClientHello or a TLS object of OpenSSL (about 25 KiB)
 * beside it.
 */
#ifndef FN_HOST_CONNECT_LINK_H
#define FN_HOST_CONNECT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/list.h"
#include "base/memory.h"
#include "core/admission.h"
#include "core/handshake.h"
#include "fastnet.h"
#include "host/timer.h"
#include "platform/tcp.h"

typedef struct fn_host fn_host;

enum { FN_LINK_OUTPUT_BYTES = 2048 };

struct fn_link;

/* Whose connection it is: news of it goes there. Static tables. */
typedef struct fn_link_owner {
    /* The handshake reached another state. May close it or take it away, never free the link. */
    void (*advanced)(fn_host *host, struct fn_link *link, uint64_t now_ns);
    /* The handshake did something. NULL = nobody wants to know. */
    void (*progressed)(fn_host *host, struct fn_link *link, uint64_t now_ns);
    /* It is a stream: takes what came, sends what waits. NULL = it is none. */
    void (*work)(fn_host *host, struct fn_link *link, uint64_t now_ns);
    /* Nothing more is to be read from the socket now. NULL = never so. */
    bool (*is_paused)(const fn_host *host, const struct fn_link *link);
} fn_link_owner;

typedef struct fn_link {
    const fn_link_owner *owner;
    fn_handshake handshake;
    fn_tcp tcp;
    fn_timer timer;
    fn_admission_entry admission; /* incoming */
    fn_list_node work;            /* a step is wanted */
    fn_list_node ending;          /* only its last bytes are left */
    fn_address remote;
    FastNetPeerId peer; /* 0 = none yet, or not any more */
    uint32_t index;     /* in the table */
    uint32_t generation;
    uint32_t interest;       /* as the poller knows it */
    fn_handshake_state told; /* the last state its owner heard of */
    bool is_incoming;
    bool is_stream; /* says or has said ATTACH: stream.h and rejoin.h own it */
    bool moves;     /* another shard's session was named: it goes there with the next settling */
    bool receive_ended;
    bool reported;         /* the end was told to the owner */
    uint32_t output_bytes; /* cipher text that TCP did not take yet */
    uint8_t output[FN_LINK_OUTPUT_BYTES];
} fn_link;

typedef struct fn_links {
    fn_handshake_config config;
    fn_link **rows; /* NULL = free */
    uint32_t *free; /* stack of indexes */
    uint32_t capacity;
    uint32_t free_count;
    uint32_t next_generation;
    uint64_t spent_ns; /* on handshakes in this poll */
    bool key_used;     /* in this poll */
    fn_list work;
    fn_list ending;
} fn_links;

/* How many links the endpoint can have. */
uint32_t fn_links_capacity(const fn_host *host);

/* Takes memory from the endpoint's blocks. ERR_MEMORY. */
int fn_links_init(fn_host *host);

/* Frees all, saying nothing. */
void fn_links_free(fn_host *host);

/* A link over a connected socket, which it owns from now on. The caller initialises its handshake,
 * then calls fn_link_start. NULL (and the socket is closed): no memory, or no place. */
fn_link *fn_link_create(fn_host *host, fn_tcp tcp, const fn_address *remote,
                        const fn_link_owner *owner);

/* The handshake is initialised: waits for bytes, and does the first step soon. */
void fn_link_start(fn_host *host, fn_link *link);

/* The poller's token means this link; NULL when it has gone. */
fn_link *fn_link_by_token(const fn_host *host, uint64_t token);

void fn_link_ready(fn_host *host, fn_link *link, uint32_t ready, uint64_t now_ns);

/* Hands over to TCP what it takes. */
void fn_link_transmit(fn_host *host, fn_link *link);

/* Something waits for TCP to take it. */
bool fn_link_has_output(const fn_link *link);

/* Tells the poller what the link waits for now. */
void fn_link_watch(fn_host *host, fn_link *link);

/* A new poll has a new allowance. */
void fn_links_begin_poll(fn_host *host);

/* Steps the links that have work: at most FN_WORK_BUDGET_NS and one private-key operation in one
 * poll. False: the allowance is used up and work is left, which the next poll does. */
bool fn_links_work(fn_host *host);

/* Whether fn_links_work would have something to do. */
bool fn_links_have_work(const fn_host *host);

/* The state of the handshake may have changed: tells the owner, sends, sets the timer, or frees.
 * The link may be gone afterwards. */
void fn_link_settle(fn_host *host, fn_link *link, uint64_t now_ns);

/* Link and peer do not know each other any more. From within the owner's callbacks this is the way:
 * the link frees itself later. */
void fn_link_detach(fn_host *host, fn_link *link);

/* Ends it in good order: it belongs to nobody from now on. It may be gone afterwards. */
void fn_link_abandon(fn_host *host, fn_link *link, uint64_t now_ns);

/* As fn_link_abandon(), with the next turn of work: safe while links are being worked on. */
void fn_link_close_later(fn_host *host, fn_link *link, uint64_t now_ns);

/* At once, without a word. */
void fn_link_destroy(fn_host *host, fn_link *link);

/* In two halves, for a link that goes to another shard: nothing of the endpoint knows it any more;
 * all that it holds is given back. */
void fn_link_leave(fn_host *host, fn_link *link);
void fn_link_free(fn_host *host, fn_link *link);

/* One that left another shard, with an ATTACH that waits for its
 * answer. It may be gone afterwards. */
void fn_link_join(fn_host *host, fn_link *link, uint64_t now_ns);

#endif
