"""Methods against the better SFT, at equal optimiser steps or at its validated budget, setting by setting: text and rows.

print(matched_summary(points, outcomes))
header, rows = matched_rows(points, outcomes)     # ['nano-s', '1', '4', '+1.3', '-1.2 to +3.8', 'not separable', '22', ...]

Both differences stand in a row; the verdict is on the smaller true one (analysis.stats.controls).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.load.cells import NO_DEDUP, Cell
from analysis.load.labels import method_rank, method_title
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast
from analysis.stats.comparisons import ASSUMED_REPLICATE_SD, POWER, Comparison, Verdict, judge
from analysis.stats.controls import CONTROLS, control_words, controls_of, harder
from analysis.stats.uncertainty import Estimate, Kind
from analysis.tables.results import align, extra_columns, field_text, wrap

HEADER = (
    "base",
    "donors",
    "data",
    "k",
    "seeds",
    "RFT - SFT",
    "95 %",
    "verdict",
    "to separate",
    "from matched",
    "from best",
)


@dataclass(frozen=True)
class Against:
    """A point against the controls that its study has."""

    point: Point
    result: Comparison  # with the harder one
    differences: Mapping[str, Estimate]  # by control


def compared(points: Sequence[Point], outcomes: Outcomes) -> list[Against]:
    """Every studied point that shares a replicate with a control of its own, and the comparison; RFT first."""
    found = []
    for point in sorted(points, key=lambda point: method_rank(point.cell)):
        pairs = {name: (point, control) for name, control in controls_of(point, points).items()}
        estimates = {name: contrast(pair, (1.0, -1.0), outcomes) for name, pair in pairs.items()}
        known = {name: estimate for name, estimate in estimates.items() if estimate is not None}
        if known:
            found.append(Against(point, judge(harder(list(known.values()))), known))
    return found


def matched_title(found: Sequence[Against]) -> str:
    """What the rows are of: 'RFT minus the harder of SFT at equal steps and SFT at its validated budget'."""
    names = [name for name in CONTROLS if any(name in one.differences for one in found)]
    return f"{' and '.join(_titles(found))} minus {control_words(names)}"


def _titles(found: Sequence[Against]) -> list[str]:
    return list(dict.fromkeys(method_title(one.point.cell) for one in found))


def matched_rows(points: Sequence[Point], outcomes: Outcomes) -> tuple[list[str], list[list[str]]]:
    """(header, rows): differences in points; the last column says how many replicates or problems would separate them."""
    found = compared(points, outcomes)
    names = base_names(one.point.cell for one in found)
    extra = extra_columns([one.point.cell for one in found])
    place = HEADER.index("seeds")
    rows = []
    for one in found:
        row = _row(one, name=names[one.point.cell.base])
        rows.append([*row[:place], *(field_text(one.point.cell, key) for key in extra), *row[place:]])
    header = [*HEADER[:place], *extra.values(), *HEADER[place:]]
    if _titles(found) in ([], ["RFT"]):
        return header, rows
    named = [[row[0], method_title(one.point.cell), *row[1:]] for row, one in zip(rows, found, strict=True)]
    return [header[0], "method", *("minus SFT" if name == "RFT - SFT" else name for name in header[1:])], named


def _row(one: Against, *, name: str) -> list[str]:
    rft, result = one.point, one.result
    low, high = result.estimate.interval()
    return [
        name,
        _pool_text(rft.cell),
        f"{rft.cell.data_frac:g}",
        "" if rft.cell.k is None else str(rft.cell.k),
        str(result.estimate.num_replicates),
        f"{result.estimate.value:+.1f}",
        interval_text(low, high),
        result.verdict.value,
        needed_text(result),
        *(f"{one.differences[name].value:+.1f}" if name in one.differences else "" for name in CONTROLS),
    ]


def _pool_text(cell: Cell) -> str:
    """'own', '4', '4, thinned', 'own, no dedup'."""
    words = ["own" if not cell.union else str(len(cell.union))]
    words += ["no dedup"] if cell.policy == NO_DEDUP else []
    words += ["thinned"] if cell.thinned else []
    words += [] if cell.on_all_examples else [f"{cell.examples_frac:g} of examples"]
    return ", ".join(words)


def interval_text(low: float, high: float) -> str:
    """'-1.2 to +3.8'; 'unknown' where an end is."""
    return f"{low:+.1f} to {high:+.1f}" if math.isfinite(low) and math.isfinite(high) else "unknown"


def needed_text(result: Comparison) -> str:
    """'22 replicates', '31,000 problems'; nothing where the verdict stands."""
    if result.verdict is not Verdict.NOT_SEPARABLE:
        return ""
    if not math.isfinite(result.estimate.half_width()):
        return "not enough data"
    if result.estimate.value == 0 and result.estimate.se == 0:
        return f"right and wrong alike on all {result.estimate.num_items:,} problems"
    if result.replicates_needed is not None:
        return f"{result.replicates_needed} replicates"
    return (
        f"{result.problems_needed:,} problems" if result.problems_needed is not None else "a difference of 0: nothing"
    )


def matched_notes(against: Sequence[Against]) -> list[str]:
    """What the intervals hold, which control a study lacks, and what the number to separate assumes."""
    notes, found = [], [(one.point, one.result) for one in against]
    lacking = [CONTROLS[name] for name in CONTROLS if any(name not in one.differences for one in against)]
    if lacking:
        notes.append(f"Without {' or '.join(lacking)} in some rows: their verdict is against the other control alone.")
    if any(len(one.differences) > 1 for one in against):
        notes.append(
            "The difference, interval and verdict are of the harder control; the interval is widened for there being two."
        )
    if any(result.estimate.kind is Kind.ITEMS for _, result in found):
        notes.append(
            "Intervals of one seed carry item noise only: one replicate shows nothing of how results vary from seed to seed."
        )
    if any(result.estimate.kind is Kind.EXPLORATORY for _, result in found):
        notes.append("Intervals over 2 to 4 seeds are exploratory; a verdict needs 5.")
    if any(result.verdict is Verdict.NOT_SEPARABLE for _, result in found):
        text = f"To separate: for {POWER:.0%} power at the 95 % level, were the difference the true one"
        if any(result.assumed_sd is not None for _, result in found):
            text += (
                f" and (assumed of one seed, not measured) seeds added a standard deviation of {ASSUMED_REPLICATE_SD:g} "
                "points to a replicate's difference while its item noise averaged out"
            )
        notes.append(text + "; problems: where no number of replicates on these test problems would do.")
    return notes


def matched_summary(points: Sequence[Point], outcomes: Outcomes) -> str:
    """The rows as text, with the notes."""
    found = compared(points, outcomes)
    if not found:
        return "RFT against SFT: not enough data (no RFT cell has its sft_matched or sft_best control)."
    lines = [wrap(f"{matched_title(found)}, in points:"), align(*matched_rows(points, outcomes), left=1)]
    return "\n".join([*lines, *(wrap(note) for note in matched_notes(found))])
