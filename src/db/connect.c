// SPDX-License-Identifier: MIT
#include "db/connect.h"

#include "base/clock.h"

#include <errmsg.h>
#include <inttypes.h>
#include <stdio.h>

// The client library's own boolean: my_bool in MariaDB's, bool in Oracle's since 8.0.
typedef __typeof__(*((MYSQL_BIND *)NULL)->is_null) client_bool;

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

// Those that do not send the password itself, so that a server which merely asks for it does not
// get it. Where the library is sure of TLS before it logs in, the others may be used too.
#define HASHING_PLUGINS                                                                            \
    "mysql_native_password,client_ed25519,parsec,caching_sha2_password,sha256_password,"           \
    "auth_gssapi_client"

static void set_security(MYSQL *handle, const struct conf_database *conf)
{
    client_bool enforce = demands_tls(conf);
    client_bool verify = demands_tls(conf) && conf->tls_verify;
    mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    mysql_options(handle, MARIADB_OPT_RESTRICTED_AUTH, verify ? NULL : HASHING_PLUGINS);
}

#else

static void set_security(MYSQL *handle, const struct conf_database *conf)
{
    client_bool no = 0;
    mysql_options(handle, MYSQL_ENABLE_CLEARTEXT_PLUGIN, &no); // the environment can switch it on
    if (demands_tls(conf)) {
        unsigned mode = conf->tls_verify ? SSL_MODE_VERIFY_IDENTITY : SSL_MODE_REQUIRED;
        mysql_options(handle, MYSQL_OPT_SSL_MODE, &mode);
    }
}

#endif

static unsigned whole_seconds(int64_t ms)
{
    return (unsigned)((ms + 999) / 1000);
}

// A hostile server could ask for files.
static void forbid_local_files(MYSQL *handle)
{
    const unsigned no = 0;
    mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &no);
}

static void set_limits(MYSQL *handle, const struct conf_database *conf)
{
    const unsigned connect_s = whole_seconds(conf->connect_timeout_ms);
    // For where nobody enforces what the deadline knows.
    const unsigned answer_s = whole_seconds(conf->query_timeout_ms) + 1;
    const unsigned long largest_packet = 1024 * 1024; // the largest row is a few KB
    mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &answer_s);
    mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
    mysql_options(handle, MYSQL_OPT_MAX_ALLOWED_PACKET, &largest_packet);
}

static void set_options(MYSQL *handle, const struct conf_database *conf, enum db_connect_use use)
{
    set_limits(handle, conf);
    forbid_local_files(handle);
    mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (use == DB_CONNECT_PROBE) {
        mysql_options(handle, MYSQL_INIT_COMMAND, "DO 0");
    }
    if (conf->option_file[0] != '\0') {
        mysql_options(handle, MYSQL_READ_DEFAULT_FILE, conf->option_file);
        mysql_options(handle, MYSQL_READ_DEFAULT_GROUP, "bkflow-states");
    }
    if (demands_tls(conf)) {
        mysql_options(handle, MYSQL_OPT_SSL_CA, conf->tls_ca);
    }
    set_security(handle, conf);
}

// What an option file, which the library reads while it connects, must not decide.
static void override_option_file(MYSQL *handle)
{
    forbid_local_files(handle);
#ifdef MARIADB_PACKAGE_VERSION
    client_bool no = 0;
    mysql_options(handle, MYSQL_OPT_RECONNECT, &no); // the session's settings would be lost
#endif
}

// ---- the library's functions, as far as one call of them goes ----

#ifdef MARIADB_PACKAGE_VERSION

// Connecting runs on a stack of its own, and looking up a name may take much. Memory that is not
// touched costs nothing.
enum { STACK_BYTES = 1024 * 1024 };

static bool make_async(MYSQL *handle)
{
    const size_t stack_bytes = STACK_BYTES;
    return mysql_options(handle, MYSQL_OPT_NONBLOCK, &stack_bytes) == 0;
}

static void begin_login(struct db_connect *connect, const char *host, unsigned port,
                        const char *socket)
{
    const struct conf_database *const conf = connect->conf;
    connect->waits_for =
        mysql_real_connect_start(&connect->logged_in, connect->handle, host, or_null(conf->user),
                                 or_null(conf->password), or_null(conf->name), port, socket, 0);
}

static void begin_query(struct db_connect *connect)
{
    connect->waits_for = mysql_real_query_start(&connect->query_failed, connect->handle,
                                                connect->sql, strlen(connect->sql));
}

static void go_on(struct db_connect *connect, int ready)
{
    connect->waits_for =
        connect->step == 0 ? mysql_real_connect_cont(&connect->logged_in, connect->handle, ready)
                           : mysql_real_query_cont(&connect->query_failed, connect->handle, ready);
}

int db_connect_socket(MYSQL *handle)
{
    return (int)mysql_get_socket(handle);
}

#else

