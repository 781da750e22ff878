#include "core/handshake.h"

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"
#include "core/handshake_internal.h"

#include <assert.h>
#include <string.h>

#define FRAMES_BYTES     (2 * (size_t)FN_HELLO_FRAME_BYTES_MAX)
#define RAW_BYTES_MIN    1024u
#define RAW_BYTES_MAX    ((uint32_t)FN_TLS_HELLO_BYTES_MAX)
#define FLUSH_NS         (FN_HANDSHAKE_FLUSH_MS * FN_NS_PER_MS)
#define FRAMES_ALIGNMENT 16

static bool has_ended(const fn_handshake *handshake)
{
    return handshake->state == FN_HANDSHAKE_CLOSED || handshake->state == FN_HANDSHAKE_FAILED;
}

static const char *other_side(const fn_handshake *handshake)
{
    return handshake->is_server ? "client" : "server";
}

/* --- memory --------------------------------------------------------------------------- */

static void release_raw(fn_handshake *handshake)
{
    fn_memory_free(&handshake->config->memory, handshake->raw, handshake->raw_capacity);
    handshake->raw = NULL;
    handshake->raw_capacity = 0;
    handshake->raw_bytes = 0;
}

/* Tokens are in there, so they are erased. */
static void release_frames(fn_handshake *handshake)
{
    if (handshake->frames == NULL)
        return;
    fn_bytes_wipe(handshake->frames, FRAMES_BYTES);
    fn_memory_free(&handshake->config->memory, handshake->frames, FRAMES_BYTES);
    handshake->frames = NULL;
    handshake->result.token = NULL;
    handshake->result.token_bytes = 0;
}

bool fn_handshake_reserve_frames(fn_handshake *handshake)
{
    handshake->frames = fn_memory_alloc(&handshake->config->memory, FRAMES_BYTES, FRAMES_ALIGNMENT);
    return handshake->frames != NULL;
}

static bool reserve_raw(fn_handshake *handshake, size_t bytes)
{
    if (bytes <= handshake->raw_capacity)
        return true;
    uint32_t capacity = fn_max_u32(handshake->raw_capacity, RAW_BYTES_MIN);
    while (capacity < bytes)
        capacity *= 2;
    uint8_t *raw = fn_memory_alloc(&handshake->config->memory, capacity, 1);
    if (raw == NULL)
        return false;
    uint32_t raw_bytes = handshake->raw_bytes;
    if (raw_bytes > 0)
        memcpy(raw, handshake->raw, raw_bytes);
    release_raw(handshake);
    handshake->raw = raw;
    handshake->raw_capacity = capacity;
    handshake->raw_bytes = raw_bytes;
    return true;
}

/* --- ending --------------------------------------------------------------------------- */

static bool tls_can_talk(const fn_handshake *handshake)
{
    return handshake->tls != NULL && fn_tls_handshake_done(handshake->tls) &&
           fn_tls_failure(handshake->tls)->code == FASTNET_OK;
}

static void end(fn_handshake *handshake, uint64_t now_ns, fn_handshake_state state)
{
    handshake->state = state;
    handshake->deadline_ns = fn_add_saturating(now_ns, FLUSH_NS);
    handshake->step_wanted = false;
    handshake->closing = tls_can_talk(handshake);
    release_raw(handshake);
}

/* A server lets the client close first: closing a TCP connection
 * with unread bytes resets it, and the alert or REJECT would be lost. */
void fn_handshake_fail(fn_handshake *handshake, uint64_t now_ns)
{
    assert(handshake->failure.code != FASTNET_OK);
    handshake->out_bytes = handshake->out_sent_bytes;
    handshake->waits_for_peer = handshake->is_server && handshake->tls != NULL;
    fn_secrets_wipe(&handshake->secrets);
    handshake->secrets_there = false;
    end(handshake, now_ns, FN_HANDSHAKE_FAILED);
}

void fn_handshake_end_answered(fn_handshake *handshake, uint64_t now_ns)
{
    handshake->waits_for_peer = true;
    end(handshake, now_ns, FN_HANDSHAKE_CLOSED);
}

static void fail_with(fn_handshake *handshake, uint64_t now_ns, int code, const char *text)
{
    fn_failure_set(&handshake->failure, code, "%s", text);
    fn_handshake_fail(handshake, now_ns);
}

