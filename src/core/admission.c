#include "core/admission.h"

#include "base/result.h"

#include <assert.h>
#include <string.h>

#define ROWS_BYTES (sizeof(fn_admission_row) * FN_ADMISSION_SETS * FN_ADMISSION_WAYS)
#define BAN_BYTES  16
#define BANS_BYTES ((size_t)FN_ADMISSION_BANS_MAX * BAN_BYTES)

size_t fn_admission_memory_bytes(const fn_admission_config *config)
{
    return ROWS_BYTES + BANS_BYTES + 2 * fn_crowds_memory_bytes(config->handshakes_max);
}

void fn_admission_init(fn_admission *admission, const fn_admission_config *config, void *memory,
                       const uint8_t seed[FN_SIPHASH_KEY_BYTES])
{
    uint8_t *next = memory;
    size_t crowds_bytes = fn_crowds_memory_bytes(config->handshakes_max);
    assert(config->handshakes_max >= 1);
    memset(admission, 0, sizeof *admission);
    memset(memory, 0, ROWS_BYTES + BANS_BYTES);
    admission->config = *config;
    memcpy(admission->seed, seed, sizeof admission->seed);
    admission->rows = memory;
    admission->bans = (uint8_t(*)[BAN_BYTES])(next + ROWS_BYTES);
    next += ROWS_BYTES + BANS_BYTES;
    fn_crowds_init(&admission->silent, next, config->handshakes_max, seed);
    fn_crowds_init(&admission->half_open, next + crowds_bytes, config->handshakes_max, seed);
    for (uint32_t i = 0; i < FN_ADMISSION_STAGES; i++)
        fn_list_init(&admission->stages[i]);
    fn_list_init(&admission->requests);
}

/* --- rates ----------------------------------------------------------------------------- */

/* The address's row, or the one that gives way to it: whoever is closest to a full credit loses
 * least, and a full credit (an empty row has one) loses nothing. */
static fn_admission_row *find_row(fn_admission *admission, uint64_t prefix)
{
    uint64_t set = fn_siphash_u64(admission->seed, prefix) % FN_ADMISSION_SETS;
    fn_admission_row *rows = &admission->rows[set * FN_ADMISSION_WAYS];
    fn_admission_row *fullest = rows;
    for (uint32_t i = 0; i < FN_ADMISSION_WAYS; i++) {
        if (rows[i].prefix == prefix)
            return &rows[i];
        if (rows[i].full_ns < fullest->full_ns)
            fullest = &rows[i];
    }
    *fullest = (fn_admission_row){.prefix = prefix, .full_ns = 0};
    return fullest;
}

/* A token bucket kept as one instant (the generic cell rate algorithm): each handshake moves the
 * instant of full credit by the interval; it may lie at most one second ahead. */
static bool take_credit(fn_admission *admission, uint64_t now_ns, const fn_address *address)
{
    uint32_t per_s = admission->config.handshakes_per_address_per_s;
    if (per_s == 0)
        return true;
    fn_admission_row *row = find_row(admission, fn_address_prefix(address));
    uint64_t full_ns = fn_max_u64(row->full_ns, now_ns) + FN_NS_PER_S / per_s;
    if (full_ns - now_ns > FN_NS_PER_S)
        return false;
    row->full_ns = full_ns;
    return true;
}

fn_admission_verdict fn_admission_knock(fn_admission *admission, uint64_t now_ns,
                                        const fn_address *address)
{
    if (!take_credit(admission, now_ns, address)) {
        admission->limited_count++;
        return FN_ADMISSION_LIMITED;
    }
    return fn_admission_banned(admission, address) ? FN_ADMISSION_BANNED : FN_ADMISSION_ADMITTED;
}

/* --- half-open ------------------------------------------------------------------------- */

/* All of a stage have the same time, so the list's order is that of their ends. */
static void enter_stage(fn_admission *admission, uint64_t now_ns, fn_admission_entry *entry,
                        fn_admission_stage stage)
{
    static const uint64_t allowed_ns[FN_ADMISSION_STAGES] = {
        [FN_ADMISSION_SILENT] = FN_ADMISSION_SILENT_NS,
        [FN_ADMISSION_OURS] = FN_NEVER,
        [FN_ADMISSION_ANSWERED] = FN_ADMISSION_HELLO_NS,
    };
    entry->stage = stage;
    entry->due_ns = fn_add_saturating(now_ns, allowed_ns[stage]);
    fn_list_push_back(&admission->stages[stage], &entry->node);
    admission->stage_counts[stage]++;
    if (stage == FN_ADMISSION_SILENT)
        fn_crowds_enter(&admission->silent, &entry->silent, &entry->address);
}

