// SPDX-License-Identifier: MIT
#include "db/connect_priv.h"

#include <errmsg.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#ifndef MARIADB_PACKAGE_VERSION
#include <ini.h>
#endif

// What is read of an option file.
#define OPTION_GROUP "bkflow-states"

enum { SQL_BYTES = 768 };

// The client library's boolean type: my_bool in MariaDB's, bool in Oracle's since 8.0.
typedef __typeof__(*((MYSQL_BIND *)NULL)->is_null) client_bool;

// The other library's header lacks them: MariaDB's CR_PLUGIN_NOT_ALLOWED, Oracle's
// CR_AUTH_PLUGIN_ERR.
enum { PLUGIN_NOT_ALLOWED = 5010, PLUGIN_FAILED = 2061 };

// ---- options ----

static const char *or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static bool demands_tls(const struct conf_database *conf)
{
    return conf->tls_ca[0] != '\0';
}

#ifdef MARIADB_PACKAGE_VERSION

// Plug-ins that do not send the password itself, so that a server cannot get it just by asking.
// Others are allowed if the library ensures TLS before it logs in.
#define HASHING_PLUGINS                                                                            \
    "mysql_native_password,client_ed25519,parsec,caching_sha2_password,sha256_password,"           \
    "auth_gssapi_client"

// Without TLS, caching_sha2_password and sha256_password encrypt the password with the server's
// key. The library asks the server for the key unless it has a file, and gives up if the file is
// empty. An option file can name the right key.
#define NO_KEY "/dev/null"

static void set_security(MYSQL *handle, const struct conf_database *conf)
{
    client_bool enforce = demands_tls(conf);
    client_bool verify = demands_tls(conf) && conf->tls_verify;
    mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    mysql_options(handle, MARIADB_OPT_RESTRICTED_AUTH, verify ? NULL : HASHING_PLUGINS);
    mysql_options(handle, MYSQL_SERVER_PUBLIC_KEY, NO_KEY);
}

#else

// Without tls_ca there is no TLS at all: over TLS, caching_sha2_password and sha256_password send
// the password itself, and the library would use TLS with anybody who offers it.
static unsigned tls_mode(const struct conf_database *conf)
{
    if (!demands_tls(conf)) {
        return SSL_MODE_DISABLED;
    }
    return conf->tls_verify ? SSL_MODE_VERIFY_IDENTITY : SSL_MODE_VERIFY_CA;
}

// MariaDB's library reads the name of the key's file from an option file; Oracle's knows no such
// option.
static int take_server_key(void *handle, const char *section, const char *name, const char *value)
{
    if (strcmp(section, OPTION_GROUP) == 0 && strcmp(name, "server-public-key") == 0) {
        mysql_options(handle, MYSQL_SERVER_PUBLIC_KEY, value);
    }
    return 1;
}

static void set_security(MYSQL *handle, const struct conf_database *conf)
{
    const client_bool no = 0;
    const unsigned mode = tls_mode(conf);
    mysql_options(handle, MYSQL_ENABLE_CLEARTEXT_PLUGIN, &no); // the environment can enable it
    mysql_options(handle, MYSQL_OPT_SSL_MODE, &mode);
    if (conf->option_file[0] != '\0') {
        (void)ini_parse(conf->option_file, take_server_key, handle);
    }
}

#endif

static unsigned whole_seconds(int64_t ms)
{
    return (unsigned)((ms + 999) / 1000);
}

// A hostile server could request files.
static void forbid_local_files(MYSQL *handle)
{
    const unsigned no = 0;
    mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &no);
}

static void set_limits(MYSQL *handle, const struct conf_database *conf)
{
    const unsigned connect_s = whole_seconds(conf->connect_timeout_ms);
    // Only take effect where nobody enforces the deadline list.
    const unsigned answer_s = whole_seconds(conf->query_timeout_ms) + 1;
    const unsigned long largest_packet = 1024 * 1024; // the largest row is a few KB
    mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &answer_s);
    mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
    mysql_options(handle, MYSQL_OPT_MAX_ALLOWED_PACKET, &largest_packet);
}

static void set_options(MYSQL *handle, const struct conf_database *conf)
{
    set_limits(handle, conf);
    forbid_local_files(handle);
    mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (conf->option_file[0] != '\0') {
        mysql_options(handle, MYSQL_READ_DEFAULT_FILE, conf->option_file);
        mysql_options(handle, MYSQL_READ_DEFAULT_GROUP, OPTION_GROUP);
    }
    if (demands_tls(conf)) {
        mysql_options(handle, MYSQL_OPT_SSL_CA, conf->tls_ca);
    }
    set_security(handle, conf);
}

