#define _GNU_SOURCE
#include "bytes.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGE = 1 << 17 };

static int peak_fd = -1;
static bool gave_up;

void die(const char *what) {
  fprintf(stderr, "launcher: %s: %s\n", what, strerror(errno));
  exit(1);
}

void *allocated(void *memory) {
  if (!memory) die("memory");
  return memory;
}

void prepare_memory(void) {
#ifdef M_MMAP_THRESHOLD
  mallopt(M_MMAP_THRESHOLD, LARGE);
#endif
  peak_fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
}

/*
 * A child whose memory was ours counts our peak as its own, of all the time that we ran. So after
 * large outputs every later process would be told to have needed as much. 5: see proc(5).
 */
void forget_peak(void) {
  if (!gave_up) return;
  gave_up = false;
  if (peak_fd >= 0 && write(peak_fd, "5", 1) < 0) peak_fd = -1; /* a kernel that has no such thing */
}

static void give_up(char *at, size_t room) {
  free(at);
  if (room >= LARGE) gave_up = true;
}

void append(struct bytes *to, const void *from, size_t length) {
  if (length == 0) return;
  /* One more, for the NUL that is put behind a frame while it is read. */
  if (to->room < to->length + length + 1) {
    to->room = (to->length + length) * 2 + 64;
    to->at = allocated(realloc(to->at, to->room));
  }
  memcpy(to->at + to->length, from, length);
  to->length += length;
}

void drop_first(struct bytes *of, size_t count) {
  if (count == 0) return;
  of->length -= count;
  if (of->length > 0) memmove(of->at, of->at + count, of->length);
  else if (of->room >= LARGE) {
    give_up(of->at, of->room);
    *of = (struct bytes){0};
  }
}

void tail_append(struct tail *to, const char *from, size_t length) {
  if (length == 0) return;
  if (length > to->kept) {
    from += length - to->kept;
    length = to->kept;
  }
  size_t sum = to->length + length;
  if (sum > to->room && to->room < to->kept) {
    /* Nothing has gone round as long as it can grow. */
    to->room = sum * 2 < to->kept ? sum * 2 : to->kept;
    to->at = allocated(realloc(to->at, to->room));
  }
  size_t end = (to->first + to->length) % to->room;
  size_t straight = length < to->room - end ? length : to->room - end;
  memcpy(to->at + end, from, straight);
  memcpy(to->at, from + straight, length - straight);
  if (sum > to->room) {
    to->first = (to->first + sum - to->room) % to->room;
    sum = to->room;
  }
  to->length = sum;
}

void append_tail(struct bytes *to, const struct tail *from) {
  size_t straight = from->room - from->first;
  if (straight > from->length) straight = from->length;
  append(to, from->at + from->first, straight);
  append(to, from->at, from->length - straight);
}

void tail_free(struct tail *of) {
  give_up(of->at, of->room);
  *of = (struct tail){0};
}
