#include "core/handshake.h"

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"

#include <assert.h>
#include <string.h>

/* `frames`: the frame that arrives, then the one that leaves. */
#define FRAMES_BYTES     (2 * (size_t)FN_HELLO_FRAME_BYTES_MAX)
#define RAW_BYTES_MIN    1024u
#define RAW_BYTES_MAX    ((uint32_t)FN_TLS_HELLO_BYTES_MAX)
#define FLUSH_NS         (FN_HANDSHAKE_FLUSH_MS * FN_NS_PER_MS)
#define HEADER           ((size_t)FN_HELLO_FRAME_HEADER_BYTES)
#define FRAMES_ALIGNMENT 16

static uint8_t *in_frame(const fn_handshake *handshake)
{
    return handshake->frames;
}

static uint8_t *out_frame(const fn_handshake *handshake)
{
    return handshake->frames + FN_HELLO_FRAME_BYTES_MAX;
}

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

static bool reserve_frames(fn_handshake *handshake)
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

/* handshake->failure is set already. A server lets the client close first: closing a TCP connection
 * with unread bytes resets it, and the alert or REJECT would be lost. */
static void fail(fn_handshake *handshake, uint64_t now_ns)
{
    assert(handshake->failure.code != FASTNET_OK);
    handshake->out_bytes = handshake->out_sent_bytes;
    handshake->waits_for_peer = handshake->is_server && handshake->tls != NULL;
    fn_secrets_wipe(&handshake->secrets);
    handshake->secrets_there = false;
    end(handshake, now_ns, FN_HANDSHAKE_FAILED);
}

static void fail_with(fn_handshake *handshake, uint64_t now_ns, int code, const char *text)
{
    fn_failure_set(&handshake->failure, code, "%s", text);
    fail(handshake, now_ns);
}

static void fail_tls(fn_handshake *handshake, uint64_t now_ns)
{
    handshake->failure = *fn_tls_failure(handshake->tls);
    fail(handshake, now_ns);
}

/* What is in handshake->failure reaches the client too. */
static void fail_and_reject(fn_handshake *handshake, uint64_t now_ns, uint32_t app_code)
{
    const char *text = handshake->failure.text;
    fn_reject reject = {.result = (uint32_t)-handshake->failure.code,
                        .app_code = app_code,
                        .text = (const uint8_t *)text,
                        .text_bytes = strlen(text)};
    fail(handshake, now_ns);
    fn_writer writer = fn_writer_make(out_frame(handshake), FN_HELLO_FRAME_BYTES_MAX);
    fn_hello_frame_begin(&writer);
    fn_reject_encode(&writer, &reject);
    fn_hello_frame_end(&writer, FN_HELLO_TYPE_REJECT);
    handshake->out_bytes = (uint32_t)fn_writer_bytes(&writer);
    handshake->out_sent_bytes = 0;
}

/* A breach by authenticated bytes: a server that may still answer does. */
static void fail_protocol(fn_handshake *handshake, uint64_t now_ns)
{
    if (handshake->is_server && handshake->state < FN_HANDSHAKE_ESTABLISHED)
        fail_and_reject(handshake, now_ns, 0);
    else
        fail(handshake, now_ns);
}

/* The other side is gone, or TLS broke. Once there are secrets, TLS is not needed any more, and
 * whoever can cut a TCP connection must not be able to cut the session. */
static void lose_transport(fn_handshake *handshake, uint64_t now_ns, int code)
{
    handshake->peer_done = true;
    if (handshake->state == FN_HANDSHAKE_ESTABLISHED)
        return;
    if (code == FASTNET_ERR_CLOSED) {
        fn_failure_set(&handshake->failure, code, "the %s closed the connection in the handshake",
                       other_side(handshake));
        fail(handshake, now_ns);
    } else {
        fail_tls(handshake, now_ns);
    }
}

/* --- starting ------------------------------------------------------------------------- */

