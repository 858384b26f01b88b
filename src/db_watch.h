// SPDX-License-Identifier: MIT
// db_watch: bounds how long statements may take, to the tick of whoever enforces it. The client
// library's own limits are whole seconds and hold for each read; these hold for all of a statement.
#ifndef BKFLOW_DB_WATCH_H
#define BKFLOW_DB_WATCH_H

#include "base.h"

#include <pthread.h>

// One connection's. Lives in its owner's memory, between db_watch_join and db_watch_leave.
struct db_watch {
    pthread_mutex_t mutex;
    int fd;              // -1: nothing is under way
    int64_t deadline_us; // monotonic
    struct db_watch *next;
    struct db_watch **link; // what points at this one
};

struct db_watch_list {
    pthread_mutex_t mutex;
    struct db_watch *first;
};

void db_watch_list_init(struct db_watch_list *list) NONNULL;
void db_watch_list_end(struct db_watch_list *list) NONNULL;

void db_watch_join(struct db_watch_list *list, struct db_watch *watch) NONNULL;
void db_watch_leave(struct db_watch_list *list, struct db_watch *watch) NONNULL;

// From here on FD may be shut down once DEADLINE_US (monotonic) is over; disarm before closing it.
void db_watch_arm(struct db_watch *watch, int fd, int64_t deadline_us) NONNULL;
void db_watch_disarm(struct db_watch *watch) NONNULL;

// Shuts down what is late, so that whoever waits for it wakes. Any thread.
void db_watch_enforce(struct db_watch_list *list, int64_t now_us) NONNULL;

#endif
