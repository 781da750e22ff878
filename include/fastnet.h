/*
 * fastnet.h: encrypted, low-latency messaging for real-time games.
 *
 * A server listens, clients connect, both exchange messages on channels. Everything
 * travels sealed (TLS 1.3 handshake over TCP, then ChaCha20-Poly1305 datagrams over UDP).
 * One endpoint is one UDP socket with many peers. Call fastnet_poll() once per frame.
 *
 * Every declaration below states, in this order: what it does (one sentence), then where
 * they apply
 *   Units      of every number that has one (also in its name: _ns _us _ms _bytes),
 *   Owner      of every pointer that goes in or comes out, and until when,
 *   Threads    who may call it, and at the same time as what,
 *   Blocks / Allocates, where it may,
 *   Returns    each result it can give and what to do about it,
 *   Hostile    what input from an attacker can make it do,
 *   Since      the version it first shipped in (0.1.0 unless stated).
 *
 * Threads, library-wide: no global mutable state (one exception: the text behind
 * fastnet_connect_error_text(), one per thread) and no hidden threads (one exception: a
 * short-lived resolver for host names that are not numeric; replace it with
 * FastNetConfig.resolve). An endpoint is used by one thread at a time; different endpoints
 * are independent. Only fastnet_wake() may be called at the same time as another function.
 *
 * Copies: keys and packet numbers must not go on in two places. After fork() an endpoint stays with
 * the parent: in the child its functions give FASTNET_ERR_STATE with a sentence (those that count
 * or list peers find none), nothing leaves or is read, and fastnet_endpoint_destroy() only gives
 * back what the child holds. A snapshot of a virtual machine cannot be seen from inside: one that
 * is resumed once goes on, or its peers time out. Destroy endpoints before a snapshot that may be
 * resumed twice, or beside the original: the copies would seal different bytes under one nonce, and
 * their secrets would be known to each other.
 *
 * Strings are UTF-8, zero-terminated. Structs that carry struct_size may grow at the end.
 */
#ifndef FASTNET_FASTNET_H
#define FASTNET_FASTNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef FASTNET_API
#if defined(_WIN32) && defined(FASTNET_SHARED)
#ifdef FASTNET_BUILDING
#define FASTNET_API __declspec(dllexport)
#else
#define FASTNET_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define FASTNET_API __attribute__((visibility("default")))
#else
#define FASTNET_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define FASTNET_VERSION_MAJOR 0
#define FASTNET_VERSION_MINOR 1
#define FASTNET_VERSION_PATCH 0

/* Version of the library at run time, for example "0.1.0". Static string. Any thread. */
FASTNET_API const char *fastnet_version(void);

/* --- results -------------------------------------------------------------------------- */

/* One row per result: name, value, sentence. Values are ABI: append only, never renumber. */
#define FASTNET_RESULT_MAP(X)                                                  \
    X(OK, 0, "success")                                                        \
    X(ERR_ARGUMENT, -1, "an argument is out of its documented range")          \
    X(ERR_PEER, -2, "no such peer: it left, or the id is stale")               \
    X(ERR_STATE, -3, "not possible in the current state")                      \
    X(ERR_BACKPRESSURE, -4, "send queue is full; retry after a poll")          \
    X(ERR_TOO_LARGE, -5, "message exceeds message_bytes_max")                  \
    X(ERR_MEMORY, -6, "the allocator returned NULL")                           \
    X(ERR_SYSTEM, -7, "an operating system call failed")                       \
    X(ERR_ADDRESS, -8, "address in use, unreachable or not resolvable")        \
    X(ERR_CERTIFICATE, -9, "certificate missing, malformed or not trusted")    \
    X(ERR_PROTOCOL, -10, "the other side broke the protocol")                  \
    X(ERR_TIMEOUT, -11, "the other side did not answer in time")               \
    X(ERR_REJECTED, -12, "the server refused; its text says why")              \
    X(ERR_FULL, -13, "the server has no free slot")                            \
    X(ERR_VERSION, -14, "no common protocol or application version")           \
    X(ERR_CHANNELS, -15, "the two channel tables differ")                      \
    X(ERR_GONE, -16, "the other side no longer knows this session")            \
    X(ERR_CLOSED, -17, "closed by the other side")                             \
    X(ERR_LIMIT, -18, "a configured limit was reached")                        \
    X(ERR_NOT_FOUND, -19, "no such asset, room, member or file")               \
    X(ERR_INTEGRITY, -20, "a hash or signature does not match")                \
    X(ERR_UNSUPPORTED, -21, "not available in this build or on this platform") \
    X(ERR_CANCELLED, -22, "cancelled by the caller")

typedef enum FastNetResult {
#define X(name, value, text) FASTNET_##name = (value),
    FASTNET_RESULT_MAP(X)
#undef X
        FASTNET_RESULT_FORCE_INT32 = 0x7fffffff
} FastNetResult;

/* Name such as "FASTNET_ERR_PEER"; "FASTNET_UNKNOWN" for a value not in
 * the table. Static. Any thread. */
FASTNET_API const char *fastnet_result_name(int32_t result);

/* The table's sentence for a result. Static string, never NULL. Any thread. */
FASTNET_API const char *fastnet_result_text(int32_t result);

/* --- types ---------------------------------------------------------------------------- */

