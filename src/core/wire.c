#include "core/wire.h"

#include "base/bytes.h"

#include "base/seq.h"

bool fn_header_decode(const uint8_t *datagram, size_t bytes, fn_header *out)
{
    if (bytes < FN_WIRE_DATAGRAM_BYTES_MIN || bytes > FN_WIRE_DATAGRAM_BYTES_MAX)
        return false;
    uint8_t first = datagram[0];
    if ((first & (FN_WIRE_TOP_BITS | FN_WIRE_RESERVED_BITS)) != FN_WIRE_TOP_BITS)
        return false;
    out->number_bytes = (uint8_t)((first & FN_WIRE_NUMBER_BITS) + 1);
    out->phase = (first & FN_WIRE_PHASE_BIT) != 0;
    out->bytes = (uint8_t)(FN_WIRE_NUMBER_OFFSET + out->number_bytes);
    if (bytes < (size_t)out->bytes + FN_WIRE_TAG_BYTES)
        return false;
    out->receiver_id = fn_load_be32(datagram + FN_WIRE_ID_OFFSET);
    out->truncated = 0;
    for (uint8_t i = FN_WIRE_NUMBER_OFFSET; i < out->bytes; i++)
        out->truncated = out->truncated << 8 | datagram[i];
    return true;
}

size_t fn_header_encode(uint8_t *out, uint32_t receiver_id, uint8_t phase, uint64_t number,
                        uint32_t number_bytes)
{
    assert(number_bytes >= 1 && number_bytes <= 4);
    out[0] =
        (uint8_t)(FN_WIRE_TOP_BITS | (phase != 0 ? FN_WIRE_PHASE_BIT : 0) | (number_bytes - 1));
    fn_store_be32(out + FN_WIRE_ID_OFFSET, receiver_id);
    uint32_t truncated = fn_seq_truncate(number, number_bytes);
    for (uint32_t i = 0; i < number_bytes; i++)
        out[FN_WIRE_NUMBER_OFFSET + i] = (uint8_t)(truncated >> 8 * (number_bytes - 1 - i));
    return FN_WIRE_NUMBER_OFFSET + number_bytes;
}

/* --- reading frames --- */

static bool read_padding(fn_reader *reader)
{
    while (fn_reader_left(reader) > 0 && *reader->at == FN_FRAME_PADDING)
        reader->at++;
    return true;
}

/* One range below `next_below`: gap and length as in RFC 9000 §19.3.1. */
static bool read_ack_range(fn_reader *reader, uint64_t next_below, fn_ack_range *out)
{
    uint64_t gap = fn_read_varint(reader);
    uint64_t length = fn_read_varint(reader);
    if (reader->failed || gap > next_below || length > next_below - gap)
        return false;
    out->last = next_below - gap;
    out->first = out->last - length;
    return true;
}

static bool read_ack(fn_reader *reader, fn_ack_frame *out)
{
    uint64_t largest = fn_read_varint(reader);
    out->delay_us = fn_read_varint(reader);
    uint64_t more = fn_read_varint(reader);
    uint64_t first = fn_read_varint(reader);
    if (reader->failed || more >= FN_ACK_RANGES_MAX || first > largest)
        return false;
    out->range_count = (uint32_t)more + 1;
    out->ranges[0] = (fn_ack_range){.first = largest - first, .last = largest};
    for (uint32_t i = 1; i < out->range_count; i++) {
        uint64_t above = out->ranges[i - 1].first;
        if (above < 2 || !read_ack_range(reader, above - 2, &out->ranges[i]))
            return false;
    }
    return true;
}

static bool read_close(fn_reader *reader, fn_close_frame *out)
{
    uint8_t origin = fn_read_u8(reader);
    uint64_t code = fn_read_varint(reader);
    uint64_t text_bytes = fn_read_varint(reader);
    if (reader->failed || origin > 1 || code > UINT32_MAX || text_bytes > FN_FRAME_CLOSE_TEXT_MAX)
        return false;
    out->application = origin == 1;
    out->code = (uint32_t)code;
    out->text_bytes = (uint32_t)text_bytes;
    out->text = fn_read_bytes(reader, (size_t)text_bytes);
    return !reader->failed;
}

