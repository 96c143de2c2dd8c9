"""A plan as text: cells, unique stages, what is cached, and the estimated tokens, FLOPs, disk and time of the rest.

print(plan_text(cells, store=store, runtime=cfg.runtime, workers=2))

cells: 14 of 18 jobs (4 name the same cell again)
stage      unique  cached  tokens  FLOPs     disk     time
pretrain        2       0    4.0M  2.4e+12   1.2 MB   ~95 s
"""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rft.config import RuntimeConfig
from rft.infra.store import Store
from rft.pipeline import CellPlan, in_order
from rft.stage import Stage

OVERHEAD_S = 0.2  # of a stage without tokens: reading inputs, writing, committing
MAX_CELLS_SHOWN = 40
WIDTH = 80
LIKE = 1_000  # a measured rate serves stages up to so many times the largest measured one
CORPUS_TOKENS_PER_S = 300_000.0


@dataclass(frozen=True)
class Row:
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

    def __init__(self, store: Store, *, flops_per_s: float) -> None:
        """Read the journal once."""
        self.flops_per_s = flops_per_s
        self.rates: dict[str, tuple[float, float]] = {}  # FLOP/s by kind, and the largest stage that it may serve
        for kind, timings in store.timings().items():
            measured = [t.flops / t.seconds for t in timings[-50:] if t.flops > 0 and t.seconds > 0]
            if measured:
                self.rates[kind] = statistics.median(measured), LIKE * max(t.flops for t in timings[-50:])

    def seconds(self, stage: Stage) -> float:
        """Estimated wall clock on one worker."""
        if stage.kind == "corpus":
            return OVERHEAD_S + stage.work.tokens / CORPUS_TOKENS_PER_S
        rate, largest = self.rates.get(stage.kind, (self.flops_per_s, math.inf))
        return OVERHEAD_S + stage.work.flops / (rate if stage.work.flops <= largest else self.flops_per_s)


def plan_rows(stages: Sequence[Stage], *, missing: Collection[str], estimator: Estimator) -> list[Row]:
    """Stages grouped by kind, in the order in which kinds first appear."""
    kinds: dict[str, list[Stage]] = {}
    for stage in stages:
        kinds.setdefault(stage.kind, []).append(stage)
    rows = []
    for kind, group in kinds.items():
        open_ones = [stage for stage in group if stage.key in missing]
        rows.append(
            Row(
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
    cells: Sequence[CellPlan], *, store: Store, runtime: RuntimeConfig, workers: int, num_jobs: int | None = None
) -> str:
    """The whole plan of a sweep."""
    estimator = Estimator(store, flops_per_s=runtime.flops_per_s)
    stages = in_order(target for cell in cells for target in cell.roles.values())
    missing = {stage.key for stage in stages if not store.has(stage.kind, stage.key)}
    rows = plan_rows(stages, missing=missing, estimator=estimator)
    num_jobs = len(cells) if num_jobs is None else num_jobs
    lines = [f"cells: {len(cells)} of {num_jobs} jobs" + _repeats(num_jobs - len(cells))]
    lines += [f"  {_shortened(cell.cell_id)}" for cell in cells[:MAX_CELLS_SHOWN]]
    lines += [f"  ... and {len(cells) - MAX_CELLS_SHOWN} more"] if len(cells) > MAX_CELLS_SHOWN else []
    lines += _collapsed(cells)
    lines += [f"{'stage':<10} {'unique':>7} {'cached':>7} {'tokens':>9} {'FLOPs':>9} {'disk':>10} {'time':>9}"]
    lines += [_line(row) for row in rows]
    total = sum(row.seconds for row in rows)
    wall = max(total / workers, _critical_path(stages, missing=missing, estimator=estimator))
    num_bytes = sum(row.num_bytes for row in rows)
    summary = (
        f"missing: {sum(row.unique - row.cached for row in rows)} stages, "
        f"about {_seconds(total)} of computing, {_seconds(wall)} on {workers} worker{'s' * (workers > 1)}, "
        f"{_bytes(num_bytes)} of disk (~ rests on an assumed yield of distinct paths)"
    )
    lines += textwrap.wrap(summary, WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def _critical_path(stages: Sequence[Stage], *, missing: Collection[str], estimator: Estimator) -> float:
    """Seconds of the longest chain of missing stages: no number of workers is faster."""
    finish: dict[str, float] = {}
    for stage in stages:
        start = max((finish[one.key] for group in stage.inputs.values() for one in group), default=0.0)
        own = estimator.seconds(stage) if stage.key in missing else 0.0
        finish[stage.key] = start + own
    return max(finish.values(), default=0.0)


def _repeats(count: int) -> str:
    return f" ({count} name a cell again: keys without meaning for the method are collapsed)" if count else ""


def _collapsed(cells: Sequence[CellPlan]) -> list[str]:
    """Which keys mean nothing for which method, once each."""
    by_method = {str(cell.cell["method"]): cell.collapsed for cell in cells if cell.collapsed}
    return [
        line
        for method, names in by_method.items()
        for line in textwrap.wrap(f"no meaning for {method}: {', '.join(names)}", WIDTH, subsequent_indent="  ")
    ]


def _shortened(text: str) -> str:
    """At most a terminal's width, the middle left out."""
    return text if len(text) <= WIDTH - 2 else f"{text[: WIDTH // 2]}...{text[-(WIDTH // 2 - 5) :]}"


def _line(row: Row) -> str:
    mark = "~" if row.assumed else ""
    return (
        f"{row.kind:<10} {row.unique:>7} {row.cached:>7} {mark + _count(row.tokens):>9} {mark + f'{row.flops:.1e}':>9} "
        f"{mark + _bytes(row.num_bytes):>10} {mark + _seconds(row.seconds):>9}"
    )


def _count(value: float) -> str:
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.1f}{unit}"
    return f"{value:.0f}"


def _bytes(value: float) -> str:
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= limit:
            return f"{value / limit:.1f} {unit}"
    return f"{value:.0f} B"


def _seconds(value: float) -> str:
    if value >= 2 * 3600:
        return f"{value / 3600:.1f} h"
    return f"{value / 60:.1f} min" if value >= 120 else f"{value:.0f} s"
