#include "api/spare.h"

#include "api/endpoint.h"
#include "base/units.h"

/* A row goes to another peer only after its own was silent for so long: with many peers a few of
 * them keep what was prepared, instead of all losing it in turns. */
#define QUIET_NS (50 * FN_NS_PER_MS)

/* Who sends more seldom finds the caches cold anyway: what was prepared would gain it nothing, and
 * a server with a thousand such peers would do little else. */
#define HOT_NS (5 * FN_NS_PER_MS)

enum { SLOT_MASK = FN_SPARE_PEERS - 1 };

static_assert((FN_SPARE_PEERS & SLOT_MASK) == 0, "the low bits of the slot are the row");

int fn_spare_init(FastNetEndpoint *endpoint, fn_failure *failure)
{
    fn_spare *spare = &endpoint->spare;
    spare->warm_interval_ns = endpoint->config.given.keep_warm_us * FN_NS_PER_US;
    if (spare->warm_interval_ns == 0)
        return FASTNET_OK;
    spare->rehearsal = fn_blocks_take(&endpoint->blocks, sizeof *spare->rehearsal, true);
    if (spare->rehearsal == NULL)
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for keep_warm_us");
    return fn_rehearsal_open(endpoint, spare->rehearsal, failure);
}

void fn_spare_close(FastNetEndpoint *endpoint)
{
    if (endpoint->spare.rehearsal != NULL)
        fn_rehearsal_close(endpoint->spare.rehearsal);
    endpoint->spare.rehearsal = NULL;
}

void fn_spare_heard(fn_spare *spare, const fn_peer *peer, uint64_t now_ns)
{
    fn_spare_row *row = &spare->rows[peer->id & SLOT_MASK];
    bool known = row->peer == peer->id;
    if (!known && row->peer != 0 && now_ns - row->heard_ns < QUIET_NS)
        return;
    row->hot = known && now_ns - row->heard_ns < HOT_NS;
    row->peer = peer->id;
    row->heard_ns = now_ns;
    spare->all_prepared &= !row->hot;
}

void fn_spare_sent(fn_spare *spare, uint64_t now_ns)
{
    spare->all_prepared = false; /* a number was used up */
    spare->warmed_ns = now_ns;
}

static bool prepare(FastNetEndpoint *endpoint, fn_spare_row *row, uint64_t now_ns)
{
    if (!row->hot || now_ns - row->heard_ns >= QUIET_NS)
        return false;
    fn_peer *peer = fn_peer_find_any(endpoint, row->peer);
    return peer != NULL && peer->conn != NULL && fn_conn_prepare(peer->conn, now_ns);
}

static void prepare_next(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    fn_spare *spare = &endpoint->spare;
    for (uint32_t i = 0; i < FN_SPARE_PEERS; i++) {
        if (prepare(endpoint, &spare->rows[spare->next], now_ns)) {
            spare->prepared++;
            return;
        }
        spare->next = (spare->next + 1) & SLOT_MASK;
    }
    spare->all_prepared = true;
}

void fn_spare_work(FastNetEndpoint *endpoint, uint64_t now_ns)
{
    fn_spare *spare = &endpoint->spare;
    if (!spare->all_prepared) {
        prepare_next(endpoint, now_ns);
    } else if (spare->rehearsal != NULL && now_ns - spare->warmed_ns >= spare->warm_interval_ns) {
        fn_rehearsal_play(spare->rehearsal, now_ns);
        spare->warmed_ns = now_ns;
        spare->beats++;
    }
}
