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

/* What to do with a cert.pem or key.pem that is there already. */
typedef enum FastNetCertificateExisting {
    FASTNET_CERTIFICATE_REFUSE = 0, /* ERR_STATE, nothing changes */
    FASTNET_CERTIFICATE_RENEW,      /* both are replaced, by a pair with a new key: a new pin */
    FASTNET_CERTIFICATE_KEEP_KEY,   /* a new certificate for the key that is there: the same pin */
} FastNetCertificateExisting;

/* What fastnet_certificate_write() makes. Fill with fastnet_certificate_options_init() first. */
typedef struct FastNetCertificateOptions {
    uint32_t struct_size;     /* set by fastnet_certificate_options_init() */
    uint32_t days;            /* 365: how long the server certificate is valid; 1..3650 */
    const char *directory;    /* where the files go; made when missing */
    const char *const *names; /* host names and numeric addresses that clients will connect to */
    uint32_t name_count;      /* 1..FASTNET_CERTIFICATE_NAMES_MAX */
    uint32_t existing;        /* FASTNET_CERTIFICATE_REFUSE, RENEW or KEEP_KEY */
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
 * certificates. A cert.pem or key.pem that is there is replaced only when `existing` says so, and
 * then all files or none: on an error the old ones are as they were. Keys are ECDSA P-256; key
 * files get mode 0600. The CA is valid for ten years.
 *
 * Owner:     everything the options point to is borrowed during the call.
 * Threads:   any; not two at once on one directory.
 * Blocks:    reads and writes files. Allocates: yes, with malloc.
 * Returns:   OK; ERR_ARGUMENT (no directory, no or too many names, a name that is no host name or
 *            address, days or existing out of range); ERR_STATE (cert.pem or key.pem is there and
 *            must not be replaced); ERR_CERTIFICATE (the CA there is malformed, expired, or its key
 *            is missing or does not match; the key to keep is missing or malformed); ERR_SYSTEM (a
 *            file or the directory could not be read or written); ERR_MEMORY.
 *            fastnet_connect_error_text() (same thread) names the file or argument.
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

/* What stands in a certificate. All text is printable ASCII; what does not fit is cut. */
typedef struct FastNetCertificateInfo {
    uint32_t struct_size; /* in: sizeof *info */
    uint32_t count;       /* certificates in the file; the rest is about the first */
    int64_t valid_from_unix_s;
    int64_t valid_until_unix_s;
    uint8_t pin[FASTNET_PIN_BYTES];
    char key[48];      /* "EC P-256", "RSA 2048", "ED25519" */
    char subject[256]; /* "CN=localhost" */
    char issuer[256];
    char names[512];   /* "localhost, 127.0.0.1": those that a client may connect to */
    bool names_in_san; /* false: `names` is only the common name, where addresses do not count */
    bool self_signed;  /* subject and issuer are the same */
    uint8_t reserved[6];
} FastNetCertificateInfo;

/*
 * Reads a certificate file: whose it is, until when, and its pin.
 *
 * Owner:     info is the caller's.
 * Threads:   any. Blocks: reads one file. Allocates: yes, with malloc.
 * Returns:   as fastnet_certificate_pin(); ERR_ARGUMENT also for a wrong struct_size.
 */
FASTNET_API FastNetResult fastnet_certificate_describe(const char *certificate_path,
                                                       FastNetCertificateInfo *info);

#ifdef __cplusplus
}
#endif

#endif /* FASTNET_CERTIFICATE_H */
