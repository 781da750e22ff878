/* Batches on a socket of the application's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "fastnet/tuning.h"

typedef struct test_pair {
    int from, to;
    struct sockaddr_storage from_name, to_name;
    socklen_t name_bytes;
} test_pair;

static int open_socket(int family, struct sockaddr_storage *name, socklen_t *bytes)
{
    int descriptor = socket(family, SOCK_DGRAM, 0);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    assert_true(descriptor >= 0);
    const void *local = family == AF_INET ? (const void *)&v4 : (const void *)&v6;
    *bytes = family == AF_INET ? sizeof v4 : sizeof v6;
    assert_int_equal(bind(descriptor, local, *bytes), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)name, bytes), 0);
    return descriptor;
}

static test_pair open_pair(int family)
{
    test_pair pair;
    memset(&pair, 0, sizeof pair);
    pair.from = open_socket(family, &pair.from_name, &pair.name_bytes);
    pair.to = open_socket(family, &pair.to_name, &pair.name_bytes);
    return pair;
}

static void close_pair(const test_pair *pair)
{
    close(pair->from);
    close(pair->to);
}

static void push(FastNetSendBatch *batch, const test_pair *pair, const void *data, uint32_t bytes)
{
    assert_int_equal(fastnet_batch_push(batch, data, bytes, (const struct sockaddr *)&pair->to_name,
                                        pair->name_bytes),
                     FASTNET_OK);
}

static void await(int descriptor)
{
    struct pollfd row = {.fd = descriptor, .events = POLLIN};
    assert_int_equal(poll(&row, 1, 10000), 1);
}

static void batches_arrive_whole_with_their_sender(void **state)
{
    (void)state;
    static uint8_t sent[FASTNET_BATCH_MAX][100], got[FASTNET_BATCH_MAX][100];
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t f = 0; f < 2; f++) {
        test_pair pair = open_pair(families[f]);
        FastNetSendBatch batch;
        FastNetReceiveItem items[FASTNET_BATCH_MAX];
        memset(&batch, 0xff, sizeof batch);
        fastnet_batch_init(&batch);
        for (uint32_t i = 0; i < FASTNET_BATCH_MAX; i++) {
            memset(sent[i], (int)i + 1, sizeof sent[i]);
            push(&batch, &pair, sent[i], i);
            items[i] = (FastNetReceiveItem){.data = got[i], .capacity = sizeof got[i]};
        }
        assert_int_equal(fastnet_batch_push(&batch, sent[0], 1, NULL, 0), FASTNET_ERR_LIMIT);
        assert_int_equal(fastnet_sendmmsg(pair.from, &batch), FASTNET_BATCH_MAX);
        assert_int_equal(batch.count, 0);
        await(pair.to);
        assert_int_equal(fastnet_recvmmsg(pair.to, items, 1000), FASTNET_BATCH_MAX);
        for (uint32_t i = 0; i < FASTNET_BATCH_MAX; i++) {
            assert_int_equal(items[i].data_len, i);
            assert_memory_equal(got[i], sent[i], i);
            assert_false(items[i].truncated);
            assert_int_equal(items[i].address_len, pair.name_bytes);
            assert_memory_equal(items[i].address, &pair.from_name, pair.name_bytes);
        }
        assert_int_equal(fastnet_recvmmsg(pair.to, items, 8), 0);
        close_pair(&pair);
    }
}

static void connected_sockets_need_no_address(void **state)
{
    (void)state;
    test_pair pair = open_pair(AF_INET);
    FastNetSendBatch batch;
    char got[4];
    FastNetReceiveItem item = {.data = got, .capacity = sizeof got};
    fastnet_batch_init(&batch);
    assert_int_equal(fastnet_batch_push(&batch, "ab", 2, NULL, 0), FASTNET_OK);
    assert_int_equal(fastnet_sendmmsg(pair.from, &batch), FASTNET_ERR_ADDRESS);
    assert_int_equal(batch.count, 1);
    assert_int_equal(connect(pair.from, (struct sockaddr *)&pair.to_name, pair.name_bytes), 0);
    assert_int_equal(fastnet_sendmmsg(pair.from, &batch), 1);
    await(pair.to);
    assert_int_equal(fastnet_recvmmsg(pair.to, &item, 1), 1);
    assert_memory_equal(got, "ab", 2);
    close_pair(&pair);
}

/* 65508 bytes fit no IPv4 datagram; the kernel judges, so the length is smuggled past push. */
static void what_fails_stays_first_and_can_be_dropped(void **state)
{
    (void)state;
    static uint8_t large[70000];
    test_pair pair = open_pair(AF_INET);
    FastNetSendBatch batch;
    fastnet_batch_init(&batch);
    push(&batch, &pair, "a", 1);
    push(&batch, &pair, large, 1000);
    push(&batch, &pair, "c", 1);
    batch.items[1].data_len = sizeof large;
    assert_int_equal(fastnet_sendmmsg(pair.from, &batch), 1);
    assert_int_equal(batch.count, 2);
    assert_int_equal(fastnet_sendmmsg(pair.from, &batch), FASTNET_ERR_TOO_LARGE);
    assert_int_equal(batch.count, 2);
    fastnet_batch_drop_first(&batch);
    assert_int_equal(fastnet_sendmmsg(pair.from, &batch), 1);
    assert_int_equal(batch.count, 0);
    assert_int_equal(fastnet_sendmmsg(pair.from, &batch), 0);
    fastnet_batch_drop_first(&batch);
    assert_int_equal(batch.count, 0);
    close_pair(&pair);
}

