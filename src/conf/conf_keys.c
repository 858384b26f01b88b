// SPDX-License-Identifier: MIT
#include "conf/conf_keys_priv.h"

#include "conf/conf_parse_priv.h"

#include <stdio.h>

static const char a_switch[] = "on or off";
static const char a_path[] = "an absolute path";

#define MEMBER(path) offsetof(struct conf, path)

// clang-format off
// Both databases have the same keys: MINE is the member of struct conf, SECTION its name in the file.
#define KEYS_OF_DATABASE(SECTION, MINE, NAME)                                                      \
    {SECTION, "host", conf_parse_hosts, MEMBER(MINE.hosts), "", 0, 0, CONF_KEY_LIST,                           \
     "up to 16 host names or addresses, each with :port if it needs one",                          \
     "Hosts in the order of preference, separated by commas: the first one that works is used, and a "     \
     "preferred one again when it is back. Empty, or localhost: the local socket. An IPv6 address with "   \
     "a port is written [::1]:3306."},                                                             \
    {SECTION, "port", conf_parse_number, MEMBER(MINE.port), "3306", 1, 65535, 0, "1 to 65535",      \
     "TCP port of the hosts that name none of their own. The local socket has no port."}, \
    {SECTION, "socket", conf_parse_path, MEMBER(MINE.socket), "", 0, 107, 0, a_path,               \
     "Path of the server's unix socket, where host is empty or localhost."},                               \
    {SECTION, "user", conf_parse_text, MEMBER(MINE.user), "", 0, 0, 0, "a user name",                   \
     "MySQL account. It needs SELECT on the tables, nothing else."},                               \
    {SECTION, "password", conf_parse_text, MEMBER(MINE.password), "", 0, 0, CONF_KEY_SECRET, "a password",   \
     "Password. Better kept out of this file: see password_file."},                                \
    {SECTION, "password_file", conf_parse_path, MEMBER(MINE.password_file), "", 0, 0, 0, a_path,        \
     "File whose first line is the password. Without it, systemd's credential " SECTION            \
     "_password is taken where there is one."},                                                    \
    {SECTION, "name", conf_parse_text, MEMBER(MINE.name), NAME, 0, 0, 0, "a database name",             \
     "Database (schema) that holds the tables."},                                                  \
    {SECTION, "connect_timeout", conf_parse_duration, MEMBER(MINE.connect_timeout_ms), "2s", 100,       \
     60000, 0, "100ms to 60s",                                                                     \
     "How long the lookup of a host's name may take, and connecting to each of its addresses."},        \
    {SECTION, "query_timeout", conf_parse_duration, MEMBER(MINE.query_timeout_ms), "5s", 100, 600000, 0, \
     "100ms to 10m", "How long one statement may take before the answer is 504."},                 \
    {SECTION, "tls_ca", conf_parse_path, MEMBER(MINE.tls_ca), "", 0, 0, 0, a_path,                      \
     "PEM file of the authority that signed the server's certificate. If set, TLS is required."},   \
    {SECTION, "tls_verify", conf_parse_bool, MEMBER(MINE.tls_verify), "on", 0, 0, 0, a_switch,          \
     "With tls_ca: whether the server's certificate must be valid for its host name."},            \
    {SECTION, "option_file", conf_parse_path, MEMBER(MINE.option_file), "", 0, 0, 0, a_path,            \
     "MySQL option file; its [client] and [bkflow-states] groups are read."}

