// SPDX-License-Identifier: MIT
#include "states/watch_timers_priv.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 64 };

static bool grow(struct watch_timers *timers)
{
    if (timers->count < timers->capacity) {
        return true;
    }
    const size_t capacity = timers->capacity == 0 ? FIRST_CAPACITY : 2 * timers->capacity;
    struct watch_waiter **const list = realloc(timers->list, capacity * sizeof *list);
    if (list == NULL) {
        return false;
    }
    timers->list = list;
    timers->capacity = capacity;
    return true;
}

static void put(const struct watch_timers *timers, size_t place, struct watch_waiter *waiter)
{
    timers->list[place] = waiter;
    waiter->place = place;
}

static bool is_earlier(const struct watch_timers *timers, size_t place, size_t other)
{
    return timers->list[place]->due_us < timers->list[other]->due_us;
}

static void swap(const struct watch_timers *timers, size_t place, size_t other)
{
    struct watch_waiter *const waiter = timers->list[place];
    put(timers, place, timers->list[other]);
    put(timers, other, waiter);
}

static void move_up(const struct watch_timers *timers, size_t place)
{
    while (place > 0 && is_earlier(timers, place, (place - 1) / 2)) {
        swap(timers, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}

static void move_down(const struct watch_timers *timers, size_t place)
{
    for (;;) {
        const size_t left = 2 * place + 1;
        const size_t right = left + 1;
        size_t first = place;
        first = left < timers->count && is_earlier(timers, left, first) ? left : first;
        first = right < timers->count && is_earlier(timers, right, first) ? right : first;
        if (first == place) {
            return;
        }
        swap(timers, place, first);
        place = first;
    }
}

int watch_timers_add(struct watch_timers *timers, struct watch_waiter *waiter)
{
    if (!grow(timers)) {
        return -1;
    }
    put(timers, timers->count++, waiter);
    move_up(timers, waiter->place);
    return 0;
}

void watch_timers_remove(struct watch_timers *timers, const struct watch_waiter *waiter)
{
    const size_t place = waiter->place;
    struct watch_waiter *const last = timers->list[--timers->count];
    if (last != waiter) {
        put(timers, place, last);
        move_up(timers, place);
        move_down(timers, last->place);
    }
}
