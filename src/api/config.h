/*
 * config.h: what the application asked for, checked and copied, so that nothing of it is borrowed
 * after create.
 *
 * Versions: struct_size says how much of the struct the application knows. What it does not know
 * has its default; what it knows and we do not must be zero.
 */
#ifndef FN_API_CONFIG_H
#define FN_API_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/failure.h"
#include "fastnet.h"
#include "host/settings.h"

/* A public struct never grows so large: a size above it was never set. */
enum { FN_CONFIG_STRUCT_BYTES_MAX = 4096 };

/* Checks every field and fills out. ERR_ARGUMENT: the sentence names the field and its range. */
int fn_config_read(const FastNetConfig *given, fn_config *out, fn_failure *failure);

/* The same for one connect's options: out has every field, those that the application does not know
 * zero. given may be NULL. */
int fn_config_read_options(const FastNetConnectOptions *given, FastNetConnectOptions *out,
                           fn_failure *failure);

/* Copies a struct of the application's size over one of ours that holds the defaults. */
int fn_config_read_sized(const void *given, uint32_t given_bytes, void *ours, uint32_t our_bytes,
                         uint32_t first_version_bytes, const char *what, fn_failure *failure);

#endif
