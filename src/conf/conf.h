// SPDX-License-Identifier: MIT
// conf: the configuration. One table in conf_keys.c lists every key with its default, bounds and
// explanation; the parser, --print-config and the reference file are all generated from it.
#ifndef BKFLOW_CONF_CONF_H
#define BKFLOW_CONF_CONF_H

#include "base/base.h"
#include "base/error.h"
#include "base/log.h"
#include "base/cidr.h"

#include <stdio.h>

// The language of messages.
enum lang { LANG_EN, LANG_ZH };

enum conf_listen_kind { CONF_LISTEN_INHERITED, CONF_LISTEN_UNIX, CONF_LISTEN_TCP };

struct conf_listen {
    enum conf_listen_kind kind;
    char path[108]; // unix: the socket's path; the size is sockaddr_un's
    unsigned mode;  // unix: permission bits
    char host[256]; // tcp: a name or an address; "*" for all addresses
    char port[6];   // tcp
};

enum { CONF_HOSTS_MAX = 16, CONF_HOST_BYTES = 256 };

// A server of a database.
struct conf_host {
    char name[CONF_HOST_BYTES]; // a name, or an address without brackets; see conf_host_is_local
    unsigned port;              // unused for the local socket
};

// Hosts in order of preference.
struct conf_hosts {
    struct conf_host hosts[CONF_HOSTS_MAX];
    size_t count; // at least 1
};

// How to reach one database. The strings live as long as the configuration; empty means not given.
struct conf_database {
    struct conf_hosts hosts;
    int64_t port; // the default for hosts without a port; already copied to them
    const char *socket;
    const char *user;
    const char *password;
    const char *password_file;
    const char *name;
    int64_t connect_timeout_ms;
    int64_t query_timeout_ms;
    const char *tls_ca;
    bool tls_verify;
    const char *option_file;
};

// An API gateway that signs tokens. The configuration owns the strings.
struct conf_gateway {
    char *name; // the token's kid
    char *path; // PEM file with its public keys
};

enum { CONF_KEYS_MAX = 64, CONF_GATEWAYS_MAX = 16 };

// Immutable once loaded.
struct conf {
    struct {
        struct conf_listen listen;
        int64_t workers;
        int64_t max_request_bytes;
        int64_t client_timeout_ms;
        int64_t drain_timeout_ms;
        struct cidr_list trusted_proxies;
        int64_t waiting_max; // requests that wait for a change
        int64_t watch_interval_ms;
    } server;
    struct conf_database database;
    struct conf_database engine_database;
    bool has_engine_database; // the engine's tables are in a database of their own
    struct {
        bool direct;
        bool query_credentials;
        bool user_table_check;
        bool gateway;
        struct conf_gateway gateways[CONF_GATEWAYS_MAX];
        size_t gateway_count;
        const char *gateway_default;    // a gateway's name; empty: none
        const char *gateway_algorithms; // separated by commas
        int64_t leeway_ms;
        int64_t failure_limit; // per minute; 0: none
    } auth;
    struct {
        const char *timezone;
        enum lang language;
        int64_t max_nodes;
        int64_t max_tasks;
        int64_t wait_max_ms; // 0: no request waits
    } response;
    struct {
        bool healthz;
        bool readyz;
        bool metrics;
        struct cidr_list allow;
    } status;
    struct {
        const char *target;
        enum log_level level;
        enum log_format format;
        bool access;
        int64_t slow_ms; // 0: no request counts as slow
    } log;
    char *texts[CONF_KEYS_MAX]; // each key's value as given, or its default; owned
    bool given[CONF_KEYS_MAX];  // in the file or the environment
    bool kept[CONF_KEYS_MAX];   // the value from the start is kept despite a new one
    char *secrets[2];           // passwords read from files; owned
};

// Called once per mistake, with a complete sentence that names the place and what was expected.
typedef void conf_complain(void *context, const char *sentence);

// Where mistakes are reported, and how many there were.
struct conf_mistakes {
    conf_complain *complain;
    void *context;
    unsigned count;
};

// Reports a mistake.
void conf_mistake(struct conf_mistakes *mistakes, const char *format, ...) PRINTF_LIKE(2, 3);

// Returns the file to read: GIVEN, else $BKFLOW_STATES_CONFIG, else the default. NULL if there is
// none.
const char *conf_choose_path(const char *given) MUST_CHECK;

// Reads PATH (NULL: no file, defaults only), then the environment. Reports all mistakes before it
// fails with NULL.
struct conf *conf_load(const char *path, char *const *environment, conf_complain *complain,
                       void *context) MUST_CHECK __attribute__((nonnull(2, 3)));

// Whether the host is reached through the local socket, without a port: the name is empty, or
// localhost, which client libraries treat the same.
bool conf_host_is_local(const struct conf_host *host) MUST_CHECK NONNULL;

// Formats the host: "(local)", "db1", or "db1:3307" if its port is not USUAL_PORT.
enum { CONF_HOST_TEXT_MAX = CONF_HOST_BYTES + 10 };
void conf_host_show(const struct conf_host *host, int64_t usual_port,
                    char text[CONF_HOST_TEXT_MAX]) NONNULL;

// Returns why LINE, the first line of a password file, cannot be a password; NULL if it can.
const char *conf_password_mistake(struct str line) MUST_CHECK;

// Whether both settings reach the same database in the same way.
bool conf_is_same_database(const struct conf_database *a,
                           const struct conf_database *b) MUST_CHECK NONNULL;

// Wipes the secrets and frees everything.
void conf_free(struct conf *conf);

// Prints the effective configuration as a file that conf_load accepts, with secrets masked.
void conf_print(const struct conf *conf, FILE *file) NONNULL;

// Prints the commented reference file: every key with its explanation and default.
void conf_print_reference(FILE *file) NONNULL;

// Calls NOTE for each valid but risky setting, with a sentence for the operator.
void conf_report_risks(const struct conf *conf, conf_complain *note, void *context)
    __attribute__((nonnull(1, 2)));

// Reports what is missing outside the configuration, although every request needs it: a database
// account, and files that cannot be read. -1 if anything is.
int conf_check_reach(const struct conf *conf, conf_complain *complain, void *context) MUST_CHECK
    __attribute__((nonnull(1, 2)));

// For a reload: resets each key that is read only at start to its value in RUNNING, so that no part
// of the program sees the new one. -1 after reporting that this is not possible.
int conf_keep_start_values(struct conf *fresh, const struct conf *running, conf_complain *complain,
                           void *context) MUST_CHECK __attribute__((nonnull(1, 2, 3)));

// Iterates over the keys that conf_keep_start_values reset. *AT starts at 0; false at the end. NAME
// is "[section] key".
enum { CONF_KEY_NAME_MAX = 64 };
bool conf_next_kept(const struct conf *conf, size_t *at, char name[CONF_KEY_NAME_MAX]) NONNULL;

#endif
