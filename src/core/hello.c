#include "core/hello.h"

#include "base/bits.h"
#include "base/result.h"
#include "base/units.h"

#include <assert.h>
#include <string.h>

/* --- limits --------------------------------------------------------------------------- */

const char *fn_limits_check(const fn_limits *limits)
{
#define X(field, low, high)                                                                 \
    if ((uint64_t)limits->field + 1 <= (uint64_t)(low) || limits->field > (uint64_t)(high)) \
        return #field;
    FN_LIMITS_MAP(X)
#undef X
    if (!fn_bits_power_of_two(limits->replay_window_packets))
        return "replay_window_packets";
    if (limits->receive_window_bytes - FN_LIMITS_MESSAGE_COST_BYTES < limits->message_bytes_max)
        return "receive_window_bytes";
    return NULL;
}

static uint32_t smaller_unless_zero(uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return fn_min_u32(a, b);
}

fn_limits_agreed fn_limits_agree(const fn_limits *ours, const fn_limits *theirs)
{
    return (fn_limits_agreed){
        .message_bytes_max = fn_min_u32(ours->message_bytes_max, theirs->message_bytes_max),
        .idle_timeout_ms = smaller_unless_zero(ours->idle_timeout_ms, theirs->idle_timeout_ms),
        .send_window_bytes = theirs->receive_window_bytes,
        .receive_window_bytes = ours->receive_window_bytes,
        .send_packets_max = theirs->replay_window_packets / 2,
        .receive_replay_window_packets = ours->replay_window_packets,
        .send_message_window = theirs->message_window,
        .receive_message_window = ours->message_window,
        .send_datagram_bytes_max = theirs->datagram_bytes_max,
        .receive_datagram_bytes_max = ours->datagram_bytes_max,
    };
}

static void read_limits(fn_reader *reader, fn_limits *out)
{
#define X(field, low, high) out->field = fn_read_u32(reader);
    FN_LIMITS_MAP(X)
#undef X
}

static void write_limits(fn_writer *writer, const fn_limits *limits)
{
#define X(field, low, high) fn_write_u32(writer, limits->field);
    FN_LIMITS_MAP(X)
#undef X
}

/* --- decoding ------------------------------------------------------------------------- */

static int malformed(fn_failure *failure, const char *message, const char *field)
{
    return fn_failure_set(failure, FASTNET_ERR_PROTOCOL, "%s is malformed: %s", message, field);
}

/* Unknown extensions are skipped, but they must be whole. */
static bool read_extensions(fn_reader *reader)
{
    while (!reader->failed && fn_reader_left(reader) > 0) {
        fn_read_u16(reader);
        fn_read_bytes(reader, fn_read_u16(reader));
    }
    return fn_reader_done(reader);
}

static bool read_versions(fn_reader *reader, fn_hello *out)
{
    out->version_count = fn_read_u8(reader);
    if (reader->failed || out->version_count == 0 || out->version_count > FN_HELLO_VERSIONS_MAX)
        return false;
    for (uint32_t i = 0; i < out->version_count; i++)
        out->versions[i] = fn_read_u16(reader);
    return !reader->failed;
}

/* Bytes whose length was just read; none above the limit are touched. */
static bool read_opaque(fn_reader *reader, size_t bytes, size_t bytes_max, const uint8_t **out,
                        size_t *out_bytes)
{
    if (reader->failed || bytes > bytes_max)
        return false;
    *out = fn_read_bytes(reader, bytes);
    *out_bytes = bytes;
    return !reader->failed;
}

