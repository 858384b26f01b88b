// SPDX-License-Identifier: MIT
#include "base/cidr.h"
#include "support.h"

static void addresses_are_in_their_networks(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *address;
        bool expected;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"127.0.0.0/8", "127.255.255.255", true},
        {"127.0.0.0/8", "128.0.0.0", false},
        {"127.0.0.0/8", "126.255.255.255", false},
        {"10.1.2.3/8", "10.200.0.1", true}, // host bits are ignored
        {"192.168.16.0/20", "192.168.31.255", true},
        {"192.168.16.0/20", "192.168.32.0", false},
        {"192.168.16.0/20", "192.168.15.255", false},
        {"10.0.0.4/31", "10.0.0.5", true},
        {"10.0.0.4/31", "10.0.0.6", false},
        {"10.0.0.4/32", "10.0.0.4", true},
        {"10.0.0.4/32", "10.0.0.5", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"0.0.0.0/0", "::1", false},
        {"10.0.0.0/1", "127.0.0.1", true},
        {"10.0.0.0/1", "128.0.0.1", false},
        {"::1", "::1", true},
        {"::1", "0:0:0:0:0:0:0:1", true},
        {"::1", "::2", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"2001:DB8::/32", "2001:db8::1", true},
        {"fe80::/10", "febf::1", true},
        {"fe80::/10", "fec0::1", false},
        {"2001:db8::4/127", "2001:db8::5", true},
        {"2001:db8::4/127", "2001:db8::6", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "10.0.0.1", true}, // IPv4 addresses are IPv6 addresses
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"10.0.0.0/8", "::ffff:11.1.2.3", false},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"::ffff:10.0.0.0/104", "11.1.2.3", false},
        {"127.0.0.0/8, ::1", "::1", true},
        {"127.0.0.0/8, ::1", "127.3.2.1", true},
        {"127.0.0.0/8, ::1", "10.0.0.1", false},
        {"10.0.0.1,10.0.0.2,10.0.0.3", "10.0.0.3", true},
        {"", "127.0.0.1", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cidr_list list;
        check(rows[i].list, cidr_list_parse(&list, str_from(rows[i].list)) == 0);
        if (cidr_list_has(&list, cidr_address_parse(str_from(rows[i].address))) !=
            rows[i].expected) {
            print_error("[%s] has [%s]: not %d\n", rows[i].list, rows[i].address, rows[i].expected);
            fail();
        }
    }
}

static void an_invalid_address_is_in_no_network(void **state)
{
    (void)state;
    static const struct str junk[] = {
        STR(""),
        STR_ABSENT,
        STR("localhost"),
        STR("unix:"),
        STR("127.0.0.1 "),
        STR("127.0.0.1\0"),
        STR("127.1"),
        STR("127.0.0.1:"),
        STR("127.0.0.1:x"),
        STR("127.0.0.1:123456"),
        STR("127.0.0.1:80:90"),
        STR("127.0.0.1%lo"),
        STR(":80"),
        STR("["),
        STR("[]"),
        STR("[::1"),
        STR("::1]"),
        STR("[::1]80"),
        STR("[::1]:"),
        STR("[::1]:8o"),
        STR("[[::1]]"),
        STR("1111:2222:3333:4444:5555:6666:255.255.255.255/128 and on and on"),
    };
    struct cidr_list list;
    assert_int_equal(cidr_list_parse(&list, STR("0.0.0.0/0, ::/0")), 0);
    for (size_t i = 0; i < COUNT_OF(junk); i++) {
        check(junk[i].ptr == NULL ? "(absent)" : junk[i].ptr,
              !cidr_list_has(&list, cidr_address_parse(junk[i])));
    }
}

// ---- addresses ----

static void port_brackets_and_zone_are_ignored(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *expected;
    } rows[] = {
        {STR("10.0.0.1"), "10.0.0.1"},
        {STR("10.0.0.1:1"), "10.0.0.1"},
        {STR("10.0.0.1:65535"), "10.0.0.1"},
        {STR("[10.0.0.1]:80"), "10.0.0.1"},
        {STR("2001:DB8:0:0::1"), "2001:db8::1"},
        {STR("[2001:db8::1]"), "2001:db8::1"},
        {STR("[2001:db8::1]:443"), "2001:db8::1"},
        {STR("fe80::1%eth0"), "fe80::1"},
        {STR("[fe80::1%eth0]:443"), "fe80::1"},
        {STR("::ffff:10.0.0.1"), "10.0.0.1"},
        {STR("[::ffff:10.0.0.1]:80"), "10.0.0.1"},
        {STR("::FFFF:0a00:1"), "10.0.0.1"},
        {STR("::1"), "::1"},
        {STR("unix:"), "unknown"},
        {STR("unix:/run/x"), "unknown"},
        {STR(""), "unknown"},
        {STR_ABSENT, "unknown"},
        {STR("unknown"), "unknown"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[CIDR_ADDRESS_TEXT];
        const struct str copy = guarded_copy(rows[i].text);
        const struct cidr_address address = cidr_address_parse(copy);
        check_text(rows[i].expected, cidr_address_text(address, text), rows[i].expected);
        guarded_free_copy(copy);
    }
}

