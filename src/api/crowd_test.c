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
    POLLS_MAX = 65536,
    SIGN_EVERY = 16, /* polls */
    SIGNATURES_MAX = POLLS_MAX / SIGN_EVERY,
    OUTLIERS_MAX = CROWD / 10 /* a machine that is shared stretches some polls and signatures */
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

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static uint32_t count_above(const uint64_t *times_ns, uint32_t count, uint64_t limit_ns)
{
    uint32_t above = 0;
    for (uint32_t i = 0; i < count; i++)
        above += times_ns[i] > limit_ns;
    return above;
}

/* One signature and 2 ms for all else: two in one poll, for half of
 * the joins or more, would show. */
static void assert_short(const uint64_t *polls_ns, uint32_t polls, uint64_t *signatures_ns,
                         uint32_t signatures)
{
    qsort(signatures_ns, signatures, sizeof *signatures_ns, compare);
    uint64_t typical_ns = signatures_ns[signatures / 2];
    uint64_t limit_ns = typical_ns + typical_ns / 2 + 2 * FN_NS_PER_MS;
    uint32_t outliers = count_above(polls_ns, polls, limit_ns);
    print_message("a signature takes %u us, %u of %u polls more than %u us\n",
                  (unsigned)(typical_ns / FN_NS_PER_US), outliers, polls,
                  (unsigned)(limit_ns / FN_NS_PER_US));
    assert_true(outliers <= OUTLIERS_MAX);
}

static void s6_two_hundred_joins_keep_polls_short(void **state)
{
    static uint64_t polls_ns[POLLS_MAX], signatures_ns[SIGNATURES_MAX];
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
    uint32_t polls = 0, signatures = 0;
    EVP_PKEY *key = read_key(net->key);
    uint64_t end_ns = fastnet_now_ns() + 60 * FN_NS_PER_S;
    while (atomic_load(&all.connected) < CROWD && polls < POLLS_MAX && fastnet_now_ns() < end_ns) {
        FastNetEvent events[32];
        uint64_t before_ns = cpu_ns();
        fastnet_poll(net->server, events, 32, 1000);
        polls_ns[polls] = cpu_ns() - before_ns;
        if (polls++ % SIGN_EVERY == 0)
            signatures_ns[signatures++] = signature_ns(key);
    }
    atomic_store(&all.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&all.connected), CROWD);
    assert_short(polls_ns, polls, signatures_ns, signatures);
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
