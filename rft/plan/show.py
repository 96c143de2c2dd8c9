"""A plan as text: cells, unique stages, what is cached, and the estimated tokens, FLOPs, disk and time of the rest.

print(plan_text(cells, store=store, runtime=cfg.runtime, workers=2))

cells: 14 of 18 jobs (4 repeat another job's cell: they differ in keys that the method does not use)
  nano-s_rft_f1_k16_s0-1a2b3c4d: adds 7 stages, 31 s
stage      unique  cached  tokens  FLOPs     disk     time
pretrain        2       0    4.0M  2.4e+12   1.2 MB   ~95 s
"""

from __future__ import annotations

import textwrap
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rft.config import RuntimeConfig
from rft.infra.stage_store import StageStore
from rft.infra.timings import Timing
from rft.infra.units import count_text, duration_text, size_text
from rft.plan.cell import CellPlan
from rft.stages.stage import Stage, finished, in_order

OVERHEAD_S = 0.2  # of every stage: reading inputs, writing, committing
MAX_CELLS_SHOWN = 40
WIDTH = 80
LIKE = 1_000  # a measured rate is used for stages up to this many times larger than the largest measured one
FAR = 10.0  # beyond this many times the largest one an estimate is called rough: small stages are mostly overhead
CORPUS_TOKENS_PER_S = 130_000.0  # one core
MOST_TIMINGS = 2_000  # of each kind, the latest ones are used
QUICK = 0.75  # quantile of measured speeds
ALIKE = 3.0  # stages within this factor of each other's FLOPs count as of one size
NEIGHBOURS = 5  # next smaller and next larger stages that are used where none is of that size


@dataclass(frozen=True)
class PlanLine:
    """One line of the plan: all stages of a kind."""

    kind: str
    unique: int
    cached: int
    tokens: float  # of what is missing
    flops: float
    num_bytes: float
    seconds: float
    assumed: bool


class Estimator:
    """Seconds a stage will take: from the journal of past stages of its kind where these are of its size, else its FLOPs."""

    def __init__(self, store: StageStore, *, flops_per_s: float) -> None:
        """Read the journal once."""
        self.flops_per_s = flops_per_s
        self._past = {kind: _Past.of(timings[-MOST_TIMINGS:]) for kind, timings in store.timings().items()}
        self._rates: dict[tuple[str, float], float] = {}
        self.unmeasured: set[str] = set()  # kinds of stages whose speed was assumed
        self.far: set[str] = set()  # kinds of stages that are far larger than all that were measured

    def seconds(self, stage: Stage[Any]) -> float:
        """Estimated wall clock on one worker."""
        past, work = self._past.get(stage.kind, _Past()), stage.work
        if work.flops > 0:
            size = (stage.kind, work.flops)
            if size not in self._rates:  # a study has few sizes, and a hundred thousand stages
                self._rates[size] = self._rate(stage.kind, past.flops_per_s(work.flops))
                self._is_far(stage.kind, work.flops, past.rates[-1][0] if past.rates else 0.0)
            return OVERHEAD_S + work.flops / self._rates[size]
        if work.tokens > 0:
            if self._is_far(stage.kind, work.tokens, past.most_tokens):
                return OVERHEAD_S + work.tokens / max(past.tokens_per_s or 0.0, CORPUS_TOKENS_PER_S)
            return OVERHEAD_S + work.tokens / (past.tokens_per_s or CORPUS_TOKENS_PER_S)
        return past.seconds or OVERHEAD_S

    def _is_far(self, kind: str, size: float, largest: float) -> bool:
        """Whether a stage is far larger than the largest measured one of its kind, which is noted, to be told."""
        is_far = 0 < FAR * largest < size
        if is_far:
            self.far.add(kind)
        return is_far

    def _rate(self, kind: str, measured: float | None) -> float:
        if measured is None:
            self.unmeasured.add(kind)
        return measured or self.flops_per_s

    def speeds(self) -> str:
        """What the times so far rest on, in a sentence: whose speed was measured in this store, and whose was assumed."""
        told = []
        if far := sorted(self.far - self.unmeasured):
            told.append(
                f"times of {', '.join(far)}: rough and rather too long, since all stages of that kind that this store "
                f"measured are {FAR:.0f} times smaller and more"
            )
        if self.unmeasured:
            told.append(
                f"times of {', '.join(sorted(self.unmeasured))}: at {self.flops_per_s:.1e} FLOP/s, as runtime.flops_per_s "
                "assumes of a worker, since this store measured no stage of that kind and size: on another device they are "
                "wrong by the ratio of the speeds"
            )
        return "; ".join(told) or "times: as stages of these kinds and sizes took in this store"


