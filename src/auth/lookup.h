// SPDX-License-Identifier: MIT
// lookup: what a request names, and the rows that the database has about it, by which callers are
// authenticated and authorized. The strings are stored in place, so filling it in needs no memory.
#ifndef BKFLOW_AUTH_LOOKUP_H
#define BKFLOW_AUTH_LOOKUP_H

#include "base/base.h"

enum {
    LOOKUP_SALT_BYTES = 16,
    LOOKUP_DIGEST_BYTES = 32,
    // Characters in the columns, of up to four bytes each.
    LOOKUP_APP_CODE_CHARS = 128,
    LOOKUP_USERNAME_CHARS = 255,
    LOOKUP_INSTANCE_ID_CHARS = 33,
    LOOKUP_SPACE_APP_CODE_CHARS = 32,
};

// A row of bkflow_states_app. Digests are SHA-256(salt || secret).
struct lookup_application {
    bool exists;
    bool is_enabled;
    bool has_previous; // the secret before a rotation is still valid for a while
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
    int64_t space_id;
    struct str instance_id; // the root node's id
    int64_t template_id;    // 0 when NULL
    char instance_id_bytes[LOOKUP_INSTANCE_ID_CHARS * 4];
};

// A row of template_template.
struct lookup_template {
    bool exists;
    bool is_deleted;
    struct str app_code; // absent when NULL
    char app_code_bytes[LOOKUP_APP_CODE_CHARS * 4];
};

// A row of space_space.
struct lookup_space {
    bool exists;
    struct str app_code;
    char app_code_bytes[LOOKUP_SPACE_APP_CODE_CHARS * 4];
};

// What the database says. All zero: nothing was found.
struct lookup_result {
    struct lookup_application app;
    bool user_is_active; // the user exists and is active
    struct lookup_task task;
    struct lookup_template template; // the task's
    struct lookup_space space;       // the one that the request names, which may not be the task's
};

// What a request names. Absent strings are not looked up. Strings are compared byte for byte,
// whatever the columns' collations treat as equal.
struct lookup {
    struct str app_code;
    struct str username;
    int64_t task_id;
    int64_t space_id;
    struct lookup_result result;
};

#endif
