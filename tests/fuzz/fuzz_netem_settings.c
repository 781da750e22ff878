/*
 * The parameters of the link emulator in text: a line of "name value" pairs. What is taken is in
 * range and is printed; the print, read back, gives the same settings. What is refused changes
 * nothing and says why.
 */
#include "fuzz.h"

#include "world.h"

#include <string.h>

enum { TEXT_BYTES_MAX = 1024, PRINT_BYTES_MAX = 2048 };

static void check_refused(const fn_link_config *before, const fn_link_config *after,
                          const char *error)
{
    FUZZ_CHECK(memcmp(before, after, sizeof *before) == 0);
    FUZZ_CHECK(error[0] != '\0' && strlen(error) < NETEM_TEXT_BYTES_MAX);
}

/* Ten digits are printed. */
static void check_same(uint64_t value, uint64_t same)
{
    uint64_t apart = value > same ? value - same : same - value;
    FUZZ_CHECK(apart <= 1 + value / 1000000000);
}

/* `"name": value, "name": value`, as in the statistics. */
static void check_print(const fn_link_config *config)
{
    char text[PRINT_BYTES_MAX], error[NETEM_TEXT_BYTES_MAX];
    int bytes = netem_settings_print(config, text, sizeof text);
    FUZZ_CHECK(bytes > 0 && (size_t)bytes == strlen(text));
    fn_link_config same;
    memset(&same, 0, sizeof same);
    netem_settings_init(&same);
    uint32_t count = 0;
    for (char *at = text; at != NULL; count++) {
        char *name = strchr(at, '"') + 1;
        char *name_end = strchr(name, '"');
        char *value = name_end + 3;
        at = strchr(value, ',');
        *name_end = '\0';
        if (at != NULL)
            *at++ = '\0';
        FUZZ_CHECK(netem_settings_set(&same, name, value, error, sizeof error));
    }
    FUZZ_CHECK(count == netem_parameter_count);
    check_same(config->delay_ns, same.delay_ns);
    check_same(config->jitter_ns, same.jitter_ns);
    check_same(config->rate_bytes_per_s, same.rate_bytes_per_s);
    check_same(config->queue_bytes_max, same.queue_bytes_max);
    FUZZ_CHECK(config->loss_permille == same.loss_permille);
    FUZZ_CHECK(config->corrupt_permille == same.corrupt_permille);
    FUZZ_CHECK(config->mtu_bytes == same.mtu_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char line[TEXT_BYTES_MAX + 1], *rest = line;
    bytes = bytes < TEXT_BYTES_MAX ? bytes : TEXT_BYTES_MAX;
    if (bytes > 0)
        memcpy(line, data, bytes);
    line[bytes] = '\0';
    fn_link_config config;
    memset(&config, 0, sizeof config);
    netem_settings_init(&config);
    const char *name;
    while ((name = strsep(&rest, " \n")) != NULL) {
        const char *value = strsep(&rest, " \n");
        if (value == NULL)
            break;
        char error[NETEM_TEXT_BYTES_MAX] = "";
        fn_link_config before = config;
        if (!netem_settings_set(&config, name, value, error, sizeof error))
            check_refused(&before, &config, error);
        check_print(&config);
    }
    return 0;
}