/* One UDP socket with its peers; may listen, connect, or both. Opaque. */
typedef struct FastNetEndpoint FastNetEndpoint;

/* Slot in the low 16 bits, generation in the high 16: an old id never names a newer peer.
 * Slots are below 2 * peers_max (one that has ended may still be in use while another has its
 * place) and reused first-in first-out. 0 is "no peer". */
typedef uint32_t FastNetPeerId;

/*
 * The four channels every endpoint has unless FastNetConfig.channels says otherwise.
 *
 * Unreliable sequenced means the latest only, at both ends: of several messages sent before they
 * leave (between two polls or flushes), and of several that arrived before the application polled
 * (one frame, or a stall of seconds), the newest counts and the others are dropped. One channel
 * carries one such state: what belongs together goes into one message, and voice, which wants every
 * packet, goes on an unreliable channel.
 */
typedef enum FastNetChannel {
    FASTNET_CHANNEL_RELIABLE_ORDERED = 0,    /* chat, commands: guaranteed, in order */
    FASTNET_CHANNEL_UNRELIABLE = 1,          /* positions: fast, may drop */
    FASTNET_CHANNEL_RELIABLE = 2,            /* item pickups: guaranteed, any order */
    FASTNET_CHANNEL_UNRELIABLE_SEQUENCED = 3 /* input, aim: the latest only, never goes back */
} FastNetChannel;

/* How a channel treats its messages; the four values match the default channel numbers. */
typedef enum FastNetChannelMode {
    FASTNET_MODE_RELIABLE_ORDERED = 0,
    FASTNET_MODE_UNRELIABLE = 1,
    FASTNET_MODE_RELIABLE = 2,
    FASTNET_MODE_UNRELIABLE_SEQUENCED = 3
} FastNetChannelMode;

/* One row of the channel table. Both sides must use the same table (its hash is compared in
 * the handshake; a difference ends it with FASTNET_ERR_CHANNELS). */
typedef struct FastNetChannelConfig {
    uint8_t mode;             /* FastNetChannelMode */
    uint8_t priority;         /* 0 is served first; each other one gets an eighth of what leaves
                                 while it waits */
    uint8_t weight;           /* share among channels of one priority, 1..255 */
    uint8_t real_time;        /* reliable modes: first transmission uses the rate floor */
    uint32_t queue_bytes_max; /* per peer, this channel's part of the send queue */
    uint32_t time_to_live_ms; /* unreliable modes: a message that still waits so long after
                                 the flush or poll that follows its send is dropped (as long
                                 again if a part of it has left); 0 = never */
} FastNetChannelConfig;

#define FASTNET_CHANNELS_MAX 240 /* numbers 240..255 belong to the library */

typedef enum FastNetEventType {
    FASTNET_EVENT_NONE = 0,
    FASTNET_EVENT_CONNECTED = 1,       /* the first path is validated: send and receive */
    FASTNET_EVENT_DATA = 2,            /* one message */
    FASTNET_EVENT_DISCONNECTED = 3,    /* the peer is gone; error_code and data say why */
    FASTNET_EVENT_ERROR = 4,           /* a connect failed: that peer never was CONNECTED */
    FASTNET_EVENT_PATH_CHANGED = 5,    /* path says over what the session runs now */
    FASTNET_EVENT_CONNECT_REQUEST = 6, /* answer with fastnet_accept or fastnet_reject */
    FASTNET_EVENT_DELIVERED = 7,       /* a tagged message was acknowledged */
    FASTNET_EVENT_LOST = 8             /* a tagged message: see fastnet_send_tagged */
} FastNetEventType;

typedef enum FastNetPath {
    FASTNET_PATH_NONE = 0,
    FASTNET_PATH_UDP = 1,
    FASTNET_PATH_P2P = 2,
    FASTNET_PATH_RELAY = 3,
    FASTNET_PATH_TCP = 4
} FastNetPath;

/* What a session runs over now; also a setting, see FastNetConfig.transport. */
typedef enum FastNetTransport {
    FASTNET_TRANSPORT_NONE = 0, /* nothing yet, or not any more; as a setting: choose */
    FASTNET_TRANSPORT_UDP = 1,
    FASTNET_TRANSPORT_TCP = 2 /* the same sealed datagrams, inside TLS */
} FastNetTransport;

/* Flat, fixed size, no union: the same 64 bytes in C, C++, C# and GDExtension. */
typedef struct FastNetEvent {
    int32_t type; /* FastNetEventType */
    FastNetPeerId peer_id;
    uint64_t time_ns;    /* arrival, on the endpoint's monotonic clock */
    const uint8_t *data; /* DATA: the message; DISCONNECTED, ERROR: the text, zero-terminated;
                            CONNECT_REQUEST: the token. Valid until the first poll after the
                            call or batch that delivered it. */
#if UINTPTR_MAX == 0xffffffffu
    uint32_t data_high; /* keeps the 64-bit layout on 32-bit targets */
#endif
    uint32_t data_len;  /* bytes, without the text's terminating zero */
    int32_t error_code; /* ERROR, DISCONNECTED: FastNetResult */
    uint64_t tag;       /* DELIVERED, LOST: the tag given to fastnet_send_tagged */
    void *user;         /* the peer's user pointer, as it was when the batch was delivered */
#if UINTPTR_MAX == 0xffffffffu
    uint32_t user_high;
#endif
    uint32_t app_code; /* ERROR, DISCONNECTED: the code of the other side's disconnect or reject */
    uint8_t channel;   /* DATA, DELIVERED, LOST */
    uint8_t path;      /* CONNECTED, PATH_CHANGED: FastNetPath */
    uint8_t reserved[10];
} FastNetEvent;

