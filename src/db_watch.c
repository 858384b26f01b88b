// SPDX-License-Identifier: MIT
#include "db_watch.h"

#include <sys/socket.h>

void db_watch_list_init(struct db_watch_list *list)
{
    list->first = NULL;
    pthread_mutex_init(&list->mutex, NULL);
}

void db_watch_list_end(struct db_watch_list *list)
{
    pthread_mutex_destroy(&list->mutex);
}

void db_watch_join(struct db_watch_list *list, struct db_watch *watch)
{
    pthread_mutex_init(&watch->mutex, NULL);
    watch->fd = -1;
    pthread_mutex_lock(&list->mutex);
    watch->next = list->first;
    watch->link = &list->first;
    if (watch->next != NULL) {
        watch->next->link = &watch->next;
    }
    list->first = watch;
    pthread_mutex_unlock(&list->mutex);
}

void db_watch_leave(struct db_watch_list *list, struct db_watch *watch)
{
    pthread_mutex_lock(&list->mutex);
    *watch->link = watch->next;
    if (watch->next != NULL) {
        watch->next->link = watch->link;
    }
    pthread_mutex_unlock(&list->mutex);
    pthread_mutex_destroy(&watch->mutex);
}

void db_watch_arm(struct db_watch *watch, int fd, int64_t deadline_us)
{
    pthread_mutex_lock(&watch->mutex);
    watch->fd = fd;
    watch->deadline_us = deadline_us;
    pthread_mutex_unlock(&watch->mutex);
}

void db_watch_disarm(struct db_watch *watch)
{
    pthread_mutex_lock(&watch->mutex);
    watch->fd = -1;
    pthread_mutex_unlock(&watch->mutex);
}

// Under the mutex, so that the descriptor cannot be closed and given to somebody else meanwhile.
static void cut_if_late(struct db_watch *watch, int64_t now_us)
{
    pthread_mutex_lock(&watch->mutex);
    if (watch->fd >= 0 && now_us >= watch->deadline_us) {
        shutdown(watch->fd, SHUT_RDWR);
        watch->fd = -1;
    }
    pthread_mutex_unlock(&watch->mutex);
}

void db_watch_enforce(struct db_watch_list *list, int64_t now_us)
{
    pthread_mutex_lock(&list->mutex);
    for (struct db_watch *watch = list->first; watch != NULL; watch = watch->next) {
        cut_if_late(watch, now_us);
    }
    pthread_mutex_unlock(&list->mutex);
}
