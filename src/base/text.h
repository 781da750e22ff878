/*
 * Building a line of text in the caller's buffer, without stdio.
 *
 * The buffer always holds a terminated string. What does not fit is cut off, between two
 * characters, and `truncated` says so; later additions are then dropped, so that no half line reads
 * like a whole one. Bytes from a peer go through fn_text_add_quoted or fn_text_add_harmless: they
 * must not be able to forge log lines.
 */
#ifndef FN_BASE_TEXT_H
#define FN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fn_text {
    char *start;
    size_t capacity; /* with the terminator */
    size_t length;   /* without it */
    bool truncated;
} fn_text;

/* buffer: borrowed; capacity is at least 1. */
fn_text fn_text_make(char *buffer, size_t capacity);

/* NULL adds "(null)". */
void fn_text_add(fn_text *text, const char *string);
void fn_text_add_char(fn_text *text, char character);
void fn_text_add_u64(fn_text *text, uint64_t value);
void fn_text_add_i64(fn_text *text, int64_t value);

/* Lower case, no prefix, at least `digits` (1..16) digits. */
void fn_text_add_hex(fn_text *text, uint64_t value, uint32_t digits);
void fn_text_add_hex_bytes(fn_text *text, const void *data, size_t bytes);

/* How much of a UTF-8 text fits bytes_max without splitting a character. */
size_t fn_text_cut(const void *data, size_t bytes, size_t bytes_max);

/*
 * For people: UTF-8 as it is, one '?' for each thing that would harm a terminal, a log or a reader:
 * control characters (C0, DEL, C1), ends of line and paragraph, what turns the direction of writing
 * (a text can be made to read as another one), and bytes that are no UTF-8. Never longer than data.
 */
void fn_text_add_harmless(fn_text *text, const void *data, size_t bytes);

/* Nothing of the kind is in it: fn_text_add_harmless() would copy it as it is. */
bool fn_text_is_harmless(const void *data, size_t bytes);

/* Printable ASCII as it is, everything else as \xNN (a backslash as \\). */
void fn_text_add_quoted(fn_text *text, const void *data, size_t bytes);

/* What a hexadecimal digit of either case stands for; -1: it is none. */
int fn_text_hex_value(char digit);

#endif
