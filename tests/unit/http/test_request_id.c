// SPDX-License-Identifier: MIT
#include "support.h"
#include "http/request_id.h"

#include <stdio.h>

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static struct request_id_source source = {{1, 2}};
static char bytes[REQUEST_ID_RANDOM_BYTES];

static struct request_ids ids_of(const struct http_request *request)
{
    return request_id_choose(request, &source, bytes);
}

static struct str trace_of(const struct http_request *request)
{
    return ids_of(request).trace;
}

static struct str request_of(const struct http_request *request)
{
    return ids_of(request).request;
}

static bool is_random(struct str id)
{
    return id.ptr == bytes && id.len == REQUEST_ID_RANDOM_BYTES;
}

static void a_valid_traceparent_gives_its_trace_id(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR("00-" TRACE "-" PARENT "-01"),
        STR("00-" TRACE "-" PARENT "-00"),
        STR("00-" TRACE "-" PARENT "-ff"),
        STR("01-" TRACE "-" PARENT "-01"),
        STR("fe-" TRACE "-" PARENT "-01-of-a-later-version"),
        STR("cc-" TRACE "-" PARENT "-01-"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_text(rows[i].ptr, trace_of(&(struct http_request){.traceparent = rows[i]}), TRACE);
    }
}

static void an_invalid_traceparent_is_ignored(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR(""),
        STR("-"),
        STR("---"),
        STR("00-" TRACE "-" PARENT),
        STR("00-" TRACE "-" PARENT "-"),
        STR("00-" TRACE "-" PARENT "-1"),
        STR("00-" TRACE "-" PARENT "-0x"),
        STR("00-" TRACE "-" PARENT "-01-more"), // version 00 has no more
        STR("00-" TRACE "-" PARENT "-01-"),
        STR("00-" TRACE "-" PARENT "-01 "),
        STR(" 00-" TRACE "-" PARENT "-01"),
        STR("ff-" TRACE "-" PARENT "-01"),
        STR("0-" TRACE "-" PARENT "-01"),
        STR("000-" TRACE "-" PARENT "-01"),
        STR("FE-" TRACE "-" PARENT "-01"),
        STR("00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01"),
        STR("00-00000000000000000000000000000000-" PARENT "-01"),
        STR("00-" TRACE "-0000000000000000-01"),
        STR("00-" TRACE "0-" PARENT "-01"),
        STR("00-0af7651916cd43dd8448eb211c80319-" PARENT "-01"),
        STR("00-" TRACE "-b7ad6b716920333-01"),
        STR("00-0af7651916cd43dd8448eb211c80319g-" PARENT "-01"),
        STR("00-0af7651916cd43dd8448eb211c80319\n-" PARENT "-01"),
        STR("00_" TRACE "_" PARENT "_01"),
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct http_request request = {.traceparent = rows[i], .request_id = STR("next")};
        check_text(rows[i].ptr, trace_of(&request), "next");
    }
}

static void a_request_id_of_allowed_characters_is_used(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR("a"), STR("AZaz09._-"), STR("5f0c954d-7f40-4f5e-9d5b-3e2f8f9f1a2b"),
        STR("0123456789012345678901234567890123456789012345678901234567890123"
            "0123456789012345678901234567890123456789012345678901234567890123"), // 128
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_text(rows[i].ptr, request_of(&(struct http_request){.request_id = rows[i]}),
                   rows[i].ptr);
        check_text(rows[i].ptr, request_of(&(struct http_request){.bkapi_request_id = rows[i]}),
                   rows[i].ptr);
    }
}

static void another_request_id_is_ignored(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR(""),
        STR("two words"),
        STR("a\r\nSet-Cookie: b"),
        STR("a\0b"),
        STR("a/b"),
        STR("a\"b"),
        STR("任务"),
        STR("0123456789012345678901234567890123456789012345678901234567890123"
            "0123456789012345678901234567890123456789012345678901234567890123x"), // 129
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check(rows[i].ptr, is_random(request_of(&(struct http_request){.request_id = rows[i]})));
        check(rows[i].ptr,
              is_random(request_of(&(struct http_request){.bkapi_request_id = rows[i]})));
    }
}

static void check_ids(const struct http_request *request, const char *request_id,
                      const char *trace_id)
{
    assert_text(request_of(request), request_id);
    assert_text(trace_of(request), trace_id);
}

static void trace_and_request_keep_their_own_ids(void **state)
{
    (void)state;
    struct http_request request = {
        .traceparent = STR("00-" TRACE "-" PARENT "-01"),
        .request_id = STR("request"),
        .bkapi_request_id = STR("bkapi"),
    };
    check_ids(&request, "request", TRACE);
    request.request_id = STR("bad one");
    check_ids(&request, "bkapi", TRACE);
}

static void either_id_replaces_a_missing_other(void **state)
{
    (void)state;
    struct http_request request = {
        .traceparent = STR("00-" TRACE "-" PARENT "-01"),
        .request_id = STR("bad one"),
        .bkapi_request_id = STR(""),
    };
    check_ids(&request, TRACE, TRACE);
    request.traceparent = STR("bad");
    request.bkapi_request_id = STR("bkapi");
    check_ids(&request, "bkapi", "bkapi");
    request.request_id = STR("request");
    check_ids(&request, "request", "request");
}

static void without_any_id_both_are_the_same_random_one(void **state)
{
    (void)state;
    const struct request_ids ids = ids_of(&(struct http_request){.query = STR("")});
    assert_true(is_random(ids.request));
    assert_true(is_random(ids.trace));
}

static void a_random_id_is_32_hex_digits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        const struct str id = trace_of(&(struct http_request){.query = STR("")});
        for (size_t k = 0; k < id.len; k++) {
            assert_non_null(memchr("0123456789abcdef", id.ptr[k], 16));
        }
    }
}

static void random_numbers_do_not_repeat_soon(void **state)
{
    (void)state;
    enum { NUMBERS = 5000 };
    static uint64_t numbers[NUMBERS];
    for (size_t i = 0; i < NUMBERS; i++) {
        numbers[i] = request_id_random(&source);
        for (size_t k = 0; k < i; k++) {
            assert_true(numbers[i] != numbers[k]);
        }
    }
}

static void another_seed_gives_other_numbers(void **state)
{
    (void)state;
    struct request_id_source first = {{1, 0}};
    struct request_id_source second = {{0, 1}};
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(request_id_random(&first) != request_id_random(&second));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_traceparent_gives_its_trace_id),
        cmocka_unit_test(an_invalid_traceparent_is_ignored),
        cmocka_unit_test(a_request_id_of_allowed_characters_is_used),
        cmocka_unit_test(another_request_id_is_ignored),
        cmocka_unit_test(trace_and_request_keep_their_own_ids),
        cmocka_unit_test(either_id_replaces_a_missing_other),
        cmocka_unit_test(without_any_id_both_are_the_same_random_one),
        cmocka_unit_test(a_random_id_is_32_hex_digits),
        cmocka_unit_test(random_numbers_do_not_repeat_soon),
        cmocka_unit_test(another_seed_gives_other_numbers),
    };
    return cmocka_run_group_tests_name("request_id", tests, NULL, NULL);
}
