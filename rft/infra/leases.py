"""Leases: who is computing a key, across processes and machines, by marker files with a heartbeat.

    with try_lease(path, lease_s=60.0) as lease:
        if lease.is_locked: ...                 # ours until the block ends, or until lease_s pass without our heartbeat
        still_ours(lease)                       # ask again before a step that two must not take

A dead owner on this machine is seen at once by its process id, one elsewhere after `lease_s` without a heartbeat on
the contender's own clock. Noticing the latter takes two looks at the same marker, `lease_s` apart, so the lease object of
a refused try is kept for the next try in this process.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import SoftFileLease, Timeout


class LateLease(SoftFileLease):
    """A lease whose heartbeat thread starts when half an interval has passed: most stages are finished by then, and starting
    and ending a thread costs more than all else about a small stage where many processes share the cores.

    The first refresh comes one and a half intervals after the claim, well before a contender's three. Where filelock has no
    such hook, the thread starts at once, as it does by itself.
    """

    def _start_heartbeat(self, *claim: Any) -> None:
        _waiting.add(id(self), after_s=self._heartbeat_interval / 2, start=lambda: self._start_now(*claim))

    def _start_now(self, *claim: Any) -> None:
        super()._start_heartbeat(*claim)

    def _stop_heartbeat(self) -> None:
        _waiting.drop(id(self))
        super()._stop_heartbeat()


class _Waiting:
    """Heartbeats that are due to start, and the one thread of this process that starts them."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._due: dict[int, tuple[float, Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None
        self._next_look_s = 0.0

    def add(self, name: int, *, after_s: float, start: Callable[[], None]) -> None:
        """Call `start` when the time has passed, unless it is dropped before."""
        with self._lock:
            self._due[name] = (time.monotonic() + after_s, start)
            if self._thread is None or not self._thread.is_alive():  # a forked child has none of its parent's threads
                self._thread = threading.Thread(target=self._run, name="late-heartbeats", daemon=True)
                self._thread.start()
                self._next_look_s = 0.0
            if time.monotonic() + after_s < self._next_look_s:
                self._lock.notify()

    def drop(self, name: int) -> None:
        """Once this returns, nothing is started any more."""
        with self._lock:
            self._due.pop(name, None)

    def _run(self) -> None:
        with self._lock:
            while True:
                now = time.monotonic()
                for name in [name for name, (due_s, _) in self._due.items() if due_s <= now]:
                    self._due.pop(name)[1]()
                next_s = min((due_s for due_s, _ in self._due.values()), default=now + _LOOK_S)
                self._next_look_s = next_s
                self._lock.wait(max(0.0, next_s - now))


_LOOK_S = 3600.0
_waiting = _Waiting()
_refused: dict[tuple[int, str, float], LateLease] = {}  # each remembers when it last saw the other owner's heartbeat


@contextmanager
def try_lease(path: Path, *, lease_s: float) -> Iterator[SoftFileLease]:
    """Try once to become the owner, without waiting; the caller looks at `is_locked`. Raises OSError."""
    name = (os.getpid(), str(path), lease_s)  # a forked child has none of its parent's leases
    lease = _refused.pop(name, None) or LateLease(str(path), lease_duration=lease_s, timeout=0)
    with suppress(Timeout):
        _acquire(lease, path)
    if not lease.is_locked:
        _refused[name] = lease
    try:
        yield lease
    finally:
        if lease.is_locked:
            lease.release()


def still_ours(lease: SoftFileLease) -> bool:
    """Whether the marker on disk names the claim that this process made."""
    owner = lease.owner
    return owner is not None and owner.token is not None and owner.token == lease.token


def _acquire(lease: SoftFileLease, path: Path) -> None:
    try:
        lease.acquire()
    except FileNotFoundError:  # the first lease in this folder
        path.parent.mkdir(parents=True, exist_ok=True)
        lease.acquire()
