"""Methods against SFT at equal optimiser steps, setting by setting, as text and as rows.

print(matched_summary(points, outcomes))
header, rows = matched_rows(points, outcomes)     # ['nano-s', '1', '4', '+1.3', '-1.2 to +3.8', 'not separable', '22']
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.load.cells import NO_DEDUP, Cell
from analysis.load.labels import method_rank, method_title
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.stats.comparisons import ASSUMED_REPLICATE_SD, POWER, Comparison, Verdict, compare, matched_pairs
from analysis.stats.uncertainty import Kind
from analysis.tables.results import align, extra_columns, field_text, wrap

HEADER = ("base", "donors", "data", "k", "seeds", "RFT - SFT", "95 %", "verdict", "to separate")


def compared(points: Sequence[Point], outcomes: Outcomes) -> list[tuple[Point, Comparison]]:
    """Every point that shares a replicate with its own matched SFT, and the comparison; RFT first."""
    pairs = sorted(matched_pairs(points), key=lambda pair: method_rank(pair[0].cell))
    found = [(point, compare(point, control, outcomes)) for point, control in pairs]
    return [(point, result) for point, result in found if result is not None]


def matched_title(found: Sequence[tuple[Point, Comparison]]) -> str:
    """What the rows are of: 'RFT minus SFT at equal optimiser steps'."""
    return f"{' and '.join(_titles(found))} minus SFT at equal optimiser steps"


def _titles(found: Sequence[tuple[Point, Comparison]]) -> list[str]:
    return list(dict.fromkeys(method_title(point.cell) for point, _ in found))


def matched_rows(points: Sequence[Point], outcomes: Outcomes) -> tuple[list[str], list[list[str]]]:
    """(header, rows): differences in points; the last column says how many replicates or problems would separate them."""
    found = compared(points, outcomes)
    names = base_names(rft.cell for rft, _ in found)
    extra = extra_columns([rft.cell for rft, _ in found])
    place = HEADER.index("seeds")
    rows = []
    for rft, result in found:
        row = _row(rft, result, name=names[rft.cell.base])
        rows.append([*row[:place], *(field_text(rft.cell, key) for key in extra), *row[place:]])
    header = [*HEADER[:place], *extra.values(), *HEADER[place:]]
    if _titles(found) in ([], ["RFT"]):
        return header, rows
    named = [[row[0], method_title(point.cell), *row[1:]] for row, (point, _) in zip(rows, found, strict=True)]
    return [header[0], "method", *("minus SFT" if name == "RFT - SFT" else name for name in header[1:])], named


def _row(rft: Point, result: Comparison, *, name: str) -> list[str]:
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


def matched_notes(found: Sequence[tuple[Point, Comparison]]) -> list[str]:
    """What the intervals hold and what the last column assumes."""
    notes = []
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
        return "RFT against SFT at equal steps: not enough data (no RFT cell has its sft_matched control)."
    lines = [wrap(f"{matched_title(found)}, in points:"), align(*matched_rows(points, outcomes), left=1)]
    return "\n".join([*lines, *(wrap(note) for note in matched_notes(found))])
