"""What a function hands over while it runs, as an iterator: it runs in a thread, and only while an item is wanted."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class NobodyAsks(BaseException):
    """Nothing more is wanted of a function; it goes through it from where it hands over. No `except Exception` of the
    function's may catch it."""


class HandedOver(Generic[T]):
    """The items that a function hands over, one each time that one is asked for.

    An error of the function comes out of `next`, as it was. The thread is gone when `next` has raised and when `close`
    has returned: one that stayed would cost the worker its process.

    Args:
        work: it is given what hands an item over and what only looks whether anybody asks; both return when it may go
            on, and raise NobodyAsks where it may not.
    """

    def __init__(self, work: Callable[[Callable[[T], None], Callable[[], None]], None]) -> None:
        self._work, self._asked, self._closed = work, threading.Semaphore(0), False
        self._found: SimpleQueue[tuple[T] | BaseException] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="evonas-own-loop", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._closed:
            raise StopIteration
        self._asked.release()
        found = self._found.get()
        if isinstance(found, BaseException):
            self.close()
            try:
                raise found
            finally:
                del found  # else it and this frame would hold each other
        return found[0]

    def close(self) -> None:
        """End the function where it hands over, or looks whether it should."""
        self._closed = True
        self._asked.release()
        if self._thread is not threading.current_thread():  # the garbage collector closes iterators in any thread
            self._thread.join()

    def _run(self) -> None:
        try:
            self._wait()
            self._work(self._hand_over, self._look)
            end: BaseException = StopIteration()
        except BaseException as reason:
            end = reason
        self._found.put(end)

    def _hand_over(self, item: T) -> None:
        self._look()
        self._found.put((item,))
        self._wait()

    def _wait(self) -> None:
        self._asked.acquire()
        self._look()

    def _look(self) -> None:
        if self._closed:
            raise NobodyAsks