const struct conf_key conf_keys[] = {
    {"server", "listen", conf_parse_listen, MEMBER(server.listen), "", 0, 0, CONF_KEY_RESTART,
     "unix:/path[,mode=0660] or tcp:host:port",
     "Where to listen. Empty: systemd's LISTEN_FDS, else the socket on descriptor 0 that spawn-fcgi "
     "or a web server gives, else one plain CGI request."},
    {"server", "workers", conf_parse_workers, MEMBER(server.workers), "auto", 1, 256, CONF_KEY_RESTART,
     "auto, or 1 to 256",
     "Threads that answer requests, each with connections of its own to the databases. auto: as many "
     "as processors, from 2 to 4."},
    {"server", "max_request_bytes", conf_parse_size, MEMBER(server.max_request_bytes), "64k", 4096,
     INT64_C(16) * 1024 * 1024, CONF_KEY_RESTART, "4k to 16m",
     "Limit of one request's variables (path, query, headers; 431 beyond it) and of its body (413)."},
    {"server", "client_timeout", conf_parse_duration, MEMBER(server.client_timeout_ms), "10s", 100, 600000,
     0, "100ms to 10m",
     "How long the web server may take to send a request, and to take the next part of an answer."},
    {"server", "trusted_proxies", conf_parse_networks, MEMBER(server.trusted_proxies), "", 0, 0, CONF_KEY_LIST,
     "up to 32 addresses or networks, separated by commas",
     "Proxies in front of the web server whose X-Forwarded-For is believed. Decides which address "
     "failed logins count for and which may read /metrics."},
    {"server", "drain_timeout", conf_parse_duration, MEMBER(server.drain_timeout_ms), "10s", 0, 600000, 0,
     "0 to 10m", "How long running requests may take to finish when the program is stopped."},
    {"server", "waiting_max", conf_parse_number, MEMBER(server.waiting_max), "10000", 0, 1000000,
     CONF_KEY_RESTART, "0 to 1000000",
     "How many requests with wait may wait for a change at the same time, half of them of one application. "
     "Further ones are answered at once. Each needs a descriptor and about 2 KiB."},
    {"server", "watch_interval", conf_parse_duration, MEMBER(server.watch_interval_ms), "250ms", 50, 60000,
     0, "50ms to 60s",
     "How often the tasks that requests wait for are looked at. The interval grows so that this takes at "
     "most a fifth of the time; when no task has changed for five seconds, it grows to 6 times where "
     "this takes more than a 40th."},
    KEYS_OF_DATABASE("database", database, "bkflow"),
    KEYS_OF_DATABASE("engine_database", engine_database, "bkflow"),
    {"auth", "direct", conf_parse_bool, MEMBER(auth.direct), "on", 0, 0, 0, a_switch,
     "Whether bk_app_code, bk_app_secret and bk_username are accepted."},
    {"auth", "query_credentials", conf_parse_bool, MEMBER(auth.query_credentials), "on", 0, 0, 0, a_switch,
     "Whether they are accepted in the query string too. Query strings end up in access logs: off is "
     "safer where all clients send the header X-Bkapi-Authorization."},
    {"auth", "user_table_check", conf_parse_bool, MEMBER(auth.user_table_check), "on", 0, 0, 0, a_switch,
     "Whether bk_username must be an active user of account_user. Off where users live elsewhere: "
     "any user name is then accepted with an application's secret, and a warning is logged at start."},
    {"auth", "gateway", conf_parse_bool, MEMBER(auth.gateway), "off", 0, 0, 0, a_switch,
     "Whether the API gateway's signed token, header X-Bkapi-JWT, is accepted."},
    {"auth", "gateway_key_", conf_parse_ignored, 0, "", 0, 0, CONF_KEY_FAMILY, a_path,
     "gateway_key_NAME = PEM file with the public key of the gateway that signs as NAME (the token's "
     "kid; for BKFlow bk-flow-engine); with two or more keys while they are rotated."},
    {"auth", "gateway_default", conf_parse_text, MEMBER(auth.gateway_default), "", 0, 0, 0, "a NAME of gateway_key_NAME",
     "The gateway of tokens without kid. Empty: such tokens are refused."},
    {"auth", "gateway_algorithms", conf_parse_text, MEMBER(auth.gateway_algorithms), "RS512", 0, 0, CONF_KEY_LIST,
     "RS256, RS384, RS512, ES256, ES384 or ES512, separated by commas",
     "The only algorithms that tokens may be signed with."},
    {"auth", "leeway", conf_parse_duration, MEMBER(auth.leeway_ms), "10s", 0, 600000, 0, "0 to 10m",
     "How far the gateway's clock may be off when a token's times are checked."},
    {"auth", "failure_limit", conf_parse_number, MEMBER(auth.failure_limit), "20", 0, 100000, 0,
     "0 to 100000",
     "Failed logins a minute that one client address or application code may have before it is "
     "answered 429. 0: no limit. Each process counts for itself."},
    {"response", "timezone", conf_parse_zone, MEMBER(response.timezone), "Asia/Shanghai", 0, 0, CONF_KEY_RESTART,
     "a name of the tz database such as Asia/Shanghai",
     "Zone of start_time and finish_time. The database holds UTC."},
    {"response", "language", conf_parse_language, MEMBER(response.language), "en", 0, 0, 0, "en or zh-cn",
     "Language of messages where the request names none."},
    {"response", "max_nodes", conf_parse_number, MEMBER(response.max_nodes), "100000", 1, 10000000,
     CONF_KEY_RESTART, "1 to 10000000",
     "Tasks with more nodes are answered 500. Bounds memory: about 300 bytes per node and worker."},
    {"response", "max_tasks", conf_parse_number, MEMBER(response.max_tasks), "100", 1, 1000, 0, "1 to 1000",
     "How many tasks one request may ask for by task_ids. A request that waits occupies about 100 "
     "bytes for each."},
    {"response", "wait_max", conf_parse_duration, MEMBER(response.wait_max_ms), "50s", 0, 600000, 0, "0 to 10m",
     "How long a request with wait may wait for a change. Must be shorter than the time limits of the web "
     "servers and gateways in front. 0: none waits."},
    {"status", "healthz", conf_parse_bool, MEMBER(status.healthz), "on", 0, 0, 0, a_switch,
     "Whether /healthz answers: 200 as long as the process works."},
    {"status", "readyz", conf_parse_bool, MEMBER(status.readyz), "on", 0, 0, 0, a_switch,
     "Whether /readyz answers: 200 when the database does, else 503."},
    {"status", "metrics", conf_parse_bool, MEMBER(status.metrics), "on", 0, 0, 0, a_switch,
     "Whether /metrics answers, in the Prometheus text format."},
    {"status", "allow", conf_parse_networks, MEMBER(status.allow), "127.0.0.0/8, ::1", 0, 0, CONF_KEY_LIST,
     "up to 32 addresses or networks, separated by commas", "Client addresses that may read /metrics."},
    {"log", "target", conf_parse_log_target, MEMBER(log.target), "stderr", 0, 0, 0,
     "stderr, syslog or file:/path", "Where events go. SIGHUP reopens a file."},
    {"log", "level", conf_parse_level, MEMBER(log.level), "info", 0, 0, 0, "error, warning, info or debug",
     "The least important events that are still written."},
    {"log", "format", conf_parse_format, MEMBER(log.format), "text", 0, 0, 0, "text or json",
     "One line of text or one JSON object per event."},
    {"log", "access", conf_parse_bool, MEMBER(log.access), "off", 0, 0, 0, a_switch,
     "Whether each request is an event, at level info."},
    {"log", "slow", conf_parse_duration, MEMBER(log.slow_ms), "0", 0, 600000, 0, "0 to 10m",
     "Requests that take at least this long are events at level warning. 0: none."},
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

void conf_key_name(const struct conf_key *key, char name[CONF_KEY_NAME_MAX])
{
    snprintf(name, CONF_KEY_NAME_MAX, "[%s] %s", key->section, key->name);
}
