#ifndef RUNS_H
#define RUNS_H
#include "bytes.h"
#include "spawn.h"
#include <stdint.h>

/* One end of a pipe that a process writes to. */
struct stream {
  struct run *run;
  int fd; /* -1 once it is closed */
};

/* A process of ours, until the worker has been told of its end. */
struct run {
  struct run *next;
  char *id;
  pid_t pid;
  bool watched, over;
  int status;
  long peak;     /* KiB */
  int64_t until; /* when the pipes of a run that is over are shut */
  int64_t written;
  int64_t errors; /* of these, what came on standard error */
  struct stream out, err;
  struct tail stdout_tail, output_tail;
};

/* Starts it and tells the worker, also of what kept it from starting. */
void start_run(const char *id, const struct order *order);

/* From now on the worker hears what a run writes, beginning with what it has written, or it does not. */
void watch_run(const char *id, bool on);

/* Learns which processes have ended. */
void reap(void);

/* Ends all that run: their worker is gone, and their tasks are others' by now. */
void end_runs(void);

/* Tells of the runs that are over. @returns how long the rest may be left alone, ms; -1: for ever */
int settle(void);

#endif
