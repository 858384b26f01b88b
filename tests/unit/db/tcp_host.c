// SPDX-License-Identifier: MIT
#include "db/tcp_host.h"

#include "base/clock.h"
#include "db/library.h"
#include "support.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, COM_QUIT = 1, NEVER_SECONDS = 60 };

struct connection {
    struct tcp_host *host;
    pthread_t thread;
    int fd;
};

struct tcp_host {
    enum tcp_host_state state;
    int listening;
    uint16_t port;
    pthread_t thread; // accepts while healthy
    struct connection connections[CONNECTIONS_MAX];
    size_t count;
    atomic_uint logins;
    atomic_uint open;
};

// ---- the protocol ----

static bool send_packet(int fd, unsigned number, const void *bytes, size_t len)
{
    char packet[256] = {(char)len, 0, 0, (char)number};
    memcpy(packet + 4, bytes, len);
    return send(fd, packet, len + 4, MSG_NOSIGNAL) == (ssize_t)len + 4;
}

static bool send_greeting(int fd)
{
    static const char greeting[] = "\x0A"
                                   "5.5.5-10.11.0-MariaDB\0"
                                   "\x01\0\0\0"
                                   "saltsalt\0"
                                   "\x0F\xA2"
                                   "\x2D\x02\0"
                                   "\x0E\0"
                                   "\x15"
                                   "\0\0\0\0\0\0\0\0\0\0"
                                   "saltsaltsalt\0"
                                   "mysql_native_password";
    return send_packet(fd, 0, greeting, sizeof greeting);
}

// Receives a packet. Returns its first byte, or -1; sets NUMBER to the answer's number.
static int receive_packet(int fd, unsigned *number)
{
    unsigned char head[4];
    unsigned char bytes[4096];
    if (recv(fd, head, sizeof head, MSG_WAITALL) != (ssize_t)sizeof head) {
        return -1;
    }
    const size_t len = head[0] | (size_t)head[1] << 8;
    *number = head[3] + 1U;
    return len > 0 && len <= sizeof bytes && recv(fd, bytes, len, MSG_WAITALL) == (ssize_t)len
               ? bytes[0]
               : -1;
}

static bool answer_ok(int fd, unsigned number)
{
    return send_packet(fd, number, "\0\0\0\2\0\0\0", 7);
}

static void *serve(void *context)
{
    struct connection *const connection = context;
    unsigned number;
    if (send_greeting(connection->fd) && receive_packet(connection->fd, &number) >= 0 &&
        answer_ok(connection->fd, number)) {
        atomic_fetch_add(&connection->host->logins, 1);
        int command;
        while ((command = receive_packet(connection->fd, &number)) >= 0 && command != COM_QUIT &&
               answer_ok(connection->fd, number)) {
        }
    }
    shutdown(connection->fd, SHUT_RDWR);
    atomic_fetch_sub(&connection->host->open, 1);
    return NULL;
}

static void *accept_all(void *context)
{
    struct tcp_host *const host = context;
    int fd;
    while ((fd = accept(host->listening, NULL, NULL)) >= 0) {
        assert_true(host->count < CONNECTIONS_MAX);
        struct connection *const connection = &host->connections[host->count++];
        *connection = (struct connection){.host = host, .fd = fd};
        atomic_fetch_add(&host->open, 1);
        assert_int_equal(pthread_create(&connection->thread, NULL, serve, connection), 0);
    }
    return NULL;
}

// ---- life ----

struct tcp_host *tcp_host_new(enum tcp_host_state state)
{
    struct tcp_host *const host = calloc(1, sizeof *host);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_non_null(host);
    host->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(host->listening, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(host->listening, (struct sockaddr *)&address, &len), 0);
    host->port = ntohs(address.sin_port);
    tcp_host_become(host, state);
    return host;
}

void tcp_host_become(struct tcp_host *host, enum tcp_host_state state)
{
    if (host->state == TCP_HOST_REFUSES && state != TCP_HOST_REFUSES) {
        assert_int_equal(listen(host->listening, CONNECTIONS_MAX), 0);
    }
    if (state == TCP_HOST_WELL) {
        assert_int_equal(pthread_create(&host->thread, NULL, accept_all, host), 0);
    }
    host->state = state;
}

void tcp_host_free(struct tcp_host *host)
{
    if (host == NULL) {
        return;
    }
    shutdown(host->listening, SHUT_RDWR); // accept() returns
    if (host->state == TCP_HOST_WELL) {
        pthread_join(host->thread, NULL);
    }
    for (size_t i = 0; i < host->count; i++) {
        shutdown(host->connections[i].fd, SHUT_RDWR);
        pthread_join(host->connections[i].thread, NULL);
        close(host->connections[i].fd);
    }
    close(host->listening); // tells connections that were never accepted
    free(host);
}

struct conf_host tcp_host_address(const struct tcp_host *host)
{
    return (struct conf_host){.name = "127.0.0.1", .port = host->port};
}

unsigned tcp_host_logins(struct tcp_host *host)
{
    return atomic_load(&host->logins);
}

unsigned tcp_host_open(struct tcp_host *host)
{
    return atomic_load(&host->open);
}

struct conf_database tcp_host_conf(struct tcp_host *const *hosts, size_t count)
{
    struct conf_database conf = {
        .hosts.count = count,
        .socket = "",
        .user = "reader",
        .password = "the-password",
        .password_file = "",
        .name = "somewhere",
        .connect_timeout_ms = 30000,
        .query_timeout_ms = 30000,
        .tls_ca = "",
        .option_file = "",
    };
    for (size_t i = 0; i < count; i++) {
        conf.hosts.hosts[i] = tcp_host_address(hosts[i]);
    }
    return conf;
}

void wait_for(bool (*condition)(void *context), void *context)
{
    const int64_t end_us = clock_monotonic_us() + (int64_t)NEVER_SECONDS * US_PER_SECOND;
    while (!condition(context)) {
        assert_true(clock_monotonic_us() < end_us);
        usleep(2000);
    }
}

static bool is_idle(void *unused)
{
    (void)unused;
    return !db_library_is_busy();
}

void tcp_host_wait_for_attempts(void)
{
    wait_for(is_idle, NULL);
}
