/*
 * A port: what leads from a signal, which may come in any thread, to one loop.
 */
#ifndef ALOOP_SRC_OS_SIGNAL_PORT_H
#define ALOOP_SRC_OS_SIGNAL_PORT_H

#include "sys/sys.h"

struct signal_port;

/* How a port watches a signal: see struct signal_watch. */
enum { SIGNAL_CHAINED = 1, SIGNAL_FALLBACK = 2 };

/* A port for a loop, which watches nothing. 0; -ENOMEM, -EMFILE, -ENFILE. */
int signal_port_open(struct signal_port **out_port);
/* It watches nothing any more. */
void signal_port_close(struct signal_port *port);
/* Readable when there is something to take. */
int signal_port_fd(const struct signal_port *port);
/* The signal is to reach the port; each call counts. 0, or why its handler could not be installed:
   then nothing has changed. */
int signal_port_watch(struct signal_port *port, int number, unsigned how);
/* Takes one such call back. The last one in the process restores what was there. */
void signal_port_unwatch(struct signal_port *port, int number, unsigned how);
/* Begins a look at what has come: the fd is unreadable until more comes. */
void signal_port_drain(struct signal_port *port);
/* How many times the signal came since it was taken last, or is watched. */
unsigned signal_port_count(const struct signal_port *port, int number);
/* Takes that; *out_unwatched is how many of these came while only those watched for whom the signal
   is a fallback. */
unsigned signal_port_take(struct signal_port *port, int number, unsigned *out_unwatched);
/* In the child of a fork: fds of its own, under the same numbers, and nothing has come yet. 0, or
   an error, after which it can be called again. */
int signal_port_after_fork(struct signal_port *port);

#endif
