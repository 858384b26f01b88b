// SPDX-License-Identifier: MIT
// Values that are addresses: where to listen, the database's hosts, lists of networks.
#include "conf/conf_parse_priv.h"

#include <ctype.h>

// ---- host and port ----

// The parts of "name:port" or "[address]:port", each of which may be missing. TEXT is split at the
// last colon, unless it is an IPv6 address without brackets. A missing port is absent; brackets are
// removed.
struct endpoint {
    struct str host;
    struct str port;
    bool is_bracketed;
};

// Parses a port, 1 to 65535 in decimal digits; 0 if it is invalid.
static unsigned read_port(struct str text)
{
    unsigned number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.ptr[i]) || i >= 5) {
            return 0;
        }
        number = number * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return number <= 65535 ? number : 0;
}

static struct endpoint split_brackets(struct str text)
{
    const char *const close = memchr(text.ptr, ']', text.len);
    const size_t inside = close == NULL ? 0 : (size_t)(close - text.ptr) - 1;
    const struct str rest = close == NULL ? STR_ABSENT : str_skip(text, inside + 2);
    if (close == NULL || (rest.len > 0 && rest.ptr[0] != ':')) {
        return (struct endpoint){.host = text};
    }
    return (struct endpoint){
        .host = {text.ptr + 1, inside},
        .port = rest.len == 0 ? STR_ABSENT : str_skip(rest, 1),
        .is_bracketed = true,
    };
}

static struct endpoint split_endpoint(struct str text)
{
    if (str_starts_with(text, STR("["))) {
        return split_brackets(text);
    }
    struct str port = text;
    const struct str host = str_cut(&port, ':');
    const bool has_one_colon = port.len == 0 || memchr(port.ptr, ':', port.len) == NULL;
    return has_one_colon ? (struct endpoint){.host = host, .port = port}
                         : (struct endpoint){.host = text};
}

static bool is_ip6_address(struct str text)
{
    struct str zone = text; // as in fe80::1%eth0
    const struct str address = str_cut(&zone, '%');
    struct cidr_list list;
    return memchr(address.ptr, ':', address.len) != NULL &&
           memchr(address.ptr, '/', address.len) == NULL && (str_is_absent(zone) || zone.len > 0) &&
           cidr_list_parse(&list, address) == 0;
}

// Whether TEXT is a host name or an IPv4 address.
static bool is_host_name(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x80 || (!isalnum(c) && (c == '\0' || strchr("-_.", c) == NULL))) {
            return false;
        }
    }
    return text.len > 0;
}

// Whether the endpoint's host is a name or an address. An IPv6 address may have brackets.
static bool is_host(const struct endpoint *endpoint)
{
    return is_ip6_address(endpoint->host) ||
           (!endpoint->is_bracketed && is_host_name(endpoint->host));
}

// ---- listen ----

static bool copy_bounded(char *to, size_t size, struct str text)
{
    if (text.len == 0 || text.len >= size) {
        return false;
    }
    memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return true;
}

// Parses three or four octal digits, at most 0777.
static int read_mode(struct str text, unsigned *mode)
{
    *mode = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '7') {
            return -1;
        }
        *mode = *mode * 8 + (unsigned)(text.ptr[i] - '0');
    }
    return text.len >= 3 && text.len <= 4 && *mode <= 0777 ? 0 : -1;
}

static int read_listen_unix(struct str rest, struct conf_listen *listen)
{
    listen->kind = CONF_LISTEN_UNIX;
    listen->mode = 0660;
    const struct str path = str_cut(&rest, ',');
    if (!copy_bounded(listen->path, sizeof listen->path, path) || path.ptr[0] != '/') {
        return -1;
    }
    if (str_is_absent(rest)) {
        return 0;
    }
    return str_starts_with(rest, STR("mode=")) ? read_mode(str_skip(rest, 5), &listen->mode) : -1;
}

static int read_listen_tcp(struct str text, struct conf_listen *listen)
{
    listen->kind = CONF_LISTEN_TCP;
    const struct endpoint endpoint = split_endpoint(text);
    const bool is_any = !endpoint.is_bracketed && str_equal(endpoint.host, STR("*"));
    const bool is_good = read_port(endpoint.port) != 0 && (is_any || is_host(&endpoint)) &&
                         copy_bounded(listen->host, sizeof listen->host, endpoint.host) &&
                         copy_bounded(listen->port, sizeof listen->port, endpoint.port);
    return is_good ? 0 : -1;
}

