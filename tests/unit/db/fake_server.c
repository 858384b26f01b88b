// SPDX-License-Identifier: MIT
#include "db/fake_server.h"

#include "support.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { OP_PREPARED, OP_RESULT, OP_OK, OP_ERROR, OP_RAW, OP_COUNT };

enum { PACKET_MAX = 64 * 1024, RECEIVED_MAX = 256 * 1024 };

enum {
    COM_QUIT = 0x01,
    COM_QUERY = 0x03,
    COM_PING = 0x0E,
    COM_STMT_SEND_LONG_DATA = 0x18,
    COM_STMT_CLOSE = 0x19,
};

struct column {
    uint8_t type;
    uint8_t flags;
};

struct fake_server {
    uint8_t script[SCRIPT_BYTES];
    size_t size;
    size_t at;
    int idle_ms;
    char *folder;
    char *path;
    int listening;
    pthread_t thread;
    // The current connection.
    int fd;
    uint8_t number; // of the next packet
    uint8_t packet[PACKET_MAX];
    size_t len;
    char received[RECEIVED_MAX];
    size_t received_len;
};

// ---- writing a script ----

static void put(struct script *script, const void *bytes, size_t len)
{
    assert_true(script->len + len <= SCRIPT_BYTES);
    memcpy(script->bytes + script->len, bytes, len);
    script->len += len;
}

static void put_1(struct script *script, unsigned number)
{
    const uint8_t byte = (uint8_t)number;
    put(script, &byte, 1);
}

static void put_2(struct script *script, unsigned number)
{
    put_1(script, number & 0xFF);
    put_1(script, number >> 8);
}

static void put_columns(struct script *script, const char *types)
{
    static const struct {
        char letter;
        struct column column;
    } known[] = {{'B', {8, 0}},  {'U', {8, 32}}, {'I', {3, 0}},  {'T', {1, 0}},   {'S', {253, 0}},
                 {'D', {12, 0}}, {'N', {6, 0}},  {'W', {11, 0}}, {'G', {255, 0}}, {'?', {99, 0}}};
    put_1(script, (unsigned)strlen(types));
    for (; *types != '\0'; types++) {
        for (size_t i = 0; i < COUNT_OF(known); i++) {
            if (known[i].letter == *types) {
                put(script, &known[i].column, sizeof(struct column));
            }
        }
    }
}

void script_start(struct script *script, unsigned how)
{
    script->len = 0;
    put_1(script, how);
}

void script_prepared(struct script *script, unsigned parameters, const char *types)
{
    put_1(script, OP_PREPARED);
    put_2(script, parameters);
    put_2(script, (unsigned)strlen(types));
    put_columns(script, types);
}

void script_result(struct script *script, const char *types, unsigned status, unsigned rows)
{
    put_1(script, OP_RESULT);
    put_columns(script, types);
    put_2(script, status);
    put_1(script, rows);
}

void script_null(struct script *script)
{
    put_1(script, 1);
}

void script_number(struct script *script, size_t width, int64_t number)
{
    put_1(script, 0);
    put(script, &number, width);
}

void script_text(struct script *script, size_t len, char fill)
{
    put_1(script, 0);
    put_2(script, (unsigned)len);
    put(script, &fill, 1);
}

void script_time(struct script *script, const uint8_t *bytes, size_t len)
{
    put_1(script, 0);
    put_1(script, (unsigned)len);
    put(script, bytes, len);
}

void script_ok(struct script *script)
{
    put_1(script, OP_OK);
    put_2(script, 0);
}

void script_error(struct script *script, unsigned code)
{
    put_1(script, OP_ERROR);
    put_2(script, code);
}

// ---- reading it ----

static bool has_more(const struct fake_server *server)
{
    return server->at < server->size;
}

// Returns zeros at the end of the script.
static unsigned take_1(struct fake_server *server)
{
    return has_more(server) ? server->script[server->at++] : 0;
}

static unsigned take_2(struct fake_server *server)
{
    const unsigned low = take_1(server);
    return low | take_1(server) << 8;
}

static size_t take_columns(struct fake_server *server, struct column columns[256])
{
    const size_t count = take_1(server);
    for (size_t i = 0; i < count; i++) {
        columns[i].type = (uint8_t)take_1(server);
        columns[i].flags = (uint8_t)take_1(server);
    }
    return count;
}

// ---- packets ----

static void add(struct fake_server *server, const void *bytes, size_t len)
{
    const size_t room = PACKET_MAX - server->len;
    len = len < room ? len : room;
    memcpy(server->packet + server->len, bytes, len);
    server->len += len;
}

static void add_1(struct fake_server *server, unsigned number)
{
    const uint8_t byte = (uint8_t)number;
    add(server, &byte, 1);
}

static void add_2(struct fake_server *server, unsigned number)
{
    add_1(server, number & 0xFF);
    add_1(server, number >> 8 & 0xFF);
}

