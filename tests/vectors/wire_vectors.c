/*
 * wire_vectors: our side of the wire vectors.
 *
 *   wire_vectors emit            prints keys, datagrams and handshake messages, made by our code
 *   wire_vectors dump FILE       reads such lines (from reader.py) and prints what they mean
 *   wire_vectors refuse FILE     reads lines "name hex" of frames, "message name hex" and
 *                                "stream name hex"; fails for one that it can read
 *
 * What they mean is written by hand in wire.expect, in the same words as `dump` prints.
 */
#include "base/result.h"
#include "base/seq.h"
#include "core/channel_table.h"
#include "core/hello.h"
#include "core/keys.h"
#include "core/wire.h"
#include "crypto/hash.h"
#include "crypto/secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DATAGRAM_BYTES = 2048, LINE_BYTES = 16384, RECEIVER_ID = 0x11223344 };

enum { STREAM_DATAGRAM_BYTES_MAX = 1452 }; /* what the receiver of a stream accepts */

static uint8_t client_secret[FN_KDF_SECRET_BYTES];
static uint8_t server_secret[FN_KDF_SECRET_BYTES];
static uint8_t attach_proof[FN_SECRETS_BYTES];

static void print_hex(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%02x", bytes[i]);
    if (count == 0)
        printf("-");
}

static void print_line(const char *name, const uint8_t *bytes, size_t count)
{
    printf("%s ", name);
    print_hex(bytes, count);
    printf("\n");
}

/* --- emit: secrets --- */

static void emit_secrets(void)
{
    uint8_t root[FN_SECRETS_BYTES];
    for (size_t i = 0; i < sizeof root; i++)
        root[i] = (uint8_t)(i * 7 + 1);
    print_line("root", root, sizeof root);
    fn_secrets secrets;
    fn_secrets_derive(root, &secrets);
    print_line("client", secrets.client_to_server, FN_SECRETS_BYTES);
    print_line("server", secrets.server_to_client, FN_SECRETS_BYTES);
    print_line("attach", secrets.attach_key, FN_SECRETS_BYTES);
    memcpy(client_secret, secrets.client_to_server, sizeof client_secret);
    memcpy(server_secret, secrets.server_to_client, sizeof server_secret);
    uint8_t exporter[FN_SECRETS_BYTES];
    uint8_t proof[FN_SECRETS_BYTES];
    memset(exporter, 0x5a, sizeof exporter);
    fn_secrets_attach_proof(secrets.attach_key, exporter, proof);
    print_line("attach_exporter", exporter, sizeof exporter);
    print_line("attach_proof", proof, sizeof proof);
    memcpy(attach_proof, proof, sizeof attach_proof);
}

static void emit_keys(void)
{
    uint8_t secret[FN_KDF_SECRET_BYTES];
    memcpy(secret, client_secret, sizeof secret);
    for (int generation = 0; generation < 3; generation++) {
        fn_aead_key key;
        fn_kdf_traffic_key(secret, &key);
        printf("key %d ", generation);
        print_hex(key.key, sizeof key.key);
        printf(" ");
        print_hex(key.iv, sizeof key.iv);
        printf("\n");
        fn_kdf_next_secret(secret, secret);
    }
}

/* --- emit: datagrams --- */

/* name, key generation, number, bytes of the number, number that the reader expects next */
typedef struct datagram_case {
    const char *name;
    bool from_server;
    uint8_t generation;
    uint32_t number_bytes;
    uint64_t number;
    uint64_t expected;
    void (*write)(fn_writer *writer);
} datagram_case;

static void write_first(fn_writer *writer)
{
    fn_frame_write_path(writer, FN_FRAME_PATH_CHALLENGE, UINT64_C(0x0102030405060708));
    fn_frame_write_ping(writer, UINT64_C(1000000000));
    memset(fn_write_reserve(writer, 100), FN_FRAME_PADDING, 100);
}

