#include "api/trust.h"

#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "host/blocks.h"
#include "io/clock.h"
#include "io/environment.h"
#include "io/file.h"

enum {
    PEM_BYTES_MAX = 1024 * 1024 /* the bundles of public authorities have a quarter of that */
};

typedef struct pem_file {
    uint8_t *data;
    size_t bytes;
} pem_file;

static void pem_free(const fn_trust *trust, pem_file *file)
{
    if (file->data != NULL)
        fn_bytes_wipe(file->data, file->bytes);
    fn_memory_free(&trust->memory, file->data, PEM_BYTES_MAX);
    *file = (pem_file){0};
}

static int pem_read(const fn_trust *trust, const char *field, const char *path, pem_file *file,
                    fn_failure *failure)
{
    fn_io_error error;
    file->data = fn_memory_alloc(&trust->memory, PEM_BYTES_MAX, FN_ALLOCATOR_ALIGNMENT);
    if (file->data == NULL)
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory to read %s", field);
    if (fn_file_read(path, file->data, PEM_BYTES_MAX, &file->bytes, &error) == FASTNET_OK)
        return FASTNET_OK;
    file->bytes = 0;
    pem_free(trust, file);
    return fn_failure_set(failure, FASTNET_ERR_CERTIFICATE, "%s: %s", field, error.text);
}

/* Says which file a sentence of the crypto layer is about. */
static void name_file(fn_failure *failure, const char *field, const char *path)
{
    fn_failure plain = *failure;
    fn_failure_set(failure, plain.code, "%s '%.120s': %s", field, path, plain.text);
}

static fn_tls_context *context_from_ca(const fn_trust *trust, const char *field, const char *path,
                                       fn_failure *failure)
{
    pem_file file = {0};
    if (pem_read(trust, field, path, &file, failure) != FASTNET_OK)
        return NULL;
    fn_tls_trust whom = {.ca_pem = file.data, .ca_pem_bytes = file.bytes};
    fn_tls_config config = trust->tls;
    config.trust = &whom;
    fn_tls_context *context = fn_tls_context_create_client(&config, failure);
    if (context == NULL)
        name_file(failure, field, path);
    pem_free(trust, &file);
    return context;
}

static fn_tls_context *context_from_pins(const fn_trust *trust,
                                         const FastNetConnectOptions *options, fn_failure *failure)
{
    fn_tls_trust whom = {.pins = options->pins, .pins_count = options->pin_count};
    fn_tls_config config = trust->tls;
    config.trust = &whom;
    return fn_tls_context_create_client(&config, failure);
}

/* Neither the config nor the connect names anybody. */
static fn_tls_context *context_of_environment(const fn_trust *trust, fn_failure *failure)
{
    const char *path = fn_environment_get("FASTNET_CA_FILE");
    if (path != NULL)
        return context_from_ca(trust, "FASTNET_CA_FILE", path, failure);
    return fn_tls_context_create_client(&trust->tls, failure);
}

int fn_trust_init(fn_trust *trust, const fn_memory *memory, const FastNetConfig *config,
                  fn_failure *failure)
{
    *trust = (fn_trust){
        .memory = *memory,
        .tls = {.key_log = config->key_log, .key_log_user = config->key_log_user},
    };
    if (config->trusted_roots_path == NULL)
        return FASTNET_OK;
    trust->roots =
        context_from_ca(trust, "trusted_roots_path", config->trusted_roots_path, failure);
    return trust->roots != NULL ? FASTNET_OK : failure->code;
}

void fn_trust_free(fn_trust *trust)
{
    fn_tls_context_release(trust->roots);
    fn_tls_context_release(trust->everybody);
    trust->roots = NULL;
    trust->everybody = NULL;
}

static fn_tls_context *retain(fn_tls_context *context)
{
    return context != NULL ? fn_tls_context_retain(context) : NULL;
}

fn_tls_context *fn_trust_choose(fn_trust *trust, const FastNetConnectOptions *options,
                                bool insecure, fn_failure *failure)
{
    if (insecure) {
        if (trust->everybody == NULL)
            trust->everybody = fn_tls_context_create_client_insecure(&trust->tls, failure);
        return retain(trust->everybody);
    }
    if (options->pin_count > 0)
        return context_from_pins(trust, options, failure);
    if (options->trusted_roots_path != NULL) {
        return context_from_ca(trust, "trusted_roots_path", options->trusted_roots_path, failure);
    }
    if (trust->roots == NULL)
        trust->roots = context_of_environment(trust, failure);
    return retain(trust->roots);
}

/* --- our own identity --- */

typedef struct remark_to {
    const fn_log *log;
    const char *certificate_path;
    const char *private_key_path;
} remark_to;

static void log_remark(void *user, fn_tls_identity_part part, const char *sentence)
{
    const remark_to *to = user;
    bool key = part == FN_TLS_IDENTITY_KEY;
    fn_failure line;
    fn_failure_set(&line, FASTNET_OK, "%s '%.120s': %s", key ? "private key" : "certificate",
                   key ? to->private_key_path : to->certificate_path, sentence);
    fn_log_write(to->log, FN_LOG_WARNING, line.text);
}

fn_tls_context *fn_trust_identity(const fn_trust *trust, const char *certificate_path,
                                  const char *private_key_path, const fn_log *log,
                                  fn_failure *failure)
{
    remark_to to = {log, certificate_path, private_key_path};
    pem_file chain = {0};
    pem_file key = {0};
    fn_tls_context *context = NULL;
    if (pem_read(trust, "certificate_path", certificate_path, &chain, failure) == FASTNET_OK &&
        pem_read(trust, "private_key_path", private_key_path, &key, failure) == FASTNET_OK) {
        fn_tls_identity identity = {.chain_pem = chain.data,
                                    .chain_pem_bytes = chain.bytes,
                                    .key_pem = key.data,
                                    .key_pem_bytes = key.bytes,
                                    .chain_name = certificate_path,
                                    .key_name = private_key_path};
        fn_tls_config config = trust->tls;
        config.identity = &identity;
        context = fn_tls_context_create_server(&config, failure);
        if (context != NULL)
            fn_tls_identity_review(context, (int64_t)fn_clock_unix_seconds(), log_remark, &to);
    }
    pem_free(trust, &chain);
    pem_free(trust, &key);
    return context;
}