/*
 * Where an endpoint gets its memory: all zero means malloc and free.
 *
 * Owner:   copied at create. Threads: called on the thread that uses the endpoint.
 * alloc may return NULL; free gets the size that was asked for. Not used in steady state.
 */
typedef struct FastNetAllocator {
    void *user;
    void *(*alloc)(void *user, size_t size_bytes, size_t alignment);
    void (*free)(void *user, void *block, size_t size_bytes);
} FastNetAllocator;

typedef enum FastNetLogLevel {
    FASTNET_LOG_ERROR = 0,
    FASTNET_LOG_WARNING = 1,
    FASTNET_LOG_INFO = 2,
    FASTNET_LOG_DEBUG = 3
} FastNetLogLevel;

/* Numeric address of a peer or socket, for example "192.0.2.1:7777" or "[2001:db8::1]:7777". */
typedef struct FastNetAddress {
    char text[64];
} FastNetAddress;

/*
 * Resolves a host name in the caller's way: write up to capacity numeric addresses (without
 * ports) and return how many, or a negative FastNetResult. Called within fastnet_poll(); may
 * block only itself.
 *
 * It is asked for every name: the host of a connect, and the name that a server advertises for UDP.
 * When only the latter has no address, the session runs over TCP.
 */
typedef int32_t (*FastNetResolve)(void *user, const char *host, FastNetAddress *out,
                                  uint32_t capacity);

/* Fill with fastnet_config_init(), then change what you need. Pointers are borrowed during
 * create only, except the callbacks' user pointers. */
typedef struct FastNetConfig {
    uint32_t struct_size;          /* set by fastnet_config_init(): the ABI version */
    uint32_t peers_max;            /* 64; 1..65535 */
    uint32_t message_bytes_max;    /* 262144: the largest message, both ways; 1..16 MiB */
    uint32_t send_queue_bytes_max; /* 1 MiB per peer, all its reliable channels together */
    uint32_t receive_window_bytes; /* 1 MiB per peer: reliable bytes that may wait for poll */
    uint64_t memory_bytes_max;     /* 64 MiB: all queues and reassembly of the endpoint. Half of it,
                                      but at most 128 KiB for each of peers_max, is reserved in even
                                      parts, one per peer; the rest is shared: a peer gets more
                                      while it holds less than is free. At least 256 KiB and one
                                      largest message. Warnings are logged when a part is below 4 KiB, and
                                      when a largest message out and one in do not both fit */
    uint32_t handshake_timeout_ms; /* 5000: from TCP connect to CONNECTED, in all */
    uint32_t idle_timeout_ms;      /* 30000: silence that ends a session, or so long without any
                                      acknowledgement, or without the rest of a reliable message
                                      that was begun; 0 = never */
    uint32_t keepalive_ms;         /* 1500: a client's ping after this much quiet, a server's after
                                      three times that; 0 = never */
    uint32_t linger_ms; /* 500: disconnect waits this long for queued reliable messages */
    uint32_t rate_floor_bytes_per_s; /* 65536: real-time traffic that congestion never holds back */
    uint32_t handshakes_max; /* 256: half-open TLS connections; above it whoever is slow gives way,
                                and else newcomers wait */
    uint32_t handshakes_per_address_per_s; /* 20 per IPv4 address or IPv6 /64; 0 = no limit. A
                                              client above it tries again by itself */
    uint32_t connect_request_timeout_ms;   /* 5000: rejects an undecided CONNECT_REQUEST after it */
    uint32_t replay_window_packets;        /* 4096; a power of two, 1024..65536 */
    uint64_t key_update_packets;           /* 2^20: packets sealed under one key; 64..2^32 */
    uint32_t key_update_interval_ms;       /* 3600000: age of a key */
    uint16_t mtu_bytes_max;         /* 1452: largest UDP payload that path MTU discovery tries */
    uint16_t udp_port;              /* host order; 0 = any */
    uint16_t tls_port;              /* host order; with listen: 0 = any */
    bool listen;                    /* accept clients; needs a certificate */
    bool connect_requests;          /* raise CONNECT_REQUEST instead of accepting everyone */
    const char *bind_address;       /* where UDP and TLS are bound, a client's TLS connections too:
                                       "192.0.2.1", "2001:db8::1", "fe80::1%eth0". NULL = every
                                       address, IPv4 and IPv6: each client is answered from the one
                                       that it connected to, unless another is advertised */
    const char *certificate_path;   /* PEM chain, leaf first, intermediates behind it */
    const char *private_key_path;   /* PEM */
    const char *trusted_roots_path; /* PEM; NULL = FASTNET_CA_FILE, else the system's roots */
    const char *advertised_address; /* "host", "host:port" or ":port" told to clients as the UDP
                                       address; what is missing, and NULL, = as seen */
    const char *application_id;     /* both sides must agree; NULL = "" */
    uint32_t application_build;     /* shown to the server, not compared; see fastnet_peer_info() */
    uint32_t channel_count;         /* 4 */
    const FastNetChannelConfig *channels; /* NULL = the four of FastNetChannel */
    FastNetAllocator allocator;           /* all zero = malloc/free */
    void (*log)(void *user, int32_t level, const char *line); /* NULL = silent */
    void *log_user;
    int32_t log_level;      /* FASTNET_LOG_WARNING: this level and more urgent ones */
    FastNetResolve resolve; /* NULL = the system's resolver, in a short-lived thread */
    void *resolve_user;
    void (*key_log)(void *user, const char *line); /* debugging: secrets, as an NSS key log */
    void *key_log_user;
    const struct FastNetSocketConfig *socket; /* fastnet/tuning.h; NULL = its default */
    uint32_t spin_us;        /* 100: after a datagram came or went, a waiting fastnet_poll() looks
                                for the next one this long before it blocks, as long as that
                                pays; 0 = block at once; FASTNET_SPIN_ALWAYS = never block */
    uint32_t keep_warm_us;   /* 0 = off: while it spins, one message there and back in a private
                                session with itself, over loopback, per so many microseconds
                                keeps the whole path of a packet in the caches (100 is good). For
                                low rates; costs CPU and 300 KiB */
    uint32_t udp_timeout_ms; /* 1500: a client that heard nothing over UDP for so long connects over
                                TCP (TLS) instead, at once where the system sends no UDP; a session
                                that runs moves there by itself */
    int32_t transport;  /* FASTNET_TRANSPORT_NONE: UDP, and TCP while UDP is blocked; _UDP: never
                           TCP; _TCP: nothing is sent over UDP (tests, debugging) */
    bool keep_tls_warm; /* keep a TLS connection open beside UDP: moving to TCP then takes one round
                           trip. Both sides must say so; costs a server about 25 KiB per client */
    uint32_t peers_per_address_max; /* 0 = three quarters of peers_max, at least 8, and no limit for
                                       loopback: how many places one IPv4 address or IPv6 /64 can
                                       have. The next client hears ERR_LIMIT */
} FastNetConfig;

