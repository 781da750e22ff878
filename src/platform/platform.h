/*
 * platform.h: all that an endpoint needs of the world: one UDP socket, byte streams, host names, a
 * wait, two clocks and entropy.
 *
 *   io           implements it on the operating system
 *   simulator    implements it on a virtual network and a virtual clock
 *   endpoint     knows this table only, so both run the same code
 *
 * A world belongs to one endpoint and to its thread; only `wake` and `interrupt` may be called from elsewhere. No
 * call blocks but `wait`. Calls that fail return FASTNET_ERR_* and write a sentence into error,
 * which may be NULL.
 *
 * Sockets are named by the endpoint's own tokens: a wait gives the token of each that is ready.
 */
#ifndef FN_PLATFORM_PLATFORM_H
#define FN_PLATFORM_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "platform/error.h"
#include "platform/readiness.h"
#include "platform/resolve.h"
#include "platform/tcp.h"
#include "platform/udp.h"

typedef struct fn_platform_ops {
    /* --- time and chance --- */

    /* Monotonic, from an arbitrary moment. */
    uint64_t (*clock_ns)(void *world);
    /* Since 1970-01-01 UTC; for certificate dates and logs only, it can jump. */
    uint64_t (*unix_time_s)(void *world);
    /* Bytes fit for keys. ERR_SYSTEM: there is no source; give up, there is no substitute. */
    int (*entropy)(void *world, void *out, size_t bytes, fn_io_error *error);

    /* This process is a fork of the one that the world belongs to: nothing of it may be used, only
     * given back. Cheap: asked for every message. */
    bool (*is_copy)(void *world);

    /* --- the wait --- */

    /* Once, before any socket is watched: memory for so many sockets; 0 where none is needed. */
    size_t (*wait_bytes)(void *world, uint32_t sockets_max);
    int (*wait_open)(void *world, void *memory, uint32_t sockets_max, fn_io_error *error);
    void (*wait_close)(void *world);
    /* Waits at most timeout_ns (0 = look only), returns how many sockets are ready. */
    size_t (*wait)(void *world, uint64_t timeout_ns, fn_poll_event *events, size_t capacity);
    /* How many sockets it waits for. */
    uint32_t (*wait_count)(void *world);
    /* As wake, and remembered until it is taken: the application wants its thread back. */
    void (*interrupt)(void *world);
    bool (*interrupted)(void *world);
    bool (*take_interrupt)(void *world);
    /* Ends the present wait, or the next one. Any thread, any signal handler. */
    void (*wake)(void *world);

    /* --- the UDP socket --- */

    int (*udp_open)(void *world, const fn_udp_options *options, fn_io_error *error);
    void (*udp_close)(void *world);
    /* From now on only this peer is heard; calls are cheaper. */
    int (*udp_connect)(void *world, const fn_address *peer, fn_io_error *error);
    int (*udp_local)(void *world, fn_address *local, fn_io_error *error);
    /* What the system granted. */
    void (*udp_settings)(void *world, fn_udp_settings *out);
    /* Of the open socket, from its opening on. */
    const fn_udp_counters *(*udp_counters)(void *world);
    /* Fewer than capacity: empty now, or an ICMP error came in between. */
    size_t (*udp_receive)(void *world, fn_datagram *batch, size_t capacity);
    /* One, in the cheapest way. */
    bool (*udp_receive_one)(void *world, fn_datagram *datagram);
    /* In order; writes each entry's outcome, returns how many left. */
    size_t (*udp_send)(void *world, fn_datagram *batch, size_t count);
    /* What leaves for that host in one piece is lost on the way: from now on, over later sockets
     * too, each datagram leaves by itself. */
    void (*udp_set_plain)(void *world, const fn_address *address);
    /* Adds it to the wait, or changes what it is waited for. */
    int (*udp_watch)(void *world, uint64_t token, uint32_t interest, fn_io_error *error);
    void (*udp_unwatch)(void *world);

    /* --- byte streams --- */

    /* Opens the one listener and adds it to the wait. */
    int (*tcp_listen)(void *world, const fn_tcp_listen_options *options, uint64_t token,
                      fn_address *local, fn_io_error *error);
    void (*tcp_unlisten)(void *world);
    /* What the wait tells of the listener: FN_POLL_READ, or nothing for now. */
    void (*tcp_watch_listener)(void *world, uint64_t token, uint32_t interest);
    fn_tcp_outcome (*tcp_accept)(void *world, fn_tcp *tcp, fn_address *remote);
    /* From local (its port does not matter; any = what the system takes).
     * OK: under way; wait until it is writable, then ask for the result. */
    int (*tcp_connect)(void *world, fn_tcp *tcp, const fn_address *remote, const fn_address *local,
                       fn_io_error *error);
    int (*tcp_connect_result)(void *world, fn_tcp *tcp, const fn_address *remote, bool *established,
                              fn_io_error *error);
    int (*tcp_local)(void *world, const fn_tcp *tcp, fn_address *local, fn_io_error *error);
    fn_tcp_outcome (*tcp_send)(void *world, fn_tcp *tcp, const void *data, size_t bytes,
                               size_t *moved);
    fn_tcp_outcome (*tcp_receive)(void *world, fn_tcp *tcp, void *data, size_t capacity,
                                  size_t *moved);
    void (*tcp_set_nodelay)(void *world, fn_tcp *tcp, bool on);
    /* Writable only while fewer bytes are unsent below us. */
    void (*tcp_set_unsent_max)(void *world, fn_tcp *tcp, uint32_t bytes);
    void (*tcp_close)(void *world, fn_tcp *tcp);
    void (*tcp_abort)(void *world, fn_tcp *tcp);
    /* Adds it to the wait; changes what it is waited for; removes it, before it is closed. */
    int (*tcp_watch)(void *world, const fn_tcp *tcp, uint64_t token, uint32_t interest,
                     fn_io_error *error);
    int (*tcp_rewatch)(void *world, const fn_tcp *tcp, uint64_t token, uint32_t interest,
                       fn_io_error *error);
    void (*tcp_unwatch)(void *world, const fn_tcp *tcp);

    /* --- host names --- */

    /* fn_address_parse_host(), and with the name of an interface: "fe80::1%eth0". */
    bool (*host_parse)(void *world, const char *text, fn_address *out);

    /* A numeric host is finished on return; a name's end wakes the wait. NULL on failure. */
    fn_resolve *(*resolve_start)(void *world, const char *host, uint16_t port, fn_io_error *error);
    bool (*resolve_finished)(void *world, const fn_resolve *resolve);
    int (*resolve_get)(void *world, fn_resolve *resolve, fn_resolve_result *result,
                       fn_io_error *error);
    /* NULL is fine. Never waits. */
    void (*resolve_release)(void *world, fn_resolve *resolve);

    /* --- two private datagram sockets: they keep the path of a datagram in the caches --- */

    int (*warm_open)(void *world, fn_io_error *error);
    void (*warm_close)(void *world);
    /* From one end to the other. False: nothing came out there. */
    bool (*warm_carry)(void *world, uint32_t from, const uint8_t *data, uint32_t bytes,
                       fn_datagram *in);
} fn_platform_ops;

