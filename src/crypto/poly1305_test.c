#include "crypto/poly1305.h"

#include "crypto/test_hex.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#if FN_POLY1305_AVAILABLE

enum { MESSAGE_BYTES_MAX = 1600 };

static void tag_of(const uint8_t *key, const uint8_t *message, size_t bytes, uint8_t *tag)
{
    fn_poly1305 mac;
    fn_poly1305_start(&mac, key);
    fn_poly1305_add_padded(&mac, message, bytes);
    fn_poly1305_finish(&mac, tag);
}

#define ZEROS "00000000000000000000000000000000"
#define ONES  "ffffffffffffffffffffffffffffffff"

/* RFC 8439 appendix A.3: those whose messages are whole blocks; the sums there are at their edges:
 * 2^130 - 5 and around it, and carries through every limb. */
static void published_vectors(void **state)
{
    static const struct {
        const char *key, *message, *tag;
    } rows[] = {
        {ZEROS ZEROS, ZEROS ZEROS ZEROS ZEROS, ZEROS},
        {"02000000000000000000000000000000" ZEROS, ONES, "03000000000000000000000000000000"},
        {"02000000000000000000000000000000" ONES, "02000000000000000000000000000000",
         "03000000000000000000000000000000"},
        {"01000000000000000000000000000000" ZEROS,
         ONES "f0ffffffffffffffffffffffffffffff"
              "11000000000000000000000000000000",
         "05000000000000000000000000000000"},
        {"01000000000000000000000000000000" ZEROS,
         ONES "fbfefefefefefefefefefefefefefefe"
              "01010101010101010101010101010101",
         ZEROS},
        {"02000000000000000000000000000000" ZEROS, "fdffffffffffffffffffffffffffffff",
         "faffffffffffffffffffffffffffffff"},
        {"01000000000000000400000000000000" ZEROS,
         "e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000" ZEROS
         "01000000000000000000000000000000",
         "14000000000000005500000000000000"},
        {"01000000000000000400000000000000" ZEROS,
         "e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000" ZEROS,
         "13000000000000000000000000000000"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t key[32], message[64], tag[16], expected[16];
        test_hex(rows[i].key, key, sizeof key);
        size_t bytes = test_hex(rows[i].message, message, sizeof message);
        test_hex(rows[i].tag, expected, sizeof expected);
        tag_of(key, message, bytes, tag);
        assert_memory_equal(tag, expected, sizeof tag);
    }
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Random bytes seldom reach the edges: runs of the extreme ones often do. */
static void fill(uint64_t *seed, uint8_t *out, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t run = 1 + next(seed) % 24;
        uint32_t kind = (uint32_t)(next(seed) % 4);
        for (; run > 0 && i < bytes; run--, i++)
            out[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)next(seed);
    }
}

static void agrees_with_libsodium(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        uint8_t key[32], message[MESSAGE_BYTES_MAX] = {0}, tag[16], expected[16];
        size_t bytes = next(&seed) % (round % 10 == 0 ? MESSAGE_BYTES_MAX : 160);
        fill(&seed, key, sizeof key);
        fill(&seed, message, bytes);
        tag_of(key, message, bytes, tag);
        crypto_onetimeauth(expected, message, (bytes + 15) / 16 * 16, key);
        assert_memory_equal(tag, expected, sizeof tag);
    }
}

/* RFC 8439 section 2.8: data padded, text padded, both lengths. */
static void pieces_are_padded_each(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (size_t aad_bytes = 0; aad_bytes <= 33; aad_bytes++) {
        for (size_t text_bytes = 0; text_bytes <= 65; text_bytes++) {
            uint8_t key[32], aad[33], text[65], whole[160] = {0}, tag[16], expected[16];
            size_t text_at = (aad_bytes + 15) / 16 * 16;
            size_t lengths_at = text_at + (text_bytes + 15) / 16 * 16;
            fill(&seed, key, sizeof key);
            fill(&seed, aad, sizeof aad);
            fill(&seed, text, sizeof text);
            memcpy(whole, aad, aad_bytes);
            memcpy(whole + text_at, text, text_bytes);
            whole[lengths_at] = (uint8_t)aad_bytes;
            whole[lengths_at + 8] = (uint8_t)text_bytes;
            fn_poly1305 mac;
            fn_poly1305_start(&mac, key);
            fn_poly1305_add_padded(&mac, aad, aad_bytes);
            fn_poly1305_add_padded(&mac, text, text_bytes);
            fn_poly1305_add_lengths(&mac, aad_bytes, text_bytes);
            fn_poly1305_finish(&mac, tag);
            crypto_onetimeauth(expected, whole, lengths_at + 16, key);
            assert_memory_equal(tag, expected, sizeof tag);
        }
    }
}

static void nothing_stays_behind(void **state)
{
    static const fn_poly1305 zero;
    fn_poly1305 mac;
    uint8_t key[32] = {1, 2, 3}, tag[16];
    (void)state;
    fn_poly1305_start(&mac, key);
    fn_poly1305_finish(&mac, tag);
    assert_memory_equal(&mac, &zero, sizeof mac);
}

#else

static void published_vectors(void **state)
{
    (void)state;
    skip();
}

#define agrees_with_libsodium  published_vectors
#define pieces_are_padded_each published_vectors
#define nothing_stays_behind   published_vectors

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(agrees_with_libsodium),
        cmocka_unit_test(pieces_are_padded_each),
        cmocka_unit_test(nothing_stays_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