static void fail_tls(fn_handshake *handshake, uint64_t now_ns)
{
    handshake->failure = *fn_tls_failure(handshake->tls);
    fn_handshake_fail(handshake, now_ns);
}

void fn_handshake_fail_and_reject(fn_handshake *handshake, uint64_t now_ns, uint32_t app_code)
{
    const char *text = handshake->failure.text;
    fn_reject reject = {.result = (uint32_t)-handshake->failure.code,
                        .app_code = app_code,
                        .text = (const uint8_t *)text,
                        .text_bytes = strlen(text)};
    fn_handshake_fail(handshake, now_ns);
    fn_writer writer = fn_writer_make(fn_handshake_out_frame(handshake), FN_HELLO_FRAME_BYTES_MAX);
    fn_hello_frame_begin(&writer);
    fn_reject_encode(&writer, &reject);
    fn_hello_frame_end(&writer, FN_HELLO_TYPE_REJECT);
    handshake->out_bytes = (uint32_t)fn_writer_bytes(&writer);
    handshake->out_sent_bytes = 0;
}

/* A breach by authenticated bytes: a server that may still answer does. */
static void fail_protocol(fn_handshake *handshake, uint64_t now_ns)
{
    if (handshake->is_server && handshake->state <= FN_HANDSHAKE_DECIDING)
        fn_handshake_fail_and_reject(handshake, now_ns, 0);
    else
        fn_handshake_fail(handshake, now_ns);
}

/* The other side is gone, or TLS broke. Once there are secrets, TLS is not needed any more, and
 * whoever can cut a TCP connection must not be able to cut the session. */
void fn_handshake_lose_transport(fn_handshake *handshake, uint64_t now_ns, int code)
{
    handshake->peer_done = true;
    if (handshake->state == FN_HANDSHAKE_ESTABLISHED)
        return;
    if (handshake->state == FN_HANDSHAKE_STREAM) {
        fail_with(handshake, now_ns, FASTNET_ERR_CLOSED, "the TLS stream ended");
    } else if (code == FASTNET_ERR_CLOSED) {
        fn_failure_set(&handshake->failure, code, "the %s closed the connection in the handshake",
                       other_side(handshake));
        fn_handshake_fail(handshake, now_ns);
    } else {
        fail_tls(handshake, now_ns);
    }
}

void fn_handshake_destroy(fn_handshake *handshake)
{
    release_raw(handshake);
    release_frames(handshake);
    fn_tls_destroy(handshake->tls);
    handshake->tls = NULL;
    fn_secrets_wipe(&handshake->secrets);
    fn_bytes_wipe(handshake->attach_secret, sizeof handshake->attach_secret);
    handshake->secrets_there = false;
}

/* --- bytes ---------------------------------------------------------------------------- */

size_t fn_handshake_room(const fn_handshake *handshake)
{
    if (has_ended(handshake) || handshake->peer_done)
        return FN_HANDSHAKE_ROOM_BYTES_MAX;
    if (handshake->state == FN_HANDSHAKE_WAITING)
        return fn_min_size(FN_HANDSHAKE_ROOM_BYTES_MAX, RAW_BYTES_MAX - handshake->raw_bytes);
    return FN_HANDSHAKE_ROOM_BYTES_MAX - handshake->unstepped_bytes;
}

static void receive_raw(fn_handshake *handshake, uint64_t now_ns, const uint8_t *bytes,
                        size_t bytes_count)
{
    if (!reserve_raw(handshake, handshake->raw_bytes + bytes_count)) {
        fail_with(handshake, now_ns, FASTNET_ERR_MEMORY, "no memory for a ClientHello");
        return;
    }
    memcpy(handshake->raw + handshake->raw_bytes, bytes, bytes_count);
    handshake->raw_bytes += (uint32_t)bytes_count;
    switch (fn_tls_record_complete(handshake->raw, handshake->raw_bytes)) {
    case FN_TLS_RECORD_GARBAGE:
        fail_with(handshake, now_ns, FASTNET_ERR_PROTOCOL,
                  fn_tls_record_complaint(handshake->raw, handshake->raw_bytes));
        break;
    case FN_TLS_RECORD_COMPLETE:
        handshake->step_wanted = true;
        break;
    case FN_TLS_RECORD_MORE:
        break;
    }
}

