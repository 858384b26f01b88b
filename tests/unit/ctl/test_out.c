// SPDX-License-Identifier: MIT
#include "ctl/out.h"
#include "base/clock.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEXT_MAX = 64 * 1024 };

// An output to an anonymous file, and its content when finished.
struct page {
    struct ctl_out out;
    int fd;
    char text[TEXT_MAX];
};

static struct page *begin(void)
{
    struct page *const page = calloc(1, sizeof *page);
    assert_non_null(page);
    page->fd = memfd_create("page", 0);
    assert_true(page->fd >= 0);
    ctl_out_init(&page->out, page->fd);
    return page;
}

static const char *finish(struct page *page)
{
    assert_int_equal(ctl_out_finish(&page->out), 0);
    const ssize_t len = pread(page->fd, page->text, sizeof page->text - 1, 0);
    assert_true(len >= 0);
    page->text[len] = '\0';
    return page->text;
}

static void drop(struct page *page)
{
    close(page->fd);
    free(page);
}

// ---- text ----

static const struct {
    const char *text;
    const char *shown;
    size_t width;
} texts[] = {
    {"", "", 0},
    {"plain text ~", "plain text ~", 12},
    {"Gr\xC3\xB6\xC3\x9F"
     "e",
     "Gr\xC3\xB6\xC3\x9F"
     "e",
     5},
    {"\xE5\xBA\x94\xE7\x94\xA8", "\xE5\xBA\x94\xE7\x94\xA8", 4},
    {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80", 2},
    {"a\x1B[2Jb", "a?[2Jb", 6},
    {"line\nbreak\ttab\x7F", "line?break?tab?", 15},
    {"\xC2\x9B"
     "31m",
     "?31m", 4},
    {"\xC2\x80\xC2\x9F", "??", 2},
    {"\xC2\xA0", "<U+00A0>", 8},
    {"a\xE2\x80\xAE"
     "b",
     "a<U+202E>b", 10},
    {"\xE2\x80\x8B", "<U+200B>", 8},
    {"\xEF\xBB\xBF", "<U+FEFF>", 8},
    {"\xE3\x80\x80", "<U+3000>", 8},
    {"\xF3\xA0\x80\x81", "<U+E0001>", 9},
    {"\xFF\xC3", "??", 2},
    {"\xED\xA0\x80", "???", 3},
    {"cut\xE2\x80", "cut??", 5},
};

static void data_is_made_safe(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct page *const page = begin();
        ctl_out_text(&page->out, str_from(texts[i].text));
        check_text(texts[i].text, str_from(finish(page)), texts[i].shown);
        check_number(texts[i].text, ctl_out_width(str_from(texts[i].text)), texts[i].width);
        drop(page);
    }
}

static void each_control_is_replaced(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 0xA0; byte++) {
        const char one[] = {(char)byte};
        const char two[] = {(char)0xC2, (char)byte};
        struct page *const page = begin();
        const bool is_c1 = byte >= 0x80;
        ctl_out_text(&page->out, is_c1 ? (struct str){two, 2} : (struct str){one, 1});
        const bool is_shown = byte >= 0x20 && byte < 0x7F;
        const char expected[] = {is_shown ? (char)byte : '?', '\0'};
        assert_string_equal(finish(page), expected);
        drop(page);
    }
}

static void a_cell_is_as_wide_as_asked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t width;
        bool has_colour;
        enum ctl_colour colour;
        const char *shown;
    } rows[] = {
        {"yes", 5, false, CTL_GREEN, "yes  "},
        {"yes", 5, true, CTL_GREEN, "\033[32myes\033[0m  "},
        {"no", 2, true, CTL_RED, "\033[31mno\033[0m"},
        {"plain", 7, true, CTL_PLAIN, "plain  "},
        {"longer", 3, false, CTL_PLAIN, "longer"},
        {"\xE5\xBA\x94", 4, false, CTL_PLAIN, "\xE5\xBA\x94  "},
        {"x", 40, true, CTL_FAINT, "\033[2mx\033[0m                                       "},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct page *const page = begin();
        page->out.has_colour = rows[i].has_colour;
        ctl_out_cell(&page->out, rows[i].colour, str_from(rows[i].text), rows[i].width);
        check_text(rows[i].text, str_from(finish(page)), rows[i].shown);
        drop(page);
    }
}

static void the_programs_own_text_is_truncated_at_1023_bytes(void **state)
{
    (void)state;
    struct page *const page = begin();
    ctl_out_print(&page->out, "%01023d", 7);
    ctl_out_print(&page->out, "%02000d", 7);
    assert_int_equal(strlen(finish(page)), 2 * 1023);
    assert_int_equal(page->text[1022], '7');
    drop(page);
}

// ---- JSON ----

static void json_escapes_invisible_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *written;
    } rows[] = {
        {"plain", "\"plain\"\n"},
        {"\xE5\xBA\x94", "\"\xE5\xBA\x94\"\n"},
        {"\xF0\x9F\x98\x80", "\"\xF0\x9F\x98\x80\"\n"},
        {"a\xE2\x80\xAE"
         "b",
         "\"a\\u202eb\"\n"},
        {"\x7F\xC2\x9B", "\"\\u007f\\u009b\"\n"},
        {"\xC2\xA0", "\"\\u00a0\"\n"},
        {"\xF3\xA0\x80\x81", "\"\\udb40\\udc01\"\n"},
        {"\x1B\n", "\"\\u001b\\n\"\n"},
        {"\xFF", "\"\xEF\xBF\xBD\"\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct page *const page = begin();
        struct json_writer json;
        page->out.is_json = true;
        json_write_init(&json, &page->out.buffer);
        json_write_string(&json, str_from(rows[i].text));
        ctl_out_print(&page->out, "\n");
        check_text(rows[i].text, str_from(finish(page)), rows[i].written);
        drop(page);
    }
}

