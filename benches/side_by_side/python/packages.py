"""The packages aioprocessing and faster-fifo, measured as the others are."""
import asyncio
import multiprocessing as mp
import struct
import time
from queue import Empty, Full
from statistics import median

import aioprocessing
from faster_fifo import Queue as Fifo

from standard import Standard, main, place, trips


async def coro_produce(queue, length):
    number = 0
    while True:
        await queue.coro_put(struct.pack("<Q", number) + bytes(length - 8))
        number += 1


def aio_produce(queue, mode, length):
    place(mode, False)
    asyncio.run(coro_produce(queue, length))


async def coro_echo(there, back):
    while True:
        await back.coro_put(await there.coro_get())


def aio_echo(mode, there, back):
    place(mode, False)
    asyncio.run(coro_echo(there, back))


async def coro_answer(there, back):
    while True:
        await there.coro_wait()
        there.clear()
        back.set()


def aio_answer(mode, there, back):
    place(mode, False)
    asyncio.run(coro_answer(there, back))


async def coro_turn(lock, both, turns):
    for _ in range(turns):
        async with lock:
            both[0] += 1


async def coro_contend(lock, both, over):
    count = 0
    while not over.value:
        await coro_turn(lock, both, 10)
        count += 10
    return count


def words(shared):
    return memoryview(shared).cast("B").cast("Q")


def aio_contend(mode, lock, ready, over, turns, shared):
    place(mode, False)
    ready.set()
    turns.value = asyncio.run(coro_contend(lock, words(shared), over))


async def coro_trips(seconds, trip):
    for _ in range(20):
        await trip()
    begun = last = time.perf_counter()
    every = []
    while last - begun < seconds:
        await trip()
        now = time.perf_counter()
        every.append(now - last)
        last = now
    return median(every) * 1e6


def identity(x):
    return x


class Aio(Standard):
    def throughput(self):
        queue = aioprocessing.AioQueue(1024 if self.payload < 65_536 else 64)
        producer = self.beside(aio_produce, queue, self.mode, self.payload)

        async def consume():
            expected, begun, warm = 0, None, 64
            while True:
                item = await queue.coro_get()
                assert struct.unpack_from("<Q", item)[0] == expected and len(item) == self.payload
                expected += 1
                if expected == warm:
                    begun = time.perf_counter()
                elif begun and time.perf_counter() - begun > self.seconds:
                    return (expected - warm) / (time.perf_counter() - begun)

        figure = asyncio.run(consume())
        producer.kill()
        return figure

    def round_trip(self):
        there, back = aioprocessing.AioQueue(), aioprocessing.AioQueue()
        other = self.beside(aio_echo, self.mode, there, back)
        ball = bytes(self.payload)

        async def trip():
            await there.coro_put(ball)
            assert await back.coro_get() == ball

        figure = asyncio.run(coro_trips(self.seconds, trip))
        other.kill()
        return figure

    def lock_free(self):
        lock = aioprocessing.AioLock()

        async def turns():
            begun, count = time.perf_counter(), 0
            while time.perf_counter() - begun < self.seconds:
                async with lock:
                    pass
                count += 1
            return count / (time.perf_counter() - begun)

        return asyncio.run(turns())

    def lock_contended(self):
        lock, ready, over = aioprocessing.AioLock(), mp.Event(), mp.RawValue("B", 0)
        theirs, shared = mp.RawValue("Q", 0), mp.RawArray("Q", 1)
        other = self.beside(aio_contend, self.mode, lock, ready, over, theirs, shared)
        ready.wait()

        async def turns():
            begun, count = time.perf_counter(), 0
            while time.perf_counter() - begun < self.seconds:
                await coro_turn(lock, words(shared), 10)
                count += 10
            return count, time.perf_counter() - begun

        ours, took = asyncio.run(turns())
        over.value = 1
        other.join()
        assert ours + theirs.value == words(shared)[0], "two were under the lock at once"
        return (ours + theirs.value) / took

    def event(self):
        there, back = aioprocessing.AioEvent(), aioprocessing.AioEvent()
        other = self.beside(aio_answer, self.mode, there, back)

        async def trip():
            there.set()
            await back.coro_wait()
            back.clear()

        figure = asyncio.run(coro_trips(self.seconds, trip)) / 2
        other.kill()
        return figure

    def pool_one_by_one(self):
        pool = aioprocessing.AioPool(2)

        async def rounds():
            begun, count = time.perf_counter(), 0
            while time.perf_counter() - begun < self.seconds:
                values = await asyncio.gather(*(pool.coro_apply(identity, (x,)) for x in range(500)))
                assert sum(values) == 500 * 499 // 2
                count += 500
            return count / (time.perf_counter() - begun)

        figure = asyncio.run(rounds())
        pool.terminate()
        return figure


def put(queue, item):
    while True:
        try:
            return queue.put(item)
        except Full:
            pass


def get(queue):
    while True:
        try:
            return queue.get()
        except Empty:
            pass


def fifo_produce(queue, mode, length):
    place(mode, False)
    number = 0
    while True:
        put(queue, struct.pack("<Q", number) + bytes(length - 8))
        number += 1


def fifo_echo(mode, there, back):
    place(mode, False)
    while True:
        put(back, get(there))


class FasterFifo(Standard):
    def throughput(self):
        # Bytes, as much as the others may have in flight.
        queue = Fifo(64 << 20)
        producer = self.beside(fifo_produce, queue, self.mode, self.payload)
        figure = self.consume(lambda: get(queue))
        producer.kill()
        return figure

    def round_trip(self):
        there, back = Fifo(1 << 20), Fifo(1 << 20)
        other = self.beside(fifo_echo, self.mode, there, back)
        ball = bytes(self.payload)

        def trip():
            put(there, ball)
            assert get(back) == ball

        figure = trips(self.seconds, trip)
        other.kill()
        return figure


if __name__ == "__main__":
    main({"aio": Aio, "fifo": FasterFifo})