static void add_text(struct fake_server *server, const char *text)
{
    add_1(server, (unsigned)strlen(text));
    add(server, text, strlen(text));
}

static void send_packet(struct fake_server *server)
{
    const uint8_t head[] = {(uint8_t)server->len, (uint8_t)(server->len >> 8),
                            (uint8_t)(server->len >> 16), server->number++};
    if (send(server->fd, head, sizeof head, MSG_NOSIGNAL) == (ssize_t)sizeof head) {
        (void)!send(server->fd, server->packet, server->len, MSG_NOSIGNAL);
    }
    server->len = 0;
}

static void send_eof(struct fake_server *server, unsigned status)
{
    add_1(server, 0xFE);
    add_2(server, 0); // warnings
    add_2(server, status);
    send_packet(server);
}

static void send_ok(struct fake_server *server, unsigned status)
{
    add_1(server, 0);
    add_1(server, 0); // rows
    add_1(server, 0); // last id
    add_2(server, status);
    add_2(server, 0); // warnings
    send_packet(server);
}

static void send_error(struct fake_server *server, unsigned code)
{
    static const char rest[] = "#HY000of the script's choice";
    add_1(server, 0xFF);
    add_2(server, code);
    add(server, rest, sizeof rest - 1);
    send_packet(server);
}

static void send_column(struct fake_server *server, struct column column)
{
    static const char *const names[] = {"def", "", "", "", "c", ""};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        add_text(server, names[i]);
    }
    add_1(server, 12);
    add_2(server, column.type == 253 ? 45 : 63);      // character set
    add_2(server, column.type >= 249 ? 0xFFFF : 200); // length
    add_2(server, 0);
    add_1(server, column.type);
    add_2(server, column.flags);
    add_1(server, 0); // decimals
    add_2(server, 0);
    send_packet(server);
}

static void send_columns(struct fake_server *server, const struct column *columns, size_t count,
                         unsigned status)
{
    for (size_t i = 0; i < count; i++) {
        send_column(server, columns[i]);
    }
    send_eof(server, status);
}

// ---- answers ----

static void answer_prepared(struct fake_server *server)
{
    static const struct column parameter = {253, 0};
    struct column columns[256];
    const unsigned parameters = take_2(server);
    const unsigned announced = take_2(server);
    const size_t count = take_columns(server, columns);
    add_1(server, 0);
    add_2(server, 1);
    add_2(server, 0); // the statement's id
    add_2(server, announced);
    add_2(server, parameters);
    add_1(server, 0);
    add_2(server, 0);
    send_packet(server);
    if (parameters > 0) {
        send_columns(server, &parameter, 1, 0); // the library does not count them
    }
    if (announced > 0) {
        send_columns(server, columns, count, 0);
    }
}

static size_t width_of(uint8_t type)
{
    static const uint8_t widths[] = {
        [1] = 1, [2] = 2, [3] = 4, [4] = 4, [5] = 8, [8] = 8, [9] = 4, [13] = 2};
    return type < COUNT_OF(widths) ? widths[type] : 0;
}

static void add_bytes(struct fake_server *server, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_1(server, take_1(server));
    }
}

static void add_long_text(struct fake_server *server)
{
    const unsigned len = take_2(server) % 8192;
    const unsigned fill = take_1(server);
    add_1(server, 0xFC);
    add_2(server, len);
    for (unsigned i = 0; i < len; i++) {
        add_1(server, fill);
    }
}

static bool is_time(uint8_t type)
{
    return type == 7 || type == 10 || type == 11 || type == 12;
}

static void add_cell(struct fake_server *server, struct column column)
{
    if (width_of(column.type) > 0) {
        add_bytes(server, width_of(column.type));
    } else if (is_time(column.type)) {
        const unsigned len = take_1(server) % 13;
        add_1(server, len);
        add_bytes(server, len);
    } else {
        add_long_text(server);
    }
}

static void send_row(struct fake_server *server, const struct column *columns, size_t count)
{
    uint8_t *const nulls = server->packet + 1;
    const size_t null_bytes = (count + 9) / 8;
    memset(server->packet, 0, 1 + null_bytes);
    server->len = 1 + null_bytes;
    for (size_t i = 0; i < count; i++) {
        if ((take_1(server) & 1) != 0 || columns[i].type == 6) {
            nulls[(i + 2) / 8] |= (uint8_t)(1U << (i + 2) % 8);
        } else {
            add_cell(server, columns[i]);
        }
    }
    send_packet(server);
}

static void answer_result(struct fake_server *server)
{
    struct column columns[256];
    const size_t count = take_columns(server, columns);
    const unsigned status = take_2(server);
    const unsigned rows = take_1(server);
    add_1(server, count == 0 ? 1 : (unsigned)count);
    send_packet(server);
    send_columns(server, columns, count, status);
    for (unsigned i = 0; i < rows; i++) {
        send_row(server, columns, count);
    }
    send_eof(server, status);
}

