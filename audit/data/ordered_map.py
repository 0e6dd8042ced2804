"""A function mapped over many items by a pool, a few items ahead: results in order, memory bounded, stopped at once."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead: int
) -> Generator[Result, None, None]:
    """As ``map(function, items)``, in ``workers`` threads of its own (at least one): see ``submit_in_order``.

    When the generator ends, however it does, its threads begin nothing more. Nobody waits for what they are at: a
    decoder may take seconds, and Ctrl-C is to be heard before.
    """
    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="ordered-map")
    try:
        yield from submit_in_order(pool, function, items, ahead)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def submit_in_order(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Generator[Result, None, None]:
    """As ``map(function, items)``, computed by a pool: results in the order of the items.

    At most ``ahead`` items (at least one) are taken whose results have not been yielded. What the function raises is
    raised at its item, after the results before it; what ``items`` raises when it is asked, up to ``ahead`` items
    earlier. When the generator ends, by the last item, an exception or ``close``, calls that have not begun are
    cancelled. The pool stays open.
    """
    remaining = iter(items)
    waiting: deque[Future[Result]] = deque()
    try:
        waiting.extend(pool.submit(function, item) for item in islice(remaining, max(1, ahead)))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(remaining, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()
