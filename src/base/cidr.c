// SPDX-License-Identifier: MIT
#include "base/cidr.h"

#include <arpa/inet.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xFF, [11] = 0xFF};

// The bits that an address of this text has, 32 or 128, or 0 when it is none.
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

bool cidr_list_has(const struct cidr_list *list, struct str address)
{
    uint8_t parsed[16];
    if (parse_address(parsed, address) == 0) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (net_has(&list->nets[i], parsed)) {
            return true;
        }
    }
    return false;
}
