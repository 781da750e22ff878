#include "core/handshake.h"

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"
#include "core/handshake_internal.h"

#include <assert.h>
#include <string.h>

static_assert(FN_HANDSHAKE_ATTACH_BYTES == FN_HELLO_FRAME_HEADER_BYTES + FN_HELLO_ATTACH_BODY_BYTES,
              "a frame and its header");
static_assert((size_t)FN_HELLO_PROOF_BYTES == (size_t)FN_SECRETS_BYTES, "a proof is an HMAC");

/* The context is empty: what is to be bound is this TLS connection, nothing that was said on it. */
static bool export_here(fn_handshake *handshake, uint8_t exporter[FN_SECRETS_BYTES])
{
    return fn_tls_export(handshake->tls, fn_secrets_exporter_label(FN_SECRETS_EXPORTER_ATTACH),
                         NULL, 0, exporter) == FASTNET_OK;
}

static void write_frame(fn_handshake *handshake, fn_hello_type type,
                        const fn_attach_message *attach)
{
    fn_writer writer = fn_writer_make(fn_handshake_out_frame(handshake), FN_HANDSHAKE_ATTACH_BYTES);
    fn_hello_frame_begin(&writer);
    if (attach != NULL)
        fn_attach_encode(&writer, attach);
    fn_hello_frame_end(&writer, type);
    handshake->out_bytes = (uint32_t)fn_writer_bytes(&writer);
    handshake->out_sent_bytes = 0;
}

/* --- client --- */

bool fn_handshake_write_attach(fn_handshake *handshake, const uint8_t attach_key[FN_SECRETS_BYTES])
{
    uint8_t exporter[FN_SECRETS_BYTES];
    if (!export_here(handshake, exporter))
        return false;
    fn_attach_message attach = {.receiver_id = handshake->attach_id};
    fn_secrets_attach_proof(attach_key, exporter, attach.proof);
    fn_bytes_wipe(exporter, sizeof exporter);
    write_frame(handshake, FN_HELLO_TYPE_ATTACH, &attach);
    handshake->in_bytes = 0;
    handshake->state = FN_HANDSHAKE_ATTACHING;
    return true;
}

int fn_handshake_attach(fn_handshake *handshake, uint64_t deadline_ns, uint32_t attach_id,
                        const uint8_t attach_key[FN_SECRETS_BYTES])
{
    if (handshake->is_server || handshake->state != FN_HANDSHAKE_ESTABLISHED ||
        handshake->peer_done || handshake->frames != NULL)
        return FASTNET_ERR_STATE;
    handshake->attach_id = attach_id;
    if (!fn_handshake_write_attach(handshake, attach_key))
        return FASTNET_ERR_STATE;
    handshake->deadline_ns = deadline_ns;
    fn_handshake_push_out(handshake);
    return FASTNET_OK;
}

void fn_handshake_handle_attach_answer(fn_handshake *handshake, uint64_t now_ns)
{
    if (fn_handshake_in_frame(handshake)[0] == FN_HELLO_TYPE_ATTACHED) {
        handshake->state = FN_HANDSHAKE_STREAM;
        handshake->deadline_ns = FN_NEVER;
        return;
    }
    fn_failure_set(&handshake->failure, FASTNET_ERR_GONE,
                   "the server does not know this session any more");
    fn_handshake_fail(handshake, now_ns);
}

/* --- server --- */

void fn_handshake_handle_attach(fn_handshake *handshake)
{
    fn_attach_message attach;
    fn_attach_decode(fn_handshake_in_body(handshake), &attach);
    handshake->attach_id = attach.receiver_id;
    memcpy(handshake->attach_secret, attach.proof, FN_SECRETS_BYTES);
    handshake->state = FN_HANDSHAKE_ATTACHING;
}

bool fn_handshake_attach_verify(fn_handshake *handshake, const uint8_t *attach_key)
{
    static const uint8_t nobody[FN_SECRETS_BYTES];
    uint8_t exporter[FN_SECRETS_BYTES];
    assert(handshake->is_server && handshake->state == FN_HANDSHAKE_ATTACHING);
    bool exported = export_here(handshake, exporter);
    bool proven = exported && fn_secrets_attach_verify(attach_key != NULL ? attach_key : nobody,
                                                       exporter, handshake->attach_secret);
    fn_bytes_wipe(exporter, sizeof exporter);
    return proven && attach_key != NULL;
}

void fn_handshake_attach_answer(fn_handshake *handshake, uint64_t now_ns, bool attached)
{
    assert(handshake->is_server && handshake->state == FN_HANDSHAKE_ATTACHING);
    write_frame(handshake, attached ? FN_HELLO_TYPE_ATTACHED : FN_HELLO_TYPE_GONE, NULL);
    if (attached) {
        handshake->state = FN_HANDSHAKE_STREAM;
        handshake->deadline_ns = FN_NEVER;
    } else {
        fn_handshake_end_answered(handshake, now_ns);
    }
    fn_handshake_push_out(handshake);
}

/* --- both --- */

size_t fn_handshake_stream_read(fn_handshake *handshake, uint64_t now_ns, uint8_t *out,
                                size_t capacity)
{
    size_t bytes = 0;
    if (handshake->state != FN_HANDSHAKE_STREAM)
        return 0;
    int code = fn_tls_read(handshake->tls, out, capacity, &bytes);
    if (code != FASTNET_OK)
        fn_handshake_lose_transport(handshake, now_ns, code);
    return bytes;
}

size_t fn_handshake_stream_write(fn_handshake *handshake, uint64_t now_ns, const uint8_t *bytes,
                                 size_t bytes_count)
{
    size_t written = 0;
    fn_handshake_push_out(handshake);
    if (handshake->state != FN_HANDSHAKE_STREAM || handshake->out_sent_bytes < handshake->out_bytes)
        return 0;
    int code = fn_tls_write(handshake->tls, bytes, bytes_count, &written);
    if (code != FASTNET_OK)
        fn_handshake_lose_transport(handshake, now_ns, code);
    return written;
}
