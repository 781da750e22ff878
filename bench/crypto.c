/*
 * crypto.c: what one ChaCha20-Poly1305 operation costs by size and by who computes it, with the key
 * kept and everything hot. "libsodium" and "openssl" are their own AEADs. "FastNet" is
 * its crypto layer: all keystream in one call of libsodium, then an XOR and a MAC. "ahead" has
 * the keystream of the next packets computed while there is time ("prepare").
 */
#include "common/ahead.h"
#include "common/clock.h"
#include "common/options.h"
#include "common/process.h"
#include "common/report.h"
#include "common/sealing.h"

#include <string.h>

enum { TEXT_MAX = AHEAD_TEXT_BYTES_MAX, AAD_BYTES = 9, ROUNDS = 9, BATCH = 256 };
#define ROUND_NS (3 * BENCH_NS_PER_MS)

static const size_t sizes[] = {16, 64, 128, 200, 256, 512, 1024, 1200, 1450};

typedef struct work {
    sealing seal, open;
    ahead prepared;
    uint32_t number;
    size_t bytes;
    uint8_t nonce[SEALING_NONCE_BYTES];
    uint8_t aad[AAD_BYTES];
    uint8_t text[TEXT_MAX + SEALING_TAG_BYTES];
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

static void prepare_ahead(void)
{
    ahead_prepare(&bench.prepared, bench.number + 1);
    bench.number++;
}

/* Preparing is part of the loop here, so its cost is measured by itself and taken off. */
static void prepare_and_seal(void)
{
    ahead_prepare(&bench.prepared, bench.number + 1);
    bench.number++;
    ahead_seal(&bench.prepared, bench.number, bench.aad, AAD_BYTES, bench.text, bench.bytes);
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

/* Computed ahead or not: the bytes are the same. */
static void check_ahead(void)
{
    static const uint8_t key[SEALING_KEY_BYTES] = {7};
    uint8_t nonce[SEALING_NONCE_BYTES] = {0};
    uint8_t one[TEXT_MAX + SEALING_TAG_BYTES] = {1, 2, 3};
    uint8_t other[TEXT_MAX + SEALING_TAG_BYTES] = {1, 2, 3};
    uint64_t number = 5;
    sealing_init(&bench.seal, SEALING_SODIUM, true, 1);
    memcpy(bench.seal.key, key, sizeof key);
    memcpy(nonce + SEALING_NONCE_BYTES - sizeof number, &number, sizeof number);
    sealing_encrypt(&bench.seal, nonce, bench.aad, AAD_BYTES, one, bench.bytes);
    ahead_init(&bench.prepared, key, 0, bench.bytes);
    ahead_prepare(&bench.prepared, number);
    ahead_seal(&bench.prepared, number, bench.aad, AAD_BYTES, other, bench.bytes);
    if (memcmp(one, other, bench.bytes + SEALING_TAG_BYTES) != 0) {
        bench_fail("what was computed ahead differs at %zu bytes", bench.bytes);
    }
}

static void measure_ahead(void)
{
    static const uint8_t key[SEALING_KEY_BYTES] = {7};
    ahead_init(&bench.prepared, key, 0, bench.bytes);
    begin_row("ahead");
    double prepare_ns = measure(prepare_ahead);
    bench_report_number("prepare_ns", prepare_ns);
    bench_report_number("seal_ns", measure(prepare_and_seal) - prepare_ns);
    bench_report_end();
}

int main(int argc, char **argv)
{
    bench_options options = bench_options_read(argc, argv, "run", "no channels");
    bench_pin(options.cpu);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bench.bytes = sizes[i];
        measure_backend("libsodium", SEALING_SODIUM);
        measure_backend("openssl", SEALING_OPENSSL);
        measure_backend("FastNet", SEALING_FASTNET);
        check_ahead();
        measure_ahead();
    }
    return 0;
}
