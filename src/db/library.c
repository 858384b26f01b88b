// SPDX-License-Identifier: MIT
#include "db/library.h"

#include <mysql.h>
#include <stdatomic.h>

// Threads inside the library that are not joined. One count per process, like the library's state.
static atomic_uint unjoined_threads;

int db_library_init(void)
{
    return mysql_library_init(0, NULL, NULL) == 0 ? 0 : -1;
}

void db_library_end(void)
{
    if (!db_library_is_busy()) {
        mysql_library_end();
    }
}

int db_library_thread_init(void)
{
    return mysql_thread_init() == 0 ? 0 : -1;
}

void db_library_thread_end(void)
{
    mysql_thread_end();
}

void db_library_enter(void)
{
    atomic_fetch_add(&unjoined_threads, 1);
}

void db_library_leave(void)
{
    atomic_fetch_sub(&unjoined_threads, 1);
}

bool db_library_is_busy(void)
{
    return atomic_load(&unjoined_threads) > 0;
}
