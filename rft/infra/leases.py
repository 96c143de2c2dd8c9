"""Leases: who is computing a key, across processes and machines, by marker files with a heartbeat.

    with try_lease(path, lease_s=60.0) as lease:
        if lease.is_locked: ...                 # ours until the block ends, or until lease_s pass without our heartbeat
        still_ours(lease)                       # ask again before a step that two must not take

A dead owner on this machine is seen at once by its process id, one elsewhere after `lease_s` without a heartbeat on
the contender's own clock. Noticing the latter takes two looks at the same marker, `lease_s` apart, so the lease object of
a refused try is kept for the next try in this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import SoftFileLease, Timeout

_refused: dict[tuple[str, float], SoftFileLease] = {}  # each remembers when it last saw the other owner's heartbeat


@contextmanager
def try_lease(path: Path, *, lease_s: float) -> Iterator[SoftFileLease]:
    """Try once to become the owner, without waiting; the caller looks at `is_locked`. Raises OSError."""
    name = (str(path), lease_s)
    lease = _refused.pop(name, None) or SoftFileLease(str(path), lease_duration=lease_s, timeout=0)
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
