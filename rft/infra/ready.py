"""The tasks of a graph that could begin now, and which of them goes first.

    >>> ready = ReadyTasks({"long": 60.0, "warm": 55.0, "short": 5.0}, {"long": "a", "warm": "b", "short": "b"})
    >>> for name in ("short", "long", "warm"):
    ...     ready.add(name)
    >>> ready.take(warm="b"), ready.take(warm="b"), len(ready)
    ('warm', 'long', 1)

The longest chain of work goes first; among nearly equals a task whose data the worker has in memory, then one whose data no
other worker has. Heaps, since a sweep may have a hundred thousand tasks ready at once.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping

SLACK = 0.8  # from this share of the top priority on, tasks count as nearly equal
LOOK_AHEAD = 64  # so many of them are looked at for data that no other worker has

_Place = tuple[float, str]  # minus priority, id


class ReadyTasks:
    """See the module."""

    def __init__(self, priority: Mapping[str, float], affinity: Mapping[str, str]) -> None:
        self._priority, self._affinity = priority, affinity
        self._ready: set[str] = set()  # heaps may name tasks that were taken by way of another
        self._all: list[_Place] = []
        self._by_affinity: dict[str, list[_Place]] = {}

    def __len__(self) -> int:
        return len(self._ready)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._ready

    def add(self, task_id: str) -> None:
        """It could begin now."""
        place = (-self._priority[task_id], task_id)
        self._ready.add(task_id)
        heapq.heappush(self._all, place)
        if affinity := self._affinity[task_id]:
            heapq.heappush(self._by_affinity.setdefault(affinity, []), place)

    def discard(self, task_id: str) -> None:
        """It cannot begin any more."""
        self._ready.discard(task_id)

    def take(self, *, warm: str = "", elsewhere: Collection[str] = ()) -> str:
        """Take out the task that goes first; there must be one.

        For a worker with the data of affinity `warm` in memory, where other workers have those of `elsewhere`.
        """
        top = self._first(self._all)
        assert top is not None, "nothing is ready"
        own = self._first(self._by_affinity[warm]) if warm in self._by_affinity else None
        chosen = own if own is not None and own[0] <= SLACK * top[0] else self._unclaimed(SLACK * top[0], elsewhere)
        self._ready.discard(chosen[1])
        return chosen[1]

    def _first(self, heap: list[_Place]) -> _Place | None:
        """The top of a heap, once what was taken is off it."""
        while heap and heap[0][1] not in self._ready:
            heapq.heappop(heap)
        return heap[0] if heap else None

    def _unclaimed(self, least: float, elsewhere: Collection[str]) -> _Place:
        """The first of the nearly equal ones whose data no other worker has; else the first."""
        seen: list[_Place] = []
        found = None
        while len(seen) < LOOK_AHEAD and (place := self._first(self._all)) is not None and place[0] <= least:
            seen.append(heapq.heappop(self._all))
            if self._affinity[place[1]] not in elsewhere:
                found = place
                break
        for place in seen:
            heapq.heappush(self._all, place)
        return found or seen[0]
