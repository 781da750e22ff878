#include "fastnet/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/certificate.h"
#include "io/file.h"

typedef struct fixture {
    char root[64];
    char directory[96];
    FastNetCertificateOptions options;
} fixture;

static const char *const one_name[] = {"localhost"};

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    strcpy(f->root, "/tmp/fn-certificate-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    snprintf(f->directory, sizeof f->directory, "%s/new/certs", f->root);
    fastnet_certificate_options_init(&f->options);
    f->options.directory = f->directory;
    f->options.names = one_name;
    f->options.name_count = 1;
    *state = f;
    return 0;
}

static const char *path_in(const fixture *f, const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", f->directory, name);
    return path;
}

static int teardown(void **state)
{
    static const char *const files[] = {"ca.pem", "ca-key.pem", "cert.pem", "key.pem"};
    fixture *f = *state;
    char parent[96];
    for (size_t i = 0; i < 4; i++) {
        unlink(path_in(f, files[i]));
    }
    snprintf(parent, sizeof parent, "%s/new", f->root);
    rmdir(f->directory);
    rmdir(parent);
    rmdir(f->root);
    free(f);
    return 0;
}

static fn_certificate_info read_info(const fixture *f, const char *name)
{
    static char pem[2 * FN_CERTIFICATE_PEM_BYTES_MAX];
    size_t length = 0;
    fn_certificate_info info;
    assert_int_equal(fn_file_read(path_in(f, name), pem, sizeof pem, &length, NULL), FASTNET_OK);
    assert_int_equal(fn_certificate_read(pem, length, &info, NULL), FASTNET_OK);
    return info;
}

static void writes_four_files_and_keeps_keys_private(void **state)
{
    static const struct {
        const char *name;
        mode_t mode;
    } rows[] = {{"ca.pem", 0644}, {"ca-key.pem", 0600}, {"cert.pem", 0644}, {"key.pem", 0600}};
    const fixture *f = *state;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    for (size_t i = 0; i < 4; i++) {
        struct stat info;
        assert_int_equal(stat(path_in(f, rows[i].name), &info), 0);
        assert_int_equal(info.st_mode & 0777, rows[i].mode);
        assert_true(info.st_size > 0);
    }
}

static void certificate_carries_every_name(void **state)
{
    static const char *const names[] = {"game.example", "192.0.2.7", "2001:db8::7"};
    fixture *f = *state;
    f->options.names = names;
    f->options.name_count = 3;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    fn_certificate_info info = read_info(f, "cert.pem");
    assert_true(info.names_in_san);
    assert_non_null(strstr(info.names, "game.example"));
    assert_non_null(strstr(info.names, "192.0.2.7"));
    assert_non_null(strstr(info.names, "2001:db8::7"));
    assert_string_equal(info.issuer, read_info(f, "ca.pem").subject);
}

static void authority_is_used_again(void **state)
{
    fixture *f = *state;
    f->options.existing = FASTNET_CERTIFICATE_RENEW;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    fn_certificate_info ca = read_info(f, "ca.pem");
    fn_certificate_info leaf = read_info(f, "cert.pem");
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    assert_memory_equal(read_info(f, "ca.pem").pin, ca.pin, sizeof ca.pin);
    assert_memory_not_equal(read_info(f, "cert.pem").pin, leaf.pin, sizeof leaf.pin);
}

static void days_are_kept(void **state)
{
    fixture *f = *state;
    f->options.days = 10;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    fn_certificate_info info = read_info(f, "cert.pem");
    int64_t seconds = info.not_after_unix_s - info.not_before_unix_s;
    assert_int_equal(seconds, 10 * 86400 + 3600);
}

static void missing_authority_key_is_an_error(void **state)
{
    fixture *f = *state;
    f->options.existing = FASTNET_CERTIFICATE_RENEW;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    unlink(path_in(f, "ca-key.pem"));
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_CERTIFICATE);
    assert_non_null(strstr(fastnet_connect_error_text(), "ca-key.pem"));
}

