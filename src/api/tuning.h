/*
 * tuning.h: between FastNetSocketConfig and the settings of platform/udp.h.
 */
#ifndef FN_API_TUNING_H
#define FN_API_TUNING_H

#include "crypto/failure.h"
#include "fastnet/tuning.h"
#include "platform/udp.h"

/* Checks and copies what the application asked for; NULL = the defaults. ERR_ARGUMENT. */
int fn_tuning_read(const FastNetSocketConfig *given, fn_udp_settings *out, fn_failure *failure);

/* Logs what the system did not grant: one line, or none. */
void fn_tuning_report(const FastNetEndpoint *endpoint, const fn_udp_settings *granted);

#endif
