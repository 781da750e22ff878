#include "crypto/secrets.h"

#include "base/bytes.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"

#include <assert.h>

static_assert((int)FN_SECRETS_BYTES == (int)FN_KDF_SECRET_BYTES,
              "secrets go in and out of the KDF");
static_assert((int)FN_SECRETS_BYTES == (int)FN_HASH_BYTES, "the context is a hash");

const char *fn_secrets_exporter_label(fn_secrets_exporter which)
{
    static const char *const labels[FN_SECRETS_EXPORTER_COUNT] = {
#define X(name, label) [FN_SECRETS_EXPORTER_##name] = (label),
        FN_SECRETS_EXPORTER_MAP(X)
#undef X
    };
    assert((unsigned)which < FN_SECRETS_EXPORTER_COUNT);
    return labels[which];
}

/* The length in front keeps a byte from moving between the two without changing the hash. */
static void add_prefixed(fn_hash *hash, const uint8_t *data, size_t data_bytes)
{
    assert(data_bytes <= UINT32_MAX);
    uint8_t length[4];
    fn_store_be32(length, (uint32_t)data_bytes);
    fn_hash_add(hash, length, sizeof length);
    fn_hash_add(hash, data, data_bytes);
}

void fn_secrets_context(const uint8_t *hello, size_t hello_bytes, const uint8_t *welcome,
                        size_t welcome_bytes, uint8_t out[FN_SECRETS_BYTES])
{
    fn_hash hash;
    fn_hash_start(&hash);
    add_prefixed(&hash, hello, hello_bytes);
    add_prefixed(&hash, welcome, welcome_bytes);
    fn_hash_finish(&hash, out);
}

void fn_secrets_derive(uint8_t exporter[FN_SECRETS_BYTES], fn_secrets *out)
{
    fn_kdf_keyed keyed;
    fn_kdf_keyed_set(&keyed, exporter);
#define X(name, label) fn_kdf_keyed_label(&keyed, label, out->name, sizeof out->name);
    FN_SECRETS_MAP(X)
#undef X
    fn_kdf_keyed_wipe(&keyed);
    fn_bytes_wipe(exporter, FN_SECRETS_BYTES);
}

void fn_secrets_attach_proof(const uint8_t attach_key[FN_SECRETS_BYTES],
                             const uint8_t exporter[FN_SECRETS_BYTES],
                             uint8_t out[FN_SECRETS_BYTES])
{
    fn_hmac_once(attach_key, FN_SECRETS_BYTES, exporter, FN_SECRETS_BYTES, out);
}

bool fn_secrets_attach_verify(const uint8_t attach_key[FN_SECRETS_BYTES],
                              const uint8_t exporter[FN_SECRETS_BYTES],
                              const uint8_t proof[FN_SECRETS_BYTES])
{
    return fn_hmac_verify(attach_key, FN_SECRETS_BYTES, exporter, FN_SECRETS_BYTES, proof);
}

void fn_secrets_wipe(fn_secrets *secrets)
{
    fn_bytes_wipe(secrets, sizeof *secrets);
}
