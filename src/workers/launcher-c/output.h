#ifndef OUTPUT_H
#define OUTPUT_H
#include "runs.h"

/* @param out, err our ends of the pipes that it will write to, which `shut` closes */
void prepare_output(struct run *run, int out, int err);

/* @returns whether the system lets us; errno says why not */
bool listen_to(struct stream *stream);

/* Reads what is there, and shuts a stream at its end. */
void take(struct stream *stream);

/* Shuts it while others may still write to it; what they have written is read before. */
void cut_off(struct stream *stream);
void shut(struct stream *stream);

/* Tells the worker the last part of all that it has written. */
void show_so_far(const struct run *run);

/* Milliseconds that no change of the clock moves. */
int64_t now(void);

#endif