/* FastNetConfig.spin_us: fastnet_poll() uses all of its timeout_us (and one core) for looking. */
#define FASTNET_SPIN_ALWAYS UINT32_MAX

/* How one outgoing connection verifies and introduces itself. Zeroed memory with struct_size
 * set (fastnet_connect_options_init()) means: the endpoint's roots, the host's name. */
typedef struct FastNetConnectOptions {
    uint32_t struct_size;
    const char *server_name; /* name or address the certificate must carry; NULL = the host */
    const char *trusted_roots_path; /* PEM; NULL = the endpoint's */
    const uint8_t *pins;            /* pin_count × 32 bytes: SHA-256 of the server's public key. */
    uint32_t pin_count;             /* A matching pin replaces chain, name and dates. */
    uint32_t token_bytes;           /* at most FASTNET_TOKEN_BYTES_MAX */
    const uint8_t *token;           /* shown to the server application (CONNECT_REQUEST) */
    void *user;                     /* echoed in the peer's events */
    bool full_handshake; /* TLS is not resumed. By default a client that comes back to a server
                            resumes: no certificate and no signature again, fresh keys. */
} FastNetConnectOptions;

#define FASTNET_TOKEN_BYTES_MAX 2048
#define FASTNET_TEXT_BYTES_MAX  256 /* disconnect and reject texts; longer ones are cut */
#define FASTNET_PIN_BYTES       32

/* --- lifetime ------------------------------------------------------------------------- */

/* Fills in the defaults for a struct of the given size; use the macro below. Any thread. */
FASTNET_API void fastnet_config_init_sized(FastNetConfig *config, uint32_t struct_size);
#define fastnet_config_init(config) fastnet_config_init_sized((config), (uint32_t)sizeof *(config))

/* Zeroes the options and sets struct_size; use the macro below. Any thread. */
FASTNET_API void fastnet_connect_options_init_sized(FastNetConnectOptions *options,
                                                    uint32_t struct_size);
#define fastnet_connect_options_init(options) \
    fastnet_connect_options_init_sized((options), (uint32_t)sizeof *(options))

/*
 * Creates an endpoint: binds its UDP socket and, with listen, its TLS port.
 *
 * Owner:     *out belongs to the caller until fastnet_endpoint_destroy().
 * Threads:   any; the endpoint is then used by one thread at a time.
 * Blocks:    reads the certificate files. Allocates: yes.
 * Returns:   OK; ERR_ARGUMENT (a field is out of range); ERR_MEMORY; ERR_ADDRESS (port in use,
 *            address not of this machine); ERR_CERTIFICATE (missing, unreadable, malformed, or the
 *            key does not match); ERR_SYSTEM. On any error *out is NULL, nothing needs freeing, and
 *            fastnet_connect_error_text() (same thread) names the field, file or port.
 */
FASTNET_API FastNetResult fastnet_endpoint_create(const FastNetConfig *config,
                                                  FastNetEndpoint **out);

/* Says goodbye to every peer (one datagram each, no waiting) and frees everything. NULL is fine; a
 * shard ends with the others only (fastnet/shards.h). */
FASTNET_API void fastnet_endpoint_destroy(FastNetEndpoint *endpoint);

/* --- connecting ----------------------------------------------------------------------- */

