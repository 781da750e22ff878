/* Commands from a UNIX socket or standard input, a line each; a line comes back for each. */
#include "netem/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { VISITORS_MAX = 16, LINE_BYTES_MAX = 512 };

/* Somebody who sends commands. */
typedef struct visitor {
    netem_watch watch;
    int reply_fd;
    size_t used;
    char line[LINE_BYTES_MAX];
} visitor;

typedef struct netem_control {
    netem_watch door;
    visitor visitors[VISITORS_MAX];
    visitor input;
    bool owns_path;
    dev_t device; /* what our socket's name stood for when we bound it */
    ino_t inode;
} netem_control;

static bool address_of(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address->sun_path) {
        return false;
    }
    memcpy(address->sun_path, path, strlen(path) + 1);
    return true;
}

static void answer(netem_world *world, visitor *from)
{
    char reply[NETEM_REPLY_BYTES_MAX];
    netem_command(world, from->line, reply, sizeof reply - 1);
    size_t bytes = strlen(reply);
    reply[bytes++] = '\n';
    /* Who does not read its answers (a full socket) misses them. A file is another matter. */
    if (write(from->reply_fd, reply, bytes) < 0 && from == &world->control->input) {
        world->output_lost = true;
    }
}

/* Runs all whole lines; false when one is too long. */
static bool run_lines(netem_world *world, visitor *from)
{
    char *end;
    while ((end = memchr(from->line, '\n', from->used)) != NULL) {
        *end = '\0';
        answer(world, from);
        from->used -= (size_t)(end + 1 - from->line);
        memmove(from->line, end + 1, from->used);
    }
    return from->used < sizeof from->line;
}

static void on_visitor(netem_world *world, netem_watch *watch, uint32_t events)
{
    (void)events;
    visitor *from = watch->owner;
    ssize_t bytes = read(watch->fd, from->line + from->used, sizeof from->line - from->used);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    from->used += bytes > 0 ? (size_t)bytes : 0;
    if (bytes <= 0 || !run_lines(world, from)) {
        netem_watch_close(world, watch);
    }
}

static void on_door(netem_world *world, netem_watch *watch, uint32_t events)
{
    (void)events;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (int i = 0; i < VISITORS_MAX && fd >= 0; i++) {
        visitor *it = &world->control->visitors[i];
        if (it->watch.fd < 0) {
            it->watch.fd = it->reply_fd = fd;
            it->used = 0;
            netem_watch_set(world, &it->watch, EPOLLIN);
            return;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* Whether somebody answers there. */
static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
    close(fd);
    return alive;
}

/* A socket that nobody answers at was left behind by an emulator that was killed. Whatever else has
 * the name is somebody's. */
static bool is_leftover(const char *path, const struct sockaddr_un *address)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) && !is_alive(address);
}

static void own(netem_control *control, const char *path)
{
    struct stat status;
    control->owns_path = lstat(path, &status) == 0;
    control->device = status.st_dev;
    control->inode = status.st_ino;
}

/* Only while the name is still ours. */
static void disown(const netem_control *control, const char *path)
{
    struct stat status;
    if (control->owns_path && lstat(path, &status) == 0 && status.st_dev == control->device &&
        status.st_ino == control->inode) {
        unlink(path);
    }
}

static netem_result open_socket(netem_world *world, const char *path)
{
    netem_control *control = world->control;
    struct sockaddr_un address;
    if (!address_of(path, &address)) {
        return netem_say(world, NETEM_USAGE, "the path '%s' is too long for a socket", path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = bind(fd, (struct sockaddr *)&address, sizeof address);
    if (result != 0 && errno == EADDRINUSE) {
        bool leftover = is_leftover(path, &address);
        errno = EADDRINUSE;
        result = leftover && unlink(path) == 0
                     ? bind(fd, (struct sockaddr *)&address, sizeof address)
                     : -1;
    }
    if (result != 0 || listen(fd, VISITORS_MAX) != 0) {
        netem_say(world, NETEM_SYSTEM, "cannot listen on '%s': %s", path, strerror(errno));
        close(fd);
        return NETEM_SYSTEM;
    }
    own(control, path);
    control->door = (netem_watch){.fd = fd, .ready = on_door};
    netem_watch_set(world, &control->door, EPOLLIN);
    return NETEM_OK;
}

netem_result netem_control_start(netem_world *world)
{
    netem_control *control = calloc(1, sizeof *control);
    if (!control) {
        return netem_say(world, NETEM_SYSTEM, "out of memory");
    }
    world->control = control;
    control->door.fd = -1;
    for (int i = 0; i < VISITORS_MAX; i++) {
        visitor *it = &control->visitors[i];
        it->watch = (netem_watch){.fd = -1, .ready = on_visitor, .owner = it};
    }
    visitor *input = &control->input;
    input->watch = (netem_watch){.fd = -1, .ready = on_visitor, .owner = input};
    if (world->config->control_stdin) {
        input->watch.fd = STDIN_FILENO;
        input->reply_fd = STDOUT_FILENO;
        netem_watch_set(world, &input->watch, EPOLLIN);
    }
    const char *path = world->config->control_path;
    return path ? open_socket(world, path) : NETEM_OK;
}

void netem_control_stop(netem_world *world)
{
    netem_control *control = world->control;
    if (!control) {
        return;
    }
    netem_watch_close(world, &control->door);
    for (int i = 0; i < VISITORS_MAX; i++) {
        netem_watch_close(world, &control->visitors[i].watch);
    }
    disown(control, world->config->control_path);
    free(control);
    world->control = NULL;
}

/* Reads one line; false when the other side closed before it was complete. */
static bool read_line(int fd, char *line, size_t line_bytes)
{
    size_t used = 0;
    while (used < line_bytes - 1) {
        ssize_t bytes = read(fd, line + used, line_bytes - 1 - used);
        if (bytes <= 0) {
            return false;
        }
        used += (size_t)bytes;
        line[used] = '\0';
        char *end = strchr(line, '\n');
        if (end) {
            *end = '\0';
            return true;
        }
    }
    return false;
}

netem_result netem_tell(const char *control_path, const char *command,
                        char reply[NETEM_REPLY_BYTES_MAX])
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool fine = address_of(control_path, &address) &&
                connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (!fine) {
        snprintf(reply, NETEM_REPLY_BYTES_MAX, "nobody listens on '%s': %s", control_path,
                 strerror(errno));
    } else if (dprintf(fd, "%s\n", command) < 0 || !read_line(fd, reply, NETEM_REPLY_BYTES_MAX)) {
        fine = false;
        snprintf(reply, NETEM_REPLY_BYTES_MAX, "the emulator gave no answer");
    }
    close(fd);
    if (!fine) {
        return NETEM_SYSTEM;
    }
    return strncmp(reply, "error: ", 7) == 0 ? NETEM_USAGE : NETEM_OK;
}