static void write_answer(fn_writer *writer)
{
    fn_frame_write_path(writer, FN_FRAME_PATH_RESPONSE, UINT64_C(0x0102030405060708));
    fn_frame_write_path(writer, FN_FRAME_PATH_CHALLENGE, UINT64_C(0xfffefdfcfbfaf9f8));
}

static void receive(fn_ack_ledger *ledger, uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++)
        fn_ack_received(ledger, number, 0, FN_ACK_USUAL);
}

static void write_ack_one(fn_writer *writer)
{
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    receive(&ledger, 0, 0);
    fn_frame_write_ack(writer, &ledger, 0);
}

static void write_ack_ranges(fn_writer *writer)
{
    fn_ack_ledger ledger;
    fn_ack_init(&ledger);
    receive(&ledger, 0, 2);
    receive(&ledger, 4, 4);
    receive(&ledger, 70, 170);
    receive(&ledger, 172, 172);
    fn_frame_write_ack(writer, &ledger, 25000);
}

static void write_credit(fn_writer *writer)
{
    fn_frame_write_credit(writer, FN_FRAME_WINDOW, 63);
    fn_frame_write_credit(writer, FN_FRAME_WINDOW, 64);
    fn_frame_write_credit(writer, FN_FRAME_BLOCKED, 16383);
    fn_frame_write_credit(writer, FN_FRAME_BLOCKED, 16384);
    fn_frame_write_credit(writer, FN_FRAME_WINDOW, 1073741823);
    fn_frame_write_credit(writer, FN_FRAME_WINDOW, 1073741824);
    fn_frame_write_credit(writer, FN_FRAME_WINDOW, UINT64_C(4611686018427387903));
}

static void write_path_too_small(fn_writer *writer)
{
    fn_frame_write_path_too_small(writer);
}

static void write_close(fn_writer *writer, bool application, uint32_t code, const char *text)
{
    fn_close_frame frame = {.application = application,
                            .code = code,
                            .text = (const uint8_t *)text,
                            .text_bytes = (uint32_t)strlen(text)};
    fn_frame_write_close(writer, &frame);
}

static void write_close_application(fn_writer *writer)
{
    write_close(writer, true, 4294967295u, "match over");
}

static void write_close_protocol(fn_writer *writer)
{
    write_close(writer, false, 2, "");
}

static void write_message(fn_writer *writer, uint8_t channel, uint64_t id, uint32_t first_unit,
                          uint32_t total_bytes, uint32_t bytes)
{
    uint8_t payload[DATAGRAM_BYTES];
    memset(payload, 0xab, sizeof payload);
    fn_message_frame frame = {.id = id,
                              .payload = payload,
                              .bytes = bytes,
                              .first_unit = first_unit,
                              .total_bytes = total_bytes,
                              .channel = channel,
                              .fragment = bytes != total_bytes};
    fn_frame_write_message(writer, &frame);
}

/* The one at the end fills the writer exactly, so it has no length. */
static void write_message_last(fn_writer *writer, uint8_t channel, uint64_t id, uint32_t first_unit,
                               uint32_t total_bytes, uint32_t bytes)
{
    fn_message_frame shape = {.id = id,
                              .bytes = bytes,
                              .first_unit = first_unit,
                              .total_bytes = total_bytes,
                              .fragment = bytes != total_bytes};
    writer->end = writer->at + fn_frame_message_overhead(&shape, false) + bytes;
    write_message(writer, channel, id, first_unit, total_bytes, bytes);
}

static void write_messages(fn_writer *writer)
{
    write_message(writer, 0, 0, 0, 5, 5);
    write_message(writer, 1, 64, 0, 0, 0);
    write_message(writer, 3, UINT64_C(4611686018427387903), 0, 20, 20);
    write_message_last(writer, 239, 16384, 0, 1024, 1024);
}

static void write_empty_last(fn_writer *writer)
{
    write_message_last(writer, 2, 7, 0, 0, 0);
}

static void write_fragment_first(fn_writer *writer)
{
    write_message_last(writer, 2, 9, 0, 2500, 1024);
}

