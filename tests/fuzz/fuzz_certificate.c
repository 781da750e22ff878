/* What a file or a peer may claim to be a certificate or a pin. The first byte says which: PEM
 * text, DER (wrapped into PEM here), a pin. All text that comes out is printable. */
#include "fuzz.h"

#include "base/result.h"
#include "crypto/certificate.h"

#include <stdbool.h>
#include <string.h>

static bool is_printable(const char *text, size_t room)
{
    const char *end = memchr(text, '\0', room);
    for (const char *at = text; end != NULL && at < end; at++) {
        if (*at < 0x20 || *at > 0x7e)
            return false;
    }
    return end != NULL;
}

static void check_pem(const void *pem, size_t bytes)
{
    fn_certificate_info info;
    fn_failure failure;
    memset(&info, 0xee, sizeof info);
    int result = fn_certificate_read(pem, bytes, &info, &failure);
    if (result != FASTNET_OK) {
        FUZZ_CHECK(failure.code == result && failure.text[0] != '\0');
        FUZZ_CHECK(is_printable(failure.text, sizeof failure.text));
        return;
    }
    FUZZ_CHECK(is_printable(info.subject, sizeof info.subject));
    FUZZ_CHECK(is_printable(info.issuer, sizeof info.issuer));
    FUZZ_CHECK(is_printable(info.names, sizeof info.names));
    char text[FN_CERTIFICATE_PIN_TEXT_BYTES];
    uint8_t pin[FN_CERTIFICATE_PIN_BYTES];
    fn_certificate_pin_format(info.pin, text);
    FUZZ_CHECK(fn_certificate_pin_parse(text, pin));
    FUZZ_CHECK(memcmp(pin, info.pin, sizeof pin) == 0);
    char time[FN_CERTIFICATE_TIME_TEXT_BYTES];
    fn_certificate_time_format(info.not_before_unix_s, time);
    FUZZ_CHECK(is_printable(time, sizeof time));
}

static void check_der(const uint8_t *der, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char pem[16384];
    size_t at = (size_t)sprintf(pem, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < bytes && at < sizeof pem - 100; i += 3) {
        uint32_t group = (uint32_t)der[i] << 16;
        group |= i + 1 < bytes ? (uint32_t)der[i + 1] << 8 : 0;
        group |= i + 2 < bytes ? der[i + 2] : 0;
        pem[at++] = digits[group >> 18];
        pem[at++] = digits[group >> 12 & 63];
        pem[at++] = i + 1 < bytes ? digits[group >> 6 & 63] : '=';
        pem[at++] = i + 2 < bytes ? digits[group & 63] : '=';
        if (i % 48 == 45)
            pem[at++] = '\n';
    }
    at += (size_t)sprintf(pem + at, "\n-----END CERTIFICATE-----\n");
    check_pem(pem, at);
}

static void check_pin(const uint8_t *data, size_t bytes)
{
    char text[128] = "";
    memcpy(text, data, bytes < sizeof text - 1 ? bytes : sizeof text - 1);
    uint8_t pin[FN_CERTIFICATE_PIN_BYTES];
    fn_certificate_pin_parse(text, pin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 2)
        return 0;
    if (data[0] == 0)
        check_pem(data + 1, bytes - 1);
    else if (data[0] == 1)
        check_der(data + 1, bytes - 1);
    else
        check_pin(data + 1, bytes - 1);
    return 0;
}
