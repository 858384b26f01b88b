// SPDX-License-Identifier: MIT
// db_deadline: limits the time of statements, to the precision of the enforcing thread's tick. The
// client library's own limits are whole seconds and apply to each read; this one applies to the
// whole statement.
#ifndef BKFLOW_DB_DEADLINE_H
#define BKFLOW_DB_DEADLINE_H

#include "base/base.h"

#include <pthread.h>

// The deadline of one connection. In its owner's memory; on the list from db_deadline_join to
// db_deadline_leave.
struct db_deadline {
    pthread_mutex_t mutex;
    int fd;        // owned duplicate of the connection's socket; -1: no connection
    int64_t at_us; // monotonic; INT64_MAX: not armed
    struct db_deadline *next;
    struct db_deadline **link; // the pointer to this one
};

struct db_deadline_list {
    pthread_mutex_t mutex;
    struct db_deadline *first;
};

void db_deadline_list_init(struct db_deadline_list *list) NONNULL;
void db_deadline_list_end(struct db_deadline_list *list) NONNULL;

void db_deadline_join(struct db_deadline_list *list, struct db_deadline *deadline) NONNULL;
void db_deadline_leave(struct db_deadline_list *list, struct db_deadline *deadline) NONNULL;

// Duplicates FD, the connection's socket, and closes the duplicate again. The client library may
// close FD at any time, and the kernel may reuse its number: only the duplicate is ever shut down.
// Returns -1 with errno if there is no descriptor left; nothing is attached then.
int db_deadline_attach(struct db_deadline *deadline, int fd) MUST_CHECK NONNULL;
void db_deadline_detach(struct db_deadline *deadline) NONNULL;

// While armed, the connection is shut down when AT_US (monotonic) has passed.
void db_deadline_arm(struct db_deadline *deadline, int64_t at_us) NONNULL;
void db_deadline_disarm(struct db_deadline *deadline) NONNULL;

// Shuts down connections whose deadline has passed, which wakes the threads that wait for them. Any
// thread.
void db_deadline_enforce(struct db_deadline_list *list, int64_t now_us) NONNULL;

#endif