static void write_fragment_end(fn_writer *writer)
{
    write_message(writer, 2, 9, 2, 2500, 452);
    write_message_last(writer, 0, 1000, 16383, 1u << 24, 1024);
}

static void write_ping(fn_writer *writer)
{
    fn_frame_write_ping(writer, UINT64_MAX);
}

static const datagram_case datagrams[] = {
    {"first", false, 0, 1, 0, 0, write_first},
    {"answer", true, 0, 1, 0, 0, write_answer},
    {"ack_one", true, 0, 1, 1, 1, write_ack_one},
    {"ack_ranges", false, 0, 2, 200, 150, write_ack_ranges},
    {"credit", false, 0, 2, 10300, 10303, write_credit},
    {"path_too_small", true, 0, 2, 70000, 69950, write_path_too_small},
    {"close_application", true, 0, 3, 0x12345, 0x12345, write_close_application},
    {"close_protocol", true, 0, 4, UINT64_C(4611686018427387902), UINT64_C(4611686018427387900),
     write_close_protocol},
    {"messages", false, 1, 2, 5000, 4999, write_messages},
    {"empty_last", false, 1, 2, 5001, 5001, write_empty_last},
    {"fragment_first", false, 2, 1, 65536, 65530, write_fragment_first},
    {"fragment_end", false, 2, 1, 65535, 65537, write_fragment_end},
    {"rfc9000_a3", false, 0, 2, 0xa82f9b32, 0xa82f30eb, write_ping},
};

static size_t make_datagram(const datagram_case *this, uint8_t datagram[DATAGRAM_BYTES])
{
    uint8_t secret[FN_KDF_SECRET_BYTES];
    memcpy(secret, this->from_server ? server_secret : client_secret, sizeof secret);
    fn_send_keys keys;
    fn_send_keys_init(&keys, secret, 0);
    for (uint8_t i = 0; i < this->generation; i++)
        fn_send_keys_update(&keys, 0, 0);
    size_t header =
        fn_header_encode(datagram, RECEIVER_ID, keys.phase, this->number, this->number_bytes);
    fn_writer writer = fn_writer_make(datagram + header, 1400);
    this->write(&writer);
    size_t bytes = fn_writer_bytes(&writer);
    if (writer.failed)
        abort();
    fn_send_keys_seal(&keys, this->number, datagram, header, datagram + header, bytes);
    return header + bytes + FN_WIRE_TAG_BYTES;
}

static void emit_begin(const char *kind, const datagram_case *this)
{
    printf("%s %s %s %u %llu ", kind, this->name, this->from_server ? "server" : "client",
           this->generation, (unsigned long long)this->expected);
}

static void emit_datagram(const datagram_case *this)
{
    uint8_t datagram[DATAGRAM_BYTES];
    size_t bytes = make_datagram(this, datagram);
    emit_begin("datagram", this);
    print_hex(datagram, bytes);
    printf("\n");
}

/* --- emit: streams --- */

static void write_smallest(fn_writer *writer)
{
    memset(fn_write_reserve(writer, 1), FN_FRAME_PADDING, 1);
}

/* What follows ATTACHED, each way; the numbers of a stream follow each other. */
static const datagram_case stream_up[] = {
    {"up", false, 1, 2, 5002, 5002, write_ping},
    {"up", false, 1, 2, 5003, 5003, write_fragment_first},
    {"up", false, 1, 1, 5004, 5004, write_smallest},
};
static const datagram_case stream_down[] = {
    {"down", true, 0, 1, 77, 77, write_ack_ranges},
    {"down", true, 0, 3, 78, 78, write_messages},
};

static void emit_stream(const datagram_case *cases, size_t count)
{
    emit_begin("stream", &cases[0]);
    for (size_t i = 0; i < count; i++) {
        uint8_t datagram[DATAGRAM_BYTES];
        uint8_t length[FN_WIRE_STREAM_LENGTH_BYTES];
        size_t bytes = make_datagram(&cases[i], datagram);
        fn_stream_length_encode(length, bytes);
        print_hex(length, sizeof length);
        print_hex(datagram, bytes);
    }
    printf("\n");
}

