#include "base/result.h"

#include "base/units.h"

typedef struct row {
    int32_t value;
    const char *name;
    const char *text;
} row;

static const row rows[] = {
#define X(name, value, text) {(value), "FASTNET_" #name, (text)},
    FASTNET_RESULT_MAP(X)
#undef X
};

static const row unknown = {0, "FASTNET_UNKNOWN", "unknown result"};

static const row *find(int32_t value)
{
    for (size_t i = 0; i < FN_ARRAY_COUNT(rows); i++) {
        if (rows[i].value == value)
            return &rows[i];
    }
    return &unknown;
}

const char *fastnet_result_name(int32_t result)
{
    return find(result)->name;
}

const char *fastnet_result_text(int32_t result)
{
    return find(result)->text;
}
