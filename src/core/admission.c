#include "core/admission.h"

#include "base/result.h"
#include "base/units.h"

#include <assert.h>
#include <string.h>

#define ROWS_BYTES (sizeof(fn_admission_row) * FN_ADMISSION_SETS * FN_ADMISSION_WAYS)
#define BAN_BYTES  16
#define DECIDED    ((uint32_t)FN_ADMISSION_STAGES)

size_t fn_admission_memory_bytes(void)
{
    return ROWS_BYTES + (size_t)FN_ADMISSION_BANS_MAX * BAN_BYTES;
}

void fn_admission_init(fn_admission *admission, const fn_admission_config *config, void *memory,
                       const uint8_t seed[FN_SIPHASH_KEY_BYTES])
{
    assert(config->handshakes_max >= 1);
    memset(admission, 0, sizeof *admission);
    memset(memory, 0, fn_admission_memory_bytes());
    admission->config = *config;
    memcpy(admission->seed, seed, sizeof admission->seed);
    admission->rows = memory;
    admission->bans = (uint8_t(*)[BAN_BYTES])((uint8_t *)memory + ROWS_BYTES);
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

/* --- half-open ------------------------------------------------------------------------- */

/* Oldest first. Nearly always the newcomer is the youngest, so the walk is short. */
static void insert_by_age(fn_list *list, fn_admission_entry *entry)
{
    fn_list_node *after = fn_list_back(list);
    while (after != NULL && FN_CONTAINER_OF(after, fn_admission_entry, node)->order > entry->order)
        after = fn_list_previous(list, after);
    fn_list_insert_before(after != NULL ? after->next : list->ends.next, &entry->node);
}

static void enter_stage(fn_admission *admission, fn_admission_entry *entry, uint32_t stage)
{
    entry->stage = stage;
    insert_by_age(&admission->stages[stage], entry);
    admission->stage_counts[stage]++;
    admission->half_open_count++;
}

static void leave_stage(fn_admission *admission, fn_admission_entry *entry)
{
    fn_list_remove(&entry->node);
    admission->stage_counts[entry->stage]--;
    admission->half_open_count--;
}

static fn_admission_entry *evict(fn_admission *admission)
{
    uint32_t share = admission->config.handshakes_max / 8;
    uint32_t first = 0;
    while (admission->stage_counts[first] == 0 || admission->stage_counts[first] < share) {
        first++;
        assert(first < FN_ADMISSION_STAGES); /* one of three holds a third of the cap */
    }
    fn_list_node *node = fn_list_front(&admission->stages[first]);
    fn_admission_entry *entry = FN_CONTAINER_OF(node, fn_admission_entry, node);
    leave_stage(admission, entry);
    admission->evicted_count++;
    return entry;
}

fn_admission_verdict fn_admission_begin(fn_admission *admission, uint64_t now_ns,
                                        const fn_address *address, fn_admission_entry *entry,
                                        fn_admission_entry **evicted)
{
    *evicted = NULL;
    if (fn_admission_banned(admission, address))
        return FN_ADMISSION_BANNED;
    if (!take_credit(admission, now_ns, address)) {
        admission->limited_count++;
        return FN_ADMISSION_LIMITED;
    }
    if (admission->half_open_count >= admission->config.handshakes_max)
        *evicted = evict(admission);
    memset(entry, 0, sizeof *entry);
    entry->order = admission->next_order++;
    enter_stage(admission, entry, 0);
    return FN_ADMISSION_ADMITTED;
}

void fn_admission_advance(fn_admission *admission, fn_admission_entry *entry, uint32_t stage)
{
    assert(stage < FN_ADMISSION_STAGES);
    if (!fn_list_linked(&entry->node) || entry->stage == DECIDED || entry->stage == stage)
        return;
    leave_stage(admission, entry);
    enter_stage(admission, entry, stage);
}

bool fn_admission_decide(fn_admission *admission, fn_admission_entry *entry)
{
    assert(fn_list_linked(&entry->node) && entry->stage != DECIDED);
    if (admission->request_count >= admission->config.requests_max)
        return false;
    leave_stage(admission, entry);
    entry->stage = DECIDED;
    fn_list_push_back(&admission->requests, &entry->node);
    admission->request_count++;
    return true;
}

void fn_admission_end(fn_admission *admission, fn_admission_entry *entry)
{
    if (!fn_list_linked(&entry->node))
        return;
    if (entry->stage != DECIDED) {
        leave_stage(admission, entry);
        return;
    }
    fn_list_remove(&entry->node);
    admission->request_count--;
}

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
