/*
 * siblings.h: endpoints that share this one's ports, each on a thread of its own (shards). Who they
 * are and how they are reached is not known here: the table tells.
 */
#ifndef FN_HOST_SIBLINGS_H
#define FN_HOST_SIBLINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "platform/port_use.h"

struct fn_link;

typedef struct fn_siblings_ops {
    /* The receiver id is another one's. */
    bool (*is_elsewhere)(void *user, uint32_t receiver_id);
    /* The link goes to the one that its ATTACH names, or is closed when that has no room. It is gone
     * afterwards. */
    void (*hand_over)(void *user, struct fn_link *link);
    /* The datagram goes to the one that its receiver id names. False: it is nobody else's. */
    bool (*forward)(void *user, const fn_address *from, const uint8_t *data, size_t bytes);
    /* Something of theirs may be there for us; takes it. */
    bool (*waiting)(void *user);
    void (*receive)(void *user, uint64_t now_ns);
} fn_siblings_ops;

typedef struct fn_siblings {
    const fn_siblings_ops *ops; /* NULL = there are none */
    void *user;
    uint32_t index; /* which of them this one is, in the top bits of its receiver ids */
    uint32_t bits;
    fn_port_use port_use;
} fn_siblings;

static inline bool fn_siblings_own(const fn_siblings *siblings, uint32_t receiver_id)
{
    return siblings->ops != NULL && siblings->ops->is_elsewhere(siblings->user, receiver_id);
}

static inline bool fn_siblings_forward(const fn_siblings *siblings, const fn_address *from,
                                       const uint8_t *data, size_t bytes)
{
    return siblings->ops != NULL && siblings->ops->forward(siblings->user, from, data, bytes);
}

static inline bool fn_siblings_wait(const fn_siblings *siblings)
{
    return siblings->ops != NULL && siblings->ops->waiting(siblings->user);
}

#endif
