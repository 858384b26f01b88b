// SPDX-License-Identifier: MIT
// net: lists of IP networks, and whether an address is in one of them.
#ifndef BKFLOW_NET_H
#define BKFLOW_NET_H

#include "base.h"

enum { NET_LIST_MAX = 32 };

// An IPv4 network is kept as its IPv4-mapped IPv6 one, so that one comparison serves both.
struct net {
    uint8_t address[16];
    unsigned prefix; // bits of address that count
};

struct net_list {
    struct net nets[NET_LIST_MAX];
    size_t count;
};

// "127.0.0.1, 10.0.0.0/8, ::1": addresses or networks, split by commas; empty is a list of none.
// -1 when one is not understood, or there are too many.
int net_list_parse(struct net_list *list, struct str text) MUST_CHECK NONNULL;

// False also for what is not an address at all.
bool net_list_has(const struct net_list *list, struct str address) MUST_CHECK NONNULL;

#endif
