// SPDX-License-Identifier: MIT
#include "listen.h"

#include "base/log.h"
#include "base/standard_fds.h"

#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    FIRST_SYSTEMD_FD = 3,
    BACKLOG = 1024,
    HANDSHAKE_MS = 5, // a round trip to a web server in the same data centre
};

static int report(const char *what, const char *where, const char *why)
{
    LOG_EVENT(LOG_LEVEL_ERROR, what, LOG_TEXT("where", str_from(where)),
              LOG_TEXT("error", str_from(why)));
    return -1;
}

// Whether a process accepts connections at this path.
static bool is_served(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    const bool served =
        connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    return served;
}

// libfcgi removes whatever is in the way before it binds. Only a socket that nobody serves may be
// removed.
static int check_path_is_free(const char *path)
{
    struct stat file;
    if (lstat(path, &file) != 0) {
        return errno == ENOENT ? 0 : report("cannot listen", path, strerror(errno));
    }
    if (!S_ISSOCK(file.st_mode)) {
        return report("cannot listen", path, "a file that is not a socket is in the way");
    }
    return is_served(path) ? report("cannot listen", path, "another process serves this socket")
                           : 0;
}

static void add_socket(struct listen_source *source, int fd)
{
    source->fds[source->count++] = fd;
}

static int open_unix(struct listen_source *source)
{
    const struct conf_listen *const conf = &source->own;
    if (check_path_is_free(conf->path) != 0) {
        return -1;
    }
    // With umask the mode is right from the start; after chmod it would be too late.
    const mode_t before = umask(0777 & ~conf->mode);
    const int fd = FCGX_OpenSocket(conf->path, BACKLOG);
    const int error = errno;
    umask(before);
    if (fd < 0) {
        return report("cannot listen", conf->path, strerror(error));
    }
    add_socket(source, fd);
    return stat(conf->path, &source->own_file) == 0
               ? 0
               : report("cannot listen", conf->path, strerror(errno));
}

static int bind_address(const struct addrinfo *address)
{
    const int one = 1;
    const int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        const int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

// FCGX_OpenSocket has no IPv6, and exits if a name cannot be resolved.
static int open_tcp(struct listen_source *source)
{
    const struct conf_listen *const conf = &source->own;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    const char *const host = strcmp(conf->host, "*") == 0 ? NULL : conf->host;
    struct addrinfo *addresses;
    const int failure = getaddrinfo(host, conf->port, &hints, &addresses);
    if (failure != 0) {
        return report("cannot listen", conf->host, gai_strerror(failure));
    }
    int fd = -1;
    for (const struct addrinfo *a = addresses; a != NULL && fd < 0; a = a->ai_next) {
        fd = bind_address(a);
    }
    const int error = errno;
    freeaddrinfo(addresses);
    if (fd < 0) {
        return report("cannot listen", conf->host, strerror(error));
    }
    add_socket(source, fd);
    return 0;
}

bool listen_is_cgi_request(void)
{
    // The variables may be inherited from a CGI program that starts this server. FCGX_IsCGI comes
    // last because its first call installs libfcgi's signal handlers.
    return getenv("GATEWAY_INTERFACE") != NULL && getenv("REQUEST_METHOD") != NULL && FCGX_IsCGI();
}

// ---- sockets that were passed ----

// sd_listen_fds(3): returns the number of descriptors passed to this process, starting at 3; -1 if
// the number is invalid.
static int count_passed(void)
{
    const char *const pid = getenv("LISTEN_PID");
    const char *const count = getenv("LISTEN_FDS");
    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != (long)getpid()) {
        return 0;
    }
    char *end;
    const long number = strtol(count, &end, 10);
    const bool is_count = end != count && *end == '\0' && number >= 0;
    return is_count && number <= LISTEN_SOCKETS_MAX ? (int)number : -1;
}

static bool is_connected(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    return getpeername(fd, (struct sockaddr *)&address, &len) == 0;
}

// Returns why the descriptor cannot be served; NULL if it can.
static const char *find_mistake(int fd)
{
    int type;
    int is_listening = 0;
    socklen_t len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0) {
        return errno == ENOTSOCK ? "not a socket: only ListenStream can be served"
                                 : strerror(errno);
    }
    if (type != SOCK_STREAM) {
        return type == SOCK_DGRAM ? "a datagram socket: only ListenStream can be served"
                                  : "not a stream socket: only ListenStream can be served";
    }
    len = sizeof is_listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) == 0 && is_listening != 0) {
        return NULL;
    }
    return is_connected(fd) ? "a connection: the socket unit needs Accept=no"
                            : "the socket is not listening";
}