static void malformed_authority_is_an_error(void **state)
{
    fixture *f = *state;
    f->options.existing = FASTNET_CERTIFICATE_RENEW;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    assert_int_equal(fn_file_write(path_in(f, "ca.pem"), "junk", 4, false, NULL), FASTNET_OK);
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_CERTIFICATE);
    assert_non_null(strstr(fastnet_connect_error_text(), "ca.pem"));
}

typedef struct pair_text {
    char key[FN_CERTIFICATE_KEY_PEM_BYTES_MAX];
    char cert[2 * FN_CERTIFICATE_PEM_BYTES_MAX];
    size_t key_bytes;
    size_t cert_bytes;
} pair_text;

static void read_pair(const fixture *f, pair_text *out)
{
    memset(out, 0, sizeof *out);
    fn_file_read(path_in(f, "key.pem"), out->key, sizeof out->key, &out->key_bytes, NULL);
    fn_file_read(path_in(f, "cert.pem"), out->cert, sizeof out->cert, &out->cert_bytes, NULL);
}

static void a_pair_that_is_there_is_not_replaced_unasked(void **state)
{
    static pair_text before, after;
    const fixture *f = *state;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    read_pair(f, &before);
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_STATE);
    assert_non_null(strstr(fastnet_connect_error_text(), "key.pem: is there already"));
    read_pair(f, &after);
    assert_memory_equal(&before, &after, sizeof before);
    /* Each of the two by itself is enough. */
    unlink(path_in(f, "key.pem"));
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_STATE);
    assert_non_null(strstr(fastnet_connect_error_text(), "cert.pem: is there already"));
}

static void a_kept_key_keeps_its_pin(void **state)
{
    static const char *const names[] = {"other.example"};
    static pair_text before, after;
    fixture *f = *state;
    f->options.existing = FASTNET_CERTIFICATE_KEEP_KEY;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_CERTIFICATE);
    assert_non_null(strstr(fastnet_connect_error_text(), "key.pem: there is no key"));
    f->options.existing = FASTNET_CERTIFICATE_REFUSE;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    fn_certificate_info first = read_info(f, "cert.pem");
    read_pair(f, &before);
    f->options.existing = FASTNET_CERTIFICATE_KEEP_KEY;
    f->options.names = names;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    fn_certificate_info second = read_info(f, "cert.pem");
    read_pair(f, &after);
    assert_memory_equal(first.pin, second.pin, sizeof first.pin);
    assert_string_equal(second.names, "other.example");
    assert_memory_equal(before.key, after.key, sizeof before.key);
}

/* The certificate cannot be written: the key must stay its partner. */
static void a_failed_renewal_leaves_the_old_pair(void **state)
{
    static pair_text before, after;
    fixture *f = *state;
    char inside[160];
    f->options.existing = FASTNET_CERTIFICATE_RENEW;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    assert_int_equal(unlink(path_in(f, "cert.pem")), 0);
    snprintf(inside, sizeof inside, "%s/in-the-way", path_in(f, "cert.pem"));
    assert_int_equal(mkdir(path_in(f, "cert.pem"), 0755), 0);
    assert_int_equal(mkdir(inside, 0755), 0);
    read_pair(f, &before);
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_SYSTEM);
    assert_non_null(strstr(fastnet_connect_error_text(), "cert.pem"));
    read_pair(f, &after);
    assert_true(before.key_bytes > 0);
    assert_memory_equal(before.key, after.key, sizeof before.key);
    rmdir(inside);
    rmdir(path_in(f, "cert.pem"));
}