enum { MYSQL_WAIT_READ = 1, MYSQL_WAIT_WRITE = 2, MYSQL_WAIT_EXCEPT = 4, MYSQL_WAIT_TIMEOUT = 8 };

static bool make_async(MYSQL *handle)
{
    (void)handle;
    return false;
}

static void begin_login(struct db_connect *connect, const char *host, unsigned port,
                        const char *socket)
{
    (void)connect, (void)host, (void)port, (void)socket;
}

static void begin_query(struct db_connect *connect)
{
    (void)connect;
}

static void go_on(struct db_connect *connect, int ready)
{
    (void)ready;
    connect->waits_for = 0;
}

int db_connect_socket(MYSQL *handle)
{
    return (int)handle->net.fd; // the library has no function for it
}

#endif

static void set_deadline(struct db_connect *connect)
{
    connect->deadline_us = clock_monotonic_us() + connect->conf->connect_timeout_ms * 1000;
}

static void start_login(struct db_connect *connect, const struct conf_host *address)
{
    const struct conf_database *const conf = connect->conf;
    const bool is_local = conf_host_is_local(address);
    const char *const host = or_null(address->name);
    const unsigned port = is_local ? 0 : address->port;
    const char *const socket = is_local ? or_null(conf->socket) : NULL;
    if (connect->is_async) {
        begin_login(connect, host, port, socket);
    } else {
        connect->logged_in =
            mysql_real_connect(connect->handle, host, or_null(conf->user), or_null(conf->password),
                               or_null(conf->name), port, socket, 0);
    }
    set_deadline(connect); // the lookup of the name is over
}

static void start_query(struct db_connect *connect)
{
    if (connect->is_async) {
        begin_query(connect);
    } else {
        connect->query_failed =
            mysql_real_query(connect->handle, connect->sql, strlen(connect->sql));
    }
    set_deadline(connect);
}

// ---- the session ----

// Whatever the server's defaults and its init_connect are. "autocommit=0, autocommit=1" ends a
// transaction that init_connect left open: its snapshot would stay what it is for ever. No row of
// a result may be missing, and texts, times and statements mean what they mean here.
#define SETTINGS                                                                                   \
    "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, SESSION autocommit=0, SESSION autocommit=1,"    \
    " SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', SESSION time_zone='+00:00',"    \
    " SESSION sql_select_limit=18446744073709551615, SESSION sql_big_selects=1"

// Each server runs the comment in its own dialect and skips the other's, whatever version it claims
// to have. One that runs neither finds a comma too many, and STEP_SETTINGS is next.
#define MYSQL_PART                                                                                 \
    "/*!50720 SESSION transaction_isolation='%s', SESSION transaction_read_only=%d,"               \
    " SESSION max_execution_time=%" PRId64 "*/"
#define MARIADB_PART                                                                               \
    "/*M!100101 SESSION tx_isolation='%s', SESSION tx_read_only=%d,"                               \
    " SESSION max_statement_time=%" PRId64 ".%03" PRId64 "*/"
#define LIMIT                                                                                      \
    "SET /*!50708 SESSION max_execution_time=%" PRId64 "*/"                                        \
    "/*M!100101 SESSION max_statement_time=%" PRId64 ".%03" PRId64 "*/"

enum {
    STEP_LOGIN,
    STEP_ALL,      // all settings at once. Only where this fails, one after the other:
    STEP_SETTINGS, // what every server has
    STEP_TRANSACTION,
    STEP_LIMIT, // what not every server has
};

// Who writes keeps the servers' usual level: at READ COMMITTED a server whose binary log holds
// statements refuses to write.
static void write_sql(struct db_connect *connect)
{
    const bool writes = connect->use == DB_CONNECT_WRITE;
    const int64_t ms = connect->conf->query_timeout_ms;
    char *const sql = connect->sql;
    switch (connect->step) {
    case STEP_ALL:
        snprintf(sql, DB_CONNECT_SQL_BYTES, SETTINGS ", " MYSQL_PART MARIADB_PART,
                 writes ? "REPEATABLE-READ" : "READ-COMMITTED", !writes, ms,
                 writes ? "REPEATABLE-READ" : "READ-COMMITTED", !writes, ms / 1000, ms % 1000);
        break;
    case STEP_SETTINGS:
        snprintf(sql, DB_CONNECT_SQL_BYTES, SETTINGS);
        break;
    case STEP_TRANSACTION:
        snprintf(sql, DB_CONNECT_SQL_BYTES, "SET SESSION TRANSACTION ISOLATION LEVEL %s",
                 writes ? "REPEATABLE READ, READ WRITE" : "READ COMMITTED, READ ONLY");
        break;
    default:
        snprintf(sql, DB_CONNECT_SQL_BYTES, LIMIT, ms, ms / 1000, ms % 1000);
        break;
    }
}

// ---- step by step ----

