/*
 * config.h: what the application asked for, checked and copied, so that nothing of it is borrowed
 * after create.
 *
 * Versions: struct_size says how much of the struct the application knows. What it does not know
 * has its default; what it knows and we do not must be zero.
 */
#ifndef FN_API_CONFIG_H
#define FN_API_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/pool.h"
#include "core/channel_table.h"
#include "core/hello.h"
#include "crypto/failure.h"
#include "crypto/tls_context.h"
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

/* A public struct never grows so large: a size above it was never set. */
enum { FN_CONFIG_STRUCT_BYTES_MAX = 4096 };

/* Checks every field and fills out. ERR_ARGUMENT: the sentence names the field and its range. */
int fn_config_read(const FastNetConfig *given, fn_config *out, fn_failure *failure);

/* The same for one connect's options: out has every field, those that the application does not know
 * zero. given may be NULL. */
int fn_config_read_options(const FastNetConnectOptions *given, FastNetConnectOptions *out,
                           fn_failure *failure);

/* Copies a struct of the application's size over one of ours that holds the defaults. */
int fn_config_read_sized(const void *given, uint32_t given_bytes, void *ours, uint32_t our_bytes,
                         uint32_t first_version_bytes, const char *what, fn_failure *failure);

/* Rows of the table of peers: above peers_max those that the application knows to have ended, whose
 * texts and payloads it may still look at. Their places are free. */
uint32_t fn_config_peer_rows(const fn_config *config);

/* How memory_bytes_max is shared, and the most that one connection can hold of it. */
fn_pool_shares fn_config_memory_shares(const FastNetConfig *given);
size_t fn_config_connection_cap_bytes(const fn_config *config);

/* A connection with less of its own than this can be brought to a halt by others. */
enum { FN_CONFIG_HOME_BYTES_ADVISED = 4096 };

#endif
