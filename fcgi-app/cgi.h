// SPDX-License-Identifier: MIT
// cgi: answers one plain CGI request (RFC 3875): variables in the environment, the answer on
// standard output through libfcgi's streams.
#ifndef BKFLOW_CGI_H
#define BKFLOW_CGI_H

#include "worker.h"

// Answers the request in the environment and returns the exit status. A request that got an error
// answer is not a failure of the process.
int cgi_run(struct worker *worker, char *const *environment) NONNULL;

// Answers 500 if there is no worker: the web server must get a document.
void cgi_answer_500(void);

#endif
