/*
 * channel.h: the channels of one connection, found by number, and whose turn it is to send.
 *
 * A lower priority number goes first, but none of the application's waits for ever: while one
 * waits, it is owed an eighth of what leaves, and goes before the others once that is a quantum.
 * The library's own channels come after everything else, and are owed nothing. Within a priority,
 * deficit round robin: a channel sends until it has used up weight × FN_CHANNEL_QUANTUM bytes, then
 * the next one that has something. All of this counts bytes of frames, so that empty messages are
 * not free.
 */
#ifndef FN_CORE_CHANNEL_H
#define FN_CORE_CHANNEL_H

#include "core/flow.h"
#include "core/receive_queue.h"
#include "core/send_queue.h"
#include "fastnet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FN_CHANNEL_QUANTUM = 1024,
    FN_CHANNEL_SHARE = 8,         /* a priority that waits gets one of so many bytes */
    FN_CHANNEL_LIBRARY_COUNT = 1, /* 255, assets */
    FN_CHANNEL_WORDS = (FASTNET_CHANNELS_MAX + FN_CHANNEL_LIBRARY_COUNT + 63) / 64
};

typedef struct fn_channel {
    fn_send_queue send;
    fn_receive_queue receive;
    int32_t deficit_bytes;
    uint32_t queue_bytes_max;
    uint64_t time_to_live_ns; /* FN_NEVER = none */
    uint16_t priority;
    uint8_t level; /* the index of its priority's */
    uint8_t weight;
    bool real_time; /* the rate floor carries it: unreliable, or marked */
    bool passed;    /* looked at for the present packet: nothing of it fits */
} fn_channel;

/* The channels of one priority: order[first .. end). */
typedef struct fn_channel_level {
    int32_t owed;   /* bytes that left while it waited, less FN_CHANNEL_SHARE × its own */
    uint32_t sends; /* the last of fn_channels.sends that was added */
    uint8_t first;
    uint8_t end;
    uint8_t turn; /* the place in `order` that goes on */
} fn_channel_level;

typedef struct fn_channels {
    fn_channel *items;        /* the application's from 0, then the library's */
    fn_channel_level *levels; /* the most important one first, the library's last */
    uint8_t *order;           /* indexes by priority */
    uint32_t count;
    uint32_t level_count;
    uint32_t sends;   /* calls of fn_channels_sent() */
    bool any_owed;    /* some level may have waited for so long that it goes first */
    bool out_of_turn; /* what fn_channels_next() gave goes before something more important */
    uint64_t busy[FN_CHANNEL_WORDS]; /* bit per item: its send queue may hold something */
    bool partials; /* some receive queue may hold part of a message that can expire */
} fn_channels;

/* What may leave now. */
typedef struct fn_channel_permit {
    fn_flow *flow;
    uint32_t message_window;
    bool real_time_only; /* the window is full: only what the rate floor carries */
} fn_channel_permit;

/* Bytes of memory for that many channels of the application, and as many
 * of the library's as there are. */
size_t fn_channels_bytes(uint32_t application_count);

/* memory: borrowed, fn_channels_bytes(), aligned to 8. */
void fn_channels_init(fn_channels *channels, void *memory, const FastNetChannelConfig *configs,
                      uint32_t application_count);
void fn_channels_free(fn_channels *channels, fn_store *store, fn_unfinished *unfinished);

/* The session ends: all that waits to be sent, acknowledged or completed goes, tags become LOST. */
void fn_channels_abandon(fn_channels *channels, fn_store *store, fn_unfinished *unfinished,
                         fn_send_outcome *outcome);

/* NULL when there is no such channel. */
fn_channel *fn_channels_find(const fn_channels *channels, uint8_t number);

/* Something was put into its send queue, or is to be sent again. */
void fn_channels_touch(fn_channels *channels, const fn_channel *channel);

/* A frame went into a receive queue. */
static inline void fn_channels_received(fn_channels *channels, const fn_channel *channel)
{
    channels->partials |= !fn_list_empty(&channel->receive.partials);
}

/* The first item from `from` on that may hold something to send; count when there is none. */
uint32_t fn_channels_busy_from(const fn_channels *channels, uint32_t from);

/* A new packet is begun: forget what did not fit the last one. */
void fn_channels_begin(fn_channels *channels);

/* Whose turn it is, with what; run->message is NULL when nobody may send. */
fn_channel *fn_channels_next(fn_channels *channels, const fn_channel_permit *permit,
                             fn_send_run *run);

/* The channel that fn_channels_next() gave sent frames of so many bytes. */
void fn_channels_sent(fn_channels *channels, fn_channel *channel, uint32_t bytes);

/* Costs of everything held for sending. */
uint64_t fn_channels_queued_bytes(const fn_channels *channels);

/* Anything reliable that is not acknowledged? */
bool fn_channels_is_flushed(const fn_channels *channels);

/* Unreliable messages that waited too long are dropped. */
void fn_channels_expire(fn_channels *channels, fn_store *store, uint64_t now_ns,
                        fn_send_outcome *outcome);

/* Partial messages likewise; returns how many. Due at fn_channels_deadline(). */
uint32_t fn_channels_expire_partials(fn_channels *channels, fn_store *store, uint64_t now_ns);

/* Likewise, however young. */
uint32_t fn_channels_drop_partials(fn_channels *channels, fn_store *store);

/* When a partial message expires; FN_NEVER. */
uint64_t fn_channels_deadline(const fn_channels *channels);

#endif