static void end(struct db_connect *connect, unsigned code, const char *message)
{
    connect->is_over = true;
    connect->code = code;
    connect->message = message;
}

static void end_with_library_error(struct db_connect *connect)
{
    end(connect, mysql_errno(connect->handle), mysql_error(connect->handle));
}

static void start_step(struct db_connect *connect, int step)
{
    connect->step = step;
    write_sql(connect);
    start_query(connect);
}

static void end_login(struct db_connect *connect)
{
    if (connect->logged_in == NULL) {
        end_with_library_error(connect);
    } else if (demands_tls(connect->conf) && mysql_get_ssl_cipher(connect->handle) == NULL) {
        end(connect, CR_SSL_CONNECTION_ERROR, "TLS is required, but the server does not offer it");
    } else {
        override_option_file(connect->handle);
        start_step(connect, STEP_ALL);
    }
}

static bool is_servers_own(unsigned code)
{
    return code != 0 && (code < CR_MIN_ERROR || code > CR_MAX_ERROR);
}

static void end_query(struct db_connect *connect)
{
    const bool is_refused =
        connect->query_failed != 0 && is_servers_own(mysql_errno(connect->handle));
    const bool is_optional = connect->step == STEP_ALL || connect->step == STEP_LIMIT;
    if (connect->query_failed != 0 && !(is_refused && is_optional)) {
        end_with_library_error(connect);
    } else if (connect->step == STEP_LIMIT || (connect->step == STEP_ALL && !is_refused)) {
        connect->has_no_time_limit = is_refused;
        end(connect, 0, "");
    } else {
        start_step(connect, connect->step + 1);
    }
}

// Ends what is not waited for any more, and begins what follows.
static void proceed(struct db_connect *connect)
{
    while (connect->waits_for == 0 && !connect->is_over) {
        if (connect->step == STEP_LOGIN) {
            end_login(connect);
        } else {
            end_query(connect);
        }
    }
}

void db_connect_start(struct db_connect *connect, const struct conf_database *conf,
                      const struct conf_host *host, enum db_connect_use use)
{
    *connect = (struct db_connect){
        .conf = conf, .use = use, .handle = mysql_init(NULL), .started_us = clock_monotonic_us()};
    if (connect->handle == NULL) {
        end(connect, CR_OUT_OF_MEMORY, "out of memory");
        return;
    }
    set_options(connect->handle, conf, use);
    connect->is_async = make_async(connect->handle);
    start_login(connect, host);
    proceed(connect);
}

struct pollfd db_connect_wants(const struct db_connect *connect)
{
    const int wants = connect->waits_for;
    const int events = ((wants & MYSQL_WAIT_READ) != 0 ? POLLIN : 0) |
                       ((wants & MYSQL_WAIT_WRITE) != 0 ? POLLOUT : 0) |
                       ((wants & MYSQL_WAIT_EXCEPT) != 0 ? POLLPRI : 0);
    return (struct pollfd){.fd = db_connect_socket(connect->handle), .events = (short)events};
}

void db_connect_go_on(struct db_connect *connect, int revents)
{
    const int ready = ((revents & (POLLIN | POLLHUP | POLLERR)) != 0 ? MYSQL_WAIT_READ : 0) |
                      ((revents & (POLLOUT | POLLHUP | POLLERR)) != 0 ? MYSQL_WAIT_WRITE : 0) |
                      ((revents & POLLPRI) != 0 ? MYSQL_WAIT_EXCEPT : 0);
    if ((ready & connect->waits_for) != 0) {
        go_on(connect, ready & connect->waits_for);
    } else if (clock_monotonic_us() >= connect->deadline_us) {
        go_on(connect, MYSQL_WAIT_TIMEOUT);
        set_deadline(connect); // a name may have a further address
    }
    proceed(connect);
}

bool db_connect_wait(struct db_connect *connect, int64_t until_us)
{
    int64_t now_us = clock_monotonic_us();
    while (connect->waits_for != 0 && now_us < until_us) {
        struct pollfd wanted = db_connect_wants(connect);
        const int64_t end_us = connect->deadline_us < until_us ? connect->deadline_us : until_us;
        const int ready =
            end_us <= now_us ? 0 : poll(&wanted, 1, (int)((end_us - now_us + 999) / 1000));
        db_connect_go_on(connect, ready > 0 ? wanted.revents : 0);
        now_us = clock_monotonic_us();
    }
    return connect->waits_for == 0;
}

void db_connect_abandon(struct db_connect *connect)
{
    while (connect->waits_for != 0) {
        go_on(connect, MYSQL_WAIT_TIMEOUT);
    }
}

unsigned db_connect_code(const struct db_connect *connect)
{
    return connect->code;
}

const char *db_connect_message(const struct db_connect *connect)
{
    return connect->message;
}

bool db_connect_has_no_time_limit(const struct db_connect *connect)
{
    return connect->has_no_time_limit;
}
