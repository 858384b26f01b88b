// SPDX-License-Identifier: MIT
// error: why a request failed. One table gives each cause its HTTP status, its stable code, and its
// name in logs and metrics. Errors are returned as values. states/messages has the texts that
// clients read.
#ifndef BKFLOW_BASE_ERROR_H
#define BKFLOW_BASE_ERROR_H

#include "base/base.h"

// X(kind, HTTP status, code, label)
// clang-format off
#define ERR_KINDS(X)                                                                               \
    X(ERR_BAD_REQUEST, 400, 40000, "bad_request")                                                  \
    X(ERR_MALFORMED_VARIABLES, 400, 40000, "malformed_variables")                                  \
    X(ERR_TASK_ID, 400, 40001, "task_id")                                                          \
    X(ERR_DUPLICATE_CREDENTIALS, 400, 40002, "duplicate_credentials")                              \
    X(ERR_CREDENTIALS_FORMAT, 400, 40003, "credentials_format")                                    \
    X(ERR_QUERY_FORMAT, 400, 40004, "query_format")                                                \
    X(ERR_SPACE_PATH, 400, 40005, "space_path")                                                    \
    X(ERR_TASK_IDS, 400, 40006, "task_ids")                                                        \
    X(ERR_BODY_FORMAT, 400, 40007, "body_format")                                                  \
    X(ERR_CREDENTIALS_MISSING, 401, 40101, "credentials_missing")                                  \
    X(ERR_CREDENTIALS_WRONG, 401, 40102, "credentials_wrong")                                      \
    X(ERR_USER_UNKNOWN, 401, 40103, "user_unknown")                                                \
    X(ERR_TOKEN_REFUSED, 401, 40104, "token_refused")                                              \
    X(ERR_TOKEN_CLAIMS, 401, 40104, "token_claims")                                                \
    X(ERR_WAY_IN_CLOSED, 401, 40105, "way_in_closed")                                              \
    X(ERR_TASK_WITHOUT_TEMPLATE, 403, 40301, "task_without_template")                              \
    X(ERR_TEMPLATE_UNBOUND, 403, 40302, "template_unbound")                                        \
    X(ERR_OTHER_APPLICATION, 403, 40303, "other_application")                                      \
    X(ERR_METRICS_CLOSED, 403, 40304, "metrics_closed")                                            \
    X(ERR_NO_SPACE, 403, 40305, "no_space")                                                        \
    X(ERR_SPACE_OF_OTHER_APPLICATION, 403, 40306, "space_of_other_application")                    \
    X(ERR_TASK_OF_OTHER_SPACE, 403, 40307, "task_of_other_space")                                  \
    X(ERR_UNKNOWN_PATH, 404, 40401, "unknown_path")                                                \
    X(ERR_NO_PATH_INFO, 404, 40401, "no_path_info")                                                \
    X(ERR_NO_TASK, 404, 40402, "no_task")                                                          \
    X(ERR_NO_TEMPLATE, 404, 40403, "no_template")                                                  \
    X(ERR_METHOD, 405, 40501, "method")                                                            \
    X(ERR_BODY_TOO_LARGE, 413, 41301, "body_too_large")                                            \
    X(ERR_HEAD_TOO_LARGE, 431, 43101, "head_too_large")                                            \
    X(ERR_TOO_MANY_FAILURES, 429, 42901, "too_many_failures")                                      \
    X(ERR_INTERNAL, 500, 50001, "internal")                                                        \
    X(ERR_NO_ROOT_ROW, 500, 50002, "no_root_row")                                                  \
    X(ERR_TOO_MANY_NODES, 500, 50003, "too_many_nodes")                                            \
    X(ERR_TOO_MANY_NODES_TOGETHER, 500, 50003, "too_many_nodes_together")                          \
    X(ERR_NO_MEMORY, 500, 50004, "no_memory")                                                      \
    X(ERR_DATABASE_DOWN, 503, 50301, "database_down")                                              \
    X(ERR_DATABASE_FAULT, 503, 50303, "database_fault")                                            \
    X(ERR_OVERLOADED, 503, 50302, "overloaded")                                                    \
    X(ERR_QUERY_TIMEOUT, 504, 50401, "query_timeout")

enum error_kind {
#define ERR_ENUM(kind, ...) kind,
    ERR_KINDS(ERR_ENUM)
#undef ERR_ENUM
    ERR_KIND_COUNT
};
// clang-format on

// One failure, and what is needed to report it. The strings are borrowed: they must live as long as
// the error.
struct error {
    enum error_kind kind;
    int64_t task_id;
    int64_t template_id;
    int64_t space_id;
    struct str app;
    struct str bound_app;
    struct str subject;   // what is wrong or missing, in the client's terms
    unsigned wait_s;      // for ERR_TOO_MANY_FAILURES: when to try again
    unsigned server_code; // error number of the database server or its client library; 0: none
    char detail[256];     // for the log only, never for the client
};

// error_set(struct error *err, enum error_kind kind, const char *detail, ...): makes ERR an error
// of KIND. Its value is always -1, so that "return error_set(...)" cannot report success. DETAIL is
// a printf format for the log only; it must not contain secrets.
#define error_set(...) (error_record(__VA_ARGS__), -1)

// Like error_set, and sets the subject: what is wrong or missing, in the client's terms.
#define error_set_subject(err, kind, about, ...)                                                   \
    ((err)->subject = (about), error_record((err), (kind), __VA_ARGS__), -1)

void error_record(struct error *err, enum error_kind kind, const char *detail, ...)
    PRINTF_LIKE(3, 4) __attribute__((nonnull(1, 3)));

int error_status(enum error_kind kind) MUST_CHECK;
int error_code(enum error_kind kind) MUST_CHECK;
const char *error_label(enum error_kind kind) MUST_CHECK;

// Returns the seconds after which a retry makes sense, for Retry-After; 0 if the error is
// permanent.
unsigned error_retry_after(const struct error *err) MUST_CHECK NONNULL;

#endif
