/*
 * Result codes inside the library are the public ones, from the one table in the public header:
 * 0 is success, negatives are fixed for ever. fastnet_result_name() and fastnet_result_text() are
 * defined in this layer.
 */
#ifndef FN_BASE_RESULT_H
#define FN_BASE_RESULT_H

#include "fastnet.h"

#endif