static void wrong_options_are_refused(void **state)
{
    static const char *const bad_names[] = {"", "two words", "a..b", "host:7778", "[::1]"};
    fixture *f = *state;
    FastNetCertificateOptions good = f->options;

    f->options.struct_size = 0;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_ARGUMENT);
    f->options = good;
    f->options.directory = NULL;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_ARGUMENT);
    f->options = good;
    f->options.name_count = 0;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_ARGUMENT);
    f->options.name_count = FASTNET_CERTIFICATE_NAMES_MAX + 1;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_ARGUMENT);
    f->options = good;
    f->options.days = 0;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_ARGUMENT);
    f->options.days = FASTNET_CERTIFICATE_DAYS_MAX + 1;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_ARGUMENT);
    f->options = good;
    f->options.existing = FASTNET_CERTIFICATE_KEEP_KEY + 1;
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_ARGUMENT);
    f->options = good;
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++) {
        f->options.names = &bad_names[i];
        assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_ARGUMENT);
        assert_true(fastnet_connect_error_text()[0] != '\0');
    }
}

static void unwritable_directory_is_an_error(void **state)
{
    fixture *f = *state;
    f->options.directory = "/proc/no-such-place";
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_ERR_SYSTEM);
    assert_non_null(strstr(fastnet_connect_error_text(), "/proc/no-such-place"));
}

static void pin_is_the_hash_of_the_public_key(void **state)
{
    const fixture *f = *state;
    uint8_t pin[FASTNET_PIN_BYTES];
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    assert_int_equal(fastnet_certificate_pin(path_in(f, "cert.pem"), pin), FASTNET_OK);
    assert_memory_equal(pin, read_info(f, "cert.pem").pin, sizeof pin);

    assert_int_equal(fastnet_certificate_pin(path_in(f, "key.pem"), pin), FASTNET_ERR_CERTIFICATE);
    assert_int_equal(fastnet_certificate_pin(path_in(f, "none.pem"), pin), FASTNET_ERR_CERTIFICATE);
    assert_non_null(strstr(fastnet_connect_error_text(), "none.pem"));
    assert_int_equal(fastnet_certificate_pin(NULL, pin), FASTNET_ERR_ARGUMENT);
}

static void a_description_says_what_the_file_holds(void **state)
{
    const fixture *f = *state;
    FastNetCertificateInfo info = {.struct_size = sizeof info};
    assert_int_equal(fastnet_certificate_write(&f->options), FASTNET_OK);
    fn_certificate_info expected = read_info(f, "cert.pem");
    assert_int_equal(fastnet_certificate_describe(path_in(f, "cert.pem"), &info), FASTNET_OK);
    assert_int_equal(info.count, 2); /* leaf and CA */
    assert_string_equal(info.names, "localhost");
    assert_true(info.names_in_san);
    assert_false(info.self_signed);
    assert_string_equal(info.key, "EC P-256");
    assert_string_equal(info.subject, "CN=localhost");
    assert_string_equal(info.issuer, "CN=FastNet development CA");
    assert_int_equal(info.valid_from_unix_s, expected.not_before_unix_s);
    assert_int_equal(info.valid_until_unix_s, expected.not_after_unix_s);
    assert_memory_equal(info.pin, expected.pin, sizeof info.pin);
    info.struct_size--;
    assert_int_equal(fastnet_certificate_describe(path_in(f, "cert.pem"), &info),
                     FASTNET_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        ROW(writes_four_files_and_keeps_keys_private),
        ROW(certificate_carries_every_name),
        ROW(authority_is_used_again),
        ROW(days_are_kept),
        ROW(missing_authority_key_is_an_error),
        ROW(malformed_authority_is_an_error),
        ROW(a_pair_that_is_there_is_not_replaced_unasked),
        ROW(a_kept_key_keeps_its_pin),
        ROW(a_failed_renewal_leaves_the_old_pair),
        ROW(a_description_says_what_the_file_holds),
        ROW(wrong_options_are_refused),
        ROW(unwritable_directory_is_an_error),
        ROW(pin_is_the_hash_of_the_public_key),
#undef ROW
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
