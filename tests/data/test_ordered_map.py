"""Items are mapped ahead in a pool: in order, within bounds, errors at their item, and nothing begun after the end."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.data.ordered_map import ordered_map, submit_in_order

SECONDS = 60


@contextmanager
def no_threads_left():
    """Waits at the end of the block for the threads that were begun in it."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(SECONDS)
        assert not thread.is_alive()


class Gate:
    """A function that notes what it is asked; only the items before ``free`` are answered before the gate is open."""

    def __init__(self, free):
        self.free, self.begun, self.waited_for = free, [], []
        self.open, self.first = threading.Event(), threading.Event()

    def __call__(self, item):
        self.begun.append(item)
        self.first.set()
        if item >= self.free and not self.open.wait(SECONDS):
            self.waited_for.append(item)
        return item


@given(st.integers(0, 40), st.integers(0, 5), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_results_are_those_of_map_and_no_more_items_are_taken_than_asked(count, workers, ahead):
    taken = 0

    def items():
        nonlocal taken
        for number in range(count):
            taken += 1
            yield number

    yielded = []
    for result in ordered_map(lambda item: item**2, items(), workers, ahead):
        assert taken - len(yielded) - 1 <= max(1, ahead)
        yielded.append(result)
    assert yielded == [item**2 for item in range(count)]


def test_no_more_than_ahead_results_wait_for_a_slow_consumer():
    """Against a count of its own of what is computed and not yet yielded, and the bound is reached."""
    lock, held, most = threading.Lock(), 0, 0

    def compute(item):
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        return item

    for _ in ordered_map(compute, range(200), 8, 5):
        with lock:
            held -= 1
    assert held == 0 and 1 <= most <= 6  # one is in the consumer's hands


def test_a_later_result_waits_for_an_earlier_one():
    later = threading.Event()

    def compute(item):
        if item == 0:
            assert later.wait(SECONDS)
        else:
            later.set()
        return item

    assert list(ordered_map(compute, range(4), 2, 2)) == [0, 1, 2, 3]


def test_as_many_compute_at_once_as_there_are_workers_and_no_more():
    together, lock, now, most = threading.Barrier(3), threading.Lock(), 0, 0

    def compute(item):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(SECONDS)
        with lock:
            now -= 1
        return item

    assert list(ordered_map(compute, range(12), 3, 12)) == list(range(12))
    assert most == 3


def test_an_error_is_raised_at_its_item_and_the_rest_is_left():
    begun = []

    def compute(item):
        begun.append(item)
        if item == 3:
            raise LookupError("the third")
        return item

    results = ordered_map(compute, range(1000), 1, 4)
    with no_threads_left():
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(LookupError, match="the third"):
            next(results)
    assert begun == list(range(len(begun))) and len(begun) <= 7
    assert list(results) == []


def test_an_error_of_the_items_ends_it_too():
    def items():
        yield from range(5)
        raise LookupError("no more")

    received = []
    with no_threads_left(), pytest.raises(LookupError, match="no more"):
        for item in ordered_map(lambda item: item, items(), 2, 2):
            received.append(item)
    assert received == [0, 1, 2]


def test_nothing_is_begun_after_an_early_close():
    gate = Gate(free=1)
    with no_threads_left():
        with closing(ordered_map(gate, range(100), 1, 50)) as results:
            assert next(results) == 0
        gate.open.set()
    assert gate.begun in ([0], [0, 1]) and gate.waited_for == []


@pytest.fixture
def ctrl_c():
    """SIGINT as it is at a prompt; workers of the test runner ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_a_result_is_awaited_ends_it_without_waiting_for_the_rest(ctrl_c):
    gate = Gate(free=0)

    def interrupt():
        assert gate.first.wait(SECONDS)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    with no_threads_left():
        results = ordered_map(gate, range(100), 1, 50)
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            next(results)
        assert gate.begun == [0] and list(results) == []
        gate.open.set()
    assert gate.begun == [0] and gate.waited_for == []


def test_a_pool_that_was_given_stays_open_and_is_rid_of_what_waits():
    gate = Gate(free=1)
    with ThreadPoolExecutor(1) as pool:
        results = submit_in_order(pool, gate, range(100), 10)
        assert next(results) == 0
        results.close()
        gate.open.set()
        assert pool.submit(lambda: "still open").result(SECONDS) == "still open"
    assert gate.begun in ([0], [0, 1]) and gate.waited_for == []
