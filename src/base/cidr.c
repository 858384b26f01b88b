// SPDX-License-Identifier: MIT
#include "base/cidr.h"

#include <arpa/inet.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xFF, [11] = 0xFF};

// Returns the number of bits of the address, 32 or 128, or 0 if TEXT is not an address.
static unsigned parse_address(uint8_t address[16], struct str text)
{
    char terminated[INET6_ADDRSTRLEN];
    if (text.len >= sizeof terminated || text.len == 0 ||
        memchr(text.ptr, '\0', text.len) != NULL) {
        return 0;
    }
    memcpy(terminated, text.ptr, text.len);
    terminated[text.len] = '\0';
    if (inet_pton(AF_INET6, terminated, address) == 1) {
        return 128;
    }
    memcpy(address, mapped_prefix, sizeof mapped_prefix);
    return inet_pton(AF_INET, terminated, address + sizeof mapped_prefix) == 1 ? 32 : 0;
}

// Whether TEXT is a colon and a port, such as ":80".
static bool is_port(struct str text)
{
    if (text.len < 2 || text.len > 6 || text.ptr[0] != ':') {
        return false;
    }
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return true;
}

// Removes brackets and port. Absent if they are malformed.
static struct str bare_address(struct str text)
{
    if (str_starts_with(text, STR("["))) {
        struct str rest = str_skip(text, 1);
        const struct str inside = str_cut(&rest, ']');
        const bool is_good = !str_is_absent(rest) && (rest.len == 0 || is_port(rest));
        return is_good ? inside : STR_ABSENT;
    }
    struct str rest = text;
    const struct str head = str_cut(&rest, ':');
    const bool has_one_colon = rest.len > 0 && memchr(rest.ptr, ':', rest.len) == NULL;
    return has_one_colon && is_port(str_skip(text, head.len)) ? head : text;
}

struct cidr_address cidr_address_parse(struct str text)
{
    struct cidr_address address;
    struct str zone = bare_address(text);
    const struct str bare = str_cut(&zone, '%');
    const unsigned bits = parse_address(address.bytes, bare);
    address.is_known = bits == 128 || (bits == 32 && str_is_absent(zone));
    return address.is_known ? address : (struct cidr_address){.is_known = false};
}

static bool begins_with(const struct cidr_address *address, const uint8_t prefix[12])
{
    return memcmp(address->bytes, prefix, 12) == 0;
}

struct cidr_address cidr_address_client(struct cidr_address address)
{
    // NAT64 gateways embed the clients' IPv4 addresses in 64:ff9b::/96 (RFC 6052).
    static const uint8_t nat64_prefix[12] = {[1] = 0x64, [2] = 0xFF, [3] = 0x9B};
    if (!begins_with(&address, mapped_prefix) && !begins_with(&address, nat64_prefix)) {
        memset(address.bytes + 8, 0, 8);
    }
    return address;
}

struct str cidr_address_text(struct cidr_address address, char text[CIDR_ADDRESS_TEXT])
{
    const bool is_ipv4 = begins_with(&address, mapped_prefix);
    if (!address.is_known) {
        return STR("unknown");
    }
    return str_from(inet_ntop(is_ipv4 ? AF_INET : AF_INET6, address.bytes + (is_ipv4 ? 12 : 0),
                              text, CIDR_ADDRESS_TEXT));
}

static int parse_prefix(unsigned *prefix, struct str text, unsigned bits)
{
    unsigned number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i >= 3) {
            return -1;
        }
        number = number * 10 + (unsigned)(text.ptr[i] - '0');
    }
    if (text.len == 0 || number > bits) {
        return -1;
    }
    *prefix = number + (128 - bits);
    return 0;
}

static int parse_net(struct cidr *net, struct str text)
{
    struct str rest = text;
    const struct str address = str_cut(&rest, '/');
    const unsigned bits = parse_address(net->address, address);
    if (bits == 0) {
        return -1;
    }
    net->prefix = 128;
    return str_is_absent(rest) ? 0 : parse_prefix(&net->prefix, rest, bits);
}

int cidr_list_parse(struct cidr_list *list, struct str text)
{
    list->count = 0;
    struct str rest = str_trim(text);
    if (rest.len == 0) {
        return 0;
    }
    while (!str_is_absent(rest)) {
        const struct str item = str_trim(str_cut(&rest, ','));
        if (list->count == CIDR_LIST_MAX || parse_net(&list->nets[list->count], item) != 0) {
            return -1;
        }
        list->count++;
    }
    return 0;
}

static bool net_has(const struct cidr *net, const uint8_t address[16])
{
    const unsigned bytes = net->prefix / 8;
    const unsigned bits = net->prefix % 8;
    if (memcmp(net->address, address, bytes) != 0) {
        return false;
    }
    return bits == 0 || ((net->address[bytes] ^ address[bytes]) >> (8 - bits)) == 0;
}

bool cidr_list_has(const struct cidr_list *list, struct cidr_address address)
{
    for (size_t i = 0; address.is_known && i < list->count; i++) {
        if (net_has(&list->nets[i], address.bytes)) {
            return true;
        }
    }
    return false;
}
