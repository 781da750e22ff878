/* A datagram's header, and all frames of what follows: no byte beyond the end, all fields in the
 * range that wire.h states, and what can be written again reads the same. */
#include "fuzz.h"

#include "core/wire.h"

#include <string.h>

static void check_header(const uint8_t *data, size_t bytes)
{
    fn_header header;
    if (!fn_header_decode(data, bytes, &header))
        return;
    FUZZ_CHECK(header.number_bytes >= 1 && header.number_bytes <= 4);
    FUZZ_CHECK((size_t)header.bytes + FN_WIRE_TAG_BYTES <= bytes);
    uint8_t again[FN_WIRE_HEADER_BYTES_MAX];
    size_t written = fn_header_encode(again, header.receiver_id, header.phase, header.truncated,
                                      header.number_bytes);
    FUZZ_CHECK(written == header.bytes);
    FUZZ_CHECK(memcmp(again, data, written) == 0);
}

static void check_ack(const fn_ack_frame *ack)
{
    FUZZ_CHECK(ack->range_count >= 1 && ack->range_count <= FN_ACK_RANGES_MAX);
    for (uint32_t i = 0; i < ack->range_count; i++) {
        FUZZ_CHECK(ack->ranges[i].first <= ack->ranges[i].last);
        FUZZ_CHECK(i == 0 || ack->ranges[i].last + 1 < ack->ranges[i - 1].first);
    }
}

static void check_message(const fn_message_frame *message, const uint8_t *data, size_t bytes)
{
    FUZZ_CHECK(message->bytes <= bytes);
    FUZZ_CHECK(message->payload >= data && message->payload + message->bytes <= data + bytes);
    FUZZ_CHECK(message->total_bytes <= FN_MESSAGE_BYTES_MAX);
    uint64_t start = (uint64_t)message->first_unit * FN_UNIT_BYTES;
    FUZZ_CHECK(start + message->bytes <= message->total_bytes);
    if (message->fragment)
        FUZZ_CHECK(message->bytes > 0 && fn_unit_count(message->total_bytes) > 1);
    else
        FUZZ_CHECK(message->first_unit == 0 && message->bytes == message->total_bytes);
    static uint8_t again[1 << 17];
    fn_writer writer = fn_writer_make(again, sizeof again);
    fn_frame_write_message(&writer, message);
    FUZZ_CHECK(bytes > 1 << 16 || !writer.failed);
    if (writer.failed)
        return;
    fn_reader reader = fn_reader_make(again, fn_writer_bytes(&writer));
    fn_frame same;
    FUZZ_CHECK(fn_frame_read(&reader, &same) && fn_reader_done(&reader));
    FUZZ_CHECK(same.as.message.id == message->id && same.as.message.bytes == message->bytes &&
               same.as.message.first_unit == message->first_unit &&
               same.as.message.total_bytes == message->total_bytes &&
               same.as.message.channel == message->channel);
}

static void check_close(const fn_close_frame *close, const uint8_t *data, size_t bytes)
{
    FUZZ_CHECK(close->text_bytes <= FN_FRAME_CLOSE_TEXT_MAX);
    FUZZ_CHECK(close->text >= data && close->text + close->text_bytes <= data + bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    check_header(data, bytes);
    fn_reader reader = fn_reader_make(data, bytes);
    while (fn_reader_left(&reader) > 0) {
        const uint8_t *before = reader.at;
        fn_frame frame;
        if (!fn_frame_read(&reader, &frame))
            break;
        FUZZ_CHECK(reader.at > before && reader.at <= data + bytes);
        if (frame.type == FN_FRAME_ACK)
            check_ack(&frame.as.ack);
        if (frame.type == FN_FRAME_MESSAGE)
            check_message(&frame.as.message, data, bytes);
        if (frame.type == FN_FRAME_CLOSE)
            check_close(&frame.as.close, data, bytes);
    }
    return 0;
}
