"""The report's first words: what was run, what separates, what does not and what would, in three sentences, and one figure.

found = findings(table, points, against=compared(points, outcomes), claims=results)
found.run, found.separates, found.open          # three sentences; found.command: what would tell more

Nothing is computed here: differences are those of the table of comparisons, rulings those of the claims.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.claims.remedies import remedy_of
from analysis.claims.rulings import ClaimResult, Ruling
from analysis.compare.comparisons import Verdict, lacking
from analysis.compare.controls import Against, control_words
from analysis.figures.findings import claim_words
from analysis.load.cells import Cell, Table, draws_of_bases
from analysis.load.labels import method_label, method_rank, method_title, setting_label, studied
from analysis.load.names import base_names
from analysis.load.points import Point
from analysis.load.recipes import main_recipe
from analysis.stats.uncertainty import Estimate, Kind, interval_words

MAIN_CLAIM = "4a"
MOST_NAMED = 3  # comparisons or claims in one sentence
DECIDED = {Ruling.SUPPORTED: "supported", Ruling.CONTRADICTED: "contradicted", Ruling.EQUIVALENT: "equivalent"}


@dataclass(frozen=True)
class Findings:
    """Three sentences and a command."""

    run: str
    separates: str
    open: str
    command: str  # that adds to the study what would tell most; '' where none can be written


def findings(
    study: Table, points: Sequence[Point], *, against: Sequence[Against], claims: Sequence[ClaimResult]
) -> Findings:
    """What a reader wants to know first: of the commonest recipe of some points; the tables have the others."""
    names = base_names(point.cell for point in points)
    shown = {point.cell.cell_id for point in main_recipe(points).points}
    named = [(names[one.point.cell.base], one) for one in against if one.point.cell.cell_id in shown]
    return Findings(
        _run(study) + _levels(points),
        _separates(named, claims),
        _open(named, claims, cells=study.cells),
        _command(study, claims),
    )


def _command(study: Table, claims: Sequence[ClaimResult]) -> str:
    """What makes the first question testable that is not: whether RFT beats its controls, then the other primary ones."""
    untested = sorted((r for r in claims if _untested(r) and r.primary), key=lambda r: r.claim != MAIN_CLAIM)
    remedies = [remedy_of(result, cells=study.cells) for result in untested]
    return next((remedy.command for remedy in remedies if remedy.command), "")


def _untested(result: ClaimResult) -> bool:
    return result.ruling is Ruling.NOT_TESTABLE


def _run(study: Table) -> str:
    cells = study.cells
    if not cells:
        return "No cell of the study is finished."
    order = sorted(cells, key=lambda cell: (not studied(cell), method_rank(cell)))  # what is studied is named first
    methods = dict.fromkeys(method_title(cell) for cell in order)
    names = base_names(cells)
    sizes = sorted({score.n for cell in cells if (score := cell.accuracy) is not None})
    on = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}" if sizes else "no"
    bases = _several(list(names.values()))
    sets = _several(sorted({cell.test_set for cell in cells}))
    missing = f"{len(study.missing):,} missing" if study.missing else "none missing"
    text = f"{len(cells):,} cells ({missing}) compare {_several(list(methods), between='; ')} on {bases}"
    return f"{text} ({_draws_words(cells)}), by {on} test problems of {sets}."


def _levels(points: Sequence[Point]) -> str:
    """' Accuracy on all data: SFT 4.9 to 41.5 %, RFT k=16 5.5 to 44.6 %.': lowest and highest, of the commonest recipe."""
    found: dict[str, list[float]] = {}
    for point in sorted(main_recipe(points).points, key=lambda point: method_rank(point.cell)):
        if point.cell.data_frac != 1.0 or not point.cell.plainly_selected:
            continue
        if point.method == "sft" or studied(point.cell):
            found.setdefault(method_label(point.cell), []).append(point.estimate.value)
    told = [f"{label} {_range(values)} %" for label, values in found.items()]
    if not told:
        return ""
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED + 1 else ""
    shown = told if not more else [*told[:2], *told[-1:]]
    return f" Accuracy on all data: {', '.join(shown)}{more}."


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.1f}" if len(values) == 1 else f"{low:.1f} to {high:.1f}"


def _draws_words(cells: Sequence[Cell]) -> str:
    """'one draw', '6 draws of each', '1 to 6 draws of each'."""
    draws = draws_of_bases(cells)
    counts = sorted({len(found) for found in draws.values()})
    whose = " of each" if len(draws) > 1 else ""
    if counts == [1]:
        return f"one draw{whose}"
    return f"{counts[0]} draws{whose}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} draws{whose}"


def _several(names: Sequence[str], *, between: str = ", ") -> str:
    """'a', 'a and b', 'a, b and c', 'a, b, c and 4 more' where there are too many to read."""
    shown = names if len(names) <= 2 * MOST_NAMED else names[:MOST_NAMED]
    if not any(", " in name for name in shown):
        between = ", "
    if len(shown) < len(names):
        return f"{between.join(shown)} and {len(names) - len(shown)} more"
    last = " and " if between == ", " else f"{between}and "
    return names[0] if len(names) == 1 else f"{between.join(names[:-1])}{last}{names[-1]}" if names else "nothing"


def _separates(named: Sequence[tuple[str, Against]], claims: Sequence[ClaimResult]) -> str:
    """What holds for new bases of this kind; where nothing can, the largest difference of these bases as they are."""
    better = [pair for pair in named if pair[1].result.verdict in (Verdict.BETTER, Verdict.WORSE)]
    better.sort(key=lambda pair: -abs(pair[1].result.estimate.value))
    main = [result for result in claims if result.claim == MAIN_CLAIM and result.ruling in DECIDED]
    told = [
        claim_words(result) for result in main if len({name for name, _ in named}) > 1
    ]  # of one base it is said below
    told += [_difference(name, one, one.result.estimate) for name, one in better[:MOST_NAMED]]
    if len(better) > MOST_NAMED:
        told.append(f"{len(better) - MOST_NAMED} more comparisons")
    told += [
        f"{'claims' if len(ids) > 1 else 'claim'} {', '.join(ids)} {'are' if len(ids) > 1 else 'is'} {word}"
        for ruling, word in DECIDED.items()
        if (ids := [result.claim for result in claims if result.ruling is ruling])
    ]
    if told:
        return f"For new bases of this kind: {'; '.join(told)}."
    if not named:
        return "Nothing separates: no comparison of a method with a control of its own can be made."
    apart = [pair for pair in named if _excludes_zero(pair[1].result.estimate.these_bases)]
    name, one = max(apart or named, key=lambda pair: abs(pair[1].result.estimate.value))
    these = one.result.estimate.these_bases
    noise = ", item noise only" if these.kind is Kind.ITEMS else ""
    text = _difference(name, one, these).removesuffix(")") + f"{noise})"
    few = all(lacking(one.result.estimate) for _, one in named)
    if not apart:
        head = "Nothing separates, neither for new bases of this kind nor for these"
        return f"{head}: the largest of {len(named)} differences is {text}."
    head = (
        "On new bases of this kind nothing can be said yet" if few else "Nothing separates for new bases of this kind"
    )
    verb = "is" if len(apart) == 1 else "are"
    count = f"{len(apart)} of {len(named)} differences {verb}" if len(named) > 1 else "the one difference is"
    largest = ", the largest of them " if len(apart) > 1 else ": "
    return f"{head}; for these bases as they are, {count} apart from 0{largest}{text}."


def _excludes_zero(estimate: Estimate) -> bool:
    low, high = estimate.interval()
    return math.isfinite(high - low) and not low <= 0 <= high


def _difference(name: str, one: Against, estimate: Estimate) -> str:
    """'RFT k=16 minus SFT at equal steps on nano-s +2.2 points (95 % +0.7 to +3.9)'."""
    controls = control_words(list(one.differences), used=one.controls.values())
    what = f"{setting_label(one.point.cell)} minus {controls} on {name}"
    return f"{what} {estimate.value:+.1f} points (95 % {interval_words(estimate, digits=1)})"


def _open(named: Sequence[tuple[str, Against]], claims: Sequence[ClaimResult], *, cells: Sequence[Cell]) -> str:
    """What was tested and is not separable, with what would separate it; then what could not be tested."""
    parts = []
    close = [result for result in claims if result.ruling is Ruling.NOT_SEPARABLE]
    if close:
        ids = ", ".join(result.claim for result in close)
        parts.append(f"not separable: {'claims' if len(close) > 1 else 'claim'} {ids}")
    rows = [one for _, one in named if one.result.verdict is Verdict.NOT_SEPARABLE and not lacking(one.result.estimate)]
    if rows:
        parts.append(f"{_not_apart(len(rows), len(named))} ({_would(rows)})")
    untested = [result for result in claims if _untested(result)]
    if untested:
        which = "none" if len(untested) == len(claims) else f"{len(claims) - len(untested)}"
        lacks = _lacks(untested, cells=cells)
        lacks = lacks if len(untested) < len(claims) else lacks.replace(" others", "")
        parts.append(f"{which} of the paper's {len(claims)} claims can be tested on these cells{lacks}")
    text = "; ".join(parts) or "nothing is left open"
    return f"{text[0].upper()}{text[1:]}."


def _not_apart(count: int, of: int) -> str:
    if of == 1:
        return "the one comparison does not separate"
    return f"{count} of {of} comparisons {'does' if count == 1 else 'do'} not separate"


def _would(rows: Sequence[Against]) -> str:
    """What would separate them: '5 to 35 draws would separate 18 of them, each alone; no feasible study the others'."""
    known = [(n, one.result.estimate.num_items) for one in rows if (n := one.result.needed) is not None]
    if not known:
        return "no feasible study would"
    ends = dict.fromkeys((min(n.draws for n, _ in known), max(n.draws for n, _ in known)))
    more = ", some with more test problems," if any(n.problems > problems for n, problems in known) else ""
    text = f"{' to '.join(map(str, ends))} draws{more} would"
    if len(rows) == 1:
        return text.replace("some with", "with")
    which = "" if len(known) == len(rows) else f" separate {len(known)} of them"
    others = "; no feasible study the others" if which else ""
    return f"{text}{which}, each alone{others}"


def _lacks(untested: Sequence[ClaimResult], *, cells: Sequence[Cell]) -> str:
    """': 13 of the 14 others lack 5 draws of each base', what most of some claims lack."""
    lacked = Counter(part for r in untested for part in remedy_of(r, cells=cells).words.split("; ") if part)
    if not lacked:
        return ""
    what, count = lacked.most_common(1)[0]
    return f": {count} of the {len(untested)} others lack {what}"
