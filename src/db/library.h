// SPDX-License-Identifier: MIT
// library: the client library's state per process and per thread.
#ifndef BKFLOW_DB_LIBRARY_H
#define BKFLOW_DB_LIBRARY_H

#include "base/base.h"

// Called once per process before threads start, once per thread that uses a connection, and at
// their ends.
int db_library_init(void) MUST_CHECK;
void db_library_end(void);
int db_library_thread_init(void) MUST_CHECK;
void db_library_thread_end(void);

// Count a thread that the process does not join. While there is one, the library is busy:
// db_library_end does nothing, and the process must end with _exit, because exit() would free
// OpenSSL's memory under that thread.
void db_library_enter(void);
void db_library_leave(void);
bool db_library_is_busy(void) MUST_CHECK;

#endif
