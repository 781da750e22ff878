#include "tap.h"

#include "base/seq.h"

#include <stdlib.h>
#include <string.h>

/* A number is skipped about once in 256, so two or three in a row are rare, more are a fault. */
enum { SKIPPED_IN_A_ROW_MAX = 8 };

void fn_tap_init(fn_tap *tap, const uint8_t secret[FN_KDF_SECRET_BYTES], uint32_t receiver_id,
                 uint64_t flight_max, uint64_t flight_ns)
{
    *tap = (fn_tap){.receiver_id = receiver_id, .flight_max = flight_max, .flight_ns = flight_ns};
    memcpy(tap->secret, secret, sizeof tap->secret);
    fn_kdf_traffic_key(secret, &tap->key);
}

void fn_tap_free(fn_tap *tap)
{
    free(tap->sent_ns);
    tap->sent_ns = NULL;
}

static void follow_phase(fn_tap *tap, uint8_t phase)
{
    if (phase == tap->phase)
        return;
    tap->phase = phase;
    tap->flips++;
    fn_kdf_next_secret(tap->secret, tap->secret);
    fn_kdf_traffic_key(tap->secret, &tap->key);
}

static bool elicits(fn_frame_type type)
{
    return type != FN_FRAME_PADDING && type != FN_FRAME_ACK && type != FN_FRAME_PATH_RESPONSE &&
           type != FN_FRAME_CLOSE;
}

static uint64_t frame_value(const fn_frame *frame)
{
    switch (frame->type) {
    case FN_FRAME_ACK:
        return frame->as.ack.ranges[0].last;
    case FN_FRAME_MESSAGE:
        return frame->as.message.id;
    case FN_FRAME_PATH_CHALLENGE:
    case FN_FRAME_PATH_RESPONSE:
        return frame->as.data;
    case FN_FRAME_WINDOW:
    case FN_FRAME_BLOCKED:
        return frame->as.credit;
    default:
        return 0;
    }
}

static void note_frame(fn_tap_packet *out, const fn_frame *frame)
{
    out->eliciting |= elicits(frame->type);
    out->has_message |= frame->type == FN_FRAME_MESSAGE;
    if (frame->type == FN_FRAME_PADDING || out->frame_count == FN_TAP_FRAMES_MAX)
        return;
    fn_tap_frame *note = &out->frames[out->frame_count++];
    *note = (fn_tap_frame){.type = frame->type, .value = frame_value(frame)};
    if (frame->type == FN_FRAME_MESSAGE) {
        note->channel = frame->as.message.channel;
        note->first_unit = frame->as.message.first_unit;
    }
}

static const char *read_frames(const uint8_t *text, size_t bytes, fn_tap_packet *out,
                               bool *said_small)
{
    fn_reader reader = fn_reader_make(text, bytes);
    if (bytes == 0)
        return "a datagram without frames was sent";
    while (fn_reader_left(&reader) > 0) {
        fn_frame frame;
        if (!fn_frame_read(&reader, &frame))
            return "a malformed frame was sent";
        *said_small |= frame.type == FN_FRAME_PATH_TOO_SMALL;
        note_frame(out, &frame);
    }
    return NULL;
}

/* Packets that ask for no ack (sent_ns 0) may come too late: nothing waits for them. */
static const char *check_flight(fn_tap *tap, uint64_t now_ns, uint64_t number, bool eliciting)
{
    if (number >= tap->sent_capacity) {
        tap->sent_capacity = number < 512 ? 1024 : number * 2;
        tap->sent_ns = realloc(tap->sent_ns, tap->sent_capacity * sizeof *tap->sent_ns);
        if (tap->sent_ns == NULL)
            abort();
    }
    for (uint64_t skipped = tap->next; skipped <= number; skipped++)
        tap->sent_ns[skipped] = 0;
    tap->sent_ns[number] = eliciting ? now_ns : 0;
    while (tap->flight_first < number && tap->sent_ns[tap->flight_first] + tap->flight_ns < now_ns)
        tap->flight_first++;
    if (number - tap->flight_first > tap->flight_max)
        return "more than half of the replay window is in flight";
    return NULL;
}

static const char *open_copy(fn_tap *tap, const fn_header *header, const uint8_t *datagram,
                             size_t bytes, fn_tap_packet *out)
{
    uint8_t *copy = malloc(bytes);
    if (copy == NULL)
        abort();
    memcpy(copy, datagram, bytes);
    uint8_t *text = copy + header->bytes;
    size_t sealed_bytes = bytes - header->bytes;
    const char *complaint = "a datagram was sent that its key and number do not open";
    if (fn_aead_open(&tap->key, out->number, datagram, header->bytes, text, sealed_bytes))
        complaint = read_frames(text, sealed_bytes - FN_AEAD_TAG_BYTES, out, &tap->said_small);
    free(copy);
    return complaint;
}

const char *fn_tap_sent(fn_tap *tap, uint64_t now_ns, const uint8_t *datagram, size_t bytes,
                        fn_tap_packet *out)
{
    fn_header header;
    *out = (fn_tap_packet){0};
    if (!fn_header_decode(datagram, bytes, &header))
        return "a datagram without a valid header was sent";
    if (header.receiver_id != tap->receiver_id)
        return "a datagram was sent with another receiver id";
    out->number = fn_seq_expand(tap->next, header.truncated, header.number_bytes);
    if (out->number < tap->next)
        return "a packet number was sealed twice";
    if (out->number > tap->next + SKIPPED_IN_A_ROW_MAX)
        return "packet numbers jumped ahead";
    follow_phase(tap, header.phase);
    const char *complaint = open_copy(tap, &header, datagram, bytes, out);
    if (complaint == NULL)
        complaint = check_flight(tap, now_ns, out->number, out->eliciting);
    tap->next = out->number + 1;
    return complaint;
}