/* --- emit: handshake messages --- */

static const fn_limits limits_of_client = {262144, 1048576, 4096, 1024, 30000, 1452};
static const fn_limits limits_of_server = {16777216, 16777280, 65536, 65536, 0, 65535};

static void write_hello(fn_writer *writer)
{
    fn_hello hello = {.versions = {1, 0x0203},
                      .version_count = 2,
                      .application_id = (const uint8_t *)"arena",
                      .application_id_bytes = 5,
                      .application_build = 41,
                      .receiver_id = 0xcafe0001,
                      .limits = limits_of_client,
                      .token = (const uint8_t *)"\x00\xff\x10",
                      .token_bytes = 3};
    fn_channel_table_hash(fn_channel_table_default, FN_CHANNEL_TABLE_DEFAULT_COUNT,
                          hello.channel_table_hash);
    fn_hello_encode(writer, &hello);
}

static void write_welcome(fn_writer *writer)
{
    fn_welcome welcome = {.version = 1,
                          .peer_id = 0x00010002,
                          .receiver_id = 0xcafe0002,
                          .udp_port = 7777,
                          .udp_host = (const uint8_t *)"203.0.113.7",
                          .udp_host_bytes = 11,
                          .limits = limits_of_server};
    fn_welcome_encode(writer, &welcome);
}

static void write_reject(fn_writer *writer)
{
    fn_reject reject = {
        .result = 12, .app_code = 9, .text = (const uint8_t *)"not today", .text_bytes = 9};
    fn_reject_encode(writer, &reject);
}

static void write_attach(fn_writer *writer)
{
    fn_attach_message attach = {.receiver_id = 0xcafe0002};
    memcpy(attach.proof, attach_proof, sizeof attach.proof);
    fn_attach_encode(writer, &attach);
}

static void write_nothing(fn_writer *writer)
{
    (void)writer;
}

static size_t emit_message(const char *name, fn_hello_type type, void (*write)(fn_writer *writer),
                           uint8_t *body)
{
    uint8_t framed[FN_HELLO_FRAME_BYTES_MAX];
    fn_writer writer = fn_writer_make(framed, sizeof framed);
    fn_hello_frame_begin(&writer);
    write(&writer);
    fn_hello_frame_end(&writer, type);
    size_t bytes = fn_writer_bytes(&writer);
    printf("message %s ", name);
    print_hex(framed, bytes);
    printf("\n");
    memcpy(body, framed + FN_HELLO_FRAME_HEADER_BYTES, bytes - FN_HELLO_FRAME_HEADER_BYTES);
    return bytes - FN_HELLO_FRAME_HEADER_BYTES;
}

static void emit_handshake(void)
{
    uint8_t hello[FN_HELLO_BODY_BYTES_MAX];
    uint8_t welcome[FN_HELLO_BODY_BYTES_MAX];
    uint8_t reject[FN_HELLO_BODY_BYTES_MAX];
    size_t hello_bytes = emit_message("hello", FN_HELLO_TYPE_HELLO, write_hello, hello);
    size_t welcome_bytes = emit_message("welcome", FN_HELLO_TYPE_WELCOME, write_welcome, welcome);
    emit_message("reject", FN_HELLO_TYPE_REJECT, write_reject, reject);
    emit_message("attach", FN_HELLO_TYPE_ATTACH, write_attach, reject);
    emit_message("attached", FN_HELLO_TYPE_ATTACHED, write_nothing, reject);
    emit_message("gone", FN_HELLO_TYPE_GONE, write_nothing, reject);
    uint8_t context[FN_SECRETS_BYTES];
    fn_secrets_context(hello, hello_bytes, welcome, welcome_bytes, context);
    print_line("context", context, sizeof context);
}

static int emit(void)
{
    emit_secrets();
    emit_keys();
    emit_handshake();
    for (size_t i = 0; i < sizeof datagrams / sizeof datagrams[0]; i++)
        emit_datagram(&datagrams[i]);
    emit_stream(stream_up, sizeof stream_up / sizeof stream_up[0]);
    emit_stream(stream_down, sizeof stream_down / sizeof stream_down[0]);
    return 0;
}

