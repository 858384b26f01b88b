// SPDX-License-Identifier: MIT
// lookup: what a request names, and what the database says about it: the facts by which callers are
// authenticated and authorized.
#ifndef BKFLOW_AUTH_LOOKUP_H
#define BKFLOW_AUTH_LOOKUP_H

#include "base/base.h"

enum { LOOKUP_SALT_BYTES = 16, LOOKUP_DIGEST_BYTES = 32 };

// A row of bkflow_states_app. Digests are SHA-256(salt || secret).
struct lookup_application {
    bool exists;
    bool is_enabled;
    bool has_previous; // a secret that was rotated out and still holds for a while
    uint8_t salt[LOOKUP_SALT_BYTES];
    uint8_t digest[LOOKUP_DIGEST_BYTES];
    uint8_t previous_digest[LOOKUP_DIGEST_BYTES];
    int64_t previous_expires_us; // microseconds since 1970 UTC
};

// A row of task_taskinstance.
struct lookup_task {
    bool exists;
    bool is_deleted;
    bool is_started;
    bool is_expired;
    struct str instance_id; // the root node's id
    int64_t template_id;    // 0 when NULL
};

// A row of template_template.
struct lookup_template {
    bool exists;
    bool is_deleted;
    struct str app_code; // absent when NULL
};

// Whom and what a request names. Absent texts are not looked up. Texts are compared byte for byte,
// whatever the columns' collations hold equal.
struct lookup {
    struct str app_code;
    struct str username;
    int64_t task_id;
    // For reading the nodes along with the facts in the usual case. Both must hold before a node's
    // row may leave the database.
    struct str binding_code;  // the application that the task's template must be bound to
    struct str secret_digest; // what the claimed secret digests to; absent when its salt is unknown
    int64_t now_us;           // wall clock: whether a secret that was rotated out still holds
};

struct lookup_result {
    // The database itself has compared: the lookup's secret and user hold, and the task, which is
    // under way, is bound to binding_code, which template.app_code repeats. Of application, user
    // and template nothing else is read then.
    bool is_proven;
    struct lookup_application app;
    bool user_is_active; // there is such a user, and it is active
    struct lookup_task task;
    struct lookup_template template; // the task's
};

#endif
