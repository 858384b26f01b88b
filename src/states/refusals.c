// SPDX-License-Identifier: MIT
#include "states/refusals.h"

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

// A client's refusals for one cause since the first one was logged.
struct entry {
    struct cidr_address client;
    enum error_kind cause;
    int64_t end_us; // of the interval; 0: the entry is free
    int64_t held_back;
};

struct refusals {
    pthread_mutex_t mutex;
    _Atomic int64_t first_end_us; // the earliest end of an interval
    struct entry clients[REFUSALS_CLIENTS];
    struct entry others[ERR_KIND_COUNT]; // by cause, for clients without a free entry
};

struct refusals *refusals_new(void)
{
    struct refusals *const refusals = calloc(1, sizeof *refusals);
    if (refusals != NULL) {
        pthread_mutex_init(&refusals->mutex, NULL);
        refusals->first_end_us = INT64_MAX;
    }
    return refusals;
}

void refusals_free(struct refusals *refusals)
{
    if (refusals != NULL) {
        refusals_report(refusals, INT64_MAX);
        pthread_mutex_destroy(&refusals->mutex);
        free(refusals);
    }
}

static bool is_of(const struct entry *entry, const struct cidr_address *client,
                  enum error_kind cause)
{
    return entry->end_us != 0 && entry->cause == cause &&
           entry->client.is_known == client->is_known &&
           memcmp(entry->client.bytes, client->bytes, sizeof client->bytes) == 0;
}

// Returns the entry of client and cause, else a free one, else the shared one.
static struct entry *find(struct refusals *refusals, const struct cidr_address *client,
                          enum error_kind cause)
{
    struct entry *found = &refusals->others[cause];
    for (size_t i = 0; i < REFUSALS_CLIENTS; i++) {
        struct entry *const entry = &refusals->clients[i];
        if (is_of(entry, client, cause)) {
            return entry;
        }
        found = entry->end_us == 0 ? entry : found;
    }
    return found;
}

bool refusals_count(struct refusals *refusals, struct cidr_address address, enum error_kind cause,
                    int64_t now_us)
{
    const struct cidr_address client = cidr_address_client(address);
    refusals_report(refusals, now_us);
    pthread_mutex_lock(&refusals->mutex);
    struct entry *const entry = find(refusals, &client, cause);
    const bool is_first = entry->end_us == 0;
    if (is_first) {
        *entry = (struct entry){client, cause, now_us + REFUSALS_INTERVAL_S * US_PER_SECOND, 0};
        if (entry->end_us < atomic_load(&refusals->first_end_us)) {
            atomic_store(&refusals->first_end_us, entry->end_us);
        }
    } else {
        entry->held_back++;
    }
    pthread_mutex_unlock(&refusals->mutex);
    return is_first;
}

static void report(const struct entry *entry, bool is_shared)
{
    char text[CIDR_ADDRESS_TEXT];
    const struct str address = is_shared ? STR("others") : cidr_address_text(entry->client, text);
    LOG_EVENT(LOG_LEVEL_INFO, "more requests refused", LOG_TEXT("address", address),
              LOG_TEXT("cause", str_from(error_label(entry->cause))),
              LOG_NUMBER("count", entry->held_back));
}

// Removes an entry whose interval is over; if there is none, updates the earliest end of an
// interval.
static bool take_ended(struct refusals *refusals, int64_t now_us, struct entry *ended,
                       bool *is_shared)
{
    int64_t first_end_us = INT64_MAX;
    for (size_t i = 0; i < REFUSALS_CLIENTS + ERR_KIND_COUNT; i++) {
        *is_shared = i >= REFUSALS_CLIENTS;
        struct entry *const entry =
            *is_shared ? &refusals->others[i - REFUSALS_CLIENTS] : &refusals->clients[i];
        if (entry->end_us != 0 && entry->end_us <= now_us) {
            *ended = *entry;
            entry->end_us = 0;
            return true;
        }
        if (entry->end_us != 0 && entry->end_us < first_end_us) {
            first_end_us = entry->end_us;
        }
    }
    atomic_store(&refusals->first_end_us, first_end_us);
    return false;
}

void refusals_report(struct refusals *refusals, int64_t now_us)
{
    bool has_taken = true;
    while (has_taken && atomic_load(&refusals->first_end_us) <= now_us) {
        struct entry ended;
        bool is_shared;
        pthread_mutex_lock(&refusals->mutex);
        has_taken = take_ended(refusals, now_us, &ended, &is_shared);
        pthread_mutex_unlock(&refusals->mutex);
        // After unlocking, because logging may block.
        if (has_taken && ended.held_back > 0) {
            report(&ended, is_shared);
        }
    }
}
