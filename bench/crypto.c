/*
 * crypto.c: what one ChaCha20-Poly1305 operation costs by size and by who computes it, with the key
 * kept and everything hot. "ahead" is RFC 8439 taken apart: keystream and one-time key of the next
 * packets are computed while there is time ("prepare"), and sealing is then an XOR and a MAC.
 */
#include "common/clock.h"
#include "common/options.h"
#include "common/process.h"
#include "common/report.h"
#include "common/sealing.h"

#include <sodium.h>
#include <string.h>

enum { TEXT_MAX = 1280, AAD_BYTES = 9, SLOTS = 4, BLOCK = 64, ROUNDS = 9, BATCH = 256 };
#define ROUND_NS (3 * BENCH_NS_PER_MS)

static const size_t sizes[] = {16, 64, 128, 256, 512, 1024, 1200};

/* Room for the layout that the MAC wants: aad, padding, text, padding, lengths. */
typedef struct work {
    sealing seal, open;
    uint32_t number;
    size_t bytes;
    uint8_t slots[SLOTS][BLOCK + TEXT_MAX];
    uint8_t nonce[SEALING_NONCE_BYTES];
    uint8_t aad[AAD_BYTES];
    uint8_t text[TEXT_MAX + SEALING_TAG_BYTES];
    uint8_t mac_input[16 + TEXT_MAX + 16 + 16];
} work;

static work bench;

static void next_nonce(void)
{
    bench.number++;
    memcpy(bench.nonce + SEALING_NONCE_BYTES - 4, &bench.number, 4);
}

static void seal_plain(void)
{
    next_nonce();
    sealing_encrypt(&bench.seal, bench.nonce, bench.aad, AAD_BYTES, bench.text, bench.bytes);
}

/* What is opened was sealed once with this nonce; opening in place needs a fresh copy each time. */
static uint8_t sealed[TEXT_MAX + SEALING_TAG_BYTES];

static void open_plain(void)
{
    memcpy(bench.text, sealed, bench.bytes + SEALING_TAG_BYTES);
    if (!sealing_decrypt(&bench.open, bench.nonce, bench.aad, AAD_BYTES, bench.text, bench.bytes)) {
        bench_fail("what was sealed does not open");
    }
}

/* Keystream block 0 is the one-time key, block 1 on is for the text. */
static void prepare_ahead(void)
{
    next_nonce();
    uint8_t *slot = bench.slots[bench.number % SLOTS];
    crypto_stream_chacha20_ietf(slot, BLOCK + bench.bytes, bench.nonce, bench.seal.key);
}

static void seal_ahead(void)
{
    static const uint8_t zero[16];
    bench.number++;
    const uint8_t *slot = bench.slots[bench.number % SLOTS];
    size_t padded = (bench.bytes + 15) / 16 * 16;
    uint64_t lengths[2] = {AAD_BYTES, bench.bytes};
    uint8_t *text = bench.mac_input + 16;
    memcpy(bench.mac_input, bench.aad, AAD_BYTES);
    for (size_t i = 0; i < bench.bytes; i += 32) {
        size_t chunk = bench.bytes - i < 32 ? bench.bytes - i : 32;
        uint64_t left[4] = {0}, right[4] = {0};
        memcpy(left, bench.text + i, chunk);
        memcpy(right, slot + BLOCK + i, chunk);
        for (int word = 0; word < 4; word++) {
            left[word] ^= right[word];
        }
        memcpy(text + i, left, chunk);
    }
    memcpy(text + bench.bytes, zero, padded - bench.bytes);
    memcpy(text + padded, lengths, sizeof lengths);
    crypto_onetimeauth_poly1305(bench.text + bench.bytes, bench.mac_input,
                                16 + padded + sizeof lengths, slot);
}

static double measure(void (*operation)(void))
{
    double best_of[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin_ns = bench_cpu_ns(0); /* CPU time: others may take the core in between */
        uint64_t now_ns = begin_ns;
        uint64_t operations = 0;
        while (now_ns - begin_ns < ROUND_NS) {
            for (int i = 0; i < BATCH; i++) {
                operation();
            }
            operations += BATCH;
            now_ns = bench_cpu_ns(0);
        }
        double each = (double)(now_ns - begin_ns) / (double)operations;
        int at = round;
        for (; at > 0 && best_of[at - 1] > each; at--) {
            best_of[at] = best_of[at - 1];
        }
        best_of[at] = each;
    }
    return best_of[ROUNDS / 2];
}

static void begin_row(const char *backend)
{
    bench_report_begin("crypto");
    bench_report_text("backend", backend);
    bench_report_count("bytes", bench.bytes);
}

static void measure_backend(const char *name, sealing_backend backend)
{
    sealing_init(&bench.seal, backend, true, 1);
    sealing_init(&bench.open, backend, false, 1);
    begin_row(name);
    bench_report_number("seal_ns", measure(seal_plain));
    next_nonce();
    sealing_encrypt(&bench.seal, bench.nonce, bench.aad, AAD_BYTES, bench.text, bench.bytes);
    memcpy(sealed, bench.text, sizeof sealed);
    bench_report_number("open_ns", measure(open_plain));
    bench_report_end();
    sealing_free(&bench.seal);
    sealing_free(&bench.open);
}

int main(int argc, char **argv)
{
    bench_options options = bench_options_read(argc, argv, "run", "no channels");
    bench_pin(options.cpu);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bench.bytes = sizes[i];
        measure_backend("libsodium", SEALING_SODIUM);
        measure_backend("openssl", SEALING_OPENSSL);
        sealing_init(&bench.seal, SEALING_SODIUM, true, 1);
        begin_row("ahead");
        bench_report_number("prepare_ns", measure(prepare_ahead));
        bench_report_number("seal_ns", measure(seal_ahead));
        bench_report_end();
        sealing_free(&bench.seal);
    }
    return 0;
}
