"""Kills and stops of a sweep: nothing is lost, nothing is left behind, and the records equal an undisturbed run's.

One sweep through every fault; kills by the hundred are in test_random_kills.py.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.sweeps import Running, Sweep

from rft.archive.seals import DIGESTS_FILE, fault
from rft.infra.manifest import CorruptError, find_fault, read_manifest
from rft.infra.store import Store
from rft.infra.study import Study

pytestmark = pytest.mark.slow

SEED = 20261128
WAYS = ("one bit", "truncated")
STOP_S = 5.0  # on a machine without other work; else as many times longer as processes wait for each core


def stop(running: Running, *numbers: int) -> None:
    """It ends in time, with everything that it started."""
    for number in numbers:
        running.signal(number)
        time.sleep(0.05)
    took_s, said = running.ended(60)
    assert took_s < STOP_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert "stopped; what was finished stays finished" in said
    assert running.process.returncode == 130
    assert running.orphans() == []


@pytest.mark.parametrize("numbers", [(signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT, signal.SIGINT)])
def test_a_stopped_sweep_leaves_nothing_and_goes_on(tmp_path, undisturbed, numbers):  # type: ignore[no-untyped-def]
    sweep = Sweep(tmp_path, "tracking.mode=offline")
    running = sweep.start()
    assert sweep.wait_for_stage(running) is not None
    stop(running, *numbers)
    assert sweep.left_behind() == []
    sweep.finish(forked=True)
    assert sweep.essence() == undisturbed.essence


def test_a_killed_sweep_goes_on_to_the_same_records(tmp_path, undisturbed):  # type: ignore[no-untyped-def]
    sweep = Sweep(tmp_path)
    for victim in ("worker twice", "launcher", "all"):
        running = sweep.start()
        assert sweep.wait_for_stage(running) is not None
        kill(running, victim)
        assert running.orphans() == []
    sweep.finish(forked=True)
    assert sweep.essence() == undisturbed.essence
    assert sweep.left_behind() == []


def kill(running: Running, victim: str) -> None:
    """SIGKILL: to all, to the launcher (whose workers end with it), or to each worker until its task has failed."""
    if victim == "launcher":
        running.signal(signal.SIGKILL)
    elif victim == "all":
        running.signal(signal.SIGKILL, running.all())
    else:
        until_s = time.monotonic() + 60
        while running.process.poll() is None and time.monotonic() < until_s:
            running.signal(signal.SIGKILL, running.workers())
            time.sleep(0.2)
    running.ended(600)


def damage(path: Path, draw: random.Random, way: str) -> None:
    content = bytearray(path.read_bytes())
    if way == "one bit" and content:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content if way == "one bit" else content[: len(content) // 2])


def test_every_kind_of_damaged_file_is_named_and_made_again(tmp_path, undisturbed):  # type: ignore[no-untyped-def]
    """One file of each name in each kind of stage, and each name beside a record: each alone in both ways, then all."""
    sweep, draw = Sweep(tmp_path, forked=True), random.Random(SEED)
    sweep.finish()
    store, study = Store(sweep.store), Study(sweep.study, "s")
    folders = [(entry.name, store.folder(entry.name, entry.key)) for entry in store.entries()]
    stages = {(name, path.name): (folder, path) for name, folder in folders for path in files(folder)}
    cells = sorted(path.parent for path in sweep.study.glob("*/record.json"))
    beside = {path.name: path for cell in cells for path in files(cell) if path.parent.name != ".hydra"}
    for way in WAYS:
        for folder, path in stages.values():
            with damaged(path, draw, way):
                assert str(stage_fault(folder)).startswith(path.relative_to(folder).as_posix())
        for path in beside.values():
            with damaged(path, draw, way):
                found = fault(path.parent)
                assert found is not None, path
                assert path.name in found or "digests cannot be compared" in found or path.name == DIGESTS_FILE, path
    assert not study.summary()[1]
    for path in [*(path for _, path in stages.values()), *beside.values()]:
        damage(path, draw, draw.choice(WAYS))
    assert set(study.summary()[1]) == {path.parent.name for path in beside.values()}
    sweep.finish()
    assert sweep.essence() == undisturbed.essence
    print(f"{len(stages)} kinds of files in stages, {len(beside)} beside records: all found, records equal")


@contextmanager
def damaged(path: Path, draw: random.Random, way: str) -> Iterator[None]:
    """For the block alone."""
    before = path.read_bytes()
    damage(path, draw, way)
    yield
    path.write_bytes(before)


def stage_fault(folder: Path) -> str | None:
    try:
        manifest = read_manifest(folder)
        return "manifest.json" if manifest is None else find_fault(folder, manifest, reread=True)
    except CorruptError as error:
        return str(error)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
