#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/units.h"
#include "fastnet/tuning.h"
#include "io/batch.h"

#define DATAGRAM_BYTES_MAX 65507 /* UDP over IPv4 */

static_assert(FASTNET_BATCH_MAX == FN_BATCH_MAX, "the same batches below and above");
static_assert(sizeof((FastNetSendItem){0}.address) == FN_BATCH_ADDRESS_BYTES, "the same addresses");
static_assert(sizeof((FastNetReceiveItem){0}.address) == FN_BATCH_ADDRESS_BYTES, "here too");

/* --- sending --- */

void fastnet_batch_init(FastNetSendBatch *batch)
{
    if (batch != NULL)
        memset(batch, 0, offsetof(FastNetSendBatch, items));
}

FastNetResult fastnet_batch_push(FastNetSendBatch *batch, const void *data, uint32_t data_len,
                                 const struct sockaddr *address, uint32_t address_len)
{
    if (batch == NULL || (data == NULL && data_len > 0) ||
        address_len > FASTNET_SOCKADDR_BYTES_MAX || (address == NULL) != (address_len == 0))
        return FASTNET_ERR_ARGUMENT;
    if (data_len > DATAGRAM_BYTES_MAX)
        return FASTNET_ERR_TOO_LARGE;
    if (batch->count >= FASTNET_BATCH_MAX)
        return FASTNET_ERR_LIMIT;
    FastNetSendItem *item = &batch->items[batch->count++];
    *item = (FastNetSendItem){.data = data, .data_len = data_len, .address_len = address_len};
    if (address != NULL)
        memcpy(item->address, address, address_len);
    return FASTNET_OK;
}

static void drop_first(FastNetSendBatch *batch, size_t count)
{
    batch->count -= (uint32_t)count;
    memmove(batch->items, batch->items + count, batch->count * sizeof *batch->items);
}

void fastnet_batch_drop_first(FastNetSendBatch *batch)
{
    if (batch != NULL && batch->count > 0)
        drop_first(batch, 1);
}

int32_t fastnet_sendmmsg(FastNetSocket socket, FastNetSendBatch *batch)
{
    fn_batch_item items[FASTNET_BATCH_MAX];
    size_t done = 0;
    if (batch == NULL || batch->count > FASTNET_BATCH_MAX)
        return FASTNET_ERR_ARGUMENT;
    for (uint32_t i = 0; i < batch->count; i++) {
        FastNetSendItem *item = &batch->items[i];
        items[i] = (fn_batch_item){.data = (void *)(uintptr_t)item->data,
                                   .length = item->data_len,
                                   .address = item->address,
                                   .address_bytes = item->address_len};
    }
    if (batch->count == 0)
        return 0;
    int code = fn_batch_send(socket, items, batch->count, &done);
    drop_first(batch, done);
    return code == FASTNET_OK ? (int32_t)done : code;
}

/* --- receiving --- */

int32_t fastnet_recvmmsg(FastNetSocket socket, FastNetReceiveItem *items, uint32_t count)
{
    fn_batch_item rows[FASTNET_BATCH_MAX];
    size_t done = 0;
    count = fn_min_u32(count, FASTNET_BATCH_MAX);
    if (items == NULL || count == 0)
        return count == 0 ? 0 : FASTNET_ERR_ARGUMENT;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].data == NULL && items[i].capacity > 0)
            return FASTNET_ERR_ARGUMENT;
        rows[i] = (fn_batch_item){
            .data = items[i].data, .capacity = items[i].capacity, .address = items[i].address};
    }
    int code = fn_batch_receive(socket, rows, count, &done);
    for (size_t i = 0; i < done; i++) {
        items[i].data_len = (uint32_t)rows[i].length;
        items[i].address_len = rows[i].address_bytes;
        items[i].truncated = rows[i].truncated;
    }
    return code == FASTNET_OK ? (int32_t)done : code;
}
