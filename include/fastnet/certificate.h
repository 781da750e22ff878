/*
 * fastnet/certificate.h: certificates for development and for matches in a local network.
 *
 * A client connects only to a server whose certificate it can verify. These functions make a small
 * authority (a CA) and a server certificate signed by it; clients trust the CA by its file
 * (FASTNET_CA_FILE, FastNetConfig.trusted_roots_path) or the server by its pin. For a public server
 * use a certificate of a public authority instead.
 *
 * Conventions are those of fastnet.h. No function here uses an endpoint.
 */
#ifndef FASTNET_CERTIFICATE_H
#define FASTNET_CERTIFICATE_H

#include "fastnet.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FASTNET_CERTIFICATE_NAMES_MAX 32
#define FASTNET_CERTIFICATE_DAYS_MAX  3650

/* The files that fastnet_certificate_write() makes in its directory. */
#define FASTNET_CERTIFICATE_CA_FILE     "ca.pem"
#define FASTNET_CERTIFICATE_CA_KEY_FILE "ca-key.pem"
#define FASTNET_CERTIFICATE_FILE        "cert.pem"
#define FASTNET_CERTIFICATE_KEY_FILE    "key.pem"

/* What fastnet_certificate_write() makes. Fill with fastnet_certificate_options_init() first. */
typedef struct FastNetCertificateOptions {
    uint32_t struct_size;     /* set by fastnet_certificate_options_init() */
    uint32_t days;            /* 365: how long the server certificate is valid; 1..3650 */
    const char *directory;    /* where the files go; made when missing */
    const char *const *names; /* host names and numeric addresses that clients will connect to */
    uint32_t name_count;      /* 1..FASTNET_CERTIFICATE_NAMES_MAX */
    uint32_t reserved;        /* 0 */
} FastNetCertificateOptions;

/* Fills in the defaults for a struct of the given size; use the macro below. Any thread. */
FASTNET_API void fastnet_certificate_options_init_sized(FastNetCertificateOptions *options,
                                                        uint32_t struct_size);
#define fastnet_certificate_options_init(options) \
    fastnet_certificate_options_init_sized((options), (uint32_t)sizeof *(options))

/*
 * Writes ca.pem, ca-key.pem, cert.pem (leaf and CA) and key.pem into a directory.
 *
 * A CA that is already there is used again, so clients that trust it stay connected to later
 * certificates; cert.pem and key.pem are replaced, each in one step. Keys are ECDSA P-256; key
 * files get mode 0600. The CA is valid for ten years.
 *
 * Owner:     everything the options point to is borrowed during the call.
 * Threads:   any; not two at once on one directory.
 * Blocks:    reads and writes files. Allocates: yes, with malloc.
 * Returns:   OK; ERR_ARGUMENT (no directory, no or too many names, a name that is no host name or
 *            address, days out of range); ERR_CERTIFICATE (the CA there is malformed, expired, or
 *            its key is missing or does not match); ERR_SYSTEM (a file or the directory could not
 *            be read or written); ERR_MEMORY. fastnet_connect_error_text() (same thread) names the
 *            file or argument. On an error no file is left half-written.
 */
FASTNET_API FastNetResult fastnet_certificate_write(const FastNetCertificateOptions *options);

/*
 * Computes the pin of a certificate: SHA-256 of its public key (DER SubjectPublicKeyInfo).
 *
 * It is what FastNetConnectOptions.pins takes. A new certificate for the same key has the same pin.
 *
 * Owner:     pin is the caller's.
 * Threads:   any. Blocks: reads one file. Allocates: yes, with malloc.
 * Returns:   OK; ERR_ARGUMENT (NULL); ERR_CERTIFICATE (missing,
 *            unreadable or not a PEM certificate; the first one in the
 *            file counts). fastnet_connect_error_text() says which.
 */
FASTNET_API FastNetResult fastnet_certificate_pin(const char *certificate_path,
                                                  uint8_t pin[FASTNET_PIN_BYTES]);

#ifdef __cplusplus
}
#endif

#endif /* FASTNET_CERTIFICATE_H */