static bool is_one_client(const char *left, const char *right)
{
    const struct cidr_address a = cidr_address_client(cidr_address_parse(str_from(left)));
    const struct cidr_address b = cidr_address_client(cidr_address_parse(str_from(right)));
    return a.is_known == b.is_known && memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static void a_client_is_an_ipv4_address_or_an_ipv6_64_network(void **state)
{
    (void)state;
    assert_true(is_one_client("10.0.0.1", "10.0.0.1:99"));
    assert_true(is_one_client("10.0.0.1", "::ffff:10.0.0.1"));
    assert_false(is_one_client("10.0.0.1", "10.0.0.2"));
    assert_false(is_one_client("::ffff:10.0.0.1", "::ffff:10.0.0.2"));
    assert_true(is_one_client("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_false(is_one_client("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_false(is_one_client("2001:db8:1:2::", "2001:db8:1:1:ffff:ffff:ffff:ffff"));
    assert_false(is_one_client("64:ff9b::10.0.0.1", "64:ff9b::10.0.0.2"));
    assert_false(is_one_client("::1", "10.0.0.1"));
    assert_false(is_one_client("::", "unknown"));
    assert_true(is_one_client("unix:", "unknown"));
}

static void invalid_lists_are_refused(void **state)
{
    (void)state;
    static const struct str bad[] = {
        STR(","),           STR("127.0.0.1,"),    STR(",::1"),         STR("127.0.0.1,,::1"),
        STR("localhost"),   STR("127.0.0"),       STR("127.0.0.256"),  STR("0127.0.0.1"),
        STR("127.0.0.1/"),  STR("127.0.0.1/33"),  STR("127.0.0.1/-1"), STR("127.0.0.1/8/8"),
        STR("10.0.0.0/ 8"), STR("10.0.0.0 /8"),   STR("10.0.0.0/+8"),  STR("10.0.0.0/0008"),
        STR("10.0.0.0/8x"), STR("::1/129"),       STR("::1/"),         STR(":::1"),
        STR("12345::"),     STR("127.0.0.1 ::1"), STR("::1\0"),        STR("10.0.0.0/999999999999"),
        STR("/8"),          STR("10.0.0.0\n/8"),  STR("127.0.0.1:80"), STR("[::1]"),
        STR("[::1]/64"),    STR("fe80::1%eth0"),
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct cidr_list list;
        check(bad[i].ptr, cidr_list_parse(&list, bad[i]) == -1);
    }
}

static void spaces_around_networks_are_ignored(void **state)
{
    (void)state;
    struct cidr_list list;
    assert_int_equal(cidr_list_parse(&list, STR(" \t127.0.0.1 ,\t::1  ")), 0);
    assert_int_equal(list.count, 2);
    assert_true(cidr_list_has(&list, cidr_address_parse(STR("::1"))));
}

static void an_empty_list_contains_nothing(void **state)
{
    (void)state;
    struct cidr_list list;
    assert_int_equal(cidr_list_parse(&list, STR("   ")), 0);
    assert_int_equal(list.count, 0);
    assert_int_equal(cidr_list_parse(&list, STR_ABSENT), 0);
    assert_int_equal(list.count, 0);
}

// Writes COUNT addresses separated by commas.
static struct str repeated_address(char *text, size_t count)
{
    static const char item[] = "10.0.0.1,";
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * (sizeof item - 1), item, sizeof item - 1);
    }
    return (struct str){text, count * (sizeof item - 1) - 1};
}

static void the_length_of_a_list_is_bounded(void **state)
{
    (void)state;
    char text[1000];
    struct cidr_list list;
    assert_int_equal(cidr_list_parse(&list, repeated_address(text, CIDR_LIST_MAX)), 0);
    assert_int_equal(list.count, CIDR_LIST_MAX);
    assert_int_equal(cidr_list_parse(&list, repeated_address(text, CIDR_LIST_MAX + 1)), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_in_their_networks),
        cmocka_unit_test(an_invalid_address_is_in_no_network),
        cmocka_unit_test(port_brackets_and_zone_are_ignored),
        cmocka_unit_test(a_client_is_an_ipv4_address_or_an_ipv6_64_network),
        cmocka_unit_test(invalid_lists_are_refused),
        cmocka_unit_test(spaces_around_networks_are_ignored),
        cmocka_unit_test(an_empty_list_contains_nothing),
        cmocka_unit_test(the_length_of_a_list_is_bounded),
    };
    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
