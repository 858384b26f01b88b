// SPDX-License-Identifier: MIT
// stage: a complete service with a fake store, a fixed clock and a sink for its answers.
#ifndef BKFLOW_TEST_STAGE_H
#define BKFLOW_TEST_STAGE_H

#include "auth/gateway.h"
#include "rows.h"
#include "states/service.h"
#include "support.h"

// The stage's settings; tests may change the fake store.
#define STAGE_APP    "demo_app"
#define STAGE_SECRET "demo-secret"
#define STAGE_USER   "admin"
#define STAGE_TASK   10
#define STAGE_PATH   "/task/10/get_task_states_by_app/"
#define STAGE_ROOT   "n0000000000000000000000000000001"
// 2023-06-15 09:30:00 UTC, which is 17:30:00 in Shanghai.
#define STAGE_NOW_US INT64_C(1686821400000000)
#define STAGE_CREDENTIALS                                                                          \
    "{\"bk_app_code\":\"" STAGE_APP "\",\"bk_app_secret\":\"" STAGE_SECRET                         \
    "\",\"bk_username\":\"" STAGE_USER "\"}"

enum { STAGE_ARENA_BYTES = 16 << 20, STAGE_BUFFER_BYTES = 4096 };

struct stage {
    struct conf *conf;
    struct gateways *gateways;
    struct limiter *limiter;
    struct refusals *refusals;
    struct metrics *metrics;
    struct fake_store fake;
    struct service service;
    struct sink *sink;
    char *buffer;                  // STAGE_BUFFER_BYTES, guarded
    struct http_response response; // of the last request
};

// ENVIRONMENT sets configuration keys, as for conf_load; NULL: all defaults.
struct stage *stage_new(char *const *environment);
void stage_free(struct stage *stage);

// Discards log events from now on. Events of all levels are still formatted. Returns 0 or -1.
int stage_discard_log(void);

// A variable of a request. A request is an array that ends with a variable without a name.
struct variable {
    const char *name;
    const char *value;
};

// Called before and after a request that a test makes itself.
void stage_begin(struct stage *stage);
int stage_end(struct stage *stage);

// Answers a request that the transport refused.
void stage_refuse(struct stage *stage, enum error_kind kind);

// Empties the sink, has the service answer into it, and returns the status.
int stage_handle(struct stage *stage, const struct variable *variables);

// The same for GET PATH with good credentials in the header and up to one more variable.
int stage_get(struct stage *stage, const char *path, struct variable more);
#define NO_VARIABLE ((struct variable){NULL, NULL})

// The same for POST PATH with a body of JSON, which is in guarded memory.
int stage_post(struct stage *stage, const char *path, struct str body, struct variable more);

// Returns a header of the last answer; absent if it has none. The test fails if there are two.
struct str stage_header(const struct stage *stage, const char *name);
struct str stage_body(const struct stage *stage);

// The last answer's body, which is an object of these members in this order, with the request's id.
// To be put.
enum { STAGE_MEMBERS = 5 };
struct json_object *stage_envelope(const struct stage *stage,
                                   const char *const members[STAGE_MEMBERS]);

// Checks that the last answer is the error envelope with all members in order and this code. Free
// the result with json_object_put.
struct json_object *stage_error(const struct stage *stage, int code);

#endif
