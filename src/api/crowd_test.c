/* Two hundred clients at once, and a certificate whose signatures take milliseconds. */
#include "api/test_net.h"

#include "crypto/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum {
    CROWD = 200,
    POLL_MS_MAX = 10,
    SIGN_EVERY = 16 /* polls */
};

typedef struct crowd {
    FastNetEndpoint *clients;
    atomic_uint connected;
    atomic_bool stop;
} crowd;

static void *run_clients(void *context)
{
    crowd *all = context;
    FastNetEvent events[32];
    while (!atomic_load(&all->stop)) {
        int32_t count = fastnet_poll(all->clients, events, 32, 1000);
        for (int32_t i = 0; i < count; i++) {
            if (events[i].type == FASTNET_EVENT_CONNECTED)
                atomic_fetch_add(&all->connected, 1);
        }
    }
    return NULL;
}

/* Of this thread: what other programs do meanwhile does not count. */
static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * FN_NS_PER_S + (uint64_t)now.tv_nsec;
}

static EVP_PKEY *read_key(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(key);
    return key;
}

/* What one signature costs here and now: half of all time goes into it, and a busy machine
 * stretches it. */
static uint64_t signature_ns(EVP_PKEY *key)
{
    uint8_t signature[512];
    size_t bytes = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint64_t before_ns = cpu_ns();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &bytes, (const uint8_t *)"x", 1), 1);
    uint64_t took_ns = cpu_ns() - before_ns;
    EVP_MD_CTX_free(context);
    return took_ns;
}

static void make_slow_certificate(const test_net *net)
{
    static const char *const names[] = {"127.0.0.1"};
    fn_failure failure = {0};
    fn_certificate_pem *pem = malloc(sizeof *pem);
    const fn_certificate_request request = {
        .role = FN_CERTIFICATE_LEAF,
        .key_kind = FN_CERTIFICATE_KEY_RSA_4096,
        .common_name = "slow",
        .names = names,
        .names_count = 1,
        .not_before_unix_s = (int64_t)time(NULL) - 3600,
        .not_after_unix_s = (int64_t)time(NULL) + 3600,
    };
    assert_int_equal(fn_certificate_create(&request, NULL, pem, &failure), FASTNET_OK);
    test_write_file(net->certificate, pem->certificate);
    test_write_file(net->ca, pem->certificate);
    test_write_file(net->key, pem->key);
    free(pem);
}

static void s6_two_hundred_joins_keep_polls_short(void **state)
{
    (void)state;
    crowd all = {0};
    pthread_t thread;
    test_net *net = test_net_create();
    make_slow_certificate(net);
    FastNetConfig server = test_server_config(net);
    FastNetConfig clients = test_client_config(net);
    server.peers_max = CROWD;
    clients.peers_max = CROWD;
    clients.handshake_timeout_ms = server.handshake_timeout_ms = 60000;
    net->server = test_add(net, &server);
    net->client = all.clients = test_add(net, &clients);
    for (int i = 0; i < CROWD; i++)
        test_connect_to(net, net->client, "127.0.0.1", NULL);
    assert_int_equal(pthread_create(&thread, NULL, run_clients, &all), 0);
    uint64_t longest_ns = 0;
    uint64_t signature_max_ns = 0;
    uint32_t polls = 0;
    EVP_PKEY *key = read_key(net->key);
    uint64_t end_ns = fastnet_now_ns() + 60 * FN_NS_PER_S;
    while (atomic_load(&all.connected) < CROWD && fastnet_now_ns() < end_ns) {
        FastNetEvent events[32];
        uint64_t before_ns = cpu_ns();
        fastnet_poll(net->server, events, 32, 1000);
        uint64_t took_ns = cpu_ns() - before_ns;
        longest_ns = fn_max_u64(longest_ns, took_ns);
        if (polls++ % SIGN_EVERY == 0)
            signature_max_ns = fn_max_u64(signature_max_ns, signature_ns(key));
    }
    atomic_store(&all.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&all.connected), CROWD);
    print_message("longest poll %u us, longest signature %u us\n",
                  (unsigned)(longest_ns / FN_NS_PER_US),
                  (unsigned)(signature_max_ns / FN_NS_PER_US));
    /* One signature and 2 ms for all else; on a machine that is not held up, 10 ms in all. */
    uint64_t limit_ns =
        fn_max_u64(POLL_MS_MAX * FN_NS_PER_MS, signature_max_ns + POLL_MS_MAX / 2 * FN_NS_PER_MS);
    assert_true(longest_ns < limit_ns);
    EVP_PKEY_free(key);
    test_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s6_two_hundred_joins_keep_polls_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
