#include "base/address.h"

#include <limits.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define FN_V4_OFFSET 12
#define FN_GROUPS    8

static const uint8_t fn_v4_prefix[FN_V4_OFFSET] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

const char *fn_address_error_text(fn_address_error error)
{
    static const char *const texts[] = {
#define X(name, text) text,
        FN_ADDRESS_ERROR_MAP(X)
#undef X
    };
    assert((size_t)error < sizeof texts / sizeof texts[0]);
    return texts[error];
}

/* --- values --------------------------------------------------------------------------------- */

fn_address fn_address_from_ipv4(const uint8_t ip[4], uint16_t port)
{
    fn_address address = {.port = port};
    memcpy(address.ip, fn_v4_prefix, FN_V4_OFFSET);
    memcpy(address.ip + FN_V4_OFFSET, ip, 4);
    return address;
}

static bool fn_ip_is_link_local(const uint8_t ip[16])
{
    bool unicast = ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
    bool multicast = ip[0] == 0xff && (ip[1] & 0x0f) == 0x02;
    return unicast || multicast;
}

fn_address fn_address_from_ipv6(const uint8_t ip[16], uint32_t scope_id, uint16_t port)
{
    fn_address address = {.port = port};
    memcpy(address.ip, ip, 16);
    address.scope_id = fn_ip_is_link_local(ip) ? scope_id : 0;
    return address;
}

fn_address fn_address_any(bool v4_only, uint16_t port)
{
    static const uint8_t zero[4];
    fn_address v6 = {.port = port};
    return v4_only ? fn_address_from_ipv4(zero, port) : v6;
}

int fn_address_compare(const fn_address *a, const fn_address *b)
{
    int order = memcmp(a->ip, b->ip, sizeof a->ip);
    if (order != 0)
        return order;
    if (a->scope_id != b->scope_id)
        return a->scope_id < b->scope_id ? -1 : 1;
    return (int)a->port - (int)b->port;
}

bool fn_address_equal(const fn_address *a, const fn_address *b)
{
    return fn_address_compare(a, b) == 0;
}

bool fn_address_same_host(const fn_address *a, const fn_address *b)
{
    return memcmp(a->ip, b->ip, sizeof a->ip) == 0 && a->scope_id == b->scope_id;
}

bool fn_address_is_v4(const fn_address *address)
{
    return memcmp(address->ip, fn_v4_prefix, FN_V4_OFFSET) == 0;
}

static bool fn_ip_is_zero_until(const uint8_t *ip, size_t bytes)
{
    static const uint8_t zero[16];
    return memcmp(ip, zero, bytes) == 0;
}

bool fn_address_is_loopback(const fn_address *address)
{
    if (fn_address_is_v4(address))
        return address->ip[FN_V4_OFFSET] == 127;
    return fn_ip_is_zero_until(address->ip, 15) && address->ip[15] == 1;
}

bool fn_address_is_any(const fn_address *address)
{
    if (fn_address_is_v4(address))
        return fn_ip_is_zero_until(address->ip + FN_V4_OFFSET, 4);
    return fn_ip_is_zero_until(address->ip, 16);
}

uint64_t fn_address_prefix(const fn_address *address)
{
    return fn_load_be64(address->ip + (fn_address_is_v4(address) ? 8 : 0));
}

/* --- parsing -------------------------------------------------------------------------------- */

/* A view of the text; parsers advance `at`. */
typedef struct fn_scan {
    const char *at;
    const char *end;
} fn_scan;

static bool fn_scan_accept(fn_scan *scan, char expected)
{
    if (scan->at == scan->end || *scan->at != expected)
        return false;
    scan->at++;
    return true;
}

static bool fn_scan_decimal(fn_scan *scan, uint64_t value_max, bool zero_padded, uint64_t *value)
{
    const char *start = scan->at;
    uint64_t sum = 0;
    for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
        sum = sum * 10 + (uint64_t)(*scan->at - '0');
        if (sum > value_max)
            return false;
    }
    size_t digits = (size_t)(scan->at - start);
    *value = sum;
    return digits > 0 && (zero_padded || digits == 1 || *start != '0');
}

