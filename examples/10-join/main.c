/*
 * 10-join: who may join, who is thrown out and why, and who comes back.
 *
 * Run it without arguments. Three players connect to a server that asks for a token. Eve's is wrong:
 * she is rejected, with a reason. Bob moves faster than the game allows: he is kicked, with a
 * reason. Ann's session is ended for maintenance: her client connects again by itself. Server and
 * players live in one program here; each has its own endpoint, as if on different machines.
 */
#include "../local.h"

#define COMMANDS       FASTNET_CHANNEL_RELIABLE_ORDERED
#define SPEED_MAX      5
#define PAUSE_MS_FIRST 100 /* before the first new attempt; doubles, up to ... */
#define PAUSE_MS_MAX   10000
#define PATIENCE_NS    20000000000u

/* The application's codes: the other side finds them in FastNetEvent.app_code. */
enum { REASON_TOKEN = 1, REASON_CHEATING = 2, REASON_MAINTENANCE = 3 };

/* What the server knows of who may play. In a real game a token is a ticket that your login service
 * signed, valid for a minute: TLS keeps it secret on the way, and the server checks the signature. */
typedef struct Account {
    const char *name;
    const char *token;
    uint32_t sessions; /* so far */
    bool moved;        /* in the second session: all is said */
} Account;

typedef struct Player {
    const char *name;
    const char *token;
    uint8_t speed;
    FastNetEndpoint *endpoint;
    FastNetPeerId server; /* 0 = not connecting, not connected */
    uint64_t retry_at_ns; /* 0 = does not come back */
    uint32_t pause_ms;
} Player;

/* --- the server ------------------------------------------------------------------------ */

static Account *find_account(Account *accounts, uint32_t count, const FastNetEvent *event)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = strlen(accounts[i].token);
        if (event->data_len == bytes && memcmp(event->data, accounts[i].token, bytes) == 0) {
            return &accounts[i];
        }
    }
    return NULL;
}

/* Every CONNECT_REQUEST is answered, now or within connect_request_timeout_ms. */
static void answer_request(FastNetEndpoint *server, const FastNetEvent *event, Account *account)
{
    if (!account) {
        printf("server: somebody is rejected\n");
        fastnet_reject(server, event->peer_id, REASON_TOKEN, "unknown player or wrong token");
        return;
    }
    fastnet_peer_set_user(server, event->peer_id, account);
    fastnet_accept(server, event->peer_id);
}

static void judge_move(FastNetEndpoint *server, const FastNetEvent *event)
{
    Account *account = event->user;
    if (event->data_len != 1 || event->data[0] > SPEED_MAX) {
        printf("server: %s is kicked\n", account->name);
        fastnet_disconnect(server, event->peer_id, REASON_CHEATING, "faster than the game allows");
    } else if (account->sessions == 1) {
        printf("server: %s's session is ended for maintenance\n", account->name);
        fastnet_disconnect(server, event->peer_id, REASON_MAINTENANCE, "back in a moment");
    } else {
        printf("server: %s moves\n", account->name);
        account->moved = true;
    }
}

static void server_event(FastNetEndpoint *server, const FastNetEvent *event, Account *accounts,
                         uint32_t account_count)
{
    Account *account = event->user;
    switch (event->type) {
    case FASTNET_EVENT_CONNECT_REQUEST:
        answer_request(server, event, find_account(accounts, account_count, event));
        break;
    case FASTNET_EVENT_CONNECTED:
        account->sessions++;
        printf("server: %s joined, session %u\n", account->name, (unsigned)account->sessions);
        break;
    case FASTNET_EVENT_DATA:
        judge_move(server, event);
        break;
    case FASTNET_EVENT_DISCONNECTED: /* left by herself; whom we disconnect is not mentioned again */
    case FASTNET_EVENT_ERROR:        /* accepted, and gone before CONNECTED */
        printf("server: %s is gone: %s\n", account->name, (const char *)event->data);
        break;
    }
}

/* --- a player -------------------------------------------------------------------------- */

/* Can be called from the very handler that was told of the end: the old peer's place is free. */
static void join(Player *player, uint16_t tls_port)
{
    FastNetConnectOptions options;
    fastnet_connect_options_init(&options);
    options.token = (const uint8_t *)player->token;
    options.token_bytes = (uint32_t)strlen(player->token);
    player->retry_at_ns = 0;
    if (fastnet_connect(player->endpoint, "localhost", tls_port, &options, &player->server) !=
        FASTNET_OK) {
        fprintf(stderr, "%s: %s\n", player->name, fastnet_last_error_text(player->endpoint));
        player->server = 0;
    }
}

