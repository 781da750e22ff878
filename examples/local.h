/*
 * What the examples share that are server and client in one program: a listening endpoint with a
 * certificate made on the spot, and an endpoint that connects to it, verified.
 */
#ifndef EXAMPLES_LOCAL_H
#define EXAMPLES_LOCAL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fastnet.h"
#include "fastnet/certificate.h"

typedef struct Local {
    char directory[32];
    char ca_path[64];
    char certificate_path[64];
    char key_path[64];
} Local;

/* Makes a CA and a certificate for localhost in a new directory, or ends the program. */
static inline void local_start(Local *local)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
    FastNetCertificateOptions options;
    fastnet_certificate_options_init(&options);
    strcpy(local->directory, "/tmp/fastnet-XXXXXX");
    options.directory = mkdtemp(local->directory);
    options.names = names;
    options.name_count = 3;
    if (!options.directory || fastnet_certificate_write(&options) != FASTNET_OK) {
        fprintf(stderr, "no certificate: %s\n", fastnet_connect_error_text());
        exit(1);
    }
    snprintf(local->ca_path, sizeof local->ca_path, "%s/ca.pem", local->directory);
    snprintf(local->certificate_path, sizeof local->certificate_path, "%s/cert.pem",
             local->directory);
    snprintf(local->key_path, sizeof local->key_path, "%s/key.pem", local->directory);
}

static inline void local_stop(const Local *local)
{
    char path[64];
    static const char *const files[] = {"ca.pem", "ca-key.pem", "cert.pem", "key.pem"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", local->directory, files[i]);
        unlink(path);
    }
    rmdir(local->directory);
}

static inline FastNetEndpoint *local_endpoint(const FastNetConfig *config)
{
    FastNetEndpoint *endpoint = NULL;
    if (fastnet_endpoint_create(config, &endpoint) != FASTNET_OK) {
        fprintf(stderr, "no endpoint: %s\n", fastnet_connect_error_text());
        exit(1);
    }
    return endpoint;
}

/* A server on any two free ports. */
static inline FastNetEndpoint *local_server(const Local *local)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.listen = true;
    config.certificate_path = local->certificate_path;
    config.private_key_path = local->key_path;
    return local_endpoint(&config);
}

/* A client that has begun to connect to it: CONNECTED or ERROR follows from fastnet_poll(). */
static inline FastNetEndpoint *local_client(const Local *local, const FastNetEndpoint *server,
                                            FastNetPeerId *out_peer)
{
    FastNetConfig config;
    fastnet_config_init(&config);
    config.trusted_roots_path = local->ca_path;
    FastNetEndpoint *client = local_endpoint(&config);
    if (fastnet_connect(client, "localhost", fastnet_tls_port(server), NULL, out_peer) !=
        FASTNET_OK) {
        fprintf(stderr, "no connection: %s\n", fastnet_last_error_text(client));
        exit(1);
    }
    return client;
}

#endif
