"""How many threads a plan runs on at this moment: as many as are worth it, or one where others use the cores.

Threads that meet at barriers wait for the last of them. Where more programs want to run than there are cores, that one
is asleep for milliseconds at a time, and a step of 20 µs may take a hundred times as long as on one thread. The results
are the same bits on any number of threads, so what runs often enough is simply measured both ways.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Pace"]

BETTER = 0.9  # of the time on many threads: what one thread must need less than to be preferred
SEEN = 3  # runs on many threads of which the fastest counts: a single slow one says nothing
SHORT = 0.02  # seconds of a run up to which a trial costs nothing worth mentioning
SLOW = 2.0  # times its fastest: a longer run is tried on one thread, too, once it takes so long
WAIT = 0.25  # seconds until the other number is tried again, twice as many each time that it loses
MOST_WAIT = 8.0


class Pace:
    """Chooses between ``many`` threads and one for the next run, by the seconds that a step took last on each.

    >>> pace = Pace(2)
    >>> pace.threads(0.0)
    2
    >>> pace.took(2, 0.001, 0.001)  # threads, seconds a step, when it was done
    >>> pace.threads(0.001)  # a trial
    1
    >>> pace.took(1, 0.002, 0.003)
    >>> pace.threads(0.003)
    2
    """

    def __init__(self, many: int) -> None:
        self.many = many
        self._together: deque[float] = deque(maxlen=SEEN)  # seconds a step lately, on many threads
        self._alone = 0.0  # and on one; 0 while nobody knows
        self._fastest = self._run = 0.0
        self._wait, self._trial = WAIT, 0.0  # how long the loser waits, and until when

    def threads(self, now: float) -> int:
        """On how many threads to run at the time ``now``."""
        if not self._together:
            return self.many
        if self._winner() == 1:
            return self.many if now >= self._trial else 1
        is_slow = min(self._together) > SLOW * self._fastest
        return 1 if now >= self._trial and (self._run < SHORT or is_slow) else self.many

    def took(self, threads: int, seconds: float, now: float, steps: int = 1) -> None:
        """A run on ``threads`` that ended ``now`` took so many ``seconds`` for each of its ``steps``."""
        before = self._winner()
        self._run = seconds * steps
        if threads == 1:
            self._alone = seconds
        else:
            if before == 1:
                self._together.clear()  # what was long ago says nothing of now
            self._together.append(seconds)
            self._fastest = min(seconds, self._fastest or seconds)
        winner = self._winner()
        if winner != before:
            self._wait, self._trial = WAIT, now + WAIT
        elif threads != winner:
            self._wait = min(2 * self._wait, MOST_WAIT)
            self._trial = now + max(self._wait, 10 * self._run)

    def _winner(self) -> int:
        is_faster = bool(self._together) and 0.0 < self._alone < BETTER * min(self._together)
        return 1 if is_faster else self.many