/* A run is whole units inside the message; only the message's own end may cut the last one. */
static bool run_is_valid(const fn_message_frame *run)
{
    uint64_t start = (uint64_t)run->first_unit * FN_UNIT_BYTES;
    uint64_t end = start + run->bytes;
    if (run->bytes == 0 || end > run->total_bytes)
        return false;
    return end == run->total_bytes || run->bytes % FN_UNIT_BYTES == 0;
}

static bool read_fragment_fields(fn_reader *reader, fn_message_frame *out)
{
    uint64_t first_unit = fn_read_varint(reader);
    uint64_t total_bytes = fn_read_varint(reader);
    if (reader->failed || total_bytes <= FN_UNIT_BYTES || total_bytes > FN_MESSAGE_BYTES_MAX ||
        first_unit >= fn_unit_count((uint32_t)total_bytes))
        return false;
    out->first_unit = (uint32_t)first_unit;
    out->total_bytes = (uint32_t)total_bytes;
    return true;
}

static bool read_message(fn_reader *reader, uint8_t flags, fn_message_frame *out)
{
    out->channel = fn_read_u8(reader);
    out->id = fn_read_varint(reader);
    out->fragment = (flags & FN_FRAME_MESSAGE_FRAGMENT) != 0;
    out->first_unit = 0;
    if (out->fragment && !read_fragment_fields(reader, out))
        return false;
    bool has_length = (flags & FN_FRAME_MESSAGE_LENGTH) != 0;
    uint64_t bytes = has_length ? fn_read_varint(reader) : fn_reader_left(reader);
    if (reader->failed || bytes > fn_reader_left(reader))
        return false;
    out->bytes = (uint32_t)bytes;
    out->payload = fn_read_bytes(reader, (size_t)bytes);
    if (out->fragment)
        return run_is_valid(out);
    out->total_bytes = out->bytes;
    return true;
}

bool fn_frame_read(fn_reader *reader, fn_frame *out)
{
    uint8_t type = fn_read_u8(reader);
    if (reader->failed)
        return false;
    if ((type & ~(FN_FRAME_MESSAGE_FRAGMENT | FN_FRAME_MESSAGE_LENGTH)) == FN_FRAME_MESSAGE) {
        out->type = FN_FRAME_MESSAGE;
        return read_message(reader, type, &out->as.message);
    }
    out->type = (fn_frame_type)type;
    switch (type) {
    case FN_FRAME_PADDING:
        return read_padding(reader);
    case FN_FRAME_PING:
        out->as.time_ns = fn_read_u64(reader);
        return !reader->failed;
    case FN_FRAME_ACK:
        return read_ack(reader, &out->as.ack);
    case FN_FRAME_PATH_CHALLENGE:
    case FN_FRAME_PATH_RESPONSE:
        out->as.data = fn_read_u64(reader);
        return !reader->failed;
    case FN_FRAME_WINDOW:
    case FN_FRAME_BLOCKED:
        out->as.credit = fn_read_varint(reader);
        return !reader->failed;
    case FN_FRAME_CLOSE:
        return read_close(reader, &out->as.close);
    case FN_FRAME_PATH_TOO_SMALL:
        return true;
    default:
        return false;
    }
}

bool fn_frame_is_probing(fn_frame_type type)
{
    return type == FN_FRAME_PADDING || type == FN_FRAME_PATH_CHALLENGE ||
           type == FN_FRAME_PATH_RESPONSE;
}

/* --- writing frames --- */

void fn_frame_write_ping(fn_writer *writer, uint64_t time_ns)
{
    fn_write_u8(writer, FN_FRAME_PING);
    fn_write_u64(writer, time_ns);
}

void fn_frame_write_path(fn_writer *writer, fn_frame_type type, uint64_t data)
{
    fn_write_u8(writer, (uint8_t)type);
    fn_write_u64(writer, data);
}

void fn_frame_write_path_too_small(fn_writer *writer)
{
    fn_write_u8(writer, FN_FRAME_PATH_TOO_SMALL);
}

void fn_frame_write_credit(fn_writer *writer, fn_frame_type type, uint64_t credit)
{
    fn_write_u8(writer, (uint8_t)type);
    fn_write_varint(writer, credit);
}

