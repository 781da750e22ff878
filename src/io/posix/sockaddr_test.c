/* Our address value against the system's: conversions, and inet_ntop and inet_pton as oracles. */
#include "io/posix/sockaddr.h"

#include <arpa/inet.h>

#include "base/rng.h"
#include "io/test_support.h"

#define ROUNDS 20000

static void addresses_survive_the_way_through_sockaddr(void **state)
{
    static const char *const hosts[] = {"1.2.3.4", "2001:db8::9", "fe80::1%4", "::1"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        fn_sockaddr name;
        fn_address address = test_address(hosts[i]);
        address.port = 0x1234;
        assert_int_equal(fn_sockaddr_encode(&address, true, &name), sizeof name.v6);
        assert_int_equal(name.v6.sin6_port, htons(0x1234));
        fn_address back = fn_sockaddr_decode(&name);
        assert_memory_equal(&back, &address, sizeof back);
        bool v4 = fn_address_is_v4(&address);
        assert_int_equal(fn_sockaddr_encode(&address, false, &name), v4 ? sizeof name.v4 : 0);
        back = fn_sockaddr_decode(&name);
        if (v4)
            assert_memory_equal(&back, &address, sizeof back);
    }
}

static void mapped_addresses_are_normalised(void **state)
{
    fn_sockaddr name = {.v6 = {.sin6_family = AF_INET6, .sin6_scope_id = 3}};
    fn_address plain = test_address("192.0.2.1");
    (void)state;
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &name.v6.sin6_addr), 1);
    fn_address decoded = fn_sockaddr_decode(&name);
    assert_memory_equal(&decoded, &plain, sizeof plain);
}

static void any_fits_both_families(void **state)
{
    fn_sockaddr name;
    fn_address any = fn_address_any(false, 7);
    (void)state;
    assert_int_equal(fn_sockaddr_encode(&any, false, &name), sizeof name.v4);
    assert_int_equal(name.v4.sin_addr.s_addr, htonl(INADDR_ANY));
    assert_int_equal(fn_sockaddr_encode(&any, true, &name), sizeof name.v6);
}

static void unknown_families_decode_to_nothing(void **state)
{
    fn_sockaddr name = {.any = {.sa_family = AF_UNIX}};
    fn_address nothing = {0}, decoded = fn_sockaddr_decode(&name);
    (void)state;
    assert_memory_equal(&decoded, &nothing, sizeof nothing);
}

/* Many zero groups, so that "::" is met in all places. */
static void random_ip(fn_rng *rng, uint8_t ip[16])
{
    for (size_t i = 0; i < 16; i += 2) {
        uint64_t bits = fn_rng_u64(rng);
        bool zero = (bits & 3) != 0;
        ip[i] = zero ? 0 : (uint8_t)(bits >> 8);
        ip[i + 1] = zero ? 0 : (uint8_t)(bits >> 16);
    }
}

static void text_agrees_with_the_system(void **state)
{
    fn_rng rng;
    (void)state;
    fn_rng_init(&rng, 20);
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t ip[16], theirs[16];
        char text[FN_ADDRESS_TEXT_BYTES], system_text[INET6_ADDRSTRLEN];
        random_ip(&rng, ip);
        fn_address address = fn_address_from_ipv6(ip, 0, 0), parsed;
        fn_address_format_host(&address, text);
        assert_int_equal(inet_pton(AF_INET6, text, theirs), 1);
        assert_memory_equal(theirs, ip, 16);
        assert_non_null(inet_ntop(AF_INET6, ip, system_text, sizeof system_text));
        assert_true(fn_address_parse_host(system_text, &parsed));
        assert_memory_equal(&parsed, &address, sizeof parsed);
    }
}

static void random_text(fn_rng *rng, char *text, size_t length_max)
{
    static const char alphabet[] = "::::..0012aF9";
    size_t length = fn_rng_u64(rng) % length_max;
    for (size_t i = 0; i < length; i++)
        text[i] = alphabet[fn_rng_u64(rng) % (sizeof alphabet - 1)];
    text[length] = '\0';
}

static void parsing_accepts_what_the_system_accepts(void **state)
{
    fn_rng rng;
    size_t accepted = 0;
    (void)state;
    fn_rng_init(&rng, 21);
    for (int round = 0; round < 20 * ROUNDS; round++) {
        uint8_t ip[16];
        char text[24];
        fn_address ours;
        random_text(&rng, text, sizeof text);
        bool system_v6 = inet_pton(AF_INET6, text, ip) == 1;
        bool system_v4 = !system_v6 && inet_pton(AF_INET, text, ip) == 1;
        if (fn_address_parse_host(text, &ours) != (system_v6 || system_v4))
            fail_msg("'%s': the system says %d", text, system_v6 || system_v4);
        accepted += system_v6 || system_v4;
        if (system_v6)
            assert_memory_equal(ours.ip, ip, 16);
        if (system_v4)
            assert_memory_equal(ours.ip + 12, ip, 4);
    }
    assert_true(accepted > 100); /* otherwise this tested refusal alone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_survive_the_way_through_sockaddr),
        cmocka_unit_test(mapped_addresses_are_normalised),
        cmocka_unit_test(any_fits_both_families),
        cmocka_unit_test(unknown_families_decode_to_nothing),
        cmocka_unit_test(text_agrees_with_the_system),
        cmocka_unit_test(parsing_accepts_what_the_system_accepts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
