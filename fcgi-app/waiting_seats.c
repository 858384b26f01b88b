// SPDX-License-Identifier: MIT
#include "waiting_seats.h"

#include "base/clock.h"
#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 256 };

// An application with requests that wait.
struct waiting_application {
    struct waiting_application *next; // in its bucket
    size_t bucket;
    size_t taken;
    size_t code_len;
    char code[];
};

struct waiting_seats {
    size_t max;
    uint64_t seed;
    pthread_mutex_t mutex; // protects the rest
    size_t taken;
    struct waiting_application *buckets[BUCKETS];
};

struct waiting_seats *waiting_seats_new(size_t max, uint64_t seed)
{
    struct waiting_seats *const seats = calloc(1, sizeof(struct waiting_seats));
    if (seats != NULL) {
        seats->max = max;
        seats->seed = seed;
        pthread_mutex_init(&seats->mutex, NULL);
    }
    return seats;
}

void waiting_seats_free(struct waiting_seats *seats)
{
    if (seats != NULL) {
        pthread_mutex_destroy(&seats->mutex);
        free(seats);
    }
}

static size_t bucket_of(const struct waiting_seats *seats, struct str code)
{
    struct hash hash = hash_start(seats->seed);
    hash_text(&hash, code.ptr, code.len);
    return hash.a % BUCKETS;
}

// Under the mutex, as the following ones. NULL: out of memory.
static struct waiting_application *find_application(struct waiting_seats *seats, struct str code)
{
    const size_t bucket = bucket_of(seats, code);
    struct waiting_application *application = seats->buckets[bucket];
    while (application != NULL &&
           !str_equal((struct str){application->code, application->code_len}, code)) {
        application = application->next;
    }
    if (application != NULL) {
        return application;
    }
    application = calloc(1, sizeof(struct waiting_application) + code.len);
    if (application != NULL) {
        memcpy(application->code, code.ptr, code.len);
        application->code_len = code.len;
        application->bucket = bucket;
        application->next = seats->buckets[bucket];
        seats->buckets[bucket] = application;
    }
    return application;
}

static void drop_if_unused(struct waiting_seats *seats, struct waiting_application *application)
{
    if (application->taken > 0) {
        return;
    }
    struct waiting_application **at = &seats->buckets[application->bucket];
    while (*at != application) {
        at = &(*at)->next;
    }
    *at = application->next;
    free(application);
}

static bool take_place(struct waiting_seats *seats, struct waiting_application *application)
{
    const size_t max_of_one = (seats->max + 1) / 2;
    if (seats->taken >= seats->max || application->taken >= max_of_one) {
        drop_if_unused(seats, application);
        return false;
    }
    seats->taken++;
    application->taken++;
    return true;
}

struct waiting_seat *waiting_seats_take(struct waiting_seats *seats, struct str app_code)
{
    struct waiting_seat *const seat = calloc(1, sizeof(struct waiting_seat));
    if (seat == NULL) {
        return NULL;
    }
    seat->since_us = clock_monotonic_us();
    pthread_mutex_lock(&seats->mutex);
    seat->application = find_application(seats, app_code);
    const bool is_taken = seat->application != NULL && take_place(seats, seat->application);
    pthread_mutex_unlock(&seats->mutex);
    if (!is_taken) {
        free(seat);
        return NULL;
    }
    return seat;
}

void waiting_seats_give_back(struct waiting_seats *seats, struct waiting_seat *seat)
{
    pthread_mutex_lock(&seats->mutex);
    seats->taken--;
    seat->application->taken--;
    drop_if_unused(seats, seat->application);
    pthread_mutex_unlock(&seats->mutex);
    watch_drop_roots(&seat->waiter);
    free(seat);
}

int64_t waiting_seats_until_us(const struct waiting_seat *seat)
{
    return seat->waiter.reason == WATCH_ENDED ? seat->since_us : seat->waiter.until_us;
}

static size_t end_of_wait(enum watch_reason reason)
{
    switch (reason) {
    case WATCH_CHANGE:
    case WATCH_DOUBT:
    case WATCH_TIMER:
        return METRICS_WAIT_CHANGE;
    case WATCH_TIME:
        return METRICS_WAIT_TIME;
    case WATCH_NOTHING:
    case WATCH_ENDED:
        break;
    }
    return METRICS_WAIT_ENDED;
}

void waiting_seats_count_end(const struct waiting_seat *seat, struct metrics_shard *shard)
{
    const struct watch_waiter *const waiter = &seat->waiter;
    metrics_add(&shard->waits[end_of_wait(waiter->reason)], 1);
    if (waiter->reason == WATCH_CHANGE) {
        metrics_add(&shard->wake_count, 1);
        metrics_add(&shard->wake_us, (uint64_t)(clock_monotonic_us() - waiter->woken_us));
    }
}
