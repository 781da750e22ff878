#include "host/idle_work.h"

#include "base/units.h"
#include "host/host.h"

/* A row goes to another peer only after its own was silent for so long: with many peers a few of
 * them keep what was prepared, instead of all losing it in turns. */
#define QUIET_NS (50 * FN_NS_PER_MS)

/* Who sends more seldom finds the caches cold anyway: what was prepared would gain it nothing, and
 * a server with a thousand such peers would do little else. */
#define HOT_NS (5 * FN_NS_PER_MS)

enum { SLOT_MASK = FN_IDLE_WORK_PEERS - 1 };

static_assert((FN_IDLE_WORK_PEERS & SLOT_MASK) == 0, "the low bits of the slot are the row");

int fn_idle_work_init(fn_host *host, fn_failure *failure)
{
    fn_idle_work *spare = &host->idle_work;
    spare->warm_interval_ns = host->config.given.keep_warm_us * FN_NS_PER_US;
    if (spare->warm_interval_ns == 0)
        return FASTNET_OK;
    spare->warmer = fn_blocks_take(&host->blocks, sizeof *spare->warmer, true);
    if (spare->warmer == NULL)
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for keep_warm_us");
    return fn_cache_warmer_open(host, spare->warmer, failure);
}

void fn_idle_work_close(fn_host *host)
{
    if (host->idle_work.warmer != NULL)
        fn_cache_warmer_close(host->idle_work.warmer);
    host->idle_work.warmer = NULL;
}

void fn_idle_work_heard(fn_idle_work *spare, const fn_peer *peer, uint64_t now_ns)
{
    fn_idle_work_row *row = &spare->rows[peer->id & SLOT_MASK];
    bool known = row->peer == peer->id;
    if (!known && row->peer != 0 && now_ns - row->heard_ns < QUIET_NS)
        return;
    row->hot = known && now_ns - row->heard_ns < HOT_NS;
    row->peer = peer->id;
    row->heard_ns = now_ns;
    spare->all_prepared &= !row->hot;
}

void fn_idle_work_sent(fn_idle_work *spare, uint64_t now_ns)
{
    spare->all_prepared = false; /* a number was used up */
    spare->warmed_ns = now_ns;
}

static bool prepare(fn_host *host, fn_idle_work_row *row, uint64_t now_ns)
{
    if (!row->hot || now_ns - row->heard_ns >= QUIET_NS)
        return false;
    fn_peer *peer = fn_peer_find_any(host, row->peer);
    return peer != NULL && peer->conn != NULL && fn_conn_prepare(peer->conn, now_ns);
}

static void prepare_next(fn_host *host, uint64_t now_ns)
{
    fn_idle_work *spare = &host->idle_work;
    for (uint32_t i = 0; i < FN_IDLE_WORK_PEERS; i++) {
        if (prepare(host, &spare->rows[spare->next], now_ns)) {
            spare->prepared++;
            return;
        }
        spare->next = (spare->next + 1) & SLOT_MASK;
    }
    spare->all_prepared = true;
}

void fn_idle_work_work(fn_host *host, uint64_t now_ns)
{
    fn_idle_work *spare = &host->idle_work;
    if (!spare->all_prepared) {
        prepare_next(host, now_ns);
    } else if (spare->warmer != NULL && now_ns - spare->warmed_ns >= spare->warm_interval_ns) {
        fn_cache_warmer_play(spare->warmer, now_ns);
        spare->warmed_ns = now_ns;
        spare->beats++;
    }
}
