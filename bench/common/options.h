/*
 * options.h: the command line of every benchmark program: `PROGRAM MODE --name value ...`.
 */
#ifndef BENCH_COMMON_OPTIONS_H
#define BENCH_COMMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* T(field, default, what) takes text, N(field, default, what) a whole number. The option is the
 * field's name with - for _. */
#define BENCH_OPTION_MAP(T, N)                                                            \
    T(channel, "", "which way of sending, see the program's first line of help")          \
    T(workload, "pingpong", "pingpong, paced, oneway or bulk")                            \
    T(role, "echo", "what a server does: echo or sink")                                   \
    T(wait, "spin", "spin, block, or default: what the protocol does by itself")          \
    T(tuning, "", "socket settings of FastNet: latency or throughput")                    \
    T(host, "127.0.0.1", "address of the server")                                         \
    T(certificate, "", "PEM file, for the server and as the client's trust anchor")       \
    T(key, "", "PEM file of the server's private key")                                    \
    N(port, 0, "UDP port (TCP port of a TCP protocol); 0 = any")                          \
    N(tls_port, 0, "second port, where a protocol has two")                               \
    N(cpu, -1, "the core to run on; -1 = any")                                            \
    N(server_pid, 0, "process whose CPU time and memory is reported too")                 \
    N(bytes, 64, "message size")                                                          \
    N(count, 20000, "messages")                                                           \
    N(rate, 0, "messages per second")                                                     \
    N(seconds, 0, "instead of a count")                                                   \
    N(warmup, 1000, "messages before the measurement")                                    \
    N(clients, 0, "how many connections")                                                 \
    N(per_socket, 1, "connections that share one socket of the client process")           \
    N(hz, 60, "ticks per second")                                                         \
    N(idle_seconds, 0, "how long to watch the CPU of a server whose peers say nothing")   \
    N(keep_warm, 0, "1 = keep the send path warm between packets, where that exists")     \
    N(frame_us, 0, "a server looks at its sockets so often, instead of waiting for them") \
    N(shards, 1, "endpoints that share the port, where that exists")                      \
    N(resume, 0, "1 = resume TLS sessions")                                               \
    N(keep_tls, 0, "1 = keep the TLS connection open")

typedef struct bench_options {
    const char *mode;
#define T(field, fallback, what) const char *field;
#define N(field, fallback, what) int64_t field;
    BENCH_OPTION_MAP(T, N)
#undef T
#undef N
} bench_options;

/* Reads argv; on anything unknown it says what is known, in the program's words, and ends it
 * with 2. `modes` is a list such as "serve, run". */
bench_options bench_options_read(int argc, char **argv, const char *modes, const char *what);

/* Text against a list "a, b": for arguments that must be one of a few. */
bool bench_listed(const char *list, const char *word);

#endif
