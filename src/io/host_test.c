#include "io/host.h"

#include <net/if.h>
#include <stdio.h>

#include "io/test_support.h"

static void an_interface_of_this_machine_has_a_number(void **state)
{
    (void)state;
    fn_address address;
    char name[IF_NAMESIZE];
    char text[64];
    struct if_nameindex *all = if_nameindex();
    assert_non_null(all);
    for (struct if_nameindex *row = all; row->if_index != 0; row++) {
        snprintf(text, sizeof text, "fe80::1%%%s", row->if_name);
        assert_true(fn_host_parse(text, &address));
        assert_int_equal(address.scope_id, row->if_index);
        assert_non_null(if_indextoname(address.scope_id, name));
    }
    if_freenameindex(all);
}

static void what_is_no_interface_is_no_address(void **state)
{
    (void)state;
    fn_address address;
    assert_false(fn_host_parse("fe80::1%no-such-if", &address));
    assert_false(fn_host_parse("localhost", &address));
    assert_true(fn_host_parse("fe80::1%5", &address));
    assert_int_equal(address.scope_id, 5);
    assert_true(fn_host_parse("192.0.2.1", &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interface_of_this_machine_has_a_number),
        cmocka_unit_test(what_is_no_interface_is_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
