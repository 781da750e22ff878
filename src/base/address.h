/*
 * A UDP or TCP endpoint as a plain value, and its text form. Pure: no operating system types.
 *
 * There is one representation for every address. IPv4 is kept as ::ffff:a.b.c.d (RFC 4291 section
 * 2.5.5.2), so the same host never has two values, whichever socket it was seen on. The struct has
 * no padding and unused fields are zero, so its bytes can be hashed and compared as they are.
 */
#ifndef FN_BASE_ADDRESS_H
#define FN_BASE_ADDRESS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fn_address {
    uint8_t ip[16];    /* network order; IPv4 as ::ffff:a.b.c.d */
    uint32_t scope_id; /* interface index, link-local IPv6 only; otherwise 0 */
    uint16_t port;     /* host order */
    uint16_t reserved; /* always 0 */
} fn_address;

static_assert(sizeof(fn_address) == 24, "fn_address is hashed and compared as bytes");

/* "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%4294967295]:65535" and its terminator fit. */
#define FN_ADDRESS_TEXT_BYTES 72

/* A host name of DNS (253 characters) and its terminator. */
#define FN_HOST_TEXT_BYTES 256

/* Why a text was refused. 0 is success; the sentence completes "the address 'x' ...". */
#define FN_ADDRESS_ERROR_MAP(X)                                                    \
    X(OK, "is valid")                                                              \
    X(EMPTY, "names no host")                                                      \
    X(BRACKET, "has '[' without a matching ']'")                                   \
    X(AFTER_BRACKET, "has something other than ':port' after ']'")                 \
    X(NOT_IPV6, "has several colons but is no IPv6 address; write [address]:port") \
    X(PORT, "has a port that is not a number from 1 to 65535")                     \
    X(NO_PORT, "has no port; write host:port")                                     \
    X(HOST, "has a host with characters that no host name may have")               \
    X(TOO_LONG, "is too long for a host name")                                     \
    X(NOT_NUMERIC, "is not a numeric IPv4 or IPv6 address")

typedef enum fn_address_error {
#define X(name, text) FN_ADDRESS_##name,
    FN_ADDRESS_ERROR_MAP(X)
#undef X
} fn_address_error;

/* Static sentence for the error, never NULL. */
const char *fn_address_error_text(fn_address_error error);

/* Makes an address from four bytes in network order. */
fn_address fn_address_from_ipv4(const uint8_t ip[4], uint16_t port);

/* Makes an address from sixteen bytes in network order; drops the
 * scope of what is not link-local. */
fn_address fn_address_from_ipv6(const uint8_t ip[16], uint32_t scope_id, uint16_t port);

/* "::" (listen on IPv6 and IPv4) or, with v4_only, "0.0.0.0". */
fn_address fn_address_any(bool v4_only, uint16_t port);

/* Total order over all fields; 0 = the same endpoint. */
int fn_address_compare(const fn_address *a, const fn_address *b);
bool fn_address_equal(const fn_address *a, const fn_address *b);

/* The same host, whatever the port. */
bool fn_address_same_host(const fn_address *a, const fn_address *b);

bool fn_address_is_v4(const fn_address *address);
bool fn_address_is_loopback(const fn_address *address); /* 127.0.0.0/8 or ::1 */
bool fn_address_is_any(const fn_address *address);      /* 0.0.0.0 or :: */

/*
 * The key that rate limits count by: the IPv4 /32 or the IPv6 /64. A host with a whole /64 at its
 * disposal therefore counts once. IPv4 keys lie in 0000:ffff::/32, which is never routed as IPv6.
 */
uint64_t fn_address_prefix(const fn_address *address);

/*
 * Reads a numeric address without a port: "1.2.3.4", "::1", "fe80::1%2". No
 * brackets, no names, no leading zeroes in IPv4 (some systems read them as octal).
 * Sets port 0. out is untouched on failure.
 */
bool fn_address_parse_host(const char *text, fn_address *out);

/* The name of a network interface ("eth0") and its terminator. */
#define FN_INTERFACE_NAME_BYTES 32

/* The same, also with the name of an interface: "fe80::1%eth0". The name goes into interface_name,
 * "" when there is none, and scope_id stays 0: which number a name has only the system knows. */
bool fn_address_parse_named(const char *text, fn_address *out,
                            char interface_name[FN_INTERFACE_NAME_BYTES]);

/* A port by itself: "7777". */
fn_address_error fn_address_parse_port(const char *text, uint16_t *port);

/* As above with an optional port: "1.2.3.4:7777", "::1",
 * "[::1]:7777". See split for default_port. */
fn_address_error fn_address_parse(const char *text, uint16_t default_port, fn_address *out);

/*
 * Splits "host", "host:port", "[v6]", "[v6]:port" or a bare IPv6 address. The brackets are removed.
 * default_port is used when the text has none; with default_port 0 a missing port is NO_PORT.
 * host receives a terminated string of less than host_bytes. On failure host and port are
 * untouched. The host is only checked for characters; whether it exists is for the resolver to say.
 */
fn_address_error fn_address_split_host_port(const char *text, uint16_t default_port, char *host,
                                            size_t host_bytes, uint16_t *port);

/*
 * Writes "1.2.3.4:7777" or "[::1]:7777" (RFC 5952), or without port and brackets. text must hold
 * FN_ADDRESS_TEXT_BYTES. Returns the length without terminator.
 */
size_t fn_address_format(const fn_address *address, char text[FN_ADDRESS_TEXT_BYTES]);
size_t fn_address_format_host(const fn_address *address, char text[FN_ADDRESS_TEXT_BYTES]);

#endif