/* --- dump --- */

static void dump_bytes(const uint8_t *bytes, size_t count)
{
    bool same = count > 16;
    for (size_t i = 1; i < count; i++)
        same = same && bytes[i] == bytes[0];
    if (same)
        printf(" %02x*%zu", bytes[0], count);
    else {
        printf(" ");
        print_hex(bytes, count);
    }
    printf("\n");
}

static void dump_ack(const fn_ack_frame *ack)
{
    printf("  ACK delay %llu", (unsigned long long)ack->delay_us);
    for (uint32_t i = 0; i < ack->range_count; i++)
        printf(" %llu..%llu", (unsigned long long)ack->ranges[i].first,
               (unsigned long long)ack->ranges[i].last);
    printf("\n");
}

static void dump_message_frame(const fn_message_frame *message)
{
    printf("  MESSAGE channel %u id %llu", message->channel, (unsigned long long)message->id);
    if (message->fragment)
        printf(" unit %u total %u", message->first_unit, message->total_bytes);
    dump_bytes(message->payload, message->bytes);
}

static void dump_frame(const fn_frame *frame, size_t bytes)
{
    switch (frame->type) {
    case FN_FRAME_PADDING:
        printf("  PADDING %zu\n", bytes);
        return;
    case FN_FRAME_PING:
        printf("  PING %llu\n", (unsigned long long)frame->as.time_ns);
        return;
    case FN_FRAME_ACK:
        dump_ack(&frame->as.ack);
        return;
    case FN_FRAME_PATH_CHALLENGE:
    case FN_FRAME_PATH_RESPONSE:
        printf("  %s %016llx\n",
               frame->type == FN_FRAME_PATH_CHALLENGE ? "PATH_CHALLENGE" : "PATH_RESPONSE",
               (unsigned long long)frame->as.data);
        return;
    case FN_FRAME_WINDOW:
    case FN_FRAME_BLOCKED:
        printf("  %s %llu\n", frame->type == FN_FRAME_WINDOW ? "WINDOW" : "BLOCKED",
               (unsigned long long)frame->as.credit);
        return;
    case FN_FRAME_CLOSE:
        printf("  CLOSE %s %u \"%.*s\"\n", frame->as.close.application ? "application" : "protocol",
               frame->as.close.code, (int)frame->as.close.text_bytes,
               (const char *)frame->as.close.text);
        return;
    case FN_FRAME_PATH_TOO_SMALL:
        printf("  PATH_TOO_SMALL\n");
        return;
    case FN_FRAME_MESSAGE:
        dump_message_frame(&frame->as.message);
        return;
    }
}

static bool dump_frames(const uint8_t *frames, size_t bytes)
{
    fn_reader reader = fn_reader_make(frames, bytes);
    while (fn_reader_left(&reader) > 0) {
        const uint8_t *at = reader.at;
        fn_frame frame;
        if (!fn_frame_read(&reader, &frame))
            return false;
        dump_frame(&frame, (size_t)(reader.at - at));
    }
    return true;
}

/* *expected: the number that the reader expects next, here and afterwards. */
static bool dump_sealed(bool from_server, unsigned generation, uint64_t *expected,
                        uint8_t *datagram, size_t bytes)
{
    fn_header header;
    if (!fn_header_decode(datagram, bytes, &header))
        return false;
    uint8_t secret[FN_KDF_SECRET_BYTES];
    memcpy(secret, from_server ? server_secret : client_secret, sizeof secret);
    for (unsigned i = 0; i < generation; i++)
        fn_kdf_next_secret(secret, secret);
    fn_aead_key key;
    fn_kdf_traffic_key(secret, &key);
    uint64_t number = fn_seq_expand(*expected, header.truncated, header.number_bytes);
    *expected = number + 1;
    printf("  receiver %08x phase %u number %llu in %u\n", header.receiver_id, header.phase,
           (unsigned long long)number, header.number_bytes);
    if (!fn_aead_open(&key, number, datagram, header.bytes, datagram + header.bytes,
                      bytes - header.bytes))
        return false;
    return dump_frames(datagram + header.bytes, bytes - header.bytes - FN_WIRE_TAG_BYTES);
}

