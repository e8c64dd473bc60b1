"""Work done ahead: a thread that runs an iterator and keeps a few of its items ready."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

__all__ = ["ahead"]

T = TypeVar("T")


class _Shelf:
    """What thread and reader share. The thread knows only this, so that a reader that is forgotten can end it."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.items: deque[Any] = deque()
        self.changed = threading.Condition()
        self.closed = False  # the reader wants no more
        self.ended = False  # the iterator has no more
        self.error: BaseException | None = None


def ahead(iterator: Iterator[T], depth: int) -> Generator[T]:
    """The items of ``iterator`` in order, up to ``depth`` of them made before they are asked for, by one thread.

    An exception comes out where its item would have come. The thread ends with the last item, the exception, or when
    the generator is closed or forgotten, as soon as the item that it is making is done.

    >>> list(ahead(iter(range(5)), 2))
    [0, 1, 2, 3, 4]
    """
    shelf = _Shelf(depth)
    thread = threading.Thread(target=_work, args=(iterator, shelf), name="backlight-ahead", daemon=True)
    del iterator  # the thread alone holds it, and closes it by letting go
    try:
        thread.start()
        while True:
            with shelf.changed:
                while not shelf.items and not shelf.ended:
                    shelf.changed.wait()
                if not shelf.items:
                    break
                item = shelf.items.popleft()
                shelf.changed.notify_all()
            yield item
            del item  # what is being used by nobody any more need not be kept until the next one is there
        if shelf.error is not None:
            raise shelf.error
    finally:
        with shelf.changed:
            shelf.closed = True
            shelf.items.clear()
            shelf.error = None
            shelf.changed.notify_all()
        if shelf.ended:
            thread.join()


def _work(iterator: Iterator[Any], shelf: _Shelf) -> None:
    error: BaseException | None = None
    try:
        for item in iterator:
            with shelf.changed:
                while len(shelf.items) >= shelf.depth and not shelf.closed:
                    shelf.changed.wait()
                if shelf.closed:
                    break
                shelf.items.append(item)
                shelf.changed.notify_all()
            del item
    except BaseException as caught:
        error = caught
    finally:
        close = getattr(iterator, "close", None)
        if close is not None and error is None:
            try:
                close()
            except BaseException as caught:
                error = caught
        with shelf.changed:
            shelf.ended, shelf.error = True, None if shelf.closed else error
            shelf.changed.notify_all()
        del error  # which holds this frame, and would be held by it
