/* The messages inside TLS. The first byte says which: framing, HELLO, WELCOME or REJECT. What
 * decodes is encoded again: both must be the same message. */
#include "fuzz.h"

#include "core/hello.h"

#include <string.h>

static void check_framing(const uint8_t *data, size_t bytes)
{
    fn_failure failure;
    fn_hello_type type;
    size_t body_bytes;
    if (bytes < FN_HELLO_FRAME_HEADER_BYTES)
        return;
    if (fn_hello_frame_decode(data, &type, &body_bytes, &failure) == FASTNET_OK)
        FUZZ_CHECK(body_bytes <= FN_HELLO_BODY_BYTES_MAX);
    else
        FUZZ_CHECK(failure.code != FASTNET_OK && failure.text[0] != '\0');
}

static void check_hello(const uint8_t *data, size_t bytes)
{
    fn_hello hello, same;
    if (fn_hello_decode(data, bytes, &hello, NULL) != FASTNET_OK)
        return;
    FUZZ_CHECK(hello.version_count >= 1 && hello.version_count <= FN_HELLO_VERSIONS_MAX);
    FUZZ_CHECK(hello.token_bytes <= FN_HELLO_TOKEN_BYTES_MAX);
    FUZZ_CHECK(hello.application_id_bytes <= FN_HELLO_APPLICATION_BYTES_MAX);
    uint8_t again[FN_HELLO_BODY_BYTES_MAX];
    fn_writer writer = fn_writer_make(again, sizeof again);
    fn_hello_encode(&writer, &hello);
    FUZZ_CHECK(!writer.failed);
    FUZZ_CHECK(fn_hello_decode(again, fn_writer_bytes(&writer), &same, NULL) == FASTNET_OK);
    FUZZ_CHECK(memcmp(&same.limits, &hello.limits, sizeof same.limits) == 0);
    FUZZ_CHECK(same.receiver_id == hello.receiver_id && same.token_bytes == hello.token_bytes);
    if (fn_limits_check(&hello.limits) == NULL) {
        fn_limits_agreed agreed = fn_limits_agree(&hello.limits, &same.limits);
        FUZZ_CHECK(agreed.send_packets_max >= 512 && agreed.send_packets_max <= 32768);
    }
}

static void check_welcome(const uint8_t *data, size_t bytes)
{
    fn_welcome welcome, same;
    if (fn_welcome_decode(data, bytes, &welcome, NULL) != FASTNET_OK)
        return;
    FUZZ_CHECK(welcome.udp_port != 0 && welcome.udp_host_bytes <= FN_HELLO_HOST_BYTES_MAX);
    uint8_t again[FN_HELLO_BODY_BYTES_MAX];
    fn_writer writer = fn_writer_make(again, sizeof again);
    fn_welcome_encode(&writer, &welcome);
    FUZZ_CHECK(!writer.failed);
    FUZZ_CHECK(fn_welcome_decode(again, fn_writer_bytes(&writer), &same, NULL) == FASTNET_OK);
    FUZZ_CHECK(same.peer_id == welcome.peer_id && same.udp_port == welcome.udp_port);
}

static void check_reject(const uint8_t *data, size_t bytes)
{
    fn_reject reject;
    if (fn_reject_decode(data, bytes, &reject, NULL) != FASTNET_OK)
        return;
    FUZZ_CHECK(reject.text_bytes <= FN_HELLO_TEXT_BYTES_MAX);
    FUZZ_CHECK(fn_reject_code(&reject) < 0);
    FUZZ_CHECK(fn_text_cut(reject.text, reject.text_bytes, 10) <= 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static void (*const checks[])(const uint8_t *data, size_t bytes) = {
        check_framing, check_hello, check_welcome, check_reject};
    if (bytes > 0 && data[0] < 4)
        checks[data[0]](data + 1, bytes - 1);
    return 0;
}
