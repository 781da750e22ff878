/*
 * admission.h: who may start a handshake, and how much work all handshakes get.
 *
 *   knock     a TCP connection was accepted: is it banned, or over its rate?
 *   place     is there one for it, or who makes one? Then enter
 *   advance   its handshake reached another stage
 *   pass      its HELLO was good
 *   decide    the application is asked: out of the half-open ones
 *   end       it is established, failed or gone
 *
 * At the cap of half-open handshakes they are judged by progress, and progress is a stage reached,
 * never a byte: FN_ADMISSION_SILENT_NS to a whole ClientHello, then, once we answered,
 * FN_ADMISSION_HELLO_NS to HELLO. While it is our turn nobody's time runs. Who gives way, in this
 * order:
 *
 *   1. whoever has overrun, the longest ago first;
 *   2. of the silent ones, one of the address that has the most of them, if those are a crowd
 *      (FN_ADMISSION_CROWD);
 *   3. one of the address that has the most handshakes, if those are a crowd and more than the
 *      newcomer's: the one that came last, on which the least work was spent.
 *
 * Else a newcomer waits, and all behind it in the listen queue: a thousand players at once are no
 * attack, and throwing out those who are being served would serve nobody. Only a newcomer whose own
 * address is the crowd, while none of the handshakes waits for us and no one of that crowd has got
 * further for FN_ADMISSION_SILENT_NS, is turned away: an address that stops half-way keeps nobody
 * else waiting.
 *
 * Rates are counted per IPv4 address or IPv6 /64 (fn_address_prefix) in a fixed table: sets of
 * FN_ADMISSION_WAYS rows, chosen by a hash with a secret seed. A newcomer to a full set
 * replaces the row with the most credit and starts with a fresh one. So: nobody is ever
 * refused because of other people's addresses; an address keeps its limit as long as fewer
 * than FN_ADMISSION_WAYS other addresses of its set, which nobody can choose, were active
 * within the last second; whoever has more addresses than the table has rows is not held by
 * it, but by the cap and by the work budget.
 *
 * Pure: memory and time are arguments.
 */
#ifndef FN_CORE_ADMISSION_H
#define FN_CORE_ADMISSION_H

#include "base/address.h"
#include "base/list.h"
#include "base/siphash.h"
#include "base/units.h"
#include "core/crowds.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FN_ADMISSION_BANS_MAX = 1024,
    FN_ADMISSION_WAYS = 8,
    FN_ADMISSION_SETS = 512, /* 4096 addresses, 64 KiB */
    FN_ADMISSION_CROWD = 8,  /* handshakes of one address, more than which make a crowd */
};

#define FN_ADMISSION_SILENT_NS (500 * FN_NS_PER_MS)
#define FN_ADMISSION_HELLO_NS  (2 * FN_NS_PER_S)

/* From the least to the most advanced. */
typedef enum fn_admission_stage {
    FN_ADMISSION_SILENT,   /* no whole ClientHello yet */
    FN_ADMISSION_OURS,     /* it waits for us */
    FN_ADMISSION_ANSWERED, /* HELLO is due */
    FN_ADMISSION_STAGES,
    FN_ADMISSION_DECIDED = FN_ADMISSION_STAGES, /* upon; not half-open any more */
} fn_admission_stage;

typedef struct fn_admission_config {
    uint32_t handshakes_max;               /* half-open, at least 1 */
    uint32_t requests_max;                 /* undecided CONNECT_REQUESTs */
    uint32_t handshakes_per_address_per_s; /* also the burst; 0 = no limit */
} fn_admission_config;

typedef enum fn_admission_verdict {
    FN_ADMISSION_ADMITTED,
    FN_ADMISSION_BANNED,  /* close the TCP connection */
    FN_ADMISSION_LIMITED, /* the same: the address starts too many */
    FN_ADMISSION_CROWDED, /* the same: its address has the most, and is slow */
    FN_ADMISSION_WAIT,    /* no place now: ask again when one is free, or at fn_admission_room_ns */
} fn_admission_verdict;

/* Lies inside the owner's handshake. All zero = not admitted. */
typedef struct fn_admission_entry {
    fn_list_node node;
    fn_crowd_member silent; /* in that stage only */
    fn_crowd_member half_open;
    fn_address address;
    uint64_t order;  /* of admission */
    uint64_t due_ns; /* when it overruns its stage */
    fn_admission_stage stage;
} fn_admission_entry;

typedef struct fn_admission_row {
    uint64_t prefix;
    uint64_t full_ns; /* when its credit is whole again */
} fn_admission_row;

