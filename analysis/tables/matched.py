"""Methods against SFT at equal optimiser steps, setting by setting, as text and as rows.

print(matched_summary(points, outcomes))
header, rows = matched_rows(points, outcomes)     # ['nano-s', '', '1', '4', '6', '18', '+1.3', '+0.06', ...]
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.load.cells import NO_DEDUP, Cell
from analysis.load.labels import method_rank, method_title
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.stats.comparisons import (
    ASSUMED_DRAW_SD,
    Comparison,
    Relevance,
    compare,
    holm,
    judge,
    lacking,
    matched_pairs,
    positive_control,
)
from analysis.stats.power import INFEASIBLE, MOST_DRAWS, MOST_PROBLEMS, POWER
from analysis.stats.uncertainty import Kind, interval_words
from analysis.tables.results import align, extra_columns, field_text, wrap

HEADER = (
    "base", "donors", "data", "k", "draws", "seeds", "RFT - SFT", "log-odds", "these bases", "new bases", "verdict", "margin",
    "to separate",
)  # fmt: skip
NO_STUDY = "no feasible study"


def compared(points: Sequence[Point], outcomes: Outcomes) -> list[tuple[Point, Comparison]]:
    """Every point that shares a replicate with its own matched SFT, and the comparison; RFT first.

    The verdicts are Holm-corrected for their number, over the rows that can have one.
    """
    pairs = sorted(matched_pairs(points), key=lambda pair: method_rank(pair[0].cell))
    found = []
    for point, matched in pairs:
        control = positive_control([point], points, outcomes)
        result = compare(point, matched, outcomes, control=control)
        if result is not None:
            found.append((point, result, control))
    open_to = [i for i, (_, result, _) in enumerate(found) if not lacking(result.estimate)]
    adjusted = dict(zip(open_to, holm([found[i][1].estimate.p_value() for i in open_to]), strict=True))
    return [
        (point, judge(result.estimate, margin=result.margin, control=control, odds=result.odds, p=adjusted.get(i)))
        for i, (point, result, control) in enumerate(found)
    ]


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
    place = HEADER.index("draws")
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
    estimate, new = result.estimate, result.estimate.new_bases
    return [
        name,
        _pool_text(rft.cell),
        f"{rft.cell.data_frac:g}",
        "" if rft.cell.k is None else str(rft.cell.k),
        str(estimate.num_draws),
        str(estimate.num_replicates),
        f"{estimate.value:+.1f}",
        "" if result.odds is None else f"{result.odds.value:+.2f}",
        interval_words(estimate.these_bases, digits=1),
        "" if new is None else interval_words(new, digits=1),
        result.verdict.value,
        MARGIN_WORDS[result.relevance],
        NO_STUDY if result.needed_text == INFEASIBLE else result.needed_text,
    ]


MARGIN_WORDS = {
    Relevance.LARGER: "above", Relevance.SMALLER: "within", Relevance.UNCONTROLLED: "no control", Relevance.OPEN: "open",
}  # fmt: skip


def _pool_text(cell: Cell) -> str:
    """'', '4', '4, thinned', 'no dedup': of the own pool nothing."""
    words = [] if not cell.union else [str(len(cell.union))]
    words += ["no dedup"] if cell.policy == NO_DEDUP else []
    words += ["thinned"] if cell.thinned else []
    words += [] if cell.on_all_examples else [f"{cell.examples_frac:g} of examples"]
    return ", ".join(words)


def matched_notes(found: Sequence[tuple[Point, Comparison]]) -> list[str]:
    """What the intervals hold, and what the last columns mean."""
    notes = [
        "95 % intervals: of these bases as they are (replicates and problems), and of new bases of this kind (the draw of "
        "the base too), on which verdicts rest."
    ]
    if any(result.estimate.kind is Kind.ITEMS for _, result in found):
        notes.append(
            "Of one replicate an interval holds item noise only: nothing of how results vary from seed to seed."
        )
    decided = [result for _, result in found if result.p_holm is not None]
    if len(decided) > 1:
        notes.append(f"Verdicts are Holm-corrected for their number, {len(decided)}.")
    if any(result.relevance is not Relevance.OPEN for _, result in found):
        notes.append(
            f"Margin: the difference against ±{found[0][1].margin:g} point; no control: within it, but neither fresh human "
            "problems nor twice the human data separate in this base, so that nothing could be learnt there."
        )
    if any(result.needed_text for _, result in found):
        notes.append(_needed_note([result for _, result in found]))
    return notes


def _needed_note(results: Sequence[Comparison]) -> str:
    text = f"To separate: draws of the base for {POWER:.0%} power at the 95 % level, were the difference the true one"
    if any(result.assumed_sd is not None for result in results):
        text += (
            f" and (assumed of one draw, not measured) draws added a standard deviation of {ASSUMED_DRAW_SD:g} points to a "
            "difference"
        )
    if any(result.needed_text == INFEASIBLE for result in results):
        text += f"; {NO_STUDY}: {INFEASIBLE} (of at most {MOST_DRAWS} draws and {MOST_PROBLEMS:,} test problems)"
    return text + "."


def matched_summary(points: Sequence[Point], outcomes: Outcomes) -> str:
    """The rows as text, with the notes."""
    found = compared(points, outcomes)
    if not found:
        return "RFT against SFT at equal steps: not enough data (no RFT cell has its sft_matched control)."
    lines = [wrap(f"{matched_title(found)}, in points:"), align(*matched_rows(points, outcomes), left=1)]
    return "\n".join([*lines, *(wrap(note) for note in matched_notes(found))])
