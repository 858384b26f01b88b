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
    int fd;              // -1: nothing is under way
    int64_t deadline_us; // monotonic
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

// From here on FD may be shut down once DEADLINE_US (monotonic) is over; disarm before closing it.
void db_deadline_arm(struct db_deadline *deadline, int fd, int64_t deadline_us) NONNULL;
void db_deadline_disarm(struct db_deadline *deadline) NONNULL;

// Shuts down what is late, so that whoever waits for it wakes. Any thread.
void db_deadline_enforce(struct db_deadline_list *list, int64_t now_us) NONNULL;

#endif
