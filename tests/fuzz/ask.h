// SPDX-License-Identifier: MIT
// ask: puts a request to a whole service with a fake store, and reads what it answers.
#ifndef BKFLOW_FUZZ_ASK_H
#define BKFLOW_FUZZ_ASK_H

#include "../unit/stage.h"

// A stage whose limiter is off; made by the first call, with ENVIRONMENT's entries (NULL: none).
struct stage *ask_stage(char *const *environment);

// The code of the answer's envelope, 0 when the answer is 200. Requires that the answer is whole:
// JSON (but for metrics), and no more than a status that is known.
int ask(struct stage *stage, const struct http_var *vars, size_t count);
int ask_with_body(struct stage *stage, const struct http_var *vars, size_t count, struct str body);

// The code that credentials deserve whose names and secret are these; absent or empty: missing.
// 0: they are the stage's own.
int ask_code_of(struct str app_code, struct str secret, struct str username);

#endif
