// SPDX-License-Identifier: MIT
#include "ctl/applications.h"
#include "../rows.h"

#include <stdlib.h>

// ---- texts ----

static const char *mistake_of(const char *(*check_text_of)(struct str), const char *unit,
                              size_t count)
{
    const size_t len = strlen(unit);
    char *const text = malloc(len * count + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * len, unit, len);
    }
    const char *const mistake = check_text_of((struct str){text, len * count});
    free(text);
    return mistake;
}

static void texts_have_length_limits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *(*check)(struct str);
        const char *unit;
        size_t count;
        const char *mistake;
    } rows[] = {
        {"no code", applications_code_mistake, "x", 0, "empty"},
        {"short code", applications_code_mistake, "x", 1, NULL},
        {"longest code", applications_code_mistake, "x", 128, NULL},
        {"long code", applications_code_mistake, "x", 129, "longer than 128 characters"},
        {"longest Chinese code", applications_code_mistake, "\xE5\xBA\x94", 128, NULL},
        {"long Chinese code", applications_code_mistake, "\xE5\xBA\x94", 129,
         "longer than 128 characters"},
        {"longest code of four bytes each", applications_code_mistake, "\xF0\x9F\x98\x80", 128,
         NULL},
        {"no description", applications_description_mistake, "x", 0, NULL},
        {"longest description", applications_description_mistake, "\xC3\xB6", 255, NULL},
        {"long description", applications_description_mistake, "\xC3\xB6", 256,
         "longer than 255 characters"},
        {"short secret", applications_secret_mistake, "x", 15,
         "shorter than 16 bytes, which can be guessed by whoever gets hold of its digest"},
        {"shortest secret", applications_secret_mistake, "x", 16, NULL},
        {"shortest Chinese secret", applications_secret_mistake, "\xE5\xBA\x94", 6, NULL},
        {"longest secret", applications_secret_mistake, "x", 512, NULL},
        {"long secret", applications_secret_mistake, "x", 513, "longer than 512 bytes"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        check_text(rows[i].name, str_from(mistake_of(rows[i].check, rows[i].unit, rows[i].count)),
                   rows[i].mistake);
    }
}

static void texts_that_look_the_same_are_the_same(void **state)
{
    (void)state;
    static const char not_utf8[] = "not UTF-8 text";
    static const char unseen[] = "not free of control characters and others that nobody sees";
    static const char blank[] = "not free of blanks at its ends";
    static const struct {
        const char *text;
        const char *mistake;
    } rows[] = {
        {"sixteen bytes it is", NULL},
        {" sixteen bytes it is", blank},
        {"sixteen bytes it is ", blank},
        {"sixteen bytes\tit is", unseen},
        {"sixteen bytes\nit is", unseen},
        {"sixteen bytes\x7Fit is", unseen},
        {"sixteen bytes\x1Fit is", unseen},
        {"sixteen bytes~it is", NULL},
        {"sixteen bytes\xC2\x85it is", unseen},
        {"sixteen bytes\xC2\xA0it is", unseen},
        {"sixteen bytes\xC2\xA1it is", NULL},
        {"sixteen bytes\xE2\x80\x8Bit is", unseen},
        {"sixteen bytes\xE2\x80\xAEit is", unseen},
        {"\xEF\xBB\xBFsixteen bytes it is", unseen},
        {"sixteen bytes it is\xE3\x80\x80", unseen},
        {"sixteen bytes\xFFit is", not_utf8},
        {"sixteen bytes it is\xE2\x80", not_utf8},
        {"sixteen bytes\xED\xA0\x80it is", not_utf8},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct str text = str_from(rows[i].text);
        check_text(rows[i].text, str_from(applications_code_mistake(text)), rows[i].mistake);
        check_text(rows[i].text, str_from(applications_secret_mistake(text)), rows[i].mistake);
        check_text(rows[i].text, str_from(applications_description_mistake(text)), rows[i].mistake);
    }
}

// ---- the current secret ----

static void only_the_current_secret_is_current(void **state)
{
    (void)state;
    static const char secret[] = "an existing secret, long enough";
    static const char *const others[] = {
        "",
        "an existing secret, long enougH",
        "an existing secret, long enoug",
        "an existing secret, long enough ",
        "the previous secret",
    };
    struct application record = {.salt = "fifteen and one"};
    digest_of_secret(record.salt, secret, record.digest);
    assert_true(applications_secret_is_current(&record, STR(secret)));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        check(others[i], !applications_secret_is_current(&record, str_from(others[i])));
    }
    for (size_t i = 0; i < sizeof record.digest; i++) {
        record.digest[i] ^= 1;
        assert_false(applications_secret_is_current(&record, STR(secret)));
        record.digest[i] ^= 1;
    }
    record.salt[15] ^= 1;
    assert_false(applications_secret_is_current(&record, STR(secret)));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_have_length_limits),
        cmocka_unit_test(texts_that_look_the_same_are_the_same),
        cmocka_unit_test(only_the_current_secret_is_current),
    };
    return cmocka_run_group_tests_name("applications", tests, NULL, NULL);
}
