// SPDX-License-Identifier: MIT
// apps: the register of applications as its administrator sees it. What writes bkflow_states_app
// stands here; what reads it to answer requests stands in store_mysql.
#ifndef BKFLOW_CTL_APPLICATIONS_H
#define BKFLOW_CTL_APPLICATIONS_H

#include "base/arena.h"
#include "conf/conf.h"
#include "base/error.h"
#include "base/metrics.h"
#include "auth/lookup.h"
#include "base/clock.h"

// Longest texts that the table takes, in characters; and bounds on a secret, in bytes. A secret is
// kept as one SHA-256, made to be quick: what a thief of the table could guess would be found, so a
// secret has to be too long to guess. 16 bytes is the least that can be. The most keeps a request
// that carries one well within the bounds of any web server.
enum {
    APPLICATION_CODE_MAX = 128,
    APPLICATION_DESCRIPTION_MAX = 255,
    APPLICATION_SECRET_MIN_BYTES = 16,
    APPLICATION_SECRET_MAX_BYTES = 512,
};

// What is wrong with a text, to stand behind "is" or "are"; NULL: nothing. Texts that look the same
// must not differ, so there are no blanks at the ends and nothing that nobody sees.
const char *applications_code_mistake(struct str code) MUST_CHECK;
const char *applications_secret_mistake(struct str secret) MUST_CHECK;
const char *applications_description_mistake(struct str description) MUST_CHECK;

struct applications; // used by one thread

// Connects when first used. CONF is borrowed until applications_free. NULL: no memory.
struct applications *applications_new(const struct conf_database *conf,
                                      struct metrics_shard *shard) MUST_CHECK NONNULL;
void applications_free(struct applications *apps);

// One application as a row has it. Texts in the arena; moments are microseconds since 1970 UTC.
struct application {
    struct str code;
    struct str description;
    bool is_enabled;
    int64_t created_us;
    int64_t rotated_us;        // CLOCK_NO_TIME: never
    int64_t previous_until_us; // CLOCK_NO_TIME: there is no other secret than the current one
    uint8_t salt[LOOKUP_SALT_BYTES];
    uint8_t digest[LOOKUP_DIGEST_BYTES];
    struct application *next;
};

// Makes the table unless it is there already.
int applications_create_table(struct applications *apps, struct error *err) MUST_CHECK NONNULL;

// The application with exactly this code, NULL when there is none.
int applications_find(struct applications *apps, struct str code, struct arena *arena,
                      struct application **record, struct error *err) MUST_CHECK NONNULL;

// All of them by code, as a list.
int applications_list(struct applications *apps, struct arena *arena, struct application **first,
                      struct error *err) MUST_CHECK NONNULL;

// Adds an application that may log in with SECRET from now on. Texts without mistakes.
int applications_add(struct applications *apps, struct str code, struct str secret,
                     struct str description, struct error *err) MUST_CHECK NONNULL;

// What follows changes the row that RECORD was read from: 1. Where somebody else has rotated or
// removed it meanwhile, nothing is done: 0. Else -1 with ERR set; where the connection was lost or
// the time is over, the change may have been made all the same.

// SECRET becomes the current one, and the current one the previous, which holds for GRACE_SECONDS
// more; 0: no longer. A previous secret from before is dropped.
int applications_rotate(struct applications *apps, const struct application *record,
                        struct str secret, int64_t grace_seconds,
                        struct error *err) MUST_CHECK NONNULL;
int applications_set_enabled(struct applications *apps, const struct application *record,
                             bool enabled, struct error *err) MUST_CHECK NONNULL;
int applications_remove(struct applications *apps, const struct application *record,
                        struct error *err) MUST_CHECK NONNULL;

// Whether SECRET is the current one.
bool applications_secret_is_current(const struct application *record,
                                    struct str secret) MUST_CHECK NONNULL;

#endif
