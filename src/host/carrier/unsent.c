#include "host/carrier/unsent.h"

#include "host/host.h"

enum { REFUSALS_BELIEVED = 12 }; /* in a row */

/* A firewall may refuse a share of what is sent, by chance: what the system refuses is tried again
 * before it is believed. */
static bool is_unroutable(const fn_platform *platform, fn_datagram *datagram)
{
    for (uint32_t i = 0; i < REFUSALS_BELIEVED; i++) {
        fn_platform_udp_send(platform, datagram, 1);
        if (datagram->outcome != FN_UDP_UNROUTABLE)
            return false;
    }
    return true;
}

bool fn_unsent_handle(const fn_platform *platform, const fn_peer *peer, uint8_t path,
                      fn_datagram *datagram)
{
    if (datagram->outcome == FN_UDP_TOO_BIG) {
        fn_conn_path_too_big(peer->conn, path, datagram->length);
        return true;
    }
    /* A client alone can do something about it. */
    if (datagram->outcome != FN_UDP_UNROUTABLE || !peer->is_client ||
        !is_unroutable(platform, datagram))
        return false;
    fn_conn_path_unsendable(peer->conn, path);
    return true;
}

void fn_unsent_keep(fn_datagrams *datagrams, uint32_t first)
{
    uint32_t kept = datagrams->outbound_count - first;
    for (uint32_t i = 0; first > 0 && i < kept; i++) {
        fn_send_slot slot = datagrams->outbound[i];
        fn_datagram entry = datagrams->batch[i];
        datagrams->outbound[i] = datagrams->outbound[first + i];
        datagrams->batch[i] = datagrams->batch[first + i];
        datagrams->outbound[first + i] = slot;
        datagrams->batch[first + i] = entry;
    }
    datagrams->outbound_count = kept;
}

bool fn_unsent_leaves_alone(fn_host *host, const fn_peer *peer, uint8_t path)
{
    bool alone = fn_conn_leaves_alone(peer->conn);
    if (alone && host->datagrams.open && fn_conn_path_is_plain(peer->conn, path))
        fn_platform_udp_set_plain(&host->platform, &peer->paths[path]);
    return alone;
}
