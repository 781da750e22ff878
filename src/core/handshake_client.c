#include "core/handshake.h"

#include "base/result.h"
#include "core/handshake_internal.h"

#include <string.h>

static void write_hello(fn_handshake *handshake, const fn_handshake_target *target)
{
    const fn_handshake_config *config = handshake->config;
    fn_hello hello = {.versions = {FN_HELLO_VERSION},
                      .version_count = 1,
                      .application_id = (const uint8_t *)config->application_id,
                      .application_id_bytes = strlen(config->application_id),
                      .application_build = config->application_build,
                      .receiver_id = target->receiver_id,
                      .limits = config->limits,
                      .token = target->token,
                      .token_bytes = target->token_bytes};
    memcpy(hello.channel_table_hash, config->channel_table_hash, sizeof hello.channel_table_hash);
    fn_writer writer = fn_writer_make(fn_handshake_out_frame(handshake), FN_HELLO_FRAME_BYTES_MAX);
    fn_hello_frame_begin(&writer);
    fn_hello_encode(&writer, &hello);
    fn_hello_frame_end(&writer, FN_HELLO_TYPE_HELLO);
    handshake->out_bytes = (uint32_t)fn_writer_bytes(&writer);
}

static int check_target(const fn_handshake_config *config, const fn_handshake_target *target,
                        fn_failure *failure)
{
    if (strlen(config->application_id) > FN_HELLO_APPLICATION_BYTES_MAX)
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT,
                              "the application id is longer than %u bytes",
                              (unsigned)FN_HELLO_APPLICATION_BYTES_MAX);
    if (target->token_bytes > FN_HELLO_TOKEN_BYTES_MAX)
        return fn_failure_set(failure, FASTNET_ERR_ARGUMENT, "the token is longer than %u bytes",
                              (unsigned)FN_HELLO_TOKEN_BYTES_MAX);
    return FASTNET_OK;
}

int fn_handshake_init_client(fn_handshake *handshake, const fn_handshake_config *config,
                             const fn_handshake_target *target, fn_failure *failure)
{
    memset(handshake, 0, sizeof *handshake);
    handshake->config = config;
    handshake->state = FN_HANDSHAKE_TLS;
    handshake->deadline_ns = target->deadline_ns;
    handshake->step_wanted = true;
    int code = check_target(config, target, failure);
    if (code != FASTNET_OK)
        return code;
    fn_tls_options options = {.server_name = target->server_name,
                              .unix_time_s = target->unix_time_s,
                              .session = target->session,
                              .session_bytes = target->session_bytes};
    fn_failure reason = {.code = FASTNET_OK};
    handshake->tls = fn_tls_create(target->tls, &options, &reason);
    if (handshake->tls == NULL)
        return fn_failure_set(failure, reason.code, "%s", reason.text);
    if (!fn_handshake_reserve_frames(handshake)) {
        fn_handshake_destroy(handshake);
        return fn_failure_set(failure, FASTNET_ERR_MEMORY, "no memory for a handshake");
    }
    handshake->attaches = target->attach_key != NULL;
    handshake->attach_id = target->attach_id;
    if (handshake->attaches)
        memcpy(handshake->attach_secret, target->attach_key, sizeof handshake->attach_secret);
    else
        write_hello(handshake, target);
    return FASTNET_OK;
}

static int judge_welcome(const fn_welcome *welcome, fn_failure *failure)
{
    if (welcome->version != FN_HELLO_VERSION)
        return fn_failure_set(failure, FASTNET_ERR_VERSION,
                              "the server chose protocol version %u, which was not offered",
                              (unsigned)welcome->version);
    const char *field = fn_limits_check(&welcome->limits);
    if (field != NULL)
        return fn_failure_set(failure, FASTNET_ERR_PROTOCOL,
                              "WELCOME: the limit %s is out of range", field);
    return FASTNET_OK;
}

static void handle_welcome(fn_handshake *handshake, uint64_t now_ns)
{
    fn_welcome welcome;
    fn_failure *failure = &handshake->failure;
    if (fn_welcome_decode(fn_handshake_in_body(handshake), fn_handshake_in_body_bytes(handshake),
                          &welcome, failure) != FASTNET_OK ||
        judge_welcome(&welcome, failure) != FASTNET_OK) {
        fn_handshake_fail(handshake, now_ns);
        return;
    }
    fn_handshake_result *result = &handshake->result;
    result->limits = welcome.limits;
    result->peer_id = welcome.peer_id;
    result->receiver_id = welcome.receiver_id;
    result->udp_port = welcome.udp_port;
    memcpy(result->udp_host, welcome.udp_host, welcome.udp_host_bytes);
    result->udp_host[welcome.udp_host_bytes] = '\0';
    fn_handshake_establish(handshake, now_ns);
}

/* The text may be any bytes; what could do harm reaches neither a log nor the application. */
static void handle_reject(fn_handshake *handshake, uint64_t now_ns)
{
    fn_reject reject;
    if (fn_reject_decode(fn_handshake_in_body(handshake), fn_handshake_in_body_bytes(handshake),
                         &reject, &handshake->failure) == FASTNET_OK) {
        char text[FN_HELLO_TEXT_BYTES_MAX + 1];
        fn_text harmless = fn_text_make(text, sizeof text);
        fn_text_add_harmless(&harmless, reject.text, reject.text_bytes);
        int code = fn_reject_code(&reject);
        handshake->app_code = reject.app_code;
        fn_failure_set(&handshake->failure, code, "%s",
                       reject.text_bytes > 0 ? text : fastnet_result_text(code));
    }
    fn_handshake_fail(handshake, now_ns);
}

void fn_handshake_handle_answer(fn_handshake *handshake, uint64_t now_ns)
{
    if (fn_handshake_in_frame(handshake)[0] == FN_HELLO_TYPE_WELCOME)
        handle_welcome(handshake, now_ns);
    else
        handle_reject(handshake, now_ns);
}
