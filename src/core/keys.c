#include "core/keys.h"

#include "base/bytes.h"
#include "base/units.h"

#include <string.h>

void fn_send_keys_init(fn_send_keys *keys, const uint8_t secret[FN_KDF_SECRET_BYTES],
                       uint64_t now_ns)
{
    memset(keys, 0, sizeof *keys);
    memcpy(keys->secret, secret, FN_KDF_SECRET_BYTES);
    fn_kdf_traffic_key(secret, &keys->key);
    keys->since_ns = now_ns;
}

void fn_receive_keys_init(fn_receive_keys *keys, const uint8_t secret[FN_KDF_SECRET_BYTES])
{
    memset(keys, 0, sizeof *keys);
    fn_kdf_traffic_key(secret, &keys->current);
    fn_kdf_next_secret(secret, keys->next_secret);
    fn_kdf_traffic_key(keys->next_secret, &keys->next);
    keys->first_number = FN_NEVER;
    keys->previous_until_ns = FN_NEVER;
}

void fn_send_keys_seal(fn_send_keys *keys, uint64_t number, const uint8_t *header,
                       size_t header_bytes, uint8_t *text, size_t text_bytes)
{
    if (keys->ahead == NULL ||
        !fn_keystream_seal(keys->ahead, number, header, header_bytes, text, text_bytes))
        fn_aead_seal(&keys->key, number, header, header_bytes, text, text_bytes);
    keys->sealed++;
}

void fn_send_keys_on_acked(fn_send_keys *keys, uint64_t number)
{
    if (number >= keys->first_number)
        keys->confirmed = true;
}

bool fn_send_keys_wants_update(const fn_send_keys *keys, uint64_t packets_max, uint64_t age_ns_max,
                               uint64_t settle_ns, uint64_t now_ns)
{
    if (!keys->confirmed || keys->sealed == 0)
        return false;
    uint64_t age_ns = fn_sub_saturating(now_ns, keys->since_ns);
    if (keys->flips > 0 && age_ns < settle_ns)
        return false;
    return keys->sealed >= packets_max || age_ns >= age_ns_max;
}

void fn_send_keys_update(fn_send_keys *keys, uint64_t next_number, uint64_t now_ns)
{
    fn_kdf_next_secret(keys->secret, keys->secret);
    fn_kdf_traffic_key(keys->secret, &keys->key);
    if (keys->ahead != NULL)
        fn_keystream_wipe(keys->ahead);
    keys->first_number = next_number;
    keys->sealed = 0;
    keys->since_ns = now_ns;
    keys->flips++;
    keys->phase ^= 1;
    keys->confirmed = false;
}

static void note_first(fn_receive_keys *keys, uint64_t number)
{
    if (number < keys->first_number)
        keys->first_number = number;
}

static bool open_current(fn_receive_keys *keys, uint64_t number, const uint8_t *header,
                         size_t header_bytes, uint8_t *sealed, size_t sealed_bytes)
{
    fn_keystream_opened opened = FN_KEYSTREAM_MISS;
    if (keys->ahead != NULL)
        opened = fn_keystream_open(keys->ahead, number, header, header_bytes, sealed, sealed_bytes);
    if (opened != FN_KEYSTREAM_MISS)
        return opened == FN_KEYSTREAM_OPENED;
    return fn_aead_open(&keys->current, number, header, header_bytes, sealed, sealed_bytes);
}

fn_keys_opened fn_receive_keys_open(fn_receive_keys *keys, uint8_t phase, uint64_t number,
                                    const uint8_t *header, size_t header_bytes, uint8_t *sealed,
                                    size_t sealed_bytes)
{
    bool is_current = phase == keys->phase;
    bool is_before = !is_current && keys->has_previous && number < keys->first_number;
    const fn_aead_key *other = is_before ? &keys->previous : &keys->next;
    bool good = is_current
                    ? open_current(keys, number, header, header_bytes, sealed, sealed_bytes)
                    : fn_aead_open(other, number, header, header_bytes, sealed, sealed_bytes);
    if (!good) {
        keys->failed_opens++;
        return FN_KEYS_FAILED;
    }
    if (is_current)
        note_first(keys, number);
    return is_current || is_before ? FN_KEYS_OPENED : FN_KEYS_OPENED_NEXT;
}

bool fn_receive_keys_advance(fn_receive_keys *keys, uint64_t number, uint64_t now_ns,
                             uint64_t settle_ns)
{
    if (!keys->acknowledged)
        return false;
    keys->previous = keys->current;
    keys->current = keys->next;
    if (keys->ahead != NULL)
        fn_keystream_wipe(keys->ahead);
    fn_kdf_next_secret(keys->next_secret, keys->next_secret);
    fn_kdf_traffic_key(keys->next_secret, &keys->next);
    keys->has_previous = true;
    keys->previous_until_ns = fn_add_saturating(now_ns, settle_ns);
    keys->first_number = number;
    keys->phase ^= 1;
    keys->acknowledged = false;
    return true;
}

void fn_receive_keys_on_ack_sent(fn_receive_keys *keys, uint64_t largest)
{
    if (keys->first_number != FN_NEVER && largest >= keys->first_number)
        keys->acknowledged = true;
}

void fn_receive_keys_tick(fn_receive_keys *keys, uint64_t now_ns)
{
    if (!keys->has_previous || now_ns < keys->previous_until_ns)
        return;
    fn_aead_key_wipe(&keys->previous);
    keys->has_previous = false;
    keys->previous_until_ns = FN_NEVER;
}

void fn_send_keys_wipe(fn_send_keys *keys)
{
    fn_bytes_wipe(keys, sizeof *keys);
}

void fn_receive_keys_wipe(fn_receive_keys *keys)
{
    fn_bytes_wipe(keys, sizeof *keys);
}
