// SPDX-License-Identifier: MIT
// statements: all SQL, each statement in one place with its parameters and columns. Part of
// store_mysql. The SQL only reads rows: none of its conditions decides who may see what, and no
// text column is compared with another column.
#ifndef BKFLOW_STATES_STATEMENTS_H
#define BKFLOW_STATES_STATEMENTS_H

#include "conf/conf.h"
#include "db/check.h"
#include "db/connection.h"

// Each statement but DIGESTS exists for 1, 2, 4, 8 and 16 keys. For other numbers the last key is
// repeated.
enum { STATEMENT_SIZES = 5, STATEMENT_KEYS_MAX = 16 };

enum statement_kind {
    STATEMENT_APPLICATIONS,        // applications by code
    STATEMENT_CALLERS,             // applications by code, and users by name
    STATEMENT_SPACES,              // spaces by id
    STATEMENT_TASKS,               // tasks by id
    STATEMENT_TEMPLATES,           // templates by id
    STATEMENT_TASKS_AND_TEMPLATES, // both, if they are in one database
    STATEMENT_NODES,               // nodes by root, ordered by root and id
    STATEMENT_LINKS,   // the tasks that tasks started, by the latter's id, in the order of both ids
    STATEMENT_DIGESTS, // of the nodes of each root
    STATEMENT_KINDS,
};

// The columns of APPLICATIONS and CALLERS. A row is an application or, only in CALLERS, a user; the
// columns of the other one are NULL.
enum {
    CALLER_APP_CODE,
    CALLER_IS_ENABLED,
    CALLER_SALT,
    CALLER_DIGEST,
    CALLER_PREVIOUS_DIGEST,
    CALLER_PREVIOUS_EXPIRES_AT,
    CALLER_USERNAME,
    CALLER_IS_ACTIVE,
};

// The columns of SPACES.
enum { SPACE_ID, SPACE_APP_CODE };

// The columns of TASKS, and the first ones of TASKS_AND_TEMPLATES.
enum {
    TASK_ID,
    TASK_IS_DELETED,
    TASK_IS_STARTED,
    TASK_IS_EXPIRED,
    TASK_INSTANCE_ID,
    TASK_TEMPLATE_ID,
    TASK_SPACE_ID,
    TASK_WIDTH,
};

// The columns of TEMPLATES, and the last ones of TASKS_AND_TEMPLATES.
enum { TEMPLATE_ID, TEMPLATE_IS_DELETED, TEMPLATE_APP_CODE };

// The columns of LINKS.
enum { LINK_PARENT, LINK_TASK, LINK_EXTRA_INFO };

// The columns of NODES.
enum {
    NODE_COLUMN_ROOT,
    NODE_COLUMN_ID,
    NODE_COLUMN_PARENT,
    NODE_COLUMN_STATE,
    NODE_COLUMN_VERSION,
    NODE_COLUMN_LOOP,
    NODE_COLUMN_RETRY,
    NODE_COLUMN_SKIP,
    NODE_COLUMN_IGNORED,
    NODE_COLUMN_STARTED,
    NODE_COLUMN_ARCHIVED,
    NODE_COLUMN_WIDTH,
};

// The columns of DIGESTS.
enum { DIGEST_ROOT, DIGEST_ROWS, DIGEST_BITS };

// Return the index of the size for COUNT keys, and the number of keys of a size.
size_t statements_size(size_t count) MUST_CHECK;
size_t statements_keys(size_t size) MUST_CHECK;

// The same for DIGESTS, which exists for 1, 4, 16, 64 and 256 keys: a statement for many costs the
// server least.
enum { STATEMENT_DIGEST_KEYS_MAX = 256 };
size_t statements_digest_size(size_t count) MUST_CHECK;
size_t statements_digest_keys(size_t size) MUST_CHECK;

// The keys of one statement, without duplicates.
struct statements_key_set {
    struct db_parameter list[STATEMENT_KEYS_MAX];
    size_t count;
};

// Adds the key unless it is there already. At most STATEMENT_KEYS_MAX.
void statements_add_key(struct statements_key_set *keys, struct db_parameter key) NONNULL;

// Writes COUNT parameters: the keys, then the last key repeated. There must be at least one key.
void statements_put_keys(struct db_parameter *parameters, const struct statements_key_set *keys,
                         size_t count) NONNULL;

// Returns a statement. CALLERS takes the codes, then as many names; NODES takes the roots,
// and LINKS the tasks, then the row limit.
const struct db_statement *statements_get(enum statement_kind kind, size_t size) MUST_CHECK;

// Returns what requests need in a database with this configuration; tables that are not needed may
// be missing. Nothing for the engine database if one database has all tables.
enum statements_database { STATEMENTS_INTERFACE, STATEMENTS_ENGINE };
struct db_checks statements_checks(const struct conf *conf,
                                   enum statements_database database) MUST_CHECK NONNULL;

// Returns the statement's slot in a connection.
unsigned statements_slot(enum statement_kind kind, size_t size) MUST_CHECK;

#endif