static void leave_stage(fn_admission *admission, fn_admission_entry *entry)
{
    fn_list_remove(&entry->node);
    admission->stage_counts[entry->stage]--;
    fn_crowds_leave(&admission->silent, &entry->silent);
}

static void leave(fn_admission *admission, fn_admission_entry *entry)
{
    leave_stage(admission, entry);
    fn_crowds_leave(&admission->half_open, &entry->half_open);
    admission->half_open_count--;
}

static fn_admission_entry *front_of(const fn_admission *admission, fn_admission_stage stage)
{
    fn_list_node *node = fn_list_front(&admission->stages[stage]);
    return node != NULL ? FN_CONTAINER_OF(node, fn_admission_entry, node) : NULL;
}

/* Whoever overruns first; NULL. */
static fn_admission_entry *next_overrun(const fn_admission *admission)
{
    fn_admission_entry *silent = front_of(admission, FN_ADMISSION_SILENT);
    fn_admission_entry *answered = front_of(admission, FN_ADMISSION_ANSWERED);
    if (silent == NULL || answered == NULL)
        return silent != NULL ? silent : answered;
    return silent->due_ns <= answered->due_ns ? silent : answered;
}

static fn_admission_entry *find_overrun(const fn_admission *admission, uint64_t now_ns)
{
    fn_admission_entry *next = next_overrun(admission);
    return next != NULL && next->due_ns <= now_ns ? next : NULL;
}

/* With a small cap fewer are a crowd, or one address could have all places. */
static bool is_crowd(const fn_admission *admission, const fn_crowd *crowd)
{
    uint32_t most = fn_min_u32(FN_ADMISSION_CROWD, admission->config.handshakes_max / 2);
    return crowd != NULL && crowd->size > fn_max_u32(most, 1);
}

static fn_admission_entry *find_crowding(const fn_admission *admission, const fn_address *newcomer)
{
    const fn_crowd *silent = fn_crowds_largest(&admission->silent);
    const fn_crowd *all = fn_crowds_largest(&admission->half_open);
    if (is_crowd(admission, silent))
        return FN_CONTAINER_OF(fn_crowd_oldest(silent), fn_admission_entry, silent);
    /* One more of theirs for one less: two crowds would throw each other out without end. */
    if (is_crowd(admission, all) && all->size > fn_crowds_size(&admission->half_open, newcomer) + 1)
        return FN_CONTAINER_OF(fn_crowd_youngest(all), fn_admission_entry, half_open);
    return NULL;
}

bool fn_admission_has_room(const fn_admission *admission, uint64_t now_ns)
{
    return admission->half_open_count < admission->config.handshakes_max ||
           find_overrun(admission, now_ns) != NULL ||
           is_crowd(admission, fn_crowds_largest(&admission->half_open));
}

uint64_t fn_admission_room_ns(const fn_admission *admission)
{
    const fn_admission_entry *next = next_overrun(admission);
    return next != NULL ? next->due_ns : FN_NEVER;
}

/* Nobody has to give way. */
static fn_admission_verdict refuse(fn_admission *admission, uint64_t now_ns)
{
    const fn_crowd *crowd = fn_crowds_largest(&admission->half_open);
    if (!is_crowd(admission, crowd) || admission->stage_counts[FN_ADMISSION_OURS] > 0 ||
        now_ns < crowd->stamp_ns + FN_ADMISSION_SILENT_NS)
        return FN_ADMISSION_WAIT;
    admission->evicted_count++;
    return FN_ADMISSION_CROWDED;
}

fn_admission_verdict fn_admission_place(fn_admission *admission, uint64_t now_ns,
                                        const fn_address *newcomer, fn_admission_entry **evicted)
{
    *evicted = NULL;
    if (admission->half_open_count < admission->config.handshakes_max)
        return FN_ADMISSION_ADMITTED;
    *evicted = find_overrun(admission, now_ns);
    if (*evicted == NULL)
        *evicted = find_crowding(admission, newcomer);
    if (*evicted == NULL)
        return refuse(admission, now_ns);
    leave(admission, *evicted);
    admission->evicted_count++;
    return FN_ADMISSION_ADMITTED;
}