/*
 * Starts connecting to a server's TLS port and returns at once; CONNECTED or ERROR follows from
 * poll. A connection that the server closes in the handshake (it has too many at once, or this
 * address connects too often) is made again until handshake_timeout_ms is over.
 *
 * host is a name, an IPv4 or IPv6 address, or any of these with a port: "host:port", "[::1]:port"
 * (that port then wins). Several addresses of a name are tried in turn.
 * Owner:     options and all it points to are copied. options may be NULL.
 * Places:    when ERROR or DISCONNECTED was delivered, the place of that peer is free: connect
 *            again from its handler. A call that fails keeps nothing.
 * Returns:   OK; ERR_ARGUMENT; ERR_LIMIT (peers_max reached); ERR_CERTIFICATE (the roots file is
 *            missing or malformed); ERR_MEMORY; ERR_SYSTEM.
 * Hostile:   a server without a certificate that verifies gets nothing but a
 *            TLS ClientHello and an alert.
 */
FASTNET_API FastNetResult fastnet_connect(FastNetEndpoint *endpoint, const char *host,
                                          uint16_t tls_port, const FastNetConnectOptions *options,
                                          FastNetPeerId *out_peer);

/*
 * Like fastnet_connect(), but accepts ANY certificate: whoever is on the way can read and change
 * everything. For development only; logs a warning each time.
 */
FASTNET_API FastNetResult fastnet_connect_insecure_without_verification(
    FastNetEndpoint *endpoint, const char *host, uint16_t tls_port,
    const FastNetConnectOptions *options, FastNetPeerId *out_peer);

/* Accepts a peer that a CONNECT_REQUEST named; CONNECTED follows, or ERROR when it vanishes before.
 * Returns OK, ERR_PEER, ERR_STATE. */
FASTNET_API FastNetResult fastnet_accept(FastNetEndpoint *endpoint, FastNetPeerId peer);

/*
 * Refuses a peer that a CONNECT_REQUEST named: the client's ERROR event carries
 * ERR_REJECTED, the code (app_code) and the text. That peer is never mentioned
 * again. Returns OK, ERR_PEER, ERR_STATE.
 */
FASTNET_API FastNetResult fastnet_reject(FastNetEndpoint *endpoint, FastNetPeerId peer,
                                         uint32_t code, const char *text);

/*
 * Ends a session: delivers queued reliable messages first (at most linger_ms), then says goodbye
 * with code and text, which the other side's DISCONNECTED event carries.
 *
 * The work goes on inside later polls; the peer is not mentioned again, and it counts towards
 * peers_max until it is done. text may be NULL.
 * Returns:   OK; ERR_PEER.
 */
FASTNET_API FastNetResult fastnet_disconnect(FastNetEndpoint *endpoint, FastNetPeerId peer,
                                             uint32_t code, const char *text);

/* Like fastnet_disconnect(), but drops what is queued. */
FASTNET_API FastNetResult fastnet_disconnect_now(FastNetEndpoint *endpoint, FastNetPeerId peer,
                                                 uint32_t code, const char *text);

/* --- talking -------------------------------------------------------------------------- */

/*
 * Queues one message; it leaves with the next poll or flush.
 *
 * Owner:     data is copied before return; NULL is fine when data_len is 0 (an empty message is a
 *            message). Units: data_len in bytes. Blocks: never. Allocates: never.
 * Returns:   OK; ERR_PEER; ERR_STATE (not connected yet, or disconnecting); ERR_TOO_LARGE;
 *            ERR_BACKPRESSURE (reliable channels: nothing was queued, poll and retry; a full
 *            unreliable channel drops its oldest message and counts it, a sequenced one whatever
 *            still waits); ERR_ARGUMENT (no such channel, NULL data).
 */
FASTNET_API FastNetResult fastnet_send(FastNetEndpoint *endpoint, FastNetPeerId peer,
                                       uint8_t channel, const void *data, uint32_t data_len);

/*
 * Like fastnet_send(), and one DELIVERED or LOST event will carry the tag: DELIVERED when the other
 * side has acknowledged the whole message. LOST on an unreliable channel: it was lost, or dropped
 * before it left. LOST on a reliable channel comes only when the other side ends the session or it
 * times out: the message is not known to have arrived, and may have. Every tag that is outstanding
 * then gets its LOST before DISCONNECTED. After fastnet_disconnect() nothing is told any more.
 *
 * Units:     time_to_live_ms overrides the channel's (unreliable channels only; 0 = the channel's).
 */
FASTNET_API FastNetResult fastnet_send_tagged(FastNetEndpoint *endpoint, FastNetPeerId peer,
                                              uint8_t channel, const void *data, uint32_t data_len,
                                              uint64_t tag, uint32_t time_to_live_ms);

/*
 * Sends one message to every connected peer, except one (0 = no exception).
 *
 * Returns:   the number of peers it was queued for, or a negative FastNetResult (ERR_TOO_LARGE,
 *            ERR_ARGUMENT). Peers whose reliable queue is full are skipped: compare with
 *            fastnet_peer_count(), and use fastnet_send() where each one matters.
 */
FASTNET_API int32_t fastnet_broadcast(FastNetEndpoint *endpoint, FastNetPeerId except,
                                      uint8_t channel, const void *data, uint32_t data_len);

/* Puts everything queued on the wire now, as far as congestion control
 * allows. Returns OK, ERR_ARGUMENT, ERR_STATE. */
