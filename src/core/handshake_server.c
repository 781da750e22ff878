#include "core/handshake.h"

#include "base/result.h"
#include "base/units.h"
#include "core/handshake_internal.h"

#include <assert.h>
#include <string.h>

void fn_handshake_init_server(fn_handshake *handshake, const fn_handshake_config *config,
                              int64_t unix_time_s, uint64_t now_ns)
{
    memset(handshake, 0, sizeof *handshake);
    handshake->config = config;
    handshake->is_server = true;
    handshake->unix_time_s = unix_time_s;
    handshake->state = FN_HANDSHAKE_WAITING;
    handshake->deadline_ns = fn_add_saturating(now_ns, config->timeout_ns);
}

bool fn_handshake_is_greeted(const fn_handshake *handshake)
{
    return handshake->state > FN_HANDSHAKE_WAITING ||
           (handshake->raw_bytes > 0 &&
            fn_tls_record_complete(handshake->raw, handshake->raw_bytes) == FN_TLS_RECORD_COMPLETE);
}

/* The order is that of PROTOCOL.md section 3. */
static int judge_hello(const fn_handshake *handshake, const fn_hello *hello, fn_failure *failure)
{
    const fn_handshake_config *config = handshake->config;
    size_t id_bytes = strlen(config->application_id);
    if (!fn_hello_offers(hello, FN_HELLO_VERSION))
        return fn_failure_set(failure, FASTNET_ERR_VERSION,
                              "the server speaks protocol version %u only",
                              (unsigned)FN_HELLO_VERSION);
    if (hello->application_id_bytes != id_bytes ||
        memcmp(hello->application_id, config->application_id, id_bytes) != 0)
        return fn_failure_set(failure, FASTNET_ERR_VERSION,
                              "the server runs another application: the application ids differ");
    if (memcmp(hello->channel_table_hash, config->channel_table_hash,
               sizeof hello->channel_table_hash) != 0)
        return fn_failure_set(failure, FASTNET_ERR_CHANNELS,
                              "the channel tables of client and server differ");
    const char *field = fn_limits_check(&hello->limits);
    if (field != NULL)
        return fn_failure_set(failure, FASTNET_ERR_PROTOCOL, "HELLO: the limit %s is out of range",
                              field);
    return FASTNET_OK;
}

static void start_deciding(fn_handshake *handshake, uint64_t now_ns)
{
    handshake->state = FN_HANDSHAKE_DECIDING;
    handshake->left_ns = fn_sub_saturating(handshake->deadline_ns, now_ns);
    handshake->deadline_ns = fn_add_saturating(now_ns, handshake->config->decide_timeout_ns);
}

void fn_handshake_handle_hello(fn_handshake *handshake, uint64_t now_ns)
{
    fn_hello hello;
    fn_failure *failure = &handshake->failure;
    if (fn_hello_decode(fn_handshake_in_body(handshake), fn_handshake_in_body_bytes(handshake),
                        &hello, failure) != FASTNET_OK ||
        judge_hello(handshake, &hello, failure) != FASTNET_OK) {
        fn_handshake_fail_and_reject(handshake, now_ns, 0);
        return;
    }
    fn_handshake_result *result = &handshake->result;
    result->limits = hello.limits;
    result->agreed = fn_limits_agree(&handshake->config->limits, &hello.limits);
    result->receiver_id = hello.receiver_id;
    result->application_build = hello.application_build;
    result->token = hello.token;
    result->token_bytes = hello.token_bytes;
    start_deciding(handshake, now_ns);
}

static bool is_sendable_host(const char *host)
{
    size_t bytes = 0;
    for (; host[bytes] != '\0'; bytes++) {
        if (host[bytes] <= 0x20 || host[bytes] > 0x7e)
            return false;
    }
    return bytes <= FN_HELLO_HOST_BYTES_MAX;
}

static void write_welcome(fn_handshake *handshake, const fn_welcome *welcome)
{
    fn_writer writer = fn_writer_make(fn_handshake_out_frame(handshake), FN_HELLO_FRAME_BYTES_MAX);
    fn_hello_frame_begin(&writer);
    fn_welcome_encode(&writer, welcome);
    fn_hello_frame_end(&writer, FN_HELLO_TYPE_WELCOME);
    handshake->out_bytes = (uint32_t)fn_writer_bytes(&writer);
}

int fn_handshake_accept(fn_handshake *handshake, uint64_t now_ns, uint32_t peer_id,
                        uint32_t receiver_id, uint16_t udp_port, const char *udp_host)
{
    if (handshake->state != FN_HANDSHAKE_DECIDING)
        return FASTNET_ERR_STATE;
    if (udp_port == 0 || !is_sendable_host(udp_host))
        return FASTNET_ERR_ARGUMENT;
    fn_welcome welcome = {.version = FN_HELLO_VERSION,
                          .peer_id = peer_id,
                          .receiver_id = receiver_id,
                          .udp_port = udp_port,
                          .udp_host = (const uint8_t *)udp_host,
                          .udp_host_bytes = strlen(udp_host),
                          .limits = handshake->config->limits};
    write_welcome(handshake, &welcome);
    handshake->result.peer_id = peer_id;
    handshake->deadline_ns = fn_add_saturating(now_ns, handshake->left_ns);
    if (!fn_handshake_establish(handshake, now_ns))
        return handshake->failure.code;
    fn_handshake_push_out(handshake);
    return FASTNET_OK;
}

int fn_handshake_reject(fn_handshake *handshake, uint64_t now_ns, int result, uint32_t app_code,
                        const char *text)
{
    assert(result == FASTNET_ERR_REJECTED || result == FASTNET_ERR_FULL ||
           result == FASTNET_ERR_LIMIT);
    if (handshake->state != FN_HANDSHAKE_DECIDING)
        return FASTNET_ERR_STATE;
    fn_failure_set(&handshake->failure, result, "%s",
                   text != NULL ? text : fastnet_result_text(result));
    fn_handshake_fail_and_reject(handshake, now_ns, app_code);
    fn_handshake_push_out(handshake);
    return FASTNET_OK;
}