typedef struct fn_admission {
    fn_admission_config config;
    uint8_t seed[FN_SIPHASH_KEY_BYTES];
    fn_admission_row *rows;
    uint8_t (*bans)[16]; /* sorted */
    uint32_t ban_count;
    uint32_t half_open_count;
    uint32_t request_count;
    bool draining;
    uint64_t next_order;
    uint64_t limited_count; /* ever */
    uint64_t evicted_count; /* ever; the crowded too */
    fn_crowds silent;       /* by address */
    fn_crowds half_open;
    fn_list stages[FN_ADMISSION_STAGES]; /* in the order in which they overrun */
    uint32_t stage_counts[FN_ADMISSION_STAGES];
    fn_list requests;
} fn_admission;

size_t fn_admission_memory_bytes(const fn_admission_config *config);

/* memory: borrowed for its life, aligned to 8. Not moved or copied afterwards. */
void fn_admission_init(fn_admission *admission, const fn_admission_config *config, void *memory,
                       const uint8_t seed[FN_SIPHASH_KEY_BYTES]);

/* ADMITTED, BANNED, or LIMITED. Costs the address one of its rate. */
fn_admission_verdict fn_admission_knock(fn_admission *admission, uint64_t now_ns,
                                        const fn_address *address);

/* ADMITTED: there is a place for one more. *evicted (else NULL) is then the entry that had to give
 * way; it is already out, its owner destroys that handshake and closes its connection. Else CROWDED
 * or WAIT. */
fn_admission_verdict fn_admission_place(fn_admission *admission, uint64_t now_ns,
                                        const fn_address *newcomer, fn_admission_entry **evicted);

/* Takes that place. */
void fn_admission_enter(fn_admission *admission, uint64_t now_ns, fn_admission_entry *entry,
                        const fn_address *address);

/* Whether some newcomer would not have to wait. */
bool fn_admission_has_room(const fn_admission *admission, uint64_t now_ns);

/* When the next handshake overruns; FN_NEVER. */
uint64_t fn_admission_room_ns(const fn_admission *admission);

/* Its HELLO was good and is being answered: end follows, and its crowd gets on. */
void fn_admission_pass(fn_admission *admission, uint64_t now_ns, fn_admission_entry *entry);

/* The handshake is in that half-open stage now. */
void fn_admission_advance(fn_admission *admission, uint64_t now_ns, fn_admission_entry *entry,
                          fn_admission_stage stage);

/* The application is asked: no longer half-open. False, and nothing changes, at requests_max:
 * reject it with ERR_FULL. */
bool fn_admission_decide(fn_admission *admission, fn_admission_entry *entry);

/* Out. Nothing happens when it is out already. */
void fn_admission_end(fn_admission *admission, fn_admission_entry *entry);

/* What to answer to a good HELLO before anything else: OK, or ERR_REJECTED and a static sentence
 * (banned meanwhile, draining). */
int fn_admission_judge(const fn_admission *admission, const fn_address *address, const char **text);

/* --- bans ------------------------------------------------------------------------------ */

/* Bans the host, for IPv6 (except link-local) its /64: a host there has all of it. The port does
 * not count. OK also when it is banned already; ERR_LIMIT at FN_ADMISSION_BANS_MAX. */
int fn_admission_ban(fn_admission *admission, const fn_address *address);

/* False: it was not banned. */
bool fn_admission_unban(fn_admission *admission, const fn_address *address);

bool fn_admission_banned(const fn_admission *admission, const fn_address *address);

/* --- work ------------------------------------------------------------------------------ */

#define FN_WORK_BUDGET_NS \
    UINT64_C(2000000) /* handshake work in one poll; one step may overrun it */

/* One poll's allowance of handshake work. */
typedef struct fn_work_budget {
    uint64_t end_ns;
    bool key_used;
} fn_work_budget;

static inline void fn_work_budget_begin(fn_work_budget *budget, uint64_t now_ns)
{
    budget->end_ns = now_ns + FN_WORK_BUDGET_NS;
    budget->key_used = false;
}

/* now_ns is read again before every step. wants_key: see fn_handshake_wants_private_key. */
static inline bool fn_work_budget_may_step(const fn_work_budget *budget, uint64_t now_ns,
                                           bool wants_key)
{
    return now_ns < budget->end_ns && !(wants_key && budget->key_used);
}

static inline void fn_work_budget_charge(fn_work_budget *budget, bool key_operation)
{
    budget->key_used = budget->key_used || key_operation;
}

#endif