static bool fn_scan_ipv4(fn_scan *scan, uint8_t ip[4])
{
    for (int i = 0; i < 4; i++) {
        uint64_t byte;
        if (i > 0 && !fn_scan_accept(scan, '.'))
            return false;
        if (!fn_scan_decimal(scan, UINT8_MAX, false, &byte))
            return false;
        ip[i] = (uint8_t)byte;
    }
    return true;
}

static bool fn_scan_group(fn_scan *scan, uint8_t group[2])
{
    uint32_t value = 0;
    int digits = 0;
    for (; scan->at < scan->end && fn_text_hex_value(*scan->at) >= 0; scan->at++, digits++) {
        if (digits == 4)
            return false;
        value = value << 4 | (uint32_t)fn_text_hex_value(*scan->at);
    }
    fn_store_be16(group, (uint16_t)value);
    return digits > 0;
}

static bool fn_scan_ipv4_tail(fn_scan *scan, uint8_t *bytes, size_t used)
{
    fn_scan attempt = *scan;
    if (used > 12 || !fn_scan_ipv4(&attempt, bytes + used))
        return false;
    if (attempt.at != scan->end && *attempt.at != '%')
        return false;
    *scan = attempt;
    return true;
}

/* One side of "::", or all of an address without it: groups with ':' between. Returns bytes. */
static bool fn_scan_groups(fn_scan *scan, uint8_t bytes[16], size_t *used)
{
    *used = 0;
    while (*used < 16) {
        if (fn_scan_ipv4_tail(scan, bytes, *used)) {
            *used += 4;
            return true;
        }
        if (!fn_scan_group(scan, bytes + *used))
            return false;
        *used += 2;
        bool gap = scan->end - scan->at >= 2 && scan->at[0] == ':' && scan->at[1] == ':';
        if (gap || !fn_scan_accept(scan, ':'))
            return true;
    }
    return false;
}

static bool fn_scan_gap(fn_scan *scan)
{
    fn_scan attempt = *scan;
    if (!fn_scan_accept(&attempt, ':') || !fn_scan_accept(&attempt, ':'))
        return false;
    *scan = attempt;
    return true;
}

static bool fn_scan_ipv6(fn_scan *scan, uint8_t ip[16])
{
    uint8_t head[16] = {0}, tail[16] = {0};
    size_t head_bytes = 0, tail_bytes = 0;
    bool gap = fn_scan_gap(scan);
    if (!gap) {
        if (!fn_scan_groups(scan, head, &head_bytes))
            return false;
        gap = fn_scan_gap(scan);
    }
    bool more = gap && scan->at < scan->end && *scan->at != '%';
    if (more && !fn_scan_groups(scan, tail, &tail_bytes))
        return false;
    if (gap ? head_bytes + tail_bytes > 14 : head_bytes != 16)
        return false;
    memset(ip, 0, 16);
    memcpy(ip, head, head_bytes);
    memcpy(ip + 16 - tail_bytes, tail, tail_bytes);
    return true;
}

/* Names of DNS, and what local name services add; nothing that could end up in a log or a URL. */
static bool fn_is_host_text(const char *start, const char *end)
{
    for (const char *at = start; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (c == '\0' || strchr("-_.:%", c) == NULL))
            return false;
    }
    return true;
}

/* A number, or else the name of an interface, up to the end. */
static bool fn_scan_scope(fn_scan *scan, uint32_t *scope_id, char name[FN_INTERFACE_NAME_BYTES])
{
    uint64_t number = 0;
    fn_scan attempt = *scan;
    size_t bytes = (size_t)(scan->end - scan->at);
    if (fn_scan_decimal(&attempt, UINT32_MAX, true, &number) && attempt.at == scan->end) {
        *scope_id = (uint32_t)number;
        *scan = attempt;
        return true;
    }
    if (bytes == 0 || bytes >= FN_INTERFACE_NAME_BYTES || !fn_is_host_text(scan->at, scan->end) ||
        memchr(scan->at, '%', bytes) != NULL)
        return false;
    memcpy(name, scan->at, bytes);
    name[bytes] = '\0';
    scan->at = scan->end;
    return true;
}