void fn_handshake_init_server(fn_handshake *handshake, const fn_handshake_config *config,
                              int64_t unix_time_s, uint64_t now_ns)
{
    memset(handshake, 0, sizeof *handshake);
    handshake->config = config;
    handshake->is_server = true;
    handshake->unix_time_s = unix_time_s;
    handshake->state = FN_HANDSHAKE_WAITING;
    handshake->deadline_ns = fn_add_saturating(now_ns, config->timeout_ns);
}

static void write_hello(fn_handshake *handshake, const fn_handshake_target *target)
{
    const fn_handshake_config *config = handshake->config;
    fn_hello hello = {.versions = {FN_HELLO_VERSION},
                      .version_count = 1,
                      .application_id = (const uint8_t *)config->application_id,
                      .application_id_bytes = strlen(config->application_id),
                      .application_build = config->application_build,
                      .receiver_id = target->receiver_id,
                      .limits = config->limits,
                      .token = target->token,
                      .token_bytes = target->token_bytes};
    memcpy(hello.channel_table_hash, config->channel_table_hash, sizeof hello.channel_table_hash);
    fn_writer writer = fn_writer_make(out_frame(handshake), FN_HELLO_FRAME_BYTES_MAX);
    fn_hello_frame_begin(&writer);
    fn_hello_encode(&writer, &hello);
    fn_hello_frame_end(&writer, FN_HELLO_TYPE_HELLO);
    handshake->out_bytes = (uint32_t)fn_writer_bytes(&writer);
}

static int check_target(const fn_handshake_config *config, const fn_handshake_target *target,
                        fn_failure *failure)
{
    if (strlen(config->application_id) > FN_HELLO_APPLICATION_BYTES_MAX)
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "the application id is longer than %u bytes",
                              (unsigned)FN_HELLO_APPLICATION_BYTES_MAX);
    if (target->token_bytes > FN_HELLO_TOKEN_BYTES_MAX)
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "the token is longer than %u bytes",
                              (unsigned)FN_HELLO_TOKEN_BYTES_MAX);
    return FASTNET_OK;
}

int fn_handshake_init_client(fn_handshake *handshake, const fn_handshake_config *config,
                             const fn_handshake_target *target, fn_failure *failure)
{
    memset(handshake, 0, sizeof *handshake);
    handshake->config = config;
    handshake->state = FN_HANDSHAKE_TLS;
    handshake->deadline_ns = target->deadline_ns;
    handshake->step_wanted = true;
    int code = check_target(config, target, failure);
    if (code != FASTNET_OK)
        return code;
    fn_tls_options options = {.server_name = target->server_name,
                              .unix_time_s = target->unix_time_s,
                              .session = target->session,
                              .session_bytes = target->session_bytes};
    fn_failure reason = {.code = FASTNET_OK};
    handshake->tls = fn_tls_create(target->tls, &options, &reason);
    if (handshake->tls == NULL)
        return fn_failure_set(failure, reason.code, "%s", reason.text);
    if (!reserve_frames(handshake)) {
        fn_handshake_destroy(handshake);
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for a handshake");
    }
    write_hello(handshake, target);
    return FASTNET_OK;
}

