#include "crypto/aead_key.h"

#include "base/bytes.h"

#include <string.h>

void fn_aead_nonce(const fn_aead_key *key, uint64_t packet_number, uint8_t nonce[FN_AEAD_IV_BYTES])
{
    memcpy(nonce, key->iv, FN_AEAD_IV_BYTES);
    uint8_t *low = nonce + FN_AEAD_IV_BYTES - sizeof packet_number;
    fn_store_be64(low, fn_load_be64(low) ^ packet_number);
}

void fn_aead_key_wipe(fn_aead_key *key)
{
    fn_bytes_wipe(key, sizeof *key);
}
