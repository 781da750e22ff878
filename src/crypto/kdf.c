#include "crypto/kdf.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "crypto/hash.h"

#include <assert.h>
#include <string.h>

enum { INFO_BYTES_MAX = 2 + 1 + 16 + FN_KDF_LABEL_BYTES_MAX + 1 + FN_KDF_CONTEXT_BYTES_MAX };

static_assert(sizeof FN_KDF_LABEL_PREFIX <= 16, "the prefix fits into INFO_BYTES_MAX");

void fn_kdf_extract(const uint8_t *salt, size_t salt_bytes, const uint8_t *input,
                    size_t input_bytes, uint8_t out[FN_KDF_SECRET_BYTES])
{
    /* HMAC pads its key with zeroes, so an empty salt is the same as 32 zero bytes. */
    fn_hmac_once(salt, salt_bytes, input, input_bytes, out);
}

static void expand(const fn_hmac *keyed, const uint8_t *info, size_t info_bytes, uint8_t *out,
                   size_t out_bytes)
{
    assert(out_bytes <= FN_KDF_OUTPUT_BYTES_MAX);
    uint8_t block[FN_HASH_BYTES];
    uint8_t counter = 0;
    while (out_bytes > 0) {
        fn_hmac hmac = *keyed;
        fn_hmac_add(&hmac, block, counter > 0 ? sizeof block : 0);
        fn_hmac_add(&hmac, info, info_bytes);
        counter++;
        fn_hmac_add(&hmac, &counter, 1);
        fn_hmac_finish(&hmac, block);
        size_t taken = out_bytes < sizeof block ? out_bytes : sizeof block;
        memcpy(out, block, taken);
        out += taken;
        out_bytes -= taken;
    }
    fn_bytes_wipe(block, sizeof block);
}

void fn_kdf_expand(const uint8_t secret[FN_KDF_SECRET_BYTES], const uint8_t *info,
                   size_t info_bytes, uint8_t *out, size_t out_bytes)
{
    fn_kdf_keyed keyed;
    fn_kdf_keyed_set(&keyed, secret);
    expand(&keyed.hmac, info, info_bytes, out, out_bytes);
    fn_kdf_keyed_wipe(&keyed);
}

static void expand_label(const fn_hmac *keyed, const char *label, const uint8_t *context,
                         size_t context_bytes, uint8_t *out, size_t out_bytes)
{
    size_t prefix_bytes = strlen(FN_KDF_LABEL_PREFIX);
    size_t label_bytes = strlen(label);
    assert(label_bytes <= FN_KDF_LABEL_BYTES_MAX);
    assert(context_bytes <= FN_KDF_CONTEXT_BYTES_MAX);

    uint8_t info[INFO_BYTES_MAX];
    fn_writer writer = fn_writer_make(info, sizeof info);
    fn_write_u16(&writer, (uint16_t)out_bytes);
    fn_write_u8(&writer, (uint8_t)(prefix_bytes + label_bytes));
    fn_write_bytes(&writer, FN_KDF_LABEL_PREFIX, prefix_bytes);
    fn_write_bytes(&writer, label, label_bytes);
    fn_write_u8(&writer, (uint8_t)context_bytes);
    fn_write_bytes(&writer, context, context_bytes);
    assert(!writer.failed);
    expand(keyed, info, fn_writer_bytes(&writer), out, out_bytes);
    fn_bytes_wipe(info, sizeof info);
}

void fn_kdf_expand_label(const uint8_t secret[FN_KDF_SECRET_BYTES], const char *label,
                         const uint8_t *context, size_t context_bytes, uint8_t *out,
                         size_t out_bytes)
{
    fn_kdf_keyed keyed;
    fn_kdf_keyed_set(&keyed, secret);
    expand_label(&keyed.hmac, label, context, context_bytes, out, out_bytes);
    fn_kdf_keyed_wipe(&keyed);
}

void fn_kdf_keyed_set(fn_kdf_keyed *keyed, const uint8_t secret[FN_KDF_SECRET_BYTES])
{
    fn_hmac_start(&keyed->hmac, secret, FN_KDF_SECRET_BYTES);
}

void fn_kdf_keyed_label(const fn_kdf_keyed *keyed, const char *label, uint8_t *out,
                        size_t out_bytes)
{
    expand_label(&keyed->hmac, label, NULL, 0, out, out_bytes);
}

void fn_kdf_keyed_wipe(fn_kdf_keyed *keyed)
{
    fn_bytes_wipe(keyed, sizeof *keyed);
}

void fn_kdf_traffic_key(const uint8_t secret[FN_KDF_SECRET_BYTES], fn_aead_key *out)
{
    fn_kdf_keyed keyed;
    fn_kdf_keyed_set(&keyed, secret);
    fn_kdf_keyed_label(&keyed, "key", out->key, sizeof out->key);
    fn_kdf_keyed_label(&keyed, "iv", out->iv, sizeof out->iv);
    fn_kdf_keyed_wipe(&keyed);
}

void fn_kdf_next_secret(const uint8_t secret[FN_KDF_SECRET_BYTES], uint8_t out[FN_KDF_SECRET_BYTES])
{
    uint8_t next[FN_KDF_SECRET_BYTES];
    fn_kdf_expand_label(secret, "next", NULL, 0, next, sizeof next);
    memcpy(out, next, sizeof next);
    fn_bytes_wipe(next, sizeof next);
}
