/* Counts what OpenSSL allocates, so that the figures in tls.h stay true. */
#include "crypto/tls.h"

#include "crypto/test_tls.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADER_BYTES = 16 };

static size_t held_bytes;

static void *counted_malloc(size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    unsigned char *block = malloc(HEADER_BYTES + bytes);
    if (block == NULL)
        return NULL;
    memcpy(block, &bytes, sizeof bytes);
    held_bytes += bytes;
    return block + HEADER_BYTES;
}

static void counted_free(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    if (memory == NULL)
        return;
    unsigned char *block = (unsigned char *)memory - HEADER_BYTES;
    size_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    held_bytes -= bytes;
    free(block);
}

static void *counted_realloc(void *memory, size_t bytes, const char *file, int line)
{
    if (memory == NULL)
        return counted_malloc(bytes, file, line);
    size_t old_bytes;
    memcpy(&old_bytes, (unsigned char *)memory - HEADER_BYTES, sizeof old_bytes);
    void *moved = counted_malloc(bytes, file, line);
    if (moved == NULL)
        return NULL;
    memcpy(moved, memory, old_bytes < bytes ? old_bytes : bytes);
    counted_free(memory, file, line);
    return moved;
}

static fn_certificate_pem authority, leaf;
static fn_tls_context *servers, *clients;

static int set_up(void **state)
{
    (void)state;
    test_make_authority("test CA", &authority);
    test_make_leaf(&authority, &leaf);
    servers = test_server_context(&leaf, NULL);
    clients = test_client_context(&authority);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fn_tls_context_release(servers);
    fn_tls_context_release(clients);
    return 0;
}

/* OpenSSL fetches algorithms once per process: one handshake before anything is counted. */
static void warm_up(void)
{
    fn_tls *server = test_tls(servers, NULL), *client = test_tls(clients, "localhost");
    test_handshake(client, server, WIRE_BYTES);
    assert_established(client, server);
    fn_tls_destroy(client);
    fn_tls_destroy(server);
}

static size_t report(const char *stage, size_t bytes)
{
    printf("%-34s %6zu bytes\n", stage, bytes);
    return bytes;
}

/* One side of a connection, and what it alone holds. */
typedef struct side {
    fn_tls *tls;
    size_t bytes;
} side;

static side make_side(fn_tls_context *context)
{
    size_t before = held_bytes;
    side made = {.tls = test_tls(context, "localhost")};
    made.bytes = held_bytes - before;
    return made;
}

static void free_side(side *gone)
{
    size_t before = held_bytes;
    fn_tls_destroy(gone->tls);
    assert_int_equal(before - held_bytes, gone->bytes);
}

/* Gives `to` what `from` said, and lets it work. */
static void talk(side *from, side *to)
{
    static uint8_t wire[WIRE_BYTES];
    size_t count = 0;
    size_t before = held_bytes;
    size_t bytes = fn_tls_transmit(from->tls, wire, sizeof wire);
    from->bytes += held_bytes - before;
    before = held_bytes;
    fn_tls_receive(to->tls, wire, bytes, &count);
    assert_int_equal(fn_tls_step(to->tls, NULL), FASTNET_OK);
    fn_tls_read(to->tls, wire, sizeof wire, &count);
    to->bytes += held_bytes - before;
}

static void test_bytes_of_a_connection(void **state)
{
    (void)state;
    warm_up();
    side client = make_side(clients);
    side server = make_side(servers);
    assert_in_range(report("created", server.bytes), 1, FN_TLS_OBJECT_BYTES_CREATED);
    talk(&server, &client);
    report("client, hello written", client.bytes);
    talk(&client, &server);
    assert_in_range(report("server, answered and waiting", server.bytes), 1,
                    FN_TLS_OBJECT_BYTES_HANDSHAKE);
    talk(&server, &client);
    talk(&client, &server);
    talk(&server, &client);
    assert_established(client.tls, server.tls);
    assert_in_range(report("server, open and idle", server.bytes), 1, FN_TLS_OBJECT_BYTES_OPEN);
    assert_in_range(report("client, open with a ticket", client.bytes), 1,
                    FN_TLS_OBJECT_BYTES_OPEN);
    free_side(&client);
    free_side(&server);
}

/* The worst that a peer and a lazy driver can do together. */
static void test_bytes_with_full_buffers(void **state)
{
    (void)state;
    static uint8_t data[WIRE_BYTES], wire[WIRE_BYTES];
    size_t count = 0;
    warm_up();
    side client = make_side(clients), server = make_side(servers);
    for (int i = 0; i < 3; i++) {
        talk(&server, &client);
        talk(&client, &server);
    }
    assert_established(client.tls, server.tls);
    fn_tls_write(client.tls, data, sizeof data, &count);
    size_t bytes = fn_tls_transmit(client.tls, wire, sizeof wire);
    size_t before = held_bytes;
    fn_tls_receive(server.tls, wire, bytes, &count);
    fn_tls_read(server.tls, data, 1, &count);
    fn_tls_write(server.tls, data, sizeof data, &count);
    server.bytes += held_bytes - before;
    assert_in_range(report("server, all buffers full", server.bytes), 1, FN_TLS_OBJECT_BYTES_MAX);
    free_side(&server);
    fn_tls_destroy(client.tls);
}

static void test_bytes_of_contexts(void **state)
{
    (void)state;
    warm_up();
    const fn_tls_config config = {.alpn = NULL};
    size_t before = held_bytes;
    fn_tls_context *one = test_server_context(&leaf, NULL);
    report("server context", held_bytes - before);
    fn_tls_context_release(one);
    before = held_bytes;
    one = test_client_context(&authority);
    report("client context, one CA", held_bytes - before);
    fn_tls_context_release(one);
    before = held_bytes;
    one = fn_tls_context_create_client(&config, NULL);
    report("client context, system roots", held_bytes - before);
    fn_tls_context_release(one);
}

int main(void)
{
    /* Only before OpenSSL's first allocation. */
    if (CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_of_a_connection),
        cmocka_unit_test(test_bytes_with_full_buffers),
        cmocka_unit_test(test_bytes_of_contexts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
