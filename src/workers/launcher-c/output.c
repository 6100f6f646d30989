#include "output.h"
#include "answers.h"
#include "poller.h"
#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
  STDOUT_KEPT = 1 << 20, /* how much of each is kept */
  OUTPUT_KEPT = 1 << 16,
  BEHIND = 1 << 18, /* a reader that is this far behind misses output, and nothing else */
  SHOWN = 1 << 17,  /* and one that watches gets so much of it in SHOWN_MS */
  SHOWN_MS = 10,
};

static int64_t shown_since;
static size_t shown;

int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void prepare_output(struct run *run, int out, int err) {
  run->out = (struct stream){.run = run, .fd = out};
  run->err = (struct stream){.run = run, .fd = err};
  run->stdout_tail.kept = STDOUT_KEPT;
  run->output_tail.kept = OUTPUT_KEPT;
}

bool listen_to(struct stream *stream) {
  return poll_add(stream->fd, EPOLLIN, stream);
}

void shut(struct stream *stream) {
  if (stream->fd < 0) return;
  /* Not by closing alone: a child that was just forked still has it. */
  poll_remove(stream->fd);
  close(stream->fd);
  stream->fd = -1;
}

static void begin_part(const struct run *run, int64_t at, const char *snapshot) {
  begin_frame('O');
  add_field(run->id);
  add_number(at);
  add_field(snapshot);
  begin_rest();
}

void show_so_far(const struct run *run) {
  static const struct tail nothing;
  const struct tail *so_far = &run->output_tail;
  if (begins_with_failure(so_far->at, so_far->length)) so_far = &nothing;
  begin_part(run, run->written - (int64_t)so_far->length, "1");
  add_tail(so_far);
  end_frame();
}

/* As much as a reader can take in; whoever writes more must not wait for the copying. */
static void show(const struct run *run, const char *text, size_t length) {
  int64_t time = now();
  if (time - shown_since >= SHOWN_MS) {
    shown_since = time;
    shown = 0;
  }
  if (shown >= SHOWN || unsent() >= BEHIND || begins_with_failure(text, length)) return;
  shown += length;
  begin_part(run, run->written, "");
  add_bytes(text, length);
  end_frame();
}

void take(struct stream *stream) {
  char chunk[1 << 16];
  struct run *run = stream->run;
  if (stream->fd < 0) return;
  ssize_t count = read(stream->fd, chunk, sizeof chunk);
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (count <= 0) return shut(stream);
  size_t length = (size_t)count;
  if (run->watched) show(run, chunk, length);
  run->written += count;
  if (stream == &run->out) tail_append(&run->stdout_tail, chunk, length);
  else run->errors += count;
  tail_append(&run->output_tail, chunk, length);
}

void cut_off(struct stream *stream) {
  /* We may have stood still since it was written: a read that would wait must not be made. */
  int there = 0;
  if (stream->fd >= 0 && ioctl(stream->fd, FIONREAD, &there) == 0 && there > 0) take(stream);
  shut(stream);
}
