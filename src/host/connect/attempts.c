#include "host/connect/attempts.h"

#include "base/result.h"
#include "host/diagnostics.h"
#include "platform/readiness.h"

#include <string.h>

bool fn_attempts_any_open(const fn_attempts *attempts)
{
    for (size_t i = 0; i < FN_RESOLVE_ADDRESSES_MAX; i++) {
        if (attempts->all[i].open)
            return true;
    }
    return false;
}

static void close_one(fn_attempt *attempt, const fn_platform *platform)
{
    if (!attempt->open)
        return;
    fn_platform_tcp_unwatch(platform, &attempt->tcp);
    fn_platform_tcp_abort(platform, &attempt->tcp);
    attempt->open = false;
}

void fn_attempts_close(fn_attempts *attempts, const fn_platform *platform)
{
    for (size_t i = 0; i < FN_RESOLVE_ADDRESSES_MAX; i++)
        close_one(&attempts->all[i], platform);
}

void fn_attempts_fail(fn_attempts *attempts, const fn_platform *platform, size_t index,
                      const fn_io_error *error)
{
    close_one(&attempts->all[index], platform);
    attempts->last_code = error->code;
    fn_diagnostics_copy(attempts->last_failure, sizeof attempts->last_failure, error->text);
}

void fn_attempts_start(fn_attempts *attempts, const fn_platform *platform, const fn_address *from,
                       uint64_t token)
{
    fn_io_error error;
    size_t index = attempts->next++;
    fn_attempt *attempt = &attempts->all[index];
    int code = fn_platform_tcp_connect(platform, &attempt->tcp,
                                       &attempts->addresses.addresses[index], from, &error);
    if (code == FASTNET_OK) {
        attempt->open = true;
        code = fn_platform_tcp_watch(platform, &attempt->tcp, token, FN_POLL_WRITE, &error);
    }
    if (code != FASTNET_OK)
        fn_attempts_fail(attempts, platform, index, &error);
}

fn_tcp fn_attempts_win(fn_attempts *attempts, const fn_platform *platform, size_t index)
{
    fn_tcp tcp = attempts->all[index].tcp;
    fn_platform_tcp_unwatch(platform, &tcp);
    attempts->all[index].open = false;
    fn_attempts_close(attempts, platform);
    return tcp;
}

void fn_attempts_restart(fn_attempts *attempts)
{
    fn_address *addresses = attempts->addresses.addresses;
    fn_address first = addresses[0];
    size_t others = attempts->addresses.count - 1;
    memmove(addresses, addresses + 1, others * sizeof *addresses);
    addresses[others] = first;
    attempts->next = 0;
}