// The buffer is flushed in the middle of characters, at each of their bytes.
static void json_is_the_same_wherever_the_buffer_ends(void **state)
{
    (void)state;
    static const char unit[] = "\xE2\x80\xAE\xE5\xBA\x94\xF3\xA0\x80\x81";
    static const char written[] = "\\u202e\xE5\xBA\x94\\udb40\\udc01";
    for (size_t shift = 0; shift < sizeof unit; shift++) {
        struct page *const page = begin();
        page->out.is_json = true;
        for (size_t i = 0; i < shift; i++) {
            outbuf_write(&page->out.buffer, "x", 1);
        }
        for (unsigned i = 0; i < 2000; i++) {
            outbuf_write(&page->out.buffer, unit, sizeof unit - 1);
        }
        const char *text = finish(page) + shift;
        for (unsigned i = 0; i < 2000; i++, text += sizeof written - 1) {
            assert_memory_equal(text, written, sizeof written - 1);
        }
        assert_int_equal(*text, '\0');
        drop(page);
    }
}

static void a_time_is_in_rfc_3339_format(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *written;
    } rows[] = {
        {CLOCK_NO_TIME, "null"},
        {0, "\"1970-01-01T00:00:00Z\""},
        {999999, "\"1970-01-01T00:00:00Z\""},
        {-1, "\"1969-12-31T23:59:59Z\""},
        {INT64_C(1709251199) * 1000000, "\"2024-02-29T23:59:59Z\""},
        {INT64_C(1709251200) * 1000000, "\"2024-03-01T00:00:00Z\""},
        {INT64_C(-2203977600) * 1000000, "\"1900-02-28T00:00:00Z\""},
        {INT64_C(253402300799) * 1000000, "\"9999-12-31T23:59:59Z\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct page *const page = begin();
        struct json_writer json;
        json_write_init(&json, &page->out.buffer);
        ctl_out_time(&json, rows[i].us);
        check_text(rows[i].written, str_from(finish(page)), rows[i].written);
        drop(page);
    }
}

// ---- failures ----

static void nothing_that_was_written_stays_in_memory(void **state)
{
    (void)state;
    struct page *const page = begin();
    page->out.is_json = true;
    outbuf_write(&page->out.buffer, "a secret\xE2\x80", 10);
    (void)finish(page);
    for (size_t i = 0; i < sizeof page->out.bytes; i++) {
        assert_int_equal(page->out.bytes[i], 0);
    }
    for (size_t i = 0; i < sizeof page->out.partial; i++) {
        assert_int_equal(page->out.partial[i], 0);
    }
    drop(page);
}

static void an_error_is_sticky_and_reported_at_the_end(void **state)
{
    (void)state;
    const int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);
    for (unsigned is_json = 0; is_json < 2; is_json++) {
        struct ctl_out out;
        ctl_out_init(&out, fd);
        out.is_json = is_json != 0;
        ctl_out_print(&out, "lost");
        ctl_out_show(&out);
        errno = 0;
        assert_int_equal(ctl_out_finish(&out), -1);
        assert_int_equal(errno, ENOSPC);
    }
    close(fd);
}

static void buffered_text_is_shown_on_request(void **state)
{
    (void)state;
    struct page *const page = begin();
    ctl_out_print(&page->out, "prompt");
    assert_int_equal(lseek(page->fd, 0, SEEK_END), 0);
    ctl_out_show(&page->out);
    assert_int_equal(lseek(page->fd, 0, SEEK_END), 6);
    drop(page);
}

static void an_unwritable_descriptor_is_detected_before(void **state)
{
    (void)state;
    static const struct {
        int flags;
        int mistake;
    } rows[] = {{O_WRONLY, 0}, {O_RDWR, 0}, {O_WRONLY | O_APPEND, 0}, {O_RDONLY, EBADF}};
    struct ctl_out out;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const int fd = open("/dev/null", rows[i].flags);
        assert_true(fd >= 0);
        ctl_out_init(&out, fd);
        assert_int_equal(ctl_out_mistake(&out), rows[i].mistake);
        close(fd);
        assert_int_equal(ctl_out_mistake(&out), EBADF);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_is_made_safe),
        cmocka_unit_test(each_control_is_replaced),
        cmocka_unit_test(a_cell_is_as_wide_as_asked),
        cmocka_unit_test(the_programs_own_text_is_truncated_at_1023_bytes),
        cmocka_unit_test(json_escapes_invisible_characters),
        cmocka_unit_test(json_is_the_same_wherever_the_buffer_ends),
        cmocka_unit_test(a_time_is_in_rfc_3339_format),
        cmocka_unit_test(nothing_that_was_written_stays_in_memory),
        cmocka_unit_test(an_error_is_sticky_and_reported_at_the_end),
        cmocka_unit_test(buffered_text_is_shown_on_request),
        cmocka_unit_test(an_unwritable_descriptor_is_detected_before),
    };
    setenv("LC_ALL", "C.UTF-8", 1);
    return cmocka_run_group_tests_name("out", tests, NULL, NULL);
}
