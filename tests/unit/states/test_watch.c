// SPDX-License-Identifier: MIT
// watch: no change is missed, whatever the order of events; who is woken when, and what is kept.
#include "states/watch.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#define SECOND  INT64_C(1000000)
#define FOREVER (INT64_MAX / 2)

static struct watch *watch;

static int set_up(void **state)
{
    (void)state;
    watch = watch_new(1);
    return watch == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    watch_free(watch);
    return 0;
}

// A waiter for one root.
static struct watch_waiter waiter_for(const char *root, int64_t read_us)
{
    struct watch_waiter waiter = {.until_us = FOREVER, .read_us = read_us};
    const struct str id = str_from(root);
    assert_int_equal(watch_set_roots(&waiter, &id, 1), 0);
    return waiter;
}

static struct store_digest digest_of(uint64_t content)
{
    return (struct store_digest){.has_rows = content != 0, .a = content, .b = ~content};
}

// One round: all roots have the digest of CONTENT, from a statement that ended at ENDED_US.
static size_t tick_at(uint64_t content, int64_t ended_us, uint64_t place)
{
    static struct watch_batch batch;
    size_t changes = 0;
    for (watch_next_batch(watch, &batch, ended_us); batch.count > 0;
         watch_next_batch(watch, &batch, ended_us)) {
        for (size_t i = 0; i < batch.count; i++) {
            batch.digests[i] = digest_of(content);
        }
        changes += watch_take_batch(watch, &batch, ended_us, place, ended_us);
    }
    return changes;
}

// The next one that is ready must be WAITER, woken for REASON.
#define expect_ready(waiter, why)                                                                  \
    do {                                                                                           \
        assert_ptr_equal(watch_take_ready(watch), (waiter));                                       \
        assert_int_equal((waiter)->reason, (why));                                                 \
    } while (0)
#define expect_none_ready() assert_null(watch_take_ready(watch))

// ---- no change is missed ----

// A task whose content is a number, the watcher and some clients. Time passes with each event.
enum { CLIENTS = 4, EVENTS = 60 };

struct client {
    struct watch_waiter waiter;
    enum { AWAY, READING, PARKED } state;
    int64_t read_us;
    uint64_t known; // the content that it has
};

static struct {
    int64_t now_us;
    uint64_t content;
    bool is_ticking;
    uint64_t seen; // by the statement under way
    struct watch_batch batch;
    struct client clients[CLIENTS];
} play;

// A request is run: its clock is read first, then the row. It parks later.
static void client_reads(struct client *client)
{
    client->read_us = play.now_us;
    client->known = play.content;
    client->state = READING;
}

static void client_parks(struct client *client)
{
    client->waiter.read_us = client->read_us;
    client->waiter.until_us = FOREVER;
    client->state = PARKED;
    assert_int_equal(watch_add(watch, &client->waiter, play.now_us), 0);
}

static void wake_clients(void)
{
    struct watch_waiter *waiter;
    while ((waiter = watch_take_ready(watch)) != NULL) {
        struct client *const client = waiter->context;
        const uint64_t known = client->known;
        client_reads(client); // and is answered if there is something new
        client->state = client->known == known ? READING : AWAY;
    }
}

static void begin_tick(void)
{
    watch_next_batch(watch, &play.batch, play.now_us);
    play.is_ticking = play.batch.count > 0;
    play.seen = play.content; // the statement's snapshot
}

static void end_tick(void)
{
    for (size_t i = 0; i < play.batch.count; i++) {
        play.batch.digests[i] = digest_of(play.seen);
    }
    (void)watch_take_batch(watch, &play.batch, play.now_us, 1, play.now_us);
    play.is_ticking = false;
}

static void move_client(struct client *client)
{
    if (client->state == AWAY) {
        client_reads(client);
    } else if (client->state == READING) {
        client_parks(client);
    }
}