static bool dump_datagram(const char *name, bool from_server, unsigned generation,
                          uint64_t expected, uint8_t *datagram, size_t bytes)
{
    printf("datagram %s\n", name);
    return dump_sealed(from_server, generation, &expected, datagram, bytes);
}

/* All datagrams of a stream have to be whole. */
static bool dump_stream(const char *name, bool from_server, unsigned generation, uint64_t expected,
                        uint8_t *bytes, size_t count)
{
    printf("stream %s\n", name);
    for (size_t at = 0; at < count;) {
        uint32_t length;
        if (count - at < FN_WIRE_STREAM_LENGTH_BYTES ||
            !fn_stream_length_decode(bytes + at, STREAM_DATAGRAM_BYTES_MAX, &length))
            return false;
        at += FN_WIRE_STREAM_LENGTH_BYTES;
        printf("  length %u\n", length);
        if (length > count - at ||
            !dump_sealed(from_server, generation, &expected, bytes + at, length))
            return false;
        at += length;
    }
    return true;
}

static void dump_limits(const fn_limits *limits)
{
    printf("  limits");
#define X(field, low, high) printf(" %u", limits->field);
    FN_LIMITS_MAP(X)
#undef X
    printf("\n");
}

static bool dump_hello(const uint8_t *body, size_t bytes)
{
    fn_hello hello;
    if (fn_hello_decode(body, bytes, &hello, NULL) != FASTNET_OK)
        return false;
    printf("  HELLO versions");
    for (uint32_t i = 0; i < hello.version_count; i++)
        printf(" %u", hello.versions[i]);
    printf("\n  application \"%.*s\" build %u receiver %08x\n", (int)hello.application_id_bytes,
           (const char *)hello.application_id, hello.application_build, hello.receiver_id);
    dump_limits(&hello.limits);
    printf("  channels");
    dump_bytes(hello.channel_table_hash, sizeof hello.channel_table_hash);
    printf("  token");
    dump_bytes(hello.token, hello.token_bytes);
    return true;
}

static bool dump_welcome(const uint8_t *body, size_t bytes)
{
    fn_welcome welcome;
    if (fn_welcome_decode(body, bytes, &welcome, NULL) != FASTNET_OK)
        return false;
    printf("  WELCOME version %u peer %08x receiver %08x\n  udp %u \"%.*s\"\n", welcome.version,
           welcome.peer_id, welcome.receiver_id, welcome.udp_port, (int)welcome.udp_host_bytes,
           (const char *)welcome.udp_host);
    dump_limits(&welcome.limits);
    return true;
}

static bool dump_reject(const uint8_t *body, size_t bytes)
{
    fn_reject reject;
    if (fn_reject_decode(body, bytes, &reject, NULL) != FASTNET_OK)
        return false;
    printf("  REJECT %u %u \"%.*s\"\n", reject.result, reject.app_code, (int)reject.text_bytes,
           (const char *)reject.text);
    return true;
}

static bool dump_attach(const uint8_t *body)
{
    fn_attach_message attach;
    fn_attach_decode(body, &attach);
    printf("  ATTACH receiver %08x\n  proof", attach.receiver_id);
    dump_bytes(attach.proof, sizeof attach.proof);
    return true;
}

static bool dump_empty(const char *what)
{
    printf("  %s\n", what);
    return true;
}