typedef struct fn_platform {
    const fn_platform_ops *ops;
    void *world;
} fn_platform;

static inline uint64_t fn_platform_clock_ns(const fn_platform *platform)
{
    return platform->ops->clock_ns(platform->world);
}

static inline uint64_t fn_platform_unix_time_s(const fn_platform *platform)
{
    return platform->ops->unix_time_s(platform->world);
}

static inline int fn_platform_entropy(const fn_platform *platform, void *out, size_t bytes,
                                      fn_io_error *error)
{
    return platform->ops->entropy(platform->world, out, bytes, error);
}

static inline bool fn_platform_is_copy(const fn_platform *platform)
{
    return platform->ops->is_copy(platform->world);
}

static inline size_t fn_platform_wait_bytes(const fn_platform *platform, uint32_t sockets_max)
{
    return platform->ops->wait_bytes(platform->world, sockets_max);
}

static inline int fn_platform_wait_open(const fn_platform *platform, void *memory,
                                        uint32_t sockets_max, fn_io_error *error)
{
    return platform->ops->wait_open(platform->world, memory, sockets_max, error);
}

static inline void fn_platform_wait_close(const fn_platform *platform)
{
    platform->ops->wait_close(platform->world);
}

static inline size_t fn_platform_wait(const fn_platform *platform, uint64_t timeout_ns,
                                      fn_poll_event *events, size_t capacity)
{
    return platform->ops->wait(platform->world, timeout_ns, events, capacity);
}

