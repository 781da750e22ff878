#include "link/link.h"

#include "base/units.h"

void fn_link_init(fn_link *link, const fn_link_config *config, uint64_t seed)
{
    *link = (fn_link){.config = *config};
    fn_rng_init(&link->rng, seed);
}

/* The state moves before the loss is drawn, so that a burst begins with a loss. */
static bool burst_loses(fn_link *link)
{
    const fn_link_config *config = &link->config;
    uint32_t change = link->in_burst ? config->burst_end_permille : config->burst_start_permille;
    if (fn_rng_chance(&link->rng, change))
        link->in_burst = !link->in_burst;
    return link->in_burst && fn_rng_chance(&link->rng, config->burst_loss_permille);
}

static bool loses(fn_link *link)
{
    bool at_random = fn_rng_chance(&link->rng, link->config.loss_permille);
    bool in_burst = burst_loses(link);
    return link->config.down || at_random || in_burst;
}

static uint64_t serialise_ns(uint64_t bytes, uint64_t rate_bytes_per_s)
{
    return bytes * FN_NS_PER_S / rate_bytes_per_s;
}

static bool queue_is_full(const fn_link *link, uint64_t now_ns)
{
    uint64_t rate = link->config.rate_bytes_per_s;
    uint64_t waiting_ns = fn_sub_saturating(link->busy_until_ns, now_ns);
    return rate != 0 && waiting_ns > serialise_ns(link->config.queue_bytes_max, rate);
}

/* Returns when the bytes have left the queue. */
static uint64_t enqueue(fn_link *link, uint64_t now_ns, size_t bytes)
{
    uint64_t rate = link->config.rate_bytes_per_s;
    uint64_t start_ns = fn_max_u64(now_ns, link->busy_until_ns);
    /* One nanosecond apart at least: what enters in one instant comes out in the same order. */
    uint64_t takes_ns = rate != 0 ? serialise_ns(bytes, rate) : 1;
    link->busy_until_ns = start_ns + fn_max_u64(takes_ns, 1);
    return link->busy_until_ns;
}

static void keep_in_order(uint64_t *at_ns, uint64_t *last_at_ns)
{
    *at_ns = fn_max_u64(*at_ns, *last_at_ns + 1);
    *last_at_ns = *at_ns;
}

static fn_link_copy draw_copy(fn_link *link, uint64_t left_ns)
{
    const fn_link_config *config = &link->config;
    fn_link_copy copy = {.at_ns = left_ns + config->delay_ns};
    copy.at_ns += fn_rng_below(&link->rng, config->jitter_ns + 1);
    if (fn_rng_chance(&link->rng, config->reorder_permille))
        copy.at_ns += config->reorder_delay_ns;
    else if (config->keep_order)
        keep_in_order(&copy.at_ns, &link->last_at_ns);
    copy.corrupt = fn_rng_chance(&link->rng, config->corrupt_permille);
    link->counts.corrupted += copy.corrupt;
    return copy;
}

uint32_t fn_link_send(fn_link *link, uint64_t now_ns, size_t bytes,
                      fn_link_copy out[FN_LINK_COPIES_MAX])
{
    link->counts.entered++;
    if (link->config.mtu_bytes != 0 && bytes > link->config.mtu_bytes) {
        link->counts.too_large++;
        return 0;
    }
    if (loses(link)) {
        link->counts.lost++;
        return 0;
    }
    if (queue_is_full(link, now_ns)) {
        link->counts.queue_full++;
        return 0;
    }
    uint64_t left_ns = enqueue(link, now_ns, bytes);
    out[0] = draw_copy(link, left_ns);
    if (!fn_rng_chance(&link->rng, link->config.duplicate_permille))
        return 1;
    out[1] = draw_copy(link, left_ns);
    link->counts.duplicated++;
    return 2;
}

uint64_t fn_link_send_stream(fn_link *link, uint64_t now_ns, size_t bytes, uint64_t *last_at_ns)
{
    uint64_t at_ns = enqueue(link, now_ns, bytes) + link->config.delay_ns;
    at_ns += fn_rng_below(&link->rng, link->config.jitter_ns + 1);
    keep_in_order(&at_ns, last_at_ns);
    return at_ns;
}

uint64_t fn_link_stream_ready_ns(const fn_link *link, uint64_t now_ns)
{
    uint64_t rate = link->config.rate_bytes_per_s;
    if (rate == 0)
        return now_ns;
    uint64_t half_ns = serialise_ns(link->config.queue_bytes_max / 2, rate);
    return fn_max_u64(now_ns, fn_sub_saturating(link->busy_until_ns, half_ns));
}

void fn_link_damage(fn_link *link, uint8_t *datagram, size_t bytes)
{
    uint64_t flips = fn_rng_between(&link->rng, 1, 4);
    uint64_t first = fn_rng_below(&link->rng, bytes * 8);
    for (uint64_t i = 0; i < flips; i++) {
        /* Distinct bits, or two flips could undo each other. */
        uint64_t bit = (first + i * 13) % (bytes * 8);
        datagram[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}