static bool fn_parse_span(const char *start, const char *end, fn_address *out,
                          char name[FN_INTERFACE_NAME_BYTES])
{
    uint8_t ip[16];
    fn_scan scan = {start, end};
    name[0] = '\0';
    if (fn_scan_ipv4(&scan, ip) && scan.at == end) {
        *out = fn_address_from_ipv4(ip, 0);
        return true;
    }
    uint32_t scope_id = 0;
    scan.at = start;
    if (!fn_scan_ipv6(&scan, ip))
        return false;
    if (fn_scan_accept(&scan, '%') && !fn_scan_scope(&scan, &scope_id, name))
        return false;
    if (scan.at != end)
        return false;
    *out = fn_address_from_ipv6(ip, scope_id, 0);
    return true;
}

bool fn_address_parse_named(const char *text, fn_address *out, char name[FN_INTERFACE_NAME_BYTES])
{
    return fn_parse_span(text, text + strlen(text), out, name);
}

static bool fn_parse_numeric(const char *start, const char *end, fn_address *out)
{
    fn_address address;
    char name[FN_INTERFACE_NAME_BYTES];
    if (!fn_parse_span(start, end, &address, name) || name[0] != '\0')
        return false;
    *out = address;
    return true;
}

bool fn_address_parse_host(const char *text, fn_address *out)
{
    return fn_parse_numeric(text, text + strlen(text), out);
}

/* --- host and port -------------------------------------------------------------------------- */

/* The pieces of "host:port" as spans of the text; port is NULL when there is none. */
typedef struct fn_host_port {
    const char *host;
    const char *host_end;
    const char *port;
} fn_host_port;

static fn_address_error fn_split_brackets(const char *text, fn_host_port *parts)
{
    const char *close = strchr(text, ']');
    fn_address ignored;
    char name[FN_INTERFACE_NAME_BYTES];
    if (close == NULL)
        return FN_ADDRESS_BRACKET;
    if (close[1] != '\0' && close[1] != ':')
        return FN_ADDRESS_AFTER_BRACKET;
    *parts = (fn_host_port){text + 1, close, close[1] == ':' ? close + 2 : NULL};
    bool v6 = memchr(parts->host, ':', (size_t)(close - parts->host)) != NULL &&
              fn_parse_span(parts->host, close, &ignored, name);
    return v6 ? FN_ADDRESS_OK : FN_ADDRESS_NOT_IPV6;
}

static fn_address_error fn_split_plain(const char *text, fn_host_port *parts)
{
    const char *end = text + strlen(text);
    const char *colon = strchr(text, ':');
    fn_address ignored;
    char name[FN_INTERFACE_NAME_BYTES];
    if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        *parts = (fn_host_port){text, end, NULL};
        return fn_parse_span(text, end, &ignored, name) ? FN_ADDRESS_OK : FN_ADDRESS_NOT_IPV6;
    }
    *parts = (fn_host_port){text, colon ? colon : end, colon ? colon + 1 : NULL};
    return FN_ADDRESS_OK;
}

static fn_address_error fn_split_port(const char *text, uint16_t default_port, uint16_t *port)
{
    if (text == NULL) {
        *port = default_port;
        return default_port != 0 ? FN_ADDRESS_OK : FN_ADDRESS_NO_PORT;
    }
    uint64_t value;
    fn_scan scan = {text, text + strlen(text)};
    if (!fn_scan_decimal(&scan, UINT16_MAX, true, &value) || scan.at != scan.end || value == 0)
        return FN_ADDRESS_PORT;
    *port = (uint16_t)value;
    return FN_ADDRESS_OK;
}

fn_address_error fn_address_parse_port(const char *text, uint16_t *port)
{
    uint16_t value = 0;
    fn_address_error error = fn_split_port(text, 0, &value);
    if (error == FN_ADDRESS_OK)
        *port = value;
    return error;
}

