#include "poller.h"
#include "bytes.h"
#include <errno.h>

static int poller;

static int control(int operation, int fd, uint32_t events, void *source) {
  struct epoll_event event = {.events = events, .data.ptr = source};
  return epoll_ctl(poller, operation, fd, &event);
}

void prepare_poller(void) {
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) die("epoll_create1");
}

bool poll_add(int fd, uint32_t events, void *source) {
  return control(EPOLL_CTL_ADD, fd, events, source) == 0;
}

void poll_change(int fd, uint32_t events, void *source) {
  if (control(EPOLL_CTL_MOD, fd, events, source) < 0) die("epoll_ctl");
}

void poll_remove(int fd) {
  control(EPOLL_CTL_DEL, fd, 0, NULL);
}

int poll_wait(struct epoll_event *events, int room, int milliseconds) {
  int count = epoll_wait(poller, events, room, milliseconds);
  if (count >= 0) return count;
  if (errno != EINTR) die("epoll_wait");
  return 0;
}
