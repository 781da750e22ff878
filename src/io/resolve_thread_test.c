/*
 * The lookup's thread, with a getaddrinfo of our own in place of the system's: it answers what the
 * test wants, when the test wants.
 */
#include "io/resolve.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <netdb.h>
#include <netinet/in.h>

#include "io/test_support.h"

#define ANSWERS_MAX 12

static struct {
    sem_t entered, go, left; /* the lookup has begun; may answer; was told to forget its answer */
    const char *const *hosts;
    int error;
    bool signals_blocked;
    struct addrinfo nodes[ANSWERS_MAX];
    struct sockaddr_in6 names[ANSWERS_MAX]; /* large enough for IPv4 */
} fake;

static void make_node(struct addrinfo *node, struct sockaddr_in6 *name, const char *host)
{
    fn_address address;
    memset(node, 0, sizeof *node);
    memset(name, 0, sizeof *name);
    if (!fn_address_parse_host(host, &address))
        abort();
    bool v4 = fn_address_is_v4(&address);
    struct sockaddr_in *name_v4 = (struct sockaddr_in *)(void *)name;
    node->ai_family = v4 ? AF_INET : AF_INET6;
    node->ai_addrlen = v4 ? sizeof *name_v4 : sizeof *name;
    node->ai_addr = (struct sockaddr *)(void *)name;
    if (v4) {
        name_v4->sin_family = AF_INET;
        memcpy(&name_v4->sin_addr, address.ip + 12, 4);
    } else {
        name->sin6_family = AF_INET6;
        memcpy(&name->sin6_addr, address.ip, 16);
    }
}

int getaddrinfo(const char *restrict host, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    sigset_t mask;
    (void)host, (void)service, (void)hints;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    fake.signals_blocked = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGALRM) == 1;
    sem_post(&fake.entered);
    sem_wait(&fake.go);
    if (fake.error != 0)
        return fake.error;
    size_t count = 0;
    for (; fake.hosts[count] != NULL; count++) {
        make_node(&fake.nodes[count], &fake.names[count], fake.hosts[count]);
        if (count > 0)
            fake.nodes[count - 1].ai_next = &fake.nodes[count];
    }
    *found = fake.nodes;
    return 0;
}

void freeaddrinfo(struct addrinfo *found)
{
    assert_ptr_equal(found, fake.nodes);
    sem_post(&fake.left);
}

static void post(void *semaphore)
{
    sem_post(semaphore);
}

static const char *const one_host[] = {"192.0.2.1", NULL};

static void order_alternates_families_and_drops_doubles(void **state)
{
    static const struct {
        const char *found[ANSWERS_MAX], *expected[ANSWERS_MAX];
    } rows[] = {
        {{"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"},
         {"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"}},
        {{"192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1"},
         {"192.0.2.1", "2001:db8::1", "192.0.2.2"}},
        {{"2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"},
         {"2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"}},
        {{"2001:db8::1"}, {"2001:db8::1"}},
        {{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6",
          "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8::5"},
         {"192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2", "192.0.2.3", "2001:db8::3",
          "192.0.2.4", "2001:db8::4"}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        sem_t done;
        fn_resolve_result result;
        size_t count = 0;
        sem_init(&done, 0, 0);
        fake.hosts = rows[i].found;
        fn_resolve *resolve = fn_resolve_start("name", 5, post, &done, NULL);
        assert_non_null(resolve);
        sem_wait(&fake.entered);
        assert_false(fn_resolve_finished(resolve));
        assert_int_equal(fn_resolve_get(resolve, &result, NULL), FASTNET_ERR_STATE);
        sem_post(&fake.go);
        sem_wait(&done);
        assert_true(fn_resolve_finished(resolve));
        assert_int_equal(fn_resolve_get(resolve, &result, NULL), FASTNET_OK);
        for (; rows[i].expected[count] != NULL; count++) {
            fn_address expected = test_address(rows[i].expected[count]);
            expected.port = 5;
            assert_true(fn_address_equal(&result.addresses[count], &expected));
        }
        assert_int_equal(result.count, count);
        fn_resolve_release(resolve);
        sem_wait(&fake.left);
        sem_destroy(&done);
    }
    assert_true(fake.signals_blocked);
}

static void failures_become_sentences(void **state)
{
    static const struct {
        int error;
        const char *text;
    } rows[] = {
        {EAI_NONAME, "the host name game.example does not resolve: there is no such host, or it "
                     "has no address"},
        {EAI_AGAIN, "the host name game.example does not resolve: the name server did not answer"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        sem_t done;
        fn_resolve_result result;
        fn_io_error error;
        sem_init(&done, 0, 0);
        fake.error = rows[i].error;
        fn_resolve *resolve = fn_resolve_start("game.example", 5, post, &done, NULL);
        sem_post(&fake.go);
        sem_wait(&done);
        assert_int_equal(fn_resolve_get(resolve, &result, &error), FASTNET_ERR_ADDRESS);
        assert_string_equal(error.text, rows[i].text);
        fn_resolve_release(resolve);
        sem_wait(&fake.entered);
        sem_destroy(&done);
    }
    fake.error = 0;
}

static void touch(void *context)
{
    *(char *)context = 1;
}

static void an_owner_that_left_is_not_called(void **state)
{
    (void)state;
    fake.hosts = one_host;
    for (int i = 0; i < 20; i++) {
        char *context = calloc(1, 1);
        fn_resolve *resolve = fn_resolve_start("name", 5, touch, context, NULL);
        assert_non_null(resolve);
        sem_wait(&fake.entered);
        fn_resolve_release(resolve); /* returns although the lookup hangs */
        assert_int_equal(*context, 0);
        free(context); /* a late call would be a use after free */
        sem_post(&fake.go);
        sem_wait(&fake.left);
    }
}

static void leaving_while_the_answer_arrives_is_safe(void **state)
{
    (void)state;
    fake.hosts = one_host;
    for (int i = 0; i < 500; i++) {
        char *context = calloc(1, 1);
        fn_resolve *resolve = fn_resolve_start("name", 5, touch, context, NULL);
        assert_non_null(resolve);
        sem_wait(&fake.entered);
        sem_post(&fake.go);
        if (i % 2 == 0)
            sem_wait(&fake.left);
        fn_resolve_release(resolve);
        free(context);
        if (i % 2 != 0)
            sem_wait(&fake.left);
    }
}

static int start_threads(void **state)
{
    (void)state;
    sem_init(&fake.entered, 0, 0);
    sem_init(&fake.go, 0, 0);
    sem_init(&fake.left, 0, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_alternates_families_and_drops_doubles),
        cmocka_unit_test(failures_become_sentences),
        cmocka_unit_test(an_owner_that_left_is_not_called),
        cmocka_unit_test(leaving_while_the_answer_arrives_is_safe),
    };
    return cmocka_run_group_tests(tests, start_threads, NULL);
}