void fn_frame_write_close(fn_writer *writer, const fn_close_frame *close)
{
    fn_write_u8(writer, FN_FRAME_CLOSE);
    fn_write_u8(writer, close->application ? 1 : 0);
    fn_write_varint(writer, close->code);
    fn_write_varint(writer, close->text_bytes);
    fn_write_bytes(writer, close->text, close->text_bytes);
}

static size_t ack_range_bytes(fn_ack_range above, fn_ack_range range)
{
    return fn_varint_bytes(above.first - range.last - 2) +
           fn_varint_bytes(range.last - range.first);
}

/* How many ranges after the first fit into what is left behind the fixed fields. */
static uint32_t ack_ranges_that_fit(const fn_ack_ledger *ledger, size_t left)
{
    uint32_t count = 1;
    while (count < fn_ack_range_count(ledger)) {
        size_t bytes =
            ack_range_bytes(fn_ack_range_at(ledger, count - 1), fn_ack_range_at(ledger, count));
        if (bytes > left)
            break;
        left -= bytes;
        count++;
    }
    return count;
}

bool fn_frame_write_ack(fn_writer *writer, const fn_ack_ledger *ledger, uint64_t delay_us)
{
    fn_ack_range newest = fn_ack_range_at(ledger, 0);
    delay_us = delay_us < FN_VARINT_MAX ? delay_us : FN_VARINT_MAX;
    size_t fixed = 2 + fn_varint_bytes(newest.last) + fn_varint_bytes(delay_us) +
                   fn_varint_bytes(newest.last - newest.first);
    if (writer->failed || fixed > fn_writer_left(writer))
        return false;
    uint32_t count = ack_ranges_that_fit(ledger, fn_writer_left(writer) - fixed);
    fn_write_u8(writer, FN_FRAME_ACK);
    fn_write_varint(writer, newest.last);
    fn_write_varint(writer, delay_us);
    fn_write_varint(writer, count - 1);
    fn_write_varint(writer, newest.last - newest.first);
    for (uint32_t i = 1; i < count; i++) {
        fn_ack_range above = fn_ack_range_at(ledger, i - 1);
        fn_ack_range range = fn_ack_range_at(ledger, i);
        fn_write_varint(writer, above.first - range.last - 2);
        fn_write_varint(writer, range.last - range.first);
    }
    return true;
}

size_t fn_frame_message_overhead(const fn_message_frame *message, bool with_length)
{
    size_t bytes = 2 + fn_varint_bytes(message->id);
    if (message->fragment)
        bytes += fn_varint_bytes(message->first_unit) + fn_varint_bytes(message->total_bytes);
    return with_length ? bytes + fn_varint_bytes(message->bytes) : bytes;
}

void fn_frame_write_message(fn_writer *writer, const fn_message_frame *message)
{
    bool with_length =
        fn_frame_message_overhead(message, false) + message->bytes != fn_writer_left(writer);
    fn_write_u8(writer,
                (uint8_t)(FN_FRAME_MESSAGE | (message->fragment ? FN_FRAME_MESSAGE_FRAGMENT : 0) |
                          (with_length ? FN_FRAME_MESSAGE_LENGTH : 0)));
    fn_write_u8(writer, message->channel);
    fn_write_varint(writer, message->id);
    if (message->fragment) {
        fn_write_varint(writer, message->first_unit);
        fn_write_varint(writer, message->total_bytes);
    }
    if (with_length)
        fn_write_varint(writer, message->bytes);
    fn_write_bytes(writer, message->payload, message->bytes);
}

/* --- section 11.4 --- */

void fn_stream_length_encode(uint8_t *out, size_t datagram_bytes)
{
    assert(datagram_bytes >= FN_WIRE_DATAGRAM_BYTES_MIN &&
           datagram_bytes <= FN_WIRE_DATAGRAM_BYTES_MAX);
    fn_store_be16(out, (uint16_t)datagram_bytes);
}

bool fn_stream_length_decode(const uint8_t *length, uint32_t datagram_bytes_max,
                             uint32_t *datagram_bytes)
{
    *datagram_bytes = fn_load_be16(length);
    return *datagram_bytes >= FN_WIRE_DATAGRAM_BYTES_MIN && *datagram_bytes <= datagram_bytes_max;
}
