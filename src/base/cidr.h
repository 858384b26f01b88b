// SPDX-License-Identifier: MIT
// cidr: IP addresses, lists of IP networks, and whether an address is in one of them.
#ifndef BKFLOW_BASE_CIDR_H
#define BKFLOW_BASE_CIDR_H

#include "base/base.h"

enum { CIDR_LIST_MAX = 32, CIDR_ADDRESS_TEXT = 48 };

// An IPv4 address is kept as its IPv4-mapped IPv6 one, so that both spellings are the same address.
// All addresses that are not known are equal.
struct cidr_address {
    uint8_t bytes[16];
    bool is_known;
};

// Reads an address as web servers and proxies write a client's: also in brackets, with a port
// ("10.0.0.1:80", "[2001:db8::1]:80") or with a zone ("fe80::1%eth0"), which do not count. Not
// known when TEXT is anything else.
struct cidr_address cidr_address_parse(struct str text) MUST_CHECK;

// What tells one client from another: an IPv4 address, or the /64 network of an IPv6 address, all
// of which usually belongs to one client.
struct cidr_address cidr_address_client(struct cidr_address address) MUST_CHECK;

// As people write it, "unknown" where it is not known; a view of TEXT or a literal.
struct str cidr_address_text(struct cidr_address address,
                             char text[CIDR_ADDRESS_TEXT]) MUST_CHECK NONNULL;

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

// False for an address that is not known.
bool cidr_list_has(const struct cidr_list *list, struct cidr_address address) MUST_CHECK NONNULL;

#endif
