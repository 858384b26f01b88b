// SPDX-License-Identifier: MIT
// db_deadline: bounds how long statements may take, to the tick of whoever enforces it. The client
// library's own limits are whole seconds and hold for each read; these hold for all of a statement.
#ifndef BKFLOW_DB_DEADLINE_H
#define BKFLOW_DB_DEADLINE_H

#include "base/base.h"

#include <pthread.h>

// One connection's. Lives in its owner's memory, between db_deadline_join and db_deadline_leave.
struct db_deadline {
    pthread_mutex_t mutex;
    int fd;        // a duplicate of the connection's socket, owned; -1: there is no connection
    int64_t at_us; // monotonic; INT64_MAX: nothing is under way
    struct db_deadline *next;
    struct db_deadline **link; // what points at this one
};

struct db_deadline_list {
    pthread_mutex_t mutex;
    struct db_deadline *first;
};

void db_deadline_list_init(struct db_deadline_list *list) NONNULL;
void db_deadline_list_end(struct db_deadline_list *list) NONNULL;

void db_deadline_join(struct db_deadline_list *list, struct db_deadline *deadline) NONNULL;
void db_deadline_leave(struct db_deadline_list *list, struct db_deadline *deadline) NONNULL;

// Takes on the connection whose socket is FD, and lets go of it. FD itself may be closed, by the
// client library too, and its number given to somebody else at any time: what is shut down is a
// duplicate that no one else closes. -1 with errno: there is no descriptor left.
int db_deadline_attach(struct db_deadline *deadline, int fd) MUST_CHECK NONNULL;
void db_deadline_detach(struct db_deadline *deadline) NONNULL;

// From arming to disarming, the connection is shut down once AT_US (monotonic) is over.
void db_deadline_arm(struct db_deadline *deadline, int64_t at_us) NONNULL;
void db_deadline_disarm(struct db_deadline *deadline) NONNULL;

// Shuts down what is late, so that whoever waits for it wakes. Any thread.
void db_deadline_enforce(struct db_deadline_list *list, int64_t now_us) NONNULL;

#endif
