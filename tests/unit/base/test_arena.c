// SPDX-License-Identifier: MIT
#include "alloc.h"
#include "base/arena.h"
#include "support.h"

static const char secret[] = "SECRET-that-must-not-stay";

static void memory_is_aligned_for_any_type(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    for (size_t size = 1; size <= 300; size++) {
        assert_non_null(arena_text(arena, size % 7)); // makes the free pointer unaligned
        const void *const memory = arena_alloc(arena, 1, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
    }
    arena_free(arena);
}

static void memory_is_aligned_in_a_block_of_odd_size(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(16 << 20);
    assert_non_null(arena_text(arena, (2 << 20) + 1)); // its own block, filled completely
    const void *const memory = arena_alloc(arena, 1, 8);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
    arena_free(arena);
}

struct piece {
    unsigned char *bytes;
    size_t size;
};

static void allocations_do_not_overlap(void **state)
{
    (void)state;
    enum { PIECES = 2000 };
    static struct piece pieces[PIECES];
    struct dice dice = {7};
    struct arena *const arena = arena_new(64 << 20);
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i].size = dice_below(&dice, 6000);
        pieces[i].bytes = i % 2 == 0 ? arena_alloc(arena, 1, pieces[i].size)
                                     : (void *)arena_text(arena, pieces[i].size);
        assert_non_null(pieces[i].bytes);
        memset(pieces[i].bytes, (int)(i % 251), pieces[i].size);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t k = 0; k < pieces[i].size; k++) {
            assert_int_equal(pieces[i].bytes[k], i % 251);
        }
    }
    arena_free(arena);
}

static void the_cap_is_exact(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1024);
    assert_non_null(arena_alloc(arena, 40, 16));
    assert_non_null(arena_text(arena, 384));
    assert_int_equal(arena_used(arena), 1024);
    assert_null(arena_text(arena, 1));
    assert_null(arena_alloc(arena, 1, 1));
    arena_free(arena);
}

static void the_cap_holds_across_blocks(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    size_t handed_out = 0;
    while (arena_alloc(arena, 1, 1024) != NULL) {
        handed_out += 1024;
    }
    assert_int_equal(handed_out, 1 << 20);
    arena_free(arena);
}

static void after_a_refusal_the_rest_can_be_used(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(100);
    assert_null(arena_text(arena, 101));
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_text(arena, 100));
    arena_free(arena);
}

static void an_overflowing_product_is_refused(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(SIZE_MAX);
    assert_null(arena_alloc(arena, SIZE_MAX / 2 + 1, 2));
    assert_null(arena_alloc(arena, SIZE_MAX, SIZE_MAX));
    assert_null(arena_alloc(arena, SIZE_MAX / 16 + 2, 16)); // wraps to 16
    assert_int_equal(arena_used(arena), 0);
    arena_free(arena);
}

static void a_copy_of_the_longest_text_is_refused(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(SIZE_MAX);
    assert_text(arena_copy(arena, (struct str){secret, SIZE_MAX}), NULL); // one more wraps to 0
    arena_free(arena);
}

static void an_allocation_larger_than_a_block_works(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(8 << 20);
    char *const large = arena_text(arena, 5 << 20);
    assert_non_null(large);
    memset(large, 'x', 5 << 20);
    assert_non_null(arena_text(arena, 100));
    arena_free(arena);
}

static void growing_needs_few_blocks(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(64 << 20);
    alloc_watch_start(0);
    for (unsigned i = 0; i < 100000; i++) {
        assert_non_null(arena_text(arena, 100));
    }
    alloc_watch_stop();
    assert_uint_in_range(alloc_watch.calls, 5, 20); // 10 MB in blocks of up to 1 MB
    arena_free(arena);
}

static void a_small_request_needs_no_heap(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    alloc_watch_start(0);
    for (unsigned i = 0; i < 100; i++) {
        assert_non_null(arena_alloc(arena, 10, 1000));
        arena_reset(arena);
    }
    alloc_watch_stop();
    assert_int_equal(alloc_watch.calls, 0);
    assert_int_equal(alloc_watch.frees, 0);
    arena_free(arena);
}

static void reset_frees_all_blocks_but_one_that_is_not_too_large(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(64 << 20);
    alloc_watch_start(0);
    for (unsigned i = 0; i < 100; i++) {
        assert_non_null(arena_text(arena, 100000));
    }
    assert_true(alloc_watch.calls > 3);
    arena_reset(arena);
    assert_int_equal(alloc_watch.frees, alloc_watch.calls); // including the first block
    assert_int_equal(arena_used(arena), 0);
    alloc_watch_start(0);
    assert_non_null(arena_text(arena, 200000));
    assert_int_equal(alloc_watch.calls, 0);
    assert_non_null(arena_text(arena, 256 * 1024 - 200000 + 1));
    alloc_watch_stop();
    assert_int_equal(alloc_watch.calls, 1);
    arena_free(arena);
}