FASTNET_API FastNetResult fastnet_flush(FastNetEndpoint *endpoint);

/*
 * Does all waiting work (receives, handshakes, retransmits, sends) and reports what happened.
 *
 * Units:     timeout_us microseconds to wait for the first event; 0 = do not wait.
 * Owner:     events[] is the caller's; each event's data is the endpoint's, valid until the first
 *            poll after this one.
 * Blocks:    up to timeout_us. Spends at most 2 ms, and one private-key operation, on handshakes.
 * Allocates: only for a new connection.
 * Returns:   number of events written (0..capacity), or ERR_ARGUMENT. None is ever lost: what does
 *            not fit comes with the next poll.
 */
FASTNET_API int32_t fastnet_poll(FastNetEndpoint *endpoint, FastNetEvent *events, uint32_t capacity,
                                 uint32_t timeout_us);

/* --- other loops and threads ---------------------------------------------------------- */

/*
 * A descriptor that becomes readable when fastnet_poll() has something to read: for epoll, libuv,
 * or a game's own loop. Level-triggered; never read or close it. Combine it with
 * fastnet_next_deadline(). Returns -1 where the platform has none (the poll(2) build): poll by
 * deadline there. Once asked for, it is kept true, which costs each datagram to this endpoint about
 * 0.2 us even in a loop that spins: do not ask when you do not wait.
 */
FASTNET_API int fastnet_endpoint_fd(FastNetEndpoint *endpoint);

/*
 * Microseconds until fastnet_poll() wants to be called even if nothing arrives; 0 = now (events are
 * queued or a timer is due); UINT64_MAX = never.
 */
FASTNET_API uint64_t fastnet_next_deadline(const FastNetEndpoint *endpoint);

/* Makes a waiting (or the next) fastnet_poll() return early. Any thread, at any time. */
FASTNET_API void fastnet_wake(FastNetEndpoint *endpoint);

/* The endpoint's monotonic clock, the one of FastNetEvent.time_ns. Any thread. */
FASTNET_API uint64_t fastnet_now_ns(void);

/* --- looking -------------------------------------------------------------------------- */

/* Numbers of one session. Counters only grow. */
typedef struct FastNetPeerStats {
    uint32_t struct_size; /* set it before the call: sizeof(FastNetPeerStats) */
    uint32_t path;        /* FastNetPath */
    uint64_t rtt_ns;      /* smoothed (RFC 9002 §5.3) */
    uint64_t rtt_ns_min;
    uint64_t rtt_ns_latest;
    uint64_t rtt_variance_ns;
    int64_t remote_clock_offset_ns; /* remote's fastnet_now_ns() minus ours, estimated from pings
                                       and smoothed: it moves by an eighth of what it is off, and
                                       jumps only when that is above 100 ms */
    uint64_t sent_packets;
    uint64_t sent_bytes; /* UDP payload */
    uint64_t received_packets;
    uint64_t received_bytes;
    uint64_t lost_packets; /* declared lost (RFC 9002 §6.1) */
    uint64_t retransmitted_bytes;
    uint64_t sent_messages;
    uint64_t received_messages;
    uint64_t dropped_messages; /* unreliable: too old, replaced, or pushed out of a full queue */
    uint64_t rejected_packets; /* replayed, forged or malformed datagrams with this peer's id */
    uint64_t queued_bytes;     /* waiting or unacknowledged, all channels */
    uint64_t congestion_window_bytes;
    uint64_t bytes_in_flight;
    uint64_t key_updates;      /* of our sending key */
    uint32_t loss_permille;    /* of what was sent in the last 4 to 5 seconds */
    uint32_t mtu_bytes;        /* UDP payload */
    uint64_t send_bytes_per_s; /* UDP payload in the last 4 to 5 seconds, each way */
    uint64_t receive_bytes_per_s;
    uint32_t receive_loss_permille; /* of what the other side sent in the last 4 to 5 seconds, out
                                       of gaps in its packet numbers; exact to a few permille,
                                       because it leaves numbers out on purpose */
    uint32_t datagram_message_bytes_max; /* the largest message that one datagram to this peer
                                            carries; larger ones are cut, and lost when one of their
                                            parts is. At least 1024, or message_bytes_max
                                            if that is less; grows with mtu_bytes */
} FastNetPeerStats;

/* Copies one peer's numbers. Returns OK, ERR_PEER, ERR_ARGUMENT (struct_size not set). */
FASTNET_API FastNetResult fastnet_peer_stats(const FastNetEndpoint *endpoint, FastNetPeerId peer,
                                             FastNetPeerStats *stats);

