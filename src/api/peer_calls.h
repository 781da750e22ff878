/* talking.h: sending, as the short forms do it. */
#ifndef FN_API_TALKING_H
#define FN_API_TALKING_H

#include <stdint.h>

#include "fastnet.h"

/* fastnet_send(), and what is queued for that peer leaves now as far
 * as congestion control allows. */
int32_t fn_send_at_once(FastNetEndpoint *endpoint, FastNetPeerId peer, uint8_t channel,
                        const void *data, uint32_t data_len);

#endif
