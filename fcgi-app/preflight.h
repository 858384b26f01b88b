// SPDX-License-Identifier: MIT
// preflight: whether a start with this configuration would fail, as far as that can be seen without
// one: the place of the listening socket, the place of the log.
#ifndef BKFLOW_PREFLIGHT_H
#define BKFLOW_PREFLIGHT_H

#include "conf/conf.h"

// RUNNING is the configuration in effect, whose listening socket exists; NULL: none is. Makes no
// file and leaves no socket. Without RUNNING it looks up [server] listen if that is a name: a
// reload waits for no name server. -1 after reporting what is wrong.
int preflight_check(const struct conf *conf, const struct conf *running, conf_complain *complain,
                    void *context) MUST_CHECK __attribute__((nonnull(1, 3)));

#endif
