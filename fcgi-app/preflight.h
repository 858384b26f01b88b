// SPDX-License-Identifier: MIT
// preflight: checks whether the program could start with a configuration, as far as possible
// without starting it: the listening socket and the log's target.
#ifndef BKFLOW_PREFLIGHT_H
#define BKFLOW_PREFLIGHT_H

#include "conf/conf.h"

// RUNNING is the configuration in effect, whose listening socket exists; NULL if there is none.
// Creates no file and leaves no socket. Without RUNNING it resolves the name in [server] listen; a
// reload must not wait for a name server. -1 after reporting what is wrong.
int preflight_check(const struct conf *conf, const struct conf *running, conf_complain *complain,
                    void *context) MUST_CHECK __attribute__((nonnull(1, 3)));

#endif
