/*
 * bad_links.h: the endpoint's bad network, one link for each way: what is sent passes one on its way
 * to the socket, what is received the other on its way to the sessions.
 */
#ifndef FN_HOST_CARRIER_BAD_LINKS_H
#define FN_HOST_CARRIER_BAD_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "host/carrier/bad_link.h"

typedef struct fn_host fn_host;

/* Both anew, with fates of their own; settings of all zero end them. What is held back is lost.
 * False: no memory, and nothing changed. */
bool fn_bad_links_set(fn_host *host, const fn_bad_link_settings *settings);
void fn_bad_links_end(fn_host *host);

/* A datagram arrived. False: there is no bad link, it goes on at once. */
bool fn_bad_links_hold(fn_host *host, const fn_address *from, const uint8_t *data, uint32_t bytes,
                       uint64_t now_ns);

#endif
