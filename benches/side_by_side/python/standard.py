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


END = (1 << 64) - 1


def produce_until(queue, mode, length, index, over, told):
    """One of two: until it is over; then an end, and how many there were and their sum."""
    place(mode, False)
    count = total = 0
    tail = bytes(length - 8)
    while not over.value:
        for _ in range(32):
            number = index << 48 | count
            queue.put(struct.pack("<Q", number) + tail)
            count += 1
            total += number
    queue.put(struct.pack("<Q", END) + tail)
    told.put((count, total))


def take(queue, length, after=lambda count: None):
    """One consumer's messages until an end comes: how many, and their sum."""
    count = total = 0
    last = [-1, -1]
    while True:
        item = queue.get()
        assert len(item) == length
        number = struct.unpack_from("<Q", item)[0]
        if number == END:
            return count, total
        assert number > last[number >> 48], "out of order"
        last[number >> 48] = number
        count += 1
        total += number
        after(count)


def consume_until(queue, mode, length, mine, told):
    place(mode, True)

    def after(count):
        if count % 32 == 0:
            mine.value = count

    told.put(take(queue, length, after))


def pipe_produce(end, mode, length):
    place(mode, False)
    number = 0
    while True:
        end.send(struct.pack("<Q", number) + bytes(length - 8))
        number += 1


def pipe_echo(end, mode):
    place(mode, False)
    while True:
        end.send(end.recv())


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


def turn(lock, both, turns):
    """A step under the lock that another one at the same time would spoil."""
    for _ in range(turns):
        with lock:
            both[0] += 1


def contend(mode, lock, ready, over, turns, shared):
    place(mode, False)
    both = memoryview(shared).cast("B").cast("Q")
    ready.set()
    count = 0
    while not over.is_set():
        turn(lock, both, 100)
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

    def consume(self, get):
        expected, begun, warm = 0, None, 64
        while True:
            item = get()
            assert struct.unpack_from("<Q", item)[0] == expected and len(item) == self.payload
            expected += 1
            if expected == warm:
                begun = time.perf_counter()
            elif begun and expected % 4 == 0 and time.perf_counter() - begun > self.seconds:
                return (expected - warm) / (time.perf_counter() - begun)

    def throughput(self):
        queue = mp.Queue(1024 if self.payload < 65_536 else 64)
        producer = self.beside(produce, queue, self.mode, self.payload)
        figure = self.consume(queue.get)
        producer.kill()
        return figure

    def two_to_two(self):
        queue, over, other = mp.Queue(1024), mp.RawValue("B", 0), mp.RawValue("Q", 0)
        put, taken = mp.SimpleQueue(), mp.SimpleQueue()
        self.beside(consume_until, queue, self.mode, self.payload, other, taken)
        for index in range(2):
            self.beside(produce_until, queue, self.mode, self.payload, index, over, put)
        began, figure = None, None

        def after(count):
            nonlocal began, figure
            if count % 32 or figure:
                return
            if began is None and count >= 512 and other.value:
                began = time.perf_counter(), count + other.value
            elif began and time.perf_counter() - began[0] > self.seconds:
                figure = (count + other.value - began[1]) / (time.perf_counter() - began[0])
                over.value = 1

        mine, theirs = take(queue, self.payload, after), taken.get()
        first, second = put.get(), put.get()
        assert [a + b for a, b in zip(mine, theirs)] == [a + b for a, b in zip(first, second)]
        return figure

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
            # As it is used: what makes and drops a guard here.
            for _ in range(10_000):
                with lock:
                    pass

        return rate(self.seconds, turns) * 10_000

    def lock_contended(self):
        lock, ready, over, theirs = mp.Lock(), mp.Event(), mp.Event(), mp.Value("Q", 0)
        shared = mp.RawArray("Q", 1)
        both = memoryview(shared).cast("B").cast("Q")
        other = self.beside(contend, self.mode, lock, ready, over, theirs, shared)
        ready.wait()
        begun, ours = time.perf_counter(), 0
        while time.perf_counter() - begun < self.seconds:
            turn(lock, both, 100)
            ours += 100
        took = time.perf_counter() - begun
        over.set()
        other.join()
        assert ours + theirs.value == both[0], "two were under the lock at once"
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


class Pipe(Standard):
    def throughput(self):
        ours, theirs = mp.Pipe()
        producer = self.beside(pipe_produce, theirs, self.mode, self.payload)
        figure = self.consume(ours.recv)
        producer.kill()
        return figure

    def round_trip(self):
        ours, theirs = mp.Pipe()
        other = self.beside(pipe_echo, theirs, self.mode)
        ball = bytes(self.payload)

        def trip():
            ours.send(ball)
            assert ours.recv() == ball

        figure = trips(self.seconds, trip)
        other.kill()
        return figure


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


def main(systems):
    kind, case, payload, mode, seconds = sys.argv[1:]
    place(mode, True)
    system = systems[kind](int(payload), mode, float(seconds))
    print("figure", getattr(system, case)(), flush=True)


if __name__ == "__main__":
    main({"standard": Standard, "pipe": Pipe, "executor": Executor})
