// SPDX-License-Identifier: MIT
#include "conf/conf_keys.h"

#include "base/local_time.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

// ---- parsers of values ----

static int parse_text(const struct conf_key *key, const char *text, void *member)
{
    (void)key;
    *(const char **)member = text;
    return 0;
}

// The values of a family go where the loader keeps them.
static int parse_ignored(const struct conf_key *key, const char *text, void *member)
{
    (void)key, (void)text, (void)member;
    return 0;
}

static int parse_bool(const struct conf_key *key, const char *text, void *member)
{
    (void)key;
    const bool on = strcmp(text, "on") == 0;
    *(bool *)member = on;
    return on || strcmp(text, "off") == 0 ? 0 : -1;
}

// A whole number with one of the suffixes, each of which multiplies it.
struct suffix {
    const char *text;
    int64_t factor;
};

static int parse_scaled(const struct conf_key *key, const char *text, int64_t *member,
                        const struct suffix *suffixes, size_t count)
{
    char *end;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (errno != 0 || !isdigit((unsigned char)text[0])) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, suffixes[i].text) == 0) {
            const bool overflows =
                __builtin_mul_overflow((int64_t)number, suffixes[i].factor, member);
            return overflows || *member < key->min || *member > key->max ? -1 : 0;
        }
    }
    return -1;
}

static int parse_number(const struct conf_key *key, const char *text, void *member)
{
    static const struct suffix none[] = {{"", 1}};
    return parse_scaled(key, text, member, none, COUNT_OF(none));
}

static int parse_size(const struct conf_key *key, const char *text, void *member)
{
    static const struct suffix units[] = {{"", 1}, {"k", 1024}, {"m", INT64_C(1024) * 1024}};
    return parse_scaled(key, text, member, units, COUNT_OF(units));
}

static int parse_duration(const struct conf_key *key, const char *text, void *member)
{
    static const struct suffix units[] = {
        {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000},
    };
    return parse_scaled(key, text, member, units, COUNT_OF(units));
}

// The member is an enum that counts the words of CHOICES from 0.
static int choose(const char *text, void *member, const char *const *choices, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(text, choices[i]) == 0) {
            memcpy(member, &i, sizeof i);
            return 0;
        }
    }
    return -1;
}
_Static_assert(sizeof(enum lang) == sizeof(unsigned) &&
                   sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum log_format) == sizeof(unsigned),
               "choose stores an unsigned");

static int parse_language(const struct conf_key *key, const char *text, void *member)
{
    (void)key;
    static const char *const languages[] = {[LANG_EN] = "en", [LANG_ZH] = "zh-cn"};
    return choose(text, member, languages, COUNT_OF(languages));
}

static int parse_level(const struct conf_key *key, const char *text, void *member)
{
    (void)key;
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    return choose(text, member, levels, COUNT_OF(levels));
}

static int parse_format(const struct conf_key *key, const char *text, void *member)
{
    (void)key;
    static const char *const formats[] = {"text", "json"};
    return choose(text, member, formats, COUNT_OF(formats));
}

static int parse_log_target(const struct conf_key *key, const char *text, void *member)
{
    const bool known = strcmp(text, "stderr") == 0 || strcmp(text, "syslog") == 0 ||
                       strncmp(text, "file:/", 6) == 0;
    return known ? parse_text(key, text, member) : -1;
}

static int parse_zone(const struct conf_key *key, const char *text, void *member)
{
    return local_time_zone_exists(text) ? parse_text(key, text, member) : -1;
}

static int parse_nets(const struct conf_key *key, const char *text, void *member)
{
    (void)key;
    return cidr_list_parse(member, str_from(text));
}

// An absolute path, or nothing.
static int parse_path(const struct conf_key *key, const char *text, void *member)
{
    return text[0] == '\0' || text[0] == '/' ? parse_text(key, text, member) : -1;
}