static void truncation_is_told_and_stays_within_capacity(void **state)
{
    (void)state;
    test_pair pair = open_pair(AF_INET);
    FastNetSendBatch batch;
    char got[] = "......";
    FastNetReceiveItem item = {.data = got, .capacity = 3};
    fastnet_batch_init(&batch);
    push(&batch, &pair, "abcde", 5);
    assert_int_equal(fastnet_sendmmsg(pair.from, &batch), 1);
    await(pair.to);
    assert_int_equal(fastnet_recvmmsg(pair.to, &item, 1), 1);
    assert_int_equal(item.data_len, 3);
    assert_true(item.truncated);
    assert_string_equal(got, "abc...");
    close_pair(&pair);
}

static void refusals_and_bad_sockets_are_errors(void **state)
{
    (void)state;
    test_pair pair = open_pair(AF_INET);
    FastNetSendBatch batch;
    char got[4];
    FastNetReceiveItem item = {.data = got, .capacity = sizeof got};
    fastnet_batch_init(&batch);
    assert_int_equal(connect(pair.from, (struct sockaddr *)&pair.to_name, pair.name_bytes), 0);
    close(pair.to);
    assert_int_equal(fastnet_batch_push(&batch, "a", 1, NULL, 0), FASTNET_OK);
    assert_int_equal(fastnet_sendmmsg(pair.from, &batch), 1);
    await(pair.from);
    assert_int_equal(fastnet_recvmmsg(pair.from, &item, 1), FASTNET_ERR_ADDRESS);
    assert_int_equal(fastnet_recvmmsg(pair.from, &item, 1), 0);
    assert_int_equal(fastnet_batch_push(&batch, "a", 1, NULL, 0), FASTNET_OK);
    close(pair.from);
    assert_int_equal(fastnet_sendmmsg(pair.from, &batch), FASTNET_ERR_SYSTEM);
    assert_int_equal(fastnet_recvmmsg(pair.from, &item, 1), FASTNET_ERR_SYSTEM);
}

static void a_full_send_buffer_is_backpressure(void **state)
{
    (void)state;
    /* UDP over loopback never fills a send buffer; a local datagram socket does. */
    int ends[2], small = 1;
    static uint8_t bytes[1000];
    FastNetSendBatch batch;
    int32_t sent = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    fastnet_batch_init(&batch);
    for (int i = 0; i < FASTNET_BATCH_MAX; i++)
        assert_int_equal(fastnet_batch_push(&batch, bytes, sizeof bytes, NULL, 0), FASTNET_OK);
    sent = fastnet_sendmmsg(ends[0], &batch);
    assert_in_range(sent, 1, FASTNET_BATCH_MAX - 1);
    assert_int_equal(batch.count, FASTNET_BATCH_MAX - sent);
    assert_int_equal(fastnet_sendmmsg(ends[0], &batch), FASTNET_ERR_BACKPRESSURE);
    assert_int_equal(batch.count, FASTNET_BATCH_MAX - sent);
    close(ends[0]);
    close(ends[1]);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    static FastNetSendBatch batch;
    struct sockaddr_in6 name = {.sin6_family = AF_INET6};
    const struct sockaddr *address = (const struct sockaddr *)&name;
    FastNetReceiveItem item = {.data = NULL, .capacity = 1};
    fastnet_batch_init(NULL);
    fastnet_batch_drop_first(NULL);
    fastnet_batch_init(&batch);
    assert_int_equal(fastnet_batch_push(NULL, "a", 1, NULL, 0), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_batch_push(&batch, NULL, 1, NULL, 0), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_batch_push(&batch, "a", 1, address, 29), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_batch_push(&batch, "a", 1, address, 0), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_batch_push(&batch, "a", 1, NULL, 28), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_batch_push(&batch, "a", 65508, address, 28), FASTNET_ERR_TOO_LARGE);
    assert_int_equal(batch.count, 0);
    assert_int_equal(fastnet_batch_push(&batch, NULL, 0, address, 28), FASTNET_OK);
    assert_int_equal(fastnet_sendmmsg(0, NULL), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_recvmmsg(0, NULL, 1), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_recvmmsg(0, &item, 1), FASTNET_ERR_ARGUMENT);
    assert_int_equal(fastnet_recvmmsg(0, &item, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_arrive_whole_with_their_sender),
        cmocka_unit_test(connected_sockets_need_no_address),
        cmocka_unit_test(what_fails_stays_first_and_can_be_dropped),
        cmocka_unit_test(truncation_is_told_and_stays_within_capacity),
        cmocka_unit_test(refusals_and_bad_sockets_are_errors),
        cmocka_unit_test(a_full_send_buffer_is_backpressure),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