/* Is it worth trying again? After a decision of the server only where its code says so. */
static bool comes_back(const FastNetEvent *event)
{
    switch (event->error_code) {
    case FASTNET_ERR_TIMEOUT: /* the network */
    case FASTNET_ERR_ADDRESS: /* nobody listens: the server may be starting */
    case FASTNET_ERR_FULL:
    case FASTNET_ERR_GONE:  /* the server was restarted */
    case FASTNET_ERR_LIMIT: /* too many players behind this address */
        return true;
    case FASTNET_ERR_CLOSED: /* in the handshake: this address is limited, or banned */
        return event->type == FASTNET_EVENT_ERROR || event->app_code == REASON_MAINTENANCE;
    default:
        return event->app_code == REASON_MAINTENANCE;
    }
}

/* A pause that doubles, and half of it by chance (what the nanoseconds say): a thousand players do
 * not return at once. */
static void plan_retry(Player *player)
{
    uint32_t half_ms = player->pause_ms / 2;
    uint32_t pause_ms = half_ms + (uint32_t)(fastnet_now_ns() % (half_ms + 1));
    player->retry_at_ns = fastnet_now_ns() + pause_ms * 1000000ull;
    player->pause_ms = player->pause_ms * 2 < PAUSE_MS_MAX ? player->pause_ms * 2 : PAUSE_MS_MAX;
}

static void player_event(Player *player, const FastNetEvent *event)
{
    if (event->type == FASTNET_EVENT_CONNECTED) {
        player->pause_ms = PAUSE_MS_FIRST;
        fastnet_send(player->endpoint, player->server, COMMANDS, &player->speed, 1);
    } else if (event->type == FASTNET_EVENT_ERROR || event->type == FASTNET_EVENT_DISCONNECTED) {
        printf("%s: %s (%s, code %u)\n", player->name, (const char *)event->data,
               fastnet_result_name(event->error_code), (unsigned)event->app_code);
        player->server = 0;
        if (comes_back(event)) {
            plan_retry(player);
        }
    }
}

static void player_frame(Player *player, uint16_t tls_port)
{
    FastNetEvent events[16];
    int32_t count = fastnet_poll(player->endpoint, events, 16, 0);
    for (int32_t i = 0; i < count; i++) {
        player_event(player, &events[i]);
    }
    if (player->retry_at_ns != 0 && fastnet_now_ns() >= player->retry_at_ns) {
        join(player, tls_port);
    }
}

int main(void)
{
    Account accounts[] = {{.name = "ann", .token = "a-1234"}, {.name = "bob", .token = "b-5678"}};
    Player players[] = {{.name = "ann", .token = "a-1234", .speed = 3},
                        {.name = "bob", .token = "b-5678", .speed = 99},
                        {.name = "eve", .token = "guessed", .speed = 3}};
    Local local;
    local_start(&local);
    FastNetConfig config;
    fastnet_config_init(&config);
    config.trusted_roots_path = local.ca_path;
    for (int i = 0; i < 3; i++) {
        players[i].endpoint = local_endpoint(&config);
        players[i].pause_ms = PAUSE_MS_FIRST;
    }
    config.listen = true;
    config.connect_requests = true; /* CONNECT_REQUEST instead of letting everybody in */
    config.certificate_path = local.certificate_path;
    config.private_key_path = local.key_path;
    FastNetEndpoint *server = local_endpoint(&config);
    uint16_t tls_port = fastnet_tls_port(server);
    for (int i = 0; i < 3; i++) {
        join(&players[i], tls_port);
    }

    uint64_t until_ns = fastnet_now_ns() + PATIENCE_NS;
    bool done = false;
    while (!done && fastnet_now_ns() < until_ns) {
        FastNetEvent event;
        if (fastnet_poll(server, &event, 1, 1000) == 1) {
            server_event(server, &event, accounts, 2);
        }
        for (int i = 0; i < 3; i++) {
            player_frame(&players[i], tls_port);
        }
        done = accounts[0].moved && players[1].server == 0 && players[2].server == 0;
    }
    for (int i = 0; i < 3; i++) {
        fastnet_endpoint_destroy(players[i].endpoint);
    }
    fastnet_endpoint_destroy(server);
    local_stop(&local);
    return done ? 0 : 1;
}
