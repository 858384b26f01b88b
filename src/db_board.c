// SPDX-License-Identifier: MIT
#include "db_board.h"

#include "clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    HOSTS_MAX = 64, // twice as many as a configuration can name; the rest is for those of old ones
    FIRST_PAUSE_US = 50 * 1000,
    LONGEST_PAUSE_US = 800 * 1000, // so that the service is right again within a second
};

struct host {
    uint64_t key;
    int64_t retry_at_us; // monotonic; 0: all is well
    int64_t pause_us;    // after the last failure
    int64_t used_us;     // monotonic; when it was last asked about
    unsigned code;       // of the last failure that was reported
    bool is_reported;
    bool is_silent;
};

struct db_board {
    struct db_watch_list watches;
    pthread_mutex_t mutex; // of all below
    pthread_cond_t changed;
    struct host hosts[HOSTS_MAX];
    uint64_t random;   // for the jitter of pauses
    uint64_t failures; // how many there were
    bool is_closed;
    atomic_uint silent; // hosts that are; read without the mutex, before each statement
    atomic_bool is_scouted;
};

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct db_board *db_board_new(void)
{
    struct db_board *const board = calloc(1, sizeof(struct db_board));
    if (board == NULL) {
        return NULL;
    }
    board->random =
        (uint64_t)clock_monotonic_us() ^ (uint64_t)(uintptr_t)board ^ (uint64_t)getpid() << 32;
    db_watch_list_init(&board->watches);
    pthread_mutex_init(&board->mutex, NULL);
    init_condition(&board->changed);
    return board;
}

void db_board_free(struct db_board *board)
{
    if (board != NULL) {
        pthread_cond_destroy(&board->changed);
        pthread_mutex_destroy(&board->mutex);
        db_watch_list_end(&board->watches);
        free(board);
    }
}

struct db_watch_list *db_board_watches(struct db_board *board)
{
    return &board->watches;
}

// ---- hosts ----

static void set_silent(struct db_board *board, struct host *host, bool is_silent)
{
    if (host->is_silent != is_silent) {
        host->is_silent = is_silent;
        atomic_fetch_add(&board->silent, is_silent ? 1U : -1U);
    }
}

// Takes the mutex and finds the host; one that is not known yet takes the place of the one that
// nobody has asked about for longest.
static struct host *lock_host(struct db_board *board, uint64_t key)
{
    pthread_mutex_lock(&board->mutex);
    struct host *found = &board->hosts[0];
    for (size_t i = 0; i < HOSTS_MAX && found->key != key; i++) {
        struct host *const host = &board->hosts[i];
        found = host->key == key || host->used_us < found->used_us ? host : found;
    }
    if (found->key != key) {
        set_silent(board, found, false);
        *found = (struct host){.key = key};
    }
    found->used_us = clock_monotonic_us();
    return found;
}

static void unlock(struct db_board *board)
{
    pthread_mutex_unlock(&board->mutex);
}

static void postpone(struct db_board *board, struct host *host)
{
    const int64_t doubled = host->pause_us == 0 ? FIRST_PAUSE_US : host->pause_us * 2;
    host->pause_us = doubled > LONGEST_PAUSE_US ? LONGEST_PAUSE_US : doubled;
    board->random ^= board->random << 13; // Marsaglia's xorshift64
    board->random ^= board->random >> 7;
    board->random ^= board->random << 17;
    const int64_t jitter = (int64_t)(board->random % (uint64_t)(host->pause_us / 2 + 1));
    host->retry_at_us = clock_monotonic_us() + host->pause_us - jitter;
}

static void tell_scout(struct db_board *board)
{
    board->failures++;
    pthread_cond_signal(&board->changed);
}

bool db_board_failed(struct db_board *board, uint64_t key, unsigned code)
{
    struct host *const host = lock_host(board, key);
    const bool is_news = !host->is_reported || host->code != code;
    host->is_reported = true;
    host->code = code;
    postpone(board, host);
    tell_scout(board);
    unlock(board);
    return is_news;
}

bool db_board_succeeded(struct db_board *board, uint64_t key)
{
    struct host *const host = lock_host(board, key);
    const bool is_news = host->is_reported;
    set_silent(board, host, false);
    host->is_reported = false;
    host->pause_us = 0;
    host->retry_at_us = 0;
    unlock(board);
    return is_news;
}

bool db_board_suspect(struct db_board *board, uint64_t key)
{
    struct host *const host = lock_host(board, key);
    const bool is_news = host->retry_at_us == 0;
    if (is_news) {
        postpone(board, host);
        host->retry_at_us = board->is_scouted ? clock_monotonic_us() : host->retry_at_us;
        tell_scout(board);
    }
    unlock(board);
    return is_news;
}

void db_board_silent(struct db_board *board, uint64_t key)
{
    set_silent(board, lock_host(board, key), true);
    unlock(board);
}

bool db_board_is_silent(struct db_board *board, uint64_t key)
{
    if (LIKELY(atomic_load_explicit(&board->silent, memory_order_relaxed) == 0)) {
        return false;
    }
    const bool is_silent = lock_host(board, key)->is_silent;
    unlock(board);
    return is_silent;
}

int64_t db_board_retry_at(struct db_board *board, uint64_t key)
{
    const int64_t retry_at_us = lock_host(board, key)->retry_at_us;
    unlock(board);
    return retry_at_us;
}

// ---- scouting ----

void db_board_set_scouted(struct db_board *board)
{
    atomic_store(&board->is_scouted, true);
}

bool db_board_is_scouted(struct db_board *board)
{
    return atomic_load(&board->is_scouted);
}

static bool wait_for_change(struct db_board *board, int64_t until_us)
{
    if (until_us < 0) {
        return pthread_cond_wait(&board->changed, &board->mutex) == 0;
    }
    const struct timespec until = {.tv_sec = until_us / US_PER_SECOND,
                                   .tv_nsec = until_us % US_PER_SECOND * 1000};
    return pthread_cond_timedwait(&board->changed, &board->mutex, &until) == 0;
}

void db_board_wait(struct db_board *board, uint64_t *seen, int64_t until_us)
{
    pthread_mutex_lock(&board->mutex);
    while (!board->is_closed && board->failures == *seen && wait_for_change(board, until_us)) {
    }
    *seen = board->failures;
    pthread_mutex_unlock(&board->mutex);
}

void db_board_close(struct db_board *board)
{
    pthread_mutex_lock(&board->mutex);
    board->is_closed = true;
    board->is_scouted = false;
    pthread_cond_signal(&board->changed);
    pthread_mutex_unlock(&board->mutex);
}

bool db_board_is_closed(struct db_board *board)
{
    pthread_mutex_lock(&board->mutex);
    const bool is_closed = board->is_closed;
    pthread_mutex_unlock(&board->mutex);
    return is_closed;
}
