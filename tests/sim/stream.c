#include "stream.h"

#include "base/bytes.h"
#include "base/result.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { ID_BYTES = 8, DATAGRAM_BYTES_MAX = 1500 };

void fn_stream_init(fn_stream *stream, uint64_t seed, uint8_t mode)
{
    *stream = (fn_stream){.seed = seed, .mode = mode};
}

void fn_stream_free(fn_stream *stream)
{
    free(stream->messages);
    stream->messages = NULL;
}

bool fn_stream_is_reliable(const fn_stream *stream)
{
    return stream->mode == FASTNET_MODE_RELIABLE_ORDERED || stream->mode == FASTNET_MODE_RELIABLE;
}

void fn_stream_content(const fn_stream *stream, uint64_t id, uint8_t *out, size_t bytes)
{
    fn_rng rng;
    fn_rng_init(&rng, stream->seed ^ id * UINT64_C(0x9e3779b97f4a7c15));
    if (bytes >= ID_BYTES) {
        fn_store_be64(out, id);
        out += ID_BYTES;
        bytes -= ID_BYTES;
    }
    fn_rng_bytes(&rng, out, bytes);
}

void fn_stream_sent(fn_stream *stream, uint64_t now_ns, size_t bytes, bool tagged)
{
    if (stream->count == stream->capacity) {
        stream->capacity = stream->capacity == 0 ? 64 : stream->capacity * 2;
        stream->messages = realloc(stream->messages, stream->capacity * sizeof *stream->messages);
        if (stream->messages == NULL)
            abort();
    }
    stream->messages[stream->count++] =
        (fn_stream_message){.queued_ns = now_ns, .bytes = (uint32_t)bytes, .tagged = tagged};
    stream->tagged += tagged;
}

static bool content_matches(const fn_stream *stream, uint64_t id, const uint8_t *data, size_t bytes)
{
    if (stream->messages[id].bytes != bytes)
        return false;
    if (bytes == 0)
        return true;
    uint8_t *expected = malloc(bytes);
    if (expected == NULL)
        abort();
    fn_stream_content(stream, id, expected, bytes);
    bool same = memcmp(expected, data, bytes) == 0;
    free(expected);
    return same;
}

/* The first short message that this can be; count when there is none. */
static uint64_t find_short(fn_stream *stream, const uint8_t *data, size_t bytes)
{
    while (stream->scan_from < stream->count &&
           (stream->messages[stream->scan_from].received ||
            stream->messages[stream->scan_from].bytes >= ID_BYTES))
        stream->scan_from++;
    uint64_t from = stream->scan_from;
    if (stream->mode == FASTNET_MODE_UNRELIABLE_SEQUENCED && from < stream->next)
        from = stream->next;
    for (uint64_t id = from; id < stream->count; id++) {
        if (!stream->messages[id].received && content_matches(stream, id, data, bytes))
            return id;
    }
    return stream->count;
}

static const char *judge(const fn_stream *stream, uint64_t id, const uint8_t *data, size_t bytes)
{
    if (id >= stream->count)
        return "a message that was never sent was received";
    if (stream->messages[id].received)
        return "a message was received twice";
    if (!content_matches(stream, id, data, bytes))
        return "a message was received with other content";
    if (stream->mode == FASTNET_MODE_RELIABLE_ORDERED && id != stream->next)
        return "an ordered message was received out of order";
    if (stream->mode == FASTNET_MODE_UNRELIABLE_SEQUENCED && id < stream->next)
        return "a sequenced message went back";
    return NULL;
}

const char *fn_stream_receive(fn_stream *stream, uint64_t now_ns, const uint8_t *data, size_t bytes)
{
    uint64_t id;
    if (stream->mode == FASTNET_MODE_RELIABLE_ORDERED)
        id = stream->next;
    else if (bytes >= ID_BYTES)
        id = fn_load_be64(data);
    else
        id = find_short(stream, data, bytes);
    const char *complaint = judge(stream, id, data, bytes);
    if (complaint != NULL)
        return complaint;
    stream->messages[id].received = true;
    stream->received++;
    stream->received_bytes += bytes;
    stream->fragmented_received += bytes > DATAGRAM_BYTES_MAX;
    uint64_t latency_ns = now_ns - stream->messages[id].queued_ns;
    if (latency_ns > stream->latency_ns_max)
        stream->latency_ns_max = latency_ns;
    stream->next = id + 1;
    return NULL;
}

const char *fn_stream_tell(fn_stream *stream, uint64_t id, bool delivered)
{
    if (id >= stream->count || !stream->messages[id].tagged)
        return "the fate of a message without a tag was told";
    if (stream->messages[id].told)
        return "the fate of a message was told twice";
    if (delivered && !stream->messages[id].left)
        return "a message that never left was said to be delivered";
    stream->messages[id].told = true;
    stream->told++;
    return NULL;
}

bool fn_stream_all_told(const fn_stream *stream)
{
    return stream->told == stream->tagged;
}

bool fn_stream_complete(const fn_stream *stream)
{
    if (stream->told != stream->tagged)
        return false;
    return !fn_stream_is_reliable(stream) || stream->received == stream->count;
}