static void receive_tls(fn_handshake *handshake, uint64_t now_ns, const uint8_t *bytes,
                        size_t bytes_count)
{
    size_t consumed = 0;
    int code = fn_tls_receive(handshake->tls, bytes, bytes_count, &consumed);
    handshake->unstepped_bytes += (uint32_t)bytes_count;
    handshake->step_wanted = true;
    if (code != FASTNET_OK)
        fn_handshake_lose_transport(handshake, now_ns, code);
    else if (consumed < bytes_count)
        fail_with(handshake, now_ns, FASTNET_ERR_PROTOCOL, "more TLS data than a handshake has");
}

void fn_handshake_receive(fn_handshake *handshake, uint64_t now_ns, const uint8_t *bytes,
                          size_t bytes_count)
{
    assert(bytes_count <= fn_handshake_room(handshake));
    if (bytes_count == 0 || has_ended(handshake) || handshake->peer_done)
        return;
    if (handshake->state == FN_HANDSHAKE_WAITING)
        receive_raw(handshake, now_ns, bytes, bytes_count);
    else
        receive_tls(handshake, now_ns, bytes, bytes_count);
}

void fn_handshake_receive_end(fn_handshake *handshake)
{
    if (handshake->peer_done)
        return;
    handshake->peer_done = true;
    if (has_ended(handshake))
        return;
    if (handshake->tls != NULL)
        fn_tls_receive_end(handshake->tls);
    handshake->step_wanted = true;
}

void fn_handshake_push_out(fn_handshake *handshake)
{
    if (handshake->tls == NULL || handshake->state <= FN_HANDSHAKE_TLS)
        return;
    while (handshake->out_sent_bytes < handshake->out_bytes) {
        size_t written = 0;
        int code = fn_tls_write(handshake->tls,
                                fn_handshake_out_frame(handshake) + handshake->out_sent_bytes,
                                handshake->out_bytes - handshake->out_sent_bytes, &written);
        if (code != FASTNET_OK)
            handshake->out_bytes = handshake->out_sent_bytes;
        else if (written == 0)
            return;
        handshake->out_sent_bytes += (uint32_t)written;
    }
    if (handshake->state >= FN_HANDSHAKE_ESTABLISHED)
        release_frames(handshake);
    if (handshake->closing) {
        fn_tls_close(handshake->tls);
        handshake->closing = false;
    }
}

size_t fn_handshake_transmit(fn_handshake *handshake, uint8_t *out, size_t capacity)
{
    if (handshake->tls == NULL)
        return 0;
    size_t bytes = fn_tls_transmit(handshake->tls, out, capacity);
    fn_handshake_push_out(handshake);
    return bytes + fn_tls_transmit(handshake->tls, out + bytes, capacity - bytes);
}

bool fn_handshake_wants_transmit(const fn_handshake *handshake)
{
    return handshake->tls != NULL && fn_tls_pending_output(handshake->tls) > 0;
}

/* --- TLS ------------------------------------------------------------------------------ */

/* The ClientHello is whole: from here on the connection costs a TLS object. */
static void start_tls(fn_handshake *handshake, uint64_t now_ns)
{
    fn_tls_options options = {.unix_time_s = handshake->unix_time_s};
    handshake->tls = fn_tls_create(handshake->config->server_tls, &options, &handshake->failure);
    if (handshake->tls == NULL) {
        fn_handshake_fail(handshake, now_ns);
        return;
    }
    if (!fn_handshake_reserve_frames(handshake)) {
        fail_with(handshake, now_ns, FASTNET_ERR_MEMORY, "no memory for a handshake");
        return;
    }
    handshake->state = FN_HANDSHAKE_TLS;
    size_t consumed = 0;
    fn_tls_receive(handshake->tls, handshake->raw, handshake->raw_bytes, &consumed);
    if (consumed < handshake->raw_bytes)
        fail_with(handshake, now_ns, FASTNET_ERR_PROTOCOL, "the ClientHello is too long");
    release_raw(handshake);
}

static void learn_from_tls(fn_handshake *handshake)
{
    fn_tls_info info;
    if (fn_tls_describe(handshake->tls, &info) != FASTNET_OK)
        return;
    handshake->result.resumed = info.resumed;
    if (!info.peer_certified)
        return;
    static_assert(sizeof handshake->result.certificate_subject >= sizeof info.peer.subject,
                  "the subject fits");
    memcpy(handshake->result.certificate_subject, info.peer.subject, sizeof info.peer.subject);
}

