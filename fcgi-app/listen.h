// SPDX-License-Identifier: MIT
// listen: opens the source of requests: our own socket, one that was passed to us, or plain CGI.
#ifndef BKFLOW_LISTEN_H
#define BKFLOW_LISTEN_H

#include "conf/conf.h"

#include <sys/stat.h>

enum listen_kind {
    LISTEN_OWN,     // [server] listen
    LISTEN_SYSTEMD, // LISTEN_FDS
    LISTEN_STDIN,   // a listening socket on descriptor 0: spawn-fcgi, mod_fcgid, lighttpd
    LISTEN_CGI,     // one request in the environment
    LISTEN_NOWHERE, // none of these
    LISTEN_REFUSED, // what was passed cannot be served; this has been logged
};

enum { LISTEN_SOCKETS_MAX = 64 };

struct listen_source {
    enum listen_kind kind;
    int fds[LISTEN_SOCKETS_MAX]; // listening stream sockets, non-blocking
    size_t count;                // of FDS; 0 for plain CGI
    struct conf_listen own;
    struct stat own_file; // identifies our own unix socket
};

// Finds the source: first a CGI request in the environment, so that no configuration can make it
// start a second server; then in the order of the list above. Serves all sockets from systemd or
// none. -1 after logging why a socket cannot be opened.
int listen_open(const struct conf_listen *conf, struct listen_source *source) MUST_CHECK NONNULL;

// Whether the environment has a plain CGI request, and descriptor 0 is not a listening socket.
bool listen_is_cgi_request(void) MUST_CHECK;

// Stops new connections to our own socket before it is closed; those that are already queued can
// still be accepted. Removes a unix socket from the file system unless another process has replaced
// it. Does nothing to sockets that were passed to us. May take a few milliseconds.
void listen_let_nobody_in(const struct listen_source *source) NONNULL;

#endif
