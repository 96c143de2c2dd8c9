"""SIGKILL at random moments of every kind of stage, to all processes, the launcher alone, a worker alone: equal records.

`make faults` sets RFT_FAULTS=N for N kills (RFT_FAULTS_SEED seeds them) and prints what was hit. A sweep is killed once in
each kind of stage, in their order, so that little is computed twice, then a new one begins. Processes are stopped for the
look at what they are at, so that what is printed is what was hit. The undisturbed run is one of the command line, these are
forked (tests/forked.py); kills of the command itself are in test_kills.py.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults.sweeps import PATIENCE_S, RECORD, Running, Sweep, Undisturbed

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("RFT_FAULTS", "0"))
SEED = int(os.environ.get("RFT_FAULTS_SEED", "20261128"))
VICTIMS = ("all", "launcher", "worker")
LONGEST_S = 1.0  # after a stage was seen to have begun


@dataclass(frozen=True)
class Aim:
    """When to kill: in a stage of this kind (None: between start and first stage), and so long after it was seen."""

    kind: str | None
    later_s: float
    victim: str


def aims(kinds: Sequence[str], draw: random.Random) -> list[Aim]:
    """One of each kind, in their order; in half of the rounds long after the stage began, which may be in another."""
    late = draw.random() < 0.5
    moments = [0.0 if not late else 10 ** draw.uniform(-3, 0) * LONGEST_S for _ in kinds]
    early = [Aim(None, draw.uniform(0, 8), draw.choice(("all", "launcher")))] if draw.random() < 0.5 else []
    return early + [Aim(kind, at, draw.choice(VICTIMS)) for kind, at in zip(kinds, moments, strict=True)]


@pytest.mark.skipif(COUNT == 0, reason="`make faults` sets RFT_FAULTS, the number of kills")
def test_kills_at_random_moments(tmp_path: Path, undisturbed: Undisturbed):
    draw, hit, done, rounds = random.Random(SEED), Counter[str](), 0, 0
    kinds = {**undisturbed.kinds, RECORD: len(undisturbed.essence)}
    while done < COUNT:
        sweep, rounds = Sweep(tmp_path / f"round-{rounds}", forked=True), rounds + 1
        for aim, found in kills(sweep, aims(list(kinds), draw)[: COUNT - done], kinds):
            hit.update([f"victim {aim.victim}", *(set(found) or ["no stage"])])
            done += 1
            print(f"kill {done}: {aim.victim} during {', '.join(found) or 'no stage'}", flush=True)
        sweep.finish()
        assert sweep.essence() == undisturbed.essence
        assert sweep.left_behind() == []
    print(f"{done} kills over {rounds} sweeps: {dict(hit)}", flush=True)
    if COUNT >= 100:
        assert min(hit[kind] for kind in kinds) >= 3, hit


def kills(sweep: Sweep, wanted: Sequence[Aim], kinds: dict[str, int]) -> Iterator[tuple[Aim, list[str]]]:
    """Start the sweep as often as it takes; each aim that was hit, and in which kinds of stages."""
    running = sweep.start()
    for aim in wanted:
        if running.process.poll() is not None:
            running = sweep.start()
        found = sweep.freeze_at(running, aim.later_s) if aim.kind is None else caught(sweep, running, aim, kinds)
        if found is not None:
            kill(running, aim.victim)
            yield aim, found
    running.signal(signal.SIGKILL, running.all())
    running.ended(PATIENCE_S)


def caught(sweep: Sweep, running: Running, aim: Aim, kinds: dict[str, int]) -> list[str] | None:
    """Stopped in a stage of the wanted kind, if one was seen."""
    assert aim.kind is not None
    return sweep.freeze_in(running, aim.kind, most=kinds[aim.kind], later_s=aim.later_s)


def kill(running: Running, victim: str) -> None:
    """SIGKILL to stopped processes, and let the others go on: workers end with their launcher, it starts another worker."""
    pids = {"all": running.all(), "launcher": [running.process.pid], "worker": running.workers()[:1]}[victim]
    running.signal(signal.SIGKILL, pids)
    running.signal(signal.SIGCONT, running.all())
    if victim != "worker":
        running.ended(PATIENCE_S)
        assert running.orphans() == []