@dataclass(frozen=True)
class _Past:
    """Measured speeds of past stages of one kind. A busy machine makes stages slower and nothing makes them faster, so the
    QUICK quantile of the speeds is taken, not the median."""

    rates: tuple[tuple[float, float], ...] = ()  # (FLOPs, FLOP/s), sorted
    tokens_per_s: float | None = None  # where stages report no FLOPs
    seconds: float | None = None  # where they report neither FLOPs nor tokens
    most_tokens: float = 0.0  # of a stage without FLOPs

    @staticmethod
    def of(timings: Sequence[Timing]) -> _Past:
        measured = [t for t in timings if t.seconds > 0]
        rates = tuple(sorted((t.flops, t.flops / t.seconds) for t in measured if t.flops > 0))
        tokens = [t.tokens / t.seconds for t in measured if t.tokens > 0 and t.flops == 0]
        plain = [t.seconds for t in measured if t.tokens == 0 and t.flops == 0]
        most = max((t.tokens for t in measured if t.flops == 0), default=0.0)
        return _Past(rates, _quantile(tokens, QUICK), _quantile(plain, 1.0 - QUICK), most)

    def flops_per_s(self, flops: float) -> float | None:
        """The rate of stages of this size, or of the nearest sizes; None beyond LIKE times the largest measured one."""
        if not self.rates or flops > LIKE * self.rates[-1][0]:
            return None
        sizes = [size for size, _ in self.rates]
        low, high = bisect_left(sizes, flops / ALIKE), bisect_right(sizes, flops * ALIKE)
        if low == high:
            low, high = max(0, low - NEIGHBOURS), high + NEIGHBOURS
        return _quantile([rate for _, rate in self.rates[low:high]], QUICK)