int fn_hello_decode(const uint8_t *body, size_t body_bytes, fn_hello *out, fn_failure *failure)
{
    fn_reader reader = fn_reader_make(body, body_bytes);
    memset(out, 0, sizeof *out);
    if (!read_versions(&reader, out))
        return malformed(failure, "HELLO", "versions");
    if (!read_opaque(&reader, fn_read_u8(&reader), FN_HELLO_APPLICATION_BYTES_MAX,
                     &out->application_id, &out->application_id_bytes))
        return malformed(failure, "HELLO", "application id");
    out->application_build = fn_read_u32(&reader);
    out->receiver_id = fn_read_u32(&reader);
    read_limits(&reader, &out->limits);
    const uint8_t *hash = fn_read_bytes(&reader, sizeof out->channel_table_hash);
    if (hash == NULL)
        return malformed(failure, "HELLO", "it ends too early");
    memcpy(out->channel_table_hash, hash, sizeof out->channel_table_hash);
    if (!read_opaque(&reader, fn_read_u16(&reader), FN_HELLO_TOKEN_BYTES_MAX, &out->token,
                     &out->token_bytes))
        return malformed(failure, "HELLO", "token");
    if (!read_extensions(&reader))
        return malformed(failure, "HELLO", "extensions");
    return FASTNET_OK;
}

/* The host ends up in a resolver and in logs. */
static bool is_printable_host(const uint8_t *host, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (host[i] <= 0x20 || host[i] > 0x7e)
            return false;
    }
    return true;
}

int fn_welcome_decode(const uint8_t *body, size_t body_bytes, fn_welcome *out, fn_failure *failure)
{
    fn_reader reader = fn_reader_make(body, body_bytes);
    memset(out, 0, sizeof *out);
    out->version = fn_read_u16(&reader);
    out->peer_id = fn_read_u32(&reader);
    out->receiver_id = fn_read_u32(&reader);
    out->udp_port = fn_read_u16(&reader);
    if (out->udp_port == 0)
        return malformed(failure, "WELCOME", "UDP port");
    if (!read_opaque(&reader, fn_read_u8(&reader), FN_HELLO_HOST_BYTES_MAX, &out->udp_host,
                     &out->udp_host_bytes) ||
        !is_printable_host(out->udp_host, out->udp_host_bytes))
        return malformed(failure, "WELCOME", "UDP host");
    read_limits(&reader, &out->limits);
    if (reader.failed)
        return malformed(failure, "WELCOME", "it ends too early");
    if (!read_extensions(&reader))
        return malformed(failure, "WELCOME", "extensions");
    return FASTNET_OK;
}

int fn_reject_decode(const uint8_t *body, size_t body_bytes, fn_reject *out, fn_failure *failure)
{
    fn_reader reader = fn_reader_make(body, body_bytes);
    memset(out, 0, sizeof *out);
    out->result = fn_read_u32(&reader);
    out->app_code = fn_read_u32(&reader);
    if (!read_opaque(&reader, fn_read_u16(&reader), FN_HELLO_TEXT_BYTES_MAX, &out->text,
                     &out->text_bytes))
        return malformed(failure, "REJECT", "text");
    if (!fn_reader_done(&reader))
        return malformed(failure, "REJECT", "bytes after its end");
    return FASTNET_OK;
}

bool fn_hello_offers(const fn_hello *hello, uint16_t version)
{
    for (uint32_t i = 0; i < hello->version_count; i++) {
        if (hello->versions[i] == version)
            return true;
    }
    return false;
}

int fn_reject_code(const fn_reject *reject)
{
    static const int codes[] = {FASTNET_ERR_PROTOCOL, FASTNET_ERR_REJECTED, FASTNET_ERR_FULL,
                                FASTNET_ERR_VERSION,  FASTNET_ERR_CHANNELS, FASTNET_ERR_LIMIT};
    for (size_t i = 0; i < FN_ARRAY_COUNT(codes); i++) {
        if (reject->result == (uint32_t)-codes[i])
            return codes[i];
    }
    return FASTNET_ERR_REJECTED;
}

/* --- encoding ------------------------------------------------------------------------- */

void fn_hello_encode(fn_writer *writer, const fn_hello *hello)
{
    assert(hello->version_count >= 1 && hello->version_count <= FN_HELLO_VERSIONS_MAX);
    assert(hello->application_id_bytes <= FN_HELLO_APPLICATION_BYTES_MAX);
    assert(hello->token_bytes <= FN_HELLO_TOKEN_BYTES_MAX);
    fn_write_u8(writer, (uint8_t)hello->version_count);
    for (uint32_t i = 0; i < hello->version_count; i++)
        fn_write_u16(writer, hello->versions[i]);
    fn_write_u8(writer, (uint8_t)hello->application_id_bytes);
    fn_write_bytes(writer, hello->application_id, hello->application_id_bytes);
    fn_write_u32(writer, hello->application_build);
    fn_write_u32(writer, hello->receiver_id);
    write_limits(writer, &hello->limits);
    fn_write_bytes(writer, hello->channel_table_hash, sizeof hello->channel_table_hash);
    fn_write_u16(writer, (uint16_t)hello->token_bytes);
    fn_write_bytes(writer, hello->token, hello->token_bytes);
}