static bool copy_bounded(char *to, size_t size, struct str text)
{
    if (text.len == 0 || text.len >= size) {
        return false;
    }
    memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return true;
}

static int parse_mode(struct str text, unsigned *mode)
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

static int parse_listen_unix(struct str rest, struct conf_listen *listen)
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
    return str_starts_with(rest, STR("mode=")) ? parse_mode(str_skip(rest, 5), &listen->mode) : -1;
}

static bool is_port(struct str text)
{
    int number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.ptr[i]) || i >= 5) {
            return false;
        }
        number = number * 10 + (text.ptr[i] - '0');
    }
    return number >= 1 && number <= 65535;
}

// "host:port"; an IPv6 address stands in brackets.
static int parse_listen_tcp(struct str text, struct conf_listen *listen)
{
    listen->kind = CONF_LISTEN_TCP;
    const char *const colon = memrchr(text.ptr, ':', text.len);
    if (colon == NULL) {
        return -1;
    }
    struct str host = {text.ptr, (size_t)(colon - text.ptr)};
    const struct str port = str_skip(text, host.len + 1);
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = (struct str){host.ptr + 1, host.len - 2};
    }
    const bool fits = copy_bounded(listen->host, sizeof listen->host, host) && is_port(port) &&
                      copy_bounded(listen->port, sizeof listen->port, port);
    return fits ? 0 : -1;
}

static int parse_listen(const struct conf_key *key, const char *text, void *member)
{
    (void)key;
    struct conf_listen *const listen = member;
    const struct str value = str_from(text);
    memset(listen, 0, sizeof *listen);
    if (value.len == 0) {
        return 0;
    }
    if (str_starts_with(value, STR("unix:"))) {
        return parse_listen_unix(str_skip(value, 5), listen);
    }
    return str_starts_with(value, STR("tcp:")) ? parse_listen_tcp(str_skip(value, 4), listen) : -1;
}

// ---- the table ----

static const char a_switch[] = "on or off";
static const char a_path[] = "an absolute path";

#define MEMBER(path) offsetof(struct conf, path)

// clang-format off
// Both databases have the same keys: MINE is the member of struct conf, SECTION its name in the file.
#define KEYS_OF_DATABASE(SECTION, MINE, NAME)                                                      \
    {SECTION, "host", parse_text, MEMBER(MINE.hosts), "", 0, 0, 0, "host names or addresses",      \
     "Hosts in the order of preference, split by commas: the first that answers is used, and "     \
     "returned to when it is back. Empty: the local socket."},                                     \
    {SECTION, "port", parse_number, MEMBER(MINE.port), "3306", 1, 65535, 0, "1 to 65535", "TCP port."}, \
    {SECTION, "socket", parse_path, MEMBER(MINE.socket), "", 0, 0, 0, a_path,                      \
     "Path of the server's unix socket; used where host is empty."},                               \
    {SECTION, "user", parse_text, MEMBER(MINE.user), "", 0, 0, 0, "a user name",                   \
     "MySQL account. It needs SELECT on the tables, nothing else."},                               \
    {SECTION, "password", parse_text, MEMBER(MINE.password), "", 0, 0, CONF_KEY_SECRET, "a password",   \
     "Password. Better kept out of this file: see password_file."},                                \
    {SECTION, "password_file", parse_path, MEMBER(MINE.password_file), "", 0, 0, 0, a_path,        \
     "File whose first line is the password. Without it, systemd's credential " SECTION            \
     "_password is taken where there is one."},                                                    \
    {SECTION, "name", parse_text, MEMBER(MINE.name), NAME, 0, 0, 0, "a database name",             \
     "Database (schema) that holds the tables."},                                                  \
    {SECTION, "connect_timeout", parse_duration, MEMBER(MINE.connect_timeout_ms), "2s", 100,       \
     60000, 0, "100ms to 60s",                                                                     \
     "How long connecting to one address of a host may take, once its name is looked up."},        \
    {SECTION, "query_timeout", parse_duration, MEMBER(MINE.query_timeout_ms), "5s", 100, 600000, 0, \
     "100ms to 10m", "How long one statement may take before the answer is 504."},                 \
    {SECTION, "tls_ca", parse_path, MEMBER(MINE.tls_ca), "", 0, 0, 0, a_path,                      \
     "PEM file of the authority that signed the server's certificate. Given: TLS is required."},   \
    {SECTION, "tls_verify", parse_bool, MEMBER(MINE.tls_verify), "on", 0, 0, 0, a_switch,          \
     "With tls_ca: whether the server's certificate must be valid for its host name."},            \
    {SECTION, "option_file", parse_path, MEMBER(MINE.option_file), "", 0, 0, 0, a_path,            \
     "MySQL option file; its [client] and [bkflow-states] groups are read."}

