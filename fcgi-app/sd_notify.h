// SPDX-License-Identifier: MIT
// sd_notify: reports the service's state to systemd, like sd_notify(3), but without libsystemd: one
// datagram.
#ifndef BKFLOW_SD_NOTIFY_H
#define BKFLOW_SD_NOTIFY_H

#include "base/base.h"

// These do nothing without a service manager (NOTIFY_SOCKET), and never wait for an answer.
void sd_notify_ready(void);
void sd_notify_reloading(void); // sd_notify_ready must follow
void sd_notify_stopping(void);
void sd_notify_alive(void);

// Returns the interval for sd_notify_alive in microseconds, half of WATCHDOG_USEC; 0: never.
int64_t sd_notify_interval_us(void) MUST_CHECK;

#endif
