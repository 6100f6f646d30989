#ifndef ANSWERS_H
#define ANSWERS_H
#include "bytes.h"
#include <stdint.h>

/* The frames to the worker: begun, filled and ended one at a time, and sent by push_out. */

/* Its standard output becomes our way to the worker. @param source what the poller says of it */
void prepare_answers(void *source);

void begin_frame(char kind);
void add_field(const char *text);
void add_number(int64_t number);
/* The last field, which may hold NULs: all that is added by these. */
void begin_rest(void);
void add_bytes(const char *bytes, size_t length);
void add_tail(const struct tail *tail);
void end_frame(void);

/* How much the worker has not taken yet. */
size_t unsent(void);

/* Sends as much as the worker takes now; the poller tells when it takes more. */
void push_out(void);

#endif