static void step_tls(fn_handshake *handshake, uint64_t now_ns, bool *key_operation)
{
    if (fn_tls_step(handshake->tls, key_operation) != FASTNET_OK) {
        fail_tls(handshake, now_ns);
        return;
    }
    if (!fn_tls_handshake_done(handshake->tls)) {
        if (handshake->peer_done)
            fn_handshake_lose_transport(handshake, now_ns, FASTNET_ERR_CLOSED);
        return;
    }
    learn_from_tls(handshake);
    handshake->state = FN_HANDSHAKE_HELLO;
    if (handshake->attaches && !fn_handshake_write_attach(handshake, handshake->attach_secret))
        fail_with(handshake, now_ns, FASTNET_ERR_STATE, "TLS gave no key for an attachment");
    fn_handshake_push_out(handshake);
}

/* --- secrets -------------------------------------------------------------------------- */

/* Both frames are whole: `in` and `out`, HELLO and WELCOME, are each other's on the two sides. */
static int derive_secrets(fn_handshake *handshake)
{
    const uint8_t *in = fn_handshake_in_frame(handshake), *out = fn_handshake_out_frame(handshake);
    size_t in_bytes = handshake->in_bytes - FN_HANDSHAKE_HEADER,
           out_bytes = handshake->out_bytes - FN_HANDSHAKE_HEADER;
    uint8_t context[FN_SECRETS_BYTES], exporter[FN_SECRETS_BYTES];
    if (handshake->is_server)
        fn_secrets_context(in + FN_HANDSHAKE_HEADER, in_bytes, out + FN_HANDSHAKE_HEADER, out_bytes,
                           context);
    else
        fn_secrets_context(out + FN_HANDSHAKE_HEADER, out_bytes, in + FN_HANDSHAKE_HEADER, in_bytes,
                           context);
    int code = fn_tls_export(handshake->tls, fn_secrets_exporter_label(handshake->config->exporter),
                             context, sizeof context, exporter);
    if (code != FASTNET_OK)
        return code;
    fn_secrets_derive(exporter, &handshake->secrets);
    handshake->secrets_there = true;
    return FASTNET_OK;
}

bool fn_handshake_take_secrets(fn_handshake *handshake, fn_secrets *out)
{
    if (!handshake->secrets_there)
        return false;
    *out = handshake->secrets;
    fn_secrets_wipe(&handshake->secrets);
    handshake->secrets_there = false;
    return true;
}

bool fn_handshake_establish(fn_handshake *handshake, uint64_t now_ns)
{
    if (derive_secrets(handshake) != FASTNET_OK) {
        fail_with(handshake, now_ns, FASTNET_ERR_STATE, "TLS gave no keys for the session");
        return false;
    }
    handshake->result.connect_deadline_ns = handshake->deadline_ns;
    handshake->result.agreed =
        fn_limits_agree(&handshake->config->limits, &handshake->result.limits);
    handshake->deadline_ns = FN_NEVER;
    handshake->in_bytes = 0;
    handshake->state = FN_HANDSHAKE_ESTABLISHED;
    return true;
}

/* --- frames --------------------------------------------------------------------------- */

static bool is_expected(const fn_handshake *handshake, fn_hello_type type)
{
    if (handshake->is_server)
        return type == FN_HELLO_TYPE_ATTACH ||
               (type == FN_HELLO_TYPE_HELLO && handshake->state == FN_HANDSHAKE_HELLO);
    if (handshake->state == FN_HANDSHAKE_ATTACHING)
        return type == FN_HELLO_TYPE_ATTACHED || type == FN_HELLO_TYPE_GONE;
    return type == FN_HELLO_TYPE_WELCOME || type == FN_HELLO_TYPE_REJECT;
}

