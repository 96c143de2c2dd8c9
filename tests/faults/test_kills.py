"""Kills and stops of a sweep: nothing is lost, nothing is left behind, and the records equal an undisturbed run's.

The short version is one sweep through every fault. `make faults` sets RFT_FAULTS=N for N kills at random moments
(RFT_FAULTS_SEED seeds them), and prints what was hit.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from faults.sweeps import Running, Sweep

from rft.archive.seals import DIGESTS_FILE, fault
from rft.infra.manifest import CorruptError, find_fault, read_manifest
from rft.infra.store import Store
from rft.infra.study import Study

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("RFT_FAULTS", "0"))
SEED = int(os.environ.get("RFT_FAULTS_SEED", "20261128"))
KINDS = ("pretrain", "finetune", "shard", "select", "evaluate", "loss")  # worth aiming at: the others take milliseconds
WAYS = ("one bit", "truncated")
STOP_S = 5.0  # a machine with other work on it may need more


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An undisturbed run's records."""
    sweep = Sweep(tmp_path_factory.mktemp("undisturbed"))
    sweep.finish()
    assert sweep.left_behind() == []
    found = sweep.essence()
    assert len(found) == 2
    return found


def stop(running: Running, *numbers: int) -> None:
    """It ends in time, with everything that it started."""
    for number in numbers:
        running.signal(number)
        time.sleep(0.05)
    took_s, said = running.ended(60)
    assert took_s < STOP_S
    assert "stopped; what was finished stays finished" in said
    assert running.process.returncode == 130
    assert running.orphans() == []


@pytest.mark.parametrize("numbers", [(signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT, signal.SIGINT)])
def test_a_stopped_sweep_leaves_nothing_and_goes_on(tmp_path, expected, numbers):  # type: ignore[no-untyped-def]
    sweep = Sweep(tmp_path, "tracking.mode=offline")
    running = sweep.start()
    assert sweep.wait_for_stage(running) is not None
    stop(running, *numbers)
    assert sweep.left_behind() == []
    sweep.finish()
    assert sweep.essence() == expected


def test_a_killed_sweep_goes_on_to_the_same_records(tmp_path, expected):  # type: ignore[no-untyped-def]
    sweep = Sweep(tmp_path)
    for victim in ("worker twice", "launcher", "all"):
        running = sweep.start()
        assert sweep.wait_for_stage(running) is not None
        kill(running, victim)
        assert running.orphans() == []
    sweep.finish()
    assert sweep.essence() == expected
    assert sweep.left_behind() == []


def kill(running: Running, victim: str) -> None:
    """SIGKILL: to all, to the launcher (whose workers end with it), or to each worker until its task has failed."""
    if victim == "launcher":
        running.signal(signal.SIGKILL)
    elif victim == "all":
        running.signal(signal.SIGKILL, running.all())
    elif victim == "worker":
        running.signal(signal.SIGKILL, running.workers()[:1])
    else:
        until_s = time.monotonic() + 60
        while running.process.poll() is None and time.monotonic() < until_s:
            running.signal(signal.SIGKILL, running.workers())
            time.sleep(0.2)
    running.ended(600)


@pytest.mark.skipif(COUNT == 0, reason="`make faults` sets RFT_FAULTS, the number of kills")
def test_kills_at_random_moments(tmp_path: Path, expected):  # type: ignore[no-untyped-def]
    draw, hit, done, round_ = random.Random(SEED), Counter[str](), 0, 0
    while done < COUNT:
        sweep, round_ = Sweep(tmp_path / f"round-{round_}"), round_ + 1
        while done < COUNT:
            running = sweep.start()
            aim = draw.choice([None, *KINDS])
            if sweep.wait_for_stage(running, aim) is None:
                break
            time.sleep(draw.choice([0.0, draw.uniform(0, 0.05), draw.uniform(0, 1.0)]))
            victim = draw.choice(["all", "launcher", "worker"])
            kinds = sweep.in_flight()
            kill(running, victim)
            assert running.orphans() == []
            hit.update([f"victim {victim}", *(kinds or ["between stages"])])
            done += 1
            print(f"kill {done}: {victim} during {kinds or 'no stage'}", flush=True)
        running.ended(600)
        sweep.finish()
        assert sweep.essence() == expected
        assert sweep.left_behind() == []
    print(f"{done} kills over {round_} sweeps: {dict(hit)}", flush=True)


def damage(path: Path, draw: random.Random, way: str) -> None:
    content = bytearray(path.read_bytes())
    if way == "one bit" and content:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content if way == "one bit" else content[: len(content) // 2])


def test_every_kind_of_damaged_file_is_named_and_made_again(tmp_path, expected):  # type: ignore[no-untyped-def]
    """One file of each name in each kind of stage, and each name beside a record: each alone in both ways, then all."""
    sweep, draw = Sweep(tmp_path), random.Random(SEED)
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
    assert sweep.essence() == expected
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
