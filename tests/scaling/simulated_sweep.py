"""A sweep in simulated time: the graph code that every executor uses, workers and stages that only pass time.

    python tests/scaling/simulated_sweep.py --cells 100000 --workers 1000 --latency-s 0 1 --out docs/simulated-sweep.json
    python tests/scaling/sweep_figure.py docs/simulated-sweep.json docs/simulated-sweep.png

Stages have the kinds and dependencies that planning gives a grid of 4 fractions, SFT, and RFT with its matched control at
five k (44 cells and 298 stages a base). Their medians are guesses for a model of a billion parameters on one GPU; what a
stage really takes is drawn around what the graph is told (log-normal). The bound, which no schedule beats: all work over the
number of workers, or the longest chain if that is more. `latency_s`: what an engine adds to every stage (docs/scaling.md has
measured ones). A JSON object for each latency: simulated hours, the share by which they exceed the bound, how long workers
idle, the processor time that the graph code itself takes for a stage, and how many stages are at work over time.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rft.infra.graph import Event, Graph, Task, dependents_of

MEDIAN_S = {
    "pretrain": 3600.0, "loss": 60.0, "human_set": 2.0, "finetune": 900.0, "shard": 240.0, "select": 20.0,
    "kept_set": 3.0, "matched_set": 3.0, "evaluate": 120.0, "record": 0.3,
}  # fmt: skip
SIZES = (0.5, 1.0, 2.0)  # of models, in turn
FRACTIONS = (0.125, 0.25, 0.5, 1.0)
KS = (1, 4, 16, 64, 100)
DRAWS = 4  # of a shard
CELLS_A_BASE = len(FRACTIONS) * (1 + 2 * len(KS))
SPREAD = 0.4  # standard deviation of the logarithm of a stage's duration


def sweep(num_cells: int) -> list[Task]:
    """The graph of at least so many cells."""
    return [task for number in range(math.ceil(num_cells / CELLS_A_BASE)) for task in _of_base(number)]


def _of_base(number: int) -> Iterator[Task]:
    size, base = SIZES[number % len(SIZES)], f"base {number}"
    yield _task(base, "pretrain", (), size)
    yield _task(f"loss {number}", "loss", (base,), size, affinity=base)
    for frac in FRACTIONS:
        at = f"{number} {frac:g}"
        yield from _trained(f"sft {at}", base, "human_set", (), size, frac)
        shards = [f"shard {at} {first}" for first in range(0, max(KS), DRAWS)]
        for shard in shards:
            yield _task(shard, "shard", (f"sft {at}",), size * frac, affinity=f"sft {at}")
        for k in KS:
            used = tuple(shards[: math.ceil(k / DRAWS)])
            yield _task(f"select {at} {k}", "select", used, frac)
            yield from _trained(f"rft {at} {k}", base, "kept_set", (f"select {at} {k}",), size, frac)
            yield from _trained(f"matched {at} {k}", base, "matched_set", (f"rft {at} {k} set",), size, frac)


def _trained(name: str, base: str, kind: str, rests_on: tuple[str, ...], size: float, frac: float) -> Iterator[Task]:
    """A set of examples, the training on it, its evaluation and the cell's record."""
    yield _task(f"{name} set", kind, rests_on, 1.0)
    yield _task(name, "finetune", (base, f"{name} set"), size * frac, affinity=base)
    yield _task(f"{name} score", "evaluate", (name,), size, affinity=name)
    yield _task(f"{name} record", "record", (f"{name} score",), 1.0)


def _task(name: str, kind: str, deps: tuple[str, ...], size: float, *, affinity: str = "") -> Task:
    return Task(name, deps, "", None, cost_s=MEDIAN_S[kind] * size, group=kind, affinity=affinity)


@dataclass(frozen=True)
class Simulated:
    """What came of one run; times are simulated but for the last two."""

    stages: int
    workers: int
    latency_s: float
    makespan_h: float
    bound_h: float
    over_bound: float  # share by which the makespan exceeds the bound
    idle: float  # share of the workers' time in which they had nothing to do
    chain_h: float  # the longest one
    start_us: float  # processor time of the graph code before the first stage, for each stage
    stage_us: float  # of choosing and ending one


@dataclass(frozen=True)
class Run:
    """A finished simulation: numbers, when each stage began and ended, and how it was counted."""

    told: Simulated
    began_s: dict[str, float]
    ended_s: dict[str, float]


