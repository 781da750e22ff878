#include "base/pool.h"

#include "base/bits.h"
#include "base/units.h"

#include <assert.h>
#include <string.h>

#define SEAT_NONE UINT32_MAX

/* --- cutting --- */

/* Seats that were given back are a chain through the metadata behind the tags: the links of a home
 * would touch a page of each. */
static uint32_t *next_seats(const fn_pool *pool)
{
    return (uint32_t *)(void *)(pool->home_tags - pool->shares.seats * sizeof(uint32_t));
}

size_t fn_pool_metadata_bytes(size_t arena_bytes, uint32_t seats)
{
    return seats * sizeof(uint32_t) + fn_buddy_tags_bytes(arena_bytes);
}

void fn_pool_init(fn_pool *pool, void *arena, size_t arena_bytes, void *metadata,
                  const fn_pool_shares *shares)
{
    size_t homes_bytes = shares->seats * shares->home_bytes;
    assert(shares->home_bytes % FN_POOL_BLOCK_BYTES_MIN == 0 && homes_bytes <= arena_bytes);
    memset(pool, 0, sizeof *pool);
    pool->shares = *shares;
    pool->homes = arena;
    pool->home_tags = (uint8_t *)metadata + shares->seats * sizeof(uint32_t);
    pool->seat_free = SEAT_NONE;
    for (uint32_t i = 0; i < FN_POOL_SIZE_CLASSES; i++)
        fn_list_init(&pool->offers[i]);
    fn_buddy_init(&pool->common, pool->homes + homes_bytes, arena_bytes - homes_bytes,
                  pool->home_tags + fn_buddy_tags_bytes(homes_bytes));
    pool->arena_bytes = homes_bytes + pool->common.arena_bytes;
}

/* --- seats --- */

bool fn_pool_has_seat(const fn_pool *pool)
{
    return pool->seat_free != SEAT_NONE || pool->seats_used < pool->shares.seats;
}

static uint32_t take_seat(fn_pool *pool)
{
    uint32_t seat = pool->seat_free;
    if (seat != SEAT_NONE)
        pool->seat_free = next_seats(pool)[seat];
    else if (pool->seats_used < pool->shares.seats)
        seat = pool->seats_used++;
    return seat;
}

bool fn_pool_account_open(fn_pool *pool, fn_pool_account *account, size_t cap_bytes,
                          void (*give_back)(fn_pool_account *))
{
    uint32_t seat = take_seat(pool);
    if (seat == SEAT_NONE)
        return false;
    size_t bytes = pool->shares.home_bytes;
    memset(account, 0, sizeof *account);
    account->cap_bytes = cap_bytes;
    account->seat = seat;
    account->give_back = give_back;
    fn_buddy_init(&account->home, pool->homes + seat * bytes, bytes,
                  pool->home_tags + fn_buddy_tags_bytes(seat * bytes));
    return true;
}

/* --- offers --- */

static uint32_t size_class(const fn_pool_account *account)
{
    return fn_bits_highest(fn_pool_common_bytes(account) | 1);
}

static void withdraw(fn_pool *pool, fn_pool_account *account)
{
    fn_list_remove(&account->offer);
    if (fn_list_empty(&pool->offers[account->offer_class]))
        pool->offered &= ~(UINT64_C(1) << account->offer_class);
}

void fn_pool_offer(fn_pool *pool, fn_pool_account *account)
{
    uint32_t class = size_class(account);
    if (fn_list_linked(&account->offer)) {
        if (class == account->offer_class)
            return;
        withdraw(pool, account);
    }
    account->offer_class = class;
    fn_list_push_back(&pool->offers[class], &account->offer);
    pool->offered |= UINT64_C(1) << class;
}

void fn_pool_account_close(fn_pool *pool, fn_pool_account *account)
{
    assert(account->used_bytes == 0);
    if (fn_list_linked(&account->offer))
        withdraw(pool, account);
    next_seats(pool)[account->seat] = pool->seat_free;
    pool->seat_free = account->seat;
    memset(account, 0, sizeof *account);
}

/* Within a factor of two the one that holds most; NULL when nobody offers. */
static fn_pool_account *largest_offer(const fn_pool *pool)
{
    if (pool->offered == 0)
        return NULL;
    const fn_list *list = &pool->offers[fn_bits_highest(pool->offered)];
    return FN_CONTAINER_OF(fn_list_front(list), fn_pool_account, offer);
}

/* Something was given back for a request that found no room: it may be tried again. */
static bool take_back(fn_pool *pool, fn_pool_account *account, bool from_others)
{
    fn_pool_account *giver = from_others ? largest_offer(pool) : NULL;
    if (giver != NULL && giver != account &&
        fn_pool_common_bytes(giver) <= fn_pool_common_bytes(account))
        giver = NULL;
    if (giver == NULL && fn_list_linked(&account->offer))
        giver = account;
    if (giver == NULL)
        return false;
    withdraw(pool, giver);
    giver->give_back(giver);
    return true;
}

/* --- allocating and freeing --- */

static void charge(fn_pool *pool, fn_pool_account *account, size_t used_bytes)
{
    pool->used_bytes = pool->used_bytes - account->used_bytes + used_bytes;
    account->used_bytes = used_bytes;
    if (fn_list_linked(&account->offer))
        fn_pool_offer(pool, account);
}

static void *from_common(fn_pool *pool, const fn_pool_account *account, size_t bytes,
                         fn_pool_claim claim)
{
    size_t free_bytes = fn_buddy_free_bytes(&pool->common);
    bool first = claim == FN_POOL_FIRST;
    if (bytes + (first ? 0 : pool->shares.room_bytes) > free_bytes ||
        (!first && fn_pool_common_bytes(account) >= free_bytes))
        return NULL;
    return fn_buddy_alloc(&pool->common, bytes);
}

static void *from_home(fn_pool_account *account, size_t bytes, fn_pool_claim claim)
{
    size_t bytes_max = claim == FN_POOL_FIRST   ? account->home.arena_bytes
                       : claim == FN_POOL_USUAL ? account->home.arena_bytes / 2
                                                : 0;
    return account->home.used_bytes + bytes <= bytes_max ? fn_buddy_alloc(&account->home, bytes)
                                                         : NULL;
}

static void *take(fn_pool *pool, fn_pool_account *account, size_t bytes, fn_pool_claim claim)
{
    void *block = from_common(pool, account, bytes, claim);
    return block != NULL ? block : from_home(account, bytes, claim);
}

void *fn_pool_alloc(fn_pool *pool, fn_pool_account *account, size_t bytes, fn_pool_claim claim)
{
    size_t charged = fn_pool_block_bytes(bytes);
    if (charged == 0 || charged > fn_max_size(pool->common.arena_bytes, account->home.arena_bytes))
        return NULL;
    for (;;) {
        bool capped = charged > fn_sub_saturating(account->cap_bytes, account->used_bytes);
        void *block = capped ? NULL : take(pool, account, charged, claim);
        if (block != NULL) {
            charge(pool, account, account->used_bytes + charged);
            return block;
        }
        if (claim == FN_POOL_LUXURY || !take_back(pool, account, !capped))
            return NULL;
    }
}

void fn_pool_free(fn_pool *pool, fn_pool_account *account, void *block)
{
    if (block == NULL)
        return;
    bool at_home = fn_buddy_owns(&account->home, block);
    size_t bytes = fn_buddy_free(at_home ? &account->home : &pool->common, block);
    assert(account->used_bytes >= bytes);
    charge(pool, account, account->used_bytes - bytes);
}
