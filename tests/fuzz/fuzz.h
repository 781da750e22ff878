/*
 * fuzz.h: what all fuzz targets share. Each target is one file fuzz_<name>.c with
 * LLVMFuzzerTestOneInput(); clang's libFuzzer drives it, or replay.c, which runs files of a corpus
 * with any compiler.
 */
#ifndef FN_FUZZ_FUZZ_H
#define FN_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A promise that no input may break. */
#define FUZZ_CHECK(promise)                                                       \
    do {                                                                          \
        if (!(promise)) {                                                         \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise); \
            abort();                                                              \
        }                                                                         \
    } while (0)

#endif
