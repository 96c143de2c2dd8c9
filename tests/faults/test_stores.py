"""Many processes, clocks that are off and a slow file server at one store: each stage counts once, nothing is lost.

Processes are forked, so that thirty-two of them cost little. Another machine is one of another name: it cannot look up who
holds a lease.
"""

from __future__ import annotations

import builtins
import io
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forking import begun, end_of
from store_children import wait_for

from rft.infra import reservations
from rft.infra.collection import Wanted, collect
from rft.infra.digest import digest
from rft.infra.reservations import reserved
from rft.infra.store import Store
from rft.infra.study import Study

KEYS = [digest(number) for number in range(20)]
HOUR_S = 3600.0


def filled(calls: Path, text: str, *, seconds: float = 0.002) -> Callable[[Path], None]:
    """A computation that is noted when it begins."""

    def fill(out: Path) -> None:
        with open(calls, "a") as file:
            file.write(text + "\n")
        time.sleep(seconds)
        (out / "a.txt").write_text(text)

    return fill


def left(root: Path) -> list[Path]:
    return [*(root / ".scratch").iterdir(), *(root / ".locks").iterdir()]


@pytest.mark.parametrize("num_processes", [2, 8, 32])
def test_many_processes_on_one_store_fill_each_stage_once(tmp_path: Path, num_processes: int):
    root, calls = tmp_path / "store", tmp_path / "calls"

    def work(number: int) -> None:
        order = random.Random(number).sample(KEYS, len(KEYS))
        for key in order:
            entry = Store(root).compute("demo", key, filled(calls, key), meta={})
            assert (entry.path / "a.txt").read_text() == key

    children = [begun(lambda number=number: work(number)) for number in range(num_processes)]  # type: ignore[misc]
    assert [end_of(child) for child in children] == [0] * num_processes
    assert sorted(calls.read_text().split()) == sorted(KEYS)
    assert left(root) == []
    assert len(list(Store(root).entries())) == len(KEYS)


def move_to(host: str, *, ahead_s: float) -> None:
    """This process on another machine, whose clock is off; times that it sets on files are that clock's."""
    clock, clock_ns, set_times = time.time, time.time_ns, os.utime
    time.time = lambda: clock() + ahead_s
    time.time_ns = lambda: clock_ns() + int(ahead_s * 1e9)

    def utime(path: Any, times: Any = None, **more: Any) -> None:
        set_times(path, times or (time.time(), time.time()), **more) if "ns" not in more else set_times(path, **more)

    os.utime = utime
    socket.gethostname = lambda: host


@pytest.mark.parametrize("ahead_s", [HOUR_S, -HOUR_S])
def test_a_clock_that_is_off_by_an_hour_keeps_its_lease_and_loses_it_only_in_silence(tmp_path: Path, ahead_s: float):
    root, calls, key = tmp_path / "store", tmp_path / "calls", KEYS[0]

    def owner() -> None:
        move_to("far", ahead_s=ahead_s)
        entry = Store(root, lease_s=1.0).compute("demo", key, filled(calls, "owner", seconds=3.0), meta={})
        assert not entry.cache_hit

    child = begun(owner)
    wait_for(calls, within_s=20)
    entry = Store(root, lease_s=1.0).compute("demo", key, filled(calls, "heir"), meta={})
    assert entry.cache_hit
    assert end_of(child) == 0
    assert calls.read_text() == "owner\n"

    shutil.rmtree(entry.path)
    calls.unlink()
    child = begun(owner)
    wait_for(calls, within_s=20)
    os.kill(child, signal.SIGSTOP)
    assert not Store(root, lease_s=1.0).compute("demo", key, filled(calls, "heir"), meta={}).cache_hit
    os.kill(child, signal.SIGKILL)
    end_of(child)
    assert calls.read_text() == "owner\nheir\n"


def test_gc_takes_no_living_sweep_for_dead_because_its_clock_is_an_hour_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """On a file server that takes the times of files from its clients."""
    store, ready = Store(tmp_path / "store"), tmp_path / "ready"
    store.compute("demo", KEYS[0], filled(tmp_path / "calls", "x"), meta={})
    study = Study(tmp_path / "s", "s")
    study.register(["a-1"])

    def sweep() -> None:
        move_to("far", ahead_s=-HOUR_S)
        replace = os.replace

        def stamped(source: Any, target: Any) -> None:
            os.utime(source)
            replace(source, target)

        os.replace = stamped
        with reserved(store, KEYS[:1], study=study.folder, tell=print, beat_s=0.1):
            ready.touch()
            time.sleep(60)

    monkeypatch.setattr(reservations, "WATCH_S", 1.0)
    child, said = begun(sweep), list[str]()
    wait_for(ready, within_s=20)
    (found,) = reservations.reservations(store)
    assert not found.live
    assert found.silent_s > HOUR_S / 2
    assert collect(store, Wanted(delete=True), tell=said.append) == 0
    assert store.has("demo", KEYS[0])
    assert "kept: 1 stages that live sweeps have reserved" in "\n".join(said)
    os.kill(child, signal.SIGKILL)
    end_of(child)
    collect(store, Wanted(delete=True), tell=said.append)
    assert not store.has("demo", KEYS[0])


def shown_late(root: Path, *, delay_s: float) -> None:
    """From now on this process goes on not finding a name below the root that it has not found, for so long, as with a
    network file system's cache of names. Renames go to the server, who knows better."""
    missing: dict[Path, float] = {}
    stat = os.stat

    def first_missing(path: Path) -> Path:
        parents = [one for one in (*reversed(path.parents), path) if one.is_relative_to(root)]
        return next(one for one in parents if not found(one))

    def found(path: Path) -> bool:
        try:
            stat(path)
        except FileNotFoundError:
            return False
        return True

    def late(real: Callable[..., Any]) -> Callable[..., Any]:
        def asked(path: Any, *more: Any, **named: Any) -> Any:
            place = Path(os.path.abspath(path)) if isinstance(path, str | os.PathLike) else Path()
            if any(time.monotonic() < missing.get(one, 0.0) for one in (place, *place.parents)):
                raise FileNotFoundError(2, "not seen yet", str(path))
            try:
                return real(path, *more, **named)
            except FileNotFoundError:
                if place.is_relative_to(root):
                    missing[first_missing(place)] = time.monotonic() + delay_s
                raise

        return asked

    os.stat, io.open, builtins.open = late(os.stat), late(io.open), late(builtins.open)


def test_a_rename_that_is_seen_late_costs_at_most_one_computation_and_the_first_result_stays(tmp_path: Path):
    root, calls, key = tmp_path / "store", tmp_path / "calls", KEYS[0]
    looked, there = tmp_path / "looked", tmp_path / "there"

    def late_reader() -> None:
        (root / "demo" / key[:2]).mkdir(parents=True)
        shown_late(root / "demo", delay_s=1.5)
        assert not Store(root).has("demo", key)
        looked.touch()
        wait_for(there, within_s=20)
        assert not Store(root).has("demo", key)  # though it is there
        entry = Store(root).compute("demo", key, filled(calls, "late"), meta={})
        assert entry.cache_hit
        assert (entry.path / "a.txt").read_text() == "first"

    child = begun(late_reader)
    wait_for(looked, within_s=20)
    Store(root).compute("demo", key, filled(calls, "first"), meta={})
    there.touch()
    assert end_of(child) == 0
    assert calls.read_text().split() in (["first"], ["first", "late"])
    assert left(root) == []
    entry = Store(root).get("demo", key, verify=True)
    assert entry is not None
    assert (entry.path / "a.txt").read_text() == "first"
