// SPDX-License-Identifier: MIT
#include "db/error_code_priv.h"

// Numbers and not names: each header set lacks some of the others', and proxies' are in neither.
// Sorted by number.
// clang-format off
static const struct {
    unsigned code;
    enum db_verdict verdict;
} verdicts[] = {
    {   0, DB_VERDICT_RETRY},     // MariaDB's library, once, when TLS is lost: no number, no text

    // ---- servers ----
    {1020, DB_VERDICT_RETRY},     // ER_CHECKREAD: the record has changed since it was read
    {1021, DB_VERDICT_NEXT_HOST}, // ER_DISK_FULL
    {1023, DB_VERDICT_NEXT_HOST}, // ER_ERROR_ON_CLOSE
    {1024, DB_VERDICT_NEXT_HOST}, // ER_ERROR_ON_READ
    {1026, DB_VERDICT_NEXT_HOST}, // ER_ERROR_ON_WRITE
    {1030, DB_VERDICT_REFUSED},   // ER_GET_ERRNO: the storage engine's own error
    {1037, DB_VERDICT_NEXT_HOST}, // ER_OUTOFMEMORY
    {1038, DB_VERDICT_NEXT_HOST}, // ER_OUT_OF_SORTMEMORY
    {1040, DB_VERDICT_NEXT_HOST}, // ER_CON_COUNT_ERROR: too many connections
    {1041, DB_VERDICT_NEXT_HOST}, // ER_OUT_OF_RESOURCES
    {1042, DB_VERDICT_NEXT_HOST}, // ER_BAD_HOST_ERROR
    {1043, DB_VERDICT_RETRY},     // ER_HANDSHAKE_ERROR
    {1044, DB_VERDICT_REFUSED},   // ER_DBACCESS_DENIED_ERROR
    {1045, DB_VERDICT_REFUSED},   // ER_ACCESS_DENIED_ERROR
    {1047, DB_VERDICT_NEXT_HOST}, // ER_UNKNOWN_COM_ERROR: Galera without quorum
    {1049, DB_VERDICT_REFUSED},   // ER_BAD_DB_ERROR
    {1053, DB_VERDICT_NEXT_HOST}, // ER_SERVER_SHUTDOWN
    {1054, DB_VERDICT_REFUSED},   // ER_BAD_FIELD_ERROR
    {1064, DB_VERDICT_FAULT},     // ER_PARSE_ERROR
    {1077, DB_VERDICT_NEXT_HOST}, // ER_NORMAL_SHUTDOWN
    {1079, DB_VERDICT_NEXT_HOST}, // ER_SHUTDOWN_COMPLETE
    {1080, DB_VERDICT_RETRY},     // ER_FORCING_CLOSE
    {1105, DB_VERDICT_REFUSED},   // ER_UNKNOWN_ERROR
    {1119, DB_VERDICT_NEXT_HOST}, // ER_STACK_OVERRUN
    {1129, DB_VERDICT_NEXT_HOST}, // ER_HOST_IS_BLOCKED
    {1130, DB_VERDICT_REFUSED},   // ER_HOST_NOT_PRIVILEGED
    {1135, DB_VERDICT_NEXT_HOST}, // ER_CANT_CREATE_THREAD
    {1142, DB_VERDICT_REFUSED},   // ER_TABLEACCESS_DENIED_ERROR
    {1143, DB_VERDICT_REFUSED},   // ER_COLUMNACCESS_DENIED_ERROR
    {1146, DB_VERDICT_REFUSED},   // ER_NO_SUCH_TABLE
    {1152, DB_VERDICT_RETRY},     // ER_ABORTING_CONNECTION
    {1153, DB_VERDICT_FAULT},     // ER_NET_PACKET_TOO_LARGE
    {1154, DB_VERDICT_RETRY},     // ER_NET_READ_ERROR_FROM_PIPE
    {1155, DB_VERDICT_RETRY},     // ER_NET_FCNTL_ERROR
    {1156, DB_VERDICT_RETRY},     // ER_NET_PACKETS_OUT_OF_ORDER
    {1157, DB_VERDICT_RETRY},     // ER_NET_UNCOMPRESS_ERROR
    {1158, DB_VERDICT_RETRY},     // ER_NET_READ_ERROR
    {1159, DB_VERDICT_RETRY},     // ER_NET_READ_INTERRUPTED
    {1160, DB_VERDICT_RETRY},     // ER_NET_ERROR_ON_WRITE
    {1161, DB_VERDICT_RETRY},     // ER_NET_WRITE_INTERRUPTED
    {1184, DB_VERDICT_RETRY},     // ER_NEW_ABORTING_CONNECTION
    {1194, DB_VERDICT_REFUSED},   // ER_CRASHED_ON_USAGE
    {1195, DB_VERDICT_REFUSED},   // ER_CRASHED_ON_REPAIR
    {1203, DB_VERDICT_NEXT_HOST}, // ER_TOO_MANY_USER_CONNECTIONS
    {1205, DB_VERDICT_TIMEOUT},   // ER_LOCK_WAIT_TIMEOUT
    {1210, DB_VERDICT_FAULT},     // ER_WRONG_ARGUMENTS
    {1213, DB_VERDICT_RETRY},     // ER_LOCK_DEADLOCK
    {1226, DB_VERDICT_NEXT_HOST}, // ER_USER_LIMIT_REACHED
    {1243, DB_VERDICT_RETRY},     // ER_UNKNOWN_STMT_HANDLER: a proxy has changed the connection
    {1290, DB_VERDICT_REFUSED},   // ER_OPTION_PREVENTS_STATEMENT: --read-only, among others
    {1317, DB_VERDICT_RETRY},     // ER_QUERY_INTERRUPTED: KILL QUERY, by an operator or a proxy
    {1412, DB_VERDICT_RETRY},     // ER_TABLE_DEF_CHANGED
    {1436, DB_VERDICT_NEXT_HOST}, // ER_STACK_OVERRUN_NEED_MORE
    {1461, DB_VERDICT_NEXT_HOST}, // ER_MAX_PREPARED_STMT_COUNT_REACHED
    {1615, DB_VERDICT_RETRY},     // ER_NEED_REPREPARE
    {1712, DB_VERDICT_REFUSED},   // ER_INDEX_CORRUPT
    {1815, DB_VERDICT_NEXT_HOST}, // ER_INTERNAL_ERROR; MaxScale's, too
    {1820, DB_VERDICT_NEXT_HOST}, // ER_MUST_CHANGE_PASSWORD
    {1862, DB_VERDICT_NEXT_HOST}, // ER_MUST_CHANGE_PASSWORD_LOGIN
    {1877, DB_VERDICT_REFUSED},   // ER_TABLE_CORRUPT
    {1927, DB_VERDICT_RETRY},     // ER_CONNECTION_KILLED, MariaDB
    {1969, DB_VERDICT_TIMEOUT},   // ER_STATEMENT_TIMEOUT, MariaDB

    // ---- client libraries, and proxies that speak as they do ----
    {2000, DB_VERDICT_RETRY},     // CR_UNKNOWN_ERROR
    {2001, DB_VERDICT_RETRY},     // CR_SOCKET_CREATE_ERROR
    {2002, DB_VERDICT_RETRY},     // CR_CONNECTION_ERROR
    {2003, DB_VERDICT_RETRY},     // CR_CONN_HOST_ERROR
    {2004, DB_VERDICT_RETRY},     // CR_IPSOCK_ERROR
    {2005, DB_VERDICT_NEXT_HOST}, // CR_UNKNOWN_HOST
    {2006, DB_VERDICT_RETRY},     // CR_SERVER_GONE_ERROR
    {2008, DB_VERDICT_FAULT},     // CR_OUT_OF_MEMORY: ours
    {2012, DB_VERDICT_RETRY},     // CR_SERVER_HANDSHAKE_ERR
    {2013, DB_VERDICT_RETRY},     // CR_SERVER_LOST
    {2014, DB_VERDICT_FAULT},     // CR_COMMANDS_OUT_OF_SYNC
    {2020, DB_VERDICT_FAULT},     // CR_NET_PACKET_TOO_LARGE
    {2026, DB_VERDICT_RETRY},     // CR_SSL_CONNECTION_ERROR: over TLS, each lost connection
    {2027, DB_VERDICT_RETRY},     // CR_MALFORMED_PACKET
    {2030, DB_VERDICT_FAULT},     // CR_NO_PREPARE_STMT
    {2031, DB_VERDICT_FAULT},     // CR_PARAMS_NOT_BOUND
    {2032, DB_VERDICT_FAULT},     // CR_DATA_TRUNCATED
    {2034, DB_VERDICT_FAULT},     // CR_INVALID_PARAMETER_NO
    {2035, DB_VERDICT_FAULT},     // CR_INVALID_BUFFER_USE
    {2036, DB_VERDICT_FAULT},     // CR_UNSUPPORTED_PARAM_TYPE
    {2051, DB_VERDICT_FAULT},     // CR_NO_DATA
    {2055, DB_VERDICT_RETRY},     // CR_SERVER_LOST_EXTENDED
    {2056, DB_VERDICT_RETRY},     // CR_STMT_CLOSED
    {2057, DB_VERDICT_RETRY},     // CR_NEW_STMT_METADATA: a table was altered meanwhile

    // ---- MySQL since 5.7, and MariaDB's since 10.3, which number on ----
    {3024, DB_VERDICT_TIMEOUT},   // ER_QUERY_TIMEOUT, MySQL
    {3032, DB_VERDICT_NEXT_HOST}, // ER_SERVER_OFFLINE_MODE
    {3118, DB_VERDICT_REFUSED},   // ER_ACCOUNT_HAS_BEEN_LOCKED, MySQL
    {3168, DB_VERDICT_NEXT_HOST}, // ER_SERVER_ISNT_AVAILABLE
    {3169, DB_VERDICT_RETRY},     // ER_SESSION_WAS_KILLED
    {4031, DB_VERDICT_RETRY},     // ER_CLIENT_INTERACTION_TIMEOUT, MySQL: wait_timeout
    {4151, DB_VERDICT_REFUSED},   // ER_ACCOUNT_HAS_BEEN_LOCKED, MariaDB

    // ---- MariaDB's library ----
    {5012, DB_VERDICT_FAULT},     // CR_ERR_LOAD_PLUGIN
    {5013, DB_VERDICT_RETRY},     // CR_ERR_NET_READ
    {5014, DB_VERDICT_RETRY},     // CR_ERR_NET_WRITE
    {5015, DB_VERDICT_RETRY},     // CR_ERR_NET_UNCOMPRESS

    // ---- ProxySQL, RDS Proxy ----
    {9001, DB_VERDICT_NEXT_HOST}, // no connection to a server in time
    {9002, DB_VERDICT_NEXT_HOST}, // too many failed connections to a server
    {9003, DB_VERDICT_REFUSED},   // the command is not supported
    {9004, DB_VERDICT_NEXT_HOST}, // the server is offline
    {9005, DB_VERDICT_NEXT_HOST}, // the server lags
    {9006, DB_VERDICT_NEXT_HOST}, // the server did not answer a ping
    {9007, DB_VERDICT_NEXT_HOST}, // the user could not be changed in time
    {9501, DB_VERDICT_NEXT_HOST}, // no connection to a server in time
};
// clang-format on

