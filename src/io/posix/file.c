#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "io/posix/fail.h"

#define FN_PATH_BYTES 4096

/* --- reading -------------------------------------------------------------------------------- */

static int fn_read_failed(const char *path, int os_error, fn_io_error *error)
{
    bool missing = os_error == ENOENT || os_error == ENOTDIR;
    return fn_io_fail(error, missing ? FASTNET_ERR_NOT_FOUND : FASTNET_ERR_SYSTEM, os_error,
                      "cannot read %s: %s", fn_path_tail(path), fn_errno_text(os_error));
}

/* Up to capacity bytes, or -1 with errno. */
static ssize_t fn_read_all(int descriptor, uint8_t *data, size_t capacity)
{
    size_t total = 0;
    while (total < capacity) {
        ssize_t bytes = read(descriptor, data + total, capacity - total);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0)
            return -1;
        if (bytes == 0)
            break;
        total += (size_t)bytes;
    }
    return (ssize_t)total;
}

static int fn_read_open_file(int descriptor, const char *path, void *data, size_t capacity,
                             size_t *length, fn_io_error *error)
{
    uint8_t beyond;
    ssize_t bytes = fn_read_all(descriptor, data, capacity);
    ssize_t more = bytes == (ssize_t)capacity ? fn_read_all(descriptor, &beyond, 1) : 0;
    if (bytes < 0 || more < 0)
        return fn_read_failed(path, errno, error);
    if (more > 0)
        return fn_io_fail(error, FASTNET_ERR_LIMIT, 0, "%s is larger than %zu bytes",
                          fn_path_tail(path), capacity);
    *length = (size_t)bytes;
    return FASTNET_OK;
}

int fn_file_read(const char *path, void *data, size_t capacity, size_t *length, fn_io_error *error)
{
    *length = 0;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return fn_read_failed(path, errno, error);
    int result = fn_read_open_file(descriptor, path, data, capacity, length, error);
    (void)close(descriptor);
    return result;
}

/* --- writing -------------------------------------------------------------------------------- */

static bool fn_write_all(int descriptor, const uint8_t *data, size_t length)
{
    while (length > 0) {
        ssize_t bytes = write(descriptor, data, length);
        if (bytes < 0 && errno == EINTR)
            continue;
        if (bytes < 0)
            return false;
        data += bytes;
        length -= (size_t)bytes;
    }
    return true;
}

/* Fills the temporary file, which mkstemp made readable by us alone, and gives it its name. */
static bool fn_write_and_rename(int descriptor, const char *temporary, const char *path,
                                const void *data, size_t length, bool secret)
{
    bool written = fn_write_all(descriptor, data, length) &&
                   (secret || fchmod(descriptor, 0644) == 0) && fsync(descriptor) == 0;
    int saved = errno;
    bool closed = close(descriptor) == 0;
    if (!written)
        errno = saved;
    return written && closed && rename(temporary, path) == 0;
}

static int fn_write_failed(const char *path, int os_error, fn_io_error *error)
{
    return fn_io_fail(error, FASTNET_ERR_SYSTEM, os_error, "cannot write %s: %s",
                      fn_path_tail(path), fn_errno_text(os_error));
}

int fn_file_write(const char *path, const void *data, size_t length, bool secret,
                  fn_io_error *error)
{
    char temporary[FN_PATH_BYTES];
    int needed = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (needed < 0 || (size_t)needed >= sizeof temporary)
        return fn_write_failed(path, ENAMETOOLONG, error);
    int descriptor = mkstemp(temporary);
    if (descriptor < 0)
        return fn_write_failed(path, errno, error);
    if (fn_write_and_rename(descriptor, temporary, path, data, length, secret))
        return FASTNET_OK;
    int os_error = errno;
    (void)unlink(temporary);
    return fn_write_failed(path, os_error, error);
}

/* --- directories ---------------------------------------------------------------------------- */

static bool fn_is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* One level; what exists already is judged at the end. */
static int fn_make_level(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : errno;
}

int fn_directory_make(const char *path, fn_io_error *error)
{
    char partial[FN_PATH_BYTES];
    size_t length = strlen(path);
    int os_error = length == 0 ? ENOENT : length >= sizeof partial ? ENAMETOOLONG : 0;
    if (os_error == 0 && !fn_is_directory(path)) {
        memcpy(partial, path, length + 1);
        for (char *at = strchr(partial + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
            *at = '\0';
            (void)fn_make_level(partial); /* a read-only parent may well exist */
            *at = '/';
        }
        os_error = fn_make_level(partial);
        if (os_error == 0 && !fn_is_directory(path))
            os_error = ENOTDIR;
    }
    if (os_error == 0)
        return FASTNET_OK;
    return fn_io_fail(error, FASTNET_ERR_SYSTEM, os_error, "cannot make the directory %s: %s",
                      fn_path_tail(path), fn_errno_text(os_error));
}