def _quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` of the values lie; None without values."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else None


def plan_rows(stages: Sequence[Stage[Any]], *, missing: Collection[str], estimator: Estimator) -> list[PlanLine]:
    """Stages grouped by kind, in the order in which kinds first appear."""
    kinds: dict[str, list[Stage[Any]]] = {}
    for stage in stages:
        kinds.setdefault(stage.kind, []).append(stage)
    rows = []
    for kind, group in kinds.items():
        open_ones = [stage for stage in group if stage.key in missing]
        rows.append(
            PlanLine(
                kind,
                len(group),
                len(group) - len(open_ones),
                sum(stage.work.tokens for stage in open_ones),
                sum(stage.work.flops for stage in open_ones),
                sum(stage.work.num_bytes for stage in open_ones),
                sum(estimator.seconds(stage) for stage in open_ones),
                any(stage.work.assumed for stage in open_ones),
            )
        )
    return rows


def plan_text(
    cells: Sequence[CellPlan], *, store: StageStore, runtime: RuntimeConfig, workers: int, num_jobs: int | None = None
) -> str:
    """The whole plan of a sweep."""
    estimator = Estimator(store, flops_per_s=runtime.flops_per_s)
    stages = in_order(target for cell in cells for target in cell.targets)
    missing = {stage.key for stage in stages} - finished(stages, store)
    rows = plan_rows(stages, missing=missing, estimator=estimator)
    num_jobs = len(cells) if num_jobs is None else num_jobs
    lines = [f"cells: {len(cells)} of {num_jobs} jobs" + _repeats(num_jobs - len(cells))]
    added = _additions(cells[:MAX_CELLS_SHOWN], missing=missing, estimator=estimator)
    lines += [
        f"  {_shortened(cell.cell_id)}: {what}" for cell, what in zip(cells[:MAX_CELLS_SHOWN], added, strict=True)
    ]
    lines += [f"  ... and {len(cells) - MAX_CELLS_SHOWN} more"] if len(cells) > MAX_CELLS_SHOWN else []
    lines += dict.fromkeys(line for told in dict.fromkeys(cell.told for cell in cells) for line in told)
    lines += [*_collapsed(cells), *_further_sets(cells)]
    lines += [f"{'stage':<14} {'unique':>7} {'cached':>7} {'tokens':>9} {'FLOPs':>9} {'disk':>10} {'time':>9}"]
    lines += [_line(row) for row in rows]
    total = sum(row.seconds for row in rows)
    wall = max(total / workers, _critical_path(stages, missing=missing, estimator=estimator))
    num_bytes = sum(row.num_bytes for row in rows)
    summary = (
        f"missing: {sum(row.unique - row.cached for row in rows)} stages, "
        f"about {duration_text(total)} of computing, {duration_text(wall)} on {workers} worker{'s' * (workers > 1)}, "
        f"{size_text(num_bytes)} of disk (~ rests on an assumed yield of distinct paths)"
    )
    for text in (summary, *([estimator.speeds()] if missing else [])):
        lines += textwrap.wrap(text, WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def _additions(cells: Sequence[CellPlan], *, missing: Collection[str], estimator: Estimator) -> list[str]:
    """What each cell adds to what is in the store and to what the cells before it add."""
    claimed: set[str] = set()
    found = []
    for cell in cells:
        new = {stage.key: stage for stage in cell.stages if stage.key in missing and stage.key not in claimed}
        claimed |= new.keys()
        seconds = sum(estimator.seconds(stage) for stage in new.values())
        shared = any(stage.key in missing for stage in cell.stages)
        nothing = "adds none to the stages of cells above" if shared else "all its stages are there"
        found.append(f"adds {len(new)} stage{'s' * (len(new) != 1)}, {duration_text(seconds)}" if new else nothing)
    return found


def _critical_path(stages: Sequence[Stage[Any]], *, missing: Collection[str], estimator: Estimator) -> float:
    """Seconds of the longest chain of missing stages: no number of workers is faster."""
    finish: dict[str, float] = {}
    for stage in stages:
        start = max((finish[one.key] for one in stage.inputs), default=0.0)
        own = estimator.seconds(stage) if stage.key in missing else 0.0
        finish[stage.key] = start + own
    return max(finish.values(), default=0.0)


def _repeats(count: int) -> str:
    return f" ({count} repeat another job's cell: they differ in keys that the method does not use)" if count else ""


def _collapsed(cells: Sequence[CellPlan]) -> list[str]:
    """Which keys each method does not use, one entry per method."""
    by_method = {str(cell.setting["method"]): cell.unused for cell in cells if cell.unused}
    return [
        line
        for method, names in by_method.items()
        for line in textwrap.wrap(f"not used by {method}: {', '.join(names)}", WIDTH, subsequent_indent="  ")
    ]


def _further_sets(cells: Sequence[CellPlan]) -> list[str]:
    """A line for each further test set: a model that is asked in another way than it was trained for answers badly."""
    found: dict[str, None] = {}
    for cell in cells:
        own = cell.read.measured.evaluate
        for one in cell.sets:
            stage = one.measured.evaluate
            asked, usual = stage.generation.template.name, own.generation.template.name
            other = "" if asked == usual else f", NOT the own set's ({usual}): +eval_sets.{one.name}.prompt={usual}?"
            line = f"test set {one.name}: {stage.num_problems:,} problems, rule {stage.rule}, prompt {asked}{other}"
            found[line] = None
    return list(found)


def _shortened(text: str) -> str:
    """At most a terminal's width, the middle left out."""
    return text if len(text) <= WIDTH - 2 else f"{text[: WIDTH // 2]}...{text[-(WIDTH // 2 - 5) :]}"


def _line(row: PlanLine) -> str:
    mark = "~" if row.assumed else ""
    return (
        f"{row.kind:<14} {row.unique:>7} {row.cached:>7} {mark + count_text(row.tokens):>9} {mark + f'{row.flops:.1e}':>9} "
        f"{mark + size_text(row.num_bytes):>10} {mark + duration_text(row.seconds):>9}"
    )
