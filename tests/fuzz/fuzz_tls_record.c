/* The first bytes of a TCP connection. A verdict may not depend on how the bytes arrived: once it
 * is not MORE it stays, and garbage has a sentence. */
#include "fuzz.h"

#include "crypto/tls_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    size_t most = bytes < FN_TLS_HELLO_BYTES_MAX ? bytes : FN_TLS_HELLO_BYTES_MAX;
    fn_tls_record_verdict decided = FN_TLS_RECORD_MORE;
    /* Every prefix of a short input, some of a long one. */
    size_t step = 1 + most / 512;
    for (size_t count = 0; count <= most; count += step) {
        fn_tls_record_verdict verdict = fn_tls_record_complete(data, count);
        FUZZ_CHECK(decided == FN_TLS_RECORD_MORE || verdict == decided);
        decided = verdict;
        if (verdict == FN_TLS_RECORD_GARBAGE)
            FUZZ_CHECK(fn_tls_record_complaint(data, count) != NULL);
    }
    if (most == FN_TLS_HELLO_BYTES_MAX)
        FUZZ_CHECK(fn_tls_record_complete(data, most) != FN_TLS_RECORD_MORE);
    return 0;
}
