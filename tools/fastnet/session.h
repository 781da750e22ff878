/* Connecting as a client: the options that ping and demo share, and the wait for CONNECTED. */
#ifndef TOOL_SESSION_H
#define TOOL_SESSION_H

#include "fastnet.h"
#include "options.h"

#define SESSION_MESSAGE_BYTES_MAX (1u << 20)
#define SESSION_TLS_PORT          7778
#define SESSION_HOST              "HOST[:TLS_PORT]"

typedef struct session_options {
    const char *ca_path;
    const char *server_name;
    const char *pin;
    const char *application_id;
    bool insecure;
    uint64_t timeout_ms;
} session_options;

/* Rows for a subcommand's option table. */
#define SESSION_OPTION_ROWS(options)                                                             \
    OPTION_TEXT("--ca", "FILE", &(options)->ca_path,                                             \
                "PEM roots to trust; default: FASTNET_CA_FILE, else the system's"),              \
        OPTION_TEXT("--name", "NAME", &(options)->server_name,                                   \
                    "name the certificate must carry; default: HOST"),                           \
        OPTION_TEXT("--pin", "HEX", &(options)->pin,                                             \
                    "SHA-256 of the server's public key, instead of --ca"),                      \
        OPTION_TEXT("--application-id", "ID", &(options)->application_id,                        \
                    "the server's FastNetConfig.application_id; default: none"),                 \
        OPTION_FLAG("--insecure-without-verification", &(options)->insecure,                     \
                    "accept any certificate: anyone on the way can read and change everything"), \
        OPTION_NUMBER("--timeout-ms", "N", &(options)->timeout_ms, 1, 600000,                    \
                      "how long to wait for the connection, and for each answer; default 5000")

typedef struct session {
    FastNetEndpoint *endpoint;
    FastNetPeerId peer;
    FastNetResult result;                  /* why there is none */
    char text[FASTNET_TEXT_BYTES_MAX * 2]; /* the same as a sentence */
    bool ended;                            /* DISCONNECTED came; result and text say why */
    uint64_t answered_ns; /* how long until CONNECTED, or until the server refused over TLS; 0 = no
                             answer that we believe */
} session;

/* Waits until connected. FASTNET_ERR_ARGUMENT: an option's value; anything else but OK: no session.
 * session_close() is due in every case. */
FastNetResult session_open(session *self, const session_options *options, const char *host);

/* Notes a DISCONNECTED event. */
void session_note_end(session *self, const FastNetEvent *event);

/* "udp", "tcp", "p2p", "relay" or "none". */
const char *session_transport(const session *self);

/* Says goodbye and waits a moment until it is confirmed. */
void session_close(session *self);

#endif