void fn_admission_enter(fn_admission *admission, uint64_t now_ns, fn_admission_entry *entry,
                        const fn_address *address)
{
    assert(admission->half_open_count < admission->config.handshakes_max);
    memset(entry, 0, sizeof *entry);
    entry->address = *address;
    entry->order = admission->next_order++;
    enter_stage(admission, now_ns, entry, FN_ADMISSION_SILENT);
    fn_crowds_enter(&admission->half_open, &entry->half_open, address);
    admission->half_open_count++;
}

void fn_admission_advance(fn_admission *admission, uint64_t now_ns, fn_admission_entry *entry,
                          fn_admission_stage stage)
{
    assert(stage < FN_ADMISSION_STAGES);
    if (!fn_list_linked(&entry->node) || entry->stage == FN_ADMISSION_DECIDED ||
        entry->stage == stage)
        return;
    leave_stage(admission, entry);
    enter_stage(admission, now_ns, entry, stage);
    entry->half_open.crowd->stamp_ns = now_ns;
}

void fn_admission_pass(fn_admission *admission, uint64_t now_ns, fn_admission_entry *entry)
{
    (void)admission;
    if (entry->half_open.crowd != NULL)
        entry->half_open.crowd->stamp_ns = now_ns;
}

bool fn_admission_decide(fn_admission *admission, fn_admission_entry *entry)
{
    assert(fn_list_linked(&entry->node) && entry->stage != FN_ADMISSION_DECIDED);
    if (admission->request_count >= admission->config.requests_max)
        return false;
    leave(admission, entry);
    entry->stage = FN_ADMISSION_DECIDED;
    fn_list_push_back(&admission->requests, &entry->node);
    admission->request_count++;
    return true;
}

void fn_admission_end(fn_admission *admission, fn_admission_entry *entry)
{
    if (!fn_list_linked(&entry->node))
        return;
    if (entry->stage != FN_ADMISSION_DECIDED) {
        leave(admission, entry);
        return;
    }
    fn_list_remove(&entry->node);
    admission->request_count--;
}

/* --- answering ------------------------------------------------------------------------- */

int fn_admission_judge(const fn_admission *admission, const fn_address *address, const char **text)
{
    *text = "";
    if (fn_admission_banned(admission, address))
        *text = "this address is banned";
    else if (admission->draining)
        *text = "server is draining";
    return **text == '\0' ? FASTNET_OK : FASTNET_ERR_REJECTED;
}

/* --- bans ------------------------------------------------------------------------------ */

static bool is_link_local(const fn_address *address)
{
    return address->ip[0] == 0xfe && (address->ip[1] & 0xc0) == 0x80;
}

static void make_ban(const fn_address *address, uint8_t ban[BAN_BYTES])
{
    memcpy(ban, address->ip, BAN_BYTES);
    if (!fn_address_is_v4(address) && !is_link_local(address) && !fn_address_is_loopback(address))
        memset(ban + BAN_BYTES / 2, 0, BAN_BYTES / 2);
}

/* Where the ban is, or belongs. */
static uint32_t find_ban(const fn_admission *admission, const uint8_t ban[BAN_BYTES], bool *found)
{
    uint32_t low = 0, high = admission->ban_count;
    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = memcmp(admission->bans[middle], ban, BAN_BYTES);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int fn_admission_ban(fn_admission *admission, const fn_address *address)
{
    uint8_t ban[BAN_BYTES];
    bool found;
    make_ban(address, ban);
    uint32_t at = find_ban(admission, ban, &found);
    if (found)
        return FASTNET_OK;
    if (admission->ban_count == FN_ADMISSION_BANS_MAX)
        return FASTNET_ERR_LIMIT;
    memmove(admission->bans[at] + BAN_BYTES, admission->bans[at],
            (size_t)(admission->ban_count - at) * BAN_BYTES);
    memcpy(admission->bans[at], ban, BAN_BYTES);
    admission->ban_count++;
    return FASTNET_OK;
}

bool fn_admission_unban(fn_admission *admission, const fn_address *address)
{
    uint8_t ban[BAN_BYTES];
    bool found;
    make_ban(address, ban);
    uint32_t at = find_ban(admission, ban, &found);
    if (!found)
        return false;
    admission->ban_count--;
    memmove(admission->bans[at], admission->bans[at] + BAN_BYTES,
            (size_t)(admission->ban_count - at) * BAN_BYTES);
    return true;
}

bool fn_admission_banned(const fn_admission *admission, const fn_address *address)
{
    uint8_t ban[BAN_BYTES];
    bool found;
    make_ban(address, ban);
    find_ban(admission, ban, &found);
    return found;
}