static bool dump_message(const char *name, const uint8_t *framed, size_t bytes)
{
    fn_hello_type type;
    size_t body_bytes;
    if (bytes < FN_HELLO_FRAME_HEADER_BYTES ||
        fn_hello_frame_decode(framed, &type, &body_bytes, NULL) != FASTNET_OK ||
        body_bytes != bytes - FN_HELLO_FRAME_HEADER_BYTES ||
        !fn_attach_length_is_good(type, body_bytes))
        return false;
    printf("message %s\n", name);
    const uint8_t *body = framed + FN_HELLO_FRAME_HEADER_BYTES;
    switch (type) {
    case FN_HELLO_TYPE_HELLO:
        return dump_hello(body, body_bytes);
    case FN_HELLO_TYPE_WELCOME:
        return dump_welcome(body, body_bytes);
    case FN_HELLO_TYPE_REJECT:
        return dump_reject(body, body_bytes);
    case FN_HELLO_TYPE_ATTACH:
        return dump_attach(body);
    case FN_HELLO_TYPE_ATTACHED:
        return dump_empty("ATTACHED");
    case FN_HELLO_TYPE_GONE:
        return dump_empty("GONE");
    }
    return false;
}

/* --- reading lines --- */

static size_t parse_hex(const char *hex, uint8_t *out, size_t room)
{
    size_t count = 0;
    unsigned value;
    while (count < room && sscanf(hex, "%2x", &value) == 1) {
        out[count++] = (uint8_t)value;
        hex += 2;
    }
    return count;
}

static bool dump_line(const char *line)
{
    static char hex[LINE_BYTES];
    static uint8_t bytes[LINE_BYTES / 2];
    char name[64], side[16];
    unsigned generation;
    unsigned long long expected;
    if (sscanf(line, "client %16383s", hex) == 1)
        return parse_hex(hex, client_secret, sizeof client_secret) == sizeof client_secret;
    if (sscanf(line, "server %16383s", hex) == 1)
        return parse_hex(hex, server_secret, sizeof server_secret) == sizeof server_secret;
    if (sscanf(line, "message %63s %16383s", name, hex) == 2)
        return dump_message(name, bytes, parse_hex(hex, bytes, sizeof bytes));
    if (sscanf(line, "stream %63s %15s %u %llu %16383s", name, side, &generation, &expected, hex) ==
        5)
        return dump_stream(name, strcmp(side, "server") == 0, generation, expected, bytes,
                           parse_hex(hex, bytes, sizeof bytes));
    if (sscanf(line, "datagram %63s %15s %u %llu %16383s", name, side, &generation, &expected,
               hex) == 5)
        return dump_datagram(name, strcmp(side, "server") == 0, generation, expected, bytes,
                             parse_hex(hex, bytes, sizeof bytes));
    return true;
}

/* True when it cannot be read, as it must. */
static bool refuse_line(const char *line)
{
    static char hex[LINE_BYTES];
    static uint8_t bytes[LINE_BYTES / 2];
    char name[64];
    if (sscanf(line, "message %63s %16383s", name, hex) == 2)
        return !dump_message(name, bytes, parse_hex(hex, bytes, sizeof bytes));
    if (sscanf(line, "stream %63s %16383s", name, hex) == 2)
        return !dump_stream(name, false, 0, 0, bytes, parse_hex(hex, bytes, sizeof bytes));
    if (line[0] == '#' || sscanf(line, "%63s %16383s", name, hex) != 2)
        return true;
    fn_reader reader = fn_reader_make(bytes, parse_hex(hex, bytes, sizeof bytes));
    fn_frame frame;
    while (fn_reader_left(&reader) > 0) {
        if (!fn_frame_read(&reader, &frame))
            return true;
    }
    return false;
}

static int each_line(const char *path, bool (*use)(const char *line))
{
    static char line[LINE_BYTES];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    int result = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (!use(line)) {
            fprintf(stderr, "wire_vectors: wrong verdict about: %.60s\n", line);
            result = 1;
        }
    }
    fclose(file);
    return result;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "emit") == 0)
        return emit();
    if (argc == 3 && strcmp(argv[1], "dump") == 0)
        return each_line(argv[2], dump_line);
    if (argc == 3 && strcmp(argv[1], "refuse") == 0)
        return each_line(argv[2], refuse_line);
    fprintf(stderr, "usage: wire_vectors emit | dump FILE | refuse FILE\n");
    return 2;
}
