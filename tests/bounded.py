"""What code may cost."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def bounded(memory: int, seconds: float = 5.0) -> Iterator[None]:
    """Fails if what is inside takes more bytes at once, or more time."""
    tracemalloc.start()
    start = time.process_time()
    try:
        yield
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < memory
    assert time.process_time() - start < seconds
