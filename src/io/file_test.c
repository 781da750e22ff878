#include "io/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/stat.h>

#include "io/test_support.h"

#define PATH_BYTES 512

static char folder[] = "/tmp/fastnet-file-test-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void assert_content(const char *path, const char *expected)
{
    char data[64];
    size_t length;
    assert_int_equal(fn_file_read(path, data, sizeof data, &length, NULL), FASTNET_OK);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(data, expected, length);
}

static void write_text(const char *path, const char *text, bool secret)
{
    fn_io_error error = {0};
    if (fn_file_write(path, text, strlen(text), secret, &error) != FASTNET_OK)
        fail_msg("%s", error.text);
}

static unsigned mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 0777;
}

static void content_comes_back(void **state)
{
    const char *path = in_folder("text");
    (void)state;
    write_text(path, "", false);
    assert_content(path, "");
    write_text(path, "first", false);
    assert_content(path, "first");
    write_text(path, "the second", false);
    assert_content(path, "the second");
}

static void secrets_are_for_the_owner_alone(void **state)
{
    const char *path = in_folder("key");
    (void)state;
    write_text(path, "public", false);
    assert_int_equal(mode_of(path), 0644);
    write_text(path, "secret", true);
    assert_int_equal(mode_of(path), 0600);
}

static void size_is_bounded_exactly(void **state)
{
    const char *path = in_folder("sized");
    char data[6];
    size_t length;
    fn_io_error error;
    (void)state;
    write_text(path, "12345", false);
    assert_int_equal(fn_file_read(path, data, 5, &length, NULL), FASTNET_OK);
    assert_int_equal(length, 5);
    assert_int_equal(fn_file_read(path, data, 4, &length, &error), FASTNET_ERR_LIMIT);
    assert_int_equal(length, 0);
    test_assert_contains(error.text, "sized is larger than 4 bytes");
}

static void failures_name_the_path(void **state)
{
    char data[4];
    size_t length;
    fn_io_error error;
    (void)state;
    assert_int_equal(fn_file_read(in_folder("absent"), data, 4, &length, &error),
                     FASTNET_ERR_NOT_FOUND);
    test_assert_contains(error.text, "/absent: no such file or directory (ENOENT)");
    assert_int_equal(fn_file_read(folder, data, 4, &length, &error), FASTNET_ERR_SYSTEM);
    test_assert_contains(error.text, "is a directory (EISDIR)");
    assert_int_equal(fn_file_write(in_folder("absent/x"), "x", 1, false, &error),
                     FASTNET_ERR_SYSTEM);
    test_assert_contains(error.text, "cannot write ");
    test_assert_contains(error.text, "/absent/x: no such file or directory (ENOENT)");
}

static void unreadable_differs_from_missing(void **state)
{
    const char *path = in_folder("closed");
    char data[4];
    size_t length;
    fn_io_error error;
    (void)state;
    write_text(path, "x", true);
    assert_int_equal(chmod(path, 0), 0);
    uid_t user = geteuid();
    if (user == 0) /* root may read everything */
        assert_int_equal(seteuid(65534), 0);
    int result = fn_file_read(path, data, 4, &length, &error);
    assert_int_equal(seteuid(user), 0);
    assert_int_equal(result, FASTNET_ERR_SYSTEM);
    test_assert_contains(error.text, "closed: not permitted (EACCES)");
}

static void long_paths_keep_their_end(void **state)
{
    char path[PATH_BYTES], data[4];
    size_t length;
    fn_io_error error;
    (void)state;
    memset(path, 'd', 300);
    strcpy(path + 300, "/key.pem");
    path[0] = path[100] = path[200] = '/';
    assert_int_equal(fn_file_read(path, data, 4, &length, &error), FASTNET_ERR_NOT_FOUND);
    test_assert_contains(error.text, "ddd/key.pem: no such file or directory (ENOENT)");
}

static void directories_are_made_with_their_parents(void **state)
{
    fn_io_error error;
    (void)state;
    assert_int_equal(fn_directory_make(in_folder("a/b/c"), NULL), FASTNET_OK);
    assert_int_equal(fn_directory_make(in_folder("a/b/c"), NULL), FASTNET_OK);
    assert_int_equal(fn_directory_make(in_folder("a/b/d/"), NULL), FASTNET_OK);
    write_text(in_folder("a/b/c/file"), "x", false);
    assert_int_equal(fn_directory_make(in_folder("a/b/c/file"), &error), FASTNET_ERR_SYSTEM);
    test_assert_contains(error.text, "a/b/c/file: not a directory (ENOTDIR)");
    assert_int_equal(fn_directory_make(in_folder("a/b/c/file/e"), NULL), FASTNET_ERR_SYSTEM);
    assert_int_equal(fn_directory_make("", NULL), FASTNET_ERR_SYSTEM);
}

