// SPDX-License-Identifier: MIT
#include "fcgi_conn.h"
#include "reply.h"
#include "support.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OURS, CLIENTS, ROOM = 512, ID = 300 };

static struct {
    int ends[2];
    atomic_uint_fast64_t requests_done;
    struct reply reply;
    char buffer[REPLY_HEAD_ROOM + ROOM + REPLY_TAIL_ROOM];
    char got[REPLY_HEAD_ROOM + ROOM + REPLY_TAIL_ROOM];
} fixture;

static int set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof fixture);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fixture.ends), 0);
    fixture.reply = (struct reply){.fd = fixture.ends[OURS],
                                   .id = ID,
                                   .write_budget_us = INT64_C(60000000),
                                   .requests_done = &fixture.requests_done};
    return 0;
}

static void close_end(int which)
{
    if (fixture.ends[which] >= 0) {
        assert_int_equal(close(fixture.ends[which]), 0);
        fixture.ends[which] = -1;
    }
}

static int tear_down(void **state)
{
    (void)state;
    close_end(OURS);
    close_end(CLIENTS);
    return 0;
}

static int send_record(const char *text, bool is_last)
{
    char *const content = fixture.buffer + REPLY_HEAD_ROOM;
    memcpy(content, text, strlen(text));
    return reply_send_record(&fixture.reply, content, strlen(text), is_last);
}

// What the client can read at once.
static struct str received(void)
{
    const ssize_t len = read(fixture.ends[CLIENTS], fixture.got, sizeof fixture.got);
    return (struct str){fixture.got, len < 0 ? 0 : (size_t)len};
}

static void fill_the_socket(void)
{
    static const char bytes[4096];
    while (send(fixture.ends[OURS], bytes, sizeof bytes, MSG_NOSIGNAL) > 0) {
    }
    assert_int_equal(errno, EAGAIN);
}

static void each_piece_is_a_record_of_its_request(void **state)
{
    char header[FCGI_HEADER_LEN];
    (void)state;
    assert_int_equal(send_record("hello", false), 0);
    const struct str got = received();
    fcgi_put_header(header, FCGI_STDOUT, ID, 5);
    assert_int_equal(got.len, FCGI_HEADER_LEN + 5);
    assert_memory_equal(got.ptr, header, sizeof header);
    assert_memory_equal(got.ptr + FCGI_HEADER_LEN, "hello", 5);
    assert_int_equal(fixture.requests_done, 0);
}

static void the_last_piece_brings_the_end_of_the_request(void **state)
{
    char ending[FCGI_CONN_END_BYTES];
    (void)state;
    assert_int_equal(send_record("bye", true), 0);
    const struct str got = received();
    fcgi_put_end(ending, ID);
    assert_int_equal(got.len, FCGI_HEADER_LEN + 3 + sizeof ending);
    assert_memory_equal(got.ptr + FCGI_HEADER_LEN + 3, ending, sizeof ending);
}

static void an_empty_last_piece_is_the_end_alone(void **state)
{
    char ending[FCGI_CONN_END_BYTES];
    (void)state;
    assert_int_equal(send_record("", true), 0);
    fcgi_put_end(ending, ID);
    const struct str got = received();
    assert_int_equal(got.len, sizeof ending);
    assert_memory_equal(got.ptr, ending, sizeof ending);
}

static void a_request_counts_once(void **state)
{
    (void)state;
    assert_int_equal(send_record("bye", true), 0);
    assert_int_equal(fixture.requests_done, 1);
    reply_count(&fixture.reply);
    assert_int_equal(fixture.requests_done, 1);
}

static void who_counts_nothing_has_no_counter(void **state)
{
    (void)state;
    fixture.reply.requests_done = NULL;
    assert_int_equal(send_record("bye", true), 0);
    assert_true(fixture.reply.is_counted);
}

static void a_client_that_closes_is_gone(void **state)
{
    (void)state;
    close_end(CLIENTS);
    assert_int_equal(send_record("hello", false), -1); // and no SIGPIPE
    assert_true(fixture.reply.is_gone);
    assert_int_equal(send_record("bye", true), -1);
    assert_int_equal(fixture.requests_done, 1); // an answer all the same: the worker is free
}

static void a_client_that_reads_nothing_costs_the_budget(void **state)
{
    (void)state;
    fill_the_socket();
    assert_false(reply_is_ready(&fixture.reply));
    fixture.reply.write_budget_us = 2000;
    assert_int_equal(send_record("hello", false), -1);
    assert_true(fixture.reply.is_gone);
    assert_true(fixture.reply.write_budget_us < 2000);
}

static void without_budget_only_what_the_socket_takes_is_sent(void **state)
{
    (void)state;
    fixture.reply.write_budget_us = 0;
    assert_true(reply_is_ready(&fixture.reply));
    assert_int_equal(send_record("hello", false), 0);
    fill_the_socket();
    assert_int_equal(send_record("hello", false), -1);
    assert_true(fixture.reply.write_budget_us <= 0); // looking at the clock twice may cost some
}

static void bytes_of_the_protocol_are_sent_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(reply_send(&fixture.reply, "raw", 3), 0);
    assert_text(received(), "raw");
    assert_int_equal(fixture.requests_done, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_piece_is_a_record_of_its_request),
        CASE(the_last_piece_brings_the_end_of_the_request),
        CASE(an_empty_last_piece_is_the_end_alone),
        CASE(a_request_counts_once),
        CASE(who_counts_nothing_has_no_counter),
        CASE(a_client_that_closes_is_gone),
        CASE(a_client_that_reads_nothing_costs_the_budget),
        CASE(without_budget_only_what_the_socket_takes_is_sent),
        CASE(bytes_of_the_protocol_are_sent_as_they_are),
    };
    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
