#ifndef POLLER_H
#define POLLER_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

void prepare_poller(void);

/* @returns whether the system had room for it; errno says why not */
bool poll_add(int fd, uint32_t events, void *source);
void poll_change(int fd, uint32_t events, void *source);
void poll_remove(int fd);

/* @returns how many there are; as epoll_wait, and 0 when a signal came first */
int poll_wait(struct epoll_event *events, int room, int milliseconds);

#endif
