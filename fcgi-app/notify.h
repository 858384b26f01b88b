// SPDX-License-Identifier: MIT
// notify: tells systemd how the service is, sd_notify(3) without its library: one datagram.
#ifndef BKFLOW_NOTIFY_H
#define BKFLOW_NOTIFY_H

#include "base.h"

// Each does nothing where no service manager listens (NOTIFY_SOCKET); nobody waits for an answer.
void notify_ready(void);
void notify_reloading(void); // to be followed by notify_ready
void notify_stopping(void);
void notify_alive(void);

// How often notify_alive is due at least, in microseconds, half of what WATCHDOG_USEC allows; 0:
// never.
int64_t notify_interval_us(void) MUST_CHECK;

#endif
