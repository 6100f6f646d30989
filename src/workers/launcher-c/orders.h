#ifndef ORDERS_H
#define ORDERS_H

/* Reads from the worker what is there and does what it says; the process ends when it says no more. */
void hear_worker(void);

#endif
