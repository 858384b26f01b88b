// SPDX-License-Identifier: MIT
// store_overloaded: the store of the overload responder. It has no database; requests that need one
// are answered 503.
#ifndef BKFLOW_STATES_STORE_OVERLOADED_H
#define BKFLOW_STATES_STORE_OVERLOADED_H

#include "states/store.h"

struct store store_overloaded(void);

#endif