void fn_welcome_encode(fn_writer *writer, const fn_welcome *welcome)
{
    assert(welcome->udp_port != 0);
    assert(welcome->udp_host_bytes <= FN_HELLO_HOST_BYTES_MAX);
    fn_write_u16(writer, welcome->version);
    fn_write_u32(writer, welcome->peer_id);
    fn_write_u32(writer, welcome->receiver_id);
    fn_write_u16(writer, welcome->udp_port);
    fn_write_u8(writer, (uint8_t)welcome->udp_host_bytes);
    fn_write_bytes(writer, welcome->udp_host, welcome->udp_host_bytes);
    write_limits(writer, &welcome->limits);
}

void fn_reject_encode(fn_writer *writer, const fn_reject *reject)
{
    size_t bytes = fn_text_cut(reject->text, reject->text_bytes, FN_HELLO_TEXT_BYTES_MAX);
    fn_write_u32(writer, reject->result);
    fn_write_u32(writer, reject->app_code);
    fn_write_u16(writer, (uint16_t)bytes);
    fn_write_bytes(writer, reject->text, bytes);
}

/* --- attaching ------------------------------------------------------------------------ */

bool fn_attach_length_is_good(fn_hello_type type, size_t body_bytes)
{
    if (type == FN_HELLO_TYPE_ATTACH)
        return body_bytes == FN_HELLO_ATTACH_BODY_BYTES;
    if (type == FN_HELLO_TYPE_ATTACHED || type == FN_HELLO_TYPE_GONE)
        return body_bytes == 0;
    return true;
}

void fn_attach_decode(const uint8_t body[FN_HELLO_ATTACH_BODY_BYTES], fn_attach_message *out)
{
    out->receiver_id = fn_load_be32(body);
    memcpy(out->proof, body + 4, sizeof out->proof);
}

void fn_attach_encode(fn_writer *writer, const fn_attach_message *attach)
{
    fn_write_u32(writer, attach->receiver_id);
    fn_write_bytes(writer, attach->proof, sizeof attach->proof);
}

/* --- framing -------------------------------------------------------------------------- */

static bool is_known_type(uint8_t type)
{
    switch (type) {
#define X(name, value) case value:
        FN_HELLO_TYPE_MAP(X)
#undef X
        return true;
    default:
        return false;
    }
}

int fn_hello_frame_decode(const uint8_t header[FN_HELLO_FRAME_HEADER_BYTES], fn_hello_type *type,
                          size_t *body_bytes, fn_failure *failure)
{
    uint32_t bytes = fn_load_be32(header + 1);
    if (!is_known_type(header[0]))
        return fn_failure_set(failure, FASTNET_ERR_PROTOCOL, "handshake message of unknown type %u",
                              (unsigned)header[0]);
    if (bytes > FN_HELLO_BODY_BYTES_MAX)
        return fn_failure_set(failure, FASTNET_ERR_PROTOCOL,
                              "handshake message of %u bytes; at most %u are allowed",
                              (unsigned)bytes, (unsigned)FN_HELLO_BODY_BYTES_MAX);
    *type = (fn_hello_type)header[0];
    *body_bytes = bytes;
    return FASTNET_OK;
}

void fn_hello_frame_begin(fn_writer *writer)
{
    assert(fn_writer_bytes(writer) == 0);
    fn_write_reserve(writer, FN_HELLO_FRAME_HEADER_BYTES);
}

void fn_hello_frame_end(fn_writer *writer, fn_hello_type type)
{
    assert(!writer->failed);
    writer->start[0] = (uint8_t)type;
    fn_store_be32(writer->start + 1,
                  (uint32_t)(fn_writer_bytes(writer) - FN_HELLO_FRAME_HEADER_BYTES));
}
