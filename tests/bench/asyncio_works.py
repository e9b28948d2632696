"""The works of the benchmarks that asyncio can do: asyncio_works.py WORK N OPS prints how many ns
of processor time an operation takes, or -1 where this Python lacks what it needs; and a server:
asyncio_works.py echo PORT protocol|streams. Each work is what bench_*.c of that name does, as one
writes it in Python."""

import asyncio
import os
import socket
import sys
import time


started = 0


def begin():
    """What a work does from here on is measured."""
    global started
    started = time.process_time_ns()


async def nothing(number=0):
    return number


# --- callbacks; these run the loop themselves ---


def ping(n, ops, watches=False):
    loop = asyncio.new_event_loop()
    left = ops

    def again():
        nonlocal left
        left -= 1
        if left == 0:
            loop.stop()
        loop.call_soon(again)

    if watches:
        loop.add_reader(os.pipe()[0], again)
    for _ in range(n):
        loop.call_soon(again)
    begin()
    loop.run_forever()
    return (time.process_time_ns() - started) / ops


def lone(n, ops):
    return ping(n, ops, watches=True)


def batch(n, ops):
    loop = asyncio.new_event_loop()
    batches = max(ops // n, 1)
    left = 0

    def count():
        nonlocal left
        left -= 1

    begin()
    for _ in range(batches):
        left = n
        for _ in range(n):
            loop.call_soon(count)
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert left == 0
    return (time.process_time_ns() - started) / (batches * n)


# --- coroutines: each returns how many operations it has done ---


async def yields(n, ops):
    async def yielder(times):
        for _ in range(times):
            await asyncio.sleep(0)

    times = max(ops // n, 1)
    tasks = [asyncio.create_task(yielder(times)) for _ in range(n)]
    begin()
    await tasks[-1]
    return times * n


async def spawn(n, ops):
    times = max(ops // n, 1)
    for _ in range(times):
        tasks = [asyncio.create_task(nothing()) for _ in range(n)]
        for task in tasks:
            await task
    return times * n


async def call(n, ops):
    for _ in range(ops):
        await nothing(1)
    return ops


async def join(n, ops):
    future = asyncio.get_running_loop().create_future()
    future.set_result(0)
    for _ in range(ops):
        await future
    return ops


async def wake(n, ops):
    loop = asyncio.get_running_loop()
    for _ in range(ops):
        future = loop.create_future()
        loop.call_soon(future.set_result, 0)
        await future
    return ops


async def group(n, ops):
    times = max(ops // n, 1)
    for _ in range(times):
        async with asyncio.TaskGroup() as tasks:
            for _ in range(n):
                tasks.create_task(nothing())
    return times * n


async def gather(n, ops):
    times = max(ops // n, 1)
    for _ in range(times):
        await asyncio.gather(*[nothing() for _ in range(n)])
    return times * n


async def select(n, ops):
    events = [asyncio.Event() for _ in range(n)]

    async def setter():
        while True:
            events[-1].set()
            await asyncio.sleep(0)

    setting = asyncio.create_task(setter())
    for _ in range(ops):
        tasks = [asyncio.create_task(event.wait()) for event in events]
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        events[-1].clear()
    setting.cancel()
    return ops


async def wait(n, ops):
    loop = asyncio.get_running_loop()
    times = max(ops // n, 1)
    for _ in range(times):
        left = [loop.create_future() for _ in range(n)]
        while left:
            left[-1].set_result(1)
            await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            left.pop()
    return times * n


async def next_completed(n, ops):
    loop = asyncio.get_running_loop()
    times = max(ops // n, 1)
    for _ in range(times):
        futures = [loop.create_future() for _ in range(n)]
        following = asyncio.as_completed(futures)
        for future in reversed(futures):
            future.set_result(1)
            await next(following)
    return times * n


async def free(n, ops):
    lock = asyncio.Lock()
    for _ in range(ops):
        await lock.acquire()
        lock.release()
    return ops


async def hand_off(n, ops):
    lock = asyncio.Lock()
    times = max(ops // n, 1)

    async def user():
        for _ in range(times):
            await lock.acquire()
            await asyncio.sleep(0)
            lock.release()

    await asyncio.gather(*[user() for _ in range(n)])
    return times * n


async def roundtrip(n, ops):
    there, back = asyncio.Queue(n), asyncio.Queue(n)

    async def echo(source, sink):
        for _ in range(ops):
            await sink.put(await source.get())

    there.put_nowait(1)
    other = asyncio.create_task(echo(there, back))
    await asyncio.create_task(echo(back, there))
    await other
    return ops


async def stream(n, ops):
    queue = asyncio.Queue(n)

    async def put():
        for item in range(ops):
            await queue.put(item)

    async def get():
        for _ in range(ops):
            await queue.get()

    putter = asyncio.create_task(put())
    await asyncio.create_task(get())
    await putter
    return ops


async def priority(n, ops):
    queue = asyncio.PriorityQueue(n + 1)
    state = 1

    def some_number():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return state >> 32

    for _ in range(n):
        queue.put_nowait(some_number())
    begin()
    for _ in range(ops):
        queue.put_nowait(some_number())
        queue.get_nowait()
    return ops


WORKS = {
    "yield": yields, "spawn": spawn, "call": call, "join": join, "wake": wake, "group": group,
    "gather": gather, "select": select, "wait": wait, "next": next_completed, "free": free,
    "hand-off": hand_off, "roundtrip": roundtrip, "stream": stream, "priority": priority,
}
LOOP_WORKS = {"ping": ping, "batch": batch, "lone": lone}


async def measured(work, n, ops):
    begin()
    done = await work(n, ops)
    return (time.process_time_ns() - started) / done


# --- a server ---


class EchoProtocol(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def echo_stream(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve(port, way):
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    if way == "streams":
        server = await asyncio.start_server(echo_stream, sock=listener)
    else:
        server = await asyncio.get_running_loop().create_server(EchoProtocol, sock=listener)
    await server.serve_forever()


def main():
    if sys.argv[1] == "echo":
        asyncio.run(serve(int(sys.argv[2]), sys.argv[3]))
        return
    name, n, ops = sys.argv[1].split("/")[0], int(sys.argv[2]), int(sys.argv[3])
    if name in LOOP_WORKS:
        print(LOOP_WORKS[name](n, ops))
    elif name == "group" and not hasattr(asyncio, "TaskGroup"):
        print(-1)
    else:
        print(asyncio.run(measured(WORKS[name], n, ops)))


main()
