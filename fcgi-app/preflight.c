// SPDX-License-Identifier: MIT
#include "preflight.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- files to be made ----

// Writes the folder of an absolute path to FOLDER.
static void find_folder(const char *path, char *folder, size_t size)
{
    const char *const slash = strrchr(path, '/');
    const int len = slash == path ? 1 : (int)(slash - path);
    snprintf(folder, size, "%.*s", len, path);
}

// Reports if a file cannot be created at PATH.
static void check_folder(const char *key, const char *path, struct conf_mistakes *mistakes)
{
    char folder[512];
    struct stat status;
    find_folder(path, folder, sizeof folder);
    errno = 0;
    if (stat(folder, &status) == 0 && !S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
    }
    if (errno != 0 || access(folder, W_OK | X_OK) != 0) {
        conf_mistake(mistakes, "%s: nothing can be made in %s: %s", key, folder, strerror(errno));
    }
}

// ---- the log ----

static void check_log(const struct conf *conf, struct conf_mistakes *mistakes)
{
    static const char file_prefix[] = "file:";
    static const char key[] = "[log] target";
    struct stat status;
    if (strncmp(conf->log.target, file_prefix, sizeof file_prefix - 1) != 0) {
        return;
    }
    const char *const path = conf->log.target + sizeof file_prefix - 1;
    if (stat(path, &status) != 0) {
        check_folder(key, path, mistakes);
        return;
    }
    errno = 0;
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
    }
    if (errno != 0 || access(path, W_OK) != 0) {
        conf_mistake(mistakes, "%s: %s cannot be written: %s", key, path, strerror(errno));
    }
}

// ---- the listening socket ----

static const char listen_key[] = "[server] listen";

static void check_unix(const struct conf_listen *listen, struct conf_mistakes *mistakes)
{
    struct stat status;
    if (lstat(listen->path, &status) == 0 && !S_ISSOCK(status.st_mode)) {
        conf_mistake(mistakes, "%s: a file that is not a socket is in the way: %s", listen_key,
                     listen->path);
        return;
    }
    check_folder(listen_key, listen->path, mistakes);
}

// An address in use is fine: the program may be running.
static bool can_bind(const struct addrinfo *address)
{
    const int one = 1;
    const int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const bool is_bound =
        bind(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EADDRINUSE;
    const int error = errno;
    close(fd);
    errno = error;
    return is_bound;
}

static void check_tcp(const struct conf_listen *listen, bool may_look_up,
                      struct conf_mistakes *mistakes)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = may_look_up ? AI_PASSIVE : AI_PASSIVE | AI_NUMERICHOST,
    };
    const char *const host = strcmp(listen->host, "*") == 0 ? NULL : listen->host;
    struct addrinfo *addresses;
    const int failure = getaddrinfo(host, listen->port, &hints, &addresses);
    if (failure == EAI_NONAME && !may_look_up) {
        return;
    }
    if (failure != 0) {
        conf_mistake(mistakes, "%s: %s: %s", listen_key, listen->host, gai_strerror(failure));
        return;
    }
    bool is_possible = false;
    for (const struct addrinfo *a = addresses; a != NULL && !is_possible; a = a->ai_next) {
        is_possible = can_bind(a);
    }
    const int error = errno;
    freeaddrinfo(addresses);
    if (!is_possible) {
        conf_mistake(mistakes, "%s: cannot listen on %s, port %s: %s", listen_key, listen->host,
                     listen->port, strerror(error));
    }
}

static void check_listen(const struct conf_listen *listen, bool may_look_up,
                         struct conf_mistakes *mistakes)
{
    switch (listen->kind) {
    case CONF_LISTEN_INHERITED:
        break;
    case CONF_LISTEN_UNIX:
        check_unix(listen, mistakes);
        break;
    case CONF_LISTEN_TCP:
        check_tcp(listen, may_look_up, mistakes);
        break;
    }
}

static bool is_same_listen(const struct conf_listen *a, const struct conf_listen *b)
{
    return a->kind == b->kind && a->mode == b->mode && strcmp(a->path, b->path) == 0 &&
           strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

int preflight_check(const struct conf *conf, const struct conf *running, conf_complain *complain,
                    void *context)
{
    struct conf_mistakes mistakes = {.complain = complain, .context = context};
    check_log(conf, &mistakes);
    if (running == NULL || !is_same_listen(&conf->server.listen, &running->server.listen)) {
        check_listen(&conf->server.listen, running == NULL, &mistakes);
    }
    return mistakes.count == 0 ? 0 : -1;
}