// Whether the option is set: without memory, the library silently drops a string.
static bool has_text_option(MYSQL *handle, enum mysql_option option, const char *text)
{
    const char *kept = NULL;
    return text[0] == '\0' || (mysql_get_option(handle, option, &kept) == 0 && kept != NULL);
}

// Whether all options are set that decide whom we trust and who we are.
static bool has_options(MYSQL *handle, const struct conf_database *conf)
{
    return has_text_option(handle, MYSQL_OPT_SSL_CA, conf->tls_ca) &&
           has_text_option(handle, MYSQL_READ_DEFAULT_FILE, conf->option_file);
}

// Overrides what the option file, which the library reads while it connects, must not decide.
static void override_option_file(MYSQL *handle)
{
    forbid_local_files(handle);
#ifdef MARIADB_PACKAGE_VERSION
    client_bool no = 0;
    mysql_options(handle, MYSQL_OPT_RECONNECT, &no); // the session's settings would be lost
#endif
}

// ---- the session ----

// Overrides the server's defaults and its init_connect. "autocommit=0, autocommit=1" ends a
// transaction that init_connect left open, which would show the same snapshot for ever. The other
// settings make sure that no row is missing from a result, and that strings, times and statements
// have the expected meaning.
#define SETTINGS                                                                                   \
    "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, SESSION autocommit=0, SESSION autocommit=1,"    \
    " SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', SESSION time_zone='+00:00',"    \
    " SESSION sql_select_limit=18446744073709551615, SESSION sql_big_selects=1"

// Each server executes the comment in its own dialect and skips the other one, whatever version it
// claims to have. A server that executes neither finds an extra comma; the settings are then made
// one by one.
#define MYSQL_PART                                                                                 \
    "/*!50720 SESSION transaction_isolation='%s', SESSION transaction_read_only=%d,"               \
    " SESSION max_execution_time=%" PRId64 "*/"
#define MARIADB_PART                                                                               \
    "/*M!100101 SESSION tx_isolation='%s', SESSION tx_read_only=%d,"                               \
    " SESSION max_statement_time=%" PRId64 ".%03" PRId64 "*/"
#define LIMIT                                                                                      \
    "SET /*!50708 SESSION max_execution_time=%" PRId64 "*/"                                        \
    "/*M!100101 SESSION max_statement_time=%" PRId64 ".%03" PRId64 "*/"

static bool send_statement(MYSQL *handle, const char *sql)
{
    return mysql_real_query(handle, sql, strlen(sql)) == 0;
}

// Whether the server refused the last statement and the connection still works.
static bool is_refused(MYSQL *handle)
{
    const unsigned code = mysql_errno(handle);
    return code != 0 && (code < CR_MIN_ERROR || code > CR_MAX_ERROR);
}

// Connections that write keep the server's default level: at READ COMMITTED a server with
// statement-based binary logging refuses to write.
static bool set_all(MYSQL *handle, const struct conf_database *conf, bool writes)
{
    const int64_t ms = conf->query_timeout_ms;
    const char *const level = writes ? "REPEATABLE-READ" : "READ-COMMITTED";
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, SETTINGS ", " MYSQL_PART MARIADB_PART, level, !writes, ms, level,
             !writes, ms / 1000, ms % 1000);
    return send_statement(handle, sql);
}

static bool set_transaction(MYSQL *handle, bool writes)
{
    return send_statement(
        handle, writes ? "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE"
                       : "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY");
}

static bool set_time_limit(MYSQL *handle, const struct conf_database *conf)
{
    const int64_t ms = conf->query_timeout_ms;
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, LIMIT, ms, ms / 1000, ms % 1000);
    return send_statement(handle, sql);
}

// Settings that every server has must succeed; not every server has a time limit.
static bool set_one_by_one(MYSQL *handle, const struct conf_database *conf, bool writes,
                           bool *has_no_time_limit)
{
    if (!send_statement(handle, SETTINGS) || !set_transaction(handle, writes)) {
        return false;
    }
    *has_no_time_limit = !set_time_limit(handle, conf);
    return !*has_no_time_limit || is_refused(handle);
}

