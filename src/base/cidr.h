// SPDX-License-Identifier: MIT
// cidr: IP addresses, lists of IP networks, and whether an address is in one of them.
#ifndef BKFLOW_BASE_CIDR_H
#define BKFLOW_BASE_CIDR_H

#include "base/base.h"

enum { CIDR_LIST_MAX = 32, CIDR_ADDRESS_TEXT = 48 };

// An IPv4 address is stored as its IPv4-mapped IPv6 address, so that both spellings are equal. All
// unknown addresses are equal.
struct cidr_address {
    uint8_t bytes[16];
    bool is_known;
};

// Reads an address as web servers and proxies write a client's. Brackets, a port ("10.0.0.1:80",
// "[2001:db8::1]:80") and a zone ("fe80::1%eth0") are ignored. Unknown if TEXT is anything else.
struct cidr_address cidr_address_parse(struct str text) MUST_CHECK;

// Returns what identifies a client: the IPv4 address, or the /64 network of an IPv6 address, which
// usually belongs to one client as a whole.
struct cidr_address cidr_address_client(struct cidr_address address) MUST_CHECK;

// Formats the address; "unknown" if it is not known. The result is a view of TEXT or a literal.
struct str cidr_address_text(struct cidr_address address,
                             char text[CIDR_ADDRESS_TEXT]) MUST_CHECK NONNULL;

// An IPv4 network is stored as its IPv4-mapped IPv6 network, so that one comparison serves both.
struct cidr {
    uint8_t address[16];
    unsigned prefix; // bits of address that count
};

struct cidr_list {
    struct cidr nets[CIDR_LIST_MAX];
    size_t count;
};

// Parses addresses and networks separated by commas, such as "127.0.0.1, 10.0.0.0/8, ::1". An empty
// TEXT gives an empty list. -1 if an element is not valid or there are too many.
int cidr_list_parse(struct cidr_list *list, struct str text) MUST_CHECK NONNULL;

// Whether a network of the list contains the address. False for an unknown address.
bool cidr_list_has(const struct cidr_list *list, struct cidr_address address) MUST_CHECK NONNULL;

#endif
