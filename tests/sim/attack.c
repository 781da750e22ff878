#include "attack.h"

#include "base/units.h"
#include "core/wire.h"
#include "world_internal.h"

#define RACE_NS         (5 * FN_NS_PER_MS)
#define REPLAY_LATER_NS (500 * FN_NS_PER_MS)

void fn_attack_damage(fn_rng *rng, uint8_t *data, uint32_t *bytes)
{
    switch (fn_rng_below(rng, 3)) {
    case 0:
        *bytes = (uint32_t)fn_rng_below(rng, *bytes);
        break;
    case 1:
        data[fn_rng_below(rng, *bytes)] ^= 0x80;
        break;
    default:
        data[0] ^= (uint8_t)(1u << fn_rng_below(rng, 8));
        break;
    }
}

void fn_attack_forge(fn_rng *rng, uint8_t *data, uint32_t bytes)
{
    uint32_t header_bytes = FN_WIRE_NUMBER_OFFSET + (data[0] & FN_WIRE_NUMBER_BITS) + 1;
    data[header_bytes - 1] += (uint8_t)fn_rng_below(rng, 8);
    fn_rng_bytes(rng, data + header_bytes, bytes - header_bytes);
}

static fn_datagram *make_attack(const fn_datagram *seen)
{
    fn_datagram *copy = fn_datagram_clone(seen);
    copy->attack = true;
    return copy;
}

/* Keeps some of what went by. */
static void record(fn_world *world, const fn_datagram *seen)
{
    uint64_t place = fn_rng_below(&world->rng, FN_WORLD_RECORDED_MAX);
    if (world->recorded[place] != NULL)
        fn_datagram_release(world->recorded[place]);
    world->recorded[place] = make_attack(seen);
}

/* Out it goes, and is counted. */
static void send_attack(fn_world *world, fn_datagram *copy, uint64_t at_ns, uint64_t *kind)
{
    (*kind)++;
    if (copy->from == FN_WORLD_ATTACKER_ADDRESS) {
        world->tally.from_attacker++;
        if (copy->to == FN_WORLD_SERVER_ADDRESS)
            world->tally.server_bytes += copy->bytes;
    }
    fn_datagram_launch(world, copy, at_ns);
}

static void replay(fn_world *world, bool from_elsewhere)
{
    fn_datagram *old = world->recorded[fn_rng_below(&world->rng, FN_WORLD_RECORDED_MAX)];
    if (old == NULL)
        return;
    fn_datagram *copy = make_attack(old);
    if (from_elsewhere)
        copy->from = FN_WORLD_ATTACKER_ADDRESS;
    uint64_t at_ns = world->now_ns + fn_rng_below(&world->rng, REPLAY_LATER_NS);
    send_attack(world, copy, at_ns,
                from_elsewhere ? &world->tally.elsewhere : &world->tally.replayed);
}

static void race(fn_world *world, const fn_datagram *seen, uint64_t at_ns)
{
    fn_datagram *copy = make_attack(seen);
    copy->from = FN_WORLD_ATTACKER_ADDRESS;
    uint64_t early_ns = fn_sub_saturating(at_ns, RACE_NS);
    send_attack(world, copy, fn_max_u64(world->now_ns, early_ns), &world->tally.raced);
}

/* A copy that will be changed. */
static fn_datagram *make_other(const fn_world *world, const fn_datagram *seen)
{
    fn_datagram *copy = make_attack(seen);
    copy->pristine = false;
    if (world->config.attack.all_elsewhere)
        copy->from = FN_WORLD_ATTACKER_ADDRESS;
    return copy;
}

static void damage(fn_world *world, const fn_datagram *seen)
{
    fn_datagram *copy = make_other(world, seen);
    fn_attack_damage(&world->rng, copy->data, &copy->bytes);
    send_attack(world, copy, world->now_ns + FN_NS_PER_MS, &world->tally.damaged);
}

static void forge(fn_world *world, const fn_datagram *seen)
{
    fn_datagram *copy = make_other(world, seen);
    fn_attack_forge(&world->rng, copy->data, copy->bytes);
    send_attack(world, copy, world->now_ns + FN_NS_PER_MS, &world->tally.forged);
}

void fn_world_attack(fn_world *world, const fn_datagram *seen, uint64_t at_ns)
{
    const fn_attack *attack = &world->config.attack;
    if (attack->sessions_only && !(seen->sender->connected && seen->sender->peer->connected))
        return;
    if (attack->replay_permille + attack->elsewhere_permille > 0)
        record(world, seen);
    if (fn_rng_chance(&world->rng, attack->replay_permille))
        replay(world, false);
    if (fn_rng_chance(&world->rng, attack->elsewhere_permille))
        replay(world, true);
    if (at_ns != FN_NEVER && fn_rng_chance(&world->rng, attack->race_permille))
        race(world, seen, at_ns);
    if (fn_rng_chance(&world->rng, attack->damage_permille))
        damage(world, seen);
    if (fn_rng_chance(&world->rng, attack->forge_permille))
        forge(world, seen);
}
