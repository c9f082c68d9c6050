"""Answers that depend on nothing but their key, kept while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """The latest answers; of several who ask for the same at once, one works it out.

    >>> squares = Remembered[int](most=2)
    >>> [squares.get(number, lambda number=number: number**2) for number in (2, 3)]
    [4, 9]
    >>> squares.get(3, lambda: 0)
    9
    """

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[Hashable, Future[Value]] = OrderedDict()

    def get(self, key: Hashable, work_out: Callable[[], Value]) -> Value:
        """Answer what is kept under the key, else work it out; what fails is not kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            else:
                mine = self._kept[key] = Future()
                if len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        if found is not None:
            return found.result()
        try:
            mine.set_result(work_out())
        except BaseException as error:  # noqa: BLE001 - it is raised again to everybody who waits
            mine.set_exception(error)
            with self._lock:
                self._kept.pop(key, None)
        return mine.result()
