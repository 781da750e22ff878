#include "world_internal.h"

#include "base/units.h"

/* Of fn_world_heal(). */
#define HEALTHY_RTT_NS (40 * FN_NS_PER_MS)

/* --- addresses --- */

/* The one in use, or the newest. */
static uint8_t udp_path(const fn_end *client)
{
    uint8_t active = fn_conn_path(client->conn);
    if (active < FN_CONN_PATHS_MAX && client->path_address[active] != 0)
        return active;
    uint8_t newest = FN_CONN_PATH_UNKNOWN;
    for (uint8_t i = 0; i < FN_CONN_PATHS_MAX; i++) {
        if (client->path_address[i] != 0 &&
            (newest == FN_CONN_PATH_UNKNOWN ||
             client->path_address[i] > client->path_address[newest]))
            newest = i;
    }
    return newest;
}

void fn_world_rebind(fn_world *world, uint32_t session)
{
    fn_end *client = fn_world_client(world, session);
    uint8_t path = udp_path(client);
    if (path == FN_CONN_PATH_UNKNOWN)
        return;
    bool validated = fn_world_remote(world, client, client->path_address[path])->validated;
    client->path_address[path] = world->next_address++;
    /* The client's own path is the same as before. */
    fn_world_remote(world, client, client->path_address[path])->validated = validated;
}

void fn_world_roam(fn_world *world, uint32_t session, bool old_dies)
{
    fn_end *client = fn_world_client(world, session);
    uint8_t old = fn_conn_path(client->conn);
    int path = fn_conn_path_add(client->conn, fn_world_host_now(world, client));
    if (path < 0)
        return;
    if (path >= FN_CONN_PATHS_MAX || path == old) {
        fn_world_fail(world, "a path was added over the one in use");
        return;
    }
    client->path_address[path] = world->next_address++;
    client->path_dead[path] = false;
    if (old_dies && old < FN_CONN_PATHS_MAX)
        client->path_dead[old] = true;
    if (world->config.tick_ns == 0)
        fn_world_pump(world, client);
}

/* --- the network --- */

void fn_world_set_down(fn_world *world, uint32_t session, bool up, bool back)
{
    world->links[2 * session].config.down = up;
    world->links[2 * session + 1].config.down = back;
}

void fn_world_set_mtu(fn_world *world, uint32_t session, uint32_t mtu_bytes)
{
    world->links[2 * session].config.mtu_bytes = mtu_bytes;
    world->links[2 * session + 1].config.mtu_bytes = mtu_bytes;
}

void fn_world_heal(fn_world *world)
{
    world->quiet = true;
    world->config.prompt_unreliable = false;
    for (uint32_t i = 0; i < 2 * world->config.sessions; i++) {
        world->links[i].config = (fn_link_config){.delay_ns = HEALTHY_RTT_NS / 2};
        fn_tap *tap = &world->ends[i].tap;
        tap->flight_ns = fn_min_u64(tap->flight_ns, HEALTHY_RTT_NS);
    }
}