static void play_event(struct dice *dice)
{
    play.now_us++;
    switch (dice_below(dice, 6)) {
    case 0:
        play.content++;
        break;
    case 1:
    case 2:
        play.is_ticking ? end_tick() : begin_tick();
        break;
    case 3:
        wake_clients();
        break;
    default:
        move_client(&play.clients[dice_below(dice, CLIENTS)]);
        break;
    }
}

// Nothing changes any more, and everything that was begun is done.
static void play_to_the_end(void)
{
    for (unsigned i = 0; i < 12; i++) {
        play.now_us++;
        play.is_ticking ? end_tick() : begin_tick();
        wake_clients();
        for (size_t k = 0; k < CLIENTS; k++) {
            if (play.clients[k].state == READING) {
                client_parks(&play.clients[k]);
            }
        }
    }
}

static void set_up_play(void)
{
    static const struct str root = STR("n1");
    memset(&play, 0, sizeof play);
    play.content = 1;
    for (size_t i = 0; i < CLIENTS; i++) {
        play.clients[i].waiter.context = &play.clients[i];
        assert_int_equal(watch_set_roots(&play.clients[i].waiter, &root, 1), 0);
    }
}

static void end_play(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        if (play.clients[i].state == PARKED) {
            watch_remove(watch, &play.clients[i].waiter, play.now_us);
        }
        watch_drop_roots(&play.clients[i].waiter);
    }
}

static void no_change_is_missed_in_any_order_of_events(void **state)
{
    (void)state;
    struct dice dice = {41};
    unsigned parked = 0;
    for (unsigned round = 0; round < 20000; round++) {
        set_up_play();
        for (unsigned i = 0; i < EVENTS; i++) {
            play_event(&dice);
        }
        play_to_the_end();
        for (size_t i = 0; i < CLIENTS; i++) {
            if (play.clients[i].state == PARKED) {
                parked++;
                assert_int_equal(play.clients[i].known, play.content);
            }
        }
        end_play();
        watch_free(watch);
        watch = watch_new(round);
        assert_non_null(watch);
    }
    assert_true(parked > 10000);
}

// ---- who is woken, and why ----

static void the_first_digest_of_a_task_wakes_those_who_read_before(void **state)
{
    (void)state;
    struct watch_waiter early = waiter_for("n1", 10);
    struct watch_waiter late = waiter_for("n1", 30);
    assert_int_equal(watch_add(watch, &early, 40), 0);
    assert_int_equal(watch_add(watch, &late, 40), 0);
    expect_none_ready();
    assert_int_equal(tick_at(1, 20, 1), 0); // the first one is no change
    expect_ready(&early, WATCH_DOUBT);
    expect_none_ready();
    watch_remove(watch, &late, 50);
    watch_drop_roots(&early);
    watch_drop_roots(&late);
}

static void a_change_wakes_all_who_wait_for_the_task(void **state)
{
    (void)state;
    struct watch_waiter one = waiter_for("n1", 30);
    struct watch_waiter other = waiter_for("n2", 30);
    assert_int_equal(watch_add(watch, &one, 30), 0);
    assert_int_equal(watch_add(watch, &other, 30), 0);
    assert_int_equal(tick_at(1, 20, 1), 0);
    expect_none_ready();
    static struct watch_batch batch;
    watch_next_batch(watch, &batch, 40);
    assert_int_equal(batch.count, 2);
    for (size_t i = 0; i < batch.count; i++) {
        batch.digests[i] = digest_of(str_equal(batch.roots[i], STR("n2")) ? 2 : 1);
    }
    assert_int_equal(watch_take_batch(watch, &batch, 40, 1, 41), 1);
    expect_ready(&other, WATCH_CHANGE);
    assert_int_equal(other.woken_us, 41);
    expect_none_ready();
    watch_remove(watch, &one, 50);
    watch_drop_roots(&one);
    watch_drop_roots(&other);
}