static void repeated_requests_of_one_size_need_no_heap(void **state)
{
    (void)state;
    enum { REQUEST = 250000, TO_GET_USED_TO_IT = 4 };
    struct arena *const arena = arena_new(1 << 20);
    for (unsigned i = 0; i < 2 * TO_GET_USED_TO_IT; i++) {
        if (i == TO_GET_USED_TO_IT) {
            alloc_watch_start(0);
        }
        for (unsigned k = 0; k < REQUEST / 100; k++) {
            assert_non_null(arena_text(arena, 100));
        }
        arena_reset(arena);
    }
    alloc_watch_stop();
    assert_int_equal(alloc_watch.calls, 0);
    assert_int_equal(alloc_watch.frees, 0);
    arena_free(arena);
}

static void a_reset_restores_the_full_cap(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(100000);
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(arena_text(arena, 100000));
        assert_null(arena_text(arena, 1));
        arena_reset(arena);
    }
    arena_free(arena);
}

static void reset_wipes_the_block_it_keeps(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    const struct str copy = arena_copy(arena, STR(secret));
    assert_memory_equal(copy.ptr, secret, sizeof secret);
    arena_reset(arena);
    for (size_t i = 0; i < sizeof secret; i++) {
        assert_int_equal(copy.ptr[i], 0); // the block is still the arena's
    }
    arena_free(arena);
}

static bool saw_secret;

static void look_for_secret(const void *block, size_t size)
{
    saw_secret = saw_secret || memmem(block, size, secret, sizeof secret - 1) != NULL;
}

static void put_secrets_everywhere(struct arena *arena)
{
    for (unsigned i = 0; i < 5000; i++) {
        assert_false(str_is_absent(arena_copy(arena, STR(secret))));
    }
}

static void blocks_are_wiped_before_a_reset_frees_them(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    put_secrets_everywhere(arena);
    alloc_watch_start(0);
    saw_secret = false;
    alloc_watch.on_free = look_for_secret;
    arena_reset(arena);
    alloc_watch_stop();
    assert_true(alloc_watch.frees > 0);
    assert_false(saw_secret);
    arena_free(arena);
}

static void blocks_are_wiped_before_the_arena_is_freed(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    put_secrets_everywhere(arena);
    alloc_watch_start(0);
    saw_secret = false;
    alloc_watch.on_free = look_for_secret;
    arena_free(arena);
    alloc_watch_stop();
    assert_true(alloc_watch.frees > 2);
    assert_false(saw_secret);
}

static void a_copy_is_terminated_after_its_length(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1024);
    const char source[] = "demo_app,rest";
    const struct str copy = arena_copy(arena, (struct str){source, 8});
    assert_text(copy, "demo_app");
    assert_int_equal(copy.ptr[8], '\0');
    assert_ptr_not_equal(copy.ptr, source);
    arena_free(arena);
}

static void a_copy_of_an_empty_text_is_not_absent(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1024);
    assert_text(arena_copy(arena, STR("")), "");
    arena_free(arena);
}

static void without_memory_there_is_no_arena(void **state)
{
    (void)state;
    for (unsigned long n = 1; n <= 2; n++) {
        alloc_watch_start(n);
        assert_null(arena_new(1024));
        alloc_watch_stop();
        assert_true(alloc_watch.has_failed);
    }
}

static void without_memory_growing_fails_and_keeps_what_there_is(void **state)
{
    (void)state;
    struct arena *const arena = arena_new(1 << 20);
    const struct str kept = arena_copy(arena, STR("kept"));
    alloc_watch_start(1);
    assert_null(arena_text(arena, 100000));
    alloc_watch_stop();
    assert_true(alloc_watch.has_failed);
    assert_text(kept, "kept");
    assert_non_null(arena_text(arena, 100000));
    arena_free(arena);
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    arena_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_for_any_type),
        cmocka_unit_test(memory_is_aligned_in_a_block_of_odd_size),
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(the_cap_is_exact),
        cmocka_unit_test(the_cap_holds_across_blocks),
        cmocka_unit_test(after_a_refusal_the_rest_can_be_used),
        cmocka_unit_test(an_overflowing_product_is_refused),
        cmocka_unit_test(a_copy_of_the_longest_text_is_refused),
        cmocka_unit_test(an_allocation_larger_than_a_block_works),
        cmocka_unit_test(growing_needs_few_blocks),
        cmocka_unit_test(a_small_request_needs_no_heap),
        cmocka_unit_test(reset_frees_all_blocks_but_one_that_is_not_too_large),
        cmocka_unit_test(repeated_requests_of_one_size_need_no_heap),
        cmocka_unit_test(a_reset_restores_the_full_cap),
        cmocka_unit_test(reset_wipes_the_block_it_keeps),
        cmocka_unit_test(blocks_are_wiped_before_a_reset_frees_them),
        cmocka_unit_test(blocks_are_wiped_before_the_arena_is_freed),
        cmocka_unit_test(a_copy_is_terminated_after_its_length),
        cmocka_unit_test(a_copy_of_an_empty_text_is_not_absent),
        cmocka_unit_test(without_memory_there_is_no_arena),
        cmocka_unit_test(without_memory_growing_fails_and_keeps_what_there_is),
        cmocka_unit_test(freeing_nothing_is_allowed),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
