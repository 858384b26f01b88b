// SPDX-License-Identifier: MIT
// watch: who waits for changes of which tasks, and whom a change, the clock or a doubt wakes. Knows
// neither threads nor sockets nor the database: digests and times are arguments.
//
// The rule: a root has the digest that the database returned last, and the time since when it is
// known to be current, SINCE: the end of the statement that returned it first on this connection. A
// waiter whose rows were read at or after SINCE has read the state of that digest or a newer one,
// so the next change changes the digest and wakes it. A waiter whose rows were read before SINCE
// may have missed a change: it is woken. It reads again, and waits again if there was none; waking
// somebody in vain does no harm.
//
// What the rule needs: rows do not return to an earlier content between two statements. The engine
// gives a node a new version with each of its states.
#ifndef BKFLOW_STATES_WATCH_H
#define BKFLOW_STATES_WATCH_H

#include "base/base.h"
#include "states/store.h"

enum { WATCH_ROOT_BYTES = 132 }; // of a root's id: varchar(33) in utf8mb4

enum watch_reason {
    WATCH_NOTHING, // it has not been woken yet
    WATCH_CHANGE,  // the digest of a root has changed
    WATCH_DOUBT,   // a change may have been missed
    WATCH_TIMER,   // it is time to read again
    WATCH_TIME,    // its time is over
    WATCH_ENDED,   // somebody has ended its wait
};

struct watch_root;
struct watch_waiter;

// The place of a waiter in the list of one root.
struct watch_link {
    struct watch_waiter *waiter;
    struct watch_root *root; // NULL: not in a list
    struct watch_link *next;
    struct watch_link *previous;
    struct str key; // the root's id
};

// Somebody who waits for a change of any of its roots. In its owner's memory; the watch's from
// watch_add until watch_take_ready or watch_remove.
struct watch_waiter {
    void *context;            // the owner's
    struct watch_link *links; // owned; see watch_set_roots
    size_t link_count;
    int64_t until_us; // end of the wait, monotonic
    int64_t read_us;  // its rows were read after this time, monotonic
    // Set by the owner: reads again after this time, even without a change. 0: not.
    int64_t reread_us;
    bool has_failed; // set by the owner: it could not read; tries again later and later
    // Why it was woken last, and when the watch noticed that.
    enum watch_reason reason;
    int64_t woken_us;
    // The watch's own.
    unsigned rounds; // how often it was woken in vain, or has failed, in a row
    int64_t due_us;
    size_t place; // in the heap
    bool is_ready;
    struct watch_waiter *next; // of those that are ready
    struct watch_waiter *previous;
};

struct watch;

// SEED: a number that outsiders cannot know. NULL: out of memory.
struct watch *watch_new(uint64_t seed) MUST_CHECK;
void watch_free(struct watch *watch);

// Sets what the waiter waits for: copies of ids of at most WATCH_ROOT_BYTES each. Without any, only
// the clock wakes it. -1 if out of memory; the waiter is unchanged then. The waiter must not be in
// a watch.
int watch_set_roots(struct watch_waiter *waiter, const struct str roots[], size_t count) MUST_CHECK
    __attribute__((nonnull(1)));
void watch_drop_roots(struct watch_waiter *waiter) NONNULL;

// Adds a waiter, which may be ready at once. -1 if out of memory; it is not added then.
int watch_add(struct watch *watch, struct watch_waiter *waiter, int64_t now_us) MUST_CHECK NONNULL;

// Removes a waiter for good, ready or not.
void watch_remove(struct watch *watch, struct watch_waiter *waiter, int64_t now_us) NONNULL;

// Makes a waiter ready, or all of them.
void watch_wake(struct watch *watch, struct watch_waiter *waiter, enum watch_reason reason,
                int64_t now_us) NONNULL;
void watch_wake_all(struct watch *watch, enum watch_reason reason, int64_t now_us) NONNULL;

// Makes those ready that are due.
void watch_look(struct watch *watch, int64_t now_us) NONNULL;

// Returns when the next waiter is due; INT64_MAX: none is.
int64_t watch_due_us(const struct watch *watch) MUST_CHECK NONNULL;

// Removes the waiter that has been ready for the longest time and returns it; NULL: none is.
struct watch_waiter *watch_take_ready(struct watch *watch) MUST_CHECK NONNULL;
bool watch_has_ready(const struct watch *watch) MUST_CHECK NONNULL;

// ---- the roots ----

// Some of the roots, with their ids. The digests are to be filled in.
struct watch_batch {
    size_t count;
    struct str roots[STORE_DIGESTS_MAX]; // in BYTES
    struct store_digest digests[STORE_DIGESTS_MAX];
    char bytes[STORE_DIGESTS_MAX][WATCH_ROOT_BYTES];
};

size_t watch_root_count(const struct watch *watch) MUST_CHECK NONNULL;

// Fills BATCH with the next roots; an empty one is the end of the round, and the next call begins
// another. Roots that nobody has waited for for WATCH_KEPT_US are dropped. They are kept so long
// because clients that have their answer ask again at once.
enum { WATCH_KEPT_US = 5 * 1000 * 1000 };
void watch_next_batch(struct watch *watch, struct watch_batch *batch, int64_t now_us) NONNULL;

// Takes the digests of a batch, which a statement returned that ended at ENDED_US. PLACE identifies
// the connection that it used: another one may have read another server, and one of the two may be
// behind. Returns how many roots have changed.
size_t watch_take_batch(struct watch *watch, const struct watch_batch *batch, int64_t ended_us,
                        uint64_t place, int64_t now_us) NONNULL;

#endif
