// SPDX-License-Identifier: MIT
#include "ctl/ctl.h"
#include "support.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct error error_of(enum error_kind kind, unsigned code)
{
    struct error err = {0};
    (void)error_set(&err, kind, "what the server answered");
    err.server_code = code;
    return err;
}

static void every_kind_of_error_is_explained_with_its_detail(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < ERR_KIND_COUNT; kind++) {
        const struct error err = error_of((enum error_kind)kind, 0);
        struct ctl_fault fault;
        const char *const label = error_label(err.kind);
        check_number(label, ctl_fault_explain(&fault, &err), CTL_FAILED);
        check(label, has_text(str_from(fault.what), ": what the server answered"));
        check(label, fault.what[0] >= 'a' && fault.what[0] <= 'z');
        check(label, !has_text(str_from(fault.what), "Internal"));
    }
}

static void a_server_code_says_what_happened(void **state)
{
    (void)state;
    static const struct {
        enum error_kind kind;
        unsigned code;
        const char *what;
        const char *to_do;
    } rows[] = {
        {ERR_DATABASE_DOWN, 0, "cannot be reached", "[database]"},
        {ERR_DATABASE_DOWN, 2002, "cannot be reached", "host, port"},
        {ERR_DATABASE_DOWN, 2003, "cannot be reached", "host, port"},
        {ERR_DATABASE_DOWN, 1044, "refused the login", "name in [database]"},
        {ERR_DATABASE_DOWN, 1045, "refused the login", "--password-file"},
        {ERR_DATABASE_DOWN, 1049, "refused the login", "name in [database]"},
        {ERR_DATABASE_DOWN, 1040, "refused the login", "no more connections"},
        {ERR_DATABASE_DOWN, 1130, "refused the login", "[database]"},
        {ERR_DATABASE_DOWN, 2026, "no TLS connection", "tls_ca"},
        {ERR_DATABASE_DOWN, 3159, "refused the login", "tls_ca"},
        {ERR_DATABASE_DOWN, 4151, "refused the login", "locked"},
        {ERR_DATABASE_FAULT, 1142, "refused the statement", "--user"},
        {ERR_DATABASE_FAULT, 1146, "refused the statement", "init-db"},
        {ERR_DATABASE_FAULT, 1062, "refused the statement", "app list"},
        {ERR_DATABASE_FAULT, 1005, "refused the statement", "error log"},
        {ERR_DATABASE_FAULT, 1015, "refused the statement", "error log"},
        {ERR_DATABASE_FAULT, 1036, "refused the statement", "primary"},
        {ERR_DATABASE_FAULT, 1290, "refused the statement", "primary"},
        {ERR_DATABASE_FAULT, 1836, "refused the statement", "primary"},
        {ERR_DATABASE_FAULT, 3989, "refused the statement", "primary"},
        {ERR_DATABASE_FAULT, 1644, "refused the statement", ""},
        {ERR_QUERY_TIMEOUT, 1969, "did not answer in time", "query_timeout"},
        {ERR_NO_MEMORY, 0, "not enough memory", ""},
        {ERR_INTERNAL, 0, "should not happen", "report"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct error err = error_of(rows[i].kind, rows[i].code);
        struct ctl_fault fault;
        ctl_fault_explain(&fault, &err);
        check(rows[i].what, has_text(str_from(fault.what), rows[i].what));
        check(rows[i].what, has_text(str_from(fault.to_do), rows[i].to_do));
        check(rows[i].what, !has_text(str_from(fault.to_do), "above"));
    }
}

static void a_change_without_an_answer_may_have_been_made(void **state)
{
    (void)state;
    static const struct {
        enum error_kind kind;
        unsigned code;
        bool may_be_made;
    } rows[] = {
        {ERR_DATABASE_DOWN, 2013, true}, {ERR_DATABASE_DOWN, 1053, true},
        {ERR_QUERY_TIMEOUT, 1317, true}, {ERR_DATABASE_FAULT, 1062, false},
        {ERR_NO_MEMORY, 0, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct error err = error_of(rows[i].kind, rows[i].code);
        struct ctl_fault fault;
        assert_int_equal(ctl_fault_explain_change(&fault, &err), CTL_FAILED);
        check_number(error_label(rows[i].kind), has_text(str_from(fault.to_do), "made or not"),
                     rows[i].may_be_made);
        ctl_fault_explain(&fault, &err);
        check(error_label(rows[i].kind), !has_text(str_from(fault.to_do), "made or not"));
    }
}

static void long_texts_are_truncated(void **state)
{
    (void)state;
    struct ctl_fault fault;
    assert_int_equal(ctl_fault_set(&fault, CTL_USAGE, "%03000d", 1), CTL_USAGE);
    assert_int_equal(strlen(fault.what), sizeof fault.what - 1);
    ctl_fault_to_do(&fault, "%03000d", 1);
    assert_int_equal(strlen(fault.to_do), sizeof fault.to_do - 1);
    ctl_fault_set(&fault, CTL_FAILED, "short");
    assert_string_equal(fault.to_do, "");
}

static void check_printed(const struct ctl_fault *fault, bool is_json, const char *expected)
{
    char text[4096];
    const int fd = memfd_create("page", 0);
    struct ctl_out out;
    ctl_out_init(&out, fd);
    out.is_json = is_json;
    ctl_fault_print(fault, &out);
    const ssize_t len = pread(fd, text, sizeof text, 0);
    assert_true(len >= 0);
    check_text(expected, ((struct str){text, (size_t)len}), expected);
    close(fd);
}

static void a_fault_is_printed_as_sentences_or_as_json(void **state)
{
    (void)state;
    struct ctl_fault fault;
    ctl_fault_set(&fault, CTL_FAILED, "it \"broke\" \x1B[2J\xE2\x80\xAE");
    check_printed(&fault, false, "bkflow-statesctl: it \"broke\" ?[2J<U+202E>\n");
    check_printed(&fault, true,
                  "{\"error\":\"it \\\"broke\\\" \\u001b[2J\\u202e\",\"to_do\":\"\"}\n");
    ctl_fault_to_do(&fault, "Mend it.");
    check_printed(&fault, false,
                  "bkflow-statesctl: it \"broke\" ?[2J<U+202E>\nbkflow-statesctl: Mend it.\n");
    check_printed(&fault, true,
                  "{\"error\":\"it \\\"broke\\\" \\u001b[2J\\u202e\",\"to_do\":\"Mend it.\"}\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_error_is_explained_with_its_detail),
        cmocka_unit_test(a_server_code_says_what_happened),
        cmocka_unit_test(a_change_without_an_answer_may_have_been_made),
        cmocka_unit_test(long_texts_are_truncated),
        cmocka_unit_test(a_fault_is_printed_as_sentences_or_as_json),
    };
    setenv("LC_ALL", "C.UTF-8", 1);
    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
