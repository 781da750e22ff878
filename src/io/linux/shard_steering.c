#include "io/shard_steering.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include "io/posix/fail.h"

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51 /* Linux 4.5; the headers may be older than the kernel */
#endif

/* A load beyond the end of a datagram ends the program with 0: too short means socket 0. */
#define STATEMENT(code, value)           BPF_STMT((unsigned short)(code), (value))
#define JUMP(code, value, if_so, if_not) BPF_JUMP((unsigned short)(code), (value), if_so, if_not)

bool fn_steering_supported(void)
{
    return true;
}

int fn_steering_attach(const fn_udp *udp, const fn_steering *steering, fn_io_error *error)
{
    assert(steering->bits >= 1 && steering->bits <= 31);
    assert(steering->sockets >= 2 && steering->sockets <= UINT32_C(1) << steering->bits);
    struct sock_filter program[] = {
        STATEMENT(BPF_LD | BPF_B | BPF_ABS, 0),
        STATEMENT(BPF_ALU | BPF_AND | BPF_K, steering->first_mask),
        JUMP(BPF_JMP | BPF_JEQ | BPF_K, steering->first_value, 0, 4),
        STATEMENT(BPF_LD | BPF_W | BPF_ABS, steering->offset),
        STATEMENT(BPF_ALU | BPF_RSH | BPF_K, 32 - steering->bits),
        JUMP(BPF_JMP | BPF_JGE | BPF_K, steering->sockets, 1, 0),
        STATEMENT(BPF_RET | BPF_A, 0),
        STATEMENT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog all = {.len = sizeof program / sizeof program[0], .filter = program};
    if (setsockopt((int)udp->handle, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &all, sizeof all) == 0)
        return FASTNET_OK;
    bool missing = errno == ENOPROTOOPT || errno == EPERM;
    return fn_io_fail(error, missing ? FASTNET_ERR_UNSUPPORTED : FASTNET_ERR_SYSTEM, errno,
                      "the system takes no program that steers datagrams to sockets: %s",
                      fn_errno_text(errno));
}
