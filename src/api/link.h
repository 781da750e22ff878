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
#ifndef FN_API_LINK_H
#define FN_API_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/timer.h"
#include "base/address.h"
#include "base/list.h"
#include "base/memory.h"
#include "core/admission.h"
#include "core/handshake.h"
#include "fastnet.h"
#include "platform/tcp.h"

enum { FN_LINK_OUTPUT_BYTES = 2048 };

typedef struct fn_link {
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
uint32_t fn_links_capacity(const FastNetEndpoint *endpoint);

/* Takes memory from the endpoint's blocks. ERR_MEMORY. */
int fn_links_init(FastNetEndpoint *endpoint);

/* Frees all, saying nothing. */
void fn_links_free(FastNetEndpoint *endpoint);

/* A link over a connected socket, which it owns from now on. The caller initialises its handshake,
 * then calls fn_link_start. NULL (and the socket is closed): no memory, or no place. */
fn_link *fn_link_create(FastNetEndpoint *endpoint, fn_tcp tcp, const fn_address *remote,
                        bool is_incoming);

/* The handshake is initialised: waits for bytes, and does the first step soon. */
void fn_link_start(FastNetEndpoint *endpoint, fn_link *link);

/* The poller's token means this link; NULL when it has gone. */
fn_link *fn_link_by_token(const FastNetEndpoint *endpoint, uint64_t token);

void fn_link_ready(FastNetEndpoint *endpoint, fn_link *link, uint32_t ready, uint64_t now_ns);

/* Hands over to TCP what it takes. */
void fn_link_transmit(FastNetEndpoint *endpoint, fn_link *link);

/* Something waits for TCP to take it. */
bool fn_link_has_output(const fn_link *link);

/* Tells the poller what the link waits for now. */
void fn_link_watch(FastNetEndpoint *endpoint, fn_link *link);

/* A new poll has a new allowance. */
void fn_links_begin_poll(FastNetEndpoint *endpoint);

/* Steps the links that have work: at most FN_WORK_BUDGET_NS and one private-key operation in one
 * poll. False: the allowance is used up and work is left, which the next poll does. */
bool fn_links_work(FastNetEndpoint *endpoint);

/* Whether fn_links_work would have something to do. */
bool fn_links_have_work(const FastNetEndpoint *endpoint);

/* The state of the handshake may have changed: tells the owner, sends, sets the timer, or frees.
 * The link may be gone afterwards. */
void fn_link_settle(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns);

/* Link and peer do not know each other any more. From within the owner's callbacks this is the way:
 * the link frees itself later. */
void fn_link_detach(FastNetEndpoint *endpoint, fn_link *link);

/* Ends it in good order: it belongs to nobody from now on. It may be gone afterwards. */
void fn_link_abandon(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns);

/* As fn_link_abandon(), with the next turn of work: safe while links are being worked on. */
void fn_link_close_later(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns);

/* At once, without a word. */
void fn_link_destroy(FastNetEndpoint *endpoint, fn_link *link);

/* In two halves, for a link that goes to another shard: nothing of the endpoint knows it any more;
 * all that it holds is given back. */
void fn_link_leave(FastNetEndpoint *endpoint, fn_link *link);
void fn_link_free(FastNetEndpoint *endpoint, fn_link *link);

/* One that left another shard, with an ATTACH that waits for its
 * answer. It may be gone afterwards. */
void fn_link_join(FastNetEndpoint *endpoint, fn_link *link, uint64_t now_ns);

#endif