static void rows_that_go_or_come_are_changes(void **state)
{
    (void)state;
    struct watch_waiter waiter = waiter_for("n1", 30);
    assert_int_equal(watch_add(watch, &waiter, 30), 0);
    assert_int_equal(tick_at(0, 20, 1), 0);
    assert_int_equal(tick_at(0, 31, 1), 0);
    expect_none_ready();
    assert_int_equal(tick_at(1, 40, 1), 1);
    expect_ready(&waiter, WATCH_CHANGE);
    watch_drop_roots(&waiter);
}

static void who_comes_after_a_change_that_it_may_have_missed_is_ready_at_once(void **state)
{
    (void)state;
    struct watch_waiter first = waiter_for("n1", 30);
    struct watch_waiter second = waiter_for("n1", 39);
    struct watch_waiter third = waiter_for("n1", 40);
    assert_int_equal(watch_add(watch, &first, 30), 0);
    (void)tick_at(1, 20, 1);
    (void)tick_at(2, 40, 1);
    expect_ready(&first, WATCH_CHANGE);
    assert_int_equal(watch_add(watch, &second, 41), 0);
    expect_ready(&second, WATCH_DOUBT);
    assert_int_equal(watch_add(watch, &third, 41), 0);
    expect_none_ready();
    watch_remove(watch, &third, 50);
    watch_drop_roots(&first);
    watch_drop_roots(&second);
    watch_drop_roots(&third);
}

// The other server may be ahead of what has been read here.
static void a_new_connection_wakes_everybody_once(void **state)
{
    (void)state;
    struct watch_waiter waiter = waiter_for("n1", 30);
    assert_int_equal(watch_add(watch, &waiter, 30), 0);
    (void)tick_at(1, 20, 1);
    expect_none_ready();
    assert_int_equal(tick_at(1, 40, 2), 0);
    expect_ready(&waiter, WATCH_DOUBT);
    waiter.read_us = 41;
    assert_int_equal(watch_add(watch, &waiter, 42), 0);
    (void)tick_at(1, 50, 2);
    expect_none_ready();
    watch_remove(watch, &waiter, 60);
    watch_drop_roots(&waiter);
}

static void who_waits_for_several_is_woken_once_by_any(void **state)
{
    (void)state;
    static const struct str roots[] = {STR("n1"), STR("n2"), STR("n1")};
    struct watch_waiter waiter = {.until_us = FOREVER, .read_us = 30};
    assert_int_equal(watch_set_roots(&waiter, roots, COUNT_OF(roots)), 0);
    assert_int_equal(watch_add(watch, &waiter, 30), 0);
    assert_int_equal(watch_root_count(watch), 2);
    (void)tick_at(1, 20, 1);
    expect_none_ready();
    assert_int_equal(tick_at(2, 40, 1), 2);
    expect_ready(&waiter, WATCH_CHANGE);
    expect_none_ready();
    watch_drop_roots(&waiter);
}

static void who_was_woken_in_vain_reads_again_a_few_times(void **state)
{
    (void)state;
    struct watch_waiter waiter = waiter_for("n1", 30);
    int64_t now_us = 30;
    int64_t pause_us = SECOND / 2;
    assert_int_equal(watch_add(watch, &waiter, now_us), 0);
    (void)tick_at(1, 20, 1);
    (void)tick_at(2, 40, 1);
    expect_ready(&waiter, WATCH_CHANGE);
    for (unsigned i = 0; i < 4; i++) {
        waiter.read_us = now_us = now_us + 1000;
        assert_int_equal(watch_add(watch, &waiter, now_us), 0);
        assert_int_equal(watch_due_us(watch), now_us + pause_us);
        watch_look(watch, now_us + pause_us - 1);
        expect_none_ready();
        now_us += pause_us;
        watch_look(watch, now_us);
        expect_ready(&waiter, WATCH_TIMER);
        pause_us *= 2;
    }
    assert_int_equal(watch_add(watch, &waiter, now_us), 0);
    assert_int_equal(watch_due_us(watch), FOREVER);
    watch_remove(watch, &waiter, now_us);
    watch_drop_roots(&waiter);
}