static int read_listen(struct str text, struct conf_listen *listen)
{
    memset(listen, 0, sizeof *listen);
    if (text.len == 0) {
        return 0;
    }
    if (str_starts_with(text, STR("unix:"))) {
        return read_listen_unix(str_skip(text, 5), listen);
    }
    return str_starts_with(text, STR("tcp:")) ? read_listen_tcp(str_skip(text, 4), listen) : -1;
}

int conf_parse_listen(const struct conf_value *value)
{
    return read_listen(str_from(value->text), value->member) == 0 ? 0 : conf_refuse(value);
}

// ---- lists ----

typedef int add_element(const struct conf_value *value, struct str element);

// Splits the value at its commas. Reports every mistake, not only the first.
static int parse_list(const struct conf_value *value, add_element *add)
{
    struct str rest = str_trim(str_from(value->text));
    int outcome = 0;
    while (!str_is_absent(rest)) {
        const struct str element = str_trim(str_cut(&rest, ','));
        const int added =
            element.len > 0
                ? add(value, element)
                : conf_refuse_because(value, "there is a comma with nothing before or after it");
        outcome = added != 0 ? -1 : outcome;
    }
    return outcome;
}

static int refuse_element(const struct conf_value *value, struct str element, const char *expected)
{
    return conf_refuse_because(value, "expected %s, not \"%.*s\"", expected, (int)element.len,
                               element.ptr);
}

// ---- hosts ----

static int read_host(const struct conf_value *value, struct str element, struct conf_host *host)
{
    const struct endpoint endpoint = split_endpoint(element);
    *host = (struct conf_host){.port = read_port(endpoint.port)};
    if (!is_host(&endpoint)) {
        return refuse_element(value, element, "a host name or an address");
    }
    if (!copy_bounded(host->name, sizeof host->name, endpoint.host)) {
        return conf_refuse_because(value, "a host name is longer than %d characters",
                                   CONF_HOST_BYTES - 1);
    }
    if (!str_is_absent(endpoint.port) && host->port == 0) {
        return refuse_element(value, element, "a port from 1 to 65535 after the colon");
    }
    if (host->port != 0 && conf_host_is_local(host)) {
        return refuse_element(value, element,
                              "localhost without a port (it is the local socket), or 127.0.0.1");
    }
    return 0;
}

static bool has_host(const struct conf_hosts *hosts, const struct conf_host *host)
{
    for (size_t i = 0; i < hosts->count; i++) {
        const struct conf_host *const other = &hosts->hosts[i];
        if (strcmp(other->name, host->name) == 0 && other->port == host->port) {
            return true;
        }
    }
    return false;
}

static int add_host(const struct conf_value *value, struct str element)
{
    struct conf_hosts *const hosts = value->member;
    struct conf_host host;
    if (read_host(value, element, &host) != 0) {
        return -1;
    }
    if (has_host(hosts, &host)) {
        return refuse_element(value, element, "each host once");
    }
    if (hosts->count == CONF_HOSTS_MAX) {
        return conf_refuse_because(value, "\"%s\" is one too many: there may be %d hosts",
                                   host.name, CONF_HOSTS_MAX);
    }
    hosts->hosts[hosts->count++] = host;
    return 0;
}

int conf_parse_hosts(const struct conf_value *value)
{
    struct conf_hosts *const hosts = value->member;
    *hosts = (struct conf_hosts){.count = 0};
    if (value->text[strspn(value->text, " \t")] == '\0') {
        hosts->count = 1; // the local socket
        return 0;
    }
    return parse_list(value, add_host);
}

// ---- networks ----

static int add_network(const struct conf_value *value, struct str element)
{
    struct cidr_list *const list = value->member;
    struct cidr_list one;
    if (cidr_list_parse(&one, element) != 0) {
        return refuse_element(value, element, "an address or a network such as 10.0.0.0/8");
    }
    if (list->count == CIDR_LIST_MAX) {
        return conf_refuse_because(value, "\"%.*s\" is one too many: there may be %d networks",
                                   (int)element.len, element.ptr, CIDR_LIST_MAX);
    }
    list->nets[list->count++] = one.nets[0];
    return 0;
}

int conf_parse_networks(const struct conf_value *value)
{
    ((struct cidr_list *)value->member)->count = 0;
    const bool is_empty = value->text[strspn(value->text, " \t")] == '\0';
    return is_empty ? 0 : parse_list(value, add_network);
}