/* Numbers of the endpoint as a whole. */
typedef struct FastNetEndpointStats {
    uint32_t struct_size;       /* set it before the call */
    uint32_t peers;             /* connected now */
    uint32_t handshakes;        /* half-open now */
    uint32_t connect_requests;  /* undecided now */
    uint64_t memory_bytes_used; /* of memory_bytes_max */
    uint64_t handshakes_completed;
    uint64_t handshakes_failed;
    uint64_t handshakes_limited; /* refused by the per-address rate limit */
    uint64_t handshakes_evicted; /* had to make room, or found none because of their own address */
    uint64_t sent_datagrams;
    uint64_t received_datagrams;
    uint64_t unknown_datagrams;  /* no such receiver id, or not ours */
    uint64_t rejected_datagrams; /* replayed, forged or malformed */
    uint64_t send_calls;         /* system calls */
    uint64_t receive_calls;
    uint64_t segmented_sends;     /* several datagrams in one, cut by the system (GSO) ... */
    uint64_t segmented_datagrams; /* ... so many in all */
    uint64_t coalesced_receives;  /* several datagrams in one, joined by the system (GRO) ... */
    uint64_t coalesced_datagrams; /* ... so many in all */
    uint64_t fallbacks;           /* times that a plainer way had to be taken: no IPv6, no batch
                                     calls, no segmentation on the way to an address */
    uint64_t blocking_waits;      /* of fastnet_poll() */
    uint64_t spins;               /* times that it looked for the next datagram instead ... */
    uint64_t spins_answered;      /* ... and found one */
    uint64_t packets_prepared;    /* whose keystream was made while there was nothing else to do */
    uint64_t warming_datagrams;   /* see FastNetConfig.keep_warm_us */
    uint64_t handed_over;         /* shards: connections that went to the one they named ... */
    uint64_t hand_overs_refused;  /* ... or were closed because too many waited there */
    uint64_t forwarded_datagrams; /* shards: came here, named another one, and went there */
    uint64_t handshakes_resumed;  /* connects, either way, whose TLS was resumed */
} FastNetEndpointStats;

/* Copies the endpoint's numbers. Returns OK or ERR_ARGUMENT. */
FASTNET_API FastNetResult fastnet_endpoint_stats(const FastNetEndpoint *endpoint,
                                                 FastNetEndpointStats *stats);

/* Number of connected peers. */
FASTNET_API uint32_t fastnet_peer_count(const FastNetEndpoint *endpoint);

/* The next connected peer after previous (0 = the first); 0 at the end. Safe against peers that
 * come and go. */
FASTNET_API FastNetPeerId fastnet_peer_next(const FastNetEndpoint *endpoint,
                                            FastNetPeerId previous);

/* The peer's current address as text. Returns OK, ERR_PEER. */
FASTNET_API FastNetResult fastnet_peer_address(const FastNetEndpoint *endpoint, FastNetPeerId peer,
                                               FastNetAddress *out);

/* What a peer's session runs over now: FASTNET_TRANSPORT_NONE for a stale id and before CONNECTED.
 * A PATH_CHANGED event (FASTNET_PATH_TCP, FASTNET_PATH_UDP) reports each change. */
FASTNET_API FastNetTransport fastnet_peer_transport_mode(const FastNetEndpoint *endpoint,
                                                         FastNetPeerId peer);

/* What a peer told about itself in the handshake. */
typedef struct FastNetPeerInfo {
    uint32_t struct_size; /* set it before the call */
    uint32_t application_build;
    uint32_t message_bytes_max; /* agreed: the smaller of both sides */
    uint32_t reserved;
    char certificate_subject[FASTNET_TEXT_BYTES_MAX]; /* a server's, at its client; else "" */
} FastNetPeerInfo;

/* Copies what a peer told about itself. Valid from CONNECT_REQUEST on.
 * Returns OK, ERR_PEER, ERR_ARGUMENT. */
FASTNET_API FastNetResult fastnet_peer_info(const FastNetEndpoint *endpoint, FastNetPeerId peer,
                                            FastNetPeerInfo *info);

/* Sets the pointer that the peer's later events carry. Owner: the caller; never followed. Returns
 * OK, ERR_PEER. */
FASTNET_API FastNetResult fastnet_peer_set_user(FastNetEndpoint *endpoint, FastNetPeerId peer,
                                                void *user);

/* Caps what is sent to one peer; 0 = no cap but congestion control. Units: bytes per second.
 * Returns OK, ERR_PEER. */
FASTNET_API FastNetResult fastnet_peer_set_rate_max(FastNetEndpoint *endpoint, FastNetPeerId peer,
                                                    uint64_t bytes_per_s);

/* The bound UDP and TLS ports (TLS: 0 when not listening), host order: for config ports of 0. */
FASTNET_API uint16_t fastnet_udp_port(const FastNetEndpoint *endpoint);
FASTNET_API uint16_t fastnet_tls_port(const FastNetEndpoint *endpoint);

/* One sentence about the last call that failed on this endpoint, or connect that did: every failure
 * has one. Owner: the endpoint, until its next failure. Never NULL; "" before the first failure.
 * Hostile: texts of peers are in it, and in events, as UTF-8 without control characters (C0, C1),
 * ends of line, or what turns the direction of writing; '?' stands for each. */
FASTNET_API const char *fastnet_last_error_text(const FastNetEndpoint *endpoint);

/* One sentence about why this thread's last create or blocking connect failed. Until the next one.
 * Never NULL. */
FASTNET_API const char *fastnet_connect_error_text(void);

/* --- operations ----------------------------------------------------------------------- */

/*
 * Loads certificate and key anew; sessions that exist go on, new ones get the new certificate. On a
 * shard it does so for all of them (fastnet/shards.h).
 *
 * Blocks:    reads two files. Returns: OK; ERR_CERTIFICATE (nothing
 *            changed); ERR_STATE (not listening).
 */
FASTNET_API FastNetResult fastnet_certificate_reload(FastNetEndpoint *endpoint,
                                                     const char *certificate_path,
                                                     const char *private_key_path);

