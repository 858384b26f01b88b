// SPDX-License-Identifier: MIT
#include "db/library.h"

#include <mysql.h>

int db_library_init(void)
{
    return mysql_library_init(0, NULL, NULL) == 0 ? 0 : -1;
}

void db_library_end(void)
{
    mysql_library_end();
}

int db_library_thread_init(void)
{
    return mysql_thread_init() == 0 ? 0 : -1;
}

void db_library_thread_end(void)
{
    mysql_thread_end();
}
