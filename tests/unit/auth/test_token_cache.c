// SPDX-License-Identifier: MIT
#include "auth/token_cache_priv.h"
#include "support.h"

#include <pthread.h>
#include <stdio.h>

enum { SETS = 1024, WAYS = 4 };

static struct token_cache *cache;
static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    cache = token_cache_new();
    arena = arena_new(1 << 20);
    assert_non_null(cache);
    assert_non_null(arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    token_cache_free(cache);
    arena_free(arena);
    return 0;
}

// A digest in SET; NUMBER tells those of a set apart.
struct digest {
    uint8_t bytes[TOKEN_CACHE_DIGEST_BYTES];
};

static struct digest digest_of(uint64_t set, uint64_t number)
{
    struct digest digest = {{0}};
    memcpy(digest.bytes, &set, sizeof set);
    memcpy(digest.bytes + sizeof set, &number, sizeof number);
    return digest;
}

static struct token_claims claims_of(const char *app_code, const char *username)
{
    return (struct token_claims){
        .expires = 300,
        .not_before = 100,
        .issued = 200,
        .app_code = str_from(app_code),
        .username = str_from(username),
    };
}

static void add(struct digest digest)
{
    const struct token_claims claims = claims_of("app", "user");
    token_cache_add(cache, digest.bytes, &claims);
}

static bool has(struct digest digest)
{
    struct token_claims claims;
    return token_cache_find(cache, digest.bytes, arena, &claims);
}

static void claims_are_found_by_the_tokens_digest(void **state)
{
    (void)state;
    char app_code[] = "demo_app";
    char username[] = "admin";
    const struct token_claims added = claims_of(app_code, username);
    struct token_claims found;
    token_cache_add(cache, digest_of(1, 1).bytes, &added);
    memset(app_code, 'x', sizeof app_code); // the request's memory is gone
    memset(username, 'x', sizeof username);
    assert_true(token_cache_find(cache, digest_of(1, 1).bytes, arena, &found));
    assert_true(found.expires == 300 && found.not_before == 100 && found.issued == 200);
    assert_text(found.app_code, "demo_app");
    assert_text(found.username, "admin");
}

static void every_bit_of_a_digest_counts(void **state)
{
    (void)state;
    assert_false(has((struct digest){{0}})); // an empty entry is no token
    add((struct digest){{0}});
    assert_true(has((struct digest){{0}}));
    for (size_t i = 0; i < TOKEN_CACHE_DIGEST_BYTES * 8; i++) {
        struct digest other = {{0}};
        other.bytes[i / 8] = (uint8_t)(1U << (i % 8));
        assert_false(has(other));
    }
}

static void the_least_recently_used_claims_make_room(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < WAYS; i++) {
        add(digest_of(7, i));
    }
    assert_true(has(digest_of(7, 0))); // used again: now the second is the oldest
    add(digest_of(7, WAYS));
    assert_false(has(digest_of(7, 1)));
    for (uint64_t i = 0; i <= WAYS; i++) {
        check_number("token", has(digest_of(7, i)), i != 1);
    }
}

static void adding_a_token_again_takes_no_further_entry(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < WAYS; i++) {
        add(digest_of(7, i));
        add(digest_of(7, i));
    }
    for (uint64_t i = 0; i < WAYS; i++) {
        assert_true(has(digest_of(7, i)));
    }
}

static void the_latest_of_many_tokens_stay(void **state)
{
    (void)state;
    enum { TOKENS = 3 * SETS * WAYS };
    for (uint64_t i = 0; i < TOKENS; i++) {
        add(digest_of(i % SETS, i));
    }
    for (uint64_t i = 0; i < TOKENS; i++) {
        arena_reset(arena);
        check_number("token", has(digest_of(i % SETS, i)), i >= TOKENS - SETS * WAYS);
    }
}

static void long_names_are_not_cached(void **state)
{
    (void)state;
    static char long_name[TOKEN_CACHE_TEXT_BYTES + 2];
    static const struct {
        size_t app_code;
        size_t username;
        bool is_kept;
    } rows[] = {
        {TOKEN_CACHE_TEXT_BYTES - 1, 1, true},  {1, TOKEN_CACHE_TEXT_BYTES - 1, true},
        {TOKEN_CACHE_TEXT_BYTES, 1, false},     {1, TOKEN_CACHE_TEXT_BYTES, false},
        {TOKEN_CACHE_TEXT_BYTES + 1, 1, false},
    };
    memset(long_name, 'n', sizeof long_name);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct token_claims claims = {
            .app_code = {long_name, rows[i].app_code},
            .username = {long_name, rows[i].username},
        };
        token_cache_add(cache, digest_of(i, i).bytes, &claims);
        check_number("row", has(digest_of(i, i)), rows[i].is_kept);
    }
}

static void claims_are_not_found_if_the_arena_is_full(void **state)
{
    (void)state;
    add(digest_of(1, 1));
    arena_free(arena);
    arena = arena_new(sizeof "app"); // and none for the user
    assert_non_null(arena);
    assert_false(has(digest_of(1, 1)));
}

// ---- threads ----

enum { THREADS = 4, TOKENS_PER_THREAD = 5000 };

// Whose token it is must come out right, whichever thread put it there.
static void *use_cache(void *context)
{
    struct arena *const own = arena_new(1 << 16);
    bool is_right = own != NULL;
    (void)context;
    for (uint64_t i = 0; is_right && i < TOKENS_PER_THREAD; i++) {
        char name[32];
        struct token_claims found;
        const uint64_t number = i % 50;
        const struct digest digest = digest_of(number % 8, number);
        snprintf(name, sizeof name, "name-%u", (unsigned)number);
        const struct token_claims claims = claims_of(name, name);
        token_cache_add(cache, digest.bytes, &claims);
        if (token_cache_find(cache, digest.bytes, own, &found)) {
            is_right = str_equal(found.app_code, str_from(name)) &&
                       str_equal(found.username, str_from(name));
        }
        arena_reset(own);
    }
    arena_free(own);
    return is_right ? cache : NULL;
}

static void threads_share_the_cache(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache, NULL), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, cache);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(claims_are_found_by_the_tokens_digest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_bit_of_a_digest_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_least_recently_used_claims_make_room, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(adding_a_token_again_takes_no_further_entry, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_latest_of_many_tokens_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_names_are_not_cached, set_up, tear_down),
        cmocka_unit_test_setup_teardown(claims_are_not_found_if_the_arena_is_full, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(threads_share_the_cache, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("token_cache", tests, NULL, NULL);
}
