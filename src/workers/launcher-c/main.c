/*
 * Starts processes for a worker. launcher.ts describes the frames that come and go; scripts/build
 * compiles this where there is a C compiler, and where there is none launcher.pl does the same.
 */
#include "answers.h"
#include "orders.h"
#include "output.h"
#include "poller.h"
#include "runs.h"
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EVENTS = 64 };

/* What the poller names; anything else is a stream of a run. */
static char worker_speaks, worker_listens, child_ended;

int main(void) {
  struct epoll_event events[EVENTS];
  struct signalfd_siginfo heard;
  prepare_memory();
  prepare_poller();
  prepare_answers(&worker_listens);
  int endings = prepare_spawn();
  if (!poll_add(endings, EPOLLIN, &child_ended)) die("signalfd");
  if (!poll_add(STDIN_FILENO, EPOLLIN, &worker_speaks)) die("standard input");
  /* Whichever way the loss of the worker is noticed. */
  atexit(end_runs);
  for (int wait = -1;;) {
    int count = poll_wait(events, EVENTS, wait);
    bool ended = false;
    for (int n = 0; n < count; n += 1) {
      void *source = events[n].data.ptr;
      if (source == &worker_speaks) hear_worker();
      else if (source == &child_ended) ended = read(endings, &heard, sizeof heard) > 0;
      else if (source != &worker_listens) take(source);
      else if (events[n].events & (EPOLLERR | EPOLLHUP)) exit(0);
    }
    if (ended) reap();
    wait = settle();
    push_out();
    forget_peak();
  }
}