/* A length is believed only after this. */
static bool check_header(fn_handshake *handshake, uint64_t now_ns)
{
    fn_hello_type type;
    size_t body_bytes;
    int code = fn_hello_frame_decode(fn_handshake_in_frame(handshake), &type, &body_bytes,
                                     &handshake->failure);
    if (code == FASTNET_OK && !is_expected(handshake, type))
        code = fn_failure_set(&handshake->failure, FASTNET_ERR_PROTOCOL,
                              "a handshake message of type %u is not expected from a %s",
                              (unsigned)type, other_side(handshake));
    if (code == FASTNET_OK && !fn_attach_length_is_good(type, body_bytes))
        code = fn_failure_set(&handshake->failure, FASTNET_ERR_PROTOCOL,
                              "a handshake message of type %u has a wrong length", (unsigned)type);
    if (code != FASTNET_OK)
        fail_protocol(handshake, now_ns);
    return code == FASTNET_OK;
}

/* Length of the frame that arrives, as far as it is known. */
static size_t frame_bytes(fn_handshake *handshake)
{
    if (handshake->in_bytes < FN_HANDSHAKE_HEADER)
        return FN_HANDSHAKE_HEADER;
    return FN_HANDSHAKE_HEADER + fn_load_be32(fn_handshake_in_frame(handshake) + 1);
}

/* True when the frame is whole. Never reads beyond it. */
static bool read_frame(fn_handshake *handshake, uint64_t now_ns)
{
    size_t whole;
    while (handshake->in_bytes < (whole = frame_bytes(handshake))) {
        size_t bytes = 0;
        int code =
            fn_tls_read(handshake->tls, fn_handshake_in_frame(handshake) + handshake->in_bytes,
                        whole - handshake->in_bytes, &bytes);
        if (code != FASTNET_OK) {
            fn_handshake_lose_transport(handshake, now_ns, code);
            return false;
        }
        if (bytes == 0)
            return false;
        handshake->in_bytes += (uint32_t)bytes;
        if (handshake->in_bytes == FN_HANDSHAKE_HEADER && !check_header(handshake, now_ns))
            return false;
    }
    return true;
}

static void handle_frame(fn_handshake *handshake, uint64_t now_ns)
{
    if (handshake->state == FN_HANDSHAKE_ATTACHING)
        fn_handshake_handle_attach_answer(handshake, now_ns);
    else if (fn_handshake_in_frame(handshake)[0] == FN_HELLO_TYPE_ATTACH)
        fn_handshake_handle_attach(handshake);
    else if (handshake->is_server)
        fn_handshake_handle_hello(handshake, now_ns);
    else
        fn_handshake_handle_answer(handshake, now_ns);
}

static void say_too_much(fn_handshake *handshake, uint64_t now_ns)
{
    fn_failure_set(&handshake->failure, FASTNET_ERR_PROTOCOL,
                   "the %s sent more than the handshake has", other_side(handshake));
    fail_protocol(handshake, now_ns);
}

/* After HELLO and after WELCOME nothing may follow but the end, and ATTACH from a client. */
static void expect_silence(fn_handshake *handshake, uint64_t now_ns, bool or_attach)
{
    uint8_t byte;
    size_t bytes = 0;
    int code = fn_tls_read(handshake->tls, &byte, 1, &bytes);
    if (code != FASTNET_OK) {
        fn_handshake_lose_transport(handshake, now_ns, code);
    } else if (bytes > 0 && or_attach && byte == FN_HELLO_TYPE_ATTACH) {
        fn_handshake_in_frame(handshake)[0] = byte;
        handshake->in_bytes = 1;
    } else if (bytes > 0) {
        say_too_much(handshake, now_ns);
    }
}

static void read_after_welcome(fn_handshake *handshake, uint64_t now_ns)
{
    if (handshake->in_bytes == 0)
        expect_silence(handshake, now_ns, handshake->is_server && handshake->frames == NULL);
    if (handshake->in_bytes > 0 && handshake->state == FN_HANDSHAKE_ESTABLISHED &&
        read_frame(handshake, now_ns))
        handle_frame(handshake, now_ns);
}

static void read_frames(fn_handshake *handshake, uint64_t now_ns)
{
    bool awaits = handshake->state == FN_HANDSHAKE_HELLO ||
                  (handshake->state == FN_HANDSHAKE_ATTACHING && !handshake->is_server);
    if (awaits && read_frame(handshake, now_ns))
        handle_frame(handshake, now_ns);
    if (handshake->state == FN_HANDSHAKE_DECIDING ||
        (handshake->state == FN_HANDSHAKE_ATTACHING && handshake->is_server))
        expect_silence(handshake, now_ns, false);
    if (handshake->state == FN_HANDSHAKE_ESTABLISHED)
        read_after_welcome(handshake, now_ns);
}

