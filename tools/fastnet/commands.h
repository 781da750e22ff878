/* The subcommands: each gets its arguments without its own name and returns an exit code. */
#ifndef TOOL_COMMANDS_H
#define TOOL_COMMANDS_H

#define TOOL_COMMANDS(X)                                                \
    X(cert, "make a development CA and a certificate, or show one")     \
    X(echo, "run a server that sends every message back")               \
    X(ping, "measure the round trip to a server that echoes")           \
    X(demo, "exchange messages on all four channels and print a table") \
    X(netem, "emulate a bad network between two addresses or namespaces")

#define X(name, summary) int tool_##name##_main(int argc, char **argv);
TOOL_COMMANDS(X)
#undef X

#endif
