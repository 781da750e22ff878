/*
 * trust.h: whom an outgoing connection believes, and who a server says that it is. Of what an
 * outgoing connection is given, the first counts:
 *   the connect's pins, its CA file, the endpoint's CA file, FASTNET_CA_FILE, the system's roots.
 */
#ifndef FN_API_TRUST_H
#define FN_API_TRUST_H

#include <stdbool.h>

#include "base/log.h"
#include "base/memory.h"
#include "crypto/tls_context.h"
#include "fastnet.h"

typedef struct fn_trust {
    fn_memory memory;
    fn_tls_config tls;         /* what all contexts share: the key log */
    fn_tls_context *roots;     /* of the endpoint; made at create or when first needed */
    fn_tls_context *everybody; /* insecure; made when first needed */
} fn_trust;

/* Reads the endpoint's CA file when there is one. ERR_CERTIFICATE, ERR_MEMORY. */
int fn_trust_init(fn_trust *trust, const fn_memory *memory, const FastNetConfig *config,
                  fn_failure *failure);
void fn_trust_free(fn_trust *trust);

/* A context with a reference for the caller; NULL with `failure`: ERR_CERTIFICATE (the file is
 * missing or malformed), ERR_ARGUMENT, ERR_MEMORY. May read a file. */
fn_tls_context *fn_trust_choose(fn_trust *trust, const FastNetConnectOptions *options,
                                bool insecure, fn_failure *failure);

/* A server's context from its two files. Same results; the sentence names the file. What works but
 * hurts (fn_tls_identity_review) becomes a warning in the log. */
fn_tls_context *fn_trust_identity(const fn_trust *trust, const char *certificate_path,
                                  const char *private_key_path, const fn_log *log,
                                  fn_failure *failure);

#endif
