/*
 * channel_table.h: the configured channels: the default four, the check of a user's table, the
 * library's own channels, and the hash by which client and server find out that their tables differ
 * (PROTOCOL.md section 7.1).
 */
#ifndef FN_CORE_CHANNEL_TABLE_H
#define FN_CORE_CHANNEL_TABLE_H

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "fastnet.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FN_CHANNEL_TABLE_DEFAULT_COUNT = 4,
    FN_CHANNEL_ASSETS = 255, /* the library's own channel for files */
    FN_CHANNEL_NONE = UINT16_MAX,
};

/*
 * The channels of one endpoint, those of the application first. A channel has a number (0..255, on
 * the wire) and an index (0..fn_channel_table_count() - 1, without gaps, for arrays).
 */
typedef struct fn_channel_table {
    FastNetChannelConfig channels[FASTNET_CHANNELS_MAX + 1]; /* by index */
    uint32_t application_count;
    uint8_t hash[FN_HASH_BYTES]; /* of the application's channels */
} fn_channel_table;

/* The four of FastNetChannel. Unreliable traffic goes first and grows stale after
 * half a second; chat and commands use the rate floor; item pickups share what is
 * left, at least an eighth, with them. */
extern const FastNetChannelConfig fn_channel_table_default[FN_CHANNEL_TABLE_DEFAULT_COUNT];

/* Channel FN_CHANNEL_ASSETS: reliable, after everything else. Not part of the hash. */
extern const FastNetChannelConfig fn_channel_table_assets;

/* OK, or ERR_ARGUMENT and a sentence that names channel and field. An empty table is an error. */
int fn_channel_table_check(const FastNetChannelConfig *channels, uint32_t count,
                           fn_failure *failure);

/* Copies a table that has passed the check (NULL = the default four), adds the
 * library's channels and computes the hash. */
void fn_channel_table_init(fn_channel_table *table, const FastNetChannelConfig *channels,
                           uint32_t count);

/* SHA-256 over the application's channels, from number 0 up. */
void fn_channel_table_hash(const FastNetChannelConfig *channels, uint32_t count,
                           uint8_t out[FN_HASH_BYTES]);

/* How many channels there are, with the library's. */
static inline uint32_t fn_channel_table_count(const fn_channel_table *table)
{
    return table->application_count + 1;
}

/* The index of a channel number from the network or the application; FN_CHANNEL_NONE: no such. */
static inline uint32_t fn_channel_table_index(const fn_channel_table *table, uint8_t number)
{
    if (number < table->application_count)
        return number;
    return number == FN_CHANNEL_ASSETS ? table->application_count : (uint32_t)FN_CHANNEL_NONE;
}

/* The channel number of an index below fn_channel_table_count(). */
static inline uint8_t fn_channel_table_number(const fn_channel_table *table, uint32_t index)
{
    return (uint8_t)(index < table->application_count ? index : (uint32_t)FN_CHANNEL_ASSETS);
}

/* Row of a channel number, NULL when there is no such channel. */
static inline const FastNetChannelConfig *fn_channel_table_find(const fn_channel_table *table,
                                                                uint8_t number)
{
    uint32_t index = fn_channel_table_index(table, number);
    return index == FN_CHANNEL_NONE ? NULL : &table->channels[index];
}

#endif
