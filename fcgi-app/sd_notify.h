// SPDX-License-Identifier: MIT
// notify: tells systemd how the service is, sd_notify(3) without its library: one datagram.
#ifndef BKFLOW_SD_NOTIFY_H
#define BKFLOW_SD_NOTIFY_H

#include "base/base.h"

// Each does nothing where no service manager listens (NOTIFY_SOCKET); nobody waits for an answer.
void sd_notify_ready(void);
void sd_notify_reloading(void); // to be followed by sd_notify_ready
void sd_notify_stopping(void);
void sd_notify_alive(void);

// How often sd_notify_alive is due at least, in microseconds, half of what WATCHDOG_USEC allows; 0:
// never.
int64_t sd_notify_interval_us(void) MUST_CHECK;

#endif
