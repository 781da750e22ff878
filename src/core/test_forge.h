/*
 * test_forge.h: datagrams with any frames in them, sealed with the right keys: what a hostile peer
 * can send.
 */
#ifndef FN_CORE_TEST_FORGE_H
#define FN_CORE_TEST_FORGE_H

#include "core/test_conn_pair.h"

#include "base/seq.h"

#include <assert.h>

/* Seals frames as the next packet of a side into pair->last. The side's ledger knows the packet, so
 * that it may be acknowledged. */
static inline void forge_seal(conn_pair *pair, int from, const void *frames, size_t bytes)
{
    fn_conn *conn = pair->sides[from].conn;
    bool room = fn_sent_reserve(&conn->sent, &conn->store, 1);
    assert(room && bytes + FN_WIRE_OVERHEAD_BYTES_MAX <= sizeof pair->last);
    (void)room;
    uint64_t number = conn->sent.next;
    fn_sent_packet *packet = fn_sent_push(&conn->sent);
    packet->time_ns = pair->now_ns;
    fn_sent_left(&conn->sent, packet);
    size_t header_bytes = fn_header_encode(pair->last, conn->config.remote_receiver_id,
                                           conn->send_keys.phase, number, 4);
    if (bytes > 0)
        memcpy(pair->last + header_bytes, frames, bytes);
    fn_send_keys_seal(&conn->send_keys, number, pair->last, header_bytes, pair->last + header_bytes,
                      bytes);
    pair->last_bytes = header_bytes + bytes + FN_WIRE_TAG_BYTES;
}

/* Seals and delivers them to the other side, whose events keep pointing into buffer. */
static inline fn_conn_received forge_send(conn_pair *pair, int from, const void *frames,
                                          size_t bytes, uint8_t *buffer)
{
    forge_seal(pair, from, frames, bytes);
    return pair_deliver(pair, 1 - from, pair->last, pair->last_bytes, buffer);
}

#endif
