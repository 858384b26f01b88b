// SPDX-License-Identifier: MIT
// net: lists of IP networks, and whether an address is in one of them.
#ifndef BKFLOW_BASE_CIDR_H
#define BKFLOW_BASE_CIDR_H

#include "base/base.h"

enum { CIDR_LIST_MAX = 32 };

// An IPv4 network is kept as its IPv4-mapped IPv6 one, so that one comparison serves both.
struct cidr {
    uint8_t address[16];
    unsigned prefix; // bits of address that count
};

struct cidr_list {
    struct cidr nets[CIDR_LIST_MAX];
    size_t count;
};

// "127.0.0.1, 10.0.0.0/8, ::1": addresses or networks, split by commas; empty is a list of none.
// -1 when one is not understood, or there are too many.
int cidr_list_parse(struct cidr_list *list, struct str text) MUST_CHECK NONNULL;

// False also for what is not an address at all.
bool cidr_list_has(const struct cidr_list *list, struct str address) MUST_CHECK NONNULL;

#endif