// Whether all descriptors can be served. Reports every mistake.
static bool can_be_served(int first_fd, int count)
{
    int good = 0;
    for (int fd = first_fd; fd < first_fd + count; fd++) {
        const char *const mistake = find_mistake(fd);
        if (mistake == NULL) {
            good++;
        } else {
            LOG_EVENT(LOG_LEVEL_ERROR, "cannot serve what was passed to this process",
                      LOG_NUMBER("fd", fd), LOG_TEXT("error", str_from(mistake)));
        }
    }
    return good == count;
}

// Warns because clients of an unserved socket would wait without getting an error.
static void warn_of_unused(int count)
{
    if (count != 0) {
        LOG_EVENT(LOG_LEVEL_WARNING,
                  "sockets that systemd passed are not used, because [server] listen is set",
                  LOG_NUMBER("sockets", count));
    }
}

static enum listen_kind choose_passed(int count)
{
    if (count < 0) {
        LOG_EVENT(LOG_LEVEL_ERROR, "LISTEN_FDS is not a number of sockets",
                  LOG_NUMBER("most", LISTEN_SOCKETS_MAX));
        return LISTEN_REFUSED;
    }
    if (count > 0) {
        return can_be_served(FIRST_SYSTEMD_FD, count) ? LISTEN_SYSTEMD : LISTEN_REFUSED;
    }
    if (FCGX_IsCGI()) {
        return LISTEN_NOWHERE;
    }
    return can_be_served(FCGI_LISTENSOCK_FILENO, 1) ? LISTEN_STDIN : LISTEN_REFUSED;
}

static enum listen_kind choose(const struct conf_listen *conf)
{
    if (listen_is_cgi_request()) {
        return LISTEN_CGI;
    }
    const int passed = count_passed();
    if (conf->kind != CONF_LISTEN_INHERITED) {
        warn_of_unused(passed);
        return LISTEN_OWN;
    }
    return choose_passed(passed);
}

// Moves the socket to another descriptor, so that descriptor 0 stays open when the socket is
// closed.
static int take_stdin(struct listen_source *source)
{
    const int fd = fcntl(FCGI_LISTENSOCK_FILENO, F_DUPFD_CLOEXEC, FIRST_SYSTEMD_FD);
    if (fd < 0 || close(FCGI_LISTENSOCK_FILENO) != 0 || standard_fds_open() != 0) {
        return report("cannot use the listening socket", "descriptor 0", strerror(errno));
    }
    add_socket(source, fd);
    return 0;
}

static int open_source(struct listen_source *source)
{
    switch (source->kind) {
    case LISTEN_OWN:
        return source->own.kind == CONF_LISTEN_UNIX ? open_unix(source) : open_tcp(source);
    case LISTEN_SYSTEMD:
        for (int i = 0, count = count_passed(); i < count; i++) {
            add_socket(source, FIRST_SYSTEMD_FD + i);
        }
        return 0;
    case LISTEN_STDIN:
        return take_stdin(source);
    case LISTEN_CGI:
    case LISTEN_NOWHERE:
    case LISTEN_REFUSED:
        break;
    }
    return 0;
}

// Several threads wait for the same connections: a late one must not block in accept.
static int set_flags(int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        return report("cannot use the listening socket", "fcntl", strerror(errno));
    }
    return 0;
}

int listen_open(const struct conf_listen *conf, struct listen_source *source)
{
    *source = (struct listen_source){.kind = choose(conf), .own = *conf};
    if (open_source(source) != 0) {
        return -1;
    }
    for (size_t i = 0; i < source->count; i++) {
        if (set_flags(source->fds[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

// ---- the end ----

static void remove_path(const struct listen_source *source)
{
    struct stat file;
    const bool is_ours = stat(source->own.path, &file) == 0 &&
                         file.st_ino == source->own_file.st_ino &&
                         file.st_dev == source->own_file.st_dev;
    if (is_ours) {
        unlink(source->own.path);
    }
}

// Makes the kernel drop new connections. The kernel completes connections before they are accepted,
// and resets them when the socket is closed. With this filter clients retry a second later, and are
// then refused or reach our successor. The filter sees packets from the TCP header on.
static void drop_syns(int fd)
{
    static const struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), // the TCP flags
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog program = {COUNT_OF(code), (struct sock_filter *)(uintptr_t)code};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0) {
        (void)poll(NULL, 0, HANDSHAKE_MS); // lets handshakes finish
    }
}

void listen_let_nobody_in(const struct listen_source *source)
{
    if (source->kind != LISTEN_OWN) {
        return;
    }
    if (source->own.kind == CONF_LISTEN_UNIX) {
        remove_path(source);
        shutdown(source->fds[0], SHUT_RD); // connections already queued can still be accepted
    } else {
        drop_syns(source->fds[0]);
    }
}
