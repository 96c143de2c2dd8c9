"""Lines of live files (rft.infra.live) as metrics with names that sort: train/*, sample/*, eval/*, sweep/*, cost/*.

    follow = Training()
    follow.metrics("finetune-5f0c.jsonl", {"time": 1764302401.3, "step": 12, "loss_nats": 1.93, "target_tokens": 9120})
    # {"train/step": 12, "train/loss": 1.93, "train/tokens": 9120, "_timestamp": 1764302401.3}

Each class follows the files of one run and gives, line by line, a point or None. What a stage that starts anew says again
gives none, so that a curve goes on where it was: reading the same lines again gives the same points, in the same order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

from rft.infra.live import Row
from rft.records import wilson

RATE_OVER_S = 30.0  # tokens per second are those of this last stretch


class Follower(Protocol):
    """Turns the lines of a run's files into points."""

    def metrics(self, source: str, row: Row) -> dict[str, Any] | None:
        """The point of a line; None where it gives none."""
        ...


class Training:
    """A training stage: a point for each step."""

    def __init__(self) -> None:
        self._last = 0

    def metrics(self, source: str, row: Row) -> dict[str, Any] | None:  # noqa: ARG002 (one file)
        """See Follower."""
        step = row.get("step")
        if not isinstance(step, int) or step <= self._last:
            return None
        self._last = step
        names = {"loss_nats": "loss", "lr": "lr", "target_tokens": "tokens", "flops": "flops", "elapsed_s": "elapsed_s"}
        found = {f"train/{name}": row[key] for key, name in names.items() if key in row}
        return {"train/step": step, **found, "_timestamp": row["time"]}


class Solutions:
    """Stages that write solutions, added up: the shards of a pool (`sample/*`) or an evaluation (`eval/*`)."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._rows: dict[str, Row] = {}  # the furthest of each file
        self._recent: deque[tuple[float, int]] = deque()  # time, tokens so far

    def metrics(self, source: str, row: Row) -> dict[str, Any] | None:
        """See Follower."""
        if row.get("event") == "start" and self._recent and self._recent[-1][0] < row["time"] - RATE_OVER_S:
            self._recent.clear()  # a sweep goes on with what another began: the pause between is no part of the speed
        if "done" not in row or row["done"] <= self._rows.get(source, {"done": 0})["done"]:
            return None
        self._rows[source] = row
        total = {name: self._sum(name) for name in ("done", "graded", "correct", "truncated", "tokens")}
        found = self._shares(total) | self._speed(row["time"], total["tokens"])
        done = "draws" if self._prefix == "sample" else "problems"
        named = {f"{self._prefix}/{name}": value for name, value in {done: total["done"], **found}.items()}
        return {**named, "_timestamp": row["time"]}

    def _sum(self, name: str) -> int:
        return sum(int(row.get(name, 0)) for row in self._rows.values())

    def _shares(self, total: Mapping[str, int]) -> dict[str, float]:
        found: dict[str, float] = {}
        if total["tokens"]:
            found |= {"tokens": total["tokens"], "truncated_frac": total["truncated"] / total["done"]}
        if total["graded"]:
            share = total["correct"] / total["graded"]
            if self._prefix == "sample":
                return found | {"correct_frac": share}
            low, high = wilson(total["correct"] / total["graded"], n=total["graded"])
            found |= {"maj1@1_so_far": share, "maj1@1_low": low, "maj1@1_high": high}
        return found

    def _speed(self, time_s: float, tokens: int) -> dict[str, float]:
        if not tokens:
            return {}
        self._recent.append((time_s, tokens))
        while len(self._recent) > 2 and self._recent[0][0] < time_s - RATE_OVER_S:
            self._recent.popleft()
        (first_s, first), (last_s, last) = self._recent[0], self._recent[-1]
        return {"tokens_per_s": (last - first) / (last_s - first_s)} if last_s > first_s else {}


class Sweep:
    """The sweep itself: its lines are points already."""

    def metrics(self, source: str, row: Row) -> dict[str, Any] | None:  # noqa: ARG002 (one file)
        """See Follower."""
        found = {name: value for name, value in row.items() if "/" in name}
        return {**found, "_timestamp": row["time"]} if found else None


def follower(job_type: str) -> Follower:
    """The follower of a run's files."""
    if job_type == "sweep":
        return Sweep()
    if job_type in ("sample", "evaluate"):
        return Solutions("sample" if job_type == "sample" else "eval")
    return Training()