static bool set_session(MYSQL *handle, const struct conf_database *conf, enum db_connect_use use,
                        bool *has_no_time_limit)
{
    const bool writes = use == DB_CONNECT_WRITE;
    return set_all(handle, conf, writes) ||
           (is_refused(handle) && set_one_by_one(handle, conf, writes, has_no_time_limit));
}

// ---- the connection ----

int db_connect_socket(MYSQL *handle)
{
#ifdef MARIADB_PACKAGE_VERSION
    return (int)mysql_get_socket(handle);
#else
    return (int)handle->net.fd; // no function of the library returns it
#endif
}

// Often enough for firewalls and load balancers that drop idle connections after a minute, and to
// notice that the peer is gone. Has no effect on a unix socket.
static void keep_alive(MYSQL *handle)
{
    const int fd = db_connect_socket(handle);
    const int yes = 1;
    const int idle_seconds = 45;
    const int interval_seconds = 15;
    const int probes = 3;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds, sizeof interval_seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static bool log_in(MYSQL *handle, const struct conf_database *conf, const struct conf_host *host)
{
    const bool is_local = conf_host_is_local(host);
    const unsigned port = is_local ? 0 : host->port;
    const char *const socket = is_local ? or_null(conf->socket) : NULL;
    // Options are kept if it fails: freed in there, one of them would leak. See db_connect_close.
    return mysql_real_connect(handle, or_null(host->name), or_null(conf->user),
                              or_null(conf->password), or_null(conf->name), port, socket,
                              CLIENT_REMEMBER_OPTIONS) != NULL;
}

static bool lacks_tls(MYSQL *handle, const struct conf_database *conf)
{
    return demands_tls(conf) && mysql_get_ssl_cipher(handle) == NULL;
}

void db_connect_fail(struct db_connect_result *result, unsigned code, const char *message)
{
    result->code = code;
    snprintf(result->message, sizeof result->message, "%s", message);
}

// Replaces useless messages of the library: about plug-ins, for which MariaDB's prints freed
// memory, and about a missing key, for which MariaDB's has none, and Oracle's does not say what to
// do.
static const char *message_of(MYSQL *handle, unsigned code)
{
    switch (code) {
    case PLUGIN_NOT_ALLOWED:
        return "the server asks for the password itself, which it gets over verified TLS only";
    case CR_UNKNOWN_ERROR:
    case PLUGIN_FAILED:
        return "the login needs TLS, a unix socket, or the server's public key (server-public-key "
               "in option_file)";
    default:
        return mysql_error(handle);
    }
}

static void fail_as_library(MYSQL *handle, struct db_connect_result *result)
{
    const unsigned code = mysql_errno(handle);
    db_connect_fail(result, code, message_of(handle, code));
}

// Whether HANDLE can be used; if not, RESULT says why.
static bool make_usable(MYSQL *handle, const struct conf_database *conf,
                        const struct conf_host *host, enum db_connect_use use,
                        struct db_connect_result *result)
{
    if (!log_in(handle, conf, host)) {
        fail_as_library(handle, result);
        return false;
    }
    if (lacks_tls(handle, conf)) {
        db_connect_fail(result, CR_SSL_CONNECTION_ERROR,
                        "TLS is required, but the server does not offer it");
        return false;
    }
    override_option_file(handle);
    if (!set_session(handle, conf, use, &result->has_no_time_limit)) {
        fail_as_library(handle, result);
        return false;
    }
    keep_alive(handle);
    return true;
}

void db_connect_close(MYSQL *handle)
{
#ifdef MARIADB_PACKAGE_VERSION
    mysql_options(handle, MYSQL_SERVER_PUBLIC_KEY, NULL); // Connector/C 3.3 would not free it
#endif
    mysql_close(handle);
}

void db_connect(const struct conf_database *conf, const struct conf_host *host,
                enum db_connect_use use, struct db_connect_result *result)
{
    MYSQL *const handle = mysql_init(NULL);
    *result = (struct db_connect_result){.code = 0};
    if (handle == NULL) {
        db_connect_fail(result, CR_OUT_OF_MEMORY, "out of memory");
        return;
    }
    set_options(handle, conf);
    if (!has_options(handle, conf)) {
        db_connect_fail(result, CR_OUT_OF_MEMORY, "out of memory");
        db_connect_close(handle);
        return;
    }
    if (make_usable(handle, conf, host, use, result)) {
        result->handle = handle;
    } else {
        db_connect_close(handle);
    }
}
