/* Small files: certificates, keys, settings. Blocks on the disk; not for the hot path. */
#ifndef FN_IO_FILE_H
#define FN_IO_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/error.h"

/*
 * Reads the whole file into the caller's buffer. FASTNET_ERR_NOT_FOUND: missing;
 * FASTNET_ERR_LIMIT: larger than capacity; FASTNET_ERR_SYSTEM: unreadable, or a
 * directory. The sentence names the path.
 */
int fn_file_read(const char *path, void *data, size_t capacity, size_t *length, fn_io_error *error);

/*
 * Replaces or creates the file in one step: readers see the old content or the new, never a part.
 * secret = readable by the owner alone (0600), otherwise 0644. FASTNET_ERR_SYSTEM on failure.
 */
int fn_file_write(const char *path, const void *data, size_t length, bool secret,
                  fn_io_error *error);

typedef struct fn_file_part {
    const char *path;
    const void *data;
    size_t length;
    bool secret;
} fn_file_part;

enum { FN_FILE_PARTS_MAX = 4 };

/*
 * Replaces or creates files that belong together: all of them, or none. Everything is written
 * beside them before the first is replaced, and when one cannot be (its name is a mount, a
 * directory), those that were get their old file back. count is at most FN_FILE_PARTS_MAX.
 * FASTNET_ERR_SYSTEM on failure; the sentence names the file.
 */
int fn_files_write(const fn_file_part *parts, size_t count, fn_io_error *error);

/* Whether anything has this name. */
bool fn_file_exists(const char *path);

/* Makes the directory and what is missing above it. An existing one is fine. */
int fn_directory_make(const char *path, fn_io_error *error);

#endif
