"""Python's own multiprocessing, measured as the others are: the figure goes to standard output."""
import multiprocessing as mp
import os
import struct
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from statistics import median

TASKS, MILLISECONDS = 10_000, 200


def place(mode, is_first):
    if mode == "cross":
        os.sched_setaffinity(0, {0 if is_first else 1})
    elif mode == "same":
        os.sched_setaffinity(0, {0})


def identity(x):
    return x


def a_millisecond(_=None):
    begun = time.thread_time_ns()
    while time.thread_time_ns() - begun < 1_000_000:
        pass


def rate(seconds, body):
    body()
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        body()
        count += 1
    return count / (time.perf_counter() - begun)


def check(values):
    assert sum(values) == TASKS * (TASKS - 1) // 2


def trips(seconds, body):
    for _ in range(50):
        body()
    begun, last, all_trips = time.perf_counter(), time.perf_counter(), []
    while last - begun < seconds:
        body()
        now = time.perf_counter()
        all_trips.append(now - last)
        last = now
    return median(all_trips) * 1e6


def produce(queue, mode, length):
    place(mode, False)
    number = 0
    while True:
        queue.put(struct.pack("<Q", number) + bytes(length - 8))
        number += 1


def echo(mode, there, back):
    place(mode, False)
    while True:
        back.put(there.get())


def answer(mode, there, back):
    place(mode, False)
    while True:
        there.wait()
        there.clear()
        back.set()


def contend(mode, lock, ready, over, turns):
    place(mode, False)
    ready.set()
    count = 0
    while not over.is_set():
        for _ in range(100):
            lock.acquire()
            lock.release()
        count += 100
    turns.value = count


def square(x, back):
    back.send(x * x)


class Standard:
    def __init__(self, payload, mode, seconds):
        self.payload, self.mode, self.seconds = payload, mode, seconds

    def beside(self, f, *args):
        process = mp.Process(target=f, args=args, daemon=True)
        process.start()
        return process

    def throughput(self):
        queue = mp.Queue(1024 if self.payload < 65_536 else 64)
        producer = self.beside(produce, queue, self.mode, self.payload)
        expected, begun, warm = 0, None, 64
        while True:
            item = queue.get()
            assert struct.unpack_from("<Q", item)[0] == expected and len(item) == self.payload
            expected += 1
            if expected == warm:
                begun = time.perf_counter()
            elif begun and expected % 4 == 0 and time.perf_counter() - begun > self.seconds:
                took = time.perf_counter() - begun
                producer.kill()
                return (expected - warm) / took

    def round_trip(self):
        there, back = mp.Queue(), mp.Queue()
        other = self.beside(echo, self.mode, there, back)
        ball = bytes(self.payload)

        def trip():
            there.put(ball)
            assert back.get() == ball

        figure = trips(self.seconds, trip)
        other.kill()
        return figure

    def lock_free(self):
        lock = mp.Lock()

        def turns():
            for _ in range(10_000):
                lock.acquire()
                lock.release()

        return rate(self.seconds, turns) * 10_000

    def lock_contended(self):
        lock, ready, over, theirs = mp.Lock(), mp.Event(), mp.Event(), mp.Value("Q", 0)
        other = self.beside(contend, self.mode, lock, ready, over, theirs)
        ready.wait()
        begun, ours = time.perf_counter(), 0
        while time.perf_counter() - begun < self.seconds:
            for _ in range(100):
                lock.acquire()
                lock.release()
            ours += 100
        took = time.perf_counter() - begun
        over.set()
        other.join()
        return (ours + theirs.value) / took

    def event(self):
        there, back = mp.Event(), mp.Event()
        other = self.beside(answer, self.mode, there, back)

        def trip():
            there.set()
            back.wait()
            back.clear()

        figure = trips(self.seconds, trip) / 2
        other.kill()
        return figure

    def spawn(self):
        def trip():
            ours, theirs = mp.Pipe()
            process = mp.Process(target=square, args=(12, theirs))
            process.start()
            assert ours.recv() == 144
            process.join()

        return trips(self.seconds, trip)

    def pool(self, **options):
        with mp.Pool(2) as pool:
            pool.map(a_millisecond, range(20))
            return rate(self.seconds, lambda: check(pool.map(identity, range(TASKS), **options))) * TASKS

    def pool_tiny(self):
        return self.pool()

    def pool_one_by_one(self):
        return self.pool(chunksize=1)

    def pool_1ms(self):
        with mp.Pool(2) as pool:
            pool.map(a_millisecond, range(20))
            begun = time.perf_counter()
            pool.map(a_millisecond, range(MILLISECONDS))
            return MILLISECONDS / 2 * 1e-3 / (time.perf_counter() - begun)

    def managed(self):
        from multiprocessing.managers import SyncManager

        manager = SyncManager()
        manager.start(place, (self.mode, False))
        return manager, manager.dict()

    def manager_dict(self):
        manager, values = self.managed()
        value, turn = bytes(self.payload), [0]
        values[1] = value

        def trip():
            turn[0] += 1
            if turn[0] % 2:
                values[1] = value
            else:
                assert values[1] == value

        return trips(self.seconds, trip)

    def manager_calls(self):
        manager, values = self.managed()
        value = bytes(self.payload)
        values[1] = value

        def turn():
            for _ in range(32):
                values[1] = value
                assert values[1] == value

        return rate(self.seconds, turn) * 64


class Executor(Standard):
    def pool(self, **options):
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(a_millisecond, range(20)))
            return rate(self.seconds, lambda: check(pool.map(identity, range(TASKS), **options))) * TASKS

    def pool_tiny(self):
        # It cuts no chunks by itself: as its documentation advises for many small tasks.
        return self.pool(chunksize=TASKS // 8)

    def pool_one_by_one(self):
        return self.pool()

    def pool_1ms(self):
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(a_millisecond, range(20)))
            begun = time.perf_counter()
            list(pool.map(a_millisecond, range(MILLISECONDS)))
            return MILLISECONDS / 2 * 1e-3 / (time.perf_counter() - begun)


if __name__ == "__main__":
    kind, case, payload, mode, seconds = sys.argv[1:]
    place(mode, True)
    system = {"standard": Standard, "executor": Executor}[kind](int(payload), mode, float(seconds))
    print("figure", getattr(system, case)(), flush=True)