/* --- work ----------------------------------------------------------------------------- */

bool fn_handshake_wants_step(const fn_handshake *handshake)
{
    return handshake->step_wanted;
}

/* Nothing is signed for a client that has hung up already. */
bool fn_handshake_wants_private_key(const fn_handshake *handshake)
{
    if (!handshake->is_server || handshake->peer_done)
        return false;
    if (handshake->state == FN_HANDSHAKE_WAITING)
        return fn_handshake_is_greeted(handshake);
    return handshake->state == FN_HANDSHAKE_TLS && fn_tls_may_sign(handshake->tls);
}

static void expire(fn_handshake *handshake, uint64_t now_ns)
{
    if (handshake->state == FN_HANDSHAKE_DECIDING) {
        fn_failure_set(&handshake->failure, FASTNET_ERR_REJECTED,
                       "the server did not decide about this client in time");
        fn_handshake_fail_and_reject(handshake, now_ns, 0);
        return;
    }
    fn_failure_set(&handshake->failure, FASTNET_ERR_TIMEOUT,
                   handshake->state >= FN_HANDSHAKE_HELLO
                       ? "the %s completed TLS, but did not send its part of the handshake in time"
                       : "the %s did not complete the TLS handshake in time",
                   other_side(handshake));
    fn_handshake_fail(handshake, now_ns);
    handshake->deadline_ns = now_ns;
}

static void step_waiting(fn_handshake *handshake, uint64_t now_ns)
{
    if (handshake->peer_done)
        fn_handshake_lose_transport(handshake, now_ns, FASTNET_ERR_CLOSED);
    else if (fn_handshake_is_greeted(handshake))
        start_tls(handshake, now_ns);
}

static void work(fn_handshake *handshake, uint64_t now_ns, bool *key_operation)
{
    if (handshake->state == FN_HANDSHAKE_WAITING)
        step_waiting(handshake, now_ns);
    if (handshake->state == FN_HANDSHAKE_TLS) {
        if (handshake->is_server && handshake->peer_done && fn_tls_may_sign(handshake->tls))
            fn_handshake_lose_transport(handshake, now_ns, FASTNET_ERR_CLOSED);
        else
            step_tls(handshake, now_ns, key_operation);
    }
    if (!has_ended(handshake) && handshake->state >= FN_HANDSHAKE_HELLO)
        read_frames(handshake, now_ns);
}

void fn_handshake_step(fn_handshake *handshake, uint64_t now_ns, bool *key_operation)
{
    bool used = false;
    handshake->step_wanted = false;
    handshake->unstepped_bytes = 0;
    if (!has_ended(handshake)) {
        if (now_ns >= handshake->deadline_ns)
            expire(handshake, now_ns);
        else
            work(handshake, now_ns, &used);
    }
    fn_handshake_push_out(handshake);
    if (key_operation != NULL)
        *key_operation = used;
}

uint64_t fn_handshake_deadline_ns(const fn_handshake *handshake)
{
    return handshake->deadline_ns;
}

/* --- the end -------------------------------------------------------------------------- */

int fn_handshake_session(fn_handshake *handshake, uint8_t *out, size_t capacity, size_t *out_bytes)
{
    if (handshake->tls == NULL || handshake->is_server)
        return FASTNET_ERR_STATE;
    return fn_tls_session(handshake->tls, out, capacity, out_bytes);
}

void fn_handshake_close(fn_handshake *handshake, uint64_t now_ns)
{
    if (has_ended(handshake))
        return;
    if (handshake->state == FN_HANDSHAKE_ESTABLISHED || handshake->state == FN_HANDSHAKE_STREAM)
        end(handshake, now_ns, FN_HANDSHAKE_CLOSED);
    else
        fail_with(handshake, now_ns, FASTNET_ERR_CANCELLED, "cancelled by the caller");
    fn_handshake_push_out(handshake);
}

bool fn_handshake_finished(const fn_handshake *handshake, uint64_t now_ns)
{
    if (!has_ended(handshake))
        return false;
    if (handshake->tls == NULL || now_ns >= handshake->deadline_ns)
        return true;
    return !fn_handshake_wants_transmit(handshake) &&
           (!handshake->waits_for_peer || handshake->peer_done);
}
