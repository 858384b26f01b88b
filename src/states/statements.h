// SPDX-License-Identifier: MIT
// statements: the SQL of the product, each text in one place with its parameters and columns. A
// part of store_mysql. SQL brings facts: no condition in it decides who may see what, and no column
// of text is compared with another column.
#ifndef BKFLOW_STATES_STATEMENTS_H
#define BKFLOW_STATES_STATEMENTS_H

#include "conf/conf.h"
#include "db/check.h"
#include "db/connection.h"

// A statement exists for groups of 1, 2, 4, 8 and 16 keys. A group between two sizes repeats its
// last key.
enum { STATEMENT_SIZES = 5, STATEMENT_KEYS_MAX = 16 };

enum statement_kind {
    STATEMENT_APPLICATIONS,        // applications by code
    STATEMENT_CALLERS,             // applications by code, and users by name
    STATEMENT_TASKS,               // tasks by id
    STATEMENT_TEMPLATES,           // templates by id
    STATEMENT_TASKS_AND_TEMPLATES, // both, where they are in one database
    STATEMENT_NODES,               // nodes by root, in the order of root and id
    STATEMENT_KINDS,
};

// The columns of APPLICATIONS and CALLERS. A row is either an application or, of CALLERS only, a
// user: the columns of the other one are NULL.
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

// The columns of TASKS, which TASKS_AND_TEMPLATES begin with.
enum {
    TASK_ID,
    TASK_IS_DELETED,
    TASK_IS_STARTED,
    TASK_IS_EXPIRED,
    TASK_INSTANCE_ID,
    TASK_TEMPLATE_ID,
    TASK_WIDTH,
};

// The columns of TEMPLATES, which TASKS_AND_TEMPLATES end with.
enum { TEMPLATE_ID, TEMPLATE_IS_DELETED, TEMPLATE_APP_CODE };

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

// The size index for COUNT keys, and how many keys it takes.
size_t statements_size(size_t count) MUST_CHECK;
size_t statements_keys(size_t size) MUST_CHECK;

// The keys of one statement, each of them once.
struct statements_key_set {
    struct db_parameter list[STATEMENT_KEYS_MAX];
    size_t count;
};

// Adds the key unless it is there. At most STATEMENT_KEYS_MAX.
void statements_add_key(struct statements_key_set *keys, struct db_parameter key) NONNULL;

// Writes COUNT parameters: the keys, of which there is at least one, the last of them repeated.
void statements_put_keys(struct db_parameter *parameters, const struct statements_key_set *keys,
                         size_t count) NONNULL;

// CALLERS take the codes, then as many names; NODES the roots, then the most rows.
const struct db_statement *statements_get(enum statement_kind kind, size_t size) MUST_CHECK;

// What requests need in a database, given the configuration: a table that is not needed need not
// exist. None in the engine's where one database has all.
enum statements_database { STATEMENTS_INTERFACE, STATEMENTS_ENGINE };
struct db_checks statements_checks(const struct conf *conf,
                                   enum statements_database database) MUST_CHECK NONNULL;

// The statement's place in a connection.
unsigned statements_slot(enum statement_kind kind, size_t size) MUST_CHECK;

#endif