static fn_address_error fn_split(const char *text, fn_host_port *parts)
{
    if (*text == '\0')
        return FN_ADDRESS_EMPTY;
    fn_address_error error =
        *text == '[' ? fn_split_brackets(text, parts) : fn_split_plain(text, parts);
    if (error != FN_ADDRESS_OK)
        return error;
    if (parts->host == parts->host_end)
        return FN_ADDRESS_EMPTY;
    return fn_is_host_text(parts->host, parts->host_end) ? FN_ADDRESS_OK : FN_ADDRESS_HOST;
}

fn_address_error fn_address_split_host_port(const char *text, uint16_t default_port, char *host,
                                            size_t host_bytes, uint16_t *port)
{
    fn_host_port parts;
    uint16_t value = 0;
    fn_address_error error = fn_split(text, &parts);
    if (error == FN_ADDRESS_OK)
        error = fn_split_port(parts.port, default_port, &value);
    if (error != FN_ADDRESS_OK)
        return error;
    size_t length = (size_t)(parts.host_end - parts.host);
    if (length >= host_bytes)
        return FN_ADDRESS_TOO_LONG;
    memcpy(host, parts.host, length);
    host[length] = '\0';
    *port = value;
    return FN_ADDRESS_OK;
}

fn_address_error fn_address_parse(const char *text, uint16_t default_port, fn_address *out)
{
    fn_host_port parts;
    fn_address address;
    uint16_t port = 0;
    fn_address_error error = fn_split(text, &parts);
    if (error != FN_ADDRESS_OK)
        return error;
    if (!fn_parse_numeric(parts.host, parts.host_end, &address))
        return FN_ADDRESS_NOT_NUMERIC;
    error = fn_split_port(parts.port, default_port, &port);
    if (error != FN_ADDRESS_OK)
        return error;
    address.port = port;
    *out = address;
    return FN_ADDRESS_OK;
}

/* --- formatting ----------------------------------------------------------------------------- */

static void fn_text_add_ipv4(fn_text *text, const uint8_t ip[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            fn_text_add_char(text, '.');
        fn_text_add_u64(text, ip[i]);
    }
}

static int fn_zero_run(const uint8_t ip[16], int group)
{
    int start = group;
    while (group < FN_GROUPS && fn_load_be16(ip + 2 * group) == 0)
        group++;
    return group - start;
}

/* RFC 5952 section 4.2: "::" stands for the longest run of at least
 * two groups, the first of equals. */
static void fn_text_add_ipv6(fn_text *text, const uint8_t ip[16])
{
    int gap = -1, gap_groups = 1;
    for (int i = 0; i < FN_GROUPS; i++) {
        int run = fn_zero_run(ip, i);
        if (run > gap_groups) {
            gap = i;
            gap_groups = run;
        }
    }
    for (int i = 0; i < FN_GROUPS; i++) {
        if (i == gap) {
            fn_text_add(text, "::");
            i += gap_groups - 1;
            continue;
        }
        if (i > 0 && !(gap >= 0 && i == gap + gap_groups))
            fn_text_add_char(text, ':');
        fn_text_add_hex(text, fn_load_be16(ip + 2 * i), 1);
    }
}

static void fn_text_add_host(fn_text *text, const fn_address *address)
{
    if (fn_address_is_v4(address)) {
        fn_text_add_ipv4(text, address->ip + FN_V4_OFFSET);
        return;
    }
    fn_text_add_ipv6(text, address->ip);
    if (address->scope_id != 0) {
        fn_text_add_char(text, '%');
        fn_text_add_u64(text, address->scope_id);
    }
}

size_t fn_address_format_host(const fn_address *address, char text[FN_ADDRESS_TEXT_BYTES])
{
    fn_text out = fn_text_make(text, FN_ADDRESS_TEXT_BYTES);
    fn_text_add_host(&out, address);
    return out.length;
}

size_t fn_address_format(const fn_address *address, char text[FN_ADDRESS_TEXT_BYTES])
{
    bool v4 = fn_address_is_v4(address);
    fn_text out = fn_text_make(text, FN_ADDRESS_TEXT_BYTES);
    fn_text_add(&out, v4 ? "" : "[");
    fn_text_add_host(&out, address);
    fn_text_add(&out, v4 ? ":" : "]:");
    fn_text_add_u64(&out, address->port);
    return out.length;
}
