#include "api/refusal.h"

#include "api/endpoint.h"

/* Looking at an endpoint does not change it; that looking failed is kept all the same. */
static fn_diagnostics *report_of(const FastNetEndpoint *endpoint)
{
    return &((FastNetEndpoint *)(uintptr_t)endpoint)->host.diagnostics;
}

FastNetResult fn_refuse(const FastNetEndpoint *endpoint, int code, const char *sentence)
{
    if (endpoint != NULL)
        report_of(endpoint)->sentence = sentence != NULL ? sentence : fastnet_result_text(code);
    return (FastNetResult)code;
}

FastNetResult fn_refuse_limit(const FastNetEndpoint *endpoint, int code, const char *what,
                              uint64_t value, const char *limit_name, uint64_t limit)
{
    if (endpoint == NULL)
        return (FastNetResult)code;
    fn_diagnostics *report = report_of(endpoint);
    fn_text text = fn_text_make(report->last_error, sizeof report->last_error);
    fn_text_add(&text, what);
    fn_text_add_char(&text, ' ');
    fn_text_add_u64(&text, value);
    fn_text_add(&text, "; ");
    fn_text_add(&text, limit_name);
    fn_text_add(&text, " is ");
    fn_text_add_u64(&text, limit);
    report->sentence = report->last_error;
    return (FastNetResult)code;
}

bool fn_is_copy(const FastNetEndpoint *endpoint)
{
    return endpoint != NULL && fn_platform_is_copy(&endpoint->host.platform);
}

FastNetResult fn_refuse_copy(const FastNetEndpoint *endpoint)
{
    return fn_refuse(
        endpoint, FASTNET_ERR_STATE,
        "this process is a fork of the endpoint's: the endpoint stays with the parent, "
        "create another one here");
}

fn_peer *fn_find_peer(const FastNetEndpoint *endpoint, FastNetPeerId id)
{
    return endpoint != NULL && !fn_is_copy(endpoint) ? fn_peer_find(&endpoint->host, id) : NULL;
}

FastNetResult fn_refuse_peer(const FastNetEndpoint *endpoint)
{
    if (fn_is_copy(endpoint))
        return fn_refuse_copy(endpoint);
    return fn_refuse(endpoint, FASTNET_ERR_PEER,
                     "the id names no peer of this endpoint: it left, or is being said goodbye to");
}
