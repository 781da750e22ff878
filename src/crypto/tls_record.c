#include "crypto/tls_record.h"

#include "base/bytes.h"

#include <stdbool.h>
#include <string.h>

enum {
    RECORD_HEADER_BYTES = 5,
    RECORD_TYPE_ALERT = 21,
    RECORD_TYPE_HANDSHAKE = 22,
    RECORD_VERSION_MAJOR = 3,
    RECORD_VERSION_MINOR_MAX = 4,
    RECORD_TEXT_BYTES_MAX = 1 << 14, /* RFC 8446 section 5.1; no encryption adds to it here */
    MESSAGE_HEADER_BYTES = 4,
    MESSAGE_CLIENT_HELLO = 1,
};

/* The handshake message's own header, which may itself be cut by record borders. */
typedef struct message_header {
    uint8_t bytes[MESSAGE_HEADER_BYTES];
    size_t known;
} message_header;

static bool header_plausible(const uint8_t *at, size_t left)
{
    if (left > 0 && at[0] != RECORD_TYPE_HANDSHAKE)
        return false;
    if (left > 1 && at[1] != RECORD_VERSION_MAJOR)
        return false;
    if (left > 2 && at[2] > RECORD_VERSION_MINOR_MAX)
        return false;
    if (left < RECORD_HEADER_BYTES)
        return true;
    uint16_t length = fn_load_be16(at + 3);
    return length > 0 && length <= RECORD_TEXT_BYTES_MAX;
}

static void collect(message_header *header, const uint8_t *body, size_t present)
{
    for (size_t i = 0; i < present && header->known < MESSAGE_HEADER_BYTES; i++)
        header->bytes[header->known++] = body[i];
}

static size_t message_bytes(const message_header *header)
{
    return MESSAGE_HEADER_BYTES + (fn_load_be32(header->bytes) & 0xffffff);
}

static bool message_plausible(const message_header *header)
{
    if (header->known > 0 && header->bytes[0] != MESSAGE_CLIENT_HELLO)
        return false;
    return header->known < MESSAGE_HEADER_BYTES ||
           message_bytes(header) <= FN_TLS_HELLO_BYTES_MAX - RECORD_HEADER_BYTES;
}

fn_tls_record_verdict fn_tls_record_complete(const uint8_t *bytes, size_t bytes_count)
{
    message_header header = {.known = 0};
    size_t message_present = 0;
    size_t at = 0;
    while (at < bytes_count) {
        size_t left = bytes_count - at;
        if (!header_plausible(bytes + at, left))
            return FN_TLS_RECORD_GARBAGE;
        if (left <= RECORD_HEADER_BYTES)
            break;
        size_t length = fn_load_be16(bytes + at + 3);
        size_t present = left - RECORD_HEADER_BYTES;
        if (present > length)
            present = length;
        collect(&header, bytes + at + RECORD_HEADER_BYTES, present);
        message_present += present;
        if (!message_plausible(&header))
            return FN_TLS_RECORD_GARBAGE;
        bool record_whole = present == length;
        if (record_whole && header.known == MESSAGE_HEADER_BYTES &&
            message_present >= message_bytes(&header))
            return FN_TLS_RECORD_COMPLETE;
        at += RECORD_HEADER_BYTES + present;
        if (!record_whole)
            break;
    }
    /* Records of one byte each would let a hello grow sixfold: the
     * bytes on the wire are bounded. */
    return bytes_count < FN_TLS_HELLO_BYTES_MAX ? FN_TLS_RECORD_MORE : FN_TLS_RECORD_GARBAGE;
}

static bool starts_with(const uint8_t *bytes, size_t bytes_count, const char *text)
{
    size_t length = strlen(text);
    return bytes_count >= length && memcmp(bytes, text, length) == 0;
}

static bool speaks_http(const uint8_t *bytes, size_t bytes_count)
{
    static const char *const verbs[] = {"GET ", "PUT ", "POST", "HEAD", "OPTI", "CONN", "DELE"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (starts_with(bytes, bytes_count, verbs[i]))
            return true;
    }
    return false;
}

const char *fn_tls_record_complaint(const uint8_t *bytes, size_t bytes_count)
{
    if (speaks_http(bytes, bytes_count))
        return "the client speaks HTTP, not TLS: this port is for FastNet clients";
    if (bytes_count > 1 && bytes[0] == RECORD_TYPE_ALERT && bytes[1] == RECORD_VERSION_MAJOR)
        return "the client began with a TLS alert instead of a ClientHello";
    if (header_plausible(bytes, bytes_count) && bytes_count >= RECORD_HEADER_BYTES)
        return "the client's TLS ClientHello is malformed or longer than 16 KiB";
    return "the client does not speak TLS: its first bytes are no ClientHello";
}