static inline uint32_t fn_platform_wait_count(const fn_platform *platform)
{
    return platform->ops->wait_count(platform->world);
}

static inline void fn_platform_interrupt(const fn_platform *platform)
{
    platform->ops->interrupt(platform->world);
}

static inline bool fn_platform_interrupted(const fn_platform *platform)
{
    return platform->ops->interrupted(platform->world);
}

static inline bool fn_platform_take_interrupt(const fn_platform *platform)
{
    return platform->ops->take_interrupt(platform->world);
}

static inline void fn_platform_wake(const fn_platform *platform)
{
    platform->ops->wake(platform->world);
}

static inline int fn_platform_udp_open(const fn_platform *platform, const fn_udp_options *options,
                                       fn_io_error *error)
{
    return platform->ops->udp_open(platform->world, options, error);
}

static inline void fn_platform_udp_close(const fn_platform *platform)
{
    platform->ops->udp_close(platform->world);
}

static inline int fn_platform_udp_connect(const fn_platform *platform, const fn_address *peer,
                                          fn_io_error *error)
{
    return platform->ops->udp_connect(platform->world, peer, error);
}

static inline int fn_platform_udp_local(const fn_platform *platform, fn_address *local,
                                        fn_io_error *error)
{
    return platform->ops->udp_local(platform->world, local, error);
}

static inline void fn_platform_udp_settings(const fn_platform *platform, fn_udp_settings *out)
{
    platform->ops->udp_settings(platform->world, out);
}

static inline const fn_udp_counters *fn_platform_udp_counters(const fn_platform *platform)
{
    return platform->ops->udp_counters(platform->world);
}

static inline size_t fn_platform_udp_receive(const fn_platform *platform, fn_datagram *batch,
                                             size_t capacity)
{
    return platform->ops->udp_receive(platform->world, batch, capacity);
}

static inline bool fn_platform_udp_receive_one(const fn_platform *platform, fn_datagram *datagram)
{
    return platform->ops->udp_receive_one(platform->world, datagram);
}

static inline size_t fn_platform_udp_send(const fn_platform *platform, fn_datagram *batch,
                                          size_t count)
{
    return platform->ops->udp_send(platform->world, batch, count);
}

static inline void fn_platform_udp_set_plain(const fn_platform *platform, const fn_address *address)
{
    platform->ops->udp_set_plain(platform->world, address);
}

static inline int fn_platform_udp_watch(const fn_platform *platform, uint64_t token,
                                        uint32_t interest, fn_io_error *error)
{
    return platform->ops->udp_watch(platform->world, token, interest, error);
}

static inline void fn_platform_udp_unwatch(const fn_platform *platform)
{
    platform->ops->udp_unwatch(platform->world);
}

static inline int fn_platform_tcp_listen(const fn_platform *platform,
                                         const fn_tcp_listen_options *options, uint64_t token,
                                         fn_address *local, fn_io_error *error)
{
    return platform->ops->tcp_listen(platform->world, options, token, local, error);
}

static inline void fn_platform_tcp_unlisten(const fn_platform *platform)
{
    platform->ops->tcp_unlisten(platform->world);
}

static inline void fn_platform_tcp_watch_listener(const fn_platform *platform, uint64_t token,
                                                  uint32_t interest)
{
    platform->ops->tcp_watch_listener(platform->world, token, interest);
}

static inline fn_tcp_outcome fn_platform_tcp_accept(const fn_platform *platform, fn_tcp *tcp,
                                                    fn_address *remote)
{
    return platform->ops->tcp_accept(platform->world, tcp, remote);
}

static inline int fn_platform_tcp_connect(const fn_platform *platform, fn_tcp *tcp,
                                          const fn_address *remote, const fn_address *local,
                                          fn_io_error *error)
{
    return platform->ops->tcp_connect(platform->world, tcp, remote, local, error);
}

