/*
 * libaloop: asyncio's model at the speed of C. This is the header to include.
 */
#ifndef ALOOP_H
#define ALOOP_H

#include <aloop/address.h>
#include <aloop/base.h>
#include <aloop/channel.h>
#include <aloop/connect.h>
#include <aloop/coro.h>
#include <aloop/datagram.h>
#include <aloop/debug.h>
#include <aloop/file.h>
#include <aloop/future.h>
#include <aloop/generator.h>
#include <aloop/group.h>
#include <aloop/instrument.h>
#include <aloop/local.h>
#include <aloop/loop.h>
#include <aloop/metrics.h>
#include <aloop/op.h>
#include <aloop/queue.h>
#include <aloop/process.h>
#include <aloop/resolver.h>
#include <aloop/scope.h>
#include <aloop/server.h>
#include <aloop/signal.h>
#include <aloop/socket.h>
#include <aloop/stream.h>
#include <aloop/sync.h>
#include <aloop/task.h>
#include <aloop/thread.h>
#include <aloop/threadsafe.h>
#include <aloop/tracer.h>
#include <aloop/unix_socket.h>
#include <aloop/wait.h>
#include <aloop/waitlist.h>

#endif