static void who_could_not_read_tries_again_later_and_later(void **state)
{
    (void)state;
    struct watch_waiter waiter = waiter_for("n1", 0);
    int64_t now_us = 1;
    waiter.has_failed = true;
    for (unsigned i = 0; i < 8; i++) {
        waiter.read_us = now_us;
        assert_int_equal(watch_add(watch, &waiter, now_us), 0);
        assert_int_equal(watch_due_us(watch) - now_us, (SECOND / 2) << (i < 4 ? i : 4));
        now_us = watch_due_us(watch);
        watch_look(watch, now_us);
        expect_ready(&waiter, WATCH_TIMER);
    }
    watch_drop_roots(&waiter);
}

static void who_must_read_again_does(void **state)
{
    (void)state;
    struct watch_waiter waiter = waiter_for("n1", 30);
    waiter.reread_us = 2 * SECOND;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(watch_add(watch, &waiter, i * 2 * SECOND), 0);
        assert_int_equal(watch_due_us(watch), (i + 1) * 2 * SECOND);
        watch_look(watch, (i + 1) * 2 * SECOND);
        expect_ready(&waiter, WATCH_TIMER);
    }
    watch_drop_roots(&waiter);
}

static void who_waits_for_nothing_is_woken_by_the_clock(void **state)
{
    (void)state;
    struct watch_waiter waiter = {.until_us = 50};
    assert_int_equal(watch_set_roots(&waiter, NULL, 0), 0);
    assert_int_equal(watch_add(watch, &waiter, 30), 0);
    assert_int_equal(watch_root_count(watch), 0);
    watch_look(watch, 50);
    expect_ready(&waiter, WATCH_TIME);
    watch_drop_roots(&waiter);
}

static void waiters_are_due_in_the_order_of_their_time(void **state)
{
    (void)state;
    enum { WAITERS = 500 };
    static struct watch_waiter waiters[WAITERS];
    struct dice dice = {43};
    size_t left = 0;
    for (size_t i = 0; i < WAITERS; i++) {
        waiters[i] = waiter_for("n1", 0);
        waiters[i].until_us = 1 + (int64_t)dice_below(&dice, 1000);
        assert_int_equal(watch_add(watch, &waiters[i], 0), 0);
    }
    for (size_t i = 0; i < WAITERS; i += 3) {
        watch_remove(watch, &waiters[i], 0);
        watch_drop_roots(&waiters[i]);
    }
    int64_t last_us = 0;
    watch_look(watch, 1000);
    for (struct watch_waiter *one; (one = watch_take_ready(watch)) != NULL; left++) {
        assert_int_equal(one->reason, WATCH_TIME);
        assert_true(one->until_us >= last_us);
        last_us = one->until_us;
        watch_drop_roots(one);
    }
    assert_int_equal(left, WAITERS - (WAITERS + 2) / 3);
    assert_int_equal(watch_due_us(watch), INT64_MAX);
}

static void all_can_be_woken_and_one_that_is_ready_removed(void **state)
{
    (void)state;
    struct watch_waiter waiters[3];
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        waiters[i] = waiter_for("n1", 0);
        assert_int_equal(watch_add(watch, &waiters[i], 0), 0);
    }
    watch_wake(watch, &waiters[1], WATCH_ENDED, 5);
    watch_wake_all(watch, WATCH_ENDED, 6);
    assert_true(watch_has_ready(watch));
    watch_remove(watch, &waiters[1], 7);
    watch_remove(watch, &waiters[2], 7);
    expect_ready(&waiters[0], WATCH_ENDED);
    assert_false(watch_has_ready(watch));
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        watch_drop_roots(&waiters[i]);
    }
}

// ---- the roots ----

