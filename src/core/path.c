#include "core/path.h"

#include "base/seq.h"
#include "core/ack.h"

#include <string.h>

/* When the next challenge leaves after the n-th, in ms: 0, 100, 300, 700, 1200 … */
static const uint16_t retry_ms[] = {100, 200, 400};
static const uint16_t retry_ms_later = 500;

void fn_path_open(fn_path *path, const fn_congestion_ops *congestion, uint64_t credit_bytes,
                  bool persistent, uint64_t now_ns)
{
    memset(path, 0, sizeof *path);
    path->state = FN_PATH_CANDIDATE;
    path->received_bytes = credit_bytes;
    path->persistent = persistent;
    path->began_ns = now_ns;
    path->challenge_at_ns = now_ns;
    path->largest_acked = FN_SEQ_NONE;
    fn_rtt_init(&path->rtt, FN_ACK_DELAY_NS);
    fn_congestion_init(&path->congestion, congestion, FN_MTU_BASE_BYTES);
    fn_mtu_init(&path->mtu, FN_MTU_BASE_BYTES, now_ns);
    fn_black_hole_init(&path->hole);
    fn_pacer_init(&path->pacer, fn_congestion_window(&path->congestion), path->rtt.smoothed_ns,
                  FN_MTU_BASE_BYTES, now_ns);
}

void fn_path_open_stream(fn_path *path, const fn_congestion_ops *congestion, uint64_t now_ns)
{
    fn_path_open(path, congestion, 0, false, now_ns);
    path->state = FN_PATH_VALIDATED;
    path->challenge_at_ns = FN_NEVER;
    path->stream = true;
    path->writable = true;
}

uint64_t fn_path_allowance(const fn_path *path)
{
    if (path->state == FN_PATH_VALIDATED)
        return UINT64_MAX;
    return fn_sub_saturating(FN_PATH_AMPLIFICATION * path->received_bytes, path->sent_bytes);
}

static uint64_t pause_ns(const fn_path *path)
{
    uint32_t sent = path->challenges_sent;
    uint64_t ms = sent < FN_ARRAY_COUNT(retry_ms) ? retry_ms[sent] : retry_ms_later;
    if (path->hole.state != FN_BLACK_HOLE_SUSPECTED)
        return ms * FN_NS_PER_MS;
    /* The other side has time to answer, however far away it is. */
    return fn_max_u64(ms * FN_NS_PER_MS, fn_rtt_probe_timeout_ns(&path->rtt, 0));
}

uint64_t fn_path_challenge(fn_path *path, fn_random *random, uint64_t now_ns)
{
    uint64_t data = fn_random_u64(random);
    path->challenges[path->challenges_sent % FN_PATH_CHALLENGES_KEPT] = data;
    uint64_t next_ns = now_ns + pause_ns(path);
    bool last = fn_black_hole_challenged(&path->hole, next_ns);
    path->challenge_at_ns = last ? FN_NEVER : next_ns;
    if (path->challenges_sent < UINT8_MAX)
        path->challenges_sent++;
    else
        path->challenges_sent = FN_PATH_CHALLENGES_KEPT * 80; /* stays large, keeps its remainder */
    return data;
}

void fn_path_ask(fn_path *path, uint64_t now_ns)
{
    if (path->challenge_at_ns != FN_NEVER)
        return;
    path->challenges_sent = 0;
    path->challenge_at_ns = now_ns;
}

void fn_path_ask_later(fn_path *path, uint64_t now_ns)
{
    path->challenge_at_ns = now_ns + retry_ms_later * FN_NS_PER_MS;
}

void fn_path_stop_asking(fn_path *path)
{
    if (path->state == FN_PATH_VALIDATED)
        path->challenge_at_ns = FN_NEVER;
    path->says_small = false;
}

void fn_path_doubt(fn_path *path, uint64_t now_ns)
{
    fn_black_hole_init(&path->hole);
    path->says_small = false;
    path->useless = false;
    path->state = FN_PATH_CANDIDATE;
    path->began_ns = now_ns;
    path->received_bytes = 0;
    path->sent_bytes = 0;
    path->challenges_sent = 0;
    path->challenge_at_ns = now_ns;
}

static bool is_answer(const fn_path *path, uint64_t data)
{
    uint32_t kept = fn_min_u32(path->challenges_sent, FN_PATH_CHALLENGES_KEPT);
    for (uint32_t i = 0; i < kept; i++)
        if (path->challenges[i] == data)
            return true;
    return false;
}

bool fn_path_answered(fn_path *path, uint64_t data, uint32_t datagram_bytes_max, uint64_t now_ns)
{
    if (!is_answer(path, data))
        return false;
    path->challenge_at_ns = FN_NEVER;
    if (fn_black_hole_end(&path->hole))
        fn_path_stop_asking(path);
    if (path->state != FN_PATH_CANDIDATE)
        return false;
    path->state = FN_PATH_VALIDATED;
    path->useless = false;
    fn_mtu_init(&path->mtu, datagram_bytes_max, now_ns);
    return true;
}

bool fn_path_give_up(fn_path *path, uint64_t now_ns)
{
    if (path->persistent || path->challenge_at_ns > now_ns ||
        path->challenges_sent < FN_PATH_CHALLENGES_MAX)
        return false;
    path->challenge_at_ns = FN_NEVER;
    if (path->state != FN_PATH_CANDIDATE)
        return false;
    path->state = FN_PATH_UNUSED;
    return true;
}

void fn_path_refresh(fn_path *path, uint64_t now_ns)
{
    uint32_t packet_bytes = fn_mtu_current(&path->mtu);
    if (packet_bytes != path->congestion.packet_bytes)
        fn_congestion_set_packet_bytes(&path->congestion, packet_bytes);
    fn_pacer_set_rate(&path->pacer, fn_congestion_window(&path->congestion), path->rtt.smoothed_ns,
                      packet_bytes, now_ns);
}
