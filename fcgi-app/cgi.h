// SPDX-License-Identifier: MIT
// cgi: one request the plain CGI way (RFC 3875): variables in the environment, the answer on
// standard output, by way of libfcgi's streams.
#ifndef BKFLOW_CGI_H
#define BKFLOW_CGI_H

#include "worker.h"

// Answers the environment's request. Returns the process's exit status: an error that the client
// was told about is no failure of the process.
int cgi_run(struct worker *worker, char *const *environment) NONNULL;

// Answers 500 where not even a worker could be made: the web server has to get a document.
void cgi_apologize(void);

#endif
