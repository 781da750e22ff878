#include "host/carrier/bad_links.h"

#include "host/host.h"

static bool create(fn_host *host, const fn_bad_link_settings *settings, fn_bad_link *links[2])
{
    fn_bad_link_settings mine = *settings;
    const fn_memory *memory = &host->blocks.memory;
    for (uint32_t i = 0; i < 2; i++, mine.seed++)
        links[i] = fn_bad_link_create(memory, &mine, host->datagrams.datagram_bytes);
    if (links[0] != NULL && links[1] != NULL)
        return true;
    fn_bad_link_destroy(memory, links[0]);
    fn_bad_link_destroy(memory, links[1]);
    return false;
}

bool fn_bad_links_set(fn_host *host, const fn_bad_link_settings *settings)
{
    fn_bad_link *links[2] = {NULL, NULL};
    bool on = settings->loss_permille + settings->duplicate_permille + settings->delay_ms +
                  settings->jitter_ms >
              0;
    if (on && !create(host, settings, links))
        return false;
    fn_bad_links_end(host);
    host->datagrams.bad_link = links[0];
    host->datagrams.bad_link_in = links[1];
    return true;
}

void fn_bad_links_end(fn_host *host)
{
    fn_datagrams *datagrams = &host->datagrams;
    fn_bad_link_destroy(&host->blocks.memory, datagrams->bad_link);
    fn_bad_link_destroy(&host->blocks.memory, datagrams->bad_link_in);
    datagrams->bad_link = NULL;
    datagrams->bad_link_in = NULL;
}

/* One that is too long to be held back is none of ours. */
bool fn_bad_links_hold(fn_host *host, const fn_address *from, const uint8_t *data, uint32_t bytes,
                       uint64_t now_ns)
{
    fn_bad_link *link = host->datagrams.bad_link_in;
    if (link == NULL || bytes > link->datagram_bytes_max)
        return false;
    fn_bad_link_put(link, now_ns, from, NULL, data, bytes);
    return true;
}
