#include "io/entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#ifdef __APPLE__
#include <sys/random.h>
#endif

#include "io/posix/fail.h"

/* What getentropy gives in one call. */
#define FN_ENTROPY_CHUNK 256

static bool fn_entropy_from_call(uint8_t *data, size_t length)
{
    while (length > 0) {
        size_t chunk = length < FN_ENTROPY_CHUNK ? length : FN_ENTROPY_CHUNK;
        if (getentropy(data, chunk) != 0)
            return false;
        data += chunk;
        length -= chunk;
    }
    return true;
}

static bool fn_entropy_from_device(uint8_t *data, size_t length)
{
    int descriptor = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    while (length > 0) {
        ssize_t bytes = read(descriptor, data, length);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes <= 0)
            break;
        data += bytes;
        length -= (size_t)bytes;
    }
    (void)close(descriptor);
    return length == 0;
}

int fn_entropy_fill(void *data, size_t length, fn_io_error *error)
{
    if (fn_entropy_from_call(data, length) || fn_entropy_from_device(data, length))
        return FASTNET_OK;
    return fn_io_fail(error, FASTNET_ERR_SYSTEM, errno, "the system has no random numbers to give");
}
