// SPDX-License-Identifier: MIT
#include "db/deadline.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void db_deadline_list_init(struct db_deadline_list *list)
{
    list->first = NULL;
    pthread_mutex_init(&list->mutex, NULL);
}

void db_deadline_list_end(struct db_deadline_list *list)
{
    pthread_mutex_destroy(&list->mutex);
}

void db_deadline_join(struct db_deadline_list *list, struct db_deadline *deadline)
{
    pthread_mutex_init(&deadline->mutex, NULL);
    deadline->fd = -1;
    deadline->at_us = INT64_MAX;
    pthread_mutex_lock(&list->mutex);
    deadline->next = list->first;
    deadline->link = &list->first;
    if (deadline->next != NULL) {
        deadline->next->link = &deadline->next;
    }
    list->first = deadline;
    pthread_mutex_unlock(&list->mutex);
}

void db_deadline_leave(struct db_deadline_list *list, struct db_deadline *deadline)
{
    pthread_mutex_lock(&list->mutex);
    *deadline->link = deadline->next;
    if (deadline->next != NULL) {
        deadline->next->link = deadline->link;
    }
    pthread_mutex_unlock(&list->mutex);
    db_deadline_detach(deadline);
    pthread_mutex_destroy(&deadline->mutex);
}

int db_deadline_attach(struct db_deadline *deadline, int fd)
{
    const int duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    db_deadline_detach(deadline);
    pthread_mutex_lock(&deadline->mutex);
    deadline->fd = duplicate;
    pthread_mutex_unlock(&deadline->mutex);
    return duplicate < 0 ? -1 : 0;
}

void db_deadline_detach(struct db_deadline *deadline)
{
    pthread_mutex_lock(&deadline->mutex);
    if (deadline->fd >= 0) {
        close(deadline->fd);
    }
    deadline->fd = -1;
    deadline->at_us = INT64_MAX;
    pthread_mutex_unlock(&deadline->mutex);
}

void db_deadline_arm(struct db_deadline *deadline, int64_t at_us)
{
    pthread_mutex_lock(&deadline->mutex);
    deadline->at_us = at_us;
    pthread_mutex_unlock(&deadline->mutex);
}

void db_deadline_disarm(struct db_deadline *deadline)
{
    db_deadline_arm(deadline, INT64_MAX);
}

static void cut_if_late(struct db_deadline *deadline, int64_t now_us)
{
    pthread_mutex_lock(&deadline->mutex);
    if (deadline->fd >= 0 && now_us >= deadline->at_us) {
        shutdown(deadline->fd, SHUT_RDWR);
        deadline->at_us = INT64_MAX;
    }
    pthread_mutex_unlock(&deadline->mutex);
}

void db_deadline_enforce(struct db_deadline_list *list, int64_t now_us)
{
    pthread_mutex_lock(&list->mutex);
    for (struct db_deadline *deadline = list->first; deadline != NULL; deadline = deadline->next) {
        cut_if_late(deadline, now_us);
    }
    pthread_mutex_unlock(&list->mutex);
}
