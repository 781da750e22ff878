/*
 * 04-game-loop: a server at 60 frames a second and a few moving players.
 *
 * Run it without arguments, or with the number of seconds (default 3). Players send commands on the
 * reliable ordered channel; the server moves them and broadcasts everyone's position on the
 * unreliable one. Server and players live in one program here; each has its own endpoint, as if
 * they were on different machines.
 */
#include <math.h>
#include <time.h>

#include "../local.h"

#define PLAYERS      4
#define FRAMES_PER_S 60
#define FRAME_NS     (1000000000u / FRAMES_PER_S)
#define SPEED        5.0f /* units a second */
#define COMMANDS     FASTNET_CHANNEL_RELIABLE_ORDERED
#define POSITIONS    FASTNET_CHANNEL_UNRELIABLE

typedef struct Player { /* what the server knows of one */
    FastNetPeerId peer;
    float x, y, heading;
    uint32_t commands;
} Player;

/* On the wire. A real game would fix the byte order; both ends are this program. */
typedef struct Command {
    float heading;
} Command;

typedef struct Position {
    uint32_t peer;
    uint32_t frame;
    float x, y;
} Position;

typedef struct Client {
    FastNetEndpoint *endpoint;
    FastNetPeerId server;
    bool connected;
    uint32_t positions; /* how many it was told */
} Client;

static Player *find_player(Player players[PLAYERS], FastNetPeerId peer)
{
    for (int i = 0; i < PLAYERS; i++) {
        if (players[i].peer == peer) {
            return &players[i];
        }
    }
    return NULL;
}

static void server_frame(FastNetEndpoint *server, Player players[PLAYERS], uint32_t frame)
{
    FastNetEvent events[64];
    int32_t count = fastnet_poll(server, events, 64, 0);
    for (int32_t i = 0; i < count; i++) {
        /* A free place has peer 0. */
        Player *player =
            find_player(players, events[i].type == FASTNET_EVENT_CONNECTED ? 0 : events[i].peer_id);
        if (!player) {
            continue;
        }
        if (events[i].type == FASTNET_EVENT_CONNECTED) {
            *player = (Player){.peer = events[i].peer_id};
        } else if (events[i].type == FASTNET_EVENT_DISCONNECTED) {
            player->peer = 0;
        } else if (events[i].type == FASTNET_EVENT_DATA && events[i].data_len == sizeof(Command)) {
            Command command;
            memcpy(&command, events[i].data, sizeof command);
            player->heading = command.heading;
            player->commands++;
        }
    }
    for (int i = 0; i < PLAYERS; i++) {
        Player *player = &players[i];
        if (player->peer) {
            player->x += cosf(player->heading) * SPEED / FRAMES_PER_S;
            player->y += sinf(player->heading) * SPEED / FRAMES_PER_S;
            Position position = {player->peer, frame, player->x, player->y};
            fastnet_broadcast(server, 0, POSITIONS, &position, sizeof position);
        }
    }
    fastnet_flush(server); /* this frame's positions leave in this frame */
}

static void client_frame(Client *client, uint32_t frame, int number)
{
    FastNetEvent events[64];
    int32_t count = fastnet_poll(client->endpoint, events, 64, 0);
    for (int32_t i = 0; i < count; i++) {
        if (events[i].type == FASTNET_EVENT_CONNECTED) {
            client->connected = true;
        } else if (events[i].type == FASTNET_EVENT_ERROR) {
            fprintf(stderr, "player %d: %s\n", number, (const char *)events[i].data);
        } else if (events[i].type == FASTNET_EVENT_DATA && events[i].channel == POSITIONS) {
            client->positions++;
        }
    }
    if (client->connected && frame % 10 == 0) { /* six commands a second: turn a little */
        Command command = {.heading = (float)frame / 30.0f + (float)number};
        fastnet_send(client->endpoint, client->server, COMMANDS, &command, sizeof command);
        fastnet_flush(client->endpoint);
    }
}

static void sleep_until(uint64_t when_ns)
{
    uint64_t now_ns = fastnet_now_ns();
    if (when_ns > now_ns) {
        struct timespec rest = {0, (long)(when_ns - now_ns)};
        nanosleep(&rest, NULL);
    }
}

int main(int argc, char **argv)
{
    Local local;
    Player players[PLAYERS] = {{0}};
    Client clients[PLAYERS] = {{0}};
    uint32_t frames = (uint32_t)(argc > 1 ? strtoul(argv[1], NULL, 10) : 3) * FRAMES_PER_S;
    local_start(&local);
    FastNetEndpoint *server = local_server(&local);
    for (int i = 0; i < PLAYERS; i++) {
        clients[i].endpoint = local_client(&local, server, &clients[i].server);
    }

    uint64_t due_ns = fastnet_now_ns();
    for (uint32_t frame = 0; frame < frames; frame++) {
        server_frame(server, players, frame);
        for (int i = 0; i < PLAYERS; i++) {
            client_frame(&clients[i], frame, i);
        }
        due_ns += FRAME_NS;
        sleep_until(due_ns);
    }

    int missing = 0;
    printf("%-6s %8s %8s %9s %15s %9s\n", "player", "x", "y", "commands", "positions seen", "rtt");
    for (int i = 0; i < PLAYERS; i++) {
        FastNetPeerStats stats = {.struct_size = sizeof stats};
        fastnet_peer_stats(clients[i].endpoint, clients[i].server, &stats);
        printf("%-6d %8.2f %8.2f %9u %15u %6.0f us\n", i, (double)players[i].x,
               (double)players[i].y, (unsigned)players[i].commands, (unsigned)clients[i].positions,
               (double)stats.rtt_ns / 1e3);
        missing += !clients[i].connected || clients[i].positions == 0 || players[i].commands == 0;
        fastnet_endpoint_destroy(clients[i].endpoint);
    }
    fastnet_endpoint_destroy(server);
    local_stop(&local);
    return missing == 0 ? 0 : 1;
}
