#include "common/framing.h"

#include "common/report.h"

#include <string.h>

size_t framing_encode(uint8_t *to, const void *message, size_t bytes)
{
    uint32_t length = (uint32_t)bytes;
    memcpy(to, &length, FRAMING_HEADER_BYTES);
    memcpy(to + FRAMING_HEADER_BYTES, message, bytes);
    return FRAMING_HEADER_BYTES + bytes;
}

static size_t wanted(const framing *stream)
{
    uint32_t length;
    if (stream->held < FRAMING_HEADER_BYTES) {
        return FRAMING_HEADER_BYTES;
    }
    memcpy(&length, stream->bytes, sizeof length);
    if (length > PEER_MESSAGE_BYTES_MAX) {
        bench_fail("a message of %u bytes on the stream", (unsigned)length);
    }
    return FRAMING_HEADER_BYTES + length;
}

void framing_decode(framing *stream, const uint8_t *from, size_t bytes)
{
    while (bytes > 0) {
        size_t missing = wanted(stream) - stream->held;
        size_t taken = bytes < missing ? bytes : missing;
        memcpy(stream->bytes + stream->held, from, taken);
        stream->held += taken;
        from += taken;
        bytes -= taken;
        if (stream->held >= FRAMING_HEADER_BYTES && stream->held == wanted(stream)) {
            size_t length = stream->held - FRAMING_HEADER_BYTES;
            stream->held = 0;
            driver_received(stream->bytes + FRAMING_HEADER_BYTES, length);
        }
    }
}
