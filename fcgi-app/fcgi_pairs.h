// SPDX-License-Identifier: MIT
// fcgi_pairs: name-value pairs as FastCGI encodes them.
#ifndef BKFLOW_FCGI_PAIRS_H
#define BKFLOW_FCGI_PAIRS_H

#include "http/http.h"

// Removes the first pair from *STREAM, which keeps its bytes. False if it is not complete.
bool fcgi_pairs_cut(struct str *stream, struct http_var *var) MUST_CHECK NONNULL;

#endif