static void a_task_is_watched_for_a_while_after_the_last_waiter_left(void **state)
{
    (void)state;
    struct watch_waiter waiter = waiter_for("n1", 0);
    assert_int_equal(watch_add(watch, &waiter, 0), 0);
    watch_remove(watch, &waiter, SECOND);
    (void)tick_at(1, SECOND + WATCH_KEPT_US, 1);
    assert_int_equal(watch_root_count(watch), 1);
    (void)tick_at(1, SECOND + WATCH_KEPT_US + 1, 1);
    assert_int_equal(watch_root_count(watch), 0);
    watch_drop_roots(&waiter);
}

static void a_round_goes_through_all_tasks_once(void **state)
{
    (void)state;
    enum { WAITERS = 1000 };
    static struct watch_waiter waiters[WAITERS];
    static struct watch_batch batch;
    for (size_t i = 0; i < WAITERS; i++) {
        char name[24];
        snprintf(name, sizeof name, "n%zu", i);
        waiters[i] = waiter_for(name, 0);
        assert_int_equal(watch_add(watch, &waiters[i], 0), 0);
    }
    size_t seen = 0;
    for (watch_next_batch(watch, &batch, 1); batch.count > 0; watch_next_batch(watch, &batch, 1)) {
        seen += batch.count;
        assert_true(batch.count <= STORE_DIGESTS_MAX);
        // A new task is of the next round, so that this one ends.
        struct watch_waiter another = waiter_for("new", 0);
        assert_int_equal(watch_add(watch, &another, 1), 0);
        watch_remove(watch, &another, 1);
        watch_drop_roots(&another);
    }
    assert_int_equal(seen, WAITERS);
    for (size_t i = 0; i < WAITERS; i++) {
        watch_remove(watch, &waiters[i], 1);
        watch_drop_roots(&waiters[i]);
    }
}

static void the_digest_of_a_task_that_is_not_watched_any_more_is_dropped(void **state)
{
    (void)state;
    static struct watch_batch batch;
    batch.count = 1;
    batch.roots[0] = STR("gone");
    batch.digests[0] = digest_of(1);
    assert_int_equal(watch_take_batch(watch, &batch, 1, 1, 1), 0);
    expect_none_ready();
}

static void roots_can_be_replaced(void **state)
{
    (void)state;
    static const struct str roots[] = {STR("n2"), STR("n3")};
    struct watch_waiter waiter = waiter_for("n1", 30);
    assert_int_equal(watch_set_roots(&waiter, roots, COUNT_OF(roots)), 0);
    const struct watch_link *const links = waiter.links;
    assert_int_equal(watch_set_roots(&waiter, roots, COUNT_OF(roots)), 0);
    assert_ptr_equal(waiter.links, links); // the same roots cost nothing
    assert_int_equal(watch_add(watch, &waiter, 30), 0);
    assert_int_equal(watch_root_count(watch), 2);
    watch_remove(watch, &waiter, 40);
    watch_drop_roots(&waiter);
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCHED(no_change_is_missed_in_any_order_of_events),
        WATCHED(the_first_digest_of_a_task_wakes_those_who_read_before),
        WATCHED(a_change_wakes_all_who_wait_for_the_task),
        WATCHED(rows_that_go_or_come_are_changes),
        WATCHED(who_comes_after_a_change_that_it_may_have_missed_is_ready_at_once),
        WATCHED(a_new_connection_wakes_everybody_once),
        WATCHED(who_waits_for_several_is_woken_once_by_any),
        WATCHED(who_was_woken_in_vain_reads_again_a_few_times),
        WATCHED(who_could_not_read_tries_again_later_and_later),
        WATCHED(who_must_read_again_does),
        WATCHED(who_waits_for_nothing_is_woken_by_the_clock),
        WATCHED(waiters_are_due_in_the_order_of_their_time),
        WATCHED(all_can_be_woken_and_one_that_is_ready_removed),
        WATCHED(a_task_is_watched_for_a_while_after_the_last_waiter_left),
        WATCHED(a_round_goes_through_all_tasks_once),
        WATCHED(the_digest_of_a_task_that_is_not_watched_any_more_is_dropped),
        WATCHED(roots_can_be_replaced),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