const struct conf_key conf_keys[] = {
    {"server", "listen", parse_listen, MEMBER(server.listen), "", 0, 0, CONF_KEY_RESTART,
     "unix:/path[,mode=0660] or tcp:host:port",
     "Where to listen. Empty: systemd's LISTEN_FDS, else the socket on descriptor 0 that spawn-fcgi "
     "or a web server gives, else one plain CGI request."},
    {"server", "workers", parse_number, MEMBER(server.workers), "4", 1, 256, CONF_KEY_RESTART, "1 to 256",
     "Threads that answer requests, each with a database connection of its own."},
    {"server", "max_request_bytes", parse_size, MEMBER(server.max_request_bytes), "64k", 4096,
     INT64_C(16) * 1024 * 1024, CONF_KEY_RESTART, "4k to 16m",
     "Bound on one request's variables (path, query, headers: 431 above) and on its body (413)."},
    {"server", "client_timeout", parse_duration, MEMBER(server.client_timeout_ms), "10s", 100, 600000,
     0, "100ms to 10m",
     "How long the web server may take to send a request, and to take the next part of an answer."},
    {"server", "trusted_proxies", parse_nets, MEMBER(server.trusted_proxies), "", 0, 0, 0,
     "addresses or networks split by commas",
     "Proxies in front of the web server whose X-Forwarded-For is believed. Decides which address "
     "failed logins count for and which may read /metrics."},
    {"server", "drain_timeout", parse_duration, MEMBER(server.drain_timeout_ms), "10s", 0, 600000, 0,
     "0 to 10m", "How long running requests may take to finish when the program is stopped."},
    KEYS_OF_DATABASE("database", database, "bkflow"),
    KEYS_OF_DATABASE("engine_database", engine_database, "bkflow"),
    {"auth", "direct", parse_bool, MEMBER(auth.direct), "on", 0, 0, 0, a_switch,
     "Whether bk_app_code, bk_app_secret and bk_username are accepted."},
    {"auth", "query_credentials", parse_bool, MEMBER(auth.query_credentials), "on", 0, 0, 0, a_switch,
     "Whether they may stand in the query string too. Query strings end up in access logs: off is "
     "safer where all clients send the header X-Bkapi-Authorization."},
    {"auth", "user_table_check", parse_bool, MEMBER(auth.user_table_check), "on", 0, 0, 0, a_switch,
     "Whether bk_username must be an active user of account_user. Off where users live elsewhere: "
     "an application's secret then speaks for any user name, and a warning is logged at start."},
    {"auth", "gateway", parse_bool, MEMBER(auth.gateway), "off", 0, 0, 0, a_switch,
     "Whether the API gateway's signed token, header X-Bkapi-JWT, is accepted."},
    {"auth", "gateway_key_", parse_ignored, 0, "", 0, 0, CONF_KEY_FAMILY, a_path,
     "gateway_key_NAME = PEM file with the public key of the gateway that signs as NAME (the token's "
     "kid); with two or more keys while they are rotated."},
    {"auth", "gateway_default", parse_text, MEMBER(auth.gateway_default), "", 0, 0, 0, "a NAME of gateway_key_NAME",
     "The gateway of tokens without kid. Empty: such tokens are refused."},
    {"auth", "gateway_algorithms", parse_text, MEMBER(auth.gateway_algorithms), "RS512", 0, 0, 0,
     "RS256, RS384, RS512, ES256, ES384 or ES512, split by commas",
     "The only algorithms that tokens may be signed with."},
    {"auth", "leeway", parse_duration, MEMBER(auth.leeway_ms), "10s", 0, 600000, 0, "0 to 10m",
     "How far the gateway's clock may be off when a token's times are checked."},
    {"auth", "failure_limit", parse_number, MEMBER(auth.failure_limit), "20", 0, 100000, 0,
     "0 to 100000",
     "Failed logins a minute that one client address or application code may have before it is "
     "answered 429. 0: no limit. Each process counts for itself."},
    {"response", "timezone", parse_zone, MEMBER(response.timezone), "Asia/Shanghai", 0, 0, CONF_KEY_RESTART,
     "a name of the tz database such as Asia/Shanghai",
     "Zone of start_time and finish_time. The database holds UTC."},
    {"response", "language", parse_language, MEMBER(response.language), "en", 0, 0, 0, "en or zh-cn",
     "Language of messages where the request names none."},
    {"response", "max_nodes", parse_number, MEMBER(response.max_nodes), "100000", 1, 10000000,
     CONF_KEY_RESTART, "1 to 10000000",
     "Tasks with more nodes are answered 500. Bounds memory: about 300 bytes a node and worker."},
    {"status", "healthz", parse_bool, MEMBER(status.healthz), "on", 0, 0, 0, a_switch,
     "Whether /healthz answers: 200 as long as the process works."},
    {"status", "readyz", parse_bool, MEMBER(status.readyz), "on", 0, 0, 0, a_switch,
     "Whether /readyz answers: 200 when the database does, else 503."},
    {"status", "metrics", parse_bool, MEMBER(status.metrics), "on", 0, 0, 0, a_switch,
     "Whether /metrics answers, in the Prometheus text format."},
    {"status", "allow", parse_nets, MEMBER(status.allow), "127.0.0.0/8, ::1", 0, 0, 0,
     "addresses or networks split by commas", "Client addresses that may read /metrics."},
    {"log", "target", parse_log_target, MEMBER(log.target), "stderr", 0, 0, 0,
     "stderr, syslog or file:/path", "Where events go. A file is opened anew on SIGHUP."},
    {"log", "level", parse_level, MEMBER(log.level), "info", 0, 0, 0, "error, warning, info or debug",
     "The least important events that are still written."},
    {"log", "format", parse_format, MEMBER(log.format), "text", 0, 0, 0, "text or json",
     "One line of text or one JSON object per event."},
    {"log", "access", parse_bool, MEMBER(log.access), "off", 0, 0, 0, a_switch,
     "Whether each request is an event, at level info."},
    {"log", "slow", parse_duration, MEMBER(log.slow_ms), "0", 0, 600000, 0, "0 to 10m",
     "Requests that take at least so long are events at level warning. 0: none."},
};
// clang-format on
_Static_assert(COUNT_OF(conf_keys) <= CONF_KEYS_MAX, "raise CONF_KEYS_MAX");
const size_t conf_key_count = COUNT_OF(conf_keys);

int conf_find_key(const char *section, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(conf_keys); i++) {
        const struct conf_key *const key = &conf_keys[i];
        const bool is_family = (key->flags & CONF_KEY_FAMILY) != 0;
        const bool is_named = is_family ? strncmp(name, key->name, strlen(key->name)) == 0
                                        : strcmp(name, key->name) == 0;
        if (is_named && strcmp(key->section, section) == 0) {
            return (int)i;
        }
    }
    return CONF_NO_KEY;
}

bool conf_section_exists(const char *section)
{
    for (size_t i = 0; i < COUNT_OF(conf_keys); i++) {
        if (strcmp(conf_keys[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}
