"""Methods against the better SFT, at equal optimiser steps or at its validated budget, setting by setting: text and rows.

print(matched_summary(points, outcomes))
header, rows = matched_rows(compared(points, outcomes))     # ['nano-s', '', '1', '4', '6', '18', '+1.3', '+0.06', ...]

Where a study has both controls both differences stand in a row; the verdict is on the smaller true one
(analysis.compare.controls).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.compare.comparisons import ASSUMED_DRAW_SD, ONLY_DRAW, Comparison, Relevance, holm, lacking
from analysis.compare.controls import (
    CONTROLS,
    Against,
    compare,
    control_words,
    controls_of,
    other_runs,
    other_steps,
    rejudged,
)
from analysis.compare.positive import positive_controls
from analysis.load.cells import BEST, NO_DEDUP, Cell
from analysis.load.labels import method_rank, method_title, studied
from analysis.load.names import base_names
from analysis.load.options import grids
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.stats.power import INFEASIBLE, MOST_DRAWS, POWER, VERDICT_UNITS
from analysis.stats.uncertainty import Kind, held_alone, interval_words
from analysis.tables.results import align, apart_columns, wrap

HEADER = (
    "base", "donors", "data", "k", "draws", "seeds", "RFT - SFT", "log-odds", "these bases", "new bases", "verdict", "margin",
    "to separate",
)  # fmt: skip
FROM = ("from matched", "from best")  # behind them, by control, where there is more than one
GRID = "epochs of best"  # behind those, where rows differ in the numbers of epochs that the budget was chosen from
NO_STUDY = "no feasible study"


def compared(points: Sequence[Point], outcomes: Outcomes) -> list[Against]:
    """Every studied point that has a control of its own, and the comparison; RFT first.

    The verdicts are Holm-corrected for their number, over the rows that can have one.
    """
    known = []
    for point in sorted(points, key=lambda point: method_rank(point.cell)):
        controls = controls_of(point, points)
        positive = positive_controls([point], points, outcomes) if controls else []
        one = compare(point, controls, outcomes, positive=positive)
        if one is not None:
            known.append(replace(one, apart=other_runs([point], points)))
    open_to = [i for i, one in enumerate(known) if not lacking(one.result.estimate)]
    adjusted = dict(zip(open_to, holm([known[i].result.estimate.p_value() for i in open_to]), strict=True))
    return [rejudged(one, p=adjusted.get(i), among=len(open_to) if i in adjusted else 1) for i, one in enumerate(known)]


def matched_title(found: Sequence[Against]) -> str:
    """What the rows are of: 'RFT minus the harder of SFT at equal steps and SFT at its validated budget'."""
    names = [name for name in CONTROLS if any(name in one.differences for one in found)]
    return f"{' and '.join(_titles(found))} minus {control_words(names, used=_controls(found))}"


def _controls(found: Sequence[Against]) -> list[Point]:
    return [control for one in found for control in one.controls.values()]


def _titles(found: Sequence[Against]) -> list[str]:
    return list(dict.fromkeys(method_title(one.point.cell) for one in found))


def matched_rows(found: Sequence[Against]) -> tuple[list[str], list[list[str]]]:
    """(header, rows): differences in points, and how many draws or problems would separate them."""
    names = base_names(one.point.cell for one in found)
    apart, fields = apart_columns([one.point.cell for one in found])
    place = HEADER.index("draws")
    behind = FROM if len({name for one in found for name in one.differences}) > 1 else ()
    several = len(grids(_controls(found))) > 1
    rows = []
    for one, told in zip(found, fields, strict=True):
        row = _row(one, name=names[one.point.cell.base])
        row += [_from(one, name) for name in CONTROLS] if behind else []
        row += ["".join(grids([one.controls[BEST]] if BEST in one.controls else []))] if several else []
        rows.append([*row[:place], *told, *row[place:]])
    header = [*HEADER[:place], *apart, *HEADER[place:], *behind, *([GRID] if several else [])]
    if _titles(found) in ([], ["RFT"]):
        return header, rows
    named = [[row[0], method_title(one.point.cell), *row[1:]] for row, one in zip(rows, found, strict=True)]
    return [header[0], "method", *("minus SFT" if name == "RFT - SFT" else name for name in header[1:])], named


def _row(one: Against, *, name: str) -> list[str]:
    rft, result = one.point, one.result
    estimate, new = result.estimate, result.estimate.new_bases
    return [
        name,
        _pool_text(rft.cell),
        f"{rft.cell.data_frac:g}",
        "" if rft.cell.k is None else str(rft.cell.k),
        str(min(part.num_draws for part in estimate.judged)),
        str(min(part.num_replicates for part in estimate.judged)),
        f"{estimate.value:+.1f}",
        "" if result.odds is None else f"{result.odds.value:+.2f}",
        interval_words(estimate.these_bases, digits=1),
        "" if new is None else interval_words(new, digits=1),
        result.verdict.value,
        _margin_word(result),
        NO_STUDY if result.needed_text == INFEASIBLE else result.needed_text,
    ]


def _from(one: Against, name: str) -> str:
    return f"{one.differences[name].value:+.1f}" if name in one.differences else ""


MARGIN_WORDS = {
    Relevance.LARGER: "above", Relevance.SMALLER: "within", Relevance.UNCONTROLLED: "flat control",
    Relevance.UNJUDGED: "few draws", Relevance.UNRUN: "no control", Relevance.OPEN: "open",
}  # fmt: skip
WITHIN_NOTES = {
    Relevance.UNCONTROLLED: "no positive control that was run (fresh human problems, twice the human data) separates in this "
    "base, so that nothing might be learnt there",
    Relevance.UNJUDGED: "no positive control separates in this base, and one has too few draws to tell",
    Relevance.UNRUN: "neither fresh human problems, beside SFT of as many steps, nor twice the human data, beside once, was "
    "run in this base in draws and seeds that both have",
}


def _margin_word(result: Comparison) -> str:
    beneath = result.relevance is Relevance.LARGER and result.estimate.value < 0
    return "below" if beneath else MARGIN_WORDS[result.relevance]


def _pool_text(cell: Cell) -> str:
    """'', '4', '4, thinned', 'no dedup': of the own pool nothing."""
    words = [] if not cell.union else [str(len(cell.union))]
    words += ["no dedup"] if cell.policy == NO_DEDUP else []
    words += ["thinned"] if cell.thinned else []
    words += [] if cell.on_all_examples else [f"{cell.examples_frac:g} of examples"]
    return ", ".join(words)


def matched_notes(against: Sequence[Against]) -> list[str]:
    """What the intervals hold, which control a study lacks, and what the last columns mean."""
    found = [(one.point, one.result) for one in against]
    notes = [
        "95 % intervals: of these bases as they are (replicates and problems), and of new bases of this kind (the draw of "
        "the base too), on which verdicts rest."
    ]
    notes += _absent_notes(against)
    notes += [f"{line}." for line in dict.fromkeys(line for one in against for line in one.apart)]
    if any(len(one.differences) > 1 for one in against):
        notes.append(
            "The difference, interval and verdict are of the harder control; the interval is widened for there being two."
        )
    if any(len({part.num_draws for part in one.result.estimate.judged}) > 1 for one in against):
        notes.append("Draws and seeds are those of the comparison that has the fewest.")
    notes += list(
        dict.fromkeys(f"New bases: {held.lstrip(', ')}." for _, one in found if (held := held_alone(one.estimate)))
    )
    if any(result.estimate.kind is Kind.ITEMS for _, result in found):
        notes.append(
            "Of one replicate an interval holds item noise only: nothing of how results vary from seed to seed."
        )
    decided = [result for _, result in found if result.p_holm is not None]
    if len(decided) > 1:
        notes.append(f"Verdicts are Holm-corrected for their number, {len(decided)}.")
    if any(result.relevance is not Relevance.OPEN for _, result in found):
        notes.append(_margin_note([result for _, result in found]))
    told = [result for _, result in found if result.needed_text]
    if any(result.needed_text != ONLY_DRAW for result in told):
        notes.append(_needed_note([result for _, result in found]))
    if any(result.needed_text == ONLY_DRAW for result in told):
        notes.append(
            f"{ONLY_DRAW.capitalize()}: a model that was not pretrained here has no other draw, and more seeds or problems "
            f"say more of that model alone; claims are tested over {VERDICT_UNITS} models or more."
        )
    return notes


def _margin_note(results: Sequence[Comparison]) -> str:
    """What the margin is, and why a small difference in some rows is not said to be within it."""
    said = {result.relevance for result in results}
    told = [f"; {MARGIN_WORDS[one]}: within it, but {words}" for one, words in WITHIN_NOTES.items() if one in said]
    return f"Margin: the difference against ±{results[0].margin:g} point{''.join(told)}."


def _absent_notes(against: Sequence[Against]) -> list[str]:
    """Which control all rows lack, or some."""
    with_it = {name: sum(name in one.differences for one in against) for name in CONTROLS}
    never = [CONTROLS[name] for name, count in with_it.items() if not count]
    some = [CONTROLS[name] for name, count in with_it.items() if 0 < count < len(against)]
    notes = [f"No row has a comparison with {text}: verdicts are against the other control alone." for text in never]
    return notes + [f"Without {text} in some rows: their verdict is against the other control alone." for text in some]


def _needed_note(results: Sequence[Comparison]) -> str:
    among = sum(result.p_holm is not None for result in results)
    level = f"as the first of {among} rows (5 %/{among})" if among > 1 else "at the 95 % level"
    both = " against both controls in one study" if any(len(one.estimate.judged) > 1 for one in results) else ""
    text = f"To separate: draws of the base for {POWER:.0%} power {level}{both}, were the difference the true one"
    if any(result.assumed_sd is not None for result in results):
        text += (
            f" and (assumed of one draw, not measured) draws added a standard deviation of {ASSUMED_DRAW_SD:g} points to a "
            "difference"
        )
    if any(result.needed_text == INFEASIBLE for result in results):
        most = max(result.limits.problems for result in results)
        text += f"; {NO_STUDY}: {INFEASIBLE} (of at most {MOST_DRAWS} draws and {most:,} test problems)"
    return text + "."


def matched_summary(points: Sequence[Point], outcomes: Outcomes) -> str:
    """The rows as text, with the notes."""
    found = compared(points, outcomes)
    if not found:
        lacking = "no RFT cell has its sft_matched or sft_best control"
        mine = [p for p in points if studied(p.cell)]
        why = "; ".join([lacking, *other_steps(mine, points), *other_runs(mine, points)])
        return wrap(f"RFT against SFT: not enough data ({why}).")
    lines = [wrap(f"{matched_title(found)}, in points:"), align(*matched_rows(found), left=1)]
    return "\n".join([*lines, *(wrap(note) for note in matched_notes(found))])
