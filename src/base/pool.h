/*
 * The memory of one endpoint, and who may have how much of it. Where blocks lie: base/buddy.
 *
 * The arena is cut once, when it is made:
 *   homes   one for each seat (an open account takes one): nobody else ever gets a block there, so
 *           whoever comes finds it, in one piece,
 *   common  all the rest, shared by demand.
 *
 * A block comes from the common part as long as the account holds less of that than is free (the
 * dynamic threshold of Choudhury and Hahne: one alone gets half, many leave each other something,
 * and nobody has to be counted). Else it comes from the account's home. When neither will do, what
 * can be taken back is: every account may offer to give something back (fn_pool_offer), and the
 * largest holders of common memory are asked first, never one that holds less than who asks.
 *
 * What a block is for decides how far it may go:
 *   FN_POOL_LUXURY  common only, and never the last room_bytes of it,
 *   FN_POOL_USUAL   likewise, and half of the home,
 *   FN_POOL_FIRST   what has to come before memory can be given back: all of the home, all of the
 *                   common part, whatever the account holds. The caller bounds how much it is.
 *
 * No account ever holds more than its cap. Charges are whole blocks: fn_pool_block_bytes().
 *
 * Owner: arena and metadata belong to the caller and outlive the pool. Pool and accounts are not
 * moved or copied.
 */
#ifndef FN_BASE_POOL_H
#define FN_BASE_POOL_H

#include "base/buddy.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FN_POOL_BLOCK_BYTES_MIN FN_BUDDY_BYTES_MIN
#define FN_POOL_BLOCK_BYTES_MAX FN_BUDDY_BYTES_MAX

enum { FN_POOL_SIZE_CLASSES = 64 };

/* How the arena is cut. */
typedef struct fn_pool_shares {
    uint32_t seats;    /* accounts at a time */
    size_t home_bytes; /* reserved for each; a multiple of FN_POOL_BLOCK_BYTES_MIN, may be 0 */
    size_t room_bytes; /* of the common part: only FN_POOL_FIRST takes the last so many */
} fn_pool_shares;

typedef enum fn_pool_claim { FN_POOL_LUXURY, FN_POOL_USUAL, FN_POOL_FIRST } fn_pool_claim;

typedef struct fn_pool_account {
    fn_list_node offer; /* among those who can give something back */
    size_t used_bytes;  /* of home and common part together */
    size_t cap_bytes;
    uint32_t seat;
    uint32_t offer_class;
    fn_buddy home;
    void (*give_back)(struct fn_pool_account *account); /* frees what it can, offers no more */
} fn_pool_account;

typedef struct fn_pool {
    fn_buddy common;
    fn_pool_shares shares;
    uint8_t *homes;
    uint8_t *home_tags;
    size_t arena_bytes;
    size_t used_bytes;   /* sum over the accounts */
    uint32_t seats_used; /* so many were ever taken: those beyond were never touched */
    uint32_t seat_free;  /* the last one that was given back: see pool.c */
    uint64_t offered;    /* bit k: offers[k] is not empty */
    fn_list offers[FN_POOL_SIZE_CLASSES]; /* by the highest bit of what they hold in common */
} fn_pool;

/* Bytes of metadata that a pool over an arena of that size needs. */
size_t fn_pool_metadata_bytes(size_t arena_bytes, uint32_t seats);

/* arena is aligned to 16 bytes at least, metadata to 4, without clearing. The homes fit. */
void fn_pool_init(fn_pool *pool, void *arena, size_t arena_bytes, void *metadata,
                  const fn_pool_shares *shares);

/* A seat is free. */
bool fn_pool_has_seat(const fn_pool *pool);

/* Takes a seat. give_back may be NULL when the account never offers anything. False: all seats are
 * taken. */
bool fn_pool_account_open(fn_pool *pool, fn_pool_account *account, size_t cap_bytes,
                          void (*give_back)(fn_pool_account *));

/* Gives the seat back. The account holds nothing any more (an assert). */
void fn_pool_account_close(fn_pool *pool, fn_pool_account *account);

/* What a request of that many bytes is charged: the power of two that holds it; 0 when none does.
 */
static inline size_t fn_pool_block_bytes(size_t bytes)
{
    return fn_buddy_block_bytes(bytes);
}

/* A block of at least `bytes`, not cleared. NULL: back-pressure, not an error. May call give_back
 * of any account, also of this one. */
void *fn_pool_alloc(fn_pool *pool, fn_pool_account *account, size_t bytes, fn_pool_claim claim);

/* Returns a block to the pool and to the account that it was charged to. NULL is fine. */
void fn_pool_free(fn_pool *pool, fn_pool_account *account, void *block);

/* The account has something to give back. It is asked at most once for each offer. */
void fn_pool_offer(fn_pool *pool, fn_pool_account *account);

static inline size_t fn_pool_used_bytes(const fn_pool *pool)
{
    return pool->used_bytes;
}

static inline size_t fn_pool_free_bytes(const fn_pool *pool)
{
    return pool->arena_bytes - pool->used_bytes;
}

/* What the account holds of the common part. */
static inline size_t fn_pool_common_bytes(const fn_pool_account *account)
{
    return account->used_bytes - account->home.used_bytes;
}

#endif
