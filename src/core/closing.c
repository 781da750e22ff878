#include "core/conn_parts.h"
#include "core/hello.h"

#include <string.h>

static const struct {
    int32_t result;
    const char *text;
} codes[] = {
#define X(name, value, result, text) [value] = {FASTNET_ERR_##result, text},
    FN_CLOSE_CODE_MAP(X)
#undef X
};

static void set_text(fn_closing *closing, const uint8_t *text, size_t bytes)
{
    bytes = fn_text_cut(text, bytes, FN_CONN_TEXT_BYTES);
    if (bytes > 0)
        memcpy(closing->text, text, bytes);
    closing->text[bytes] = '\0';
    closing->text_bytes = (uint32_t)bytes;
}

static bool is_over(const fn_conn *conn)
{
    return conn->state >= FN_CONN_CLOSING;
}

/* The other side was connected and spoke, and all is over before its path is validated here. What
 * it said was acknowledged, so it is reported, behind the CONNECTED that it needs. */
static void keep_what_was_said(fn_conn *conn)
{
    if (conn->state == FN_CONN_VALIDATING && !fn_list_empty(&conn->ready))
        conn->connected_pending = true;
}

/* Nothing more will be sent, acknowledged or put together: an end must not hold what the other side
 * or the application has piled up. What was received whole stays until it is delivered, and tags
 * learn that nothing is known of their messages. */
static void let_go(fn_conn *conn)
{
    fn_send_outcome outcome = fn_conn_outcome(conn);
    fn_channels_abandon(&conn->channels, &conn->store, &conn->owed.unfinished, &outcome);
    fn_sent_free(&conn->sent, &conn->store);
    fn_ahead_free(conn);
    if (conn->muted)
        fn_report_drop_notices(conn);
}

/* CLOSE is due now and again until it is acknowledged, as long as stragglers are waited for. */
static void enter_closing(fn_conn *conn, uint64_t now_ns)
{
    keep_what_was_said(conn);
    let_go(conn);
    conn->state = FN_CONN_CLOSING;
    conn->closing.again_at_ns = now_ns;
    conn->closing.dead_at_ns = now_ns + fn_conn_settle_ns(conn);
    if (fn_conn_active_path(conn) == NULL) {
        conn->closing.again_at_ns = FN_NEVER;
        conn->closing.dead_at_ns = now_ns;
    }
}

void fn_closing_violation(fn_conn *conn, uint64_t now_ns, fn_close_code code)
{
    if (is_over(conn))
        return;
    fn_closing *closing = &conn->closing;
    closing->application = false;
    closing->code = code;
    closing->result = codes[code].result;
    closing->pending = !conn->muted;
    set_text(closing, (const uint8_t *)codes[code].text, strlen(codes[code].text));
    enter_closing(conn, now_ns);
}

void fn_closing_on_frame(fn_conn *conn, uint64_t now_ns, const fn_close_frame *close)
{
    conn->closing.answer = true;
    if (conn->state == FN_CONN_DRAINING || conn->state == FN_CONN_DEAD)
        return;
    bool ours_first = conn->state == FN_CONN_CLOSING;
    keep_what_was_said(conn);
    let_go(conn);
    fn_closing *closing = &conn->closing;
    conn->state = FN_CONN_DRAINING;
    closing->dead_at_ns = now_ns + fn_conn_settle_ns(conn);
    closing->again_at_ns = FN_NEVER;
    if (ours_first)
        return;
    bool known = close->code < FN_ARRAY_COUNT(codes);
    closing->result = close->application ? FASTNET_ERR_CLOSED
                      : known            ? codes[close->code].result
                                         : FASTNET_ERR_PROTOCOL;
    closing->app_code = close->application ? close->code : 0;
    closing->pending = !conn->muted;
    set_text(closing, close->text, close->text_bytes);
}

static void end_silently(fn_conn *conn, int32_t result, const char *text)
{
    if (is_over(conn))
        return;
    /* A connection that never was CONNECTED reports its end all the same. */
    keep_what_was_said(conn);
    let_go(conn);
    conn->state = FN_CONN_DRAINING;
    conn->closing.result = result;
    conn->closing.pending = !conn->muted;
    conn->closing.again_at_ns = FN_NEVER;
    conn->closing.dead_at_ns = 0;
    set_text(&conn->closing, (const uint8_t *)text, strlen(text));
}

void fn_closing_timeout(fn_conn *conn, const char *text)
{
    end_silently(conn, FASTNET_ERR_TIMEOUT, text);
}

void fn_conn_gone(fn_conn *conn)
{
    end_silently(conn, FASTNET_ERR_GONE, "the server does not know this session any more");
}

void fn_conn_close(fn_conn *conn, uint64_t now_ns, uint32_t code, const char *text,
                   uint64_t linger_ns)
{
    conn->muted = true;
    fn_conn_withdraw(conn);
    if (is_over(conn)) {
        conn->closing.pending = false;
        return;
    }
    conn->closing.application = true;
    conn->closing.code = code;
    text = text != NULL ? text : "";
    set_text(&conn->closing, (const uint8_t *)text, strlen(text));
    conn->closing.linger_until_ns = fn_add_saturating(now_ns, linger_ns);
    /* There is no way to the client yet, and its way here is being found: it hears the reason then,
     * or the deadline of the connect ends this. */
    if (conn->state == FN_CONN_VALIDATING && !conn->config.is_client)
        conn->closing.when_validated = true;
    else if (conn->state == FN_CONN_VALIDATING || linger_ns == 0 || fn_conn_is_flushed(conn))
        enter_closing(conn, now_ns);
    else
        conn->state = FN_CONN_LINGERING;
}

void fn_closing_on_validated(fn_conn *conn, uint64_t now_ns)
{
    if (conn->closing.when_validated && !is_over(conn))
        enter_closing(conn, now_ns);
}

void fn_closing_on_acked(fn_conn *conn)
{
    if (conn->state != FN_CONN_CLOSING)
        return;
    conn->closing.again_at_ns = FN_NEVER;
    conn->closing.dead_at_ns = 0;
}

/* The application still has something to hear. */
static bool has_news(const fn_conn *conn)
{
    return conn->closing.pending || !fn_list_empty(&conn->ready);
}

void fn_closing_tick(fn_conn *conn, uint64_t now_ns)
{
    if (conn->state == FN_CONN_LINGERING &&
        (fn_conn_is_flushed(conn) || now_ns >= conn->closing.linger_until_ns))
        enter_closing(conn, now_ns);
    if (!is_over(conn) || now_ns < conn->closing.dead_at_ns)
        return;
    conn->closing.again_at_ns = FN_NEVER;
    if (!has_news(conn))
        conn->state = FN_CONN_DEAD;
}

/* A stream that takes nothing is no reason to wake up: its owner transmits when it does again. */
static uint64_t again_at(const fn_conn *conn)
{
    const fn_path *path = conn->active != FN_CONN_PATH_UNKNOWN ? &conn->paths[conn->active] : NULL;
    return path != NULL && path->stream && !path->writable ? FN_NEVER : conn->closing.again_at_ns;
}

uint64_t fn_closing_deadline(const fn_conn *conn)
{
    switch ((fn_conn_state)conn->state) {
    case FN_CONN_LINGERING:
        return fn_conn_is_flushed(conn) ? 0 : conn->closing.linger_until_ns;
    case FN_CONN_CLOSING:
    case FN_CONN_DRAINING:
        /* While there is news, the room for it is what is waited for. */
        return has_news(conn) ? again_at(conn)
                              : fn_min_u64(again_at(conn), conn->closing.dead_at_ns);
    default:
        return FN_NEVER;
    }
}