def simulate(tasks: list[Task], *, workers: int, latency_s: float = 0.0, spread: float = SPREAD, seed: int = 0) -> Run:
    """Run the graph in simulated time."""
    rng = random.Random(seed)
    took_s = {task.id: task.cost_s * rng.lognormvariate(0.0, spread) for task in tasks}
    now_s, work_s = 0.0, 0.0
    began_s: dict[str, float] = {}
    ended_s: dict[str, float] = {}
    warm = [""] * workers
    held: Counter[str] = Counter()  # workers by what they have in memory
    idle, busy = list(range(workers)), list[tuple[float, int, str]]()
    started = time.process_time()
    graph = Graph(tasks, on_event=_nobody, clock=lambda: now_s)
    ready_at = time.process_time()
    while not graph.is_finished:
        while idle and graph.ready:
            worker = idle.pop()
            held[warm[worker]] -= 1
            if held[warm[worker]] <= 0:
                del held[warm[worker]]
            name = graph.ready.take(warm=warm[worker], elsewhere=held)
            warm[worker] = graph.tasks[name].affinity or warm[worker]
            held[warm[worker]] += 1
            began_s[name] = now_s
            heapq.heappush(busy, (now_s + latency_s + took_s[name], worker, name))
        now_s, worker, name = heapq.heappop(busy)
        idle.append(worker)
        ended_s[name], work_s = now_s, work_s + took_s[name]
        graph.finish(name, None, took_s[name])
    spent_s = time.process_time() - ready_at
    chain_s = _longest_chain(tasks, took_s)
    bound_s = max(work_s / workers, chain_s)
    told = Simulated(
        stages=len(tasks),
        workers=workers,
        latency_s=latency_s,
        makespan_h=round(now_s / 3600, 3),
        bound_h=round(bound_s / 3600, 3),
        over_bound=round(now_s / bound_s - 1, 5),
        idle=round(1 - (work_s + latency_s * len(tasks)) / (workers * now_s), 5),
        chain_h=round(chain_s / 3600, 3),
        start_us=round(1e6 * (ready_at - started) / len(tasks), 1),
        stage_us=round(1e6 * spent_s / len(tasks), 1),
    )
    return Run(told, began_s, ended_s)


def _nobody(event: Event) -> None:
    """Nobody is told."""


def _longest_chain(tasks: list[Task], took_s: dict[str, float]) -> float:
    """By walking from what rests on nothing, apart from the graph code."""
    dependents, waits = dependents_of(tasks), {task.id: len(set(task.deps)) for task in tasks}
    begins = dict.fromkeys(waits, 0.0)
    free = [name for name, count in waits.items() if not count]
    longest = 0.0
    while free:
        name = free.pop()
        end = begins[name] + took_s[name]
        longest = max(longest, end)
        for one in dependents[name]:
            begins[one] = max(begins[one], end)
            waits[one] -= 1
            if not waits[one]:
                free.append(one)
    return longest


def at_work(run: Run, *, points: int = 600) -> dict[str, list[float]]:
    """Hours and the number of stages at work just then, at about so many of the moments at which one begins or ends."""
    steps = sorted([(at, 1) for at in run.began_s.values()] + [(at, -1) for at in run.ended_s.values()])
    hours, counts, count, due = [0.0], [0.0], 0, 0
    for number, (at, change) in enumerate(steps):
        count += change
        is_last_of_moment = number + 1 == len(steps) or steps[number + 1][0] > at
        if is_last_of_moment and (number >= due or len(steps) - number <= points):
            hours.append(round(at / 3600, 4))
            counts.append(count)
            due = number + len(steps) // points
    return {"hours": hours, "stages": counts}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--latency-s", type=float, default=[0.0], nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    gc.disable()  # no cycles here, and looking for them takes long among so many objects
    tasks = sweep(options.cells)
    num_cells = sum(task.group == "record" for task in tasks)
    told: list[dict[str, Any]] = []
    for latency_s in options.latency_s:
        run = simulate(tasks, workers=options.workers, latency_s=latency_s, seed=options.seed)
        print(json.dumps(asdict(run.told)), flush=True)
        told.append({**asdict(run.told), "at_work": at_work(run)})
        if options.out is not None:  # what there is so far
            options.out.write_text(json.dumps({"date": f"{date.today()}", "cells": num_cells, "runs": told}) + "\n")


if __name__ == "__main__":
    main()
