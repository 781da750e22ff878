/* "host:port" in all its forms: what parses is printed, and the print parses to the same value. */
#include "fuzz.h"

#include "base/address.h"

#include <string.h>

static void check_split(const char *text)
{
    for (size_t room = 1; room <= FN_HOST_TEXT_BYTES; room *= 2) {
        char host[FN_HOST_TEXT_BYTES];
        uint16_t port = 0;
        memset(host, 'x', sizeof host);
        if (fn_address_split_host_port(text, 7777, host, room, &port) == FN_ADDRESS_OK) {
            FUZZ_CHECK(memchr(host, '\0', room) != NULL);
            FUZZ_CHECK(port != 0);
        } else {
            FUZZ_CHECK(host[0] == 'x' && port == 0);
        }
        for (size_t i = room; i < sizeof host; i++)
            FUZZ_CHECK(host[i] == 'x');
    }
}

static void check_parse(const char *text, uint16_t default_port)
{
    fn_address address, same;
    if (fn_address_parse(text, default_port, &address) != FN_ADDRESS_OK)
        return;
    char print[FN_ADDRESS_TEXT_BYTES];
    FUZZ_CHECK(fn_address_format(&address, print) == strlen(print));
    FUZZ_CHECK(fn_address_parse(print, 0, &same) == FN_ADDRESS_OK);
    FUZZ_CHECK(fn_address_equal(&address, &same));
    FUZZ_CHECK(fn_address_format_host(&address, print) == strlen(print));
    FUZZ_CHECK(fn_address_parse_host(print, &same));
    FUZZ_CHECK(fn_address_same_host(&address, &same));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1);
    if (text == NULL)
        abort();
    if (bytes > 0)
        memcpy(text, data, bytes);
    text[bytes] = '\0';
    check_split(text);
    check_parse(text, 0);
    check_parse(text, 7777);
    fn_address host;
    fn_address_parse_host(text, &host);
    free(text);
    return 0;
}
