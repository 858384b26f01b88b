// SPDX-License-Identifier: MIT
// applications: table bkflow_states_app as its administrator uses it. All statements that write it
// are here; store_mysql reads it to answer requests.
#ifndef BKFLOW_CTL_APPLICATIONS_H
#define BKFLOW_CTL_APPLICATIONS_H

#include "base/arena.h"
#include "conf/conf.h"
#include "base/error.h"
#include "base/metrics.h"
#include "auth/lookup.h"
#include "base/clock.h"

// The longest texts that the table takes, in characters, and bounds on a secret, in bytes. The
// table holds one SHA-256 of a secret, which is fast to compute: whoever steals the table can try
// many secrets, so a secret must be too long to guess. The maximum keeps a request with a secret
// within the limits of every web server.
enum {
    APPLICATION_CODE_MAX = 128,
    APPLICATION_DESCRIPTION_MAX = 255,
    APPLICATION_SECRET_MIN_BYTES = 16,
    APPLICATION_SECRET_MAX_BYTES = 512,
};

// What is wrong with a text, as the end of a sentence: "the code is ...". NULL: nothing. Different
// texts must look different: no blanks at the ends, no invisible characters.
const char *applications_code_mistake(struct str code) MUST_CHECK;
const char *applications_secret_mistake(struct str secret) MUST_CHECK;
const char *applications_description_mistake(struct str description) MUST_CHECK;

struct applications; // used by one thread

// Connects when first used. CONF is borrowed until applications_free. NULL: no memory.
struct applications *applications_new(const struct conf_database *conf,
                                      struct metrics_shard *shard) MUST_CHECK NONNULL;
void applications_free(struct applications *apps);

// A row of the table. Texts are in the arena; times are microseconds since 1970 UTC.
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

// Creates the table unless it exists.
int applications_create_table(struct applications *apps, struct error *err) MUST_CHECK NONNULL;

// Finds the application with exactly this code; NULL if there is none.
int applications_find(struct applications *apps, struct str code, struct arena *arena,
                      struct application **record, struct error *err) MUST_CHECK NONNULL;

// Reads all applications, ordered by code.
int applications_list(struct applications *apps, struct arena *arena, struct application **first,
                      struct error *err) MUST_CHECK NONNULL;

// Adds an application that may log in with SECRET from now on. The texts must have passed the
// checks above.
int applications_add(struct applications *apps, struct str code, struct str secret,
                     struct str description, struct error *err) MUST_CHECK NONNULL;

// The following functions change the row that RECORD was read from and return 1. If somebody else
// has rotated or removed it meanwhile, they change nothing and return 0. -1 with ERR set: if the
// connection was lost or the statement timed out, the change may have been made.

// Makes SECRET the current secret. The old one is accepted for another GRACE_SECONDS; 0: no longer.
// A secret from an earlier rotation is dropped.
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
