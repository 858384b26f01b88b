// SPDX-License-Identifier: MIT
// listen: where requests come from: a socket of our own, one that was handed over, or plain CGI.
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
    LISTEN_REFUSED, // something was passed that cannot be served, which has been logged
};

enum { LISTEN_SOCKETS_MAX = 64 };

struct listen_source {
    enum listen_kind kind;
    int fds[LISTEN_SOCKETS_MAX]; // listening stream sockets, non-blocking
    size_t count;                // of them; 0 where there is nothing to listen on
    struct conf_listen own;
    struct stat own_file; // of a unix socket of our own, to know it again
};

// Finds the source: a CGI request of the environment first, which no configuration may turn into a
// second server; else in the order of the list above. Of what systemd passes all is served, or
// nothing. -1 after logging why a socket cannot be opened.
int listen_open(const struct conf_listen *conf, struct listen_source *source) MUST_CHECK NONNULL;

// Whether the environment holds a plain CGI request, and descriptor 0 is no listening socket.
bool listen_is_cgi_request(void) MUST_CHECK;

// Before a socket of our own is closed: nobody gets a new connection to it, and what waits there to
// be accepted still can be. That of a unix socket is removed from the file system unless another
// process has put its own in its place by now. One that was handed over is its owner's: nothing
// happens. May take a few milliseconds.
void listen_let_nobody_in(const struct listen_source *source) NONNULL;

#endif