/* Refuses connections from an address ("192.0.2.1", "2001:db8::1") from now on, for IPv6 from its
 * /64; peers that are connected stay, and may still move to TCP. At most 1024 entries. Returns OK,
 * ERR_ARGUMENT, ERR_LIMIT. */
FASTNET_API FastNetResult fastnet_ban_add(FastNetEndpoint *endpoint, const char *address);
FASTNET_API FastNetResult fastnet_ban_remove(FastNetEndpoint *endpoint, const char *address);

/* Draining: while true, new clients are refused ("server is draining"); sessions go on. */
FASTNET_API FastNetResult fastnet_set_draining(FastNetEndpoint *endpoint, bool draining);

/*
 * Bad-link switch for development: what this endpoint sends and receives over UDP is lost, repeated
 * or delayed at random, each way by itself: a delay of 50 ms adds 100 ms to the round trip. All
 * zero = off.
 *
 * Units:     permille of datagrams; delay in milliseconds, jitter added at random on top.
 * Returns:   OK; ERR_ARGUMENT (permille over 1000, delay over 10000); ERR_MEMORY.
 */
FASTNET_API FastNetResult fastnet_simulate_bad_link(FastNetEndpoint *endpoint,
                                                    uint32_t loss_permille,
                                                    uint32_t duplicate_permille, uint32_t delay_ms,
                                                    uint32_t jitter_ms, uint64_t seed);

/* --- the short form: thin wrappers, defined in terms of the above ---------------------- */

/*
 * A client is an endpoint with one outgoing peer. Every fastnet_ function that takes an endpoint
 * takes it too, and these work on any endpoint that has exactly one outgoing peer at the moment.
 * With none or several they fail with ERR_STATE, and fastnet_last_error_text() says which of the
 * two it is.
 */
typedef FastNetEndpoint *FastNetClient;

/* A server is a listening endpoint. */
typedef FastNetEndpoint *FastNetServer;

/*
 * Connects to a server's TLS port and waits until connected: verified
 * (system roots or FASTNET_CA_FILE).
 *
 * Blocks:    up to 5 s (handshake_timeout_ms), plus name resolution.
 * Returns:   a client whose first poll gives CONNECTED, or
 *            NULL: fastnet_connect_error_text() says why.
 */
FASTNET_API FastNetClient fastnet_client_connect(const char *host, uint16_t tls_port);

/*
 * Sends one message to the server; it leaves at once, as far as congestion control allows.
 *
 * Returns:   OK, or as fastnet_send(); ERR_STATE after DISCONNECTED, and when it is not clear which
 *            peer is meant.
 */
FASTNET_API int32_t fastnet_client_send(FastNetClient client, uint8_t channel, const uint8_t *data,
                                        uint32_t data_len);

/* Takes one event; false (and type NONE) when there is none now. Never blocks, loses none. The
 * event's data stays valid until the next poll. */
FASTNET_API bool fastnet_client_poll(FastNetClient client, FastNetEvent *event);

/* What the client's session runs over now: UDP, or TCP while UDP is
 * blocked; NONE after DISCONNECTED. */
FASTNET_API FastNetTransport fastnet_client_transport_mode(FastNetClient client);

/* Delivers queued reliable messages (up to linger_ms), says goodbye to all peers that the endpoint
 * has, and frees it. NULL is fine. Blocks: until the server has confirmed, at most linger_ms plus a
 * few round trips. */
FASTNET_API void fastnet_client_disconnect(FastNetClient client);

/*
 * Creates a server on two ports (0 = any) with a PEM certificate and key.
 *
 * Returns:   the server, or NULL: fastnet_connect_error_text() says why.
 */
FASTNET_API FastNetServer fastnet_server_create(uint16_t udp_port, uint16_t tcp_port,
                                                const char *cert_path, const char *key_path);

/* Takes one event; as fastnet_client_poll(). */
FASTNET_API bool fastnet_server_poll(FastNetServer server, FastNetEvent *event);

/* Sends one message to one peer; leaves at once. Returns as fastnet_send(). */
FASTNET_API int32_t fastnet_server_send(FastNetServer server, FastNetPeerId peer, uint8_t channel,
                                        const uint8_t *data, uint32_t data_len);

/* Ends one session with code 0 after queued reliable messages. Returns OK or ERR_PEER. */
FASTNET_API int32_t fastnet_server_disconnect(FastNetServer server, FastNetPeerId peer);

/* Number of connected peers. */
FASTNET_API uint32_t fastnet_server_peer_count(FastNetServer server);

/* Says goodbye to every peer, gives queued reliable messages up to linger_ms, and frees the server.
 * NULL is fine. */
FASTNET_API void fastnet_server_destroy(FastNetServer server);

/* Like fastnet_server_destroy(), and each peer's DISCONNECTED carries code (app_code) and text.
 * text may be NULL. */
FASTNET_API void fastnet_server_destroy_with_reason(FastNetServer server, uint32_t code,
                                                    const char *text);

#ifdef __cplusplus
}
static_assert(sizeof(FastNetEvent) == 64, "FastNetEvent is ABI");
#else
_Static_assert(sizeof(FastNetEvent) == 64, "FastNetEvent is ABI");
#endif

#endif /* FASTNET_FASTNET_H */
