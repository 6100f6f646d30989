#define _GNU_SOURCE
#include "runs.h"
#include "answers.h"
#include "output.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DRAIN_MS = 200 }; /* how long pipes may stay open after the process is gone */

static struct run *runs;

static void tell_start(const char *id, pid_t pid) {
  begin_frame('S');
  add_field(id);
  add_number(pid);
  end_frame();
}

static void tell_failure(const char *id, int error) {
  begin_frame('F');
  add_field(id);
  add_number(error);
  end_frame();
}

static void tell_end(const struct run *run) {
  static const struct tail nothing;
  const struct tail *output = &run->output_tail;
  int error = failure_in(output->at, output->length);
  if (error != 0) output = &nothing;
  begin_frame('X');
  add_field(run->id);
  add_number(run->status);
  if (error != 0) add_number(error);
  else add_field("");
  add_number(run->peak);
  add_number(run->written);
  add_number(run->errors);
  add_number((int64_t)run->stdout_tail.length);
  begin_rest();
  add_tail(&run->stdout_tail);
  add_tail(output);
  end_frame();
}

static void free_run(struct run *run) {
  shut(&run->out);
  shut(&run->err);
  tail_free(&run->stdout_tail);
  tail_free(&run->output_tail);
  free(run->id);
  free(run);
}

void start_run(const char *id, const struct order *order) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) < 0) return tell_failure(id, errno);
  if (pipe2(err, O_CLOEXEC) < 0) {
    tell_failure(id, errno);
    close(out[0]);
    close(out[1]);
    return;
  }
  struct run *run = allocated(calloc(1, sizeof *run));
  run->id = allocated(strdup(id));
  prepare_output(run, out[0], err[0]);
  /* The process last: once there is one, nothing may go wrong. */
  bool listens = listen_to(&run->out) && listen_to(&run->err);
  run->pid = listens ? spawn(order, out[1], err[1]) : -1;
  if (run->pid < 0) tell_failure(id, errno);
  close(out[1]);
  close(err[1]);
  if (run->pid < 0) return free_run(run);
  run->next = runs;
  runs = run;
  tell_start(id, run->pid);
}

void watch_run(const char *id, bool on) {
  struct run *run = runs;
  while (run && strcmp(run->id, id) != 0) run = run->next;
  if (!run) return;
  run->watched = on;
  if (on) show_so_far(run);
}

void reap(void) {
  struct rusage usage;
  int status;
  pid_t pid;
  while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
    struct run *run = runs;
    while (run && (run->over || run->pid != pid)) run = run->next;
    if (!run) continue;
    run->over = true;
    run->status = status;
    run->peak = usage.ru_maxrss;
    run->until = now() + DRAIN_MS;
  }
}

void end_runs(void) {
  for (struct run *run = runs; run; run = run->next)
    if (!run->over) kill(-run->pid, SIGKILL);
}

int settle(void) {
  int wait = -1;
  struct run **link = &runs;
  while (*link) {
    struct run *run = *link;
    if (run->over && (run->out.fd >= 0 || run->err.fd >= 0)) {
      int64_t left = run->until - now();
      if (left <= 0) {
        cut_off(&run->out);
        cut_off(&run->err);
      } else if (wait < 0 || left < wait) wait = (int)left;
    }
    if (run->over && run->out.fd < 0 && run->err.fd < 0) {
      *link = run->next;
      tell_end(run);
      free_run(run);
    } else link = &run->next;
  }
  return wait;
}
