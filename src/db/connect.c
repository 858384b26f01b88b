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

static void require_tls(MYSQL *handle, const struct conf_database *conf)
{
    mysql_options(handle, MYSQL_OPT_SSL_CA, conf->tls_ca);
#ifdef MARIADB_PACKAGE_VERSION
    client_bool yes = 1;
    client_bool verify = conf->tls_verify;
    mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
#else
    unsigned mode = conf->tls_verify ? SSL_MODE_VERIFY_IDENTITY : SSL_MODE_REQUIRED;
    mysql_options(handle, MYSQL_OPT_SSL_MODE, &mode);
#endif
}

static unsigned whole_seconds(int64_t ms)
{
    return (unsigned)((ms + 999) / 1000);
}

static void set_options(MYSQL *handle, const struct conf_database *conf, bool is_probe)
{
    const unsigned connect_s = whole_seconds(conf->connect_timeout_ms);
    // For where nobody enforces what db_deadline knows.
    const unsigned answer_s = whole_seconds(conf->query_timeout_ms) + 1;
    const unsigned no_local_files = 0; // a hostile server could ask for them
    mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &answer_s);
    mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
    mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &no_local_files);
    mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (is_probe) {
        mysql_options(handle, MYSQL_INIT_COMMAND, "DO 0");
    }
    if (conf->option_file[0] != '\0') {
        mysql_options(handle, MYSQL_READ_DEFAULT_FILE, conf->option_file);
        mysql_options(handle, MYSQL_READ_DEFAULT_GROUP, "bkflow-states");
    }
    if (conf->tls_ca[0] != '\0') {
        require_tls(handle, conf);
    }
}

// ---- connecting ----

// The library's own way to connect, as far as one call of it goes.
#ifdef MARIADB_PACKAGE_VERSION

// Connecting runs on a stack of its own, and looking up a name may take much. Memory that is not
// touched costs nothing.
enum { STACK_BYTES = 1024 * 1024 };

static void begin(struct db_connect *connect, const char *host, unsigned port, const char *socket)
{
    const struct conf_database *const conf = connect->conf;
    const size_t stack_bytes = STACK_BYTES;
    const bool can_wait = mysql_options(connect->handle, MYSQL_OPT_NONBLOCK, &stack_bytes) == 0;
    if (can_wait) {
        connect->waits_for =
            mysql_real_connect_start(&connect->result, connect->handle, host, or_null(conf->user),
                                     or_null(conf->password), or_null(conf->name), port, socket, 0);
    } else {
        connect->result =
            mysql_real_connect(connect->handle, host, or_null(conf->user), or_null(conf->password),
                               or_null(conf->name), port, socket, 0);
    }
}

static void step(struct db_connect *connect, int ready)
{
    connect->waits_for = mysql_real_connect_cont(&connect->result, connect->handle, ready);
}

int db_connect_socket(MYSQL *handle)
{
    return (int)mysql_get_socket(handle);
}

#else

enum { MYSQL_WAIT_READ = 1, MYSQL_WAIT_WRITE = 2, MYSQL_WAIT_EXCEPT = 4, MYSQL_WAIT_TIMEOUT = 8 };

static void begin(struct db_connect *connect, const char *host, unsigned port, const char *socket)
{
    const struct conf_database *const conf = connect->conf;
    connect->result =
        mysql_real_connect(connect->handle, host, or_null(conf->user), or_null(conf->password),
                           or_null(conf->name), port, socket, 0);
}

static void step(struct db_connect *connect, int ready)
{
    (void)ready;
    connect->waits_for = 0;
}

int db_connect_socket(MYSQL *handle)
{
    return (int)handle->net.fd;
}

#endif

static void set_deadline(struct db_connect *connect)
{
    connect->deadline_us = clock_monotonic_us() + connect->conf->connect_timeout_ms * 1000;
}

void db_connect_start(struct db_connect *connect, const struct conf_database *conf,
                      const struct conf_host *host, bool is_probe)
{
    *connect = (struct db_connect){
        .conf = conf, .handle = mysql_init(NULL), .started_us = clock_monotonic_us()};
    if (connect->handle == NULL) {
        return;
    }
    set_options(connect->handle, conf, is_probe);
    const bool is_local = conf_host_is_local(host);
    begin(connect, or_null(host->name), is_local ? 0 : host->port,
          is_local ? or_null(conf->socket) : NULL);
    set_deadline(connect); // looking up the name is over
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
        step(connect, ready & connect->waits_for);
    } else if (clock_monotonic_us() >= connect->deadline_us) {
        step(connect, MYSQL_WAIT_TIMEOUT);
        set_deadline(connect); // a name may have a further address
    }
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
        step(connect, MYSQL_WAIT_TIMEOUT);
    }
}

unsigned db_connect_code(const struct db_connect *connect)
{
    return connect->handle == NULL ? CR_OUT_OF_MEMORY : mysql_errno(connect->handle);
}

const char *db_connect_message(const struct db_connect *connect)
{
    return connect->handle == NULL ? "out of memory" : mysql_error(connect->handle);
}

// In the server's own dialect.
void db_connect_set_session(struct db_connect *connect)
{
    MYSQL *const handle = connect->handle;
    const struct conf_database *const conf = connect->conf;
    char sql[128];
    if (strstr(mysql_get_server_info(handle), "MariaDB") != NULL) {
        snprintf(sql, sizeof sql, "SET SESSION max_statement_time=%" PRId64 ".%03" PRId64,
                 conf->query_timeout_ms / 1000, conf->query_timeout_ms % 1000);
    } else {
        snprintf(sql, sizeof sql, "SET SESSION max_execution_time=%" PRId64,
                 conf->query_timeout_ms);
    }
    (void)mysql_real_query(handle, sql, strlen(sql));
}
