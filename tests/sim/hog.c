#include "hog.h"

#include "base/units.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCKS_MAX = 4096, VAIN_MAX = 50 };

typedef struct fn_hog {
    fn_pool_account account;
    void *blocks[BLOCKS_MAX];
    uint32_t count;
} fn_hog;

/* world->hogs is an array of these. */
static fn_hog *hog_at(const fn_world *world, uint32_t i)
{
    return &((fn_hog *)world->hogs)[i];
}

static void give(fn_world *world, fn_hog *hog, uint32_t at)
{
    fn_pool_free(&world->server.pool, &hog->account, hog->blocks[at]);
    hog->blocks[at] = hog->blocks[--hog->count];
}

void fn_hogs_open(fn_world *world)
{
    world->hogs = calloc(world->config.hogs, sizeof(fn_hog));
    if (world->hogs == NULL)
        abort();
    for (uint32_t i = 0; i < world->config.hogs; i++)
        if (!fn_pool_account_open(&world->server.pool, &hog_at(world, i)->account, SIZE_MAX, NULL))
            fn_world_fail(world, "a neighbour found no seat");
}

static bool take(fn_world *world, fn_hog *hog)
{
    size_t bytes = (size_t)1 << fn_rng_below(&world->rng, 18);
    fn_pool_claim claim = (fn_pool_claim)fn_rng_below(&world->rng, FN_POOL_FIRST + 1);
    void *block = hog->count < BLOCKS_MAX
                      ? fn_pool_alloc(&world->server.pool, &hog->account, bytes, claim)
                      : NULL;
    if (block == NULL)
        return false;
    memset(block, 0xaa, bytes);
    hog->blocks[hog->count++] = block;
    return true;
}

void fn_hogs_take(fn_world *world)
{
    for (uint32_t i = 0; i < world->config.hogs; i++) {
        fn_hog *hog = hog_at(world, i);
        for (uint64_t k = fn_rng_below(&world->rng, hog->count + 1) / 4; k > 0; k--)
            give(world, hog, (uint32_t)fn_rng_below(&world->rng, hog->count));
        for (uint32_t vain = 0; vain < VAIN_MAX;)
            vain = take(world, hog) ? 0 : vain + 1;
    }
}

void fn_hogs_close(fn_world *world)
{
    if (world->hogs == NULL)
        return;
    for (uint32_t i = 0; i < world->config.hogs; i++) {
        fn_hog *hog = hog_at(world, i);
        while (hog->count > 0)
            give(world, hog, hog->count - 1);
        fn_pool_account_close(&world->server.pool, &hog->account);
    }
    free(world->hogs);
    world->hogs = NULL;
}
