// SPDX-License-Identifier: MIT
// Connecting when the client library had no memory for an option and did not report it.
#include "conf/conf.h"
#include "db/connect_priv.h"
#include "support.h"

#include <errmsg.h>

static enum mysql_option dropped;

int __real_mysql_options(MYSQL *handle, enum mysql_option option, const void *value);
int __wrap_mysql_options(MYSQL *handle, enum mysql_option option, const void *value);

int __wrap_mysql_options(MYSQL *handle, enum mysql_option option, const void *value)
{
    return option == dropped ? 0 : __real_mysql_options(handle, option, value);
}

static unsigned connect_without(enum mysql_option option)
{
    static char socket[] = "BKFLOW_STATES_DATABASE_SOCKET=/nowhere";
    static char tls_ca[] = "BKFLOW_STATES_DATABASE_TLS_CA=/nowhere";
    static char option_file[] = "BKFLOW_STATES_DATABASE_OPTION_FILE=/nowhere";
    static char *const variables[] = {socket, tls_ca, option_file, NULL};
    struct conf *const conf = load_conf(variables);
    struct db_connect_result result;
    dropped = option;
    db_connect(&conf->database, &conf->database.hosts.hosts[0], DB_CONNECT_READ, &result);
    assert_null(result.handle);
    conf_free(conf);
    return result.code;
}

static void without_memory_for_trust_or_identity_no_connection_is_tried(void **state)
{
    (void)state;
    assert_int_equal(connect_without(MYSQL_OPT_SSL_CA), CR_OUT_OF_MEMORY);
    assert_int_equal(connect_without(MYSQL_READ_DEFAULT_FILE), CR_OUT_OF_MEMORY);
    assert_int_equal(connect_without(MYSQL_OPT_CONNECT_TIMEOUT), CR_CONNECTION_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_for_trust_or_identity_no_connection_is_tried),
    };
    return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
