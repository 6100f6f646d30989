#ifndef BYTES_H
#define BYTES_H
#include <stddef.h>

/* Bytes that grow at their end. */
struct bytes {
  char *at;
  size_t length, room;
};

/* The last of many bytes, at most so many as `kept`; once they are that many, they go round. */
struct tail {
  char *at;
  size_t kept, length, room, first;
};

_Noreturn void die(const char *what);

/* What malloc and its like returned, which is never NULL. */
void *allocated(void *memory);

/* What was large goes back to the system when it is given up, now and not at some time. */
void prepare_memory(void);

/* To be called now and then; costs nothing when nothing large was given up. */
void forget_peak(void);

void append(struct bytes *to, const void *from, size_t length);

/* Drops so many from the beginning; memory that was needed for something large is given up. */
void drop_first(struct bytes *of, size_t count);

void tail_append(struct tail *to, const char *from, size_t length);
void append_tail(struct bytes *to, const struct tail *from);
void tail_free(struct tail *of);

#endif