// A proxy may end a statement at its time limit in the same way as an operator.
enum { QUERY_INTERRUPTED = 1317 };

static enum db_verdict find(unsigned code)
{
    for (size_t i = 0; i < COUNT_OF(verdicts); i++) {
        if (verdicts[i].code == code) {
            return verdicts[i].verdict;
        }
    }
    return DB_VERDICT_REFUSED;
}

enum db_verdict db_error_code_verdict(unsigned code, bool is_late)
{
    if (is_late && code == QUERY_INTERRUPTED) {
        return DB_VERDICT_TIMEOUT;
    }
    return is_late && db_error_code_is_unreachable(code) ? DB_VERDICT_NO_ANSWER : find(code);
}

bool db_error_code_is_statements(unsigned code)
{
    switch (code) {
    case 1054: // ER_BAD_FIELD_ERROR
    case 1142: // ER_TABLEACCESS_DENIED_ERROR
    case 1143: // ER_COLUMNACCESS_DENIED_ERROR
    case 1146: // ER_NO_SUCH_TABLE
        return true;
    default:
        return false;
    }
}

bool db_error_code_is_unreachable(unsigned code)
{
    const bool is_librarys = code == 0 || (code >= 2000 && code < 3000);
    return is_librarys && find(code) == DB_VERDICT_RETRY;
}
