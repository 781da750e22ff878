/*
 * Who may start a handshake, against a naive count: the input lets connections begin, get further,
 * be decided upon, end, in any order, from few addresses or many, and bans them.
 *
 * Input: one byte of choices, then operations of two bytes: see OPERATION_MAP.
 */
#include "fuzz.h"

#include "base/cursor.h"
#include "base/result.h"
#include "base/units.h"
#include "core/admission.h"

#include <stdbool.h>
#include <string.h>

enum { ENTRIES = 64, OPERATIONS_MAX = 500 };

typedef enum entry_state { OUT, HALF_OPEN, ASKED } entry_state;

typedef struct desk {
    fn_admission admission;
    fn_admission_entry entries[ENTRIES];
    entry_state states[ENTRIES];
    uint64_t now_ns;
    uint64_t *memory;
} desk;

static fn_address address_of(uint8_t argument)
{
    uint8_t ip[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, (uint8_t)(argument & 15)};
    ip[15] = argument;
    if ((argument & 0x40) != 0)
        return fn_address_from_ipv4((uint8_t[4]){10, 0, 0, argument & 15}, argument);
    return fn_address_from_ipv6(ip, 0, argument);
}

static uint32_t count(const desk *all, entry_state state)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < ENTRIES; i++)
        sum += all->states[i] == state;
    return sum;
}

static void op_begin(desk *all, uint32_t which, uint8_t argument)
{
    if (all->states[which] != OUT)
        return;
    fn_address address = address_of(argument);
    fn_admission_entry *evicted = NULL;
    uint32_t before = count(all, HALF_OPEN);
    bool banned = fn_admission_banned(&all->admission, &address);
    fn_admission_verdict verdict = fn_admission_knock(&all->admission, all->now_ns, &address);
    FUZZ_CHECK(verdict == FN_ADMISSION_LIMITED || (verdict == FN_ADMISSION_BANNED) == banned);
    if (verdict != FN_ADMISSION_ADMITTED)
        return;
    bool room = fn_admission_has_room(&all->admission, all->now_ns);
    verdict = fn_admission_place(&all->admission, all->now_ns, &address, &evicted);
    FUZZ_CHECK(room || verdict == FN_ADMISSION_WAIT);
    if (verdict != FN_ADMISSION_ADMITTED) {
        FUZZ_CHECK(before == all->admission.config.handshakes_max && evicted == NULL);
        return;
    }
    fn_admission_enter(&all->admission, all->now_ns, &all->entries[which], &address);
    all->states[which] = HALF_OPEN;
    FUZZ_CHECK((evicted != NULL) == (before == all->admission.config.handshakes_max));
    if (evicted == NULL)
        return;
    size_t other = (size_t)(evicted - all->entries);
    FUZZ_CHECK(other < ENTRIES && other != which && all->states[other] == HALF_OPEN);
    all->states[other] = OUT;
}

static void op_advance(desk *all, uint32_t which, uint8_t argument)
{
    fn_admission_stage stage = argument % FN_ADMISSION_STAGES;
    if (all->states[which] == HALF_OPEN && stage >= all->entries[which].stage)
        fn_admission_advance(&all->admission, all->now_ns, &all->entries[which], stage);
}

static void op_decide(desk *all, uint32_t which, uint8_t argument)
{
    (void)argument;
    if (all->states[which] != HALF_OPEN)
        return;
    fn_admission_pass(&all->admission, all->now_ns, &all->entries[which]);
    bool full = count(all, ASKED) >= all->admission.config.requests_max;
    bool asked = fn_admission_decide(&all->admission, &all->entries[which]);
    FUZZ_CHECK(asked == !full);
    all->states[which] = asked ? ASKED : HALF_OPEN;
}

static void op_end(desk *all, uint32_t which, uint8_t argument)
{
    (void)argument;
    fn_admission_end(&all->admission, &all->entries[which]);
    all->states[which] = OUT;
}

static void op_ban(desk *all, uint32_t which, uint8_t argument)
{
    (void)which;
    fn_address address = address_of(argument);
    bool before = fn_admission_banned(&all->admission, &address);
    if ((argument & 0x80) == 0) {
        FUZZ_CHECK(fn_admission_ban(&all->admission, &address) == FASTNET_OK);
        FUZZ_CHECK(fn_admission_banned(&all->admission, &address));
    } else {
        FUZZ_CHECK(fn_admission_unban(&all->admission, &address) == before);
        FUZZ_CHECK(!fn_admission_banned(&all->admission, &address));
    }
}

static void op_time(desk *all, uint32_t which, uint8_t argument)
{
    all->now_ns += (uint64_t)which * argument * FN_NS_PER_MS;
}

/* In the order of their numbers on the input: append only, or the corpus means something else. */
#define OPERATION_MAP(X) \
    X(begin)             \
    X(advance)           \
    X(decide)            \
    X(end)               \
    X(time)              \
    X(ban)

typedef void (*operation)(desk *all, uint32_t which, uint8_t argument);

static const operation operations[] = {
#define X(name) op_##name,
    OPERATION_MAP(X)
#undef X
};

static void check(const desk *all)
{
    FUZZ_CHECK(all->admission.half_open_count == count(all, HALF_OPEN));
    FUZZ_CHECK(all->admission.request_count == count(all, ASKED));
    FUZZ_CHECK(all->admission.half_open_count <= all->admission.config.handshakes_max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static desk all;
    static const uint8_t seed[FN_SIPHASH_KEY_BYTES] = {1};
    fn_reader reader = fn_reader_make(data, bytes);
    uint8_t choices = fn_read_u8(&reader);
    fn_admission_config config = {.handshakes_max = 1 + choices % 16,
                                  .requests_max = choices / 16 % 4,
                                  .handshakes_per_address_per_s = choices / 64 * 4};
    memset(&all, 0, sizeof all);
    all.memory = malloc(fn_admission_memory_bytes(&config));
    all.now_ns = FN_NS_PER_S;
    FUZZ_CHECK(all.memory != NULL);
    fn_admission_init(&all.admission, &config, all.memory, seed);
    for (int i = 0; i < OPERATIONS_MAX && fn_reader_left(&reader) >= 2; i++) {
        uint8_t what = fn_read_u8(&reader);
        uint8_t argument = fn_read_u8(&reader);
        /* Two of a kind of byte: eight operations' room, the rest names the entry. */
        operations[what % 8 % FN_ARRAY_COUNT(operations)](&all, what / 8 * 2 + (argument & 1),
                                                          argument);
        check(&all);
    }
    free(all.memory);
    return 0;
}
