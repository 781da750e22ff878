/* The short form for servers: a listening endpoint with the default config. */
#include "api/endpoint.h"
#include "api/peer_calls.h"
#include "api/poll.h"
#include "fastnet.h"
#include "host/shutdown.h"

FastNetServer fastnet_server_create(uint16_t udp_port, uint16_t tcp_port, const char *cert_path,
                                    const char *key_path)
{
    FastNetConfig config;
    FastNetEndpoint *endpoint;
    fastnet_config_init(&config);
    config.listen = true;
    config.udp_port = udp_port;
    config.tls_port = tcp_port;
    config.certificate_path = cert_path;
    config.private_key_path = key_path;
    return fastnet_endpoint_create(&config, &endpoint) == FASTNET_OK ? endpoint : NULL;
}

bool fastnet_server_poll(FastNetServer server, FastNetEvent *event)
{
    return fn_poll_one(server, event);
}

int32_t fastnet_server_send(FastNetServer server, FastNetPeerId peer, uint8_t channel,
                            const uint8_t *data, uint32_t data_len)
{
    return fn_send_at_once(server, peer, channel, data, data_len);
}

int32_t fastnet_server_disconnect(FastNetServer server, FastNetPeerId peer)
{
    return fastnet_disconnect(server, peer, 0, NULL);
}

uint32_t fastnet_server_peer_count(FastNetServer server)
{
    return fastnet_peer_count(server);
}

void fastnet_server_destroy(FastNetServer server)
{
    fastnet_server_destroy_with_reason(server, 0, NULL);
}

void fastnet_server_destroy_with_reason(FastNetServer server, uint32_t code, const char *text)
{
    if (server == NULL)
        return;
    fn_shutdown_wait(&server->host, code, text);
    fastnet_endpoint_destroy(server);
}