static void answer_raw(struct fake_server *server)
{
    const unsigned len = take_1(server);
    add_bytes(server, len);
    send_packet(server);
}

// Whether the script had an answer.
static bool answer_by_script(struct fake_server *server)
{
    if (!has_more(server)) {
        return false;
    }
    switch (take_1(server) % OP_COUNT) {
    case OP_PREPARED:
        answer_prepared(server);
        break;
    case OP_RESULT:
        answer_result(server);
        break;
    case OP_OK:
        send_ok(server, take_2(server));
        break;
    case OP_ERROR:
        send_error(server, take_2(server));
        break;
    default:
        answer_raw(server);
        break;
    }
    return true;
}

// ---- a connection ----

static bool receive(struct fake_server *server, void *bytes, size_t len)
{
    struct pollfd readable = {.fd = server->fd, .events = POLLIN};
    return len == 0 || (poll(&readable, 1, server->idle_ms) == 1 &&
                        recv(server->fd, bytes, len, MSG_WAITALL) == (ssize_t)len);
}

// Returns the command and receives the rest of its packet; -1 if there is none.
static int receive_packet(struct fake_server *server)
{
    uint8_t head[4];
    if (!receive(server, head, sizeof head)) {
        return -1;
    }
    const size_t len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
    char *const kept = server->received + server->received_len;
    if (len > RECEIVED_MAX - server->received_len || !receive(server, kept, len)) {
        return -1;
    }
    server->received_len += len;
    server->number = (uint8_t)(head[3] + 1);
    return len == 0 ? 0 : (uint8_t)kept[0];
}

static void send_greeting(struct fake_server *server)
{
    static const char greeting[] =
        "\x0A"
        "5.5.5-10.11.0-MariaDB\0"
        "\x01\0\0\0"
        "saltsalt\0"
        "\x0F\xA2" // protocol 4.1, transactions, secure connection, with a database
        "\x2D\x02\0"
        "\x0E\0" // further results, plugins
        "\x15"
        "\0\0\0\0\0\0\0\0\0\0"
        "saltsaltsalt\0"
        "mysql_native_password";
    server->number = 0;
    add(server, greeting, sizeof greeting);
    send_packet(server);
}

static bool log_in(struct fake_server *server)
{
    static const char switch_plugin[] = "\xFEmysql_clear_password";
    send_greeting(server);
    if (receive_packet(server) < 0) {
        return false;
    }
    if ((server->script[0] & SCRIPT_ASKS_FOR_PASSWORD) != 0) {
        add(server, switch_plugin, sizeof switch_plugin);
        send_packet(server);
        if (receive_packet(server) < 0) {
            return false;
        }
    }
    send_ok(server, 2);
    return true;
}

// Returns whether the connection continues.
static bool answer(struct fake_server *server, int command)
{
    switch (command) {
    case -1:
    case COM_QUIT:
        return false;
    case COM_STMT_SEND_LONG_DATA:
    case COM_STMT_CLOSE:
        return true;
    case COM_PING:
    case COM_QUERY:
        if ((server->script[0] & SCRIPT_ANSWERS_QUERIES) == 0) {
            send_ok(server, 2);
            return true;
        }
        return answer_by_script(server);
    default:
        return answer_by_script(server);
    }
}

static void *serve(void *context)
{
    struct fake_server *const server = context;
    for (;;) {
        server->fd = accept(server->listening, NULL, NULL);
        if (server->fd < 0) {
            return NULL;
        }
        bool goes_on = log_in(server);
        while (goes_on) {
            goes_on = answer(server, receive_packet(server));
        }
        close(server->fd);
    }
}

// ---- life ----

struct fake_server *fake_server_new(const uint8_t *script, size_t size, int idle_ms)
{
    struct fake_server *const server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->size = size < SCRIPT_BYTES ? size : SCRIPT_BYTES;
    memcpy(server->script, script, server->size);
    server->at = 1;
    server->idle_ms = idle_ms;
    server->folder = scratch_new();
    server->path = scratch_path(server->folder, "socket");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(strlen(server->path) < sizeof address.sun_path);
    memcpy(address.sun_path, server->path, strlen(server->path));
    server->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listening, 8), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    return server;
}

const char *fake_server_socket(const struct fake_server *server)
{
    return server->path;
}

struct str fake_server_received(const struct fake_server *server)
{
    return (struct str){server->received, server->received_len};
}

void fake_server_free(struct fake_server *server)
{
    shutdown(server->listening, SHUT_RDWR); // accept() returns
    pthread_join(server->thread, NULL);
    close(server->listening);
    scratch_free(server->folder);
    free(server->path);
    free(server);
}
