// SPDX-License-Identifier: MIT
#include "ctl/secret.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct ctl_secret secret;

static void the_first_line_of_a_file_is_the_secret(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *secret;
    } rows[] = {
        {"hunter2\n", "hunter2"},
        {"hunter2", "hunter2"},
        {"hunter2\r\n", "hunter2"},
        {"hunter2\nnot this", "hunter2"},
        {"", ""},
        {"\n", ""},
        {"\r\n", ""},
        {"\r", ""},
        {"a\rb\n", "a\rb"},
        {" a \n", " a "},
    };
    char *const folder = scratch_new();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *const path = scratch_write(folder, "secret", rows[i].file);
        check_number(rows[i].file, ctl_secret_load(&secret, path), 0);
        check_text(rows[i].file, ctl_secret_text(&secret), rows[i].secret);
        assert_string_equal(secret.bytes, rows[i].secret);
        free(path);
    }
    scratch_free(folder);
}

static void a_line_has_at_most_1023_bytes(void **state)
{
    (void)state;
    char line[CTL_SECRET_BYTES + 1];
    char *const folder = scratch_new();
    for (size_t len = CTL_SECRET_BYTES - 2; len <= CTL_SECRET_BYTES; len++) {
        memset(line, 'x', len);
        line[len] = '\0';
        char *const path = scratch_write(folder, "secret", line);
        errno = 0;
        const int outcome = ctl_secret_load(&secret, path);
        assert_int_equal(outcome, len < CTL_SECRET_BYTES ? 0 : -1);
        if (outcome == 0) {
            assert_int_equal(secret.len, len);
        } else {
            assert_int_equal(errno, EMSGSIZE);
        }
        free(path);
    }
    scratch_free(folder);
}

static void an_unreadable_file_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(ctl_secret_load(&secret, "/nonexistent/file"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(ctl_secret_load(&secret, "/"), -1);
    assert_int_equal(errno, EISDIR);
}

static void read_from(const char *text)
{
    const int fd = memfd_create("input", 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    close(fd);
}

static void standard_input_gives_one_line_and_keeps_the_rest(void **state)
{
    (void)state;
    char rest[16] = "";
    read_from("hunter2\nhunter3\n");
    assert_int_equal(ctl_secret_read(&secret), 0);
    assert_text(ctl_secret_text(&secret), "hunter2");
    assert_int_equal(read(STDIN_FILENO, rest, sizeof rest - 1), 8);
    assert_string_equal(rest, "hunter3\n");
}

static void an_empty_standard_input_has_no_secret(void **state)
{
    (void)state;
    read_from("");
    assert_int_equal(ctl_secret_read(&secret), -1);
    assert_int_equal(errno, ENODATA);
    read_from("\n");
    assert_int_equal(ctl_secret_read(&secret), 0);
    assert_text(ctl_secret_text(&secret), "");
}

static void a_generated_secret_has_256_bits_as_digits(void **state)
{
    (void)state;
    char first[CTL_SECRET_BYTES];
    assert_int_equal(ctl_secret_generate(&secret), 0);
    assert_int_equal(secret.len, 64);
    assert_int_equal(strlen(secret.bytes), 64);
    assert_int_equal(strspn(secret.bytes, "0123456789abcdef"), 64);
    memcpy(first, secret.bytes, sizeof first);
    assert_int_equal(ctl_secret_generate(&secret), 0);
    assert_string_not_equal(secret.bytes, first);
}

// Each of the 64 places must have each of the 16 digits. Among 400 secrets one is missing in 1 of
// 100,000,000 runs.
static void every_digit_occurs_in_every_place(void **state)
{
    (void)state;
    uint16_t seen[64] = {0};
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(ctl_secret_generate(&secret), 0);
        for (size_t place = 0; place < 64; place++) {
            const char digit = secret.bytes[place];
            seen[place] |= (uint16_t)(1U << (digit <= '9' ? digit - '0' : digit - 'a' + 10));
        }
    }
    for (size_t place = 0; place < 64; place++) {
        assert_int_equal(seen[place], 0xFFFF);
    }
}

static void a_wiped_secret_is_all_zeros(void **state)
{
    (void)state;
    static const struct ctl_secret none;
    assert_int_equal(ctl_secret_generate(&secret), 0);
    ctl_secret_wipe(&secret);
    assert_memory_equal(&secret, &none, sizeof none);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_of_a_file_is_the_secret),
        cmocka_unit_test(a_line_has_at_most_1023_bytes),
        cmocka_unit_test(an_unreadable_file_is_an_error),
        cmocka_unit_test(standard_input_gives_one_line_and_keeps_the_rest),
        cmocka_unit_test(an_empty_standard_input_has_no_secret),
        cmocka_unit_test(a_generated_secret_has_256_bits_as_digits),
        cmocka_unit_test(every_digit_occurs_in_every_place),
        cmocka_unit_test(a_wiped_secret_is_all_zeros),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
