/*
 * The bounds-checked cursor: every byte that goes on or comes off a wire passes through here.
 *
 * A reader walks over borrowed bytes, a writer over borrowed space; neither owns anything. Failure
 * is sticky: the first read or write that does not fit sets `failed`, moves nothing, and so does
 * every one after it. A parser may therefore read a whole structure straight through and look at
 * `failed` once, before it believes any of the values; a failed read gives 0 or NULL.
 *
 * Integers are big endian. Varints are those of RFC 9000 §16 (1, 2, 4 or 8 bytes, up to 2^62 - 1),
 * except that only the shortest encoding of a value is accepted: one value has one encoding.
 */
#ifndef FN_BASE_CURSOR_H
#define FN_BASE_CURSOR_H

#include "base/bits.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FN_VARINT_MAX       ((UINT64_C(1) << 62) - 1)
#define FN_VARINT_BYTES_MAX 8

typedef struct fn_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} fn_reader;

typedef struct fn_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool failed;
} fn_writer;

/* --- reading --- */

/* data may be NULL when bytes is 0. */
static inline fn_reader fn_reader_make(const void *data, size_t bytes)
{
    const uint8_t *at = data != NULL ? (const uint8_t *)data : (const uint8_t *)"";
    return (fn_reader){.at = at, .end = at + bytes, .failed = false};
}

/* Bytes not read yet. */
static inline size_t fn_reader_left(const fn_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* Everything was read, and nothing failed: the usual last line of a parser. */
static inline bool fn_reader_done(const fn_reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

/* The next bytes in place, borrowed from the reader's data; NULL when fewer are left. */
static inline const uint8_t *fn_read_bytes(fn_reader *reader, size_t bytes)
{
    if (reader->failed || bytes > fn_reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *from = reader->at;
    reader->at += bytes;
    return from;
}

static inline uint8_t fn_read_u8(fn_reader *reader)
{
    const uint8_t *from = fn_read_bytes(reader, 1);
    return from != NULL ? from[0] : 0;
}

static inline uint16_t fn_read_u16(fn_reader *reader)
{
    const uint8_t *from = fn_read_bytes(reader, 2);
    return from != NULL ? fn_load_be16(from) : 0;
}

static inline uint32_t fn_read_u32(fn_reader *reader)
{
    const uint8_t *from = fn_read_bytes(reader, 4);
    return from != NULL ? fn_load_be32(from) : 0;
}

static inline uint64_t fn_read_u64(fn_reader *reader)
{
    const uint8_t *from = fn_read_bytes(reader, 8);
    return from != NULL ? fn_load_be64(from) : 0;
}

/* How many bytes the varint of a value takes: 1, 2, 4 or 8; 0 when it is above FN_VARINT_MAX. */
static inline size_t fn_varint_bytes(uint64_t value)
{
    if (value < UINT64_C(1) << 6)
        return 1;
    if (value < UINT64_C(1) << 14)
        return 2;
    if (value < UINT64_C(1) << 30)
        return 4;
    return value <= FN_VARINT_MAX ? 8 : 0;
}

/* Fails on an encoding that is longer than needed. */
static inline uint64_t fn_read_varint(fn_reader *reader)
{
    const uint8_t *first = fn_reader_left(reader) > 0 ? reader->at : NULL;
    size_t bytes = first != NULL ? (size_t)1 << (*first >> 6) : 1;
    const uint8_t *from = fn_read_bytes(reader, bytes);
    if (from == NULL)
        return 0;
    uint64_t value = from[0] & 0x3f;
    for (size_t i = 1; i < bytes; i++)
        value = value << 8 | from[i];
    if (fn_varint_bytes(value) != bytes) {
        reader->at = from;
        reader->failed = true;
        return 0;
    }
    return value;
}

/* --- writing --- */

/* data may be NULL when bytes is 0. */
static inline fn_writer fn_writer_make(void *data, size_t bytes)
{
    uint8_t *start = (uint8_t *)data;
    uint8_t *end = bytes > 0 ? start + bytes : start;
    return (fn_writer){.start = start, .at = start, .end = end, .failed = false};
}

/* Space not written yet. */
static inline size_t fn_writer_left(const fn_writer *writer)
{
    return (size_t)(writer->end - writer->at);
}

/* Bytes written so far. */
static inline size_t fn_writer_bytes(const fn_writer *writer)
{
    return (size_t)(writer->at - writer->start);
}

/* Steps over space that the caller fills itself, now or later (lengths, padding, payload);
 * NULL when there is not enough. The space is not cleared. bytes is at least 1. */
static inline uint8_t *fn_write_reserve(fn_writer *writer, size_t bytes)
{
    if (writer->failed || bytes > fn_writer_left(writer)) {
        writer->failed = true;
        return NULL;
    }
    uint8_t *to = writer->at;
    writer->at += bytes;
    return to;
}

/* data may be NULL when bytes is 0. */
static inline void fn_write_bytes(fn_writer *writer, const void *data, size_t bytes)
{
    if (bytes == 0)
        return;
    uint8_t *to = fn_write_reserve(writer, bytes);
    if (to != NULL)
        memcpy(to, data, bytes);
}

static inline void fn_write_u8(fn_writer *writer, uint8_t value)
{
    uint8_t *to = fn_write_reserve(writer, 1);
    if (to != NULL)
        to[0] = value;
}

static inline void fn_write_u16(fn_writer *writer, uint16_t value)
{
    uint8_t *to = fn_write_reserve(writer, 2);
    if (to != NULL)
        fn_store_be16(to, value);
}

static inline void fn_write_u32(fn_writer *writer, uint32_t value)
{
    uint8_t *to = fn_write_reserve(writer, 4);
    if (to != NULL)
        fn_store_be32(to, value);
}

static inline void fn_write_u64(fn_writer *writer, uint64_t value)
{
    uint8_t *to = fn_write_reserve(writer, 8);
    if (to != NULL)
        fn_store_be64(to, value);
}

/* Fails on values above FN_VARINT_MAX. */
static inline void fn_write_varint(fn_writer *writer, uint64_t value)
{
    size_t bytes = fn_varint_bytes(value);
    if (bytes == 0) {
        writer->failed = true;
        return;
    }
    uint8_t *to = fn_write_reserve(writer, bytes);
    if (to == NULL)
        return;
    for (size_t i = bytes; i-- > 0; value >>= 8)
        to[i] = (uint8_t)value;
    to[0] = (uint8_t)(to[0] | fn_bits_highest(bytes) << 6);
}

#endif