void fn_handshake_destroy(fn_handshake *handshake)
{
    release_raw(handshake);
    release_frames(handshake);
    fn_tls_destroy(handshake->tls);
    handshake->tls = NULL;
    fn_secrets_wipe(&handshake->secrets);
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
        lose_transport(handshake, now_ns, code);
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

/* Gives TLS what is waiting to be written, and close_notify behind it. */
static void push_out(fn_handshake *handshake)
{
    if (handshake->tls == NULL || handshake->state <= FN_HANDSHAKE_TLS)
        return;
    while (handshake->out_sent_bytes < handshake->out_bytes) {
        size_t written = 0;
        int code = fn_tls_write(handshake->tls, out_frame(handshake) + handshake->out_sent_bytes,
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
    push_out(handshake);
    return bytes + fn_tls_transmit(handshake->tls, out + bytes, capacity - bytes);
}

bool fn_handshake_wants_transmit(const fn_handshake *handshake)
{
    return handshake->tls != NULL && fn_tls_pending_output(handshake->tls) > 0;
}

/* --- TLS ------------------------------------------------------------------------------ */

static bool is_raw_complete(const fn_handshake *handshake)
{
    return handshake->raw_bytes > 0 &&
           fn_tls_record_complete(handshake->raw, handshake->raw_bytes) == FN_TLS_RECORD_COMPLETE;
}

/* The ClientHello is whole: from here on the connection costs a TLS object. */
static void start_tls(fn_handshake *handshake, uint64_t now_ns)
{
    fn_tls_options options = {.unix_time_s = handshake->unix_time_s};
    handshake->tls = fn_tls_create(handshake->config->server_tls, &options, &handshake->failure);
    if (handshake->tls == NULL) {
        fail(handshake, now_ns);
        return;
    }
    if (!reserve_frames(handshake)) {
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
            lose_transport(handshake, now_ns, FASTNET_ERR_CLOSED);
        return;
    }
    learn_from_tls(handshake);
    handshake->state = FN_HANDSHAKE_HELLO;
    push_out(handshake);
}

/* --- secrets -------------------------------------------------------------------------- */

/* Both frames are whole: `in` and `out`, HELLO and WELCOME, are each other's on the two sides. */
static int derive_secrets(fn_handshake *handshake)
{
    const uint8_t *in = in_frame(handshake), *out = out_frame(handshake);
    size_t in_bytes = handshake->in_bytes - HEADER, out_bytes = handshake->out_bytes - HEADER;
    uint8_t context[FN_SECRETS_BYTES], exporter[FN_SECRETS_BYTES];
    if (handshake->is_server)
        fn_secrets_context(in + HEADER, in_bytes, out + HEADER, out_bytes, context);
    else
        fn_secrets_context(out + HEADER, out_bytes, in + HEADER, in_bytes, context);
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

static bool establish(fn_handshake *handshake, uint64_t now_ns)
{
    if (derive_secrets(handshake) != FASTNET_OK) {
        fail_with(handshake, now_ns, FASTNET_ERR_STATE, "TLS gave no keys for the session");
        return false;
    }
    handshake->result.connect_deadline_ns = handshake->deadline_ns;
    handshake->result.agreed =
        fn_limits_agree(&handshake->config->limits, &handshake->result.limits);
    handshake->deadline_ns = FN_NEVER;
    handshake->state = FN_HANDSHAKE_ESTABLISHED;
    return true;
}

/* --- server: HELLO -------------------------------------------------------------------- */

/* The order is that of PROTOCOL.md section 3. */
static int judge_hello(const fn_handshake *handshake, const fn_hello *hello, fn_failure *failure)
{
    const fn_handshake_config *config = handshake->config;
    size_t id_bytes = strlen(config->application_id);
    if (!fn_hello_offers(hello, FN_HELLO_VERSION))
        return fn_failure_set(failure, FASTNET_ERR_VERSION,
                              "the server speaks protocol version %u only",
                              (unsigned)FN_HELLO_VERSION);
    if (hello->application_id_bytes != id_bytes ||
        memcmp(hello->application_id, config->application_id, id_bytes) != 0)
        return fn_failure_set(failure, FASTNET_ERR_VERSION,
                              "the server runs another application: the application ids differ");
    if (memcmp(hello->channel_table_hash, config->channel_table_hash,
               sizeof hello->channel_table_hash) != 0)
        return fn_failure_set(failure, FASTNET_ERR_CHANNELS,
                              "the channel tables of client and server differ");
    const char *field = fn_limits_check(&hello->limits);
    if (field != NULL)
        return fn_failure_set(failure, FASTNET_ERR_PROTOCOL, "HELLO: the limit %s is out of range",
                              field);
    return FASTNET_OK;
}

static void start_deciding(fn_handshake *handshake, uint64_t now_ns)
{
    handshake->state = FN_HANDSHAKE_DECIDING;
    handshake->left_ns = fn_sub_saturating(handshake->deadline_ns, now_ns);
    handshake->deadline_ns = fn_add_saturating(now_ns, handshake->config->decide_timeout_ns);
}

static void handle_hello(fn_handshake *handshake, uint64_t now_ns)
{
    fn_hello hello;
    fn_failure *failure = &handshake->failure;
    if (fn_hello_decode(in_frame(handshake) + HEADER, handshake->in_bytes - HEADER, &hello,
                        failure) != FASTNET_OK ||
        judge_hello(handshake, &hello, failure) != FASTNET_OK) {
        fail_and_reject(handshake, now_ns, 0);
        return;
    }
    fn_handshake_result *result = &handshake->result;
    result->limits = hello.limits;
    result->agreed = fn_limits_agree(&handshake->config->limits, &hello.limits);
    result->receiver_id = hello.receiver_id;
    result->application_build = hello.application_build;
    result->token = hello.token;
    result->token_bytes = hello.token_bytes;
    start_deciding(handshake, now_ns);
}

static bool is_sendable_host(const char *host)
{
    size_t bytes = 0;
    for (; host[bytes] != '\0'; bytes++) {
        if (host[bytes] <= 0x20 || host[bytes] > 0x7e)
            return false;
    }
    return bytes <= FN_HELLO_HOST_BYTES_MAX;
}

static void write_welcome(fn_handshake *handshake, const fn_welcome *welcome)
{
    fn_writer writer = fn_writer_make(out_frame(handshake), FN_HELLO_FRAME_BYTES_MAX);
    fn_hello_frame_begin(&writer);
    fn_welcome_encode(&writer, welcome);
    fn_hello_frame_end(&writer, FN_HELLO_TYPE_WELCOME);
    handshake->out_bytes = (uint32_t)fn_writer_bytes(&writer);
}

int fn_handshake_accept(fn_handshake *handshake, uint64_t now_ns, uint32_t peer_id,
                        uint32_t receiver_id, uint16_t udp_port, const char *udp_host)
{
    if (handshake->state != FN_HANDSHAKE_DECIDING)
        return FASTNET_ERR_STATE;
    if (udp_port == 0 || !is_sendable_host(udp_host))
        return FASTNET_ERR_ARGUMENT;
    fn_welcome welcome = {.version = FN_HELLO_VERSION,
                          .peer_id = peer_id,
                          .receiver_id = receiver_id,
                          .udp_port = udp_port,
                          .udp_host = (const uint8_t *)udp_host,
                          .udp_host_bytes = strlen(udp_host),
                          .limits = handshake->config->limits};
    write_welcome(handshake, &welcome);
    handshake->result.peer_id = peer_id;
    handshake->deadline_ns = fn_add_saturating(now_ns, handshake->left_ns);
    if (!establish(handshake, now_ns))
        return handshake->failure.code;
    push_out(handshake);
    return FASTNET_OK;
}

int fn_handshake_reject(fn_handshake *handshake, uint64_t now_ns, int result, uint32_t app_code,
                        const char *text)
{
    assert(result == FASTNET_ERR_REJECTED || result == FASTNET_ERR_FULL);
    if (handshake->state != FN_HANDSHAKE_DECIDING)
        return FASTNET_ERR_STATE;
    fn_failure_set(&handshake->failure, result, "%s",
                   text != NULL ? text : fastnet_result_text(result));
    fail_and_reject(handshake, now_ns, app_code);
    push_out(handshake);
    return FASTNET_OK;
}

/* --- client: WELCOME, REJECT ---------------------------------------------------------- */

static int judge_welcome(const fn_welcome *welcome, fn_failure *failure)
{
    if (welcome->version != FN_HELLO_VERSION)
        return fn_failure_set(failure, FASTNET_ERR_VERSION,
                              "the server chose protocol version %u, which was not offered",
                              (unsigned)welcome->version);
    const char *field = fn_limits_check(&welcome->limits);
    if (field != NULL)
        return fn_failure_set(failure, FASTNET_ERR_PROTOCOL,
                              "WELCOME: the limit %s is out of range", field);
    return FASTNET_OK;
}

static void handle_welcome(fn_handshake *handshake, uint64_t now_ns)
{
    fn_welcome welcome;
    fn_failure *failure = &handshake->failure;
    if (fn_welcome_decode(in_frame(handshake) + HEADER, handshake->in_bytes - HEADER, &welcome,
                          failure) != FASTNET_OK ||
        judge_welcome(&welcome, failure) != FASTNET_OK) {
        fail(handshake, now_ns);
        return;
    }
    fn_handshake_result *result = &handshake->result;
    result->limits = welcome.limits;
    result->peer_id = welcome.peer_id;
    result->receiver_id = welcome.receiver_id;
    result->udp_port = welcome.udp_port;
    memcpy(result->udp_host, welcome.udp_host, welcome.udp_host_bytes);
    result->udp_host[welcome.udp_host_bytes] = '\0';
    establish(handshake, now_ns);
}

/* The text may be any bytes; no control character of it reaches a log. */
static void handle_reject(fn_handshake *handshake, uint64_t now_ns)
{
    fn_reject reject;
    if (fn_reject_decode(in_frame(handshake) + HEADER, handshake->in_bytes - HEADER, &reject,
                         &handshake->failure) == FASTNET_OK) {
        char text[FN_HELLO_TEXT_BYTES_MAX + 1];
        for (size_t i = 0; i < reject.text_bytes; i++)
            text[i] =
                (char)(reject.text[i] < 0x20 || reject.text[i] == 0x7f ? '?' : reject.text[i]);
        text[reject.text_bytes] = '\0';
        int code = fn_reject_code(&reject);
        handshake->app_code = reject.app_code;
        fn_failure_set(&handshake->failure, code, "%s",
                       reject.text_bytes > 0 ? text : fastnet_result_text(code));
    }
    fail(handshake, now_ns);
}

/* --- frames --------------------------------------------------------------------------- */

static bool is_expected(const fn_handshake *handshake, fn_hello_type type)
{
    if (handshake->is_server)
        return type == FN_HELLO_TYPE_HELLO;
    return type == FN_HELLO_TYPE_WELCOME || type == FN_HELLO_TYPE_REJECT;
}

/* A length is believed only after this. */
static bool check_header(fn_handshake *handshake, uint64_t now_ns)
{
    fn_hello_type type;
    size_t body_bytes;
    int code = fn_hello_frame_decode(in_frame(handshake), &type, &body_bytes, &handshake->failure);
    if (code == FASTNET_OK && !is_expected(handshake, type))
        code = fn_failure_set(&handshake->failure, FASTNET_ERR_PROTOCOL,
                              "a handshake message of type %u is not expected from a %s",
                              (unsigned)type, other_side(handshake));
    if (code != FASTNET_OK)
        fail_protocol(handshake, now_ns);
    return code == FASTNET_OK;
}

/* Length of the frame that arrives, as far as it is known. */
static size_t frame_bytes(const fn_handshake *handshake)
{
    if (handshake->in_bytes < HEADER)
        return HEADER;
    return HEADER + fn_load_be32(in_frame(handshake) + 1);
}

/* True when the frame is whole. Never reads beyond it. */
static bool read_frame(fn_handshake *handshake, uint64_t now_ns)
{
    size_t whole;
    while (handshake->in_bytes < (whole = frame_bytes(handshake))) {
        size_t bytes = 0;
        int code = fn_tls_read(handshake->tls, in_frame(handshake) + handshake->in_bytes,
                               whole - handshake->in_bytes, &bytes);
        if (code != FASTNET_OK) {
            lose_transport(handshake, now_ns, code);
            return false;
        }
        if (bytes == 0)
            return false;
        handshake->in_bytes += (uint32_t)bytes;
        if (handshake->in_bytes == HEADER && !check_header(handshake, now_ns))
            return false;
    }
    return true;
}

static void handle_frame(fn_handshake *handshake, uint64_t now_ns)
{
    if (handshake->is_server)
        handle_hello(handshake, now_ns);
    else if (in_frame(handshake)[0] == FN_HELLO_TYPE_WELCOME)
        handle_welcome(handshake, now_ns);
    else
        handle_reject(handshake, now_ns);
}

/* After HELLO and after WELCOME nothing may follow but the end. */
static void expect_silence(fn_handshake *handshake, uint64_t now_ns)
{
    uint8_t byte;
    size_t bytes = 0;
    int code = fn_tls_read(handshake->tls, &byte, 1, &bytes);
    if (code != FASTNET_OK) {
        lose_transport(handshake, now_ns, code);
    } else if (bytes > 0) {
        fn_failure_set(&handshake->failure, FASTNET_ERR_PROTOCOL,
                       "the %s sent more than the handshake has", other_side(handshake));
        fail_protocol(handshake, now_ns);
    }
}

static void read_frames(fn_handshake *handshake, uint64_t now_ns)
{
    if (handshake->state == FN_HANDSHAKE_HELLO && read_frame(handshake, now_ns))
        handle_frame(handshake, now_ns);
    if (handshake->state == FN_HANDSHAKE_DECIDING || handshake->state == FN_HANDSHAKE_ESTABLISHED)
        expect_silence(handshake, now_ns);
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
        return is_raw_complete(handshake);
    return handshake->state == FN_HANDSHAKE_TLS && fn_tls_may_sign(handshake->tls);
}

static void expire(fn_handshake *handshake, uint64_t now_ns)
{
    if (handshake->state == FN_HANDSHAKE_DECIDING) {
        fn_failure_set(&handshake->failure, FASTNET_ERR_REJECTED,
                       "the server did not decide about this client in time");
        fail_and_reject(handshake, now_ns, 0);
        return;
    }
    fn_failure_set(&handshake->failure, FASTNET_ERR_TIMEOUT,
                   handshake->state == FN_HANDSHAKE_HELLO
                       ? "the %s completed TLS, but did not send its part of the handshake in time"
                       : "the %s did not complete the TLS handshake in time",
                   other_side(handshake));
    fail(handshake, now_ns);
    handshake->deadline_ns = now_ns;
}

static void step_waiting(fn_handshake *handshake, uint64_t now_ns)
{
    if (handshake->peer_done)
        lose_transport(handshake, now_ns, FASTNET_ERR_CLOSED);
    else if (is_raw_complete(handshake))
        start_tls(handshake, now_ns);
}

static void work(fn_handshake *handshake, uint64_t now_ns, bool *key_operation)
{
    if (handshake->state == FN_HANDSHAKE_WAITING)
        step_waiting(handshake, now_ns);
    if (handshake->state == FN_HANDSHAKE_TLS) {
        if (handshake->is_server && handshake->peer_done && fn_tls_may_sign(handshake->tls))
            lose_transport(handshake, now_ns, FASTNET_ERR_CLOSED);
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
    push_out(handshake);
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
    if (handshake->state == FN_HANDSHAKE_ESTABLISHED)
        end(handshake, now_ns, FN_HANDSHAKE_CLOSED);
    else
        fail_with(handshake, now_ns, FASTNET_ERR_CANCELLED, "cancelled by the caller");
    push_out(handshake);
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
