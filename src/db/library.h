// SPDX-License-Identifier: MIT
// library: the client library's own state, once per process and once per thread.
#ifndef BKFLOW_DB_LIBRARY_H
#define BKFLOW_DB_LIBRARY_H

#include "base/base.h"

// Once per process before threads, once per thread that uses a connection, and at their ends.
int db_library_init(void) MUST_CHECK;
void db_library_end(void);
int db_library_thread_init(void) MUST_CHECK;
void db_library_thread_end(void);

#endif