static inline int fn_platform_tcp_connect_result(const fn_platform *platform, fn_tcp *tcp,
                                                 const fn_address *remote, bool *established,
                                                 fn_io_error *error)
{
    return platform->ops->tcp_connect_result(platform->world, tcp, remote, established, error);
}

static inline int fn_platform_tcp_local(const fn_platform *platform, const fn_tcp *tcp,
                                        fn_address *local, fn_io_error *error)
{
    return platform->ops->tcp_local(platform->world, tcp, local, error);
}

static inline fn_tcp_outcome fn_platform_tcp_send(const fn_platform *platform, fn_tcp *tcp,
                                                  const void *data, size_t bytes, size_t *moved)
{
    return platform->ops->tcp_send(platform->world, tcp, data, bytes, moved);
}

static inline fn_tcp_outcome fn_platform_tcp_receive(const fn_platform *platform, fn_tcp *tcp,
                                                     void *data, size_t capacity, size_t *moved)
{
    return platform->ops->tcp_receive(platform->world, tcp, data, capacity, moved);
}

static inline void fn_platform_tcp_set_nodelay(const fn_platform *platform, fn_tcp *tcp, bool on)
{
    platform->ops->tcp_set_nodelay(platform->world, tcp, on);
}

static inline void fn_platform_tcp_set_unsent_max(const fn_platform *platform, fn_tcp *tcp,
                                                  uint32_t bytes)
{
    platform->ops->tcp_set_unsent_max(platform->world, tcp, bytes);
}

static inline void fn_platform_tcp_close(const fn_platform *platform, fn_tcp *tcp)
{
    platform->ops->tcp_close(platform->world, tcp);
}

static inline void fn_platform_tcp_abort(const fn_platform *platform, fn_tcp *tcp)
{
    platform->ops->tcp_abort(platform->world, tcp);
}

static inline int fn_platform_tcp_watch(const fn_platform *platform, const fn_tcp *tcp,
                                        uint64_t token, uint32_t interest, fn_io_error *error)
{
    return platform->ops->tcp_watch(platform->world, tcp, token, interest, error);
}

static inline int fn_platform_tcp_rewatch(const fn_platform *platform, const fn_tcp *tcp,
                                          uint64_t token, uint32_t interest, fn_io_error *error)
{
    return platform->ops->tcp_rewatch(platform->world, tcp, token, interest, error);
}

static inline void fn_platform_tcp_unwatch(const fn_platform *platform, const fn_tcp *tcp)
{
    platform->ops->tcp_unwatch(platform->world, tcp);
}

static inline bool fn_platform_host_parse(const fn_platform *platform, const char *text,
                                          fn_address *out)
{
    return platform->ops->host_parse(platform->world, text, out);
}

static inline fn_resolve *fn_platform_resolve_start(const fn_platform *platform, const char *host,
                                                    uint16_t port, fn_io_error *error)
{
    return platform->ops->resolve_start(platform->world, host, port, error);
}

static inline bool fn_platform_resolve_finished(const fn_platform *platform,
                                                const fn_resolve *resolve)
{
    return platform->ops->resolve_finished(platform->world, resolve);
}

static inline int fn_platform_resolve_get(const fn_platform *platform, fn_resolve *resolve,
                                          fn_resolve_result *result, fn_io_error *error)
{
    return platform->ops->resolve_get(platform->world, resolve, result, error);
}

static inline void fn_platform_resolve_release(const fn_platform *platform, fn_resolve *resolve)
{
    platform->ops->resolve_release(platform->world, resolve);
}

static inline int fn_platform_warm_open(const fn_platform *platform, fn_io_error *error)
{
    return platform->ops->warm_open(platform->world, error);
}

static inline void fn_platform_warm_close(const fn_platform *platform)
{
    platform->ops->warm_close(platform->world);
}

static inline bool fn_platform_warm_carry(const fn_platform *platform, uint32_t from,
                                          const uint8_t *data, uint32_t bytes, fn_datagram *in)
{
    return platform->ops->warm_carry(platform->world, from, data, bytes, in);
}

#endif
