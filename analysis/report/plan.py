"""Plan and cost of a study from the costs in its records: every stage counted once, however many cells share it.

plan = plan_of(table.cells)
plan.seconds, plan.seconds_unshared     # 812.4, 6023.1: what was computed, and what it would be without sharing
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.compare.costs import IN_ORDER
from analysis.load.cells import Cell
from rft.records import StageCost


@dataclass(frozen=True)
class Plan:
    """The distinct stages of a study."""

    stages: tuple[StageCost, ...]  # one per key
    users: dict[str, int]  # stage key -> cells that rest on it
    seconds: float  # of the distinct stages
    seconds_unshared: float  # were every cell computed alone: whole stages, as blocks are drawn whole

    def rows(self) -> list[list[str]]:
        """Per kind: stages, cells that use one on average, wall-clock time, FLOPs, tokens."""
        kinds = sorted(
            {s.name for s in self.stages}, key=lambda n: (IN_ORDER.index(n) if n in IN_ORDER else len(IN_ORDER), n)
        )
        return [self._row(kind, [s for s in self.stages if s.name == kind], power=self.power) for kind in kinds]

    @property
    def power(self) -> int:
        """Of ten, a multiple of three, in which FLOPs are given: one to three digits before the point for the dearest."""
        most = max(
            (sum(s.flops for s in self.stages if s.name == kind) for kind in {s.name for s in self.stages}), default=0
        )
        return 3 * (int(math.log10(most)) // 3) if most >= 1 else 0

    @property
    def header(self) -> list[str]:
        """Of the rows."""
        power = str(self.power).translate(RAISED)
        return ["stage", "computed", "cells each", "seconds", "share [%]", f"FLOPs [10{power}]", "tokens"]

    def _row(self, kind: str, stages: Sequence[StageCost], *, power: int) -> list[str]:
        uses = sum(self.users[s.key] for s in stages)
        seconds, flops = sum(s.seconds for s in stages), sum(s.flops for s in stages)
        tokens = sum(s.tokens for s in stages)
        return [
            kind,
            f"{len(stages):,}",
            f"{uses / len(stages):.1f}",
            f"{seconds:,.1f}",
            f"{100 * seconds / self.seconds:.1f}" if self.seconds else "",
            f"{flops / 10**power:,.3g}" if flops else "",
            f"{tokens:,}" if tokens else "",
        ]


RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def plan_of(cells: Sequence[Cell]) -> Plan:
    """The distinct stages of these cells."""
    stages: dict[str, StageCost] = {}
    users: dict[str, int] = {}
    alone = 0.0
    for cell in cells:
        mine = {stage.key: stage for stage in cell.cost}
        stages |= {key: stage for key, stage in mine.items() if key not in stages}
        alone += sum(stage.seconds for stage in mine.values())
        for key in mine:
            users[key] = users.get(key, 0) + 1
    return Plan(tuple(stages.values()), users, sum(s.seconds for s in stages.values()), alone)


def duration(seconds: float) -> str:
    """'41 s', '12.3 min', '5.2 h', '3.1 days'."""
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s"
