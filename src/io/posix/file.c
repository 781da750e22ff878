#include "io/file.h"

#include <assert.h>
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

static int fn_write_failed(const char *path, int os_error, fn_io_error *error)
{
    return fn_io_fail(error, FASTNET_ERR_SYSTEM, os_error, "cannot write %s: %s",
                      fn_path_tail(path), fn_errno_text(os_error));
}

/* What a file becomes, and what it was, until all of its company is in place. */
typedef struct fn_staged {
    char temporary[FN_PATH_BYTES]; /* "" = none */
    char backup[FN_PATH_BYTES];    /* "" = there was no file */
    bool replaced;
} fn_staged;

static bool fn_name_beside(char out[FN_PATH_BYTES], const char *path, const char *suffix)
{
    int needed = snprintf(out, FN_PATH_BYTES, "%s%s", path, suffix);
    return needed >= 0 && needed < FN_PATH_BYTES;
}

/* Fills the temporary file, which mkstemp makes readable by us alone. 0, or errno. */
static int fn_stage(fn_staged *staged, const fn_file_part *part)
{
    staged->backup[0] = '\0';
    staged->replaced = false;
    if (!fn_name_beside(staged->temporary, part->path, ".XXXXXX")) {
        staged->temporary[0] = '\0';
        return ENAMETOOLONG;
    }
    int descriptor = mkstemp(staged->temporary);
    if (descriptor < 0) {
        staged->temporary[0] = '\0';
        return errno;
    }
    bool written = fn_write_all(descriptor, part->data, part->length) &&
                   (part->secret || fchmod(descriptor, 0644) == 0) && fsync(descriptor) == 0;
    int saved = written ? 0 : errno;
    return close(descriptor) == 0 ? saved : errno;
}

static bool fn_is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* A second name for the file that is there now; where a file system has no such thing, its only
 * name for a moment. A directory is not kept: nothing will replace it. 0, or errno. */
static int fn_keep(fn_staged *staged, const char *path)
{
    int os_error = ENOENT;
    if (!fn_name_beside(staged->backup, staged->temporary, ".old"))
        return ENAMETOOLONG;
    if (!fn_is_directory(path))
        os_error = link(path, staged->backup) == 0 ? 0 : errno;
    if (os_error == EPERM || os_error == EOPNOTSUPP || os_error == ENOSYS || os_error == EMLINK)
        os_error = rename(path, staged->backup) == 0 ? 0 : errno;
    if (os_error != 0)
        staged->backup[0] = '\0';
    if (os_error == EXDEV) /* a mount of this one file: it cannot be replaced either */
        return EBUSY;
    return os_error == ENOENT ? 0 : os_error;
}

static int fn_put_in_place(fn_staged *staged, const char *path)
{
    staged->replaced = rename(staged->temporary, path) == 0;
    return staged->replaced ? 0 : errno;
}

static void fn_put_back(fn_staged *staged, const char *path)
{
    if (staged->backup[0] == '\0' && staged->replaced)
        (void)unlink(path);
    /* Two names of one file, when it was not replaced: then rename succeeds and does nothing. */
    if (staged->backup[0] != '\0' && rename(staged->backup, path) == 0)
        (void)unlink(staged->backup);
    if (staged->temporary[0] != '\0' && !staged->replaced)
        (void)unlink(staged->temporary);
}

int fn_files_write(const fn_file_part *parts, size_t count, fn_io_error *error)
{
    fn_staged staged[FN_FILE_PARTS_MAX];
    size_t begun = 0;
    size_t failed = 0;
    int os_error = 0;
    assert(count <= FN_FILE_PARTS_MAX);
    for (; begun < count && os_error == 0; begun++)
        os_error = fn_stage(&staged[failed = begun], &parts[begun]);
    /* One file needs no way back: its rename happens or does not. */
    for (size_t i = 0; i < count && os_error == 0 && count > 1; i++)
        os_error = fn_keep(&staged[failed = i], parts[i].path);
    for (size_t i = 0; i < count && os_error == 0; i++)
        os_error = fn_put_in_place(&staged[failed = i], parts[i].path);
    for (size_t i = 0; i < begun; i++) {
        if (os_error != 0)
            fn_put_back(&staged[i], parts[i].path);
        else if (staged[i].backup[0] != '\0')
            (void)unlink(staged[i].backup);
    }
    return os_error == 0 ? FASTNET_OK : fn_write_failed(parts[failed].path, os_error, error);
}

int fn_file_write(const char *path, const void *data, size_t length, bool secret,
                  fn_io_error *error)
{
    const fn_file_part part = {path, data, length, secret};
    return fn_files_write(&part, 1, error);
}

bool fn_file_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

/* --- directories ---------------------------------------------------------------------------- */

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
