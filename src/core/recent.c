#include "core/recent.h"

void fn_recent_init(fn_recent *recent, uint64_t now_ns)
{
    *recent = (fn_recent){.next_ns = now_ns + FN_RECENT_MARK_NS};
    for (uint32_t i = 0; i < FN_RECENT_MARKS; i++)
        recent->marks[i].time_ns = now_ns;
}

void fn_recent_set_mark(fn_recent *recent, uint64_t now_ns, const fn_recent_counts *counts)
{
    recent->newest = (recent->newest + 1) % FN_RECENT_MARKS;
    recent->marks[recent->newest] = (fn_recent_mark){now_ns, *counts};
    recent->next_ns = now_ns + FN_RECENT_MARK_NS;
}

/* The youngest that is as old as the window; else the oldest. */
static const fn_recent_mark *mark_for(const fn_recent *recent, uint64_t now_ns)
{
    const fn_recent_mark *mark = NULL;
    for (uint32_t i = 0; i < FN_RECENT_MARKS; i++) {
        mark = &recent->marks[(recent->newest + FN_RECENT_MARKS - i) % FN_RECENT_MARKS];
        if (fn_sub_saturating(now_ns, mark->time_ns) >= FN_RECENT_WINDOW_NS)
            break;
    }
    return mark;
}

uint64_t fn_recent_since(const fn_recent *recent, uint64_t now_ns, const fn_recent_counts *counts,
                         fn_recent_counts *difference)
{
    const fn_recent_mark *newest = &recent->marks[recent->newest];
    const fn_recent_mark *mark = mark_for(recent, now_ns);
    const fn_recent_counts *before = &mark->counts;
    *difference = (fn_recent_counts){0};
    if (fn_sub_saturating(now_ns, newest->time_ns) >= FN_RECENT_WINDOW_NS + FN_RECENT_MARK_NS)
        return 0;
    *difference = (fn_recent_counts){
        .sent_bytes = counts->sent_bytes - before->sent_bytes,
        .received_bytes = counts->received_bytes - before->received_bytes,
        .sent = counts->sent - before->sent,
        .lost = counts->lost - before->lost,
        .received = counts->received - before->received,
        .numbers = counts->numbers - before->numbers,
    };
    return fn_sub_saturating(now_ns, mark->time_ns);
}