static void nothing_temporary_remains(void **state)
{
    size_t entries = 0;
    DIR *directory;
    (void)state;
    assert_int_equal(fn_directory_make(in_folder("clean/taken"), NULL), FASTNET_OK);
    write_text(in_folder("clean/file"), "x", false);
    assert_int_equal(fn_file_write(in_folder("clean/taken"), "x", 1, false, NULL),
                     FASTNET_ERR_SYSTEM); /* a file cannot replace a directory */
    directory = opendir(in_folder("clean"));
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        entries++;
    closedir(directory);
    assert_int_equal(entries, 4); /* . .. file taken */
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

/* --- files that belong together --- */

static unsigned names_in_folder(const char *name)
{
    unsigned count = 0;
    DIR *listing = opendir(in_folder(name));
    assert_non_null(listing);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}

typedef struct pair {
    char key[PATH_BYTES];
    char cert[PATH_BYTES];
    fn_file_part parts[2];
} pair;

static void pair_make(pair *made, const char *name, const char *key_text, const char *cert_text)
{
    snprintf(made->key, sizeof made->key, "%s/%s/key", folder, name);
    snprintf(made->cert, sizeof made->cert, "%s/%s/cert", folder, name);
    made->parts[0] = (fn_file_part){made->key, key_text, strlen(key_text), true};
    made->parts[1] = (fn_file_part){made->cert, cert_text, strlen(cert_text), false};
}

static void files_that_belong_together_are_replaced_together(void **state)
{
    (void)state;
    pair it;
    pair_make(&it, "together", "one", "uno");
    assert_int_equal(fn_directory_make(in_folder("together"), NULL), FASTNET_OK);
    assert_int_equal(fn_files_write(it.parts, 2, NULL), FASTNET_OK);
    assert_content(it.key, "one");
    pair_make(&it, "together", "second", "secondo");
    assert_int_equal(fn_files_write(it.parts, 2, NULL), FASTNET_OK);
    assert_content(it.key, "second");
    assert_content(it.cert, "secondo");
    assert_int_equal(mode_of(it.key), 0600);
    assert_int_equal(names_in_folder("together"), 2);
}

/* The second cannot be replaced: its name is a directory with something in it. */
static void a_failed_write_leaves_the_old_files(void **state)
{
    (void)state;
    pair it;
    fn_io_error error;
    pair_make(&it, "failing", "new", "new");
    assert_int_equal(fn_directory_make(in_folder("failing/cert/in/the/way"), NULL), FASTNET_OK);
    write_text(it.key, "old", true);
    assert_int_equal(chmod(it.key, 0640), 0);
    assert_int_equal(fn_files_write(it.parts, 2, &error), FASTNET_ERR_SYSTEM);
    assert_non_null(strstr(error.text, "failing/cert"));
    assert_content(it.key, "old");
    assert_int_equal(mode_of(it.key), 0640);
    assert_int_equal(names_in_folder("failing"), 2);
    /* And where there was no old one, there is none. */
    assert_int_equal(unlink(it.key), 0);
    assert_int_equal(fn_files_write(it.parts, 2, &error), FASTNET_ERR_SYSTEM);
    assert_false(fn_file_exists(it.key));
    assert_int_equal(names_in_folder("failing"), 1);
}

/* Nothing is replaced before everything is written. */
static void a_file_that_cannot_be_staged_touches_no_other(void **state)
{
    (void)state;
    pair it;
    pair_make(&it, "staging", "new", "new");
    assert_int_equal(fn_directory_make(in_folder("staging"), NULL), FASTNET_OK);
    write_text(it.key, "old", true);
    write_text(it.cert, "old", false);
    it.parts[1].path = "/proc/no-such-place/cert";
    assert_int_equal(fn_files_write(it.parts, 2, NULL), FASTNET_ERR_SYSTEM);
    assert_content(it.key, "old");
    assert_content(it.cert, "old");
    assert_int_equal(names_in_folder("staging"), 2);
}

static int remove_folder(void **state)
{
    char command[PATH_BYTES];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_comes_back),
        cmocka_unit_test(secrets_are_for_the_owner_alone),
        cmocka_unit_test(size_is_bounded_exactly),
        cmocka_unit_test(failures_name_the_path),
        cmocka_unit_test(unreadable_differs_from_missing),
        cmocka_unit_test(long_paths_keep_their_end),
        cmocka_unit_test(directories_are_made_with_their_parents),
        cmocka_unit_test(files_that_belong_together_are_replaced_together),
        cmocka_unit_test(a_failed_write_leaves_the_old_files),
        cmocka_unit_test(a_file_that_cannot_be_staged_touches_no_other),
        cmocka_unit_test(nothing_temporary_remains),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
