/*
 * settings.h: what the application asked for, checked: an endpoint's parts read it from here.
 * api/config fills it.
 */
#ifndef FN_HOST_SETTINGS_H
#define FN_HOST_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/pool.h"
#include "core/channel_table.h"
#include "core/hello.h"
#include "fastnet.h"
#include "platform/udp.h"

enum {
    FN_CONFIG_APPLICATION_ID_BYTES = FN_HELLO_APPLICATION_BYTES_MAX + 1,
};

typedef struct fn_config {
    /* The application's values. Its string and table pointers are good during create only; use the
     * copies below afterwards. */
    FastNetConfig given;
    char application_id[FN_CONFIG_APPLICATION_ID_BYTES];
    char advertised_host[FN_HOST_TEXT_BYTES]; /* "" = the address that the client connected to */
    uint16_t advertised_port;                 /* 0 = the bound UDP port */
    fn_address bind_address;                  /* port 0 */
    FastNetChannelConfig channels[FASTNET_CHANNELS_MAX];
    uint32_t channel_count;
    uint8_t channel_table_hash[FN_HASH_BYTES];
    fn_udp_settings socket;
    fn_limits limits; /* what HELLO and WELCOME say of us */
} fn_config;

/* Rows of the table of peers: above peers_max those that the application knows to have ended, whose
 * texts and payloads it may still look at. Their places are free. */
uint32_t fn_config_peer_rows(const fn_config *config);

/* A smaller home holds less than one message and its bookkeeping: the log warns of it. */
enum { FN_CONFIG_HOME_BYTES_ADVISED = 4096 };

/* The least that memory_bytes_max can be: one largest message. */
uint64_t fn_config_memory_bytes_min(const FastNetConfig *given);

/* With this much the one on its way out never keeps out the one that comes in. With less, two
 * endpoints that send to each other can both wait until one of them is closed. */
uint64_t fn_config_memory_bytes_both_ways(const FastNetConfig *given);

/* How the pool is divided: half of it are homes, one for each seat. */
fn_pool_shares fn_config_memory_shares(const FastNetConfig *given);

/* The most of the pool that one connection can hold. */
size_t fn_config_connection_cap_bytes(const fn_config *config);

#endif
