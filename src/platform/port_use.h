/* Whether sockets may share a port. */
#ifndef FN_PLATFORM_PORT_USE_H
#define FN_PLATFORM_PORT_USE_H

typedef enum fn_port_use {
    FN_PORT_ALONE = 0, /* it is in use when anybody else has it, and for everybody else */
    FN_PORT_FIRST,     /* taken alone, so never somebody else's; others of this user may join */
    FN_PORT_JOIN,      /* shares the port of a FIRST one */
} fn_port_use;

#endif
